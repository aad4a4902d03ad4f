/* What becomes of what a source's jq program returned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "model/json_tree.h"
#include "normalize/normalize.h"

#define FULL "\"class_uid\":2004,\"severity_id\":4,\"finding_info\":{\"title\":\"t\"}"

struct answer {
	enum normalize_verdict verdict;
	struct finding finding;
	const char *skip;
	struct err err;
};

static const char payload[] = "{\"id\":9007199254740993,\"left\":{\"a\":[true,null]}}";

static struct answer normalize_text(const char *result, const char *customer,
				    struct arena *arena)
{
	struct normalizer *normalizer = normalizer_new(NORMALIZE_GROUPING, NULL);
	struct normalize_scratch *scratch = normalize_scratch_new();
	struct answer answer = { 0 };
	const struct raw raw = { .customer = customer,
				 .source = "web",
				 .event_id = "9007199254740993",
				 .observed_ms = 1763750000000,
				 .trace = "",
				 .asked = "",
				 .payload = payload,
				 .payload_size = sizeof payload - 1 };
	const struct normalize_result value = { result, strlen(result) };

	answer.verdict = normalize_mapped(normalizer, &raw, &value, scratch, arena,
					  &answer.finding, &answer.skip, &answer.err);
	normalize_scratch_free(scratch);
	normalizer_free(normalizer);
	return answer;
}

struct verdict_case {
	const char *result;
	enum normalize_verdict verdict;
	const char *words; /* of the finding, why it is none, or what is wrong */
};

static const struct verdict_case verdicts[] = {
	{ "null", NORMALIZE_SKIP, "program" },
	{ "\"only a heartbeat\"", NORMALIZE_SKIP, "only a heartbeat" },
	{ "\"\"", NORMALIZE_REFUSE, "neither" },
	{ "7", NORMALIZE_REFUSE, "neither" },
	{ "[]", NORMALIZE_REFUSE, "neither" },
	{ "{}", NORMALIZE_REFUSE, "no title" },
	{ "{\"title\":\"\"}", NORMALIZE_REFUSE, "no title" },
	{ "{\"title\":7,\"severity\":1}", NORMALIZE_REFUSE, "no title" },
	{ "{\"title\":\"t\"}", NORMALIZE_REFUSE, "severity must be" },
	{ "{\"title\":\"t\",\"severity\":\"bad\"}", NORMALIZE_REFUSE, "severity must be" },
	{ "{\"title\":\"t\",\"severity\":7}", NORMALIZE_REFUSE, "severity must be" },
	{ "{\"title\":\"t\",\"severity\":1,\"hots\":\"h\"}", NORMALIZE_REFUSE,
	  "unknown member hots" },
	{ "{\"title\":\"t\",\"severity\":1,\"host\":{\"nam\":1}}", NORMALIZE_REFUSE,
	  "unknown member host.nam" },
	{ "{\"title\":\"t\",\"severity\":1,\"evidences\":[{\"sha\":1}]}", NORMALIZE_REFUSE,
	  "unknown member evidences.sha" },
	{ "{\"title\":\"t\",\"severity\":\"Critical\"}", NORMALIZE_FINDING,
	  "\"severity_id\":5" },
	{ "{\"title\":\"t\",\"severity\":6}", NORMALIZE_FINDING, "\"severity_id\":6" },
	/* what has another form counts as absent */
	{ "{\"title\":\"t\",\"severity\":0,\"host\":null,\"user\":7,\"time\":\"now\"}",
	  NORMALIZE_FINDING, "\"time\":1763750000000" },
	{ "{\"title\":\"t\",\"severity\":1,\"time\":1795283883}", NORMALIZE_FINDING,
	  "\"time\":1795283883000" },
	{ "{\"title\":\"t\",\"severity\":1,\"time\":1795283883.25}", NORMALIZE_FINDING,
	  "\"time\":1795283883250" },
	{ "{\"title\":\"t\",\"severity\":1,\"time\":1795283883417}", NORMALIZE_FINDING,
	  "\"time\":1795283883417" },
	{ "{\"title\":\"t\",\"severity\":1,\"status\":\"resolved\"}", NORMALIZE_FINDING,
	  "\"status\":\"Resolved\"" },
	{ "{\"title\":\"t\",\"severity\":1,\"disposition\":\"blocked\"}", NORMALIZE_FINDING,
	  "\"disposition\":\"Blocked\"" },
	{ "{\"title\":\"t\",\"severity\":1,\"disposition\":\"tarpitted\"}", NORMALIZE_FINDING,
	  "\"disposition\":\"tarpitted\"" },
	{ "{\"title\":\"t\",\"severity\":1,\"observables\":[{\"type\":\"ip\","
	  "\"value\":\"192.0.2.7\"}]}",
	  NORMALIZE_FINDING,
	  "{\"name\":\"evidences[0].dst_endpoint.ip\",\"type_id\":2,\"type\":\"IP "
	  "Address\",\"value\":\"192.0.2.7\"}" },
	/* the event is kept as it came, exactly, unless the program says what is */
	{ "{\"title\":\"t\",\"severity\":1}", NORMALIZE_FINDING,
	  "\"unmapped\":{\"id\":9007199254740993,\"left\":{\"a\":[true,null]}}" },
	{ "{\"title\":\"t\",\"severity\":1,\"unmapped\":{\"b\":2}}", NORMALIZE_FINDING,
	  "\"unmapped\":{\"b\":2}}" },
	/* a whole finding */
	{ "{" FULL "}", NORMALIZE_FINDING,
	  "\"finding_info\":{\"uid\":\"9007199254740993\",\"title\":\"t\"}" },
	{ "{" FULL ",\"metadata\":{\"version\":\"1.7.0\",\"original_event_uid\":\"x\"}}",
	  NORMALIZE_FINDING,
	  "\"metadata\":{\"version\":\"1.7.0\",\"original_event_uid\":"
	  "\"9007199254740993\",\"product\":{" },
	{ "{" FULL ",\"activity_id\":2,\"type_uid\":1}", NORMALIZE_FINDING,
	  "\"type_uid\":200402" },
	{ "{" FULL ",\"device\":{\"hostname\":\"h\",\"type_id\":0}}", NORMALIZE_FINDING,
	  "\"device\":{\"hostname\":\"h\",\"type_id\":0}" },
	{ "{" FULL ",\"a\\\"b\":1}", NORMALIZE_REFUSE, "unknown member" },
	{ "{\"class_uid\":2001,\"severity_id\":1}", NORMALIZE_REFUSE,
	  "class_uid must be 2004" },
	{ "{\"class_uid\":2004,\"finding_info\":{\"title\":\"t\"}}", NORMALIZE_REFUSE,
	  "severity_id" },
	{ "{\"class_uid\":2004,\"severity_id\":1}", NORMALIZE_REFUSE, "finding_info.title" },
	{ "{" FULL ",\"time\":\"now\"}", NORMALIZE_REFUSE, "time" },
};

static void test_verdicts(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
		struct answer answer = normalize_text(verdicts[i].result, "acme", arena);
		const char *said = answer.verdict == NORMALIZE_FINDING ? answer.finding.payload
				   : answer.verdict == NORMALIZE_SKIP  ? answer.skip
								       : answer.err.text;

		if (answer.verdict != verdicts[i].verdict || !strstr(said, verdicts[i].words))
			fail_msg("%s: %d %s, not %s", verdicts[i].result, (int)answer.verdict,
				 said, verdicts[i].words);
		if (answer.verdict == NORMALIZE_FINDING)
			assert_non_null(json_tree_parse(
			    answer.finding.payload, answer.finding.payload_size, arena, NULL));
	}
	arena_free(arena);
}

/* Rows of one letter are one group. */
static void test_grouping(void **state)
{
	static const struct {
		char letter;
		const char *customer, *members;
	} cases[] = {
		{ 'a', "acme", "\"host\":\"h\",\"analytic\":{\"uid\":\"7\"}" },
		{ 'a', "acme", "\"host\":\"h\",\"analytic\":{\"uid\":7,\"name\":\"n\"}" },
		{ 'b', "acme", "\"host\":\"i\",\"analytic\":{\"uid\":7}" },
		{ 'c', "other", "\"host\":\"h\",\"analytic\":{\"uid\":7}" },
		{ 'd', "acme", "\"host\":\"h\",\"analytic\":{\"uid\":7},\"group\":\"g\"" },
		{ 'd', "acme", "\"host\":\"h\",\"analytic\":{\"uid\":8},\"group\":\"g\"" },
		{ 'e', "acme", "\"host\":\"h\"" },
		{ 'f', "acme", "\"host\":{\"ip\":\"192.0.2.1\"},\"group\":\"g\"" },
		{ 'g', "acme", "\"host\":{\"ip\":\"192.0.2.2\"},\"group\":\"g\"" },
	};
	enum { COUNT = sizeof cases / sizeof cases[0] };
	struct arena *arena = arena_new();
	const char *groups[COUNT];

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		char result[200];

		snprintf(result, sizeof result, "{\"title\":\"t\",\"severity\":1,%s}",
			 cases[i].members);
		struct answer answer = normalize_text(result, cases[i].customer, arena);
		assert_int_equal(answer.verdict, NORMALIZE_FINDING);
		groups[i] = answer.finding.group;
		for (size_t k = 0; k < i; k++) {
			bool same = strcmp(groups[i], groups[k]) == 0;

			if (same != (cases[i].letter == cases[k].letter))
				fail_msg("%s and %s", cases[i].members, cases[k].members);
		}
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_grouping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
