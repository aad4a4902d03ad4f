/*
 * tocsin-normalizer: vendors' raw events become OCSF findings. Nothing but Redis and CPU.
 *
 *   raw --> [normalizer] --> findings
 *               |-- not for people: its fate says why
 *               `-- cannot be read: dead, with the reason
 *
 * main.c              the process
 * handler.c           a batch of stream entries: what becomes of each
 * source_programs.c   sources that operators wrote in jq
 * rulings.c           the rules in force, and what they say
 *
 * What an event means is in common/normalize; how entries are read, settled and taken over is
 * in common/bus/worker.h.
 */
#include <malloc.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bus/bus.h"
#include "bus/worker.h"
#include "jq/jq.h"
#include "service/programs.h"
#include "service/service.h"
#include "service/service_bus.h"

#include "handler.h"
#include "normalize/normalize.h"

struct config {
	unsigned threads;
	unsigned batch;
	char *grouping;
	unsigned recent_count;
	uint64_t recent_ms;
};

#define FIELD(member) .offset = offsetof(struct config, member)

static const struct conf_option options[] = {
	{ "TOCSIN_NORMALIZER_THREADS", CONF_UINT, FIELD(threads), "4", .min = 1, .max = 64,
	  .help = "threads per partition, each with its own connection" },
	{ "TOCSIN_NORMALIZER_BATCH", CONF_UINT, FIELD(batch), "64", .min = 1, .max = 128,
	  .help = "events read and settled at once" },
	{ "TOCSIN_GROUPING", CONF_STRING, FIELD(grouping), NORMALIZE_GROUPING,
	  .help = "paths into vendors' records; the first that leads to a value decides which "
		  "findings of a host are one incident" },
	{ "TOCSIN_RECENT_FINDINGS", CONF_UINT, FIELD(recent_count), "10000", .max = 1000000,
	  .help = "findings of a partition that are kept to try rules on, suppressed ones "
		  "too; 0: none" },
	{ "TOCSIN_RECENT_AGE", CONF_MILLIS, FIELD(recent_ms), "24h", .min = 60000,
	  .help = "none of them is kept longer" },
	{ 0 },
};

static struct metric *const *const metrics[] = { handler_metrics, bus_metrics, NULL };

static const struct service_about about = {
	.name = "normalizer",
	.summary = "turns vendors' raw events into OCSF findings",
	.metrics = metrics,
};

struct process {
	struct config config;
	struct bus_settings bus_settings;
	struct jq_settings jq_settings;
	struct service *service;
	struct normalizer *normalizer;
	struct programs *programs;
	struct handler_shared shared;
	struct bus *bus;
};

static bool start(struct process *process, struct err *err)
{
	if (!bus_settings_check(&process->bus_settings, err))
		return false;
	process->normalizer = normalizer_new(process->config.grouping, err);
	if (!process->normalizer)
		return false;
	process->programs = programs_new();
	process->shared = (struct handler_shared){ .normalizer = process->normalizer,
						   .programs = process->programs,
						   .jq = &process->jq_settings };
	process->bus = bus_new(&process->bus_settings, about.name);
	for (unsigned i = 0; i < process->bus_settings.partitions; i++) {
		const struct worker_spec spec = {
			.stream = STREAM_RAW,
			.output = STREAM_FINDINGS,
			.partition = i,
			.threads = process->config.threads,
			.batch = process->config.batch,
			.handle = handler_handle,
			.state = &process->shared,
			.open = handler_open,
			.close = handler_close,
			.fate = handler_fate,
			.recent_count = process->config.recent_count,
			.recent_ms = process->config.recent_ms,
		};
		worker_add(process->bus, &spec);
	}
	service_keep_bus(process->service, process->bus);
	return bus_start(process->bus, err);
}

/* Until the process is to stop, and what is in hand is settled. */
static bool work(struct process *process)
{
	while (service_wait_ms(process->service, UINT32_MAX))
		continue;
	return bus_join(process->bus, clock_mono_ms() + process->bus_settings.stop_grace_ms);
}

static void take_down(struct process *process)
{
	bus_free(process->bus);
	programs_free(process->programs);
	normalizer_free(process->normalizer);
	conf_clear(options, &process->config);
	conf_clear(bus_options, &process->bus_settings);
	conf_clear(jq_options, &process->jq_settings);
}

/* A batch's replies and commands are a few hundred kilobytes each, batch after batch: without
 * this they are pages given back to the kernel and asked for again every time. */
static void keep_memory(void)
{
	enum { MEBIBYTE = 1024 * 1024 };

	(void)mallopt(M_MMAP_THRESHOLD, 4 * MEBIBYTE);
	(void)mallopt(M_TRIM_THRESHOLD, 16 * MEBIBYTE);
	(void)mallopt(M_TOP_PAD, MEBIBYTE);
}

int main(int argc, char **argv)
{
	struct process process = { 0 };
	const struct service_part parts[] = {
		{ "Redis and times", bus_options, &process.bus_settings },
		{ "Normalizer", options, &process.config },
		{ "Programs", jq_options, &process.jq_settings },
		{ 0 },
	};
	struct err err = { 0 };

	keep_memory();
	process.service = service_start(argc, argv, &about, parts);
	if (!process.service)
		return EXIT_FAILURE;
	bool started = start(&process, &err);
	bool clean = started && work(&process);
	int status = started ? service_finish(process.service, clean)
			     : service_fail(process.service, &err);
	take_down(&process);
	return status;
}
