/* Rules of summer time, and the calendar that they need. */
#include "base/zone_rule.h"

#include <string.h>
#include <time.h>

enum { DAY_S = 86400 };

static bool take_abbreviation(const char **at, char *ret)
{
	const char *from = *at, *end = from;
	bool quoted = *from == '<';

	if (quoted)
		end = ++from;
	while (quoted ? *end && *end != '>'
		      : (*end >= 'A' && *end <= 'Z') || (*end >= 'a' && *end <= 'z'))
		end++;
	size_t size = (size_t)(end - from);

	if (size < 1 || size > ZONE_ABBREVIATION_MAX || (quoted && *end != '>'))
		return false;
	memcpy(ret, from, size);
	ret[size] = '\0';
	*at = quoted ? end + 1 : end;
	return true;
}

static bool take_number(const char **at, int max, int *ret)
{
	int number = 0;

	if (**at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		number = number * 10 + (**at - '0');
		if (number > max)
			return false;
	}
	*ret = number;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **at, int32_t *ret_s)
{
	int hours, minutes = 0, seconds = 0, sign = 1;

	if (**at == '+' || **at == '-')
		sign = *(*at)++ == '-' ? -1 : 1;
	if (!take_number(at, 167, &hours))
		return false;
	if (**at == ':' && ((*at)++, !take_number(at, 59, &minutes)))
		return false;
	if (**at == ':' && ((*at)++, !take_number(at, 59, &seconds)))
		return false;
	*ret_s = sign * (hours * 3600 + minutes * 60 + seconds);
	return true;
}

static bool take_weekday(const char **at, struct zone_change *ret)
{
	ret->form = CHANGE_WEEKDAY;
	return take_number(at, 12, &ret->month) && ret->month >= 1 && *(*at)++ == '.' &&
	       take_number(at, 5, &ret->week) && ret->week >= 1 && *(*at)++ == '.' &&
	       take_number(at, 6, &ret->day);
}

static bool take_change(const char **at, struct zone_change *ret)
{
	if (*(*at)++ != ',')
		return false;
	if (**at == 'M') {
		(*at)++;
		if (!take_weekday(at, ret))
			return false;
	} else {
		bool julian = **at == 'J';

		*at += julian;
		ret->form = julian ? CHANGE_JULIAN : CHANGE_DAY;
		if (!take_number(at, 365, &ret->day) || (julian && ret->day < 1))
			return false;
	}
	ret->time_s = 2 * 3600;
	if (**at != '/')
		return true;
	(*at)++;
	return take_time(at, &ret->time_s);
}

/* POSIX counts west of Greenwich. */
bool zone_rule_parse(struct zone_rule *ret_rule, const char *text)
{
	struct zone_period *rule = ret_rule->period;

	*ret_rule = (struct zone_rule){ 0 };
	if (!*text)
		return true;
	if (!take_abbreviation(&text, rule[0].abbreviation) ||
	    !take_time(&text, &rule[0].offset_s))
		return false;
	rule[0].offset_s = -rule[0].offset_s;
	ret_rule->kinds = 1;
	if (!*text)
		return true;
	if (!take_abbreviation(&text, rule[1].abbreviation))
		return false;
	rule[1].offset_s = rule[0].offset_s + 3600;
	if (*text != ',') {
		if (!take_time(&text, &rule[1].offset_s))
			return false;
		rule[1].offset_s = -rule[1].offset_s;
	}
	ret_rule->kinds = 2;
	return take_change(&text, &ret_rule->to[1]) && take_change(&text, &ret_rule->to[0]) &&
	       *text == '\0';
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to that year's first day. */
static int64_t year_days(int year)
{
	int64_t before = year - 1;

	return 365 * (int64_t)(year - 1970) + (before / 4 - 492) - (before / 100 - 19) +
	       (before / 400 - 4);
}

static int64_t weekday_of(const struct zone_change *change, int year)
{
	static const int starts[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365
	};
	int leap = is_leap(year);
	int64_t first = starts[change->month - 1] + (change->month > 2 ? leap : 0);
	int64_t length =
	    starts[change->month] - starts[change->month - 1] + (change->month == 2 ? leap : 0);
	int64_t weekday = (year_days(year) + first + 4) % 7; /* 1970 began on a Thursday */
	int64_t day = (change->day - weekday + 7) % 7 + 7 * (int64_t)(change->week - 1);

	return first + (day < length ? day : day - 7);
}

/* UTC seconds of a change, when the offset before it is known. */
static int64_t change_at(const struct zone_change *change, int year, int32_t offset_s)
{
	int64_t day = change->day;

	if (change->form == CHANGE_WEEKDAY)
		day = weekday_of(change, year);
	else if (change->form == CHANGE_JULIAN) /* never counts 29 February */
		day += (is_leap(year) && day >= 60) - 1;
	return (year_days(year) + day) * DAY_S + change->time_s - offset_s;
}

const struct zone_period *zone_rule_at(const struct zone_rule *rule, int64_t seconds)
{
	const struct zone_period *periods = rule->period;
	time_t local = (time_t)(seconds + periods[0].offset_s);
	struct tm parts;

	if (rule->kinds < 2 || !gmtime_r(&local, &parts))
		return &periods[0];
	int64_t summer = change_at(&rule->to[1], parts.tm_year + 1900, periods[0].offset_s);
	int64_t winter = change_at(&rule->to[0], parts.tm_year + 1900, periods[1].offset_s);
	/* South of the equator summer is at both ends of the year. */
	bool is_summer = summer < winter ? seconds >= summer && seconds < winter
					 : seconds >= summer || seconds < winter;

	return &periods[is_summer];
}
