/* Pages of streams and of what is put off, into a backup. */
#include "backup_work.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bus/key.h"
#include "bus/reply.h"

/* Entries of up to 1 MiB: a page is below what a reply may have. */
enum { PAGE = 32, ID_SIZE = 44, HOLD_MS = 10000 };

/* In the order in which an entry moves; an operator's replay begins with dead. */
static const char *const streams[] = {
	STREAM_DEAD,   STREAM_RAW,     STREAM_FINDINGS, STREAM_CLOSURES,
	STREAM_ORDERS, STREAM_ACTIONS, STREAM_RECENT,	STREAM_ACTIVITY,
};
enum { STREAMS = sizeof streams / sizeof streams[0] };

#define FIRST "0-0"

static const char deferred[] = "deferred";

bool backup_is_paged(const char *kind)
{
	for (size_t i = 0; i < STREAMS; i++) {
		if (strcmp(kind, streams[i]) == 0)
			return true;
	}
	return strcmp(kind, deferred) == 0;
}

/* One entry: [id, [field, value ...]] becomes the arguments of XADD. */
static void add_entry(struct backup_page *page, const struct redis_reply *entry)
{
	const struct redis_reply *fields = reply_at(entry, 1);

	backup_page_begin(page);
	backup_page_text(page, reply_text(reply_at(entry, 0)), reply_size(reply_at(entry, 0)));
	for (size_t i = 0; i < reply_count(fields); i++)
		backup_page_text(page, reply_text(reply_at(fields, i)),
				 reply_size(reply_at(fields, i)));
}

/* One partition, while it is read. */
struct work {
	struct backup_writer *writer;
	struct redis *redis;
	struct key hold, deferred;
	uint64_t held_ms; /* since when at the latest; 0: not yet */
	struct key keys[STREAMS];
	char ids[STREAMS][ID_SIZE]; /* read so far */
};

/* What is put off stays where it is, for HOLD_MS from before the command is sent, and again
 * long before that ends. */
static bool hold(struct work *work, struct err *err)
{
	uint64_t now = clock_mono_ms(), before = work->held_ms;

	if (before > 0 && now - before < HOLD_MS / 4)
		return true;
	if (!redis_run(work->redis, err, REDIS_ALWAYS "SET 1 PX %d", work->hold.text,
		       (int)HOLD_MS))
		return false;
	work->held_ms = now;
	return before == 0 || clock_mono_ms() - before < HOLD_MS ||
	       err_set(err, ERR_TRANSIENT,
		       "a page took longer than %d s, entries may have passed by meanwhile: "
		       "make it again when Redis and the disk have less to do",
		       HOLD_MS / 1000);
}

/* All behind the id, which moves on. A stream without entries is there as well. */
static bool add_stream(struct work *work, size_t stream, struct err *err)
{
	const char *key = work->keys[stream].text;
	char *id = work->ids[stream];
	size_t count;

	do {
		if (!hold(work, err))
			return false;
		struct redis_reply *reply = redis_command(
		    work->redis, err, "XRANGE %s (%s + COUNT %d", key, id, (int)PAGE);
		struct backup_page page = { .name = key, .kind = BACKUP_STREAM };

		if (!reply)
			return false;
		count = reply_count(reply);
		for (size_t i = 0; i < count; i++)
			add_entry(&page, reply_at(reply, i));
		if (count > 0 || strcmp(id, FIRST) == 0)
			backup_add_page(work->writer, &page);
		if (count > 0)
			snprintf(id, ID_SIZE, "%s",
				 reply_text(reply_at(reply_at(reply, count - 1), 0)));
		reply_free(reply);
	} while (count == PAGE);
	return true;
}

/* What is there from the first page to the last is in one of them. */
static bool add_deferred(struct work *work, struct err *err)
{
	char cursor[32] = "0";

	do {
		if (!hold(work, err))
			return false;
		struct redis_reply *reply =
		    redis_command(work->redis, err, "ZSCAN %s %s COUNT %d", work->deferred.text,
				  cursor, (int)PAGE);
		const struct redis_reply *pairs = reply_at(reply, 1);
		struct backup_page page = { .name = work->deferred.text,
					    .kind = BACKUP_SORTED_SET };

		if (!reply)
			return false;
		for (size_t i = 0; i + 1 < reply_count(pairs); i += 2) {
			const struct redis_reply *member = reply_at(pairs, i),
						 *score = reply_at(pairs, i + 1);

			backup_page_begin(&page);
			backup_page_text(&page, reply_text(score), reply_size(score));
			backup_page_text(&page, reply_text(member), reply_size(member));
		}
		if (page.items)
			backup_add_page(work->writer, &page);
		snprintf(cursor, sizeof cursor, "%s", reply_text(reply_at(reply, 0)));
		reply_free(reply);
	} while (strcmp(cursor, "0") != 0);
	return hold(work, err);
}

static bool add_partition(struct work *work, unsigned partition, struct err *err)
{
	key_format(&work->hold, partition, "backup");
	key_format(&work->deferred, partition, "%s", deferred);
	for (size_t i = 0; i < STREAMS; i++) {
		key_format(&work->keys[i], partition, "%s", streams[i]);
		snprintf(work->ids[i], ID_SIZE, FIRST);
	}
	for (int round = 0; round < 2; round++) { /* what came to dead meanwhile, too */
		for (size_t i = 0; i < STREAMS; i++) {
			if (!add_stream(work, i, err))
				return false;
		}
	}
	return add_deferred(work, err);
}

bool backup_add_work(struct backup_writer *writer, struct redis *redis, unsigned partitions,
		     struct err *err)
{
	for (unsigned p = 0; p < partitions; p++) {
		struct work work = { .writer = writer, .redis = redis };

		if (!add_partition(&work, p, err)) {
			err_prefix(err, "work of partition %u", p);
			return false;
		}
	}
	return true;
}
