/* The life of a process, seen from outside: each test starts one by fork(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/service.h"

#include "wire.h"

/* ---- the process under test ---- */

struct config {
	char *password;
	uint64_t wait_ms;
};

static const struct conf_option table[] = {
	{ "TOCSIN_UNIT_PASSWORD", CONF_STRING, offsetof(struct config, password), NULL,
	  .flags = CONF_SECRET, .help = "a password" },
	{ "TOCSIN_UNIT_WAIT", CONF_MILLIS, offsetof(struct config, wait_ms), "5s", 1000, 60000,
	  .help = "a time" },
	{ 0 },
};

static struct metric things = { .name = "tocsin_unit_things_total", .help = "things" };
static struct metric *const rows[] = { &things, NULL };
static struct metric *const *const lists[] = { rows, NULL };

static const struct service_about about = { .name = "unit",
					    .summary = "is tested",
					    .metrics = lists };

/* What a process does between start and finish. */
typedef bool run(struct service *service, const struct config *config);

static int start_process(int argc, char **argv, run *body)
{
	struct config config = { 0 };
	const struct service_part parts[] = { { "Unit", table, &config }, { 0 } };
	struct service *service = service_start(argc, argv, &about, parts);

	if (!service)
		return EXIT_FAILURE;
	int status = service_finish(service, body(service, &config));
	conf_clear(table, &config);
	return status;
}

struct process {
	pid_t pid;
	int output;    /* read end of its stdout and stderr */
	unsigned port; /* its health port */
	char text[65536];
	int status;
};

static unsigned free_port(void)
{
	unsigned port;

	close(wire_listen(&port));
	return port;
}

static void spawn_at(struct process *process, run *body, const char *argument, unsigned at)
{
	int ends[2];
	char port[16];

	process->port = at;
	snprintf(port, sizeof port, "%u", process->port);
	assert_int_equal(pipe(ends), 0);
	process->pid = fork();
	if (process->pid == 0) {
		char *argv[] = { (char[]){ "tocsin-unit" }, (char *)argument, NULL };
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		setenv("TOCSIN_HEALTH_PORT", port, 1);
		exit(start_process(argument ? 2 : 1, argv, body));
	}
	close(ends[1]);
	process->output = ends[0];
}

static void spawn(struct process *process, run *body, const char *argument)
{
	spawn_at(process, body, argument, free_port());
}

/* Reads what it wrote until it ends. */
static void collect(struct process *process)
{
	size_t size = 0;
	ssize_t got;

	while (size + 1 < sizeof process->text &&
	       (got = read(process->output, process->text + size,
			   sizeof process->text - 1 - size)) > 0)
		size += (size_t)got;
	process->text[size] = '\0';
	close(process->output);
	assert_int_equal(waitpid(process->pid, &process->status, 0), process->pid);
}

static void expect_exit(const struct process *process, int status)
{
	if (!WIFEXITED(process->status) || WEXITSTATUS(process->status) != status)
		fail_msg("status %x, output <%s>", (unsigned)process->status, process->text);
}

/* The answer to GET path, "" when nobody listens. */
static const char *get(const struct process *process, const char *path)
{
	static char answer[65536];
	char request[100];
	int fd = wire_connect(process->port);

	answer[0] = '\0';
	if (fd < 0)
		return answer;
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	wire_say(fd, request);
	wire_read_all(fd, answer, sizeof answer);
	close(fd);
	return answer;
}

/* Waits until the answer to path has the status and contains text. */
static void wait_for(const struct process *process, const char *path, int status,
		     const char *text)
{
	uint64_t deadline = clock_mono_ms() + 20000;
	char wanted[32];

	snprintf(wanted, sizeof wanted, "HTTP/1.1 %d ", status);
	for (;;) {
		const char *answer = get(process, path);
		if (strstr(answer, wanted) && strstr(answer, text))
			return;
		if (clock_mono_ms() > deadline)
			fail_msg("%s: not %d with <%s>, but <%s>", path, status, text, answer);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
}

/* ---- tests ---- */

static bool do_nothing(struct service *service, const struct config *config)
{
	(void)service;
	(void)config;
	return true;
}

static bool leave_work(struct service *service, const struct config *config)
{
	(void)service;
	(void)config;
	return false;
}

static void arguments(void **state)
{
	static const struct {
		const char *argument;
		int status;
		const char *text;
	} cases[] = {
		{ "--help", 0, "\nUnit\n  TOCSIN_UNIT_PASSWORD\n      a password\n" },
		{ "--version", 0, "tocsin-unit " SERVICE_VERSION "\n" },
		{ "--print-options", 0,
		  "\n### Unit\n\n| name | value | default | meaning |\n" },
		{ "--print-metrics", 0,
		  "\n| `tocsin_unit_things_total` | counter | – | things |\n" },
		{ "--healthcheck", 1, "tocsin-unit: " },
		{ "--frobnicate", 1, "tocsin-unit: unknown option --frobnicate: see --help\n" },
		{ "start", 1, "tocsin-unit: unexpected argument start: see --help\n" },
		{ NULL, 0, "\"msg\":\"stopped\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct process process;
		spawn(&process, do_nothing, cases[i].argument);
		collect(&process);
		expect_exit(&process, cases[i].status);
		if (!strstr(process.text, cases[i].text))
			fail_msg("no <%s> in <%s>", cases[i].text, process.text);
	}
	struct process process;
	spawn(&process, leave_work, NULL);
	collect(&process);
	expect_exit(&process, EXIT_FAILURE);
}

static void wrong_settings_are_one_line(void **state)
{
	static const struct {
		const char *name, *value, *text;
	} cases[] = {
		{ "TOCSIN_UNIT_WAIT", "1ms",
		  "tocsin-unit: TOCSIN_UNIT_WAIT=1ms is not a time such as 250ms, 10s, 5m or "
		  "24h, 1s to 1m\n" },
		{ "TOCSIN_UNIT_WIAT", "2s",
		  "tocsin-unit: unknown setting TOCSIN_UNIT_WIAT: did you mean "
		  "TOCSIN_UNIT_WAIT?\n" },
		{ "TOCSIN_INSTALLATION", "Prod_1",
		  "tocsin-unit: TOCSIN_INSTALLATION=Prod_1 is not made of a-z 0-9 -\n" },
		{ "TOCSIN_UNIT_PASSWORD_FILE", "/nonexistent",
		  "tocsin-unit: TOCSIN_UNIT_PASSWORD_FILE: cannot open /nonexistent: No such "
		  "file or directory\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct process process;
		setenv(cases[i].name, cases[i].value, 1);
		spawn(&process, do_nothing, NULL);
		unsetenv(cases[i].name);
		collect(&process);
		expect_exit(&process, EXIT_FAILURE);
		assert_string_equal(process.text, cases[i].text);
	}
}

static void the_address_is_refused_with_its_reason(void **state)
{
	struct process process;

	(void)state;
	setenv("TOCSIN_HEALTH_ADDRESS", "300.0.0.1", 1);
	spawn(&process, do_nothing, NULL);
	unsetenv("TOCSIN_HEALTH_ADDRESS");
	collect(&process);
	expect_exit(&process, EXIT_FAILURE);
	assert_non_null(strstr(process.text, "not an address to listen on: 300.0.0.1"));
}

static bool show_protection(struct service *service, const struct config *config)
{
	struct rlimit core;

	getrlimit(RLIMIT_CORE, &core);
	log_info("password %s, core %lu, dumpable %d, installation %s", config->password,
		 (unsigned long)core.rlim_max, prctl(PR_GET_DUMPABLE),
		 service_options(service)->installation);
	return true;
}

static void secrets_are_kept(void **state)
{
	struct process process;

	(void)state;
	setenv("TOCSIN_UNIT_PASSWORD", "hunter2-hunter2", 1);
	spawn(&process, show_protection, NULL);
	unsetenv("TOCSIN_UNIT_PASSWORD");
	collect(&process);
	expect_exit(&process, EXIT_SUCCESS);
	assert_null(strstr(process.text, "hunter2"));
	assert_non_null(strstr(process.text, "TOCSIN_UNIT_PASSWORD=set"));
	assert_non_null(strstr(process.text, "TOCSIN_UNIT_WAIT=5s"));
	assert_null(strstr(process.text, "not set"));
#ifndef __SANITIZE_ADDRESS__
	assert_non_null(
	    strstr(process.text, "password ***, core 0, dumpable 0, installation main"));
#endif
}

static bool is_ready(void *opaque, char *ret_text)
{
	snprintf(ret_text, SERVICE_TEXT_SIZE, "not yet");
	return *(_Atomic bool *)opaque;
}

static void say_stopped(void *opaque)
{
	log_info("callback %s", (const char *)opaque);
}

/* Unready for its first second. */
static bool live(struct service *service, const struct config *config)
{
	static _Atomic bool ready;
	static char one[] = "one", two[] = "two", late[] = "late";
	struct service_beat *beat = service_beat_new(service, "main loop", 30000);
	struct service_beat *stuck = service_beat_new(service, "other loop", 300);

	(void)config;
	service_add_ready(service, "redis", is_ready, &ready);
	service_on_stop(service, say_stopped, one);
	service_on_stop(service, say_stopped, two);
	for (int round = 0; service_wait_ms(service, 20); round++) {
		service_beat(beat);
		metric_add(&things, 1);
		if (round == 50)
			ready = true;
	}
	service_on_stop(service, say_stopped, late);
	service_beat_end(stuck);
	service_beat_end(beat);
	return service_stopping(service);
}

static void health_tells_what_is_the_matter(void **state)
{
	struct process process;

	(void)state;
	spawn(&process, live, NULL);
	wait_for(&process, "/readyz", 503, "redis: not yet\n");
	wait_for(&process, "/readyz", 200, "ready\n");
	wait_for(&process, "/healthz", 503, "other loop: no progress for ");
	assert_null(strstr(get(&process, "/healthz"), "main loop"));
	wait_for(&process, "/metrics", 200, "\ntocsin_unit_things_total ");
	wait_for(&process, "/metrics", 200,
		 "\ntocsin_build_info{service=\"unit\",version=\"" SERVICE_VERSION
		 "\",installation=\"main\"} 1\n");
	assert_null(strstr(get(&process, "/metrics"), "process_resident_memory_bytes 0\n"));
	wait_for(&process, "/", 404, "not found");
	kill(process.pid, SIGTERM);
	collect(&process);
	expect_exit(&process, EXIT_SUCCESS);
	const char *one = strstr(process.text, "callback one");
	const char *two = strstr(process.text, "callback two");
	assert_true(one && two && one < two && strstr(process.text, "callback late") != NULL);
}

/* A byte for each thing that linger() may do. */
static int gate[2];

static void pass_gate(void)
{
	char byte;

	while (read(gate[0], &byte, 1) < 0)
		;
}

static void open_gate(void)
{
	assert_int_equal(write(gate[1], "", 1), 1);
}

/* Starts, and stays when it is to stop, for as long as the test wants to look. */
static bool linger(struct service *service, const struct config *config)
{
	_Atomic bool ready = true;

	(void)config;
	pass_gate();
	service_add_ready(service, "redis", is_ready, &ready);
	while (service_wait_ms(service, 60000))
		;
	log_info("lingering");
	pass_gate();
	return true;
}

/* Ready, or not, until it is stopped. */
static bool stay(struct service *service, bool ready)
{
	_Atomic bool answer = ready;

	service_add_ready(service, "redis", is_ready, &answer);
	service_add_ready(service, "setup", is_ready, &answer);
	while (service_wait_ms(service, 60000))
		;
	return true;
}

static bool stay_ready(struct service *service, const struct config *config)
{
	(void)config;
	return stay(service, true);
}

static bool stay_unready(struct service *service, const struct config *config)
{
	(void)config;
	return stay(service, false);
}

/* --healthcheck with the settings of a process that runs. */
static void the_health_check_asks_the_process(void **state)
{
	static const struct {
		run *body;
		int answer, status;
		const char *text;
	} cases[] = {
		{ stay_ready, 200, EXIT_SUCCESS, "" },
		{ stay_unready, 503, EXIT_FAILURE,
		  "tocsin-unit: setup: not yet; redis: not yet\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct process process, asker;
		spawn(&process, cases[i].body, NULL);
		wait_for(&process, "/readyz", cases[i].answer, "");
		setenv("TOCSIN_HEALTH_ADDRESS", "0.0.0.0", 1);
		spawn_at(&asker, do_nothing, "--healthcheck", process.port);
		unsetenv("TOCSIN_HEALTH_ADDRESS");
		collect(&asker);
		expect_exit(&asker, cases[i].status);
		assert_string_equal(asker.text, cases[i].text);
		kill(process.pid, SIGTERM);
		collect(&process);
		expect_exit(&process, EXIT_SUCCESS);
	}
}

static void a_stopping_process_is_not_ready(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	(void)state;
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		struct process process;
		assert_int_equal(pipe(gate), 0);
		spawn(&process, linger, NULL);
		wait_for(&process, "/readyz", 503, "starting\n");
		open_gate();
		wait_for(&process, "/readyz", 200, "ready\n");
		kill(process.pid, signals[i]);
		wait_for(&process, "/readyz", 503, "stopping\n");
		wait_for(&process, "/healthz", 200, "ok\n");
		open_gate();
		collect(&process);
		expect_exit(&process, EXIT_SUCCESS);
		close(gate[0]);
		close(gate[1]);
	}
}

static bool stop_itself(struct service *service, const struct config *config)
{
	(void)config;
	service_stop(service);
	while (service_wait_ms(service, 60000))
		;
	return true;
}

static void a_process_can_stop_itself(void **state)
{
	struct process process;

	(void)state;
	spawn(&process, stop_itself, NULL);
	collect(&process);
	expect_exit(&process, EXIT_SUCCESS);
}

/* Every look at the clock is two seconds later than the one before. It goes on from the real
 * clock, by which the process may have been told to stop already. */
static _Atomic uint64_t hasty_ms;

static uint64_t hasty(void)
{
	return atomic_fetch_add(&hasty_ms, 2000);
}

static bool hang(struct service *service, const struct config *config)
{
	(void)service;
	(void)config;
	hasty_ms = clock_mono_ms();
	clock_inject(NULL, hasty);
	while (pause() != 0)
		; /* for ever */
	return true;
}

static void what_hangs_is_ended(void **state)
{
	struct process process;

	(void)state;
	spawn(&process, hang, NULL);
	wait_for(&process, "/healthz", 200, "ok\n");
	pid_t ended = 0;
	for (int i = 0; ended == 0 && i < 1000; i++) {
		kill(process.pid, SIGTERM); /* each makes it look at the clock */
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		ended = waitpid(process.pid, &process.status, WNOHANG);
	}
	assert_int_equal(ended, process.pid);
	process.text[0] = '\0';
	expect_exit(&process, EXIT_FAILURE);
	close(process.output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments),
		cmocka_unit_test(wrong_settings_are_one_line),
		cmocka_unit_test(the_address_is_refused_with_its_reason),
		cmocka_unit_test(secrets_are_kept),
		cmocka_unit_test(health_tells_what_is_the_matter),
		cmocka_unit_test(the_health_check_asks_the_process),
		cmocka_unit_test(a_stopping_process_is_not_ready),
		cmocka_unit_test(a_process_can_stop_itself),
		cmocka_unit_test(what_hangs_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
