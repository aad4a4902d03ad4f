#ifndef JQ_PROGRAM_H
#define JQ_PROGRAM_H

#include <stddef.h>

struct buf;

/* One compiled jq program: all that is known here of libjq. */
struct program;

struct program_text {
	const char *data;
	size_t size;
};

/* The program sees the values that come with each input under the names of variables. NULL with
 * ret_error ("12: syntax error ...", or ": ..." where there is no line) when it is wrong. */
struct program *program_new(const struct program_text *text,
			    const struct program_text *variables, size_t count,
			    struct buf *ret_error);
void program_free(struct program *program); /* NULL is fine */
size_t program_variables(const struct program *program);

/* values[0] is the input, the variables follow. Returns an enum jq_outcome and appends the
 * result, or why there is none, to out. */
int program_run(struct program *program, const struct program_text *values, struct buf *out);

#endif
