#ifndef MODEL_CLOSING_URL_H
#define MODEL_CLOSING_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct arena;

/*
 * The second work note's first line. The ancestors' business rule appends it, as it is, to
 * "https://<host>/iroh/iroh-response/" and posts that when the ticket is closed:
 *
 *	respond/trigger/tocsin/close?observable_type=ip&observable_value=<JSON>&workflow_id=close
 *
 * The JSON, percent-encoded, has the ancestors' members, and what we sign.
 * Source: chrivand/amp-umb-mssp-sxo, MSSP-SecureX-and-ServiceNow-Incident.json (first key set)
 * and SERVICENOW-TO-AMP.json (second one).
 */
struct closing_value {
	const char *sys_id;	   /* snow-incident-id, servicenow-incident-id */
	const char *ctim_id;	   /* securex-incident-id: an id or a URL */
	const char *customer_name; /* customer-name */
	const char *connector;	   /* amp-connector-guid */
	const char *group;	   /* amp-group-guid */
	const char *incident;	   /* tocsin-incident-id; NULL: the ancestors opened it */
	const char *token;	   /* tocsin-link: model/link.h, LINK_CLOSE */
};

/* The first path by which our own notes are recognized. */
#define CLOSING_URL_PATH "respond/trigger/tocsin/close"

enum {
	CLOSING_VALUE_MAX = 4096, /* bytes of JSON that are read */
};

/* The line, without line feed, in the arena. What is NULL or empty is left out. */
const char *closing_url(const struct closing_value *value, struct arena *arena);

/* text is the decoded observable_value. Absent members are NULL; sys_id is 32 lower-case hex
 * digits; all but the customer's name are without controls. Permanent error when it is no such
 * JSON; both names of the ticket with different values are refused. */
bool closing_value_parse(struct closing_value *ret_value, const char *text, size_t size,
			 struct arena *arena, struct err *err);

#endif
