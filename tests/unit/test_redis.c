/* The connection: addresses, errors, replies of any shape, connections that break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "bus/redis.h"
#include "bus/redis_url.h"
#include "private_redis.h"

static void addresses(void **state)
{
	static const struct {
		const char *text, *host, *path;
		unsigned port, db;
		bool tls;
	} good[] = {
		{ "redis://localhost", "localhost", "", 6379, 0, false },
		{ "redis://redis:7000/3", "redis", "", 7000, 3, false },
		{ "redis://[::1]:7000", "::1", "", 7000, 0, false },
		{ "redis://[fe80::1]/1", "fe80::1", "", 6379, 1, false },
		{ "redis://h/", "h", "", 6379, 0, false },
		{ "rediss://redis.example:6380", "redis.example", "", 6380, 0, true },
		{ "unix:/run/redis.sock", "", "/run/redis.sock", 0, 0, false },
		{ "unix:///run/redis.sock?db=2", "", "/run/redis.sock", 0, 2, false },
	};
	static const char *const bad[] = {
		"",
		"localhost:6379",
		"http://localhost",
		"redis://",
		"redis://:6379",
		"redis://h:0",
		"redis://h:65536",
		"redis://h:x",
		"redis://h/x",
		"redis://h/99999",
		"redis://[::1",
		"redis://[::1]x",
		"redis://user:secret@h",
		"unix:",
		"unix:relative",
		"unix:/s?x=1",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct redis_url url;
		struct err err = { 0 };
		if (!redis_url_parse(good[i].text, &url, &err))
			fail_msg("%s: %s", good[i].text, err.text);
		assert_string_equal(url.host, good[i].host);
		assert_string_equal(url.path, good[i].path);
		assert_int_equal(url.port, good[i].port);
		assert_int_equal(url.db, good[i].db);
		assert_int_equal(url.tls, good[i].tls);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct redis_url url;
		struct err err = { 0 };
		if (redis_url_parse(bad[i], &url, &err))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(err.kind, ERR_PERMANENT);
		assert_null(strstr(err.text, "secret"));
	}
}

static void settings_that_cannot_work_are_refused(void **state)
{
	struct err err;
	struct redis_settings settings = { .url = "redis://h", .user = "u" };
	(void)state;
	assert_false(redis_settings_check(&settings, &err));
	assert_non_null(strstr(err.text, "TOCSIN_REDIS_PASSWORD_FILE"));
	settings = (struct redis_settings){ .url = NULL };
	assert_false(redis_settings_check(&settings, &err));
#ifndef TOCSIN_REDIS_TLS
	settings = (struct redis_settings){ .url = "rediss://h" };
	assert_false(redis_settings_check(&settings, &err));
	assert_int_equal(err.kind, ERR_PERMANENT);
	assert_non_null(strstr(err.text, "TOCSIN_REDIS_URL: this build has no TLS to Redis"));
	assert_non_null(strstr(err.text, "through a tunnel"));
#endif
	settings = (struct redis_settings){ .url = "redis://h", .certificate_file = "/c" };
	assert_false(redis_settings_check(&settings, &err));
	assert_non_null(strstr(err.text, "TOCSIN_REDIS_KEY_FILE"));
}

static void every_error_has_a_class_and_an_action(void **state)
{
	static const struct {
		const char *text;
		enum redis_error error;
		enum redis_action action;
	} rows[] = {
		{ "LOADING Redis is loading the dataset in memory", REDIS_LOADING,
		  REDIS_RETRY },
		{ "READONLY You can't write against a read only replica.", REDIS_READONLY,
		  REDIS_RECONNECT },
		{ "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to "
		  "'no'.",
		  REDIS_MASTERDOWN, REDIS_RECONNECT },
		{ "NOREPLICAS Not enough good replicas to write.", REDIS_NOREPLICAS,
		  REDIS_RETRY },
		{ "UNBLOCKED force unblock from blocking operation, instance state changed "
		  "(master -> replica?)",
		  REDIS_UNBLOCKED, REDIS_RECONNECT },
		{ "CLUSTERDOWN Hash slot not served", REDIS_CLUSTERDOWN, REDIS_RETRY },
		{ "TRYAGAIN Multiple keys request during rehashing of slot", REDIS_CLUSTERDOWN,
		  REDIS_RETRY },
		{ "MOVED 3999 127.0.0.1:6381", REDIS_MOVED, REDIS_ALARM },
		{ "ASK 3999 127.0.0.1:6381", REDIS_MOVED, REDIS_ALARM },
		{ "CROSSSLOT Keys in request don't hash to the same slot", REDIS_CROSSSLOT,
		  REDIS_ALARM },
		{ "NOGROUP No such key 'x' or consumer group 'tocsin'", REDIS_NOGROUP,
		  REDIS_ALARM },
		{ "BUSYGROUP Consumer Group name already exists", REDIS_BUSYGROUP,
		  REDIS_RETRY },
		{ "OOM command not allowed when used memory > 'maxmemory'.", REDIS_OOM,
		  REDIS_RETRY },
		{ "MISCONF Errors writing to the AOF file: No space left", REDIS_MISCONF,
		  REDIS_ALARM },
		{ "BUSY Redis is busy running a script.", REDIS_BUSY, REDIS_RETRY },
		{ "NOAUTH Authentication required.", REDIS_NOAUTH, REDIS_ALARM },
		{ "WRONGPASS invalid username-password pair or user is disabled.", REDIS_NOAUTH,
		  REDIS_ALARM },
		{ "NOPERM this user has no permissions", REDIS_NOPERM, REDIS_ALARM },
		{ "ERR The user executing the script can't run this command or subcommand "
		  "script: settle",
		  REDIS_NOPERM, REDIS_ALARM },
		{ "ERR ACL failure in script: No permissions to access a key", REDIS_NOPERM,
		  REDIS_ALARM },
		{ "ERR Function not found", REDIS_NOFUNCTION, REDIS_RETRY },
		{ "WRONGTYPE Operation against a key", REDIS_WRONGTYPE, REDIS_ALARM },
		{ "EXECABORT Transaction discarded", REDIS_EXECABORT, REDIS_RETRY },
		{ "STALE lease", REDIS_STALE, REDIS_RETRY },
		{ "FULL 9 of 10 bytes used", REDIS_FULL, REDIS_RETRY },
		{ "NOSTREAM raw is missing", REDIS_NOSTREAM, REDIS_ALARM },
		{ "REFUSED more than 4000 arguments", REDIS_REFUSED, REDIS_ALARM },
		{ "ERR max number of clients reached", REDIS_IO, REDIS_RECONNECT },
		{ "ERR syntax error", REDIS_OTHER, REDIS_RETRY },
		{ "LOADINGS", REDIS_OTHER, REDIS_RETRY },
		{ "", REDIS_OTHER, REDIS_RETRY },
	};
	bool seen[REDIS_OTHER + 1] = { false };
	size_t count = 0;
	const struct redis_error_row *table = redis_error_table(&count);
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum redis_error error = redis_error_classify(rows[i].text);
		if (error != rows[i].error)
			fail_msg("%s: class %d", rows[i].text, error);
		assert_int_equal(redis_error_row(error)->action, rows[i].action);
		seen[error] = true;
	}
	for (size_t i = 0; i < count; i++) {
		assert_true(table[i].meaning[0] != '\0');
		if (table[i].prefix && !seen[table[i].error])
			fail_msg("no test for %s", table[i].prefix);
	}
}

static void replies_of_any_shape_are_harmless(void **state)
{
	int64_t number = 7;
	(void)state;
	assert_int_equal(reply_type(NULL), REPLY_NIL);
	assert_int_equal(reply_count(NULL), 0);
	assert_null(reply_at(NULL, 0));
	assert_string_equal(reply_text(NULL), "");
	assert_null(reply_find(NULL, "x"));

	static const char bytes[] =
	    "*6\r\n$1\r\na\r\n$-1\r\n:-5\r\n*-1\r\n+12\r\n*1\r\n$3\r\n1\0002\r\n";
	struct redis_reply *reply = reply_parse(bytes, sizeof(bytes) - 1);
	assert_non_null(reply);
	assert_int_equal(reply_count(reply), 6);
	assert_string_equal(reply_text(reply), "");
	assert_string_equal(reply_text(reply_at(reply, 0)), "a");
	assert_int_equal(reply_type(reply_at(reply, 1)), REPLY_NIL);
	assert_int_equal(reply_integer(reply_at(reply, 2)), -5);
	assert_int_equal(reply_count(reply_at(reply, 3)), 0);
	assert_int_equal(reply_integer(reply_at(reply, 4)), 12);
	const struct redis_reply *odd = reply_at(reply_at(reply, 5), 0);
	assert_int_equal(reply_size(odd), 3);
	assert_false(reply_number(odd, &number));
	assert_null(reply_at(reply, 6));
	assert_string_equal(reply_text(reply_find(reply, "a")), "");
	assert_null(reply_find(reply, "b"));
	reply_free(reply);

	static const char *const broken[] = {
		"*1000000000\r\n",	     "$5\r\nab", "!", "*1\r\n?\r\n",
		"$99999999999999999999\r\n", ""
	};
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		assert_null(reply_parse(broken[i], strlen(broken[i])));
}

static void numbers_are_whole_or_none(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		int64_t value;
	} rows[] = {
		{ "0", true, 0 },
		{ "-1", true, -1 },
		{ "1700000000000", true, 1700000000000 },
		{ "", false, 0 },
		{ "-", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "1.5", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "+1", false, 0 },
		{ "0x1", false, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char bytes[64];
		int64_t value = 0;
		int size = snprintf(bytes, sizeof(bytes), "$%zu\r\n%s\r\n",
				    strlen(rows[i].text), rows[i].text);
		struct redis_reply *reply = reply_parse(bytes, (size_t)size);
		assert_non_null(reply);
		if (reply_number(reply, &value) != rows[i].valid || value != rows[i].value)
			fail_msg("\"%s\" gave %lld", rows[i].text, (long long)value);
		reply_free(reply);
	}
}

/* ---- with a server that says what we like ---- */

struct fake {
	char folder[32], path[64], url[96];
	int listener;
	pthread_t thread;
	/* Sent after the greeting, in answer to whatever comes; then the connection is closed.
	 */
	const char *answer;
	unsigned connections;
	struct redis_settings settings;
};

/* CLIENT SETNAME and CLIENT ID come one by one, each answered before the next. */
static void fake_serve(const struct fake *fake, int fd)
{
	static const char *const greeting[] = { "+OK\r\n", ":7\r\n" };
	char bytes[4096];
	for (size_t i = 0; i < 3; i++) {
		if (read(fd, bytes, sizeof(bytes)) <= 0)
			return;
		const char *answer = i < 2 ? greeting[i] : fake->answer;
		if (answer[0] == '\0')
			return;
		if (write(fd, answer, strlen(answer)) < 0)
			return;
	}
	/* Until the peer has read it all. */
	shutdown(fd, SHUT_WR);
	while (read(fd, bytes, sizeof(bytes)) > 0)
		continue;
}

static void *fake_main(void *opaque)
{
	struct fake *fake = opaque;
	for (unsigned i = 0; i < fake->connections; i++) {
		int fd = accept(fake->listener, NULL, NULL);
		if (fd < 0)
			return NULL;
		fake_serve(fake, fd);
		close(fd);
	}
	return NULL;
}

static void fake_start(struct fake *fake, const char *answer, unsigned connections)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	memset(fake, 0, sizeof(*fake));
	snprintf(fake->folder, sizeof(fake->folder), "/tmp/tocsin-fake-XXXXXX");
	assert_non_null(mkdtemp(fake->folder));
	snprintf(fake->path, sizeof(fake->path), "%s/s", fake->folder);
	snprintf(fake->url, sizeof(fake->url), "unix:%s", fake->path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->path);
	fake->answer = answer;
	fake->connections = connections;
	fake->settings = (struct redis_settings){ .url = fake->url,
						  .connect_timeout_ms = 1000,
						  .command_timeout_ms = 300 };
	fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fake->listener, (const struct sockaddr *)(const void *)&address,
			      sizeof(address)),
			 0);
	assert_int_equal(listen(fake->listener, 8), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_main, fake), 0);
}

static void fake_stop(struct fake *fake)
{
	shutdown(fake->listener, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	unlink(fake->path);
	rmdir(fake->folder);
}

static void a_connection_cut_after_sending_is_ambiguous(void **state)
{
	struct fake fake;
	struct err err = { 0 };
	(void)state;
	fake_start(&fake, "", 1);
	struct redis *redis = redis_new(&fake.settings, "test");
	assert_true(redis_connect(redis, &err));
	assert_int_equal(redis_client_id(redis), 7);
	redis_append(redis, "SET a b");
	redis_append(redis, "SET c d");
	assert_null(redis_read(redis, &err));
	assert_int_equal(redis_error(redis), REDIS_IO);
	assert_int_equal(err.kind, ERR_TRANSIENT);
	assert_true(err.ambiguous);
	assert_int_equal(redis_pending(redis), 1);
	memset(&err, 0, sizeof(err));
	assert_null(redis_read(redis, &err));
	assert_true(err.ambiguous);
	assert_int_equal(redis_pending(redis), 0);
	redis_free(redis);
	fake_stop(&fake);
}

static void half_an_answer_and_too_much_of_one_end_the_connection(void **state)
{
	static const char *const answers[] = { "$10\r\nabc", "*1000000000\r\n", "?what\r\n" };
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct fake fake;
		struct err err = { 0 };
		fake_start(&fake, answers[i], 1);
		struct redis *redis = redis_new(&fake.settings, "test");
		assert_null(redis_command(redis, &err, "GET a"));
		assert_int_equal(redis_error(redis), REDIS_IO);
		assert_int_equal(redis_connected_ms(redis), 0);
		redis_free(redis);
		fake_stop(&fake);
	}
}

static void a_server_that_became_a_replica_is_left(void **state)
{
	struct fake fake;
	struct err err = { 0 };
	(void)state;
	fake_start(&fake, "-READONLY You can't write\r\n", 2);
	struct redis *redis = redis_new(&fake.settings, "test");
	assert_null(redis_command(redis, &err, "SET a b"));
	assert_int_equal(redis_error(redis), REDIS_READONLY);
	assert_false(err.ambiguous);
	/* The next command comes over a new connection: the fake greets each once. */
	memset(&err, 0, sizeof(err));
	assert_null(redis_command(redis, &err, "SET a b"));
	assert_int_equal(redis_error(redis), REDIS_READONLY);
	redis_free(redis);
	fake_stop(&fake);
}

static void nobody_there_is_not_ambiguous_and_backs_off(void **state)
{
	struct redis_settings settings = { .url = "unix:/nonexistent/s",
					   .connect_timeout_ms = 100,
					   .command_timeout_ms = 100 };
	struct err err = { 0 };
	(void)state;
	struct redis *redis = redis_new(&settings, "test");
	assert_false(redis_run(redis, &err, "PING"));
	assert_int_equal(redis_error(redis), REDIS_IO);
	assert_false(err.ambiguous);
	for (unsigned i = 0; i < 20; i++)
		assert_false(redis_run(redis, &err, "PING"));
	assert_true(err.retry_after_ms <= 2000);
	redis_free(redis);
}

/* ---- with a real one ---- */

static struct private_redis *server;

static int start_server(void **state)
{
	(void)state;
	server = private_redis_start();
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	private_redis_stop(server);
	return 0;
}

static void commands_and_pipelines(void **state)
{
	struct err err = { 0 };
	(void)state;
	struct redis *redis = redis_new(&server->settings, "test");
	/* Text with spaces, quotes and NULs is one argument. */
	assert_true(redis_run(redis, &err, "SET %s %b", "a key", "v\"a\0l", (size_t)5));
	struct redis_reply *reply = redis_command(redis, &err, "GET %s", "a key");
	assert_int_equal(reply_size(reply), 5);
	reply_free(reply);
	assert_null(redis_command(redis, &err, "LPUSH %s x", "a key"));
	assert_int_equal(redis_error(redis), REDIS_WRONGTYPE);
	assert_false(err.ambiguous);
	reply = redis_command(redis, &err, "GET missing");
	assert_non_null(reply);
	assert_int_equal(reply_type(reply), REPLY_NIL);
	reply_free(reply);

	redis_append(redis, "INCR n");
	redis_append(redis, "LPUSH n x");
	redis_append(redis, "INCR n");
	reply = redis_read(redis, &err);
	assert_int_equal(reply_integer(reply), 1);
	reply_free(reply);
	assert_null(redis_read(redis, &err));
	assert_int_equal(redis_error(redis), REDIS_WRONGTYPE);
	reply = redis_read(redis, &err);
	assert_int_equal(reply_integer(reply), 2);
	reply_free(reply);
	assert_int_equal(redis_error(redis), REDIS_NONE);
	redis_free(redis);
}

static void a_slow_answer_is_no_answer(void **state)
{
	struct err err = { 0 };
	struct redis_settings settings = server->settings;
	(void)state;
	settings.command_timeout_ms = 100;
	struct redis *redis = redis_new(&settings, "test");
	assert_null(redis_command(redis, &err, "BLPOP nothing 5"));
	assert_int_equal(redis_error(redis), REDIS_IO);
	assert_true(err.ambiguous);
	assert_non_null(strstr(err.text, "in time"));
	/* Allowed to block, it waits. */
	redis_set_block(redis, 2000);
	WAIT_FOR(redis_connect(redis, &err), 5);
	struct redis_reply *reply = redis_command(redis, &err, "BLPOP nothing 0.3");
	assert_non_null(reply);
	reply_free(reply);
	redis_free(redis);
}

static void reconnects_after_a_restart(void **state)
{
	struct err err = { 0 };
	(void)state;
	struct redis *redis = redis_new(&server->settings, "test");
	assert_true(redis_run(redis, &err, "SET kept 1"));
	assert_true(redis_client_id(redis) > 0);
	private_redis_kill(server);
	assert_false(redis_run(redis, &err, "SET lost 1"));
	private_redis_run(server);
	WAIT_FOR(redis_run(redis, &err, "PING"), 10);
	struct redis_reply *reply = redis_command(redis, &err, "GET kept");
	assert_string_equal(reply_text(reply), "1");
	reply_free(reply);
	redis_free(redis);
}

static void user_password_and_database(void **state)
{
	struct err err = { 0 };
	struct redis_settings settings = server->settings;
	char url[128];
	(void)state;
	struct redis *admin = redis_new(&server->settings, "admin");
	assert_true(redis_run(admin, &err, "ACL SETUSER svc on >pw ~* +get +set"));
	snprintf(url, sizeof(url), "%s%s", server->url, server->port[0] ? "/3" : "?db=3");
	settings.url = url;
	settings.user = "svc";
	settings.password = "wrong";
	struct redis *redis = redis_new(&settings, "svc");
	assert_false(redis_run(redis, &err, "SET a b"));
	assert_int_equal(redis_error(redis), REDIS_NOAUTH);
	assert_null(strstr(err.text, "wrong"));
	redis_free(redis);

	/* May neither name itself nor ask its id: that stops nothing. SELECT it needs. */
	settings.password = "pw";
	redis = redis_new(&settings, "svc");
	assert_false(redis_run(redis, &err, "SET a b"));
	assert_int_equal(redis_error(redis), REDIS_NOPERM);
	assert_true(redis_run(admin, &err, "ACL SETUSER svc +select"));
	WAIT_FOR(redis_run(redis, &err, "SET a b"), 5);
	assert_int_equal(redis_client_id(redis), 0);
	assert_false(redis_run(redis, &err, "DEL a"));
	assert_int_equal(redis_error(redis), REDIS_NOPERM);
	assert_true(redis_run(admin, &err, "SELECT 3"));
	struct redis_reply *reply = redis_command(admin, &err, "GET a");
	assert_string_equal(reply_text(reply), "b");
	reply_free(reply);
	redis_free(redis);
	redis_free(admin);
}

static void calls_carry_keys_numbers_and_fields(void **state)
{
	struct err err = { 0 };
	struct redis_call call;
	const struct field fields[] = { { "a", "x\0y", 3 }, { "b", "", 0 } };
	(void)state;
	struct redis *redis = redis_new(&server->settings, "test");
	assert_true(redis_run(redis, &err, "FUNCTION LOAD REPLACE %s",
			      "#!lua name=probe\nredis.register_function('echo_all', "
			      "function(k, a) return {#k, #a, k[1], a[1], a[2], a[4]} end)"));
	redis_call_init(&call, "echo_all");
	redis_call_key(&call, "k1");
	redis_call_key(&call, "k2");
	redis_call_number(&call, UINT64_MAX);
	redis_call_fields(&call, fields, 2);
	struct redis_reply *reply = redis_function(redis, &call, &err);
	assert_non_null(reply);
	assert_int_equal(reply_integer(reply_at(reply, 0)), 2);
	assert_int_equal(reply_integer(reply_at(reply, 1)), 6);
	assert_string_equal(reply_text(reply_at(reply, 2)), "k1");
	assert_string_equal(reply_text(reply_at(reply, 3)), "18446744073709551615");
	assert_string_equal(reply_text(reply_at(reply, 4)), "2");
	assert_int_equal(reply_size(reply_at(reply, 5)), 3);
	assert_null(redis_expect_list(reply, 5, &err));
	redis_free(redis);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(settings_that_cannot_work_are_refused),
		cmocka_unit_test(every_error_has_a_class_and_an_action),
		cmocka_unit_test(replies_of_any_shape_are_harmless),
		cmocka_unit_test(numbers_are_whole_or_none),
		cmocka_unit_test(a_connection_cut_after_sending_is_ambiguous),
		cmocka_unit_test(half_an_answer_and_too_much_of_one_end_the_connection),
		cmocka_unit_test(a_server_that_became_a_replica_is_left),
		cmocka_unit_test(nobody_there_is_not_ambiguous_and_backs_off),
		cmocka_unit_test_setup_teardown(commands_and_pipelines, start_server,
						stop_server),
		cmocka_unit_test_setup_teardown(a_slow_answer_is_no_answer, start_server,
						stop_server),
		cmocka_unit_test_setup_teardown(reconnects_after_a_restart, start_server,
						stop_server),
		cmocka_unit_test_setup_teardown(user_password_and_database, start_server,
						stop_server),
		cmocka_unit_test_setup_teardown(calls_carry_keys_numbers_and_fields,
						start_server, stop_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
