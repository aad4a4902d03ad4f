#ifndef MODEL_ENVELOPE_H
#define MODEL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"

struct arena;

/*
 * Checks of the fields that the streams `raw` and `findings` share. Each returns false with a
 * permanent error that names the envelope and the field; results borrow from the fields.
 */
struct envelope {
	const char *what; /* starts every message: "raw event" */
	const struct field *fields;
	size_t count;
};

bool envelope_version(const struct envelope *envelope, const char *expected, struct err *err);
/* 1 to max bytes, no control characters. */
bool envelope_text(const struct envelope *envelope, const char *name, size_t max,
		   const char **ret_text, struct err *err);
bool envelope_customer(const struct envelope *envelope, const char **ret_id, struct err *err);
/* 1 to 32 of a-z 0-9 _ */
bool envelope_source(const struct envelope *envelope, const char **ret_source, struct err *err);
/* Decimal digits only. */
bool envelope_number(const struct envelope *envelope, const char *name, uint64_t *ret_number,
		     struct err *err);
/* The other way round; the text lives in the arena. */
const char *envelope_decimal(struct arena *arena, uint64_t number);
/* A W3C traceparent, or "" when it is empty or missing. */
bool envelope_trace(const struct envelope *envelope, const char **ret_trace, struct err *err);
/* 1 to max bytes of anything. */
bool envelope_payload(const struct envelope *envelope, size_t max,
		      const struct field **ret_payload, struct err *err);

#endif
