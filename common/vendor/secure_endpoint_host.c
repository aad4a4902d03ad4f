/* Secure Endpoint API v1: computers, groups, isolation, and what verify asks. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/customer.h"
#include "vendor/answer.h"
#include "vendor/secure_endpoint_call.h"
#include "vendor/session.h"

enum {
	BODY_MAX_BYTES = 4 << 10,
	COMMENT_MAX_BYTES = 1024,
	OFFSET_MAX = 1 << 30,
};

/* ---- computers and groups ---- */

/* Whether text has the shape of a connector or group guid: ours go into paths. */
static bool guid_valid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; i < sizeof form - 1; i++) {
		char c = text[i];
		bool hex =
		    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

		if (form[i] == 'x' ? !hex : c != form[i])
			return false;
	}
	return text[sizeof form - 1] == '\0';
}

static bool guid_refused(struct vendor_session *session, const char *guid, struct err *err)
{
	if (guid_valid(guid))
		return false;
	session->refusal = VENDOR_ATTEMPTED;
	session->status = 0;
	err_fill(err, ERR_PERMANENT, "not a GUID of Secure Endpoint");
	return true;
}

static void read_computer(const json_t *object, struct arena *arena,
			  struct secure_endpoint_computer *ret_computer)
{
	const json_t *isolation = json_object_get(object, "isolation");
	const json_t *ips = json_object_get(object, "internal_ips");

	*ret_computer = (struct secure_endpoint_computer){
		.guid = body_text(object, "connector_guid", arena),
		.hostname = body_text(object, "hostname", arena),
		.operating_system = body_text(object, "operating_system", arena),
		.os_version = body_text(object, "os_version", arena),
		.group_guid = body_text(object, "group_guid", arena),
		.policy = body_text(json_object_get(object, "policy"), "name", arena),
		.external_ip = body_text(object, "external_ip", arena),
		.last_seen = body_text(object, "last_seen", arena),
		.active = body_bool(object, "active"),
		.isolation_available = body_bool(isolation, "available"),
		.isolation_status = body_text(isolation, "status", arena),
	};
	for (size_t i = 0; i < json_array_size(ips) && i < SECURE_ENDPOINT_IPS_MAX; i++) {
		const char *ip = json_string_value(json_array_get(ips, i));

		if (ip)
			ret_computer->ips[ret_computer->ip_count++] = arena_strdup(arena, ip);
	}
}

bool secure_endpoint_computer(struct vendor_session *session, const char *guid,
			      struct arena *arena, bool *ret_found,
			      struct secure_endpoint_computer *ret_computer, struct err *err)
{
	struct endpoint_call call;

	*ret_found = false;
	*ret_computer = (struct secure_endpoint_computer){ 0 };
	if (guid_refused(session, guid, err))
		return false;
	endpoint_call_init(&call, session, "reading the computer", "/v1/computers/");
	call.one = true;
	buf_adds(&call.url, guid);
	bool ok = endpoint_call_run(&call, session, err);
	if (ok)
		read_computer(endpoint_call_data(&call), arena, ret_computer);
	endpoint_call_done(&call);
	if (!ok && session->status == 404) {
		if (err)
			*err = (struct err){ 0 };
		return true;
	}
	if (ok && strcasecmp(ret_computer->guid, guid) != 0)
		return err_set(err, ERR_TRANSIENT,
			       "Secure Endpoint answered with another computer");
	*ret_found = ok;
	return ok;
}

/* The offset that the next page begins at, 0 when there is none. */
static unsigned next_offset(const struct endpoint_call *call, unsigned offset, size_t count)
{
	const json_t *metadata = json_object_get(call->root, "metadata");

	if (!*body_peek(json_object_get(metadata, "links"), "next") || count == 0 ||
	    count > OFFSET_MAX - offset)
		return 0;
	return offset + (unsigned)count;
}

bool secure_endpoint_computers(struct vendor_session *session,
			       const struct secure_endpoint_computer_query *query,
			       struct arena *arena,
			       struct secure_endpoint_computers *ret_computers, struct err *err)
{
	unsigned limit = query->limit && query->limit < SECURE_ENDPOINT_PAGE_MAX
			     ? query->limit
			     : SECURE_ENDPOINT_PAGE_MAX;
	struct endpoint_call call;

	*ret_computers = (struct secure_endpoint_computers){ 0 };
	endpoint_call_init(&call, session, "listing computers", "/v1/computers");
	buf_addf(&call.url, "?limit=%u&offset=%u", limit,
		 query->offset < OFFSET_MAX ? query->offset : OFFSET_MAX);
	if (query->hostname) {
		buf_adds(&call.url, "&hostname%5B%5D=");
		buf_add_url(&call.url, query->hostname);
	}
	if (query->group_guid) {
		buf_adds(&call.url, "&group_guid%5B%5D=");
		buf_add_url(&call.url, query->group_guid);
	}
	bool ok = endpoint_call_run(&call, session, err);
	if (ok) {
		size_t count = endpoint_call_rows(&call);
		struct secure_endpoint_computer *computers =
		    arena_alloc(arena, count * sizeof *computers + 1);

		for (size_t i = 0; i < count; i++)
			read_computer(json_array_get(endpoint_call_data(&call), i), arena,
				      &computers[i]);
		ret_computers->computers = computers;
		ret_computers->count = count;
		ret_computers->next = next_offset(&call, query->offset, count);
		ret_computers->total = body_number(
		    json_object_get(json_object_get(call.root, "metadata"), "results"),
		    "total");
	}
	endpoint_call_done(&call);
	return ok;
}

bool secure_endpoint_groups(struct vendor_session *session, const char *name,
			    struct arena *arena, struct secure_endpoint_group **ret_groups,
			    size_t *ret_count, struct err *err)
{
	struct endpoint_call call;

	*ret_groups = NULL;
	*ret_count = 0;
	endpoint_call_init(&call, session, "listing groups", "/v1/groups?limit=500");
	if (name) {
		buf_adds(&call.url, "&name=");
		buf_add_url(&call.url, name);
	}
	bool ok = endpoint_call_run(&call, session, err);
	if (ok) {
		size_t count = endpoint_call_rows(&call);
		struct secure_endpoint_group *groups =
		    arena_alloc(arena, count * sizeof *groups + 1);

		for (size_t i = 0; i < count; i++) {
			const json_t *row = json_array_get(endpoint_call_data(&call), i);

			groups[i].guid = body_text(row, "guid", arena);
			groups[i].name = body_text(row, "name", arena);
			groups[i].description = body_text(row, "description", arena);
		}
		*ret_groups = groups;
		*ret_count = count;
	}
	endpoint_call_done(&call);
	return ok;
}

bool secure_endpoint_move(struct vendor_session *session, const char *guid,
			  const char *group_guid, struct arena *arena, struct err *err)
{
	struct endpoint_call call;

	if (guid_refused(session, guid, err) || guid_refused(session, group_guid, err))
		return false;
	endpoint_call_init(&call, session, "moving the computer", "/v1/computers/");
	call.method = "PATCH";
	call.write = true;
	call.one = true;
	buf_adds(&call.url, guid);
	call.body = arena_printf(arena, "{\"group_guid\":\"%s\"}", group_guid);
	bool ok = endpoint_call_run(&call, session, err);
	bool moved = ok && strcasecmp(body_peek(endpoint_call_data(&call), "group_guid"),
				      group_guid) == 0;
	endpoint_call_done(&call);
	if (!ok || moved)
		return ok;
	return answer_unfit(session->status, "Secure Endpoint", "but shows another group", err);
}

/* ---- isolation ---- */

static enum secure_endpoint_isolation_state isolation_state(const char *word)
{
	static const char *const words[] = { "not_isolated", "pending_start", "isolated",
					     "pending_stop" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(word, words[i]) == 0)
			return (enum secure_endpoint_isolation_state)i;
	}
	return SECURE_ENDPOINT_UNKNOWN_STATE;
}

static bool isolation_call(struct vendor_session *session, const char *what, const char *method,
			   const char *guid, struct endpoint_call *call, struct err *err)
{
	if (guid_refused(session, guid, err))
		return false;
	endpoint_call_init(call, session, what, "/v1/computers/");
	call->method = method;
	call->one = true;
	buf_adds(&call->url, guid);
	buf_adds(&call->url, "/isolation");
	return true;
}

static bool run_isolation(struct endpoint_call *call, struct vendor_session *session,
			  struct arena *arena, struct secure_endpoint_isolation *ret_isolation,
			  struct err *err)
{
	*ret_isolation =
	    (struct secure_endpoint_isolation){ false, SECURE_ENDPOINT_UNKNOWN_STATE, "", "",
						"" };
	bool ok = endpoint_call_run(call, session, err);
	if (ok && call->root) {
		const json_t *data = endpoint_call_data(call);

		ret_isolation->available = body_bool(data, "available");
		ret_isolation->state = isolation_state(body_peek(data, "status"));
		ret_isolation->comment = body_text(data, "comment", arena);
		ret_isolation->isolated_by = body_text(data, "isolated_by", arena);
		ret_isolation->unlock_code = body_text(data, "unlock_code", arena);
	}
	endpoint_call_done(call);
	return ok;
}

bool secure_endpoint_isolation(struct vendor_session *session, const char *guid,
			       struct arena *arena,
			       struct secure_endpoint_isolation *ret_isolation, struct err *err)
{
	struct endpoint_call call;

	return isolation_call(session, "reading the isolation", NULL, guid, &call, err) &&
	       run_isolation(&call, session, arena, ret_isolation, err);
}

bool secure_endpoint_isolation_allowed(struct vendor_session *session, const char *guid,
				       bool *ret_allowed, struct err *err)
{
	struct endpoint_call call;

	*ret_allowed = false;
	if (!isolation_call(session, "asking for isolation", "OPTIONS", guid, &call, err))
		return false;
	bool ok = endpoint_call_run(&call, session, err);
	*ret_allowed = ok && call.put;
	endpoint_call_done(&call);
	return ok;
}

static bool change_isolation(struct vendor_session *session, const char *method,
			     const char *guid, const char *comment, struct arena *arena,
			     struct secure_endpoint_isolation *ret_isolation, struct err *err)
{
	const char *what = *method == 'P' ? "isolating the computer" : "releasing the computer";
	struct endpoint_call call;
	struct buf body;

	if (!isolation_call(session, what, method, guid, &call, err))
		return false;
	call.write = true;
	buf_init(&body, BODY_MAX_BYTES);
	if (comment) {
		buf_adds(&body, "{\"comment\":\"");
		buf_add_json(&body, comment, strnlen(comment, COMMENT_MAX_BYTES));
		buf_adds(&body, "\"}");
		call.body = buf_text(&body);
	}
	bool ok = run_isolation(&call, session, arena, ret_isolation, err);
	buf_done(&body);
	return ok;
}

bool secure_endpoint_isolate(struct vendor_session *session, const char *guid,
			     const char *comment, struct arena *arena,
			     struct secure_endpoint_isolation *ret_isolation, struct err *err)
{
	return change_isolation(session, "PUT", guid, comment, arena, ret_isolation, err);
}

bool secure_endpoint_release(struct vendor_session *session, const char *guid,
			     const char *comment, struct arena *arena,
			     struct secure_endpoint_isolation *ret_isolation, struct err *err)
{
	return change_isolation(session, "DELETE", guid, comment, arena, ret_isolation, err);
}

/* ---- for verify ---- */

bool secure_endpoint_version(struct vendor_session *session, struct arena *arena,
			     const char **ret_version, struct err *err)
{
	struct endpoint_call call;

	endpoint_call_init(&call, session, "asking for the version", "/v1/version");
	bool ok = endpoint_call_run(&call, session, err);
	if (ok && ret_version)
		*ret_version = body_text(call.root, "version", arena);
	endpoint_call_done(&call);
	return ok;
}

bool secure_endpoint_event_types(struct vendor_session *session, struct arena *arena,
				 struct secure_endpoint_event_type **ret_types,
				 size_t *ret_count, struct err *err)
{
	struct endpoint_call call;

	*ret_types = NULL;
	*ret_count = 0;
	endpoint_call_init(&call, session, "listing event types", "/v1/event_types");
	bool ok = endpoint_call_run(&call, session, err);
	if (ok) {
		size_t count = endpoint_call_rows(&call);
		struct secure_endpoint_event_type *types =
		    arena_alloc(arena, count * sizeof *types + 1);

		for (size_t i = 0; i < count; i++) {
			const json_t *row = json_array_get(endpoint_call_data(&call), i);

			types[i].id = body_number(row, "id");
			types[i].name = body_text(row, "name", arena);
			types[i].description = body_text(row, "description", arena);
		}
		*ret_types = types;
		*ret_count = count;
	}
	endpoint_call_done(&call);
	return ok;
}
