/* The mail's words: the same facts as plain text and as HTML that mail programs can show. */
#include "digest.h"

#include <stdbool.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

enum { MAIL_MAX = 1024 * 1024, TIME_SIZE = 16 /* "2026-11-21 18:16" */ };

static const char *take(struct buf *buf, struct arena *arena)
{
	const char *text = arena_strdup(arena, buf_text(buf));

	buf_done(buf);
	return text;
}

/* The one customer of all lines, or NULL when there are several. */
static const char *one_customer(const struct digest *digest)
{
	for (size_t i = 1; i < digest->count; i++) {
		if (strcmp(digest->lines[i].customer, digest->lines[0].customer) != 0)
			return NULL;
	}
	return digest->lines[0].customer;
}

static size_t approvals(const struct digest *digest)
{
	size_t count = 0;

	for (size_t i = 0; i < digest->count; i++)
		count += digest->lines[i].approve_url != NULL;
	return count;
}

static void add_headline(struct buf *out, const struct digest *digest)
{
	const char *customer = one_customer(digest);
	size_t waiting = approvals(digest);

	if (waiting > 0)
		buf_addf(out, "%zu %s approval, ", waiting,
			 waiting == 1 ? "waits for" : "wait for");
	buf_addf(out, "%zu new %s", digest->count,
		 digest->count == 1 ? "incident" : "incidents");
	if (customer)
		buf_addf(out, " at %s", customer);
}

const char *digest_subject(const struct digest *digest, struct arena *arena)
{
	struct buf out;

	buf_init(&out, 400);
	buf_addf(&out, "[Tocsin] ");
	add_headline(&out, digest);
	if (digest->count == 1 && digest->lines[0].number)
		buf_addf(&out, ": %s, %s", digest->lines[0].number, digest->lines[0].severity);
	return take(&out, arena);
}

static void add_time(struct buf *out, uint64_t ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format_plain(ms, text);
	text[TIME_SIZE] = '\0';
	buf_addf(out, "%s UTC", text);
}

/* ---- plain text ---- */

static void add_text_line(struct buf *out, const struct digest_line *line, bool name)
{
	buf_addf(out, "%s  %s", line->number ? line->number : "(no ticket)", line->severity);
	if (name)
		buf_addf(out, "  %s", line->customer);
	buf_adds(out, "  ");
	add_time(out, line->since_ms);
	if (line->findings > 1)
		buf_addf(out, "  %llu findings", (unsigned long long)line->findings);
	if (line->state)
		buf_addf(out, "  %s", line->state);
	buf_adds(out, "\n");
	if (line->title)
		buf_addf(out, "  %s\n", line->title);
	if (line->url)
		buf_addf(out, "  Ticket:          %s\n", line->url);
	if (line->approve_url)
		buf_addf(out,
			 "  Approve the isolation of its host (code in the ticket):\n"
			 "                   %s\n",
			 line->approve_url);
	if (line->verdict_url)
		buf_addf(out, "  Close it:        %s\n", line->verdict_url);
	buf_adds(out, "\n");
}

static const char footer[] =
    "Links open a page that says what will happen, and asks. What contains a host or lets "
    "it go needs the code from the ticket.";

const char *digest_text(const struct digest *digest, struct arena *arena)
{
	struct buf out;

	buf_init(&out, MAIL_MAX);
	add_headline(&out, digest);
	buf_adds(&out, "\n\n");
	for (size_t i = 0; i < digest->count; i++)
		add_text_line(&out, &digest->lines[i], !one_customer(digest));
	buf_addf(&out, "-- \n%s\nTocsin %s\n", footer, digest->installation);
	return take(&out, arena);
}

/* ---- HTML: tables and inline styles, as mail programs want it ---- */

static void add_html(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			buf_adds(out, "&amp;");
		else if (*text == '<')
			buf_adds(out, "&lt;");
		else if (*text == '>')
			buf_adds(out, "&gt;");
		else if (*text == '"')
			buf_adds(out, "&quot;");
		else
			buf_add(out, text, 1);
	}
}

static void add_link(struct buf *out, const char *url, const char *words, const char *style)
{
	buf_adds(out, "<a href=\"");
	add_html(out, url);
	buf_addf(out, "\" style=\"%s\">%s</a>", style, words);
}

/* Readable on white and on black: mail programs invert what they like. */
static const char *severity_colour(const char *severity)
{
	if (strcmp(severity, "Critical") == 0 || strcmp(severity, "Fatal") == 0)
		return "#b3261e";
	if (strcmp(severity, "High") == 0)
		return "#b45309";
	return "#475569";
}

#define CELL  "padding:12px 0;border-top:1px solid #d5dae1"
#define QUIET "color:#64748b;font-size:13px"
#define LINK  "color:#0b5cad"
#define PRESS                                                                                  \
	"display:inline-block;background:#0b5cad;color:#ffffff;text-decoration:none;"          \
	"padding:8px 14px;border-radius:4px;font-weight:600"

static void add_html_links(struct buf *out, const struct digest_line *line)
{
	if (line->approve_url) {
		buf_adds(out, "<p style=\"margin:10px 0 4px\">");
		add_link(out, line->approve_url, "Approve isolation&hellip;", PRESS);
		buf_adds(out,
			 " <span style=\"" QUIET "\">needs the code in the ticket</span></p>");
	}
	if (line->false_positive_url) {
		buf_adds(out, "<p style=\"margin:8px 0 0\">Close as ");
		add_link(out, line->false_positive_url, "false positive", LINK);
		buf_adds(out, " &middot; ");
		add_link(out, line->benign_url, "benign", LINK);
		buf_adds(out, " &middot; ");
		add_link(out, line->true_positive_url, "true positive", LINK);
		buf_adds(out, "</p>");
	}
}

static void add_html_line(struct buf *out, const struct digest_line *line, bool name)
{
	buf_adds(out, "<tr><td style=\"" CELL "\"><div style=\"font-size:16px\">");
	if (line->number && line->url)
		add_link(out, line->url, line->number, LINK ";font-weight:600");
	else
		buf_addf(out, "<strong>%s</strong>", line->number ? line->number : "No ticket");
	buf_addf(out, " &nbsp;<strong style=\"color:%s\">%s</strong>",
		 severity_colour(line->severity), line->severity);
	if (name) {
		buf_adds(out, " &nbsp;");
		add_html(out, line->customer);
	}
	buf_adds(out, "</div>");
	if (line->title) {
		buf_adds(out, "<div>");
		add_html(out, line->title);
		buf_adds(out, "</div>");
	}
	buf_adds(out, "<div style=\"" QUIET "\">");
	add_time(out, line->since_ms);
	if (line->findings > 1)
		buf_addf(out, " &middot; %llu findings", (unsigned long long)line->findings);
	if (line->state)
		buf_addf(out, " &middot; %s", line->state);
	buf_adds(out, "</div>");
	add_html_links(out, line);
	buf_adds(out, "</td></tr>\n");
}

const char *digest_html(const struct digest *digest, struct arena *arena)
{
	struct buf out;

	buf_init(&out, MAIL_MAX);
	buf_adds(&out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		       "<meta name=\"viewport\" content=\"width=device-width\"></head>\n"
		       "<body style=\"margin:0;padding:16px;font:15px/1.5 Arial,Helvetica,"
		       "sans-serif\">\n<table role=\"presentation\" width=\"100%\" "
		       "style=\"max-width:640px;border-collapse:collapse\">\n"
		       "<tr><td style=\"padding:0 0 12px;font-size:18px;font-weight:600\">");
	struct buf head;

	buf_init(&head, 400);
	add_headline(&head, digest);
	add_html(&out, buf_text(&head));
	buf_done(&head);
	buf_adds(&out, "</td></tr>\n");
	for (size_t i = 0; i < digest->count; i++)
		add_html_line(&out, &digest->lines[i], !one_customer(digest));
	buf_addf(&out,
		 "<tr><td style=\"" CELL ";" QUIET "\">%s<br>Tocsin %s</td></tr>\n"
		 "</table></body></html>\n",
		 footer, digest->installation);
	return take(&out, arena);
}
