/* What the steps and the loop share: the journal, the facts, sessions and ends. */
#include "turn.h"

#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "bus/redis.h"
#include "bus/worker.h"
#include "tickets.h"
#include "vendor/servicenow.h"

uint64_t turn_now_ms(const struct turn *turn)
{
	return turn->hold.now_ms + (clock_mono_ms() - turn->taken_mono_ms);
}

void turn_tell(struct turn *turn, const char *what, const char *words)
{
	char now[CLOCK_TEXT_SIZE];

	clock_format(clock_wall_ms(), now);
	turn->timeline =
	    arena_printf(turn->arena, "%s%s%s %s%s%s", turn->timeline ? turn->timeline : "",
			 turn->timeline ? "\n" : "", now, what, words && *words ? ": " : "",
			 words ? words : "");
}

void turn_keep(struct turn *turn, const char *item)
{
	if (turn->kept_count == turn->kept_room) {
		size_t room = turn->kept_room * 2 + 16;
		const char **more = arena_alloc(turn->arena, room * sizeof(*more));

		if (turn->kept_count > 0)
			memcpy(more, turn->kept, turn->kept_count * sizeof(*more));
		turn->kept = more;
		turn->kept_room = room;
	}
	turn->kept[turn->kept_count++] = item;
}

static unsigned told_later(const struct incident *incident)
{
	return incident->waiting_count + incident->writing_count;
}

bool turn_kept(struct turn *turn, const char ***ret_items, size_t *ret_count, struct err *err)
{
	unsigned count = told_later(&turn->saved);
	struct redis_reply *list = NULL;
	const char **items;
	size_t stored = 0;

	if (count > 0) {
		list =
		    redis_command(turn->redis, err, "LRANGE %s -%u -1", turn->keys.waiting.text,
				  count < TURN_KEPT_MAX ? count : (unsigned)TURN_KEPT_MAX);
		if (!list)
			return false;
		stored = reply_count(list);
	}
	items = arena_alloc(turn->arena, (stored + turn->kept_count + 1) * sizeof(*items));
	for (size_t i = 0; i < stored; i++)
		items[i] = arena_strdup(turn->arena, reply_text(reply_at(list, i)));
	for (size_t i = 0; i < turn->kept_count; i++)
		items[stored + i] = turn->kept[i];
	reply_free(list);
	*ret_items = items;
	*ret_count = stored + turn->kept_count;
	return true;
}

/* Before the write that counts them: after a crash some are there twice, of which as many as
 * are counted are read. */
static bool write_kept(struct turn *turn, struct err *err)
{
	const char *key = turn->keys.waiting.text;
	unsigned count = told_later(&turn->incident);
	bool ok = true;

	if (turn->kept_count == 0 && count >= told_later(&turn->saved))
		return true;
	if (worker_lost(turn->worker))
		return err_set(err, ERR_TRANSIENT, "taken over by another worker");
	for (size_t i = 0; i < turn->kept_count; i++)
		redis_append(turn->redis, REDIS_ALWAYS "RPUSH %s", key, turn->kept[i]);
	if (count == 0)
		redis_append(turn->redis, "LTRIM %s 1 0", key);
	else
		redis_append(turn->redis, "LTRIM %s -%u -1", key,
			     count < TURN_KEPT_MAX ? count : (unsigned)TURN_KEPT_MAX);
	for (size_t i = 0; i < turn->kept_count + 1; i++) {
		struct redis_reply *reply = redis_read(turn->redis, ok ? err : NULL);

		ok = ok && reply;
		reply_free(reply);
	}
	turn->kept_count = 0;
	return ok;
}

/* What has changed since the last write. fields: room for INCIDENT_FIELDS. */
static struct journal_write write_of(const struct turn *turn, struct field *fields,
				     struct key *group)
{
	struct journal_write write = {
		.set = fields,
		.set_count =
		    incident_changes(&turn->saved, &turn->incident, turn->arena, fields),
		.items_done = turn->items_done,
		.timeline = turn->timeline,
	};

	if (turn->drop_group || turn->take_group) {
		key_format(group, worker_partition(turn->worker), "group:%s:%s",
			   turn->incident.customer, turn->incident.group);
		write.group = turn->drop_group ? JOURNAL_GROUP_DROP : JOURNAL_GROUP_TAKE;
		write.group_key = group->text;
		write.previous_ttl_ms = turn->decided.has_reopen
					    ? turn->decided.reopen_ms
					    : turn->app->times->fate_ttl_ms;
	}
	return write;
}

static void written(struct turn *turn)
{
	turn->saved = turn->incident;
	turn->items_done = 0;
	turn->timeline = NULL;
	turn->drop_group = turn->take_group = false;
	worker_progress(turn->worker);
}

/* True when there was nothing to write, or it was written. */
static bool journal(struct turn *turn, struct err *err)
{
	struct field fields[INCIDENT_FIELDS];
	struct key group;
	const struct journal_write write = write_of(turn, fields, &group);

	bool taken = true;

	if (!write_kept(turn, err))
		return false;
	if (write.set_count == 0 && write.items_done == 0 && !write.timeline &&
	    !turn->drop_group && !turn->take_group)
		return true;
	if (!incident_journal(turn->redis, &turn->keys, &turn->hold, &write, &taken, err))
		return false;
	if (!taken) {
		/* Nothing was written: it goes on beside the one that has the group now. */
		turn->take_group = false;
		turn_tell(turn, "reopened", "another incident of its group is open");
		return journal(turn, err);
	}
	written(turn);
	return true;
}

bool turn_journal(struct turn *turn, struct err *err)
{
	const char *opening = turn->incident.opening;
	size_t items_done = turn->items_done;

	if (!turn->keep_opening)
		return journal(turn, err);
	turn->incident.opening = turn->saved.opening;
	turn->items_done = 0;

	bool ok = journal(turn, err);

	turn->incident.opening = opening;
	turn->items_done = items_done;
	return ok;
}

bool turn_finish(struct turn *turn, const struct incident_end *end, bool *ret_released,
		 struct err *err)
{
	struct field fields[INCIDENT_FIELDS];
	struct key group;

	if (turn->take_group && !turn_journal(turn, err))
		return false;

	const struct journal_write write = write_of(turn, fields, &group);

	if (!write_kept(turn, err))
		return false;
	if (!incident_finish(turn->redis, &turn->keys, &turn->hold, &write, end, ret_released,
			     err))
		return false;
	written(turn);
	return true;
}

const char *turn_table(const struct turn *turn)
{
	return tickets_table(&turn->incident, turn->customer);
}

const struct facts *turn_facts(struct turn *turn, struct err *err)
{
	const char *account = turn->incident.threat_response_account;
	struct facts *facts;

	if (turn->facts)
		return turn->facts;
	facts = arena_alloc(turn->arena, sizeof(*facts));
	if (!facts_read(facts, &turn->incident, turn->customer,
			account ? directory_account(turn->directory, account) : NULL,
			turn->app->installation, turn->arena, err))
		return NULL;
	turn->facts = facts;
	return facts;
}

const char *turn_source_account(const struct turn *turn)
{
	const struct customer_source *source =
	    turn->incident.source ? customer_source(turn->customer, turn->incident.source)
				  : NULL;

	return source ? source->account : NULL;
}

bool turn_looks_first(const struct turn *turn, enum incident_step_id step)
{
	return turn->policy.look_first && turn->incident.steps[step].intent_ms == 0;
}

bool turn_session(const struct turn *turn, const char *account, enum saga_phase phase,
		  struct vendor_session *ret_session)
{
	*ret_session = (struct vendor_session){
		.vendor = turn->app->vendor,
		.redis = turn->redis,
		.account = directory_account(turn->directory, account),
		.class = incident_step_phase(turn->step) == PHASE_OPENING ? VENDOR_OPENING
									  : VENDOR_CONTAINMENT,
		.seated = true, /* act.c */
	};
	if (phase == SAGA_CALL) {
		ret_session->deadline_ms =
		    turn->intent_mono_ms + turn->app->times->call_deadline_ms;
		ret_session->start_by_ms = turn->intent_mono_ms + turn->app->start_by_ms;
	}
	/* A ticket needs the customer's caller, company and group, which may have been removed.
	 */
	return ret_session->account && (ret_session->account->kind != ACCOUNT_SERVICENOW ||
					turn->customer->servicenow.account);
}

struct saga_end turn_end(enum saga_phase phase, enum saga_result result, const char *note)
{
	return (struct saga_end){ .phase = phase, .result = result, .note = note };
}

struct saga_end turn_failed(struct turn *turn, const struct vendor_session *session,
			    enum saga_phase phase, bool effect, const struct err *err)
{
	bool refused = session->refusal != VENDOR_ATTEMPTED;
	struct saga_end end = {
		.phase = phase,
		.result = saga_result_of(err, refused, effect),
		.retry_after_ms = refused ? session->wait_ms : err->retry_after_ms,
		.note = arena_strdup(turn->arena, err->text),
		.routine = refused,
	};

	if (err->kind == ERR_ACCOUNT && !refused)
		end.retry_after_ms = turn->app->probe_interval_ms;
	if (err->kind == ERR_ACCOUNT || session->refusal == VENDOR_PARKED)
		turn->reason = arena_printf(turn->arena, "account:%s", session->account->id);
	return end;
}

struct saga_end turn_unconfigured(struct turn *turn, const char *account, enum saga_phase phase)
{
	return (struct saga_end){
		.phase = phase,
		.result = SAGA_REFUSED,
		.retry_after_ms = turn->app->probe_interval_ms,
		.note = arena_printf(turn->arena, "account %s is not configured", account),
	};
}

struct saga_end turn_look_up_note(struct turn *turn, const char *marker)
{
	const char *account = turn->incident.servicenow_account;
	const struct servicenow_place place = { turn_table(turn), turn->incident.sys_id };
	bool found = false;
	struct vendor_session session;
	struct err err = { 0 };

	if (!turn_session(turn, account, SAGA_LOOK_UP, &session))
		return turn_unconfigured(turn, account, SAGA_LOOK_UP);
	if (!servicenow_note_exists(&session, &place, marker, turn->arena, &found, NULL, &err))
		return turn_failed(turn, &session, SAGA_LOOK_UP, false, &err);
	return turn_end(SAGA_LOOK_UP, found ? SAGA_OK : SAGA_ABSENT,
			found ? "looked up: the note is there" : "looked up: no note");
}
