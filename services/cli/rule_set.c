/* The rules that a command goes by: those in force, or those of a file. */
#include "rule_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/conf.h"
#include "model/program_set.h"
#include "service/judge.h"
#include "service/programs.h"

static bool load_text(struct judge *judge, const char *text, const char *customers,
		      const char *where, struct err *err)
{
	struct rules *rules = text ? rules_decode(text, strlen(text), where, err) : NULL;

	if (text && !rules)
		return false;
	return judge_load(judge, rules, customers, customers ? strlen(customers) : 0, where,
			  err);
}

static bool load_file(struct judge *judge, const struct directory *directory, const char *path,
		      struct err *err)
{
	char *text = conf_read_file(path, PROGRAM_SET_TEXT_MAX, err);
	char *customers = text ? judge_customers(directory) : NULL;
	bool ok = text && load_text(judge, text, customers, path, err);

	free(customers);
	free(text);
	return ok;
}

static bool load_published(struct judge *judge, struct redis *redis, struct err *err)
{
	struct programs *programs = programs_new();
	uint64_t version;
	const struct program_set *set = programs_get(programs, redis, &version, err);
	bool ok = set != NULL;

	if (ok) {
		const struct program_set_item *text = program_set_find(set, "rules");
		const struct program_set_item *customers =
		    program_set_find(set, "rules.customers");

		ok = load_text(judge, text ? text->text : NULL,
			       customers ? customers->text : NULL, "rules.json", err);
	}
	programs_put(programs, set);
	programs_free(programs);
	return ok;
}

bool rule_set_load(struct judge *judge, struct redis *redis, const struct directory *directory,
		   const char *path, struct err *err)
{
	return path ? load_file(judge, directory, path, err)
		    : load_published(judge, redis, err);
}
