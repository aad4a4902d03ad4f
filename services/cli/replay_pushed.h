#ifndef CLI_REPLAY_PUSHED_H
#define CLI_REPLAY_PUSHED_H

#include <stdbool.h>

#include "base/err.h"

struct sweep_job;
struct sweep_target;

/* What belongs to an incident stays there, so that there is never a second ticket; what is on
 * its way, or dead, has its own commands. */
bool replay_may_change(const char *fate);

/* What was pushed no vendor can be asked for: its findings are among those kept of late, and
 * are judged anew. Said only, or done: then they go to the incident service again. */
bool replay_pushed_dry(struct sweep_job *job, const struct sweep_target *target,
		       struct err *err);
bool replay_pushed_wet(struct sweep_job *job, const struct sweep_target *target,
		       struct err *err);

#endif
