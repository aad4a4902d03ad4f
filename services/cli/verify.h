#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct customer;
struct vendor_session;

/*
 * What a credential can and cannot do, found out by asking its vendor and changing nothing
 * there. Each function appends checks, {check, result, text}, to a list.
 */
enum verify_result {
	VERIFY_YES,
	VERIFY_NO,
	VERIFY_UNKNOWN, /* the vendor did not answer, or does not let us see */
	VERIFY_NOTE,	/* worth knowing, nothing is wrong */
};

/* The list as a table. */
struct buf;
struct screen;
void verify_render(struct buf *out, const struct screen *screen, const json_t *checks);

void verify_add(json_t *checks, enum verify_result result, const char *check, const char *fmt,
		...) __attribute__((format(printf, 4, 5)));
/* What a failed call says of the right it needed: no for an account error, else unknown. */
void verify_add_failure(json_t *checks, const char *check, const struct err *err);

/* The credential itself. True when it can log in, so that further questions make sense. */
bool verify_secure_endpoint(struct vendor_session *session, json_t *checks);
bool verify_umbrella(struct vendor_session *session, json_t *checks);
bool verify_threat_response(struct vendor_session *session, json_t *checks);
bool verify_defender(struct vendor_session *session, json_t *checks);
bool verify_servicenow(struct vendor_session *session, const char *table, json_t *checks);

/* What one customer wants of it. */
void verify_event_types(struct vendor_session *session, const struct customer *customer,
			json_t *checks);
struct template_use;
void verify_ticket_columns(struct vendor_session *session, const struct customer *customer,
			   const struct template_use *use, json_t *checks);

/* Whether hosts can be contained as the customer's file says; nothing is contained. */
void verify_containment(struct vendor_session *session, const struct customer *customer,
			json_t *checks);

#endif
