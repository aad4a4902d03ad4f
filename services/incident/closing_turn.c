/* What happens to the incident in hand when it closes, and who is told. */
#include "closing_turn.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/metric.h"
#include "bus/activity.h"
#include "bus/closing.h"
#include "bus/containment.h"
#include "bus/redis.h"
#include "bus/worker.h"
#include "contain.h"

enum { BULK_WINDOW_MS = 10 * 60 * 1000 };

/* The reconciler finds them without this, only later. */
#define WAITS_KEPT_MS (90LL * 24 * 60 * 60 * 1000)

void closing_count(const char *via, const char *outcome)
{
	metric_add(&app_closings, 1, via && *via ? via : "other", outcome);
}

static const char *name_of(const struct incident *incident)
{
	return incident->number && *incident->number ? incident->number : incident->id;
}

/* Somebody has to look at it: the log, and the live feed. */
static void tell_people(struct turn *turn, const char *kind, const char *words)
{
	const struct field fields[] = {
		field_text("kind", kind),
		field_text("customer", turn->incident.customer),
		field_text("incident", turn->incident.id),
		field_text("trace", turn->incident.trace ? turn->incident.trace : ""),
		field_text("text", words),
	};
	struct err ignored;

	log_error("%s: %s", kind, words);
	activity_add(turn->redis, worker_partition(turn->worker), fields,
		     sizeof fields / sizeof fields[0], &ignored);
}

/* ---- it begins ---- */

static void remember_who(struct incident *incident, const struct closure *closure)
{
	struct incident_closing *closing = &incident->closing;

	if (closing->via)
		return;
	closing->via = closure_via_name(closure->via);
	closing->actor = *closure->actor ? closure->actor : NULL;
	closing->note = *closure->note ? closure->note : NULL;
}

void closing_hint(struct turn *turn, const struct closure *closure)
{
	remember_who(&turn->incident, closure);
	turn->incident.closing.hint_ms = turn_now_ms(turn);
}

void closing_accept(struct turn *turn, const struct closing_look *look)
{
	struct incident *incident = &turn->incident;

	saga_closing_accept(incident, turn_now_ms(turn));
	incident->closed_ms = look->over_ms > 0 ? look->over_ms : turn_now_ms(turn);
	incident->closing.why = look->words;
	incident->reason = look->words;
	incident->closing.survivor = look->survivor;
	if (look->verdict != VERDICT_NONE)
		incident->closing.verdict = closure_verdict_name(look->verdict);
	turn->drop_group = true;
}

void closing_order(struct turn *turn, const struct closure *closure)
{
	struct incident *incident = &turn->incident;
	const char *verdict = closure_verdict_name(closure->verdict);

	incident->closing.forced =
	    incident->state == INCIDENT_HELD && closure->via == CLOSURE_CLI;
	closing_hint(turn, closure);
	saga_closing_accept(incident, turn_now_ms(turn));
	incident->closed_ms = turn_now_ms(turn);
	incident->closing.verdict = *verdict ? verdict : NULL;
	incident->closing.why = arena_printf(turn->arena, "closed by %s%s%s",
					     *closure->actor ? closure->actor : "a person",
					     *verdict ? " as " : "", verdict);
	incident->reason = incident->closing.why;
	turn->drop_group = true;
}

/* ---- it does not ---- */

struct saga_end closing_hold(struct turn *turn, const char *why)
{
	struct incident *incident = &turn->incident;
	const char *via = incident->closing.via;

	/* What has been undone stays undone. */
	if (saga_closing_decided(incident) || incident->state == INCIDENT_CLOSED) {
		incident->closing.hint_ms = 0;
		return turn_end(SAGA_CALL, SAGA_OK, why);
	}
	closing_count(via, "held");
	saga_closing_withdraw(incident);
	if (incident->state != INCIDENT_HELD || turn->saved.state != INCIDENT_HELD)
		tell_people(turn, "held",
			    arena_printf(turn->arena,
					 "%s of customer %s is held, what it contains stays "
					 "contained: %s",
					 name_of(incident), incident->customer, why));
	incident->state = INCIDENT_HELD;
	incident->reason = why;
	return turn_end(SAGA_CALL, SAGA_OK, why);
}

void closing_take_back_question(struct turn *turn)
{
	struct key asks;

	key_format(&asks, worker_partition(turn->worker), "asks:%s", turn->incident.customer);
	redis_run(turn->redis, NULL, "HDEL %s %s", asks.text, turn->incident.id);
}

void closing_reopen(struct turn *turn, uint64_t past_ms)
{
	struct incident *incident = &turn->incident;

	closing_count(incident->closing.via, "reopened");
	if (incident->closing.survivor) {
		struct key waits;

		key_format(&waits, worker_partition(turn->worker), "waits:%s",
			   incident->closing.survivor);
		redis_run(turn->redis, NULL, "SREM %s %s", waits.text, incident->id);
	}
	closing_take_back_question(turn);
	saga_reopen(incident);
	contain_reopened(turn);
	incident->closing.past_ms = past_ms;
	turn->take_group = true;
}

/* ---- frozen ---- */

/* A person's word is not automatic. */
static bool is_ordered(const struct incident *incident)
{
	const char *via = incident->closing.via;

	return incident->containment.release || incident->closing.confirmed ||
	       (via && (strcmp(via, closure_via_name(CLOSURE_CLI)) == 0 ||
			strcmp(via, closure_via_name(CLOSURE_LINK)) == 0));
}

bool closing_is_frozen(struct turn *turn, bool *ret_frozen, struct err *err)
{
	*ret_frozen = false;
	return is_ordered(&turn->incident) ||
	       freeze_read(turn->redis, worker_partition(turn->worker), "closing",
			   turn->incident.customer, ret_frozen, err);
}

/* ---- hosts ---- */

static const char *ask_words(const struct turn *turn)
{
	return arena_printf(turn->arena, "%s holds %s", name_of(&turn->incident),
			    turn->incident.host ? turn->incident.host : "a host");
}

static struct closing_gate gate_of(const struct turn *turn, unsigned limit)
{
	return (struct closing_gate){
		.customer = turn->incident.customer,
		.incident = turn->incident.id,
		.words = ask_words(turn),
		.window_ms = BULK_WINDOW_MS + turn->policy.grace_ms,
		.limit = limit,
	};
}

bool closing_count_release(struct turn *turn, struct err *err)
{
	const struct closing_gate gate = gate_of(turn, UINT_MAX);
	uint64_t ignored_asked;
	bool ignored_passed;

	return closing_gate_pass(turn->redis, worker_partition(turn->worker), &gate,
				 &ignored_passed, &ignored_asked, err);
}

bool closing_gate(struct turn *turn, enum incident_release *release, struct err *err)
{
	/* What is asked about anyway is only put on the list. */
	const struct closing_gate gate =
	    gate_of(turn, *release == RELEASE_NOW ? turn->customer->closing.bulk : 0);
	bool passed = false;
	uint64_t asked = 0;

	if ((*release != RELEASE_NOW && *release != RELEASE_ASK) ||
	    turn->incident.closing.confirmed)
		return true;
	if (!closing_gate_pass(turn->redis, worker_partition(turn->worker), &gate, &passed,
			       &asked, err))
		return false;
	if (passed)
		return true;
	if (asked == 1)
		tell_people(
		    turn, "release",
		    arena_printf(turn->arena,
				 "%s: a person has to confirm that it is let go: tocsin "
				 "incident release %s, or --customer %s for all",
				 gate.words, turn->incident.id, turn->incident.customer));
	closing_count(turn->incident.closing.via, "asked");
	*release = RELEASE_ASK;
	return true;
}

bool closing_wait(struct turn *turn, const char *sys_id, uint64_t *ret_waiting, struct err *err)
{
	struct redis_reply *reply;
	struct key waits;

	key_format(&waits, worker_partition(turn->worker), "waits:%s", sys_id);
	if (!redis_run(turn->redis, err, REDIS_ALWAYS "SADD %s", waits.text,
		       turn->incident.id) ||
	    !redis_run(turn->redis, err, "PEXPIRE %s %lld", waits.text,
		       (long long)WAITS_KEPT_MS))
		return false;
	reply = redis_command(turn->redis, err, "SCARD %s", waits.text);
	if (!reply)
		return false;
	*ret_waiting = (uint64_t)reply_integer(reply);
	reply_free(reply);
	return true;
}

void closing_confirm(struct turn *turn, const struct closure *closure)
{
	struct incident *incident = &turn->incident;

	incident->closing.confirmed = *closure->actor ? closure->actor : "a person";
	if (incident->closing.release == RELEASE_KEEP) {
		incident->steps[STEP_RELEASE_ISOLATE] = (struct incident_step){ 0 };
		incident->steps[STEP_RELEASE_MOVE_GROUP] = (struct incident_step){ 0 };
	}
	if (incident->closing.release != RELEASE_UNDECIDED)
		incident->closing.release = RELEASE_NOW;
	closing_take_back_question(turn);
	turn_tell(turn, "release confirmed by", incident->closing.confirmed);
	saga_set_state(incident);
}

const char *closing_release_words(const struct incident *incident)
{
	switch (incident->closing.release) {
	case RELEASE_ASK:
		return ", a person has to confirm that hosts are let go";
	case RELEASE_SURVIVOR:
		return ", hosts are held for the ticket that took its place";
	case RELEASE_KEEP:
		return ", hosts stay as they are";
	default:
		return "";
	}
}
