#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "store.h"

/*
 * What has to change in the hash tocsin:customers so that it says what the files say. Pure: the
 * hash as it is comes in, fields to set and to delete go out. A bad file leaves what Redis has
 * of it as it was; so does a customer whose accounts cannot be found. An account whose file is
 * gone stays while such a customer still needs it.
 */
struct plan_field {
	char *name; /* "acme", "@now" */
	char *value;
};

struct plan_fields {
	struct plan_field *items;
	size_t count;
};

struct plan_problem {
	char *where; /* "customers/acme.json" */
	struct err err;
};

struct plan {
	struct plan_fields set;	   /* new or changed */
	struct plan_fields remove; /* value is NULL */
	struct plan_problem *problems;
	size_t problem_count;
	size_t customers, accounts; /* what the hash holds afterwards */
};

void plan_fields_add(struct plan_fields *fields, const char *name, const char *value);
void plan_fields_done(struct plan_fields *fields);

/* current: the hash without "#version". partitions: how many there are. */
void plan_make(struct plan *ret_plan, const struct store *store,
	       const struct plan_fields *current, unsigned partitions);
/* For what else is wrong in the folder. */
void plan_add_problem(struct plan *plan, const char *where, const struct err *err);
void plan_done(struct plan *plan);

#endif
