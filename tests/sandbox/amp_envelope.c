/*
 * amp_envelope: what is around every answer of Secure Endpoint: metadata with absolute links
 * that repeat the query, and errors.
 */
#include "amp_envelope.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "request.h"
#include "response.h"

void amp_error(const struct request *request, struct response *response, unsigned status,
	       const char *description, const char *detail)
{
	response_clear(response);
	response_json(response, status,
		      json_pack("{s:s, s:{s:{s:s+}}, s:{}, s:[{s:i, s:s, s:[s]}]}", "version",
				"v1.2.0", "metadata", "links", "self", request_origin(request),
				request->path, "data", "errors", "error_code", (int)status,
				"description", description, "details", detail));
}

void amp_not_found(const struct request *request, struct response *response, const char *what)
{
	amp_error(request, response, 404, "Not Found", what);
}

/* The URL of this query with another offset: "...?limit=2&event_type[]=1&offset=4". */
static void add_page_url(struct buf *out, const struct request *request, uint64_t offset)
{
	const char *separator = "?";

	buf_adds(out, request_origin(request));
	buf_adds(out, request->path);
	for (unsigned i = 0; i < request->params; i++) {
		if (strcmp(request->param[i].name, "offset") == 0)
			continue;
		buf_adds(out, separator);
		buf_add_url(out, request->param[i].name);
		buf_adds(out, "=");
		buf_add_url(out, request->param[i].value);
		separator = "&";
	}
	buf_addf(out, "%soffset=%llu", separator, (unsigned long long)offset);
}

static void add_link(struct buf *out, const char *name, const struct request *request,
		     uint64_t offset)
{
	struct buf url;

	buf_init(&url, 65536);
	add_page_url(&url, request, offset);
	buf_addf(out, "%s\"%s\":\"", strcmp(name, "self") == 0 ? "" : ",", name);
	buf_add_json(out, buf_text(&url), url.size);
	buf_adds(out, "\"");
	buf_done(&url);
}

/* Everything before the rows: {"version", "metadata": {links, results}, "data":[ */
void amp_begin_page(struct buf *out, const struct request *request, const struct amp_page *page)
{
	buf_adds(out, "{\"version\":\"v1.2.0\",\"metadata\":{\"links\":{\"self\":\"");
	const char *self =
	    arena_printf(request->arena, "%s%s", request_origin(request), request->target);

	buf_add_json(out, self, strlen(self));
	buf_adds(out, "\"");
	if (page->offset > 0)
		add_link(out, "prev", request,
			 page->offset > page->limit ? page->offset - page->limit : 0);
	if (page->offset + page->count < page->total)
		add_link(out, "next", request, page->offset + page->limit);
	buf_addf(out,
		 "},\"results\":{\"total\":%llu,\"current_item_count\":%llu,\"index\":%llu,"
		 "\"items_per_page\":%llu}},\"data\":[",
		 (unsigned long long)page->total, (unsigned long long)page->count,
		 (unsigned long long)page->offset, (unsigned long long)page->limit);
}

bool amp_read_page(const struct request *request, struct response *response,
		   struct amp_page *page)
{
	page->limit = request_param_number(request, "limit", AMP_PAGE_MAX, UINT32_MAX);
	page->offset = request_param_number(request, "offset", 0, UINT32_MAX);
	if (page->limit > AMP_PAGE_MAX || page->limit == 0) {
		amp_error(request, response, 400, "Bad Request", "limit must be from 1 to 500");
		return false;
	}
	return true;
}

void amp_answer_object(const struct request *request, struct response *response, json_t *data)
{
	response_json(response, 200,
		      json_pack("{s:s, s:{s:{s:s+}}, s:o}", "version", "v1.2.0", "metadata",
				"links", "self", request_origin(request), request->path, "data",
				data));
}

void amp_answer_list(const struct request *request, struct response *response, json_t *rows)
{
	struct amp_page page;

	if (!amp_read_page(request, response, &page)) {
		json_decref(rows);
		return;
	}
	page.total = json_array_size(rows);
	uint64_t end =
	    page.offset + page.limit < page.total ? page.offset + page.limit : page.total;

	page.count = end > page.offset ? end - page.offset : 0;
	response->content_type = "application/json";
	amp_begin_page(&response->body, request, &page);
	for (uint64_t i = page.offset; i < end; i++) {
		buf_adds(&response->body, i > page.offset ? "," : "");
		response_dump(&response->body, json_array_get(rows, i));
	}
	buf_adds(&response->body, "]}");
	json_decref(rows);
}

bool amp_is_param(const char *name, const char *wanted)
{
	size_t size = strlen(wanted);

	return strncmp(name, wanted, size) == 0 &&
	       (name[size] == '\0' || strcmp(name + size, "[]") == 0);
}

bool amp_same_text(const json_t *object, const char *key, const char *value)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && strcmp(text, value) == 0;
}
