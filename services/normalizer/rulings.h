#ifndef NORMALIZER_RULINGS_H
#define NORMALIZER_RULINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "service/judge.h"

struct arena;
struct finding;
struct jq;
struct metric;
struct programs;
struct redis;

/*
 * The operators' rules as setup has published them, and what they say to a batch of findings.
 * One for one thread. Reloaded when setup has published others; ones that cannot be used leave
 * those before them in force.
 */
struct rulings;

/* Borrows both. */
struct rulings *rulings_new(struct programs *programs, struct jq *jq);
void rulings_free(struct rulings *rulings); /* NULL is fine */

/* One judgement for each finding, in the arena; matches are counted in Redis, in the partition.
 * False with err: nothing can be said now, they have to wait. */
bool rulings_run(struct rulings *rulings, struct redis *redis, unsigned partition,
		 const struct finding *const *findings, size_t count, struct arena *arena,
		 struct judgement *ret_judgements, struct err *err);

extern struct metric rulings_matches, rulings_errors, rulings_left_out, rulings_wrong;

#endif
