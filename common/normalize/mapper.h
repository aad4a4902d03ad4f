#ifndef NORMALIZE_MAPPER_H
#define NORMALIZE_MAPPER_H

#include <stdbool.h>
#include <stdint.h>

#include "normalize/ocsf_finding.h"

struct arena;
struct json_node;
struct raw;

/*
 * One source's part of normalizing: what is true about one record. Pure: no I/O, no clock, no
 * state. record is an object; what the mapper takes over it marks as `used`, the rest becomes
 * unmapped. Text made on the way lives in the arena.
 *
 * ret_finding is zeroed before. Returns NULL when it is filled, else why the record is not a
 * finding ("not a detection: Policy Update"), for the event's fate. A record can be odd but
 * not wrong: what cannot be read counts as absent.
 */
typedef const char *mapper(const struct raw *raw, struct json_node *record, struct arena *arena,
			   struct ocsf_finding *ret_finding);

mapper map_secure_endpoint;
mapper map_defender;
mapper map_umbrella;
mapper map_generic;

#endif
