#ifndef BUS_KEY_H
#define BUS_KEY_H

/* Names in Redis. Every key of a customer's work starts with the tag of its partition,
 * "tocsin:{p0}:", so that all keys of one function call share a cluster slot. */
struct key {
	char text[256];
};

/* The work streams, each with the one group below, and the two that have none. */
#define STREAM_RAW	"raw"
#define STREAM_FINDINGS "findings"
#define STREAM_CLOSURES "closures" /* what is said from outside */
#define STREAM_ORDERS	"orders"   /* what operators say: the callback cannot write there */
#define STREAM_ACTIONS	"actions"
#define STREAM_DEAD	"dead"	   /* what can never succeed; no group */
#define STREAM_RECENT	"recent"   /* findings of late, to try rules on; capped; no group */
#define STREAM_ACTIVITY "activity" /* live feed, capped; no group */

#define BUS_GROUP "tocsin"

#define KEY_CUSTOMERS "tocsin:customers" /* hash, the only key of customers; untagged */
#define KEY_PROGRAMS  "tocsin:programs"	 /* hash, what operators wrote in jq; untagged */
/* Hash, what the callback service knows of them (model/callback_record.h); untagged. */
#define KEY_CALLBACK_CREDENTIALS "tocsin:callback:credentials"

/* "tocsin:{p<partition>}:" followed by fmt. A name that does not fit ends the process: every
 * part of a key is bounded where it comes in. */
void key_format(struct key *ret_key, unsigned partition, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "tocsin:account:<id>"; untagged, since customers of any partition share an account. */
void key_account(struct key *ret_key, const char *id);

/* The fate of one event, "seen:<customer>:<source>:<event id>". */
void key_fate(struct key *ret_key, unsigned partition, const char *customer, const char *source,
	      const char *event_id);

/* The part after the tag, "raw" of "tocsin:{p0}:raw"; the whole text when there is no tag. */
const char *key_kind(const char *key);

#endif
