/*
 * tocsin servicenow test: opens a ticket marked as a test, closes it, and waits until the
 * instance's call has come all the way back. Each link of the chain is a line; the first that
 * is missing is looked into.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/reply.h"
#include "cli.h"
#include "model/customer.h"
#include "net/http.h"
#include "run.h"
#include "ticket_close.h"
#include "update_set.h"
#include "vendor/servicenow.h"
#include "vendor/servicenow_table.h"
#include "vendor/session.h"
#include "verify.h"

enum { WAIT_DEFAULT_S = 60, WAIT_MAX_S = 3600, LOOK_MS = 500, ACTIVITY_MAX = 1000 };

struct test {
	struct cli *cli;
	struct redis *redis;
	struct arena *arena;
	struct directory *directory;
	const struct customer *customer; /* in whose name the ticket is opened */
	struct vendor *vendor;
	struct vendor_session session;
	json_t *checks;
	const char *key; /* correlation_id of the ticket */
	struct servicenow_created ticket;
	uint64_t since_ms; /* by Redis */
};

static const struct customer *any_customer(const struct directory *directory,
					   const char *account)
{
	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);

		if (customer->servicenow.account &&
		    strcmp(customer->servicenow.account, account) == 0)
			return customer;
	}
	return NULL;
}

/* ---- the links ---- */

static bool open_ticket(struct test *test)
{
	const struct customer_servicenow *to = &test->customer->servicenow;
	const struct servicenow_table *table = servicenow_table(to->table);
	unsigned char random[8];
	char hex[sizeof(random) * 2 + 1];
	struct err err = { 0 };

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(hex, sizeof(hex), random, sizeof(random));
	test->key =
	    arena_printf(test->arena, "tocsin-t:%s:%s", test->cli->service.installation, hex);
	const struct servicenow_column columns[] = {
		{ "short_description", "TEST of Tocsin's link, nothing happened",
		  SERVICENOW_TEXT },
		{ "description",
		  "Opened by `tocsin servicenow test`, which closes it at once. Nobody needs "
		  "to "
		  "do anything.",
		  SERVICENOW_TEXT },
		{ "correlation_id", test->key, SERVICENOW_TEXT },
		{ "company", to->company, SERVICENOW_TEXT },
		{ "assignment_group", to->assignment_group, SERVICENOW_TEXT },
		{ table->caller ? table->caller : "opened_by", to->caller_id, SERVICENOW_TEXT },
	};

	if (!servicenow_create(&test->session, to->table, columns,
			       sizeof(columns) / sizeof(columns[0]), test->arena, &test->ticket,
			       NULL, &err)) {
		verify_add_failure(test->checks, "open a ticket", &err);
		return false;
	}
	verify_add(test->checks, VERIFY_YES, "open a ticket", "%s in %s", test->ticket.number,
		   to->table);
	return true;
}

static bool close_ticket(struct test *test)
{
	const char *table = test->customer->servicenow.table;
	const struct servicenow_place place = { table, test->ticket.sys_id };
	struct err err = { 0 };

	if (!ticket_close(&test->session, &place, "A test of the link to Tocsin.", test->arena,
			  &err)) {
		verify_add_failure(test->checks, "close it", &err);
		verify_add(test->checks, VERIFY_NOTE, "close it", "%s is left open",
			   test->ticket.number);
		return false;
	}
	verify_add(test->checks, VERIFY_YES, "close it", "state %s",
		   servicenow_table(table)->resolve_state);
	return true;
}

/* Whether the feed has our key since the test began. */
static bool arrived(struct test *test)
{
	struct key feed;
	struct err err = { 0 };

	key_format(&feed, test->customer->partition, STREAM_ACTIVITY);
	struct redis_reply *reply =
	    redis_command(test->redis, &err, "XRANGE %s %llu-0 + COUNT %d", feed.text,
			  (unsigned long long)test->since_ms, ACTIVITY_MAX);
	bool found = false;

	for (size_t i = 0; !found && i < reply_count(reply); i++) {
		const struct redis_reply *fields = reply_at(reply_at(reply, i), 1);

		found = strcmp(reply_text(reply_find(fields, "key")), test->key) == 0;
	}
	reply_free(reply);
	return found;
}

static bool wait_for_call(struct test *test, uint64_t wait_ms)
{
	uint64_t begin = clock_mono_ms();

	while (!arrived(test)) {
		if (clock_mono_ms() - begin >= wait_ms) {
			verify_add(test->checks, VERIFY_NO, "be told of it",
				   "nothing came back within %llu s",
				   (unsigned long long)(wait_ms / 1000));
			return false;
		}
		clock_sleep_ms(LOOK_MS);
	}
	verify_add(test->checks, VERIFY_YES, "be told of it", "after %llu ms",
		   (unsigned long long)(clock_mono_ms() - begin));
	return true;
}

/* ---- what is missing ---- */

/* A record of the kit, by the sys_id that it gives it; its column, or "". */
static void look_for(struct test *test, const char *check, const char *table,
		     const char *const *parts, size_t count, const char *column,
		     const char *wanted)
{
	char id[UPDATE_SET_ID_SIZE];
	struct servicenow_record *records;
	size_t found = 0;
	struct err err = { 0 };

	update_set_id(parts, count, id);
	const struct servicenow_query query = {
		.table = table,
		.query = arena_printf(test->arena, "sys_id=%s", id),
		.fields = arena_printf(test->arena, "sys_id,%s", column),
		.limit = 1,
		.optional = true,
	};
	if (!servicenow_query(&test->session, &query, test->arena, &records, &found, NULL,
			      &err)) {
		verify_add(test->checks, VERIFY_UNKNOWN, check, "%s may not be read: %s", table,
			   err.text);
		return;
	}
	const char *value = found ? servicenow_record_value(&records[0], column) : NULL;

	if (!found)
		verify_add(test->checks, VERIFY_UNKNOWN, check,
			   "not in %s, or not to be seen by our user: import the update set of "
			   "`tocsin servicenow kit`",
			   table);
	else if (!value || !*value || (wanted && strcmp(value, wanted) != 0))
		verify_add(test->checks, VERIFY_NO, check, "%s of %s %s is \"%s\"", column,
			   table, id, value ? value : "");
	else
		verify_add(test->checks, VERIFY_YES, check, "in %s", table);
}

static void look_at_instance(struct test *test)
{
	const char *installation = test->cli->service.installation;
	const char *account = test->session.account->id;
	const char *message = arena_printf(test->arena, "Tocsin %s", installation);
	const char *const rule[] = { "tocsin", installation,
				     account,  "sys_script",
				     message,  test->customer->servicenow.table };
	const char *const rest[] = { "tocsin", installation, account, "sys_rest_message",
				     message };

	look_for(test, "business rule", "sys_script", rule, 6, "active", "true");
	look_for(test, "REST message with an OAuth profile", "sys_rest_message", rest, 5,
		 "oauth2_profile", NULL);
}

/* Does the callback answer where the instance is told to call? */
static void look_at_callback(struct test *test)
{
	const char *url = test->cli->settings.public_url;
	struct http *http = cli_http(test->cli, NULL);
	struct http_response response = { 0 };
	struct err err = { 0 };

	if (!test->session.account->callback.given)
		verify_add(test->checks, VERIFY_NO, "client of the instance",
			   "none: `tocsin servicenow connect %s`", test->session.account->id);
	if (!url) {
		verify_add(test->checks, VERIFY_NO, "callback", "TOCSIN_PUBLIC_URL is not set");
		return;
	}
	const struct http_request request = {
		.method = "POST",
		.url = arena_printf(test->arena, "%s/oauth/token", url),
		.content_type = "application/x-www-form-urlencoded",
		.body = "",
	};

	if (!http || !http_exchange(http, &request, &response, &err))
		verify_add(test->checks, VERIFY_NO, "callback",
			   "%s is not reached from here: %s", url, err.text);
	else if (response.status == 400 || response.status == 401)
		verify_add(test->checks, VERIFY_YES, "callback",
			   "%s answers here: look at the instance's outbound HTTP log", url);
	else
		verify_add(test->checks, VERIFY_NO, "callback",
			   "something else answers at %s, with status %d", url,
			   response.status);
	http_response_done(&response);
}

/* ---- the command ---- */

static bool test_init(struct test *test, struct err *err)
{
	const char *id = args_operand(&test->cli->args, 0);
	const char *customer = args_value(&test->cli->args, "customer");
	const struct vault *vault = cli_vault(test->cli, err);
	struct http *http = vault ? cli_http(test->cli, err) : NULL;

	test->redis = http ? cli_redis(test->cli, err) : NULL;
	test->directory = test->redis ? cli_directory(test->cli, test->redis, err) : NULL;
	if (!test->directory)
		return false;
	test->customer = customer ? directory_customer(test->directory, customer)
				  : any_customer(test->directory, id);
	if (!test->customer || !test->customer->servicenow.account ||
	    strcmp(test->customer->servicenow.account, id) != 0)
		return err_set(err, ERR_PERMANENT,
			       "no customer%s%s has its tickets in account %s: the test ticket "
			       "needs a company and a caller",
			       customer ? " " : "", customer ? customer : "", id);
	const struct vendor_needs needs = {
		.http = http, .vault = vault, .settings = &test->cli->vendor, .threads = 1
	};

	test->vendor = vendor_new(&needs);
	test->session = (struct vendor_session){
		.vendor = test->vendor,
		.redis = test->redis,
		.account = directory_account(test->directory, id),
		.probe = true,
	};
	struct redis_reply *now = redis_command(test->redis, err, "TIME");

	test->since_ms = (uint64_t)reply_integer(reply_at(now, 0)) * 1000;
	reply_free(now);
	return now != NULL;
}

static void test_done(struct test *test)
{
	vendor_free(test->vendor);
	directory_free(test->directory);
	arena_free(test->arena);
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	verify_render(out, screen, json_object_get(document, "checks"));
}

int run_servicenow_test(struct cli *cli)
{
	struct test test = { .cli = cli, .arena = arena_new() };
	struct err err = { 0 };
	uint64_t wait_s = WAIT_DEFAULT_S;

	if (!args_number(&cli->args, "wait", 1, WAIT_MAX_S, WAIT_DEFAULT_S, &wait_s, &err) ||
	    !test_init(&test, &err)) {
		int code = cli_fail(
		    cli, err.kind == ERR_TRANSIENT ? EXIT_UNREACHABLE : EXIT_FAILED, &err);
		test_done(&test);
		return code;
	}
	test.checks = json_array();
	bool whole =
	    open_ticket(&test) && close_ticket(&test) && wait_for_call(&test, wait_s * 1000);

	if (!whole && test.ticket.sys_id) {
		look_at_instance(&test);
		look_at_callback(&test);
	}
	json_t *document = json_pack("{s:s,s:b,s:o}", "account", args_operand(&cli->args, 0),
				     "whole", whole, "checks", test.checks);
	int code = cli_print(cli, document, render, whole ? EXIT_OK : EXIT_UNHEALTHY);

	test_done(&test);
	return code;
}
