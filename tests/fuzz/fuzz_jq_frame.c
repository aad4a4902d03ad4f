/* Any bytes as what came over the socket: taking a frame apart stays within it, in the order of
 * numbers and byte strings that the first byte's bits say; and what is written is read back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "jq/frame.h"

static void take_apart(struct frame frame, unsigned order, const char *start, const char *end)
{
	const char *bytes;
	size_t size;
	uint32_t number;

	for (int i = 0; i < 64; i++, order = order >> 1 | (order & 1) << 7) {
		if (order & 1 ? !frame_take_bytes(&frame, &bytes, &size)
			      : !frame_take_number(&frame, &number))
			break;
		if ((order & 1) && (bytes < start || bytes + size > end))
			abort();
	}
	if (frame.at < start || frame.at > frame.end || frame.end > end)
		abort();
}

static void write_and_read(const char *data, size_t size)
{
	struct buf out;
	struct frame frame;
	const char *bytes;
	size_t used, length;
	uint32_t number;

	buf_init(&out, FRAME_BYTES);
	size_t begun = frame_begin(&out, FRAME_RUN);
	frame_add_number(&out, (uint32_t)size);
	frame_add_bytes(&out, data, size);
	size_t inner = frame_begin_bytes(&out);
	buf_add(&out, data, size / 2);
	frame_end_bytes(&out, inner);
	frame_end(&out, begun);
	if (frame_read(out.data, out.size - 1, &frame, &used) != FRAME_PART)
		abort();
	if (frame_read(out.data, out.size, &frame, &used) != FRAME_WHOLE || used != out.size ||
	    frame.type != FRAME_RUN || !frame_take_number(&frame, &number) || number != size)
		abort();
	if (!frame_take_bytes(&frame, &bytes, &length) || length != size ||
	    memcmp(bytes, data, size) != 0)
		abort();
	if (!frame_take_bytes(&frame, &bytes, &length) || length != size / 2 ||
	    frame.at != frame.end)
		abort();
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct frame frame;
	size_t used;

	if (size < 1)
		return 0;
	if (frame_read(text + 1, size - 1, &frame, &used) == FRAME_WHOLE) {
		if (used > size - 1)
			abort();
		take_apart(frame, data[0], text + 1, text + size);
	}
	write_and_read(text, size);
	return 0;
}
