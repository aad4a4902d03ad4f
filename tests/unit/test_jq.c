/* The client against the real child: good programs, and bad ones of every kind. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "jq_child.h"

static struct jq_json json(const char *text)
{
	return (struct jq_json){ text, strlen(text) };
}

static int must_add(struct jq *jq, const char *text, const char *const *variables)
{
	struct err err = { 0 };
	int program = jq_add(jq, "test.jq", text, variables, &err);

	if (program < 0)
		fail_msg("%s", err.text);
	return program;
}

static struct jq_result run_one(struct jq *jq, int program, const char *input)
{
	struct jq_input one = { .value = json(input) };
	struct jq_result result;
	struct err err = { 0 };

	if (!jq_run(jq, program, &one, 1, &result, &err))
		fail_msg("%s", err.text);
	return result;
}

static void check_one(struct jq *jq, const char *program, const char *input,
		      enum jq_outcome outcome, const char *text)
{
	int number = must_add(jq, program, NULL);
	struct jq_result result = run_one(jq, number, input);

	if (result.outcome != outcome || (text && !strstr(result.text, text)))
		fail_msg("%s: %s \"%s\", not %s \"%s\"", program,
			 jq_outcome_name(result.outcome), result.text, jq_outcome_name(outcome),
			 text ? text : "");
	jq_remove(jq, number);
}

/* ---- what programs give ---- */

static void test_results(void **state)
{
	static const struct {
		const char *program, *input;
		enum jq_outcome outcome;
		const char *text;
	} cases[] = {
		{ ".a", "{\"a\":[1,\"x\",null]}", JQ_RESULT, "[1,\"x\",null]" },
		{ "def f: .a; f # the end", "{\"a\":1}", JQ_RESULT, "1" },
		{ ".", "{\"a\":\"\\u0000\\ud83d\\ude00\"}", JQ_RESULT, "\\u0000" },
		{ ".a.b", "{\"a\":1}", JQ_ERROR, "Cannot index number" },
		{ "error(\"not mine\")", "{}", JQ_ERROR, "not mine" },
		{ "error({a: 1})", "{}", JQ_ERROR, "{\"a\":1}" },
		{ "empty", "{}", JQ_NOTHING, NULL },
		{ "1, 2", "{}", JQ_SEVERAL, "more than one" },
		{ "1, error(\"late\")", "{}", JQ_ERROR, "late" },
		{ "null", "{}", JQ_RESULT, "null" },
		{ ".", "{\"a\":", JQ_ERROR, NULL },
		{ ".", "1 2", JQ_ERROR, NULL },
		{ "\"x\" * 2000000", "{}", JQ_TOO_LARGE, "1 MiB" },
	};
	struct jq *jq = jq_new(jq_test_settings());

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_one(jq, cases[i].program, cases[i].input, cases[i].outcome,
			  cases[i].text);
	jq_free(jq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
