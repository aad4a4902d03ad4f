/*
 * defender_alerts: the alerts of one tenant, and as much of OData as the real API has for them.
 * Times are compared as times, at 100 ns: they are written with 1 to 7 fraction digits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "defender.h"
#include "request.h"
#include "response.h"

enum { TERMS_MAX = 8, TOP_MAX = 10000 };

/* ---- values ---- */

/* 100 ns since 1970; false when it is no time. */
static bool ticks_of(const char *text, uint64_t *ret_ticks)
{
	const char *point = strchr(text, '.');
	uint64_t ms, unit = 1000000, ticks;

	if (!clock_parse(text, &ms))
		return false;
	ticks = ms / 1000 * 10000000;
	for (const char *c = point ? point + 1 : ""; *c >= '0' && *c <= '9' && unit > 0; c++) {
		ticks += (uint64_t)(*c - '0') * unit;
		unit /= 10;
	}
	*ret_ticks = ticks;
	return true;
}

/* Now, with as many fraction digits as are left without zeros at the end, as .NET writes. */
static void now_text(struct defender_state *state, char *ret_text, size_t room)
{
	char plain[CLOCK_TEXT_SIZE];

	clock_format(clock_wall_ms(), plain);
	int size = snprintf(ret_text, room, "%.23s%04u", plain,
			    (unsigned)(state->changes++ * 7919 % 10000));

	while (size > 21 && ret_text[size - 1] == '0')
		size--;
	snprintf(ret_text + size, room - (size_t)size, "Z");
}

static const char *text_of(const json_t *alert, const char *name)
{
	const char *text = json_string_value(json_object_get(alert, name));

	return text ? text : "";
}

/* -1, 0, 1; times as times, numbers as numbers, everything else as text. */
static int compare(const char *a, const char *b)
{
	uint64_t left, right;

	if (ticks_of(a, &left) && ticks_of(b, &right))
		return left < right ? -1 : left > right;
	int order = strcmp(a, b);

	return order < 0 ? -1 : order > 0;
}

/* ---- $filter ---- */

struct term {
	const char *field, *op, *value;
};

struct filter {
	struct term terms[TERMS_MAX];
	unsigned count;
};

static bool is_field(const char *name)
{
	static const char *const fields[] = { "alertCreationTime",
					      "lastUpdateTime",
					      "incidentId",
					      "investigationId",
					      "id",
					      "assignedTo",
					      "detectionSource",
					      "lastEventTime",
					      "status",
					      "severity",
					      "category",
					      NULL };

	for (size_t i = 0; fields[i]; i++) {
		if (strcmp(fields[i], name) == 0)
			return true;
	}
	return false;
}

/* "name op value", of which the value may be quoted. Moves *at behind it. */
static bool read_term(struct arena *arena, const char **at, struct term *ret_term)
{
	static const char ops[] = " eq ne gt ge lt le ";
	const char *text = *at + strspn(*at, " ");
	size_t name = strcspn(text, " ");

	ret_term->field = arena_strndup(arena, text, name);
	text += name + strspn(text + name, " ");
	size_t word = strcspn(text, " ");

	ret_term->op = arena_strndup(arena, text, word);
	text += word + strspn(text + word, " ");
	bool quoted = *text == '\'';
	size_t size = quoted ? strcspn(text + 1, "'") : strcspn(text, " ");

	ret_term->value = arena_strndup(arena, text + quoted, size);
	text += size + 2 * (size_t)quoted;
	*at = text + strspn(text, " ");
	return is_field(ret_term->field) && word == 2 && *ret_term->value &&
	       strstr(ops, arena_printf(arena, " %s ", ret_term->op));
}

static bool read_filter(const struct request *request, struct filter *ret_filter)
{
	const char *at = request_param(request, "$filter");

	*ret_filter = (struct filter){ 0 };
	while (at && *at) {
		if (ret_filter->count == TERMS_MAX ||
		    !read_term(request->arena, &at, &ret_filter->terms[ret_filter->count++]))
			return false;
		if (*at && strncmp(at, "and ", 4) != 0)
			return false;
		at += *at ? 4 : 0;
	}
	return true;
}

static bool matches(const struct filter *filter, const json_t *alert)
{
	for (unsigned i = 0; i < filter->count; i++) {
		const struct term *term = &filter->terms[i];
		json_t *value = json_object_get(alert, term->field);
		char number[32];
		const char *text = json_string_value(value);

		if (json_is_integer(value)) {
			snprintf(number, sizeof(number), "%lld",
				 (long long)json_integer_value(value));
			text = number;
		}
		if (!text)
			return false;
		int order = compare(text, term->value);
		const char *op = term->op;
		bool holds = *op == 'g' ? order > 0 : *op == 'l' ? order < 0 : order == 0;

		if (op[1] == 'e' && *op != 'n')
			holds = holds || order == 0;
		if (*op == 'n' ? order == 0 : !holds)
			return false;
	}
	return true;
}

/* ---- the list ---- */

struct row {
	json_t *alert;
	const char *key;
	uint64_t ticks; /* the key as a time, 0 when it is none */
	size_t place;
	bool descending;
};

/* Equal keys in the order in which they came. */
static int by_key(const void *a, const void *b)
{
	const struct row *left = a, *right = b;
	int order = left->ticks && right->ticks
			? (left->ticks > right->ticks) - (left->ticks < right->ticks)
			: compare(left->key, right->key);

	if (order)
		return left->descending ? -order : order;
	return left->place < right->place ? -1 : left->place > right->place;
}

static size_t collect(const struct defender_state *state, const struct request *request,
		      const struct filter *filter, struct row *rows)
{
	const char *order = request_param(request, "$orderby");
	const char *field = arena_strndup(request->arena, order ? order : "alertCreationTime",
					  order ? strcspn(order, " ") : 17);
	bool descending = !order || strstr(order, " desc");
	size_t count = 0, i;
	json_t *alert;

	json_array_foreach(state->alerts, i, alert)
	{
		if (!matches(filter, alert))
			continue;
		struct row *row = &rows[count++];

		*row = (struct row){ .alert = alert,
				     .key = text_of(alert, field),
				     .place = i,
				     .descending = descending };
		if (!ticks_of(row->key, &row->ticks))
			row->ticks = 0;
	}
	qsort(rows, count, sizeof(*rows), by_key);
	return count;
}

/* Without $expand the evidence is an empty list. */
static json_t *shown(const struct request *request, const json_t *alert)
{
	const char *expand = request_param(request, "$expand");
	json_t *copy = json_copy((json_t *)alert);

	if (json_object_get(copy, "evidence") && (!expand || strcmp(expand, "evidence") != 0))
		json_object_set_new(copy, "evidence", json_array());
	return copy;
}

static const char *next_link(const struct request *request, uint64_t skip)
{
	const char *query = request->query, *old = strstr(query, "&$skip=");
	size_t size = old ? (size_t)(old - query) : strlen(query);

	return arena_printf(request->arena, "%s%s?%.*s&$skip=%llu", request_origin(request),
			    request->path, (int)size, query, (unsigned long long)skip);
}

void defender_serve_alerts(struct defender_state *state, const struct request *request,
			   struct response *response)
{
	uint64_t top = request_param_number(request, "$top", TOP_MAX, UINT32_MAX);
	uint64_t skip = request_param_number(request, "$skip", 0, UINT32_MAX);
	size_t all = json_array_size(state->alerts);
	struct row *rows = arena_alloc(request->arena, (all + 1) * sizeof(*rows));
	json_t *value = json_array();
	struct filter filter;

	if (!read_filter(request, &filter) || top > TOP_MAX) {
		json_decref(value);
		defender_error(response, 400, "ODataError",
			       "The query specified in the URI is not valid.");
		return;
	}
	if (state->next_links && top > state->page_max)
		top = state->page_max;
	size_t count = collect(state, request, &filter, rows);

	for (size_t i = skip; i < count && i < skip + top; i++)
		json_array_append_new(value, shown(request, rows[i].alert));
	json_t *body =
	    json_pack("{s:s, s:o}", "@odata.context",
		      arena_printf(request->arena, "%s/defender/api/$metadata#Alerts",
				   request_origin(request)),
		      "value", value);

	if (state->next_links && skip + top < count)
		json_object_set_new(body, "@odata.nextLink",
				    json_string(next_link(request, skip + top)));
	response_json(response, 200, body);
}

/* ---- one ---- */

static void touch(struct defender_state *state, json_t *alert)
{
	char now[64];

	now_text(state, now, sizeof(now));
	json_object_set_new(alert, "lastUpdateTime", json_string(now));
}

bool defender_put_alert(struct defender_state *state, const json_t *alert, struct err *err)
{
	json_t *given = json_object_get(alert, "lastUpdateTime");
	const char *id = text_of(alert, "id");
	json_t *known = *id ? json_object_get(state->by_id, id) : NULL;

	if (!*id)
		return err_set(err, ERR_PERMANENT, "alerts: each needs an id");
	if (!known) {
		known = json_object();
		json_object_set(state->by_id, id, known);
		json_array_append_new(state->alerts, known);
	}
	json_object_update(known, (json_t *)alert);
	if (!given)
		touch(state, known);
	else if (json_is_null(given))
		json_object_del(known, "lastUpdateTime");
	return true;
}

static bool one_of(const json_t *value, const char *const *words)
{
	const char *text = json_string_value(value);

	for (; text && *words; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

/* Names and values as the API's pages have them; both spellings where they contradict. */
static bool patch_right(const json_t *body)
{
	static const char *const statuses[] = { "New", "InProgress", "Resolved", NULL };
	static const char *const classes[] = { "TruePositive", "InformationalExpectedActivity",
					       "FalsePositive", NULL };
	static const char *const determinations[] = { "MultiStagedAttack",
						      "MaliciousUserActivity",
						      "CompromisedUser",
						      "Malware",
						      "Phishing",
						      "UnwantedSoftware",
						      "SecurityTesting",
						      "LineOfBusinessApplication",
						      "ConfirmedActivity",
						      "ConfirmedUserActivity",
						      "NotMalicious",
						      "Clean",
						      "InsufficientData",
						      "NoEnoughDataToValidate",
						      "NotEnoughDataToValidate",
						      "Other",
						      NULL };
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)body, name, value)
	{
		bool right =
		    strcmp(name, "status") == 0		  ? one_of(value, statuses)
		    : strcmp(name, "classification") == 0 ? one_of(value, classes)
		    : strcmp(name, "determination") == 0
			? one_of(value, determinations)
			: (strcmp(name, "comment") == 0 || strcmp(name, "assignedTo") == 0) &&
			      json_is_string(value);

		if (!right)
			return false;
	}
	return json_is_object(body) && json_object_size(body) > 0;
}

static void patch(struct defender_state *state, json_t *alert, json_t *body)
{
	json_t *comment = json_object_get(body, "comment");
	json_t *comments = json_object_get(alert, "comments");

	if (comment && !json_is_array(comments)) {
		comments = json_array();
		json_object_set_new(alert, "comments", comments);
	}
	touch(state, alert);
	if (comment)
		json_array_append_new(comments,
				      json_pack("{s:O, s:s, s:O}", "comment", comment,
						"createdBy", state->client_id, "createdTime",
						json_object_get(alert, "lastUpdateTime")));
	json_object_del(body, "comment");
	json_object_update(alert, body);
	if (strcmp(text_of(alert, "status"), "Resolved") == 0)
		json_object_set(alert, "resolvedTime",
				json_object_get(alert, "lastUpdateTime"));
}

void defender_serve_alert(struct defender_state *state, const struct request *request,
			  struct response *response)
{
	const char *id = request_segment(request, 3), *why;
	json_t *alert = json_object_get(state->by_id, id);

	if (!alert) {
		defender_error(response, 404, "ResourceNotFound",
			       arena_printf(request->arena, "Alert %.80s was not found", id));
		return;
	}
	if (request_is(request, "PATCH")) {
		json_t *body = request_json(request, &why);
		bool right = patch_right(body);

		if (right)
			patch(state, alert, body);
		json_decref(body);
		if (!right) {
			defender_error(response, 400, "InvalidRequestBody",
				       "Request body is incorrect");
			return;
		}
		response->committed = true;
		response->record = arena_strdup(request->arena, id);
	}
	response_json(response, 200, shown(request, alert));
}
