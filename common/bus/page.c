/* How events come in. */
#include "bus/page.h"

#include <string.h>

#include "bus/lease.h"
#include "bus/redis.h"

enum { CHUNK_EVENTS = 100, CHUNK_BYTES = 256 << 10, CHUNK_ARGS = 3500 };

static size_t event_bytes(const struct page_event *event)
{
	size_t bytes = 0;
	for (size_t i = 0; i < event->field_count; i++)
		bytes += event->fields[i].size;
	return bytes;
}

/* One more event into a chunk; false when it is full. The first always fits. */
struct chunk {
	size_t events, bytes, args;
};

static bool chunk_take(struct chunk *chunk, const struct page_event *event)
{
	size_t bytes = chunk->bytes + event_bytes(event);
	size_t args = chunk->args + 4 + 2 * event->field_count;
	if (chunk->events > 0 &&
	    (chunk->events == CHUNK_EVENTS || bytes > CHUNK_BYTES || args > CHUNK_ARGS))
		return false;
	*chunk = (struct chunk){ chunk->events + 1, bytes, args };
	return true;
}

static size_t page_chunk(const struct page *page, size_t from)
{
	struct chunk chunk = { .args = 5 + 2 * page->cursor_count };
	while (from + chunk.events < page->event_count &&
	       chunk_take(&chunk, &page->events[from + chunk.events]))
		continue;
	return chunk.events;
}

static struct redis_reply *commit_chunk(struct redis *redis, const struct lease *lease,
					const struct key *cursor, const struct key *stream,
					const struct page *part, struct err *err)
{
	struct redis_call call;
	redis_call_init(&call, "commit_page");
	redis_call_key(&call, lease->key.text);
	redis_call_key(&call, cursor->text);
	redis_call_key(&call, stream->text);
	for (size_t i = 0; i < part->event_count; i++)
		redis_call_key(&call, part->events[i].fate_key);
	redis_call_text(&call, lease->token);
	redis_call_text(&call, part->last ? "1" : "0");
	redis_call_number(&call, part->fate_ttl_ms);
	redis_call_text(&call, part->fresh_counter ? part->fresh_counter : "");
	redis_call_fields(&call, part->cursor, part->last ? part->cursor_count : 0);
	for (size_t i = 0; i < part->event_count; i++)
		redis_call_fields(&call, part->events[i].fields, part->events[i].field_count);
	struct redis_reply *reply = redis_function(redis, &call, err);
	return redis_expect_list(reply, part->event_count, err);
}

bool page_commit(struct redis *redis, const struct lease *lease, const struct key *cursor,
		 const struct key *stream, const struct page *page,
		 struct page_result *ret_result, struct err *err)
{
	struct page_result result = { 0 };
	size_t done = 0;
	do {
		struct page part = *page;
		part.events = page->events + done;
		part.event_count = page_chunk(page, done);
		part.last = page->last && done + part.event_count == page->event_count;
		struct redis_reply *reply =
		    commit_chunk(redis, lease, cursor, stream, &part, err);
		if (!reply)
			return false;
		for (size_t i = 0; i < part.event_count; i++) {
			bool fresh = reply_integer(reply_at(reply, i)) == 1;
			result.fresh += fresh;
			result.duplicate += !fresh;
			if (page->ret_fresh)
				page->ret_fresh[done + i] = fresh;
		}
		reply_free(reply);
		done += part.event_count;
	} while (done < page->event_count);
	if (ret_result)
		*ret_result = result;
	return true;
}

enum { APPEND_ITEMS = 256, APPEND_ARGS = 7500, APPEND_BYTES = 512 << 10, APPEND_ITEM_ARGS = 7 };

bool append_room_take(struct append_room *room, const struct append_item *item)
{
	size_t bytes = room->bytes + event_bytes(&item->event);
	size_t args = room->args + APPEND_ITEM_ARGS + 2 * item->event.field_count;
	if (room->items > 0 &&
	    (room->items == APPEND_ITEMS || bytes > APPEND_BYTES || args > APPEND_ARGS))
		return false;
	*room = (struct append_room){ room->items + 1, bytes, args };
	return true;
}

static struct redis_reply *append_call(struct redis *redis, const struct key *stream,
				       const struct append_item *items, size_t count,
				       uint64_t fate_ttl_ms, struct err *err)
{
	struct redis_call call;
	redis_call_init(&call, "append");
	redis_call_key(&call, stream->text);
	for (size_t i = 0; i < count; i++) {
		if (items[i].nonce_key)
			redis_call_key(&call, items[i].nonce_key);
		if (items[i].event.fate_key)
			redis_call_key(&call, items[i].event.fate_key);
	}
	redis_call_number(&call, fate_ttl_ms);
	size_t key = 1;
	for (size_t i = 0; i < count; i++) {
		const struct append_item *item = &items[i];
		redis_call_number(&call, item->nonce_key ? ++key : 0);
		redis_call_text(&call, item->nonce_value ? item->nonce_value : "");
		redis_call_number(&call, item->nonce_ttl_ms);
		redis_call_number(&call, item->event.fate_key ? ++key : 0);
		redis_call_fields(&call, item->event.fields, item->event.field_count);
	}
	struct redis_reply *reply = redis_function(redis, &call, err);
	return redis_expect_list(reply, count, err);
}

bool page_append(struct redis *redis, const struct key *stream, const struct append_item *items,
		 size_t count, uint64_t fate_ttl_ms, enum append_answer *ret_answers,
		 struct err *err)
{
	for (size_t done = 0; done < count;) {
		struct append_room room = { 0 };
		while (done + room.items < count &&
		       append_room_take(&room, &items[done + room.items]))
			continue;
		struct redis_reply *reply =
		    append_call(redis, stream, items + done, room.items, fate_ttl_ms, err);
		if (!reply)
			return false;
		for (size_t i = 0; i < room.items && ret_answers; i++)
			ret_answers[done + i] =
			    (enum append_answer)reply_integer(reply_at(reply, i));
		reply_free(reply);
		done += room.items;
	}
	return true;
}

static size_t again_chunk_size(const struct again_item *items, size_t count)
{
	struct chunk chunk = { .args = 1 };
	while (chunk.events < count && chunk_take(&chunk, &items[chunk.events].event))
		continue;
	return chunk.events;
}

static struct redis_reply *again_chunk(struct redis *redis, const struct key *stream,
				       const struct again_item *items, size_t count,
				       uint64_t fate_ttl_ms, struct err *err)
{
	struct redis_call call;
	redis_call_init(&call, "append_again");
	redis_call_key(&call, stream->text);
	for (size_t i = 0; i < count; i++)
		redis_call_key(&call, items[i].event.fate_key);
	redis_call_number(&call, fate_ttl_ms);
	for (size_t i = 0; i < count; i++) {
		redis_call_text(&call, items[i].fate);
		redis_call_fields(&call, items[i].event.fields, items[i].event.field_count);
	}
	struct redis_reply *reply = redis_function(redis, &call, err);
	return redis_expect_list(reply, count, err);
}

bool page_append_again(struct redis *redis, const struct key *stream,
		       const struct again_item *items, size_t count, uint64_t fate_ttl_ms,
		       size_t *ret_taken, struct err *err)
{
	*ret_taken = 0;
	for (size_t done = 0; done < count;) {
		size_t size = again_chunk_size(items + done, count - done);
		struct redis_reply *reply =
		    again_chunk(redis, stream, items + done, size, fate_ttl_ms, err);
		if (!reply)
			return false;
		for (size_t i = 0; i < size; i++)
			*ret_taken += reply_integer(reply_at(reply, i)) == 1;
		reply_free(reply);
		done += size;
	}
	return true;
}
