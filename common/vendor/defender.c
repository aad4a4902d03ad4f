/* Defender for Endpoint: alerts, in pages whose rows stay the vendor's text. */
#include "vendor/defender.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "model/customer.h"
#include "vendor/answer.h"
#include "vendor/body.h"
#include "vendor/call.h"
#include "vendor/entra.h"
#include "vendor/json_slice.h"
#include "vendor/session.h"

enum {
	URL_MAX_BYTES = 16 << 10,
	PAGE_MAX_BYTES = 64 << 20,
	LINK_MAX_BYTES = 8 << 10,
	SKIP_MAX = 100 * 1000 * 1000,
};

#define ALERTS "/api/alerts"

/* ---- the question ---- */

static void add_query(struct buf *url, const struct defender_query *query, unsigned limit,
		      uint64_t skip)
{
	char from[CLOCK_TEXT_SIZE];

	clock_format(query->from_ms, from);
	buf_adds(url, ALERTS "?$filter=lastUpdateTime+ge+");
	buf_add_url(url, from);
	buf_addf(url, "&$orderby=alertCreationTime+asc&$expand=evidence&$top=%u", limit);
	if (skip)
		buf_addf(url, "&$skip=%" PRIu64, skip);
}

/* A link is followed only to where the answer came from: it carries our token. */
static bool link_ours(const char *base, const char *link)
{
	size_t size = strlen(base);

	return strlen(link) <= LINK_MAX_BYTES && strncmp(link, base, size) == 0 &&
	       strncmp(link + size, ALERTS "?", sizeof ALERTS) == 0;
}

static bool read_skip(const char *next, uint64_t *ret_skip)
{
	size_t size = strlen(next);

	if (size == 0 || size > 9 || strspn(next, "0123456789") != size)
		return false;
	*ret_skip = strtoull(next, NULL, 10);
	return *ret_skip <= SKIP_MAX;
}

/* ---- answers ---- */

static bool key_is(struct json_slice key, const char *name)
{
	return key.size == strlen(name) && memcmp(key.text, name, key.size) == 0;
}

/* What stands between the quotation marks when nothing in it is escaped; an id and a time never
 * need it. */
static bool plain_text(struct json_slice value, char *ret_text, size_t room)
{
	if (value.size < 3 || value.size - 2 >= room || value.text[0] != '"' ||
	    value.text[value.size - 1] != '"')
		return false;
	for (size_t i = 1; i < value.size - 1; i++) {
		unsigned char c = (unsigned char)value.text[i];

		if (c <= ' ' || c >= 0x7f || c == '\\' || c == '"')
			return false;
	}
	memcpy(ret_text, value.text + 1, value.size - 2);
	ret_text[value.size - 2] = '\0';
	return true;
}

static uint64_t time_of(struct json_slice value)
{
	char text[64];
	uint64_t time_ms = 0;

	return plain_text(value, text, sizeof text) && clock_parse(text, &time_ms) ? time_ms
										   : 0;
}

/* One that is broken must not hold up the page it is on: it goes on as it is. */
static void read_alert(struct json_slice slice, struct defender_alert *ret_alert)
{
	struct json_slice key, value;
	struct json_walk walk;

	*ret_alert = (struct defender_alert){ .json = slice.text, .size = slice.size };
	if (!json_walk_start(&walk, slice) || walk.close != '}')
		return;
	while (json_walk_next(&walk, &key, &value)) {
		if (key_is(key, "id") &&
		    !plain_text(value, ret_alert->id, sizeof ret_alert->id))
			ret_alert->id[0] = '\0';
		else if (key_is(key, "lastUpdateTime"))
			ret_alert->updated_ms = time_of(value);
		else if (key_is(key, "alertCreationTime"))
			ret_alert->created_ms = time_of(value);
	}
}

static bool read_alerts(struct json_slice list, struct arena *arena,
			struct defender_page *ret_page)
{
	struct json_slice key, value;
	struct json_walk walk;
	size_t room = 0;

	if (!json_walk_start(&walk, list) || walk.close != ']')
		return false;
	while (json_walk_next(&walk, &key, &value))
		room++;
	if (walk.broken)
		return false;
	ret_page->alerts = arena_alloc(arena, room * sizeof *ret_page->alerts + 1);
	json_walk_start(&walk, list);
	while (json_walk_next(&walk, &key, &value))
		read_alert(value, &ret_page->alerts[ret_page->count++]);
	return true;
}

/* The link that the vendor gives, unescaped; "" for none. */
static const char *read_link(struct json_slice value, struct arena *arena)
{
	json_t *holder = NULL;
	struct buf text;

	if (!value.text || value.size > LINK_MAX_BYTES)
		return "";
	buf_init(&text, LINK_MAX_BYTES + 64);
	buf_adds(&text, "{\"link\":");
	buf_add(&text, value.text, value.size);
	buf_adds(&text, "}");
	holder = body_parse(buf_text(&text), text.size);
	const char *link = body_text(holder, "link", arena);

	json_decref(holder);
	buf_done(&text);
	return link;
}

bool defender_page_read(const char *body, size_t size, const char *base, unsigned limit,
			uint64_t skip, struct arena *arena, struct defender_page *ret_page)
{
	struct json_slice key, value, list = { 0 }, link = { 0 };
	struct json_walk walk;

	*ret_page = (struct defender_page){ 0 };
	if (!json_walk_start(&walk, (struct json_slice){ body, size }) || walk.close != '}')
		return false;
	while (json_walk_next(&walk, &key, &value)) {
		if (key_is(key, "value") && list.text)
			return false;
		if (key_is(key, "value"))
			list = value;
		else if (key_is(key, "@odata.nextLink"))
			link = value;
	}
	if (walk.broken || !list.text || !read_alerts(list, arena, ret_page))
		return false;
	const char *next = read_link(link, arena);

	if (link_ours(base, next))
		ret_page->next = next;
	else if (ret_page->count > 0 && (*next || ret_page->count >= limit))
		ret_page->next = arena_printf(arena, "%" PRIu64, skip + ret_page->count);
	return true;
}

/* {"error":{"code","message","target"}}; target is what the vendor's support asks for. */
static void take_detail(const struct http_response *response, char *ret_detail, size_t room)
{
	json_t *root = answer_json(response);
	const json_t *error = json_object_get(root, "error");
	struct buf text;

	buf_init(&text, 4096);
	buf_addf(&text, "%s%s%s%s",
		 response->status == 403 ? "the app lacks Alert.Read.All: " : "",
		 body_peek(error, "code"), *body_peek(error, "message") ? ": " : "",
		 body_peek(error, "message"));
	body_excerpt(buf_text(&text), ret_detail, room);
	buf_done(&text);
	json_decref(root);
}

static bool check(const struct http_response *response, bool one, struct err *err)
{
	enum err_kind kind = http_status_kind(response->status);
	char detail[160];

	if (kind == ERR_NONE && http_is_json(response))
		return true;
	if (kind == ERR_NONE)
		return answer_unfit(response->status, "Defender", "without JSON", err);
	if (!one && (response->status == 404 || response->status == 405))
		kind = ERR_ACCOUNT; /* the URL is wrong, and for every call */
	take_detail(response, detail, sizeof detail);
	return answer_refused(response, "Defender", kind, detail, err);
}

/* ---- lists ---- */

struct page_call {
	const char *base;
	unsigned limit;
	uint64_t skip;
	struct arena *arena;
	struct defender_page *page;
};

static bool classify_page(const struct vendor_request *request,
			  const struct http_response *response, struct err *err)
{
	struct page_call *call = request->opaque;

	if (!check(response, false, err))
		return false;
	if (!defender_page_read(answer_copy(response, call->arena), response->size, call->base,
				call->limit, call->skip, call->arena, call->page))
		return answer_unfit(response->status, "Defender", "with a page that breaks off",
				    err);
	call->page->date_ms = answer_date_ms(response);
	return true;
}

static bool call_url(struct vendor_session *session, const char *what, const struct buf *url,
		     vendor_classify *classify, void *opaque, struct err *err)
{
	const struct vendor_request request = {
		.what = what,
		.url = buf_text(url),
		.max_body_bytes = PAGE_MAX_BYTES,
		.auth = VENDOR_AUTH_BEARER,
		.fetch_token = entra_fetch_token,
		.classify = classify,
		.opaque = opaque,
	};
	struct http_response response;

	if (!buf_ok(url))
		return err_set(err, ERR_PERMANENT, "too long a question for Defender");
	if (!vendor_call(session, &request, &response, err))
		return false;
	http_response_done(&response);
	return true;
}

bool defender_alerts(struct vendor_session *session, const struct defender_query *query,
		     const char *next, struct arena *arena, struct defender_page *ret_page,
		     struct err *err)
{
	const char *base = session->account->url;
	struct page_call call = {
		.base = base,
		.limit = query->limit && query->limit < DEFENDER_PAGE_MAX ? query->limit
									  : DEFENDER_PAGE_MAX,
		.arena = arena,
		.page = ret_page,
	};
	bool link = next && link_ours(base, next);
	struct buf url;

	*ret_page = (struct defender_page){ 0 };
	session->refusal = VENDOR_ATTEMPTED;
	session->status = 0;
	if (next && !link && !read_skip(next, &call.skip))
		return err_set(err, ERR_PERMANENT, "%s: not a page of Defender's alerts",
			       session->account->id);
	buf_init(&url, URL_MAX_BYTES);
	buf_adds(&url, link ? next : base);
	if (!link)
		add_query(&url, query, call.limit, call.skip);
	bool ok = call_url(session, "reading alerts", &url, classify_page, &call, err);

	if (!ok)
		*ret_page = (struct defender_page){ 0 };
	buf_done(&url);
	return ok;
}
