/*
 * servicenow: stands in for instances of ServiceNow under /snow/<instance>: Table API v1 and
 * v2, Email API, OAuth. One account is one instance.
 */
#include "servicenow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "request.h"
#include "response.h"
#include "snow.h"
#include "snow_security.h"

static void *instance_open(const struct account *account)
{
	struct snow *snow = xcalloc(1, sizeof(*snow));

	(void)account;
	snow->token_ms = UINT64_C(1799000);
	snow->next_number = 10001;
	snow->emails = json_array();
	snow->outbound = json_array();
	snow->journal_roles = xstrdup("admin,itil");
	snow->date_format = xstrdup("yyyy-MM-dd");
	snow->data_policy = true;
	snow->closed_abort = true;
	snow_schema_apply(snow);
	return snow;
}

static void instance_close(void *opaque)
{
	struct snow *snow = opaque;

	for (size_t i = 0; i < snow->users; i++) {
		free(snow->user[i].name);
		free(snow->user[i].password);
		free(snow->user[i].sys_id);
		free(snow->user[i].full_name);
		free(snow->user[i].roles);
	}
	for (size_t i = 0; i < snow->clients; i++) {
		free(snow->client[i].id);
		free(snow->client[i].secret);
		free(snow->client[i].user);
		free(snow->client[i].scope);
	}
	free(snow->user);
	free(snow->client);
	tokens_done(&snow->tokens);
	tokens_done(&snow->refresh_tokens);
	snow_tables_done(&snow->tables);
	json_decref(snow->emails);
	json_decref(snow->outbound);
	snow_rule_done(&snow->rule);
	free(snow->journal_roles);
	free(snow->date_format);
	free(snow);
}

/* ---- calls -------------------------------------------------------------------------- */

static bool instance_configure(struct account *account, const json_t *settings, struct err *err)
{
	struct snow *snow = account->state;
	const json_t *rule = json_object_get(settings, "business_rule");

	snow->account = account;
	return snow_configure(snow, settings, err) &&
	       (!rule || snow_rule_configure(&snow->rule, rule, err));
}

static const char *instance_recognise(const struct request *request)
{
	return request->segments > 1 ? request->segment[1] : NULL;
}

static void instance_refuse(enum refusal refusal, const struct request *request,
			    struct response *response)
{
	switch (refusal) {
	case REFUSAL_CREDENTIALS:
	case REFUSAL_TOKEN:
		if (strcmp(request_segment(request, 2), "oauth_token.do") == 0)
			snow_deny(response);
		else
			snow_unauthorized(NULL, response);
		break;
	case REFUSAL_THROTTLED:
		snow_refuse(response, 429, "Rate limit exceeded",
			    "Rate limit of 1000 requests per hour for Table API exceeded");
		break;
	case REFUSAL_BROKEN:
		snow_refuse(
		    response, 500, "Transaction cancelled: maximum execution time exceeded",
		    "Transaction cancelled: maximum execution time exceeded. Check logs "
		    "for error trace.");
		break;
	}
}

/* Each node of an instance sets its own; a client that keeps them stays on one node. */
static void set_cookies(struct response *response)
{
	char id[ID_HEX_SIZE];

	id_hex(id);
	response_add_header(response, "Set-Cookie", "JSESSIONID=%s; Path=/; HttpOnly", id);
	response_add_header(response, "Set-Cookie",
			    "glide_user_route=glide.%s; Path=/; HttpOnly", id);
	response_add_header(response, "Set-Cookie",
			    "BIGipServerpool_sandbox=%.8s.node%d; path=/; Httponly", id,
			    1 + (id[0] & 1));
	response_set_header(response, "Cache-Control",
			    "no-cache,no-store,must-revalidate,max-age=-1");
	response_set_header(response, "Server", "ServiceNow");
}

static bool count_call(struct snow *snow, struct response *response)
{
	uint64_t now_ms = clock_mono_ms();

	if (snow->rate_limit == 0)
		return true;
	if (snow->rate_used == 0 || now_ms >= snow->rate_started_ms + 3600000) {
		snow->rate_started_ms = now_ms;
		snow->rate_used = 0;
	}
	uint64_t left_s = (snow->rate_started_ms + 3600000 - now_ms) / 1000 + 1;
	bool ok = ++snow->rate_used <= snow->rate_limit;

	if (!ok) {
		instance_refuse(REFUSAL_THROTTLED, NULL, response);
		response_add_header(response, "Retry-After", "%llu",
				    (unsigned long long)left_s);
	}
	response_add_header(response, "X-RateLimit-Limit", "%llu",
			    (unsigned long long)snow->rate_limit);
	response_add_header(response, "X-RateLimit-Reset", "%llu",
			    (unsigned long long)(clock_wall_ms() / 1000 + left_s));
	return ok;
}

static void no_resource(struct response *response)
{
	snow_refuse(response, 400, "Requested URI does not represent any resource",
		    "Requested URI does not represent any resource");
}

static void serve_now(struct account *account, struct snow *snow, const struct request *request,
		      struct response *response)
{
	struct snow_call call = { .snow = snow, .request = request, .response = response };
	const char *version = request_segment(request, 4);
	bool pinned =
	    version[0] == 'v' && (version[1] == '1' || version[1] == '2') && version[2] == '\0';
	unsigned part = pinned ? 5 : 4;
	const char *api = request_segment(request, part);

	call.v1 = pinned && version[1] == '1';
	call.user = snow_authenticate(snow, request, response);
	call.base =
	    arena_printf(request->arena, "%s/snow/%s", request_origin(request), account->name);
	if (!call.user || !count_call(snow, response))
		return;
	if (strcmp(api, "table") == 0 && *request_segment(request, part + 1))
		snow_serve_table(&call, part + 1);
	else if (strcmp(api, "email") == 0)
		snow_serve_email(&call, part + 1);
	else
		no_resource(response);
}

static void instance_serve(struct account *account, const struct request *request,
			   struct response *response)
{
	const char *area = request_segment(request, 2);

	if (!account) { /* no such host */
		response_text(response, 502, "text/html",
			      "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad "
			      "Gateway</h1></body></html>\n");
		return;
	}
	struct snow *snow = servicenow_instance(account);

	if (strcmp(area, "oauth_token.do") == 0)
		snow_serve_token(snow, account->name, request, response);
	else if (strcmp(area, "api") == 0 && strcmp(request_segment(request, 3), "now") == 0)
		serve_now(account, snow, request, response);
	else
		no_resource(response);
	set_cookies(response);
}

static void instance_revoke(struct account *account)
{
	struct snow *snow = account->state;

	for (struct token *token = snow->tokens.first; token; token = token->next)
		token->expires_ms = 0;
}

/* ---- what tests see ----------------------------------------------------------------- */

static json_t *row_json(const struct snow_row *row)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < row->table->columns; i++) {
		const char *text = snow_row_get(row, (int)i);

		if (*text)
			json_object_set_new(object, row->table->column[i].name,
					    json_string(text));
	}
	json_object_set_new(object, "created_ms", json_integer((json_int_t)row->created_ms));
	json_object_set_new(object, "changed_ms", json_integer((json_int_t)row->changed_ms));
	return object;
}

/* Oldest first, as they were written. */
static json_t *journal_json(const struct snow *snow, const struct snow_row *row,
			    const char *element)
{
	const struct snow_table *table = snow_table_find(&snow->tables, "sys_journal_field");
	struct index *index = table->column[snow_column_find(table, "element_id")].index;
	const char *id = snow_row_named(row, "sys_id");
	json_t *list = json_array();

	for (struct index_entry *at = index_next(index, id, NULL); at;
	     at = index_next(index, id, at)) {
		const struct snow_row *entry = at->value;

		if (strcmp(snow_row_named(entry, "element"), element) == 0)
			json_array_insert_new(
			    list, 0,
			    json_pack("{s:s, s:s, s:I}", "value",
				      snow_row_named(entry, "value"), "sys_created_by",
				      snow_row_named(entry, "sys_created_by"), "created_ms",
				      (json_int_t)entry->created_ms));
	}
	return list;
}

static json_t *tickets_json(struct snow *snow, const struct snow_table *table)
{
	json_t *tickets = json_array();

	for (size_t i = 0; table && i < table->rows; i++) {
		struct snow_row *row = table->row[i];

		if (row->deleted)
			continue;
		json_t *object = row_json(row);

		json_object_set_new(object, "work_notes",
				    journal_json(snow, row, "work_notes"));
		json_object_set_new(object, "comments", journal_json(snow, row, "comments"));
		json_array_append_new(tickets, object);
	}
	return tickets;
}

static json_t *instance_dump(struct account *account)
{
	struct snow *snow = servicenow_instance(account);

	return json_pack(
	    "{s:o, s:o, s:O, s:O}", "incidents",
	    tickets_json(snow, snow_table_find(&snow->tables, "incident")),
	    "security_incidents",
	    tickets_json(snow, snow_table_find(&snow->tables, SNOW_SECURITY_TABLE)), "emails",
	    snow->emails, "outbound", snow->outbound);
}

static json_t *duplicates(struct snow_table *table, json_t *states)
{
	json_t *counts = json_object(), *twice = json_object();
	const char *key;
	json_t *value;

	for (size_t i = 0; i < table->rows; i++) {
		struct snow_row *row = table->row[i];
		const char *id = snow_row_named(row, "correlation_id");
		const char *state = snow_row_named(row, "state");
		json_int_t had = json_integer_value(json_object_get(counts, id));

		if (row->deleted)
			continue;
		if (*id)
			json_object_set_new(counts, id, json_integer(had + 1));
		had = json_integer_value(json_object_get(states, state));
		json_object_set_new(states, state, json_integer(had + 1));
	}
	json_object_foreach(counts, key, value)
	{
		if (json_integer_value(value) > 1)
			json_object_set(twice, key, value);
	}
	json_decref(counts);
	return twice;
}

static json_t *instance_summarise(struct account *account)
{
	struct snow *snow = servicenow_instance(account);
	struct snow_table *table = snow_table_find(&snow->tables, "incident");
	struct snow_table *journal = snow_table_find(&snow->tables, "sys_journal_field");
	json_t *states = json_object(), *twice = duplicates(table, states);
	const char *key;
	json_t *count;
	json_int_t total = 0;

	json_object_foreach(states, key, count) total += json_integer_value(count);
	return json_pack("{s:I, s:I, s:I, s:o, s:o}", "incidents", total, "journal_entries",
			 (json_int_t)journal->rows, "emails",
			 (json_int_t)json_array_size(snow->emails), "states", states,
			 "duplicates", twice);
}

struct snow *servicenow_instance(struct account *account)
{
	struct snow *snow = account->state;

	snow_settle(snow);
	return snow;
}

const struct vendor servicenow_vendor = {
	.name = "servicenow",
	.mount = "snow",
	.key = "instance",
	.open = instance_open,
	.close = instance_close,
	.configure = instance_configure,
	.recognise = instance_recognise,
	.serve = instance_serve,
	.refuse = instance_refuse,
	.revoke = instance_revoke,
	.dump = instance_dump,
	.summarise = instance_summarise,
};
