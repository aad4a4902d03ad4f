#ifndef MODEL_CUSTOMER_MAIL_H
#define MODEL_CUSTOMER_MAIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct form;

/* The section "mail" of a customer's file: who is told of new incidents. All zero: nobody.
 * Strings are owned by it. */
enum customer_mail_via {
	CUSTOMER_MAIL_SMTP,
	CUSTOMER_MAIL_SERVICENOW, /* the customer's instance sends it */
};

struct customer_mail {
	enum customer_mail_via via;
	char **to; /* read about this customer only */
	size_t to_count;
	/* The provider's own people: one mail tells them of all customers that name them. */
	char **internal;
	size_t internal_count;
	uint64_t wait_ms;      /* from the first incident to the mail; default 30 s */
	uint64_t interval_ms;  /* between mails; default 15 min */
	int minimum_severity;  /* OCSF severity_id; default medium */
	uint64_t link_time_ms; /* how long links work; default 7 d */
	bool titles;	       /* tell what happened, which may name people and hosts */
};

void customer_mail_init(struct customer_mail *ret_mail);
/* Reads the member "mail" of the file when it is there. has_servicenow: it has tickets. */
bool customer_mail_read(struct customer_mail *mail, const struct form *file,
			bool has_servicenow, struct err *err);
/* NULL without recipients. */
json_t *customer_mail_write(const struct customer_mail *mail);
void customer_mail_clear(struct customer_mail *mail);
bool customer_mail_wanted(const struct customer_mail *mail);

#endif
