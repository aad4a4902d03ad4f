#ifndef SANDBOX_SNOW_SECURITY_H
#define SANDBOX_SNOW_SECURITY_H

#include <stdbool.h>

struct snow;
struct snow_table;
struct snow_user;

/*
 * Security Incident Response: the table sn_si_incident, which an instance has when its plug-in
 * is installed. A child of task with states, roles and resolution codes of its own: nothing of
 * what is true for an incident is.
 */
#define SNOW_SECURITY_TABLE "sn_si_incident"

/* Makes the table with its columns and choices unless it is there. */
void snow_security_install(struct snow *snow);
bool snow_is_security(const struct snow_table *table);

/* Roles are the plug-in's own: an administrator of the instance has none of them. */
bool snow_security_may_read(const struct snow_user *user);
bool snow_security_may_write(const struct snow_user *user);

bool snow_security_is_over(const char *state);

/* A change as it would be stored. */
struct snow_security_change {
	const char *from; /* "" for a new record */
	const char *to;
	const char *close_code, *close_notes;
	const char *assigned_to, *assignment_group;
};

/* Why the process or the data policy refuses it; NULL: it does not. */
const char *snow_security_refusal(const struct snow_security_change *change);

#endif
