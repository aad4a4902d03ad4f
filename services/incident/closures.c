/*
 * From the stream `closures` to the incident each entry is about: by its id, by our key, or by
 * the ticket. What is said there is judged later, with the incident in hand (fold_closure.c).
 */
#include "closures.h"

#include <string.h>

#include "ancestor.h"
#include "app.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/trace.h"
#include "bus/activity.h"
#include "bus/closing.h"
#include "bus/redis.h"
#include "bus/settle.h"
#include "bus/worker.h"
#include "closing_turn.h"
#include "model/closure.h"
#include "model/incident.h"

/* Strings of one entry's life. */
struct case_in_hand {
	struct worker_thread *self;
	const struct entry *entry;
	const struct closure *closure;
	const char *item;
};

static const char *item_of(struct worker_thread *self, const struct closure *closure)
{
	const struct incident_item item = { .op = ITEM_CLOSURE, .closure = *closure };

	return incident_item_encode(&item, worker_arena(self));
}

/* entry: whether it is settled with this. False with err. */
static bool push(const struct case_in_hand *about, const char *incident, bool entry,
		 enum closing_take *ret_take, struct err *err)
{
	const struct closing_item item = {
		.incident = incident,
		.item = about->item,
		.entry_id = entry ? about->entry->id : NULL,
	};

	if (!closing_take(worker_redis(about->self), worker_from(about->self),
			  worker_partition(about->self), &item, ret_take, err))
		return false;
	if (*ret_take == CLOSING_TAKEN)
		log_debug("%s by %s is for incident %s", closure_op_name(about->closure->op),
			  closure_via_name(about->closure->via), incident);
	return true;
}

/* To all that this command lists. False with err: those that had it get it once more. */
static bool push_to_all(const struct case_in_hand *about, const char *command,
			const struct key *key, size_t *ret_count, struct err *err)
{
	struct redis_reply *reply =
	    redis_command(worker_redis(about->self), err, command, key->text);
	bool ok = true;

	*ret_count = 0;
	for (size_t i = 0; ok && reply && i < reply_count(reply); i++) {
		enum closing_take taken;

		ok = push(about, reply_text(reply_at(reply, i)), false, &taken, err);
		*ret_count += ok && taken == CLOSING_TAKEN;
	}
	ok = ok && reply;
	reply_free(reply);
	return ok;
}

/* The self-test waits for its ticket's key. */
static bool tell_test(const struct case_in_hand *about, struct err *err)
{
	const struct closure *closure = about->closure;
	const struct field fields[] = {
		{ "kind", "servicenow.test", sizeof("servicenow.test") - 1 },
		{ "key", closure->key, strlen(closure->key) },
		{ "instance", closure->instance, strlen(closure->instance) },
		field_text("trace", closure->trace),
	};

	return activity_add(worker_redis(about->self), worker_partition(about->self), fields,
			    sizeof(fields) / sizeof(fields[0]), err);
}

static void unknown(const struct closure *closure, struct outcome *outcome)
{
	const char *via = closure_via_name(closure->via);

	closing_count(via, "unknown");
	log_warn("%s by %s is about no incident of ours: %s %s", closure_op_name(closure->op),
		 via, *closure->number ? closure->number : closure->sys_id, closure->incident);
	outcome->kind = OUTCOME_DONE;
}

/* All that the confirmation is for. */
static bool confirm_all(const struct case_in_hand *about, struct outcome *outcome,
			struct err *err)
{
	struct key asks;
	size_t count;

	key_format(&asks, worker_partition(about->self), "asks:%s", about->closure->customer);
	if (!push_to_all(about, "HKEYS %s", &asks, &count, err))
		return false;
	outcome->kind = OUTCOME_DONE;
	return true;
}

/* All whose hosts are held for the end of this ticket. It need not be one of ours. */
static bool tell_duplicates(const struct case_in_hand *about, size_t *ret_count,
			    struct err *err)
{
	struct closure closure = *about->closure;
	struct case_in_hand one = *about;
	struct key waits;

	*ret_count = 0;
	if (closure.op != CLOSURE_CLOSED || !*closure.sys_id)
		return true;
	key_format(&waits, worker_partition(about->self), "waits:%s", closure.sys_id);
	closure.incident = closure.key = closure.sys_id = closure.number = "";
	one.closure = &closure;
	one.item = item_of(about->self, &closure);
	return push_to_all(&one, "SMEMBERS %s", &waits, ret_count, err);
}

static bool handle(struct worker_thread *self, const struct entry *entry,
		   const struct closure *closure, struct outcome *outcome, struct err *err)
{
	const struct app *app = worker_state(self);
	const struct case_in_hand about = { self, entry, closure, item_of(self, closure) };
	const char *incident = *closure->incident
				   ? closure->incident
				   : incident_key_id(app->installation, closure->key);
	enum closing_take taken = CLOSING_UNKNOWN;
	size_t duplicates;

	if (closure->via == CLOSURE_TEST) {
		outcome->kind = OUTCOME_DONE;
		return tell_test(&about, err);
	}
	if (!incident && closure->op == CLOSURE_RELEASE && *closure->customer)
		return confirm_all(&about, outcome, err);
	if (!tell_duplicates(&about, &duplicates, err) ||
	    (incident && !push(&about, incident, true, &taken, err)))
		return false;
	if (taken != CLOSING_UNKNOWN)
		outcome->kind = OUTCOME_SETTLED;
	else if (duplicates > 0)
		outcome->kind = OUTCOME_DONE;
	else if (!incident && closure->via == CLOSURE_ANCESTORS)
		return ancestor_adopt(self, entry, closure, outcome, err);
	else
		unknown(closure, outcome);
	return true;
}

/* The callback, which faces the internet, can append to `closures`: were it taken over, it
 * could say anything there. What is an order because an operator says so has a stream of its
 * own. */
static bool may_come_from_outside(enum closure_via via)
{
	return via == CLOSURE_SERVICENOW || via == CLOSURE_ANCESTORS || via == CLOSURE_LINK ||
	       via == CLOSURE_TEST;
}

static bool is_an_operators(enum closure_via via)
{
	return via == CLOSURE_CLI;
}

static void refuse(const struct closure *closure, struct outcome *outcome)
{
	const char *via = closure_via_name(closure->via);

	closing_count(via, "refused");
	log_error("%s of incident %s: %s does not speak on this stream",
		  closure_op_name(closure->op), closure->incident, via);
	outcome->kind = OUTCOME_DONE;
}

static void handle_all(struct worker_thread *self, const struct entry *entries,
		       struct outcome *outcomes, size_t count,
		       bool (*allowed)(enum closure_via))
{
	for (size_t i = 0; i < count; i++) {
		struct closure closure;
		struct err err = { 0 };

		trace_log(entry_text(&entries[i], "trace"));
		bool read =
		    closure_decode(&closure, entries[i].fields, entries[i].field_count, &err);

		if (read && !allowed(closure.via)) {
			refuse(&closure, &outcomes[i]);
			continue;
		}
		if (read && handle(self, &entries[i], &closure, &outcomes[i], &err))
			continue;
		outcome_from_error(self, &err, &outcomes[i]);
		outcomes[i].ageless = true;
	}
	trace_log(NULL);
}

void closures_handle(struct worker_thread *self, const struct entry *entries,
		     struct outcome *outcomes, size_t count)
{
	handle_all(self, entries, outcomes, count, may_come_from_outside);
}

void orders_handle(struct worker_thread *self, const struct entry *entries,
		   struct outcome *outcomes, size_t count)
{
	handle_all(self, entries, outcomes, count, is_an_operators);
}
