/*
 * umbrella: stands in for Cisco Umbrella Reporting v2 under /umbrella: both token endpoints,
 * the activity with its filters and its ceiling, and the redirect to a region. One account is
 * one API key; the organizations it may ask for are its settings.
 */
#include "umbrella.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "request.h"
#include "response.h"
#include "token.h"

enum { LIMIT_MAX = 5000, ROWS_SOFT_MAX = 1000000 };

/* Its JSON text is made once: pages are put together from texts. */
struct row {
	json_t *object;
	char *text;
	int64_t time_ms;
	const char *type; /* in object; "amp-retrospective" for one without */
};

struct umbrella {
	char *client_id, *secret;
	char
	    *organizations; /* that a token can be had for, with commas; the first is its own */
	char *region;	    /* "us", "eu": where the reports are; "": here */
	char *redirect_to;  /* instead of our own address, for a redirect that leads astray */
	uint64_t redirect_status;
	uint64_t token_ms, ceiling;
	uint64_t rate_limit, rate_window_ms, rate_used, rate_started_ms; /* monotonic */
	bool no_scope; /* tokens without reports.granularEvents:read */
	struct tokens tokens;
	struct row *row; /* newest first */
	size_t rows, row_room;
};

static void *umbrella_open(const struct account *account)
{
	struct umbrella *state = xcalloc(1, sizeof(*state));

	state->client_id = xstrdup(account->key);
	state->secret = xstrdup("");
	state->organizations = xstrdup("1000001");
	state->region = xstrdup("");
	state->redirect_to = xstrdup("");
	state->redirect_status = 302;
	state->token_ms = UINT64_C(3600000);
	state->ceiling = 10000;
	state->rate_limit = 18000;
	state->rate_window_ms = UINT64_C(3600000);
	return state;
}

static void umbrella_close(void *opaque)
{
	struct umbrella *state = opaque;

	for (size_t i = 0; i < state->rows; i++) {
		json_decref(state->row[i].object);
		free(state->row[i].text);
	}
	tokens_done(&state->tokens);
	free(state->row);
	free(state->client_id);
	free(state->secret);
	free(state->organizations);
	free(state->region);
	free(state->redirect_to);
	free(state);
}

/* ---- records ------------------------------------------------------------------------ */

static bool check_record(const json_t *object, struct err *err)
{
	if (!json_is_object(object))
		return err_set(err, ERR_PERMANENT, "a record must be an object");
	if (!json_is_integer(json_object_get(object, "timestamp")))
		return err_set(err, ERR_PERMANENT, "timestamp: must be a whole number");
	return true;
}

static void add_record(struct umbrella *state, const json_t *object)
{
	struct row row = { .object = json_deep_copy(object),
			   .time_ms =
			       json_integer_value(json_object_get(object, "timestamp")) };
	const char *type = json_string_value(json_object_get(row.object, "type"));
	size_t place = 0;

	if (row.time_ms < INT64_C(100000000000)) /* seconds */
		row.time_ms *= 1000;
	row.type = type ? type : "amp-retrospective";
	row.text = json_dumps(object, JSON_COMPACT);
	if (state->rows == state->row_room) {
		state->row_room = state->row_room ? state->row_room * 2 : 64;
		state->row = xrealloc(state->row, state->row_room * sizeof(row));
	}
	/* Newest first; of one time the last that came is the first. */
	for (size_t low = 0, high = state->rows; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (state->row[middle].time_ms > row.time_ms)
			low = middle + 1;
		else
			high = middle;
		place = low;
	}
	memmove(state->row + place + 1, state->row + place,
		(state->rows - place) * sizeof(row));
	state->row[place] = row;
	state->rows++;
}

static bool umbrella_add_events(struct account *account, const json_t *events, struct err *err)
{
	struct umbrella *state = account->state;
	size_t i;
	json_t *event;

	if (state->rows + json_array_size(events) > ROWS_SOFT_MAX)
		return err_set(err, ERR_PERMANENT, "more than %d records", ROWS_SOFT_MAX);
	json_array_foreach(events, i, event)
	{
		if (!check_record(event, err))
			return false;
	}
	json_array_foreach(events, i, event) add_record(state, event);
	return true;
}

static bool umbrella_configure(struct account *account, const json_t *settings, struct err *err)
{
	struct umbrella *state = account->state;
	json_t *events = json_object_get(settings, "events");
	uint64_t token_s = state->token_ms / 1000;
	bool ok = setting_text(settings, "client_id", &state->client_id, err) &&
		  setting_text(settings, "secret", &state->secret, err) &&
		  setting_text(settings, "organizations", &state->organizations, err) &&
		  setting_text(settings, "region", &state->region, err) &&
		  setting_text(settings, "redirect_to", &state->redirect_to, err) &&
		  setting_number(settings, "redirect_status", &state->redirect_status, err) &&
		  setting_number(settings, "token_s", &token_s, err) &&
		  setting_number(settings, "offset_ceiling", &state->ceiling, err) &&
		  setting_number(settings, "rate_limit", &state->rate_limit, err) &&
		  setting_number(settings, "rate_window_ms", &state->rate_window_ms, err) &&
		  setting_bool(settings, "no_scope", &state->no_scope, err);

	state->token_ms = token_s * 1000;
	return ok && (!events || umbrella_add_events(account, events, err));
}

/* ---- answers ------------------------------------------------------------------------ */

static const char *umbrella_recognise(const struct request *request)
{
	const char *user, *secret, *token = request_bearer(request);

	if (token)
		return token_key(request->arena, token);
	return request_basic(request, &user, &secret) ? user : NULL;
}

static void refuse_with(struct response *response, unsigned status, const char *message)
{
	response_clear(response);
	response_json(response, status,
		      json_pack("{s:s, s:i}", "message", message, "code", (int)status));
}

static void umbrella_refuse(enum refusal refusal, const struct request *request,
			    struct response *response)
{
	(void)request;
	switch (refusal) {
	case REFUSAL_CREDENTIALS:
	case REFUSAL_TOKEN:
		refuse_with(response, 401, "Unauthorized");
		break;
	case REFUSAL_THROTTLED: /* says no more than that */
		refuse_with(response, 429, "Too Many Requests");
		break;
	case REFUSAL_BROKEN:
		refuse_with(response, 500, "Internal Server Error");
		break;
	}
}

static bool list_holds(const char *list, const char *wanted)
{
	size_t wanted_size = strlen(wanted);

	while (*list) {
		size_t size = strcspn(list, ",");

		if (size == wanted_size && memcmp(list, wanted, size) == 0)
			return true;
		list += size;
		list += *list == ',';
	}
	return false;
}

static void serve_token(struct umbrella *state, const struct request *request, bool legacy,
			struct response *response)
{
	const char *user, *secret, *org = legacy ? NULL : request->organization;

	if (!state || !request_basic(request, &user, &secret) ||
	    strcmp(user, state->client_id) != 0 || strcmp(secret, state->secret) != 0) {
		umbrella_refuse(REFUSAL_CREDENTIALS, request, response);
		return;
	}
	if (!request_is(request, "POST") && !(legacy && request_is(request, "GET"))) {
		refuse_with(response, 405, "Method Not Allowed");
		return;
	}
	if (!legacy && !request_form_field(request, "grant_type")) {
		refuse_with(response, 400, "grant_type is missing");
		return;
	}
	if (org && !list_holds(state->organizations, org)) {
		refuse_with(response, 403, "Forbidden");
		return;
	}
	if (!org)
		org =
		    arena_printf(request->arena, "%.*s",
				 (int)strcspn(state->organizations, ","), state->organizations);
	const struct token *token =
	    tokens_issue(&state->tokens, state->client_id, org, state->token_ms);

	response_json(response, 200,
		      json_pack("{s:s, s:s, s:I}", "token_type", "bearer", "access_token",
				token->text, "expires_in",
				(json_int_t)(state->token_ms / 1000)));
}

/* ---- activity ----------------------------------------------------------------------- */

struct filter {
	int64_t from_ms, to_ms;
	uint64_t limit, offset;
	const char *type; /* NULL: all but the retrospective ones */
	const char *verdict, *categories;
	bool ascending;
};

/* Milliseconds, or relative: "-5minutes", "-1hours", "-7days", "now". */
static bool read_time(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "minutes", 60000 }, { "hours", 3600000 }, { "days", 86400000 } };
	int64_t now_ms = (int64_t)clock_wall_ms();
	char *end;

	if (strcmp(text, "now") == 0) {
		*ret_ms = now_ms;
		return true;
	}
	int64_t number = strtoll(text, &end, 10);

	if (end == text)
		return false;
	*ret_ms = number;
	if (*end == '\0')
		return true;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		*ret_ms = now_ms + number * units[i].ms;
		if (strcmp(end, units[i].unit) == 0)
			return true;
	}
	return false;
}

static bool read_filter(const struct umbrella *state, const struct request *request,
			struct response *response, struct filter *filter)
{
	const char *from = request_param(request, "from"), *to = request_param(request, "to");
	const char *order = request_param(request, "order");

	if (!from || !to) {
		response_json(response, 400,
			      json_pack("{s:{}, s:{s:s, s:[s, s]}}", "meta", "data", "errors",
					"Missing required parameters", "requiredParameters",
					"from", "to"));
		return false;
	}
	filter->limit = request_param_number(request, "limit", 0, LIMIT_MAX);
	filter->offset = request_param_number(request, "offset", 0, UINT32_MAX);
	filter->verdict = request_param(request, "verdict");
	filter->categories = request_param(request, "categories");
	filter->ascending = order && strcmp(order, "asc") == 0;
	if (!read_time(from, &filter->from_ms) || !read_time(to, &filter->to_ms) ||
	    filter->limit == 0 || filter->offset + filter->limit > state->ceiling) {
		refuse_with(response, 400, "Bad Request");
		return false;
	}
	return true;
}

static bool has_category(const json_t *object, const char *wanted)
{
	size_t i;
	json_t *category;
	char id[24];

	json_array_foreach(json_object_get(object, "categories"), i, category)
	{
		snprintf(id, sizeof(id), "%lld",
			 (long long)json_integer_value(json_object_get(category, "id")));
		if (list_holds(wanted, id))
			return true;
	}
	return false;
}

static bool is_wanted(const struct row *row, const struct filter *filter)
{
	const char *verdict = json_string_value(json_object_get(row->object, "verdict"));

	if (row->time_ms < filter->from_ms || row->time_ms > filter->to_ms)
		return false;
	if (filter->type ? strcmp(filter->type, row->type) != 0
			 : strcmp(row->type, "amp-retrospective") == 0)
		return false;
	if (filter->verdict && !(verdict && list_holds(filter->verdict, verdict)))
		return false;
	return !filter->categories || has_category(row->object, filter->categories);
}

/* How many rows are newer than time_ms: they are sorted, newest first. */
static size_t newer_than(const struct umbrella *state, int64_t time_ms)
{
	size_t low = 0, high = state->rows;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (state->row[middle].time_ms > time_ms)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_rows(const struct umbrella *state, const struct filter *filter, struct buf *out)
{
	size_t first = newer_than(state, filter->to_ms);
	size_t end = newer_than(state, filter->from_ms - 1);
	uint64_t seen = 0, given = 0;

	for (size_t i = first; i < end && given < filter->limit; i++) {
		const struct row *row =
		    &state->row[filter->ascending ? end - 1 - (i - first) : i];

		if (!is_wanted(row, filter) || seen++ < filter->offset)
			continue;
		buf_adds(out, given++ ? "," : "");
		buf_adds(out, row->text);
	}
}

static void serve_activity(const struct umbrella *state, const struct request *request,
			   const char *type, struct response *response)
{
	struct filter filter = { .type = *type ? type : NULL };

	if (!read_filter(state, request, response, &filter))
		return;
	response->content_type = "application/json";
	buf_adds(&response->body, "{\"meta\":{},\"data\":[");
	add_rows(state, &filter, &response->body);
	buf_adds(&response->body, "]}");
}

/* ---- paths -------------------------------------------------------------------------- */

/* .../reports/v2/activity[/TYPE], .../reports.REGION/v2/activity[/TYPE], and the older
 * .../v2/organizations/ORG/activity[/TYPE], .../organizations/ORG/activity[/TYPE]. */
struct report {
	const char *org; /* "" in the current API */
	const char *type;
	bool here; /* already in a region */
	bool activity;
};

static struct report report_of(const struct request *request)
{
	bool older = strcmp(request_segment(request, 1), "v2") == 0;
	unsigned at = older ? 2 : 1;

	if (strcmp(request_segment(request, at), "organizations") == 0)
		return (struct report){ request_segment(request, at + 1),
					request_segment(request, at + 3), !older,
					strcmp(request_segment(request, at + 2), "activity") ==
					    0 };
	return (struct report){ "", request_segment(request, 4),
				strncmp(request_segment(request, 1), "reports.", 8) == 0,
				strncmp(request_segment(request, 1), "reports", 7) == 0 &&
				    strcmp(request_segment(request, 2), "v2") == 0 &&
				    strcmp(request_segment(request, 3), "activity") == 0 };
}

static void redirect(const struct umbrella *state, const struct request *request,
		     const struct report *report, struct response *response)
{
	const char *origin = *state->redirect_to ? state->redirect_to : request_origin(request);
	const char *slash = *report->type ? "/" : "";

	response->status = (unsigned)state->redirect_status;
	if (*report->org)
		response_add_header(response, "Location",
				    "%s/umbrella/organizations/%s/activity%s%s?%s", origin,
				    report->org, slash, report->type, request->query);
	else
		response_add_header(response, "Location",
				    "%s/umbrella/reports.%s/v2/activity%s%s?%s", origin,
				    state->region, slash, report->type, request->query);
}

static bool count_call(struct umbrella *state)
{
	uint64_t now_ms = clock_mono_ms();

	if (state->rate_used == 0 || now_ms >= state->rate_started_ms + state->rate_window_ms) {
		state->rate_started_ms = now_ms;
		state->rate_used = 0;
	}
	return ++state->rate_used <= state->rate_limit;
}

static void serve_report(struct umbrella *state, const struct request *request,
			 const struct token *token, struct response *response)
{
	const struct report report = report_of(request);

	if (!count_call(state))
		umbrella_refuse(REFUSAL_THROTTLED, request, response);
	else if (!report.activity || !request_is(request, "GET"))
		refuse_with(response, 404, "Not Found");
	else if (state->no_scope)
		refuse_with(response, 403, "Forbidden");
	else if (*report.org && strcmp(report.org, token->subject) != 0)
		response_json(response, 403,
			      json_pack("{s:{}, s:{s:s}}", "meta", "data", "error",
					"invalid organization"));
	else if (*state->region && !report.here)
		redirect(state, request, &report, response);
	else
		serve_activity(state, request, report.type, response);
}

static void umbrella_serve(struct account *account, const struct request *request,
			   struct response *response)
{
	struct umbrella *state = account ? account->state : NULL;
	const char *text = request_bearer(request);
	const struct token *token = NULL;

	if (strcmp(request_segment(request, 1), "auth") == 0) {
		bool legacy = strcmp(request_segment(request, 3), "oauth2") == 0;

		if (strcmp(request_segment(request, legacy ? 4 : 3), "token") == 0)
			serve_token(state, request, legacy, response);
		else
			refuse_with(response, 404, "Not Found");
		return;
	}
	if (state && text && tokens_check(&state->tokens, text, &token) == TOKEN_GOOD)
		serve_report(state, request, token, response);
	else
		umbrella_refuse(REFUSAL_TOKEN, request, response);
}

static void umbrella_revoke(struct account *account)
{
	struct umbrella *state = account->state;

	for (struct token *token = state->tokens.first; token; token = token->next)
		token->expires_ms = 0;
}

static json_t *umbrella_dump(struct account *account)
{
	struct umbrella *state = account->state;
	json_t *records = json_array();

	for (size_t i = 0; i < state->rows; i++)
		json_array_append(records, state->row[i].object);
	return json_pack("{s:o}", "records", records);
}

static json_t *umbrella_summarise(struct account *account)
{
	struct umbrella *state = account->state;

	return json_pack("{s:I, s:I, s:I}", "events", (json_int_t)state->rows, "tokens",
			 (json_int_t)state->tokens.count, "calls_this_hour",
			 (json_int_t)state->rate_used);
}

const struct vendor umbrella_vendor = {
	.name = "umbrella",
	.mount = "umbrella",
	.key = "client_id",
	.open = umbrella_open,
	.close = umbrella_close,
	.configure = umbrella_configure,
	.recognise = umbrella_recognise,
	.serve = umbrella_serve,
	.refuse = umbrella_refuse,
	.revoke = umbrella_revoke,
	.add_events = umbrella_add_events,
	.dump = umbrella_dump,
	.summarise = umbrella_summarise,
};
