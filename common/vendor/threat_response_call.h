#ifndef VENDOR_THREAT_RESPONSE_CALL_H
#define VENDOR_THREAT_RESPONSE_CALL_H

#include <stdbool.h>

#include "base/buf.h"
#include "vendor/body.h"
#include "vendor/call.h"
#include "vendor/threat_response.h"

/* One call of Threat Response while it is made; the inside of threat_response.h. */
struct response_call {
	const char *what;
	const char *method; /* NULL: GET */
	struct buf url;
	struct buf body;
	bool write;
	bool one;	 /* the path names one entity: a 404 is about it, not the account */
	bool form_basic; /* the token endpoint itself: Basic, and the body is a form */
	json_t *root;	 /* of the answer; owned */
};

void response_call_init(struct response_call *call, const char *what, const char *base,
			const char *path);
/* True when root holds the answer, whatever JSON it is. */
bool response_call_run(struct response_call *call, struct vendor_session *session,
		       struct err *err);
void response_call_done(struct response_call *call);

/* What cannot be sent at all. */
bool response_call_refuse(struct vendor_session *session, struct err *err, const char *text);
/* A success that is none: nobody knows what was done. */
bool response_call_unexpected(struct err *err, const char *text);

/* One entry of an import's results: false with err when the entity is not stored. */
bool threat_response_result_read(const json_t *row, struct arena *arena,
				 struct threat_response_result *ret_result, struct err *err);

#endif
