/*
 * ctim: the schema of what may be sent to CTIA, as tables (CTIM 1.3, structures Incident,
 * Sighting, Relationship, Note and Indicator, and the keys the production server adds).
 */
#include "ctim.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum kind { TEXT, TEXTS, CHOICE, TIME, INTEGER, NUMBER, BOOLEAN, OBJECT, OBJECTS, ANY };

struct field {
	const char *name;
	enum kind kind;
	bool required;
	unsigned max;		    /* TEXT, TEXTS: characters; 0: any */
	const char *const *choices; /* CHOICE */
	const struct field *fields; /* OBJECT, OBJECTS; NULL: any object */
};

static const char *const statuses[] = { "New",
					"New: Processing",
					"New: Presented",
					"Open",
					"Open: Investigating",
					"Open: Reported",
					"Open: Contained",
					"Open: Recovered",
					"Hold",
					"Hold: Internal",
					"Hold: External",
					"Hold: Legal",
					"Stalled",
					"Containment Achieved",
					"Restoration Achieved",
					"Incident Reported",
					"Closed",
					"Closed: Under Review",
					"Closed: Confirmed Threat",
					"Closed: Suspected",
					"Closed: False Positive",
					"Closed: Near-Miss",
					"Closed: Merged",
					"Closed: Other",
					"Rejected",
					NULL };
static const char *const confidences[] = { "Info", "Low",     "Medium", "High",
					   "None", "Unknown", NULL };
static const char *const severities[] = { "Info",     "Low",  "Medium",	 "High",
					  "Critical", "None", "Unknown", NULL };
static const char *const tlps[] = { "white", "green", "amber", "red", NULL };
static const char *const promotions[] = { "Automated", "Manual", NULL };
static const char *const detection_statuses[] = { "active",
						  "inactive_expired",
						  "inactive_merged",
						  "inactive_oversized",
						  "inactive_user_closed",
						  NULL };
static const char *const resolutions[] = { "detected", "blocked", "allowed", "contained",
					   NULL };

static const struct field reference_fields[] = { { "source_name", TEXT, true, 2048 },
						 { "description", TEXT, false, 5000 },
						 { "url", TEXT, false, 2048 },
						 { "external_id", TEXT },
						 { "hashes", TEXTS },
						 { 0 } };
static const struct field interval_fields[] = { { "start_time", TIME, true },
						{ "end_time", TIME },
						{ 0 } };
static const struct field incident_time_fields[] = {
	{ "opened", TIME, true }, { "discovered", TIME },
	{ "reported", TIME },	  { "remediated", TIME },
	{ "closed", TIME },	  { "rejected", TIME },
	{ "contained", TIME },	  { 0 }
};
static const struct field observable_fields[] = { { "type", TEXT, true },
						  { "value", TEXT, true, 2048 },
						  { 0 } };
static const struct field target_fields[] = {
	{ "type", TEXT, true, 1024 },
	{ "observables", OBJECTS, true, 0, NULL, observable_fields },
	{ "observed_time", OBJECT, true, 0, NULL, interval_fields },
	{ "os", TEXT, false, 1024 },
	{ "sensor", TEXT, false, 1024 },
	{ "properties_data_tables", TEXT },
	{ "internal", BOOLEAN },
	{ "source_uri", TEXT, false, 2048 },
	{ 0 }
};
static const struct field observed_relation_fields[] = {
	{ "origin", TEXT, true, 1024 },
	{ "origin_uri", TEXT, false, 2048 },
	{ "relation", TEXT, true },
	{ "relation_info", OBJECT },
	{ "source", OBJECT, true, 0, NULL, observable_fields },
	{ "related", OBJECT, true, 0, NULL, observable_fields },
	{ 0 }
};
static const struct field sensor_fields[] = { { "type", TEXT, true, 1024 },
					      { "observables", OBJECTS, true, 0, NULL,
						observable_fields },
					      { "os", TEXT, false, 1024 },
					      { 0 } };
static const struct field note_entity_fields[] = { { "entity_type", TEXT, true },
						   { "entity_id", TEXT, true },
						   { 0 } };

/* What every entity has; `type` and `schema_version` are checked apart. */
static const struct field common_fields[] = { { "id", TEXT, false, 2048 },
					      { "type", TEXT },
					      { "schema_version", TEXT },
					      { "external_ids", TEXTS },
					      { "external_references", OBJECTS, false, 0, NULL,
						reference_fields },
					      { "revision", INTEGER },
					      { "timestamp", TIME },
					      { "language", TEXT, false, 1024 },
					      { "tlp", CHOICE, false, 0, tlps },
					      { "source", TEXT, false, 2048 },
					      { "source_uri", TEXT, false, 2048 },
					      { "authorized_users", TEXTS },
					      { "authorized_groups", TEXTS },
					      { "client_id", TEXT },
					      { "owner", TEXT },
					      { "groups", TEXTS },
					      { "created", TIME },
					      { "modified", TIME },
					      { 0 } };
static const struct field title_fields[] = { { "title", TEXT, false, 1024 },
					     { "short_description", TEXT, false, 2048 },
					     { "description", TEXT, false, 5000 },
					     { 0 } };
static const struct field incident_fields[] = {
	{ "status", CHOICE, true, 0, statuses },
	{ "confidence", CHOICE, true, 0, confidences },
	{ "incident_time", OBJECT, true, 0, NULL, incident_time_fields },
	{ "severity", CHOICE, false, 0, severities },
	{ "assignees", TEXTS, false, 1024 },
	{ "categories", TEXTS },
	{ "detection_sources", TEXTS, false, 2048 },
	{ "discovery_method", TEXT },
	{ "intended_effect", TEXT },
	{ "promotion_method", CHOICE, false, 0, promotions },
	{ "scores", OBJECT },
	{ "meta", OBJECT },
	{ "tactics", TEXTS, false, 1024 },
	{ "techniques", TEXTS, false, 1024 },
	{ "short_id", TEXT },
	{ "detection_status", CHOICE, false, 0, detection_statuses },
	{ 0 }
};
static const struct field sighting_fields[] = {
	{ "observed_time", OBJECT, true, 0, NULL, interval_fields },
	{ "confidence", CHOICE, false, 0, confidences },
	{ "count", INTEGER },
	{ "severity", CHOICE, false, 0, severities },
	{ "observables", OBJECTS, false, 0, NULL, observable_fields },
	{ "targets", OBJECTS, false, 0, NULL, target_fields },
	{ "relations", OBJECTS, false, 0, NULL, observed_relation_fields },
	{ "sensor", TEXT, false, 1024 },
	{ "sensor_coordinates", OBJECT, false, 0, NULL, sensor_fields },
	{ "resolution", CHOICE, false, 0, resolutions },
	{ "internal", BOOLEAN },
	{ "data", OBJECT },
	{ "context", OBJECT },
	{ "detection_interval", OBJECT, false, 0, NULL, interval_fields },
	{ "activity_interval", OBJECT, false, 0, NULL, interval_fields },
	{ "modification_interval", OBJECT, false, 0, NULL, interval_fields },
	{ 0 }
};
static const struct field relationship_fields[] = { { "source_ref", TEXT, true },
						    { "target_ref", TEXT, true },
						    { "relationship_type", TEXT, true },
						    { 0 } };
static const struct field note_fields[] = { { "content", TEXT, true, 100000 },
					    { "note_class", TEXT },
					    { "author", TEXT },
					    { "related_entities", OBJECTS, false, 0, NULL,
					      note_entity_fields },
					    { 0 } };
static const struct field indicator_fields[] = { { "producer", TEXT, true, 1024 },
						 { "valid_time", OBJECT, false, 0, NULL, NULL },
						 { "confidence", CHOICE, false, 0,
						   confidences },
						 { "severity", CHOICE, false, 0, severities },
						 { "indicator_type", TEXTS },
						 { "kill_chain_phases", OBJECTS },
						 { "likely_impact", TEXT, false, 5000 },
						 { "negate", BOOLEAN },
						 { "specification", OBJECT },
						 { "composite_indicator_expression", OBJECT },
						 { "tags", TEXTS, false, 1024 },
						 { "test_mechanisms", TEXTS, false, 2048 },
						 { 0 } };

static const struct {
	const char *name, *plural;
	const struct field *fields[4];
} types[CTIM_TYPES] = {
	[CTIM_INCIDENT] = { "incident",
			    "incidents",
			    { common_fields, title_fields, incident_fields } },
	[CTIM_SIGHTING] = { "sighting",
			    "sightings",
			    { common_fields, title_fields, sighting_fields } },
	[CTIM_RELATIONSHIP] = { "relationship",
				"relationships",
				{ common_fields, title_fields, relationship_fields } },
	[CTIM_NOTE] = { "note", "notes", { common_fields, note_fields } },
	[CTIM_INDICATOR] = { "indicator",
			     "indicators",
			     { common_fields, title_fields, indicator_fields } },
};

const char *ctim_name(enum ctim_type type)
{
	return types[type].name;
}

const char *ctim_plural(enum ctim_type type)
{
	return types[type].plural;
}

enum ctim_type ctim_named(const char *name)
{
	for (int type = 0; type < CTIM_TYPES; type++) {
		if (strcmp(types[type].name, name) == 0)
			return (enum ctim_type)type;
	}
	return CTIM_TYPES;
}

static bool one_of(const char *text, const char *const *choices)
{
	for (; text && *choices; choices++) {
		if (strcmp(text, *choices) == 0)
			return true;
	}
	return false;
}

bool ctim_status_known(const char *status)
{
	return one_of(status, statuses);
}

static size_t characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

/* What a check found; the first length error is reported apart, as the server does. */
struct findings {
	json_t *errors; /* key: what is wrong */
	char too_long[64];
	bool partial;
};

static json_t *check_object(const struct field *const *lists, const json_t *object,
			    struct findings *findings, bool nested);

static void check_length(const struct field *field, const char *text, struct findings *findings)
{
	if (field->max && characters(text) > field->max && !*findings->too_long)
		snprintf(findings->too_long, sizeof(findings->too_long), "%s: over %u",
			 field->name, field->max);
}

static json_t *check_list(const struct field *field, const json_t *value,
			  struct findings *findings)
{
	const struct field *lists[] = { field->fields, NULL };
	size_t i;
	json_t *item;

	if (!json_is_array(value))
		return json_string("(not (sequential? value))");
	json_array_foreach(value, i, item)
	{
		if (field->kind == TEXTS && !json_is_string(item))
			return json_string("(not (instance? java.lang.String item))");
		if (field->kind == TEXTS)
			check_length(field, json_string_value(item), findings);
		if (field->kind == OBJECTS && !json_is_object(item))
			return json_string("(not (map? item))");
		json_t *errors = field->kind == OBJECTS && field->fields
				     ? check_object(lists, item, findings, true)
				     : NULL;

		if (errors)
			return errors;
	}
	return NULL;
}

static json_t *check_scalar(const struct field *field, const json_t *value,
			    struct findings *findings)
{
	const char *text = json_string_value(value);
	uint64_t ms;
	bool ok = true;

	switch (field->kind) {
	case TEXT:
		ok = text != NULL;
		if (ok)
			check_length(field, text, findings);
		break;
	case CHOICE:
		ok = one_of(text, field->choices);
		break;
	case TIME:
		ok = text && clock_parse(text, &ms);
		break;
	case INTEGER:
		ok = json_is_integer(value);
		break;
	case NUMBER:
		ok = json_is_number(value);
		break;
	case BOOLEAN:
		ok = json_is_boolean(value);
		break;
	default:
		break;
	}
	if (ok)
		return NULL;
	return field->kind == CHOICE ? json_string("(not (enum value))")
				     : json_string("(not (valid? value))");
}

/* NULL when fine; new reference. */
static json_t *check_value(const struct field *field, const json_t *value,
			   struct findings *findings)
{
	const struct field *lists[] = { field->fields, NULL };

	switch (field->kind) {
	case OBJECT:
		if (!json_is_object(value))
			return json_string("(not (map? value))");
		return field->fields ? check_object(lists, value, findings, true) : NULL;
	case OBJECTS:
	case TEXTS:
		return check_list(field, value, findings);
	default:
		return check_scalar(field, value, findings);
	}
}

static const struct field *find_field(const struct field *const *lists, const char *name)
{
	for (; *lists; lists++) {
		for (const struct field *field = *lists; field->name; field++) {
			if (strcmp(field->name, name) == 0)
				return field;
		}
	}
	return NULL;
}

static json_t *check_object(const struct field *const *lists, const json_t *object,
			    struct findings *findings, bool nested)
{
	json_t *errors = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		const struct field *field = find_field(lists, key);
		json_t *wrong =
		    field ? check_value(field, value, findings) : json_string("disallowed-key");

		if (wrong)
			json_object_set_new(errors, key, wrong);
	}
	/* A partial incident may patch one of its times; lists are always whole. */
	bool partial = findings->partial && (!nested || lists[0] == incident_time_fields);

	for (const struct field *const *list = lists; !partial && *list; list++) {
		for (const struct field *field = *list; field->name; field++) {
			if (field->required && !json_object_get(object, field->name))
				json_object_set_new(errors, field->name,
						    json_string("missing-required-key"));
		}
	}
	if (json_object_size(errors) > 0)
		return errors;
	json_decref(errors);
	return NULL;
}

json_t *ctim_check(enum ctim_type type, const json_t *entity, bool partial)
{
	struct findings findings = { .partial = partial };
	const char *own = json_string_value(json_object_get(entity, "type"));

	if (!json_is_object(entity))
		return json_pack("{s:s}", "errors", "(not (map? value))");
	json_t *errors = check_object(types[type].fields, entity, &findings, false);

	if (!errors && own && strcmp(own, types[type].name) != 0)
		errors = json_pack("{s:s}", "type", "(not (enum value))");
	if (errors)
		return json_pack("{s:o}", "errors", errors);
	if (!*findings.too_long)
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:{}, s:s}", "error", "Spec Validation Client Error",
			 "type", "Invalid Entity Error", "message", findings.too_long, "entity",
			 "class", "clojure.lang.ExceptionInfo");
}
