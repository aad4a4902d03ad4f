/* Answers of ServiceNow and of Threat Response's import: the first two bytes choose status and
 * content type, the rest is the body. Success only with a result; every failure has a text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "net/http.h"
#include "vendor/servicenow_call.h"
#include "vendor/threat_response_call.h"

static const int statuses[] = { 200, 201, 202, 204, 302, 400, 401, 403, 404, 429, 500, 503 };

static void read_record(const struct servicenow_reply *reply)
{
	struct arena *arena = arena_new();
	struct servicenow_record record;

	servicenow_record_read(reply->result, arena, &record);
	for (size_t i = 0; i < record.count; i++) {
		if (!servicenow_record_value(&record, record.values[i].name))
			abort();
	}
	arena_free(arena);
}

static void read_import(const struct http_response *response)
{
	struct threat_response_result result;
	struct arena *arena = arena_new();
	json_t *row = body_parse(response->body, response->size);
	struct err err = { 0 };

	if (threat_response_result_read(row, arena, &result, &err) ? !*result.id : !*err.text)
		abort();
	json_decref(row);
	arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_response response = { .content_type = "", .headers = NULL };
	struct servicenow_reply reply;
	struct err err = { 0 };

	if (size < 2)
		return 0;
	response.status = statuses[data[0] % (sizeof statuses / sizeof statuses[0])];
	response.content_type = data[1] & 1 ? "text/html" : "application/json";
	response.size = size - 2;
	response.body = malloc(size - 1);
	memcpy(response.body, data + 2, size - 2);
	response.body[size - 2] = '\0';
	bool ok = servicenow_reply_read(&reply, (enum servicenow_act)(data[1] >> 1 & 3),
					&response, &err);

	if (ok != (reply.outcome == SERVICENOW_OK) || ok != (reply.result != NULL) ||
	    (!ok && (err.kind == ERR_NONE || !*err.text)))
		abort();
	if (ok)
		read_record(&reply);
	servicenow_reply_done(&reply);
	read_import(&response);
	free(response.body);
	return 0;
}
