/* Files in the making: settings, sections, secrets sealed and kept, writing all or nothing. */
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
#include "cli/draft.h"
#include "cli/store.h"
#include "model/vault.h"

struct fixture {
	char path[64];
	char key[80];
	struct vault *vault;
};

static int start(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof *fixture);
	char id[16];

	strcpy(fixture->path, "/tmp/tocsin-draft-XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	snprintf(fixture->key, sizeof fixture->key, "%s/key", fixture->path);
	assert_true(vault_keygen(fixture->key, id, NULL));
	fixture->vault = vault_open(fixture->key, NULL);
	assert_non_null(fixture->vault);
	*state = fixture;
	return 0;
}

static int end(void **state)
{
	struct fixture *fixture = *state;
	char command[128];

	vault_free(fixture->vault);
	snprintf(command, sizeof command, "rm -r %s", fixture->path);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static json_t *draft_of(const char *text)
{
	json_t *draft = json_loads(text, 0, NULL);

	assert_non_null(draft);
	return draft;
}

static void settings_go_where_they_belong(void **state)
{
	json_t *draft = json_object();
	struct err err = { 0 };

	(void)state;
	assert_true(draft_set(draft, "a.b.c", "x", "--c", &err));
	assert_true(draft_set(draft, "a.b.n#", "42", "--n", &err));
	assert_true(draft_set(draft, "a.l[]", "1, 1090519054,3", "--l", &err));
	char *text = json_dumps(draft, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
			    "{\"a\":{\"b\":{\"c\":\"x\",\"n\":42},\"l\":[1,1090519054,3]}}");
	free(text);
	assert_false(draft_set(draft, "n#", "4x", "--n", &err));
	assert_string_equal(err.text, "--n: give a whole number");
	assert_false(draft_set(draft, "l[]", "1,,2", "--l", &err));
	assert_false(draft_set(draft, "t", "\xFF", "--t", &err));
	draft_free(draft);
}

static void own_credentials_are_used(void **state)
{
	json_t *draft = draft_of("{\"accounts\":{\"secure_endpoint\":{},\"servicenow\":{}},"
				 "\"servicenow\":{\"table\":\"x\"}}");

	(void)state;
	draft_complete(draft);
	char *text = json_dumps(draft, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"accounts\":{\"secure_endpoint\":{},\"servicenow\":{}},"
				  "\"servicenow\":{\"table\":\"x\"},"
				  "\"sources\":{\"secure_endpoint\":{}}}");
	free(text);
	draft_free(draft);
}

#define ACME(secret)                                                                           \
	"{\"id\":\"acme\",\"accounts\":{\"secure_endpoint\":{\"region\":\"eu\","               \
	"\"client_id\":\"c\"" secret "}},\"sources\":{\"secure_endpoint\":{}}}"

static void secrets_are_sealed_and_kept(void **state)
{
	struct fixture *fixture = *state;
	json_t *draft = draft_of(ACME(",\"secret\":\"hunter2hunter2\""));
	const char *vendors[SECRETS_MAX];
	struct err err = { 0 };

	assert_null(draft_encode(draft, STORE_CUSTOMER, "acme", &err));
	assert_true(draft_seal(draft, STORE_CUSTOMER, fixture->vault, &err));
	char *text = draft_encode(draft, STORE_CUSTOMER, "acme", &err);
	assert_non_null(text);
	assert_null(strstr(text, "hunter2"));

	/* A later file without the secret keeps it, unless the credentials are others. */
	json_t *later = draft_of(ACME(""));
	assert_int_equal(draft_missing(later, STORE_CUSTOMER, vendors), 1);
	assert_string_equal(vendors[0], "secure_endpoint");
	draft_keep_secrets(later, draft, STORE_CUSTOMER);
	assert_int_equal(draft_missing(later, STORE_CUSTOMER, vendors), 0);
	json_t *other = draft_of("{\"id\":\"acme\",\"accounts\":{\"secure_endpoint\":{"
				 "\"url\":\"https://evil.example\",\"client_id\":\"c\"}}}");
	draft_keep_secrets(other, draft, STORE_CUSTOMER);
	assert_int_equal(draft_missing(other, STORE_CUSTOMER, vendors), 1);

	json_t *shown = draft_without_secrets(draft, STORE_CUSTOMER);
	char *seen = json_dumps(shown, 0);
	assert_null(strstr(seen, "secret"));
	free(seen);
	free(text);
	json_decref(shown);
	draft_free(other);
	draft_free(later);
	draft_free(draft);
}

static const char *secret_of(const json_t *draft)
{
	return json_string_value(json_object_get(draft, "secret"));
}

static void resealing_uses_the_newest_key(void **state)
{
	struct fixture *fixture = *state;
	json_t *draft = draft_of("{\"id\":\"now\",\"kind\":\"servicenow\","
				 "\"url\":\"https://x.example\",\"username\":\"u\","
				 "\"secret\":\"hunter2hunter2\"}");
	struct err err = { 0 };
	size_t count = 0;
	char id[16];

	assert_true(draft_seal(draft, STORE_ACCOUNT, fixture->vault, &err));
	assert_true(vault_keygen(fixture->key, id, NULL));
	struct vault *newer = vault_open(fixture->key, NULL);
	assert_false(vault_is_current(newer, secret_of(draft)));
	assert_true(draft_reseal(draft, STORE_ACCOUNT, newer, &count, &err));
	assert_int_equal(count, 1);
	assert_true(vault_is_current(newer, secret_of(draft)));
	assert_true(draft_reseal(draft, STORE_ACCOUNT, newer, &count, &err));
	assert_int_equal(count, 1);
	char *plain = vault_unseal(newer, "account:now", "servicenow.secret",
				   json_string_value(json_object_get(draft, "secret")), &err);
	assert_string_equal(plain, "hunter2hunter2");
	vault_wipe(plain);
	vault_free(newer);
	draft_free(draft);
}

static void secrets_need_their_credentials(void **state)
{
	json_t *draft = draft_of(ACME(""));
	struct secrets secrets = { 0 };
	struct err err = { 0 };

	(void)state;
	secrets_add(&secrets, "servicenow", "x");
	assert_false(draft_add_secrets(draft, STORE_CUSTOMER, &secrets, &err));
	assert_non_null(strstr(err.text, "secret servicenow"));
	secrets_done(&secrets);
	draft_free(draft);
}

static void files_are_written_all_or_none(void **state)
{
	struct fixture *fixture = *state;
	struct store_change changes[] = {
		{ STORE_CUSTOMER, "acme", "{\"id\":\"acme\"}" },
		{ STORE_CUSTOMER, "no/such/folder", "{}" },
	};
	struct err err = { 0 };
	struct store store;
	struct stat status;
	char path[160];

	assert_false(store_write(fixture->path, changes, 2, &err));
	assert_true(store_load(&store, fixture->path, &err));
	assert_int_equal(store.count, 0);
	store_done(&store);

	assert_true(store_write(fixture->path, changes, 1, &err));
	assert_true(store_load(&store, fixture->path, &err));
	assert_int_equal(store.count, 1);
	assert_non_null(store_find(&store, STORE_CUSTOMER, "acme"));
	store_done(&store);
	snprintf(path, sizeof path, "%s/customers/acme.json", fixture->path);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);

	changes[0].text = NULL;
	assert_true(store_write(fixture->path, changes, 1, &err));
	assert_int_equal(stat(path, &status), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_go_where_they_belong),
		cmocka_unit_test(own_credentials_are_used),
		cmocka_unit_test_setup_teardown(secrets_are_sealed_and_kept, start, end),
		cmocka_unit_test_setup_teardown(resealing_uses_the_newest_key, start, end),
		cmocka_unit_test(secrets_need_their_credentials),
		cmocka_unit_test_setup_teardown(files_are_written_all_or_none, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
