#ifndef VENDOR_DEFENDER_H
#define VENDOR_DEFENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct vendor_session;

/*
 * Microsoft Defender for Endpoint, alerts. Facts: MicrosoftDocs/defender-docs
 * defender-endpoint/api/ (get-alerts, alerts, common-errors, exposed-apis-odata-samples); 100
 * calls a minute and 1,500 an hour for each application and tenant. $orderby is in use
 * (rapid7/insightconnect-plugins, plugins/microsoft_atp) though it is not in the list of what
 * the alerts support. Tokens: entra.h.
 */

enum { DEFENDER_PAGE_MAX = 1000, DEFENDER_ID_SIZE = 128 };

struct defender_query {
	uint64_t from_ms; /* lastUpdateTime, inclusive */
	unsigned limit;	  /* 1 to DEFENDER_PAGE_MAX, 0 for that */
};

struct defender_alert {
	const char *json; /* the vendor's text, byte for byte; not NUL-terminated */
	size_t size;
	char id[DEFENDER_ID_SIZE]; /* "" when there is none, or none we could keep */
	uint64_t updated_ms;	   /* lastUpdateTime; 0 when absent */
	uint64_t created_ms;	   /* alertCreationTime; 0 when absent */
};

struct defender_page {
	struct defender_alert *alerts;
	size_t count;
	const char *next; /* NULL after the last page */
	uint64_t date_ms; /* the vendor's clock (Date header), 0 when absent */
};

/*
 * GET /api/alerts with evidence, oldest alert first. An alert never leaves what is asked for,
 * and its place among the others is its creation's: while pages are read rows only move to
 * later ones, so one may come twice, none is missed. next is NULL for the first page, then what
 * the last page said: a link of the vendor's to this host, or how many to skip.
 */
bool defender_alerts(struct vendor_session *session, const struct defender_query *query,
		     const char *next, struct arena *arena, struct defender_page *ret_page,
		     struct err *err);

/* Reads the body of a page; limit is what was asked for, skip what was left out, base where the
 * API is. False when it breaks off. */
bool defender_page_read(const char *body, size_t size, const char *base, unsigned limit,
			uint64_t skip, struct arena *arena, struct defender_page *ret_page);

#endif
