#ifndef SANDBOX_EXCHANGE_H
#define SANDBOX_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"
#include "request.h"
#include "response.h"

struct account;
struct sandbox;
struct vendor;

enum wire { WIRE_PLAIN, WIRE_CUT, WIRE_CUT_BODY, WIRE_SLOW };

/* One call from its arrival to its answer. */
struct exchange {
	struct sandbox *sandbox;
	struct arena *arena;
	struct request request; /* filled by the server */
	struct response response;
	struct fault_plan plan;
	enum wire wire;
	const struct vendor *vendor; /* NULL: control API and pages */
	struct account *account;     /* NULL: unknown */
	const char *account_name;
	bool served;
};

void exchange_init(struct exchange *exchange, struct sandbox *sandbox);
void exchange_done(struct exchange *exchange);
/* Finds out whom the call is for and what shall go wrong; how long the answer has to wait. */
uint64_t exchange_plan(struct exchange *exchange);
/* Makes the answer, does what the call asks unless a fault prevents it, writes the ledger. */
void exchange_serve(struct exchange *exchange);
bool exchange_served(const struct exchange *exchange);

#endif
