/* What memory_settle() gives back, and that everything still runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static long file_kib(void)
{
	char line[128];
	long kib = -1;
	FILE *status = fopen("/proc/self/status", "r");

	assert_non_null(status);
	while (kib < 0 && fgets(line, sizeof line, status))
		sscanf(line, "RssFile: %ld", &kib);
	fclose(status);
	return kib;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One relocated pointer each, in memory that may not be written any more. */
static const char *const texts[] = { "normalize", "collect", "open", "close" };

static void pages_of_files_go_and_come_back(void **state)
{
	const char *sorted[4];
	long before = file_kib();

	(void)state;
	memory_settle();
	long after = file_kib();
	if (before <= 0 || after >= before)
		fail_msg("%ld KiB of files before, %ld after", before, after);
	memcpy(sorted, texts, sizeof sorted);
	qsort(sorted, 4, sizeof *sorted, compare);
	assert_string_equal(sorted[0], "close");
	assert_string_equal(sorted[3], "open");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_files_go_and_come_back),
		cmocka_unit_test(pages_of_files_go_and_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
