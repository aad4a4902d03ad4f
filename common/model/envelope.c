#include "model/envelope.h"

#include <string.h>

#include "base/arena.h"
#include "base/control.h"
#include "base/trace.h"
#include "model/customer.h"

enum { SOURCE_MAX = 32 };

static const struct field *find(const struct envelope *envelope, const char *name,
				struct err *err)
{
	const struct field *field = field_find(envelope->fields, envelope->count, name);

	if (!field)
		err_fill(err, ERR_PERMANENT, "%s: field %s is missing", envelope->what, name);
	return field;
}

static bool only_of(const struct field *field, const char *allowed)
{
	return strspn(field->value, allowed) == field->size;
}

bool envelope_version(const struct envelope *envelope, const char *expected, struct err *err)
{
	const struct field *field = find(envelope, "v", err);

	if (!field)
		return false;
	if (field->size == strlen(expected) && memcmp(field->value, expected, field->size) == 0)
		return true;
	return err_set(err, ERR_PERMANENT, "%s: format version %.8s is not known, only %s",
		       envelope->what, field->value, expected);
}

bool envelope_text(const struct envelope *envelope, const char *name, size_t max,
		   const char **ret_text, struct err *err)
{
	const struct field *field = find(envelope, name, err);

	if (!field)
		return false;
	if (field->size == 0 || field->size > max)
		return err_set(err, ERR_PERMANENT, "%s: %s has %zu bytes, allowed are 1 to %zu",
			       envelope->what, name, field->size, max);
	for (size_t i = 0; i < field->size; i++) {
		if (is_control(field->value[i]))
			return err_set(err, ERR_PERMANENT, "%s: %s holds a control character",
				       envelope->what, name);
	}
	*ret_text = field->value;
	return true;
}

bool envelope_customer(const struct envelope *envelope, const char **ret_id, struct err *err)
{
	const struct field *field = find(envelope, "customer", err);

	if (!field)
		return false;
	if (strlen(field->value) != field->size || !customer_id_valid(field->value))
		return err_set(err, ERR_PERMANENT,
			       "%s: customer must be 1 to 24 of a-z, 0-9 and -",
			       envelope->what);
	*ret_id = field->value;
	return true;
}

bool envelope_source(const struct envelope *envelope, const char **ret_source, struct err *err)
{
	const struct field *field = find(envelope, "source", err);

	if (!field)
		return false;
	if (field->size == 0 || field->size > SOURCE_MAX ||
	    !only_of(field, "abcdefghijklmnopqrstuvwxyz0123456789_"))
		return err_set(err, ERR_PERMANENT,
			       "%s: source must be 1 to %d of a-z, 0-9 and _", envelope->what,
			       SOURCE_MAX);
	*ret_source = field->value;
	return true;
}

bool envelope_number(const struct envelope *envelope, const char *name, uint64_t *ret_number,
		     struct err *err)
{
	const struct field *field = find(envelope, name, err);
	uint64_t number = 0;

	if (!field)
		return false;
	bool valid = field->size > 0;
	for (size_t i = 0; valid && i < field->size; i++) {
		unsigned digit = (unsigned)(field->value[i] - '0');
		valid = digit <= 9 && number <= (UINT64_MAX - digit) / 10;
		number = number * 10 + digit;
	}
	if (!valid)
		return err_set(err, ERR_PERMANENT, "%s: %s must be a whole number",
			       envelope->what, name);
	*ret_number = number;
	return true;
}

const char *envelope_decimal(struct arena *arena, uint64_t number)
{
	enum { ROOM = 21 };
	char *at = (char *)arena_alloc(arena, ROOM) + ROOM - 1;

	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return at;
}

bool envelope_trace(const struct envelope *envelope, const char **ret_trace, struct err *err)
{
	const struct field *field = field_find(envelope->fields, envelope->count, "trace");

	*ret_trace = "";
	if (!field || field->size == 0)
		return true;
	if (!trace_is_valid(field->value, field->size))
		return err_set(err, ERR_PERMANENT, "%s: trace must be a W3C traceparent",
			       envelope->what);
	*ret_trace = field->value;
	return true;
}

bool envelope_payload(const struct envelope *envelope, size_t max,
		      const struct field **ret_payload, struct err *err)
{
	const struct field *field = find(envelope, "payload", err);

	if (!field)
		return false;
	if (field->size == 0 || field->size > max)
		return err_set(err, ERR_PERMANENT,
			       "%s: payload has %zu bytes, allowed are 1 to %zu",
			       envelope->what, field->size, max);
	*ret_payload = field;
	return true;
}
