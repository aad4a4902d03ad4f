/*
 * Counting. A metric's series hang in a small hash table that only grows: readers walk it
 * without a lock, a new series is put in front of its chain under one mutex. Values change
 * by compare-and-swap, so the hot path takes no lock at all.
 */
#include "base/metric.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LABELS_MAX = 4,
	LABEL_NAME_BYTES = 32,
	BOUNDS_MAX = 32,
	BUCKETS = 256,
	METRICS_MAX = 256,
};

struct series {
	struct series *next;  /* in its chain; set before it is published */
	struct series *later; /* in order of appearance */
	uint64_t hash;
	_Atomic uint64_t value; /* the bits of a double; a histogram's sum */
	_Atomic unsigned round; /* in which it was set last */
	const char *labels[LABELS_MAX];
	_Atomic uint64_t counts[]; /* histogram: one per bound and one for +Inf */
};

struct metric_series {
	unsigned labels, bounds;
	char names[LABELS_MAX][LABEL_NAME_BYTES];
	size_t count;
	_Atomic unsigned round, shown_from; /* series set before that are not shown */
	struct series *_Atomic first;
	struct series *last;
	struct series *_Atomic buckets[BUCKETS];
};

static pthread_mutex_t growing = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool customers_shown;
static struct metric *registered[METRICS_MAX];
static size_t registered_count;

static struct metric_series *table_new(const struct metric *metric)
{
	struct metric_series *table = xcalloc(1, sizeof *table);
	const char *at = metric->labels;

	while (at && *at) {
		size_t size = strcspn(at, ",");
		assert(table->labels < LABELS_MAX && size < LABEL_NAME_BYTES);
		memcpy(table->names[table->labels++], at, size);
		at += size;
		at += *at == ',';
	}
	while (metric->bounds && metric->bounds[table->bounds] != 0)
		table->bounds++;
	assert(table->bounds <= BOUNDS_MAX);
	return table;
}

static struct metric_series *table_of(struct metric *metric)
{
	struct metric_series *table =
	    atomic_load_explicit(&metric->series, memory_order_acquire);

	if (table)
		return table;
	pthread_mutex_lock(&growing);
	table = atomic_load_explicit(&metric->series, memory_order_relaxed);
	if (!table) {
		table = table_new(metric);
		atomic_store_explicit(&metric->series, table, memory_order_release);
	}
	pthread_mutex_unlock(&growing);
	return table;
}

static uint64_t hash_labels(const char *const *labels, unsigned count)
{
	uint64_t hash = 14695981039346656037U; /* FNV-1a */

	for (unsigned i = 0; i < count; i++)
		for (const char *s = labels[i];; s++) {
			hash = (hash ^ (unsigned char)*s) * 1099511628211U;
			if (*s == '\0')
				break;
		}
	return hash;
}

static struct series *series_find(struct metric_series *table, uint64_t hash,
				  const char *const *labels)
{
	struct series *series =
	    atomic_load_explicit(&table->buckets[hash % BUCKETS], memory_order_acquire);

	for (; series; series = series->next) {
		unsigned same = 0;
		if (series->hash != hash)
			continue;
		while (same < table->labels && strcmp(series->labels[same], labels[same]) == 0)
			same++;
		if (same == table->labels)
			return series;
	}
	return NULL;
}

static struct series *series_add(struct metric_series *table, uint64_t hash,
				 const char *const *labels)
{
	struct series *series =
	    xcalloc(1, sizeof *series + (table->bounds + 1) * sizeof series->counts[0]);

	series->hash = hash;
	for (unsigned i = 0; i < table->labels; i++)
		series->labels[i] = xstrdup(labels[i]);
	series->next =
	    atomic_load_explicit(&table->buckets[hash % BUCKETS], memory_order_relaxed);
	atomic_store_explicit(&table->buckets[hash % BUCKETS], series, memory_order_release);
	if (table->last)
		table->last->later = series;
	else
		table->first = series;
	table->last = series;
	table->count++;
	return series;
}

static struct series *series_of(struct metric *metric, va_list args)
{
	static const char *const other[LABELS_MAX] = { "other", "other", "other", "other" };
	struct metric_series *table = table_of(metric);
	const char *labels[LABELS_MAX] = { "", "", "", "" };

	for (unsigned i = 0; i < table->labels; i++) {
		labels[i] = va_arg(args, const char *);
		if (!labels[i])
			labels[i] = "";
	}
	uint64_t hash = hash_labels(labels, table->labels);
	struct series *series = series_find(table, hash, labels);
	if (series)
		return series;

	pthread_mutex_lock(&growing);
	series = series_find(table, hash, labels);
	if (!series && table->count >= METRIC_SERIES_MAX) {
		hash = hash_labels(other, table->labels);
		series = series_find(table, hash, other);
		if (!series)
			series = series_add(table, hash, other);
	} else if (!series) {
		series = series_add(table, hash, labels);
	}
	pthread_mutex_unlock(&growing);
	return series;
}

static double from_bits(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static uint64_t to_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static void value_add(_Atomic uint64_t *value, double more)
{
	uint64_t seen = atomic_load_explicit(value, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(
	    value, &seen, to_bits(from_bits(seen) + more), memory_order_relaxed,
	    memory_order_relaxed))
		;
}

void metric_register(struct metric *const *rows)
{
	for (; *rows; rows++) {
		struct metric_series *table = table_of(*rows);

		pthread_mutex_lock(&growing);
		bool known = false;
		for (size_t i = 0; i < registered_count; i++)
			known = known || registered[i] == *rows;
		if (!known) {
			assert(registered_count < METRICS_MAX);
			registered[registered_count++] = *rows;
		}
		/* What has no labels is there from the start, as 0: rates need that. */
		if (table->labels == 0 && table->count == 0)
			series_add(table, hash_labels(NULL, 0), NULL);
		pthread_mutex_unlock(&growing);
	}
}

void metric_add(struct metric *metric, double value, ...)
{
	va_list args;

	va_start(args, value);
	struct series *series = series_of(metric, args);
	va_end(args);
	value_add(&series->value, value);
}

void metric_set(struct metric *metric, double value, ...)
{
	va_list args;

	va_start(args, value);
	struct series *series = series_of(metric, args);
	va_end(args);
	atomic_store_explicit(&series->value, to_bits(value), memory_order_relaxed);
	atomic_store_explicit(
	    &series->round, atomic_load_explicit(&metric->series->round, memory_order_relaxed),
	    memory_order_relaxed);
}

void metric_sweep(struct metric *metric)
{
	struct metric_series *table = table_of(metric);

	atomic_store(&table->shown_from, atomic_fetch_add(&table->round, 1));
}

void metric_show_customers(bool shown)
{
	atomic_store(&customers_shown, shown);
}

const char *metric_customer(const char *id)
{
	return atomic_load_explicit(&customers_shown, memory_order_relaxed) ? id : "all";
}

void metric_observe(struct metric *metric, double value, ...)
{
	va_list args;
	unsigned bucket = 0;

	va_start(args, value);
	struct series *series = series_of(metric, args);
	va_end(args);
	while (metric->bounds && metric->bounds[bucket] != 0 && value > metric->bounds[bucket])
		bucket++;
	atomic_fetch_add_explicit(&series->counts[bucket], 1, memory_order_relaxed);
	value_add(&series->value, value);
}

static void add_number(struct buf *out, double value)
{
	/* Whole numbers up to 2^53 exactly, the rest as short as it can be read back. */
	if (value >= -9007199254740992.0 && value <= 9007199254740992.0 &&
	    value == (double)(long long)value)
		buf_addf(out, "%lld", (long long)value);
	else
		buf_addf(out, "%.10g", value);
}

static void add_label_value(struct buf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			buf_adds(out, "\\n");
		else if (*value == '"' || *value == '\\')
			buf_add(out, (char[]){ '\\', *value }, 2);
		else
			buf_add(out, value, 1);
	}
}

/* {a="x",b="y",le="0.1"}; nothing when there is nothing to say. */
static void add_labels(struct buf *out, const struct metric_series *table,
		       const struct series *series, const char *le)
{
	const char *before = "{";

	for (unsigned i = 0; i < table->labels; i++) {
		buf_addf(out, "%s%s=\"", before, table->names[i]);
		add_label_value(out, series->labels[i]);
		buf_adds(out, "\"");
		before = ",";
	}
	if (le)
		buf_addf(out, "%sle=\"%s\"", before, le);
	if (le || table->labels > 0)
		buf_adds(out, "}");
}

static void render_value(struct buf *out, const struct metric *metric,
			 const struct metric_series *table, struct series *series)
{
	buf_adds(out, metric->name);
	add_labels(out, table, series, NULL);
	buf_adds(out, " ");
	add_number(out, from_bits(atomic_load(&series->value)));
	buf_adds(out, "\n");
}

static void render_histogram(struct buf *out, const struct metric *metric,
			     const struct metric_series *table, struct series *series)
{
	uint64_t total = 0;
	char le[32];

	for (unsigned i = 0; i <= table->bounds; i++) {
		total += atomic_load(&series->counts[i]);
		if (i < table->bounds)
			snprintf(le, sizeof le, "%.10g", metric->bounds[i]);
		else
			snprintf(le, sizeof le, "+Inf");
		buf_addf(out, "%s_bucket", metric->name);
		add_labels(out, table, series, le);
		buf_addf(out, " %llu\n", (unsigned long long)total);
	}
	buf_addf(out, "%s_sum", metric->name);
	add_labels(out, table, series, NULL);
	buf_adds(out, " ");
	add_number(out, from_bits(atomic_load(&series->value)));
	buf_addf(out, "\n%s_count", metric->name);
	add_labels(out, table, series, NULL);
	buf_addf(out, " %llu\n", (unsigned long long)total);
}

static const char *kind_name(enum metric_kind kind)
{
	switch (kind) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_GAUGE:
		return "gauge";
	case METRIC_HISTOGRAM:
		return "histogram";
	}
	return "untyped";
}

void metric_render(struct buf *out)
{
	pthread_mutex_lock(&growing);
	for (size_t i = 0; i < registered_count; i++) {
		const struct metric *metric = registered[i];
		const struct metric_series *table = metric->series;

		buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
			 metric->name, kind_name(metric->kind));
		for (struct series *series = table->first; series; series = series->later) {
			if (series->round < table->shown_from)
				continue;
			if (metric->kind == METRIC_HISTOGRAM)
				render_histogram(out, metric, table, series);
			else
				render_value(out, metric, table, series);
		}
	}
	pthread_mutex_unlock(&growing);
}

void metric_print_markdown(struct metric *const *rows, struct buf *out)
{
	for (; *rows; rows++) {
		const struct metric *metric = *rows;

		buf_addf(out, "| `%s` | %s | %s%s%s | %s |\n", metric->name,
			 kind_name(metric->kind), metric->labels ? "`" : "",
			 metric->labels ? metric->labels : "–", metric->labels ? "`" : "",
			 metric->help);
	}
}
