/*
 * page_act: the buttons of a ticket's page. They write as an analyst, by the same code as the
 * Table API, so that data policies and business rules hold.
 */
#include "page_act.h"

#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "html.h"
#include "request.h"
#include "response.h"
#include "sandbox.h"
#include "servicenow.h"
#include "snow.h"

static const char analyst[] = "abel.tuter";

static void add_codes(struct buf *out, const struct snow *snow)
{
	const struct snow_table *table = snow_table_find(&snow->tables, "sys_choice");

	for (size_t i = 0; i < table->rows; i++) {
		const struct snow_row *row = table->row[i];

		if (row->deleted || strcmp(snow_row_named(row, "name"), "incident") != 0 ||
		    strcmp(snow_row_named(row, "element"), "close_code") != 0)
			continue;
		const char *code = snow_row_named(row, "value");

		/* Not what stands first, Duplicate: most tickets are none. */
		buf_adds(out, strncmp(code, "Sol", 3) == 0 ? "<option selected>" : "<option>");
		html_text(out, code);
		buf_adds(out, "</option>");
	}
}

void page_act_form(struct buf *out, const struct snow *snow, const struct snow_row *row)
{
	const char *state = snow_row_named(row, "state");
	bool over = strchr("678", *state) != NULL;

	buf_adds(out, "<form class=\"act card pad\" method=\"post\" action=\"/snow/");
	html_text(out, snow->account ? snow->account->name : "");
	buf_adds(out, "/incident/");
	html_text(out, snow_row_named(row, "sys_id"));
	buf_adds(out, "\">");
	if (over) {
		buf_adds(out, "<button name=\"state\" value=\"2\">Reopen</button></form>");
		return;
	}
	buf_adds(out, "<label>Resolution code <select name=\"close_code\">");
	add_codes(out, snow);
	buf_adds(out, "</select></label><label>Resolution notes <input name=\"close_notes\" "
		      "value=\"Looked into and dealt with\"></label>"
		      "<button class=\"main\" name=\"state\" value=\"7\">Close</button>"
		      "<button name=\"state\" value=\"6\">Resolve</button>"
		      "<button name=\"state\" value=\"8\">Cancel</button></form>");
}

bool page_act_serves(const struct request *request)
{
	return request_is(request, "POST") && request->segments == 4 &&
	       strcmp(request->segment[0], servicenow_vendor.mount) == 0 &&
	       strcmp(request->segment[2], "incident") == 0;
}

static json_t *change_of(const struct request *request)
{
	static const char *const names[] = { "state", "close_code", "close_notes" };
	json_t *body = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = request_form_field(request, names[i]);

		if (value && *value)
			json_object_set_new(body, names[i], json_string(value));
	}
	return body;
}

static void act(struct account *account, const struct request *request,
		struct response *response)
{
	struct snow *snow = servicenow_instance(account);
	struct snow_table *table = snow_table_find(&snow->tables, "incident");
	struct snow_row *row = snow_row_find(table, request->segment[3]);

	if (!snow_find_user(snow, analyst))
		snow_add_user(snow, analyst, "", "Abel Tuter", ",itil,itil_admin,admin,");
	const struct snow_call call = {
		.snow = snow,
		.user = snow_find_user(snow, analyst),
		.request = request,
		.response = response,
		.base = arena_printf(request->arena, "%s/snow/%s", request_origin(request),
				     account->name),
	};
	json_t *body = change_of(request);

	if (!row)
		response_refuse(response, 404, "no such incident");
	else if (snow_write(&call, table, row, body)) {
		response->status = 303;
		response_add_header(response, "Location", "/snow/%s/incident/%s", account->name,
				    request->segment[3]);
	}
	json_decref(body);
}

void page_act_serve(struct sandbox *sandbox, const struct request *request,
		    struct response *response)
{
	struct account *account =
	    registry_find(sandbox->registry, &servicenow_vendor, request->segment[1]);

	if (!account) {
		response_refuse(response, 404, "no such instance");
		return;
	}
	pthread_mutex_lock(&account->lock);
	act(account, request, response);
	pthread_mutex_unlock(&account->lock);
}
