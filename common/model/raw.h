#ifndef MODEL_RAW_H
#define MODEL_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "model/origin.h"

struct arena;

/* What a collector saw: the vendor's JSON, untouched, and where it came from. One entry of the
 * stream `raw`, the contract for any program that appends to it. Strings are borrowed. */
struct raw {
	const char *customer; /* id, 1 to 24 of a-z 0-9 - */
	const char *source;   /* driver name, "secure_endpoint" */
	const char
	    *event_id; /* the vendor's id as text, or a stable derived one; at most 128 bytes */
	uint64_t observed_ms; /* our first sight */
	const char *trace;    /* W3C traceparent, "" when there is none */
	const char
	    *asked; /* "1" when the operator asked for this event type by name, else "" */
	enum origin origin;
	const char *payload;
	size_t payload_size; /* at most RAW_PAYLOAD_MAX */
};

enum { RAW_FIELDS = 9, RAW_PAYLOAD_MAX = 1 << 20, RAW_EVENT_ID_MAX = 128 };

/* Returns how many fields were written to ret_fields[RAW_FIELDS]; text made on the way is in
 * arena. */
size_t raw_encode(const struct raw *raw, struct arena *arena, struct field *ret_fields);
/* Permanent error naming the field that is missing, too long or malformed. Borrows from fields.
 */
bool raw_decode(struct raw *ret_raw, const struct field *fields, size_t count, struct err *err);

/* An id for an event that has none: 32 hex of SHA-256 over the record with sorted keys and the
 * ordinal among equal records of one page. ret_id holds 33 bytes. False when it is not JSON. */
bool raw_derive_id(const char *payload, size_t size, unsigned ordinal, char *ret_id,
		   struct err *err);

#endif
