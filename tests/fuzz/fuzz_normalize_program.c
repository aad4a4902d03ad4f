/* Any JSON as what a source's jq program returned: a finding that can be read, or a reason. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "normalize/normalize.h"

static void check(const struct finding *finding, struct arena *arena)
{
	struct finding_view view;
	const struct json_node *root =
	    json_tree_parse(finding->payload, finding->payload_size, arena, NULL);
	int64_t number;

	if (!root || !finding_view(&view, finding->payload, finding->payload_size, arena, NULL))
		abort();
	if (!json_tree_int(json_tree_get(root, "class_uid"), &number) ||
	    number != FINDING_CLASS_UID || !view.title)
		abort();
	if (strlen(finding->group) != 16 || finding->severity_id < 0 ||
	    finding->severity_id > SEVERITY_OTHER)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char payload[] = "{\"id\":9007199254740993,\"text\":\"as it came\"}";
	static struct normalizer *normalizer;
	static struct normalize_scratch *scratch;
	struct arena *arena = arena_new();
	const struct raw raw = { .customer = "acme",
				 .source = "web",
				 .event_id = "9007199254740993",
				 .observed_ms = 1763750000000,
				 .trace = "",
				 .asked = "",
				 .payload = payload,
				 .payload_size = sizeof payload - 1 };
	const struct normalize_result result = { (const char *)data, size };
	struct finding finding;
	struct err err = { 0 };
	const char *skip;

	if (!normalizer) {
		normalizer = normalizer_new(NORMALIZE_GROUPING, NULL);
		scratch = normalize_scratch_new();
	}
	switch (normalize_mapped(normalizer, &raw, &result, scratch, arena, &finding, &skip,
				 &err)) {
	case NORMALIZE_FINDING:
		check(&finding, arena);
		break;
	case NORMALIZE_SKIP:
		if (!skip || skip[0] == '\0')
			abort();
		break;
	case NORMALIZE_REFUSE:
		if (err.kind != ERR_PERMANENT || err.text[0] == '\0')
			abort();
		break;
	}
	arena_free(arena);
	return 0;
}
