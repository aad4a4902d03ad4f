/*
 * page_machines: every host of Secure Endpoint and Defender, its isolation and who asked for
 * it: what an analyst sees in the vendors' consoles, on one page.
 */
#include <pthread.h>
#include <string.h>

#include "account.h"
#include "base/buf.h"
#include "defender.h"
#include "html.h"
#include "page.h"
#include "sandbox.h"
#include "secure_endpoint.h"

enum { ROWS_MAX = 500 };

struct rows {
	struct buf *out;
	size_t shown, isolated;
};

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

/* "isolated" is what people look for; on its way there or back is work. */
static const char *state_class(const char *state)
{
	if (strcmp(state, "isolated") == 0)
		return "alert";
	return strncmp(state, "pending", 7) == 0 ? "work" : "off";
}

static void add_row(struct rows *rows, const struct account *account, const json_t *machine)
{
	const char *state = text_of(machine, "state");
	struct buf *out = rows->out;
	char words[32];
	size_t size = 0;

	for (; state[size] && size < sizeof(words) - 1; size++)
		words[size] = state[size] == '_' ? ' ' : state[size];
	words[size] = '\0';
	buf_adds(out, "<tr>");
	html_cell(out, "number tight", text_of(machine, "name"));
	buf_addf(out, "<td class=\"tight\"><span class=\"tag %s\">", state_class(state));
	html_text(out, words);
	buf_adds(out, "</span></td>");
	html_cell(out, "extra", text_of(machine, "group"));
	html_cell(out, "extra", text_of(machine, "system"));
	html_cell(out, "extra", account->name);
	html_cell(out, "tight", text_of(machine, "by"));
	html_cell(out, "extra wrap", text_of(machine, "comment"));
	buf_adds(out, "</tr>");
	rows->isolated += strcmp(state, "isolated") == 0;
}

static void add_account(struct account *account, void *opaque)
{
	struct rows *rows = opaque;
	json_t *machines = NULL, *machine;
	size_t i;

	pthread_mutex_lock(&account->lock);
	if (account->vendor == &secure_endpoint_vendor)
		machines = secure_endpoint_machines(account);
	else if (account->vendor == &defender_vendor)
		machines = defender_machines(account);
	pthread_mutex_unlock(&account->lock);
	json_array_foreach(machines, i, machine)
	{
		if (rows->shown++ < ROWS_MAX)
			add_row(rows, account, machine);
	}
	json_decref(machines);
}

void page_machines(struct sandbox *sandbox, struct buf *out)
{
	struct buf table;
	struct rows rows = { .out = &table };

	buf_init(&table, out->max);
	registry_each(sandbox->registry, add_account, &rows);
	html_begin(out, "Machines", "<a href=\"/machines\">Machines</a>");
	buf_addf(out,
		 "<h1>Machines</h1><p class=\"sub\">%zu hosts, %zu of them isolated</p><div "
		 "class=\"card\"><table class=\"list machines\"><thead><tr><th>Host</th>"
		 "<th>Isolation</th><th>Group</th><th>System</th><th>Customer</th><th>By</th>"
		 "<th>Comment</th></tr></thead><tbody>",
		 rows.shown, rows.isolated);
	buf_add(out, table.data, table.size);
	buf_adds(out, "</tbody></table>");
	if (rows.shown == 0)
		buf_adds(out, "<div class=\"empty\">No machines here.</div>");
	buf_adds(out, "</div>");
	if (rows.shown > ROWS_MAX)
		buf_addf(out, "<p class=\"sub\">and %zu more</p>", rows.shown - ROWS_MAX);
	buf_done(&table);
	html_end(out);
}
