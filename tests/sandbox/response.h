#ifndef SANDBOX_RESPONSE_H
#define SANDBOX_RESPONSE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

struct arena;

enum { RESPONSE_HEADERS_MAX = 24, RESPONSE_BODY_MAX = 256 * 1024 * 1024 };

struct response_header {
	const char *name;
	const char *value;
};

/* What will be answered. Header values live in the arena. */
struct response {
	struct arena *arena;
	unsigned status;
	const char *content_type; /* NULL: none */
	struct buf body;
	struct response_header header[RESPONSE_HEADERS_MAX];
	unsigned headers;
	bool committed;	    /* the call changed something */
	const char *record; /* what it made or changed, for the ledger; NULL for nothing */
};

void response_init(struct response *response, struct arena *arena);
void response_done(struct response *response);
/* Forgets status, body and headers, keeps committed and record. */
void response_clear(struct response *response);

/* The value is borrowed: a constant, or text of the arena. */
void response_set_header(struct response *response, const char *name, const char *value);
void response_add_header(struct response *response, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void response_text(struct response *response, unsigned status, const char *content_type,
		   const char *text);
/* Takes the reference of value. */
void response_json(struct response *response, unsigned status, json_t *value);
/* {"error": text}: how the control API refuses. */
void response_refuse(struct response *response, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends value's JSON text. */
void response_dump(struct buf *out, const json_t *value);

#endif
