#ifndef CALLBACK_CLOSED_H
#define CALLBACK_CLOSED_H

#include "net/httpd.h"

enum { CLOSED_BODY_MAX = 16 * 1024 };

/*
 * POST /v1/servicenow/closed: an instance says that the state of one of our tickets has
 * changed, with an access token (oauth.h), or signed (Standard Webhooks, ?account=<id of the
 * account>). The body is JSON: instance_name and sys_id; correlation_id, by which the ticket is
 * ours; table, number, state, close_code, sys_updated_by when they are known. 202 once it is
 * durable; what comes of it is decided by the incident service, which reads the ticket.
 */
enum httpd_outcome closed_handle(struct httpd_exchange *exchange, void *state);

#endif
