/* The client against the real child: good programs, and bad ones of every kind. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "jq_child.h"

/* Its memory is not limited there, and a program that eats it is late instead. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

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
	const struct jq_input one = { .value = json(input) };
	struct jq_result result;
	struct err err = { 0 };

	if (!jq_run(jq, program, &one, 1, &result, &err))
		fail_msg("%s", err.text);
	return result;
}

static void check_result(const char *what, const struct jq_result *result,
			 enum jq_outcome outcome, const char *text)
{
	if (result->outcome != outcome || (text && !strstr(result->text, text)))
		fail_msg("%s: %s \"%s\", not %s \"%s\"", what, jq_outcome_name(result->outcome),
			 result->text, jq_outcome_name(outcome), text ? text : "");
	assert_int_equal(result->size, strlen(result->text));
}

static int set_up(void **state)
{
	*state = jq_new(jq_test_settings(JQ_PATIENT_MS));
	return 0;
}

static int set_up_hasty(void **state)
{
	*state = jq_new(jq_test_settings(JQ_HASTY_MS));
	return 0;
}

static int tear_down(void **state)
{
	jq_free(*state);
	return 0;
}

/* ---- what programs give ---- */

struct example {
	const char *program, *input;
	enum jq_outcome outcome;
	const char *text; /* part of it; NULL: any */
};

static void check_examples(struct jq *jq, const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int program = must_add(jq, examples[i].program, NULL);
		struct jq_result result = run_one(jq, program, examples[i].input);

		check_result(examples[i].program, &result, examples[i].outcome,
			     examples[i].text);
		jq_remove(jq, program);
	}
}

static void test_results(void **state)
{
	static const struct example examples[] = {
		{ ".a", "{\"a\":[1,\"x\",null]}", JQ_RESULT, "[1,\"x\",null]" },
		{ "def f: .a; f # the end", "{\"a\":1}", JQ_RESULT, "1" },
		{ ".", "{\"a\":\"\\u0000\\ud83d\\ude00\"}", JQ_RESULT,
		  "\xef\xbf\xbd\xf0\x9f\x98\x80" },
		{ ".a.b", "{\"a\":1}", JQ_ERROR, "Cannot index number" },
		{ "error(\"not mine\")", "{}", JQ_ERROR, "not mine" },
		{ "error({a: 1})", "{}", JQ_ERROR, "{\"a\":1}" },
		{ "empty", "{}", JQ_NOTHING, "gave no result" },
		{ "1, 2", "{}", JQ_SEVERAL, "more than one" },
		{ "repeat(1)", "{}", JQ_SEVERAL, "more than one" },
		{ "1, error(\"late\")", "{}", JQ_ERROR, "late" },
		{ "null", "{}", JQ_RESULT, "null" },
		{ ".", "{\"a\":", JQ_ERROR, "JSON" },
		{ ".", "1 2", JQ_ERROR, "JSON" },
		{ "\"x\" * 2000000", "{}", JQ_TOO_LARGE, "1 MiB" },
	};

	check_examples(*state, examples, sizeof examples / sizeof examples[0]);
}

/* What jq has for the command line finds nothing here, and harms nothing. */
static void test_nothing_to_find(void **state)
{
	static const struct example examples[] = {
		{ "env", "{}", JQ_RESULT, "{}" },
		{ "$ENV", "{}", JQ_RESULT, "{}" },
		{ "env.PATH", "{}", JQ_RESULT, "null" },
		{ "input_filename", "{}", JQ_RESULT, "null" },
		{ "input_line_number", "{}", JQ_RESULT, NULL },
		{ "input", "{}", JQ_ERROR, NULL },
		{ "[inputs]", "{}", JQ_RESULT, "[]" },
		{ "debug", "{}", JQ_RESULT, "{}" },
		{ "stderr", "{}", JQ_RESULT, "{}" },
		{ "reduce range(100000) as $i (.; stderr)", "{}", JQ_RESULT, "{}" },
		{ "halt", "{}", JQ_ERROR, "halt" },
		{ "\"bye\" | halt_error", "{}", JQ_ERROR, "halt" },
		{ "get_search_list", "{}", JQ_RESULT, "[]" },
		{ "\"/etc/passwd\" | modulemeta", "{}", JQ_ERROR, NULL },
		{ "$__loc__.line", "{}", JQ_RESULT, NULL },
		{ "now > 1700000000", "{}", JQ_RESULT, "true" },
		{ "0 | todate", "{}", JQ_RESULT, "1970-01-01T00:00:00Z" },
		{ "[1, 5, 3] | sort | . == [1, 3, 5]", "{}", JQ_RESULT, "true" },
		{ "[limit(3; repeat(1))]", "{}", JQ_RESULT, "[1,1,1]" },
		{ "try getpath([\"a\", \"b\", 0]) catch 1", "{\"a\":5}", JQ_RESULT, "1" },
	};

	check_examples(*state, examples, sizeof examples / sizeof examples[0]);
}

/* ---- programs that end their process ---- */

struct evil {
	const char *program;
	enum jq_outcome outcome, other; /* on a busy machine any may be late instead */
};

static void test_evil(void **state)
{
	static const struct evil evil[] = {
		{ "def f: f; f", JQ_DEADLINE, JQ_DEADLINE },
		{ "def f: 1 + f; f", JQ_MEMORY, JQ_MEMORY },
		{ "\"x\" * 1e9", JQ_MEMORY, JQ_MEMORY },
		{ "[limit(1e9; repeat(1))]", JQ_MEMORY, JQ_MEMORY },
		{ "last(range(1e12))", JQ_DEADLINE, JQ_DEADLINE },
		{ "[range(1e9)]", JQ_MEMORY, JQ_MEMORY },
		{ "reduce range(1e9) as $i (\"\"; . + \"xxxxxxxxxxxxxxxx\")", JQ_MEMORY,
		  JQ_MEMORY },
		{ "reduce range(1e6) as $i (0; [.])", JQ_DIED, JQ_MEMORY },
		{ "1, (def f: f; f)", JQ_DEADLINE, JQ_DEADLINE },
		{ "(\"a\" * 40 + \"b\") | test(\"^(a|a|aa)+$\")", JQ_ERROR, JQ_DEADLINE },
	};
	struct jq *jq = *state;
	int good = must_add(jq, ".n", NULL);
	size_t refused = 0;

	for (size_t i = 0; i < sizeof evil / sizeof evil[0]; i++) {
		int program = jq_add(jq, "evil.jq", evil[i].program, NULL, NULL);
		struct jq_result result;

		if (program < 0) { /* jq 1.7 computes constants when it compiles */
			refused++;
			continue;
		}
		result = run_one(jq, program, "{}");

		if (result.outcome != evil[i].outcome && result.outcome != evil[i].other &&
		    result.outcome != JQ_DEADLINE &&
		    !(SANITIZED && result.outcome != JQ_RESULT))
			fail_msg("%s: %s \"%s\"", evil[i].program,
				 jq_outcome_name(result.outcome), result.text);
		result = run_one(jq, good, "{\"n\":7}");
		check_result("good after evil", &result, JQ_RESULT, "7");
		jq_remove(jq, program);
	}
	assert_true(refused <= 1);
}

/* In a batch: the culprits alone have a reason, whatever they did, and order is kept. */
static void test_culprits_in_a_batch(void **state)
{
	enum { COUNT = 150 };
	static const char program[] =
	    "if .bad == \"loop\" then def f: f; f elif .bad == \"eat\" then def g: 1 + g; g "
	    "elif .bad == \"fail\" then error(\"no\") elif .bad == \"many\" then 1, 2 "
	    "else .n end";
	struct jq *jq = *state;
	struct jq_input inputs[COUNT];
	struct jq_result results[COUNT];
	char texts[COUNT][48];
	struct err err = { 0 };
	int number = must_add(jq, program, NULL);

	for (size_t i = 0; i < COUNT; i++) {
		const char *bad = i == 3     ? "loop"
				  : i == 70  ? "eat"
				  : i == 71  ? "fail"
				  : i == 149 ? "many"
					     : "";
		snprintf(texts[i], sizeof texts[i], "{\"n\":%zu,\"bad\":\"%s\"}", i, bad);
		inputs[i] = (struct jq_input){ .value = json(texts[i]) };
	}
	assert_true(jq_run(jq, number, inputs, COUNT, results, &err));
	for (size_t i = 0; i < COUNT; i++) {
		char wanted[24];

		snprintf(wanted, sizeof wanted, "%zu", i);
		if (i == 3)
			check_result("loop", &results[i], JQ_DEADLINE, "did not end within");
		else if (i == 70 && results[i].outcome != JQ_DEADLINE) /* busy machine */
			check_result("eat", &results[i], JQ_MEMORY, "memory");
		else if (i == 71)
			check_result("fail", &results[i], JQ_ERROR, "no");
		else if (i == 149)
			check_result("many", &results[i], JQ_SEVERAL, NULL);
		else if (i != 70) {
			assert_int_equal(results[i].outcome, JQ_RESULT);
			assert_string_equal(results[i].text, wanted);
		}
	}
}

/* A program that ends its process every time is not tried on all of them. */
static void test_patience(void **state)
{
	enum { COUNT = 100 };
	struct jq *jq = *state;
	struct jq_input inputs[COUNT];
	struct jq_result results[COUNT];
	struct err err = { 0 };
	int number = must_add(jq, "if . > 0 then def f: f; f else . end", NULL);

	for (size_t i = 0; i < COUNT; i++)
		inputs[i] = (struct jq_input){ .value = json(i == 0 || i == 3 ? "0" : "1") };
	assert_true(jq_run(jq, number, inputs, COUNT, results, &err));
	for (size_t i = 0; i < COUNT; i++) {
		bool good = i == 0 || i == 3;

		assert_int_equal(results[i].outcome, good		    ? JQ_RESULT
						     : i <= 3 + JQ_PATIENCE ? JQ_DEADLINE
									    : JQ_SKIPPED);
	}
	inputs[0].value = json("0");
	assert_true(jq_run(jq, number, inputs, 1, results, &err));
	assert_int_equal(results[0].outcome, JQ_RESULT);
}

/* ---- programs that are refused ---- */

static void test_refused(void **state)
{
	static const struct {
		const char *program, *message;
	} cases[] = {
		{ ".a |\n  .b ==\n  @@", "test.jq:3: syntax error" },
		{ "foo", "test.jq:1: foo/0 is not defined" },
		{ "# one\n\n.a | bar(1)", "test.jq:3: bar/1 is not defined" },
		{ ".a |", "test.jq:1: syntax error, the program is not complete" },
		{ "{\n  a: 1,\n  b: (2\n}\n", "test.jq:4: syntax error" },
		{ "[1,\n2\n", "test.jq:2: syntax error, the program is not complete" },
		{ "", "test.jq:1: syntax error" },
		{ "include \"x\"; .", "test.jq:1: syntax error" },
		{ "import \"/etc/passwd\" as $x; .", "test.jq:1: syntax error" },
		{ "$customer.id", "test.jq:1: $customer is not defined" },
		{ "{(\"a\"): }", "test.jq:1: syntax error" },
	};
	struct jq *jq = *state;
	int good = must_add(jq, ".", NULL);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err err = { 0 };
		int program = jq_add(jq, "test.jq", cases[i].program, NULL, &err);

		assert_int_equal(program, -1);
		assert_int_equal(err.kind, ERR_PERMANENT);
		if (strncmp(err.text, cases[i].message, strlen(cases[i].message)) != 0)
			fail_msg("\"%s\", not \"%s\"", err.text, cases[i].message);
	}
	struct jq_result result = run_one(jq, good, "1");
	check_result("good after refused", &result, JQ_RESULT, "1");
}

static void test_no_child(void **state)
{
	const struct jq_settings nowhere = { .child = (char[]){ "/nonexistent/tocsin-jq" } };
	const struct jq_settings another = { .child = (char[]){ "/bin/true" } };
	struct err err = { 0 };
	struct jq *jq = jq_new(&nowhere);

	(void)state;
	assert_int_equal(jq_add(jq, "a", ".", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_TRANSIENT);
	assert_non_null(strstr(err.text, "/nonexistent/tocsin-jq"));
	jq_free(jq);
	jq = jq_new(&another);
	assert_int_equal(jq_add(jq, "a", ".", NULL, &err), -1);
	jq_free(jq);
	jq_free(NULL);
}

/* ---- inputs ---- */

static void test_variables(void **state)
{
	static const char *const names[] = { "customer", "facts", NULL };
	struct jq *jq = *state;
	int program = must_add(jq, "[.n, $customer.id, $facts]", names);
	const struct jq_input inputs[] = {
		{ json("{\"n\":1}"), { json("{\"id\":\"acme\"}"), json("[1]") } },
		{ json("{\"n\":2}"), { json("{\"id\":\"acme\"}"), json("[2]") } },
		{ json("{\"n\":3}"), { json("{\"id\":\"other\"}"), json("[2]") } },
		{ json("{\"n\":4}"), { json("not JSON"), json("[2]") } },
		{ json("{\"n\":5}"), { json("{\"id\":\"acme\"}"), json("null") } },
	};
	static const char *const wanted[] = { "[1,\"acme\",[1]]", "[2,\"acme\",[2]]",
					      "[3,\"other\",[2]]", NULL, "[5,\"acme\",null]" };
	struct jq_result results[5];
	struct err err = { 0 };

	assert_true(jq_run(jq, program, inputs, 5, results, &err));
	for (size_t i = 0; i < 5; i++)
		check_result("variables", &results[i], wanted[i] ? JQ_RESULT : JQ_ERROR,
			     wanted[i]);
}

/* Beyond 2^53 a number is a text, and exact. */
static void test_ids(void **state)
{
	static const struct example examples[] = {
		{ ".id", "{\"id\":6159251516445163587}", JQ_RESULT, "\"6159251516445163587\"" },
		{ ".id", "{\"id\":9007199254740992}", JQ_RESULT, "9007199254740992" },
		{ ".id", "{\"id\":-9007199254740993}", JQ_RESULT, "\"-9007199254740993\"" },
		{ "[.[] | tostring]", "[18446744073709551615,12]", JQ_RESULT,
		  "[\"18446744073709551615\",\"12\"]" },
		{ ".[0] == .[1]", "[6159251516445163587,6159251516445163588]", JQ_RESULT,
		  "false" },
	};

	check_examples(*state, examples, sizeof examples / sizeof examples[0]);
}

static void test_many(void **state)
{
	enum { COUNT = 10000 };
	struct jq *jq = *state;
	struct jq_input *inputs = xcalloc(COUNT, sizeof *inputs);
	struct jq_result *results = xcalloc(COUNT, sizeof *results);
	char(*texts)[32] = xcalloc(COUNT, sizeof *texts);
	struct err err = { 0 };
	int program = must_add(jq, ".n * 2", NULL);

	for (size_t i = 0; i < COUNT; i++) {
		snprintf(texts[i], sizeof texts[i], "{\"n\":%zu}", i);
		inputs[i].value = json(texts[i]);
	}
	assert_true(jq_run(jq, program, inputs, COUNT, results, &err));
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(results[i].outcome, JQ_RESULT);
		assert_int_equal(strtoul(results[i].text, NULL, 10), 2 * i);
	}
	free(inputs);
	free(results);
	free(texts);
}

static void test_large(void **state)
{
	struct jq *jq = *state;
	int program = must_add(jq, "length", NULL);
	struct jq_input inputs[12] = { 0 };
	struct jq_result results[12];
	struct err err = { 0 };
	size_t size = 900000;
	char *text = xmalloc(JQ_INPUT_BYTES + 3);

	memset(text, 'x', JQ_INPUT_BYTES + 3);
	text[0] = text[size - 1] = '"';
	text[JQ_INPUT_BYTES + 1] = '"';
	for (size_t i = 0; i < 12; i++)
		inputs[i].value = (struct jq_json){ text, size };
	inputs[5].value.size = JQ_INPUT_BYTES + 2;
	assert_true(jq_run(jq, program, inputs, 12, results, &err));
	for (size_t i = 0; i < 12; i++)
		check_result("large", &results[i], i == 5 ? JQ_TOO_LARGE : JQ_RESULT,
			     i == 5 ? "4 MiB" : "899998");
	free(text);
}

static void test_numbers_of_programs(void **state)
{
	struct jq *jq = *state;
	int first = must_add(jq, "1", NULL), second = must_add(jq, "2", NULL);
	struct jq_result result;

	assert_int_not_equal(first, second);
	jq_remove(jq, first);
	jq_remove(jq, first);
	jq_remove(jq, -1);
	jq_remove(jq, 500);
	assert_int_equal(must_add(jq, "3", NULL), first);
	result = run_one(jq, second, "0");
	check_result("second", &result, JQ_RESULT, "2");
	result = run_one(jq, first, "0");
	check_result("third", &result, JQ_RESULT, "3");
}

/* ---- the child ---- */

/* Somebody kills it between two batches, and in the middle of one: neither is an input's fault.
 */
static void test_killed(void **state)
{
	struct jq *jq = *state;
	int program = must_add(jq, ".", NULL);

	kill(jq_child_pid(jq), SIGKILL);
	struct jq_result result = run_one(jq, program, "1");
	check_result("killed before", &result, JQ_RESULT, "1");
}

static void *kill_later(void *opaque)
{
	const int *pid = opaque;
	const struct timespec soon = { .tv_nsec = 100 * 1000 * 1000 };

	nanosleep(&soon, NULL);
	kill(*pid, SIGKILL);
	return NULL;
}

static void test_killed_meanwhile(void **state)
{
	struct jq *jq = *state;
	/* Some 0.4 s of work; more than the deadline in no build. */
	int program = must_add(jq, "last(range(. * 100000))", NULL);
	int pid = jq_child_pid(jq);
	pthread_t killer;

	assert_int_equal(pthread_create(&killer, NULL, kill_later, &pid), 0);
	struct jq_result result = run_one(jq, program, SANITIZED ? "5" : "30");
	pthread_join(killer, NULL);
	check_result("killed meanwhile", &result, JQ_RESULT, "99999");
	assert_int_not_equal(jq_child_pid(jq), pid);
}

static bool is_alive(int pid)
{
	char path[40], line[256] = "";

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");
	bool alive = file && fgets(line, sizeof line, file) && !strstr(line, ") Z ");
	if (file)
		fclose(file);
	return alive;
}

static void wait_gone(int pid)
{
	const struct timespec nap = { .tv_nsec = 5 * 1000 * 1000 };

	for (int i = 0; i < 2000 && is_alive(pid); i++)
		nanosleep(&nap, NULL);
	assert_false(is_alive(pid));
}

/* However our process ends, and whatever the child is at, it does not live on. */
static void test_no_orphan(void **state)
{
	int fds[2], child = 0;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid_t parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		struct jq *jq = jq_new(jq_test_settings(JQ_PATIENT_MS));
		int program = must_add(jq, "def f: f; f", NULL);
		int pid = jq_child_pid(jq);
		const struct jq_input input = { .value = json("1") };
		struct jq_result result;

		if (write(fds[1], &pid, sizeof pid) == (ssize_t)sizeof pid)
			jq_run(jq, program, &input, 1, &result, NULL);
		_exit(0);
	}
	assert_int_equal(read(fds[0], &child, sizeof child), sizeof child);
	assert_true(is_alive(child));
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	wait_gone(child);
	close(fds[0]);
	close(fds[1]);
}

/* Nothing of ours reaches it: no file, no name, no limit that it could lift. */
static void test_confined(void **state)
{
	struct jq *jq = *state;
	char path[64], target[256];
	int fds = 0, leak = dup(STDERR_FILENO); /* without close-on-exec */

	must_add(jq, ".", NULL);
	for (int fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d", jq_child_pid(jq), fd);
		fds += readlink(path, target, sizeof target) >= 0;
	}
	/* It is closed to others: without the right to trace, not even this can be seen. */
	assert_true(fds == 3 || (fds == 0 && kill(jq_child_pid(jq), 0) == 0));
	close(leak);
	snprintf(path, sizeof path, "/proc/%d/environ", jq_child_pid(jq));
	FILE *file = fopen(path, "r");
	assert_true(!file || fgetc(file) == EOF);
	if (file)
		fclose(file);
}

static bool twice(void *opaque)
{
	return (*(int *)opaque)++ < 2;
}

static void test_stopping(void **state)
{
	struct jq *jq = *state;
	int program = must_add(jq, "def f: f; f", NULL), asked = 0;
	struct jq_input inputs[10];
	struct jq_result results[10];
	struct err err = { 0 };

	for (size_t i = 0; i < 10; i++)
		inputs[i] = (struct jq_input){ .value = json("1") };
	jq_watch(jq, twice, &asked);
	assert_false(jq_run(jq, program, inputs, 10, results, &err));
	assert_int_equal(err.kind, ERR_STOPPING);
	assert_int_equal(asked, 3);
}

/* ---- threads ---- */

static void *use(void *opaque)
{
	struct jq *jq = jq_new(jq_test_settings(JQ_PATIENT_MS));
	int program = jq_add(jq, "thread.jq", ". + 1", NULL, NULL);
	size_t *good = opaque;

	for (int i = 0; program >= 0 && i < 50; i++) {
		const struct jq_input input = { .value = json("41") };
		struct jq_result result;

		if (i % 10 == 9)
			kill(jq_child_pid(jq), SIGKILL);
		if (jq_run(jq, program, &input, 1, &result, NULL) &&
		    strcmp(result.text, "42") == 0)
			(*good)++;
	}
	jq_free(jq);
	return NULL;
}

static void test_threads(void **state)
{
	enum { THREADS = 6 };
	pthread_t threads[THREADS];
	size_t good[THREADS] = { 0 };

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, &good[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(good[i], 50);
	}
}

#define TEST(function)	cmocka_unit_test_setup_teardown(function, set_up, tear_down)
#define HASTY(function) cmocka_unit_test_setup_teardown(function, set_up_hasty, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_results),
		TEST(test_nothing_to_find),
		HASTY(test_evil),
		HASTY(test_culprits_in_a_batch),
		HASTY(test_patience),
		TEST(test_refused),
		TEST(test_variables),
		TEST(test_ids),
		TEST(test_many),
		TEST(test_large),
		TEST(test_numbers_of_programs),
		TEST(test_killed),
		TEST(test_killed_meanwhile),
		TEST(test_confined),
		HASTY(test_stopping),
		cmocka_unit_test(test_no_child),
		cmocka_unit_test(test_no_orphan),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
