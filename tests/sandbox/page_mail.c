/* page_mail: what was mailed, as its readers see it. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "html.h"
#include "mail.h"
#include "request.h"

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

bool page_mails(struct mails *mails, const struct request *request, struct buf *out)
{
	json_t *all = mails_list(mails);
	const char *number = request_segment(request, 1);
	const json_t *mail = *number ? json_array_get(all, strtoull(number, NULL, 10)) : NULL;
	bool found = !*number || mail;

	if (mail)
		one(mail, out);
	else if (found)
		list(all, out);
	json_decref(all);
	return found;
}
