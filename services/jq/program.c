#include "program.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jq.h>

#include "base/arena.h"
#include "base/buf.h"
#include "jq/jq.h"

#include "value.h"

struct program {
	jq_state *jq;
	size_t variable_count;
	/* The variables as they came last: a batch has the same ones again and again. */
	struct buf texts[JQ_VARIABLES_MAX];
	jv values[JQ_VARIABLES_MAX];
	jq_util_input_state *no_input; /* what `input` and `input_filename` ask */
	struct arena *arena;	       /* for reading JSON */
};

/* ---- compiling ---- */

struct complaint {
	struct buf *error;
	long last_line;
};

/* A line of the program, of which ours is in front and one behind it. */
static long own_line(const struct complaint *complaint, long line)
{
	line--;
	return line < 1 ? 1 : line > complaint->last_line ? complaint->last_line : line;
}

/* "jq: error: foo/0 is not defined at <top-level>, line 3:\nfoo" becomes "2: foo/0 is not
 * defined". The first of several is the one that counts. */
static void keep_error(void *opaque, jv message)
{
	static const char start[] = "jq: error: ", place[] = " at <top-level>, line ";
	static const char hint[] = " (Unix shell quoting issues?)";
	const struct complaint *complaint = opaque;
	struct buf *error = complaint->error;
	const char *said =
	    jv_get_kind(message) == JV_KIND_STRING ? jv_string_value(message) : "unreadable";

	if (error->size > 0) {
		jv_free(message);
		return;
	}
	if (strncmp(said, start, sizeof start - 1) == 0)
		said += sizeof start - 1;
	const char *at = strstr(said, place), *shell = strstr(said, hint);
	long line = at ? strtol(at + sizeof place - 1, NULL, 10) : 0;
	size_t size = at ? (size_t)(at - said) : strcspn(said, "\n");
	if (shell && shell < said + size)
		size = (size_t)(shell - said);
	if (size > JQ_REASON_BYTES / 2)
		size = JQ_REASON_BYTES / 2;
	if (at)
		buf_addf(error, "%ld: ", own_line(complaint, line));
	else
		buf_adds(error, " ");
	/* Where the program ends too early, it is our parenthesis that surprises. */
	if (line > complaint->last_line + 1 && strncmp(said, "syntax error", 12) == 0)
		buf_adds(error, "syntax error, the program is not complete");
	else
		buf_add(error, said, size);
	jv_free(message);
}

/* . as [$0, $finding, $customer] | $0 | (PROGRAM): values that change with each input, where
 * libjq's named arguments are fixed when a program is compiled. Inside parentheses nothing can
 * be included; the line of its own keeps a comment at the end from hiding ours. */
static void wrap(struct buf *out, const struct program_text *text,
		 const struct program_text *variables, size_t count)
{
	buf_adds(out, ". as [$__input");
	for (size_t i = 0; i < count; i++) {
		buf_adds(out, ", $");
		buf_add(out, variables[i].data, variables[i].size);
	}
	buf_adds(out, "] | $__input | (\n");
	buf_add(out, text->data, text->size);
	buf_adds(out, "\n)");
}

static long count_lines(const struct program_text *text)
{
	long lines = 1;

	/* A newline at the end begins no line. */
	for (size_t i = 0; i + 1 < text->size; i++)
		lines += text->data[i] == '\n';
	return lines;
}

static void end_without_memory(void *opaque)
{
	static const char words[] = "out of memory\n";

	(void)opaque;
	ssize_t ignored = write(STDERR_FILENO, words, sizeof words - 1);
	(void)ignored;
	_exit(EXIT_FAILURE);
}

static void ignore(void *opaque, jv message)
{
	(void)opaque;
	jv_free(message);
}

/* Nothing to include from, and nothing to read: without these libjq fails an assertion when it
 * is asked. 1.6 leaves its callbacks as memory happens to be, so each is set. */
static jq_state *new_state(void)
{
	jq_state *jq = jq_init();

	if (!jq)
		return NULL;
	jq_set_attr(jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	jq_set_attr(jq, jv_string("JQ_ORIGIN"), jv_string("/"));
	jq_set_attr(jq, jv_string("PROGRAM_ORIGIN"), jv_string("/"));
	jq_set_nomem_handler(jq, end_without_memory, NULL);
	jq_set_debug_cb(jq, ignore, NULL);
	return jq;
}

struct program *program_new(const struct program_text *text,
			    const struct program_text *variables, size_t count,
			    struct buf *ret_error)
{
	struct complaint complaint = { ret_error, count_lines(text) };
	struct program *program = xcalloc(1, sizeof *program);
	struct buf source;

	program->jq = new_state();
	program->arena = arena_new();
	program->variable_count = count;
	for (size_t i = 0; i < count; i++) {
		buf_init(&program->texts[i], 2 * (size_t)JQ_INPUT_BYTES);
		program->values[i] = jv_invalid();
	}
	program->no_input = jq_util_input_init(NULL, NULL);
	jq_util_input_set_parser(program->no_input, jv_parser_new(0), 0);
	jq_set_input_cb(program->jq, jq_util_input_next_input_cb, program->no_input);
	jq_set_error_cb(program->jq, keep_error, &complaint);
	buf_init(&source, 2 * (size_t)JQ_PROGRAM_BYTES);
	wrap(&source, text, variables, count);
	bool compiled = jq_compile(program->jq, buf_text(&source)) != 0;
	buf_done(&source);
	jq_set_error_cb(program->jq, ignore, NULL);
	if (compiled)
		return program;
	if (ret_error->size == 0)
		buf_adds(ret_error, " cannot be compiled");
	program_free(program);
	return NULL;
}

void program_free(struct program *program)
{
	if (!program)
		return;
	jq_teardown(&program->jq);
	jq_util_input_free(&program->no_input);
	arena_free(program->arena);
	for (size_t i = 0; i < program->variable_count; i++) {
		buf_done(&program->texts[i]);
		jv_free(program->values[i]);
	}
	free(program);
}

size_t program_variables(const struct program *program)
{
	return program->variable_count;
}

/* ---- running ---- */

static enum jq_outcome refuse(struct buf *out, enum jq_outcome outcome, const char *why)
{
	buf_adds(out, why);
	return outcome;
}

/* The variable, parsed anew only when it is another. */
static jv variable(struct program *program, size_t i, const struct program_text *value)
{
	struct buf *text = &program->texts[i];

	if (text->size != value->size || memcmp(text->data, value->data, value->size) != 0) {
		buf_reset(text);
		buf_add(text, value->data, value->size);
		jv_free(program->values[i]);
		program->values[i] = value_parse(value->data, value->size, program->arena);
	}
	return jv_copy(program->values[i]);
}

/* [input, variables]; invalid when one of them is not JSON. */
static jv gather(struct program *program, const struct program_text *values)
{
	jv all = jv_array_sized((int)program->variable_count + 1);
	jv value = value_parse(values[0].data, values[0].size, program->arena);

	for (size_t i = 0; jv_is_valid(value) && i < program->variable_count; i++) {
		all = jv_array_append(all, value);
		value = variable(program, i, &values[i + 1]);
	}
	if (jv_is_valid(value))
		return jv_array_append(all, value);
	jv_free(all);
	return value;
}

/* What was raised, as the text that it is or as JSON; consumes invalid. */
static void put_message(struct buf *out, jv invalid)
{
	jv message = jv_invalid_get_msg(invalid);

	if (jv_get_kind(message) != JV_KIND_STRING)
		message = jv_dump_string(message, 0);
	size_t size = (size_t)jv_string_length_bytes(jv_copy(message));
	if (size >= JQ_REASON_BYTES)
		size = JQ_REASON_BYTES - 1;
	buf_add(out, jv_string_value(message), size);
	jv_free(message);
}

/* What followed the first result, or came in its place; consumes next. */
static enum jq_outcome end_without(struct program *program, jv next, struct buf *out)
{
	if (jq_halted(program->jq)) {
		jv_free(next);
		return refuse(out, JQ_ERROR, "halt ends nothing here");
	}
	if (jv_invalid_has_msg(jv_copy(next))) {
		put_message(out, next);
		return JQ_ERROR;
	}
	jv_free(next);
	return JQ_NOTHING;
}

static enum jq_outcome put_result(struct buf *out, jv result)
{
	jv text = jv_dump_string(result, 0);
	size_t size = (size_t)jv_string_length_bytes(jv_copy(text));
	bool fits = size <= JQ_RESULT_BYTES;

	if (fits)
		buf_add(out, jv_string_value(text), size);
	jv_free(text);
	return fits ? JQ_RESULT : refuse(out, JQ_TOO_LARGE, "the result is larger than 1 MiB");
}

int program_run(struct program *program, const struct program_text *values, struct buf *out)
{
	jv input = gather(program, values);

	if (!jv_is_valid(input)) {
		put_message(out, input);
		return JQ_ERROR;
	}
	jq_start(program->jq, input, 0);
	jv first = jq_next(program->jq);
	if (!jv_is_valid(first)) {
		enum jq_outcome why = end_without(program, first, out);
		return why == JQ_NOTHING ? refuse(out, why, "gave no result") : why;
	}
	jv second = jq_next(program->jq);
	if (jv_is_valid(second)) {
		jv_free(first);
		jv_free(second);
		return refuse(out, JQ_SEVERAL, "gave more than one result");
	}
	enum jq_outcome outcome = end_without(program, second, out);
	if (outcome == JQ_NOTHING)
		return put_result(out, first);
	jv_free(first);
	return outcome;
}
