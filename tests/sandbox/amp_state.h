#ifndef SANDBOX_AMP_STATE_H
#define SANDBOX_AMP_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index.h"

struct err;

/* One event, its JSON text made once: pages are put together from texts. */
struct amp_event {
	int64_t timestamp;
	int64_t type;
	uint64_t visible_ms;
	json_t *object;
	char *text;
	size_t size;
};

enum isolation { NOT_ISOLATED, PENDING_START, ISOLATED, PENDING_STOP };

struct amp_computer {
	json_t *object; /* without isolation */
	const char *guid;
	bool gone;	/* no longer known */
	bool available; /* policy and operating system allow isolation */
	enum isolation isolation;
	uint64_t due_ms; /* monotonic end of a pending state */
	char *comment;
	char *unlock_code;
	char *isolated_by; /* who asked for it; NULL: nobody */
};

/* One customer. */
struct amp_state {
	char *client_id;
	char *api_key;
	struct amp_event **event; /* oldest first; inside a second last recorded first */
	size_t events, event_room;
	struct amp_computer **computer;
	size_t computers;
	struct index by_guid; /* computers */
	json_t *groups;	      /* list of {guid, name, description, source} */
	uint64_t rate_limit, rate_window_ms, rate_used, rate_started_ms; /* monotonic */
	bool unfiltered;	    /* every event, whatever dates and types are asked for */
	bool docs_headers;	    /* X-Rate-Limit-* instead of x-ratelimit-* */
	bool read_only;		    /* the API client may not isolate or move */
	uint64_t start_ms, stop_ms; /* how long isolation takes to start and to stop */
};

bool amp_add_event(struct amp_state *state, const json_t *object, struct err *err);
bool amp_check_event(const json_t *object, struct err *err);
struct amp_computer *amp_add_computer(struct amp_state *state, const json_t *object,
				      struct err *err);
void amp_computer_free(struct amp_computer *computer);
/* Moves a pending isolation on when its time has come. */
void amp_computer_settle(struct amp_state *state, struct amp_computer *computer);
/* The computer as the API shows it; new reference. */
json_t *amp_computer_json(struct amp_state *state, struct amp_computer *computer,
			  const char *origin);
json_t *amp_isolation_json(const struct amp_computer *computer);
const char *amp_isolation_name(enum isolation isolation);

#endif
