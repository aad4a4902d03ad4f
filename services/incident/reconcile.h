#ifndef INCIDENT_RECONCILE_H
#define INCIDENT_RECONCILE_H

#include <stdbool.h>

#include "base/err.h"
#include "watch.h"

/*
 * One reading of one account, for the incidents of a watch that are there. ServiceNow: at most
 * a hundred tickets a question, by sys_id. False with err when the account or Redis did not
 * answer: the next reading makes up for it.
 */
bool reconcile_servicenow(const struct watch *watch, const struct account *account,
			  struct err *err);
/* One question for each incident of customers who wish it, at most a hundred, in the order of
 * their ids; the next reading goes on after *last, "" at first. */
bool reconcile_threat_response(const struct watch *watch, const struct account *account,
			       char last[INCIDENT_ID_SIZE], struct err *err);

#endif
