/* Pushed events: whose they are, what they are, and into `raw` with them. */
#include "push.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "auth.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/metric.h"
#include "committer.h"
#include "credentials.h"
#include "events.h"
#include "model/envelope.h"
#include "model/raw.h"
#include "problem.h"
#include "rates.h"

enum {
	DIGEST_BYTES = 16,
	DIGEST_SIZE = 2 * DIGEST_BYTES + 1,
	CUSTOMER_SIZE = 25,
	SOURCE_SIZE = 33,
	/* A replay is refused by its time after 10 min at the most, and by its events' ids for
	 * as long as their fates are kept. */
	NONCE_TTL_MS = 15 * 60 * 1000,
};

static struct metric pushed = {
	.name = "tocsin_callback_events_total",
	.kind = METRIC_COUNTER,
	.help = "events that were pushed: new, or duplicate of a known one",
	.labels = "customer,source,result",
};
struct metric *const push_metrics[] = { &pushed, NULL };

struct request {
	const struct app *app;
	struct httpd_exchange *exchange;
	char customer[CUSTOMER_SIZE], source[SOURCE_SIZE];
	const struct credentials_customer *known; /* NULL: not known to us */
	const char *webhook_id;			  /* NULL: it came with a bearer token */
};

/* ---- who ---- */

/* "/v1/events/<customer>/<source>", with parts that could be such. */
static bool read_path(struct request *request)
{
	const char *path = httpd_path(request->exchange) + strlen("/v1/events/");
	const char *slash = strchr(path, '/');

	if (!slash || slash == path || slash - path >= CUSTOMER_SIZE || slash[1] == '\0' ||
	    strlen(slash + 1) >= SOURCE_SIZE || strchr(slash + 1, '/'))
		return false;
	snprintf(request->customer, sizeof request->customer, "%.*s", (int)(slash - path),
		 path);
	snprintf(request->source, sizeof request->source, "%s", slash + 1);
	return true;
}

static bool is_authorized(struct request *request)
{
	const struct auth *auth = &request->app->auth;
	const struct credentials_customer *known = request->known;
	const char *token = auth_bearer_token(request->exchange);

	if (token)
		return auth_secret(auth, request->customer, CUSTOMER_PUSH_BEARER, token,
				   known ? &known->record->push.bearer : NULL);
	request->webhook_id = httpd_header(request->exchange, "webhook-id");
	return auth_signed(auth, request->exchange, known ? &known->hmac : NULL);
}

/* ---- what ---- */

/* Of a name, data and a number, in hex. */
static const char *digest(struct arena *arena, const char *name, const void *data, size_t size,
			  uint32_t number)
{
	const unsigned char tail[4] = { (unsigned char)(number >> 24),
					(unsigned char)(number >> 16),
					(unsigned char)(number >> 8), (unsigned char)number };
	unsigned char hash[DIGEST_BYTES];
	char *text = arena_alloc(arena, DIGEST_SIZE);
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, sizeof hash);
	crypto_generichash_update(&state, (const unsigned char *)name, strlen(name) + 1);
	crypto_generichash_update(&state, data, size);
	crypto_generichash_update(&state, tail, sizeof tail);
	crypto_generichash_final(&state, hash, sizeof hash);
	return sodium_bin2hex(text, DIGEST_SIZE, hash, sizeof hash);
}

/* Events without an id are told apart by what they say; equal ones in one request are as many
 * events as there are. */
static const char *id_of_content(struct arena *arena, const struct events *events, size_t index)
{
	struct err err = { 0 };
	char *id = arena_alloc(arena, DIGEST_SIZE);
	unsigned ordinal = 0;

	for (size_t i = 0; i < index; i++)
		ordinal += events->items[i].size == events->items[index].size &&
			   memcmp(events->items[i].text, events->items[index].text,
				  events->items[index].size) == 0;
	/* What the tree could read and jansson cannot (a number without end) is taken as it is.
	 */
	if (!raw_derive_id(events->items[index].text, events->items[index].size, ordinal, id,
			   &err))
		return digest(arena, "event", events->items[index].text,
			      events->items[index].size, ordinal);
	return id;
}

static const char *event_id(const struct request *request, struct arena *arena,
			    const struct events *events, size_t index)
{
	if (events->items[index].id)
		return arena_strdup(arena, events->items[index].id);
	if (request->webhook_id)
		return digest(arena, "webhook", request->webhook_id,
			      strlen(request->webhook_id), (uint32_t)index);
	return id_of_content(arena, events, index);
}

static void fill_item(const struct request *request, struct commit *commit,
		      const struct events *events, size_t index, struct append_item *ret_item)
{
	struct field *fields = arena_alloc(commit->arena, RAW_FIELDS * sizeof *fields);
	struct key *fate = arena_alloc(commit->arena, sizeof *fate);
	const struct raw raw = {
		.customer = arena_strdup(commit->arena, request->customer),
		.source = arena_strdup(commit->arena, request->source),
		.event_id = event_id(request, commit->arena, events, index),
		.observed_ms = clock_wall_ms(),
		.trace = commit_trace(commit),
		.origin = ORIGIN_PUSH,
		.payload = events->items[index].text,
		.payload_size = events->items[index].size,
	};

	key_fate(fate, request->known->record->partition, raw.customer, raw.source,
		 raw.event_id);
	ret_item->event = (struct page_event){
		.fate_key = fate->text,
		.fields = fields,
		.field_count = raw_encode(&raw, commit->arena, fields),
	};
}

/* The webhook's id is taken by the last event, so that what breaks off half-way is repeated. */
static void fill_nonces(const struct request *request, struct commit *commit)
{
	struct key *nonce = arena_alloc(commit->arena, sizeof *nonce);
	size_t size;
	const char *body = httpd_body(request->exchange, &size);
	const char *value = digest(commit->arena, request->source, body, size, 0);

	key_format(nonce, request->known->record->partition, "nonce:push:%s:%s",
		   request->known->record->id,
		   digest(commit->arena, "nonce", request->webhook_id,
			  strlen(request->webhook_id), 0));
	for (size_t i = 0; i < commit->item_count; i++) {
		commit->items[i].nonce_key = nonce->text;
		commit->items[i].nonce_value = value;
	}
	commit->items[commit->item_count - 1].nonce_ttl_ms = NONCE_TTL_MS;
}

/* By what the items say: the request is no longer there. */
static void push_end(struct commit *commit, enum commit_result result)
{
	for (size_t i = 0; result == COMMIT_DURABLE && i < commit->item_count; i++) {
		const struct page_event *event = &commit->items[i].event;
		const char *customer =
		    field_find(event->fields, event->field_count, "customer")->value;
		const char *source =
		    field_find(event->fields, event->field_count, "source")->value;

		metric_add(&pushed, 1, metric_customer(customer), source,
			   commit->answers[i] == APPEND_ADDED ? "new" : "duplicate");
	}
	commit_answer(commit, result);
}

static enum httpd_outcome submit(const struct request *request, const struct events *events)
{
	struct commit *commit = commit_new(request->exchange, request->known->record->partition,
					   STREAM_RAW, events->count);

	for (size_t i = 0; i < events->count; i++)
		fill_item(request, commit, events, i, &commit->items[i]);
	if (request->webhook_id)
		fill_nonces(request, commit);
	commit->end = push_end;
	return committer_submit(request->app->committer, commit);
}

/* ---- the request ---- */

static enum httpd_outcome take(const struct request *request, struct arena *arena)
{
	const struct customer_push *push = &request->known->record->push;
	const struct customer_push_source *source = customer_push_source(push, request->source);
	unsigned per_minute = push->events_per_minute > 0 ? push->events_per_minute
							  : request->app->events_per_minute;
	uint64_t retry_after_ms = 0;
	struct events events;
	struct err err = { 0 };
	size_t size;
	const char *body = httpd_body(request->exchange, &size);

	if (!source)
		return problem_answer(request->exchange, PROBLEM_FORBIDDEN,
				      "This customer does not push this source.");
	if (!events_split(body, size, PUSH_EVENTS_MAX, source->id, arena, &events, &err))
		return problem_answer(request->exchange, PROBLEM_MALFORMED_BODY, err.text);
	if (!rates_take(request->app->rates, request->known->record->id, per_minute,
			(unsigned)events.count, &retry_after_ms))
		return problem_answer_later(request->exchange, PROBLEM_TOO_MANY_REQUESTS, NULL,
					    retry_after_ms);
	return submit(request, &events);
}

enum httpd_outcome push_handle(struct httpd_exchange *exchange, void *state)
{
	struct request request = { .app = state, .exchange = exchange };

	if (!read_path(&request))
		return problem_answer(exchange, PROBLEM_NOT_FOUND, NULL);
	const struct credentials *credentials = credentials_get(request.app->credentials);
	if (!credentials)
		return problem_answer_later(exchange, PROBLEM_UNAVAILABLE, NULL, 5000);
	request.known = credentials_customer(credentials, request.customer);
	if (request.known && !request.known->record->push.given)
		request.known = NULL;
	enum httpd_outcome outcome;
	/* In this order: who is not known is checked too, for the time it takes. */
	if (is_authorized(&request) && request.known) {
		struct arena *arena = arena_new();
		outcome = take(&request, arena);
		arena_free(arena);
	} else {
		outcome = problem_answer(exchange, PROBLEM_UNAUTHORIZED, NULL);
	}
	credentials_put(request.app->credentials, credentials);
	return outcome;
}
