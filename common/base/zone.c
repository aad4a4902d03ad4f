/*
 * TZif files (RFC 8536, version 2 and later): transitions with 64-bit times, and after the last
 * one the rule in the footer, a POSIX TZ string ("CET-1CEST,M3.5.0,M10.5.0/3"). Every count is
 * checked against the file's size before it is used.
 */
#include "base/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/zone_rule.h"

enum {
	FILE_MAX = 256 << 10,
	HEADER_SIZE = 44,
	TYPE_SIZE = 6,
	OFFSET_MAX_S = 26 * 3600, /* RFC 8536 asks for no more than that */
};

struct zone {
	char *name;	 /* of zone_find() */
	int64_t *starts; /* of the transitions, ascending */
	unsigned char *types;
	size_t count;
	struct zone_period *periods;
	size_t period_count;
	struct zone_rule rule; /* behind the last transition */
	struct zone *next;
};

void zone_free(struct zone *zone)
{
	if (!zone)
		return;
	free(zone->name);
	free(zone->starts);
	free(zone->types);
	free(zone->periods);
	free(zone);
}

static const struct zone_period *period_at(const struct zone *zone, int64_t seconds)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->starts[middle] <= seconds)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->count && zone->rule.kinds > 0)
		return zone_rule_at(&zone->rule, seconds);
	return &zone->periods[low > 0 ? zone->types[low - 1] : 0];
}

/* ---- the file ---- */

static uint32_t u32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t i64(const unsigned char *at)
{
	return (int64_t)((uint64_t)u32(at) << 32 | u32(at + 4));
}

struct counts {
	size_t isut, isstd, leap, time, type, chars;
};

static bool read_counts(const unsigned char *at, size_t size, struct counts *ret)
{
	if (size < HEADER_SIZE || memcmp(at, "TZif", 4) != 0 || at[4] < '2')
		return false;
	const unsigned char *number = at + 20;

	*ret = (struct counts){ u32(number),	  u32(number + 4),  u32(number + 8),
				u32(number + 12), u32(number + 16), u32(number + 20) };
	return ret->isut <= FILE_MAX && ret->isstd <= FILE_MAX && ret->leap <= FILE_MAX &&
	       ret->time <= FILE_MAX && ret->type <= 256 && ret->chars <= FILE_MAX;
}

static size_t block_size(const struct counts *counts, size_t time_size)
{
	return counts->time * (time_size + 1) + counts->type * TYPE_SIZE + counts->chars +
	       counts->leap * (time_size + 4) + counts->isstd + counts->isut;
}

static bool read_periods(struct zone *zone, const unsigned char *at,
			 const struct counts *counts)
{
	const char *names = (const char *)at + counts->type * TYPE_SIZE;

	zone->periods = xcalloc(counts->type, sizeof(*zone->periods));
	zone->period_count = counts->type;
	for (size_t i = 0; i < counts->type; i++, at += TYPE_SIZE) {
		struct zone_period *period = &zone->periods[i];
		size_t from = at[5];

		period->offset_s = (int32_t)u32(at);
		if (period->offset_s > OFFSET_MAX_S || period->offset_s < -OFFSET_MAX_S ||
		    from >= counts->chars)
			return false;
		size_t length = strnlen(names + from, counts->chars - from);

		if (length > ZONE_ABBREVIATION_MAX)
			return false;
		memcpy(period->abbreviation, names + from, length);
	}
	return true;
}

static bool read_transitions(struct zone *zone, const unsigned char *at,
			     const struct counts *counts)
{
	const unsigned char *types = at + counts->time * 8;

	zone->count = counts->time;
	zone->starts = xcalloc(counts->time + 1, sizeof(*zone->starts));
	zone->types = xcalloc(counts->time + 1, 1);
	for (size_t i = 0; i < counts->time; i++) {
		zone->starts[i] = i64(at + i * 8);
		zone->types[i] = types[i];
		if (types[i] >= counts->type ||
		    (i > 0 && zone->starts[i] <= zone->starts[i - 1]))
			return false;
	}
	return true;
}

static bool read_footer(struct zone *zone, const char *at, size_t size)
{
	const char *end = size > 0 && *at == '\n' ? memchr(at + 1, '\n', size - 1) : NULL;

	if (!end)
		return false;
	char *text = xstrndup(at + 1, (size_t)(end - at - 1));
	bool good = zone_rule_parse(&zone->rule, text);

	free(text);
	return good;
}

static bool read_file(struct zone *zone, const unsigned char *data, size_t size)
{
	struct counts counts;

	/* First the same in 32 bits, for programs of the last century. */
	if (!read_counts(data, size, &counts))
		return false;
	size_t skip = HEADER_SIZE + block_size(&counts, 4);

	if (skip >= size || !read_counts(data + skip, size - skip, &counts))
		return false;
	data += skip + HEADER_SIZE;
	size -= skip + HEADER_SIZE;
	size_t block = block_size(&counts, 8);

	/* Files that count leap seconds are not about wall time as others have it. */
	return block < size && counts.type > 0 && counts.leap == 0 &&
	       read_transitions(zone, data, &counts) &&
	       read_periods(zone, data + counts.time * 9, &counts) &&
	       read_footer(zone, (const char *)data + block, size - block);
}

struct zone *zone_decode(const void *data, size_t size, struct err *err)
{
	struct zone *zone = xcalloc(1, sizeof(*zone));

	if (size <= FILE_MAX && read_file(zone, data, size))
		return zone;
	err_fill(err, ERR_PERMANENT, "not a time zone file of version 2 or later");
	zone_free(zone);
	return NULL;
}

/* ---- by name ---- */

bool zone_name_valid(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > ZONE_NAME_MAX || name[0] == '/' || name[size - 1] == '/' ||
	    strstr(name, "//"))
		return false;
	return strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") ==
	       size;
}

static struct zone *load(const char *name, struct err *err)
{
	const char *folder = getenv("TZDIR"); /* read only: nobody sets it while we run */
	unsigned char *data = xmalloc(FILE_MAX + 1);
	struct zone *zone = NULL;
	struct stat status;
	ssize_t size = -1;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s",
		 folder && *folder ? folder : "/usr/share/zoneinfo", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	/* Such files are small: one read takes all of it. */
	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		size = read(fd, data, FILE_MAX + 1);
	if (size < 0)
		err_fill(err, ERR_PERMANENT, "no time zone %s (%s)", name, path);
	else
		zone = zone_decode(data, (size_t)size, err);
	if (size >= 0 && !zone)
		err_prefix(err, "%s", path);
	if (fd >= 0)
		close(fd);
	free(data);
	return zone;
}

const struct zone *zone_find(const char *name, struct err *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct zone *zones;

	if (!zone_name_valid(name)) {
		err_fill(err, ERR_PERMANENT, "\"%.64s\" is not the name of a time zone", name);
		return NULL;
	}
	pthread_mutex_lock(&lock);
	struct zone *zone = zones;

	while (zone && strcmp(zone->name, name) != 0)
		zone = zone->next;
	if (!zone && (zone = load(name, err)) != NULL) {
		zone->name = xstrdup(name);
		zone->next = zones;
		zones = zone;
	}
	pthread_mutex_unlock(&lock);
	return zone;
}

/* ---- text ---- */

int32_t zone_offset_s(const struct zone *zone, uint64_t wall_ms)
{
	return period_at(zone, (int64_t)(wall_ms / 1000))->offset_s;
}

void zone_format(const struct zone *zone, uint64_t wall_ms, char *ret_text)
{
	const struct zone_period *period = period_at(zone, (int64_t)(wall_ms / 1000));
	int64_t local_ms = (int64_t)wall_ms + (int64_t)period->offset_s * 1000;
	int minutes = abs(period->offset_s) / 60;
	bool named = period->abbreviation[0] >= 'A'; /* "+03" would be said twice */
	char plain[CLOCK_TEXT_SIZE];

	clock_format_plain(local_ms < 0 ? 0 : (uint64_t)local_ms, plain);
	snprintf(ret_text, ZONE_TEXT_SIZE, "%s %s%sUTC%c%02d:%02d%s", plain,
		 named ? period->abbreviation : "", named ? " (" : "",
		 period->offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60,
		 named ? ")" : "");
}
