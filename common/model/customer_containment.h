#ifndef MODEL_CUSTOMER_CONTAINMENT_H
#define MODEL_CUSTOMER_CONTAINMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct form;

/* The section "containment" of a customer's file: whether and how hosts are contained. All zero
 * is off. Strings are owned by it. */

enum containment_mode {
	CONTAINMENT_OFF,
	CONTAINMENT_APPROVE, /* a person decides each time */
	CONTAINMENT_AUTO,
};
extern const char *const containment_mode_names[]; /* "off" ..., ended by NULL */

/* How a host is known to be a workstation. A server by its operating system never is. */
enum containment_test {
	CONTAINMENT_TEST_SYSTEM,    /* by its operating system, as the vendor has it */
	CONTAINMENT_TEST_ANCESTORS, /* by its host name, which has WIN in it */
};

struct customer_containment {
	enum containment_mode mode;
	bool isolate;	      /* default true; at least one method when the mode is not off */
	char *triage_group;   /* GUID of a group of Secure Endpoint; NULL: no move */
	bool selective;	      /* Defender: isolation that leaves Outlook, Teams and Skype */
	int minimum_severity; /* OCSF severity_id; default high */
	uint64_t maximum_age_ms; /* of the finding; default 30 min */
	enum containment_test test;
	/* Hosts that are never contained, by nobody's approval either: host names and ids,
	 * where
	 * * and ? stand for others and case does not matter, IP addresses and networks. */
	char **never;
	size_t never_count;
	unsigned per_hour;	   /* contained by itself within an hour; default 10 */
	uint64_t maximum_time_ms;  /* how long a host stays contained unasked; default 24 h */
	bool release_by_itself;	   /* when that has passed; default: people are asked */
	uint64_t approval_time_ms; /* how long an approval can be given; default 24 h */
};

/* What holds without the section, and what it need not say. */
void customer_containment_init(struct customer_containment *ret_containment);
/* Reads the member "containment" of the file when it is there. */
bool customer_containment_read(struct customer_containment *containment,
			       const struct form *file, struct err *err);
/* A new object; empty when everything is as without the section. */
json_t *customer_containment_write(const struct customer_containment *containment);
void customer_containment_clear(struct customer_containment *containment);

/* Whether an entry of the never-list means this host. Absent facts are NULL. */
struct containment_host {
	const char *name;
	const char *id; /* the vendor's */
	const char *const *ips;
	size_t ip_count;
};
/* The entry that names the host; NULL when none does. */
const char *customer_containment_never(const struct customer_containment *containment,
				       const struct containment_host *host);

#endif
