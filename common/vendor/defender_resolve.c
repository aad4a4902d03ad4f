/* Alerts of Defender for Endpoint, resolved with what was found out. */
#include "vendor/defender_resolve.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/customer.h"
#include "vendor/answer.h"
#include "vendor/body.h"
#include "vendor/call.h"
#include "vendor/entra.h"
#include "vendor/session.h"

enum { URL_MAX_BYTES = 4096, ANSWER_MAX_BYTES = 4 << 20, BODY_MAX_BYTES = 8 << 10 };

static const struct {
	const char *verdict, *classification, *determination;
} verdicts[] = {
	{ "false_positive", "FalsePositive", "Clean" },
	{ "benign", "InformationalExpectedActivity", "Other" },
	{ "true_positive", "TruePositive", "Malware" },
};

void defender_verdict(const char *verdict, const char **ret_classification,
		      const char **ret_determination)
{
	*ret_classification = *ret_determination = NULL;
	for (size_t i = 0; verdict && i < sizeof verdicts / sizeof verdicts[0]; i++) {
		if (strcmp(verdicts[i].verdict, verdict) == 0) {
			*ret_classification = verdicts[i].classification;
			*ret_determination = verdicts[i].determination;
		}
	}
}

struct alert_answer {
	bool found;
	bool resolved;
	const char *id;
};

/* Says what the alert is like, or fills err; a status of its own is the caller's to judge. */
static bool classify(const struct vendor_request *request, const struct http_response *response,
		     struct err *err)
{
	struct alert_answer *answer = request->opaque;
	enum err_kind kind = http_status_kind(response->status);

	if (response->status == 404)
		return true;
	if (kind != ERR_NONE)
		return answer_refused(response, "Defender", kind, "", err);
	json_t *root = answer_json(response);

	answer->found = strcmp(body_peek(root, "id"), answer->id) == 0;
	answer->resolved = strcmp(body_peek(root, "status"), "Resolved") == 0;
	json_decref(root);
	return answer->found ||
	       answer_unfit(response->status, "Defender", "without the alert", err);
}

/* body NULL: only reads. */
static bool run(struct vendor_session *session, const char *body, struct alert_answer *answer,
		struct err *err)
{
	struct http_response response;
	struct vendor_request request = {
		.what = body ? "resolving the alert" : "reading the alert",
		.method = body ? "PATCH" : NULL,
		.body = body,
		.size = body ? strlen(body) : 0,
		.max_body_bytes = ANSWER_MAX_BYTES,
		.write = body != NULL,
		.optional = true,
		.auth = VENDOR_AUTH_BEARER,
		.fetch_token = entra_fetch_token,
		.classify = classify,
		.opaque = answer,
	};
	struct buf url;

	answer->found = answer->resolved = false;
	session->refusal = VENDOR_ATTEMPTED;
	session->status = 0;
	buf_init(&url, URL_MAX_BYTES);
	buf_addf(&url, "%s/api/alerts/", session->account->url);
	buf_add_url(&url, answer->id);
	request.url = buf_text(&url);

	bool ok = buf_ok(&url)
		      ? vendor_call(session, &request, &response, err)
		      : err_set(err, ERR_PERMANENT, "too long an id for an alert of Defender");

	if (ok)
		http_response_done(&response);
	buf_done(&url);
	return ok;
}

static bool change(struct vendor_session *session, const struct defender_resolution *resolution,
		   bool plainly, struct alert_answer *answer, struct err *err)
{
	json_t *body = json_pack("{s:s}", "status", "Resolved");
	json_t *comment = json_string(resolution->comment);

	if (comment)
		json_object_set_new(body, "comment", comment);
	if (!plainly && resolution->classification)
		json_object_set_new(body, "classification",
				    json_string(resolution->classification));
	if (!plainly && resolution->determination)
		json_object_set_new(body, "determination",
				    json_string(resolution->determination));

	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	bool ok = run(session, text, answer, err);

	free(text);
	return ok;
}

bool defender_resolve(struct vendor_session *session, const char *alert_id,
		      const struct defender_resolution *resolution,
		      enum defender_resolved *ret_resolved, struct err *err)
{
	struct alert_answer answer = { .id = alert_id };
	struct err failure = { 0 };
	bool plainly = false;

	bool ok = run(session, NULL, &answer, &failure);
	bool change_it = ok && answer.found && !answer.resolved;

	*ret_resolved = DEFENDER_WAS_RESOLVED;
	if (change_it) {
		*ret_resolved = DEFENDER_RESOLVED;
		ok = change(session, resolution, plainly, &answer, &failure);
		if (!ok && session->status == 400 && resolution->classification) {
			plainly = true;
			failure = (struct err){ 0 };
			*ret_resolved = DEFENDER_RESOLVED_PLAINLY;
			ok = change(session, resolution, plainly, &answer, &failure);
		}
	}
	if (ok && !answer.found)
		*ret_resolved = DEFENDER_GONE;
	if (!ok && session->refusal == VENDOR_ATTEMPTED && session->status == 403) {
		*ret_resolved = DEFENDER_FORBIDDEN;
		return true;
	}
	if (!ok && err)
		*err = failure;
	return ok;
}
