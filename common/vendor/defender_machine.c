/* Defender for Endpoint: machines, their isolation and its end. */
#include "vendor/defender_machine.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "model/customer.h"
#include "vendor/answer.h"
#include "vendor/body.h"
#include "vendor/call.h"
#include "vendor/entra.h"
#include "vendor/session.h"

enum {
	URL_MAX_BYTES = 4 << 10,
	BODY_MAX_BYTES = 8 << 10,
	COMMENT_MAX_BYTES = 1024,
	ACTIONS_LIMIT = 100,
	CODE_MAX = 64,
};

/* What one call asks and what came of it. */
struct call {
	const char *what;
	const char *method; /* NULL: GET */
	struct buf url;
	struct buf body;
	bool optional_404; /* an unknown id is an answer */
	json_t *root;	   /* owned; NULL after a 404 */
	bool found;
	char code[CODE_MAX]; /* of an error's body */
};

static void call_init(struct call *call, const struct vendor_session *session, const char *what)
{
	*call = (struct call){ .what = what };
	buf_init(&call->url, URL_MAX_BYTES);
	buf_init(&call->body, BODY_MAX_BYTES);
	buf_adds(&call->url, session->account->url);
}

static void call_done(struct call *call)
{
	json_decref(call->root);
	buf_done(&call->url);
	buf_done(&call->body);
}

/* {"error":{"code","message","target"}} */
static bool refused(struct call *call, const struct http_response *response, struct err *err)
{
	enum err_kind kind = http_status_kind(response->status);
	json_t *root = answer_json(response);
	const json_t *error = json_object_get(root, "error");
	char message[120], detail[CODE_MAX + 122];

	body_excerpt(body_peek(error, "code"), call->code, sizeof call->code);
	body_excerpt(body_peek(error, "message"), message, sizeof message);
	snprintf(detail, sizeof detail, "%s%s%s", call->code, *message ? ": " : "", message);
	json_decref(root);
	return answer_refused(response, "Defender", kind, detail, err);
}

static bool classify(const struct vendor_request *request, const struct http_response *response,
		     struct err *err)
{
	struct call *call = request->opaque;

	if (response->status == 404 && call->optional_404)
		return true;
	if (http_status_kind(response->status) != ERR_NONE)
		return refused(call, response, err);
	json_decref(call->root);
	call->root = answer_json(response);
	call->found = json_is_object(call->root);
	return call->found ||
	       answer_unfit(response->status, "Defender", "without complete JSON", err);
}

static bool call_run(struct call *call, struct vendor_session *session, struct err *err)
{
	const struct vendor_request request = {
		.what = call->what,
		.method = call->method,
		.url = buf_text(&call->url),
		.body = call->method ? buf_text(&call->body) : NULL,
		.size = call->method ? call->body.size : 0,
		.write = call->method != NULL,
		.optional = true, /* an application may read alerts and not isolate */
		.auth = VENDOR_AUTH_BEARER,
		.fetch_token = entra_fetch_token,
		.classify = classify,
		.opaque = call,
	};
	struct http_response response;

	session->refusal = VENDOR_ATTEMPTED;
	session->status = 0;
	if (!buf_ok(&call->url) || !buf_ok(&call->body))
		return err_set(err, ERR_PERMANENT, "%s: too large", call->what);
	if (!vendor_call(session, &request, &response, err))
		return false;
	http_response_done(&response);
	return true;
}

/* ---- machines ---- */

bool defender_machine(struct vendor_session *session, const char *id, struct arena *arena,
		      bool *ret_found, struct defender_machine *ret_machine, struct err *err)
{
	struct call call;

	call_init(&call, session, "reading the machine");
	call.optional_404 = true;
	buf_adds(&call.url, "/api/machines/");
	buf_add_url(&call.url, id);
	bool ok = call_run(&call, session, err);

	*ret_found = ok && call.found;
	*ret_machine = (struct defender_machine){
		.id = body_text(call.root, "id", arena),
		.dns_name = body_text(call.root, "computerDnsName", arena),
		.platform = body_text(call.root, "osPlatform", arena),
		.last_ip = body_text(call.root, "lastIpAddress", arena),
		.external_ip = body_text(call.root, "lastExternalIpAddress", arena),
		.health = body_text(call.root, "healthStatus", arena),
	};
	call_done(&call);
	if (*ret_found && strcmp(ret_machine->id, id) != 0)
		return err_set(err, ERR_TRANSIENT, "Defender answered with another machine");
	return ok;
}

/* ---- actions ---- */

static enum defender_action_status status_of(const char *word)
{
	static const char *const words[] = { "Pending", "InProgress", "Succeeded",
					     "Failed",	"TimeOut",    "Cancelled" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(word, words[i]) == 0)
			return (enum defender_action_status)i;
	}
	return DEFENDER_ACTION_UNKNOWN;
}

bool defender_action_running(const struct defender_action *action)
{
	return action->status == DEFENDER_ACTION_PENDING ||
	       action->status == DEFENDER_ACTION_IN_PROGRESS ||
	       action->status == DEFENDER_ACTION_UNKNOWN;
}

static void read_action(const json_t *object, struct arena *arena,
			struct defender_action *ret_action)
{
	*ret_action = (struct defender_action){
		.id = body_text(object, "id", arena),
		.type = body_text(object, "type", arena),
		.machine = body_text(object, "machineId", arena),
		.requestor = body_text(object, "requestor", arena),
		.comment = body_text(object, "requestorComment", arena),
		.status = status_of(body_peek(object, "status")),
	};
	clock_parse(body_peek(object, "creationDateTimeUtc"), &ret_action->created_ms);
}

/* What the filter asks for is looked at again: one that is not understood gives everything. */
static bool wanted(const struct defender_action *action,
		   const struct defender_action_query *query)
{
	if (strcmp(action->type, "Isolate") != 0 && strcmp(action->type, "Unisolate") != 0)
		return false;
	return !query->machine || strcmp(action->machine, query->machine) == 0;
}

static void sort_newest_first(struct defender_action *actions, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct defender_action one = actions[i];
		size_t k = i;

		for (; k > 0 && actions[k - 1].created_ms < one.created_ms; k--)
			actions[k] = actions[k - 1];
		actions[k] = one;
	}
}

static void add_filter(struct buf *url, const struct defender_action_query *query)
{
	char since[CLOCK_TEXT_SIZE];

	buf_adds(url, "/api/machineactions?$filter=(type+eq+'Isolate'+or+type+eq+'Unisolate')");
	if (query->machine) {
		buf_adds(url, "+and+machineId+eq+'");
		buf_add_url(url, query->machine);
		buf_adds(url, "'");
	}
	if (query->since_ms) {
		clock_format(query->since_ms, since);
		buf_adds(url, "+and+creationDateTimeUtc+ge+");
		buf_add_url(url, since);
	}
	buf_addf(url, "&$orderby=creationDateTimeUtc+desc&$top=%u",
		 query->limit ? query->limit : ACTIONS_LIMIT);
}

bool defender_actions(struct vendor_session *session, const struct defender_action_query *query,
		      struct arena *arena, struct defender_action **ret_actions,
		      size_t *ret_count, struct err *err)
{
	struct call call;
	size_t count = 0;

	*ret_actions = NULL;
	*ret_count = 0;
	call_init(&call, session, "reading machine actions");
	add_filter(&call.url, query);
	bool ok = call_run(&call, session, err);
	const json_t *list = json_object_get(call.root, "value");

	if (ok && !json_is_array(list))
		ok = err_set(err, ERR_TRANSIENT, "Defender answered without a list of actions");
	if (ok) {
		struct defender_action *actions =
		    arena_alloc(arena, (json_array_size(list) + 1) * sizeof *actions);

		for (size_t i = 0; i < json_array_size(list); i++) {
			read_action(json_array_get(list, i), arena, &actions[count]);
			count += wanted(&actions[count], query);
		}
		sort_newest_first(actions, count);
		*ret_actions = actions;
		*ret_count = count;
	}
	call_done(&call);
	return ok;
}

struct request {
	const char *verb; /* last part of the path */
	const char *machine;
	const char *type; /* IsolationType; NULL: none */
	const char *comment;
};

static bool request_action(struct vendor_session *session, const struct request *request,
			   const char *what, struct arena *arena,
			   struct defender_action *ret_action, bool *ret_busy, struct err *err)
{
	struct call call;

	*ret_busy = false;
	call_init(&call, session, what);
	call.method = "POST";
	buf_adds(&call.url, "/api/machines/");
	buf_add_url(&call.url, request->machine);
	buf_addf(&call.url, "/%s", request->verb);
	buf_adds(&call.body, "{\"Comment\":\"");
	buf_add_json(&call.body, request->comment,
		     strnlen(request->comment, COMMENT_MAX_BYTES));
	buf_adds(&call.body, "\"");
	if (request->type)
		buf_addf(&call.body, ",\"IsolationType\":\"%s\"", request->type);
	buf_adds(&call.body, "}");
	bool ok = call_run(&call, session, err);

	read_action(call.root, arena, ret_action);
	*ret_busy = !ok && session->status == 400 &&
		    strcmp(call.code, "ActiveRequestAlreadyExists") == 0;
	call_done(&call);
	if (!ok || (*ret_action->id && strcmp(ret_action->machine, request->machine) == 0))
		return ok;
	return answer_unfit(session->status, "Defender", "without the action", err);
}

bool defender_isolate(struct vendor_session *session, const char *machine, bool selective,
		      const char *comment, struct arena *arena,
		      struct defender_action *ret_action, bool *ret_busy, struct err *err)
{
	const struct request request = {
		.verb = "isolate",
		.machine = machine,
		.type = selective ? "Selective" : "Full",
		.comment = comment,
	};

	return request_action(session, &request, "isolating the machine", arena, ret_action,
			      ret_busy, err);
}

bool defender_unisolate(struct vendor_session *session, const char *machine,
			const char *comment, struct arena *arena,
			struct defender_action *ret_action, bool *ret_busy, struct err *err)
{
	const struct request request = {
		.verb = "unisolate",
		.machine = machine,
		.comment = comment,
	};

	return request_action(session, &request, "releasing the machine", arena, ret_action,
			      ret_busy, err);
}
