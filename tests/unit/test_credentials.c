/* Who may call us: the members of files, the callback's share of them, and what proves it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "model/callback_record.h"
#include "model/customer.h"
#include "model/vault.h"

#define SEALED "\"v1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA\""
#define HASHED "\"h1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""

static void files_of_customers(void **state)
{
	static const struct {
		const char *push, *refused; /* NULL: taken */
	} rows[] = {
		{ "{\"sources\":{\"generic\":{}}}", NULL },
		{ "{\"sources\":{\"generic\":{},\"w_2\":{\"id\":\"rule.id\"}},\"hmac\":[" SEALED
		  "," SEALED "],\"bearer\":[" HASHED "],\"events_per_minute\":5}",
		  NULL },
		{ "{}", "push.sources: is missing" },
		{ "{\"sources\":{}}", "push.sources: must name 1 to 32" },
		{ "{\"sources\":{\"Generic\":{}}}", "push.sources.Generic: a source is" },
		{ "{\"sources\":{\"a\":{\"path\":\"x\"}}}", "push.sources.a.path: unknown" },
		{ "{\"sources\":{\"a\":{\"id\":\"a b\"}}}", "push.sources.a.id: " },
		{ "{\"sources\":{\"a\":{}},\"hmac\":[]}", "push.hmac: must list one or two" },
		{ "{\"sources\":{\"a\":{}},\"hmac\":[\"whsec_x\"]}",
		  "push.hmac: item 1 is not sealed" },
		{ "{\"sources\":{\"a\":{}},\"bearer\":[" SEALED "]}",
		  "push.bearer: item 1 is not hashed" },
		{ "{\"sources\":{\"a\":{}},\"hmac\":[" SEALED "," SEALED "," SEALED "]}",
		  "push.hmac: must list one or two" },
		{ "{\"sources\":{\"a\":{}},\"more\":1}", "push.more: unknown member" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		struct buf file;
		buf_init(&file, 4096);
		buf_addf(&file, "{\"id\":\"acme\",\"partition\":3,\"push\":%s}", rows[i].push);
		struct customer *customer =
		    customer_decode(buf_text(&file), file.size, "customers/acme.json", &err);
		buf_done(&file);
		if (!customer != (rows[i].refused != NULL) ||
		    (rows[i].refused && !strstr(err.text, rows[i].refused)))
			fail_msg("%s: %s", rows[i].push, customer ? "taken" : err.text);
		if (!customer)
			continue;
		/* The callback's share says the same, and is read back as it was. */
		char *text = callback_customer_encode(customer);
		struct callback_customer *record =
		    callback_customer_decode("acme", text, strlen(text), &err);
		assert_non_null(record);
		assert_int_equal(record->partition, 3);
		assert_true(record->push.given);
		assert_int_equal(record->push.source_count, customer->push.source_count);
		assert_non_null(
		    customer_push_source(&record->push, customer->push.sources[0].name));
		assert_null(customer_push_source(&record->push, "other"));
		callback_customer_free(record);
		free(text);
		customer_free(customer);
	}
}

static void hashes_prove_one_secret_of_one_place(void **state)
{
	char path[] = "/tmp/tocsin-record-XXXXXX", id[16];
	struct err err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_true(vault_keygen(path, id, &err));
	struct vault *vault = vault_open(path, &err);
	char *hash = vault_hash(vault, "acme", "push.bearer", "token");
	assert_true(vault_is_hash(hash));
	assert_false(vault_is_sealed(hash));
	assert_true(vault_hash_matches(vault, "acme", "push.bearer", "token", hash));
	assert_false(vault_hash_matches(vault, "acme", "push.bearer", "token ", hash));
	assert_false(vault_hash_matches(vault, "globex", "push.bearer", "token", hash));
	assert_false(vault_hash_matches(vault, "acme", "push.hmac", "token", hash));
	assert_false(vault_hash_matches(vault, "acmepush", ".bearer", "token", hash));
	assert_false(vault_hash_matches(vault, "acme", "push.bearer", "token", "h1.k9.AAAA"));
	assert_false(vault_is_hash("h1."
				   "k1"
				   ".short"));
	/* A newer key hashes; the older one still checks, and who has its file open sees it. */
	assert_true(vault_keygen(path, id, &err));
	struct vault *newer = vault_open(path, &err);
	assert_true(vault_hash_matches(newer, "acme", "push.bearer", "token", hash));
	char *again = vault_hash(newer, "acme", "push.bearer", "token");
	assert_string_not_equal(again, hash);
	assert_true(vault_hash_matches(vault, "acme", "push.bearer", "token", again));
	free(again);
	free(hash);
	vault_free(newer);
	vault_free(vault);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_customers),
		cmocka_unit_test(hashes_prove_one_secret_of_one_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
