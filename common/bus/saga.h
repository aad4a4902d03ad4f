#ifndef BUS_SAGA_H
#define BUS_SAGA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "bus/key.h"
#include "bus/settle.h"

struct arena;
struct redis;

/*
 * Incidents in Redis: a hash with the journal, a list of what is to be done (inbox), a capped
 * list of findings and one of the timeline. One worker at a time owns an incident; each time it
 * is taken its fence grows, and every write names the fence.
 *
 * The functions keep these fields of the hash themselves: state (set to "opening" when it is
 * made), fence, owner, owner_until, findings (count), severity (highest), created_ms,
 * changed_ms, previous (the incident that last held the group) and wake_ms (when the wake-up
 * that was put off last comes back). All others belong to the service, which may clear wake_ms.
 */
struct saga_keys {
	struct key incident; /* "incident:<id>" */
	struct key inbox;
	struct key timeline;
	struct key waiting; /* list: findings that the ticket has not been told of */
	struct key actions;
	struct key deferred;
};

void saga_keys_init(struct saga_keys *ret_keys, unsigned partition, const char *incident_id);

/* A limit on how many incidents are opened; beyond it one summary stands for all. */
struct group_storm {
	const char *key;	    /* whole key: when the last of them were opened */
	unsigned limit;		    /* 1 to 1,000 incidents ... */
	uint64_t per_ms;	    /* ... within so long */
	const char *group_key;	    /* of the summary, whole key */
	const char *candidate;	    /* id of the summary to make when none is open */
	const struct field *fields; /* of its hash */
	size_t field_count;
};

/* One finding on its way into an incident. */
struct group_finding {
	const char *entry_id;  /* of the findings stream */
	const char *group_key; /* "group:<customer>:<group>", whole key */
	const char *fate_key;  /* whole key; set to "incident:<id>" or "recorded"; NULL: none */
	const char *subject_key; /* whole key: the fate of the record that this is a state of;
				  * one state joins the open incident of another; NULL: none */
	const char *candidate;	 /* id of the incident to make when the group has no open one;
				  * NULL: make none, its fate is "recorded" then */
	const char *open_item;	 /* for the inbox of the new incident */
	const char *note_item;	 /* for the inbox of the one it joins; NULL: the same */
	const char *summary;	 /* for the incident's list of findings (last 200 kept) */
	unsigned severity;	 /* OCSF severity_id, 0 to 6 */
	const char *recorded;	 /* its fate when nothing is made; NULL: "recorded" */
	const struct field *fields; /* of a new incident's hash */
	size_t field_count;
	const struct group_storm *storm; /* NULL: no limit */
};

enum group_outcome {
	GROUP_NOT_OURS, /* the entry had been settled, or is another worker's */
	GROUP_OPENED,
	GROUP_JOINED,
	GROUP_ATTACHED, /* to the summary of a storm; one that opens the summary is OPENED */
	GROUP_RECORDED, /* the candidate existed already (a repeat after closing): counted
			 * there; or there was no candidate, and incident is empty */
};

struct group_answer {
	enum group_outcome outcome;
	char incident[64];
};

/* In one atomic step per chunk: joins or opens, wakes the incident, writes the fate, settles
 * the entry. from is of the findings stream; its output is the actions stream. */
bool group_claim(struct redis *redis, const struct settle_from *from,
		 const struct group_finding *findings, size_t count,
		 struct group_answer *ret_answers, struct err *err);

/* An incident in hand. Strings live in the arena given to incident_take(). */
struct incident_hold {
	bool taken;		/* false: another worker has it until busy_until_ms */
	uint64_t busy_until_ms; /* Redis's clock, as now_ms */
	uint64_t now_ms;
	uint64_t fence;
	const char *owner;	    /* as given */
	uint64_t ttl_ms;	    /* as given */
	const struct field *fields; /* the hash */
	size_t field_count;
	const char **items; /* the first of the inbox, at most 100 */
	size_t item_count;
	uint64_t writes; /* private: tells a repeated write from a new one */
};

/* owner is unique per thread (the consumer's name). Taking what one holds already renews it and
 * gives a new fence. An incident that does not exist is a hold with no fields. */
bool incident_take(struct redis *redis, const struct saga_keys *keys, const char *owner,
		   uint64_t ttl_ms, struct arena *arena, struct incident_hold *ret_hold,
		   struct err *err);

/* DROP: the group key no longer names this incident, a later finding opens a new one; TAKE: it
 * does again, if it is free. */
enum journal_group { JOURNAL_GROUP_KEEP, JOURNAL_GROUP_DROP, JOURNAL_GROUP_TAKE };

struct journal_write {
	const struct field *set; /* at most 500 */
	size_t set_count;
	const char *const *remove; /* names of fields to delete */
	size_t remove_count;
	size_t items_done;    /* taken off the front of the inbox */
	const char *timeline; /* NULL: no entry; last 200 kept */
	enum journal_group group;
	const char *group_key;	  /* needed by DROP and TAKE; else NULL */
	uint64_t previous_ttl_ms; /* DROP: a new incident of the group names this one so long */
};

/* Renews the hold. A call repeated with the same write after an error is written once. False
 * with redis_error() REDIS_STALE when the fence is no longer the newest: stop at once, have no
 * further effects. *ret_group_taken (NULL is fine): whether TAKE found it free; when it did
 * not, nothing at all was written. */
bool incident_journal(struct redis *redis, const struct saga_keys *keys,
		      struct incident_hold *hold, const struct journal_write *write,
		      bool *ret_group_taken, struct err *err);

struct incident_end {
	const struct settle_from *from; /* of the actions stream */
	const char *entry_id;		/* the wake-up in hand */
	bool again; /* wake up again after delay_ms instead of settling it */
	uint64_t delay_ms;
	bool counted;
	const char *reason;
	size_t items_left; /* of the inbox, seen and not done: they stay for the next wake-up */
};

/* Gives up ownership and settles or puts off the wake-up in the same step. *ret_released is
 * false when the inbox holds more than items_left: take it again and go on. */
bool incident_release(struct redis *redis, const struct saga_keys *keys,
		      const struct incident_hold *hold, const struct incident_end *end,
		      bool *ret_released, struct err *err);

/* A last write and the release in one step; the write may not take a group. When *ret_released
 * is false it was written all the same. Repeated after an error, nothing is done twice. */
bool incident_finish(struct redis *redis, const struct saga_keys *keys,
		     struct incident_hold *hold, const struct journal_write *write,
		     const struct incident_end *end, bool *ret_released, struct err *err);

#endif
