#ifndef SERVICE_ACCOUNT_NEWS_H
#define SERVICE_ACCOUNT_NEWS_H

#include "vendor/session.h"

/* What a call changed for its whole account: one line for people, and when it works again what
 * was put off because of it is woken. on_change of struct vendor_needs; the opaque of it is the
 * process's struct bus_settings. */
void account_news(const struct vendor_session *session, enum gate_change change,
		  const char *reason, void *bus_settings);

#endif
