#ifndef JQ_CHILD_TEST_H
#define JQ_CHILD_TEST_H

/* The tocsin-jq of the build that the test is of. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "jq/jq.h"

/* Where nothing is to be late the deadline leaves a busy machine time. */
enum { JQ_PATIENT_MS = 20000, JQ_HASTY_MS = 600 };

/* build/<flavour>/tests/unit/test_x -> build/<flavour>/tocsin-jq. One at a time in each thread.
 */
static inline const struct jq_settings *jq_test_settings(unsigned deadline_ms)
{
	static _Thread_local char path[4096];
	static _Thread_local struct jq_settings settings;

	ssize_t size = readlink("/proc/self/exe", path, sizeof path - 32);
	assert(size > 0);
	path[size] = '\0';
	for (int up = 0; up < 3; up++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/tocsin-jq");
	settings = (struct jq_settings){ .child = path, .deadline_ms = deadline_ms };
	return &settings;
}

#endif
