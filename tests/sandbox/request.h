#ifndef SANDBOX_REQUEST_H
#define SANDBOX_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum {
	REQUEST_BODY_MAX = 10 * 1024 * 1024, /* ServiceNow's own limit */
	REQUEST_SEGMENTS_MAX = 16,
	REQUEST_PARAMS_MAX = 1024,
};

struct request_param {
	const char *name;
	const char *value;
};

/* One HTTP request after its body has arrived. Everything lives as long as the arena. */
struct request {
	struct arena *arena;
	const char *method;
	const char *target;			   /* as sent, "/path?query" */
	const char *path;			   /* as sent, still percent-encoded */
	const char *query;			   /* as sent, "" when there is none */
	const char *segment[REQUEST_SEGMENTS_MAX]; /* path parts, decoded */
	unsigned segments;
	struct request_param *param; /* query parameters, decoded, in their order */
	unsigned params;
	const char *authorization; /* headers: NULL when absent */
	const char *content_type;
	const char *accept;
	const char *cookie;
	const char *host;
	const char *user_agent;
	const char *method_override;
	const char *no_response_body;
	const char *organization; /* X-Umbrella-OrgId */
	const char *body;
	size_t body_size;
	bool body_too_large;	 /* body is empty then */
	size_t body_announced;	 /* bytes that came */
	uint64_t arrived_ms;	 /* wall time */
	const json_t *forgotten; /* fault dropped_columns: names to ignore; NULL for none */
	const char *demanded;	 /* fault mandatory_column: NULL for none */
	json_t *parsed;		 /* the body, when it was JSON; private */
	const char *not_json;	 /* why it is not; private */
};

/* Splits and decodes a request target; parts over the limits are dropped. */
void request_set_target(struct request *request, const char *target);

/* The first parameter of that name; NULL when there is none. */
const char *request_param(const struct request *request, const char *name);
/* A whole number parameter, or fallback when absent, malformed or above max. */
uint64_t request_param_number(const struct request *request, const char *name,
			      uint64_t fallback, uint64_t max);
/* The path part, or "" beyond the last. */
const char *request_segment(const struct request *request, unsigned index);
bool request_is(const struct request *request, const char *method);

/* Credentials of the Authorization header, in the arena. False when absent or malformed. */
bool request_basic(const struct request *request, const char **ret_user,
		   const char **ret_secret);
const char *request_bearer(const struct request *request); /* NULL when absent */

/* Parses a JSON body ahead, so that it need not be done with an account locked. */
void request_prepare(struct request *request);
void request_done(struct request *request);
/* The body as JSON: a new reference, NULL with ret_why (arena) when it is not JSON. */
json_t *request_json(const struct request *request, const char **ret_why);
/* One field of a form-encoded body; NULL when absent. */
const char *request_form_field(const struct request *request, const char *name);
/* "http://host:port" as the client wrote it, for absolute links. */
const char *request_origin(const struct request *request);

/* Decodes %XX, and + when plus is true. In the arena. */
char *request_decode(struct arena *arena, const char *text, size_t size, bool plus);

#endif
