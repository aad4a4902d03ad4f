/*
 * ctia: private intelligence: entities with the status rules of incidents, and a search that
 * lags behind writes as an index does.
 */
#include "ctia.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "request.h"
#include "response.h"
#include "token.h"

void ctia_done(struct ctia *ctia)
{
	for (int type = 0; type < CTIM_TYPES; type++) {
		for (size_t i = 0; i < ctia->count[type]; i++) {
			json_decref(ctia->entity[type][i]->now);
			json_decref(ctia->entity[type][i]->indexed);
			free((char *)ctia->entity[type][i]->name);
			free(ctia->entity[type][i]);
		}
		free(ctia->entity[type]);
	}
	index_done(&ctia->by_name);
	index_done(&ctia->by_external_id);
}

static void external_key(char *out, size_t room, enum ctim_type type, const char *external_id)
{
	snprintf(out, room, "%d %.1000s", (int)type, external_id);
}

static void index_external_ids(struct ctia *ctia, struct ctia_entity *entity)
{
	char key[1024];
	size_t i;
	json_t *id;

	json_array_foreach(json_object_get(entity->now, "external_ids"), i, id)
	{
		struct index_entry *at = NULL;

		external_key(key, sizeof(key), entity->type, json_string_value(id));
		do
			at = index_next(&ctia->by_external_id, key, at);
		while (at && at->value != entity);
		if (!at)
			index_add(&ctia->by_external_id, key, entity);
	}
}

const json_t *ctia_indexed(struct ctia_entity *entity)
{
	if (entity->due_ms && clock_mono_ms() >= entity->due_ms) {
		json_decref(entity->indexed);
		entity->indexed = entity->deleted ? NULL : json_incref(entity->now);
		entity->due_ms = 0;
	}
	return entity->indexed;
}

/* Replaces what an entity is. Takes the reference of now. */
static void update(struct ctia *ctia, struct ctia_entity *entity, json_t *now, bool refresh)
{
	ctia_indexed(entity); /* an older change may have become visible meanwhile */
	json_decref(entity->now);
	entity->now = now;
	entity->due_ms = clock_mono_ms() + (refresh ? 0 : ctia->search_delay_ms);
	entity->due_ms += entity->due_ms == 0;
	index_external_ids(ctia, entity);
	ctia_indexed(entity);
}

static void now_text(char *out)
{
	clock_format(clock_wall_ms(), out);
}

static void set_missing(json_t *object, const char *key, json_t *value)
{
	if (!json_object_get(object, key))
		json_object_set(object, key, value);
	json_decref(value);
}

/* What the server adds to what a client sent. */
static json_t *completed(const struct ctia *ctia, enum ctim_type type, const json_t *body,
			 const char *id)
{
	json_t *now = json_deep_copy(body);
	char time[CLOCK_TEXT_SIZE];

	now_text(time);
	json_object_set_new(now, "id", json_string(id));
	json_object_set_new(now, "type", json_string(ctim_name(type)));
	json_object_set_new(now, "schema_version", json_string("1.3.29"));
	json_object_set_new(now, "owner", json_string(ctia->owner));
	json_object_set_new(now, "groups", json_pack("[s]", ctia->owner));
	set_missing(now, "tlp", json_string("green"));
	set_missing(now, "timestamp", json_string(time));
	json_object_set_new(now, "created", json_string(time));
	json_object_set_new(now, "modified", json_string(time));
	if (type == CTIM_SIGHTING) {
		set_missing(now, "count", json_integer(1));
		set_missing(now, "confidence", json_string("Unknown"));
	}
	return now;
}

struct ctia_entity *ctia_add(struct ctia *ctia, enum ctim_type type, const json_t *body,
			     const char *origin, bool refresh)
{
	struct ctia_entity *entity = xcalloc(1, sizeof(*entity));
	size_t count = ctia->count[type];
	char uuid[ID_UUID_SIZE], id[1024], name[64];

	id_uuid(uuid);
	snprintf(name, sizeof(name), "%s-%s", ctim_name(type), uuid);
	snprintf(id, sizeof(id), "%.900s/tr/ctia/%s/%s", origin, ctim_name(type), name);
	entity->type = type;
	entity->name = xstrdup(name);
	entity->created_ms = clock_wall_ms();
	if ((count & (count - 1)) == 0)
		ctia->entity[type] = xrealloc(
		    ctia->entity[type], (count ? count * 2 : 1) * sizeof(struct ctia_entity *));
	ctia->entity[type][ctia->count[type]++] = entity;
	index_add(&ctia->by_name, name, entity);
	update(ctia, entity, completed(ctia, type, body, id), refresh);
	return entity;
}

struct ctia_entity *ctia_find(struct ctia *ctia, const char *id)
{
	const char *slash = strrchr(id, '/');
	struct ctia_entity *entity = index_get(&ctia->by_name, slash ? slash + 1 : id);

	return entity && !entity->deleted ? entity : NULL;
}

static bool holds_text(const json_t *list, const char *wanted)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		if (strcmp(json_string_value(item), wanted) == 0)
			return true;
	}
	return false;
}

struct ctia_entity *ctia_by_external_id(struct ctia *ctia, enum ctim_type type,
					const char *external_id)
{
	struct ctia_entity *oldest = NULL;
	char key[1024];

	external_key(key, sizeof(key), type, external_id);
	for (struct index_entry *at = index_next(&ctia->by_external_id, key, NULL); at;
	     at = index_next(&ctia->by_external_id, key, at)) {
		const json_t *seen = ctia_indexed(at->value);

		if (seen && holds_text(json_object_get(seen, "external_ids"), external_id))
			oldest = at->value;
	}
	return oldest;
}

/* Entities of an external id, as search shows them. */
static void list_external(struct ctia *ctia, enum ctim_type type, const char *external_id,
			  const struct request *request, struct response *response)
{
	json_t *rows = json_array();
	char key[1024];

	(void)request;
	external_key(key, sizeof(key), type, external_id);
	for (struct index_entry *at = index_next(&ctia->by_external_id, key, NULL); at;
	     at = index_next(&ctia->by_external_id, key, at)) {
		const json_t *seen = ctia_indexed(at->value);

		if (seen && holds_text(json_object_get(seen, "external_ids"), external_id))
			json_array_insert(rows, 0, (json_t *)seen);
	}
	response_add_header(response, "X-Total-Hits", "%zu", json_array_size(rows));
	response_json(response, 200, rows);
}

/* ---- status ------------------------------------------------------------------------- */

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Sets a time of the incident to now; unless forced only where the client gave none. */
static void stamp(json_t *next, const json_t *client_times, const char *key, bool forced)
{
	json_t *times = json_object_get(next, "incident_time");
	char now[CLOCK_TEXT_SIZE];

	now_text(now);
	if (forced || !json_object_get(client_times, key))
		json_object_set_new(times, key, json_string(now));
}

static void keep(json_t *next, const json_t *previous, const char *key)
{
	json_t *old = json_object_get(json_object_get(previous, "incident_time"), key);

	if (old)
		json_object_set(json_object_get(next, "incident_time"), key, old);
}

/* The server owns some of an incident's times: they follow its status, whatever the client
 * sent with it (CTIA, entity/incident.clj). */
static void apply_status(const json_t *previous, json_t *next, const json_t *patch)
{
	const char *from = json_string_value(json_object_get(previous, "status"));
	const char *to = json_string_value(json_object_get(next, "status"));
	const json_t *times = json_object_get(patch, "incident_time");

	if (!from || !to || strcmp(from, to) == 0)
		return;
	if (begins(to, "Open")) {
		if (begins(from, "New"))
			stamp(next, times, "opened", true);
		else if (begins(from, "Open"))
			keep(next, previous, "opened");
		if (strcmp(to, "Open: Contained") == 0 &&
		    (begins(from, "New") || begins(from, "Open")))
			stamp(next, times, "contained", true);
	} else if (begins(to, "Closed")) {
		if (begins(from, "Closed"))
			keep(next, previous, "closed");
		else
			stamp(next, times, "closed", true);
	} else if (strcmp(to, "Containment Achieved") == 0 ||
		   strcmp(to, "Restoration Achieved") == 0) {
		stamp(next, times, "remediated", false);
	} else if (strcmp(to, "Rejected") == 0) {
		stamp(next, times, "rejected", false);
	} else if (strcmp(to, "Incident Reported") == 0) {
		stamp(next, times, "reported", false);
	}
}

/* Maps are merged, everything else is replaced: lists too. */
static void merge(json_t *into, const json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)patch, key, value)
	{
		json_t *old = json_object_get(into, key);

		if (json_is_object(old) && json_is_object(value))
			merge(old, value);
		else
			json_object_set_new(into, key, json_deep_copy(value));
	}
}

/* ---- routes ------------------------------------------------------------------------- */

static bool wait_for(const struct request *request)
{
	const char *text = request_param(request, "wait_for");

	return text && strcmp(text, "true") == 0;
}

/* The body as an entity that passed the schema; NULL when the refusal is in response. */
static json_t *checked_body(enum ctim_type type, const struct request *request, bool partial,
			    struct response *response)
{
	const char *why = NULL;
	json_t *body = request_json(request, &why);

	if (!body) {
		response_json(response, 400,
			      json_pack("{s:s, s:s}", "type", "json-parse-exception", "message",
					why ? why : "empty"));
		return NULL;
	}
	json_t *wrong = ctim_check(type, body, partial);

	if (wrong) {
		json_decref(body);
		response_json(response, 400, wrong);
		return NULL;
	}
	return body;
}

/* An id of another host is refused. */
static bool own_host(const json_t *body, const struct request *request,
		     struct response *response)
{
	const char *id = json_string_value(json_object_get(body, "id"));
	const char *origin = request_origin(request);

	if (!id || begins(id, "transient:") || !strstr(id, "://") || begins(id, origin))
		return true;
	response_json(response, 400,
		      json_pack("{s:s, s:s, s:s, s:O}", "error", "Invalid hostname in ID", "id",
				id, "this-host", origin, "entity", body));
	return false;
}

static void committed(struct response *response, const struct ctia_entity *entity)
{
	response->committed = true;
	response->record = arena_strdup(response->arena, entity->name);
}

static void create(struct ctia *ctia, enum ctim_type type, const struct request *request,
		   struct response *response)
{
	json_t *body = checked_body(type, request, false, response);

	if (!body)
		return;
	if (own_host(body, request, response)) {
		struct ctia_entity *entity =
		    ctia_add(ctia, type, body, request_origin(request), wait_for(request));

		committed(response, entity);
		response_json(response, 201, json_incref(entity->now));
		response_add_header(response, "Location", "%s",
				    json_string_value(json_object_get(entity->now, "id")));
	}
	json_decref(body);
}

static void change(struct ctia *ctia, struct ctia_entity *entity, const json_t *patch,
		   bool whole, const struct request *request, struct response *response)
{
	json_t *next = whole ? completed(ctia, entity->type, patch,
					 json_string_value(json_object_get(entity->now, "id")))
			     : json_deep_copy(entity->now);
	json_t *id = json_incref(json_object_get(entity->now, "id"));
	char now[CLOCK_TEXT_SIZE];

	if (!whole)
		merge(next, patch);
	if (entity->type == CTIM_INCIDENT)
		apply_status(entity->now, next, patch);
	now_text(now);
	json_object_set_new(next, "id", id);
	json_object_set_new(next, "modified", json_string(now));
	json_object_set(next, "created", json_object_get(entity->now, "created"));
	update(ctia, entity, next, wait_for(request));
	committed(response, entity);
	response_json(response, 200, json_incref(entity->now));
}

static void change_status(struct ctia *ctia, struct ctia_entity *entity,
			  const struct request *request, struct response *response)
{
	json_t *body = request_json(request, NULL);
	const char *status = json_string_value(json_object_get(body, "status"));

	if (json_object_size(body) != 1 || !ctim_status_known(status))
		response_json(
		    response, 400,
		    json_pack("{s:{s:s}}", "errors", "status",
			      status ? "(not (enum value))" : "missing-required-key"));
	else
		change(ctia, entity, body, false, request, response);
	json_decref(body);
}

static void remove_entity(struct ctia *ctia, struct ctia_entity *entity,
			  const struct request *request, struct response *response)
{
	entity->deleted = true;
	update(ctia, entity, json_incref(entity->now), wait_for(request));
	committed(response, entity);
	response->status = 204;
}

static void serve_entity(struct ctia *ctia, enum ctim_type type, const char *id,
			 const char *part, const struct request *request,
			 struct response *response)
{
	struct ctia_entity *entity = ctia_find(ctia, id);
	bool put = request_is(request, "PUT");

	if (!entity || entity->type != type) {
		response->status = 404; /* with an empty body */
	} else if (type == CTIM_INCIDENT && strcmp(part, "status") == 0 &&
		   request_is(request, "POST")) {
		change_status(ctia, entity, request, response);
	} else if (*part) {
		response->status = 404;
	} else if (request_is(request, "GET")) {
		response_json(response, 200, json_incref(entity->now));
	} else if (put || request_is(request, "PATCH")) {
		json_t *body = checked_body(type, request, !put, response);

		if (body)
			change(ctia, entity, body, put, request, response);
		json_decref(body);
	} else if (request_is(request, "DELETE")) {
		remove_entity(ctia, entity, request, response);
	} else {
		response->status = 405;
	}
}

static void not_found_page(struct response *response)
{
	response_text(
	    response, 404, "text/html;charset=iso-8859-1",
	    "<html><head><title>Error 404</title></head><body><h2>HTTP ERROR: 404</h2>"
	    "<p>Problem accessing this address. Reason: Not Found</p></body></html>\n");
}

static void serve_type(struct ctia *ctia, enum ctim_type type, const struct request *request,
		       unsigned part, struct response *response)
{
	const char *first = request_segment(request, part);
	const char *second = request_segment(request, part + 1);
	bool get = request_is(request, "GET");

	if (!*first && request_is(request, "POST"))
		create(ctia, type, request, response);
	else if (!*first)
		not_found_page(response);
	else if (strcmp(first, "search") == 0 && get)
		ctia_search(ctia, type, request, strcmp(second, "count") == 0, response);
	else if (strcmp(first, "external_id") == 0 && get)
		list_external(ctia, type, second, request, response);
	else /* a long id, encoded, is one part as well */
		serve_entity(ctia, type, first, second, request, response);
}

void ctia_serve(struct ctia *ctia, const struct request *request, unsigned part,
		struct response *response)
{
	const char *what = request_segment(request, part);
	enum ctim_type type = ctim_named(what);

	if (type != CTIM_TYPES)
		serve_type(ctia, type, request, part + 1, response);
	else if (strcmp(what, "bundle") == 0 && request_is(request, "POST") &&
		 strcmp(request_segment(request, part + 1), "import") == 0)
		ctia_import(ctia, request, response);
	else if (strcmp(what, "version") == 0)
		response_json(response, 200,
			      json_pack("{s:s, s:s}", "ctim-version", "1.3.29", "ctia-version",
					"sandbox"));
	else if (strcmp(what, "status") == 0)
		response_json(response, 200, json_pack("{s:s}", "status", "ok"));
	else
		not_found_page(response);
	response_add_header(response, "X-Ctim-Version", "1.3.29");
}
