/* What Redis answered, read so that no shape of it can hurt. */
#include "bus/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/reply_reader.h"

/* struct redis_reply is hiredis's redisReply under another name, so that no header above the
 * bus needs hiredis. */
static const redisReply *inside(const struct redis_reply *reply)
{
	return (const redisReply *)reply;
}

void reply_free(struct redis_reply *reply)
{
	if (reply)
		freeReplyObject(reply);
}

enum reply_type reply_type(const struct redis_reply *reply)
{
	if (!reply)
		return REPLY_NIL;
	switch (inside(reply)->type) {
	case REDIS_REPLY_STRING:
		return REPLY_TEXT;
	case REDIS_REPLY_STATUS:
		return REPLY_STATUS;
	case REDIS_REPLY_ERROR:
		return REPLY_ERROR;
	case REDIS_REPLY_INTEGER:
		return REPLY_INTEGER;
	case REDIS_REPLY_ARRAY:
		return REPLY_ARRAY;
	default:
		return REPLY_NIL;
	}
}

static bool has_text(const struct redis_reply *reply)
{
	enum reply_type type = reply_type(reply);
	return (type == REPLY_TEXT || type == REPLY_STATUS || type == REPLY_ERROR) &&
	       inside(reply)->str;
}

const char *reply_text(const struct redis_reply *reply)
{
	return has_text(reply) ? inside(reply)->str : "";
}

size_t reply_size(const struct redis_reply *reply)
{
	return has_text(reply) ? (size_t)inside(reply)->len : 0;
}

bool reply_number(const struct redis_reply *reply, int64_t *ret_value)
{
	if (reply_type(reply) == REPLY_INTEGER) {
		*ret_value = inside(reply)->integer;
		return true;
	}
	const char *text = reply_text(reply);
	size_t digits = text[0] == '-' ? 1 : 0;
	if (text[digits] < '0' || text[digits] > '9' || strlen(text) != reply_size(reply))
		return false;
	char *end = NULL;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	*ret_value = value;
	return true;
}

int64_t reply_integer(const struct redis_reply *reply)
{
	int64_t value = 0;
	return reply_number(reply, &value) ? value : 0;
}

size_t reply_count(const struct redis_reply *reply)
{
	return reply_type(reply) == REPLY_ARRAY ? (size_t)inside(reply)->elements : 0;
}

const struct redis_reply *reply_at(const struct redis_reply *reply, size_t index)
{
	if (index >= reply_count(reply))
		return NULL;
	return (const struct redis_reply *)inside(reply)->element[index];
}

const struct redis_reply *reply_find(const struct redis_reply *reply, const char *name)
{
	for (size_t i = 0; i + 1 < reply_count(reply); i += 2) {
		if (strcmp(reply_text(reply_at(reply, i)), name) == 0)
			return reply_at(reply, i + 1);
	}
	return NULL;
}

#if HIREDIS_MAJOR >= 1
typedef size_t array_size;
#else
typedef int array_size;
#endif

/* 0.14 allocates whatever an array's header says, and from 1.0 on arrays nest without an end:
 * freeing them would use up the stack. */
static void *bounded_array(const redisReadTask *task, array_size elements)
{
	const struct reply_bounds *bounds = (const struct reply_bounds *)task->privdata;
	unsigned depth = 0;

	for (const redisReadTask *outer = task->parent; outer; outer = outer->parent)
		depth++;
	if (elements > REPLY_ELEMENTS_MAX || depth >= REPLY_DEPTH_MAX)
		return NULL;
	return bounds->original->createArray(task, elements);
}

enum { READER_KEEPS_BYTES = 4096 };

void reply_bound(redisReader *reader, struct reply_bounds *bounds)
{
	bounds->original = reader->fn;
	bounds->functions = *reader->fn;
	bounds->functions.createArray = bounded_array;
	reader->fn = &bounds->functions;
	reader->privdata = bounds;
	/* The room of a large answer goes when the next one comes: threads that wait for a
	 * vendor are many, and all they had from Redis last is one number. */
	reader->maxbuf = READER_KEEPS_BYTES;
}

struct redis_reply *reply_parse(const char *bytes, size_t size)
{
	struct reply_bounds bounds;
	void *reply = NULL;
	redisReader *reader = redisReaderCreate();
	if (!reader)
		return NULL;
	reply_bound(reader, &bounds);
	if (redisReaderFeed(reader, bytes, size) != REDIS_OK ||
	    redisReaderGetReply(reader, &reply) != REDIS_OK)
		reply = NULL;
	redisReaderFree(reader);
	return (struct redis_reply *)reply;
}
