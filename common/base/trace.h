#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * W3C trace context (https://www.w3.org/TR/trace-context/): one trace id from the poll or push
 * that brings an event to the end of its incident, a new span id at each step. It is in the
 * field `trace` of every stream entry, and in log lines as trace_id.
 */
enum { TRACE_SIZE = 55, TRACE_ROOM = TRACE_SIZE + 1 }; /* "00-<32 hex>-<16 hex>-<2 hex>" */

/* A traceparent of version 00, in lower case, no id of zeros. */
bool trace_is_valid(const char *text, size_t size);
/* ret_trace has TRACE_ROOM bytes. */
void trace_new(char *ret_trace);
/* The next step of parent's trace, which keeps its flags; a new trace when parent (NULL is
 * fine) is none. */
void trace_child(const char *parent, char *ret_trace);
/* From now on this thread's log lines carry its trace_id; none when it is NULL or not valid. */
void trace_log(const char *trace);

#endif
