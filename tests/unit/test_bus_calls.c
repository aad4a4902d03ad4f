/* The C side of the function library: what it sends, and what it makes of the answers. What the
 * functions themselves promise is in tests/integration/test_functions.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "bus/activity.h"
#include "bus/dead.h"
#include "bus/deferred.h"
#include "bus/entry.h"
#include "bus/gate.h"
#include "bus/lease.h"
#include "bus/page.h"
#include "bus/saga.h"
#include "bus/setup.h"
#include "private_redis.h"

static struct private_redis *server;
static struct redis *redis;
static struct arena *arena;
static struct err err;

enum { TTL_MS = 60000 };

static void want(bool good, const char *what)
{
	if (!good)
		fail_msg("%s: %s", what, err.text);
}

#define WANT(...) want((__VA_ARGS__), #__VA_ARGS__)

static int start(void **state)
{
	bool changed = false;
	(void)state;
	server = private_redis_start();
	redis = redis_new(&server->settings, "test");
	arena = arena_new();
	WANT(setup_functions(redis, &changed, &err));
	assert_true(changed);
	WANT(setup_partition(redis, 0, &changed, &err));
	assert_true(changed);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	arena_free(arena);
	redis_free(redis);
	private_redis_stop(server);
	return 0;
}

static int64_t ask(const char *command)
{
	struct redis_reply *reply = redis_command(redis, &err, command);
	want(reply != NULL, command);
	int64_t number = reply_integer(reply);
	reply_free(reply);
	return number;
}

static const char *ask_text(const char *command)
{
	struct redis_reply *reply = redis_command(redis, &err, command);
	want(reply != NULL, command);
	const char *text = arena_strdup(arena, reply_text(reply));
	reply_free(reply);
	return text;
}

/* Adds and reads count entries of a stream as consumer; ids and bodies in the arena. */
static struct entry *take(const char *stream, const char *consumer, size_t count)
{
	struct entry *entries = arena_alloc(arena, count * sizeof(*entries));
	size_t gone = 0;
	for (size_t i = 0; i < count; i++)
		WANT(redis_run(redis, &err, "XADD tocsin:{p0}:%s * n %d", stream, (int)i));
	struct redis_reply *reply = redis_command(
	    redis, &err, "XREADGROUP GROUP tocsin %s COUNT %u STREAMS tocsin:{p0}:%s >",
	    consumer, (unsigned)count, stream);
	want(reply != NULL, "XREADGROUP");
	size_t found =
	    entry_decode(reply_at(reply_at(reply, 0), 1), arena, entries, count, &gone);
	assert_int_equal(found, count);
	for (size_t i = 0; i < count; i++) /* the reply is about to go */
		entries[i].id = arena_strdup(arena, entries[i].id);
	reply_free(reply);
	return entries;
}

/* ---- setup ---- */

static bool settle(const struct settle_from *from, const struct settle_item *items,
		   size_t count, bool *ret_settled)
{
	settle_append(redis, from, items, count);
	enum redis_error error = REDIS_NONE;

	return settle_read(redis, items, count, ret_settled, &error, &err);
}

static void setup_is_repeatable_and_notices_a_loss(void **state)
{
	char first[GENERATION_SIZE];
	char second[GENERATION_SIZE];
	bool changed = true;
	size_t removed = 7;
	(void)state;
	WANT(setup_functions(redis, &changed, &err));
	assert_false(changed);
	WANT(setup_partition(redis, 0, &changed, &err));
	assert_false(changed);
	WANT(setup_check(redis, 0, first, &err));
	assert_int_equal(strlen(first), GENERATION_SIZE - 1);
	/* The library and the header say the same. */
	assert_int_equal(ask("FCALL version 0"), FUNCTIONS_VERSION);
	assert_int_equal(ask("EXISTS tocsin:{p0}:raw tocsin:{p0}:findings tocsin:{p0}:closures "
			     "tocsin:{p0}:actions tocsin:{p0}:dead tocsin:{p0}:activity"),
			 6);
	WANT(setup_prune_consumers(redis, 0, 0, &removed, &err));
	assert_int_equal(removed, 0);

	/* One stream gone is data lost. */
	WANT(redis_run(redis, &err, "DEL tocsin:{p0}:findings"));
	WANT(setup_partition(redis, 0, &changed, &err));
	assert_true(changed);
	WANT(setup_check(redis, 0, second, &err));
	assert_string_not_equal(first, second);

	assert_false(setup_check(redis, 1, NULL, &err));
	assert_non_null(strstr(err.text, "partition 1"));
	WANT(redis_run(redis, &err, "FUNCTION FLUSH"));
	assert_false(setup_check(redis, 0, NULL, &err));
	assert_non_null(strstr(err.text, "tocsin setup"));
}

static void setup_leaves_a_newer_library(void **state)
{
	bool changed = true;
	(void)state;
	WANT(redis_run(redis, &err, "FUNCTION DELETE tocsin"));
	WANT(redis_run(redis, &err, "FUNCTION LOAD %s",
		       "#!lua name=tocsin\nredis.register_function{function_name='version', "
		       "callback=function() return 1000 end, flags={'no-writes'}}"));
	WANT(setup_functions(redis, &changed, &err));
	assert_false(changed);
	assert_int_equal(ask("FCALL version 0"), 1000);
}

/* ---- settling ---- */

static void a_batch_larger_than_one_call_is_settled_in_several(void **state)
{
	enum { COUNT = 300, FIELDS = 12, PAYLOAD = 10000 };
	struct settle_from from;
	struct settle_item items[COUNT];
	struct field fields[FIELDS];
	bool settled[COUNT];
	char *payload = arena_alloc(arena, PAYLOAD + 1);
	(void)state;
	memset(payload, 'p', PAYLOAD);
	for (size_t f = 0; f < FIELDS; f++)
		fields[f] = field_text(arena_printf(arena, "f%zu", f), f == 0 ? payload : "v");
	settle_from_init(&from, 0, STREAM_RAW, STREAM_FINDINGS, "c1", TTL_MS);
	const struct entry *entries = take("raw", "c1", COUNT);
	for (size_t i = 0; i < COUNT; i++)
		items[i] = (struct settle_item){
			.id = entries[i].id,
			.kind = i % 3 == 0 ? SETTLE_BURY : SETTLE_PUBLISH,
			.fate_key = arena_printf(arena, "tocsin:{p0}:seen:%zu", i),
			.fate = "queued",
			.reason = "bad",
			.fields = i % 3 == 0 ? NULL : fields,
			.field_count = i % 3 == 0 ? 0 : FIELDS,
		};
	WANT(redis_run(redis, &err, "XCLAIM tocsin:{p0}:raw tocsin c2 0 %s", entries[7].id));
	WANT(settle(&from, items, COUNT, settled));
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(settled[i], i != 7);
	assert_int_equal(ask("XLEN tocsin:{p0}:findings"), 199);
	assert_int_equal(ask("XLEN tocsin:{p0}:dead"), 100);
	assert_int_equal(ask("XLEN tocsin:{p0}:raw"), 1);
	assert_string_equal(ask_text("GET tocsin:{p0}:seen:1"), "queued");
	assert_int_equal(redis_pending(redis), 0);
}

static void an_error_in_the_middle_leaves_no_reply_behind(void **state)
{
	enum { COUNT = 5 };
	struct settle_from from;
	struct settle_item items[COUNT];
	char *payload = arena_alloc(arena, 600001);
	(void)state;
	memset(payload, 'p', 600000);
	const struct field field = field_text("p", payload);
	settle_from_init(&from, 0, STREAM_RAW, STREAM_FINDINGS, "c1", TTL_MS);
	const struct entry *entries = take("raw", "c1", COUNT);
	for (size_t i = 0; i < COUNT; i++)
		items[i] = (struct settle_item){ .id = entries[i].id,
						 .kind = SETTLE_PUBLISH,
						 .fate_key = "tocsin:{p0}:seen:spoiled",
						 .fate = "x",
						 .fields = &field,
						 .field_count = 1 };
	items[0].fate_key = NULL;
	WANT(redis_run(redis, &err, "LPUSH tocsin:{p0}:seen:spoiled x"));
	assert_false(settle(&from, items, COUNT, NULL));
	assert_int_equal(redis_pending(redis), 0);
	assert_int_equal(ask("XLEN tocsin:{p0}:raw"), 4);
	WANT(redis_run(redis, &err, "DEL tocsin:{p0}:seen:spoiled"));
	WANT(settle(&from, items, COUNT, NULL));
	assert_int_equal(ask("XLEN tocsin:{p0}:findings"), 5);
}

static void deferred_work_can_be_seen_and_woken(void **state)
{
	static const char *const streams[] = { STREAM_RAW };
	struct settle_from from;
	struct deferred list[4];
	size_t count = 0;
	size_t cursor = 0;
	bool settled = false;
	char reason[400];
	(void)state;
	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	settle_from_init(&from, 0, STREAM_RAW, NULL, "c1", TTL_MS);
	const struct entry *entries = take("raw", "c1", 3);
	const struct defer_item items[] = {
		{ .id = entries[0].id, .delay_ms = 60000, .reason = "account:acme" },
		{ .id = entries[1].id, .delay_ms = 50000, .counted = true, .reason = reason },
		{ .id = entries[2].id, .reason = "" },
	};
	for (size_t i = 0; i < 3; i++) {
		WANT(settle_defer(redis, &from, &items[i], &settled, &err));
		assert_true(settled);
	}
	WANT(settle_defer(redis, &from, &items[0], &settled, &err));
	assert_false(settled);
	WANT(deferred_list(redis, 0, 1, 4, arena, list, &count, &err));
	assert_int_equal(count, 2);
	assert_string_equal(list[0].id, entries[1].id);
	assert_int_equal(strlen(list[0].reason), SETTLE_REASON_MAX);
	assert_true(list[0].counted);
	assert_int_equal(list[0].attempt, 1);
	assert_int_equal(list[0].due_ms - list[0].put_off_ms, 50000);
	assert_int_equal(list[0].first_ms, entry_id_ms(entries[1].id));
	assert_string_equal(list[1].stream, "raw");
	assert_string_equal(list[1].fields[0].value, "0");
	WANT(deferred_wake(redis, 0, streams, 1, 100, &cursor, &count, &err));
	assert_int_equal(count, 1);
	WANT(deferred_wake_matching(redis, 0, "account:acme", &count, &err));
	assert_int_equal(count, 1);
	WANT(deferred_wake(redis, 0, streams, 1, 100, &cursor, &count, &err));
	assert_int_equal(count, 1);
	WANT(deferred_count(redis, 0, &count, &err));
	assert_int_equal(count, 1);
}

static void dead_letters_can_be_read_replayed_and_acknowledged(void **state)
{
	struct settle_from from;
	struct dead list[8];
	struct dead dead;
	size_t count = 0;
	bool found = false;
	(void)state;
	settle_from_init(&from, 0, STREAM_RAW, NULL, "c1", TTL_MS);
	const struct entry *entries = take("raw", "c1", 5);
	for (size_t i = 0; i < 5; i++) {
		const struct settle_item item = { .id = entries[i].id,
						  .kind = SETTLE_BURY,
						  .fate_key =
						      i == 0 ? "tocsin:{p0}:seen:0" : NULL,
						  .reason = "bad JSON" };
		WANT(settle(&from, &item, 1, NULL));
	}
	WANT(dead_list(redis, 0, "", 3, arena, list, &count, &err));
	assert_int_equal(count, 3);
	WANT(dead_list(redis, 0, list[2].id, 8, arena, list + 3, &count, &err));
	assert_int_equal(count, 2);
	assert_string_equal(list[0].reason, "bad JSON");
	assert_string_equal(list[0].entry, entries[0].id);
	assert_int_equal(list[0].deliveries, 1);
	assert_int_equal(list[0].field_count, 1);
	WANT(dead_replay(redis, 0, list[0].id, TTL_MS, &found, &err));
	assert_true(found);
	assert_string_equal(ask_text("GET tocsin:{p0}:seen:0"), "queued");
	assert_int_equal(ask("XLEN tocsin:{p0}:raw"), 1);
	WANT(dead_replay(redis, 0, list[0].id, TTL_MS, &found, &err));
	assert_false(found);
	WANT(dead_show(redis, 0, list[1].id, arena, &dead, &found, &err));
	assert_true(found);
	assert_string_equal(dead.fields[0].value, "1");
	WANT(dead_drop(redis, 0, list[1].id, &found, &err));
	assert_true(found);
	WANT(dead_drop(redis, 0, list[1].id, &found, &err));
	assert_false(found);
	WANT(dead_count(redis, 0, &count, &err));
	assert_int_equal(count, 3);
	static const char *const bad[] = { "",	    "1",   "1-",   "-1",
					   "1-1-1", "a-1", "1-1 ", "99999999999999999999-1" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(dead_show(redis, 0, bad[i], arena, &dead, &found, &err));
		assert_int_equal(err.kind, ERR_PERMANENT);
	}
}

/* ---- intake ---- */

static void a_long_page_goes_in_chunks_and_only_the_last_moves_the_cursor(void **state)
{
	enum { COUNT = 250 };
	struct lease lease;
	struct key cursor;
	struct key stream;
	struct page_event events[COUNT];
	struct field fields[COUNT];
	bool fresh[COUNT];
	bool taken = false;
	struct page_result result;
	const struct field mark = field_text("mark", "m1");
	struct page page = { .events = events,
			     .event_count = COUNT,
			     .cursor = &mark,
			     .cursor_count = 1,
			     .fate_ttl_ms = TTL_MS,
			     .fresh_counter = "events",
			     .ret_fresh = fresh };
	(void)state;
	key_format(&cursor, 0, "cursor:acme:se");
	key_format(&stream, 0, STREAM_RAW);
	lease_init(&lease, 0, "acme:se");
	for (size_t i = 0; i < COUNT; i++) {
		fields[i] = field_text("payload", "{}");
		events[i] = (struct page_event){
			.fate_key = arena_printf(arena, "tocsin:{p0}:seen:acme:se:%zu",
						 i == 201 ? 3 : i),
			.fields = &fields[i],
			.field_count = 1,
		};
	}
	WANT(lease_take(redis, &lease, "w1", TTL_MS, &taken, &err));
	assert_true(taken);
	WANT(page_commit(redis, &lease, &cursor, &stream, &page, &result, &err));
	assert_int_equal(result.fresh, COUNT - 1);
	assert_int_equal(result.duplicate, 1);
	assert_true(fresh[200]);
	assert_false(fresh[201]);
	assert_int_equal(ask("XLEN tocsin:{p0}:raw"), COUNT - 1);
	assert_int_equal(ask("HEXISTS tocsin:{p0}:cursor:acme:se mark"), 0);
	page.last = true;
	WANT(page_commit(redis, &lease, &cursor, &stream, &page, &result, &err));
	assert_int_equal(result.duplicate, COUNT);
	assert_string_equal(ask_text("HGET tocsin:{p0}:cursor:acme:se mark"), "m1");
	assert_string_equal(ask_text("HGET tocsin:{p0}:cursor:acme:se events"), "249");

	/* An empty last page is the usual one. */
	const struct field later = field_text("mark", "m2");
	page.event_count = 0;
	page.cursor = &later;
	WANT(page_commit(redis, &lease, &cursor, &stream, &page, &result, &err));
	assert_string_equal(ask_text("HGET tocsin:{p0}:cursor:acme:se mark"), "m2");

	/* A large event goes alone; a stale token stops everything. */
	char *payload = arena_alloc(arena, 300001);
	memset(payload, 'x', 300000);
	for (size_t i = 0; i < 3; i++) {
		fields[i] = field_text("payload", payload);
		events[i].fate_key = arena_printf(arena, "tocsin:{p0}:seen:big:%zu", i);
	}
	page.event_count = 3;
	WANT(page_commit(redis, &lease, &cursor, &stream, &page, &result, &err));
	assert_int_equal(result.fresh, 3);
	WANT(redis_run(redis, &err, "SET tocsin:{p0}:lease:acme:se w2:2"));
	assert_false(page_commit(redis, &lease, &cursor, &stream, &page, &result, &err));
	assert_int_equal(redis_error(redis), REDIS_STALE);
}

static void leases_in_batches(void **state)
{
	enum { COUNT = 600 };
	struct lease *leases = arena_alloc(arena, COUNT * sizeof(*leases));
	struct lease **list = arena_alloc(arena, COUNT * sizeof(struct lease *));
	bool taken = false;
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		lease_init(&leases[i], 0, arena_printf(arena, "c%zu:se", i));
		list[i] = &leases[i];
	}
	struct lease foreign = leases[5];
	WANT(lease_take(redis, &foreign, "w2", TTL_MS, &taken, &err));
	WANT(lease_take_all(redis, list, COUNT, "w1", TTL_MS, &err));
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(leases[i].token[0] != '\0', i != 5);
	assert_true(leases[0].until_mono_ms > clock_mono_ms());
	WANT(redis_run(redis, &err, "DEL %s", leases[9].key.text));
	leases[5] = leases[4];
	WANT(lease_renew_all(redis, list, COUNT, TTL_MS, &err));
	assert_string_equal(leases[9].token, "");
	assert_string_equal(leases[8].token, "w1:1");
	WANT(lease_release(redis, &leases[8], &err));
	assert_string_equal(leases[8].token, "");
	WANT(lease_release(redis, &leases[8], &err));
	assert_int_equal(ask("EXISTS tocsin:{p0}:lease:c8:se"), 0);
}

static void pushed_events_with_nonces_and_fates(void **state)
{
	enum { COUNT = 120 };
	struct key stream;
	const struct field field = field_text("payload", "{}");
	struct append_item items[COUNT];
	enum append_answer answers[COUNT];
	(void)state;
	key_format(&stream, 0, STREAM_RAW);
	for (size_t i = 0; i < COUNT; i++)
		items[i] = (struct append_item){
			.event = { .fate_key =
				       i % 2 ? arena_printf(arena, "tocsin:{p0}:seen:%zu", i)
					     : NULL,
				   .fields = &field,
				   .field_count = 1 },
			.nonce_key =
			    i % 3 ? arena_printf(arena, "tocsin:{p0}:nonce:%zu", i) : NULL,
			.nonce_ttl_ms = TTL_MS,
		};
	WANT(page_append(redis, &stream, items, COUNT, TTL_MS, answers, &err));
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(answers[i], APPEND_ADDED);
	WANT(page_append(redis, &stream, items, COUNT, TTL_MS, answers, &err));
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(answers[i], i % 3   ? APPEND_REPLAYED
					     : i % 2 ? APPEND_DUPLICATE
						     : APPEND_ADDED);
	assert_int_equal(ask("XLEN tocsin:{p0}:raw"), COUNT + COUNT / 6);
	WANT(activity_add(redis, 0, &field, 1, &err));
	assert_int_equal(ask("XLEN tocsin:{p0}:activity"), 1);
}

/* ---- incidents ---- */

/* Twenty findings of one group: the first opens, the others join. */
static void claim_one_group(void)
{
	const struct field fields[] = { field_text("customer", "acme"),
					field_text("uid", "u") };
	const struct entry *entries = take("findings", "c1", 20);
	struct group_finding claims[20];
	struct group_answer answers[20];
	struct settle_from findings;

	settle_from_init(&findings, 0, STREAM_FINDINGS, STREAM_ACTIONS, "c1", TTL_MS);
	for (size_t i = 0; i < 20; i++)
		claims[i] = (struct group_finding){
			.entry_id = entries[i].id,
			.group_key = "tocsin:{p0}:group:acme:g",
			.fate_key =
			    i % 2 ? arena_printf(arena, "tocsin:{p0}:seen:%zu", i) : NULL,
			.candidate = arena_printf(arena, "cand%zu", i),
			.open_item = "open",
			.note_item = "note",
			.summary = "s",
			.severity = (unsigned)i % 6,
			.fields = fields,
			.field_count = 2,
		};
	WANT(group_claim(redis, &findings, claims, 20, answers, &err));
	assert_int_equal(answers[0].outcome, GROUP_OPENED);
	for (size_t i = 1; i < 20; i++)
		assert_int_equal(answers[i].outcome, GROUP_JOINED);
	assert_string_equal(answers[19].incident, "cand0");
	WANT(group_claim(redis, &findings, claims, 20, answers, &err));
	assert_int_equal(answers[3].outcome, GROUP_NOT_OURS);
}

static void an_incident_from_claim_to_release(void **state)
{
	struct settle_from actions;
	struct saga_keys keys;
	struct incident_hold hold;
	struct incident_hold other;
	bool released = false;
	(void)state;
	settle_from_init(&actions, 0, STREAM_ACTIONS, NULL, "c1", TTL_MS);
	claim_one_group();

	struct redis_reply *reply = redis_command(
	    redis, &err, "XREADGROUP GROUP tocsin c1 COUNT 1 STREAMS tocsin:{p0}:actions >");
	struct entry wake_up;
	assert_int_equal(
	    entry_decode(reply_at(reply_at(reply, 0), 1), arena, &wake_up, 1, NULL), 1);
	assert_string_equal(entry_text(&wake_up, "incident"), "cand0");

	saga_keys_init(&keys, 0, "cand0");
	WANT(incident_take(redis, &keys, "w1", TTL_MS, arena, &hold, &err));
	assert_true(hold.taken);
	assert_int_equal(hold.fence, 1);
	assert_int_equal(hold.item_count, 20);
	assert_string_equal(hold.items[0], "open");
	assert_string_equal(field_find(hold.fields, hold.field_count, "severity")->value, "5");
	assert_string_equal(field_find(hold.fields, hold.field_count, "uid")->value, "u");
	WANT(incident_take(redis, &keys, "w2", TTL_MS, arena, &other, &err));
	assert_false(other.taken);
	assert_true(other.busy_until_ms > other.now_ms);

	/* The same write twice after a lost answer; the same words again as a new write. */
	const struct field step = field_text("step", "intent");
	const char *const gone[] = { "uid" };
	const struct journal_write write = { .set = &step,
					     .set_count = 1,
					     .remove = gone,
					     .remove_count = 1,
					     .items_done = 1,
					     .timeline = "opened" };
	struct incident_hold lost = hold;
	WANT(incident_journal(redis, &keys, &lost, &write, NULL, &err));
	WANT(incident_journal(redis, &keys, &hold, &write, NULL, &err));
	assert_int_equal(ask("LLEN tocsin:{p0}:incident:cand0:inbox"), 19);
	WANT(incident_journal(redis, &keys, &hold, &write, NULL, &err));
	assert_int_equal(ask("LLEN tocsin:{p0}:incident:cand0:inbox"), 18);
	assert_int_equal(ask("HEXISTS tocsin:{p0}:incident:cand0 uid"), 0);

	struct incident_end last = { .from = &actions,
				     .entry_id = wake_up.id,
				     .items_left = 17 };
	WANT(incident_release(redis, &keys, &hold, &last, &released, &err));
	assert_false(released);
	last.items_left = 18;
	last.again = true;
	last.delay_ms = 1000;
	last.reason = "waits";
	WANT(incident_release(redis, &keys, &hold, &last, &released, &err));
	assert_true(released);
	assert_int_equal(ask("ZCARD tocsin:{p0}:deferred"), 1);
	WANT(incident_take(redis, &keys, "w2", TTL_MS, arena, &other, &err));
	assert_int_equal(other.fence, 2);
	assert_false(incident_journal(redis, &keys, &hold, &write, NULL, &err));
	assert_int_equal(redis_error(redis), REDIS_STALE);
	reply_free(reply);
}

static void the_group_can_be_dropped_and_taken_back(void **state)
{
	struct settle_from findings;
	struct saga_keys keys;
	struct incident_hold hold;
	struct group_answer answer;
	bool taken = true;
	(void)state;
	settle_from_init(&findings, 0, STREAM_FINDINGS, STREAM_ACTIONS, "c1", TTL_MS);
	const struct entry *entries = take("findings", "c1", 1);
	const struct group_finding claim = { .entry_id = entries[0].id,
					     .group_key = "tocsin:{p0}:group:acme:g",
					     .candidate = "i1",
					     .open_item = "o",
					     .note_item = "n",
					     .summary = "s" };
	WANT(group_claim(redis, &findings, &claim, 1, &answer, &err));
	saga_keys_init(&keys, 0, "i1");
	WANT(incident_take(redis, &keys, "w1", TTL_MS, arena, &hold, &err));
	struct journal_write write = { .group = JOURNAL_GROUP_DROP,
				       .group_key = claim.group_key,
				       .previous_ttl_ms = TTL_MS };
	WANT(incident_journal(redis, &keys, &hold, &write, NULL, &err));
	assert_int_equal(ask("EXISTS tocsin:{p0}:group:acme:g"), 0);
	assert_string_equal(ask_text("GET tocsin:{p0}:group:acme:g:previous"), "i1");
	WANT(redis_run(redis, &err, "SET tocsin:{p0}:group:acme:g i2"));
	write.group = JOURNAL_GROUP_TAKE;
	WANT(incident_journal(redis, &keys, &hold, &write, &taken, &err));
	assert_false(taken);
	WANT(redis_run(redis, &err, "DEL tocsin:{p0}:group:acme:g"));
	WANT(incident_journal(redis, &keys, &hold, &write, &taken, &err));
	assert_true(taken);
	assert_string_equal(ask_text("GET tocsin:{p0}:group:acme:g"), "i1");
}

static void an_incident_that_does_not_exist(void **state)
{
	struct saga_keys keys;
	struct incident_hold hold;
	(void)state;
	saga_keys_init(&keys, 0, "nobody");
	WANT(incident_take(redis, &keys, "w1", TTL_MS, arena, &hold, &err));
	assert_true(hold.taken);
	assert_int_equal(hold.field_count, 0);
	assert_int_equal(hold.item_count, 0);
}

/* ---- accounts ---- */

static void the_gate_of_an_account(void **state)
{
	const struct gate_limits limits = { .in_flight = 1, .probe_interval_ms = 1 };
	struct gate_pass pass;
	struct gate_pass second;
	struct gate_state seen;
	enum gate_change change = GATE_SAME;
	bool changed = false;
	(void)state;
	WANT(gate_enter(redis, "a", GATE_OPENING, &limits, &pass, &err));
	assert_int_equal(pass.answer, GATE_ENTERED);
	assert_int_equal(pass.valid_ms, 0);
	WANT(gate_enter(redis, "a", GATE_OPENING, &limits, &second, &err));
	assert_int_equal(second.answer, GATE_BUSY);
	WANT(gate_read(redis, "a", &seen, &err));
	assert_int_equal(seen.in_flight, 1);
	WANT(gate_leave(redis, "a", &limits, &pass,
			&(struct gate_result){ GATE_FAULT, 0, "401: wrong password" }, &change,
			&err));
	assert_int_equal(change, GATE_NEWLY_PARKED);
	WANT(gate_read(redis, "a", &seen, &err));
	assert_true(seen.parked);
	assert_string_equal(seen.reason, "401: wrong password");
	assert_int_equal(seen.in_flight, 0);
	nap_ms(5);
	WANT(gate_enter(redis, "a", GATE_POLLING, &limits, &pass, &err));
	assert_int_equal(pass.answer, GATE_PROBE);
	WANT(gate_leave(redis, "a", &limits, &pass, &(struct gate_result){ GATE_OK, 0, NULL },
			&change, &err));
	assert_int_equal(change, GATE_RESUMED);

	const struct gate_limits free = { .calls_per_hour = 0 };
	WANT(gate_enter(redis, "b", GATE_OPENING, &free, &pass, &err));
	assert_int_equal(pass.valid_ms, 1000);
	WANT(gate_leave(redis, "b", &free, &pass,
			&(struct gate_result){ GATE_TRANSIENT, 30000, NULL }, &change, &err));
	WANT(gate_enter(redis, "b", GATE_CONTAINMENT, &free, &pass, &err));
	assert_int_equal(pass.answer, GATE_PAUSED);
	assert_in_range(pass.wait_ms, 20000, 30000);

	const struct gate_limits budget = { .calls_per_hour = 60, .burst = 1 };
	WANT(gate_enter(redis, "c", GATE_POLLING, &budget, &pass, &err));
	assert_int_equal(pass.answer, GATE_ENTERED);
	WANT(gate_enter(redis, "c", GATE_CONTAINMENT, &budget, &pass, &err));
	assert_int_equal(pass.answer, GATE_BUDGET);
	assert_in_range(pass.wait_ms, 1, 62000);

	for (unsigned i = 0; i < 5; i++)
		WANT(gate_leave(redis, "d", &free, &pass,
				&(struct gate_result){ GATE_TRANSIENT, 0, NULL }, &change,
				&err));
	assert_int_equal(change, GATE_BREAKER_OPENED);
	WANT(gate_enter(redis, "d", GATE_OPENING, &free, &pass, &err));
	assert_int_equal(pass.answer, GATE_BROKEN);
	assert_in_range(pass.wait_ms, 20000, 60000);

	WANT(gate_park(redis, "e", "maintenance", &changed, &err));
	assert_true(changed);
	WANT(gate_resume(redis, "e", &changed, &err));
	assert_true(changed);
	WANT(gate_read(redis, "nobody", &seen, &err));
	assert_false(seen.known);
}

/* A burst and what grows back stay within what the vendor allows in any hour and, of Defender
 * for Endpoint, in any minute: 1,500 and 100 calls of an application in a tenant. */
static void a_budget_is_within_the_vendors_limits(void **state)
{
	const struct gate_limits limits = { .calls_per_hour = 1500, .burst = 60 };
	struct gate_pass pass;
	unsigned entered = 0;

	(void)state;
	WANT(gate_enter(redis, "d", GATE_CONTAINMENT, &limits, &pass, &err));
	for (; pass.answer == GATE_ENTERED && entered < 1500; entered++)
		WANT(gate_enter(redis, "d", GATE_CONTAINMENT, &limits, &pass, &err));
	assert_int_equal(pass.answer, GATE_BUDGET);
	assert_in_range(entered, 60, 61); /* one may grow back meanwhile */

	double grows_ms = 3600000.0 / (1500 - 60);

	assert_in_range(pass.wait_ms, 1, (unsigned)grows_ms + 1);
	assert_true(60 + 60000 / grows_ms <= 100);
	assert_true(60 + 3600000 / grows_ms <= 1500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(setup_is_repeatable_and_notices_a_loss),
		TEST(setup_leaves_a_newer_library),
		TEST(a_batch_larger_than_one_call_is_settled_in_several),
		TEST(an_error_in_the_middle_leaves_no_reply_behind),
		TEST(deferred_work_can_be_seen_and_woken),
		TEST(dead_letters_can_be_read_replayed_and_acknowledged),
		TEST(a_long_page_goes_in_chunks_and_only_the_last_moves_the_cursor),
		TEST(leases_in_batches),
		TEST(pushed_events_with_nonces_and_fates),
		TEST(an_incident_from_claim_to_release),
		TEST(the_group_can_be_dropped_and_taken_back),
		TEST(an_incident_that_does_not_exist),
		TEST(the_gate_of_an_account),
		TEST(a_budget_is_within_the_vendors_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
