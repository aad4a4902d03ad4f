#ifndef JQ_CHILD_TEST_H
#define JQ_CHILD_TEST_H

/* The tocsin-jq of the build that the test is of. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "jq/jq.h"

/* build/<flavour>/tests/unit/test_x -> build/<flavour>/tocsin-jq. Unlike a service's, the
 * deadline leaves a busy machine time. */
static inline const struct jq_settings *jq_test_settings(void)
{
	static _Thread_local char path[4096];
	static _Thread_local struct jq_settings settings = { .deadline_ms = 2000 };

	ssize_t size = readlink("/proc/self/exe", path, sizeof path - 32);
	assert(size > 0);
	path[size] = '\0';
	for (int up = 0; up < 3; up++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/tocsin-jq");
	settings.child = path;
	return &settings;
}

#endif
