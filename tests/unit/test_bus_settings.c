/* Times that contradict each other are refused, and the message names both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/bus.h"

static void clear_environment(void)
{
	for (const struct conf_option *row = bus_options; row->name; row++)
		unsetenv(row->name);
}

static bool check(const char *name, const char *value, struct err *err)
{
	struct bus_settings settings = { 0 };
	clear_environment();
	if (name)
		setenv(name, value, 1);
	bool good =
	    conf_load(bus_options, &settings, err) && bus_settings_check(&settings, err);
	conf_clear(bus_options, &settings);
	clear_environment();
	return good;
}

static void the_defaults_agree(void **state)
{
	struct err err = { 0 };
	(void)state;
	if (!check(NULL, NULL, &err))
		fail_msg("%s", err.text);
}

static void contradictions_are_refused_by_name(void **state)
{
	static const struct {
		const char *name, *value, *other;
	} rows[] = {
		{ "TOCSIN_QUARANTINE", "119s", "TOCSIN_REMOTE_MAX" },
		{ "TOCSIN_CALL_DEADLINE", "31s", "TOCSIN_QUARANTINE" },
		{ "TOCSIN_REMOTE_MAX", "61s", "TOCSIN_QUARANTINE" },
		{ "TOCSIN_QUARANTINE_MARGIN", "31s", "TOCSIN_QUARANTINE" },
		{ "TOCSIN_HEARTBEAT", "11s", "TOCSIN_CLAIM_IDLE" },
		{ "TOCSIN_SCAN", "31s", "TOCSIN_CLAIM_IDLE" },
		{ "TOCSIN_CLAIM_IDLE", "6m", "TOCSIN_STUCK" },
		{ "TOCSIN_LEASE_RENEW", "16s", "TOCSIN_LEASE" },
		{ "TOCSIN_STUCK", "50s", "TOCSIN_CALL_DEADLINE" },
		{ "TOCSIN_GIVE_UP", "100s", "TOCSIN_QUARANTINE" },
		{ "TOCSIN_GIVE_UP", "9d", "TOCSIN_FATE_TTL" },
		{ "TOCSIN_BACKOFF_BASE", "16m", "TOCSIN_BACKOFF_CAP" },
		{ "TOCSIN_BACKOFF_CAP", "23h", NULL },
		{ "TOCSIN_REDIS_URL", "http://x", "TOCSIN_REDIS_URL" },
		{ "TOCSIN_REDIS_USER", "svc", "TOCSIN_REDIS_PASSWORD_FILE" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0 };
		bool good = check(rows[i].name, rows[i].value, &err);
		if (good != (rows[i].other == NULL))
			fail_msg("%s=%s: %s", rows[i].name, rows[i].value, err.text);
		if (rows[i].other && !strstr(err.text, rows[i].other))
			fail_msg("%s=%s: %s", rows[i].name, rows[i].value, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_agree),
		cmocka_unit_test(contradictions_are_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
