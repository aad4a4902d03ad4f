#ifndef NORMALIZE_UMBRELLA_RECORD_H
#define NORMALIZE_UMBRELLA_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "normalize/umbrella_category.h"

struct arena;
struct json_node;
struct ocsf_finding;
struct raw;

/* The parts of map_umbrella.c: what one record says. */
struct umbrella_mapping {
	const struct raw *raw;
	struct json_node *record;
	struct arena *arena;
	struct ocsf_finding *finding;
	const char *type;    /* lower case; NULL: none */
	const char *verdict; /* likewise */
	const char *noun;
	bool is_retrospective;
	struct umbrella_category category; /* that decided; without label: none */
	bool threat;			   /* it speaks of one */
	int threat_severity_id;		   /* of what umbrella_read_threats() found */
	const char *signature;		   /* an intrusion's */
};

/* A number of milliseconds, or of seconds when it is small; 0 when it is neither. */
uint64_t umbrella_time(struct json_node *record, const char *name);
/* `date` and `time`, as UTC; 0 when they are none. */
uint64_t umbrella_date_time(const struct json_node *record, struct arena *arena);

/* umbrella_threats.c: threats, AMP, antivirus, intrusion signatures. Sets threat. */
void umbrella_read_threats(struct umbrella_mapping *mapping);
/* umbrella_identities.c: whose traffic it was, and where. */
void umbrella_read_identities(struct umbrella_mapping *mapping);
/* umbrella_traffic.c: what was asked of whom. */
void umbrella_read_traffic(struct umbrella_mapping *mapping);

#endif
