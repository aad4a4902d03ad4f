#include "bus/key.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void key_fits(int length, size_t room)
{
	if (length < 0 || (size_t)length >= room) {
		fputs("a Redis key does not fit struct key: an unbounded part got in\n",
		      stderr);
		abort();
	}
}

void key_format(struct key *ret_key, unsigned partition, const char *fmt, ...)
{
	const size_t room = sizeof(ret_key->text);
	int tag = snprintf(ret_key->text, room, "tocsin:{p%u}:", partition);
	key_fits(tag, room);

	va_list args;
	va_start(args, fmt);
	int length = vsnprintf(ret_key->text + tag, room - (size_t)tag, fmt, args);
	va_end(args);
	key_fits(length, room - (size_t)tag);
}

void key_account(struct key *ret_key, const char *id)
{
	key_fits(snprintf(ret_key->text, sizeof(ret_key->text), "tocsin:account:%s", id),
		 sizeof(ret_key->text));
}

void key_fate(struct key *ret_key, unsigned partition, const char *customer, const char *source,
	      const char *event_id)
{
	key_format(ret_key, partition, "seen:%s:%s:%s", customer, source, event_id);
}

const char *key_kind(const char *key)
{
	const char *end = strstr(key, "}:");
	return end ? end + 2 : key;
}
