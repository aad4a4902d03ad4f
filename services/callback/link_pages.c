/* Links of mails: pages that ask, and what was answered. */
#include "link_pages.h"

#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "credentials.h"
#include "link_form.h"
#include "model/code.h"
#include "model/link.h"
#include "notice.h"
#include "page.h"
#include "problem.h"
#include "throttle.h"
#include "urlform.h"

/* A link is remembered a day longer than it is good for. */
enum { DAY_MS = 24 * 60 * 60 * 1000, RETRY_MS = 5000, CODE_PAUSE_MS = 10 * 60 * 1000 };

/* Codes that may be tried with one link; the incident service counts for itself. */
static const struct throttle_rule codes = { "codes of a link", CODE_ATTEMPTS, CODE_PAUSE_MS };
static const struct throttle_rule strangers = { "links that are none", 60, 1000 };

/* ---- is the link good? ---- */

static enum problem problem_of(enum link_fault fault)
{
	return fault == LINK_EXPIRED ? PROBLEM_LINK_EXPIRED : PROBLEM_LINK_INVALID;
}

static const char *advice_of(enum link_fault fault)
{
	switch (fault) {
	case LINK_EXPIRED:
		return "Links in mails work for a limited time. To close the incident, resolve "
		       "its "
		       "ticket in ServiceNow: Tocsin follows within minutes.";
	case LINK_FOREIGN:
		return "It was made by another Tocsin installation. Open it at the address "
		       "that the "
		       "mail names.";
	case LINK_MISUSED:
		return "It was made for something else. Open the link in the mail as it is.";
	default:
		return "It is incomplete or was changed on the way. Open the link in the mail "
		       "again, "
		       "or copy all of it: some mail programs break long lines.";
	}
}

/* Its customer must be known to this installation, and where the link says. */
static bool is_known(const struct credentials *credentials, const struct link *link)
{
	const struct credentials_customer *customer =
	    credentials_customer(credentials, link->customer);
	const char *account = customer ? customer->record->servicenow : NULL;

	return customer && customer->record->partition == link->partition &&
	       (!*link->instance || (account && strcmp(account, link->instance) == 0));
}

/* False when it was answered. */
static bool open_link(const struct app *app, struct httpd_exchange *exchange,
		      enum link_purpose purpose, const char *token, struct arena *arena,
		      struct link *ret_link)
{
	const struct link_check check = { app->installation, purpose, clock_wall_ms() };
	const char *peer = httpd_peer(exchange);
	uint64_t wait_ms;

	if (!throttle_allows(app->throttle, &strangers, peer, &wait_ms)) {
		page_answer_problem_later(exchange, PROBLEM_TOO_MANY_REQUESTS, NULL, wait_ms);
		return false;
	}

	const struct credentials *credentials = credentials_get(app->credentials);
	enum link_fault fault = link_verify(app->link_keys, &check, token, arena, ret_link);
	bool good = fault == LINK_GOOD && credentials && is_known(credentials, ret_link);

	if (fault == LINK_MALFORMED || fault == LINK_FORGED)
		(void)throttle_take(app->throttle, &strangers, peer, &wait_ms);
	if (fault != LINK_GOOD)
		page_answer_problem(exchange, problem_of(fault), advice_of(fault));
	else if (!credentials)
		page_answer_problem_later(
		    exchange, PROBLEM_UNAVAILABLE,
		    "Tocsin is starting. Open the link again in a moment.", RETRY_MS);
	else if (!good)
		page_answer_problem(exchange, PROBLEM_LINK_INVALID, advice_of(LINK_FOREIGN));
	credentials_put(app->credentials, credentials);
	return good;
}

/* ---- showing ---- */

static enum httpd_outcome show(const struct app *app, struct httpd_exchange *exchange,
			       enum link_purpose purpose, const char *prefix)
{
	if (!app->link_keys)
		return page_answer_problem(exchange, PROBLEM_NOT_FOUND, NULL);

	struct arena *arena = arena_new();
	const char *token = httpd_path(exchange) + strlen(prefix);
	const char *verdict = httpd_query(exchange, "verdict");
	struct link link;

	if (open_link(app, exchange, purpose, token, arena, &link)) {
		struct link_form form = { .link = &link, .token = token };

		if (verdict)
			(void)closure_verdict_parse(verdict, &form.verdict);
		link_form_answer(exchange, 200, &form);
	}
	arena_free(arena);
	return HTTPD_DONE;
}

enum httpd_outcome link_pages_show_verdict(struct httpd_exchange *exchange, void *app)
{
	return show(app, exchange, LINK_VERDICT, "/v1/verdict/");
}

enum httpd_outcome link_pages_show_approve(struct httpd_exchange *exchange, void *app)
{
	return show(app, exchange, LINK_APPROVE, "/v1/approve/");
}

/* ---- acting ---- */

struct act {
	struct link link;
	enum closure_verdict verdict;
};

static void end(struct commit *commit, enum commit_result result)
{
	const struct act *act = commit->state;
	struct httpd_exchange *exchange = commit->exchange;

	if (result != COMMIT_DURABLE)
		page_answer_problem_later(
		    exchange, result == COMMIT_FULL ? PROBLEM_FULL : PROBLEM_UNAVAILABLE,
		    "Tocsin could not store your answer. Wait a moment, go back and send it "
		    "again: it counts once.",
		    RETRY_MS);
	else if (commit->answers[0] == APPEND_CONFLICT)
		page_answer_problem(
		    exchange, PROBLEM_LINK_USED,
		    "A link works once, and this one has been used for another "
		    "answer. What became of it is on the ticket; change it there.");
	else
		link_form_answer_done(exchange, commit->answers[0] != APPEND_ADDED, &act->link,
				      act->verdict);
}

/* Taken once. A code that was mistaken for another ticket's may be corrected, so each code
 * counts for itself. */
static enum httpd_outcome submit(const struct app *app, struct commit *commit, struct act *act,
				 const char *token, const char *code)
{
	const struct link *link = &act->link;
	struct arena *arena = commit->arena;
	const struct closure closure = {
		.op = link->purpose == LINK_APPROVE ? CLOSURE_APPROVE : CLOSURE_VERDICT,
		.via = CLOSURE_LINK,
		.incident = link->incident,
		.customer = link->customer,
		.instance = link->instance,
		.sys_id = link->sys_id,
		.number = link->number,
		.verdict = act->verdict,
		.actor = "mail link",
		.token = token,
		.code = code,
	};
	const char *nonce =
	    arena_printf(arena, "link:%s%s%s", link->id, *code ? ":" : "", code);
	const char *value = closure_verdict_name(act->verdict);

	commit->state = act;
	commit->end = end;
	return notice_submit(app, commit, link->partition, &closure, nonce,
			     *value ? value : "approve",
			     link->expires_ms - clock_wall_ms() + DAY_MS);
}

/* NULL when it is fine, else what is wrong with it; ret_code is "" when none was typed. */
static const char *read_code(const char *typed, bool needed, char *ret_code, bool *ret_wrong)
{
	*ret_wrong = true;
	if (typed[strspn(typed, " ")] != '\0' && !code_normalize(typed, ret_code)) {
		ret_code[0] = '\0';
		return "This cannot be the code. Please compare it with the ticket.";
	}
	if (needed && !*ret_code)
		return "The code from the ticket is needed.";
	*ret_wrong = false;
	return NULL;
}

/* What the person typed and chose; false when it was answered. */
static bool read_answer(const struct app *app, struct httpd_exchange *exchange,
			const struct urlform *form, struct act *act, const char *token,
			char *ret_code)
{
	const char *typed = urlform_value(form, "code"),
		   *verdict = urlform_value(form, "verdict");
	struct link_form again = { .link = &act->link, .token = token };
	uint64_t wait_ms;
	bool needed = act->link.needs_code || act->link.purpose == LINK_APPROVE;

	ret_code[0] = '\0';
	if (act->link.purpose == LINK_VERDICT &&
	    (!verdict || !closure_verdict_parse(verdict, &act->verdict) ||
	     act->verdict == VERDICT_NONE))
		again.wrong = "Please choose one of the three.";
	again.verdict = act->verdict;
	if (!again.wrong)
		again.wrong =
		    read_code(typed ? typed : "", needed, ret_code, &again.wrong_code);
	if (again.wrong) {
		problem_count(PROBLEM_MALFORMED_BODY);
		link_form_answer(exchange, 400, &again);
		return false;
	}
	if (*ret_code && !throttle_take(app->throttle, &codes, act->link.id, &wait_ms)) {
		page_answer_problem_later(
		    exchange, PROBLEM_TOO_MANY_REQUESTS,
		    "Too many codes were tried with this link. Wait ten minutes, or close the "
		    "ticket itself.",
		    wait_ms);
		return false;
	}
	return true;
}

static enum httpd_outcome act(const struct app *app, struct httpd_exchange *exchange,
			      enum link_purpose purpose)
{
	if (!app->link_keys)
		return page_answer_problem(exchange, PROBLEM_NOT_FOUND, NULL);

	struct commit *commit = notice_new(exchange);
	struct act *act = arena_alloc(commit->arena, sizeof(*act));
	char *code = arena_alloc(commit->arena, CODE_SIZE);
	struct urlform form;
	size_t size;
	const char *body = httpd_body(exchange, &size);
	const char *token = urlform_parse(&form, body, size, commit->arena)
				? urlform_value(&form, "token")
				: NULL;

	if (!token)
		page_answer_problem(exchange, PROBLEM_MALFORMED_BODY, NULL);
	else if (open_link(app, exchange, purpose, token, commit->arena, &act->link) &&
		 read_answer(app, exchange, &form, act, token, code))
		return submit(app, commit, act, token, code);
	commit_free(commit);
	return HTTPD_DONE;
}

enum httpd_outcome link_pages_act_verdict(struct httpd_exchange *exchange, void *app)
{
	return act(app, exchange, LINK_VERDICT);
}

enum httpd_outcome link_pages_act_approve(struct httpd_exchange *exchange, void *app)
{
	return act(app, exchange, LINK_APPROVE);
}
