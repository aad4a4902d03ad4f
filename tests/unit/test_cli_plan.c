/* Files against the hash of customers: what is set, removed and left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cli/change.h"
#include "cli/plan.h"

#define SEALED "v1.none.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA"
#define ACCOUNT(id)                                                                            \
	"{\"id\":\"" id "\",\"kind\":\"threat_response\",\"region\":\"eu\","                   \
	"\"client_id\":\"c\",\"secret\":\"" SEALED "\"}"
#define CUSTOMER(id, more) "{\"id\":\"" id "\"" more "}"
#define USES(account)	   ",\"threat_response\":{\"account\":\"" account "\"}"

/* A folder of files of this test's own. */
struct folder {
	char path[64];
	struct store store;
	struct plan_fields current;
	struct plan plan;
	unsigned partitions;
};

static void put(struct folder *folder, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s.json", folder->path, name);
	if (!text) {
		unlink(path);
		return;
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int start(void **state)
{
	struct folder *folder = xcalloc(1, sizeof *folder);
	char path[128];

	strcpy(folder->path, "/tmp/tocsin-plan-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", folder->path,
			 i ? "customers" : "accounts");
		assert_int_equal(mkdir(path, 0700), 0);
	}
	folder->partitions = 1;
	*state = folder;
	return 0;
}

static int end(void **state)
{
	static const char *const names[] = { "customers/acme", "customers/beta",
					     "accounts/xdr" };
	struct folder *folder = *state;
	char path[128];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		put(folder, names[i], NULL);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", folder->path,
			 i ? "customers" : "accounts");
		rmdir(path);
	}
	rmdir(folder->path);
	plan_done(&folder->plan);
	plan_fields_done(&folder->current);
	store_done(&folder->store);
	free(folder);
	return 0;
}

/* Plans, then changes current as the plan says. */
static const struct plan *apply(struct folder *folder)
{
	struct plan_fields next = { 0 };
	struct plan *plan = &folder->plan;

	store_done(&folder->store);
	plan_done(plan);
	assert_true(store_load(&folder->store, folder->path, NULL));
	plan_make(plan, &folder->store, &folder->current, folder->partitions);
	for (size_t i = 0; i < folder->current.count; i++) {
		const struct plan_field *field = &folder->current.items[i];
		bool gone = false;
		for (size_t k = 0; k < plan->remove.count; k++)
			gone |= strcmp(plan->remove.items[k].name, field->name) == 0;
		for (size_t k = 0; k < plan->set.count; k++)
			gone |= strcmp(plan->set.items[k].name, field->name) == 0;
		if (!gone)
			plan_fields_add(&next, field->name, field->value);
	}
	for (size_t k = 0; k < plan->set.count; k++)
		plan_fields_add(&next, plan->set.items[k].name, plan->set.items[k].value);
	plan_fields_done(&folder->current);
	folder->current = next;
	return plan;
}

static bool has(const struct plan_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (strcmp(fields->items[i].name, name) == 0)
			return true;
	}
	return false;
}

static void assert_plan(const struct plan *plan, size_t set, size_t removed, size_t problems)
{
	for (size_t i = 0; i < plan->problem_count; i++)
		print_message("problem: %s\n", plan->problems[i].err.text);
	assert_int_equal(plan->set.count, set);
	assert_int_equal(plan->remove.count, removed);
	assert_int_equal(plan->problem_count, problems);
}

static void only_changes_are_planned(void **state)
{
	struct folder *folder = *state;

	put(folder, "accounts/xdr", ACCOUNT("xdr"));
	put(folder, "customers/acme", CUSTOMER("acme", USES("xdr")));
	assert_plan(apply(folder), 2, 0, 0);
	assert_true(has(&folder->current, "@xdr") && has(&folder->current, "acme"));
	assert_plan(apply(folder), 0, 0, 0);
	/* The same meaning in other words is no change. */
	put(folder, "customers/acme",
	    CUSTOMER("acme", ",\n  \"mode\": \"shadow\"" USES("xdr")));
	assert_plan(apply(folder), 0, 0, 0);
	put(folder, "customers/acme", CUSTOMER("acme", ",\"mode\":\"live\"" USES("xdr")));
	assert_plan(apply(folder), 1, 0, 0);
	put(folder, "customers/acme", NULL);
	assert_plan(apply(folder), 0, 1, 0);
	assert_int_equal(folder->current.count, 1);
}

static void a_bad_file_leaves_its_customer_as_it_was(void **state)
{
	struct folder *folder = *state;
	const struct plan *plan;

	put(folder, "customers/acme", CUSTOMER("acme", ""));
	apply(folder);
	put(folder, "customers/acme", "{\n \"id\": \"acme\",\n oops\n");
	put(folder, "customers/beta", CUSTOMER("beta", ""));
	plan = apply(folder);
	assert_plan(plan, 1, 0, 1);
	assert_non_null(strstr(plan->problems[0].err.text, "customers/acme.json:3:"));
	assert_true(has(&folder->current, "acme") && has(&folder->current, "beta"));
	assert_int_equal(plan->customers, 2);
	put(folder, "customers/acme", CUSTOMER("acme", ",\"mode\":\"loud\""));
	plan = apply(folder);
	assert_plan(plan, 0, 0, 1);
	assert_non_null(strstr(plan->problems[0].err.text, "customers/acme.json: mode:"));
}

static void a_file_is_named_after_its_id(void **state)
{
	struct folder *folder = *state;
	const struct plan *plan;

	put(folder, "customers/acme", CUSTOMER("beta", ""));
	plan = apply(folder);
	assert_plan(plan, 0, 0, 1);
	assert_non_null(strstr(plan->problems[0].err.text, "must be named beta.json"));
}

static void missing_accounts_stop_only_who_needs_them(void **state)
{
	struct folder *folder = *state;

	put(folder, "customers/acme", CUSTOMER("acme", USES("xdr")));
	put(folder, "customers/beta", CUSTOMER("beta", ""));
	assert_plan(apply(folder), 1, 0, 1);
	assert_true(has(&folder->current, "beta"));
	assert_false(has(&folder->current, "acme"));
	put(folder, "accounts/xdr", ACCOUNT("xdr"));
	assert_plan(apply(folder), 2, 0, 0);

	/* Gone, but acme stays as it was and still needs it. */
	put(folder, "accounts/xdr", NULL);
	assert_plan(apply(folder), 0, 0, 1);
	assert_true(has(&folder->current, "@xdr") && has(&folder->current, "acme"));

	/* Bad: what Redis has of it is good enough. */
	put(folder, "accounts/xdr", "{");
	assert_plan(apply(folder), 0, 0, 1);
	assert_true(has(&folder->current, "@xdr"));

	put(folder, "accounts/xdr", NULL);
	put(folder, "customers/acme", NULL);
	assert_plan(apply(folder), 0, 2, 0);
}

static void the_partition_is_fixed(void **state)
{
	struct folder *folder = *state;
	const struct plan *plan;
	unsigned derived;

	folder->partitions = 8;
	put(folder, "customers/acme", CUSTOMER("acme", ""));
	assert_plan(apply(folder), 1, 0, 0);
	derived = change_partition("acme", 8);
	char *said = folder->current.items[0].value;
	char wanted[32];
	snprintf(wanted, sizeof wanted, "\"partition\": %u", derived);
	assert_non_null(strstr(said, wanted));

	/* More partitions move nobody. */
	folder->partitions = 64;
	assert_plan(apply(folder), 0, 0, 0);

	char other[96];
	snprintf(other, sizeof other, "{\"id\":\"acme\",\"partition\":%u}", (derived + 1) % 8);
	put(folder, "customers/acme", other);
	plan = apply(folder);
	assert_plan(plan, 0, 0, 1);
	assert_non_null(strstr(plan->problems[0].err.text, "partition: was fixed as"));

	put(folder, "customers/beta", CUSTOMER("beta", ",\"partition\":70"));
	plan = apply(folder);
	assert_plan(plan, 0, 0, 2);
	assert_non_null(strstr(plan->problems[1].err.text, "TOCSIN_PARTITIONS is 64"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_changes_are_planned, start, end),
		cmocka_unit_test_setup_teardown(a_bad_file_leaves_its_customer_as_it_was, start,
						end),
		cmocka_unit_test_setup_teardown(a_file_is_named_after_its_id, start, end),
		cmocka_unit_test_setup_teardown(missing_accounts_stop_only_who_needs_them,
						start, end),
		cmocka_unit_test_setup_teardown(the_partition_is_fixed, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
