#ifndef CLI_KEEPER_H
#define CLI_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plan.h"

struct jq_settings;
struct redis;

/*
 * The keeper of the truth: makes Redis what the build and the files say. One pass does all of
 * it: functions, customers, programs, then streams, groups and generations, so that a service
 * that finds a generation finds its customers too.
 */
struct keeper_settings {
	const char *config_dir;
	unsigned partitions;
	const struct jq_settings *jq; /* for the child that compiles programs */
};

struct keeper_pass {
	bool functions_loaded;
	unsigned new_generations; /* partitions whose data set is new or was lost */
	size_t set, removed;
	uint64_t version; /* of tocsin:customers */
	size_t programs, programs_set, programs_removed;
	uint64_t programs_version; /* of tocsin:programs */
	struct plan plan;	   /* counts and problems */
};

/* False when the pass could not be finished: err is transient for Redis, permanent when the
 * folder cannot be read. */
bool keeper_apply(struct redis *redis, const struct keeper_settings *settings,
		  struct keeper_pass *ret_pass, struct err *err);
void keeper_pass_done(struct keeper_pass *pass);

/* True while Redis still has what the pass made. */
bool keeper_check(struct redis *redis, const struct keeper_pass *pass, unsigned partitions,
		  struct err *err);

/* Changes whenever a file was added, removed, replaced or written to. */
uint64_t keeper_stamp(const char *config_dir);

#endif
