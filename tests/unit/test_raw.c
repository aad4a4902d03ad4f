#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/raw.h"

static const struct raw sample = {
	.customer = "acme",
	.source = "secure_endpoint",
	.event_id = "6719452817364512771",
	.observed_ms = 1763749000123,
	.trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	.asked = "1",
	.origin = ORIGIN_REPAIR,
	.payload = "{\"id\":1}\0x",
	.payload_size = 10, /* what follows a NUL counts */
};

static void comes_back_as_it_went(void **state)
{
	struct arena *arena = arena_new();
	struct field fields[RAW_FIELDS];
	struct raw back;
	struct err err;

	(void)state;
	size_t count = raw_encode(&sample, arena, fields);
	assert_int_equal(count, RAW_FIELDS);
	assert_true(raw_decode(&back, fields, count, &err));
	assert_string_equal(back.customer, sample.customer);
	assert_string_equal(back.source, sample.source);
	assert_string_equal(back.event_id, sample.event_id);
	assert_int_equal(back.observed_ms, sample.observed_ms);
	assert_string_equal(back.trace, sample.trace);
	assert_string_equal(back.asked, "1");
	assert_int_equal(back.origin, ORIGIN_REPAIR);
	assert_int_equal(back.payload_size, sample.payload_size);
	assert_memory_equal(back.payload, sample.payload, sample.payload_size);
	arena_free(arena);
}

/* One field each is missing, or another than it should be. */
static void refuses_by_name_what_is_wrong(void **state)
{
	static char long_id[RAW_EVENT_ID_MAX + 2];
	static const struct {
		const char *name, *value; /* NULL: the field is left out */
		const char *says;
	} cases[] = {
		{ "v", NULL, "raw event: field v is missing" },
		{ "v", "2", "raw event: format version 2 is not known, only 1" },
		{ "customer", NULL, "raw event: field customer is missing" },
		{ "customer", "Acme", "customer must be" },
		{ "customer", "", "customer must be" },
		{ "customer", "-acme", "customer must be" },
		{ "customer", "abcdefghijklmnopqrstuvwxy", "customer must be" },
		{ "source", "secure endpoint", "source must be" },
		{ "source", "", "source must be" },
		{ "event_id", "", "event_id has 0 bytes" },
		{ "event_id", "a\nb", "control character" },
		{ "event_id", long_id, "event_id has 129 bytes, allowed are 1 to 128" },
		{ "observed_ms", "-1", "observed_ms must be a whole number" },
		{ "observed_ms", "18446744073709551616", "observed_ms must be a whole number" },
		{ "observed_ms", "", "observed_ms must be a whole number" },
		{ "trace", "00-xyz", "trace must be" },
		{ "trace", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		  "trace must be" },
		{ "asked", "yes", "asked must be" },
		{ "origin", "somewhere", "origin \"somewhere\" is none of ours" },
		{ "payload", NULL, "field payload is missing" },
		{ "payload", "", "payload has 0 bytes" },
	};

	(void)state;
	memset(long_id, 'a', sizeof long_id - 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena *arena = arena_new();
		struct field fields[RAW_FIELDS];
		struct raw back;
		struct err err = { 0 };
		size_t count = raw_encode(&sample, arena, fields), kept = 0;

		for (size_t k = 0; k < count; k++) {
			bool meant = strcmp(fields[k].name, cases[i].name) == 0;
			if (!meant)
				fields[kept++] = fields[k];
			else if (cases[i].value)
				fields[kept++] = field_text(cases[i].name, cases[i].value);
		}
		assert_false(raw_decode(&back, fields, kept, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].says, err.text);
		arena_free(arena);
	}
}

static void a_payload_is_bounded(void **state)
{
	struct arena *arena = arena_new();
	struct field fields[RAW_FIELDS];
	struct raw large = sample, back;
	struct err err;
	char *payload = xcalloc(1, RAW_PAYLOAD_MAX + 2);

	(void)state;
	large.payload = payload;
	large.payload_size = RAW_PAYLOAD_MAX;
	assert_true(raw_decode(&back, fields, raw_encode(&large, arena, fields), &err));
	large.payload_size++;
	assert_false(raw_decode(&back, fields, raw_encode(&large, arena, fields), &err));
	free(payload);
	arena_free(arena);
}

/* The order of members is nothing a vendor promises; how many equal ones there were is. */
static void derives_a_stable_id(void **state)
{
	static const char one[] = "{\"a\":1,\"b\":{\"c\":[1,2],\"d\":null}}";
	static const char turned[] = "{ \"b\": {\"d\":null, \"c\":[1,2]}, \"a\":1 }";
	static const char other[] = "{\"a\":1,\"b\":{\"c\":[2,1],\"d\":null}}";
	char first[33], second[33];
	struct err err;

	(void)state;
	assert_true(raw_derive_id(one, strlen(one), 0, first, &err));
	assert_int_equal(strlen(first), 32);
	assert_true(raw_derive_id(turned, strlen(turned), 0, second, &err));
	assert_string_equal(first, second);
	assert_true(raw_derive_id(one, strlen(one), 1, second, &err));
	assert_string_not_equal(first, second);
	assert_true(raw_derive_id(other, strlen(other), 0, second, &err));
	assert_string_not_equal(first, second);
	assert_false(raw_derive_id("{", 1, 0, second, &err));
	assert_int_equal(err.kind, ERR_PERMANENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_went),
		cmocka_unit_test(refuses_by_name_what_is_wrong),
		cmocka_unit_test(a_payload_is_bounded),
		cmocka_unit_test(derives_a_stable_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
