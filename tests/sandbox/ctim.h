#ifndef SANDBOX_CTIM_H
#define SANDBOX_CTIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The entity types a Threat Response organisation keeps. */
enum ctim_type {
	CTIM_INCIDENT,
	CTIM_SIGHTING,
	CTIM_RELATIONSHIP,
	CTIM_NOTE,
	CTIM_INDICATOR,
	CTIM_TYPES,
};

const char *ctim_name(enum ctim_type type);   /* "incident" */
const char *ctim_plural(enum ctim_type type); /* "incidents" */
/* CTIM_TYPES when there is none of that name. */
enum ctim_type ctim_named(const char *name);

/* Checks what a client sent against the type's schema: unknown keys, missing keys (unless
 * partial), types, choices and lengths. NULL when fine, else the body of the 400; new
 * reference. */
json_t *ctim_check(enum ctim_type type, const json_t *entity, bool partial);
bool ctim_status_known(const char *status);

#endif
