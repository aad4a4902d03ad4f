#ifndef NORMALIZE_MAP_DEFENDER_H
#define NORMALIZE_MAP_DEFENDER_H

struct arena;
struct json_node;
struct ocsf_finding;

/* map_defender_evidence.c: what an alert's evidence holds, today's list and the members of 2018
 * and 2019, and what Defender did about it. */
void map_defender_evidence(struct json_node *record, struct arena *arena,
			   struct ocsf_finding *finding);

#endif
