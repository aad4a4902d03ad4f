/* The heap of due times. items[0] is unused, so that a place of 0 can mean "not in it". */
#include "schedule.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"

enum { FIRST_ROOM = 64 };

void schedule_init(struct schedule *schedule)
{
	*schedule = (struct schedule){ 0 };
}

void schedule_done(struct schedule *schedule)
{
	free(schedule->items);
	*schedule = (struct schedule){ 0 };
}

static void place(struct schedule *schedule, struct schedule_item *item, size_t at)
{
	schedule->items[at] = item;
	item->place = at;
}

static void sift_up(struct schedule *schedule, struct schedule_item *item, size_t at)
{
	while (at > 1 && schedule->items[at / 2]->due_ms > item->due_ms) {
		place(schedule, schedule->items[at / 2], at);
		at /= 2;
	}
	place(schedule, item, at);
}

static void sift_down(struct schedule *schedule, struct schedule_item *item, size_t at)
{
	for (;;) {
		size_t child = at * 2;

		if (child > schedule->count)
			break;
		if (child < schedule->count &&
		    schedule->items[child + 1]->due_ms < schedule->items[child]->due_ms)
			child++;
		if (schedule->items[child]->due_ms >= item->due_ms)
			break;
		place(schedule, schedule->items[child], at);
		at = child;
	}
	place(schedule, item, at);
}

static void settle(struct schedule *schedule, struct schedule_item *item, size_t at)
{
	sift_up(schedule, item, at);
	sift_down(schedule, item, item->place);
}

void schedule_put(struct schedule *schedule, struct schedule_item *item, uint64_t due_ms)
{
	item->due_ms = due_ms;
	if (item->place) {
		settle(schedule, item, item->place);
		return;
	}
	if (schedule->count + 1 >= schedule->room) {
		schedule->room = schedule->room ? schedule->room * 2 : FIRST_ROOM;
		schedule->items =
		    xrealloc(schedule->items, schedule->room * sizeof(struct schedule_item *));
	}
	schedule->count++;
	sift_up(schedule, item, schedule->count);
}

void schedule_remove(struct schedule *schedule, struct schedule_item *item)
{
	size_t at = item->place;

	if (!at)
		return;

	struct schedule_item *last = schedule->items[schedule->count];

	schedule->count--;
	item->place = 0;
	if (last != item)
		settle(schedule, last, at);
}

struct schedule_item *schedule_first(const struct schedule *schedule)
{
	return schedule->count ? schedule->items[1] : NULL;
}

uint64_t schedule_phase(const char *customer, const char *source, uint64_t interval_ms)
{
	uint64_t hash = hash_add(HASH_START, customer, strlen(customer) + 1);

	hash = hash_add(hash, source, strlen(source));
	hash ^= hash >> 32;
	return interval_ms ? hash % interval_ms : 0;
}

uint64_t schedule_next(uint64_t now_ms, uint64_t interval_ms, uint64_t phase_ms)
{
	if (!interval_ms)
		return now_ms + 1;

	uint64_t since =
	    (now_ms % interval_ms + interval_ms - phase_ms % interval_ms) % interval_ms;

	return now_ms - since + interval_ms;
}

uint64_t schedule_resume(uint64_t now_ms, uint64_t last_ms, uint64_t interval_ms,
			 uint64_t phase_ms)
{
	return last_ms > now_ms ? now_ms : schedule_next(last_ms, interval_ms, phase_ms);
}
