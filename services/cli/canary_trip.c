/* One canary's way, and what is said when it gets lost. */
#include "canary_trip.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/key.h"
#include "bus/page.h"
#include "bus/redis.h"
#include "bus/reply.h"
#include "cli.h"
#include "model/customer.h"
#include "model/raw.h"
#include "ticket_close.h"
#include "trace.h"
#include "vendor/servicenow.h"
#include "vendor/session.h"
#include "view.h"

enum { LOOK_MS = 200, ID_BYTES = 8, WORDS_MAX = 1024, STORY_MAX = 8192 };

#define SOURCE "generic"
/* The field of the account's hash: "<customer>/<event id>". */
#define UNDER_WAY "canary"
/* The kit's business rule tells of tickets that we end with these words (servicenow_kit.c). */
#define CLOSE_NOTES "Tocsin canary: a test of the whole way."

struct canary {
	const struct canary_outing *outing;
	struct arena *arena;
	const char *account;
	struct key account_key;
	const struct customer *customer;
	const char *event_id;
	json_t *seen; /* its trace_event() as of late; while it is queued, only the fate */
	uint64_t ticket_after_ms, closed_after_ms;
	char missing[WORDS_MAX];
};

static bool lose(struct canary *canary, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* False: which link is missing. */
static bool lose(struct canary *canary, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(canary->missing, sizeof canary->missing, fmt, args);
	va_end(args);
	return false;
}

/* ---- where it is ---- */

static const char *member(const struct canary *canary, const char *name)
{
	const char *text =
	    json_string_value(json_object_get(json_object_get(canary->seen, "incident"), name));

	return text ? text : "";
}

static struct trace_quarry quarry_of(const struct canary *canary)
{
	return (struct trace_quarry){ canary->outing->redis, canary->customer->partition,
				      canary->customer->id, SOURCE, canary->event_id };
}

/* Where in its queue one is asks for much reading: not while we wait. */
static bool is_queued(struct canary *canary, const struct trace_quarry *quarry, struct err *err)
{
	struct key key;

	key_fate(&key, quarry->partition, quarry->customer, quarry->source, quarry->event_id);
	struct redis_reply *fate =
	    redis_command(canary->outing->redis, err, "GET %s", key.text);
	bool queued = strcmp(reply_text(fate), "queued") == 0;

	reply_free(fate);
	return queued;
}

static bool look(struct canary *canary, struct err *err)
{
	const struct trace_quarry quarry = quarry_of(canary);

	*err = (struct err){ 0 };
	json_decref(canary->seen);
	canary->seen = NULL;
	if (is_queued(canary, &quarry, err))
		canary->seen = json_pack("{s:s}", "fate", "queued");
	else if (err->kind == ERR_NONE)
		canary->seen = trace_event(&quarry, err);
	return err->kind == ERR_NONE;
}

/* Whether it may still become a ticket of its own, or is one that nobody has ended. */
static bool lives(const struct canary *canary)
{
	const char *fate = json_string_value(json_object_get(canary->seen, "fate"));

	if (!fate || strcmp(fate, "queued") == 0)
		return fate != NULL;
	return strcmp(member(canary, "event_id"), canary->event_id) == 0 &&
	       strcmp(member(canary, "state"), "closing") != 0 &&
	       strcmp(member(canary, "state"), "closed") != 0 &&
	       strcmp(member(canary, "state"), "shadow") != 0;
}

/* All that `tocsin trace` says, in one line. */
static bool lose_as_told(struct canary *canary, struct err *err)
{
	const struct trace_quarry quarry = quarry_of(canary);
	json_t *event = trace_event(&quarry, err), *line;
	struct buf words;
	size_t i;

	buf_init(&words, STORY_MAX);
	json_array_foreach(json_object_get(event, "story"), i, line)
	    buf_addf(&words, "%s%s", i > 0 ? " " : "", json_string_value(line));
	lose(canary, "event %s: %s", canary->event_id,
	     event ? buf_text(&words) : "it has no fate any more");
	buf_done(&words);
	json_decref(event);
	return false;
}

/* ---- on its way ---- */

static const struct customer *choose(struct canary *canary)
{
	const struct directory *directory = canary->outing->directory;
	const char *wanted = args_value(&canary->outing->cli->args, "customer");

	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *at = directory_at(directory, i);
		const char *account = at->servicenow.account;

		if (account && strcmp(account, canary->account) == 0 &&
		    at->mode == CUSTOMER_LIVE && (!wanted || strcmp(wanted, at->id) == 0))
			return at;
	}
	lose(canary, "no live customer%s%s has its tickets there", wanted ? " " : "",
	     wanted ? wanted : "");
	return NULL;
}

/* One that an earlier run has sent and that is not over. False: there is none, or with err. */
static bool find_earlier(struct canary *canary, struct err *err)
{
	struct redis_reply *reply = redis_command(canary->outing->redis, err, "HGET %s %s",
						  canary->account_key.text, UNDER_WAY);
	char *customer = arena_strdup(canary->arena, reply_text(reply));
	char *slash = customer ? strchr(customer, '/') : NULL;

	reply_free(reply);
	if (!slash)
		return false;
	*slash = '\0';
	canary->customer = directory_customer(canary->outing->directory, customer);
	canary->event_id = slash + 1;
	return canary->customer && look(canary, err) && lives(canary);
}

static bool append(struct canary *canary, struct err *err)
{
	const struct customer *customer = canary->customer;
	const char *payload = arena_printf(
	    canary->arena,
	    "{\"event_type\":\"TEST %s of Tocsin, nothing happened, nobody needs to do "
	    "anything\"}",
	    canary->event_id);
	const struct raw raw = { .customer = customer->id,
				 .source = SOURCE,
				 .event_id = canary->event_id,
				 .observed_ms = clock_wall_ms(),
				 .trace = "",
				 .asked = "",
				 .origin = ORIGIN_PUSH,
				 .payload = payload,
				 .payload_size = strlen(payload) };
	struct field fields[RAW_FIELDS];
	enum append_answer answer;
	struct key stream, fate;

	key_format(&stream, customer->partition, "%s", STREAM_RAW);
	key_fate(&fate, customer->partition, customer->id, SOURCE, canary->event_id);
	const struct append_item item = {
		.event = { fate.text, fields, raw_encode(&raw, canary->arena, fields) },
	};
	return page_append(canary->outing->redis, &stream, &item, 1,
			   canary->outing->cli->bus.fate_ttl_ms, &answer, err);
}

/* Without a severity: that is below nobody's minimum for tickets, and below all for mails. Its
 * title, and so its group, is its own. */
static bool send_event(struct canary *canary, struct err *err)
{
	unsigned char random[ID_BYTES];
	char hex[2 * ID_BYTES + 1];

	canary->customer = choose(canary);
	if (!canary->customer)
		return false;
	randombytes_buf(random, sizeof random);
	sodium_bin2hex(hex, sizeof hex, random, sizeof random);
	canary->event_id = arena_printf(canary->arena, "canary-%s", hex);
	/* One that never comes back is missed, too: its time counts from the first. */
	return redis_run(canary->outing->redis, err, "HSETNX %s canary_ms %" PRIu64,
			 canary->account_key.text, clock_wall_ms()) &&
	       redis_run(canary->outing->redis, err, "HSET %s %s %s/%s",
			 canary->account_key.text, UNDER_WAY, canary->customer->id,
			 canary->event_id) &&
	       append(canary, err);
}

static bool wait_for_ticket(struct canary *canary, struct err *err)
{
	uint64_t begun = clock_mono_ms(), passed = 0;

	while (look(canary, err)) {
		passed = clock_mono_ms() - begun;
		if (strcmp(member(canary, "state"), "open") == 0 && lives(canary) &&
		    *member(canary, "sys_id"))
			break;
		if (!lives(canary) || passed >= canary->outing->wait_ms)
			return lose_as_told(canary, err);
		clock_sleep_ms(LOOK_MS);
	}
	canary->ticket_after_ms = passed;
	return err->kind == ERR_NONE;
}

/* ---- and back ---- */

static bool close_it(struct canary *canary, struct err *err)
{
	const struct canary_outing *outing = canary->outing;
	const char *account = member(canary, "servicenow_account");
	const char *table = member(canary, "ticket_table");
	const struct servicenow_place place = { *table ? table
						       : canary->customer->servicenow.table,
						member(canary, "sys_id") };
	struct vendor_session session = {
		.vendor = outing->vendor,
		.redis = outing->redis,
		.account = directory_account(outing->directory, account),
		.probe = true,
	};

	if (!session.account)
		return lose(canary, "%s is in account %s, which is gone",
			    member(canary, "number"), account);
	if (!ticket_close(&session, &place, CLOSE_NOTES, canary->arena, err)) {
		lose(canary, "%s cannot be closed: %s", member(canary, "number"), err->text);
		*err = (struct err){ 0 };
		return false;
	}
	return strcmp(account, canary->account) == 0 ||
	       lose(canary, "a rule had the ticket, %s, opened in account %s",
		    member(canary, "number"), account);
}

/* Rather than by who looks by himself. */
static bool told_by_instance(const char *via)
{
	return strcmp(via, "servicenow") == 0 || strcmp(via, "ancestors") == 0;
}

static bool wait_for_end(struct canary *canary, struct err *err)
{
	uint64_t begun = clock_mono_ms(), passed = 0;
	uint64_t wait_ms = canary->outing->wait_ms + canary->customer->closing.grace_ms;

	while (look(canary, err)) {
		const json_t *closing =
		    json_object_get(json_object_get(canary->seen, "incident"), "closing");
		const char *via = json_string_value(json_object_get(closing, "via"));

		passed = clock_mono_ms() - begun;
		if (via && !told_by_instance(via))
			return lose(canary,
				    "%s is closed, and not the callback but the %s noticed: "
				    "the callback is silent, see tocsin servicenow test %s",
				    member(canary, "number"), via, canary->account);
		if (strcmp(member(canary, "state"), "closed") == 0)
			break;
		if (passed >= wait_ms && !via)
			return lose(canary,
				    "%s is closed, and nobody told us: the callback is silent, "
				    "see tocsin servicenow test %s",
				    member(canary, "number"), canary->account);
		if (passed >= wait_ms)
			return lose_as_told(canary, err);
		clock_sleep_ms(LOOK_MS);
	}
	canary->closed_after_ms = passed;
	return err->kind == ERR_NONE;
}

static bool remember(struct canary *canary, struct err *err)
{
	return redis_run(canary->outing->redis, err, "HSET %s canary_ms %" PRIu64,
			 canary->account_key.text, clock_wall_ms()) &&
	       redis_run(canary->outing->redis, err, "HDEL %s %s", canary->account_key.text,
			 UNDER_WAY);
}

/* ---- the whole way ---- */

static json_t *describe(const struct canary *canary, bool arrived)
{
	return json_pack(
	    "{s:s,s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "account", canary->account, "arrived",
	    arrived, "customer", view_text(canary->customer ? canary->customer->id : NULL),
	    "event_id", view_text(canary->event_id), "incident",
	    view_text(member(canary, "id")), "number", view_text(member(canary, "number")),
	    "ticket_after_ms", view_ms(canary->ticket_after_ms), "closed_after_ms",
	    view_ms(canary->closed_after_ms), "missing", view_text(canary->missing));
}

json_t *canary_trip(const struct canary_outing *outing, const char *account)
{
	struct canary canary = { .outing = outing, .account = account, .arena = arena_new() };
	struct err err = { 0 };

	key_account(&canary.account_key, account);
	bool arrived = (find_earlier(&canary, &err) ||
			(err.kind == ERR_NONE && send_event(&canary, &err))) &&
		       wait_for_ticket(&canary, &err) && close_it(&canary, &err) &&
		       wait_for_end(&canary, &err) && remember(&canary, &err);

	if (!arrived && err.kind != ERR_NONE)
		lose(&canary, "%s", err.text);
	json_t *said = describe(&canary, arrived);

	json_decref(canary.seen);
	arena_free(canary.arena);
	return said;
}
