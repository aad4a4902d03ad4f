/* The pages behind links: what they say. */
#include "link_form.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "model/link.h"
#include "page.h"

enum { TITLE_MAX = 128, TIME_MAX = 40 };

static const struct choice {
	enum closure_verdict verdict;
	const char *label;
	const char *meaning;
} choices[] = {
	{ VERDICT_FALSE_POSITIVE, "False positive",
	  "The detection is wrong: nothing bad happened." },
	{ VERDICT_BENIGN, "Benign",
	  "It did happen, and was meant to: a test, an administrator's work." },
	{ VERDICT_TRUE_POSITIVE, "True positive",
	  "A real threat, and it has been dealt with." },
};

/* "incident INC0010001", or by our own id while there is no ticket. */
static const char *name_of(const struct link *link)
{
	return *link->number ? link->number : link->incident;
}

static const char *label_of(enum closure_verdict verdict)
{
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (choices[i].verdict == verdict)
			return choices[i].label;
	}
	return "";
}

static void add_choices(struct buf *out, enum closure_verdict chosen)
{
	buf_adds(out, "<fieldset>\n<legend>What was it?</legend>\n");
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		buf_addf(out,
			 "<label class=\"choice\"><input type=\"radio\" name=\"verdict\" "
			 "value=\"%s\" required%s><span><b>",
			 closure_verdict_name(choices[i].verdict),
			 choices[i].verdict == chosen ? " checked" : "");
		page_add(out, choices[i].label);
		buf_adds(out, "</b> <span>");
		page_add(out, choices[i].meaning);
		buf_adds(out, "</span></span></label>\n");
	}
	buf_adds(out, "</fieldset>\n");
}

static void add_code(struct buf *out, const struct link *link, bool needed)
{
	buf_adds(out, "<label class=\"label\" for=\"code\">Code from the ticket");
	buf_adds(out, needed ? "" : " (only when a host is isolated)");
	buf_adds(out,
		 "</label>\n<p class=\"hint\" id=\"code-hint\">Eight letters and digits in the "
		 "work notes of ");
	page_add(out, name_of(link));
	buf_addf(out,
		 ", for example <span class=\"code\">K7QM-4XPT</span>.</p>\n"
		 "<input type=\"text\" id=\"code\" name=\"code\" maxlength=\"16\" "
		 "autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" "
		 "aria-describedby=\"code-hint\"%s>\n",
		 needed ? " required" : "");
}

static void add_end(struct buf *out, uint64_t expires_ms)
{
	time_t seconds = (time_t)(expires_ms / 1000);
	char text[TIME_MAX];
	struct tm tm;

	strftime(text, sizeof(text), "%e %B %Y, %H:%M UTC", gmtime_r(&seconds, &tm));
	buf_adds(out, "<p class=\"foot\">This link works once, until ");
	page_add(out, text + strspn(text, " "));
	buf_adds(out, ". You can also resolve the ticket in ServiceNow: Tocsin follows.</p>\n");
}

static void begin_form(struct buf *out, const char *action, const struct link_form *form)
{
	if (form->wrong) {
		buf_adds(out, "<p class=\"wrong\" role=\"alert\">");
		page_add(out, form->wrong);
		buf_adds(out, "</p>\n");
	}
	buf_addf(out,
		 "<form method=\"post\" action=\"%s\">\n<input type=\"hidden\" name=\"token\" "
		 "value=\"",
		 action);
	page_add(out, form->token);
	buf_adds(out, "\">\n");
}

static void add_verdict(struct buf *out, const char *action, const struct link_form *form)
{
	page_add_paragraph(out,
			   "Nothing has happened yet. When you send this form, Tocsin closes "
			   "the incident everywhere: it resolves the ticket in ServiceNow and "
			   "the alert at its source, and closes the incident in Threat "
			   "Response. A host that Tocsin has isolated is released and returns "
			   "to its group.");
	begin_form(out, action, form);
	add_choices(out, form->verdict);
	add_code(out, form->link, form->link->needs_code);
	buf_adds(out, "<button type=\"submit\">Close the incident</button>\n</form>\n");
}

static void add_approve(struct buf *out, const char *action, const struct link_form *form)
{
	page_add_paragraph(out,
			   "Nothing has happened yet. When you send this form with the right "
			   "code, Tocsin isolates the host of this incident from the network. "
			   "Its user cannot work until it is released, which Tocsin does when "
			   "the ticket is closed.");
	begin_form(out, action, form);
	add_code(out, form->link, true);
	buf_adds(out, "<button type=\"submit\">Isolate the host</button>\n</form>\n");
}

enum httpd_outcome link_form_answer(struct httpd_exchange *exchange, int status,
				    const struct link_form *form)
{
	bool approve = form->link->purpose == LINK_APPROVE;
	char title[TITLE_MAX];
	struct buf out;
	/* The page may be below a path of the public URL: the form goes to where it came from.
	 */
	bool shown = strcmp(httpd_method(exchange), "POST") != 0;

	snprintf(title, sizeof(title),
		 approve ? "Isolate the host of incident %s?" : "Close incident %s?",
		 name_of(form->link));
	page_begin(&out, PAGE_ASK, title);
	if (approve)
		add_approve(&out, shown ? "../approve" : "approve", form);
	else
		add_verdict(&out, shown ? "../verdict" : "verdict", form);
	add_end(&out, form->link->expires_ms);
	return page_answer(exchange, status, &out);
}

enum httpd_outcome link_form_answer_done(struct httpd_exchange *exchange, bool repeated,
					 const struct link *link, enum closure_verdict verdict)
{
	char title[TITLE_MAX];
	struct buf out;

	snprintf(title, sizeof(title), repeated ? "Already received for %s" : "Received for %s",
		 name_of(link));
	page_begin(&out, PAGE_DONE, title);
	buf_adds(&out, repeated ? "<p>This answer had arrived before, and counts once: <b>"
				: "<p>Your answer is stored: <b>");
	page_add(&out, link->purpose == LINK_APPROVE ? "isolate the host" : label_of(verdict));
	buf_adds(&out, "</b>.</p>\n");
	page_add_paragraph(&out,
			   link->purpose == LINK_APPROVE
			       ? "Tocsin checks the code and isolates the host. What became "
				 "of it is in the work notes of the ticket within a few "
				 "minutes, also when the code was not right."
			       : "Tocsin now closes the incident on every side. What became "
				 "of it is in the work notes of the ticket within a few "
				 "minutes.");
	buf_adds(
	    &out,
	    "<p class=\"foot\">There is nothing more to do: you can close this page.</p>\n");
	return page_answer(exchange, repeated ? 200 : 202, &out);
}
