#ifndef INCIDENT_CONTAIN_STEPS_H
#define INCIDENT_CONTAIN_STEPS_H

#include "machine.h"
#include "model/containment.h"
#include "saga.h"

struct err;
struct turn;
struct vendor_session;

/* Between the files of the steps that contain a host. */

struct machine_place contain_place(const struct turn *turn);
/* As the vendor has it, else as the finding; machine may be NULL. */
const char *contain_host_name(const struct turn *turn, const struct machine *machine);

/* Reads the host, decides, takes the hold, and writes the ledger for the intent. */
struct saga_end contain_prepare(struct turn *turn, enum containment_method method);

/* Redis did not answer: again soon. */
struct saga_end contain_redis_failed(struct turn *turn, enum saga_phase phase,
				     const struct err *err);
/* Nothing was done, and nothing will be: neither hold nor entry stays. */
struct saga_end contain_give_up(struct turn *turn, enum containment_method method,
				enum saga_phase phase, enum saga_result result,
				const char *why);
/* The vendor refuses: given up when that is for good, else tried again. */
struct saga_end contain_failed(struct turn *turn, enum containment_method method,
			       enum saga_phase phase, const struct vendor_session *session,
			       const struct err *err);
/* It is there, but by somebody else. */
struct saga_end contain_foreign(struct turn *turn, enum containment_method method,
				enum saga_phase phase, const struct machine *machine);

#endif
