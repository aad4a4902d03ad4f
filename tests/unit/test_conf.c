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
#include "base/conf.h"

struct config {
	char *name;
	unsigned count;
	uint64_t wait_ms, size_bytes;
	bool on;
	char *url, *redis, *path, *password;
	unsigned level;
};

#define FIELD(member) .offset = offsetof(struct config, member)

static const struct conf_option table[] = {
	{ "TOCSIN_T_NAME", CONF_STRING, FIELD(name), NULL, 2, 8, CONF_REQUIRED, "its name" },
	{ "TOCSIN_T_COUNT", CONF_UINT, FIELD(count), "4", 1, 64, .help = "how many" },
	{ "TOCSIN_T_WAIT", CONF_MILLIS, FIELD(wait_ms), "5m", 1000, 3600000, .help = "wait" },
	{ "TOCSIN_T_SIZE", CONF_BYTES, FIELD(size_bytes), "64k", .help = "size" },
	{ "TOCSIN_T_ON", CONF_BOOL, FIELD(on), "no", .help = "switch" },
	{ "TOCSIN_T_URL", CONF_URL, FIELD(url), NULL, .help = "address" },
	{ "TOCSIN_T_REDIS", CONF_URL, FIELD(redis), NULL, .help = "address",
	  .choices = "redis|rediss|unix" },
	{ "TOCSIN_T_PATH", CONF_PATH, FIELD(path), NULL, .help = "a file" },
	{ "TOCSIN_T_PASSWORD", CONF_STRING, FIELD(password), NULL, .flags = CONF_SECRET,
	  .help = "a secret" },
	{ "TOCSIN_T_LEVEL", CONF_CHOICE, FIELD(level), "info", .help = "least",
	  .choices = "debug|info|warn" },
	{ 0 },
};

static char folder[] = "/tmp/tocsin-test-conf-XXXXXX";

static int setup(void **state)
{
	(void)state;
	for (const struct conf_option *row = table; row->name; row++)
		unsetenv(row->name);
	unsetenv("TOCSIN_T_PASSWORD_FILE");
	setenv("TOCSIN_T_NAME", "acme", 1);
	return 0;
}

static const char *file(const char *name, const void *data, size_t size)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, size, out), size);
	fclose(out);
	return path;
}

static void defaults(void **state)
{
	struct config config = { 0 };
	struct err err;

	(void)state;
	assert_true(conf_load(table, &config, &err));
	assert_string_equal(config.name, "acme");
	assert_int_equal(config.count, 4);
	assert_int_equal(config.wait_ms, 300000);
	assert_int_equal(config.size_bytes, 65536);
	assert_false(config.on);
	assert_null(config.url);
	assert_null(config.password);
	assert_int_equal(config.level, 1);
	conf_clear(table, &config);
	assert_null(config.name);
}

static void values(void **state)
{
	struct config config = { 0 };
	struct err err;

	(void)state;
	setenv("TOCSIN_T_COUNT", "64", 1);
	setenv("TOCSIN_T_WAIT", "90s", 1);
	setenv("TOCSIN_T_SIZE", "2G", 1);
	setenv("TOCSIN_T_ON", "Yes", 1);
	setenv("TOCSIN_T_URL", "https://proxy.example:3128/x", 1);
	setenv("TOCSIN_T_REDIS", "unix:///run/redis.sock", 1);
	setenv("TOCSIN_T_LEVEL", "warn", 1);
	setenv("TOCSIN_T_PATH", "", 1); /* empty is not set */
	assert_true(conf_load(table, &config, &err));
	assert_int_equal(config.count, 64);
	assert_int_equal(config.wait_ms, 90000);
	assert_true(config.size_bytes == 2147483648);
	assert_true(config.on);
	assert_string_equal(config.redis, "unix:///run/redis.sock");
	assert_int_equal(config.level, 2);
	assert_null(config.path);
	conf_clear(table, &config);
}

static void what_is_wrong_is_said_in_one_line(void **state)
{
	static const struct {
		const char *name, *value, *text;
	} rows[] = {
		{ "TOCSIN_T_NAME", NULL, "TOCSIN_T_NAME is not set: its name" },
		{ "TOCSIN_T_NAME", "x", "TOCSIN_T_NAME=x is not text, 2 to 8 characters" },
		{ "TOCSIN_T_NAME", "x23456789",
		  "TOCSIN_T_NAME=x23456789 is not text, 2 to 8 characters" },
		{ "TOCSIN_T_COUNT", "0", "TOCSIN_T_COUNT=0 is not a whole number, 1 to 64" },
		{ "TOCSIN_T_COUNT", "-1", "TOCSIN_T_COUNT=-1 is not a whole number, 1 to 64" },
		{ "TOCSIN_T_COUNT", " 1", "TOCSIN_T_COUNT= 1 is not a whole number, 1 to 64" },
		{ "TOCSIN_T_COUNT", "4294967297",
		  "TOCSIN_T_COUNT=4294967297 is not a whole number, 1 to 64" },
		{ "TOCSIN_T_WAIT", "5", NULL }, /* seconds: fine */
		{ "TOCSIN_T_WAIT", "2h",
		  "TOCSIN_T_WAIT=2h is not a time such as 250ms, 10s, 5m or 24h, 1s to 1h" },
		{ "TOCSIN_T_SIZE", "12q",
		  "TOCSIN_T_SIZE=12q is not a size such as 64k or 16m" },
		{ "TOCSIN_T_SIZE", "99999999999g",
		  "TOCSIN_T_SIZE=99999999999g is not a size such as 64k or 16m" },
		{ "TOCSIN_T_ON", "maybe", "TOCSIN_T_ON=maybe is not true or false" },
		{ "TOCSIN_T_URL", "ftp://x",
		  "TOCSIN_T_URL=ftp://x is not an address without user or password, http:// or "
		  "https://..." },
		{ "TOCSIN_T_URL", "http://u:p@x/",
		  "TOCSIN_T_URL=http://u:p@x/ is not an address without user or password, "
		  "http:// "
		  "or https://..." },
		{ "TOCSIN_T_REDIS", "http://x",
		  "TOCSIN_T_REDIS=http://x is not an address without user or password, "
		  "redis:// "
		  "or rediss:// or unix://..." },
		{ "TOCSIN_T_LEVEL", "inf",
		  "TOCSIN_T_LEVEL=inf is not one of debug, info, warn" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config config = { 0 };
		struct err err = { 0 };
		setup(NULL);
		if (rows[i].value)
			setenv(rows[i].name, rows[i].value, 1);
		else
			unsetenv(rows[i].name);
		bool good = conf_load(table, &config, &err);
		assert_int_equal(good, rows[i].text == NULL);
		if (rows[i].text) {
			assert_string_equal(err.text, rows[i].text);
			assert_null(config.name);
		}
		conf_clear(table, &config);
	}
}

static void secrets_come_from_files(void **state)
{
	struct config config = { 0 };
	struct err err;

	(void)state;
	setenv("TOCSIN_T_PASSWORD_FILE", file("password", "hunter2 \n", 9), 1);
	assert_true(conf_load(table, &config, &err));
	assert_string_equal(config.password, "hunter2 ");
	conf_clear(table, &config);

	setenv("TOCSIN_T_PASSWORD", "other", 1);
	assert_false(conf_load(table, &config, &err));
	assert_string_equal(err.text, "TOCSIN_T_PASSWORD and TOCSIN_T_PASSWORD_FILE are both "
				      "set: keep one");
	unsetenv("TOCSIN_T_PASSWORD");

	setenv("TOCSIN_T_PASSWORD_FILE", "/nonexistent/password", 1);
	assert_false(conf_load(table, &config, &err));
	assert_string_equal(err.text, "TOCSIN_T_PASSWORD_FILE: cannot open "
				      "/nonexistent/password: No such file or directory");

	setenv("TOCSIN_T_PASSWORD_FILE", file("binary", "a\0b", 3), 1);
	assert_false(conf_load(table, &config, &err));
	assert_non_null(strstr(err.text, "holds a zero byte"));

	setenv("TOCSIN_T_PASSWORD_FILE", folder, 1);
	assert_false(conf_load(table, &config, &err));
	assert_non_null(strstr(err.text, "Is a directory"));

	setenv("TOCSIN_T_PASSWORD_FILE", "/dev/zero", 1);
	assert_false(conf_load(table, &config, &err));
	assert_non_null(strstr(err.text, "is larger than"));
}

static void add_line(const char *name, const char *value, void *opaque)
{
	buf_addf(opaque, "%s=%s\n", name, value);
}

/* What is logged at start can be read back, but for the secrets. */
static void the_dump_hides_secrets(void **state)
{
	struct config config = { 0 };
	struct err err;
	struct buf out;

	(void)state;
	setenv("TOCSIN_T_PASSWORD", "hunter2", 1);
	setenv("TOCSIN_T_WAIT", "90s", 1);
	assert_true(conf_load(table, &config, &err));
	buf_init(&out, 4096);
	conf_dump(table, &config, add_line, &out);
	assert_string_equal(buf_text(&out),
			    "TOCSIN_T_NAME=acme\nTOCSIN_T_COUNT=4\nTOCSIN_T_WAIT=90s\n"
			    "TOCSIN_T_SIZE=64k\nTOCSIN_T_ON=false\nTOCSIN_T_URL=\n"
			    "TOCSIN_T_REDIS=\nTOCSIN_T_PATH=\nTOCSIN_T_PASSWORD=set\n"
			    "TOCSIN_T_LEVEL=info\n");
	buf_done(&out);
	conf_clear(table, &config);
}

static void help_and_reference_name_every_row(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	conf_print_help(table, out);
	conf_print_markdown(table, out);
	fclose(out);
	for (const struct conf_option *row = table; row->name; row++) {
		char line[128];
		snprintf(line, sizeof line, "  %s\n      %s\n", row->name, row->help);
		assert_non_null(strstr(text, line));
		snprintf(line, sizeof line, "| `%s`", row->name);
		assert_non_null(strstr(text, line));
	}
	assert_non_null(strstr(text,
			       "| `TOCSIN_T_WAIT` | a time such as 250ms, 10s, 5m or 24h, "
			       "1s to 1h | `5m` | wait |\n"));
	assert_non_null(strstr(text, "secret: TOCSIN_T_PASSWORD_FILE names a file"));
	free(text);
}

static void misspelt_names_are_refused(void **state)
{
	const struct conf_option *const tables[] = { table, NULL };
	static const char *const others[] = { "TOCSIN_OTHER_THREADS", NULL };
	static const struct {
		const char *name, *value, *text;
	} rows[] = {
		{ "TOCSIN_T_PASSWORD_FILE", "x", NULL },
		{ "TOCSIN_OTHER_THREADS", "4", NULL },
		{ "TOCSIN_OTHER_THREADS_FILE", "4", NULL },
		{ "TOCSIN_CALLBACK_PORT", "tcp://10.0.0.1:80", NULL },
		{ "TOCSIN_CALLBACK_SERVICE_HOST", "10.0.0.1", NULL },
		{ "TOCSIN_T_COUNTS", "4",
		  "unknown setting TOCSIN_T_COUNTS: did you mean TOCSIN_T_COUNT?" },
		{ "TOCSIN_OTHER_TREADS", "4",
		  "unknown setting TOCSIN_OTHER_TREADS: did you mean TOCSIN_OTHER_THREADS?" },
		{ "TOCSIN_T_PASWORD_FILE", "4",
		  "unknown setting TOCSIN_T_PASWORD_FILE: did you mean "
		  "TOCSIN_T_PASSWORD_FILE?" },
		{ "TOCSIN_T_COUNT_FILE", "x",
		  "unknown setting TOCSIN_T_COUNT_FILE: did you mean TOCSIN_T_COUNT?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = { 0 };
		setenv(rows[i].name, rows[i].value, 1);
		bool good = conf_check_unknown(tables, others, &err);
		unsetenv(rows[i].name);
		assert_int_equal(good, rows[i].text == NULL);
		if (rows[i].text)
			assert_string_equal(err.text, rows[i].text);
	}
}

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	file("password", "", 0);
	unlink(file("password", "", 0));
	unlink(file("binary", "", 0));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(defaults, setup),
		cmocka_unit_test_setup(values, setup),
		cmocka_unit_test_setup(what_is_wrong_is_said_in_one_line, setup),
		cmocka_unit_test_setup(secrets_come_from_files, setup),
		cmocka_unit_test_setup(the_dump_hides_secrets, setup),
		cmocka_unit_test_setup(help_and_reference_name_every_row, setup),
		cmocka_unit_test_setup(misspelt_names_are_refused, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
