#ifndef MODEL_CLOSURE_H
#define MODEL_CLOSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"

struct arena;

/*
 * One entry of the stream `closures`: what somebody says should become of an incident. Whoever
 * appends it has checked who says so; whether it is true is found out by the incident service,
 * which reads the ticket, or verifies the token again, before anything is undone.
 *
 * Strings are borrowed; an absent one is "" after decoding and may be NULL before encoding.
 */
enum closure_op {
	CLOSURE_CLOSED,	   /* the ticket seems to be over: a hint */
	CLOSURE_VERDICT,   /* close it, with a verdict or without */
	CLOSURE_APPROVE,   /* isolate: what a person was asked for */
	CLOSURE_RELEASE,   /* let hosts go: what a person was asked for, or orders */
	CLOSURE_REOPEN,	   /* the ticket seems to be open again, or a person wants it so */
	CLOSURE_MERGED,	   /* Threat Response: into another incident, which it does not name */
	CLOSURE_WRITE_OFF, /* hosts that are gone for good need not be let go any more */
};

enum closure_via {
	CLOSURE_SERVICENOW, /* callback, our form */
	CLOSURE_ANCESTORS,  /* callback, the closing URL of old */
	CLOSURE_RECONCILER,
	CLOSURE_LINK, /* of a mail; token is needed */
	CLOSURE_CLI,
	CLOSURE_THREAT_RESPONSE,
	CLOSURE_TEST, /* a ticket that the self-test has opened */
};

enum closure_verdict {
	VERDICT_NONE,
	VERDICT_FALSE_POSITIVE,
	VERDICT_BENIGN,
	VERDICT_TRUE_POSITIVE,
};

struct closure {
	enum closure_op op;
	enum closure_via via;
	const char *incident; /* 16 hex, or "": then found by key, else by sys_id */
	const char *customer; /* id, or "" */
	const char *instance; /* account of ServiceNow that the caller proved to be, or "" */
	const char *instance_name; /* as the caller said */
	const char *sys_id;	   /* 32 hex, or "" */
	const char *number;
	const char *key;     /* correlation_id as the caller said */
	const char *ctim_id; /* of Threat Response, as an ancestors' ticket names it */
	enum closure_verdict verdict;
	const char *actor; /* who, for people: "mail link", "jdoe on console" */
	const char *note;  /* their words */
	const char *token; /* of LINK: signed, verified again */
	const char *code;  /* second factor */
	bool force;	   /* WRITE_OFF: whatever the vendor says of them */
	uint64_t received_ms;
	const char *trace;
};

enum {
	CLOSURE_FIELDS = 20,
	CLOSURE_NOTE_MAX = 2000, /* bytes, as all of these */
	CLOSURE_TOKEN_MAX = 2048,
	CLOSURE_TEXT_MAX = 200,
	CLOSURE_ID_MAX = 512,
};

/* Returns how many of ret_fields[CLOSURE_FIELDS] were written. Numbers live in the arena. */
size_t closure_encode(const struct closure *closure, struct arena *arena,
		      struct field *ret_fields);
/* Permanent error naming the field that is malformed. */
bool closure_decode(struct closure *ret_closure, const struct field *fields, size_t count,
		    struct err *err);

/* As they stand in the stream: "closed", "servicenow", "false_positive" ("" for none). */
const char *closure_op_name(enum closure_op op);
const char *closure_via_name(enum closure_via via);
const char *closure_verdict_name(enum closure_verdict verdict);
bool closure_verdict_parse(const char *text, enum closure_verdict *ret_verdict);

#endif
