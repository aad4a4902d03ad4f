/* The stream `closures` and the inbox item that carries its entries: what is written can be
 * read, and what is malformed is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "model/closure.h"
#include "model/customer.h"
#include "model/incident.h"

static struct closure sample(void)
{
	return (struct closure){
		.op = CLOSURE_VERDICT,
		.via = CLOSURE_LINK,
		.incident = "00112233445566aa",
		.customer = "acme",
		.instance = "snow-main",
		.instance_name = "main",
		.sys_id = "46f09e75a9fe198100f4ffd8d366d17b",
		.number = "INC0010001",
		.key = "tocsin-i:lab:acme:ffeeddccbbaa0011:00112233445566aa",
		.ctim_id = "https://intel/ctia/incident/incident-1",
		.verdict = VERDICT_BENIGN,
		.actor = "mail link",
		.note = "a drill,\n\"not\" an attack",
		.token = "k1.abc",
		.code = "K7QM-4XPT",
		.received_ms = 1763749000123,
		.trace = "",
	};
}

static void same(const struct closure *a, const struct closure *b)
{
	assert_int_equal(a->op, b->op);
	assert_int_equal(a->via, b->via);
	assert_int_equal(a->verdict, b->verdict);
	assert_true(a->received_ms == b->received_ms);
	assert_string_equal(a->incident, b->incident);
	assert_string_equal(a->customer, b->customer);
	assert_string_equal(a->instance, b->instance);
	assert_string_equal(a->sys_id, b->sys_id);
	assert_string_equal(a->ctim_id, b->ctim_id);
	assert_string_equal(a->note, b->note);
	assert_string_equal(a->token, b->token);
	assert_string_equal(a->code, b->code);
}

static void test_round_trip(void **state)
{
	struct arena *arena = arena_new();
	struct field fields[CLOSURE_FIELDS];
	const struct closure closure = sample(), empty = { .op = CLOSURE_CLOSED };
	struct closure read;
	size_t count = closure_encode(&closure, arena, fields);

	(void)state;
	assert_true(count <= CLOSURE_FIELDS);
	assert_true(closure_decode(&read, fields, count, NULL));
	same(&closure, &read);
	count = closure_encode(&empty, arena, fields);
	assert_true(closure_decode(&read, fields, count, NULL));
	assert_string_equal(read.note, "");
	arena_free(arena);
}

static void test_inbox_item(void **state)
{
	struct arena *arena = arena_new();
	const struct incident incident = { .customer = "acme" };
	const struct incident_item item = { .op = ITEM_CLOSURE, .closure = sample() };
	const char *text = incident_item_encode(&item, arena);
	struct incident_item read;

	(void)state;
	assert_true(incident_item_decode(&read, text, &incident, arena, NULL));
	assert_int_equal(read.op, ITEM_CLOSURE);
	same(&item.closure, &read.closure);
	assert_false(
	    incident_item_decode(&read, "{\"op\":\"closure\"}\n", &incident, arena, NULL));
	assert_false(incident_item_decode(&read, "{\"op\":\"closure\",\"closure\":{\"v\":1}}\n",
					  &incident, arena, NULL));
	arena_free(arena);
}

static void test_malformed(void **state)
{
	static const struct {
		const char *name, *value;
	} rows[] = {
		{ "v", "2" },
		{ "op", "destroy" },
		{ "via", "rumour" },
		{ "verdict", "guilty" },
		{ "incident", "0011" },
		{ "incident", "00112233445566AA" },
		{ "sys_id", "46f09e75" },
		{ "customer", "Acme Inc" },
		{ "received_ms", "soon" },
		{ "trace", "x" },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct field fields[CLOSURE_FIELDS + 1];
		const struct closure closure = sample();
		size_t count = closure_encode(&closure, arena, fields);
		struct closure read;
		struct err err = { 0 };
		bool put = false;

		for (size_t k = 0; k < count; k++) {
			if (strcmp(fields[k].name, rows[i].name) != 0)
				continue;
			fields[k] = field_text(rows[i].name, rows[i].value);
			put = true;
		}
		assert_true(put);
		assert_false(closure_decode(&read, fields, count, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
		assert_non_null(strstr(
		    err.text, strcmp(rows[i].name, "v") == 0 ? "version" : rows[i].name));
	}
	arena_free(arena);
}

static void test_too_long(void **state)
{
	struct arena *arena = arena_new();
	struct field fields[CLOSURE_FIELDS];
	struct closure closure = sample(), read;
	char note[CLOSURE_NOTE_MAX + 2];

	(void)state;
	memset(note, 'x', sizeof(note) - 1);
	note[sizeof(note) - 1] = '\0';
	closure.note = note;
	assert_false(
	    closure_decode(&read, fields, closure_encode(&closure, arena, fields), NULL));
	note[CLOSURE_NOTE_MAX] = '\0';
	assert_true(
	    closure_decode(&read, fields, closure_encode(&closure, arena, fields), NULL));
	arena_free(arena);
}

static void test_whose_key(void **state)
{
	static const struct {
		const char *key;
		bool ours;
	} rows[] = {
		{ "tocsin-i:lab:acme:ffeeddccbbaa0011:00112233445566aa", true },
		{ "tocsin-i:lab2:acme:ffeeddccbbaa0011:00112233445566aa", false },
		{ "tocsin-i:la:acme:ffeeddccbbaa0011:00112233445566aa", false },
		{ "tocsin-g:lab:acme:ffeeddccbbaa0011", false },
		{ "tocsin-i:lab:acme:ffeeddccbbaa0011:00112233445566", false },
		{ "tocsin-i:lab:", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *id = incident_key_id("lab", rows[i].key);

		assert_true(rows[i].ours == (id != NULL));
		if (id)
			assert_string_equal(id, "00112233445566aa");
	}
}

/* ---- a customer's section ---- */

static struct customer *read_customer(const char *closing, struct err *err)
{
	struct arena *arena = arena_new();
	const char *text = arena_printf(arena, "{\"id\":\"acme\",\"closing\":%s}", closing);
	struct customer *customer =
	    customer_decode(text, strlen(text), "customers/acme.json", err);

	arena_free(arena);
	return customer;
}

static void test_settings(void **state)
{
	static const char full[] =
	    "{\"grace\":\"5s\",\"resolved\":\"ignore\",\"cancelled\":\"release\","
	    "\"close_codes\":{\"Known error\":{\"effect\":\"keep\",\"verdict\":\"benign\"},"
	    "\"Duplicate\":{}},\"ticket\":{\"none\":{\"close_code\":\"User error\"},"
	    "\"false_positive\":{\"close_notes\":\"No.\"}},\"report\":false,"
	    "\"defender\":false,\"threat_response\":true,\"bulk_releases\":3}";
	struct err err = { 0 };
	struct customer *customer = read_customer(full, &err), *again;
	const struct customer_closing *closing = &customer->closing;
	char *text;

	(void)state;
	assert_non_null(customer);
	assert_true(closing->grace_ms == 5000 && closing->bulk == 3);
	assert_int_equal(closing->resolved, CLOSING_IGNORE);
	assert_int_equal(closing->closed, CLOSING_RELEASE);
	assert_int_equal(closing->cancelled, CLOSING_RELEASE);
	assert_true(closing->threat_response && !closing->report && !closing->defender);
	assert_int_equal(customer_closing_code(closing, "known ERROR")->effect, CLOSING_KEEP);
	assert_int_equal(customer_closing_code(closing, "Known error")->verdict,
			 VERDICT_BENIGN);
	assert_false(customer_closing_code(closing, "Duplicate")->has_effect);
	assert_null(customer_closing_code(closing, "other"));
	assert_string_equal(closing->templates[VERDICT_NONE].close_code, "User error");
	/* The canonical form says the same. */
	text = customer_encode(customer);
	again = customer_decode(text, strlen(text), "again", &err);
	assert_non_null(again);
	assert_int_equal(again->closing.code_count, 2);
	assert_int_equal(again->closing.resolved, CLOSING_IGNORE);
	assert_string_equal(again->closing.templates[VERDICT_FALSE_POSITIVE].close_notes,
			    "No.");
	free(text);
	customer_free(again);
	customer_free(customer);
}

static void test_settings_by_default(void **state)
{
	struct err err = { 0 };
	struct customer *customer = read_customer("{}", &err);
	char *text = customer_encode(customer);

	(void)state;
	assert_true(customer->closing.grace_ms == 60000 && customer->closing.bulk == 10);
	assert_int_equal(customer->closing.cancelled, CLOSING_ASK);
	assert_false(customer->closing.threat_response);
	assert_null(strstr(text, "closing"));
	free(text);
	customer_free(customer);
}

static void test_settings_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"grace\":60}", "closing.grace" },
		{ "{\"grace\":\"2d\"}", "closing.grace" },
		{ "{\"resolved\":\"maybe\"}", "closing.resolved" },
		{ "{\"close_codes\":{\"X\":{\"effect\":\"x\"}}}",
		  "closing.close_codes.X.effect" },
		{ "{\"close_codes\":{\"X\":{\"efect\":\"keep\"}}}", "close_codes.X" },
		{ "{\"close_codes\":{\"X\":{},\"x\":{}}}", "closing.close_codes.x" },
		{ "{\"ticket\":{\"guilty\":{}}}", "closing.ticket" },
		{ "{\"report\":\"yes\"}", "closing.report" },
		{ "{\"bulk_releases\":-1}", "closing.bulk_releases" },
		{ "{\"bulk\":1}", "closing.bulk" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };

		assert_null(read_customer(rows[i][0], &err));
		if (!strstr(err.text, rows[i][1]))
			print_error("%s: %s\n", rows[i][0], err.text);
		assert_non_null(strstr(err.text, rows[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_inbox_item),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_whose_key),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_settings_by_default),
		cmocka_unit_test(test_settings_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
