/* Whom a request comes from, when proxies stand in front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <string.h>

#include <cmocka.h>

#include "net/httpd_proxies.h"

#define TRUSTED "10.0.0.0/8, 192.0.2.7,2001:db8:1::/48"

static void clients(void **state)
{
	static const struct {
		const char *trusted, *peer, *forwarded, *want;
	} rows[] = {
		{ NULL, "203.0.113.9", NULL, "203.0.113.9" },
		{ NULL, "203.0.113.9", "198.51.100.1", "203.0.113.9" },
		{ TRUSTED, "203.0.113.9", "198.51.100.1", "203.0.113.9" },
		{ TRUSTED, "192.0.2.7", "198.51.100.1", "198.51.100.1" },
		{ TRUSTED, "192.0.2.8", "198.51.100.1", "192.0.2.8" },
		{ TRUSTED, "10.255.0.1", "198.51.100.1", "198.51.100.1" },
		{ TRUSTED, "10.0.0.1", NULL, "10.0.0.1" },
		{ TRUSTED, "10.0.0.1", "", "10.0.0.1" },
		/* What is before the last that is not trusted anybody could have written. */
		{ TRUSTED, "10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1" },
		{ TRUSTED, "10.0.0.1", "1.1.1.1,198.51.100.1", "198.51.100.1" },
		{ TRUSTED, "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3" },
		{ TRUSTED, "10.0.0.1", "198.51.100.1, rubbish", "10.0.0.1" },
		{ TRUSTED, "10.0.0.1", "198.51.100.1,", "10.0.0.1" },
		{ TRUSTED, "10.0.0.1", "unknown, 10.0.0.2", "10.0.0.2" },
		{ TRUSTED, "10.0.0.1", "198.51.100.1:4711", "198.51.100.1" },
		{ TRUSTED, "10.0.0.1", "[2001:db8:2::1]:4711", "2001:db8:2::1" },
		{ TRUSTED, "10.0.0.1", "[2001:db8:2::1", "10.0.0.1" },
		{ TRUSTED, "2001:db8:1::5", "2001:db8:2::1", "2001:db8:2::1" },
		{ TRUSTED, "2001:db8:2::5", "198.51.100.1", "2001:db8:2::5" },
		{ TRUSTED, "10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1" },
		{ "0.0.0.0/0", "198.51.100.9", "198.51.100.1", "198.51.100.1" },
		{ "198.51.100.128/25", "198.51.100.127", "1.1.1.1", "198.51.100.127" },
		{ "198.51.100.128/25", "198.51.100.129", "1.1.1.1", "1.1.1.1" },
		{ TRUSTED, "", "198.51.100.1", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		char got[INET6_ADDRSTRLEN];
		struct httpd_proxies *proxies = httpd_proxies_new(rows[i].trusted, &err);
		assert_non_null(proxies);
		assert_int_equal(httpd_proxies_any(proxies), rows[i].trusted != NULL);
		httpd_proxies_client(proxies, rows[i].peer, rows[i].forwarded, got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s, %s: want %s, got %s", rows[i].peer,
				 rows[i].forwarded ? rows[i].forwarded : "-", rows[i].want,
				 got);
		httpd_proxies_free(proxies);
	}
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const texts[] = { "proxy.example", "10.0.0.0/33",	"10.0.0.0/",
					     "10.0.0.0/-1",   "10.0.0.0/8x",	"fd00::/129",
					     "10.0.0",	      "1.1.1.1 rubbish" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct err err = { 0 };
		if (httpd_proxies_new(texts[i], &err))
			fail_msg("%s was taken", texts[i]);
		assert_int_equal(err.kind, ERR_PERMANENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients),
		cmocka_unit_test(what_is_no_network_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
