/*
 * ctia_bundle: POST /ctia/bundle/import. Entities that exist by external id are left as they
 * are; the look-up goes through the index, so that two importers at once can both create.
 */
#include "ctia.h"

#include <string.h>

#include "base/arena.h"
#include "request.h"
#include "response.h"

enum { BUNDLE_MAX = 2000 };

static const enum ctim_type order[] = { CTIM_INDICATOR, CTIM_INCIDENT, CTIM_SIGHTING, CTIM_NOTE,
					CTIM_RELATIONSHIP };
enum { ORDERED = sizeof(order) / sizeof(*order) };

struct import {
	struct ctia *ctia;
	const struct request *request;
	const char *prefixes; /* NULL: every external id counts */
	bool refresh;
	json_t *ids; /* transient id: real id */
	json_t *results;
	bool committed;
	const char *record; /* the incident, or the first entity made */
};

static bool known_bundle_key(const char *key)
{
	static const char *const keys[] = { "type",
					    "source",
					    "source_uri",
					    "id",
					    "schema_version",
					    "external_ids",
					    "external_references",
					    "revision",
					    "timestamp",
					    "language",
					    "tlp",
					    "title",
					    "description",
					    "short_description",
					    "valid_time",
					    "relationship_refs",
					    "owner",
					    "groups" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	for (int type = 0; type < CTIM_TYPES; type++) {
		if (strcmp(ctim_plural((enum ctim_type)type), key) == 0)
			return true;
	}
	return false;
}

/* True when the bundle itself is well-formed; else the refusal is in response. */
static bool bundle_fits(const json_t *bundle, struct response *response)
{
	json_t *errors = json_object();
	size_t entities = 0;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)bundle, key, value)
	{
		if (!known_bundle_key(key))
			json_object_set_new(errors, key, json_string("disallowed-key"));
		if (json_is_array(value) && key[strlen(key) - 1] == 's' && *key != 'e' &&
		    *key != 'g')
			entities += json_array_size(value);
	}
	if (!json_is_string(json_object_get(bundle, "source")))
		json_object_set_new(errors, "source", json_string("missing-required-key"));
	if (!json_is_object(bundle) || json_object_size(errors) > 0) {
		response_json(response, 400, json_pack("{s:o}", "errors", errors));
		return false;
	}
	json_decref(errors);
	if (entities > BUNDLE_MAX) {
		response_json(response, 400, json_string("Bundle max nb of entities: 2000"));
		return false;
	}
	return true;
}

/* Every entity is checked before the first is written. */
static bool entities_fit(const json_t *bundle, struct response *response)
{
	json_t *errors = json_object();

	for (int i = 0; i < ORDERED; i++) {
		const json_t *list = json_object_get(bundle, ctim_plural(order[i]));
		size_t at;
		json_t *entity;

		if (list && !json_is_array(list))
			json_object_set_new(errors, ctim_plural(order[i]),
					    json_string("(not (sequential? value))"));
		json_array_foreach(list, at, entity)
		{
			json_t *wrong = ctim_check(order[i], entity, false);

			if (wrong && json_object_get(wrong, "errors")) {
				json_object_set(errors, ctim_plural(order[i]),
						json_object_get(wrong, "errors"));
			} else if (wrong) {
				json_decref(errors);
				response_json(response, 400, wrong);
				return false;
			}
			json_decref(wrong);
		}
	}
	if (json_object_size(errors) > 0) {
		response_json(response, 400, json_pack("{s:o}", "errors", errors));
		return false;
	}
	json_decref(errors);
	return true;
}

static bool prefix_counts(const struct import *import, const char *external_id)
{
	const char *at = import->prefixes;

	while (at && *at) {
		size_t size = strcspn(at, ",");

		if (size > 0 && strncmp(external_id, at, size) == 0)
			return true;
		at += size;
		at += *at == ',';
	}
	return at == NULL;
}

static struct ctia_entity *existing(const struct import *import, enum ctim_type type,
				    const json_t *entity)
{
	size_t i;
	json_t *id;

	json_array_foreach(json_object_get(entity, "external_ids"), i, id)
	{
		const char *text = json_string_value(id);
		struct ctia_entity *found = prefix_counts(import, text)
						? ctia_by_external_id(import->ctia, type, text)
						: NULL;

		if (found)
			return found;
	}
	return NULL;
}

/* Replaces a reference to a transient id; false when it names nothing of this bundle. */
static bool resolve(const struct import *import, json_t *relationship, const char *key)
{
	const char *ref = json_string_value(json_object_get(relationship, key));
	json_t *real = json_object_get(import->ids, ref);

	if (real)
		json_object_set(relationship, key, real);
	return real || strncmp(ref, "transient:", 10) != 0;
}

static void import_entity(struct import *import, enum ctim_type type, const json_t *entity)
{
	const char *original = json_string_value(json_object_get(entity, "id"));
	json_t *external_ids = json_object_get(entity, "external_ids");
	json_t *result = json_pack("{s:s}", "type", ctim_name(type));
	json_t *body = json_deep_copy(entity);
	struct ctia_entity *found = existing(import, type, entity);
	bool linked = type != CTIM_RELATIONSHIP || (resolve(import, body, "source_ref") &&
						    resolve(import, body, "target_ref"));

	if (!found && linked) {
		found = ctia_add(import->ctia, type, body, request_origin(import->request),
				 import->refresh);
		json_object_set_new(result, "result", json_string("created"));
		import->committed = true;
		if (!import->record || type == CTIM_INCIDENT)
			import->record = arena_strdup(import->request->arena, found->name);
	} else if (found) {
		json_object_set_new(result, "result", json_string("exists"));
	} else {
		json_object_set_new(result, "result", json_string("error"));
		json_object_set_new(result, "error",
				    json_string("unresolved-transient-reference"));
		json_object_set_new(result, "msg",
				    json_string("A relationship refers to no entity of the "
						"bundle"));
	}
	if (found)
		json_object_set(result, "id", json_object_get(found->now, "id"));
	if (found && original)
		json_object_set(import->ids, original, json_object_get(found->now, "id"));
	if (original)
		json_object_set_new(result, "original_id", json_string(original));
	if (external_ids)
		json_object_set(result, "external_ids", external_ids);
	json_array_append_new(import->results, result);
	json_decref(body);
}

void ctia_import(struct ctia *ctia, const struct request *request, struct response *response)
{
	const char *why = NULL, *wait = request_param(request, "wait_for");
	json_t *bundle = request_json(request, &why);
	struct import import = { .ctia = ctia, .request = request };

	if (!bundle) {
		response_json(response, 400,
			      json_pack("{s:s, s:s}", "type", "json-parse-exception", "message",
					why ? why : "empty"));
		return;
	}
	if (!bundle_fits(bundle, response) || !entities_fit(bundle, response)) {
		json_decref(bundle);
		return;
	}
	import.prefixes = request_param(request, "external-key-prefixes");
	import.refresh = !wait || strcmp(wait, "false") != 0;
	import.ids = json_object();
	import.results = json_array();
	for (int i = 0; i < ORDERED; i++) {
		size_t at;
		json_t *entity;

		json_array_foreach(json_object_get(bundle, ctim_plural(order[i])), at, entity)
		    import_entity(&import, order[i], entity);
	}
	response->committed = import.committed;
	response->record = import.record;
	response_json(response, 200, json_pack("{s:o}", "results", import.results));
	json_decref(import.ids);
	json_decref(bundle);
}
