#ifndef JQ_CHILD_H
#define JQ_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct buf;

enum { CHILD_WORDS = 256 };

/* The process tocsin-jq: its start, its end, and bytes to and from it. Zeroed is none. */
struct child {
	pid_t pid;
	int socket;
	int errors;		 /* the pipe that is its stdout and stderr */
	char words[CHILD_WORDS]; /* the last that it, or libjq, said there */
};

/* path: NULL for the one beside our program, or in /usr/bin. False with err (transient). */
bool child_start(struct child *ret_child, const char *path, struct err *err);

enum child_state {
	CHILD_ANSWERED,
	CHILD_LATE, /* still at it when the time was over */
	CHILD_GONE,
	CHILD_CONFUSED, /* what came is no frame */
};

/* Sends all of out and appends what comes to in, until that many whole frames are there. */
enum child_state child_exchange(struct child *child, const struct buf *out, struct buf *in,
				size_t frames, uint64_t time_ms);

/* Kills it when it lives. Returns the signal that ended it, 0 when it went by itself; its words
 * stay. */
int child_stop(struct child *child);

#endif
