/* What the outside says about our incidents, compared with what we know of them. */
#include "reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "closing.h"
#include "model/customer.h"
#include "saga.h"
#include "tickets.h"
#include "vendor/servicenow.h"
#include "vendor/session.h"
#include "vendor/threat_response.h"

enum { PAGE = 100, QUERY_MAX = 8 << 10, ANALYST_CALLS_MAX = 100 };

static struct vendor_session session_of(const struct watch *watch,
					const struct account *account)
{
	return (struct vendor_session){
		.vendor = watch->app->vendor,
		.redis = watch->redis,
		.account = account,
		.class = VENDOR_POLLING,
	};
}

/* ---- ServiceNow: what is asked for ---- */

/* A ticket to be read, and the incident it is read for. Of a duplicate the survivor is. */
struct asked {
	const struct incident *incident;
	const char *sys_id;
	bool survivor;
	bool answered;
};

struct page {
	const struct watch *watch;
	const char *table;
	struct asked rows[PAGE];
	size_t count;
};

/* ---- what is compared ---- */

/* What the incident would be surprised to read; NULL: nothing. */
static const char *news_of_open(const struct incident *incident,
				const struct closing_look *look)
{
	if (look->ticket == CLOSING_TICKET_FOREIGN)
		return incident->state == INCIDENT_HELD ? NULL : look->words;
	if (incident->state == INCIDENT_HELD)
		return look->words;
	if (look->ticket == CLOSING_TICKET_OPEN ||
	    (look->over_ms > 0 && look->over_ms == incident->closing.past_ms))
		return NULL;
	return look->words;
}

static bool compare(const struct page *page, const struct asked *asked,
		    const struct servicenow_record *row, struct err *err)
{
	const struct watch *watch = page->watch;
	const struct incident *incident = asked->incident;
	const struct closing_case about = {
		.customer = directory_customer(watch->directory, incident->customer),
		.installation = watch->app->installation,
		.table = page->table,
		.adopted = incident->adopted || asked->survivor,
	};
	struct closing_look look;
	const char *news;

	closing_look(&about, row, watch->arena, &look);
	if (asked->survivor)
		return look.ticket != CLOSING_TICKET_OVER ||
		       watch_hint(watch, incident, CLOSURE_CLOSED, look.words, err);
	if (saga_closing_accepted(incident) || incident->state == INCIDENT_CLOSED) {
		/* Only what had been over can be open again. */
		if (look.ticket != CLOSING_TICKET_OPEN || incident->closing.hint_ms > 0 ||
		    (!incident->closing.seen && incident->state != INCIDENT_CLOSED))
			return true;
		return watch_hint(watch, incident, CLOSURE_REOPEN, look.words, err);
	}
	news = news_of_open(incident, &look);
	return !news || watch_hint(watch, incident, CLOSURE_CLOSED, news, err);
}

/* Not in the answer: gone, or hidden from us. The incident asks for it by itself. */
static bool missing(const struct page *page, const struct asked *asked, struct err *err)
{
	const struct incident *incident = asked->incident;

	if (asked->survivor || incident->state == INCIDENT_HELD ||
	    incident->state == INCIDENT_CLOSED || saga_closing_accepted(incident))
		return true;
	return watch_hint(page->watch, incident, CLOSURE_CLOSED,
			  "the ticket was not in the answer", err);
}

static bool compare_all(struct page *page, const struct servicenow_record *rows, size_t count,
			struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *sys_id = servicenow_record_value(&rows[i], "sys_id");

		for (size_t k = 0; sys_id && k < page->count; k++) {
			if (strcmp(page->rows[k].sys_id, sys_id) != 0)
				continue;
			page->rows[k].answered = true;
			if (!compare(page, &page->rows[k], &rows[i], err))
				return false;
		}
	}
	for (size_t k = 0; k < page->count; k++) {
		if (!page->rows[k].answered && !missing(page, &page->rows[k], err))
			return false;
	}
	return true;
}

/* ---- pages ---- */

static bool page_read(struct page *page, const struct account *account, struct err *err)
{
	struct vendor_session session = session_of(page->watch, account);
	struct servicenow_record *rows;
	size_t count = 0;
	struct buf query;

	if (page->count == 0)
		return true;
	buf_init(&query, QUERY_MAX);
	for (size_t i = 0; i < page->count; i++)
		buf_addf(&query, "%s%s", i == 0 ? "sys_idIN" : ",", page->rows[i].sys_id);
	buf_adds(&query, "^ORDERBYsys_id");

	const struct servicenow_query asked = {
		.table = page->table,
		.query = buf_text(&query),
		.fields = "sys_id," CLOSING_COLUMNS,
		.limit = PAGE,
	};
	bool ok =
	    servicenow_query(&session, &asked, page->watch->arena, &rows, &count, NULL, err) &&
	    compare_all(page, rows, count, err);

	buf_done(&query);
	page->count = 0;
	return ok;
}

static bool page_add(struct page *page, const struct account *account,
		     const struct incident *incident, const char *sys_id, bool survivor,
		     struct err *err)
{
	const char *table = tickets_table(
	    incident, directory_customer(page->watch->directory, incident->customer));

	if (!table || !servicenow_sys_id_valid(sys_id))
		return true;
	if ((page->count == PAGE || (page->count > 0 && strcmp(table, page->table) != 0)) &&
	    !page_read(page, account, err))
		return false;
	page->table = table;
	page->rows[page->count++] = (struct asked){ incident, sys_id, survivor, false };
	return true;
}

static bool is_asked(const struct incident *incident, const struct account *account)
{
	return incident->servicenow_account && incident->sys_id &&
	       strcmp(incident->servicenow_account, account->id) == 0;
}

static bool read_tickets(const struct watch *watch, const struct account *account,
			 const struct watch_row *const *rows, size_t row_count, struct err *err)
{
	struct page page = { .watch = watch };
	struct incident *incidents;
	size_t count;
	bool ok = watch_load(watch, rows, row_count, &incidents, &count, err);

	for (size_t i = 0; ok && i < count; i++) {
		const struct incident *incident = &incidents[i];
		const struct incident_closing *closing = &incident->closing;

		if (!is_asked(incident, account))
			continue;
		ok = page_add(&page, account, incident, incident->sys_id, false, err);
		if (ok && closing->release == RELEASE_SURVIVOR && closing->survivor)
			ok = page_add(&page, account, incident, closing->survivor, true, err);
	}
	ok = ok && page_read(&page, account, err);
	arena_reset(watch->arena);
	return ok;
}

bool reconcile_servicenow(const struct watch *watch, const struct account *account,
			  struct err *err)
{
	const struct watch_row *rows[PAGE];
	size_t count = 0;

	for (size_t i = 0; i < watch->count; i++) {
		if (watch->rows[i].servicenow != account)
			continue;
		rows[count++] = &watch->rows[i];
		if (count < PAGE)
			continue;
		if (!read_tickets(watch, account, rows, count, err))
			return false;
		count = 0;
	}
	return read_tickets(watch, account, rows, count, err);
}

/* ---- Threat Response ---- */

/* Whether this end of an incident there counts, and as what. Suspected and under review are no
 * ends: what became of it is said later. Merged is told. */
static bool verdict_of(const char *status, enum closure_verdict *ret_verdict)
{
	static const struct {
		const char *status;
		enum closure_verdict verdict;
	} ends[] = {
		{ "Closed", VERDICT_NONE },
		{ "Closed: Confirmed Threat", VERDICT_TRUE_POSITIVE },
		{ "Closed: False Positive", VERDICT_FALSE_POSITIVE },
		{ "Closed: Near-Miss", VERDICT_BENIGN },
		{ "Closed: Other", VERDICT_NONE },
	};

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		if (strcmp(ends[i].status, status) == 0) {
			*ret_verdict = ends[i].verdict;
			return true;
		}
	}
	return false;
}

static const char merged[] = "Closed: Merged";

/* What the ticket is told once. */
static bool tell_merged(const struct watch *watch, const struct incident *incident,
			uint64_t closed_ms, struct err *err)
{
	char when[CLOCK_TEXT_SIZE] = "an unknown day";

	if (closed_ms > 0)
		clock_format_plain(closed_ms, when);
	return (incident->merged && strcmp(incident->merged, when) == 0) ||
	       watch_merged(watch, incident, when, err);
}

static bool look_there(const struct watch *watch, const struct account *account,
		       const struct incident *incident, struct err *err)
{
	struct vendor_session session = session_of(watch, account);
	struct threat_response_incident entity;
	enum closure_verdict verdict;
	bool found = false;

	if (!threat_response_incident(&session, incident->ctim_id, watch->arena, &found,
				      &entity, err))
		return false;
	if (found && strcmp(entity.status, merged) == 0)
		return tell_merged(watch, incident, entity.closed_ms, err);
	return !found || !verdict_of(entity.status, &verdict) ||
	       watch_order(watch, incident, verdict, err);
}

static bool is_asked_there(const struct incident *incident, const struct account *account)
{
	return incident->ctim_id && incident->threat_response_account &&
	       strcmp(incident->threat_response_account, account->id) == 0 &&
	       incident->state == INCIDENT_OPEN;
}

static bool read_there(const struct watch *watch, const struct account *account,
		       const struct watch_row *row, struct err *err)
{
	struct incident *incident;
	size_t count;
	bool ok = watch_load(watch, &row, 1, &incident, &count, err);

	if (ok && count > 0 && is_asked_there(incident, account))
		ok = look_there(watch, account, incident, err);
	arena_reset(watch->arena);
	return ok;
}

static int by_id(const void *a, const void *b)
{
	const struct watch_row *const *first = a, *const *second = b;

	return strcmp((*first)->id, (*second)->id);
}

static bool read_some_there(const struct watch *watch, const struct account *account,
			    const struct watch_row **asked, size_t count,
			    char last[INCIDENT_ID_SIZE], struct err *err)
{
	size_t first = 0;

	qsort(asked, count, sizeof(*asked), by_id);
	while (first < count && strcmp(asked[first]->id, last) <= 0)
		first++;
	for (size_t i = 0; i < count && i < ANALYST_CALLS_MAX; i++) {
		const struct watch_row *row = asked[(first + i) % count];

		/* Before the question: one that is never answered does not stop the rest. */
		memcpy(last, row->id, INCIDENT_ID_SIZE);
		if (!read_there(watch, account, row, err))
			return false;
	}
	return true;
}

bool reconcile_threat_response(const struct watch *watch, const struct account *account,
			       char last[INCIDENT_ID_SIZE], struct err *err)
{
	const struct watch_row **asked = xcalloc(watch->count + 1, sizeof(*asked));
	size_t count = 0;

	for (size_t i = 0; i < watch->count; i++) {
		if (watch->rows[i].threat_response == account)
			asked[count++] = &watch->rows[i];
	}

	bool ok = read_some_there(watch, account, asked, count, last, err);

	free(asked);
	return ok;
}
