/* One call of the Table API: URL, credentials, answer. */
#include "vendor/servicenow_call.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/customer.h"
#include "vendor/call.h"
#include "vendor/session.h"

enum {
	URL_MAX_BYTES = 16 << 10,
	BODY_MAX_BYTES = 1 << 20, /* instances take 10 MB; our texts are far below */
	ANSWER_MAX_BYTES = 8 << 20,
	TOKEN_LIFE_MS = 1799 * 1000, /* the instances' default */
};

bool servicenow_sys_id_valid(const char *text)
{
	return text && strspn(text, "0123456789abcdef") == 32 && text[32] == '\0';
}

void servicenow_call_init(struct servicenow_call *call, const struct vendor_session *session,
			  const char *table, const char *sys_id)
{
	*call = (struct servicenow_call){ .act = SERVICENOW_LIST, .first_param = true };
	buf_init(&call->url, URL_MAX_BYTES);
	buf_init(&call->body, BODY_MAX_BYTES);
	buf_adds(&call->url, session->account->url);
	buf_adds(&call->url, "/api/now/v2/table/");
	buf_add_url(&call->url, table);
	if (sys_id) {
		buf_adds(&call->url, "/");
		buf_add_url(&call->url, sys_id);
	}
}

void servicenow_call_param(struct servicenow_call *call, const char *name, const char *value)
{
	buf_adds(&call->url, call->first_param ? "?" : "&");
	call->first_param = false;
	buf_adds(&call->url, name);
	buf_adds(&call->url, "=");
	buf_add_url(&call->url, value);
}

void servicenow_call_done(struct servicenow_call *call)
{
	servicenow_reply_done(&call->reply);
	buf_done(&call->url);
	buf_done(&call->body);
}

static bool classify(const struct vendor_request *request, const struct http_response *response,
		     struct err *err)
{
	struct servicenow_call *call = request->opaque;

	servicenow_reply_done(&call->reply);
	return servicenow_reply_read(&call->reply, call->act, response, err);
}

/* A sleeping instance answers the token endpoint with its page too. */
static bool inspect_token(const struct http_response *response, struct err *err)
{
	if (!http_is_json(response) &&
	    servicenow_reply_hibernating(response->body, response->size))
		return err_set(err, ERR_TRANSIENT, "no token: the instance is hibernating");
	return true;
}

static void add_pair(struct buf *form, const char *name, const char *value)
{
	buf_adds(form, name);
	buf_add_url(form, value);
}

/* The endpoint takes a form only, with the client's credentials in it. */
static bool fetch_token(const struct vendor_grant *grant, char **ret_token,
			uint64_t *ret_life_ms, struct err *err)
{
	const struct account *account = grant->session->account;
	struct vendor_token token;
	struct buf url, form;

	buf_init(&url, URL_MAX_BYTES);
	buf_init(&form, BODY_MAX_BYTES);
	buf_addf(&url, "%s/oauth_token.do", account->url);
	add_pair(&form, "grant_type=", "client_credentials");
	add_pair(&form, "&client_id=", account->client_id);
	add_pair(&form, "&client_secret=", grant->secret);
	const struct vendor_form request = { .url = buf_text(&url),
					     .text = buf_text(&form),
					     .life_ms = TOKEN_LIFE_MS,
					     .inspect = inspect_token };
	bool ok = vendor_post_form(grant, &request, &token, err);

	if (form.data)
		explicit_bzero(form.data, form.size);
	buf_done(&form);
	buf_done(&url);
	*ret_token = token.token;
	*ret_life_ms = token.life_ms;
	return ok;
}

/* What became of a call that no answer was read of. */
static enum servicenow_outcome unanswered(const struct vendor_session *session, bool write,
					  const struct err *err)
{
	if (session->refusal != VENDOR_ATTEMPTED)
		return SERVICENOW_NOT_SENT;
	if (err->kind == ERR_ACCOUNT)
		return SERVICENOW_UNAUTHORIZED; /* no token */
	return write && !err->ambiguous ? SERVICENOW_NOT_SENT : SERVICENOW_NO_ANSWER;
}

bool servicenow_call_run(struct servicenow_call *call, struct vendor_session *session,
			 struct arena *arena, struct servicenow_answer *ret_answer,
			 struct err *err)
{
	const struct account *account = session->account;
	bool write = call->act == SERVICENOW_CREATE || call->act == SERVICENOW_CHANGE;
	bool basic = account->auth == ACCOUNT_AUTH_BASIC;
	const struct vendor_request request = {
		.what = call->what,
		.method = call->method,
		.url = buf_text(&call->url),
		.body = call->body.size ? call->body.data : NULL,
		.size = call->body.size,
		.max_body_bytes = ANSWER_MAX_BYTES,
		.write = write,
		.optional = call->optional,
		.auth = basic ? VENDOR_AUTH_BASIC : VENDOR_AUTH_BEARER,
		.basic_user = account->username,
		.fetch_token = fetch_token,
		.classify = classify,
		.opaque = call,
	};
	struct http_response response;
	struct err failure = { 0 };

	if (ret_answer)
		*ret_answer = (struct servicenow_answer){ SERVICENOW_NOT_SENT, "", "" };
	session->refusal = VENDOR_ATTEMPTED;
	if (!buf_ok(&call->url) || !buf_ok(&call->body)) {
		session->status = 0;
		return err_set(err, ERR_PERMANENT, "%s: too large", call->what);
	}
	if (vendor_call(session, &request, &response, &failure)) {
		http_response_done(&response);
		if (ret_answer)
			ret_answer->outcome = SERVICENOW_OK;
		return true;
	}
	if (ret_answer) {
		ret_answer->outcome = session->status ? call->reply.outcome
						      : unanswered(session, write, &failure);
		ret_answer->labels = arena_strdup(arena, call->reply.labels);
		ret_answer->detail = arena_strdup(arena, call->reply.detail);
	}
	if (err)
		*err = failure;
	return false;
}

bool servicenow_call_refuse(struct servicenow_answer *ret_answer,
			    enum servicenow_outcome outcome, enum err_kind kind,
			    const char *text, struct err *err)
{
	if (ret_answer)
		*ret_answer = (struct servicenow_answer){ outcome, "", "" };
	return err_set(err, kind, "%s", text);
}

const char *servicenow_value_text(const json_t *value, struct arena *arena)
{
	if (json_is_object(value)) { /* a reference with its link, or with both values */
		const json_t *inner = json_object_get(value, "value");

		return json_is_object(inner) ? "" : servicenow_value_text(inner, arena);
	}
	if (json_is_string(value))
		return arena_strdup(arena, json_string_value(value));
	if (json_is_integer(value))
		return arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	return "";
}

void servicenow_record_read(const json_t *object, struct arena *arena,
			    struct servicenow_record *ret_record)
{
	size_t count = json_object_size(object);
	struct servicenow_value *values = arena_alloc(arena, count * sizeof *values + 1);
	const char *name;
	json_t *value;
	size_t i = 0;

	json_object_foreach((json_t *)object, name, value)
	{
		values[i++] = (struct servicenow_value){ arena_strdup(arena, name),
							 servicenow_value_text(value, arena) };
	}
	*ret_record = (struct servicenow_record){ values, i };
}

const char *servicenow_record_value(const struct servicenow_record *record, const char *column)
{
	for (size_t i = 0; i < record->count; i++) {
		if (strcmp(record->values[i].name, column) == 0)
			return record->values[i].value;
	}
	return NULL;
}

unsigned servicenow_record_number(const struct servicenow_record *record, const char *column)
{
	const char *value = servicenow_record_value(record, column);

	return value ? (unsigned)strtoul(value, NULL, 10) : 0;
}
