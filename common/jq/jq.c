/*
 * The client of tocsin-jq: keeps the programs' texts, so that a child that had to be killed is
 * replaced by one that knows them, and finds out which input killed it.
 */
#include "jq/jq.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "jq/child.h"
#include "jq/frame.h"
#include "jq/number.h"

enum {
	BATCH_BYTES = 2 << 20,	/* of a batch of more than one input */
	COMPILE_MS = 10 * 1000, /* measured: 21 ms for a program, 131 ms for one of 200 rules */
	DEADLINE_MS = 1000,
};

#define FIELD(member) .offset = offsetof(struct jq_settings, member)

const struct conf_option jq_options[] = {
	{ "TOCSIN_JQ", CONF_PATH, FIELD(child),
	  .help = "the program tocsin-jq; without it the one beside this program, else "
		  "/usr/bin/tocsin-jq" },
	{ "TOCSIN_JQ_DEADLINE", CONF_MILLIS, FIELD(deadline_ms), "1s", .min = 100, .max = 10000,
	  .help =
	      "how long jq programs may take for a batch of inputs, and then for each alone" },
	{ 0 },
};

struct program {
	char *name; /* NULL: free */
	char *text;
	char *variables[JQ_VARIABLES_MAX];
	size_t variable_count;
};

struct jq {
	const struct jq_settings *settings;
	struct child child;
	struct program programs[JQ_PROGRAMS_MAX];
	size_t count; /* of programs, free ones among them */
	struct buf out, in;
	struct arena *arena; /* of the last results */
	jq_going *going;
	void *opaque;
};

struct jq *jq_new(const struct jq_settings *settings)
{
	struct jq *jq = xcalloc(1, sizeof *jq);

	jq->settings = settings;
	jq->arena = arena_new();
	buf_init(&jq->out, FRAME_BYTES);
	buf_init(&jq->in, (size_t)JQ_BATCH * (JQ_RESULT_BYTES + 64));
	return jq;
}

static void program_done(struct program *program)
{
	free(program->name);
	free(program->text);
	for (size_t i = 0; i < program->variable_count; i++)
		free(program->variables[i]);
	*program = (struct program){ 0 };
}

void jq_free(struct jq *jq)
{
	if (!jq)
		return;
	child_stop(&jq->child);
	for (size_t i = 0; i < jq->count; i++)
		program_done(&jq->programs[i]);
	buf_done(&jq->out);
	buf_done(&jq->in);
	arena_free(jq->arena);
	free(jq);
}

void jq_watch(struct jq *jq, jq_going *going, void *opaque)
{
	jq->going = going;
	jq->opaque = opaque;
}

int jq_child_pid(const struct jq *jq)
{
	return jq->child.pid;
}

const char *jq_outcome_name(enum jq_outcome outcome)
{
	static const char *const names[] = { "result",	"error",     "nothing",
					     "several", "too_large", "deadline",
					     "memory",	"died",	     "skipped" };

	return names[outcome];
}

/* ---- how a child ends ---- */

/* libjq's word for it, and that of our own allocator. */
static bool is_memory(const char *words)
{
	return strstr(words, "cannot allocate memory") || strstr(words, "out of memory");
}

/* Ends the child that did not answer and says why, in ret_reason[JQ_REASON_BYTES]. */
static enum jq_outcome take_down(struct jq *jq, enum child_state state, uint64_t time_ms,
				 char *ret_reason)
{
	int signal = child_stop(&jq->child);
	const char *words = jq->child.words;

	jq->child.words[strcspn(words, "\n")] = '\0';
	if (state == CHILD_LATE) {
		snprintf(ret_reason, JQ_REASON_BYTES, "did not end within %llu ms",
			 (unsigned long long)time_ms);
		return JQ_DEADLINE;
	}
	if (is_memory(words)) {
		snprintf(ret_reason, JQ_REASON_BYTES, "wanted more memory than it may have");
		return JQ_MEMORY;
	}
	if (state == CHILD_CONFUSED)
		words = "it answered nonsense";
	snprintf(ret_reason, JQ_REASON_BYTES, "ended its process%s%s%s%s", signal ? " by " : "",
		 signal ? sigabbrev_np(signal) : "", words[0] ? ": " : "", words);
	return JQ_DIED;
}

/* ---- programs ---- */

static bool send_program(struct jq *jq, size_t number, struct err *err)
{
	const struct program *program = &jq->programs[number];
	char reason[JQ_REASON_BYTES];
	struct frame frame;
	const char *text;
	size_t used, size;

	buf_reset(&jq->out);
	buf_reset(&jq->in);
	size_t begun = frame_begin(&jq->out, FRAME_COMPILE);
	frame_add_number(&jq->out, (uint32_t)number);
	frame_add_number(&jq->out, (uint32_t)program->variable_count);
	for (size_t i = 0; i < program->variable_count; i++)
		frame_add_bytes(&jq->out, program->variables[i], strlen(program->variables[i]));
	frame_add_bytes(&jq->out, program->text, strlen(program->text));
	frame_end(&jq->out, begun);
	enum child_state state = child_exchange(&jq->child, &jq->out, &jq->in, 1, COMPILE_MS);
	if (state != CHILD_ANSWERED) {
		take_down(jq, state, COMPILE_MS, reason);
		return err_set(err, ERR_PERMANENT, "%s: the compiler %s", program->name,
			       reason);
	}
	frame_read(jq->in.data, jq->in.size, &frame, &used);
	if (frame.type == FRAME_DONE)
		return true;
	if (!frame_take_bytes(&frame, &text, &size))
		return err_set(err, ERR_TRANSIENT, "tocsin-jq is of another build");
	return err_set(err, ERR_PERMANENT, "%s:%.*s", program->name, (int)size, text);
}

/* A child that knows every program. */
static bool have_child(struct jq *jq, struct err *err)
{
	if (jq->child.pid)
		return true;
	if (!child_start(&jq->child, jq->settings ? jq->settings->child : NULL, err))
		return false;
	for (size_t i = 0; i < jq->count; i++) {
		if (!jq->programs[i].name || send_program(jq, i, err))
			continue;
		/* It was compiled before: what is wrong now is not the program. */
		child_stop(&jq->child);
		if (err)
			err->kind = ERR_TRANSIENT;
		return false;
	}
	return true;
}

static int free_number(struct jq *jq)
{
	for (size_t i = 0; i < jq->count; i++) {
		if (!jq->programs[i].name)
			return (int)i;
	}
	return jq->count < JQ_PROGRAMS_MAX ? (int)jq->count++ : -1;
}

int jq_add(struct jq *jq, const char *name, const char *text, const char *const *variables,
	   struct err *err)
{
	if (strlen(text) > JQ_PROGRAM_BYTES) {
		err_fill(err, ERR_PERMANENT, "%s: is longer than %d bytes", name,
			 JQ_PROGRAM_BYTES);
		return -1;
	}
	if (!have_child(jq, err))
		return -1;
	int number = free_number(jq);
	if (number < 0) {
		err_fill(err, ERR_PERMANENT, "%s: there are %d programs already", name,
			 JQ_PROGRAMS_MAX);
		return -1;
	}
	struct program *program = &jq->programs[number];
	program->name = xstrdup(name);
	program->text = xstrdup(text);
	for (size_t i = 0; variables && variables[i] && i < JQ_VARIABLES_MAX; i++)
		program->variables[program->variable_count++] = xstrdup(variables[i]);
	if (send_program(jq, (size_t)number, err))
		return number;
	program_done(program);
	return -1;
}

void jq_remove(struct jq *jq, int program)
{
	if (program < 0 || (size_t)program >= jq->count || !jq->programs[program].name)
		return;
	program_done(&jq->programs[program]);
	if (!jq->child.pid)
		return;
	buf_reset(&jq->out);
	size_t begun = frame_begin(&jq->out, FRAME_DROP);
	frame_add_number(&jq->out, (uint32_t)program);
	frame_end(&jq->out, begun);
	buf_reset(&jq->in);
	if (child_exchange(&jq->child, &jq->out, &jq->in, 0, COMPILE_MS) != CHILD_ANSWERED)
		child_stop(&jq->child);
}

/* ---- runs ---- */

struct run {
	struct jq *jq;
	int program;
	const struct jq_input *inputs;
	struct jq_result *results;
	uint64_t deadline_ms;
	unsigned culprits; /* that ended their process, the last of them in a row */
};

static const char skipped[] = "was not run: others ended their process one after the other";

static void set_reason(const struct run *run, size_t at, enum jq_outcome outcome,
		       const char *reason)
{
	run->results[at] = (struct jq_result){ .outcome = outcome,
					       .text = arena_strdup(run->jq->arena, reason),
					       .size = strlen(reason) };
}

static size_t input_bytes(const struct run *run, size_t at)
{
	const struct jq_input *input = &run->inputs[at];
	size_t size = input->value.size;

	for (size_t i = 0; i < run->jq->programs[run->program].variable_count; i++)
		size += input->variables[i].size;
	return size;
}

static void add_json(struct buf *out, const struct jq_json *json)
{
	size_t begun = frame_begin_bytes(out);

	number_add_exact(out, json->text, json->size);
	frame_end_bytes(out, begun);
}

static void fill_frame(const struct run *run, size_t from, size_t count)
{
	struct buf *out = &run->jq->out;
	size_t variables = run->jq->programs[run->program].variable_count;

	buf_reset(out);
	size_t begun = frame_begin(out, FRAME_RUN);
	frame_add_number(out, (uint32_t)run->program);
	frame_add_number(out, (uint32_t)count);
	for (size_t i = from; i < from + count; i++) {
		add_json(out, &run->inputs[i].value);
		for (size_t k = 0; k < variables; k++)
			add_json(out, &run->inputs[i].variables[k]);
	}
	frame_end(out, begun);
}

/* Copies the answers that came. Returns how many, less than count when the child ended. */
static size_t take_results(const struct run *run, size_t from, size_t count)
{
	struct jq *jq = run->jq;
	size_t at = 0, taken = 0;

	while (taken < count) {
		struct frame frame;
		struct jq_result *result = &run->results[from + taken];
		const char *text;
		size_t used, size;
		uint32_t outcome;

		if (frame_read(jq->in.data + at, jq->in.size - at, &frame, &used) !=
			FRAME_WHOLE ||
		    frame.type != FRAME_RESULT || !frame_take_number(&frame, &outcome) ||
		    !frame_take_bytes(&frame, &text, &size) || outcome > JQ_TOO_LARGE)
			break;
		*result = (struct jq_result){ .outcome = (enum jq_outcome)outcome,
					      .text = arena_strndup(jq->arena, text, size),
					      .size = size };
		at += used;
		taken++;
	}
	return taken;
}

/* Each of them, after they failed together. */
static bool run_alone(struct run *run, size_t from, size_t count, struct err *err)
{
	struct jq *jq = run->jq;
	char reason[JQ_REASON_BYTES];

	for (size_t i = from; i < from + count; i++) {
		if (run->culprits >= JQ_PATIENCE) {
			set_reason(run, i, JQ_SKIPPED, skipped);
			continue;
		}
		if (jq->going && !jq->going(jq->opaque))
			return err_set(err, ERR_STOPPING, "stopping");
		if (!have_child(jq, err))
			return false;
		fill_frame(run, i, 1);
		buf_reset(&jq->in);
		enum child_state state =
		    child_exchange(&jq->child, &jq->out, &jq->in, 1, run->deadline_ms);
		if (state == CHILD_ANSWERED && take_results(run, i, 1) == 1) {
			run->culprits = 0;
			continue;
		}
		enum jq_outcome outcome =
		    take_down(jq, state == CHILD_ANSWERED ? CHILD_CONFUSED : state,
			      run->deadline_ms, reason);
		set_reason(run, i, outcome, reason);
		run->culprits++;
	}
	return true;
}

/* The inputs from[0..count), at most JQ_BATCH. */
static bool run_batch(struct run *run, size_t from, size_t count, struct err *err)
{
	struct jq *jq = run->jq;
	char reason[JQ_REASON_BYTES];

	if (!have_child(jq, err))
		return false;
	fill_frame(run, from, count);
	buf_reset(&jq->in);
	enum child_state state =
	    child_exchange(&jq->child, &jq->out, &jq->in, count, run->deadline_ms);
	size_t done = take_results(run, from, count);
	if (done == count)
		return true;
	take_down(jq, state == CHILD_ANSWERED ? CHILD_CONFUSED : state, run->deadline_ms,
		  reason);
	log_debug("jq: %s %s in a batch of %zu: each alone", jq->programs[run->program].name,
		  reason, count);
	return run_alone(run, from + done, count - done, err);
}

/* How many inputs from there fit into one batch. */
static size_t batch_size(const struct run *run, size_t from, size_t count)
{
	size_t bytes = 0, size = 0;

	while (size < count && size < JQ_BATCH) {
		size_t more = input_bytes(run, from + size);
		if (more > JQ_INPUT_BYTES || (size > 0 && bytes + more > BATCH_BYTES))
			break;
		bytes += more;
		size++;
	}
	return size;
}

bool jq_run(struct jq *jq, int program, const struct jq_input *inputs, size_t count,
	    struct jq_result *ret_results, struct err *err)
{
	struct run run = {
		.jq = jq,
		.program = program,
		.inputs = inputs,
		.results = ret_results,
		.deadline_ms = jq->settings && jq->settings->deadline_ms
				   ? jq->settings->deadline_ms
				   : DEADLINE_MS,
	};

	arena_reset(jq->arena);
	for (size_t done = 0; done < count;) {
		size_t size = batch_size(&run, done, count - done);

		if (run.culprits >= JQ_PATIENCE)
			set_reason(&run, done++, JQ_SKIPPED, skipped);
		else if (size == 0)
			set_reason(&run, done++, JQ_TOO_LARGE,
				   "the input is larger than 4 MiB");
		else if (run_batch(&run, done, size, err))
			done += size;
		else
			return false;
	}
	return true;
}
