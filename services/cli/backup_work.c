/* Pages of streams and of what is put off, into a backup. */
#include "backup_work.h"

#include <stdio.h>
#include <string.h>

#include "bus/key.h"
#include "bus/reply.h"

/* Entries of up to 1 MiB: a page is below what a reply may have. */
enum { PAGE = 32, ID_SIZE = 44 };

/* In the order in which an entry moves. */
static const char *const streams[] = {
	STREAM_RAW,	STREAM_FINDINGS, STREAM_CLOSURES, STREAM_ORDERS,
	STREAM_ACTIONS, STREAM_DEAD,	 STREAM_RECENT,	  STREAM_ACTIVITY,
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

/* All behind the id, which moves on. A stream without entries is there as well. */
static bool add_stream(struct backup_writer *writer, struct redis *redis, const struct key *key,
		       char *id, struct err *err)
{
	size_t count;

	do {
		struct redis_reply *reply = redis_command(
		    redis, err, "XRANGE %s (%s + COUNT %d", key->text, id, (int)PAGE);
		struct backup_page page = { .name = key->text, .kind = BACKUP_STREAM };

		if (!reply)
			return false;
		count = reply_count(reply);
		for (size_t i = 0; i < count; i++)
			add_entry(&page, reply_at(reply, i));
		if (count > 0 || strcmp(id, FIRST) == 0)
			backup_add_page(writer, &page);
		if (count > 0)
			snprintf(id, ID_SIZE, "%s",
				 reply_text(reply_at(reply_at(reply, count - 1), 0)));
		reply_free(reply);
	} while (count == PAGE);
	return true;
}

/* What is there from the first page to the last is in one of them. */
static bool add_deferred(struct backup_writer *writer, struct redis *redis,
			 const struct key *key, struct err *err)
{
	char cursor[32] = "0";

	do {
		struct redis_reply *reply = redis_command(redis, err, "ZSCAN %s %s COUNT %d",
							  key->text, cursor, (int)PAGE);
		const struct redis_reply *pairs = reply_at(reply, 1);
		struct backup_page page = { .name = key->text, .kind = BACKUP_SORTED_SET };

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
			backup_add_page(writer, &page);
		snprintf(cursor, sizeof cursor, "%s", reply_text(reply_at(reply, 0)));
		reply_free(reply);
	} while (strcmp(cursor, "0") != 0);
	return true;
}

static bool add_partition(struct backup_writer *writer, struct redis *redis, unsigned partition,
			  struct err *err)
{
	char ids[STREAMS][ID_SIZE];
	struct key keys[STREAMS], put_off;

	key_format(&put_off, partition, "%s", deferred);
	for (size_t i = 0; i < STREAMS; i++) {
		key_format(&keys[i], partition, "%s", streams[i]);
		snprintf(ids[i], ID_SIZE, FIRST);
	}
	for (int round = 0; round < 2; round++) {
		if (!add_deferred(writer, redis, &put_off, err))
			return false;
		for (size_t i = 0; i < STREAMS; i++) {
			if (!add_stream(writer, redis, &keys[i], ids[i], err))
				return false;
		}
	}
	return true;
}

bool backup_add_work(struct backup_writer *writer, struct redis *redis, unsigned partitions,
		     struct err *err)
{
	for (unsigned p = 0; p < partitions; p++) {
		if (!add_partition(writer, redis, p, err)) {
			err_prefix(err, "work of partition %u", p);
			return false;
		}
	}
	return true;
}
