/*
 * The vendors' clients as a program, for the integration tests: one JSON object a line in, one
 * out.
 *
 *   {"call": "servicenow.create", "account": {...}, "args": {...}, "session": {...}}
 *   {"ok", "kind", "ambiguous", "retry_after_ms", "text", "refusal", "wait_ms", "status", ...}
 *
 * Redis and the settings of vendor_options come from the environment. An account's secret is
 * given in the clear and sealed here. "repeat" makes the same call so often and adds the CPU
 * time used.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/redis.h"
#include "bus/setup.h"
#include "model/customer.h"
#include "model/vault.h"
#include "net/http.h"
#include "vendor/secure_endpoint.h"
#include "vendor/servicenow.h"
#include "vendor/session.h"
#include "vendor/settings.h"
#include "vendor/threat_response.h"

enum { LINE_MAX_BYTES = 1 << 20, COLUMNS_MAX = 64, ACCOUNTS_MAX = 64 };

static struct {
	struct vendor *vendor;
	struct redis *redis;
	struct vault *vault;
	struct account accounts[ACCOUNTS_MAX];
	size_t account_count;
	const char *change; /* what the gate told during this call */
} tool;

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static char *copy(const json_t *object, const char *name)
{
	const char *value = text(object, name);

	return value ? xstrdup(value) : NULL;
}

static void put(json_t *object, const char *name, const char *value)
{
	json_object_set_new(object, name, value ? json_string(value) : json_null());
}

/* ---- accounts ---- */

static enum account_kind kind_of(const char *name)
{
	for (int kind = ACCOUNT_SECURE_ENDPOINT; kind < ACCOUNT_SERVICENOW; kind++) {
		if (name && strcmp(name, account_kind_name((enum account_kind)kind)) == 0)
			return (enum account_kind)kind;
	}
	return ACCOUNT_SERVICENOW;
}

/* Known by id and secret: a test that changes the secret gets another account of the same id.
 */
static const struct account *account_of(const json_t *given)
{
	const char *id = text(given, "id");
	const char *secret = text(given, "secret");

	for (size_t i = 0; i < tool.account_count; i++) {
		char *known = account_unseal(&tool.accounts[i], tool.vault, NULL);
		bool same = strcmp(tool.accounts[i].id, id) == 0 && strcmp(known, secret) == 0;

		vault_wipe(known);
		if (same)
			return &tool.accounts[i];
	}
	if (tool.account_count == ACCOUNTS_MAX)
		exit(2);
	struct account *account = &tool.accounts[tool.account_count++];

	*account = (struct account){
		.id = copy(given, "id"),
		.kind = kind_of(text(given, "kind")),
		.owner = xstrdup("test"),
		.url = copy(given, "url"),
		.intel_url = copy(given, "intel_url"),
		.auth = text(given, "auth") && strcmp(text(given, "auth"), "oauth") == 0
			    ? ACCOUNT_AUTH_OAUTH
			    : ACCOUNT_AUTH_BASIC,
		.client_id = copy(given, "client_id"),
		.username = copy(given, "username"),
		.calls_per_hour =
		    (unsigned)json_integer_value(json_object_get(given, "calls_per_hour")),
		.in_flight = (unsigned)json_integer_value(json_object_get(given, "in_flight")),
	};
	if (!account_seal(account, tool.vault, secret, NULL))
		exit(2);
	return account;
}

/* ---- calls ---- */

struct call {
	struct vendor_session *session;
	const json_t *args;
	struct arena *arena;
	json_t *out;
	struct servicenow_answer answer;
	bool servicenow;
};

static void put_records(const struct call *call, const struct servicenow_record *records,
			size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *row = json_object();

		for (size_t k = 0; k < records[i].count; k++)
			put(row, records[i].values[k].name, records[i].values[k].value);
		json_array_append_new(list, row);
	}
	json_object_set_new(call->out, "records", list);
}

static size_t read_columns(const json_t *args, struct servicenow_column *ret_columns)
{
	json_t *given = json_object_get(args, "columns");
	const char *name;
	json_t *value;
	size_t count = 0;

	json_object_foreach(given, name, value)
	{
		bool journal = strcmp(name, "work_notes") == 0;
		const char *content = json_string_value(value);

		if (count == COLUMNS_MAX)
			exit(2);
		ret_columns[count++] =
		    (struct servicenow_column){ name, content,
						journal ? SERVICENOW_JOURNAL
						: servicenow_sys_id_valid(content)
						    ? SERVICENOW_REFERENCE
						    : SERVICENOW_TEXT };
	}
	return count;
}

static void put_created(const struct call *call, const struct servicenow_created *created)
{
	static const char *const names[] = { "dropped", "emptied", "changed" };
	json_t *list = json_object();

	for (size_t i = 0; i < created->mismatch_count; i++)
		put(list, created->mismatches[i].column,
		    names[created->mismatches[i].difference]);
	put(call->out, "sys_id", created->sys_id);
	put(call->out, "number", created->number);
	json_object_set_new(call->out, "mismatches", list);
}

static bool snow_create(struct call *call, struct err *err)
{
	struct servicenow_column columns[COLUMNS_MAX];
	struct servicenow_created created = { "", "", NULL, 0 };
	bool ok = servicenow_create(call->session, text(call->args, "table"), columns,
				    read_columns(call->args, columns), call->arena, &created,
				    &call->answer, err);

	put_created(call, &created);
	return ok;
}

static bool snow_patch(struct call *call, struct err *err)
{
	const struct servicenow_place place = { text(call->args, "table"),
						text(call->args, "sys_id") };
	struct servicenow_column columns[COLUMNS_MAX];
	struct servicenow_created changed = { "", "", NULL, 0 };
	bool ok =
	    servicenow_patch(call->session, &place, columns, read_columns(call->args, columns),
			     call->arena, &changed, &call->answer, err);

	put_created(call, &changed);
	return ok;
}

static bool snow_get(struct call *call, struct err *err)
{
	const struct servicenow_place place = { text(call->args, "table"),
						text(call->args, "sys_id") };
	struct servicenow_record record;
	bool found;
	bool ok = servicenow_get(call->session, &place, text(call->args, "fields"), call->arena,
				 &found, &record, &call->answer, err);

	json_object_set_new(call->out, "found", json_boolean(found));
	put_records(call, &record, found);
	return ok;
}

static bool snow_find(struct call *call, struct err *err)
{
	const struct servicenow_search search = {
		.table = text(call->args, "table"),
		.correlation_id = text(call->args, "correlation_id"),
		.prefix = json_is_true(json_object_get(call->args, "prefix")),
		.limit = 10,
	};
	struct servicenow_record *records;
	size_t count;
	bool ok = servicenow_find(call->session, &search, call->arena, &records, &count,
				  &call->answer, err);

	put_records(call, records, count);
	return ok;
}

static bool snow_note(struct call *call, struct err *err)
{
	const struct servicenow_place place = { text(call->args, "table"),
						text(call->args, "sys_id") };
	bool found;
	bool ok = servicenow_note_exists(call->session, &place, text(call->args, "marker"),
					 call->arena, &found, &call->answer, err);

	json_object_set_new(call->out, "found", json_boolean(found));
	return ok;
}

static bool snow_ci(struct call *call, struct err *err)
{
	const char *sys_id;
	bool ok = servicenow_cmdb_ci(call->session, text(call->args, "name"), call->arena,
				     &sys_id, err);

	put(call->out, "sys_id", sys_id);
	return ok;
}

static bool snow_verify(struct call *call, struct err *err)
{
	struct servicenow_record *records;
	const char **roles;
	size_t count, role_count;
	bool exists;

	if (!servicenow_exists(call->session, text(call->args, "table"),
			       text(call->args, "sys_id"), call->arena, &exists, &call->answer,
			       err) ||
	    !servicenow_choices(call->session, "incident", "close_code", call->arena, &records,
				&count, &call->answer, err) ||
	    !servicenow_roles(call->session, call->arena, &roles, &role_count, &call->answer,
			      err))
		return false;
	json_object_set_new(call->out, "exists", json_boolean(exists));
	put_records(call, records, count);
	json_t *list = json_array();
	for (size_t i = 0; i < role_count; i++)
		json_array_append_new(list, json_string(roles[i]));
	json_object_set_new(call->out, "roles", list);
	return true;
}

static bool amp_events(struct call *call, struct err *err)
{
	const struct secure_endpoint_query query = {
		.start_ms =
		    (uint64_t)json_integer_value(json_object_get(call->args, "start_ms")),
		.limit = (unsigned)json_integer_value(json_object_get(call->args, "limit")),
	};
	struct secure_endpoint_page page = { 0 };
	json_t *list = json_array();
	bool ok;

	do {
		ok = secure_endpoint_events(call->session, &query, page.next, call->arena,
					    &page, err);
		for (size_t i = 0; i < page.count; i++)
			json_array_append_new(
			    list, json_pack("{s:s, s:I, s:s%}", "id", page.events[i].id, "ms",
					    (json_int_t)page.events[i].timestamp_ms, "json",
					    page.events[i].json, page.events[i].size));
	} while (ok && page.next);
	json_object_set_new(call->out, "events", list);
	return ok;
}

static bool amp_host(struct call *call, struct err *err)
{
	static const char *const states[] = { "not_isolated", "pending_start", "isolated",
					      "pending_stop", "unknown" };
	const char *guid = text(call->args, "guid");
	const char *act = text(call->args, "act");
	const char *comment = text(call->args, "comment");
	struct secure_endpoint_isolation isolation;
	struct secure_endpoint_computer computer;
	struct vendor_session *session = call->session;
	struct arena *arena = call->arena;
	bool ok, found = false;

	if (strcmp(act, "get") == 0) {
		ok = secure_endpoint_computer(session, guid, arena, &found, &computer, err);
		json_object_set_new(call->out, "found", json_boolean(found));
		put(call->out, "hostname", found ? computer.hostname : NULL);
		put(call->out, "group", found ? computer.group_guid : NULL);
		return ok;
	}
	if (strcmp(act, "move") == 0)
		return secure_endpoint_move(session, guid, text(call->args, "group"), arena,
					    err);
	if (strcmp(act, "allowed") == 0) {
		ok = secure_endpoint_isolation_allowed(session, guid, &found, err);
		json_object_set_new(call->out, "allowed", json_boolean(found));
		return ok;
	}
	if (strcmp(act, "isolate") == 0)
		ok = secure_endpoint_isolate(session, guid, comment, arena, &isolation, err);
	else if (strcmp(act, "release") == 0)
		ok = secure_endpoint_release(session, guid, comment, arena, &isolation, err);
	else
		ok = secure_endpoint_isolation(session, guid, arena, &isolation, err);
	put(call->out, "state", states[isolation.state]);
	put(call->out, "comment", isolation.comment);
	return ok;
}

static bool amp_verify(struct call *call, struct err *err)
{
	struct secure_endpoint_event_type *types;
	struct secure_endpoint_computers computers;
	const struct secure_endpoint_computer_query query = {
		.hostname = text(call->args, "hostname"),
		.limit = 1,
	};
	struct secure_endpoint_group *groups;
	size_t type_count, group_count;
	const char *version;

	if (!secure_endpoint_version(call->session, call->arena, &version, err) ||
	    !secure_endpoint_event_types(call->session, call->arena, &types, &type_count,
					 err) ||
	    !secure_endpoint_groups(call->session, NULL, call->arena, &groups, &group_count,
				    err) ||
	    !secure_endpoint_computers(call->session, &query, call->arena, &computers, err))
		return false;
	put(call->out, "version", version);
	json_object_set_new(call->out, "types", json_integer((json_int_t)type_count));
	json_object_set_new(call->out, "groups", json_integer((json_int_t)group_count));
	json_object_set_new(call->out, "computers", json_integer((json_int_t)computers.count));
	return true;
}

static void put_incident(const struct call *call,
			 const struct threat_response_incident *incident)
{
	json_t *references = json_array();

	for (size_t i = 0; i < incident->reference_count; i++)
		json_array_append_new(references,
				      json_string(incident->references[i].external_id));
	put(call->out, "id", incident->id);
	put(call->out, "incident_status", incident->status);
	json_object_set_new(call->out, "references", references);
}

static bool tr_inspect(struct call *call, struct err *err)
{
	const char *content = text(call->args, "content");
	struct observable *observables;
	json_t *list = json_array();
	size_t count;
	bool ok = threat_response_inspect(call->session, content, strlen(content), 64,
					  call->arena, &observables, &count, err);

	for (size_t i = 0; i < count; i++)
		json_array_append_new(
		    list, json_pack("[ss]", observables[i].type, observables[i].value));
	json_object_set_new(call->out, "observables", list);
	return ok;
}

static bool tr_import(struct call *call, struct err *err)
{
	char *bundle = json_dumps(json_object_get(call->args, "bundle"), JSON_COMPACT);
	struct threat_response_result *results;
	json_t *list = json_array();
	size_t count;
	bool ok = threat_response_import(call->session, bundle, strlen(bundle),
					 text(call->args, "prefixes"), call->arena, &results,
					 &count, err);

	free(bundle);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "type",
						      results[i].type, "id", results[i].id,
						      "existed", results[i].existed));
	json_object_set_new(call->out, "results", list);
	return ok;
}

static bool tr_incident(struct call *call, struct err *err)
{
	const char *id = text(call->args, "id");
	const char *status = text(call->args, "set_status");
	const char *ticket = text(call->args, "add_reference");
	struct threat_response_incident incident;
	bool found;

	if (status && !threat_response_set_status(call->session, id, status, call->arena, err))
		return false;
	if (ticket && !threat_response_add_reference(
			  call->session, id,
			  &(struct threat_response_reference){ .source_name = "ServiceNow",
							       .external_id = ticket },
			  call->arena, err))
		return false;
	bool ok =
	    threat_response_incident(call->session, id, call->arena, &found, &incident, err);
	json_object_set_new(call->out, "found", json_boolean(found));
	if (found)
		put_incident(call, &incident);
	return ok;
}

static bool tr_find(struct call *call, struct err *err)
{
	struct threat_response_incident *incidents;
	size_t count;
	bool ok = threat_response_find(call->session, text(call->args, "external_id"),
				       call->arena, &incidents, &count, err);

	json_object_set_new(call->out, "count", json_integer((json_int_t)count));
	if (count)
		put_incident(call, &incidents[0]);
	return ok;
}

static bool tr_verify(struct call *call, struct err *err)
{
	const char *scopes, *version;

	if (!threat_response_version(call->session, call->arena, &version, err) ||
	    !threat_response_scopes(call->session, call->arena, &scopes, err))
		return false;
	put(call->out, "version", version);
	put(call->out, "scopes", scopes);
	return true;
}

static const struct {
	const char *name;
	bool (*run)(struct call *call, struct err *err);
} calls[] = {
	{ "servicenow.create", snow_create },
	{ "servicenow.patch", snow_patch },
	{ "servicenow.get", snow_get },
	{ "servicenow.find", snow_find },
	{ "servicenow.note", snow_note },
	{ "servicenow.ci", snow_ci },
	{ "servicenow.verify", snow_verify },
	{ "secure_endpoint.events", amp_events },
	{ "secure_endpoint.host", amp_host },
	{ "secure_endpoint.verify", amp_verify },
	{ "threat_response.inspect", tr_inspect },
	{ "threat_response.import", tr_import },
	{ "threat_response.incident", tr_incident },
	{ "threat_response.find", tr_find },
	{ "threat_response.verify", tr_verify },
};

static void put_end(const struct call *call, bool ok, const struct err *err)
{
	json_object_set_new(call->out, "ok", json_boolean(ok));
	put(call->out, "kind", err_kind_name(err->kind));
	json_object_set_new(call->out, "ambiguous", json_boolean(err->ambiguous));
	json_object_set_new(call->out, "retry_after_ms",
			    json_integer((json_int_t)err->retry_after_ms));
	put(call->out, "text", err->text);
	put(call->out, "refusal", vendor_refusal_name(call->session->refusal));
	json_object_set_new(call->out, "wait_ms",
			    json_integer((json_int_t)call->session->wait_ms));
	json_object_set_new(call->out, "status", json_integer(call->session->status));
	put(call->out, "change", tool.change);
	if (call->servicenow) {
		put(call->out, "outcome", servicenow_outcome_name(call->answer.outcome));
		put(call->out, "labels", call->answer.labels);
	}
}

static double cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static bool run(const char *name, struct call *call, struct err *err)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].run(call, err);
	}
	fprintf(stderr, "unknown call %s\n", name);
	exit(2);
}

static json_t *serve(const json_t *line)
{
	const json_t *given = json_object_get(line, "session");
	json_int_t deadline = json_integer_value(json_object_get(given, "deadline_ms"));
	json_int_t repeat = json_integer_value(json_object_get(line, "repeat"));
	struct vendor_session session = {
		.vendor = tool.vendor,
		.redis = tool.redis,
		.account = account_of(json_object_get(line, "account")),
		.class = VENDOR_OPENING,
		.probe = json_is_true(json_object_get(given, "probe")),
		.deadline_ms = deadline ? clock_mono_ms() + (uint64_t)deadline : 0,
	};
	struct call call = { .session = &session,
			     .args = json_object_get(line, "args"),
			     .arena = arena_new(),
			     .out = json_object(),
			     .servicenow =
				 strncmp(text(line, "call"), "servicenow.", 11) == 0 };
	struct err err = { 0 };
	double before_ms = cpu_ms();
	bool ok = run(text(line, "call"), &call, &err);

	for (json_int_t i = 1; ok && i < repeat; i++) {
		arena_reset(call.arena);
		ok = run(text(line, "call"), &call, &err);
	}
	json_object_set_new(call.out, "cpu_ms", json_real(cpu_ms() - before_ms));
	put_end(&call, ok, &err);
	arena_free(call.arena);
	return call.out;
}

static void on_change(const struct vendor_session *session, enum gate_change change,
		      const char *reason, void *opaque)
{
	static const char *const names[] = { "same", "parked", "resumed", "breaker opened",
					     "breaker closed" };

	(void)session, (void)reason, (void)opaque;
	tool.change = names[change];
}

static bool open_vault(struct err *err)
{
	char path[] = "/tmp/vendor-call-XXXXXX", id[16];
	int fd = mkstemp(path);

	if (fd < 0)
		return err_set(err, ERR_PERMANENT, "no temporary file");
	close(fd);
	unlink(path);
	bool ok = vault_keygen(path, id, err);
	tool.vault = ok ? vault_open(path, err) : NULL;
	unlink(path);
	return tool.vault != NULL;
}

static void serve_all(void)
{
	static char line[LINE_MAX_BYTES];

	while (fgets(line, sizeof line, stdin)) {
		json_t *request = json_loads(line, 0, NULL);

		if (!request) {
			fprintf(stderr, "not JSON\n");
			exit(2);
		}
		tool.change = NULL;
		json_t *answer = serve(request);
		char *out = json_dumps(answer, JSON_COMPACT);

		puts(out);
		fflush(stdout);
		free(out);
		json_decref(answer);
		json_decref(request);
	}
}

int main(void)
{
	const struct redis_settings redis = { .url = getenv("TOCSIN_REDIS_URL"),
					      .connect_timeout_ms = 2000,
					      .command_timeout_ms = 2000 };
	struct vendor_settings settings = { 0 };
	struct err err = { 0 };
	bool loaded;

	if (!conf_load(vendor_options, &settings, &err) || !open_vault(&err))
		goto failed;
	tool.redis = redis_new(&redis, "vendor-call");
	if (!setup_functions(tool.redis, &loaded, &err))
		goto failed;
	struct http *http = vendor_http_new(&settings, &err);
	if (!http)
		goto failed;
	const struct vendor_needs needs = { .http = http,
					    .vault = tool.vault,
					    .settings = &settings,
					    .threads = 8,
					    .on_change = on_change };
	tool.vendor = vendor_new(&needs);
	serve_all();
	vendor_free(tool.vendor);
	http_free(http);
	redis_free(tool.redis);
	vault_free(tool.vault);
	conf_clear(vendor_options, &settings);
	return 0;
failed:
	fprintf(stderr, "%s\n", err.text);
	return 2;
}
