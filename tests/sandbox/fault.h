#ifndef SANDBOX_FAULT_H
#define SANDBOX_FAULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct request;

enum fault_kind {
	FAULT_NONE,
	FAULT_LATENCY,
	FAULT_THROTTLED, /* "429" */
	FAULT_5XX_BEFORE,
	FAULT_5XX_AFTER,
	FAULT_CUT_BEFORE,
	FAULT_CUT_AFTER,
	FAULT_CUT_BODY,
	FAULT_TRUNCATED_JSON,
	FAULT_202,
	FAULT_HIBERNATION,
	FAULT_DROPPED_COLUMNS,
	FAULT_MANDATORY_COLUMN,
	FAULT_EXPIRED_PASSWORD,
	FAULT_EXPIRED_TOKEN,
	FAULT_SLOW_BODY,
	FAULT_WRONG_CONTENT_TYPE,
	FAULT_REPLY,
};

/* What the faults that match one call make of it. */
struct fault_plan {
	enum fault_kind kind; /* FAULT_NONE: nothing but perhaps a delay */
	uint64_t delay_ms;
	bool late;	      /* serve after the delay instead of before it */
	unsigned status;      /* 5XX_*, REPLY: what to answer */
	char retry_after[48]; /* THROTTLED: "" for none */
	unsigned chunk_bytes; /* SLOW_BODY */
	unsigned chunk_ms;
	char *content_type; /* WRONG_CONTENT_TYPE, REPLY; owned */
	json_t *value;	    /* DROPPED_COLUMNS, MANDATORY_COLUMN, REPLY; owned */
	char names[96];	    /* for the ledger, "latency,429"; "" for none */
};

struct faults;

struct faults *faults_new(void);
void faults_free(struct faults *faults);

/* Adds one fault from the control API; its id, 0 with err filled when it makes no sense. */
uint64_t faults_add(struct faults *faults, const json_t *spec, struct err *err);
bool faults_remove(struct faults *faults, uint64_t id);
void faults_clear(struct faults *faults);
json_t *faults_list(struct faults *faults);

/* Decides about one call and counts it. account may be "" when unknown. */
void faults_plan(struct faults *faults, const char *vendor, const char *account,
		 const struct request *request, struct fault_plan *ret_plan);
void fault_plan_done(struct fault_plan *plan);

#endif
