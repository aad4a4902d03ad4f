#ifndef SOURCE_CURSOR_H
#define SOURCE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "source/lateness.h"

struct arena;
struct customer;
struct customer_source;
struct key;
struct redis;

/*
 * How far a source has been read and how it is doing: the hash
 * `tocsin:{pN}:cursor:<customer>:<source>`, which status displays read too. Times are wall
 * milliseconds, 0 when it never happened. How old the newest answer is, is now - last_ok_ms;
 * high_water_ms is an event's time and stands still while a quiet customer has no events.
 */
#define CURSOR_COUNTER "events_seen"

enum { CURSOR_FIELDS = 20 };

struct cursor {
	uint64_t high_water_ms; /* newest event time of polls that succeeded as a whole */
	uint64_t read_from_ms;	/* from when on it was read: where the first poll began */
	uint64_t last_poll_ms;	/* start of the last poll, whatever came of it */
	uint64_t last_ok_ms;	/* start of the last poll that succeeded */
	uint64_t next_due_ms;	/* not before this, across restarts: the vendor may have said so
				 */
	uint64_t polls;
	uint64_t failures;	  /* in a row */
	uint64_t events_seen;	  /* new ones */
	struct lateness lateness; /* of new events, catching up left out */
	uint64_t look_back_ms;	  /* of the last poll: as configured, or grown with lateness */
	uint64_t wide_ms;	/* start of the last poll that looked back as far as allowed */
	uint64_t last_error_ms; /* kept after success: failures says whether it is over */
	const char *last_error;

	/* A poll that broke off after durable pages goes on where it was, so that a catch-up
	 * longer than the vendor's hourly quota comes to an end. */
	uint64_t resume_start_ms;
	uint64_t resume_newest_ms;
	uint64_t resume_server_ms;
	const char *resume; /* page token of the driver; "" when there is nothing to resume */
	const char *resume_for; /* fingerprint of the settings that it was made with */
};

void cursor_key(struct key *ret_key, const struct customer *customer,
		const struct customer_source *source);
/* One that is not there reads as never polled. Texts are in arena. */
bool cursor_load(struct redis *redis, const struct key *key, struct arena *arena,
		 struct cursor *ret_cursor, struct err *err);

/* Fields that are missing or malformed read as 0: the worst that follows is a longer look
 * back. Texts are copied into arena. */
void cursor_decode(struct cursor *ret_cursor, const struct field *fields, size_t count,
		   struct arena *arena);
/* Returns how many fields were written to ret_fields[CURSOR_FIELDS]; texts made on the way are
 * in arena. */
size_t cursor_encode(const struct cursor *cursor, struct arena *arena,
		     struct field *ret_fields);

/* What lateness asks for, within most_ms: twice what 99 of 100 events keep, so that it grows
 * until they are all within. Never less than configured. */
uint64_t cursor_look_back_ms(const struct cursor *cursor, uint64_t configured_ms,
			     uint64_t most_ms);

/* Where the next poll starts: look_back_ms before the high-water mark, or first_look_back_ms
 * before now for a source never read before. */
uint64_t cursor_start_ms(const struct cursor *cursor, uint64_t now_ms, uint64_t look_back_ms,
			 uint64_t first_look_back_ms);

/*
 * The high-water mark after a poll that succeeded as a whole: the newest event seen, never
 * beyond server_ms (the vendor's clock when the poll began: a device with a wrong clock must
 * not make us skip), never so low that the next poll would start before this one did, and never
 * more than CURSOR_QUIET_MS behind server_ms: windows stay inside the life of the marks that
 * tell known events.
 */
enum { CURSOR_QUIET_MS = 24 * 60 * 60 * 1000 };
uint64_t cursor_advance(uint64_t start_ms, uint64_t look_back_ms, uint64_t newest_ms,
			uint64_t server_ms);

#endif
