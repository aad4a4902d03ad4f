/* The stream `closures`: its fields, checked on the way in because any program may append to
 * it. */
#include "model/closure.h"

#include <string.h>

#include "model/customer.h"
#include "model/envelope.h"

enum { INCIDENT_DIGITS = 16, SYS_ID_DIGITS = 32, KEY_MAX = 100 };

static const char format_version[] = "1";

static const char *const op_names[] = {
	[CLOSURE_CLOSED] = "closed",   [CLOSURE_VERDICT] = "verdict",
	[CLOSURE_APPROVE] = "approve", [CLOSURE_RELEASE] = "release",
	[CLOSURE_REOPEN] = "reopen",   [CLOSURE_WRITE_OFF] = "write_off",
	[CLOSURE_MERGED] = "merged",
};

static const char *const via_names[] = {
	[CLOSURE_SERVICENOW] = "servicenow",
	[CLOSURE_ANCESTORS] = "ancestors",
	[CLOSURE_RECONCILER] = "reconciler",
	[CLOSURE_LINK] = "link",
	[CLOSURE_CLI] = "cli",
	[CLOSURE_THREAT_RESPONSE] = "threat_response",
	[CLOSURE_TEST] = "test",
};

static const char *const verdict_names[] = {
	[VERDICT_NONE] = "",
	[VERDICT_FALSE_POSITIVE] = "false_positive",
	[VERDICT_BENIGN] = "benign",
	[VERDICT_TRUE_POSITIVE] = "true_positive",
};

#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

const char *closure_op_name(enum closure_op op)
{
	return op_names[op];
}

const char *closure_via_name(enum closure_via via)
{
	return via_names[via];
}

const char *closure_verdict_name(enum closure_verdict verdict)
{
	return verdict_names[verdict];
}

static bool parse(const char *const *names, size_t count, const char *text, unsigned *ret_index)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], text) == 0) {
			*ret_index = (unsigned)i;
			return true;
		}
	}
	return false;
}

static bool parse_op(const char *text, enum closure_op *ret_op)
{
	unsigned index;

	if (!parse(op_names, COUNT(op_names), text, &index))
		return false;
	*ret_op = (enum closure_op)index;
	return true;
}

static bool parse_via(const char *text, enum closure_via *ret_via)
{
	unsigned index;

	if (!parse(via_names, COUNT(via_names), text, &index))
		return false;
	*ret_via = (enum closure_via)index;
	return true;
}

bool closure_verdict_parse(const char *text, enum closure_verdict *ret_verdict)
{
	unsigned index;

	if (!parse(verdict_names, COUNT(verdict_names), text, &index))
		return false;
	*ret_verdict = (enum closure_verdict)index;
	return true;
}

/* ---- its texts, all of them optional ---- */

struct text {
	const char *name;
	size_t offset;
	size_t max;
	size_t digits; /* so many hex digits, or nothing; 0: any bytes */
};

#define AT(member) offsetof(struct closure, member)

static const struct text texts[] = {
	{ "incident", AT(incident), INCIDENT_DIGITS, INCIDENT_DIGITS },
	{ "customer", AT(customer), CLOSURE_TEXT_MAX, 0 },
	{ "instance", AT(instance), CLOSURE_TEXT_MAX, 0 },
	{ "instance_name", AT(instance_name), CLOSURE_TEXT_MAX, 0 },
	{ "sys_id", AT(sys_id), SYS_ID_DIGITS, SYS_ID_DIGITS },
	{ "number", AT(number), CLOSURE_TEXT_MAX, 0 },
	{ "key", AT(key), KEY_MAX, 0 },
	{ "ctim_id", AT(ctim_id), CLOSURE_ID_MAX, 0 },
	{ "actor", AT(actor), CLOSURE_TEXT_MAX, 0 },
	{ "note", AT(note), CLOSURE_NOTE_MAX, 0 },
	{ "token", AT(token), CLOSURE_TOKEN_MAX, 0 },
	{ "code", AT(code), CLOSURE_TEXT_MAX, 0 },
};

static const char **text_slot(struct closure *closure, const struct text *text)
{
	return (const char **)((char *)closure + text->offset);
}

static bool is_hex(const char *text, size_t size)
{
	return size == 0 || strspn(text, "0123456789abcdef") == size;
}

static bool decode_text(struct closure *closure, const struct text *text,
			const struct field *fields, size_t count, struct err *err)
{
	const struct field *field = field_find(fields, count, text->name);

	*text_slot(closure, text) = field ? field->value : "";
	if (!field)
		return true;
	if (field->size > text->max || strlen(field->value) != field->size ||
	    (text->digits && field->size != 0 && field->size != text->digits) ||
	    (text->digits && !is_hex(field->value, field->size)))
		return err_set(err, ERR_PERMANENT, "closure: %s is malformed", text->name);
	return true;
}

/* ---- the entry ---- */

size_t closure_encode(const struct closure *closure, struct arena *arena,
		      struct field *ret_fields)
{
	size_t count = 0;

	ret_fields[count++] = field_text("v", format_version);
	ret_fields[count++] = field_text("op", op_names[closure->op]);
	ret_fields[count++] = field_text("via", via_names[closure->via]);
	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *value =
		    *(const char *const *)((const char *)closure + texts[i].offset);

		if (value && *value)
			ret_fields[count++] = field_text(texts[i].name, value);
	}
	if (closure->verdict != VERDICT_NONE)
		ret_fields[count++] = field_text("verdict", verdict_names[closure->verdict]);
	if (closure->force)
		ret_fields[count++] = field_text("force", "1");
	ret_fields[count++] =
	    field_text("received_ms", envelope_decimal(arena, closure->received_ms));
	ret_fields[count++] = field_text("trace", closure->trace ? closure->trace : "");
	return count;
}

static const char *word(const struct field *fields, size_t count, const char *name)
{
	const struct field *field = field_find(fields, count, name);

	return field ? field->value : "";
}

bool closure_decode(struct closure *ret_closure, const struct field *fields, size_t count,
		    struct err *err)
{
	const struct envelope envelope = { .what = "closure",
					   .fields = fields,
					   .count = count };

	*ret_closure = (struct closure){ 0 };
	if (!envelope_version(&envelope, format_version, err))
		return false;
	if (!parse_op(word(fields, count, "op"), &ret_closure->op))
		return err_set(err, ERR_PERMANENT, "closure: unknown op \"%.40s\"",
			       word(fields, count, "op"));
	if (!parse_via(word(fields, count, "via"), &ret_closure->via))
		return err_set(err, ERR_PERMANENT, "closure: unknown via \"%.40s\"",
			       word(fields, count, "via"));
	if (!closure_verdict_parse(word(fields, count, "verdict"), &ret_closure->verdict))
		return err_set(err, ERR_PERMANENT, "closure: unknown verdict \"%.40s\"",
			       word(fields, count, "verdict"));
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (!decode_text(ret_closure, &texts[i], fields, count, err))
			return false;
	}
	ret_closure->force = strcmp(word(fields, count, "force"), "1") == 0;
	if (*ret_closure->customer && !customer_id_valid(ret_closure->customer))
		return err_set(err, ERR_PERMANENT, "closure: customer is malformed");
	return envelope_number(&envelope, "received_ms", &ret_closure->received_ms, err) &&
	       envelope_trace(&envelope, &ret_closure->trace, err);
}
