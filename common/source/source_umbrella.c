/*
 * Cisco Umbrella activity, Reporting v2.
 *
 * Rows are sorted by time, in no order inside a second, and have no id: an id is made of the
 * record, and equal records of one page are told apart by counting them. So a page that begins
 * in the middle of a second would count anew; each page begins where the last second of the one
 * before began, and reading a row twice costs nothing.
 *
 * The vendor refuses large offsets. A window that holds more than can be reached is halved and
 * read anew from its start. The end of the poll is fixed by its first page, so that rows which
 * arrive meanwhile move nothing.
 *
 * A poll reads up to two lists: the activity, then, if asked for, what was found out about
 * files after they had passed.
 */
#include "source/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "vendor/session.h"
#include "vendor/umbrella.h"

extern const struct source_driver source_umbrella;

enum {
	PAGE_ROWS = 1000,
	OFFSET_CEILING = 10000, /* offset and limit together stay within it */
};

/* What is collected unless the customer's file says otherwise: Command and Control,
 * Cryptomining. */
static const uint64_t default_categories[] = { 65, 150 };

enum { DEFAULT_CATEGORIES = sizeof(default_categories) / sizeof(default_categories[0]) };

/* Where a poll is: at offset in the window [from, to] of a list; end is where the poll ends. */
struct place {
	unsigned list;
	uint64_t from_ms, to_ms, end_ms;
	unsigned offset;
};

#define PLACE_FORMAT "u1:%u:%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%u"
#define PLACE_SCAN   "u1:%u:%" SCNu64 ":%" SCNu64 ":%" SCNu64 ":%u%n"

static bool read_place(const struct source_task *task, const char *token,
		       struct place *ret_place, struct err *err)
{
	int size = 0;

	if (!token) {
		uint64_t now_ms = clock_wall_ms();
		uint64_t from_ms = task->start_ms < now_ms ? task->start_ms : now_ms;

		*ret_place = (struct place){ UMBRELLA_ACTIVITY, from_ms, now_ms, now_ms, 0 };
		return true;
	}
	if (sscanf(token, PLACE_SCAN, &ret_place->list, &ret_place->from_ms, &ret_place->to_ms,
		   &ret_place->end_ms, &ret_place->offset, &size) == 5 &&
	    token[size] == '\0' && ret_place->list <= UMBRELLA_RETROSPECTIVE &&
	    ret_place->from_ms <= ret_place->to_ms && ret_place->to_ms <= ret_place->end_ms)
		return true;
	return err_set(err, ERR_PERMANENT, "the place to go on at is not understood: %.80s",
		       token);
}

/* ---- where to go on ---- */

/* The first row of the last second of a page; the page's end when that second fills the page:
 * then what is equal across two pages counts once. */
static unsigned whole_seconds(const struct umbrella_page *page)
{
	size_t first = page->count;
	uint64_t second = page->records[page->count - 1].timestamp_ms / 1000;

	while (first > 0 && page->records[first - 1].timestamp_ms / 1000 == second)
		first--;
	return (unsigned)(first > 0 ? first : page->count);
}

/* Past the ceiling is nothing that could be read: the same again in two halves. False for a
 * window that has none; then only the vendor can say whether it goes on. */
static bool halve(struct place *place)
{
	if (place->from_ms == place->to_ms)
		return false;
	place->to_ms = place->from_ms + (place->to_ms - place->from_ms) / 2;
	place->offset = 0;
	return true;
}

/* What comes after a window that is read to its end. A nearly full one is followed by one of
 * its size, any other by all of the rest. False: nothing. */
static bool next_window(struct place *place, const struct source_task *task)
{
	uint64_t width_ms = place->to_ms - place->from_ms;
	bool crowded = place->offset > OFFSET_CEILING / 2;

	if (place->to_ms < place->end_ms) {
		place->from_ms = place->to_ms + 1;
		place->to_ms = place->end_ms;
		if (crowded && place->end_ms - place->from_ms > width_ms)
			place->to_ms = place->from_ms + width_ms;
		place->offset = 0;
		return true;
	}
	if (place->list == UMBRELLA_RETROSPECTIVE || !task->settings->retrospective)
		return false;
	place->list = UMBRELLA_RETROSPECTIVE;
	place->from_ms = task->start_ms < place->end_ms ? task->start_ms : place->end_ms;
	place->offset = 0;
	return true;
}

/* Only an empty page is the end: a vendor that gives fewer rows than asked for may have more.
 */
static bool go_on(struct place *place, const struct umbrella_page *page,
		  const struct source_task *task)
{
	if (page->count == 0)
		return next_window(place, task);
	place->offset += page->count < PAGE_ROWS ? (unsigned)page->count : whole_seconds(page);
	if (place->offset > OFFSET_CEILING - PAGE_ROWS)
		halve(place);
	return true;
}

/* ---- one page ---- */

static void fill_events(const struct umbrella_page *answer, struct arena *arena,
			struct source_page *ret_page)
{
	*ret_page = (struct source_page){
		.events = arena_alloc(arena, answer->count * sizeof(*ret_page->events) + 1),
		.count = answer->count,
		.server_ms = answer->date_ms,
	};
	for (size_t i = 0; i < answer->count; i++) {
		const struct umbrella_record *record = &answer->records[i];

		ret_page->events[i] = (struct source_event){
			.id = "",
			.time_ms = record->timestamp_ms,
			.payload = record->json,
			.size = record->size,
		};
	}
}

static bool page(const struct source_task *task, const char *token, struct arena *arena,
		 struct source_page *ret_page, struct err *err)
{
	const struct customer_source *settings = task->settings;
	struct umbrella_page answer = { 0 };
	struct place place;

	if (!read_place(task, token, &place, err))
		return false;
	const struct umbrella_query query = {
		.list = (enum umbrella_list)place.list,
		.from_ms = place.from_ms,
		.to_ms = place.to_ms,
		.verdict = settings->verdict == CUSTOMER_VERDICT_ALL
			       ? NULL
			       : customer_verdict_names[settings->verdict],
		.categories =
		    settings->default_types ? default_categories : settings->event_types,
		.category_count =
		    settings->default_types ? DEFAULT_CATEGORIES : settings->event_type_count,
		.limit = PAGE_ROWS,
		.offset = place.offset,
	};

	if (!umbrella_activity(task->session, &query, arena, &answer, err))
		return false;
	fill_events(&answer, arena, ret_page);
	if (go_on(&place, &answer, task))
		ret_page->next = arena_printf(arena, PLACE_FORMAT, place.list, place.from_ms,
					      place.to_ms, place.end_ms, place.offset);
	return true;
}

const struct source_driver source_umbrella = {
	.name = "umbrella",
	.summary = "Cisco Umbrella activity, Reporting v2",
	.account = ACCOUNT_UMBRELLA,
	.page = page,
};
