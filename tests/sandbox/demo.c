/*
 * demo: what the demo shows: three customers of an MSSP. The credentials are in README.md and
 * worth nothing anywhere else.
 */
#include "demo.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/err.h"

#include "generate.h"
#include "sandbox.h"
#include "tests/sandbox/demo.json.h"

static bool apply_all(struct sandbox *sandbox, const json_t *accounts, struct err *err)
{
	size_t i;
	json_t *settings;

	json_array_foreach(accounts, i, settings)
	{
		if (!registry_apply(sandbox->registry, settings, err))
			return false;
	}
	return true;
}

bool demo_start(struct sandbox *sandbox, struct err *err)
{
	json_error_t error;
	json_t *demo = json_loadb(demo_json, sizeof(demo_json) - 1, 0, &error);
	bool ok = demo != NULL;
	size_t i;
	json_t *job;

	if (!ok) {
		err_fill(err, ERR_PERMANENT, "demo.json line %d: %s", error.line, error.text);
		return false;
	}
	ok = apply_all(sandbox, json_object_get(demo, "accounts"), err);
	json_array_foreach(json_object_get(demo, "generate"), i, job) ok =
	    ok && generator_add(sandbox->generator, job, err) != 0;
	json_decref(demo);
	return ok;
}

bool demo_apply(struct sandbox *sandbox, const char *path, struct err *err)
{
	json_error_t error;
	json_t *accounts = json_load_file(path, 0, &error);

	if (!accounts)
		return err_set(err, ERR_PERMANENT, "%s line %d: %s", path, error.line,
			       error.text);
	bool ok = apply_all(sandbox, accounts, err);

	json_decref(accounts);
	return ok;
}
