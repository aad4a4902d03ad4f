#ifndef SERVICE_SERVICE_HEALTH_H
#define SERVICE_SERVICE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "service/service.h"

/* Inside service only: what moves, what must hold, and the port that tells. Thread-safe. */
struct service_health;

/* stopping is asked at each /readyz. */
struct service_health *service_health_new(bool (*stopping)(void *opaque), void *opaque);
/* False with err when the port cannot be opened. */
bool service_health_listen(struct service_health *health, const char *address, unsigned port,
			   struct err *err);
void service_health_free(struct service_health *health); /* NULL is fine */

void service_health_add(struct service_health *health, bool alive, const char *name,
			service_check *check, void *opaque);
struct service_beat *service_health_beat(struct service_health *health, const char *name,
					 uint64_t max_age_ms);

/* Asks the process that these settings belong to for its /readyz. False with err when it is not
 * ready, or does not answer. */
bool service_probe(struct err *err);

/* Registers the process_... rows; service_process_update() reads them afresh. */
void service_process_register(void);
void service_process_update(void);
extern struct metric *const service_process_metrics[];

#endif
