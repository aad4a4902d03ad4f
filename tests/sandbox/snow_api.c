/*
 * snow_api: the Table API and the Email API of an instance.
 */
#include "snow.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "request.h"
#include "response.h"
#include "snow_query.h"
#include "snow_security.h"

enum { LIMIT_DEFAULT = 10000 };

/* A body must be an object; anything else is refused as the real one does. */
static json_t *object_body(const struct snow_call *call)
{
	const struct request *request = call->request;
	json_t *body = NULL;

	if (request->body_too_large) {
		snow_refuse(
		    call->response, 400, "Exception while reading request",
		    arena_printf(request->arena,
				 "Rejected large REST payload with content-length = %zu "
				 "bytes. Max allowed: %d bytes.",
				 request->body_announced, REQUEST_BODY_MAX));
		return NULL;
	}
	if (request->content_type &&
	    strncasecmp(request->content_type, "application/json", 16) != 0) {
		snow_refuse(call->response, 415, "Unsupported media type",
			    "Unsupported media type");
		return NULL;
	}
	body = request_json(request, NULL);
	if (!json_is_object(body)) {
		json_decref(body);
		snow_refuse(call->response, 400, "Exception while reading request",
			    "The payload is not valid JSON");
		return NULL;
	}
	return body;
}

static void answer_row(const struct snow_call *call, unsigned status,
		       const struct snow_row *row)
{
	struct response *response = call->response;

	response->status = status;
	response->content_type = "application/json;charset=UTF-8";
	if (call->request->no_response_body &&
	    strcmp(call->request->no_response_body, "true") == 0)
		return;
	buf_adds(&response->body, "{\"result\":");
	snow_render_row(call, row, &response->body);
	buf_adds(&response->body, "}");
}

static void no_record(const struct snow_call *call)
{
	snow_refuse(call->response, 404, "No Record found",
		    "Record doesn't exist or ACL restricts the record retrieval");
}

/* Rights to read show as nothing there, not as a refusal. */
static bool may_read(const struct snow_call *call, const struct snow_table *table)
{
	const struct snow_user *user = call->user;
	const char *at = call->snow->journal_roles;

	if (snow_is_security(table))
		return snow_security_may_read(user);
	if (snow_has_role(user, "admin"))
		return true;
	if (strcmp(table->name, "incident") == 0)
		return snow_has_role(user, "itil") || snow_has_role(user, "itil_admin") ||
		       snow_has_role(user, "sn_incident_read") ||
		       snow_has_role(user, "sn_incident_write");
	if (strcmp(table->name, "sys_journal_field") != 0)
		return true;
	while (*at) {
		size_t size = strcspn(at, ",");
		char *role = arena_strndup(call->request->arena, at, size);

		if (size > 0 && snow_has_role(user, role))
			return true;
		at += size;
		at += *at == ',';
	}
	return false;
}

static void add_url(struct buf *out, const struct snow_call *call, uint64_t offset,
		    const char *rel)
{
	const struct request *request = call->request;

	buf_addf(out, "%s<%s%s?", out->size ? "," : "", request_origin(request), request->path);
	for (unsigned i = 0; i < request->params; i++) {
		if (strcmp(request->param[i].name, "sysparm_offset") == 0)
			continue;
		buf_add_url(out, request->param[i].name);
		buf_adds(out, "=");
		buf_add_url(out, request->param[i].value);
		buf_adds(out, "&");
	}
	buf_addf(out, "sysparm_offset=%llu>;rel=\"%s\"", (unsigned long long)offset, rel);
}

static bool is_true(const struct request *request, const char *name)
{
	const char *text = request_param(request, name);

	return text && strcmp(text, "true") == 0;
}

static void page_headers(const struct snow_call *call, uint64_t offset, uint64_t limit,
			 uint64_t total)
{
	struct buf link;
	uint64_t last = total > 0 && limit > 0 ? (total - 1) / limit * limit : 0;

	if (!is_true(call->request, "sysparm_no_count"))
		response_add_header(call->response, "X-Total-Count", "%llu",
				    (unsigned long long)total);
	if (is_true(call->request, "sysparm_suppress_pagination_header") || limit == 0)
		return;
	buf_init(&link, 65536);
	add_url(&link, call, 0, "first");
	if (offset > 0)
		add_url(&link, call, offset > limit ? offset - limit : 0, "prev");
	if (offset + limit < total)
		add_url(&link, call, offset + limit, "next");
	add_url(&link, call, last, "last");
	response_add_header(call->response, "Link", "%s", buf_text(&link));
	buf_done(&link);
}

static void read_query(const struct snow_call *call, const struct snow_table *table,
		       struct snow_query *query)
{
	const struct request *request = call->request;
	const char *text = request_param(request, "sysparm_query");

	if (text)
		snow_query_parse(request->arena, &call->snow->tables, table, text, query);
	for (unsigned i = 0; i < request->params; i++) {
		if (strncmp(request->param[i].name, "sysparm_", 8) != 0)
			snow_query_add_equal(&call->snow->tables, table, request->param[i].name,
					     request->param[i].value, query);
	}
}

static void serve_list(const struct snow_call *call, const struct snow_table *table,
		       const char *class_name)
{
	const struct request *request = call->request;
	struct response *response = call->response;
	struct snow_query query = { 0 };
	uint64_t limit =
	    request_param_number(request, "sysparm_limit", LIMIT_DEFAULT, UINT32_MAX);
	uint64_t offset = request_param_number(request, "sysparm_offset", 0, UINT32_MAX);
	size_t count = 0, shown = 0;

	read_query(call, table, &query);
	if (strcmp(class_name, table->name) != 0) /* a class below cmdb_ci */
		snow_query_add_equal(&call->snow->tables, table, "sys_class_name", class_name,
				     &query);
	struct snow_row **row =
	    snow_query_run(request->arena, &call->snow->tables, table, &query, &count);

	if (query.invalid && call->snow->strict_queries)
		count = 0;
	if (count == 0 && call->v1) {
		no_record(call);
		return;
	}
	response->content_type = "application/json;charset=UTF-8";
	buf_adds(&response->body, "{\"result\":[");
	for (uint64_t i = offset; i < count && i < offset + limit; i++) {
		if (!may_read(call, table)) /* rights are looked at after the limit */
			break;
		buf_adds(&response->body, shown++ ? "," : "");
		snow_render_row(call, row[i], &response->body);
	}
	buf_adds(&response->body, "]}");
	page_headers(call, offset, limit, count);
}

static const char *row_url(const struct snow_call *call, const struct snow_row *row)
{
	return arena_printf(call->request->arena, "%s/api/now/table/%s/%s", call->base,
			    row->table->name, snow_row_named(row, "sys_id"));
}

static void committed(const struct snow_call *call, const struct snow_row *row)
{
	call->response->committed = true;
	call->response->record = arena_printf(
	    call->request->arena, "%s:%s%s%s", row->table->name, snow_row_named(row, "sys_id"),
	    *snow_row_named(row, "number") ? " " : "", snow_row_named(row, "number"));
}

static void serve_create(const struct snow_call *call, struct snow_table *table)
{
	json_t *body = object_body(call);
	struct snow_row *row = body ? snow_write(call, table, NULL, body) : NULL;

	json_decref(body);
	if (!row)
		return;
	committed(call, row);
	answer_row(call, 201, row);
	response_add_header(call->response, "Location", "%s", row_url(call, row));
}

static void serve_change(const struct snow_call *call, struct snow_row *row)
{
	json_t *body = object_body(call);

	if (body && snow_write(call, row->table, row, body)) {
		committed(call, row);
		answer_row(call, 200, row);
	}
	json_decref(body);
}

static void serve_delete(const struct snow_call *call, struct snow_row *row)
{
	if (!snow_has_role(call->user, "admin")) {
		snow_refuse(call->response, 403, "Operation Failed",
			    "ACL Exception Delete Failed due to security constraints");
		return;
	}
	committed(call, row);
	snow_row_delete(row);
	call->response->status = 204;
}

static void serve_record(const struct snow_call *call, struct snow_table *table,
			 const char *sys_id, const char *method)
{
	struct snow_row *row = snow_row_find(table, sys_id);

	if (!row || !may_read(call, table))
		no_record(call);
	else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		answer_row(call, 200, row);
	else if (strcmp(method, "PATCH") == 0 || strcmp(method, "PUT") == 0)
		serve_change(call, row);
	else if (strcmp(method, "DELETE") == 0)
		serve_delete(call, row);
	else
		snow_refuse(call->response, 405, "Method not supported",
			    "Method not supported");
}

void snow_serve_table(const struct snow_call *call, unsigned part)
{
	const struct request *request = call->request;
	const char *name = request_segment(request, part);
	const char *sys_id = request_segment(request, part + 1);
	const char *method = request->method_override && request_is(request, "POST")
				 ? request->method_override
				 : request->method;
	struct snow_table *table = snow_table_find(&call->snow->tables, name);

	if (!table)
		snow_refuse(call->response, 400,
			    arena_printf(request->arena, "Invalid table %.80s", name),
			    arena_printf(request->arena, "Table %.80s does not exist", name));
	else if (*sys_id)
		serve_record(call, table, sys_id, method);
	else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		serve_list(call, table, name);
	else if (strcmp(method, "POST") == 0)
		serve_create(call, table);
	else
		snow_refuse(call->response, 405, "Method not supported",
			    "Method not supported");
}

/* ---- email -------------------------------------------------------------------------- */

static bool address_list(const json_t *list, bool required)
{
	size_t i;
	json_t *item;

	if (!list)
		return !required;
	if (!json_is_array(list) || json_array_size(list) > 100 ||
	    (required && json_array_size(list) == 0))
		return false;
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (!text || !strchr(text, '@'))
			return false;
	}
	return true;
}

static void send_email(const struct snow_call *call)
{
	json_t *body = object_body(call);
	char id[ID_HEX_SIZE];

	if (!body)
		return;
	bool table = json_object_get(body, "table_name") != NULL;
	bool record = json_object_get(body, "table_record_id") != NULL;

	if (!address_list(json_object_get(body, "to"), true) ||
	    !address_list(json_object_get(body, "cc"), false) ||
	    !address_list(json_object_get(body, "bcc"), false) || table != record) {
		json_decref(body);
		snow_refuse(call->response, 400, "Invalid request",
			    "to, cc and bcc are lists of at most 100 addresses; table_name and "
			    "table_record_id go together");
		return;
	}
	id_hex(id);
	json_object_set_new(body, "id", json_string(id));
	json_object_set_new(body, "sys_created_by", json_string(call->user->name));
	json_object_set_new(body, "at_ms", json_integer((json_int_t)clock_wall_ms()));
	json_array_append_new(call->snow->emails, body);
	call->response->committed = true;
	call->response->record = arena_printf(call->request->arena, "email:%s", id);
	response_json(call->response, 200,
		      json_pack("{s:{s:s, s:[{s:s, s:s+}, {s:s, s:s++}]}}", "result", "id", id,
				"links", "rel", "self", "href", "/now/v1/email/", id, "rel",
				"status", "href", "/now/v1/email/", id,
				"?sysparm_fields=id,type,state,error"));
}

void snow_serve_email(const struct snow_call *call, unsigned part)
{
	const char *id = request_segment(call->request, part);
	size_t i;
	json_t *email;

	if (!snow_has_role(call->user, "email_api_send") &&
	    !snow_has_role(call->user, "admin")) {
		snow_refuse(call->response, 403, "User Not Authorized",
			    "Failed API level ACL Validation");
		return;
	}
	if (!*id && request_is(call->request, "POST")) {
		send_email(call);
		return;
	}
	json_array_foreach(call->snow->emails, i, email)
	{
		const char *own = json_string_value(json_object_get(email, "id"));

		if (strcmp(own, id) == 0 && request_is(call->request, "GET")) {
			json_t *shown = json_copy(email);

			json_object_set_new(shown, "type", json_string("sent"));
			json_object_set_new(shown, "state", json_string("processed"));
			response_json(call->response, 200, json_pack("{s:o}", "result", shown));
			return;
		}
	}
	no_record(call);
}
