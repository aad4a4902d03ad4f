#ifndef VENDOR_SESSION_H
#define VENDOR_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/metric.h"
#include "bus/gate.h"

struct account;
struct http;
struct redis;
struct vault;
struct vendor_session;
struct vendor_settings;

/*
 * What every call to a vendor needs, and the gate through which every one goes: the account's
 * parking, breaker, rate budget and slots in Redis (shared by all processes), the share of this
 * process's threads, the token, the exchange, its classification, and back to the gate.
 *
 * A refusal by the gate is not an attempt: the call returns false with a transient err and
 * session.refusal says why nothing was sent and session.wait_ms when to come again. Otherwise
 * err.ambiguous says whether a write may have happened although it failed.
 *
 * An account error (401, 403, ...) parks the account before the call returns, unless the
 * session is a probe. From time to time one thread may try a parked account: it is resumed by a
 * success of the kind of call that parked it (any, after a 401).
 */
struct vendor; /* one per process: thread-safe */

struct vendor_needs {
	struct http *http;			/* borrowed, like all that follows */
	const struct vault *vault;		/* opens the accounts' secrets */
	const struct vendor_settings *settings; /* NULL: the defaults */
	unsigned threads;     /* how many threads of this process make calls */
	uint64_t deadline_ms; /* of a session without one of its own; 0: 30 s */
	/* An account was parked, resumed, its breaker opened or closed by the call of this
	 * session: log it, wake what waited for it. Called in the session's thread, before the
	 * call returns. NULL is fine. */
	void (*on_change)(const struct vendor_session *session, enum gate_change change,
			  const char *reason, void *opaque);
	void *opaque;
};

struct vendor *vendor_new(const struct vendor_needs *needs);
/* No call may be in flight. Tokens are wiped. */
void vendor_free(struct vendor *vendor);

/* Who goes first when a budget runs low. */
enum vendor_class { VENDOR_CONTAINMENT, VENDOR_OPENING, VENDOR_POLLING };

enum vendor_refusal {
	VENDOR_ATTEMPTED = 0, /* not refused */
	VENDOR_PARKED,	/* an account error or an operator stopped it: waits without ageing */
	VENDOR_BREAKER, /* calls failed in a row; single probes find out */
	VENDOR_BUDGET,	/* the account's calls per hour, or the vendor's Retry-After */
	VENDOR_SLOTS,	/* calls in flight over all processes */
	VENDOR_SHARE,	/* an eighth of this process's threads */
	VENDOR_LATE,	/* start_by passed before anything was sent */
	VENDOR_GATE,	/* Redis did not answer */
};

/* One thread's view of one account, for one call or a row of calls. Zero it, fill the first
 * part, keep it on the stack. Every call of a client overwrites the last part. */
struct vendor_session {
	struct vendor *vendor;	       /* borrowed, like the next two */
	struct redis *redis;	       /* of the calling thread */
	const struct account *account; /* of the kind that the client speaks to */
	enum vendor_class class;
	bool probe;  /* verify and the like: asks no gate, parks nothing */
	bool seated; /* the caller holds a seat, vendor_seat_take() */
	uint64_t
	    deadline_ms; /* clock_mono_ms() by which the call ends; 0: the needs' from now */
	uint64_t start_by_ms; /* likewise, nothing is sent later */

	enum vendor_refusal refusal;
	uint64_t wait_ms; /* when refused: come back after this long */
	int status;	  /* HTTP status of the last answer, 0 when there was none */
};

/*
 * A seat in the account's share of this process, for who makes several calls in a row or writes
 * an intent before one: calls of a session that is seated take none of their own. Waits for one
 * at most wait_ms, and only while few others do; false: come back in *ret_again_ms. Customers
 * who share an account get its seats in turn.
 */
bool vendor_seat_take(struct vendor *vendor, const char *account, const char *customer,
		      uint64_t wait_ms, uint64_t *ret_again_ms);
void vendor_seat_give(struct vendor *vendor, const char *account, const char *customer);

/* "parked", "breaker", ...: for logs and metrics; "attempted" for 0. */
const char *vendor_refusal_name(enum vendor_refusal refusal);

/* Stops the account for everybody until an operator resumes it; for what only a caller can see,
 * like a company that the instance does not know. */
bool vendor_park(struct vendor_session *session, const char *reason, struct err *err);

/* tocsin_vendor_calls_total{vendor,outcome}, tocsin_vendor_call_seconds{vendor}; ends with
 * NULL. Outcomes: ok, throttled, transient, ambiguous, permanent, account, stopping,
 * refused. */
extern struct metric *const vendor_metrics[];

#endif
