/* The ancestors' closing URL. */
#include "ancestor.h"

#include <string.h>

#include "access.h"
#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "credentials.h"
#include "model/closing_url.h"
#include "model/link.h"
#include "notice.h"
#include "problem.h"

enum { PART_MAX = 64 };

static const char prefix[] = "/iroh/iroh-response/respond/trigger/";

/* Two names after the prefix; which ones is the rule's own business. */
static bool path_good(const char *path)
{
	const char *module = path + sizeof(prefix) - 1;
	const char *slash = strchr(module, '/');

	return slash && slash > module && slash - module <= PART_MAX && slash[1] != '\0' &&
	       strlen(slash + 1) <= PART_MAX && !strchr(slash + 1, '/');
}

static enum httpd_outcome success(struct httpd_exchange *exchange)
{
	static const char body[] = "{\"data\":{\"status\":\"success\"}}\n";

	httpd_answer(exchange, 200, "application/json", body, sizeof(body) - 1);
	return HTTPD_DONE;
}

static void end(struct commit *commit, enum commit_result result)
{
	if (result == COMMIT_DURABLE)
		success(commit->exchange);
	else
		commit_answer(commit, result);
}

/* Ours: the value says which incident, and the signature that we said so. */
static enum httpd_outcome accept_signed(const struct app *app, struct commit *commit,
					const char *account, const struct closing_value *value)
{
	const struct link_check check = { app->installation, LINK_CLOSE, clock_wall_ms() };
	struct link link;

	if (!app->link_keys || link_verify(app->link_keys, &check, value->token, commit->arena,
					   &link) != LINK_GOOD)
		return notice_refuse(commit, PROBLEM_FORBIDDEN,
				     "The signed value is not of this installation.");
	if (strcmp(link.instance, account) != 0 || strcmp(link.sys_id, value->sys_id) != 0)
		return notice_refuse(commit, PROBLEM_FORBIDDEN,
				     "The signed value is of another ticket.");

	const struct closure closure = {
		.op = CLOSURE_CLOSED,
		.via = CLOSURE_ANCESTORS,
		.incident = link.incident,
		.customer = link.customer,
		.instance = account,
		.sys_id = link.sys_id,
		.number = link.number,
		.ctim_id = value->ctim_id,
		.token = value->token,
		.actor = "closing URL",
	};

	return notice_submit(app, commit, link.partition, &closure, NULL, NULL, 0);
}

/* The ancestors': nothing of it is proved but the instance, so the customer must be one whose
 * tickets are there. */
static enum httpd_outcome accept_old(const struct app *app, struct commit *commit,
				     const struct credentials *credentials, const char *account,
				     const struct closing_value *value)
{
	const struct credentials_customer *customer =
	    credentials_customer_named(credentials, account, value->customer_name);

	if (!customer)
		return notice_refuse(commit, PROBLEM_FORBIDDEN,
				     "The ticket is not of this instance's customers.");

	const struct closure closure = {
		.op = CLOSURE_CLOSED,
		.via = CLOSURE_ANCESTORS,
		.customer = arena_strdup(commit->arena, customer->record->id),
		.instance = account,
		.sys_id = value->sys_id,
		.ctim_id = value->ctim_id,
		.actor = "closing URL",
	};

	return notice_submit(app, commit, customer->record->partition, &closure, NULL, NULL, 0);
}

static enum httpd_outcome accept(const struct app *app, struct commit *commit,
				 const struct credentials *credentials,
				 const struct credentials_instance *instance)
{
	const char *text = httpd_query(commit->exchange, "observable_value");
	const char *account = arena_strdup(commit->arena, instance->record->id);
	struct closing_value value;
	struct err err = { 0 };

	if (!path_good(httpd_path(commit->exchange)))
		return notice_refuse(commit, PROBLEM_NOT_FOUND, NULL);
	if (!httpd_query(commit->exchange, "observable_type") || !text)
		return notice_refuse(commit, PROBLEM_MALFORMED_QUERY,
				     "observable_type and observable_value are needed");
	if (!closing_value_parse(&value, text, strlen(text), commit->arena, &err))
		return notice_refuse(commit, PROBLEM_MALFORMED_QUERY, err.text);
	commit->end = end;
	return value.token ? accept_signed(app, commit, account, &value)
			   : accept_old(app, commit, credentials, account, &value);
}

enum httpd_outcome ancestor_handle(struct httpd_exchange *exchange, void *state)
{
	const struct app *app = state;
	const struct credentials *credentials = credentials_get(app->credentials);
	struct commit *commit = notice_new(exchange);
	const struct credentials_instance *instance =
	    access_bearer(app, exchange, credentials, commit->arena);
	enum httpd_outcome outcome = instance ? accept(app, commit, credentials, instance)
					      : notice_refuse_stranger(commit, credentials);

	credentials_put(app->credentials, credentials);
	return outcome;
}
