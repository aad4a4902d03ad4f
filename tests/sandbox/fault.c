/*
 * fault: what is to go wrong. A fault names the calls it is for and what happens to them;
 * several latencies add up, of all other kinds the first match decides.
 */
#include "fault.h"

#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "request.h"

static const struct kind_name {
	const char *name;
	enum fault_kind kind;
} kind_names[] = {
	{ "latency", FAULT_LATENCY },
	{ "429", FAULT_THROTTLED },
	{ "5xx_before", FAULT_5XX_BEFORE },
	{ "5xx_after", FAULT_5XX_AFTER },
	{ "cut_before", FAULT_CUT_BEFORE },
	{ "cut_after", FAULT_CUT_AFTER },
	{ "cut_body", FAULT_CUT_BODY },
	{ "truncated_json", FAULT_TRUNCATED_JSON },
	{ "202", FAULT_202 },
	{ "hibernation", FAULT_HIBERNATION },
	{ "dropped_columns", FAULT_DROPPED_COLUMNS },
	{ "mandatory_column", FAULT_MANDATORY_COLUMN },
	{ "expired_password", FAULT_EXPIRED_PASSWORD },
	{ "expired_token", FAULT_EXPIRED_TOKEN },
	{ "slow_body", FAULT_SLOW_BODY },
	{ "wrong_content_type", FAULT_WRONG_CONTENT_TYPE },
	{ "reply", FAULT_REPLY },
};

struct fault {
	struct fault *next;
	uint64_t id;
	const struct kind_name *kind;
	json_t *spec; /* as given, for listing and for kind-specific parameters */
	const char *vendor, *account, *method, *path_prefix; /* into spec; NULL: any */
	bool has_path;
	regex_t path; /* against path and query */
	double probability;
	uint64_t skip;	    /* matches still to let pass */
	uint64_t left;	    /* hits still to make; UINT64_MAX: no end */
	uint64_t ends_mono; /* 0: no end */
	uint64_t hits;
	unsigned seed;
};

struct faults {
	pthread_mutex_t lock;
	struct fault *first;
	uint64_t last_id;
	atomic_bool any; /* spares the lock while there is none */
};

struct faults *faults_new(void)
{
	struct faults *faults = xcalloc(1, sizeof(*faults));

	pthread_mutex_init(&faults->lock, NULL);
	return faults;
}

static void fault_free(struct fault *fault)
{
	if (fault->has_path)
		regfree(&fault->path);
	json_decref(fault->spec);
	free(fault);
}

void faults_clear(struct faults *faults)
{
	pthread_mutex_lock(&faults->lock);
	for (struct fault *fault = faults->first, *next; fault; fault = next) {
		next = fault->next;
		fault_free(fault);
	}
	faults->first = NULL;
	faults->any = false;
	pthread_mutex_unlock(&faults->lock);
}

void faults_free(struct faults *faults)
{
	if (!faults)
		return;
	faults_clear(faults);
	pthread_mutex_destroy(&faults->lock);
	free(faults);
}

static bool known_key(const char *key)
{
	static const char *const keys[] = {
		"kind",	       "vendor",   "account",	   "method", "path",	"path_prefix",
		"probability", "count",	   "skip",	   "for_ms", "seed",	"ms",
		"jitter_ms",   "commit",   "retry_after",  "status", "columns", "column",
		"chunk_bytes", "chunk_ms", "content_type", "body",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return false;
}

static bool check_text(const json_t *spec, const char *key, const char **ret, struct err *err)
{
	json_t *value = json_object_get(spec, key);

	if (value && !json_is_string(value))
		return err_set(err, ERR_PERMANENT, "%s: must be text", key);
	*ret = json_string_value(value);
	return true;
}

static bool check_number(const json_t *spec, const char *key, uint64_t *number, struct err *err)
{
	json_t *value = json_object_get(spec, key);

	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return err_set(err, ERR_PERMANENT, "%s: must be a whole number", key);
	*number = (uint64_t)json_integer_value(value);
	return true;
}

static bool check_kind(struct fault *fault, struct err *err)
{
	const char *name = json_string_value(json_object_get(fault->spec, "kind"));
	const char *column = json_string_value(json_object_get(fault->spec, "column"));

	for (size_t i = 0; name && i < sizeof(kind_names) / sizeof(*kind_names); i++) {
		if (strcmp(kind_names[i].name, name) == 0)
			fault->kind = &kind_names[i];
	}
	if (!fault->kind)
		return err_set(err, ERR_PERMANENT, "kind: unknown or missing");
	if (fault->kind->kind == FAULT_DROPPED_COLUMNS &&
	    !json_is_array(json_object_get(fault->spec, "columns")))
		return err_set(err, ERR_PERMANENT, "columns: must be a list of names");
	if (fault->kind->kind == FAULT_MANDATORY_COLUMN && !column)
		return err_set(err, ERR_PERMANENT, "column: must be a name");
	return true;
}

static bool check_path(struct fault *fault, struct err *err)
{
	const char *pattern;

	if (!check_text(fault->spec, "path", &pattern, err))
		return false;
	if (!pattern)
		return true;
	int code = regcomp(&fault->path, pattern, REG_EXTENDED | REG_NOSUB);

	if (code != 0)
		return err_set(err, ERR_PERMANENT, "path: not an extended regular expression");
	fault->has_path = true;
	return true;
}

static bool fault_read(struct fault *fault, struct err *err)
{
	json_t *spec = fault->spec;
	json_t *probability = json_object_get(spec, "probability");
	const char *key;
	json_t *value;
	uint64_t for_ms = 0, seed = 1, unused = 0;
	const char *text;

	if (!json_is_object(spec))
		return err_set(err, ERR_PERMANENT, "a fault must be an object");
	json_object_foreach(spec, key, value)
	{
		if (!known_key(key))
			return err_set(err, ERR_PERMANENT, "%s: unknown key", key);
	}
	fault->left = UINT64_MAX;
	fault->probability = probability ? json_number_value(probability) : 1;
	bool ok = check_kind(fault, err) && check_text(spec, "vendor", &fault->vendor, err) &&
		  check_text(spec, "account", &fault->account, err) &&
		  check_text(spec, "method", &fault->method, err) &&
		  check_text(spec, "path_prefix", &fault->path_prefix, err) &&
		  check_text(spec, "content_type", &text, err) &&
		  check_text(spec, "commit", &text, err) &&
		  check_number(spec, "count", &fault->left, err) &&
		  check_number(spec, "skip", &fault->skip, err) &&
		  check_number(spec, "for_ms", &for_ms, err) &&
		  check_number(spec, "seed", &seed, err) &&
		  check_number(spec, "ms", &unused, err) &&
		  check_number(spec, "jitter_ms", &unused, err) &&
		  check_number(spec, "status", &unused, err) &&
		  check_number(spec, "chunk_bytes", &unused, err) &&
		  check_number(spec, "chunk_ms", &unused, err) && check_path(fault, err);

	if (ok && (fault->probability < 0 || fault->probability > 1))
		ok = err_set(err, ERR_PERMANENT, "probability: must be from 0 to 1");
	fault->ends_mono = for_ms ? clock_mono_ms() + for_ms : 0;
	fault->seed = (unsigned)seed;
	return ok;
}

uint64_t faults_add(struct faults *faults, const json_t *spec, struct err *err)
{
	struct fault *fault = xcalloc(1, sizeof(*fault));

	fault->spec = json_deep_copy(spec);
	if (!fault_read(fault, err)) {
		fault_free(fault);
		return 0;
	}
	pthread_mutex_lock(&faults->lock);
	struct fault **end = &faults->first;

	while (*end)
		end = &(*end)->next;
	*end = fault;
	uint64_t id = fault->id = ++faults->last_id;

	faults->any = true;
	pthread_mutex_unlock(&faults->lock);
	return id;
}

bool faults_remove(struct faults *faults, uint64_t id)
{
	bool found = false;

	pthread_mutex_lock(&faults->lock);
	for (struct fault **at = &faults->first; *at; at = &(*at)->next) {
		struct fault *fault = *at;

		if (fault->id == id) {
			*at = fault->next;
			fault_free(fault);
			found = true;
			break;
		}
	}
	faults->any = faults->first != NULL;
	pthread_mutex_unlock(&faults->lock);
	return found;
}

json_t *faults_list(struct faults *faults)
{
	json_t *list = json_array();

	pthread_mutex_lock(&faults->lock);
	for (struct fault *fault = faults->first; fault; fault = fault->next) {
		json_t *row = json_deep_copy(fault->spec);

		json_object_set_new(row, "id", json_integer((json_int_t)fault->id));
		json_object_set_new(row, "hits", json_integer((json_int_t)fault->hits));
		if (fault->left != UINT64_MAX)
			json_object_set_new(row, "left", json_integer((json_int_t)fault->left));
		json_array_append_new(list, row);
	}
	pthread_mutex_unlock(&faults->lock);
	return list;
}

static bool matches(const struct fault *fault, const char *vendor, const char *account,
		    const struct request *request)
{
	if (fault->left == 0 || (fault->ends_mono && clock_mono_ms() >= fault->ends_mono))
		return false;
	if (fault->vendor && strcmp(fault->vendor, vendor) != 0)
		return false;
	if (fault->account && strcmp(fault->account, account) != 0)
		return false;
	if (fault->method && strcmp(fault->method, request->method) != 0)
		return false;
	if (fault->path_prefix &&
	    strncmp(request->path, fault->path_prefix, strlen(fault->path_prefix)) != 0)
		return false;
	if (fault->has_path && regexec(&fault->path, request->target, 0, NULL, 0) != 0)
		return false;
	/* Only calls that carry what expires. */
	if (fault->kind->kind == FAULT_EXPIRED_TOKEN && !request_bearer(request))
		return false;
	return fault->kind->kind != FAULT_EXPIRED_PASSWORD || !request_bearer(request);
}

static uint64_t parameter(const json_t *spec, const char *key, uint64_t fallback)
{
	json_t *value = json_object_get(spec, key);

	return value ? (uint64_t)json_integer_value(value) : fallback;
}

/* A number is seconds; text is sent as it is, except "date:N", an HTTP date in N seconds. */
static void plan_retry_after(const json_t *value, char *out, size_t room)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value)) {
		snprintf(out, room, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else if (text && strncmp(text, "date:", 5) == 0) {
		time_t when = time(NULL) + atoi(text + 5);
		struct tm parts;

		gmtime_r(&when, &parts);
		strftime(out, room, "%a, %d %b %Y %H:%M:%S GMT", &parts);
	} else if (text) {
		snprintf(out, room, "%s", text);
	}
}

static void plan_delay(struct fault *fault, struct fault_plan *plan)
{
	uint64_t jitter_ms = parameter(fault->spec, "jitter_ms", 0);
	const char *commit = json_string_value(json_object_get(fault->spec, "commit"));

	plan->delay_ms += parameter(fault->spec, "ms", 0);
	if (jitter_ms)
		plan->delay_ms += (uint64_t)rand_r(&fault->seed) % (jitter_ms + 1);
	if (commit && strcmp(commit, "late") == 0)
		plan->late = true;
}

static void plan_kind(struct fault *fault, struct fault_plan *plan)
{
	const json_t *spec = fault->spec;
	const char *type = json_string_value(json_object_get(spec, "content_type"));
	const char *value = "columns";

	plan->kind = fault->kind->kind;
	plan_delay(fault, plan); /* any kind may be slow as well */
	plan->status =
	    (unsigned)parameter(spec, "status", plan->kind == FAULT_REPLY ? 200 : 500);
	plan->chunk_bytes = (unsigned)parameter(spec, "chunk_bytes", 64);
	plan->chunk_ms = (unsigned)parameter(spec, "chunk_ms", 100);
	if (plan->chunk_bytes == 0)
		plan->chunk_bytes = 1;
	if (plan->kind == FAULT_THROTTLED)
		plan_retry_after(json_object_get(spec, "retry_after"), plan->retry_after,
				 sizeof(plan->retry_after));
	plan->content_type = type ? xstrdup(type) : NULL;
	if (plan->kind == FAULT_MANDATORY_COLUMN)
		value = "column";
	else if (plan->kind == FAULT_REPLY)
		value = "body";
	plan->value = json_deep_copy(json_object_get(spec, value));
}

static void note_name(struct fault_plan *plan, const char *name)
{
	size_t used = strlen(plan->names);

	snprintf(plan->names + used, sizeof(plan->names) - used, "%s%s", used ? "," : "", name);
}

/* Counts a match; true when the fault strikes this time. */
static bool strikes(struct fault *fault)
{
	if (fault->skip > 0) {
		fault->skip--;
		return false;
	}
	if (fault->probability < 1 &&
	    (double)rand_r(&fault->seed) / ((double)RAND_MAX + 1) >= fault->probability)
		return false;
	fault->hits++;
	if (fault->left != UINT64_MAX)
		fault->left--;
	return true;
}

void faults_plan(struct faults *faults, const char *vendor, const char *account,
		 const struct request *request, struct fault_plan *ret_plan)
{
	*ret_plan = (struct fault_plan){ 0 };
	if (!faults->any)
		return;
	pthread_mutex_lock(&faults->lock);
	for (struct fault *fault = faults->first; fault; fault = fault->next) {
		bool slow = fault->kind->kind == FAULT_LATENCY;

		if (!slow && ret_plan->kind != FAULT_NONE)
			continue;
		if (!matches(fault, vendor, account, request) || !strikes(fault))
			continue;
		if (slow)
			plan_delay(fault, ret_plan);
		else
			plan_kind(fault, ret_plan);
		note_name(ret_plan, fault->kind->name);
	}
	pthread_mutex_unlock(&faults->lock);
}

void fault_plan_done(struct fault_plan *plan)
{
	free(plan->content_type);
	json_decref(plan->value);
	*plan = (struct fault_plan){ 0 };
}
