#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

struct faults;
struct generator;
struct ledger;
struct mails;
struct registry;
struct timer;

/* The parts of one sandbox; made and freed by main, shared by everything that serves. */
struct sandbox {
	struct registry *registry;
	struct faults *faults;
	struct ledger *ledger;
	struct timer *timer;
	struct generator *generator;
	struct mails *mails; /* NULL: no mail server */
	uint64_t latency_ms; /* added to every vendor call */
	uint64_t started_ms;
};

#endif
