/* Secure Endpoint API v1: events, in pages whose rows stay the vendor's text. */
#include "vendor/secure_endpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "model/customer.h"
#include "vendor/answer.h"
#include "vendor/secure_endpoint_call.h"
#include "vendor/session.h"

enum {
	URL_MAX_BYTES = 64 << 10,
	PAGE_MAX_BYTES = 32 << 20, /* 500 events at 64 KiB each */
	LINK_MAX_BYTES = 8 << 10,
};

static void add_query(struct buf *url, const struct secure_endpoint_query *query)
{
	char start[CLOCK_TEXT_SIZE];
	unsigned limit = query->limit && query->limit < SECURE_ENDPOINT_PAGE_MAX
			     ? query->limit
			     : SECURE_ENDPOINT_PAGE_MAX;

	clock_format(query->start_ms / 1000 * 1000, start);
	char *fraction = strchr(start, '.');

	if (fraction)
		memcpy(fraction, "Z", 2);
	buf_adds(url, "/v1/events?start_date=");
	buf_add_url(url, start);
	buf_addf(url, "&limit=%u", limit);
	for (size_t i = 0; i < query->event_type_count; i++)
		buf_addf(url, "&event_type%%5B%%5D=%" PRIu64, query->event_types[i]);
}

/* A link of an answer is followed only to where the answer came from: it carries our
 * credentials. */
static bool link_ours(const struct vendor_session *session, const char *link)
{
	static const char path[] = "/v1/events?";
	const char *base = session->account->url;
	size_t size = strlen(base);

	return strlen(link) <= LINK_MAX_BYTES && strncmp(link, base, size) == 0 &&
	       strncmp(link + size, path, sizeof path - 1) == 0;
}

/* Digits as they stand; jansson would lose what does not fit in 63 bits. */
static bool digits(struct json_slice slice, char *ret_text, size_t room)
{
	if (slice.size >= 2 && slice.text[0] == '"' && slice.text[slice.size - 1] == '"')
		slice = (struct json_slice){ slice.text + 1, slice.size - 2 };
	if (slice.size == 0 || slice.size >= room)
		return false;
	for (size_t i = 0; i < slice.size; i++) {
		if (slice.text[i] < '0' || slice.text[i] > '9')
			return false;
	}
	memcpy(ret_text, slice.text, slice.size);
	ret_text[slice.size] = '\0';
	return true;
}

static uint64_t number(struct json_slice slice, uint64_t max)
{
	char text[SECURE_ENDPOINT_ID_SIZE];

	if (!digits(slice, text, sizeof text))
		return 0;
	uint64_t value = strtoull(text, NULL, 10);
	return value <= max ? value : 0;
}

static bool key_is(struct json_slice key, const char *name)
{
	return key.size == strlen(name) && memcmp(key.text, name, key.size) == 0;
}

/* One pass over the event's members. One that is broken must not hold up the page it is on: it
 * goes on as it is, the normalizer says what is wrong with it. */
static void read_event(struct json_slice slice, struct secure_endpoint_event *ret_event)
{
	uint64_t seconds = 0, nanoseconds = 0;
	struct json_slice key, value;
	struct json_walk walk;

	*ret_event = (struct secure_endpoint_event){ .json = slice.text, .size = slice.size };
	if (!json_walk_start(&walk, slice) || walk.close != '}')
		return;
	while (json_walk_next(&walk, &key, &value)) {
		if (key_is(key, "id"))
			digits(value, ret_event->id, sizeof ret_event->id);
		else if (key_is(key, "timestamp"))
			seconds = number(value, UINT32_MAX * UINT64_C(4));
		else if (key_is(key, "timestamp_nanoseconds"))
			nanoseconds = number(value, 999999999);
		else if (key_is(key, "event_type_id"))
			ret_event->event_type = number(value, UINT64_MAX);
	}
	ret_event->timestamp_ms = seconds ? seconds * 1000 + nanoseconds / 1000000 : 0;
}

static bool read_events(struct json_slice data, struct arena *arena,
			struct secure_endpoint_page *ret_page)
{
	struct json_slice key, value;
	struct json_walk walk;
	size_t room = 0;

	if (!json_walk_start(&walk, data) || walk.close != ']')
		return false;
	while (json_walk_next(&walk, &key, &value))
		room++;
	if (walk.broken)
		return false;
	ret_page->events = arena_alloc(arena, room * sizeof *ret_page->events + 1);
	json_walk_start(&walk, data);
	while (json_walk_next(&walk, &key, &value))
		read_event(value, &ret_page->events[ret_page->count++]);
	return true;
}

bool secure_endpoint_page_read(const char *body, size_t size, struct arena *arena,
			       struct secure_endpoint_page *ret_page)
{
	struct json_slice key, value, data = { 0 }, metadata = { 0 };
	struct json_walk walk;

	*ret_page = (struct secure_endpoint_page){ 0 };
	if (!json_walk_start(&walk, (struct json_slice){ body, size }) || walk.close != '}')
		return false;
	while (json_walk_next(&walk, &key, &value)) {
		if (key_is(key, "data") && !data.text)
			data = value;
		else if (key_is(key, "metadata") && !metadata.text)
			metadata = value;
		else if (key_is(key, "data") || key_is(key, "metadata"))
			return false;
	}
	if (walk.broken || !data.text || !read_events(data, arena, ret_page))
		return false;
	/* Without it there is no telling whether more follows. */
	json_t *root = metadata.text ? body_parse(metadata.text, metadata.size) : NULL;

	if (!json_is_object(root)) {
		json_decref(root);
		return false;
	}
	const char *next = body_peek(json_object_get(root, "links"), "next");

	ret_page->next = *next ? arena_strdup(arena, next) : NULL;
	ret_page->total = body_number(json_object_get(root, "results"), "total");
	json_decref(root);
	return true;
}

/* Read where it is classified: a page that breaks off is a failure of the call. */
struct page_call {
	struct arena *arena;
	struct secure_endpoint_page *page;
};

static bool classify_page(const struct vendor_request *request,
			  const struct http_response *response, struct err *err)
{
	struct page_call *call = request->opaque;

	if (!secure_endpoint_check(response, false, err))
		return false;
	/* The events point into this copy. */
	const char *body = answer_copy(response, call->arena);

	if (!secure_endpoint_page_read(body, response->size, call->arena, call->page))
		return answer_unfit(response->status, "Secure Endpoint",
				    "with a page that breaks off", err);
	call->page->date_ms = answer_date_ms(response);
	return true;
}

bool secure_endpoint_events(struct vendor_session *session,
			    const struct secure_endpoint_query *query, const char *next,
			    struct arena *arena, struct secure_endpoint_page *ret_page,
			    struct err *err)
{
	struct page_call call = { arena, ret_page };
	struct http_response response;
	struct buf url;

	*ret_page = (struct secure_endpoint_page){ 0 };
	session->refusal = VENDOR_ATTEMPTED;
	session->status = 0;
	if (next && !link_ours(session, next))
		return err_set(err, ERR_TRANSIENT,
			       "%s: the next page is said to be elsewhere, not following",
			       session->account->id);
	buf_init(&url, URL_MAX_BYTES);
	if (next) {
		buf_adds(&url, next);
	} else {
		buf_adds(&url, session->account->url);
		add_query(&url, query);
	}
	struct vendor_request request = {
		.what = "reading events",
		.url = buf_text(&url),
		.max_body_bytes = PAGE_MAX_BYTES,
		.auth = VENDOR_AUTH_BASIC,
		.basic_user = session->account->client_id,
		.classify = classify_page,
		.opaque = &call,
	};
	bool ok = buf_ok(&url)
		      ? vendor_call(session, &request, &response, err)
		      : err_set(err, ERR_PERMANENT, "too many event types in one query");

	if (ok)
		http_response_done(&response);
	else
		*ret_page = (struct secure_endpoint_page){ 0 };
	buf_done(&url);
	return ok;
}
