/* From a file to a finding, with the normalizer's own code. */
#include "template_event.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "model/incident.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include "model/raw.h"
#include "source_run.h"

enum { EVENT_MAX = RAW_PAYLOAD_MAX };

/* The first record of a page or list. */
static const struct json_node *first_record(const struct json_node *root)
{
	static const char *const lists[] = { "data", "value", "requests", NULL };
	const struct json_node *node = root;

	for (const char *const *name = lists; *name; name++) {
		const struct json_node *list = json_tree_get(root, *name);

		if (list && list->kind == JSON_NODE_ARRAY)
			node = list;
	}
	return node->kind == JSON_NODE_ARRAY ? node->first : node;
}

/* What only that vendor's records have. */
static const char *source_of(const struct json_node *record)
{
	static const struct {
		const char *member, *source;
	} signs[] = { { "event_type_id", "secure_endpoint" },
		      { "connector_guid", "secure_endpoint" },
		      { "alertCreationTime", "defender" },
		      { "machineId", "defender" },
		      { "verdict", "umbrella" },
		      { "externalip", "umbrella" },
		      { "retrospectivedisposition", "umbrella" } };

	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
		if (json_tree_get(record, signs[i].member))
			return signs[i].source;
	}
	return NULL;
}

static const char *text_at(const struct json_node *node, const char *object, const char *name)
{
	const struct json_node *value = json_tree_get(json_tree_get(node, object), name);

	return value && value->kind == JSON_NODE_TEXT ? value->text : NULL;
}

static int64_t number_at(const struct json_node *node, const char *name)
{
	const struct json_node *value = json_tree_get(node, name);

	return value && value->kind == JSON_NODE_NUMBER ? strtoll(value->text, NULL, 10) : 0;
}

/* ---- a finding ---- */

/* Of the product that the finding names. */
static const char *source_of_finding(const struct json_node *record)
{
	const struct json_node *product =
	    json_tree_get(json_tree_get(record, "metadata"), "product");
	const struct json_node *node = json_tree_get(product, "name");
	const char *name = node && node->kind == JSON_NODE_TEXT ? node->text : "";

	if (strstr(name, "Defender"))
		return "defender";
	return strstr(name, "Umbrella") ? "umbrella" : "secure_endpoint";
}

static void take_finding(const struct template_event *event, const struct json_node *record,
			 const struct buf *payload, struct arena *arena,
			 struct finding *ret_finding)
{
	const char *source = event->source ? event->source : source_of_finding(record);
	const char *uid = text_at(record, "finding_info", "uid");
	char group[INCIDENT_ID_SIZE];
	const char *parts[] = { event->customer, uid ? uid : "", NULL };

	finding_digest(parts, group);
	*ret_finding = (struct finding){
		.customer = event->customer,
		.source = source,
		.event_id = uid ? uid : "unknown",
		.uid = arena_printf(arena, "%s:%s", source, uid ? uid : "unknown"),
		.group = arena_strdup(arena, group),
		.severity_id = (int)number_at(record, "severity_id"),
		.time_ms = (uint64_t)number_at(record, "time"),
		.trace = "",
		.payload = payload->data,
		.payload_size = payload->size,
	};
}

/* ---- a vendor's record ---- */

static const char *id_of(const struct json_node *record, const struct buf *payload,
			 struct arena *arena)
{
	const struct json_node *id = json_tree_get(record, "id");
	char derived[33];

	if (id && id->size > 0 && id->size <= RAW_EVENT_ID_MAX &&
	    (id->kind == JSON_NODE_NUMBER || id->kind == JSON_NODE_TEXT))
		return id->text;
	if (!raw_derive_id(payload->data, payload->size, 0, derived, NULL))
		return "unknown";
	return arena_strdup(arena, derived);
}

static bool map_record(const struct template_event *event, const struct raw *raw,
		       struct arena *arena, struct finding *ret_finding, struct err *err)
{
	const char *skip = "";
	enum normalize_verdict verdict =
	    source_run_event(event->run, raw, arena, ret_finding, &skip, err);

	if (verdict == NORMALIZE_SKIP)
		err_fill(err, ERR_PERMANENT, "this event makes no ticket: %s", skip);
	return verdict == NORMALIZE_FINDING;
}

bool template_event_read(const struct template_event *event, struct arena *arena,
			 struct finding *ret_finding, struct err *err)
{
	const struct json_node *root = json_tree_parse(event->text, event->size, arena, err);
	const struct json_node *record = root ? first_record(root) : NULL;
	struct buf *payload = arena_alloc(arena, sizeof *payload);

	if (!root)
		return false;
	if (!record || record->kind != JSON_NODE_OBJECT)
		return err_set(err, ERR_PERMANENT, "it holds no JSON object");

	const char *source = event->source ? event->source : source_of(record);

	buf_init(payload, EVENT_MAX);
	json_tree_write(payload, NULL, record);

	struct buf kept = *payload;
	char *text =
	    buf_ok(payload) ? arena_strndup(arena, payload->data, payload->size) : NULL;

	kept.data = text;
	buf_done(payload);
	if (!text)
		return err_set(err, ERR_PERMANENT, "the event is larger than %d bytes",
			       EVENT_MAX);
	if (number_at(record, "class_uid") == FINDING_CLASS_UID) {
		take_finding(event, record, &kept, arena, ret_finding);
		return true;
	}
	if (!source)
		return err_set(err, ERR_PERMANENT,
			       "whose event is it? say so with --source, like secure_endpoint, "
			       "umbrella, defender");

	const struct raw raw = {
		.customer = event->customer,
		.source = source,
		.event_id = id_of(record, &kept, arena),
		.observed_ms = clock_wall_ms(),
		.trace = "",
		.asked = "1",
		.payload = kept.data,
		.payload_size = kept.size,
	};

	return map_record(event, &raw, arena, ret_finding, err);
}
