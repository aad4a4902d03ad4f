#ifndef MODEL_CUSTOMER_CLOSING_H
#define MODEL_CUSTOMER_CLOSING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/closure.h"

struct form;
struct json_t;

/*
 * The section `closing` of a customer's file: which end of a ticket closes an incident, what it
 * does to hosts that the incident holds, and how a ticket is resolved that was closed from
 * elsewhere. docs/customer-files.md says the same for people.
 */

/* What the end of a ticket does. */
enum closing_effect {
	CLOSING_RELEASE, /* closes and lets hosts go */
	CLOSING_ASK,	 /* closes, and asks before hosts are let go */
	CLOSING_KEEP,	 /* closes; hosts stay as they are */
	CLOSING_IGNORE,	 /* is no closing */
	CLOSING_SURVIVOR /* closes; hosts are held for the ticket that took its place */
};

/* What a close code of the instance says, instead of the ticket's state. */
struct closing_code {
	char *code;
	bool has_effect;
	enum closing_effect effect;
	enum closure_verdict verdict;
};

/* How we resolve a ticket; NULL: chosen from what the instance has, and our own words. */
struct closing_template {
	char *close_code;
	char *close_notes;
};

enum { CLOSING_VERDICTS = VERDICT_TRUE_POSITIVE + 1 };

struct customer_closing {
	uint64_t grace_ms;
	enum closing_effect resolved, closed, cancelled;
	struct closing_code *codes;
	size_t code_count;
	struct closing_template templates[CLOSING_VERDICTS]; /* by verdict */
	bool report;					     /* last work note */
	bool defender;					     /* resolve the alerts there */
	bool threat_response; /* an analyst's closing there counts */
	unsigned bulk; /* releases in ten minutes; beyond, a person confirms: once for all */
};

void customer_closing_init(struct customer_closing *ret_closing);
void customer_closing_done(struct customer_closing *closing);
/* file: the whole customer; without the section the defaults. */
bool customer_closing_read(struct customer_closing *closing, const struct form *file,
			   struct err *err);
/* The section; what is as by default is left out. To be released. */
struct json_t *customer_closing_write(const struct customer_closing *closing);

/* The row of this close code, without regard to case; NULL when there is none. */
const struct closing_code *customer_closing_code(const struct customer_closing *closing,
						 const char *code);
const char *closing_effect_name(enum closing_effect effect); /* "release" ... */

#endif
