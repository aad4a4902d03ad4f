#ifndef NORMALIZE_SECURE_ENDPOINT_TYPES_H
#define NORMALIZE_SECURE_ENDPOINT_TYPES_H

#include <stdint.h>

/* What an event of a type says about the threat. */
enum secure_endpoint_outcome {
	SECURE_ENDPOINT_NO_DETECTION, /* administration: no finding unless asked for by name */
	SECURE_ENDPOINT_DETECTED,
	SECURE_ENDPOINT_BLOCKED,
	SECURE_ENDPOINT_QUARANTINED,
	SECURE_ENDPOINT_UNCORRECTED, /* it is still there */
	SECURE_ENDPOINT_LET_PASS,    /* seen, and excluded by policy */
	SECURE_ENDPOINT_RESTORED,
	SECURE_ENDPOINT_DELETED,
};

enum secure_endpoint_method {
	SECURE_ENDPOINT_METHOD_UNKNOWN,
	SECURE_ENDPOINT_BY_HASH,
	SECURE_ENDPOINT_BY_BEHAVIOR
};

struct secure_endpoint_type {
	uint32_t id;
	const char *name; /* the current one: older records carry older names */
	enum secure_endpoint_outcome outcome;
	int severity_id; /* when the record states none; our choice */
	enum secure_endpoint_method method;
};

/* NULL: not known. */
const struct secure_endpoint_type *secure_endpoint_type(int64_t id);

#endif
