#ifndef MODEL_ORIGIN_H
#define MODEL_ORIGIN_H

#include <stdbool.h>

#include "base/err.h"

struct envelope;

/* How an event came to us. Nothing is contained by itself on account of one that was looked up
 * afterwards: its host may long be clean, or somebody else's. */
enum origin {
	ORIGIN_PUSH,	/* sent to us; also what an entry without origin counts as */
	ORIGIN_POLL,	/* read in time */
	ORIGIN_FIRST,	/* in the first look-back of a source */
	ORIGIN_CATCHUP, /* old when it was read, or read because an operator asked for it */
	ORIGIN_REPLAY,	/* taken through again by an operator */
	ORIGIN_REPAIR,	/* found missing by an audit */
};

const char *origin_name(enum origin origin); /* "push", "poll", "first" ... */
/* Whether it came as things happened; all others look back. */
bool origin_is_live(enum origin origin);

/* The field `origin` of an entry; a missing or empty one is PUSH. */
bool envelope_origin(const struct envelope *envelope, enum origin *ret_origin, struct err *err);
/* PUSH for NULL and for what is none. */
enum origin origin_parse(const char *name);

#endif
