#ifndef CLI_SWEEP_JOB_H
#define CLI_SWEEP_JOB_H

#include "cli.h"
#include "sweep.h"
#include "sweep_report.h"

struct forecast;

/* One run of collect, replay or audit: every source that the options name is read, and told of.
 */
struct sweep_job {
	struct sweep sweep;
	struct sweep_report report;
	struct forecast *forecast;
};

/* What they differ in. visit's opaque is the job. */
struct sweep_plan {
	enum origin origin;
	bool writes; /* so that what is older than fates are kept must stay out */
	sweep_page *visit;
	/* Before each source; NULL: nothing to do. False with err: that source is passed over.
	 */
	bool (*begin)(struct sweep_job *job, const struct sweep_target *target,
		      struct err *err);
	/* Instead of reading the vendor, for what is pushed to us; NULL: such sources are
	 * passed over. */
	bool (*read_pushed)(struct sweep_job *job, const struct sweep_target *target,
			    struct err *err);
	cli_render *render;
	const char *bad; /* a word in the tally that means exit status 4; NULL: none */
};

/* job is zeroed. Returns the exit code. */
int sweep_job_run(struct sweep_job *job, struct cli *cli, const struct sweep_plan *plan);

/* The columns of what forecast_event() says. */
extern const struct column sweep_columns[];

#endif
