/* Worker threads and their keeper against a real Redis, with processes that die. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/bus.h"
#include "bus/dead.h"
#include "bus/deferred.h"
#include "bus/redis.h"
#include "bus/settle.h"
#include "bus/setup.h"
#include "bus/worker.h"
#include "private_redis.h"

static struct private_redis *server;
static struct redis *admin;
static struct bus_settings settings;

static void quiet(const char *line, size_t size)
{
	(void)line;
	(void)size;
}

static void set_up_redis(void)
{
	struct err err = { 0 };
	bool changed = false;
	if (!setup_functions(admin, &changed, &err) ||
	    !setup_partition(admin, 0, &changed, &err))
		fail_msg("setup: %s", err.text);
}

static int start(void **state)
{
	(void)state;
	log_sink(quiet);
	server = private_redis_start();
	admin = redis_new(&server->settings, "admin");
	set_up_redis();
	settings = (struct bus_settings){
		.redis_url = server->url,
		.redis_ca_file = server->ca_file[0] ? server->ca_file : NULL,
		.redis_timeout_ms = 2000,
		.partitions = 1,
		.call_deadline_ms = 500,
		.remote_max_ms = 500,
		.quarantine_margin_ms = 100,
		.quarantine_ms = 1500,
		.heartbeat_ms = 50,
		.claim_idle_ms = 400,
		.scan_ms = 50,
		.lease_ms = 1000,
		.lease_renew_ms = 300,
		.block_ms = 3000,
		.give_up_ms = 60000,
		.backoff_base_ms = 10,
		.backoff_cap_ms = 50,
		.fate_ttl_ms = 600000,
		.stop_grace_ms = 2000,
		.stuck_ms = 5000,
	};
	return 0;
}

static int stop(void **state)
{
	(void)state;
	redis_free(admin);
	private_redis_stop(server);
	return 0;
}

/* ---- asking Redis ---- */

static int64_t ask(const char *command)
{
	struct err err = { 0 };
	struct redis_reply *reply = redis_command(admin, &err, command);
	if (!reply)
		fail_msg("%s: %s", command, err.text);
	int64_t number = reply_type(reply) == REPLY_ARRAY ? reply_integer(reply_at(reply, 0))
							  : reply_integer(reply);
	reply_free(reply);
	return number;
}

static int64_t waiting(void)
{
	return ask("XLEN tocsin:{p0}:raw");
}

static int64_t pending(void)
{
	return ask("XPENDING tocsin:{p0}:raw tocsin");
}

static int64_t found(void)
{
	return ask("XLEN tocsin:{p0}:findings");
}

static int64_t dead(void)
{
	return ask("XLEN tocsin:{p0}:dead");
}

static int64_t deferred(void)
{
	return ask("ZCARD tocsin:{p0}:deferred");
}

static void add_entries(unsigned count)
{
	struct err err = { 0 };
	for (unsigned i = 0; i < count; i++)
		assert_true(
		    redis_run(admin, &err, "XADD tocsin:{p0}:raw * customer acme n %u", i));
}

/* The only pending entry's consumer, id and delivery count. */
static int64_t delivered(char *ret_id, size_t room)
{
	struct err err = { 0 };
	struct redis_reply *reply =
	    redis_command(admin, &err, "XPENDING tocsin:{p0}:raw tocsin - + 1");
	const struct redis_reply *row = reply_at(reply, 0);
	int64_t count = row ? reply_integer(reply_at(row, 3)) : -1;
	if (ret_id)
		snprintf(ret_id, room, "%s", reply_text(reply_at(row, 0)));
	reply_free(reply);
	return count;
}

/* ---- handlers ---- */

/* What all handlers of a test see; counters only. */
struct probe {
	_Atomic unsigned calls, entries;
	_Atomic unsigned most;	     /* entries in one call */
	_Atomic unsigned deliveries; /* of the last one */
	_Atomic unsigned attempt;
	_Atomic bool woken;
	_Atomic bool go;      /* lets a handler that waits for it go on */
	_Atomic bool waiting; /* one does */
	_Atomic bool lost;    /* what worker_lost() said */
	enum outcome_kind kind;
	bool uncounted;
	unsigned refuse; /* attempts below this are put off */
	bool intent;
};

static struct probe *note(struct worker_thread *self, const struct entry *entries, size_t count)
{
	struct probe *probe = *(struct probe *const *)worker_state(self);
	atomic_fetch_add(&probe->calls, 1);
	atomic_fetch_add(&probe->entries, (unsigned)count);
	if (count > atomic_load(&probe->most))
		atomic_store(&probe->most, (unsigned)count);
	atomic_store(&probe->deliveries, entries[0].deliveries);
	atomic_store(&probe->attempt, entries[0].attempt);
	atomic_store(&probe->woken, entries[0].woken);
	return probe;
}

static void decide(struct worker_thread *self, const struct entry *entry,
		   const struct probe *probe, struct outcome *outcome)
{
	struct arena *arena = worker_arena(self);
	outcome->kind = entry->attempt < probe->refuse ? OUTCOME_DEFER : probe->kind;
	outcome->uncounted = probe->uncounted;
	outcome->reason = "as the test wants it";
	if (outcome->kind == OUTCOME_DEFER && probe->uncounted)
		outcome->delay_ms = 20;
	if (outcome->kind == OUTCOME_PUBLISH) {
		struct field *field = arena_alloc(arena, sizeof(*field));
		*field = field_text("n", entry_text(entry, "n"));
		outcome->fields = field;
		outcome->field_count = 1;
		outcome->fate = "queued";
		outcome->fate_key =
		    arena_printf(arena, "tocsin:{p0}:seen:%s", entry_text(entry, "n"));
	}
}

static void handle_all(struct worker_thread *self, const struct entry *entries,
		       struct outcome *outcomes, size_t count)
{
	const struct probe *probe = note(self, entries, count);
	for (size_t i = 0; i < count; i++)
		decide(self, &entries[i], probe, &outcomes[i]);
}

/* Takes until the test lets it go on, with signs of life. */
static void handle_slowly(struct worker_thread *self, const struct entry *entries,
			  struct outcome *outcomes, size_t count)
{
	struct probe *probe = note(self, entries, count);
	if (probe->intent)
		worker_intent(self, clock_wall_ms());
	atomic_store(&probe->waiting, true);
	while (!atomic_load(&probe->go)) {
		worker_progress(self);
		atomic_store(&probe->lost, worker_lost(self));
		nap_ms(5);
	}
	for (size_t i = 0; i < count; i++)
		decide(self, &entries[i], probe, &outcomes[i]);
}

/* Makes no progress at all. */
static void handle_stuck(struct worker_thread *self, const struct entry *entries,
			 struct outcome *outcomes, size_t count)
{
	struct probe *probe = note(self, entries, count);
	atomic_store(&probe->waiting, true);
	while (!atomic_load(&probe->go))
		nap_ms(5);
	atomic_store(&probe->lost, worker_lost(self));
	for (size_t i = 0; i < count; i++)
		decide(self, &entries[i], probe, &outcomes[i]);
}

static void handle_by_dying(struct worker_thread *self, const struct entry *entries,
			    struct outcome *outcomes, size_t count)
{
	(void)self;
	(void)entries;
	(void)outcomes;
	(void)count;
	_exit(3);
}

static bool fate(const struct entry *entry, unsigned partition, struct key *ret_key)
{
	const char *n = entry_text(entry, "n");
	if (!n)
		return false;
	key_format(ret_key, partition, "seen:%s", n);
	return true;
}

static struct bus *run(struct probe *const *probe, worker_handle *handle, unsigned threads,
		       unsigned batch)
{
	struct err err = { 0 };
	const struct worker_spec spec = {
		.stream = STREAM_RAW,
		.output = STREAM_FINDINGS,
		.threads = threads,
		.batch = batch,
		.handle = handle,
		.state = probe,
		.fate = fate,
	};
	struct bus *bus = bus_new(&settings, "test");
	worker_add(bus, &spec);
	assert_true(bus_start(bus, &err));
	return bus;
}

static bool end(struct bus *bus)
{
	bus_stop(bus);
	bool clean = bus_join(bus, clock_mono_ms() + settings.stop_grace_ms);
	bus_free(bus);
	return clean;
}

/* ---- what becomes of entries ---- */

static void batches_are_published_and_settled(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	(void)state;
	add_entries(500);
	struct bus *bus = run(&shared, handle_all, 4, 64);
	WAIT_FOR(waiting() == 0, 20);
	assert_true(end(bus));
	assert_int_equal(found(), 500);
	assert_int_equal(pending(), 0);
	assert_int_equal(probe.entries, 500);
	assert_true(probe.most > 1 && probe.most <= 64);
	assert_int_equal(ask("EXISTS tocsin:{p0}:seen:0 tocsin:{p0}:seen:499"), 2);
}

static void failed_attempts_come_back_and_count(void **state)
{
	struct probe probe = { .kind = OUTCOME_DONE, .refuse = 3 };
	struct probe *shared = &probe;
	(void)state;
	add_entries(1);
	struct bus *bus = run(&shared, handle_all, 2, 1);
	WAIT_FOR(probe.entries == 4, 20);
	WAIT_FOR(waiting() == 0, 5);
	assert_true(end(bus));
	assert_int_equal(probe.attempt, 3);
	assert_int_equal(deferred(), 0);
	assert_int_equal(dead(), 0);
}

static void giving_up_is_by_age_and_leaves_a_fate(void **state)
{
	struct probe probe = { .kind = OUTCOME_DEFER };
	struct probe *shared = &probe;
	struct dead letter;
	size_t count = 0;
	struct err err = { 0 };
	(void)state;
	settings.give_up_ms = 1500;
	add_entries(1);
	struct bus *bus = run(&shared, handle_all, 1, 1);
	WAIT_FOR(dead() == 1, 20);
	assert_true(end(bus));
	assert_true(probe.entries > 3);
	struct arena *arena = arena_new();
	assert_true(dead_list(admin, 0, "", 1, arena, &letter, &count, &err));
	assert_int_equal(count, 1);
	assert_string_equal(letter.stream, "raw");
	assert_non_null(strstr(letter.reason, "given up after 1500ms: as the test wants it"));
	assert_true(letter.attempts >= 3);
	assert_string_equal(letter.fate_key, "tocsin:{p0}:seen:0");
	assert_int_equal(ask("EXISTS tocsin:{p0}:seen:0"), 1);
	arena_free(arena);
}

static void what_could_not_be_tried_never_dies(void **state)
{
	struct probe probe = { .kind = OUTCOME_DEFER, .uncounted = true };
	struct probe *shared = &probe;
	(void)state;
	settings.give_up_ms = 100;
	add_entries(1);
	/* Old already when its account turns out to be parked. */
	uint64_t old = clock_mono_ms() + 2 * settings.give_up_ms;
	WAIT_FOR(clock_mono_ms() > old, 5);
	struct bus *bus = run(&shared, handle_all, 1, 1);
	uint64_t until = clock_mono_ms() + 600;
	WAIT_FOR(clock_mono_ms() > until && probe.entries > 5, 20);
	assert_true(end(bus));
	assert_int_equal(dead(), 0);
	assert_int_equal(probe.attempt, 0);
}

static void buried_at_once_and_undecided_is_kept(void **state)
{
	struct probe probe = { .kind = OUTCOME_BURY };
	struct probe *shared = &probe;
	(void)state;
	add_entries(1);
	struct bus *bus = run(&shared, handle_all, 1, 1);
	WAIT_FOR(dead() == 1, 10);
	assert_true(end(bus));
	probe.kind = OUTCOME_UNDECIDED;
	settings.backoff_base_ms = settings.backoff_cap_ms = 50000;
	add_entries(1);
	bus = run(&shared, handle_all, 1, 1);
	WAIT_FOR(deferred() == 1 || waiting() == 1, 10);
	WAIT_FOR(pending() == 0, 10);
	assert_true(end(bus));
	assert_int_equal(dead(), 1);
}

/* ---- ownership ---- */

static void a_slow_handler_keeps_its_entry(void **state)
{
	struct probe slow = { .kind = OUTCOME_PUBLISH };
	struct probe other = { .kind = OUTCOME_PUBLISH };
	struct probe *slow_state = &slow;
	struct probe *other_state = &other;
	(void)state;
	settings.claim_idle_ms = 1000;
	/* One before it, so that something has been let go. */
	atomic_store(&slow.go, true);
	add_entries(1);
	struct bus *first = run(&slow_state, handle_slowly, 1, 1);
	WAIT_FOR(waiting() == 0, 10);
	atomic_store(&slow.go, false);
	atomic_store(&slow.waiting, false);
	add_entries(1);
	WAIT_FOR(slow.waiting, 10);
	struct bus *second = run(&other_state, handle_all, 1, 1);
	uint64_t until = clock_mono_ms() + 2 * settings.claim_idle_ms;
	WAIT_FOR(clock_mono_ms() > until, 10);
	assert_int_equal(other.calls, 0);
	assert_false(slow.lost);
	atomic_store(&slow.go, true);
	WAIT_FOR(waiting() == 0, 10);
	assert_true(end(first));
	assert_true(end(second));
	assert_int_equal(found(), 2);
}

static void one_who_lost_its_entry_is_told_and_publishes_nothing(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	struct err err = { 0 };
	char id[64];
	(void)state;
	add_entries(1);
	struct bus *bus = run(&shared, handle_slowly, 1, 1);
	WAIT_FOR(probe.waiting, 10);
	delivered(id, sizeof(id));
	assert_true(redis_run(admin, &err, "XCLAIM tocsin:{p0}:raw tocsin thief 0 %s", id));
	WAIT_FOR(probe.lost, 10);
	atomic_store(&probe.go, true);
	assert_true(end(bus));
	assert_int_equal(found(), 0);
	assert_int_equal(pending(), 1);
}

static void without_redis_ownership_is_not_taken_for_granted(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	(void)state;
	add_entries(1);
	struct bus *bus = run(&shared, handle_slowly, 1, 1);
	WAIT_FOR(probe.waiting, 10);
	private_redis_kill(server);
	WAIT_FOR(probe.lost, 10);
	private_redis_run(server);
	/* Nobody took it: it is ours again, once a heartbeat has said so. */
	WAIT_FOR(!probe.lost, 10);
	atomic_store(&probe.go, true);
	redis_disconnect(admin);
	WAIT_FOR(private_redis_answers(server), 5);
	WAIT_FOR(waiting() == 0, 10);
	assert_true(end(bus));
	assert_int_equal(found(), 1);
}

/* Runs a bus with this handler in a process of its own. */
static pid_t fork_worker(worker_handle *handle)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	static struct probe probe;
	static struct probe *shared = &probe;
	run(&shared, handle, 1, 8);
	for (;;)
		nap_ms(1000);
}

static void what_a_dead_worker_held_is_taken_over_one_by_one(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	(void)state;
	add_entries(5);
	pid_t child = fork_worker(handle_slowly);
	WAIT_FOR(pending() == 5, 10);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	uint64_t started = clock_mono_ms();
	struct bus *bus = run(&shared, handle_all, 2, 8);
	WAIT_FOR(waiting() == 0, 20);
	/* Not before having been connected for a whole claim-idle. */
	assert_true(clock_mono_ms() - started >= settings.claim_idle_ms);
	assert_true(end(bus));
	assert_int_equal(found(), 5);
	assert_int_equal(probe.most, 1);
	assert_int_equal(probe.deliveries, 2);
}

static void what_kills_three_workers_is_buried_and_harms_nobody_else(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	struct dead letter;
	size_t count = 0;
	struct err err = { 0 };
	(void)state;
	add_entries(1);
	for (unsigned i = 0; i < 3; i++) {
		int status = 0;
		pid_t child = fork_worker(handle_by_dying);
		waitpid(child, &status, 0);
		assert_int_equal(WEXITSTATUS(status), 3);
		assert_int_equal(delivered(NULL, 0), i + 1);
	}
	struct bus *bus = run(&shared, handle_all, 1, 8);
	WAIT_FOR(dead() == 1, 20);
	assert_true(end(bus));
	assert_int_equal(probe.calls, 0);
	assert_int_equal(waiting(), 0);
	struct arena *arena = arena_new();
	assert_true(dead_list(admin, 0, "", 1, arena, &letter, &count, &err));
	assert_non_null(strstr(letter.reason, "poison"));
	assert_int_equal(letter.deliveries, 3);
	assert_string_equal(letter.fate_key, "tocsin:{p0}:seen:0");
	arena_free(arena);
}

static void a_stuck_thread_is_reported_and_loses_its_entry(void **state)
{
	struct probe stuck = { .kind = OUTCOME_PUBLISH };
	struct probe other = { .kind = OUTCOME_PUBLISH };
	struct probe *stuck_state = &stuck;
	struct probe *other_state = &other;
	char text[BUS_TEXT_SIZE];
	(void)state;
	settings.stuck_ms = 600;
	add_entries(1);
	struct bus *first = run(&stuck_state, handle_stuck, 1, 1);
	WAIT_FOR(stuck.waiting, 10);
	assert_false(bus_stuck(first, text));
	struct bus *second = run(&other_state, handle_all, 1, 1);
	WAIT_FOR(bus_stuck(first, text), 10);
	assert_non_null(strstr(text, "makes no progress"));
	WAIT_FOR(found() == 1, 10);
	assert_false(bus_stuck(second, text));
	atomic_store(&stuck.go, true);
	assert_true(end(first));
	assert_true(end(second));
	assert_true(stuck.lost);
	assert_int_equal(found(), 1);
}

/* ---- stopping ---- */

static void an_idle_one_stops_at_once(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	char text[BUS_TEXT_SIZE];
	(void)state;
	settings.block_ms = 60000;
	struct bus *bus = run(&shared, handle_all, 4, 8);
	WAIT_FOR(bus_ready(bus, text), 10);
	nap_ms(100); /* let them block, which lasts a minute */
	assert_true(end(bus));
}

static void what_is_in_hand_may_end_and_nothing_new_begins(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	char text[BUS_TEXT_SIZE];
	(void)state;
	add_entries(3);
	struct bus *bus = run(&shared, handle_slowly, 1, 1);
	WAIT_FOR(probe.waiting, 10);
	bus_stop(bus);
	assert_false(bus_ready(bus, text));
	atomic_store(&probe.go, true);
	assert_true(bus_join(bus, clock_mono_ms() + 2000));
	bus_free(bus);
	assert_int_equal(found(), 1);
	assert_int_equal(waiting(), 2);
	assert_int_equal(pending(), 0);
}

static long times_woken(void)
{
	struct rusage usage;
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_nvcsw;
}

/* The keeper has nothing to do but heartbeats: it must not turn on the spot. */
static void stopping_is_waited_for_in_peace(void **state)
{
	struct probe probe = { .kind = OUTCOME_DONE };
	struct probe *shared = &probe;
	(void)state;
	add_entries(1);
	struct bus *bus = run(&shared, handle_slowly, 1, 1);
	WAIT_FOR(probe.waiting, 10);
	bus_stop(bus);
	nap_ms(200); /* what it looks for when not stopping is overdue by now */
	long before = times_woken();
	nap_ms(400);
	assert_true(times_woken() - before < 200); /* the handler itself: 80 */
	atomic_store(&probe.go, true);
	assert_true(bus_join(bus, clock_mono_ms() + 2000));
	bus_free(bus);
}

static void released_entries_are_taken_at_once_and_uncounted(void **state)
{
	struct probe probe = { .kind = OUTCOME_RELEASE };
	struct probe next = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	struct probe *next_state = &next;
	(void)state;
	settings.claim_idle_ms = 60000;
	add_entries(1);
	struct bus *bus = run(&shared, handle_slowly, 1, 1);
	WAIT_FOR(probe.waiting, 10);
	bus_stop(bus);
	atomic_store(&probe.go, true);
	assert_true(bus_join(bus, clock_mono_ms() + 2000));
	bus_free(bus);
	assert_int_equal(delivered(NULL, 0), 0);
	bus = run(&next_state, handle_all, 1, 1);
	WAIT_FOR(found() == 1, 10);
	assert_true(end(bus));
	assert_int_equal(next.deliveries, 1);
}

static void a_call_under_way_keeps_its_entry_away_until_quarantine_is_over(void **state)
{
	struct probe probe = { .kind = OUTCOME_RELEASE, .intent = true };
	struct probe *shared = &probe;
	(void)state;
	add_entries(1);
	struct bus *bus = run(&shared, handle_slowly, 1, 1);
	WAIT_FOR(probe.waiting, 10);
	bus_stop(bus);
	atomic_store(&probe.go, true);
	assert_true(bus_join(bus, clock_mono_ms() + 2000));
	bus_free(bus);
	assert_int_equal(waiting(), 0);
	assert_int_equal(deferred(), 1);
}

static void one_that_does_not_end_loses_what_it_holds(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe next = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	struct probe *next_state = &next;
	(void)state;
	add_entries(1);
	struct bus *bus = run(&shared, handle_slowly, 1, 1);
	WAIT_FOR(probe.waiting, 10);
	bus_stop(bus);
	assert_false(bus_join(bus, clock_mono_ms() + 300));
	assert_int_equal(pending(), 0);
	WAIT_FOR(probe.lost, 5);
	/* Frees the thread so that the sanitizers see an end; a process would just exit. */
	atomic_store(&probe.go, true);
	assert_true(bus_join(bus, clock_mono_ms() + 2000));
	bus_free(bus);
	assert_int_equal(found(), 0);
	/* The next one can tell that somebody was at it. */
	bus = run(&next_state, handle_all, 1, 1);
	WAIT_FOR(found() == 1, 10);
	assert_true(end(bus));
	assert_true(next.woken || next.deliveries > 1);
}

/* ---- Redis in trouble ---- */

static void not_ready_before_setup(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	struct err err = { 0 };
	char text[BUS_TEXT_SIZE];
	(void)state;
	assert_true(redis_run(admin, &err, "FLUSHALL"));
	assert_true(redis_run(admin, &err, "FUNCTION FLUSH"));
	struct bus *bus = run(&shared, handle_all, 2, 8);
	WAIT_FOR(!bus_ready(bus, text) && strstr(text, "setup"), 10);
	set_up_redis();
	WAIT_FOR(bus_ready(bus, text), 10);
	add_entries(3);
	WAIT_FOR(found() == 3, 10);
	assert_true(end(bus));
}

/* What could not be settled afterwards must not be begun. */
static void nothing_is_handled_without_the_functions(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	struct err err = { 0 };
	char text[BUS_TEXT_SIZE];
	(void)state;
	add_entries(3);
	assert_true(redis_run(admin, &err, "FUNCTION FLUSH"));
	struct bus *bus = run(&shared, handle_all, 2, 8);
	WAIT_FOR(!bus_ready(bus, text) && strstr(text, "setup"), 10);
	uint64_t until = clock_mono_ms() + 300;
	WAIT_FOR(clock_mono_ms() > until, 5);
	assert_int_equal(probe.calls, 0);
	assert_int_equal(pending(), 0);
	set_up_redis();
	WAIT_FOR(found() == 3, 10);
	assert_true(end(bus));
}

static void a_lost_data_set_is_waited_for_and_then_served(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	struct err err = { 0 };
	char before[GENERATION_SIZE];
	char after[GENERATION_SIZE];
	char text[BUS_TEXT_SIZE];
	(void)state;
	assert_true(setup_check(admin, 0, before, &err));
	struct bus *bus = run(&shared, handle_all, 2, 8);
	WAIT_FOR(bus_ready(bus, text), 10);
	assert_true(redis_run(admin, &err, "FLUSHALL"));
	WAIT_FOR(!bus_ready(bus, text), 10);
	set_up_redis();
	assert_true(setup_check(admin, 0, after, &err));
	assert_string_not_equal(before, after);
	WAIT_FOR(bus_ready(bus, text), 10);
	add_entries(3);
	WAIT_FOR(found() == 3, 10);
	assert_true(end(bus));
}

static void redis_restarted_under_load_loses_nothing(void **state)
{
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	char text[BUS_TEXT_SIZE];
	(void)state;
	add_entries(2000);
	struct bus *bus = run(&shared, handle_all, 4, 16);
	WAIT_FOR(probe.entries > 100, 10);
	for (unsigned i = 0; i < 3; i++) {
		private_redis_kill(server);
		private_redis_run(server);
		redis_disconnect(admin);
		WAIT_FOR(bus_ready(bus, text), 10);
	}
	WAIT_FOR(waiting() == 0, 30);
	assert_true(end(bus));
	assert_int_equal(found(), 2000);
	assert_int_equal(dead(), 0);
}

/* A batch that is too large to arrive is asked for in smaller parts, and nothing of it is taken
 * for poison meanwhile. */
static void answers_too_large_to_arrive_are_asked_for_in_parts(void **state)
{
	enum { COUNT = 66, SIZE = 1 << 20 };
	struct probe probe = { .kind = OUTCOME_DONE };
	struct probe *shared = &probe;
	struct err err = { 0 };
	char *payload = malloc(SIZE);
	(void)state;
	assert_non_null(payload);
	memset(payload, 'x', SIZE);
	assert_true(redis_run(admin, &err, "CONFIG SET appendfsync no"));
	for (unsigned i = 0; i < COUNT; i++)
		assert_true(redis_run(admin, &err, "XADD tocsin:{p0}:raw * n %u payload %b", i,
				      payload, (size_t)SIZE));
	free(payload);
	struct bus *bus = run(&shared, handle_all, 1, COUNT);
	WAIT_FOR(waiting() == 0, 60);
	assert_true(end(bus));
	assert_int_equal(probe.entries, COUNT);
	assert_true(probe.most < COUNT);
	assert_int_equal(probe.deliveries, 1);
	assert_int_equal(dead(), 0);
}

static void an_entry_no_command_could_write_is_buried_alone(void **state)
{
	enum { FIELDS = 6000 };
	struct probe probe = { .kind = OUTCOME_PUBLISH };
	struct probe *shared = &probe;
	struct err err = { 0 };
	struct redis_call command = { .arena = arena_new() };
	struct dead letter;
	size_t count = 0;
	(void)state;
	add_entries(2);
	redis_call_text(&command, "XADD");
	redis_call_text(&command, "tocsin:{p0}:raw");
	redis_call_text(&command, "*");
	for (unsigned i = 0; i < 2 * FIELDS; i++)
		redis_call_text(&command, "x");
	reply_free(
	    redis_command_argv(admin, (int)command.count, command.argv, command.sizes, &err));
	redis_call_done(&command);
	add_entries(2);
	struct bus *bus = run(&shared, handle_all, 1, 8);
	WAIT_FOR(waiting() == 0, 10);
	assert_true(end(bus));
	assert_int_equal(found(), 4);
	assert_int_equal(probe.entries, 4);
	struct arena *arena = arena_new();
	assert_true(dead_list(admin, 0, "", 1, arena, &letter, &count, &err));
	assert_int_equal(count, 1);
	assert_non_null(strstr(letter.reason, "1,500 fields"));
	arena_free(arena);
}

static bool open_local(struct worker_thread *self, void **ret_local, struct err *err)
{
	struct probe *probe = *(struct probe *const *)worker_state(self);
	if (atomic_fetch_add(&probe->calls, 1) == 0)
		return err_set(err, ERR_TRANSIENT, "the first time never works");
	*ret_local = malloc(16);
	return true;
}

static void local_state_is_opened_again_and_closed(void **state)
{
	struct probe probe = { .kind = OUTCOME_DONE };
	struct probe *shared = &probe;
	struct err err = { 0 };
	const struct worker_spec spec = {
		.stream = STREAM_RAW,
		.threads = 1,
		.handle = handle_all,
		.state = &shared,
		.open = open_local,
		.close = free,
	};
	(void)state;
	add_entries(1);
	struct bus *bus = bus_new(&settings, "test");
	worker_add(bus, &spec);
	assert_true(bus_start(bus, &err));
	WAIT_FOR(waiting() == 0, 10);
	assert_true(end(bus));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(batches_are_published_and_settled),
		TEST(failed_attempts_come_back_and_count),
		TEST(giving_up_is_by_age_and_leaves_a_fate),
		TEST(what_could_not_be_tried_never_dies),
		TEST(buried_at_once_and_undecided_is_kept),
		TEST(a_slow_handler_keeps_its_entry),
		TEST(one_who_lost_its_entry_is_told_and_publishes_nothing),
		TEST(without_redis_ownership_is_not_taken_for_granted),
		TEST(what_a_dead_worker_held_is_taken_over_one_by_one),
		TEST(what_kills_three_workers_is_buried_and_harms_nobody_else),
		TEST(a_stuck_thread_is_reported_and_loses_its_entry),
		TEST(an_idle_one_stops_at_once),
		TEST(what_is_in_hand_may_end_and_nothing_new_begins),
		TEST(stopping_is_waited_for_in_peace),
		TEST(released_entries_are_taken_at_once_and_uncounted),
		TEST(a_call_under_way_keeps_its_entry_away_until_quarantine_is_over),
		TEST(one_that_does_not_end_loses_what_it_holds),
		TEST(not_ready_before_setup),
		TEST(nothing_is_handled_without_the_functions),
		TEST(a_lost_data_set_is_waited_for_and_then_served),
		TEST(redis_restarted_under_load_loses_nothing),
		TEST(answers_too_large_to_arrive_are_asked_for_in_parts),
		TEST(an_entry_no_command_could_write_is_buried_alone),
		TEST(local_state_is_opened_again_and_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
