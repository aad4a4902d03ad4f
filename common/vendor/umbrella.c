/* Umbrella Reporting v2: activity, in pages whose rows stay the vendor's text. */
#include "vendor/umbrella.h"

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
#include "vendor/json_slice.h"
#include "vendor/session.h"

enum {
	URL_MAX_BYTES = 16 << 10,
	PAGE_MAX_BYTES = 64 << 20,
	NUMBER_MAX_BYTES = 20,
	TOKEN_LIFE_MS = 3600 * 1000, /* documented; expires_in says so too */
	THROTTLED_MS = 1000,	     /* at least; no header is documented */
};

/* ---- errors ---- */

/* {"message"}, {"data":{"error"}}, {"data":{"errors"}}, {"error"}: whichever comes first. */
static void take_detail(const struct http_response *response, char *ret_detail, size_t room)
{
	json_t *root = answer_json(response);
	const json_t *data = json_object_get(root, "data");
	const char *const texts[] = { body_peek(root, "message"), body_peek(data, "error"),
				      body_peek(data, "errors"), body_peek(root, "error") };
	const char *text = "";

	for (size_t i = 0; !*text && i < sizeof texts / sizeof texts[0]; i++)
		text = texts[i];
	body_excerpt(text, ret_detail, room);
	json_decref(root);
}

static bool check(const struct http_response *response, struct err *err)
{
	enum err_kind kind = http_status_kind(response->status);
	const char *to = http_response_header(response, "Location");
	char detail[160];

	if (kind == ERR_NONE && http_is_json(response))
		return true;
	if (kind == ERR_NONE)
		return answer_unfit(response->status, "Umbrella", "without JSON", err);
	take_detail(response, detail, sizeof detail);
	if (response->status >= 300 && response->status < 400)
		return err_set(err, ERR_ACCOUNT,
			       "Umbrella answered %d, to %.100s, which is not followed",
			       response->status, to ? to : "nowhere");
	/* The path is the same for every call, and names the organization. */
	if (response->status == 404 || strstr(detail, "rganization"))
		kind = kind == ERR_PERMANENT ? ERR_ACCOUNT : kind;
	answer_refused(response, "Umbrella", kind, detail, err);
	if (err && response->status == 429 && err->retry_after_ms < THROTTLED_MS)
		err->retry_after_ms = THROTTLED_MS;
	return false;
}

/* ---- redirects ---- */

/* How long "https://host:port" is. */
static size_t origin_size(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : strlen(url);
}

static bool may_redirect(const char *from, const char *to)
{
	static const char scheme[] = "https://", home[] = ".umbrella.com";
	size_t size = origin_size(to);

	if (size == origin_size(from) && strncmp(from, to, size) == 0)
		return true;
	if (strncmp(to, scheme, sizeof scheme - 1) != 0 ||
	    size < sizeof scheme - 1 + sizeof home - 1)
		return false;
	/* A plain name: no port, no "user@". */
	for (size_t i = sizeof scheme - 1; i < size; i++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-.", to[i]))
			return false;
	}
	return strncmp(to + size - (sizeof home - 1), home, sizeof home - 1) == 0;
}

/* ---- tokens ---- */

static bool fetch_token(const struct vendor_grant *grant, char **ret_token,
			uint64_t *ret_life_ms, struct err *err)
{
	const struct account *account = grant->session->account;
	bool legacy = account->auth == ACCOUNT_AUTH_LEGACY;
	const char *headers[2] = { NULL, NULL };
	struct vendor_token token;
	struct buf url, org;

	buf_init(&url, URL_MAX_BYTES);
	buf_init(&org, URL_MAX_BYTES);
	buf_addf(&url, "%s%s", legacy ? account->management_url : account->url,
		 legacy ? "/auth/v2/oauth2/token" : "/auth/v2/token");
	if (!legacy && account->org_id) {
		buf_addf(&org, "X-Umbrella-OrgId: %s", account->org_id);
		headers[0] = buf_text(&org);
	}
	const struct vendor_form form = { .url = buf_text(&url),
					  .basic_user = account->client_id,
					  .basic_password = grant->secret,
					  .text = "grant_type=client_credentials",
					  .headers = headers,
					  .life_ms = TOKEN_LIFE_MS };
	bool ok = vendor_post_form(grant, &form, &token, err);

	buf_done(&org);
	buf_done(&url);
	*ret_token = token.token;
	*ret_life_ms = token.life_ms;
	return ok;
}

/* ---- pages ---- */

static bool key_is(struct json_slice key, const char *name)
{
	return key.size == strlen(name) && memcmp(key.text, name, key.size) == 0;
}

static uint64_t time_of(struct json_slice value)
{
	char text[NUMBER_MAX_BYTES];
	size_t size = value.size;

	if (size == 0 || size >= sizeof text)
		return 0;
	memcpy(text, value.text, size);
	text[size] = '\0';
	if (strspn(text, "0123456789") != size)
		return 0;
	uint64_t time = strtoull(text, NULL, 10);

	return time < UMBRELLA_SECONDS_BELOW ? time * 1000 : time;
}

/* One that is broken must not hold up the page it is on: the normalizer says what is wrong. */
static void read_record(struct json_slice slice, struct umbrella_record *ret_record)
{
	struct json_slice key, value;
	struct json_walk walk;

	*ret_record = (struct umbrella_record){ .json = slice.text, .size = slice.size };
	if (!json_walk_start(&walk, slice) || walk.close != '}')
		return;
	while (json_walk_next(&walk, &key, &value)) {
		if (key_is(key, "timestamp"))
			ret_record->timestamp_ms = time_of(value);
	}
}

static bool read_page(const char *body, size_t size, struct arena *arena,
		      struct umbrella_page *ret_page)
{
	struct json_slice key, value, data = { 0 };
	struct json_walk walk;
	size_t room = 0;

	*ret_page = (struct umbrella_page){ 0 };
	if (!json_walk_start(&walk, (struct json_slice){ body, size }) || walk.close != '}')
		return false;
	while (json_walk_next(&walk, &key, &value)) {
		if (!key_is(key, "data"))
			continue;
		if (data.text)
			return false;
		data = value;
	}
	if (walk.broken || !data.text || !json_walk_start(&walk, data) || walk.close != ']')
		return false;
	while (json_walk_next(&walk, &key, &value))
		room++;
	if (walk.broken)
		return false;
	ret_page->records = arena_alloc(arena, room * sizeof *ret_page->records + 1);
	json_walk_start(&walk, data);
	while (json_walk_next(&walk, &key, &value))
		read_record(value, &ret_page->records[ret_page->count++]);
	return true;
}

/* Read where it is classified: a page that breaks off is a failure of the call. */
struct page_call {
	struct arena *arena;
	struct umbrella_page *page;
};

static bool classify_page(const struct vendor_request *request,
			  const struct http_response *response, struct err *err)
{
	struct page_call *call = request->opaque;

	if (!check(response, err))
		return false;
	/* The records point into this copy. */
	const char *body = answer_copy(response, call->arena);

	if (!read_page(body, response->size, call->arena, call->page))
		return answer_unfit(response->status, "Umbrella", "with a page that breaks off",
				    err);
	call->page->date_ms = answer_date_ms(response);
	return true;
}

static void add_url(struct buf *url, const struct account *account,
		    const struct umbrella_query *query)
{
	buf_adds(url, account->url);
	if (account->auth == ACCOUNT_AUTH_LEGACY)
		buf_addf(url, "/v2/organizations/%s", account->org_id);
	else
		buf_adds(url, "/reports/v2");
	buf_adds(url, query->list == UMBRELLA_RETROSPECTIVE ? "/activity/amp-retrospective"
							    : "/activity");
	buf_addf(url, "?from=%" PRIu64 "&to=%" PRIu64 "&limit=%u&offset=%u", query->from_ms,
		 query->to_ms, query->limit, query->offset);
	if (query->list == UMBRELLA_RETROSPECTIVE)
		return;
	if (query->verdict)
		buf_addf(url, "&verdict=%s", query->verdict);
	for (size_t i = 0; i < query->category_count; i++)
		buf_addf(url, "%s%" PRIu64, i ? "," : "&categories=", query->categories[i]);
}

bool umbrella_activity(struct vendor_session *session, const struct umbrella_query *query,
		       struct arena *arena, struct umbrella_page *ret_page, struct err *err)
{
	struct page_call call = { arena, ret_page };
	struct http_response response;
	struct buf url;

	*ret_page = (struct umbrella_page){ 0 };
	session->refusal = VENDOR_ATTEMPTED;
	session->status = 0;
	buf_init(&url, URL_MAX_BYTES);
	add_url(&url, session->account, query);
	const struct vendor_request request = {
		.what = "reading activity",
		.url = buf_text(&url),
		.max_body_bytes = PAGE_MAX_BYTES,
		.auth = VENDOR_AUTH_BEARER,
		.fetch_token = fetch_token,
		.classify = classify_page,
		.may_redirect = may_redirect,
		.opaque = &call,
	};
	bool ok = buf_ok(&url)
		      ? vendor_call(session, &request, &response, err)
		      : err_set(err, ERR_PERMANENT, "too many categories in one query");

	if (ok)
		http_response_done(&response);
	else
		*ret_page = (struct umbrella_page){ 0 };
	buf_done(&url);
	return ok;
}
