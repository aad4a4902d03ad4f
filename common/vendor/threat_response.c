/* Threat Response: observables in a text, bundles, and what verify asks. */
#include "vendor/threat_response.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/customer.h"
#include "vendor/session.h"
#include "vendor/threat_response_call.h"

enum { PREFIXES_MAX_BYTES = 256 };

/* ---- inspect ---- */

static bool listed(const struct observable *observables, size_t count, const char *type,
		   const char *value)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(observables[i].type, type) == 0 &&
		    strcmp(observables[i].value, value) == 0)
			return true;
	}
	return false;
}

static size_t read_observables(const json_t *list, size_t max, struct arena *arena,
			       struct observable *ret_observables)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(list) && count < max; i++) {
		const json_t *row = json_array_get(list, i);
		const char *type = body_peek(row, "type");
		const char *value = body_peek(row, "value");

		if (!*type || !*value || listed(ret_observables, count, type, value))
			continue;
		ret_observables[count++] = (struct observable){ arena_strdup(arena, type),
								arena_strdup(arena, value) };
	}
	return count;
}

bool threat_response_inspect(struct vendor_session *session, const char *text, size_t size,
			     size_t max, struct arena *arena,
			     struct observable **ret_observables, size_t *ret_count,
			     struct err *err)
{
	struct response_call call;

	*ret_observables = arena_alloc(arena, max * sizeof **ret_observables + 1);
	*ret_count = 0;
	response_call_init(&call, "inspecting the event", session->account->url,
			   "/iroh-inspect/inspect");
	call.method = "POST";
	buf_adds(&call.body, "{\"content\":\"");
	buf_add_json(&call.body, text, size);
	buf_adds(&call.body, "\"}");
	bool ok = response_call_run(&call, session, err);
	if (ok && !json_is_array(call.root)) {
		ok = response_call_unexpected(
		    err, "Threat Response answered inspect without a list");
		if (err)
			err->ambiguous = false;
	}
	if (ok)
		*ret_count = read_observables(call.root, max, arena, *ret_observables);
	response_call_done(&call);
	return ok;
}

/* ---- bundle import ---- */

/* An entity's own fault will be found again, the store's may pass. */
static bool own_fault(const char *said)
{
	return strcasestr(said, "invalid") || strcasestr(said, "validation") ||
	       strcasestr(said, "required-key") || strcasestr(said, "disallowed-key");
}

static bool result_failed(const json_t *row, struct err *err)
{
	const json_t *error = json_object_get(row, "error");
	char *dump = json_is_string(error) ? NULL : json_dumps(error, JSON_COMPACT);
	const char *said = json_is_string(error) ? json_string_value(error) : dump;
	const char *message = body_peek(row, "msg");
	bool own = own_fault(message) || (said && own_fault(said));
	char detail[160];

	body_excerpt(*message || !said ? message : said, detail, sizeof detail);
	free(dump);
	err_fill(err, own ? ERR_PERMANENT : ERR_TRANSIENT,
		 "Threat Response did not take the %s: %s",
		 *body_peek(row, "type") ? body_peek(row, "type") : "entity", detail);
	if (err)
		err->ambiguous = true; /* others of the bundle may be stored */
	return false;
}

bool threat_response_result_read(const json_t *row, struct arena *arena,
				 struct threat_response_result *ret_result, struct err *err)
{
	const char *result = body_peek(row, "result");

	if (strcmp(result, "error") == 0 || json_object_get(row, "error"))
		return result_failed(row, err);
	bool existed = strcmp(result, "exists") == 0;

	if ((!existed && strcmp(result, "created") != 0) || !*body_peek(row, "id"))
		return response_call_unexpected(
		    err, "Threat Response does not say what became of an entity");
	*ret_result = (struct threat_response_result){
		.type = body_text(row, "type", arena),
		.id = body_text(row, "id", arena),
		.original_id = body_text(row, "original_id", arena),
		.existed = existed,
	};
	return true;
}

static size_t count_entities(const char *bundle, size_t size)
{
	json_t *root = body_parse(bundle, size);
	const char *name;
	json_t *list;
	size_t count = 0;

	json_object_foreach(root, name, list)
	{
		bool entities = json_is_object(json_array_get(list, 0)) &&
				strcmp(name, "external_references") != 0;

		count += entities ? json_array_size(list) : 0;
	}
	json_decref(root);
	return count;
}

static bool read_results(const json_t *root, size_t expected, struct arena *arena,
			 struct threat_response_result **ret_results, size_t *ret_count,
			 struct err *err)
{
	const json_t *list = json_object_get(root, "results");
	size_t count = json_array_size(list);
	struct threat_response_result *results =
	    arena_alloc(arena, count * sizeof *results + 1);

	if (count != expected)
		return response_call_unexpected(
		    err, "Threat Response did not answer for every entity");
	for (size_t i = 0; i < count; i++) {
		if (!threat_response_result_read(json_array_get(list, i), arena, &results[i],
						 err))
			return false;
	}
	*ret_results = results;
	*ret_count = count;
	return true;
}

bool threat_response_import(struct vendor_session *session, const char *bundle, size_t size,
			    const char *prefixes, struct arena *arena,
			    struct threat_response_result **ret_results, size_t *ret_count,
			    struct err *err)
{
	size_t expected = count_entities(bundle, size);
	struct response_call call;

	*ret_results = NULL;
	*ret_count = 0;
	if (expected == 0)
		return response_call_refuse(session, err,
					    "the bundle is not JSON, or holds nothing");
	if (!*prefixes || strlen(prefixes) > PREFIXES_MAX_BYTES)
		return response_call_refuse(session, err,
					    "the prefixes of external ids are missing");
	response_call_init(&call, "importing the bundle", session->account->intel_url,
			   "/bundle/import?external-key-prefixes=");
	call.method = "POST";
	call.write = true;
	buf_add_url(&call.url, prefixes);
	buf_add(&call.body, bundle, size);
	bool ok = response_call_run(&call, session, err) &&
		  read_results(call.root, expected, arena, ret_results, ret_count, err);
	response_call_done(&call);
	return ok;
}

/* ---- for verify ---- */

bool threat_response_version(struct vendor_session *session, struct arena *arena,
			     const char **ret_version, struct err *err)
{
	struct response_call call;

	response_call_init(&call, "asking for the version", session->account->intel_url,
			   "/version");
	bool ok = response_call_run(&call, session, err);
	if (ok && ret_version)
		*ret_version = body_text(call.root, "ctim_version", arena);
	response_call_done(&call);
	return ok;
}

/* A token of its own, straight from the endpoint: the cache keeps no scopes. */
bool threat_response_scopes(struct vendor_session *session, struct arena *arena,
			    const char **ret_scopes, struct err *err)
{
	struct response_call call;

	response_call_init(&call, "asking for the scopes", session->account->url,
			   "/oauth2/token");
	call.method = "POST";
	call.form_basic = true;
	buf_adds(&call.body, "grant_type=client_credentials");
	bool ok = response_call_run(&call, session, err);
	*ret_scopes = ok ? body_text(call.root, "scope", arena) : "";
	if (!ok && err && err->kind == ERR_PERMANENT)
		err->kind = ERR_ACCOUNT; /* a 400 of a token endpoint */
	response_call_done(&call);
	return ok;
}
