#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/code.h"
#include "model/link.h"

#define INCIDENT       "00112233445566ff"
#define OTHER_INCIDENT "00112233445566fe"
#define SYS_ID	       "0123456789abcdef0123456789abcdef"

enum { NOW = 1000000, LATER = 2000000 };

struct place {
	char folder[64];
	char private_path[96];
	char public_path[96];
	char key_id[16];
	struct link_keys *signs;
	struct link_keys *verifies;
	struct arena *arena;
};

static int setup(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));
	struct err err;

	snprintf(place->folder, sizeof(place->folder), "/tmp/tocsin-link-XXXXXX");
	if (!mkdtemp(place->folder))
		return -1;
	snprintf(place->private_path, sizeof(place->private_path), "%s/link.key",
		 place->folder);
	snprintf(place->public_path, sizeof(place->public_path), "%s/link.pub", place->folder);
	if (!link_keygen(place->private_path, place->public_path, place->key_id, &err))
		return -1;
	place->signs = link_keys_open_private(place->private_path, &err);
	place->verifies = link_keys_open_public(place->public_path, &err);
	place->arena = arena_new();
	*state = place;
	return place->signs && place->verifies ? 0 : -1;
}

static int teardown(void **state)
{
	struct place *place = *state;

	link_keys_free(place->signs);
	link_keys_free(place->verifies);
	arena_free(place->arena);
	unlink(place->private_path);
	unlink(place->public_path);
	rmdir(place->folder);
	free(place);
	return 0;
}

static struct link sample(void)
{
	return (struct link){
		.purpose = LINK_VERDICT,
		.partition = 513,
		.expires_ms = LATER,
		.installation = "main",
		.customer = "acme",
		.incident = INCIDENT,
		.instance = "acme.servicenow",
		.sys_id = SYS_ID,
		.number = "INC0010001",
		.needs_code = true,
	};
}

static const char *sign(struct place *place, struct link *link)
{
	struct err err = { 0 };
	const char *token = link_sign(place->signs, link, place->arena, &err);

	assert_non_null(token);
	return token;
}

static enum link_fault verify(struct place *place, const char *token, struct link *ret_link)
{
	const struct link_check check = { "main", LINK_VERDICT, NOW };

	return link_verify(place->verifies, &check, token, place->arena, ret_link);
}

static void says_what_was_signed(void **state)
{
	struct place *place = *state;
	struct link link = sample(), seen;
	const char *token = sign(place, &link);

	assert_int_equal(verify(place, token, &seen), LINK_GOOD);
	assert_int_equal(seen.purpose, LINK_VERDICT);
	assert_int_equal(seen.partition, 513);
	assert_int_equal(seen.expires_ms, LATER);
	assert_true(seen.needs_code);
	assert_string_equal(seen.installation, "main");
	assert_string_equal(seen.customer, "acme");
	assert_string_equal(seen.incident, INCIDENT);
	assert_string_equal(seen.instance, "acme.servicenow");
	assert_string_equal(seen.sys_id, SYS_ID);
	assert_string_equal(seen.number, "INC0010001");
	assert_string_equal(seen.id, link.id);
	assert_string_equal(sign(place, &link), token); /* a retried mail is the same mail */
	link.expires_ms++;
	(void)sign(place, &link);
	assert_string_not_equal(seen.id, link.id);
}

static void carries_the_longest_and_the_emptiest(void **state)
{
	struct place *place = *state;
	struct link longest = sample(), emptiest = { .purpose = LINK_CLOSE }, seen;
	const struct link_check check = { "", LINK_CLOSE, UINT64_MAX };

	longest.partition = 65535;
	longest.installation = "installation";
	longest.customer = "abcdefghijklmnopqrstuvwx";
	longest.instance = "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijkl";
	longest.number = "INC0123456789012345678901234567890123456";

	const char *token = sign(place, &longest);

	assert_true(strlen(token) <= LINK_TOKEN_MAX);
	assert_int_equal(verify(place, token, &seen), LINK_FOREIGN);
	assert_string_equal(seen.number, longest.number);
	emptiest.incident = INCIDENT;
	token = sign(place, &emptiest);
	/* What closes a ticket is as good as the ticket is old. */
	assert_int_equal(link_verify(place->verifies, &check, token, place->arena, &seen),
			 LINK_GOOD);
	assert_string_equal(seen.customer, "");
	assert_string_equal(seen.sys_id, "");
}

static void refuses_to_sign_what_it_cannot_carry(void **state)
{
	struct place *place = *state;
	struct link cases[] = { sample(), sample(), sample(), sample(), sample(), sample() };

	cases[0].expires_ms = 0; /* a verdict for ever */
	cases[1].incident = "0011";
	cases[2].customer = "abcdefghijklmnopqrstuvwxy";
	cases[3].number = "INC 1";
	cases[4].sys_id = "0123456789ABCDEF0123456789ABCDEF";
	cases[5].partition = 65536;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = { 0 };

		assert_null(link_sign(place->signs, &cases[i], place->arena, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
	}
	struct link link = sample();
	struct err err = { 0 };

	assert_null(link_sign(place->verifies, &link, place->arena, &err));
}

static void tells_why_a_link_is_no_good(void **state)
{
	struct place *place = *state;
	struct link link = sample(), seen;
	struct link_check check = { "main", LINK_APPROVE, NOW };
	const char *token = sign(place, &link);

	assert_int_equal(link_verify(place->verifies, &check, token, place->arena, &seen),
			 LINK_MISUSED);
	check = (struct link_check){ "staging", LINK_VERDICT, NOW };
	assert_int_equal(link_verify(place->verifies, &check, token, place->arena, &seen),
			 LINK_FOREIGN);
	check = (struct link_check){ "main", LINK_VERDICT, LATER };
	assert_int_equal(link_verify(place->verifies, &check, token, place->arena, &seen),
			 LINK_EXPIRED);
	check.now_ms--;
	assert_int_equal(link_verify(place->verifies, &check, token, place->arena, &seen),
			 LINK_GOOD);
}

/* Every bit of it counts. */
static void no_altered_token_is_good(void **state)
{
	struct place *place = *state;
	struct link link = sample(), seen;
	char *token = xstrdup(sign(place, &link));
	size_t size = strlen(token);

	for (size_t i = 0; i < size; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		assert_int_not_equal(verify(place, token, &seen), LINK_GOOD);
		token[i] = was;
	}
	for (size_t i = 0; i < size; i++) {
		char *cut = xstrndup(token, i);

		assert_int_not_equal(verify(place, cut, &seen), LINK_GOOD);
		free(cut);
	}
	assert_int_equal(verify(place, token, &seen), LINK_GOOD);
	free(token);
}

static void what_is_no_token_is_malformed(void **state)
{
	static const char *const tokens[] = {
		"", ".", "k", "k.", "k.A", "k.####", "K1.AAAA", ".AAAA", "k1.AAAA=", "k1 .AAAA",
	};
	struct place *place = *state;
	struct link seen;
	char longer[LINK_TOKEN_MAX + 2];

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		assert_int_equal(verify(place, tokens[i], &seen), LINK_MALFORMED);
	memset(longer, 'A', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	longer[0] = 'k';
	longer[1] = '.';
	assert_int_equal(verify(place, longer, &seen), LINK_MALFORMED);
}

/* The same bytes, signed without our domain: a signature made for something else. */
static void a_signature_for_something_else_is_forged(void **state)
{
	unsigned char blob[512], secret[crypto_sign_SECRETKEYBYTES];
	struct place *place = *state;
	struct link link = sample(), seen;
	const char *token = sign(place, &link);
	char encoded[1024], line[256];
	size_t size = 0;
	FILE *file = fopen(place->private_path, "r");

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	assert_int_equal(sodium_base642bin(secret, sizeof(secret), strchr(line, ' ') + 1,
					   strcspn(strchr(line, ' ') + 1, "\n"), NULL, &size,
					   NULL, sodium_base64_VARIANT_ORIGINAL),
			 0);
	assert_int_equal(sodium_base642bin(blob, sizeof(blob), strchr(token, '.') + 1,
					   strlen(strchr(token, '.') + 1), NULL, &size, NULL,
					   sodium_base64_VARIANT_URLSAFE_NO_PADDING),
			 0);
	size -= crypto_sign_BYTES;
	crypto_sign_detached(blob + size, NULL, blob, size, secret);
	sodium_bin2base64(encoded, sizeof(encoded), blob, size + crypto_sign_BYTES,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	assert_int_equal(
	    verify(place, arena_printf(place->arena, "%s.%s", place->key_id, encoded), &seen),
	    LINK_FORGED);
}

/* A newer file that is damaged changes nothing for who has it open. */
static void rubbish_in_the_file_changes_nothing(void **state)
{
	struct place *place = *state;
	struct link link = sample(), seen;
	const char *before = sign(place, &link);
	FILE *file = fopen(place->private_path, "w");

	assert_non_null(file);
	fputs("rubbish\n", file);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(sign(place, &link), before);
	assert_int_equal(verify(place, before, &seen), LINK_GOOD);
	assert_int_equal(unlink(place->private_path), 0);
	assert_string_equal(sign(place, &link), before);
}

static void links_outlive_a_change_of_keys(void **state)
{
	struct place *place = *state;
	struct link link = sample(), seen;
	const char *before = sign(place, &link);
	char shown[CODE_SHOWN_SIZE], id[16];
	struct err err = { 0 };

	code_make(place->signs, "main", INCIDENT, CODE_APPROVE, shown);
	assert_true(link_keygen(place->private_path, place->public_path, id, &err));

	struct link_keys *signs = link_keys_open_private(place->private_path, &err);
	struct link_keys *verifies = link_keys_open_public(place->public_path, &err);
	const struct link_check check = { "main", LINK_VERDICT, NOW };
	const char *after = link_sign(signs, &link, place->arena, &err);

	assert_string_not_equal(before, after);
	assert_int_equal(strncmp(after, id, strlen(id)), 0);
	assert_int_equal(link_verify(verifies, &check, before, place->arena, &seen), LINK_GOOD);
	assert_int_equal(link_verify(verifies, &check, after, place->arena, &seen), LINK_GOOD);
	assert_int_equal(link_verify(signs, &check, before, place->arena, &seen), LINK_GOOD);
	/* Those who have the files open already know the new key, and sign with it. */
	assert_int_equal(verify(place, after, &seen), LINK_GOOD);
	assert_int_equal(verify(place, before, &seen), LINK_GOOD);
	assert_string_equal(sign(place, &link), after);
	assert_true(code_verify(signs, "main", INCIDENT, CODE_APPROVE, shown));
	code_make(signs, "main", INCIDENT, CODE_APPROVE, shown);
	assert_true(code_verify(place->signs, "main", INCIDENT, CODE_APPROVE, shown));
	link_keys_free(signs);
	link_keys_free(verifies);
}

static void refuses_key_files_that_are_none(void **state)
{
	struct place *place = *state;
	struct stat status;
	struct err err = { 0 };

	assert_null(link_keys_open_public(place->private_path, &err));
	assert_null(link_keys_open_private(place->public_path, &err));
	assert_int_equal(stat(place->private_path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(stat(place->public_path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	assert_int_equal(chmod(place->private_path, 0644), 0);
	assert_null(link_keys_open_private(place->private_path, &err));
	assert_non_null(strstr(err.text, "chmod 600"));
	assert_int_equal(chmod(place->public_path, 0666), 0);
	assert_null(link_keys_open_public(place->public_path, &err));
	assert_non_null(strstr(err.text, "chmod 644"));
	assert_int_equal(chmod(place->private_path, 0600), 0);

	/* Halves of two pairs. */
	FILE *file = fopen(place->private_path, "r+");
	char line[256];

	assert_non_null(fgets(line, sizeof(line), file));
	line[strlen(line) - 10] ^= 1;
	rewind(file);
	fputs(line, file);
	fclose(file);
	assert_null(link_keys_open_private(place->private_path, &err));
	assert_non_null(strstr(err.text, place->private_path));
}

static void keygen_stops_at_a_full_file(void **state)
{
	struct place *place = *state;
	char id[16];
	struct err err = { 0 };
	unsigned made = 1;

	while (link_keygen(place->private_path, place->public_path, id, &err))
		made++;
	assert_int_equal(made, 16);
	assert_non_null(strstr(err.text, "full"));
}

static void builds_urls_of_pages(void **state)
{
	struct place *place = *state;

	assert_string_equal(
	    link_url("https://tocsin.example", LINK_APPROVE, "k1.abc", NULL, place->arena),
	    "https://tocsin.example/v1/approve/k1.abc");
	assert_string_equal(
	    link_url("https://tocsin.example/x", LINK_VERDICT, "k1.abc", "false_positive",
		     place->arena),
	    "https://tocsin.example/x/v1/verdict/k1.abc?verdict=false_positive");
}

/* ---- codes ---- */

static void a_code_is_of_one_incident_and_one_purpose(void **state)
{
	struct place *place = *state;
	char shown[CODE_SHOWN_SIZE], again[CODE_SHOWN_SIZE];

	code_make(place->signs, "main", INCIDENT, CODE_APPROVE, shown);
	code_make(place->signs, "main", INCIDENT, CODE_APPROVE, again);
	assert_string_equal(shown, again);
	assert_int_equal(strlen(shown), 9);
	assert_int_equal(shown[4], '-');
	assert_true(code_verify(place->signs, "main", INCIDENT, CODE_APPROVE, shown));
	assert_false(code_verify(place->signs, "main", INCIDENT, CODE_RELEASE, shown));
	assert_false(code_verify(place->signs, "staging", INCIDENT, CODE_APPROVE, shown));
	assert_false(code_verify(place->signs, "main", OTHER_INCIDENT, CODE_APPROVE, shown));
	/* Who has only the public key can neither make nor check one. */
	assert_false(code_verify(place->verifies, "main", INCIDENT, CODE_APPROVE, shown));
}

static void a_code_may_be_typed_carelessly(void **state)
{
	struct place *place = *state;
	char shown[CODE_SHOWN_SIZE], typed[32];

	code_make(place->signs, "main", INCIDENT, CODE_RELEASE, shown);
	snprintf(typed, sizeof(typed), " %.2s %.2s-%s ", shown, shown + 2, shown + 5);
	for (char *c = typed; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
	assert_true(code_verify(place->signs, "main", INCIDENT, CODE_RELEASE, typed));
}

static void a_slip_of_the_finger_is_seen(void **state)
{
	static const char letters[] = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
	struct place *place = *state;
	char shown[CODE_SHOWN_SIZE], code[CODE_SIZE], slip[CODE_SIZE], seen[CODE_SIZE];

	code_make(place->signs, "main", INCIDENT, CODE_RELEASE, shown);
	assert_true(code_normalize(shown, code));
	for (size_t i = 0; i < CODE_SIZE - 1; i++) {
		for (const char *c = letters; *c; c++) {
			memcpy(slip, code, sizeof(slip));
			slip[i] = *c;
			assert_int_equal(code_normalize(slip, seen), *c == code[i]);
		}
		if (i + 2 < CODE_SIZE && code[i] != code[i + 1]) {
			memcpy(slip, code, sizeof(slip));
			slip[i] = code[i + 1];
			slip[i + 1] = code[i];
			assert_false(code_normalize(slip, seen));
		}
	}
}

static void what_cannot_be_a_code(void **state)
{
	static const char *const typed[] = { "",
					     "-",
					     "2222222",
					     "222222222",
					     "0000-0000",
					     "2222-222I",
					     "2222_2222",
					     "\xc3\xbc"
					     "222222" };
	char seen[CODE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++)
		assert_false(code_normalize(typed[i], seen));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(says_what_was_signed),
		CASE(carries_the_longest_and_the_emptiest),
		CASE(refuses_to_sign_what_it_cannot_carry),
		CASE(tells_why_a_link_is_no_good),
		CASE(no_altered_token_is_good),
		CASE(what_is_no_token_is_malformed),
		CASE(a_signature_for_something_else_is_forged),
		CASE(links_outlive_a_change_of_keys),
		CASE(rubbish_in_the_file_changes_nothing),
		CASE(refuses_key_files_that_are_none),
		CASE(keygen_stops_at_a_full_file),
		CASE(builds_urls_of_pages),
		CASE(a_code_is_of_one_incident_and_one_purpose),
		CASE(a_code_may_be_typed_carelessly),
		CASE(a_slip_of_the_finger_is_seen),
		CASE(what_cannot_be_a_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
