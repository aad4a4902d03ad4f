#ifndef JQ_FRAME_H
#define JQ_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * What goes over the socket between jq.c and tocsin-jq: frames of a size, a type and a body of
 * numbers and byte strings. Both ends are one build on one machine, so numbers are in the
 * machine's order; still neither end believes a size.
 *
 *   to the child                                        from it
 *   COMPILE  number, count, names of variables, text    DONE, or REFUSED text
 *   DROP     number                                     nothing
 *   RUN      number, count, inputs: value, variables    RESULT outcome, text; for each input
 */
enum frame_type {
	FRAME_COMPILE = 'C',
	FRAME_DROP = 'D',
	FRAME_RUN = 'R',
	FRAME_DONE = 'd',
	FRAME_REFUSED = 'n',
	FRAME_RESULT = 'r',
};

enum { FRAME_HEAD = 5, FRAME_BYTES = 16 << 20 };

/* Returns where it starts, for frame_end(). */
size_t frame_begin(struct buf *out, enum frame_type type);
void frame_add_number(struct buf *out, uint32_t number);
void frame_add_bytes(struct buf *out, const void *data, size_t size);
/* To be followed by that many bytes, which the caller adds: frame_end_bytes() sets the size. */
size_t frame_begin_bytes(struct buf *out);
void frame_end_bytes(struct buf *out, size_t begun);
void frame_end(struct buf *out, size_t begun);

/* A frame that was received, and how far it was read. Borrows from the received bytes. */
struct frame {
	char type;
	const char *at, *end;
};

enum frame_state { FRAME_WHOLE, FRAME_PART, FRAME_WRONG };

/* WHOLE: ret_frame is filled, and *ret_used of data are behind it. PART: *ret_used is the size
 * that the frame will have, FRAME_HEAD when not even that is known. WRONG: too large. */
enum frame_state frame_read(const char *data, size_t size, struct frame *ret_frame,
			    size_t *ret_used);
/* False when the frame is shorter. */
bool frame_take_number(struct frame *frame, uint32_t *ret_number);
bool frame_take_bytes(struct frame *frame, const char **ret_data, size_t *ret_size);

#endif
