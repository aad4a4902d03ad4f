#ifndef NORMALIZE_OCSF_FINDING_H
#define NORMALIZE_OCSF_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct arena;
struct json_node;

/*
 * What a source's mapper found out about one event, and the writing of it as an OCSF 1.8.0
 * Detection Finding (class 2004). A mapper decides what is true; that required siblings,
 * captions, profiles and observables' paths are right is decided here, once for all sources.
 * Strings are borrowed; NULL, 0 and empty lists mean absent, and absent is not written.
 */
struct ocsf_product {
	const char *vendor_name; /* "Cisco" */
	const char *name;	 /* "Secure Endpoint" */
	const char *full_name;	 /* "Cisco Secure Endpoint" */
	const char *uid;	 /* "cisco_secure_endpoint" */
	const char *log_name, *log_provider;
	bool agent; /* device_uid is that of the product's agent on it */
};

struct ocsf_file {
	const char *name; /* without one: end of the path, or the first hash */
	const char *path;
	const char *sha256, *sha1, *md5; /* lower-case hex of the right length */
};

struct ocsf_process {
	bool known; /* a pid is: without one OCSF has no process */
	int64_t pid;
	struct ocsf_file file;
	const char *cmd_line;
	uint64_t created_ms;
	const struct ocsf_process *parent; /* NULL: not known */
};

enum { OCSF_USER_UNKNOWN = 0, OCSF_USER_SYSTEM = 3 };

struct ocsf_user {
	const char *name, *domain;
	int type_id;
	const char *uid, *uid_alt, *full_name, *email_addr;
};

/* One of several things found, for sources that list them. What is not there is not written;
 * without any of these it is none. */
struct ocsf_evidence {
	const char *name; /* what kind of thing, in the source's word */
	struct ocsf_file file;
	struct ocsf_process process;
	struct ocsf_user user;
	const char *ip, *url, *hostname;
	const char *reg_path;
	struct {
		const char *name, *data;
		int type_id;
		const char *type; /* with 99 */
	} reg_value;		  /* needs reg_path */
	const char *data_name;	  /* the node is a member of this name; NULL: all of data */
	const struct json_node *data;
};

enum ocsf_scope { OCSF_SCOPE_UNKNOWN = 0, OCSF_INTERNAL = 1, OCSF_EXTERNAL = 2 };

struct ocsf_endpoint {
	const char *ip, *hostname;
	enum ocsf_scope scope_id;
	unsigned port;
};

struct ocsf_interface {
	const char *ip, *mac;
	bool external; /* the address others see: NAT */
};

/* A request that named its server. */
struct ocsf_web {
	const char *query_hostname, *query_type; /* of DNS */
	const char *http_method;		 /* upper case, one of RFC 9110's */
	const char *user_agent, *referrer;
	int status; /* of the answer; 0: none */
	const char *content_type;
	int64_t length; /* of the answer's body */
};

/* Something that has to do with it: a network, a site. */
struct ocsf_resource {
	const char *uid, *name, *type;
};

/* Either half may be absent. The technique's uid may be a sub-technique's ("T1059.001"). */
struct ocsf_attack {
	const char *tactic_uid, *tactic_name;
	const char *technique_uid, *technique_name;
};

enum ocsf_analytic_type {
	OCSF_ANALYTIC_UNKNOWN = 0,
	OCSF_ANALYTIC_RULE = 1,
	OCSF_ANALYTIC_BEHAVIORAL = 2,
	OCSF_ANALYTIC_FINGERPRINTING = 5
};
enum ocsf_direction { OCSF_DIRECTION_UNKNOWN = 0, OCSF_INBOUND = 1, OCSF_OUTBOUND = 2 };
enum ocsf_verdict {
	OCSF_VERDICT_UNKNOWN = 0,
	OCSF_VERDICT_FALSE_POSITIVE = 1,
	OCSF_VERDICT_TRUE_POSITIVE = 2,
	OCSF_VERDICT_BENIGN = 5,
	OCSF_VERDICT_TEST = 6,
	OCSF_VERDICT_INSUFFICIENT_DATA = 7,
	OCSF_VERDICT_SECURITY_RISK = 8,
	OCSF_VERDICT_OTHER = 99
};
enum ocsf_activity { OCSF_CREATE = 1, OCSF_UPDATE = 2, OCSF_CLOSE = 3 };
enum ocsf_status {
	OCSF_STATUS_UNKNOWN = 0,
	OCSF_NEW = 1,
	OCSF_IN_PROGRESS = 2,
	OCSF_SUPPRESSED = 3,
	OCSF_RESOLVED = 4
};
enum ocsf_confidence { OCSF_CONFIDENCE_LOW = 1, OCSF_CONFIDENCE_HIGH = 3 };
enum ocsf_action { OCSF_ALLOWED = 1, OCSF_DENIED = 2, OCSF_OBSERVED = 3, OCSF_MODIFIED = 4 };
enum ocsf_disposition {
	OCSF_LET_THROUGH = 1,
	OCSF_BLOCKED = 2,
	OCSF_QUARANTINED = 3,
	OCSF_ISOLATED = 4,
	OCSF_DELETED = 5,
	OCSF_RESTORED = 9,
	OCSF_CORRECTED = 11,
	OCSF_UNCORRECTED = 13,
	OCSF_DETECTED = 15,
	OCSF_NO_ACTION = 16,
	OCSF_CHALLENGED = 23,
	OCSF_DISPOSITION_OTHER = 99,
};

enum {
	OCSF_INTERFACES_MAX = 16,
	OCSF_GROUPS_MAX = 32,
	OCSF_ATTACKS_MAX = 32,
	OCSF_CVES_MAX = 32,
	OCSF_DATA_MAX = 4,
	OCSF_EVIDENCES_MAX = 64,
	OCSF_CATEGORIES_MAX = 16,
	OCSF_RESOURCES_MAX = 8,
};

struct ocsf_finding {
	const struct ocsf_product *product;
	enum ocsf_activity activity_id;
	enum ocsf_status status_id;
	int severity_id;	   /* enum finding_severity */
	const char *severity_text; /* with 99: the source's own word */
	enum ocsf_confidence confidence_id;
	enum ocsf_disposition disposition_id;
	const char *disposition_text; /* with 99: the source's own word */
	enum ocsf_action action_id;
	bool is_alert;
	uint64_t time_ms, start_ms, end_ms, first_seen_ms;
	uint64_t created_ms; /* of the finding at the source; 0: time_ms */
	uint64_t modified_ms;

	const char *event_uid;	  /* the source's id of the event */
	const char *metadata_uid; /* when event_uid names more than one event */
	const char *event_code;
	const char *tenant_uid; /* of the customer, at the source */

	/* What belongs together when none of the operator's paths says so. NULL: nothing. */
	const char *group_name, *group_value;
	const char
	    *subject; /* the vendor's record that this event is a state of; NULL: its own */
	const char *correlation_uid;
	const char *original_time;
	const char *log_name; /* NULL: the product's */

	/* Where it happened when neither device_uid nor hostname says it; for grouping only. */
	const char *place;

	const char *uid; /* of the finding at the source, required */
	const char *title, *description, *type, *message;
	const char *more_types[OCSF_CATEGORIES_MAX];
	size_t more_type_count;
	const char *src_url;
	const char *analytic_name, *analytic_uid;
	enum ocsf_analytic_type analytic_type_id;
	const char *analytic_category;
	const char *malware_name;
	const char *malware_kind; /* the source's word: "Ransomware" */
	const char *remediation;
	const char *feature; /* part of the product that found it */
	const char *comment;

	/* The source's own handling of it. */
	bool is_judged;
	enum ocsf_verdict judged_id;
	const char *assignee;
	const char *incident_uid; /* at the source, which groups findings by it */
	struct ocsf_attack attacks[OCSF_ATTACKS_MAX];
	size_t attack_count;
	const char *cves[OCSF_CVES_MAX]; /* upper case */
	size_t cve_count;

	const char *device_uid, *hostname;
	const char *device_name;   /* NULL: made of the hostname */
	const char *device_domain; /* with it, the hostname begins with the name */
	const char *device_group;  /* one that has a name only */
	struct ocsf_user device_owner;
	struct ocsf_interface interfaces[OCSF_INTERFACES_MAX];
	size_t interface_count;
	const char *groups[OCSF_GROUPS_MAX];
	size_t group_count;

	/* Who did it, and what was found. */
	struct ocsf_process process;
	struct ocsf_user user;
	struct ocsf_file file;
	struct ocsf_endpoint source, destination;
	bool has_connection;
	enum ocsf_direction direction_id;
	const char *protocol_name; /* lower case */
	int protocol_num;
	const char *url;
	const char *url_categories[OCSF_CATEGORIES_MAX];
	int url_category_ids[OCSF_CATEGORIES_MAX];
	size_t url_category_count;
	struct ocsf_web web;
	const char *policy_uid, *rule_uid, *rule_name;
	struct ocsf_resource related[OCSF_RESOURCES_MAX];
	size_t related_count;
	bool has_verdict;
	enum ocsf_verdict verdict_id;
	const char *verdict_text; /* with 99 */
	struct {
		const char *name; /* a literal */
		const struct json_node *node;
	} data[OCSF_DATA_MAX]; /* of the evidence, as it came */
	size_t data_count;
	/* Instead of the things found above: a list. */
	const struct ocsf_evidence *evidences;
	size_t evidence_count;

	const struct json_node *record; /* what of it is not `used` goes to unmapped */
};

/* Appends one JSON object to out. When out overflows, that which is not mapped is left out and
 * said so. False: even the rest does not fit, which texts cut at 4 KiB and bounded lists make
 * impossible for a buffer of FINDING_PAYLOAD_MAX. */
bool ocsf_finding_write(const struct ocsf_finding *finding, struct arena *arena,
			struct buf *out);

/* The name that the finding will carry for a file; NULL when there is nothing to call it by. */
const char *ocsf_file_name(const struct ocsf_file *file);

#endif
