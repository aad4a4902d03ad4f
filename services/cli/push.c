/* tocsin push add, rotate, remove, show: who may push a customer's events to us. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "callback_draft.h"
#include "change.h"
#include "cli.h"
#include "model/customer_push.h"
#include "model/vault.h"
#include "run.h"

/* The file of one customer, being changed. */
struct work {
	struct cli *cli;
	struct change change;
	const char *customer;
	json_t *draft; /* NULL once the change has it */
	char *secret;  /* made by this run, in the clear */
};

static bool begin(struct work *work, struct cli *cli, struct err *err)
{
	*work = (struct work){ .cli = cli, .customer = args_operand(&cli->args, 0) };
	if (!change_begin(&work->change, cli, err))
		return false;
	const struct store_file *file =
	    store_find(&work->change.store, STORE_CUSTOMER, work->customer);
	if (!file)
		return err_set(err, ERR_PERMANENT, "there is no customer %.60s",
			       work->customer);
	work->draft = change_load(file, err);
	return work->draft != NULL;
}

static bool commit(struct work *work, struct err *err)
{
	char where[64];
	json_t *draft = work->draft;

	snprintf(where, sizeof where, "customers/%.40s.json", work->customer);
	work->draft = NULL;
	return change_add(&work->change, STORE_CUSTOMER, draft, where, err) &&
	       change_commit(&work->change, false, err);
}

static void end(struct work *work)
{
	vault_wipe(work->secret);
	json_decref(work->draft);
	change_done(&work->change);
}

/* ---- what is said ---- */

static json_t *describe(const struct work *work, const json_t *push)
{
	const char *url = work->cli->settings.public_url;
	json_t *sources = json_array();
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(push, "sources"), name, value)
	{
		const json_t *id = json_object_get(value, "id");
		json_array_append_new(
		    sources,
		    json_pack("{s:s,s:o,s:o}", "name", name, "url",
			      json_sprintf("%s/v1/events/%s/%s", url ? url : "", work->customer,
					   name),
			      "id", id ? json_copy((json_t *)(uintptr_t)id) : json_null()));
	}
	return json_pack("{s:s,s:o,s:I,s:I}", "customer", work->customer, "sources", sources,
			 "hmac", (json_int_t)json_array_size(json_object_get(push, "hmac")),
			 "bearer",
			 (json_int_t)json_array_size(json_object_get(push, "bearer")));
}

static void render_count(struct buf *out, const char *what, const json_t *count)
{
	json_int_t number = json_integer_value(count);

	if (number > 0)
		buf_addf(out, "  %s%s\n", what,
			 number == 2 ? ", and the older one until `push rotate --finish`" : "");
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const char *secret = json_string_value(json_object_get(document, "secret"));
	json_t *sources = json_object_get(document, "sources"), *source;
	size_t i;

	(void)screen;
	buf_addf(out, "%s pushes to:\n",
		 json_string_value(json_object_get(document, "customer")));
	json_array_foreach(sources, i, source)
	    buf_addf(out, "  %s\n", json_string_value(json_object_get(source, "url")));
	buf_adds(out, "with:\n");
	render_count(out, "a signature (Standard Webhooks)", json_object_get(document, "hmac"));
	render_count(out, "a bearer token", json_object_get(document, "bearer"));
	if (secret)
		buf_addf(out, "New secret, shown this once:\n  %s\n", secret);
}

static int finish(struct work *work, bool good, const json_t *push, const struct err *err)
{
	json_t *document = good ? describe(work, push) : NULL;

	if (document && work->secret)
		json_object_set_new(document, "secret", json_string(work->secret));
	int code = document ? cli_print(work->cli, document, render, EXIT_OK)
			    : cli_fail(work->cli, EXIT_FAILED, err);
	end(work);
	return code;
}

/* ---- add and rotate ---- */

static struct callback_place place_of(const struct work *work, json_t *push)
{
	bool bearer = args_flag(&work->cli->args, "bearer");

	return (struct callback_place){ push, bearer ? "bearer" : "hmac", work->customer,
					bearer ? CUSTOMER_PUSH_BEARER : CUSTOMER_PUSH_HMAC };
}

static bool renew(struct work *work, json_t *push, struct err *err)
{
	const struct callback_place place = place_of(work, push);
	const struct vault *vault = callback_draft_vault(work->cli, err);

	if (vault)
		work->secret = callback_draft_renew(
		    &place,
		    args_flag(&work->cli->args, "bearer") ? CALLBACK_TOKEN : CALLBACK_HMAC,
		    vault, err);
	return work->secret != NULL;
}

/* "NAME" or "NAME=PATH". */
static void add_sources(const struct args *args, json_t *sources)
{
	const char *given;

	for (size_t i = 0; (given = args_each(args, "source", i)); i++) {
		size_t size = strcspn(given, "=");
		char *name = xstrndup(given, size);
		json_t *known = json_object_get(sources, name);
		json_t *source = json_is_object(known) ? json_incref(known) : json_object();

		if (given[size] == '=')
			json_object_set_new(source, "id", json_string(given + size + 1));
		json_object_set_new(sources, name, source);
		free(name);
	}
}

static bool add(struct work *work, json_t **ret_push, struct err *err)
{
	const struct args *args = &work->cli->args;
	json_t *push = json_object_get(work->draft, "push");
	uint64_t per_minute = 0;

	if (!args_number(args, "events-per-minute", 1, 10000000, 0, &per_minute, err))
		return false;
	if (!push) {
		push = json_object();
		json_object_set_new(work->draft, "push", push);
		json_object_set_new(push, "sources", json_object());
	}
	*ret_push = json_incref(push);
	add_sources(args, json_object_get(push, "sources"));
	if (json_object_size(json_object_get(push, "sources")) == 0)
		return err_set(err, ERR_PERMANENT,
			       "--source NAME is needed: what may be pushed, like generic");
	if (per_minute > 0)
		json_object_set_new(push, "events_per_minute",
				    json_integer((json_int_t)per_minute));
	if (!json_object_get(push, place_of(work, push).member) && !renew(work, push, err))
		return false;
	return commit(work, err);
}

int run_push_add(struct cli *cli)
{
	struct work work;
	struct err err = { 0 };
	json_t *push = NULL;
	bool good = begin(&work, cli, &err) && add(&work, &push, &err);
	int code = finish(&work, good, push, &err);

	json_decref(push);
	return code;
}

static bool rotate(struct work *work, json_t **ret_push, struct err *err)
{
	json_t *push = json_object_get(work->draft, "push");

	if (!push)
		return err_set(err, ERR_PERMANENT, "%s does not push: see tocsin push add",
			       work->customer);
	*ret_push = json_incref(push);
	const struct callback_place place = place_of(work, push);
	if (args_flag(&work->cli->args, "finish") ? !callback_draft_finish(&place, err)
						  : !renew(work, push, err))
		return false;
	return commit(work, err);
}

int run_push_rotate(struct cli *cli)
{
	struct work work;
	struct err err = { 0 };
	json_t *push = NULL;
	bool good = begin(&work, cli, &err) && rotate(&work, &push, &err);
	int code = finish(&work, good, push, &err);

	json_decref(push);
	return code;
}

/* ---- show and remove ---- */

int run_push_show(struct cli *cli)
{
	struct work work;
	struct err err = { 0 };
	bool good = begin(&work, cli, &err);
	json_t *push = json_object_get(work.draft, "push");

	if (good && !push)
		good = err_set(&err, ERR_PERMANENT, "%s does not push", work.customer);
	return finish(&work, good, push, &err);
}

/* Without --source all of it. */
static bool remove_sources(struct work *work, struct err *err)
{
	json_t *sources = json_object_get(json_object_get(work->draft, "push"), "sources");
	const char *name;

	if (!sources)
		return err_set(err, ERR_PERMANENT, "%s does not push", work->customer);
	for (size_t i = 0; (name = args_each(&work->cli->args, "source", i)); i++) {
		if (json_object_del(sources, name) != 0)
			return err_set(err, ERR_PERMANENT, "%s does not push %.60s",
				       work->customer, name);
	}
	if (!args_value(&work->cli->args, "source") || json_object_size(sources) == 0)
		json_object_del(work->draft, "push");
	return commit(work, err);
}

int run_push_remove(struct cli *cli)
{
	struct work work;
	struct err err = { 0 };
	bool good = begin(&work, cli, &err) && remove_sources(&work, &err);
	int code = good ? cli_print(cli, change_report(&work.change), change_render, EXIT_OK)
			: cli_fail(cli, EXIT_FAILED, &err);

	end(&work);
	return code;
}
