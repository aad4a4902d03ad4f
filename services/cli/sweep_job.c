/* One run of collect, replay or audit. */
#include "sweep_job.h"

#include <stdlib.h>

#include "forecast.h"

const struct column sweep_columns[] = {
	{ "TIME", "time_ms", CELL_TIME },
	{ "EVENT", "event_id", .flexible = true },
	{ "SEVERITY", "severity" },
	{ "HOST", "host", .flexible = true },
	{ "WHAT", "title", .flexible = true },
	{ "OUTCOME", "outcome", CELL_STATE },
	{ "INCIDENT", "incident" },
	{ "TICKET", "number" },
	{ "RULES", "rules" },
	{ "WHY", "why", .flexible = true },
	{ 0 },
};

static void read_one(struct sweep_job *job, const struct sweep_plan *plan,
		     const struct sweep_target *target)
{
	struct err err = { 0 };

	sweep_report_source(&job->report, target);
	bool ok = target->settings ? (!plan->begin || plan->begin(job, target, &err)) &&
					 sweep_read(&job->sweep, target, plan->origin,
						    plan->visit, job, &err)
				   : plan->read_pushed(job, target, &err);

	if (!ok)
		sweep_report_error(&job->report, &err);
}

static int read_all(struct sweep_job *job, const struct sweep_plan *plan)
{
	struct cli *cli = job->sweep.cli;
	struct err err = { 0 };
	size_t count;
	struct sweep_target *targets =
	    sweep_targets(&job->sweep, plan->read_pushed, &count, &err);

	if (!targets)
		return cli_fail(cli, EXIT_NOT_FOUND, &err);
	for (size_t i = 0; i < count; i++)
		read_one(job, plan, &targets[i]);
	free(targets);

	bool bad = job->report.failed ||
		   (plan->bad && sweep_report_total(&job->report, plan->bad) > 0);

	json_object_set_new(job->report.document, "ok", json_boolean(!bad));
	return cli_print(cli, json_incref(job->report.document), plan->render,
			 bad ? EXIT_UNHEALTHY : EXIT_OK);
}

static bool prepare(struct sweep_job *job, struct cli *cli, const struct sweep_plan *plan,
		    int *ret_code, struct err *err)
{
	if (!sweep_init(&job->sweep, cli, ret_code, err))
		return false;
	*ret_code = EXIT_USAGE;
	if (!sweep_report_init(&job->report, &job->sweep, err) ||
	    (plan->writes && !sweep_may_write(&job->sweep, err)))
		return false;
	job->forecast = forecast_new(cli, job->sweep.redis, job->sweep.directory,
				     args_value(&cli->args, "rules"), err);
	return job->forecast != NULL;
}

int sweep_job_run(struct sweep_job *job, struct cli *cli, const struct sweep_plan *plan)
{
	struct err err = { 0 };
	int code;

	if (prepare(job, cli, plan, &code, &err))
		code = read_all(job, plan);
	else
		code = cli_fail(cli, (enum exit_code)code, &err);
	forecast_free(job->forecast);
	json_decref(job->report.document);
	sweep_done(&job->sweep);
	return code;
}
