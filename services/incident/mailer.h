#ifndef INCIDENT_MAILER_H
#define INCIDENT_MAILER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/metric.h"

struct app;

/*
 * Mails about new incidents: letter_announce() notes that one is to be told of, a thread of its
 * own sends what is due. What waits while nothing can be sent becomes one mail when it can.
 */
struct mailer_settings {
	char *smtp_url; /* NULL: no mail server */
	char *smtp_user;
	char *smtp_password;
	char *smtp_ca_file;
	char *from;
	uint64_t look_ms;
};

extern const struct conf_option mailer_options[]; /* of a struct mailer_settings */
extern struct metric *const mailer_metrics[];

/* A sender that is no address, a server without a sender. */
bool mailer_settings_check(const struct mailer_settings *settings, struct err *err);

struct mailer;

/* Everything is borrowed. */
struct mailer *mailer_start(const struct app *app, const struct mailer_settings *settings,
			    struct err *err);
/* Ends its thread and frees it; NULL is fine. False when the mail in hand takes longer than
 * grace_ms: then nothing it uses may be freed. */
bool mailer_stop(struct mailer *mailer, uint64_t grace_ms);

#endif
