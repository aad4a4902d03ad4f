/* Where an event came from, through all processes. */
#include "base/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

enum { ID_AT = 3, ID_SIZE = 32, SPAN_AT = 36, SPAN_SIZE = 16 };

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_zero(const char *text, size_t size)
{
	return strspn(text, "0") >= size;
}

bool trace_is_valid(const char *text, size_t size)
{
	static const char pattern[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

	if (size != TRACE_SIZE)
		return false;
	for (size_t i = 0; i < TRACE_SIZE; i++) {
		if (pattern[i] == 'x' ? !is_hex(text[i]) : text[i] != pattern[i])
			return false;
	}
	return !is_zero(text + ID_AT, ID_SIZE) && !is_zero(text + SPAN_AT, SPAN_SIZE);
}

static void random_hex(char *text, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[ID_SIZE + 1 + SPAN_SIZE];

	/* Up to 256 bytes come whole, or not at all. */
	while (getrandom(bytes, size, 0) < 0) {
		if (errno != EINTR)
			abort();
	}
	for (size_t i = 0; i < size; i++)
		text[i] = digits[bytes[i] & 15];
}

void trace_new(char *ret_trace)
{
	memcpy(ret_trace, "00-________________________________-________________-01",
	       TRACE_ROOM);
	do {
		random_hex(ret_trace + ID_AT, ID_SIZE + 1 + SPAN_SIZE);
		ret_trace[SPAN_AT - 1] = '-';
	} while (!trace_is_valid(ret_trace, TRACE_SIZE));
}

void trace_child(const char *parent, char *ret_trace)
{
	if (!parent || !trace_is_valid(parent, strnlen(parent, TRACE_ROOM))) {
		trace_new(ret_trace);
		return;
	}
	memmove(ret_trace, parent, TRACE_ROOM);
	do
		random_hex(ret_trace + SPAN_AT, SPAN_SIZE);
	while (!trace_is_valid(ret_trace, TRACE_SIZE));
}

void trace_log(const char *trace)
{
	char id[ID_SIZE + 1] = "";

	if (trace && trace_is_valid(trace, strnlen(trace, TRACE_ROOM)))
		memcpy(id, trace + ID_AT, ID_SIZE);
	log_context("trace_id", *id ? id : NULL);
}
