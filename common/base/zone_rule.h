#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* When it is summer in the years after the last transition of a time zone file: a POSIX TZ
 * string, "CET-1CEST,M3.5.0,M10.5.0/3". For zone.c. */

enum { ZONE_ABBREVIATION_MAX = 15 };

struct zone_period {
	int32_t offset_s; /* east of UTC */
	char abbreviation[ZONE_ABBREVIATION_MAX + 1];
};

/* When a year's change is: "M3.5.0/2", "J60", "59". */
struct zone_change {
	enum { CHANGE_NONE, CHANGE_WEEKDAY, CHANGE_JULIAN, CHANGE_DAY } form;
	int month, week, day;
	int32_t time_s;
};

struct zone_rule {
	int kinds; /* 0: no rule; 1: never summer; 2: both */
	struct zone_period period[2];
	struct zone_change to[2]; /* to summer time is [1] */
};

/* "" is no rule. False when it is none of POSIX. */
bool zone_rule_parse(struct zone_rule *ret_rule, const char *text);
/* Of a rule with kinds 1 or 2. */
const struct zone_period *zone_rule_at(const struct zone_rule *rule, int64_t seconds);

#endif
