#ifndef CALLBACK_HINT_H
#define CALLBACK_HINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/closure.h"

struct arena;

/* What an instance says of one of its tickets, in the form of our business rule. */
struct hint {
	const char *instance_name;
	const char *sys_id; /* 32 hex */
	const char *number, *table, *state, *close_code, *updated_by;
	const char *key; /* correlation_id */
};

/* Texts live in the arena; what is missing is "". Permanent error, fit for the sender, when it
 * is no such JSON, or lacks instance_name or sys_id. */
bool hint_parse(struct hint *ret_hint, const char *text, size_t size, struct arena *arena,
		struct err *err);

/* Whose ticket a correlation_id says it is (model/incident.h: tocsin-i:...). */
struct hint_key {
	bool test;	   /* tocsin-t:<installation>:..., of the self-test */
	char customer[25]; /* "" for a test */
	char incident[17];
};

/* False when it is not one of this installation's. */
bool hint_key_parse(struct hint_key *ret_key, const char *key, const char *installation);

/* Closed when the state is one in which a ticket of that table is over, else reopened. */
enum closure_op hint_op(const struct hint *hint);

#endif
