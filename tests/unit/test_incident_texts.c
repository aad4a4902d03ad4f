/*
 * Tickets, notes and CTIM bundles against golden files: tests/fixtures/incident/<case>/ holds a
 * finding and what is made of it. TOCSIN_GOLDEN=write writes what is made now; read the
 * difference before committing it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/arena.h"
#include "base/conf.h"
#include "incident/bundle.h"
#include "ticket/facts.h"
#include "ticket/press.h"
#include "ticket/prose.h"
#include "ticket/ticket.h"
#include "vendor/servicenow.h"

#define FOLDER "tests/fixtures/incident"

struct golden {
	const char *name;
	const char *customer_name;
	const char *suffix;
	bool threat_response;
	const char *observables; /* of inspect */
	struct ticket_link link;
};

static const struct golden cases[] = {
	{ "threat_detected",
	  "Müller & Söhne GmbH",
	  "[SecureX]",
	  true,
	  "[[\"ip\",\"198.51.100.23\"],[\"url\",\"http://update-check.example/a?b=c d\"],"
	  "[\"hostname\",\"fin-pc-07\"]]",
	  { "k1.abc-_", "https://tocsin.example" } },
	{ "minimal", "Acme", "", false, NULL, { NULL, NULL } },
	{ "hostile", "Evil \"Corp\"\n[x]", "[SecureX]", true, NULL, { "k1.abc-_", NULL } },
};

struct fixture {
	struct arena *arena;
	struct customer customer;
	struct account account;
	struct incident incident;
	struct facts facts;
};

static void fixture_init(struct fixture *fixture, const struct golden *golden)
{
	char path[256];
	struct err err = { 0 };

	snprintf(path, sizeof(path), FOLDER "/%s/finding.json", golden->name);

	char *payload = conf_read_file(path, 1 << 20, &err);

	assert_non_null(payload);
	memset(fixture, 0, sizeof(*fixture));
	fixture->arena = arena_new();
	fixture->customer = (struct customer){
		.name = arena_strdup(fixture->arena, golden->customer_name),
		.servicenow = { .suffix = arena_strdup(fixture->arena, golden->suffix) },
	};
	fixture->customer.id = arena_strdup(fixture->arena, "acme");
	memcpy(fixture->customer.servicenow.priorities, customer_priorities_by_severity,
	       sizeof(customer_priorities_by_severity));
	fixture->customer.servicenow.caller_id =
	    arena_strdup(fixture->arena, "cccccccccccccccccccccccccccccccc");
	fixture->customer.servicenow.company =
	    arena_strdup(fixture->arena, "dddddddddddddddddddddddddddddddd");
	fixture->customer.servicenow.assignment_group =
	    arena_strdup(fixture->arena, "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
	fixture->customer.servicenow.category = arena_strdup(fixture->arena, "security");
	fixture->account.url =
	    arena_strdup(fixture->arena, "https://visibility.eu.amp.cisco.com/iroh");

	const struct incident_item item = {
		.op = ITEM_FINDING,
		.finding = { .source = "secure_endpoint",
			     .event_id = "7165437912345678901",
			     .uid = "secure_endpoint:7165437912345678901",
			     .trace = "",
			     .severity_id = 4,
			     .time_ms = 1763749000123,
			     .observed_ms = 1763749042123,
			     .payload = payload,
			     .payload_size = strlen(payload) },
	};

	fixture->incident = (struct incident){
		.id = "00112233445566aa",
		.customer = "acme",
		.group = "ffeeddccbbaa0011",
		.event_ms = item.finding.time_ms,
		.observed_ms = item.finding.observed_ms,
		.severity_id = 4,
		.opening = incident_item_encode(&item, fixture->arena),
		.observables = golden->observables,
		.sys_id = "46f09e75a9fe198100f4ffd8d366d17b",
		.number = "INC0010001",
		.ctim_id = golden->threat_response
			       ? "https://private.intel.eu.amp.cisco.com/ctia/incident/"
				 "incident-8f7c1c52-9e0a-4b6f-8d1e-2f3a4b5c6d7e"
			       : NULL,
	};
	free(payload);
	assert_true(facts_read(&fixture->facts, &fixture->incident, &fixture->customer,
			       golden->threat_response ? &fixture->account : NULL, "test",
			       fixture->arena, &err));
}

static void fixture_done(struct fixture *fixture)
{
	arena_free(fixture->arena);
}

/* Compares with the golden file, or writes it. */
static void check(const struct golden *golden, const char *file, const char *text)
{
	const char *mode = getenv("TOCSIN_GOLDEN");
	char path[256];
	struct err err = { 0 };

	snprintf(path, sizeof(path), FOLDER "/%s/%s", golden->name, file);
	if (mode && strcmp(mode, "write") == 0) {
		FILE *out = fopen(path, "w");

		assert_non_null(out);
		fprintf(out, "%s\n", text);
		fclose(out);
		return;
	}
	char *want = conf_read_file(path, 1 << 20, &err);

	assert_non_null(want);
	if (strcmp(want, text) != 0)
		print_error("%s differs\n", path);
	assert_string_equal(text, want);
	free(want);
}

static const char *columns_text(struct fixture *fixture)
{
	struct ticket_press *press = ticket_press_new(NULL);
	const struct ticket_order order = { .facts = &fixture->facts, .table = "incident" };
	struct ticket *ticket = arena_alloc(fixture->arena, sizeof(*ticket));
	const char *text = "";

	ticket_make(press, &order, fixture->arena, ticket);
	for (size_t i = 0; i < ticket->count; i++)
		text = arena_printf(fixture->arena, "%s%s= %s\n", text, ticket->columns[i].name,
				    ticket->columns[i].value);
	assert_int_equal(ticket->problem_count, 0);
	ticket_press_free(press);
	return text;
}

static const char *bundle_text(struct fixture *fixture)
{
	size_t size;
	const char *bundle = bundle_encode(&fixture->facts, fixture->arena, &size);
	json_t *parsed = json_loadb(bundle, size, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(parsed);
	char *pretty = json_dumps(parsed, JSON_INDENT(1));
	const char *text = arena_strdup(fixture->arena, pretty);

	free(pretty);
	json_decref(parsed);
	return text;
}

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture;

		fixture_init(&fixture, &cases[i]);
		check(&cases[i], "ticket.txt", columns_text(&fixture));
		check(&cases[i], "link_note.txt",
		      ticket_link_note(&fixture.incident, &fixture.customer, &cases[i].link,
				       fixture.arena));
		if (cases[i].threat_response)
			check(&cases[i], "bundle.json", bundle_text(&fixture));
		fixture_done(&fixture);
	}
}

/* Whatever the customer, type and device are called: at most 160 characters, the suffix whole.
 */
static void test_suffix_is_never_cut(void **state)
{
	struct fixture fixture;
	char name[400];

	(void)state;
	fixture_init(&fixture, &cases[2]);
	for (size_t length = 0; length + 2 < sizeof(name); length++) {
		memset(name, 0, sizeof(name));
		for (size_t i = 0; i + 1 < length; i += 2)
			memcpy(name + i, "ü", 2);
		fixture.customer.name = name;

		const char *text = ticket_short_description(&fixture.facts, fixture.arena);
		const char *end = text + strlen(text) - strlen(" [SecureX]");

		assert_true(prose_length(text) <= 160);
		assert_string_equal(end, " [SecureX]");
	}
	fixture.customer.servicenow.suffix = name; /* longer than the column: alone */
	assert_string_equal(ticket_short_description(&fixture.facts, fixture.arena), name);
	fixture_done(&fixture);
}

/* The ancestors' rule takes line 2 of the newest entry, which is our first line. */
static void test_link_note_starts_with_the_url(void **state)
{
	const struct ticket_link link = { "k1.abc-_", "https://tocsin.example" };
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, &cases[0]);

	const char *note =
	    ticket_link_note(&fixture.incident, &fixture.customer, &link, fixture.arena);
	const char *line_end = strchr(note, '\n');

	assert_ptr_equal(strstr(note, "respond/trigger/tocsin/close?observable_type=ip"
				      "&observable_value=%7B%22snow-incident-id%22"),
			 note);
	assert_null(memchr(note, ' ', (size_t)(line_end - note)));
	assert_non_null(
	    strstr(note, "%22tocsin-link%22%3A%22k1.abc-_%22%7D&workflow_id=close\n"));
	fixture_done(&fixture);
}

static void test_priority(void **state)
{
	static const struct {
		int severity_id;
		unsigned impact, urgency;
	} rows[] = { { SEVERITY_CRITICAL, 2, 1 }, { SEVERITY_FATAL, 2, 1 },
		     { SEVERITY_HIGH, 2, 2 },	  { SEVERITY_MEDIUM, 3, 2 },
		     { SEVERITY_LOW, 3, 3 },	  { SEVERITY_OTHER, 3, 3 } };
	struct customer customer = { 0 };

	(void)state;
	memcpy(customer.servicenow.priorities, customer_priorities_by_severity,
	       sizeof(customer_priorities_by_severity));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct incident incident = { .severity_id = rows[i].severity_id };
		struct customer_priority priority = ticket_priority(&customer, &incident);

		assert_int_equal(priority.impact, rows[i].impact);
		assert_int_equal(priority.urgency, rows[i].urgency);
	}
	customer.servicenow.priorities[1] = (struct customer_priority){ 1, 1 };

	const struct incident low = { .severity_id = SEVERITY_LOW };

	assert_int_equal(ticket_priority(&customer, &low).impact, 1);
	assert_int_equal(ticket_priority(&customer, &low).urgency, 1);
}

/* One note's marker must not be found in another's. */
static void test_markers_are_distinct(void **state)
{
	struct arena *arena = arena_new();
	struct incident incident = { .id = "00112233445566aa", .notes = 1, .writing_count = 1 };
	const char *first = ticket_note_marker(&incident, arena);

	(void)state;
	incident.notes = 12;
	assert_null(strstr(ticket_note_marker(&incident, arena), first));
	assert_null(strstr(ticket_link_marker(&incident, arena), first));
	arena_free(arena);
}

static void test_text(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_string_equal(prose_line(arena, " a\r\n\tb  c\x7f", 99), "a b c");
	assert_string_equal(prose_line(arena, NULL, 99), "");
	assert_string_equal(prose_line(arena, "äöü", 3), "äöü");
	assert_string_equal(prose_line(arena, "äöüß", 3), "äö…");
	assert_string_equal(prose_cut(arena, "aä", 2), "a");
	assert_string_equal(prose_cut(arena, "aä", 3), "aä");
	assert_string_equal(prose_cut(arena, "😀", 3), "");
	assert_true(prose_is_uri("https://a.example/b?c=%20&d=e#f"));
	assert_false(prose_is_uri("https://a.example/b c"));
	assert_false(prose_is_uri("https://a.example/%2"));
	assert_false(prose_is_uri("https://a.example/{x}"));
	assert_false(prose_is_uri("https://ä.example/"));
	assert_false(prose_is_uri("javascript:alert(1)"));
	assert_false(prose_is_uri(NULL));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_suffix_is_never_cut),
		cmocka_unit_test(test_link_note_starts_with_the_url),
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_markers_are_distinct),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
