/*
 * Tickets as templates make them. Golden ones per source: tests/fixtures/ticket/<case>.txt is
 * the ticket that tests/fixtures/<source>/<case>.in.json opens, with notes. TOCSIN_GOLDEN=write
 * writes what is made now; read the difference before committing it.
 */
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
#include "base/conf.h"
#include "jq_child.h"
#include "model/incident.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include "model/program_set.h"
#include "model/raw.h"
#include "normalize/normalize.h"
#include "ticket/facts.h"
#include "ticket/press.h"
#include "ticket/prose.h"
#include "ticket/sheet.h"
#include "ticket/ticket.h"

#define FOLDER "tests/fixtures"
#define CUSTOMER                                                                               \
	"{\"id\":\"acme\",\"name\":\"Müller & Söhne\",\"time_zone\":\"Europe/Berlin\","      \
	"\"servicenow\":{\"account\":\"s\",\"caller_id\":"                                     \
	"\"cccccccccccccccccccccccccccccccc\","                                                \
	"\"company\":\"dddddddddddddddddddddddddddddddd\",\"assignment_group\":"               \
	"\"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\",\"category\":\"security\"}}"

struct fixture {
	struct arena *arena;
	struct customer *customer;
	struct incident incident;
	struct facts facts;
	struct finding finding;
	char *text;
};

/* The first record of a file of the normalizer's fixtures, as it would open an incident. */
static void fixture_init(struct fixture *fixture, const char *source, const char *name)
{
	struct normalize_scratch *scratch = normalize_scratch_new();
	struct normalizer *normalizer;
	const struct json_node *root, *id;
	const char *skip = "";
	struct err err = { 0 };
	struct buf payload;
	char path[256];

	*fixture = (struct fixture){ .arena = arena_new() };
	fixture->customer = customer_decode(CUSTOMER, strlen(CUSTOMER), "acme", &err);
	assert_non_null(fixture->customer);
	snprintf(path, sizeof(path), FOLDER "/%s/%s.in.json", source, name);
	fixture->text = conf_read_file(path, 1 << 20, &err);
	assert_non_null(fixture->text);
	root = json_tree_parse(fixture->text, strlen(fixture->text), fixture->arena, &err);
	if (root->kind == JSON_NODE_ARRAY)
		root = root->first;
	id = json_tree_get(root, "id");
	buf_init(&payload, 1 << 20);
	json_tree_write(&payload, NULL, root);

	const struct raw raw = {
		.customer = "acme",
		.source = source,
		.event_id = id ? id->text : "0123456789abcdef0123456789abcdef",
		.observed_ms = 1795285000000,
		.trace = "",
		.asked = "1",
		.payload = arena_strndup(fixture->arena, payload.data, payload.size),
		.payload_size = payload.size,
	};

	buf_done(&payload);
	normalizer = normalizer_new(NORMALIZE_GROUPING, &err);
	assert_int_equal(normalize(normalizer, &raw, scratch, fixture->arena, &fixture->finding,
				   &skip, &err),
			 NORMALIZE_FINDING);

	const struct incident_item item = { .op = ITEM_FINDING, .finding = fixture->finding };
	struct incident *incident = &fixture->incident;

	*incident = (struct incident){
		.id = "00112233445566aa",
		.customer = "acme",
		.group = "ffeeddccbbaa0011",
		.source = arena_strdup(fixture->arena, source),
		.event_id = arena_strdup(fixture->arena, raw.event_id),
		.event_ms = fixture->finding.time_ms,
		.observed_ms = fixture->finding.time_ms + 42000,
		.severity_id = fixture->finding.severity_id,
		.findings = 1,
		.opening = incident_item_encode(&item, fixture->arena),
	};
	assert_true(facts_read(&fixture->facts, incident, fixture->customer, NULL, "test",
			       fixture->arena, &err));
	normalizer_free(normalizer);
	normalize_scratch_free(scratch);
}

static void fixture_done(struct fixture *fixture)
{
	customer_free(fixture->customer);
	free(fixture->text);
	arena_free(fixture->arena);
}

static struct ticket *make(struct fixture *fixture, struct ticket_press *press,
			   const char *template, const char *table)
{
	const struct ticket_order order = { .facts = &fixture->facts,
					    .template = template,
					    .table = table };
	struct ticket *ticket = arena_alloc(fixture->arena, sizeof(*ticket));

	ticket_make(press, &order, fixture->arena, ticket);
	return ticket;
}

static const char *value_of(const struct ticket *ticket, const char *name)
{
	for (size_t i = 0; i < ticket->count; i++) {
		if (strcmp(ticket->columns[i].name, name) == 0)
			return ticket->columns[i].value;
	}
	return NULL;
}

/* A press that knows one template, "t". */
static struct ticket_press *press_with(const char *text, unsigned deadline_ms)
{
	struct ticket_press *press = ticket_press_new(jq_test_settings(deadline_ms));
	struct program_set *set = program_set_new();
	static uint64_t version;

	assert_true(program_set_add(set, "template:t", text, strlen(text)));
	assert_true(program_set_add(set, "source:x", "nonsense", 8));
	ticket_press_load(press, set, ++version);
	program_set_free(set);
	return press;
}

/* ---- golden tickets ---- */

static const struct {
	const char *source, *name, *table;
} goldens[] = {
	{ "secure_endpoint", "executed_malware", "incident" },
	{ "secure_endpoint", "cloud_ioc_network", "incident" },
	{ "umbrella", "dns_blocked", "incident" },
	{ "umbrella", "proxy_malware", "incident" },
	{ "defender", "execution", "incident" },
	{ "defender", "many_things", "sn_si_incident" },
	{ "defender", "null_everything", "incident" },
};

static void check(const char *source, const char *name, const char *text)
{
	const char *mode = getenv("TOCSIN_GOLDEN");
	char path[256];
	struct err err = { 0 };

	snprintf(path, sizeof(path), FOLDER "/ticket/%s.%s.txt", source, name);
	if (mode && strcmp(mode, "write") == 0) {
		FILE *out = fopen(path, "w");

		assert_non_null(out);
		fprintf(out, "%s\n", text);
		fclose(out);
		return;
	}
	char *want = conf_read_file(path, 1 << 20, &err);

	if (!want)
		fail_msg("%s", err.text);
	assert_string_equal(text, want);
	free(want);
}

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
		struct ticket_press *press = ticket_press_new(NULL);
		struct ticket_problem problem;
		struct fixture fixture;
		struct ticket *ticket;
		const char *text;

		fixture_init(&fixture, goldens[i].source, goldens[i].name);
		ticket = make(&fixture, press, NULL, goldens[i].table);
		assert_int_equal(ticket->problem_count, 0);
		text = arena_printf(fixture.arena, "table: %s\n", ticket->table);
		for (size_t k = 0; k < ticket->count; k++)
			text = arena_printf(fixture.arena, "%s%s: %s\n", text,
					    ticket->columns[k].name, ticket->columns[k].value);
		fixture.incident.notes = fixture.incident.writing_count = 1;
		fixture.incident.writing = ticket_finding_line(
		    fixture.customer, &fixture.finding, &fixture.facts.view, fixture.arena);
		text = arena_printf(fixture.arena, "%slater note: %s", text,
				    ticket_make_note(press, &fixture.incident, fixture.customer,
						     fixture.arena, &problem));
		assert_null(problem.column);
		check(goldens[i].source, goldens[i].name, text);
		ticket_press_free(press);
		fixture_done(&fixture);
	}
}

/* ---- expressions ---- */

static void test_expressions(void **state)
{
	static const struct {
		const char *column, *expression;
		const char *value;  /* NULL: not sent */
		const char *reason; /* what the problem says; NULL: there is none */
	} rows[] = {
		/* no child is needed */
		{ "u_x", "\".facts.event_id\"", "da638765432101234567_-1203948576", NULL },
		{ "u_x", "\".facts.cmdb_ci\"", NULL, NULL },
		{ "u_x", "null", NULL, NULL },
		{ "u_x", "\"null\"", NULL, NULL },
		{ "u_x", "5", "5", NULL },
		{ "u_x", "\"\\\"a\\\"\"", "a", NULL },
		{ "u_x", "true", "true", NULL },
		/* one is */
		{ "u_x", "\".customer.name | ascii_upcase\"", "MüLLER & SöHNE", NULL },
		{ "u_x", "\".facts.observables | length\"", "7", NULL },
		{ "u_x", "\".incident.severity\"", "High", NULL },
		{ "u_x", "\".finding.class_uid == 2004\"", "true", NULL },
		{ "u_x", "\"1/4\"", "0.25", NULL },
		{ "u_x", "\"1e3\"", "1000.0", NULL },
		{ "u_x", "\".facts.no_such # a comment\"", NULL, NULL },
		{ "u_x", "[\"def twice: . + .;\",\"\\\"ab\\\" | twice # end\"]", "abab", NULL },
		{ "u_x", "\"\\\"\\\"\"", NULL, NULL },
		/* what cannot be */
		{ "u_x", "\"error(\\\"why\\\")\"", NULL, "error: why" },
		{ "u_x", "\"error({a:1})\"", NULL, "error: {\"a\":1}" },
		{ "u_x", "\"{} + 1\"", NULL, "error: object" },
		{ "u_x", "\"empty\"", NULL, "it gave nothing" },
		{ "u_x", "\"1, 2\"", NULL, "it gave more than one value" },
		{ "u_x", "\"repeat(1)\"", NULL, "it gave more than one value" },
		{ "u_x", "\"[1]\"", NULL, "it gave a list or an object" },
		{ "u_x", "\"def f: f; f\"", NULL, "deadline" },
		{ "u_x", "\"def f: 1 + f; f\"", NULL, "m" }, /* memory, or the deadline */
		{ "u_x", "\"input\"", NULL, "error: " },
		{ "u_x", "\"$ENV | length\"", "0", NULL },
		/* bounds of columns */
		{ "impact", "\"3\"", "3", NULL },
		{ "impact", "\"0\"", "2", "\"0\" is not 1 to 3" },
		{ "impact", "\"\\\"high\\\"\"", "2", "\"high\" is not 1 to 3" },
		{ "urgency", "\"4\"", "2", "\"4\" is not 1 to 3" },
		{ "category", "\"[]\"", "security", "it gave a list" },
		{ "category", "null", NULL, NULL },
		{ "short_description", "\"\\\"a\\\\n b\\\"\"", "a b [SecureX]", NULL },
		{ "short_description", "\"\\\"a [SecureX]\\\"\"", "a [SecureX]", NULL },
		{ "description", "\"\\\"a\\\\u0000b\\\\u0007c\\\\r\\\\nd\\\"\"", NULL, "" },
		{ "description", "\"\\\"a\\\\u0007b\\\\r\\\\nc\\\\td\\\"\"", "a b\nc\td",
		  NULL },
	};
	struct fixture fixture;
	char text[1000];

	(void)state;
	fixture_init(&fixture, "defender", "execution");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ticket_press *press;
		struct ticket *ticket;
		const char *value, *reason = NULL;

		snprintf(text, sizeof(text), "{\"columns\":{\"%s\":%s,\"u_ok\":\"1+1\"}}",
			 rows[i].column, rows[i].expression);
		press = press_with(text, strstr(text, "def f") ? JQ_HASTY_MS : JQ_PATIENT_MS);
		ticket = make(&fixture, press, "t", "incident");
		value = value_of(ticket, rows[i].column);
		if (ticket->problem_count > 0)
			reason = ticket->problems[0].reason;
		if ((reason != NULL) != (rows[i].reason != NULL) ||
		    (reason && !strstr(reason, rows[i].reason)))
			fail_msg("%s: %s", rows[i].expression, reason ? reason : "no problem");
		if (rows[i].reason && !*rows[i].reason)
			assert_non_null(value); /* the built-in one's */
		else if (!rows[i].value && value)
			fail_msg("%s: %s", rows[i].expression, value);
		else if (rows[i].value)
			assert_string_equal(value, rows[i].value);
		/* Whatever that one does, another one has its value. */
		assert_string_equal(value_of(ticket, "u_ok"), "2");
		ticket_press_free(press);
	}
	fixture_done(&fixture);
}

/* What no template can take away. */
static void test_what_is_fixed(void **state)
{
	struct ticket_press *press = press_with(
	    "{\"columns\":{\"short_description\":\"\\\"ü\\\" * "
	    "400\",\"description\":\"\\\"x\\\" * "
	    "9000\",\"work_notes\":\"\\\"n\\\" * 20000\",\"u_x\":\"\\\"y\\\" * 5000\"},"
	    "\"later_note\":\"\\\"z\\\" * 20000\"}",
	    JQ_PATIENT_MS);
	struct ticket_problem problem;
	struct fixture fixture;
	struct ticket *ticket;
	const char *note, *id = "Event id: da638765432101234567_-1203948576\nTocsin incident: "
				"00112233445566aa";

	(void)state;
	fixture_init(&fixture, "defender", "execution");
	ticket = make(&fixture, press, "t", "incident");
	assert_int_equal(prose_length(value_of(ticket, "short_description")), 160);
	assert_non_null(strstr(value_of(ticket, "short_description"), "… [SecureX]"));
	assert_int_equal(prose_length(value_of(ticket, "description")), 4000);
	assert_int_equal(prose_length(value_of(ticket, "u_x")), 4000);
	note = value_of(ticket, "work_notes");
	assert_int_equal(prose_length(note), 16000);
	assert_string_equal(note + strlen(note) - strlen(id), id);
	assert_string_equal(value_of(ticket, "company"), "dddddddddddddddddddddddddddddddd");
	assert_string_equal(value_of(ticket, "correlation_id"),
			    "tocsin-i:test:acme:ffeeddccbbaa0011:00112233445566aa");
	fixture.incident.notes = 3;
	fixture.incident.template = "t";
	note = ticket_make_note(press, &fixture.incident, fixture.customer, fixture.arena,
				&problem);
	assert_null(problem.column);
	assert_int_equal(prose_length(note), 16000);
	assert_string_equal(note + strlen(note) - strlen("\n[tocsin:00112233445566aa:note:3]"),
			    "\n[tocsin:00112233445566aa:note:3]");
	ticket_press_free(press);

	/* Not even by leaving everything out. */
	press = press_with("{\"columns\":{\"short_description\":null,\"description\":null,"
			   "\"work_notes\":null,\"impact\":null,\"urgency\":null}}",
			   JQ_PATIENT_MS);
	ticket = make(&fixture, press, "t", "incident");
	assert_non_null(value_of(ticket, "short_description"));
	assert_null(value_of(ticket, "impact"));
	assert_int_equal(ticket->impact, 0);
	assert_non_null(strstr(value_of(ticket, "work_notes"), id));
	ticket_press_free(press);
	fixture_done(&fixture);
}

static void test_tables(void **state)
{
	struct ticket_press *press = ticket_press_new(NULL);
	struct fixture fixture;
	struct ticket *ticket;

	(void)state;
	fixture_init(&fixture, "defender", "execution");
	ticket = make(&fixture, press, NULL, "incident");
	assert_non_null(value_of(ticket, "caller_id"));
	assert_null(value_of(ticket, "priority"));
	ticket = make(&fixture, press, NULL, "sn_si_incident");
	assert_null(value_of(ticket, "caller_id"));
	assert_string_equal(value_of(ticket, "caller"), "cccccccccccccccccccccccccccccccc");
	assert_string_equal(value_of(ticket, "priority"), "3");
	ticket = make(&fixture, press, NULL, "sc_task");
	assert_null(value_of(ticket, "caller_id"));
	assert_null(value_of(ticket, "caller"));
	ticket_press_free(press);
	fixture_done(&fixture);
}

/* A new version replaces what was compiled; one that is the same is not looked at again; what
 * an older service cannot read is missing and told. */
static void test_versions(void **state)
{
	static const char *const texts[] = {
		"{\"columns\":{\"u_x\":\"\\\"one\\\" + \\\"\\\"\"}}",
		"{\"columns\":{\"u_x\":\"\\\"two\\\" + \\\"\\\"\"}}",
		"{\"columns\":{\"state\":\"1\"}}"
	};
	static const char *const values[] = { "one", "two", NULL };
	struct ticket_press *press = ticket_press_new(jq_test_settings(JQ_PATIENT_MS));
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, "defender", "execution");
	for (uint64_t i = 0; i < 3; i++) {
		struct program_set *set = program_set_new();
		struct ticket *ticket;

		program_set_add(set, "template:t", texts[i], strlen(texts[i]));
		ticket_press_load(press, set, i + 1);
		const struct templates *before = ticket_press_templates(press);

		ticket_press_load(press, set, i + 1);
		assert_ptr_equal(ticket_press_templates(press), before);
		program_set_free(set);
		for (int round = 0; round < 2; round++) {
			ticket = make(&fixture, press, "t", "incident");
			if (values[i])
				assert_string_equal(value_of(ticket, "u_x"), values[i]);
		}
		assert_int_equal(ticket->problem_count, values[i] ? 0 : 1);
		if (!values[i])
			assert_string_equal(ticket->problems[0].column, "template");
	}
	ticket_press_free(press);
	fixture_done(&fixture);
}

/* Without a child there is still a ticket. */
static void test_without_jq(void **state)
{
	const struct jq_settings nowhere = { .child = (char[]){ "/nonexistent/tocsin-jq" },
					     .deadline_ms = 500 };
	struct ticket_press *press = ticket_press_new(&nowhere);
	struct templates *templates = templates_new();
	static const char text[] =
	    "{\"columns\":{\"u_x\":\"1+1\",\"impact\":\"1+1\",\"u_y\":\"5\"}}";
	struct fixture fixture;
	struct ticket *ticket;

	(void)state;
	fixture_init(&fixture, "defender", "execution");
	templates_add(templates, template_decode("t", text, strlen(text), "t", NULL));
	ticket_press_use(press, templates);
	ticket = make(&fixture, press, "t", "incident");
	assert_int_equal(ticket->problem_count, 2);
	assert_string_equal(value_of(ticket, "u_y"), "5");
	assert_string_equal(value_of(ticket, "impact"), "2");
	assert_null(value_of(ticket, "u_x"));
	ticket_press_free(press);
	fixture_done(&fixture);
}

/* The names that the check of a file goes by are those that there are. */
static void test_names_of_facts(void **state)
{
	struct sheet *sheet = calloc(1, sizeof(*sheet));
	struct fixture fixture;
	const char *ignored;

	(void)state;
	fixture_init(&fixture, "defender", "execution");
	for (int note = 0; note < 2; note++) {
		const char *const *names = note ? sheet_note_names : sheet_ticket_names;
		size_t count = 0;

		if (note)
			sheet_of_note(sheet, &fixture.incident, fixture.customer,
				      fixture.arena);
		else
			sheet_of_ticket(sheet, &fixture.facts, "incident", NULL, fixture.arena);
		for (; names[count]; count++) {
			if (strcmp(names[count], "observables") != 0 &&
			    !sheet_find(sheet, names[count], &ignored))
				fail_msg("%s", names[count]);
		}
		assert_int_equal(count, sheet->count + (note ? 0 : 1));
	}
	free(sheet);
	fixture_done(&fixture);
}

static void test_priority_of_pairs(void **state)
{
	static const unsigned want[3][3] = { { 1, 2, 3 }, { 2, 3, 4 }, { 3, 4, 5 } };

	(void)state;
	for (unsigned impact = 1; impact <= 3; impact++) {
		for (unsigned urgency = 1; urgency <= 3; urgency++) {
			const struct customer_priority pair = { impact, urgency };

			assert_int_equal(sheet_priority(&pair), want[impact - 1][urgency - 1]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	       cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_what_is_fixed),  cmocka_unit_test(test_tables),
		cmocka_unit_test(test_versions),       cmocka_unit_test(test_without_jq),
		cmocka_unit_test(test_names_of_facts), cmocka_unit_test(test_priority_of_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
