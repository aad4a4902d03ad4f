#ifndef INCIDENT_MACHINE_H
#define INCIDENT_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/containment.h"

struct arena;
struct vendor_session;

/* A host at the vendor that watches over it: Secure Endpoint's computer or Defender's machine,
 * seen the same way. Strings live in the arena. */

enum machine_isolation {
	MACHINE_FREE,
	MACHINE_STARTING,
	MACHINE_ISOLATED,
	MACHINE_STOPPING,
	MACHINE_UNKNOWN, /* a word we do not know: act on nothing */
};

enum { MACHINE_IPS_MAX = 9 };

struct machine {
	bool found;
	const char *name;
	const char *system;
	const char *group; /* Secure Endpoint; "" else */
	const char *ips[MACHINE_IPS_MAX];
	size_t ip_count;
	bool able; /* isolation is offered for it */
	enum machine_isolation isolation;
	bool ours; /* the isolation carries our mark */
	struct containment_marked mark;
	const char *by;	    /* whose isolation it is, for people; "" when nothing says */
	const char *action; /* Defender: id of the newest action; "" else */
	bool failed;	    /* Defender: the newest action has ended without success */
};

struct machine_place {
	const char *source; /* "secure_endpoint" or "defender" */
	const char *id;
	const char *installation; /* whose marks are ours */
};

/* Whether hosts of this source can be isolated or moved at all. */
bool machine_source_isolates(const char *source);
bool machine_source_moves(const char *source);

/* With its isolation. A host that the vendor does not know is true with found false. */
bool machine_read(struct vendor_session *session, const struct machine_place *place,
		  struct arena *arena, struct machine *ret_machine, struct err *err);

/* What the vendor made of a request that changes something. */
struct machine_answer {
	bool refused;	    /* it is in another state, or busy: nothing was done, look again */
	const char *action; /* Defender: id of the action that began; "" else */
};

bool machine_isolate(struct vendor_session *session, const struct machine_place *place,
		     bool selective, const char *comment, struct arena *arena,
		     struct machine_answer *ret_answer, struct err *err);
bool machine_release(struct vendor_session *session, const struct machine_place *place,
		     const char *comment, struct arena *arena,
		     struct machine_answer *ret_answer, struct err *err);

#endif
