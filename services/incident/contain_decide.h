#ifndef INCIDENT_CONTAIN_DECIDE_H
#define INCIDENT_CONTAIN_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/containment.h"
#include "model/customer_containment.h"

struct arena;

/* Whether a host is contained: pure, over what is known of customer, finding and host. Freeze
 * and ceiling are not here: they are decided where they are counted, host_hold(). */

enum contain_verdict {
	CONTAIN_ACT,
	CONTAIN_ASK,	 /* a person decides */
	CONTAIN_NO,	 /* and nobody is asked */
	CONTAIN_JOIN,	 /* it is contained by us already: only held */
	CONTAIN_FOREIGN, /* it is contained by somebody else: theirs to release */
	CONTAIN_WAIT,	 /* it is on its way from one state to another */
};

/* What the vendor says about it, by one method. */
enum contain_present {
	PRESENT_FREE,
	PRESENT_OURS,
	PRESENT_THEIRS,
	PRESENT_CHANGING,
	PRESENT_UNKNOWN, /* a word we do not know */
};

struct contain_host {
	struct containment_host names;
	bool found;
	const char *system; /* operating system, as the vendor has it */
	bool able;	    /* the vendor offers this method for it */
	enum contain_present present;
};

struct contain_facts {
	const struct customer_containment *policy;
	enum containment_method method;
	int severity_id; /* of the finding, like the next two */
	uint64_t event_ms;
	bool live; /* came as things happened: origin_is_live() */
	uint64_t now_ms;
	bool approved;			 /* by a person */
	bool held;			 /* another incident holds the host */
	const struct contain_host *host; /* NULL: not read yet */
};

struct contain_decision {
	enum contain_verdict verdict;
	const char *why; /* one line for people; NULL when there is nothing to say */
};

/* Without the host: ACT means that it is to be read. */
struct contain_decision contain_decide(const struct contain_facts *facts, struct arena *arena);

#endif
