/*
 * ledger: who called what, in which order, and what came of it. One allocation per call.
 */
#include "ledger.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "request.h"

struct entry {
	uint64_t seq;
	uint64_t time_ms;   /* the request was complete */
	uint64_t commit_ms; /* it was served */
	uint64_t delay_ms;
	unsigned status;
	bool committed;
	bool cookie;
	size_t body_size; /* as received */
	size_t body_kept;
	/* Offsets into text. */
	unsigned vendor, account, method, path, query, fault, record, agent, body;
	char text[];
};

struct ledger {
	pthread_mutex_t lock;
	struct entry **ring;
	size_t entries;
	size_t body_bytes;
	uint64_t last_seq;
	uint64_t first_seq; /* oldest still kept */
};

struct ledger *ledger_new(size_t entries, size_t body_bytes)
{
	struct ledger *ledger = xcalloc(1, sizeof(*ledger));

	pthread_mutex_init(&ledger->lock, NULL);
	ledger->ring = entries ? xcalloc(entries, sizeof(struct entry *)) : NULL;
	ledger->entries = entries;
	ledger->body_bytes = body_bytes;
	ledger->first_seq = 1;
	return ledger;
}

void ledger_clear(struct ledger *ledger)
{
	pthread_mutex_lock(&ledger->lock);
	for (size_t i = 0; i < ledger->entries; i++) {
		free(ledger->ring[i]);
		ledger->ring[i] = NULL;
	}
	ledger->first_seq = ledger->last_seq + 1;
	pthread_mutex_unlock(&ledger->lock);
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	ledger_clear(ledger);
	pthread_mutex_destroy(&ledger->lock);
	free(ledger->ring);
	free(ledger);
}

static unsigned put(struct entry *entry, size_t *used, const char *text, size_t size)
{
	unsigned at = (unsigned)*used;

	memcpy(entry->text + at, text, size);
	entry->text[at + size] = '\0';
	*used += size + 1;
	return at;
}

static struct entry *entry_new(const struct ledger_call *call, size_t body_max)
{
	const struct request *request = call->request;
	const char *part[] = { call->vendor,
			       call->account,
			       request->method,
			       request->path,
			       request->query,
			       call->fault,
			       call->record ? call->record : "",
			       request->user_agent ? request->user_agent : "" };
	size_t body = request->body_size < body_max ? request->body_size : body_max;
	size_t size = body + 1, used = 0;

	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++)
		size += strlen(part[i]) + 1;
	struct entry *entry = xmalloc(sizeof(*entry) + size);
	unsigned *offset[] = { &entry->vendor, &entry->account, &entry->method, &entry->path,
			       &entry->query,  &entry->fault,	&entry->record, &entry->agent };

	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++)
		*offset[i] = put(entry, &used, part[i], strlen(part[i]));
	entry->body = put(entry, &used, request->body ? request->body : "", body);
	entry->body_size = request->body_announced;
	entry->body_kept = body;
	entry->time_ms = request->arrived_ms;
	entry->commit_ms = clock_wall_ms();
	entry->delay_ms = call->delay_ms;
	entry->status = call->status;
	entry->committed = call->committed;
	entry->cookie = request->cookie != NULL;
	return entry;
}

void ledger_add(struct ledger *ledger, const struct ledger_call *call)
{
	struct entry *entry = ledger->entries ? entry_new(call, ledger->body_bytes) : NULL;

	pthread_mutex_lock(&ledger->lock);
	uint64_t seq = ++ledger->last_seq;

	if (entry) {
		struct entry **slot = &ledger->ring[seq % ledger->entries];
		struct entry *old = *slot;

		entry->seq = seq;
		*slot = entry;
		entry = old;
		if (old)
			ledger->first_seq = old->seq + 1;
	}
	pthread_mutex_unlock(&ledger->lock);
	free(entry);
}

static bool wanted(const struct entry *entry, const struct ledger_filter *filter)
{
	const char *text = entry->text;

	return (!filter->vendor || strcmp(text + entry->vendor, filter->vendor) == 0) &&
	       (!filter->account || strcmp(text + entry->account, filter->account) == 0) &&
	       (!filter->method || strcmp(text + entry->method, filter->method) == 0) &&
	       (!filter->path_prefix || strncmp(text + entry->path, filter->path_prefix,
						strlen(filter->path_prefix)) == 0);
}

/* Text that came from outside may be no UTF-8: it is shown escaped then. */
static json_t *outside_text(const char *text, size_t size)
{
	json_t *value = json_stringn(text, size);
	struct buf escaped;

	if (value)
		return value;
	buf_init(&escaped, size * 6 + 1);
	buf_add_json(&escaped, text, size);
	value = json_string(buf_text(&escaped));
	buf_done(&escaped);
	return value ? value : json_null();
}

static json_t *entry_json(const struct entry *entry)
{
	const char *text = entry->text;
	json_t *row = json_pack(
	    "{s:I, s:I, s:I, s:I, s:s, s:o, s:s, s:i, s:b, s:s, s:s, s:b, s:I}", "seq",
	    (json_int_t)entry->seq, "time_ms", (json_int_t)entry->time_ms, "commit_ms",
	    (json_int_t)entry->commit_ms, "answer_ms",
	    (json_int_t)(entry->commit_ms + entry->delay_ms), "vendor", text + entry->vendor,
	    "account", outside_text(text + entry->account, strlen(text + entry->account)),
	    "method", text + entry->method, "status", (int)entry->status, "committed",
	    (int)entry->committed, "fault", text + entry->fault, "record", text + entry->record,
	    "cookie", (int)entry->cookie, "body_size", (json_int_t)entry->body_size);

	json_object_set_new(row, "path",
			    outside_text(text + entry->path, strlen(text + entry->path)));
	json_object_set_new(row, "query",
			    outside_text(text + entry->query, strlen(text + entry->query)));
	json_object_set_new(row, "user_agent",
			    outside_text(text + entry->agent, strlen(text + entry->agent)));
	json_object_set_new(row, "body", outside_text(text + entry->body, entry->body_kept));
	return row;
}

json_t *ledger_read(struct ledger *ledger, const struct ledger_filter *filter)
{
	json_t *calls = json_array();
	uint64_t lost = 0;

	pthread_mutex_lock(&ledger->lock);
	uint64_t seq = filter->since + 1;

	if (seq < ledger->first_seq) {
		lost = ledger->first_seq - seq;
		seq = ledger->first_seq;
	}
	for (; seq <= ledger->last_seq && ledger->entries; seq++) {
		const struct entry *entry = ledger->ring[seq % ledger->entries];

		if (json_array_size(calls) >= filter->limit)
			break;
		if (entry && entry->seq == seq && wanted(entry, filter))
			json_array_append_new(calls, entry_json(entry));
	}
	uint64_t last = ledger->last_seq;

	pthread_mutex_unlock(&ledger->lock);
	return json_pack("{s:o, s:I, s:I, s:I}", "calls", calls, "next_since",
			 (json_int_t)(seq - 1), "last_seq", (json_int_t)last, "lost",
			 (json_int_t)lost);
}

uint64_t ledger_last(struct ledger *ledger)
{
	pthread_mutex_lock(&ledger->lock);
	uint64_t last = ledger->last_seq;

	pthread_mutex_unlock(&ledger->lock);
	return last;
}
