#ifndef VENDOR_PASSAGE_H
#define VENDOR_PASSAGE_H

#include <stdbool.h>

#include "base/err.h"
#include "bus/gate.h"
#include "vendor/session.h"

struct http_response;
struct vendor_request;

/* One call's way through the gate of its account (bus/gate.h), and back. */
struct passage {
	struct gate_pass pass;
	bool asked;  /* Redis gave a pass that has to be given back, even after a success */
	bool parked; /* as the one call that may try */
	char reason[sizeof((struct gate_state *)NULL)->reason];
};

/* False with a refusal when nothing may be sent now. */
bool passage_enter(struct vendor_session *session, struct passage *ret_passage,
		   struct err *err);
/* Tells the gate what came of the call: failure when it is not ok. */
void passage_leave(struct vendor_session *session, const struct vendor_request *request,
		   const struct passage *passage, bool ok, const struct http_response *response,
		   const struct err *failure);

#endif
