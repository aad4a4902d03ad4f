#ifndef BUS_CONTAINMENT_H
#define BUS_CONTAINMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/key.h"

struct arena;
struct redis;

/*
 * Who holds which host contained, in Redis: typed calls of functions_containment.lua. All keys
 * are of the customer's partition:
 *
 *   host:<customer>:<machine>         set of "<method> <incident>": who holds it
 *   host:<customer>:<machine>:record  hash: act_incident, act_until_ms (the one that acts on
 * the machine now), from, to (groups, while it is moved) ceiling:<customer> zset: incidents
 * that contained by themselves, by time freeze                            hash: "<what>" or
 * "<what>:<customer>" to "<ms> <who>" containment:hosts                 zset: "<customer>
 * <machine>" by the time it was contained containment:approvals             zset: "<customer>
 * <incident>" by the time approval expires containment:stuck                 zset: "<customer>
 * <incident>" whose release failed containment:releases:<customer>   zset: "<incident>
 * <machine>" announced or done, by time containment:confirmed:<customer>  string: releases in
 * bulk were confirmed
 */
struct host_claim {
	unsigned partition;
	const char *customer;
	const char *machine;
	const char *incident;
	const char *method;  /* "isolate" or "move_group" */
	uint64_t act_ttl_ms; /* how long an act may keep others from acting */
	bool by_itself;	     /* nobody approved: freeze and ceiling hold */
	unsigned per_hour;   /* ceiling */
	const char *from;    /* move_group: groups; NULL else */
	const char *to;
};

enum host_answer {
	HOST_GRANTED, /* it is ours to act now, and held by this incident */
	HOST_BUSY,    /* another incident acts on it: come back */
	HOST_FROZEN,
	HOST_CEILING, /* as many were contained within the hour */
	HOST_SHARED,  /* release: other incidents hold it; this one no longer does */
};

struct host_reply {
	enum host_answer answer;
	char other[64]; /* BUSY, SHARED: incident; FROZEN: who; GRANTED: the group it came from
			 */
};

/* Whether any incident holds the host, by any method. */
bool host_held(struct redis *redis, const struct host_claim *claim, bool *ret_held,
	       struct err *err);
/* Takes the hold and the right to act. Called again by the same incident, it answers the same
 * and counts once. */
bool host_hold(struct redis *redis, const struct host_claim *claim,
	       struct host_reply *ret_reply, struct err *err);
/* Takes the hold of a host that we contained already, without acting: GRANTED or BUSY. */
bool host_join(struct redis *redis, const struct host_claim *claim,
	       struct host_reply *ret_reply, struct err *err);
/* The act is over: keeps the hold, or gives it up. Called again it changes nothing. */
bool host_settle(struct redis *redis, const struct host_claim *claim, bool keep,
		 struct err *err);
/* Takes the right to undo: GRANTED, BUSY, or SHARED (then this hold is gone). host_settle()
 * with keep false ends it. */
bool host_unhold(struct redis *redis, const struct host_claim *claim,
		 struct host_reply *ret_reply, struct err *err);

/* "containment" or "closing"; "all" is both. Written in every partition. customer NULL: every
 * customer. Holds from the return on. */
bool freeze_set(struct redis *redis, unsigned partitions, const char *what,
		const char *customer, const char *who, uint64_t now_ms, struct err *err);
bool freeze_clear(struct redis *redis, unsigned partitions, const char *what,
		  const char *customer, struct err *err);
/* Whether automatic acts of this kind are stopped for the customer. */
bool freeze_read(struct redis *redis, unsigned partition, const char *what,
		 const char *customer, bool *ret_frozen, struct err *err);

/* The lists that people and metrics look at. put with time 0 takes it off. */
enum containment_list { CONTAINMENT_HOSTS, CONTAINMENT_APPROVALS, CONTAINMENT_STUCK };
bool containment_list_put(struct redis *redis, unsigned partition, enum containment_list list,
			  const char *customer, const char *what, uint64_t time_ms,
			  struct err *err);
struct containment_row {
	const char *customer;
	const char *what; /* machine or incident */
	uint64_t time_ms;
};
/* Oldest first, in the arena. */
bool containment_list_read(struct redis *redis, unsigned partition, enum containment_list list,
			   struct arena *arena, struct containment_row **ret_rows,
			   size_t *ret_count, struct err *err);

#endif
