/* The stream `raw`: its fields, checked on the way in because any program may append to it. */
#include "model/raw.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/envelope.h"

static const char format_version[] = "1";

size_t raw_encode(const struct raw *raw, struct arena *arena, struct field *ret_fields)
{
	size_t count = 0;

	ret_fields[count++] = field_text("v", format_version);
	ret_fields[count++] = field_text("customer", raw->customer);
	ret_fields[count++] = field_text("source", raw->source);
	ret_fields[count++] = field_text("event_id", raw->event_id);
	ret_fields[count++] =
	    field_text("observed_ms", envelope_decimal(arena, raw->observed_ms));
	ret_fields[count++] = field_text("trace", raw->trace ? raw->trace : "");
	ret_fields[count++] = field_text("asked", raw->asked ? raw->asked : "");
	ret_fields[count++] = field_text("origin", origin_name(raw->origin));
	ret_fields[count++] = (struct field){ "payload", raw->payload, raw->payload_size };
	return count;
}

bool raw_decode(struct raw *ret_raw, const struct field *fields, size_t count, struct err *err)
{
	const struct envelope envelope = { .what = "raw event",
					   .fields = fields,
					   .count = count };
	const struct field *payload;

	*ret_raw = (struct raw){ 0 };
	if (!envelope_version(&envelope, format_version, err) ||
	    !envelope_customer(&envelope, &ret_raw->customer, err) ||
	    !envelope_source(&envelope, &ret_raw->source, err) ||
	    !envelope_text(&envelope, "event_id", RAW_EVENT_ID_MAX, &ret_raw->event_id, err) ||
	    !envelope_number(&envelope, "observed_ms", &ret_raw->observed_ms, err) ||
	    !envelope_trace(&envelope, &ret_raw->trace, err) ||
	    !envelope_origin(&envelope, &ret_raw->origin, err))
		return false;

	const struct field *asked = field_find(fields, count, "asked");
	bool is_asked = asked && asked->size == 1 && asked->value[0] == '1';
	if (asked && asked->size > 0 && !is_asked)
		return err_set(err, ERR_PERMANENT, "raw event: asked must be \"1\" or empty");
	ret_raw->asked = is_asked ? "1" : "";

	if (!envelope_payload(&envelope, RAW_PAYLOAD_MAX, &payload, err))
		return false;
	ret_raw->payload = payload->value;
	ret_raw->payload_size = payload->size;
	return true;
}

bool raw_derive_id(const char *payload, size_t size, unsigned ordinal, char *ret_id,
		   struct err *err)
{
	json_error_t where;
	json_t *record =
	    size <= RAW_PAYLOAD_MAX
		? json_loadb(payload, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, &where)
		: NULL;
	char *text = record ? json_dumps(record, JSON_SORT_KEYS | JSON_COMPACT |
						     JSON_ENCODE_ANY | JSON_REAL_PRECISION(17))
			    : NULL;

	json_decref(record);
	if (!text)
		return err_set(err, ERR_PERMANENT,
			       "an event without id must be JSON of at most %d bytes",
			       RAW_PAYLOAD_MAX);

	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	const unsigned char tail[4] = { (unsigned char)(ordinal >> 24),
					(unsigned char)(ordinal >> 16),
					(unsigned char)(ordinal >> 8), (unsigned char)ordinal };

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const unsigned char *)text, strlen(text));
	crypto_hash_sha256_update(&state, tail, sizeof tail);
	crypto_hash_sha256_final(&state, digest);
	sodium_bin2hex(ret_id, 33, digest, 16);
	free(text);
	return true;
}
