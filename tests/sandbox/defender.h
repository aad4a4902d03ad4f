#ifndef SANDBOX_DEFENDER_H
#define SANDBOX_DEFENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "token.h"

struct account;
struct err;
struct request;
struct response;

extern const struct vendor defender_vendor;

/* Calls of one fixed window. */
struct defender_rate {
	uint64_t limit, window_ms, started_ms, used;
};

/* One tenant with its one application: the inside of defender.c and defender_alerts.c. */
struct defender_state {
	char *tenant_id;
	char *client_id;
	char *client_secret;
	bool secret_expired;
	bool licensed;	 /* else there is no Defender to ask for */
	bool next_links; /* pages end with a link, and are page_max long at most */
	uint64_t page_max;
	json_t *roles;
	uint64_t token_ms;
	struct tokens tokens;
	struct defender_rate minute, hour;
	json_t *alerts; /* in the order in which they came */
	json_t *by_id;	/* the same by id */
	uint64_t changes;
	json_t *machines;      /* "isolation" is the sandbox's own member */
	json_t *actions;       /* newest first */
	uint64_t action_ms;    /* how long one takes */
	uint64_t fail_actions; /* so many of the next end as Failed */
};

void defender_error(struct response *response, unsigned status, const char *code,
		    const char *message);

/* Adds an alert, or changes the one of the same id: members given replace those there, and
 * lastUpdateTime becomes now unless it is one of them (null: it has none). */
bool defender_put_alert(struct defender_state *state, const json_t *alert, struct err *err);

void defender_serve_alerts(struct defender_state *state, const struct request *request,
			   struct response *response);
void defender_serve_alert(struct defender_state *state, const struct request *request,
			  struct response *response);

/* Machines and machine actions: defender_machines.c. */
bool defender_configure_machines(struct defender_state *state, const json_t *settings,
				 struct err *err);
json_t *defender_dump_machines(struct defender_state *state);
/* Rows {name, state, system, by, comment} for the page; the account is locked. */
json_t *defender_machines(struct account *account);
void defender_serve_machines(struct defender_state *state, const struct request *request,
			     struct response *response);

#endif
