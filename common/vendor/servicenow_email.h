#ifndef VENDOR_SERVICENOW_EMAIL_H
#define VENDOR_SERVICENOW_EMAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct arena;
struct vendor_session;

/*
 * Mail through a ServiceNow instance: POST and GET /api/now/email. Needs the role
 * email_api_send. The answer only says that a record was made: the instance sends it by and by,
 * and the record's type says whether it did.
 * Source: ServiceNow docs, rest-apis/email-api.md.
 */
struct servicenow_email {
	const char *const *to; /* at most 100, ended by NULL */
	const char *subject;
	const char *text;
	const char *html;
	const char *message_id; /* in the header Message-ID */
};

/* *ret_id: sys_id of the record, in the arena. */
bool servicenow_email_send(struct vendor_session *session, const struct servicenow_email *email,
			   struct arena *arena, const char **ret_id, struct err *err);

enum servicenow_email_state {
	SERVICENOW_EMAIL_WAITING, /* send-ready, or a type we do not know */
	SERVICENOW_EMAIL_SENT,
	SERVICENOW_EMAIL_FAILED, /* send-failed, send-ignored */
};

/* *ret_why: what the record says of a failure, in the arena, "" otherwise. */
bool servicenow_email_state(struct vendor_session *session, const char *id, struct arena *arena,
			    enum servicenow_email_state *ret_state, const char **ret_why,
			    struct err *err);

#endif
