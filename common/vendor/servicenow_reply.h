#ifndef VENDOR_SERVICENOW_REPLY_H
#define VENDOR_SERVICENOW_REPLY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "vendor/servicenow.h"

struct http_response;

/* What is asked for decides what a 403 or 404 means. */
enum servicenow_act {
	SERVICENOW_CREATE,
	SERVICENOW_CHANGE, /* of one record */
	SERVICENOW_READ,   /* one record */
	SERVICENOW_LIST,
};

/* A complete answer of an instance, told apart. Pure: no network, no state. */
struct servicenow_reply {
	enum servicenow_outcome outcome;
	json_t *root; /* owned; NULL unless OK */
	const json_t *result;
	char labels[256]; /* "" unless DATA_POLICY names some */
	char detail[256];
};

/* True for SERVICENOW_OK. Otherwise err is filled, ambiguous as for a write. */
bool servicenow_reply_read(struct servicenow_reply *ret_reply, enum servicenow_act act,
			   const struct http_response *response, struct err *err);
void servicenow_reply_done(struct servicenow_reply *reply); /* zeroed is fine */

/* Whether the text is the page of a sleeping instance. */
bool servicenow_reply_hibernating(const char *body, size_t size);

#endif
