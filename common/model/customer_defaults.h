#ifndef MODEL_CUSTOMER_DEFAULTS_H
#define MODEL_CUSTOMER_DEFAULTS_H

#include <stdint.h>

#include "model/finding.h"

/* What a customer's file need not say; shared by the two parts that read and write it. */

#define SECOND_MS ((uint64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS	  (60 * MINUTE_MS)
#define DAY_MS	  (24 * HOUR_MS)

#define SOURCE_INTERVAL_MS	  (5 * MINUTE_MS)
#define SOURCE_INTERVAL_LEAST_MS  (10 * SECOND_MS)
#define SOURCE_LOOK_BACK_MS	  (10 * MINUTE_MS)
#define SOURCE_FIRST_LOOK_BACK_MS HOUR_MS

#define SERVICENOW_TABLE  "incident"
#define SERVICENOW_SUFFIX "[SecureX]"

enum {
	CUSTOMER_ID_MAX = 24,
	CUSTOMER_NAME_MAX = 100,
	CUSTOMER_PARTITIONS_MAX = 1024,
	CUSTOMER_EVENT_TYPES_MAX = 500,
	CUSTOMER_MINIMUM_SEVERITY = SEVERITY_MEDIUM,
	CUSTOMER_NOTE_INTERVALS = 4,
	CUSTOMER_NOTES_PER_DAY = 12,
};

extern const uint64_t customer_note_intervals[CUSTOMER_NOTE_INTERVALS];

#endif
