/* Vendors' windows, read once more. */
#include "sweep.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/deferred.h"
#include "bus/page.h"
#include "bus/redis.h"
#include "cli.h"
#include "model/raw.h"
#include "vendor/session.h"

enum {
	PAGES_MAX = 20000,
	EMPTY_PAGES_MAX = 10, /* in a row, each naming a next one */
	TRIES = 4,	      /* of one page, when the vendor fails */
	RETRY_BASE_MS = 1000,
	RETRY_CAP_MS = 20 * 1000,
	WAIT_MIN_MS = 200,
	WAIT_MAX_MS =
	    15 * 60 * 1000, /* in one go; longer pauses are the operator's to sit out */
	FATES_AT_ONCE = 500,
};

static const uint64_t DAY_MS = UINT64_C(24) * 60 * 60 * 1000;

/* ---- what was asked for ---- */

static bool read_since(struct sweep *sweep, struct err *err)
{
	const char *text = args_value(&sweep->cli->args, "since");
	uint64_t span_ms;

	if (!text)
		text = "24h";
	if (clock_parse_span(text, &span_ms) && span_ms < sweep->now_ms) {
		sweep->since_ms = sweep->now_ms - span_ms;
		return true;
	}
	if (clock_parse(text, &sweep->since_ms) && sweep->since_ms <= sweep->now_ms)
		return true;
	return err_set(err, ERR_PERMANENT,
		       "--since must be a span like 24h or a past time like "
		       "2026-11-21T18:00:00Z, not \"%.40s\"",
		       text);
}

/* The gate opened or closed by a call of ours: what waits for the account is told as everywhere
 * else. */
static void account_changed(const struct vendor_session *session, enum gate_change change,
			    const char *reason, void *opaque)
{
	const struct sweep *sweep = opaque;
	size_t woken;

	if (change == GATE_NEWLY_PARKED)
		cli_warn(sweep->cli, "account %s is parked: %s", session->account->id, reason);
	if (change != GATE_RESUMED)
		return;
	cli_warn(sweep->cli, "account %s works again", session->account->id);
	deferred_wake_account(sweep->redis, sweep->cli->bus.partitions, session->account->id,
			      &woken, NULL);
}

bool sweep_init(struct sweep *ret_sweep, struct cli *cli, int *ret_code, struct err *err)
{
	*ret_sweep = (struct sweep){ .cli = cli,
				     .now_ms = clock_wall_ms(),
				     .all_types = args_flag(&cli->args, "all-types") };
	*ret_code = EXIT_USAGE;
	if (!read_since(ret_sweep, err))
		return false;
	*ret_code = EXIT_UNREACHABLE;
	ret_sweep->redis = cli_redis(cli, err);
	if (!ret_sweep->redis)
		return false;
	ret_sweep->directory = cli_directory(cli, ret_sweep->redis, err);
	if (!ret_sweep->directory)
		return false;
	*ret_code = EXIT_FAILED;
	const struct vault *vault = cli_vault(cli, err);
	struct http *http = vault ? cli_http(cli, err) : NULL;

	if (!http)
		return false;
	const struct vendor_needs needs = { .http = http,
					    .vault = vault,
					    .settings = &cli->vendor,
					    .threads = 1,
					    .deadline_ms = cli->bus.call_deadline_ms,
					    .on_change = account_changed,
					    .opaque = ret_sweep };

	ret_sweep->vendor = vendor_new(&needs);
	*ret_code = EXIT_OK;
	return true;
}

void sweep_done(struct sweep *sweep)
{
	vendor_free(sweep->vendor);
	directory_free(sweep->directory);
	*sweep = (struct sweep){ 0 };
}

static bool is_wanted(const struct sweep *sweep, const char *option, const char *name)
{
	const char *asked = args_value(&sweep->cli->args, option);

	return !asked || strcmp(asked, name) == 0;
}

static size_t add_polled(const struct sweep *sweep, const struct customer *customer,
			 struct sweep_target *ret_targets)
{
	size_t count = 0;

	for (size_t i = 0; i < customer->source_count; i++) {
		const struct customer_source *settings = &customer->sources[i];

		if (is_wanted(sweep, "source", settings->name))
			ret_targets[count++] = (struct sweep_target){
				.customer = customer,
				.name = settings->name,
				.settings = settings,
				.account =
				    directory_account(sweep->directory, settings->account),
				.driver = source_find(settings->name),
			};
	}
	return count;
}

static size_t add_pushed(const struct sweep *sweep, const struct customer *customer,
			 struct sweep_target *ret_targets)
{
	size_t count = 0;

	for (size_t i = 0; i < customer->push.source_count; i++) {
		const char *name = customer->push.sources[i].name;

		if (is_wanted(sweep, "source", name))
			ret_targets[count++] =
			    (struct sweep_target){ .customer = customer, .name = name };
	}
	return count;
}

static void refuse_nothing(const struct sweep *sweep, struct err *err)
{
	const char *customer = args_value(&sweep->cli->args, "customer");
	const char *source = args_value(&sweep->cli->args, "source");

	err_fill(err, ERR_PERMANENT, "no source %s%s%s that could be read again",
		 source ? source : "at all", customer ? " of customer " : "",
		 customer ? customer : "");
}

struct sweep_target *sweep_targets(const struct sweep *sweep, bool pushed, size_t *ret_count,
				   struct err *err)
{
	const struct directory *directory = sweep->directory;
	const char *asked = args_value(&sweep->cli->args, "customer");
	size_t room = 1, count = 0;

	if (asked && !directory_customer(directory, asked)) {
		err_fill(err, ERR_PERMANENT,
			 "there is no customer %s: see tocsin customer list", asked);
		return NULL;
	}
	for (size_t i = 0; i < directory_count(directory); i++)
		room += directory_at(directory, i)->source_count +
			directory_at(directory, i)->push.source_count;

	struct sweep_target *targets = xcalloc(room, sizeof *targets);

	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);

		if (!is_wanted(sweep, "customer", customer->id))
			continue;
		count += add_polled(sweep, customer, targets + count);
		if (pushed)
			count += add_pushed(sweep, customer, targets + count);
	}
	*ret_count = count;
	if (count > 0)
		return targets;
	free(targets);
	refuse_nothing(sweep, err);
	return NULL;
}

/* ---- reading ---- */

struct reading {
	const struct sweep *sweep;
	const struct sweep_target *target;
	struct customer_source settings;
	struct vendor_session session;
	struct source_task task;
	struct arena *arena;
	struct buf token;
	size_t pages, empty_pages;
};

/* Whether the page may be asked for again; after the pause that takes. */
static bool is_worth_another(struct reading *reading, unsigned tries, const struct err *err)
{
	const struct vendor_session *session = &reading->session;
	const char *source = reading->target->name;
	uint64_t wait_ms = session->wait_ms > WAIT_MIN_MS ? session->wait_ms : WAIT_MIN_MS;

	if (session->refusal == VENDOR_PARKED || session->refusal == VENDOR_GATE)
		return false;
	if (session->refusal == VENDOR_ATTEMPTED) {
		if (err->kind != ERR_TRANSIENT || tries >= TRIES)
			return false;
		wait_ms = backoff_ms(RETRY_BASE_MS, RETRY_CAP_MS, tries, err->retry_after_ms);
	}
	if (wait_ms > WAIT_MAX_MS)
		return false;
	if (wait_ms >= 1000)
		cli_warn(reading->sweep->cli, "%s: goes on in %llu s: %s", source,
			 (unsigned long long)(wait_ms + 999) / 1000, err->text);
	clock_sleep_ms(wait_ms);
	return true;
}

static bool ask(struct reading *reading, struct source_page *ret_page, struct err *err)
{
	const char *token = reading->token.size > 0 ? reading->token.data : NULL;

	for (unsigned tries = 1;; tries++) {
		arena_reset(reading->arena);
		*err = (struct err){ 0 };
		if (reading->target->driver->page(&reading->task, token, reading->arena,
						  ret_page, err))
			return true;
		if (!is_worth_another(reading, tries, err))
			return false;
	}
}

/* False at the end, well or not. */
static bool go_on(struct reading *reading, const struct source_page *page, struct err *err)
{
	reading->pages++;
	reading->empty_pages = page->count > 0 ? 0 : reading->empty_pages + 1;
	if (!page->next)
		return false;
	buf_reset(&reading->token);
	buf_adds(&reading->token, page->next);
	if (reading->pages >= PAGES_MAX || reading->empty_pages >= EMPTY_PAGES_MAX ||
	    !buf_ok(&reading->token))
		return err_set(err, ERR_TRANSIENT, "the vendor's pages do not end (%zu read)",
			       reading->pages);
	return true;
}

static void read_all(struct reading *reading, enum origin origin, sweep_page *visit,
		     void *opaque, struct err *err)
{
	const struct sweep_target *target = reading->target;
	struct source_page page;
	struct events events;

	do {
		page = (struct source_page){ 0 };
		if (!ask(reading, &page, err))
			return;
		events_build(&events, target->customer, target->settings, &page, origin,
			     reading->arena);
		if (!visit(target, &page, &events, reading->arena, opaque, err))
			return;
	} while (go_on(reading, &page, err));
}

bool sweep_read(const struct sweep *sweep, const struct sweep_target *target,
		enum origin origin, sweep_page *visit, void *opaque, struct err *err)
{
	struct reading reading = {
		.sweep = sweep,
		.target = target,
		.session = { .vendor = sweep->vendor,
			     .redis = sweep->redis,
			     .account = target->account,
			     .class = VENDOR_POLLING },
	};

	if (!target->driver || !target->account)
		return err_set(err, ERR_PERMANENT,
			       "%s of %s cannot be polled: there is no such account or driver",
			       target->name, target->customer->id);
	reading.settings = *target->settings;
	if (sweep->all_types) {
		reading.settings.default_types = false;
		reading.settings.event_type_count = 0;
	}
	reading.task = (struct source_task){ .settings = &reading.settings,
					     .session = &reading.session,
					     .start_ms = sweep->since_ms };
	reading.arena = arena_new();
	buf_init(&reading.token, SOURCE_TOKEN_MAX);
	*err = (struct err){ 0 };
	read_all(&reading, origin, visit, opaque, err);
	buf_done(&reading.token);
	arena_free(reading.arena);
	return err->kind == ERR_NONE;
}

/* ---- fates ---- */

static bool fates_chunk(struct redis *redis, const struct page_event *items, size_t count,
			struct arena *arena, const char **ret_fates, struct err *err)
{
	const char *argv[1 + FATES_AT_ONCE] = { "MGET" };
	size_t sizes[1 + FATES_AT_ONCE] = { 4 };

	for (size_t i = 0; i < count; i++) {
		argv[1 + i] = items[i].fate_key;
		sizes[1 + i] = strlen(items[i].fate_key);
	}
	struct redis_reply *reply = redis_expect_list(
	    redis_command_argv(redis, (int)count + 1, argv, sizes, err), count, err);

	for (size_t i = 0; reply && i < count; i++) {
		const struct redis_reply *fate = reply_at(reply, i);

		ret_fates[i] = reply_type(fate) == REPLY_TEXT
				   ? arena_strdup(arena, reply_text(fate))
				   : NULL;
	}
	reply_free(reply);
	return reply != NULL;
}

bool sweep_fates(const struct sweep *sweep, const struct events *events, struct arena *arena,
		 const char **ret_fates, struct err *err)
{
	for (size_t done = 0; done < events->count;) {
		size_t count =
		    events->count - done < FATES_AT_ONCE ? events->count - done : FATES_AT_ONCE;

		if (!fates_chunk(sweep->redis, events->items + done, count, arena,
				 ret_fates + done, err))
			return false;
		done += count;
	}
	return true;
}

bool sweep_raw(const struct events *events, size_t index, struct raw *ret_raw, struct err *err)
{
	const struct page_event *item = &events->items[index];

	return raw_decode(ret_raw, item->fields, item->field_count, err);
}

const char *sweep_fate_kind(const char *fate, struct arena *arena)
{
	return fate ? arena_strndup(arena, fate, strcspn(fate, ":")) : "without fate";
}

bool sweep_append(const struct sweep *sweep, const struct sweep_target *target,
		  const struct page_event *items, size_t count, struct arena *arena,
		  size_t *ret_added, struct err *err)
{
	struct append_item *appended = arena_alloc(arena, (count + 1) * sizeof *appended);
	enum append_answer *answers = arena_alloc(arena, (count + 1) * sizeof *answers);
	struct key raw;

	*ret_added = 0;
	key_format(&raw, target->customer->partition, "%s", STREAM_RAW);
	for (size_t i = 0; i < count; i++)
		appended[i] = (struct append_item){ .event = items[i] };
	if (!page_append(sweep->redis, &raw, appended, count, sweep_fate_ttl(sweep), answers,
			 err))
		return false;
	for (size_t i = 0; i < count; i++)
		*ret_added += answers[i] == APPEND_ADDED;
	return true;
}

uint64_t sweep_fate_ttl(const struct sweep *sweep)
{
	uint64_t least_ms = sweep->now_ms - sweep->since_ms + 2 * DAY_MS;

	return least_ms > sweep->cli->bus.fate_ttl_ms ? least_ms : sweep->cli->bus.fate_ttl_ms;
}

bool sweep_may_write(const struct sweep *sweep, struct err *err)
{
	char kept[CLOCK_TEXT_SIZE];

	if (sweep->now_ms - sweep->since_ms <= sweep->cli->bus.fate_ttl_ms)
		return true;
	clock_format_span(sweep->cli->bus.fate_ttl_ms, kept);
	return err_set(
	    err, ERR_PERMANENT,
	    "fates are kept for %s: what is older may have a ticket that is no longer "
	    "known, and would get a second one; --dry-run shows it",
	    kept);
}
