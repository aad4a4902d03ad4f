#ifndef VENDOR_SECURE_ENDPOINT_H
#define VENDOR_SECURE_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct vendor_session;

/*
 * Cisco Secure Endpoint API v1. Facts: api-docs.amp.cisco.com (v1 reference: events, computers,
 * groups, isolation), CiscoSecurity/amp-00-integration-workflows (hosts, Basic authentication,
 * error envelope), CiscoSecurity/amp-03-isolation-status (states of isolation). 3,000 calls an
 * hour per API client; the answers' X-Ratelimit-Remaining and -Reset (documented as
 * X-Rate-Limit-...) feed the account's budget.
 *
 * Strings that are returned live in the arena.
 */

enum {
	SECURE_ENDPOINT_PAGE_MAX = 500,
	SECURE_ENDPOINT_ID_SIZE = 24,
	SECURE_ENDPOINT_IPS_MAX = 8
};

/* GET /v1/events. start_date is inclusive with a resolution of one second; rows come newest
 * first, unordered within a second, and move down while new ones arrive: read pages until next
 * is NULL and let the ids sort out repeats. */
struct secure_endpoint_query {
	uint64_t start_ms; /* wall clock, cut to the second */
	const uint64_t *event_types;
	size_t event_type_count; /* 0: all */
	unsigned limit;		 /* 1 to SECURE_ENDPOINT_PAGE_MAX, 0 for that */
};

struct secure_endpoint_event {
	const char *json; /* the vendor's text, byte for byte; not NUL-terminated */
	size_t size;
	char id[SECURE_ENDPOINT_ID_SIZE]; /* 64 bits as decimal text; "" when there is none */
	uint64_t timestamp_ms;		  /* timestamp and its nanoseconds; 0 when absent */
	uint64_t event_type;		  /* event_type_id; 0 when absent */
};

struct secure_endpoint_page {
	struct secure_endpoint_event *events;
	size_t count;
	const char *next; /* NULL after the last page */
	uint64_t total;	  /* rows of the whole query, as the vendor counts them */
	uint64_t date_ms; /* the vendor's clock (Date header), 0 when absent */
};

/* next is NULL for the first page, then what the last page said; a link to another host or
 * another path is refused. */
bool secure_endpoint_events(struct vendor_session *session,
			    const struct secure_endpoint_query *query, const char *next,
			    struct arena *arena, struct secure_endpoint_page *ret_page,
			    struct err *err);

/* GET /v1/event_types: id and name of each. */
struct secure_endpoint_event_type {
	uint64_t id;
	const char *name;
	const char *description; /* "" when absent */
};

bool secure_endpoint_event_types(struct vendor_session *session, struct arena *arena,
				 struct secure_endpoint_event_type **ret_types,
				 size_t *ret_count, struct err *err);

/* GET /v1/version: the cheap test of a credential. ret_version may be NULL. */
bool secure_endpoint_version(struct vendor_session *session, struct arena *arena,
			     const char **ret_version, struct err *err);

/* An absent member is "". */
struct secure_endpoint_computer {
	const char *guid;
	const char *hostname;
	const char *operating_system;
	const char *os_version;
	const char *group_guid;
	const char *policy;
	const char *external_ip;
	const char *ips[SECURE_ENDPOINT_IPS_MAX]; /* internal_ips */
	size_t ip_count;
	const char *last_seen;
	bool active;
	bool isolation_available;
	const char *isolation_status;
};

/* GET /v1/computers/{guid}. An unknown guid (404) is true with ret_found false. */
bool secure_endpoint_computer(struct vendor_session *session, const char *guid,
			      struct arena *arena, bool *ret_found,
			      struct secure_endpoint_computer *ret_computer, struct err *err);

/* GET /v1/computers, one page; both filters may be NULL. ret_next is the offset of the next
 * page, 0 after the last. */
struct secure_endpoint_computer_query {
	const char *hostname;
	const char *group_guid;
	unsigned limit; /* 0: SECURE_ENDPOINT_PAGE_MAX */
	unsigned offset;
};

struct secure_endpoint_computers {
	struct secure_endpoint_computer *computers;
	size_t count;
	unsigned next;
	uint64_t total;
};

bool secure_endpoint_computers(struct vendor_session *session,
			       const struct secure_endpoint_computer_query *query,
			       struct arena *arena,
			       struct secure_endpoint_computers *ret_computers,
			       struct err *err);

struct secure_endpoint_group {
	const char *guid;
	const char *name;
	const char *description;
};

/* GET /v1/groups; name NULL for all. The vendor matches prefixes: compare before use. */
bool secure_endpoint_groups(struct vendor_session *session, const char *name,
			    struct arena *arena, struct secure_endpoint_group **ret_groups,
			    size_t *ret_count, struct err *err);

/* not_isolated, pending_start, isolated, pending_stop (amp-03-isolation-status) */
enum secure_endpoint_isolation_state {
	SECURE_ENDPOINT_NOT_ISOLATED,
	SECURE_ENDPOINT_PENDING_START,
	SECURE_ENDPOINT_ISOLATED,
	SECURE_ENDPOINT_PENDING_STOP,
	SECURE_ENDPOINT_UNKNOWN_STATE, /* a word we do not know: act on nothing */
};

struct secure_endpoint_isolation {
	bool available;
	enum secure_endpoint_isolation_state state;
	const char *comment;	 /* "" when absent */
	const char *isolated_by; /* likewise */
	const char *unlock_code; /* a secret of sorts: never logged */
};

bool secure_endpoint_isolation(struct vendor_session *session, const char *guid,
			       struct arena *arena,
			       struct secure_endpoint_isolation *ret_isolation,
			       struct err *err);

/* OPTIONS .../isolation: whether its Allow header lists PUT. */
bool secure_endpoint_isolation_allowed(struct vendor_session *session, const char *guid,
				       bool *ret_allowed, struct err *err);

/* PUT and DELETE .../isolation. comment carries our mark; NULL for none. A 409 means that the
 * machine is in another state than asked from (already isolated, pending): false, permanent,
 * session->status 409; read the state before doing anything else. Otherwise a failure after
 * sending is ambiguous: likewise. */
bool secure_endpoint_isolate(struct vendor_session *session, const char *guid,
			     const char *comment, struct arena *arena,
			     struct secure_endpoint_isolation *ret_isolation, struct err *err);
bool secure_endpoint_release(struct vendor_session *session, const char *guid,
			     const char *comment, struct arena *arena,
			     struct secure_endpoint_isolation *ret_isolation, struct err *err);

/* PATCH /v1/computers/{guid} {"group_guid"}: true only when the answer shows the new group. */
bool secure_endpoint_move(struct vendor_session *session, const char *guid,
			  const char *group_guid, struct arena *arena, struct err *err);

#endif
