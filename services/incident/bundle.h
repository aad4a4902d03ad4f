#ifndef INCIDENT_BUNDLE_H
#define INCIDENT_BUNDLE_H

#include <stddef.h>

struct arena;
struct facts;

/*
 * The CTIM bundle of an incident: incident, sighting and the member-of relationship between
 * them, each with an external id of ours, so that importing it again creates nothing. Facts:
 * threatgrid/ctim doc/structures (fields, vocabularies, lengths), threatgrid/ctia
 * src/ctia/bundle (transient ids, external-key-prefixes).
 */

/* The prefix whose external ids decide whether an entity exists; the group's must not. */
#define BUNDLE_PREFIX "tocsin-i"

/* JSON text in the arena. */
const char *bundle_encode(const struct facts *facts, struct arena *arena, size_t *ret_size);

#endif
