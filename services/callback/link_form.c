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
	{ VERDICT_FALSE_POSITIVE, "False positive", "The detection is wrong." },
	{ VERDICT_BENIGN, "Benign", "It happened and was meant to: a test, an admin's work." },
	{ VERDICT_TRUE_POSITIVE, "True positive",
	  "A real threat, and it has been dealt with." },
};

/* What people call it: the ticket, or our own id while there is none. */
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

/* ---- parts of the form ---- */

static void begin_form(struct buf *out, const char *action, const struct link_form *form)
{
	if (form->wrong) {
		buf_adds(out, "<p class=\"wrong\" id=\"wrong\" role=\"alert\">");
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

static void add_code(struct buf *out, const struct link_form *form, bool needed)
{
	buf_addf(out, "<label class=\"label\" for=\"code\">Code from the ticket%s</label>\n",
		 needed ? "" : " <span>(only when a host is isolated)</span>");
	buf_adds(out,
		 "<p class=\"hint\" id=\"hint\">Eight letters and digits in the work notes "
		 "of ");
	page_add(out, name_of(form->link));
	buf_addf(out,
		 ", such as K7QM-4XPT.</p>\n"
		 "<input type=\"text\" id=\"code\" name=\"code\" maxlength=\"16\" "
		 "autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" "
		 "aria-describedby=\"hint%s\"%s%s>\n",
		 form->wrong_code ? " wrong" : "",
		 form->wrong_code ? " aria-invalid=\"true\"" : "", needed ? " required" : "");
}

static void add_end(struct buf *out, const struct link *link)
{
	time_t seconds = (time_t)(link->expires_ms / 1000);
	char text[TIME_MAX];
	struct tm tm;

	strftime(text, sizeof(text), "%e %B %Y, %H:%M UTC", gmtime_r(&seconds, &tm));
	buf_adds(out, "<p class=\"foot\">This link works once, until ");
	page_add(out, text + strspn(text, " "));
	buf_adds(out, link->purpose == LINK_APPROVE
			  ? ". If it is not used, the host stays as it is.</p>\n"
			  : ". You can also resolve the ticket itself: Tocsin follows.</p>\n");
}

/* ---- the two forms ---- */

static void add_verdict(struct buf *out, const char *action, const struct link_form *form)
{
	static const char *const effects[] = {
		"the ticket in ServiceNow is resolved",
		"the incident in Threat Response and the alert at its source are closed",
		"a host that Tocsin has isolated is released and returns to its group",
	};

	page_add_paragraph(out, "Nothing has happened yet. When you send this form, Tocsin "
				"closes the incident everywhere:");
	page_add_list(out, effects, sizeof(effects) / sizeof(effects[0]));
	begin_form(out, action, form);
	add_choices(out, form->verdict);
	add_code(out, form, form->link->needs_code);
	buf_adds(out, "<button type=\"submit\">Close the incident</button>\n</form>\n");
}

static void add_approve(struct buf *out, const char *action, const struct link_form *form)
{
	static const char *const effects[] = {
		"the host of this incident is cut off from the network: its user cannot work",
		"it stays so until the ticket is closed, or an operator releases it",
	};

	page_add_paragraph(
	    out, "Nothing has happened yet. When you send this form with the right code:");
	page_add_list(out, effects, sizeof(effects) / sizeof(effects[0]));
	begin_form(out, action, form);
	add_code(out, form, true);
	buf_adds(out, "<button type=\"submit\">Isolate the host</button>\n</form>\n");
}

enum httpd_outcome link_form_answer(struct httpd_exchange *exchange, int status,
				    const struct link_form *form)
{
	bool approve = form->link->purpose == LINK_APPROVE;
	/* The public URL may have a path that we do not see: the form goes to a neighbour. */
	bool posted = strcmp(httpd_method(exchange), "POST") == 0;
	char title[TITLE_MAX];
	struct buf out;

	snprintf(title, sizeof(title),
		 approve ? "Isolate the host of incident %s?" : "Close incident %s?",
		 name_of(form->link));
	page_begin(&out, PAGE_ASK, title);
	if (approve)
		add_approve(&out, posted ? "approve" : "../approve", form);
	else
		add_verdict(&out, posted ? "verdict" : "../verdict", form);
	add_end(&out, form->link);
	return page_answer(exchange, status, &out);
}

enum httpd_outcome link_form_answer_done(struct httpd_exchange *exchange, bool repeated,
					 const struct link *link, enum closure_verdict verdict)
{
	bool approve = link->purpose == LINK_APPROVE;
	struct buf out;

	page_begin(&out, PAGE_DONE,
		   repeated ? "Your answer had arrived before" : "Your answer is stored");
	buf_adds(&out, "<p>Incident ");
	page_add(&out, name_of(link));
	buf_adds(&out, ": <b>");
	page_add(&out, approve ? "isolate the host" : label_of(verdict));
	buf_adds(&out, repeated ? "</b>. It counts once.</p>\n" : "</b>.</p>\n");
	page_add_paragraph(&out, approve
				     ? "Tocsin compares the code and isolates the host. The "
				       "work notes of the ticket tell within a few minutes "
				       "what became of it, also when the code was not right."
				     : "Tocsin closes the incident on every side. The work "
				       "notes of the ticket tell within a few minutes what "
				       "became of it.");
	buf_adds(&out, "<p class=\"foot\">There is nothing more to do: you can close this "
		       "page.</p>\n");
	return page_answer(exchange, repeated ? 200 : 202, &out);
}
