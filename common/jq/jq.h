#ifndef JQ_JQ_H
#define JQ_JQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"

/*
 * Programs that operators wrote, in jq, the language of mappings, rules and templates. libjq
 * ends its process when memory runs out, and a program may never end: so they run in a child
 * process, tocsin-jq, without environment, files, network and with little memory, which is
 * killed when it takes too long, and started again with its programs compiled anew.
 *
 * One struct jq for one thread, and used by that thread only: its child dies with the thread
 * that started it. Nothing is started before the first program is added.
 */
struct jq;

struct jq_settings {
	char *child;	      /* tocsin-jq; NULL: beside our own program, else in /usr/bin */
	uint64_t deadline_ms; /* for a batch, and then for each of its inputs alone */
};

extern const struct conf_option jq_options[]; /* rows of struct jq_settings */

/* settings are borrowed. */
struct jq *jq_new(const struct jq_settings *settings);
void jq_free(struct jq *jq); /* NULL is fine */

/* Asked before each input that is run alone, since many of them may take long: false ends
 * jq_run() with ERR_STOPPING. */
typedef bool jq_going(void *opaque);
void jq_watch(struct jq *jq, jq_going *going, void *opaque);

enum {
	JQ_PROGRAMS_MAX = 256,	    /* at once */
	JQ_PROGRAM_BYTES = 1 << 20, /* of one program's text */
	JQ_VARIABLES_MAX = 8,	    /* of one program */
	JQ_INPUT_BYTES = 4 << 20,   /* of one input with its variables */
	JQ_RESULT_BYTES = 1 << 20,  /* of one result */
	JQ_REASON_BYTES = 400,	    /* of one reason */
	JQ_BATCH = 64,		    /* inputs at once */
	JQ_PATIENCE = 4,
};

/*
 * Compiles text. name ("rules.jq") is what messages call it. variables, ended by NULL, are the
 * names of values that come with each input ("customer" is $customer in the program); NULL for
 * none. Programs cannot include or import others.
 *
 * Returns its number, 0 or more, to be given to jq_run(). -1 with err: permanent when the
 * program is wrong ("rules.jq:12: syntax error, unexpected '}'"), transient when no child could
 * be started. text is copied.
 */
int jq_add(struct jq *jq, const char *name, const char *text, const char *const *variables,
	   struct err *err);
/* The number may then be given to another program. */
void jq_remove(struct jq *jq, int program);

struct jq_json {
	const char *text;
	size_t size;
};

/* Valid JSON, both, and borrowed. Numbers that are whole and beyond 2^53 reach the program as
 * texts (jq/number.h). A variable that has the bytes of the input's before it costs next to
 * nothing, so order inputs by what they share. */
struct jq_input {
	struct jq_json value;
	struct jq_json variables[JQ_VARIABLES_MAX]; /* as many as the program has */
};

enum jq_outcome {
	JQ_RESULT,    /* text is the one result, compact JSON */
	JQ_ERROR,     /* the program raised an error: text is its message */
	JQ_NOTHING,   /* it gave no result (empty) */
	JQ_SEVERAL,   /* it gave more than one */
	JQ_TOO_LARGE, /* input or result is above its bound */
	JQ_DEADLINE,  /* it did not end in time */
	JQ_MEMORY,    /* it wanted more than there is */
	JQ_DIED,      /* it ended its process otherwise */
	JQ_SKIPPED,   /* not run: those before it ended their process one after the other */
};

struct jq_result {
	enum jq_outcome outcome;
	const char *text; /* JSON, or why there is none, for people; never NULL */
	size_t size;
};

/*
 * Runs program once for each of the inputs, in their order. An input that fails, loops or eats
 * memory gets its reason; the others are run as if it were not there. When JQ_PATIENCE inputs
 * in a row end their process it is rather the program, and the rest of them is skipped: to be
 * tried later, or with another program. Takes no longer than the deadline for each JQ_BATCH
 * inputs when all is well, and at most two deadlines more for each input that ends its process.
 *
 * ret_results[count]; their texts live until the next call with this jq. False with err
 * (transient, or stopping) when no child could be started: then none of the results counts.
 */
bool jq_run(struct jq *jq, int program, const struct jq_input *inputs, size_t count,
	    struct jq_result *ret_results, struct err *err);

/* "error", "deadline" ...: for metrics. */
const char *jq_outcome_name(enum jq_outcome outcome);

/* The child's process id, 0 while there is none: for tests and logs. */
int jq_child_pid(const struct jq *jq);

#endif
