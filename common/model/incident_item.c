/* The items of an incident's inbox: one line of JSON, then the finding's payload as it is. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/incident.h"

static const char *const op_names[] = {
	[ITEM_FINDING] = "finding",
	[ITEM_RETRY] = "retry",
	[ITEM_CLOSURE] = "closure",
	[ITEM_HOST] = "host",
};

enum {
	OPS = sizeof(op_names) / sizeof(op_names[0]),
	ITEM_MAX = FINDING_PAYLOAD_MAX + (16 << 10)
};

static bool op_parse(const char *text, enum incident_op *ret_op)
{
	for (unsigned i = 0; i < OPS; i++) {
		if (strcmp(op_names[i], text) == 0) {
			*ret_op = (enum incident_op)i;
			return true;
		}
	}
	return false;
}

static void member_add(struct buf *buf, const char *name, const char *text)
{
	buf_addf(buf, ",\"%s\":\"", name);
	buf_add_json(buf, text ? text : "", text ? strlen(text) : 0);
	buf_adds(buf, "\"");
}

/* As the stream has it, so that there is one reader of both. */
static void closure_add(struct buf *buf, const struct closure *closure, struct arena *arena)
{
	struct field fields[CLOSURE_FIELDS];
	size_t count = closure_encode(closure, arena, fields);

	buf_adds(buf, ",\"closure\":{\"\":\"\"");
	for (size_t i = 0; i < count; i++)
		member_add(buf, fields[i].name, fields[i].value);
	buf_adds(buf, "}");
}

const char *incident_item_encode(const struct incident_item *item, struct arena *arena)
{
	const struct finding *finding = &item->finding;
	struct buf buf;

	buf_init(&buf, ITEM_MAX);
	buf_addf(&buf, "{\"op\":\"%s\"", op_names[item->op]);
	if (item->op == ITEM_CLOSURE)
		closure_add(&buf, &item->closure, arena);
	if (item->op == ITEM_HOST)
		member_add(&buf, "ledger", item->ledger);
	if (item->op == ITEM_FINDING) {
		buf_addf(&buf,
			 ",\"severity_id\":%d,\"time_ms\":%" PRIu64 ",\"observed_ms\":%" PRIu64,
			 finding->severity_id, finding->time_ms, finding->observed_ms);
		member_add(&buf, "source", finding->source);
		member_add(&buf, "event_id", finding->event_id);
		member_add(&buf, "uid", finding->uid);
		member_add(&buf, "group", finding->group);
		member_add(&buf, "trace", finding->trace);
		member_add(&buf, "origin", origin_name(finding->origin));
		if (finding->policy && *finding->policy)
			member_add(&buf, "policy", finding->policy);
	}
	buf_adds(&buf, "}\n");
	if (item->op == ITEM_FINDING)
		buf_add(&buf, finding->payload, finding->payload_size);

	const char *text = arena_strndup(arena, buf_text(&buf), buf.size);

	buf_done(&buf);
	return text;
}

static const char *member_text(const json_t *object, const char *name, struct arena *arena)
{
	return arena_strdup(arena, json_string_value(json_object_get(object, name)));
}

static uint64_t member_number(const json_t *object, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(object, name));

	return number > 0 ? (uint64_t)number : 0;
}

static bool closure_read(struct closure *ret_closure, const json_t *object, struct arena *arena,
			 struct err *err)
{
	struct field fields[CLOSURE_FIELDS + 1];
	size_t count = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		const char *text = json_string_value(value);

		if (!text || count == CLOSURE_FIELDS + 1)
			return err_set(err, ERR_PERMANENT, "inbox: not a closure");
		fields[count++] =
		    field_text(arena_strdup(arena, name), arena_strdup(arena, text));
	}
	return closure_decode(ret_closure, fields, count, err);
}

static bool item_read(struct incident_item *item, const json_t *head, struct arena *arena,
		      struct err *err)
{
	const char *op = json_string_value(json_object_get(head, "op"));
	struct finding *finding = &item->finding;

	if (!op || !op_parse(op, &item->op))
		return err_set(err, ERR_PERMANENT, "inbox: unknown op \"%.40s\"", op ? op : "");
	if (item->op == ITEM_RETRY)
		return true;
	if (item->op == ITEM_HOST) {
		item->ledger = member_text(head, "ledger", arena);
		return item->ledger || err_set(err, ERR_PERMANENT, "inbox: no ledger");
	}
	if (item->op == ITEM_CLOSURE)
		return closure_read(&item->closure, json_object_get(head, "closure"), arena,
				    err);
	finding->severity_id = (int)(member_number(head, "severity_id") % 100);
	finding->time_ms = member_number(head, "time_ms");
	finding->observed_ms = member_number(head, "observed_ms");
	finding->source = member_text(head, "source", arena);
	finding->event_id = member_text(head, "event_id", arena);
	finding->uid = member_text(head, "uid", arena);
	finding->group = member_text(head, "group", arena);
	finding->trace = member_text(head, "trace", arena);
	finding->policy = member_text(head, "policy", arena);
	finding->origin = origin_parse(json_string_value(json_object_get(head, "origin")));
	if (!finding->source || !finding->event_id || !finding->uid || !finding->trace)
		return err_set(err, ERR_PERMANENT, "inbox: a finding without its envelope");
	return true;
}

bool incident_item_decode(struct incident_item *ret_item, const char *text,
			  const struct incident *incident, struct arena *arena, struct err *err)
{
	const char *end = strchrnul(text, '\n');
	json_error_t where;
	json_t *head = json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES, &where);

	*ret_item = (struct incident_item){ 0 };
	if (!head)
		return err_set(err, ERR_PERMANENT, "inbox: not JSON: %s", where.text);

	bool ok = item_read(ret_item, head, arena, err);

	json_decref(head);
	if (!ok)
		return false;
	ret_item->finding.customer = incident->customer;
	/* Its own, where one incident stands for several groups. */
	if (!ret_item->finding.group || !*ret_item->finding.group)
		ret_item->finding.group = incident->group;
	ret_item->finding.payload = *end ? end + 1 : end;
	ret_item->finding.payload_size = strlen(ret_item->finding.payload);
	return true;
}
