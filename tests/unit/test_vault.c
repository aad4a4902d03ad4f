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
#include "model/vault.h"

struct place {
	char folder[64];
	char path[96];
	char first_id[16];
	struct vault *vault;
};

static int setup(void **state)
{
	struct place *place = xcalloc(1, sizeof *place);
	struct err err;

	snprintf(place->folder, sizeof place->folder, "/tmp/tocsin-vault-XXXXXX");
	if (!mkdtemp(place->folder))
		return -1;
	snprintf(place->path, sizeof place->path, "%s/key", place->folder);
	if (!vault_keygen(place->path, place->first_id, &err))
		return -1;
	place->vault = vault_open(place->path, &err);
	*state = place;
	return place->vault ? 0 : -1;
}

static int teardown(void **state)
{
	struct place *place = *state;

	vault_free(place->vault);
	unlink(place->path);
	rmdir(place->folder);
	free(place);
	return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void opens_what_it_sealed(void **state)
{
	static const char *const secrets[] = { "x", "correct horse battery staple",
					       "\xc3\xbc\n\"'\\{}" };
	struct place *place = *state;

	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		struct err err = { 0 };
		char *sealed =
		    vault_seal(place->vault, "acme", "servicenow.secret", secrets[i], &err);
		assert_non_null(sealed);
		assert_true(vault_is_sealed(sealed));
		if (strlen(secrets[i]) > 10) /* a short one may occur in base64 */
			assert_null(strstr(sealed, secrets[i]));
		char *again =
		    vault_seal(place->vault, "acme", "servicenow.secret", secrets[i], &err);
		assert_string_not_equal(sealed, again); /* its nonce is new each time */
		char *opened =
		    vault_unseal(place->vault, "acme", "servicenow.secret", sealed, &err);
		assert_non_null(opened);
		assert_string_equal(opened, secrets[i]);
		vault_wipe(opened);
		free(again);
		free(sealed);
	}
}

static void refuses_an_empty_and_a_huge_secret(void **state)
{
	struct place *place = *state;
	struct err err = { 0 };
	char *huge = xmalloc(10000);

	memset(huge, 'a', 9999);
	huge[9999] = '\0';
	assert_null(vault_seal(place->vault, "acme", "f", "", &err));
	assert_null(vault_seal(place->vault, "acme", "f", huge, &err));
	assert_non_null(strstr(err.text, "1 to 8192 bytes"));
	free(huge);
}

/* A text copied from one customer's file into another's, or into another field. */
static void does_not_open_what_was_moved(void **state)
{
	static const struct {
		const char *owner, *field;
	} elsewhere[] = { { "globex", "servicenow.secret" },
			  { "acme", "threat_response.secret" },
			  { "acmes", "ervicenow.secret" },
			  { "", "servicenow.secret" } };
	struct place *place = *state;
	struct err err = { 0 };
	char *sealed = vault_seal(place->vault, "acme", "servicenow.secret", "s3cret", &err);

	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
		assert_null(vault_unseal(place->vault, elsewhere[i].owner, elsewhere[i].field,
					 sealed, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
		assert_non_null(strstr(err.text, "does not open"));
		assert_null(strstr(err.text, "s3cret"));
	}
	free(sealed);
}

/* Any one letter, and any length. */
static void does_not_open_what_was_altered(void **state)
{
	struct place *place = *state;
	struct err err = { 0 };
	char *sealed = vault_seal(place->vault, "acme", "f", "s3cret", &err);
	size_t size = strlen(sealed);

	for (size_t i = 0; i < size; i++) {
		char *altered = xstrdup(sealed);
		altered[i] = altered[i] == 'A' ? 'B' : 'A';
		char *opened = vault_unseal(place->vault, "acme", "f", altered, &err);
		assert_null(opened);
		free(altered);
	}
	for (size_t i = 0; i < size; i++) {
		char *cut = xstrndup(sealed, i);
		assert_null(vault_unseal(place->vault, "acme", "f", cut, &err));
		free(cut);
	}
	free(sealed);
}

static void names_a_key_it_does_not_have(void **state)
{
	struct place *place = *state;
	char other[128], id[16];
	struct err err = { 0 };
	char says[64];

	snprintf(other, sizeof other, "%s/other", place->folder);
	assert_true(vault_keygen(other, id, &err));
	struct vault *vault = vault_open(other, &err);
	char *sealed = vault_seal(vault, "acme", "f", "s3cret", &err);
	assert_null(vault_unseal(place->vault, "acme", "f", sealed, &err));
	snprintf(says, sizeof says, "sealed with key %s,", id);
	assert_non_null(strstr(err.text, says));
	free(sealed);
	vault_free(vault);
	unlink(other);
}

/* A new key seals from now on; what the old one sealed still opens, and can be found. */
static void a_new_key_goes_in_front(void **state)
{
	struct place *place = *state;
	char id[16];
	struct err err = { 0 };
	char *old = vault_seal(place->vault, "acme", "f", "s3cret", &err);

	assert_true(vault_is_current(place->vault, old));
	assert_true(vault_keygen(place->path, id, &err));
	assert_string_not_equal(id, place->first_id);
	struct vault *both = vault_open(place->path, &err);
	assert_non_null(both);
	assert_false(vault_is_current(both, old));
	char *opened = vault_unseal(both, "acme", "f", old, &err);
	assert_string_equal(opened, "s3cret");
	char *again = vault_seal(both, "acme", "f", opened, &err);
	assert_true(vault_is_current(both, again));
	vault_wipe(opened);
	free(again);
	free(old);
	vault_free(both);
}

static void a_key_file_is_for_its_owner(void **state)
{
	struct place *place = *state;
	struct stat status;
	struct err err = { 0 };

	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(chmod(place->path, 0644), 0);
	assert_null(vault_open(place->path, &err));
	assert_non_null(strstr(err.text, "chmod 600"));
	assert_int_equal(chmod(place->path, 0440), 0); /* Kubernetes, through a group */
	struct vault *vault = vault_open(place->path, &err);
	assert_non_null(vault);
	vault_free(vault);
}

static void says_what_is_wrong_with_a_key_file(void **state)
{
	static const char good[] = "k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "holds no key" },
		{ "# only a comment\n", "holds no key" },
		{ "k1\n", "line 1 is not" },
		{ "k1 AAAA\n", "line 1 is not" },
		{ "# a comment\n\nK1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		  "line 3 is not" },
		{ "k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
		  "k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
		  "line 2" },
	};
	struct place *place = *state;
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char id[16];
		write_file(place->path, cases[i].text, 0600);
		assert_null(vault_open(place->path, &err));
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].says, err.text);
		assert_null(strstr(err.text, "AAAA"));
		assert_false(vault_keygen(place->path, id, &err)); /* and stays as it is */
	}
	write_file(place->path, good, 0600);
	struct vault *vault = vault_open(place->path, &err);
	assert_non_null(vault);
	vault_free(vault);
	assert_null(vault_open("/nonexistent/key", &err));
	assert_non_null(strstr(err.text, "tocsin keygen"));
}

static void knows_a_sealed_text_by_its_form(void **state)
{
	static const char *const others[] = {
		"", "v1.", "v1.k1", "v1.k1.AAAA.BBBB", "hunter2", "v2.k1.AAAA.BBBB", "v1.K1.a.b"
	};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(vault_is_sealed(others[i]));
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* A running service's vault: the key file is replaced under it. */
static void opens_with_a_key_that_came_later(void **state)
{
	struct place *place = *state;
	char id[16];

	assert_true(vault_keygen(place->path, id, NULL));
	struct vault *newer = vault_open(place->path, NULL);
	char *sealed = vault_seal(newer, "acme", "umbrella.secret", "s3cret", NULL);
	char *hash = vault_hash(newer, "acme", "push", "s3cret");
	char *opened = vault_unseal(place->vault, "acme", "umbrella.secret", sealed, NULL);

	assert_string_equal(opened, "s3cret");
	assert_true(vault_hash_matches(place->vault, "acme", "push", "s3cret", hash));
	assert_false(vault_is_current(place->vault, sealed)); /* it goes on sealing as before */
	vault_wipe(opened);
	free(hash);
	free(sealed);

	/* A key that has gone from the file is known until the end; rubbish is not taken. */
	write_file(place->path, "rubbish\n", 0600);
	sealed = vault_seal(place->vault, "acme", "umbrella.secret", "s3cret", NULL);
	opened = vault_unseal(newer, "acme", "umbrella.secret", sealed, NULL);
	assert_string_equal(opened, "s3cret");
	vault_wipe(opened);
	sealed[3] ^= 1;
	assert_null(vault_unseal(newer, "acme", "umbrella.secret", sealed, NULL));
	free(sealed);
	vault_free(newer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(opens_what_it_sealed),
		WITH_PLACE(refuses_an_empty_and_a_huge_secret),
		WITH_PLACE(does_not_open_what_was_moved),
		WITH_PLACE(does_not_open_what_was_altered),
		WITH_PLACE(names_a_key_it_does_not_have),
		WITH_PLACE(a_new_key_goes_in_front),
		WITH_PLACE(opens_with_a_key_that_came_later),
		WITH_PLACE(a_key_file_is_for_its_owner),
		WITH_PLACE(says_what_is_wrong_with_a_key_file),
		cmocka_unit_test(knows_a_sealed_text_by_its_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
