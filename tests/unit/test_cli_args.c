/* The command line: options, operands, suggestions, and no secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/args.h"
#include "cli/command.h"

static int run_nothing(struct cli *cli)
{
	(void)cli;
	return 0;
}

static const struct command_option options[] = {
	{ "limit", "N", "a number" },
	{ "secret-file", "NAME=FILE", "many", .many = true },
	{ "watch", NULL, "a flag" },
	{ 0 },
};

static const struct command table[] = {
	{ "status", NULL, 0, 0, "status", NULL, options, run_nothing },
	{ "customer add", "ID", 1, 1, "add", NULL, options, run_nothing },
	{ "customer list", NULL, 0, 0, "list", NULL, NULL, run_nothing },
	{ 0 },
};

enum { WORDS = 8 };

struct parsed {
	bool good;
	struct args args;
	struct err err;
};

/* argv is writable, as the kernel's. */
static struct parsed parse(const struct command *command, const char *const *words,
			   char store[WORDS][64])
{
	static struct parsed parsed;
	char *argv[WORDS];
	int count = 0;

	memset(&parsed, 0, sizeof parsed);
	for (; words[count]; count++) {
		snprintf(store[count], 64, "%s", words[count]);
		argv[count] = store[count];
	}
	parsed.good = args_parse(&parsed.args, command, count, argv, &parsed.err);
	return parsed;
}

static void options_stand_anywhere(void **state)
{
	static const char *const spellings[][WORDS] = {
		{ "acme", "--limit", "5", "--watch", NULL },
		{ "--limit=5", "acme", "--watch", NULL },
		{ "--watch", "--limit", "5", "--", "acme", NULL },
	};
	char store[WORDS][64];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct parsed parsed = parse(&table[1], spellings[i], store);
		uint64_t limit;

		assert_true(parsed.good);
		assert_string_equal(args_operand(&parsed.args, 0), "acme");
		assert_null(args_operand(&parsed.args, 1));
		assert_string_equal(args_value(&parsed.args, "limit"), "5");
		assert_true(args_flag(&parsed.args, "watch"));
		assert_true(args_number(&parsed.args, "limit", 1, 10, 7, &limit, NULL));
		assert_int_equal(limit, 5);
	}
}

static void repeatable_options_keep_their_order(void **state)
{
	static const char *const words[] = { "acme", "--secret-file", "a=1",
					     "--secret-file=b=2", NULL };
	char store[WORDS][64];
	struct parsed parsed = parse(&table[1], words, store);

	(void)state;
	assert_true(parsed.good);
	assert_string_equal(args_each(&parsed.args, "secret-file", 0), "a=1");
	assert_string_equal(args_each(&parsed.args, "secret-file", 1), "b=2");
	assert_null(args_each(&parsed.args, "secret-file", 2));
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *words[WORDS];
		const char *says;
	} cases[] = {
		{ { "acme", "--limt", "5", NULL }, "did you mean --limit?" },
		{ { "acme", "--jsn", NULL }, "did you mean --json?" },
		{ { "acme", "--zzzzzzzz", NULL }, "see tocsin help customer add" },
		{ { "acme", "--limit", NULL }, "--limit needs a value: --limit N" },
		{ { "acme", "--watch=1", NULL }, "--watch takes no value" },
		{ { "acme", "--limit=1", "--limit=2", NULL }, "--limit was given twice" },
		{ { "acme", "other", NULL }, "'other' is one argument too many" },
		{ { NULL }, "usage: tocsin customer add ID" },
		{ { "acme", "-l", NULL }, "options have two dashes" },
	};
	char store[WORDS][64];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct parsed parsed = parse(&table[1], cases[i].words, store);

		assert_false(parsed.good);
		if (!strstr(parsed.err.text, cases[i].says))
			fail_msg("case %zu: '%s' lacks '%s'", i, parsed.err.text,
				 cases[i].says);
	}
}

static void secrets_are_refused_and_wiped(void **state)
{
	static const char *const cases[][WORDS] = {
		{ "acme", "--password", "hunter2hunter2", NULL },
		{ "acme", "--api-key=hunter2hunter2", NULL },
		{ "acme", "--servicenow-secret", "hunter2hunter2", NULL },
		{ "acme", "--token=hunter2hunter2", NULL },
		{ "acme", "--client_secret", "hunter2hunter2", NULL },
		{ "acme", "--key", "hunter2hunter2", NULL },
	};
	char store[WORDS][64];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memset(store, 0, sizeof store);
		struct parsed parsed = parse(&table[1], cases[i], store);

		assert_false(parsed.good);
		assert_non_null(strstr(parsed.err.text, "--secret-file"));
		assert_null(strstr(parsed.err.text, "hunter2"));
		for (size_t k = 0; k < WORDS; k++)
			assert_null(strstr(store[k], "hunter2"));
	}
	assert_false(args_looks_secret("limit"));
	assert_false(args_looks_secret("keep"));
}

static void numbers_have_bounds(void **state)
{
	static const char *const wrong[] = {
		"0", "11", "-1", "5x", "", "99999999999999999999"
	};
	char store[WORDS][64];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const char *const words[] = { "acme", "--limit", wrong[i], NULL };
		struct parsed parsed = parse(&table[1], words, store);
		uint64_t limit;

		assert_true(parsed.good);
		assert_false(args_number(&parsed.args, "limit", 1, 10, 7, &limit, &parsed.err));
	}
}

static void commands_are_found_and_suggested(void **state)
{
	char customer[] = "customer", add[] = "add", status[] = "status", lst[] = "lst";
	char *two[] = { customer, add }, *one[] = { status }, *wrong[] = { customer, lst };
	int used;

	(void)state;
	assert_ptr_equal(command_find(table, 2, two, &used), &table[1]);
	assert_int_equal(used, 2);
	assert_ptr_equal(command_find(table, 1, one, &used), &table[0]);
	assert_int_equal(used, 1);
	assert_null(command_find(table, 2, wrong, &used));
	assert_null(command_find(table, 1, two, &used));
	assert_string_equal(command_nearest(table, "customer lst"), "customer list");
	assert_string_equal(command_nearest(table, "statsu"), "status");
	assert_string_equal(command_nearest(table, "custmer"), "customer add");
	assert_null(command_nearest(table, "xyzzy"));
	assert_true(command_is_group(table, "customer"));
	assert_false(command_is_group(table, "custom"));
	assert_false(command_is_group(table, "status"));
}

/* The real table: what the help, the parser and the file format rely on. */
static void the_table_is_sound(void **state)
{
	(void)state;
	for (const struct command *row = commands; row->name; row++) {
		assert_non_null(row->run);
		assert_true(row->operands_min <= row->operands_max);
		assert_true((row->operands != NULL) == (row->operands_max > 0));
		for (const struct command *other = commands; other != row; other++)
			assert_string_not_equal(row->name, other->name);
		for (const struct command_option *o = row->options; o && o->name; o++) {
			assert_true(!o->sets || o->metavar);
			assert_true(strlen(o->help) < 100);
			for (const struct command_option *p = row->options; p != o; p++)
				assert_string_not_equal(o->name, p->name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_anywhere),
		cmocka_unit_test(repeatable_options_keep_their_order),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(secrets_are_refused_and_wiped),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(commands_are_found_and_suggested),
		cmocka_unit_test(the_table_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
