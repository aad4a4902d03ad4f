#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/metric.h"

static const double bounds[] = { 0.1, 1, 10, 0 };

static struct metric plain = { .name = "tocsin_plain_total", .help = "plain things" };
static struct metric labelled = {
	.name = "tocsin_labelled_total",
	.help = "labelled things",
	.labels = "source,outcome",
};
static struct metric level = {
	.name = "tocsin_level",
	.kind = METRIC_GAUGE,
	.help = "a level",
};
static struct metric took = {
	.name = "tocsin_took_seconds",
	.kind = METRIC_HISTOGRAM,
	.help = "time taken",
	.labels = "step",
	.bounds = bounds,
};
static struct metric many = {
	.name = "tocsin_many_total",
	.help = "too many",
	.labels = "id",
};
static struct metric busy = { .name = "tocsin_busy_total", .help = "busy", .labels = "thread" };

static struct metric *const rows[] = { &plain, &labelled, &level, &took, &many, &busy, NULL };

static int setup(void **state)
{
	(void)state;
	metric_register(rows);
	metric_register(rows); /* twice is once */
	return 0;
}

static char *render(void)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	metric_render(&out);
	assert_true(buf_ok(&out));
	return buf_take(&out, NULL);
}

static void expect(const char *text)
{
	char *all = render();

	if (!strstr(all, text))
		fail_msg("no <%s> in:\n%.3000s", text, all);
	free(all);
}

static void what_has_no_labels_starts_at_zero(void **state)
{
	(void)state;
	expect("# HELP tocsin_plain_total plain things\n# TYPE tocsin_plain_total counter\n"
	       "tocsin_plain_total 0\n# HELP tocsin_labelled_total");
	expect("# TYPE tocsin_level gauge\ntocsin_level 0\n");
}

static void counts_by_label(void **state)
{
	(void)state;
	metric_add(&labelled, 1, "amp", "ok");
	metric_add(&labelled, 2, "amp", "ok");
	metric_add(&labelled, 1, "amp", "a\"b\\c\nd");
	metric_add(&labelled, 0.5, "am", "pok");
	expect("\ntocsin_labelled_total{source=\"amp\",outcome=\"ok\"} 3\n");
	expect("\ntocsin_labelled_total{source=\"amp\",outcome=\"a\\\"b\\\\c\\nd\"} 1\n");
	expect("\ntocsin_labelled_total{source=\"am\",outcome=\"pok\"} 0.5\n");
}

static void gauges_go_down(void **state)
{
	(void)state;
	metric_set(&level, 7);
	metric_add(&level, -9);
	expect("\ntocsin_level -2\n");
	metric_set(&level, 1e18);
	expect("\ntocsin_level 1e+18\n");
}

static void histograms_accumulate(void **state)
{
	(void)state;
	metric_observe(&took, 0.1, "post"); /* a bound belongs to its bucket */
	metric_observe(&took, 0.2, "post");
	metric_observe(&took, 100, "post");
	expect("# TYPE tocsin_took_seconds histogram\n"
	       "tocsin_took_seconds_bucket{step=\"post\",le=\"0.1\"} 1\n"
	       "tocsin_took_seconds_bucket{step=\"post\",le=\"1\"} 2\n"
	       "tocsin_took_seconds_bucket{step=\"post\",le=\"10\"} 2\n"
	       "tocsin_took_seconds_bucket{step=\"post\",le=\"+Inf\"} 3\n"
	       "tocsin_took_seconds_sum{step=\"post\"} 100.3\n"
	       "tocsin_took_seconds_count{step=\"post\"} 3\n");
}

/* A label that an outsider chooses must not fill the memory. */
static void further_series_are_others(void **state)
{
	char id[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(id, sizeof id, "id-%d", i);
		metric_add(&many, 1, id);
	}
	expect("\ntocsin_many_total{id=\"id-1999\"} 1\n");
	expect("\ntocsin_many_total{id=\"other\"} 3000\n");
	metric_add(&many, 1, "id-5");
	expect("\ntocsin_many_total{id=\"id-5\"} 2\n");
}

static void *count(void *opaque)
{
	(void)opaque;
	for (int i = 0; i < 20000; i++) {
		static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g" };
		metric_add(&busy, 1, names[i % 7]);
		metric_add(&plain, 1);
		metric_observe(&took, 0.5, "threads");
		if (i % 5000 == 0)
			free(render());
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	expect("\ntocsin_plain_total 80000\n");
	expect("\ntocsin_took_seconds_count{step=\"threads\"} 80000\n");
	expect("\ntocsin_took_seconds_sum{step=\"threads\"} 40000\n");
	expect("\ntocsin_busy_total{thread=\"a\"} 11432\n");
	expect("\ntocsin_busy_total{thread=\"g\"} 11428\n");
}

static void the_reference(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	metric_print_markdown((struct metric *const[]){ &plain, &took, NULL }, &out);
	assert_string_equal(buf_text(&out),
			    "| `tocsin_plain_total` | counter | – | plain things |\n"
			    "| `tocsin_took_seconds` | histogram | `step` | time taken |\n");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_no_labels_starts_at_zero),
		cmocka_unit_test(counts_by_label),
		cmocka_unit_test(gauges_go_down),
		cmocka_unit_test(histograms_accumulate),
		cmocka_unit_test(further_series_are_others),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(the_reference),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
