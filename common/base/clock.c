#include "base/clock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t (*_Atomic wall_source)(void);
static uint64_t (*_Atomic mono_source)(void);

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_wall_ms(void)
{
	uint64_t (*source)(void) = atomic_load_explicit(&wall_source, memory_order_relaxed);

	return source ? source() : read_clock(CLOCK_REALTIME);
}

uint64_t clock_mono_ms(void)
{
	uint64_t (*source)(void) = atomic_load_explicit(&mono_source, memory_order_relaxed);

	return source ? source() : read_clock(CLOCK_MONOTONIC);
}

struct timespec clock_mono_after(uint64_t ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(ms / 1000);
	at.tv_nsec += (long)(ms % 1000) * 1000000L;
	if (at.tv_nsec >= 1000000000L) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000L;
	}
	return at;
}

void clock_sleep_ms(uint64_t ms)
{
	const struct timespec span = { .tv_sec = (time_t)(ms / 1000),
				       .tv_nsec = (long)(ms % 1000) * 1000000L };

	nanosleep(&span, NULL);
}

void clock_inject(uint64_t (*wall_ms)(void), uint64_t (*mono_ms)(void))
{
	atomic_store(&wall_source, wall_ms);
	atomic_store(&mono_source, mono_ms);
}

/* 9999-12-31T23:59:59.999Z, the last instant the texts can carry. */
static const uint64_t last_ms = 253402300799999;

static void split(uint64_t wall_ms, struct tm *ret_parts)
{
	time_t seconds = (time_t)((wall_ms > last_ms ? last_ms : wall_ms) / 1000);

	gmtime_r(&seconds, ret_parts);
}

void clock_format(uint64_t wall_ms, char *ret_text)
{
	struct tm parts;

	split(wall_ms, &parts);
	size_t size = strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(ret_text + size, CLOCK_TEXT_SIZE - size, ".%03uZ", (unsigned)(wall_ms % 1000));
}

void clock_format_plain(uint64_t wall_ms, char *ret_text)
{
	struct tm parts;

	split(wall_ms, &parts);
	strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &parts);
}

/* Takes exactly count digits. */
static bool take_number(const char **at, unsigned count, unsigned *ret_number)
{
	unsigned number = 0;

	for (unsigned i = 0; i < count; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		number = number * 10 + (unsigned)(**at - '0');
	}
	*ret_number = number;
	return true;
}

static bool take_char(const char **at, const char *allowed)
{
	if (**at == '\0' || !strchr(allowed, **at))
		return false;
	(*at)++;
	return true;
}

struct civil {
	unsigned year, month, day, hour, minute, second;
};

static bool civil_valid(const struct civil *c)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (c->year < 1970 || c->month < 1 || c->month > 12 || c->day < 1)
		return false;
	bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
	unsigned last = days[c->month - 1] + (c->month == 2 && leap ? 1U : 0U);
	return c->day <= last && c->hour < 24 && c->minute < 60 && c->second <= 60;
}

/* Seconds since 1970 UTC of a valid civil time; a leap second is the second after it. */
static int64_t civil_seconds(const struct civil *c)
{
	/* Years start in March, so that the leap day is the last of its year. */
	int64_t year = (int64_t)c->year - (c->month <= 2);
	int64_t month = (c->month + 9) % 12;
	int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 +
		       c->day - 1 - 719468;

	return ((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
}

/* ".123456789", cut to milliseconds; nothing there is 0. */
static bool take_fraction(const char **at, unsigned *ret_ms)
{
	unsigned digits = 0, weight = 100;

	*ret_ms = 0;
	if (**at != '.')
		return true;
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++) {
		*ret_ms += (unsigned)(**at - '0') * weight;
		weight /= 10;
		if (++digits > 9)
			return false;
	}
	return digits > 0;
}

/* "Z", "+02:00", "-0530": minutes to subtract. */
static bool take_offset(const char **at, int *ret_minutes)
{
	unsigned hours, minutes;

	*ret_minutes = 0;
	if (take_char(at, "Zz"))
		return true;
	int sign = **at == '-' ? -1 : 1;
	if (!take_char(at, "+-") || !take_number(at, 2, &hours))
		return false;
	take_char(at, ":");
	if (!take_number(at, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_minutes = sign * (int)(hours * 60 + minutes);
	return true;
}

bool clock_parse(const char *text, uint64_t *ret_wall_ms)
{
	struct civil c;
	unsigned ms;
	int offset;
	const char *at = text;

	if (!take_number(&at, 4, &c.year) || !take_char(&at, "-") ||
	    !take_number(&at, 2, &c.month) || !take_char(&at, "-") ||
	    !take_number(&at, 2, &c.day) || !take_char(&at, "Tt ") ||
	    !take_number(&at, 2, &c.hour) || !take_char(&at, ":") ||
	    !take_number(&at, 2, &c.minute) || !take_char(&at, ":") ||
	    !take_number(&at, 2, &c.second) || !take_fraction(&at, &ms) ||
	    !take_offset(&at, &offset) || *at != '\0' || !civil_valid(&c))
		return false;
	int64_t seconds = civil_seconds(&c) - (int64_t)offset * 60;
	if (seconds < 0)
		return false;
	*ret_wall_ms = (uint64_t)seconds * 1000 + ms;
	return true;
}

static bool take_name(const char **at, const char *names, unsigned count, unsigned *ret_index)
{
	for (unsigned i = 0; i < count; i++) {
		if (strncmp(*at, names + (size_t)i * 3, 3) != 0)
			continue;
		*at += 3;
		*ret_index = i;
		return true;
	}
	return false;
}

bool clock_parse_http(const char *text, uint64_t *ret_wall_ms)
{
	struct civil c;
	unsigned weekday;
	const char *at = text;

	if (!take_name(&at, "MonTueWedThuFriSatSun", 7, &weekday) || !take_char(&at, ",") ||
	    !take_char(&at, " ") || !take_number(&at, 2, &c.day) || !take_char(&at, " ") ||
	    !take_name(&at, "JanFebMarAprMayJunJulAugSepOctNovDec", 12, &c.month) ||
	    !take_char(&at, " ") || !take_number(&at, 4, &c.year) || !take_char(&at, " ") ||
	    !take_number(&at, 2, &c.hour) || !take_char(&at, ":") ||
	    !take_number(&at, 2, &c.minute) || !take_char(&at, ":") ||
	    !take_number(&at, 2, &c.second) || strcmp(at, " GMT") != 0)
		return false;
	c.month++;
	if (!civil_valid(&c))
		return false;
	*ret_wall_ms = (uint64_t)civil_seconds(&c) * 1000;
	return true;
}

static const struct {
	const char *suffix;
	uint64_t ms;
} units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

bool clock_parse_span(const char *text, uint64_t *ret_ms)
{
	uint64_t number = 0, unit = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (at == text)
		return false;
	if (*at == '\0')
		unit = 1000;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strcmp(at, units[i].suffix) == 0)
			unit = units[i].ms;
	if (unit == 0 || number > UINT64_MAX / unit)
		return false;
	*ret_ms = number * unit;
	return true;
}

void clock_format_span(uint64_t ms, char *ret_text)
{
	size_t i = 0;

	while (ms % units[i].ms != 0)
		i++;
	if (ms == 0)
		i = 3;
	snprintf(ret_text, CLOCK_TEXT_SIZE, "%" PRIu64 "%s", ms / units[i].ms, units[i].suffix);
}
