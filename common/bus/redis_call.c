/* The arguments of a function call. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "bus/redis.h"

enum { CALL_NAME = 1, CALL_KEY_COUNT = 2, CALL_FIRST_KEY = 3 };

void redis_call_arg(struct redis_call *call, const void *data, size_t size)
{
	if (call->count == call->room) {
		call->room = call->room ? call->room * 2 : 64;
		call->argv = xrealloc(call->argv, call->room * sizeof(*call->argv));
		call->sizes = xrealloc(call->sizes, call->room * sizeof(*call->sizes));
	}
	call->argv[call->count] = data;
	call->sizes[call->count] = size;
	call->count++;
	call->bytes += size;
}

void redis_call_text(struct redis_call *call, const char *text)
{
	redis_call_arg(call, text, strlen(text));
}

void redis_call_init(struct redis_call *call, const char *function)
{
	*call = (struct redis_call){ .arena = arena_new() };
	redis_call_text(call, "FCALL");
	redis_call_text(call, function);
	redis_call_text(call, "0");
}

void redis_call_done(struct redis_call *call)
{
	free(call->argv);
	free(call->sizes);
	arena_free(call->arena);
	*call = (struct redis_call){ 0 };
}

void redis_call_key(struct redis_call *call, const char *key)
{
	assert(call->count == CALL_FIRST_KEY + call->key_count);
	redis_call_text(call, key);
	call->key_count++;
}

void redis_call_number(struct redis_call *call, uint64_t number)
{
	redis_call_text(call, arena_printf(call->arena, "%llu", (unsigned long long)number));
}

void redis_call_fields(struct redis_call *call, const struct field *fields, size_t count)
{
	redis_call_number(call, count);
	for (size_t i = 0; i < count; i++) {
		redis_call_text(call, fields[i].name);
		redis_call_arg(call, fields[i].value, fields[i].size);
	}
}

void redis_append_function(struct redis *redis, struct redis_call *call)
{
	int size = snprintf(call->key_number, sizeof(call->key_number), "%zu", call->key_count);
	call->argv[CALL_KEY_COUNT] = call->key_number;
	call->sizes[CALL_KEY_COUNT] = (size_t)size;
	redis_append_argv(redis, (int)call->count, call->argv, call->sizes);
	redis_call_done(call);
}

struct redis_reply *redis_function(struct redis *redis, struct redis_call *call,
				   struct err *err)
{
	assert(redis_pending(redis) == 0);
	redis_append_function(redis, call);
	return redis_read(redis, err);
}

bool redis_function_yes(struct redis *redis, struct redis_call *call, bool *ret_yes,
			struct err *err)
{
	struct redis_reply *reply = redis_function(redis, call, err);

	if (!reply)
		return false;
	if (ret_yes)
		*ret_yes = reply_integer(reply) == 1;
	reply_free(reply);
	return true;
}
