#ifndef NORMALIZE_ATTACK_H
#define NORMALIZE_ATTACK_H

#include "normalize/ocsf_finding.h"

struct json_node;

/*
 * ATT&CK ids as vendors list them: texts ("TA0002", "T1059.001"), or objects {external_id,
 * mitre_name or name, ...}; either list may be NULL. One attack per technique. Vendors do not
 * say which tactic a technique served, so only a single tactic is put together with techniques,
 * several stand for themselves. What is no id is left alone.
 */
void attack_read(struct ocsf_finding *finding, struct json_node *tactics,
		 struct json_node *techniques);

/* The tactic, a literal, of every technique read so far; alone when there is none. */
void attack_add_tactic(struct ocsf_finding *finding, const char *uid);

#endif
