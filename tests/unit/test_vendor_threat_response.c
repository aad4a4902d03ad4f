#include "vendor_fake.h"

#include "vendor/threat_response.h"

#define ID    "https://intel.example:443/ctia/incident/incident-0a-1b"
#define SHORT "incident-0a-1b"

static int start(void **state)
{
	(void)state;
	fake_start(ACCOUNT_THREAT_RESPONSE, ACCOUNT_AUTH_OAUTH, 8);
	fake_json(200, "{\"access_token\":\"tok\",\"expires_in\":600}");
	fake_json(200, "{\"ctim_version\":\"1.3\"}");
	assert_true(threat_response_version(&fake.session, fake.arena, NULL, NULL));
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_end();
	return 0;
}

static void asks_for_a_token(void **state)
{
	(void)state;
	assert_string_equal(fake_asked(0)->url, "https://vendor.example/oauth2/token");
	assert_string_equal(fake_asked(0)->body, "grant_type=client_credentials");
	assert_string_equal(fake_asked(0)->content_type, "application/x-www-form-urlencoded");
	assert_string_equal(fake_asked(0)->basic_user, "client");
	assert_string_equal(fake_asked(0)->basic_password, "s3cret&=");
	assert_string_equal(fake_asked(1)->url, "https://intel.example/ctia/version");
	assert_string_equal(fake_asked(1)->bearer, "tok");
	assert_string_equal(fake_asked(1)->basic_user, "");
}

static void inspects(void **state)
{
	struct observable *observables;
	size_t count;
	struct err err = { 0 };

	(void)state;
	fake_reset();
	fake_json(
	    200,
	    "[{\"value\":\"a.example\",\"type\":\"domain\"},{\"value\":\"\",\"type\":\"ip\"},"
	    "{\"value\":\"a.example\",\"type\":\"domain\"},7,{\"value\":\"b\",\"type\":"
	    "\"hostname\"},{\"value\":\"c\",\"type\":\"user\"}]");
	assert_true(threat_response_inspect(&fake.session, "say \"a\"\n", 8, 2, fake.arena,
					    &observables, &count, &err));
	assert_int_equal(count, 2);
	assert_string_equal(observables[0].type, "domain");
	assert_string_equal(observables[1].value, "b");
	assert_string_equal(fake_asked(0)->body, "{\"content\":\"say \\\"a\\\"\\n\"}");
	assert_string_equal(fake_asked(0)->url, "https://vendor.example/iroh-inspect/inspect");
	fake_json(200, "{}");
	assert_false(threat_response_inspect(&fake.session, "x", 1, 2, fake.arena, &observables,
					     &count, &err));
	assert_false(err.ambiguous);
	fake_json(200, "[{\"value\":\"a");
	assert_false(threat_response_inspect(&fake.session, "x", 1, 2, fake.arena, &observables,
					     &count, &err));
	assert_int_equal(err.kind, ERR_TRANSIENT);
}

static const char bundle[] =
    "{\"type\":\"bundle\",\"source\":\"s\",\"external_references\":"
    "[{\"source_name\":\"x\"}],\"incidents\":[{\"id\":\"transient:a\"}],"
    "\"sightings\":[{\"id\":\"transient:b\"}]}";

static bool import(const char *answer, int status, struct threat_response_result **ret_results,
		   struct err *err)
{
	size_t count;

	fake_reset();
	fake_json(status, answer);
	*err = (struct err){ 0 };
	return threat_response_import(&fake.session, bundle, sizeof bundle - 1, "tocsin-i",
				      fake.arena, ret_results, &count, err) &&
	       count == 2;
}

#define INCIDENT                                                                               \
	"{\"id\":\"" ID "\",\"original_id\":\"transient:a\",\"type\":\"incident\",\"result\":"

static void reads_every_result_of_an_import(void **state)
{
	struct threat_response_result *results;
	struct err err;

	(void)state;
	assert_true(import("{\"results\":[" INCIDENT "\"exists\"},{\"id\":\"s\",\"type\":"
			   "\"sighting\",\"result\":\"created\"}]}",
			   200, &results, &err));
	assert_true(results[0].existed);
	assert_string_equal(results[0].id, ID);
	assert_string_equal(results[0].original_id, "transient:a");
	assert_false(results[1].existed);
	assert_string_equal(fake_asked(0)->url, "https://intel.example/ctia/bundle/import"
						"?external-key-prefixes=tocsin-i");
	assert_string_equal(fake_asked(0)->body, bundle);
}

/* 200 in all of these. */
static void an_import_with_a_failed_entity_fails(void **state)
{
	static const struct {
		const char *answer;
		enum err_kind kind;
	} rows[] = {
		{ "{\"results\":[" INCIDENT
		  "\"created\"},{\"type\":\"sighting\",\"result\":\"error\","
		  "\"error\":\"Entity validation Error\",\"msg\":\"title is invalid\"}]}",
		  ERR_PERMANENT },
		{ "{\"results\":[" INCIDENT
		  "\"created\"},{\"type\":\"sighting\",\"result\":\"error\","
		  "\"error\":{\"type\":\"store\",\"reason\":\"unavailable\"}}]}",
		  ERR_TRANSIENT },
		{ "{\"results\":[" INCIDENT "\"created\"}]}",
		  ERR_TRANSIENT }, /* one is missing */
		{ "{\"results\":[" INCIDENT "\"created\"},{\"type\":\"sighting\"}]}",
		  ERR_TRANSIENT },
		{ "{\"results\":[" INCIDENT "\"created\"},{\"type\":\"sighting\",\"result\":"
		  "\"created\"}]}",
		  ERR_TRANSIENT }, /* no id */
		{ "{\"results\":{}}", ERR_TRANSIENT },
		{ "{\"results\":[" INCIDENT "\"crea", ERR_TRANSIENT },
	};
	struct threat_response_result *results;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_false(import(rows[i].answer, 200, &results, &err));
		assert_int_equal(err.kind, rows[i].kind);
		assert_true(err.ambiguous); /* something may be stored */
	}
}

static void tells_errors_apart(void **state)
{
	static const struct {
		struct fake_answer answer;
		enum err_kind kind;
		bool ambiguous;
		const char *text;
	} rows[] = {
		{ { .status = 400,
		    .body = "{\"errors\":{\"status\":\"missing-required-key\"}}" },
		  ERR_PERMANENT,
		  false,
		  "missing-required-key" },
		{ { .status = 400,
		    .body =
			"{\"type\":\"Invalid TLP Error\",\"message\":\"Invalid document TLP "
			"white\"}" },
		  ERR_ACCOUNT,
		  false,
		  "TLP white" },
		{ { .status = 403,
		    .body = "{\"error\":\"missing_scope\",\"error_description\":\"inspect:"
			    "read\"}" },
		  ERR_ACCOUNT,
		  false,
		  "inspect:read" },
		{ { .status = 403, .body = "{\"message\":\"Missing capability\"}" },
		  ERR_ACCOUNT,
		  false,
		  "capability" },
		{ { .status = 404, .body = "<h1>HTTP ERROR: 404</h1>", .type = "text/html" },
		  ERR_ACCOUNT,
		  false,
		  "404" },
		{ { .status = 429,
		    .body = "{\"error\":\"Too Many Requests\"}",
		    .headers = "Retry-After: 5" },
		  ERR_TRANSIENT,
		  false,
		  "Too Many" },
		{ { .status = 500, .body = "{\"type\":\"unknown-exception\"}" },
		  ERR_TRANSIENT,
		  true,
		  "unknown-exception" },
		{ { .status = 200, .body = "<html>", .type = "text/html" },
		  ERR_TRANSIENT,
		  true,
		  "JSON" },
	};
	struct threat_response_result *results;
	size_t count;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fake_reset();
		fake_answer(rows[i].answer);
		assert_false(threat_response_import(&fake.session, bundle, sizeof bundle - 1,
						    "tocsin-i", fake.arena, &results, &count,
						    &err));
		assert_int_equal(err.kind, rows[i].kind);
		assert_int_equal(err.ambiguous, rows[i].ambiguous);
		assert_non_null(strstr(err.text, rows[i].text));
	}
	fake_reset();
	assert_false(threat_response_import(&fake.session, "{\"incidents\":[{}", 15, "tocsin-i",
					    fake.arena, &results, &count, &err));
	assert_int_equal(err.kind, ERR_PERMANENT);
	assert_int_equal(fake.request_count, 0);
}

static void names_incidents(void **state)
{
	(void)state;
	assert_string_equal(threat_response_short_id(ID), SHORT);
	assert_string_equal(threat_response_short_id(SHORT), SHORT);
	assert_null(threat_response_short_id("https://x/ctia/sighting/sighting-1"));
	assert_null(threat_response_short_id("incident-"));
	assert_null(threat_response_short_id("https://x/incident-1?y"));
	assert_null(threat_response_short_id(""));
}

static void reads_and_changes_an_incident(void **state)
{
	struct threat_response_incident incident;
	bool found;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200, "{\"id\":\"https://other.host/ctia/incident/" SHORT "\",\"title\":\"T\","
		       "\"status\":\"New\",\"external_ids\":[\"k\",3]}");
	assert_true(
	    threat_response_incident(&fake.session, ID, fake.arena, &found, &incident, &err));
	assert_true(found);
	assert_int_equal(incident.external_id_count, 1);
	assert_string_equal(fake_asked(0)->url, "https://intel.example/ctia/incident/" SHORT);
	fake_answer((struct fake_answer){ .status = 404, .type = "" });
	assert_true(
	    threat_response_incident(&fake.session, ID, fake.arena, &found, &incident, &err));
	assert_false(found);
	fake_json(200, "{\"id\":\"incident-other\"}");
	assert_false(
	    threat_response_incident(&fake.session, ID, fake.arena, &found, &incident, &err));
	fake_json(200, "{\"id\":\"" ID "\",\"status\":\"Closed: Other\"}");
	assert_true(
	    threat_response_set_status(&fake.session, ID, "Closed: Other", fake.arena, &err));
	assert_string_equal(fake_asked(3)->method, "POST");
	assert_string_equal(fake_asked(3)->body, "{\"status\":\"Closed: Other\"}");
	fake_json(200, "{\"id\":\"" ID "\",\"status\":\"New\"}");
	assert_false(threat_response_set_status(&fake.session, ID, "Closed", fake.arena, &err));
	assert_true(err.ambiguous);
}

static void adds_a_reference_to_those_there(void **state)
{
	const struct threat_response_reference ours = { .source_name = "ServiceNow",
							.external_id = "INC1",
							.url = "https://sn/1" };
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200, "{\"id\":\"" ID
		       "\",\"external_references\":[{\"source_name\":\"X\",\"hashes\":"
		       "[\"h\"]}]}");
	fake_json(200, "{\"id\":\"" ID "\"}");
	assert_true(threat_response_add_reference(&fake.session, ID, &ours, fake.arena, &err));
	assert_string_equal(fake_asked(1)->method, "PATCH");
	assert_string_equal(
	    fake_asked(1)->body,
	    "{\"external_references\":[{\"source_name\":\"X\",\"hashes\":[\"h\"]},"
	    "{\"source_name\":\"ServiceNow\",\"external_id\":\"INC1\",\"url\":"
	    "\"https://sn/1\"}]}");
	/* Repeated: it is there. */
	fake_reset();
	fake_json(200,
		  "{\"id\":\"" ID "\",\"external_references\":[{\"source_name\":\"ServiceNow\","
		  "\"external_id\":\"INC1\"}]}");
	assert_true(threat_response_add_reference(&fake.session, ID, &ours, fake.arena, &err));
	assert_int_equal(fake.request_count, 1);
	fake_reset();
	fake_json(404, "{}");
	assert_false(threat_response_add_reference(&fake.session, ID, &ours, fake.arena, &err));
	assert_int_equal(err.kind, ERR_PERMANENT);
}

static void closes_in_one_call(void **state)
{
	const struct threat_response_closing closing = {
		.status = "Closed: False Positive",
		.closed_ms = 1763749000123,
		.reference = { .source_name = "ServiceNow", .external_id = "INC1" },
	};
	struct threat_response_incident incident;
	bool found = false;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200, "{\"id\":\"" ID "\",\"status\":\"Open\",\"external_references\":"
		       "[{\"source_name\":\"X\"}]}");
	fake_json(200, "{\"id\":\"" ID "\",\"status\":\"Closed: False Positive\"}");
	assert_true(threat_response_close(&fake.session, ID, &closing, fake.arena, &found,
					  &incident, &err));
	assert_true(found);
	assert_string_equal(fake_asked(1)->method, "PATCH");
	assert_string_equal(
	    fake_asked(1)->body,
	    "{\"status\":\"Closed: False Positive\",\"incident_time\":"
	    "{\"closed\":\"2025-11-21T18:16:40.123Z\"},\"external_references\":["
	    "{\"source_name\":\"X\"},{\"source_name\":\"ServiceNow\","
	    "\"external_id\":\"INC1\"}]}");
	/* An analyst has closed it: their status stays, and with our reference nothing is left.
	 */
	fake_reset();
	fake_json(200, "{\"id\":\"" ID "\",\"status\":\"Closed: Merged\","
		       "\"external_references\":[{\"source_name\":\"ServiceNow\","
		       "\"external_id\":\"INC1\"}]}");
	assert_true(threat_response_close(&fake.session, ID, &closing, fake.arena, &found,
					  &incident, &err));
	assert_int_equal(fake.request_count, 1);
	assert_string_equal(incident.status, "Closed: Merged");
	/* Gone, and an answer that says nothing of it. */
	fake_reset();
	fake_json(404, "");
	assert_true(threat_response_close(&fake.session, ID, &closing, fake.arena, &found,
					  &incident, &err));
	assert_false(found);
	fake_reset();
	fake_json(200, "{\"id\":\"" ID "\",\"status\":\"Open\"}");
	fake_json(200, "{\"id\":\"" ID "\",\"status\":\"Open\"}");
	assert_false(threat_response_close(&fake.session, ID, &closing, fake.arena, &found,
					   &incident, &err));
	assert_true(err.ambiguous);
}

static void finds_what_carries_the_key(void **state)
{
	struct threat_response_incident *incidents;
	size_t count;
	struct err err;

	(void)state;
	fake_reset();
	fake_json(200,
		  "[{\"id\":\"" ID "\",\"external_ids\":[\"tocsin-i:x\"]},{\"id\":\"" ID "\","
		  "\"external_ids\":[\"tocsin-i:xy\"]},{\"id\":\"" ID "\"}]");
	assert_true(threat_response_find(&fake.session, "tocsin-i:x", fake.arena, &incidents,
					 &count, &err));
	assert_int_equal(count, 1);
	assert_string_equal(fake_asked(0)->url,
			    "https://intel.example/ctia/incident/external_id/tocsin-i%3Ax");
	fake_json(200, "[]");
	assert_true(
	    threat_response_find(&fake.session, "k", fake.arena, &incidents, &count, &err));
	assert_int_equal(count, 0);
	/* The path is ours: that it is not there is no "none found". */
	fake_json(404, "{}");
	assert_false(
	    threat_response_find(&fake.session, "k", fake.arena, &incidents, &count, &err));
	assert_int_equal(err.kind, ERR_ACCOUNT);
}

static void tells_scopes(void **state)
{
	const char *scopes;
	struct err err;

	(void)state;
	fake_reset();
	fake.session.probe = true;
	fake_json(200, "{\"access_token\":\"t\",\"scope\":\"inspect:read private-intel\"}");
	assert_true(threat_response_scopes(&fake.session, fake.arena, &scopes, &err));
	assert_string_equal(scopes, "inspect:read private-intel");
	assert_string_equal(fake_asked(0)->basic_password, "s3cret&=");
	fake_json(400, "{\"error\":\"invalid_client\"}");
	assert_false(threat_response_scopes(&fake.session, fake.arena, &scopes, &err));
	assert_int_equal(err.kind, ERR_ACCOUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_a_token), /* looks at what start() did */
		cmocka_unit_test(inspects),
		cmocka_unit_test(reads_every_result_of_an_import),
		cmocka_unit_test(an_import_with_a_failed_entity_fails),
		cmocka_unit_test(tells_errors_apart),
		cmocka_unit_test(names_incidents),
		cmocka_unit_test(reads_and_changes_an_incident),
		cmocka_unit_test(adds_a_reference_to_those_there),
		cmocka_unit_test(closes_in_one_call),
		cmocka_unit_test(finds_what_carries_the_key),
		cmocka_unit_test(tells_scopes),
	};

	return cmocka_run_group_tests(tests, start, end);
}
