/* How events come to us, as the streams say it. */
#include "model/origin.h"

#include <string.h>

#include "model/envelope.h"

static const char *const names[] = {
	[ORIGIN_PUSH] = "push",	      [ORIGIN_POLL] = "poll",	  [ORIGIN_FIRST] = "first",
	[ORIGIN_CATCHUP] = "catchup", [ORIGIN_REPLAY] = "replay", [ORIGIN_REPAIR] = "repair",
};

enum { ORIGINS = sizeof(names) / sizeof(names[0]) };

const char *origin_name(enum origin origin)
{
	return names[origin];
}

bool origin_is_live(enum origin origin)
{
	return origin == ORIGIN_PUSH || origin == ORIGIN_POLL;
}

static bool find(const char *name, enum origin *ret_origin)
{
	for (unsigned i = 0; i < ORIGINS; i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_origin = (enum origin)i;
			return true;
		}
	}
	return false;
}

enum origin origin_parse(const char *name)
{
	enum origin origin = ORIGIN_PUSH;

	return name && find(name, &origin) ? origin : ORIGIN_PUSH;
}

bool envelope_origin(const struct envelope *envelope, enum origin *ret_origin, struct err *err)
{
	const struct field *field = field_find(envelope->fields, envelope->count, "origin");

	*ret_origin = ORIGIN_PUSH;
	if (!field || field->size == 0)
		return true;
	return (strlen(field->value) == field->size && find(field->value, ret_origin)) ||
	       err_set(err, ERR_PERMANENT, "%s: origin \"%.16s\" is none of ours",
		       envelope->what, field->value);
}
