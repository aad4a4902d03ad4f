#ifndef NORMALIZER_SOURCE_PROGRAMS_H
#define NORMALIZER_SOURCE_PROGRAMS_H

#include <stddef.h>

#include "base/err.h"
#include "normalize/normalize.h"

struct arena;
struct jq;
struct metric;
struct programs;
struct raw;
struct redis;

/* The sources that are jq programs, as one thread has them compiled: a customer's own
 * (`source:<customer>/<name>`) or everybody's (`source:<name>`). */
struct source_programs;

/* Both are borrowed; jq is the thread's. */
struct source_programs *source_programs_new(struct programs *programs, struct jq *jq);
void source_programs_free(struct source_programs *sources); /* NULL is fine */

struct source_result {
	struct normalize_result result; /* in the arena; text is NULL when there is none */
	struct err err; /* why: permanent for this event's own fault, else put it off */
};

/* raws[count] are events of sources that are not mapped in C; NULL ones are left out. */
void source_programs_run(struct source_programs *sources, struct redis *redis,
			 const struct raw *const *raws, size_t count, struct arena *arena,
			 struct source_result *ret_results);

extern struct metric source_programs_metric;

#endif
