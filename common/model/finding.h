#ifndef MODEL_FINDING_H
#define MODEL_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "model/origin.h"

struct arena;

/* OCSF severity_id */
enum finding_severity {
	SEVERITY_UNKNOWN = 0,
	SEVERITY_INFORMATIONAL = 1,
	SEVERITY_LOW = 2,
	SEVERITY_MEDIUM = 3,
	SEVERITY_HIGH = 4,
	SEVERITY_CRITICAL = 5,
	SEVERITY_FATAL = 6,
	SEVERITY_OTHER = 99,
};

/* One entry of the stream `findings`: the envelope is what queues and grouping need, the
 * payload the OCSF 1.8.0 Detection Finding. Strings are borrowed. */
struct finding {
	const char *customer;
	const char *source;
	const char *event_id;
	const char *uid;   /* source + ":" + vendor event id */
	const char *group; /* 16 hex: customer + source + host + first of the grouping paths */
	const char
	    *subject; /* vendor's id of the record that this is a state of; "": its own */
	int severity_id;
	uint64_t time_ms; /* the vendor's */
	uint64_t observed_ms;
	const char *trace;
	enum origin origin; /* the raw event's */
	/* What rules decided (model/policy.h), encoded; NULL or "": nothing. A severity that a
	 * rule set is in severity_id already, its group in group. */
	const char *policy;
	const char *payload;
	size_t payload_size;
};

/* OCSF 1.8.0 class "Detection Finding" */
enum { FINDING_CLASS_UID = 2004 };

/* OCSF status_id: what the source says is over */
enum { FINDING_STATUS_RESOLVED = 4 };

enum { FINDING_FIELDS = 14, FINDING_PAYLOAD_MAX = 1 << 20 };

size_t finding_encode(const struct finding *finding, struct arena *arena,
		      struct field *ret_fields);
bool finding_decode(struct finding *ret_finding, const struct field *fields, size_t count,
		    struct err *err);

/* A thing a person or Threat Response can search for; type is CTIM's ("sha256", "ip", ...). */
struct observable {
	const char *type;
	const char *value;
};

enum { FINDING_OBSERVABLES_MAX = 64 };

/* What tickets, notes and CTIM entities need of the payload. All strings live in the arena;
 * absent ones are NULL. Facts of the mapping: OCSF 1.8.0 class 2004, CTIM 1.3. */
struct finding_view {
	const char *title; /* finding_info.title */
	const char *description;
	const char *event_type; /* finding_info.types[0] */
	const char *product;	/* "Cisco Secure Endpoint" */
	const char *event_uid;	/* metadata.original_event_uid */
	const char *correlation_uid;
	const char *console_url; /* finding_info.src_url */
	const char *feature;	 /* metadata.product.feature.name: the part that found it */
	const char *status;	 /* as the source has it, "In Progress" */
	const char *verdict;	 /* of people at the source */
	const char *comment;	 /* the newest of theirs */
	int status_id;
	int activity_id; /* 1: told for the first time, as far as the source knows */
	int severity_id;
	int confidence_id;
	int disposition_id;		    /* 0 when absent */
	uint64_t time_ms, start_ms, end_ms; /* 0 when absent */
	const char *host;		    /* device.hostname, else name, ip, uid */
	const char *host_uid;		    /* device.uid */
	const char *os;
	const char *user;
	const char *file_name;
	struct observable observables[FINDING_OBSERVABLES_MAX]; /* the attacker's side */
	size_t observable_count;
	struct observable targets[FINDING_OBSERVABLES_MAX]; /* the victim's side */
	size_t target_count;
	const char *tactics[16]; /* "TA0002" */
	size_t tactic_count;
	const char *techniques[32]; /* "T1059", "T1059.001" */
	size_t technique_count;
};

bool finding_view(struct finding_view *ret_view, const char *payload, size_t size,
		  struct arena *arena, struct err *err);

const char *finding_severity_name(int severity_id); /* OCSF caption: "High" */
/* "informational" ... "critical", any case; -1 when it is none. */
int finding_severity_parse(const char *text);

/* Severity as something that can be compared: "other" and unknown are lowest. */
int finding_severity_rank(int severity_id);
/* Whether it is below a customer's minimum. An unknown severity is not. */
bool finding_is_minor(int severity_id, int minimum_severity);

/* 16 lower-case hex of SHA-256 over the parts, each ended by a NUL; parts ends with NULL.
 * ret_hex holds 17 bytes. Group and incident ids are made of this. */
void finding_digest(const char *const *parts, char *ret_hex);

#endif
