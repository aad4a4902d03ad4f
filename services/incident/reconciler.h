#ifndef INCIDENT_RECONCILER_H
#define INCIDENT_RECONCILER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct app;
struct bus;
struct service;

/*
 * Reads our tickets, so that a callback that was lost costs minutes and not a host in
 * isolation. One thread; each account is read by one process at a time, which has its lease.
 * What it finds is a hint like any other: it goes into the incident's inbox, and the incident
 * reads the ticket again before anything is done. It looks for tickets that are over, open
 * again, gone, of another company, or that took another one's place, and, where a customer
 * wishes it, for incidents that an analyst has closed in Threat Response.
 */
struct reconciler;

struct reconciler_settings {
	const struct app *app; /* borrowed, like the next two */
	struct bus *bus;
	struct service *service; /* its stop ends the thread */
	uint64_t interval_ms;	 /* between two readings of an account */
	uint64_t watch_ms;	 /* so long after its closing a ticket is watched */
};

/* NULL with err. */
struct reconciler *reconciler_start(const struct reconciler_settings *settings,
				    struct err *err);
/* The service is stopping. False when the thread has not ended by then: it may still use what
 * it was given. NULL is fine. */
bool reconciler_join(struct reconciler *reconciler, uint64_t until_mono_ms);

#endif
