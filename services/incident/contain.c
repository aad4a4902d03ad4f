/* What the steps of containment and release share: ledger, approvals, what is told. */
#include "contain.h"

#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/worker.h"
#include "contain_decide.h"
#include "links.h"
#include "model/closure.h"
#include "turn.h"

enum {
	AGAIN_MS = 3000,
	POLL_MAX_MS = 5 * 60 * 1000,
	POLL_PART = 4, /* of the time waited so far */
	TELLING_MAX = 4 << 10,
	USED_MAX = 1024,
};

/* ---- ends of phases ---- */

struct saga_end contain_end(enum saga_phase phase, enum saga_result result, const char *note)
{
	return (struct saga_end){ .phase = phase, .result = result, .note = note };
}

struct saga_end contain_pending(const struct turn *turn, enum saga_phase phase,
				uint64_t since_ms, const char *note)
{
	uint64_t now = turn_now_ms(turn);
	uint64_t wait = now > since_ms ? (now - since_ms) / POLL_PART : 0;

	if (wait < turn->app->contain_poll_ms)
		wait = turn->app->contain_poll_ms;
	if (wait > POLL_MAX_MS)
		wait = POLL_MAX_MS;
	return (struct saga_end){
		.phase = phase,
		.result = SAGA_PENDING,
		.retry_after_ms = wait,
		.note = note,
	};
}

struct saga_end contain_again(enum saga_phase phase, const char *note)
{
	return (struct saga_end){
		.phase = phase,
		.result = SAGA_REFUSED,
		.retry_after_ms = AGAIN_MS,
		.note = note,
	};
}

/* ---- the ledger ---- */

struct containment_ledger *contain_ledger(struct turn *turn)
{
	struct err err = { 0 };

	if (turn->ledger)
		return turn->ledger;
	turn->ledger = arena_alloc(turn->arena, sizeof(*turn->ledger));
	if (!containment_ledger_decode(turn->ledger, turn->incident.containment.ledger,
				       turn->arena, &err))
		log_error("incident %s: %s", turn->incident.id, err.text);
	return turn->ledger;
}

void contain_keep(struct turn *turn)
{
	struct incident_containment *containment = &turn->incident.containment;
	const struct containment_ledger *ledger = contain_ledger(turn);

	containment->ledger = containment_ledger_encode(ledger, turn->arena);
	containment->due = 0;
	containment->since_ms = 0;
	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		const struct containment_entry *entry = &ledger->entries[i];

		if (!containment_is_due(entry))
			continue;
		containment->due++;
		if (containment->since_ms == 0 || entry->since_ms < containment->since_ms)
			containment->since_ms = entry->since_ms;
	}
	if (containment->due == 0)
		containment->warned = 0;
}

void contain_forget(struct turn *turn, enum containment_method method)
{
	contain_ledger(turn)->entries[method] = (struct containment_entry){ 0 };
	contain_keep(turn);
}

void contain_claim(const struct turn *turn, enum containment_method method, const char *machine,
		   struct host_claim *ret_claim)
{
	const struct incident_containment *containment = &turn->incident.containment;

	*ret_claim = (struct host_claim){
		.partition = worker_partition(turn->worker),
		.customer = turn->incident.customer,
		.machine = machine,
		.incident = turn->incident.id,
		.method = containment_method_name(method),
		.act_ttl_ms = turn->app->times->quarantine_ms,
		.by_itself = !containment->approved,
		.per_hour = turn->customer->containment.per_hour,
	};
}

bool contain_session(const struct turn *turn, const char *account, enum saga_phase phase,
		     struct vendor_session *ret_session)
{
	bool there = account && turn_session(turn, account, phase, ret_session);

	if (there)
		ret_session->class = VENDOR_CONTAINMENT;
	return there;
}

/* ---- what is told ---- */

void contain_tell(struct turn *turn, const char *words)
{
	struct incident *incident = &turn->incident;
	const char *before = incident->containment.telling;
	char now[CLOCK_TEXT_SIZE];

	if (!incident->servicenow_account || saga_closing_accepted(incident))
		return;
	if (before && strlen(before) + strlen(words) > TELLING_MAX)
		return;
	clock_format_plain(clock_wall_ms(), now);
	incident->containment.telling =
	    arena_printf(turn->arena, "%s%s%s UTC: %s", before ? before : "",
			 before ? "\n" : "", now, words);
}

/* ---- findings ---- */

/* The host's id at the vendor of the finding, once. */
static bool know_machine(struct turn *turn, const struct finding *finding)
{
	struct incident_containment *containment = &turn->incident.containment;
	const struct customer_source *source = customer_source(turn->customer, finding->source);
	struct finding_view *view;

	if (containment->machine)
		return true;
	if (!source || !machine_source_isolates(finding->source))
		return false;
	view = arena_alloc(turn->arena, sizeof(*view));
	if (!finding_view(view, finding->payload, finding->payload_size, turn->arena, NULL) ||
	    !containment_machine_valid(view->host_uid))
		return false;
	containment->machine = view->host_uid;
	containment->account = arena_strdup(turn->arena, source->account);
	return true;
}

static void start_over(struct incident *incident, enum incident_step_id id)
{
	if (incident->steps[id].status == STEP_SKIPPED)
		incident->steps[id] = (struct incident_step){ 0 };
}

void contain_offer(struct turn *turn, const struct finding *finding)
{
	struct incident_containment *containment = &turn->incident.containment;
	const struct contain_facts facts = {
		.policy = &turn->customer->containment,
		.severity_id = finding->severity_id,
		.event_ms = finding->time_ms,
		.live = origin_is_live(finding->origin),
		.now_ms = turn_now_ms(turn),
	};

	if (facts.policy->mode == CONTAINMENT_OFF || containment->decided ||
	    !know_machine(turn, finding))
		return;
	if (containment->event_ms > 0 &&
	    contain_decide(&facts, turn->arena).verdict != CONTAIN_ACT)
		return;
	containment->event_ms = finding->time_ms;
	containment->origin = origin_name(finding->origin);
	containment->severity_id = finding->severity_id;
	start_over(&turn->incident, STEP_CONTAIN_ISOLATE);
	start_over(&turn->incident, STEP_CONTAIN_MOVE_GROUP);
}

/* ---- approval ---- */

bool contain_asks(const struct turn *turn)
{
	const struct incident_containment *containment = &turn->incident.containment;

	return containment->asked_ms > 0 && containment->expires_ms > turn_now_ms(turn);
}

static const char *ask_words(struct turn *turn, const char *why)
{
	const struct incident *incident = &turn->incident;
	char until[CLOCK_TEXT_SIZE];

	clock_format_plain(incident->containment.expires_ms, until);
	/* The code is put in when the note is written: it is kept nowhere. */
	return arena_printf(
	    turn->arena,
	    "containment of %s waits for approval until %s UTC: %s. To contain it, open the "
	    "approval link of the e-mail and enter the code " CONTAIN_CODE_PLACE
	    ", or run: tocsin containment approve %s",
	    incident->host ? incident->host : "the host", until, why, incident->id);
}

bool contain_ask(struct turn *turn, const char *why, struct err *err)
{
	struct incident_containment *containment = &turn->incident.containment;
	const struct incident *incident = &turn->incident;
	uint64_t now = turn_now_ms(turn);

	containment->decided = true;
	if (contain_asks(turn))
		return true;
	containment->asked_ms = now;
	containment->expires_ms = now + turn->customer->containment.approval_time_ms;
	containment->asked = why;
	containment->approved = NULL;
	containment->wrong_codes = 0;
	contain_tell(turn, ask_words(turn, why));
	metric_add(&app_containments, 1, "approval", "asked");
	return containment_list_put(turn->redis, worker_partition(turn->worker),
				    CONTAINMENT_APPROVALS, incident->customer, incident->id,
				    containment->expires_ms, err);
}

/* Each link acts once; the newest are remembered, older ones have expired. */
static bool use_link(struct turn *turn, const char *id)
{
	struct incident_closing *closing = &turn->incident.closing;
	const char *used = closing->used ? closing->used : "";

	if (strstr(used, id))
		return false;
	while (strlen(used) > USED_MAX && strchr(used, ' '))
		used = strchr(used, ' ') + 1;
	closing->used = arena_printf(turn->arena, "%s%s%s", used, *used ? " " : "", id);
	return true;
}

/* What a closure carries for this incident, verified here again. NULL: it is good. */
static const char *link_read(struct turn *turn, const struct closure *closure,
			     struct link *ret_link)
{
	const struct links *links = turn->app->links;
	const struct link_check check = {
		.installation = turn->app->installation,
		.purpose = LINK_APPROVE,
		.now_ms = turn_now_ms(turn),
	};
	enum link_fault fault;

	if (!links->keys)
		return "nothing is signed here (TOCSIN_LINK_KEY_FILE)";
	fault = link_verify(links->keys, &check, closure->token, turn->arena, ret_link);
	if (fault != LINK_GOOD)
		return arena_printf(turn->arena, "the link is %s", link_fault_name(fault));
	if (strcmp(ret_link->incident, turn->incident.id) != 0 ||
	    strcmp(ret_link->customer, turn->incident.customer) != 0)
		return "the link is of another incident";
	return NULL;
}

/* Why the code does not count; NULL: it does. */
static const char *code_fault(struct turn *turn, const struct closure *closure)
{
	struct incident_containment *containment = &turn->incident.containment;

	if (!contain_asks(turn))
		return "nothing waits for approval";
	if (containment->wrong_codes >= CODE_ATTEMPTS)
		return "too many wrong codes were given";
	if (code_verify(turn->app->links->keys, turn->app->installation, turn->incident.id,
			CODE_APPROVE, closure->code))
		return NULL;
	containment->wrong_codes++;
	return arena_printf(turn->arena, "the code is wrong (%u of %d)",
			    containment->wrong_codes, CODE_ATTEMPTS);
}

static const char *approval_fault(struct turn *turn, const struct closure *closure)
{
	const char *fault;
	struct link link;

	if (saga_closing_accepted(&turn->incident))
		return "the incident is closing";
	if (!turn->incident.containment.machine ||
	    turn->customer->containment.mode == CONTAINMENT_OFF)
		return "there is no host to contain, or containment is off";
	if (turn->incident.containment.due > 0)
		return "the host is contained already";
	fault = link_read(turn, closure, &link);
	/* A link without a code is never mailed: the client makes it for an operator. */
	if (!fault && link.needs_code)
		fault = code_fault(turn, closure);
	if (fault)
		return fault;
	return use_link(turn, link.id) ? NULL : "the link has been used";
}

void contain_approve(struct turn *turn, const struct closure *closure)
{
	struct incident_containment *containment = &turn->incident.containment;
	const char *actor = closure->actor && *closure->actor ? closure->actor : "somebody";
	const char *fault = approval_fault(turn, closure);

	if (fault) {
		turn_tell(turn, "approval refused", fault);
		log_warn("approval of incident %s by %s is refused: %s", turn->incident.id,
			 actor, fault);
		metric_add(&app_containments, 1, "approval", "refused");
		return;
	}
	containment->approved =
	    arena_printf(turn->arena, "%s (%s)", actor, closure_via_name(closure->via));
	containment->asked_ms = containment->expires_ms = 0;
	containment->asked = NULL;
	containment->decided = true;
	turn->incident.steps[STEP_CONTAIN_ISOLATE] = (struct incident_step){ 0 };
	turn->incident.steps[STEP_CONTAIN_MOVE_GROUP] = (struct incident_step){ 0 };
	turn_tell(turn, "containment approved", containment->approved);
	contain_tell(turn, arena_printf(turn->arena, "containment approved by %s",
					containment->approved));
	metric_add(&app_containments, 1, "approval", "given");
}

/* ---- found again ---- */

void contain_found(struct turn *turn, const char *ledger)
{
	static const enum incident_step_id acts[] = { STEP_CONTAIN_ISOLATE,
						      STEP_CONTAIN_MOVE_GROUP };
	struct incident *incident = &turn->incident;
	struct containment_ledger found;
	struct err err = { 0 };

	if (!containment_ledger_decode(&found, ledger, turn->arena, &err)) {
		log_warn("incident %s: %s", incident->id, err.text);
		return;
	}
	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		const struct containment_entry *entry = &found.entries[i];

		if (!entry->machine || containment_is_due(&contain_ledger(turn)->entries[i]))
			continue;
		contain_ledger(turn)->entries[i] = *entry;
		incident->containment.machine = entry->machine;
		incident->containment.account = entry->account;
		incident->steps[acts[i]] = (struct incident_step){
			.status = STEP_DONE,
			.note = "contained before Redis was lost",
		};
		turn_tell(turn, "found contained", entry->host ? entry->host : entry->machine);
	}
	incident->containment.decided = true;
	contain_keep(turn);
}

/* ---- letting go ---- */

static bool ledger_has(struct turn *turn, enum containment_state state)
{
	const struct containment_ledger *ledger = contain_ledger(turn);

	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		if (ledger->entries[i].machine && ledger->entries[i].state == state)
			return true;
	}
	return false;
}

bool contain_let_go(struct turn *turn, const char *who)
{
	struct incident *incident = &turn->incident;

	if (saga_closing_accepted(incident) || incident->containment.due == 0)
		return false;
	incident->containment.release = arena_strdup(turn->arena, who);
	incident->steps[STEP_RELEASE_ISOLATE] = (struct incident_step){ 0 };
	incident->steps[STEP_RELEASE_MOVE_GROUP] = (struct incident_step){ 0 };
	turn_tell(turn, "release asked for by", who);
	return true;
}

const char *contain_release(struct turn *turn, const struct closure *closure)
{
	struct link link;
	const char *fault = link_read(turn, closure, &link);

	if (!fault && link.needs_code)
		fault = "only an operator lets hosts of an open incident go";
	if (!fault && !use_link(turn, link.id))
		fault = "the link has been used";
	if (!fault && !contain_let_go(turn, closure->actor))
		fault = "it holds no host";
	return fault;
}

void contain_reopened(struct turn *turn)
{
	struct err err = { 0 };

	if (turn->incident.containment.due > 0 || !turn->incident.containment.machine ||
	    !ledger_has(turn, CONTAINMENT_RELEASED))
		return;
	if (!contain_ask(turn, "the incident was opened again", &err))
		log_warn("incident %s: %s", turn->incident.id, err.text);
}

static void finish_step(struct incident_step *step)
{
	if (step->status == STEP_PENDING)
		step->status = STEP_DONE;
}

void contain_tidy(struct turn *turn)
{
	struct incident *incident = &turn->incident;
	struct incident_step *steps = incident->steps;

	if (incident->containment.due == 0) {
		finish_step(&steps[STEP_CONTAIN_ISOLATE]);
		finish_step(&steps[STEP_CONTAIN_MOVE_GROUP]);
	}
	if (!incident->containment.release || incident->containment.due > 0 ||
	    saga_closing_accepted(incident))
		return;
	incident->containment.release = NULL;
	steps[STEP_RELEASE_ISOLATE] = (struct incident_step){ 0 };
	steps[STEP_RELEASE_MOVE_GROUP] = (struct incident_step){ 0 };
}
