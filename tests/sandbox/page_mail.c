/* page_mail: what was mailed, as its readers see it. */
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/buf.h"
#include "base/clock.h"
#include "html.h"
#include "mail.h"
#include "request.h"
#include "sandbox.h"
#include "servicenow.h"
#include "snow.h"

static const char *text_of(const json_t *mail, const char *name)
{
	const char *text = json_string_value(json_object_get(mail, name));

	return text ? text : "";
}

static void add_recipients(struct buf *out, const json_t *mail)
{
	const json_t *to = json_object_get(mail, "to"), *address;
	size_t i;

	json_array_foreach(to, i, address)
	{
		if (i > 0)
			buf_adds(out, ", ");
		html_text(out, json_string_value(address) ? json_string_value(address) : "");
	}
}

static void add_row(struct buf *out, const json_t *mail, size_t number)
{
	char when[CLOCK_TEXT_SIZE];

	clock_format_plain((uint64_t)json_integer_value(json_object_get(mail, "at_ms")), when);
	buf_adds(out, "<tr><td class=\"tight\">");
	html_text(out, when);
	buf_addf(out, "</td><td class=\"title\"><a href=\"/mail/%zu\">", number);
	html_text(out, text_of(mail, "subject"));
	buf_adds(out, "</a></td><td>");
	add_recipients(out, mail);
	buf_adds(out, "</td></tr>");
}

static void list(const json_t *mails, struct buf *out)
{
	html_begin(out, "Mail", "Mail");
	buf_adds(out, "<h1>Mail</h1><p class=\"sub\">What would have been delivered, newest "
		      "first.</p><div class=\"card\"><table class=\"list\"><thead><tr><th>Time"
		      "</th><th>Subject</th><th>To</th></tr></thead><tbody>");
	for (size_t i = json_array_size(mails); i-- > 0;)
		add_row(out, json_array_get(mails, i), i);
	buf_adds(out, "</tbody></table></div>");
	if (json_array_size(mails) == 0)
		buf_adds(out, "<div class=\"card empty\">No mail yet.</div>");
	html_end(out);
}

static void one(const json_t *mail, struct buf *out)
{
	html_begin(out, text_of(mail, "subject"), "<a href=\"/mail/\">Mail</a>");
	buf_adds(out, "<h1>");
	html_text(out, text_of(mail, "subject"));
	buf_adds(out, "</h1><p class=\"sub\">From ");
	html_text(out, text_of(mail, "from"));
	buf_adds(out, " to ");
	add_recipients(out, mail);
	buf_adds(out, "</p><div class=\"card mail\"><iframe title=\"The mail as HTML\" "
		      "sandbox=\"allow-popups allow-top-navigation-by-user-activation\" "
		      "srcdoc=\"<base target=_top>");
	html_text(out, text_of(mail, "html"));
	buf_adds(out, "\"></iframe></div><h2>As plain text</h2><div class=\"card pad text\">");
	html_linked(out, text_of(mail, "text"));
	buf_adds(out, "</div>");
	html_end(out);
}

static void add_emails(struct account *account, void *opaque)
{
	json_t *all = opaque;

	if (account->vendor != &servicenow_vendor)
		return;
	pthread_mutex_lock(&account->lock);
	json_t *sent = json_deep_copy(servicenow_instance(account)->emails), *email;
	size_t i;

	pthread_mutex_unlock(&account->lock);
	json_array_foreach(sent, i, email)
	{
		json_object_set_new(email, "from",
				    json_sprintf("ServiceNow, %s", account->name));
		json_array_append(all, email);
	}
	json_decref(sent);
}

static int by_time(const void *a, const void *b)
{
	json_int_t left = json_integer_value(json_object_get(*(json_t *const *)a, "at_ms"));
	json_int_t right = json_integer_value(json_object_get(*(json_t *const *)b, "at_ms"));

	return left < right ? -1 : left > right;
}

/* Oldest first. */
static json_t *sorted(json_t *mails)
{
	size_t count = json_array_size(mails);
	json_t **rows = xcalloc(count + 1, sizeof(*rows)), *list = json_array();

	for (size_t i = 0; i < count; i++)
		rows[i] = json_array_get(mails, i);
	qsort(rows, count, sizeof(*rows), by_time);
	for (size_t i = 0; i < count; i++)
		json_array_append(list, rows[i]);
	free(rows);
	json_decref(mails);
	return list;
}

bool page_mails(struct sandbox *sandbox, const struct request *request, struct buf *out)
{
	json_t *all = sandbox->mails ? mails_list(sandbox->mails) : json_array();
	const char *number = request_segment(request, 1);

	registry_each(sandbox->registry, add_emails, all);
	all = sorted(all);
	const json_t *mail = *number ? json_array_get(all, strtoull(number, NULL, 10)) : NULL;
	bool found = !*number || mail;

	if (mail)
		one(mail, out);
	else if (found)
		list(all, out);
	json_decref(all);
	return found;
}
