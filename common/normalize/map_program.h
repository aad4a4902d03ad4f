#ifndef NORMALIZE_MAP_PROGRAM_H
#define NORMALIZE_MAP_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct buf;
struct json_node;
struct ocsf_finding;
struct raw;

/*
 * What a source's jq program made of raw's payload: the simple object of
 * docs/adding-a-source.md. record is the payload, kept as unmapped unless the object says what
 * is. False with err (permanent) when a required member is missing or a member is unknown.
 * Pure.
 */
bool map_program(const struct raw *raw, struct json_node *object, struct json_node *record,
		 struct arena *arena, struct ocsf_finding *ret_finding, struct err *err);

/* ---- between the parts ---- */

/* A text, or a whole number as text; NULL when it is neither. */
const char *program_word(struct json_node *object, const char *name);
/* RFC 3339, or a number: of milliseconds from 1e11 on, else of seconds. 0 when it is neither.
 */
uint64_t program_time(struct json_node *object, const char *name);
/* False with err when object, called name, has a member that is not in known (ended by NULL).
 */
bool program_known(const struct json_node *object, const char *name, const char *const *known,
		   struct err *err);

/* map_program_things.c: where, who and what. */
bool program_read_things(struct json_node *object, struct arena *arena,
			 struct ocsf_finding *finding, struct err *err);

/*
 * full_finding.c: an object that is an OCSF finding already (it has class_uid), appended to
 * out. What it lacks of what the class requires is added, what is Tocsin's to say is set. Of
 * ret_finding only what the envelope and grouping need is filled.
 */
bool full_finding_write(const struct raw *raw, const struct json_node *object, struct buf *out,
			struct ocsf_finding *ret_finding, struct err *err);

#endif
