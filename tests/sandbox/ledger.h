#ifndef SANDBOX_LEDGER_H
#define SANDBOX_LEDGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;

/* One vendor call, as it is written down. Texts are copied. */
struct ledger_call {
	const char *vendor;
	const char *account;
	const struct request *request;
	unsigned status; /* 0: the connection was cut */
	const char *fault;
	const char *record; /* NULL: none */
	bool committed;
	uint64_t delay_ms; /* between commit and answer */
};

struct ledger_filter {
	const char *vendor, *account, *path_prefix, *method; /* NULL: any */
	uint64_t since;					     /* entries with a higher seq */
	size_t limit;
};

/* Every call of every vendor in its order; a ring that forgets the oldest. */
struct ledger;

/* entries: how many are kept, 0 for none; body_bytes: how much of each request body. */
struct ledger *ledger_new(size_t entries, size_t body_bytes);
void ledger_free(struct ledger *ledger);
void ledger_add(struct ledger *ledger, const struct ledger_call *call);
void ledger_clear(struct ledger *ledger); /* numbers go on */
/* {"calls": [...], "last_seq": n, "lost": entries the ring has forgotten since `since`} */
json_t *ledger_read(struct ledger *ledger, const struct ledger_filter *filter);
uint64_t ledger_last(struct ledger *ledger);

#endif
