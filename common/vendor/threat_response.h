#ifndef VENDOR_THREAT_RESPONSE_H
#define VENDOR_THREAT_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/finding.h"

struct arena;
struct vendor_session;

/*
 * Cisco Threat Response / XDR: IROH (token, inspect) at account.url, private intelligence
 * (CTIA) at account.intel_url. Facts: CiscoSecurity/tr-05-api-module (hosts),
 * CiscoSecurity/sx-00-integration-workflows (token of 600 s, inspect), threatgrid/ctia
 * (src/ctia/http/routes/crud.clj, src/ctia/bundle, doc of bulk and bundle), threatgrid/ctim
 * (entities). 8,000 calls an hour per organisation, X-Ratelimit-Org-Limit in the answers.
 *
 * Entities go in as ready JSON text (CTIM). Strings that are returned live in the arena.
 */

/* POST /iroh-inspect/inspect: the observables that Threat Response finds in a text, distinct,
 * at most max of them, in its order. */
bool threat_response_inspect(struct vendor_session *session, const char *text, size_t size,
			     size_t max, struct arena *arena,
			     struct observable **ret_observables, size_t *ret_count,
			     struct err *err);

struct threat_response_result {
	const char *type;	 /* "incident", "sighting", "relationship" */
	const char *id;		 /* the stored one, an URL */
	const char *original_id; /* the request's "transient:...", "" when absent */
	bool existed; /* was there already under one of its external ids, and is unchanged */
};

/*
 * POST /bundle/import?external-key-prefixes=. The vendor answers 200 although entities failed:
 * every result is read, one of "error" fails the whole with its text. True only when there is
 * a result with an id for each of the bundle's entities. Repeating an import whose entities all
 * carry external ids is harmless, except at the same moment: serialise per external id.
 */
bool threat_response_import(struct vendor_session *session, const char *bundle, size_t size,
			    const char *prefixes, struct arena *arena,
			    struct threat_response_result **ret_results, size_t *ret_count,
			    struct err *err);

struct threat_response_reference {
	const char *source_name; /* required */
	const char *external_id; /* the rest: "" when absent */
	const char *url;
	const char *description;
};

struct threat_response_incident {
	const char *id; /* URL */
	const char *title;
	const char *status;
	const char *severity;
	uint64_t closed_ms; /* 0: not, or not readable */
	const char *const *external_ids;
	size_t external_id_count;
	const struct threat_response_reference *references;
	size_t reference_count;
};

/* id: the URL or its last segment. Not found (404) is true with ret_found false. */
bool threat_response_incident(struct vendor_session *session, const char *id,
			      struct arena *arena, bool *ret_found,
			      struct threat_response_incident *ret_incident, struct err *err);

/* Reads the incident's external_references, appends this one unless one of the same source_name
 * and url or external_id is there, writes them all back. Two writers at once may lose one: the
 * caller holds the incident. */
bool threat_response_add_reference(struct vendor_session *session, const char *id,
				   const struct threat_response_reference *reference,
				   struct arena *arena, struct err *err);

struct threat_response_closing {
	const char *status;			    /* "Closed", "Closed: False Positive" ... */
	uint64_t closed_ms;			    /* the vendor puts its own time over it */
	struct threat_response_reference reference; /* source_name NULL: none */
};

/* Reads the incident, then PATCHes status, time and reference in one call: what it refers to
 * already is kept, and so is a status of "Closed..." that somebody else has set. Not found
 * (404) is true with ret_found false. Made again it changes nothing. */
bool threat_response_close(struct vendor_session *session, const char *id,
			   const struct threat_response_closing *closing, struct arena *arena,
			   bool *ret_found, struct threat_response_incident *ret_incident,
			   struct err *err);

/* POST /incident/{id}/status {"status"}: "Open", "Closed: False Positive", ... The vendor
 * stamps the times. */
bool threat_response_set_status(struct vendor_session *session, const char *id,
				const char *status, struct arena *arena, struct err *err);

/* GET /incident/external_id/{external_id}. Only records that really carry it are returned, and
 * their number; 0 is true with ret_count 0. */
bool threat_response_find(struct vendor_session *session, const char *external_id,
			  struct arena *arena, struct threat_response_incident **ret_incidents,
			  size_t *ret_count, struct err *err);

/* GET {intel_url}/version: answers even without rights, so it proves token and host only. */
bool threat_response_version(struct vendor_session *session, struct arena *arena,
			     const char **ret_version, struct err *err);

/* Asks for a token of its own and returns its scopes ("inspect:read private-intel"), for
 * verify. */
bool threat_response_scopes(struct vendor_session *session, struct arena *arena,
			    const char **ret_scopes, struct err *err);

/* The last path segment of a CTIA id, "incident-<uuid>"; NULL when it is none. Borrows. */
const char *threat_response_short_id(const char *id);

#endif
