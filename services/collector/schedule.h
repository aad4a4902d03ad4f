#ifndef COLLECTOR_SCHEDULE_H
#define COLLECTOR_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Who is due when: a binary min-heap whose items know their place, so that any of them can be
 * moved or taken out in O(log n). Items are embedded in what they stand for and owned by the
 * caller. Not thread-safe.
 */
struct schedule_item {
	uint64_t due_ms; /* on the caller's clock */
	size_t place;	 /* private; 0: not scheduled */
};

struct schedule {
	struct schedule_item **items;
	size_t count;
	size_t room;
};

void schedule_init(struct schedule *schedule);
void schedule_done(struct schedule *schedule); /* the items stay the caller's */

/* Schedules item, or moves it when it already is in this schedule. */
void schedule_put(struct schedule *schedule, struct schedule_item *item, uint64_t due_ms);
void schedule_remove(struct schedule *schedule, struct schedule_item *item); /* absent: fine */
/* The item that is due first; NULL when there is none. It stays in. */
struct schedule_item *schedule_first(const struct schedule *schedule);

/*
 * Polls are spread evenly without anyone agreeing on anything: a source's polls fall on the
 * instants that are its phase modulo its interval, whichever replica makes them and however
 * often that replica restarts.
 */
uint64_t schedule_phase(const char *customer, const char *source, uint64_t interval_ms);
/* The first such instant after now_ms. */
uint64_t schedule_next(uint64_t now_ms, uint64_t interval_ms, uint64_t phase_ms);
/* The first such instant after its last poll, which another replica made: not after now_ms when
 * it has passed, or when the two clocks differ so much that last_ms says nothing. */
uint64_t schedule_resume(uint64_t now_ms, uint64_t last_ms, uint64_t interval_ms,
			 uint64_t phase_ms);

#endif
