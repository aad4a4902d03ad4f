#ifndef BUS_GATE_H
#define BUS_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct redis;

/*
 * The gate in front of a vendor account, shared by all processes through Redis: calls per hour,
 * calls in flight, a breaker after failures in a row, the vendor's Retry-After, and parking
 * when the account itself is at fault. Enter before each call, leave after it, whatever came of
 * it.
 */
enum gate_class { GATE_CONTAINMENT, GATE_OPENING, GATE_POLLING };

struct gate_limits {
	unsigned calls_per_hour; /* 0: no budget */
	unsigned burst; /* most calls at once after a pause, within the hour's; 0: an eighth */
	unsigned in_flight;	    /* 0: no limit */
	uint64_t slot_ttl_ms;	    /* a caller that died gives its slot back after this */
	unsigned breaker_failures;  /* in a row; 0: 5 */
	uint64_t breaker_min_ms;    /* 0: 30 s; doubled each time up to the maximum */
	uint64_t breaker_max_ms;    /* 0: 300 s */
	uint64_t probe_interval_ms; /* 0: 60 s; one caller each may try a parked account */
};

enum gate_answer {
	GATE_ENTERED,
	GATE_PROBE,  /* entered, and what comes of it decides for all: leave with it */
	GATE_BUDGET, /* the hour's calls are used up for this class; wait_ms */
	GATE_BUSY,   /* all slots are taken; wait_ms is a guess */
	GATE_PAUSED, /* the vendor said when to come back; wait_ms */
	GATE_BROKEN, /* breaker open; wait_ms */
	GATE_PARKED, /* until a probe works or an operator resumes it; wait_ms: the next
			   probe */
};

struct gate_pass {
	enum gate_answer answer;
	uint64_t wait_ms;
	/* Entered, and there is neither budget nor limit nor trouble: this process need not ask
	 * again, nor leave after a success, for so long. */
	uint64_t valid_ms;
	char token[48];	  /* slot; for gate_leave() */
	char reason[200]; /* PARKED */
};

/* id of the account; the key is "tocsin:account:<id>". */
bool gate_enter(struct redis *redis, const char *id, enum gate_class class,
		const struct gate_limits *limits, struct gate_pass *ret_pass, struct err *err);

enum gate_outcome {
	GATE_OK,
	GATE_TRANSIENT, /* counts towards the breaker */
	GATE_FAULT,	/* 401, 403, data policy, quota: parks it */
	GATE_NEUTRAL,	/* the call was never made, or its failure is an event's own */
};

enum gate_change {
	GATE_SAME,
	GATE_NEWLY_PARKED, /* log the one alarm now */
	GATE_RESUMED,	   /* log it, and wake what waits: deferred_wake_account() */
	GATE_BREAKER_OPENED,
	GATE_BREAKER_CLOSED,
};

/* What came of a call. */
struct gate_result {
	enum gate_outcome outcome;
	uint64_t retry_after_ms; /* the vendor's, 0 for none */
	const char *reason;	 /* for people, when it parks; never a secret; NULL is fine */
};

bool gate_leave(struct redis *redis, const char *id, const struct gate_limits *limits,
		const struct gate_pass *pass, const struct gate_result *result,
		enum gate_change *ret_change, struct err *err);

/* By operators, and when an answer parks an account outside a call. Answers whether that
 * changed anything. */
bool gate_park(struct redis *redis, const char *id, const char *reason, bool *ret_changed,
	       struct err *err);
bool gate_resume(struct redis *redis, const char *id, bool *ret_changed, struct err *err);

/* What people want to see of an account. */
struct gate_state {
	bool known; /* anything at all is stored */
	bool parked;
	char reason[200];
	uint64_t parked_ms; /* since (wall) */
	uint64_t probe_ms; /* when one call may try whether it works again; parked or breaker */
	uint64_t breaker_until_ms, paused_until_ms;
	unsigned failures; /* in a row */
	unsigned in_flight;
	double tokens;	    /* calls left in the bucket */
	uint64_t canary_ms; /* when a canary came back last, or went first; ServiceNow only */
};

bool gate_read(struct redis *redis, const char *id, struct gate_state *ret_state,
	       struct err *err);

#endif
