/* Mail through a ServiceNow instance. */
#include "vendor/servicenow_email.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/account.h"
#include "vendor/body.h"
#include "vendor/servicenow_call.h"
#include "vendor/session.h"

enum { URL_MAX_BYTES = 2048, BODY_MAX_BYTES = 2 << 20 };

/* /api/now/email, not below the Table API. */
static void call_init(struct servicenow_call *call, const struct vendor_session *session,
		      const char *id)
{
	*call = (struct servicenow_call){ .first_param = true };
	buf_init(&call->url, URL_MAX_BYTES);
	buf_init(&call->body, BODY_MAX_BYTES);
	buf_addf(&call->url, "%s/api/now/email", session->account->url);
	if (id) {
		buf_adds(&call->url, "/");
		buf_add_url(&call->url, id);
	}
}

bool servicenow_email_send(struct vendor_session *session, const struct servicenow_email *email,
			   struct arena *arena, const char **ret_id, struct err *err)
{
	struct servicenow_call call;
	json_t *to = json_array();

	for (size_t i = 0; email->to[i]; i++)
		json_array_append_new(to, json_string(email->to[i]));
	json_t *body =
	    json_pack("{s:o,s:s,s:s,s:s,s:{s:s,s:s}}", "to", to, "subject", email->subject,
		      "text", email->text, "html", email->html, "headers", "Message-ID",
		      email->message_id, "Auto-Submitted", "auto-generated");
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	if (!text)
		return err_set(err, ERR_PERMANENT, "the mail's text is not UTF-8");
	call_init(&call, session, NULL);
	call.what = "handing the mail to ServiceNow";
	call.method = "POST";
	call.act = SERVICENOW_CREATE;
	call.optional = true; /* a missing role must not stop tickets */
	buf_adds(&call.body, text);
	free(text);
	bool ok = servicenow_call_run(&call, session, arena, NULL, err);

	if (ok) {
		*ret_id = body_text(call.reply.result, "id", arena);
		if (!servicenow_sys_id_valid(*ret_id))
			ok = err_set(err, ERR_TRANSIENT,
				     "ServiceNow took the mail and gave no id");
	}
	servicenow_call_done(&call);
	return ok;
}

bool servicenow_email_state(struct vendor_session *session, const char *id, struct arena *arena,
			    enum servicenow_email_state *ret_state, const char **ret_why,
			    struct err *err)
{
	struct servicenow_call call;

	*ret_why = "";
	*ret_state = SERVICENOW_EMAIL_WAITING;
	call_init(&call, session, id);
	call.what = "reading what became of the mail";
	call.act = SERVICENOW_READ;
	call.optional = true;
	servicenow_call_param(&call, "sysparm_fields", "id,type,state,error");
	bool ok = servicenow_call_run(&call, session, arena, NULL, err);

	if (ok) {
		const char *type = body_text(call.reply.result, "type", arena);

		if (strcmp(type, "sent") == 0)
			*ret_state = SERVICENOW_EMAIL_SENT;
		else if (strcmp(type, "send-failed") == 0 || strcmp(type, "send-ignored") == 0)
			*ret_state = SERVICENOW_EMAIL_FAILED;
		if (*ret_state == SERVICENOW_EMAIL_FAILED)
			*ret_why = arena_printf(arena, "%s %s", type,
						body_text(call.reply.result, "error", arena));
	}
	servicenow_call_done(&call);
	return ok;
}
