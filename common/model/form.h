#ifndef MODEL_FORM_H
#define MODEL_FORM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Reading JSON that a person wrote. Every refusal is one line: file, place of the field in it,
 * what is wrong and what is allowed ("customers/acme.json: sources.secure_endpoint.interval:
 * ..."). The readers of optional members leave *ret as it is when the member is missing; null
 * counts as missing. Results are owned by the caller and replace what *ret held.
 */
struct form {
	const char *where;	   /* the file; borrowed, like everything here */
	const struct form *parent; /* NULL for the file's own object */
	const char *name;	   /* of this object in its parent */
	const json_t *json;	   /* NULL when the member is missing */
};

/* The file's object, to be released with json_decref(); NULL with line and column in err. */
json_t *form_parse(const char *text, size_t size, const char *where, struct err *err);

/* Always false: fills err with where the member is and why it is refused. */
bool form_refuse(const struct form *form, const char *name, struct err *err, const char *fmt,
		 ...) __attribute__((format(printf, 4, 5)));

/* Refuses a member that is not one of names (ended by NULL), naming the nearest. */
bool form_known(const struct form *form, const char *const *names, struct err *err);

bool form_has(const struct form *form, const char *name);
/* For members that must be there: false and "is missing" when it is not. */
bool form_need(const struct form *form, const char *name, struct err *err);

/* ret_child.json is NULL when the member is missing. */
bool form_object(const struct form *form, const char *name, struct form *ret_child,
		 struct err *err);
/* 1 to max bytes without control characters; letters: the only bytes allowed, NULL for any. */
bool form_text(const struct form *form, const char *name, size_t max, const char *letters,
	       char **ret, struct err *err);
/* Of a record in ServiceNow: 32 hexadecimal digits. */
bool form_sys_id(const struct form *form, const char *name, char **ret, struct err *err);
bool form_unsigned(const struct form *form, const char *name, unsigned max, unsigned *ret,
		   struct err *err);
/* "5m"; a bare number is refused, because nobody remembers its unit. */
bool form_span(const struct form *form, const char *name, uint64_t min_ms, uint64_t max_ms,
	       uint64_t *ret_ms, struct err *err);
/* choices are ended by NULL; *ret becomes the index. */
bool form_choice(const struct form *form, const char *name, const char *const *choices,
		 unsigned *ret, struct err *err);
/* An absolute https URL without query, fragment and credentials; plain http only to loopback
 * and to names without a dot (a neighbour on a private network). Slashes at its end are cut. */
bool form_url(const struct form *form, const char *name, char **ret, struct err *err);

#endif
