/* Incidents in the private intelligence of Threat Response: read, found, changed, closed. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "model/customer.h"
#include "vendor/session.h"
#include "vendor/threat_response_call.h"

enum { ID_MAX_BYTES = 2048, FOUND_MAX = 100 };

const char *threat_response_short_id(const char *id)
{
	const char *slash = strrchr(id, '/');
	const char *last = slash ? slash + 1 : id;
	size_t size = strspn(last, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return strncmp(last, "incident-", 9) == 0 && last[9] && last[size] == '\0' &&
		       strlen(id) <= ID_MAX_BYTES
		   ? last
		   : NULL;
}

static const char *const *read_texts(const json_t *list, struct arena *arena, size_t *ret_count)
{
	size_t size = json_array_size(list);
	const char **texts = arena_alloc(arena, size * sizeof *texts + 1);

	*ret_count = 0;
	for (size_t i = 0; i < size; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text)
			texts[(*ret_count)++] = arena_strdup(arena, text);
	}
	return texts;
}

static const struct threat_response_reference *read_references(const json_t *list,
							       struct arena *arena,
							       size_t *ret_count)
{
	size_t size = json_array_size(list);
	struct threat_response_reference *references =
	    arena_alloc(arena, size * sizeof *references + 1);

	for (size_t i = 0; i < size; i++) {
		const json_t *row = json_array_get(list, i);

		references[i] = (struct threat_response_reference){
			.source_name = body_text(row, "source_name", arena),
			.external_id = body_text(row, "external_id", arena),
			.url = body_text(row, "url", arena),
			.description = body_text(row, "description", arena),
		};
	}
	*ret_count = size;
	return references;
}

static void read_incident(const json_t *object, struct arena *arena,
			  struct threat_response_incident *ret_incident)
{
	struct threat_response_incident incident = {
		.id = body_text(object, "id", arena),
		.title = body_text(object, "title", arena),
		.status = body_text(object, "status", arena),
		.severity = body_text(object, "severity", arena),
	};

	clock_parse(body_peek(json_object_get(object, "incident_time"), "closed"),
		    &incident.closed_ms);
	incident.external_ids = read_texts(json_object_get(object, "external_ids"), arena,
					   &incident.external_id_count);
	incident.references = read_references(json_object_get(object, "external_references"),
					      arena, &incident.reference_count);
	*ret_incident = incident;
}

/* The answer must be about the incident that was asked for: hosts and ports of ids vary, the
 * last part does not. */
static bool is_incident(const json_t *object, const char *short_id)
{
	const char *answered = threat_response_short_id(body_peek(object, "id"));

	return answered && strcmp(answered, short_id) == 0;
}

static bool incident_call(struct response_call *call, const struct vendor_session *session,
			  const char *what, const char *short_id)
{
	if (!short_id)
		return false;
	response_call_init(call, what, session->account->intel_url, "/incident/");
	call->one = true;
	buf_adds(&call->url, short_id);
	return true;
}

static const char no_id[] = "not the id of a Threat Response incident";

/* ret_root: the incident as it is, to be released; NULL when it is not found. */
static bool get_incident(struct vendor_session *session, const char *id, json_t **ret_root,
			 struct err *err)
{
	const char *short_id = threat_response_short_id(id);
	struct response_call call;

	*ret_root = NULL;
	if (!incident_call(&call, session, "reading the incident", short_id))
		return response_call_refuse(session, err, no_id);
	bool ok = response_call_run(&call, session, err);
	if (!ok && session->status == 404) {
		if (err)
			*err = (struct err){ 0 };
		ok = true;
	} else if (ok && !is_incident(call.root, short_id)) {
		ok = err_set(err, ERR_TRANSIENT,
			     "Threat Response answered with another incident");
	} else if (ok) {
		*ret_root = json_incref(call.root);
	}
	response_call_done(&call);
	return ok;
}

bool threat_response_incident(struct vendor_session *session, const char *id,
			      struct arena *arena, bool *ret_found,
			      struct threat_response_incident *ret_incident, struct err *err)
{
	json_t *root;

	*ret_found = false;
	*ret_incident = (struct threat_response_incident){ 0 };
	if (!get_incident(session, id, &root, err))
		return false;
	if (root) {
		*ret_found = true;
		read_incident(root, arena, ret_incident);
	}
	json_decref(root);
	return true;
}

/* Runs and ends the call. With wait_for in its URL the change shows in searches once the answer
 * is here. */
static bool write_incident(struct response_call *call, struct vendor_session *session,
			   const char *short_id, struct arena *arena,
			   struct threat_response_incident *ret_incident, struct err *err)
{
	call->write = true;
	bool ok = response_call_run(call, session, err);
	if (ok && !is_incident(call->root, short_id))
		ok = response_call_unexpected(err,
					      "Threat Response answered with another incident");
	if (ok && ret_incident)
		read_incident(call->root, arena, ret_incident);
	response_call_done(call);
	return ok;
}

/* PATCH /incident/{id} with PartialNewIncident as JSON. Maps are merged, lists replaced whole.
 * ret_incident (may be NULL) is the result. */
static bool patch_incident(struct vendor_session *session, const char *id, const char *patch,
			   size_t size, struct arena *arena,
			   struct threat_response_incident *ret_incident, struct err *err)
{
	const char *short_id = threat_response_short_id(id);
	struct response_call call;

	if (!incident_call(&call, session, "changing the incident", short_id))
		return response_call_refuse(session, err, no_id);
	call.method = "PATCH";
	buf_adds(&call.url, "?wait_for=true");
	buf_add(&call.body, patch, size);
	return write_incident(&call, session, short_id, arena, ret_incident, err);
}

bool threat_response_set_status(struct vendor_session *session, const char *id,
				const char *status, struct arena *arena, struct err *err)
{
	const char *short_id = threat_response_short_id(id);
	struct threat_response_incident incident = { .status = "" };
	struct response_call call;

	if (!incident_call(&call, session, "changing the incident", short_id))
		return response_call_refuse(session, err, no_id);
	call.method = "POST";
	buf_adds(&call.url, "/status?wait_for=true");
	buf_adds(&call.body, "{\"status\":\"");
	buf_add_json(&call.body, status, strlen(status));
	buf_adds(&call.body, "\"}");
	if (!write_incident(&call, session, short_id, arena, &incident, err))
		return false;
	return strcmp(incident.status, status) == 0 ||
	       response_call_unexpected(err, "Threat Response answered with another status");
}

static bool same_reference(const json_t *row, const struct threat_response_reference *reference)
{
	if (strcmp(body_peek(row, "source_name"), reference->source_name) != 0)
		return false;
	if (*reference->external_id)
		return strcmp(body_peek(row, "external_id"), reference->external_id) == 0;
	return strcmp(body_peek(row, "url"), reference->url) == 0;
}

static bool has_reference(const json_t *incident,
			  const struct threat_response_reference *reference)
{
	const json_t *list = json_object_get(incident, "external_references");

	for (size_t i = 0; i < json_array_size(list); i++) {
		if (same_reference(json_array_get(list, i), reference))
			return true;
	}
	return false;
}

static void put(json_t *object, const char *name, const char *value)
{
	if (value && *value)
		json_object_set_new(object, name, json_string(value));
}

/* The stored references as they are, whatever they hold, and one more. */
static void put_references(json_t *patch, const json_t *incident,
			   const struct threat_response_reference *reference)
{
	const json_t *stored = json_object_get(incident, "external_references");
	json_t *list = json_is_array(stored) ? json_copy((json_t *)stored) : json_array();
	json_t *row = json_object();

	put(row, "source_name", reference->source_name);
	put(row, "external_id", reference->external_id);
	put(row, "url", reference->url);
	put(row, "description", reference->description);
	json_array_append_new(list, row);
	json_object_set_new(patch, "external_references", list);
}

static char *dump_patch(json_t *patch)
{
	char *text = json_dumps(patch, JSON_COMPACT);

	json_decref(patch);
	return text;
}

/* Without what is absent. */
static struct threat_response_reference plain(const struct threat_response_reference *given)
{
	return (struct threat_response_reference){
		.source_name = given->source_name,
		.external_id = given->external_id ? given->external_id : "",
		.url = given->url ? given->url : "",
		.description = given->description,
	};
}

/* Takes the patch. */
static bool run_patch(struct vendor_session *session, const char *id, json_t *patch,
		      struct arena *arena, struct threat_response_incident *ret_incident,
		      struct err *err)
{
	char *text = dump_patch(patch);

	if (!text)
		return response_call_refuse(session, err, "the reference is not UTF-8");
	bool ok = patch_incident(session, id, text, strlen(text), arena, ret_incident, err);
	free(text);
	return ok;
}

bool threat_response_add_reference(struct vendor_session *session, const char *id,
				   const struct threat_response_reference *given,
				   struct arena *arena, struct err *err)
{
	const struct threat_response_reference reference = plain(given);
	json_t *patch = json_object(), *root;

	if (!get_incident(session, id, &root, err)) {
		json_decref(patch);
		return false;
	}
	if (root && !has_reference(root, &reference))
		put_references(patch, root, &reference);
	if (!root || json_object_size(patch) == 0) {
		bool found = root != NULL;

		json_decref(patch);
		json_decref(root);
		return found ||
		       err_set(err, ERR_PERMANENT, "the Threat Response incident is gone");
	}
	json_decref(root);
	return run_patch(session, id, patch, arena, NULL, err);
}

/* ---- closing ---- */

static bool is_closed(const char *status)
{
	return strncmp(status, "Closed", 6) == 0;
}

static json_t *closing_patch(const json_t *incident,
			     const struct threat_response_closing *closing)
{
	const struct threat_response_reference reference = plain(&closing->reference);
	json_t *patch = json_object();
	char when[CLOCK_TEXT_SIZE];

	if (!is_closed(body_peek(incident, "status"))) {
		clock_format(closing->closed_ms, when);
		put(patch, "status", closing->status);
		json_object_set_new(patch, "incident_time", json_pack("{s:s}", "closed", when));
	}
	if (reference.source_name && !has_reference(incident, &reference))
		put_references(patch, incident, &reference);
	return patch;
}

bool threat_response_close(struct vendor_session *session, const char *id,
			   const struct threat_response_closing *closing, struct arena *arena,
			   bool *ret_found, struct threat_response_incident *ret_incident,
			   struct err *err)
{
	json_t *root;

	*ret_found = false;
	if (!get_incident(session, id, &root, err))
		return false;
	if (!root)
		return true;
	*ret_found = true;
	read_incident(root, arena, ret_incident);

	json_t *patch = closing_patch(root, closing);

	json_decref(root);
	if (json_object_size(patch) == 0) {
		json_decref(patch);
		return true;
	}
	return run_patch(session, id, patch, arena, ret_incident, err) &&
	       (is_closed(ret_incident->status) ||
		response_call_unexpected(err, "Threat Response left the incident open"));
}

/* ---- search ---- */

static bool carries(const struct threat_response_incident *incident, const char *external_id)
{
	for (size_t i = 0; i < incident->external_id_count; i++) {
		if (strcmp(incident->external_ids[i], external_id) == 0)
			return true;
	}
	return false;
}

bool threat_response_find(struct vendor_session *session, const char *external_id,
			  struct arena *arena, struct threat_response_incident **ret_incidents,
			  size_t *ret_count, struct err *err)
{
	struct response_call call;

	*ret_incidents = NULL;
	*ret_count = 0;
	response_call_init(&call, "looking for the incident", session->account->intel_url,
			   "/incident/external_id/");
	buf_add_url(&call.url, external_id);
	bool ok = response_call_run(&call, session, err);
	if (ok && !json_is_array(call.root))
		ok = err_set(err, ERR_TRANSIENT,
			     "Threat Response answered a search without a list");
	if (ok) {
		size_t size = json_array_size(call.root);
		size_t room = size < FOUND_MAX ? size : FOUND_MAX;
		struct threat_response_incident *incidents =
		    arena_alloc(arena, room * sizeof *incidents + 1);

		for (size_t i = 0; i < size && *ret_count < room; i++) {
			read_incident(json_array_get(call.root, i), arena,
				      &incidents[*ret_count]);
			*ret_count += carries(&incidents[*ret_count], external_id);
		}
		*ret_incidents = incidents;
	}
	response_call_done(&call);
	return ok;
}
