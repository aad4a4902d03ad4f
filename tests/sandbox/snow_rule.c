/*
 * snow_rule: an instance calls out. A job holds all it needs, so that no account is locked
 * while its call is under way.
 */
#include "snow_rule.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/http.h"
#include "snow.h"

enum { OUTBOUND_KEPT = 200, TEXT_MAX = 64 * 1024, CALL_MS = 10000 };

struct job {
	struct job *next;
	struct account *account;
	struct snow_rule rule;
	json_t *said;
};

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *first, **last;
	bool running, stopping;
	struct http *http;
} rules = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

/* ---- settings ---- */

bool snow_rule_configure(struct snow_rule *rule, const json_t *settings, struct err *err)
{
	static const char *const forms[] = { "none", "kit", "ancestors" };
	char *form = NULL;
	bool ok = json_is_object(settings) && setting_text(settings, "form", &form, err) &&
		  setting_text(settings, "url", &rule->url, err) &&
		  setting_text(settings, "client_id", &rule->client_id, err) &&
		  setting_text(settings, "client_secret", &rule->client_secret, err) &&
		  setting_text(settings, "instance_name", &rule->instance_name, err) &&
		  setting_text(settings, "user", &rule->user, err) &&
		  setting_bool(settings, "lost", &rule->lost, err);

	for (unsigned i = 0; ok && form && i < sizeof(forms) / sizeof(*forms); i++) {
		if (strcmp(form, forms[i]) == 0)
			rule->form = (enum snow_rule_form)i;
	}
	free(form);
	return ok;
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void snow_rule_copy(struct snow_rule *ret_rule, const struct snow_rule *rule,
		    const char *instance_name)
{
	snow_rule_done(ret_rule);
	*ret_rule = (struct snow_rule){
		.form = rule->form,
		.url = copy(rule->url),
		.client_id = copy(rule->client_id),
		.client_secret = copy(rule->client_secret),
		.instance_name = copy(instance_name),
		.user = copy(rule->user),
		.lost = rule->lost,
	};
}

void snow_rule_done(struct snow_rule *rule)
{
	free(rule->url);
	free(rule->client_id);
	free(rule->client_secret);
	free(rule->instance_name);
	free(rule->user);
	*rule = (struct snow_rule){ 0 };
}

/* ---- one call ---- */

/* The answer's status, 0 when none came; *ret_body (NULL is fine) is the caller's. */
static int post(const struct http_request *request, char **ret_body)
{
	struct http_response response = { 0 };
	struct err err = { 0 };
	int status = http_exchange(rules.http, request, &response, &err) ? response.status : 0;

	if (ret_body)
		*ret_body = status ? xstrdup(response.body) : NULL;
	http_response_done(&response);
	return status;
}

static char *access_token(const struct snow_rule *rule)
{
	struct buf url;
	char *body = NULL;

	buf_init(&url, TEXT_MAX);
	buf_addf(&url, "%s/oauth/token", rule->url);
	static const char form[] = "grant_type=client_credentials";
	const struct http_request request = {
		.method = "POST",
		.url = buf_text(&url),
		.basic_user = rule->client_id,
		.basic_password = rule->client_secret,
		.content_type = "application/x-www-form-urlencoded",
		.body = form,
		.size = sizeof(form) - 1,
		.timeout_ms = CALL_MS,
	};

	post(&request, &body);
	json_t *answer = body ? json_loads(body, 0, NULL) : NULL;
	const char *token = json_string_value(json_object_get(answer, "access_token"));
	char *result = token ? xstrdup(token) : NULL;

	json_decref(answer);
	free(body);
	buf_done(&url);
	return result;
}

static int call(const struct snow_rule *rule, const char *path, const char *body)
{
	char *token = access_token(rule);
	struct buf url;

	buf_init(&url, TEXT_MAX);
	buf_addf(&url, "%s%s", rule->url, path);
	const struct http_request request = {
		.method = "POST",
		.url = buf_text(&url),
		.bearer = token,
		.content_type = "application/json",
		.body = body,
		.size = strlen(body),
		.timeout_ms = CALL_MS,
	};
	int status = token ? post(&request, NULL) : 401;

	buf_done(&url);
	free(token);
	return status;
}

static void note(struct snow *snow, const char *path, const char *number, int status)
{
	if (json_array_size(snow->outbound) >= OUTBOUND_KEPT)
		json_array_remove(snow->outbound, 0);
	json_array_append_new(snow->outbound, json_pack("{s:s, s:s, s:i, s:I}", "path", path,
							"number", number, "status", status,
							"at_ms", (json_int_t)clock_wall_ms()));
}

/* ---- the kit's rule ---- */

static const char closed_path[] = "/v1/servicenow/closed";

static void run_job(struct job *job)
{
	char *body = json_dumps(job->said, JSON_COMPACT);
	int status = call(&job->rule, closed_path, body);

	pthread_mutex_lock(&job->account->lock);
	note(job->account->state, closed_path,
	     json_string_value(json_object_get(job->said, "number")), status);
	pthread_mutex_unlock(&job->account->lock);
	free(body);
}

static void *run(void *opaque)
{
	(void)opaque;
	pthread_mutex_lock(&rules.lock);
	for (;;) {
		while (!rules.first && !rules.stopping)
			pthread_cond_wait(&rules.more, &rules.lock);
		struct job *job = rules.first;

		if (!job)
			break;
		rules.first = job->next;
		if (!rules.first)
			rules.last = &rules.first;
		pthread_mutex_unlock(&rules.lock);
		run_job(job);
		snow_rule_done(&job->rule);
		json_decref(job->said);
		free(job);
		pthread_mutex_lock(&rules.lock);
	}
	pthread_mutex_unlock(&rules.lock);
	return NULL;
}

static void queue(struct account *account, const struct snow_rule *rule,
		  const struct snow_row *row)
{
	static const char *const columns[] = { "sys_id", "number",	   "correlation_id",
					       "state",	 "sys_updated_by", "sys_updated_on" };
	struct job *job = xcalloc(1, sizeof(*job));

	job->account = account;
	snow_rule_copy(&job->rule, rule, rule->instance_name);
	job->said =
	    json_pack("{s:s, s:s, s:s}", "instance_name", rule->instance_name, "table",
		      row->table->name, "close_code", snow_row_named(row, "close_code"));
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		json_object_set_new(job->said, columns[i],
				    json_string(snow_row_named(row, columns[i])));
	pthread_mutex_lock(&rules.lock);
	*rules.last = job;
	rules.last = &job->next;
	pthread_cond_signal(&rules.more);
	pthread_mutex_unlock(&rules.lock);
}

static bool ours(const struct snow_rule *rule, const struct snow_row *row, const char *user)
{
	const char *key = snow_row_named(row, "correlation_id");

	if (strncmp(key, "tocsin-t:", 9) == 0)
		return true;
	return strncmp(key, "tocsin-i:", 9) == 0 &&
	       (!(rule->user && strcmp(rule->user, user) == 0) ||
		strncmp(snow_row_named(row, "close_notes"), "Tocsin canary:", 14) == 0);
}

/* ---- the ancestors' rule ---- */

/* The second line of the newest work note, which is the first below ServiceNow's own header. */
static void ancestors(struct snow *snow, const struct snow_row *row)
{
	struct buf journal, path;

	buf_init(&journal, TEXT_MAX);
	buf_init(&path, TEXT_MAX);
	snow_render_journal(snow, row, "work_notes", &journal);
	const char *header_end = strchr(buf_text(&journal), '\n');
	const char *line = header_end ? header_end + 1 : "";

	buf_adds(&path, "/iroh/iroh-response/");
	buf_add(&path, line, strcspn(line, "\r\n"));
	note(snow, buf_text(&path), snow_row_named(row, "number"),
	     call(&snow->rule, buf_text(&path), "{}"));
	buf_done(&path);
	buf_done(&journal);
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), length = strlen(end);

	return size >= length && strcmp(text + size - length, end) == 0;
}

void snow_rule_run(struct account *account, struct snow *snow, const struct snow_row *row,
		   const char *from, const char *user)
{
	const struct snow_rule *rule = &snow->rule;
	const char *to = snow_row_named(row, "state");

	if (rule->form == SNOW_RULE_NONE || !rule->url || rule->lost || strcmp(from, to) == 0)
		return;
	if (rule->form == SNOW_RULE_KIT && ours(rule, row, user))
		queue(account, rule, row);
	else if (rule->form == SNOW_RULE_ANCESTORS && strcmp(to, "7") == 0 &&
		 ends_with(snow_row_named(row, "short_description"), "[SecureX]"))
		ancestors(snow, row);
}

bool snow_rules_start(struct err *err)
{
	const struct http_settings settings = { .user_agent = "ServiceNow/1.0" };

	rules.last = &rules.first;
	rules.http = http_new(&settings, err);
	if (!rules.http)
		return false;
	rules.running = pthread_create(&rules.thread, NULL, run, NULL) == 0;
	return rules.running || err_set(err, ERR_TRANSIENT, "no thread for business rules");
}

void snow_rules_stop(void)
{
	if (rules.running) {
		pthread_mutex_lock(&rules.lock);
		rules.stopping = true;
		pthread_cond_signal(&rules.more);
		pthread_mutex_unlock(&rules.lock);
		pthread_join(rules.thread, NULL);
	}
	http_free(rules.http);
}
