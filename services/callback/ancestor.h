#ifndef CALLBACK_ANCESTOR_H
#define CALLBACK_ANCESTOR_H

#include "net/httpd.h"

/*
 * POST /iroh/iroh-response/respond/trigger/{module}/{action}?observable_type=ip&
 * observable_value=<JSON>&workflow_id=...: the closing URL of the ancestors, as the second work
 * note of a ticket gives it (model/closing_url.h), with an access token (oauth.h). Ours carries
 * a signed value; tickets that the ancestors opened are handed on as what they are, to be
 * adopted when both sides have been looked at. 200 {"data":{"status":"success"}} once it is
 * durable, as Threat Response answered.
 */
enum httpd_outcome ancestor_handle(struct httpd_exchange *exchange, void *state);

enum { ANCESTOR_BODY_MAX = 4096 }; /* a body is taken and not read */

#endif
