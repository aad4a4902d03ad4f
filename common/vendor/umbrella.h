#ifndef VENDOR_UMBRELLA_H
#define VENDOR_UMBRELLA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct vendor_session;

/*
 * Cisco Umbrella Reporting v2. Facts: developer.cisco.com (Umbrella API, reporting overview,
 * legacy reporting v2, rate limits: 5 requests a second), CiscoDevNet/go-ciscosecureaccess
 * specs/cisco_secure_access_reports.yaml (activity), CiscoSecurity/sxo-05-security-workflows
 * (legacy requests), demisto/content Packs/CiscoUmbrellaReporting (error bodies, redirects).
 *
 * A token lasts an hour; a provider's key gets one for the organization that the account names.
 * Reports live in one continent's warehouse: from elsewhere the answer is a redirect, followed
 * with the token only within *.umbrella.com or the host that was asked.
 *
 * Records have no id. Strings that are returned live in the arena.
 */

enum umbrella_list {
	UMBRELLA_ACTIVITY,	/* dns, proxy, firewall, intrusion ... */
	UMBRELLA_RETROSPECTIVE, /* files whose disposition changed after they had passed */
};

struct umbrella_query {
	enum umbrella_list list;
	uint64_t from_ms, to_ms; /* both inclusive */
	const char *verdict;	 /* "blocked"; NULL: all */
	const uint64_t *categories;
	size_t category_count; /* 0: all */
	unsigned limit, offset;
};

struct umbrella_record {
	const char *json; /* the vendor's text, byte for byte; not NUL-terminated */
	size_t size;
	uint64_t timestamp_ms; /* 0 when absent */
};

struct umbrella_page {
	struct umbrella_record *records; /* sorted by time, without order inside a second */
	size_t count;
	uint64_t date_ms; /* the vendor's clock (Date header), 0 when absent */
};

/* GET .../activity. No filter but the times goes with UMBRELLA_RETROSPECTIVE. */
bool umbrella_activity(struct vendor_session *session, const struct umbrella_query *query,
		       struct arena *arena, struct umbrella_page *ret_page, struct err *err);

/* Timestamps below this are seconds: retrospective records have them. */
#define UMBRELLA_SECONDS_BELOW UINT64_C(100000000000)

#endif
