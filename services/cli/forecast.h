#ifndef CLI_FORECAST_H
#define CLI_FORECAST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct arena;
struct cli;
struct customer;
struct directory;
struct finding;
struct policy;
struct raw;
struct redis;

/*
 * What would become of events if they were taken in now, without taking them in: the same
 * normalizing, and a look at what Redis knows. It remembers which incidents earlier events
 * would have opened, so that later ones join those.
 */
struct forecast;

/* rules: a file to go by instead of the rules in force; NULL: those. */
struct forecast *forecast_new(struct cli *cli, struct redis *redis,
			      const struct directory *directory, const char *rules,
			      struct err *err);
void forecast_free(struct forecast *forecast); /* NULL is fine */

/*
 * {event_id, time_ms, type, title, severity, host, outcome, why, rules, incident, number,
 * ticket}; * fate is what is known of the event, or NULL. NULL with err when Redis does not
 * answer.
 *
 * outcome: "known", "skipped", "dead", "suppressed", "recorded", "joins", "opens"; why says it
 * in words, rules names those that decided anything. incident is the one it joins or has
 * joined, ticket whether it makes or changes one.
 */
json_t *forecast_event(struct forecast *forecast, const struct customer *customer,
		       const struct raw *raw, const char *fate, struct arena *arena,
		       struct err *err);

/* The same of a finding that was made before; what its rules decided then is taken back. Also
 * gives what is decided now: finding obeys it. */
json_t *forecast_finding(struct forecast *forecast, const struct customer *customer,
			 struct finding *finding, const struct policy **ret_policy,
			 struct arena *arena, struct err *err);

/* What kind of event it is, in the arena; never NULL. */
const char *forecast_type(struct forecast *forecast, const struct raw *raw,
			  struct arena *arena);

#endif
