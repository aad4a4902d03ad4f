#ifndef CALLBACK_PUSH_H
#define CALLBACK_PUSH_H

#include "net/httpd.h"

struct metric;

enum { PUSH_BODY_MAX = 1 << 20, PUSH_EVENTS_MAX = 500 };

/*
 * POST /v1/events/{customer}/{source}: events that somebody else sends, into `raw`. The body is
 * one JSON object, an array of them, or NDJSON; signed (Standard Webhooks) or with a bearer
 * token. All of its events are taken or none, and 2xx is said only when they are durable.
 * 202 {"accepted": n, "duplicate": n}.
 */
enum httpd_outcome push_handle(struct httpd_exchange *exchange, void *state); /* the app */

extern struct metric *const push_metrics[]; /* NULL-terminated */

#endif
