/*
 * ctia_search: GET /ctia/<type>/search: a small part of the query language, field filters, time
 * range, sorting and paging. It sees what the index has, not what was written last.
 */
#include "ctia.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "request.h"
#include "response.h"

enum { TERMS_MAX = 64, PATH_PARTS_MAX = 8 };

/* `field:value`, `field:"a value"`, `field:val*`, `value`, each also behind NOT or -. */
struct term {
	const char *field; /* NULL: any text */
	const char *value;
	bool prefix, negated, or_before;
};

struct query {
	struct term term[TERMS_MAX];
	unsigned terms;
};

/* One word up to white space or a colon, quotes taken off; NULL when a quote stays open. */
static char *read_word(struct arena *arena, const char **at, bool to_colon, bool *quoted)
{
	struct buf word;
	bool open = false;

	*quoted = false;
	buf_init(&word, 65536);
	for (; **at && (open || !strchr(" \t\n()", **at)); (*at)++) {
		if (**at == '"') {
			open = !open;
			*quoted = true;
		} else if (**at == ':' && to_colon && !open) {
			break;
		} else {
			if (**at == '\\' && (*at)[1])
				(*at)++;
			buf_add(&word, *at, 1);
		}
	}
	char *text = open ? NULL : arena_strdup(arena, buf_text(&word));

	buf_done(&word);
	return text;
}

static bool read_term(struct arena *arena, const char **at, struct term *term)
{
	bool quoted;
	char *word;

	if (**at == '-') {
		term->negated = true;
		(*at)++;
	}
	word = read_word(arena, at, true, &quoted);
	if (word && **at == ':' && !quoted) {
		term->field = word;
		(*at)++;
		word = read_word(arena, at, false, &quoted);
	}
	if (!word || (!*word && !quoted) || (!quoted && strchr("[{", *word)))
		return false;
	size_t size = strlen(word);

	if (!quoted && size > 1 && word[size - 1] == '*') {
		word[size - 1] = '\0';
		term->prefix = true;
	}
	term->value = word;
	return true;
}

static bool is_operator(const char *at, const char *name)
{
	size_t size = strlen(name);

	return strncmp(at, name, size) == 0 && (at[size] == ' ' || at[size] == '\0');
}

static bool read_query(struct arena *arena, const char *text, struct query *query)
{
	bool or_before = false, negated = false;

	for (const char *at = text; *at;) {
		if (strchr(" \t\n()", *at)) { /* grouping is not needed by what we accept */
			at++;
		} else if (is_operator(at, "AND")) {
			at += 3;
		} else if (is_operator(at, "OR")) {
			or_before = true;
			at += 2;
		} else if (is_operator(at, "NOT")) {
			negated = true;
			at += 3;
		} else {
			struct term *term = &query->term[query->terms];

			if (query->terms == TERMS_MAX || !read_term(arena, &at, term))
				return false;
			term->or_before = or_before;
			term->negated ^= negated;
			or_before = negated = false;
			query->terms++;
		}
	}
	return true;
}

static bool text_hit(const char *text, const char *value, bool prefix, bool analysed)
{
	if (strcmp(value, "*") == 0)
		return true;
	if (analysed)
		return strcasestr(text, value) != NULL;
	return prefix ? strncmp(text, value, strlen(value)) == 0 : strcmp(text, value) == 0;
}

static bool value_hit(const json_t *found, const struct term *term, bool analysed)
{
	size_t i;
	json_t *item;

	if (json_is_string(found))
		return text_hit(json_string_value(found), term->value, term->prefix, analysed);
	json_array_foreach(found, i, item)
	{
		if (value_hit(item, term, analysed))
			return true;
	}
	return false;
}

static bool any_hit(const json_t *entity, const struct term *term)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)entity, key, value)
	{
		if (value_hit(value, term, true))
			return true;
	}
	return false;
}

static const json_t *at_path(const json_t *entity, const char *path)
{
	for (unsigned part = 0; entity && part < PATH_PARTS_MAX; part++) {
		size_t size = strcspn(path, ".");
		char key[128];

		if (size >= sizeof(key))
			return NULL;
		memcpy(key, path, size);
		key[size] = '\0';
		entity = json_object_get(entity, key);
		if (!path[size])
			return entity;
		path += size + 1;
	}
	return NULL;
}

static bool term_hit(const json_t *entity, const struct term *term)
{
	bool analysed = term->field && (strcmp(term->field, "title") == 0 ||
					strcmp(term->field, "description") == 0 ||
					strcmp(term->field, "short_description") == 0);
	bool hit = term->field ? value_hit(at_path(entity, term->field), term, analysed)
			       : any_hit(entity, term);

	return hit != term->negated;
}

static bool query_hit(const json_t *entity, const struct query *query)
{
	bool group = true; /* of terms joined by OR */

	for (unsigned i = 0; i < query->terms; i++) {
		const struct term *term = &query->term[i];

		if (term->or_before) {
			group = group || term_hit(entity, term);
		} else if (!group) {
			return false;
		} else {
			group = term_hit(entity, term);
		}
	}
	return group;
}

static bool is_control(const char *name)
{
	static const char *const names[] = { "query",  "simple_query", "search_fields",
					     "from",   "to",	       "sort_by",
					     "limit",  "sort_order",   "offset",
					     "fields", "search_after", "wait_for" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* Several values of one field are alternatives, several fields all have to hit. */
static bool filters_hit(const json_t *entity, const struct request *request)
{
	for (unsigned i = 0; i < request->params; i++) {
		const char *name = request->param[i].name;
		bool hit = false;

		for (unsigned j = 0; j < request->params && !hit; j++) {
			struct term term = { .value = request->param[j].value };

			if (strcmp(request->param[j].name, name) == 0)
				hit = value_hit(at_path(entity, name), &term, false);
		}
		if (!is_control(name) && !hit)
			return false;
	}
	return true;
}

static bool in_range(const struct ctia_entity *entity, const struct request *request)
{
	const char *from = request_param(request, "from"), *to = request_param(request, "to");
	uint64_t ms;

	if (from && clock_parse(from, &ms) && entity->created_ms < ms)
		return false;
	return !to || !clock_parse(to, &ms) || entity->created_ms < ms;
}

static const char *sort_text(const json_t *entity, const char *field)
{
	const char *text = json_string_value(at_path(entity, field));

	return text ? text : "";
}

struct sorting {
	char field[128];
	bool down;
};

static int compare(const void *a, const void *b, void *opaque)
{
	const struct sorting *sorting = opaque;
	int order = strcmp(sort_text(*(json_t *const *)a, sorting->field),
			   sort_text(*(json_t *const *)b, sorting->field));

	return sorting->down ? -order : order;
}

/* By the first field of sort_by only. */
static void sort_rows(json_t **row, size_t count, const struct request *request)
{
	const char *by = request_param(request, "sort_by");
	const char *order = request_param(request, "sort_order");
	struct sorting sorting = { .down = order && strcasecmp(order, "desc") == 0 };

	if (!by)
		return;
	size_t size = strcspn(by, ":,");

	if (size >= sizeof(sorting.field))
		return;
	memcpy(sorting.field, by, size);
	if (by[size] == ':')
		sorting.down = strncasecmp(by + size + 1, "desc", 4) == 0;
	qsort_r(row, count, sizeof(*row), compare, &sorting);
}

static json_t *only_fields(const json_t *entity, const char *fields)
{
	json_t *row;
	const char *key;
	json_t *value;

	if (!fields || !*fields)
		return json_incref((json_t *)entity);
	row = json_object();
	json_object_foreach((json_t *)entity, key, value)
	{
		const char *at = strstr(fields, key);

		if (at || strcmp(key, "id") == 0)
			json_object_set(row, key, value);
	}
	return row;
}

static void answer_page(const struct request *request, json_t *const *row, size_t count,
			struct response *response)
{
	uint64_t limit = request_param_number(request, "limit", 100, 10000);
	uint64_t offset = request_param_number(request, "offset", 0, UINT32_MAX);
	json_t *page = json_array();

	for (uint64_t i = offset; i < count && i < offset + limit; i++)
		json_array_append_new(page,
				      only_fields(row[i], request_param(request, "fields")));
	response_json(response, 200, page);
	response_add_header(response, "X-Total-Hits", "%zu", count);
	if (offset + limit < count)
		response_add_header(response, "X-Next", "limit=%llu&offset=%llu",
				    (unsigned long long)limit,
				    (unsigned long long)(offset + limit));
	if (offset > 0)
		response_add_header(response, "X-Previous", "limit=%llu&offset=%llu",
				    (unsigned long long)limit,
				    (unsigned long long)(offset > limit ? offset - limit : 0));
}

void ctia_search(struct ctia *ctia, enum ctim_type type, const struct request *request,
		 bool count_only, struct response *response)
{
	struct query query = { 0 };
	const char *text = request_param(request, "query");
	size_t count = 0;

	text = text ? text : request_param(request, "simple_query");
	if (text && !read_query(request->arena, text, &query)) {
		response_json(response, 400,
			      json_pack("{s:s, s:s, s:s}", "type", "ES Invalid Request",
					"message", "Failed to parse query", "class",
					"clojure.lang.ExceptionInfo"));
		return;
	}
	json_t **row = arena_alloc(request->arena, (ctia->count[type] + 1) * sizeof(*row));

	for (size_t i = 0; i < ctia->count[type]; i++) {
		struct ctia_entity *entity = ctia->entity[type][i];
		const json_t *seen = ctia_indexed(entity);

		if (seen && in_range(entity, request) && query_hit(seen, &query) &&
		    filters_hit(seen, request))
			row[count++] = (json_t *)seen;
	}
	sort_rows(row, count, request);
	if (count_only)
		response_json(response, 200, json_integer((json_int_t)count));
	else
		answer_page(request, row, count, response);
}
