/*
 * tocsin-jq: runs jq programs for one thread of a service (common/jq/jq.h), and is killed when
 * one of them does not end. The only program that links libjq.
 *
 *   socket --> [compile | drop | run] --> socket
 *
 * main.c      the loop, from frame to frame (common/jq/frame.h)
 * program.c   one program: compiling it, running it once
 * value.c     JSON as libjq wants it
 * confine.c   what is given up before the first
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "jq/frame.h"
#include "jq/jq.h"

#include "confine.h"
#include "program.h"

enum { SOCKET = STDIN_FILENO, FLUSH_BYTES = 64 * 1024 };

struct process {
	struct program *programs[JQ_PROGRAMS_MAX];
	struct buf in, out, text;
};

/* ---- the socket ---- */

static bool flush(struct buf *out)
{
	size_t sent = 0;

	while (sent < out->size) {
		ssize_t put = write(SOCKET, out->data + sent, out->size - sent);
		if (put < 0 && errno != EINTR)
			return false;
		sent += put > 0 ? (size_t)put : 0;
	}
	buf_reset(out);
	return true;
}

/* The next whole frame; what was received is kept from frame to frame in `in`. */
static bool receive(struct buf *in, struct frame *ret_frame)
{
	static char piece[64 * 1024];
	enum frame_state state;
	size_t used;

	buf_reset(in); /* the other end waits for our answer, so there is nothing behind it */
	while ((state = frame_read(in->data, in->size, ret_frame, &used)) == FRAME_PART) {
		size_t want = used - in->size < sizeof piece ? used - in->size : sizeof piece;
		ssize_t got = read(SOCKET, piece, want);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		buf_add(in, piece, (size_t)got);
	}
	return state == FRAME_WHOLE;
}

static void answer(struct process *process, enum frame_type type)
{
	size_t begun = frame_begin(&process->out, type);

	if (type == FRAME_REFUSED)
		frame_add_bytes(&process->out, buf_text(&process->text), process->text.size);
	frame_end(&process->out, begun);
}

/* ---- what is asked for ---- */

static bool take_text(struct frame *frame, struct program_text *ret_text)
{
	return frame_take_bytes(frame, &ret_text->data, &ret_text->size);
}

static bool compile(struct process *process, struct frame *frame)
{
	struct program_text variables[JQ_VARIABLES_MAX], text;
	uint32_t number, count;

	if (!frame_take_number(frame, &number) || number >= JQ_PROGRAMS_MAX ||
	    !frame_take_number(frame, &count) || count > JQ_VARIABLES_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!take_text(frame, &variables[i]))
			return false;
	}
	if (!take_text(frame, &text))
		return false;
	program_free(process->programs[number]);
	buf_reset(&process->text);
	process->programs[number] = program_new(&text, variables, count, &process->text);
	answer(process, process->programs[number] ? FRAME_DONE : FRAME_REFUSED);
	return true;
}

static bool drop(struct process *process, struct frame *frame)
{
	uint32_t number;

	if (!frame_take_number(frame, &number) || number >= JQ_PROGRAMS_MAX)
		return false;
	program_free(process->programs[number]);
	process->programs[number] = NULL;
	return true;
}

static bool run_one(struct process *process, struct program *program, struct frame *frame)
{
	struct program_text values[1 + JQ_VARIABLES_MAX];

	for (size_t i = 0; i < 1 + program_variables(program); i++) {
		if (!take_text(frame, &values[i]))
			return false;
	}
	buf_reset(&process->text);
	int outcome = program_run(program, values, &process->text);
	size_t begun = frame_begin(&process->out, FRAME_RESULT);
	frame_add_number(&process->out, (uint32_t)outcome);
	frame_add_bytes(&process->out, buf_text(&process->text), process->text.size);
	frame_end(&process->out, begun);
	return process->out.size < FLUSH_BYTES || flush(&process->out);
}

static bool run(struct process *process, struct frame *frame)
{
	uint32_t number, count;

	if (!frame_take_number(frame, &number) || number >= JQ_PROGRAMS_MAX ||
	    !process->programs[number] || !frame_take_number(frame, &count))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!run_one(process, process->programs[number], frame))
			return false;
	}
	return true;
}

static bool serve(struct process *process, struct frame *frame)
{
	switch ((enum frame_type)frame->type) {
	case FRAME_COMPILE:
		return compile(process, frame);
	case FRAME_DROP:
		return drop(process, frame);
	case FRAME_RUN:
		return run(process, frame);
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static struct process process;
	struct frame frame;
	int type;
	socklen_t size = sizeof type;

	(void)argv;
	if (argc > 1 || getsockopt(SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
		fputs(
		    "tocsin-jq is started by Tocsin's services, to run jq programs for them.\n",
		    stderr);
		return EXIT_FAILURE;
	}
	if (!confine())
		return EXIT_FAILURE;
	buf_init(&process.in, FRAME_BYTES);
	buf_init(&process.out, FLUSH_BYTES + 2 * (size_t)JQ_RESULT_BYTES);
	buf_init(&process.text, JQ_RESULT_BYTES);
	while (receive(&process.in, &frame) && serve(&process, &frame) && flush(&process.out))
		continue;
	return EXIT_SUCCESS;
}
