/* tocsin trace: one event's fate, and why there is or is no ticket. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/dead.h"
#include "bus/deferred.h"
#include "bus/entry.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "cli.h"
#include "incident_view.h"
#include "model/customer.h"
#include "run.h"
#include "text.h"
#include "trace.h"
#include "view.h"

enum { PAGE = 100, LOOK_MAX = 20000, LINE_MAX_BYTES = 1024 };

struct story {
	json_t *lines;	  /* in words */
	json_t *incident; /* its view; NULL when there is none */
};

static void tell(struct story *story, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void tell(struct story *story, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	json_array_append_new(story->lines, view_text(line));
}

/* ---- where an event on its way is ---- */

static bool is_it(const struct trace_quarry *quarry, const struct field *fields, size_t count)
{
	const struct field *customer = field_find(fields, count, "customer");
	const struct field *source = field_find(fields, count, "source");
	const struct field *event_id = field_find(fields, count, "event_id");

	return customer && event_id && strcmp(customer->value, quarry->customer) == 0 &&
	       strcmp(event_id->value, quarry->event_id) == 0 &&
	       (!source || strcmp(source->value, quarry->source) == 0);
}

static bool tell_deferred(struct story *story, const struct trace_quarry *quarry,
			  bool *ret_told, struct err *err)
{
	struct deferred *page = xcalloc(PAGE, sizeof *page);
	size_t count = PAGE, offset = 0;
	bool good = true;

	while (good && !*ret_told && count == PAGE && offset < LOOK_MAX) {
		struct arena *arena = arena_new();

		good = deferred_list(quarry->redis, quarry->partition, offset, PAGE, arena,
				     page, &count, err);
		for (size_t i = 0; good && !*ret_told && i < count; i++) {
			char due[CLOCK_TEXT_SIZE];

			if (!is_it(quarry, page[i].fields, page[i].field_count))
				continue;
			clock_format_plain(page[i].due_ms, due);
			tell(story,
			     "It was put off on its way out of '%s': %s. Attempts so far: %u; "
			     "next at %s UTC.",
			     page[i].stream, page[i].reason, page[i].attempt, due);
			*ret_told = true;
		}
		offset += PAGE;
		arena_free(arena);
	}
	free(page);
	return good;
}

static bool tell_stream(struct story *story, const struct trace_quarry *quarry,
			const char *stream, bool *ret_told, struct err *err)
{
	struct entry entries[PAGE];
	char from[64] = "-";
	size_t count = PAGE, seen = 0;
	struct key key;

	key_format(&key, quarry->partition, "%s", stream);
	while (!*ret_told && count == PAGE && seen < LOOK_MAX) {
		struct redis_reply *reply = redis_command(
		    quarry->redis, err, "XRANGE %s %s + COUNT %d", key.text, from, (int)PAGE);
		struct arena *arena = arena_new();
		size_t gone = 0;
		bool good = reply != NULL;

		count = reply_count(reply);
		size_t decoded = entry_decode(reply, arena, entries, PAGE, &gone);
		for (size_t i = 0; i < decoded; i++) {
			if (is_it(quarry, entries[i].fields, entries[i].field_count)) {
				tell(story, "It is in the stream '%s', %s.", stream,
				     strcmp(stream, STREAM_RAW) == 0
					 ? "waiting for the normalizer"
					 : "waiting for the incident service");
				*ret_told = true;
			}
			snprintf(from, sizeof from, "(%s", entries[i].id);
		}
		seen += count;
		if (decoded == 0)
			count = 0;
		arena_free(arena);
		reply_free(reply);
		if (!good)
			return false;
	}
	return true;
}

static bool tell_queued(struct story *story, const struct trace_quarry *quarry, struct err *err)
{
	bool told = false;

	tell(story, "It was seen and is on its way.");
	if (!tell_deferred(story, quarry, &told, err) ||
	    (!told && !tell_stream(story, quarry, STREAM_RAW, &told, err)) ||
	    (!told && !tell_stream(story, quarry, STREAM_FINDINGS, &told, err)))
		return false;
	if (!told)
		tell(story, "It is being worked on at this moment: ask again.");
	return true;
}

/* ---- fates ---- */

static bool tell_dead(struct story *story, const struct trace_quarry *quarry, const char *id,
		      struct err *err)
{
	struct arena *arena = arena_new();
	struct dead dead;
	bool found = false;
	bool good = dead_show(quarry->redis, quarry->partition, id, arena, &dead, &found, err);

	if (good && found) {
		tell(story, "There is no ticket: it could not be processed: %s.", dead.reason);
		tell(story, "See tocsin dead show %s; tocsin dead replay %s tries again.", id,
		     id);
	} else if (good) {
		tell(story,
		     "There is no ticket: it could not be processed, and its dead entry %s was "
		     "dropped.",
		     id);
	}
	arena_free(arena);
	return good;
}

static void tell_ticket(struct story *story, const json_t *incident)
{
	const char *number = json_string_value(json_object_get(incident, "number"));
	const char *account =
	    json_string_value(json_object_get(incident, "servicenow_account"));
	const char *ctim = json_string_value(json_object_get(incident, "ctim_id"));
	const json_t *step;
	size_t i;

	if (json_is_true(json_object_get(incident, "shadow")))
		tell(story, "There is no ticket: the customer is in shadow mode.");
	else if (number)
		tell(story, "The ticket is %s (%s).", number, account ? account : "?");
	else if (account)
		tell(story, "There is no ticket yet.");
	else
		tell(story, "There is no ticket: the customer has no ServiceNow account.");
	if (ctim)
		tell(story, "In Threat Response it is %s.", ctim);
	json_array_foreach(json_object_get(incident, "steps"), i, step)
	{
		const char *status = json_string_value(json_object_get(step, "status"));

		if (strcmp(status, "done") == 0 || strcmp(status, "skipped") == 0 ||
		    (strcmp(status, "new") == 0 && number))
			continue;
		char *words = incident_step_words(step, clock_wall_ms());
		tell(story, "Step: %s", words);
		free(words);
	}
}

static bool tell_incident(struct story *story, const struct trace_quarry *quarry,
			  const char *id, struct err *err)
{
	bool found = false;

	story->incident =
	    incident_view(quarry->redis, quarry->partition, id, true, &found, err);
	if (!found && err->kind != ERR_NONE)
		return false;
	if (!story->incident) {
		tell(story,
		     "It belongs to incident %s, which is closed and older than kept%s%s.", id,
		     err->text[0] ? ": " : "", err->text);
		*err = (struct err){ 0 };
		return true;
	}
	const char *reason = json_string_value(json_object_get(story->incident, "reason"));
	tell(story, "It belongs to incident %s (%s)%s%s.", id,
	     json_string_value(json_object_get(story->incident, "state")), reason ? ": " : "",
	     reason ? reason : "");
	tell_ticket(story, story->incident);
	return true;
}

static bool tell_fate(struct story *story, const struct trace_quarry *quarry, const char *fate,
		      struct err *err)
{
	if (strncmp(fate, "incident:", 9) == 0)
		return tell_incident(story, quarry, fate + 9, err);
	if (strncmp(fate, "dead:", 5) == 0)
		return tell_dead(story, quarry, fate + 5, err);
	if (strncmp(fate, "queued", 6) == 0)
		return tell_queued(story, quarry, err);
	if (strncmp(fate, "skipped:", 8) == 0)
		tell(story,
		     "There is no ticket: it is skipped: %s. Events of a type that the "
		     "customer's event_types name are never skipped.",
		     fate + 8);
	else if (strncmp(fate, "suppressed:", 11) == 0)
		tell(story, "There is no ticket: the rule '%s' suppressed it.", fate + 11);
	else if (strncmp(fate, "recorded", 8) == 0)
		tell(story,
		     "There is no ticket: it was recorded only%s%s. Nothing was open that it "
		     "could join.",
		     fate[8] == ':' ? ": " : "", fate[8] == ':' ? fate + 9 : "");
	else
		tell(story, "Its fate is '%s'.", fate);
	return true;
}

/* ---- looking for it ---- */

static json_t *event_of(const struct trace_quarry *quarry, const char *fate,
			struct story *story)
{
	json_t *event = json_object();

	json_object_set_new(event, "event_id", view_text(quarry->event_id));
	json_object_set_new(event, "customer", view_text(quarry->customer));
	json_object_set_new(event, "source", view_text(quarry->source));
	json_object_set_new(event, "partition", json_integer(quarry->partition));
	json_object_set_new(event, "fate", view_text(fate));
	json_object_set_new(event, "story", story->lines);
	json_object_set_new(event, "incident", story->incident ? story->incident : json_null());
	return event;
}

json_t *trace_event(const struct trace_quarry *quarry, struct err *err)
{
	struct story story = { 0 };
	json_t *event = NULL;
	struct key key;

	key_fate(&key, quarry->partition, quarry->customer, quarry->source, quarry->event_id);
	struct redis_reply *fate = redis_command(quarry->redis, err, "GET %s", key.text);

	if (reply_type(fate) == REPLY_TEXT) {
		story.lines = json_array();
		bool good = tell_fate(&story, quarry, reply_text(fate), err);

		event = event_of(quarry, reply_text(fate), &story);
		if (!good) {
			json_decref(event);
			event = NULL;
		}
	}
	reply_free(fate);
	return event;
}

static bool look(json_t *events, const struct trace_quarry *quarry, struct err *err)
{
	struct err why = { 0 };
	json_t *event = trace_event(quarry, &why);

	if (event)
		json_array_append_new(events, event);
	else if (why.kind != ERR_NONE)
		*err = why;
	return why.kind == ERR_NONE;
}

/* Where an event of this customer can have come from: what is polled, what may be pushed, and
 * what was asked for by name, which any program may have appended. */
static bool look_at_sources(json_t *events, struct trace_quarry *quarry,
			    const struct customer *customer, const char *source,
			    struct err *err)
{
	if (source) {
		quarry->source = source;
		return look(events, quarry, err);
	}
	for (size_t i = 0; i < customer->source_count; i++) {
		quarry->source = customer->sources[i].name;
		if (!look(events, quarry, err))
			return false;
	}
	for (size_t i = 0; i < customer->push.source_count; i++) {
		quarry->source = customer->push.sources[i].name;
		if (!customer_source(customer, quarry->source) && !look(events, quarry, err))
			return false;
	}
	return true;
}

static bool look_everywhere(struct cli *cli, struct redis *redis, json_t *events,
			    struct err *err)
{
	const char *customer = args_value(&cli->args, "customer");
	const char *source = args_value(&cli->args, "source");
	struct directory *directory = cli_directory(cli, redis, err);
	bool good = directory != NULL, known = false;

	for (size_t i = 0; good && i < directory_count(directory); i++) {
		const struct customer *at = directory_at(directory, i);
		struct trace_quarry quarry = { redis, at->partition, at->id, NULL,
					       args_operand(&cli->args, 0) };

		if (customer && strcmp(customer, at->id) != 0)
			continue;
		known = true;
		good = look_at_sources(events, &quarry, at, source, err);
	}
	directory_free(directory);
	/* A customer that was removed still has fates. */
	for (unsigned p = 0; good && customer && !known && p < cli->bus.partitions; p++) {
		static const char *const every[] = { "secure_endpoint", "umbrella" };
		size_t count = source ? 1 : sizeof every / sizeof every[0];

		for (size_t i = 0; good && i < count; i++) {
			const struct trace_quarry quarry = { redis, p, customer,
							     source ? source : every[i],
							     args_operand(&cli->args, 0) };
			good = look(events, &quarry, err);
		}
	}
	return good;
}

static void render(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *event, *line;
	size_t i, k;

	(void)screen;
	json_array_foreach(json_object_get(document, "events"), i, event)
	{
		buf_addf(out, "%sEvent %s of %s (%s)\n", i > 0 ? "\n" : "",
			 json_string_value(json_object_get(event, "event_id")),
			 json_string_value(json_object_get(event, "customer")),
			 json_string_value(json_object_get(event, "source")));
		json_array_foreach(json_object_get(event, "story"), k, line)
		{
			buf_adds(out, "  ");
			text_clean(out, json_string_value(line));
			buf_adds(out, "\n");
		}
	}
}

int run_trace(struct cli *cli)
{
	const char *event_id = args_operand(&cli->args, 0);
	struct err err = { 0 };
	char kept[CLOCK_TEXT_SIZE];

	if (strlen(event_id) > 128)
		return cli_failf(cli, EXIT_USAGE, "an event id has at most 128 bytes");
	struct redis *redis = cli_redis(cli, &err);
	json_t *events = json_array();
	if (!redis || !look_everywhere(cli, redis, events, &err)) {
		json_decref(events);
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	}
	if (json_array_size(events) > 0)
		return cli_print(cli, json_pack("{s:o}", "events", events), render, EXIT_OK);
	json_decref(events);
	if (!cli_customer_known(redis, args_value(&cli->args, "customer"), &err))
		return cli_fail(
		    cli, err.kind == ERR_PERMANENT ? EXIT_NOT_FOUND : EXIT_UNREACHABLE, &err);
	clock_format_span(cli->bus.fate_ttl_ms, kept);
	return cli_failf(
	    cli, EXIT_NOT_FOUND,
	    "event %s has no fate: it is older than kept (%s), was never seen (its "
	    "type may not be among those asked for), or belongs to another "
	    "customer or source",
	    event_id, kept);
}
