#include "jq/frame.h"

#include <string.h>

#include "base/buf.h"

static void put_number(struct buf *out, size_t at, size_t number)
{
	uint32_t value = (uint32_t)number;

	if (buf_ok(out))
		memcpy(out->data + at, &value, sizeof value);
}

size_t frame_begin(struct buf *out, enum frame_type type)
{
	size_t begun = out->size;
	char letter = (char)type;

	frame_add_number(out, 0);
	buf_add(out, &letter, 1);
	return begun;
}

void frame_end(struct buf *out, size_t begun)
{
	put_number(out, begun, out->size - begun - FRAME_HEAD);
}

void frame_add_number(struct buf *out, uint32_t number)
{
	buf_add(out, &number, sizeof number);
}

void frame_add_bytes(struct buf *out, const void *data, size_t size)
{
	frame_add_number(out, (uint32_t)size);
	buf_add(out, data, size);
}

size_t frame_begin_bytes(struct buf *out)
{
	size_t begun = out->size;

	frame_add_number(out, 0);
	return begun;
}

void frame_end_bytes(struct buf *out, size_t begun)
{
	put_number(out, begun, out->size - begun - sizeof(uint32_t));
}

enum frame_state frame_read(const char *data, size_t size, struct frame *ret_frame,
			    size_t *ret_used)
{
	uint32_t body;

	*ret_used = FRAME_HEAD;
	if (size < FRAME_HEAD)
		return FRAME_PART;
	memcpy(&body, data, sizeof body);
	if (body > FRAME_BYTES - FRAME_HEAD)
		return FRAME_WRONG;
	*ret_used = FRAME_HEAD + (size_t)body;
	if (size < *ret_used)
		return FRAME_PART;
	*ret_frame = (struct frame){ .type = data[sizeof body],
				     .at = data + FRAME_HEAD,
				     .end = data + *ret_used };
	return FRAME_WHOLE;
}

bool frame_take_number(struct frame *frame, uint32_t *ret_number)
{
	if ((size_t)(frame->end - frame->at) < sizeof *ret_number)
		return false;
	memcpy(ret_number, frame->at, sizeof *ret_number);
	frame->at += sizeof *ret_number;
	return true;
}

bool frame_take_bytes(struct frame *frame, const char **ret_data, size_t *ret_size)
{
	uint32_t size;

	if (!frame_take_number(frame, &size) || (size_t)(frame->end - frame->at) < size)
		return false;
	*ret_data = frame->at;
	*ret_size = size;
	frame->at += size;
	return true;
}
