#ifndef NET_SMTP_H
#define NET_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * One mail to a mail server. Blocks the caller; any thread may send. TLS is demanded and its
 * certificate verified, except towards loopback and names without a dot (a neighbour on a
 * private network), where it is used when offered.
 */
struct smtp_server {
	const char *url;	     /* smtp://host[:587] (STARTTLS), smtps://host[:465] */
	const char *user;	     /* NULL: without authentication */
	const char *password;	     /* of user */
	const char *ca_file;	     /* PEM; NULL for the system's */
	unsigned connect_timeout_ms; /* 0 for 5,000 */
	uint64_t timeout_ms;	     /* of everything; 0 for 30,000 */
};

struct smtp_mail {
	const char *from;	/* "a@b" or "Name <a@b>" */
	const char *const *to;	/* addresses, ended by NULL */
	const char *subject;	/* UTF-8 */
	const char *message_id; /* "<...@...>": the same again for a repeat of this mail */
	uint64_t date_ms;
	const char *text; /* UTF-8, both of them */
	const char *html;
};

/*
 * True once the server has taken the mail. False with err:
 *  ERR_TRANSIENT  not reached, or it says "later"; ambiguous when it may have taken the mail;
 *  ERR_ACCOUNT    user or password refused, certificate not good, sender not allowed;
 *  ERR_PERMANENT  this mail is refused, or an address or header in it is malformed.
 * A recipient that is refused does not stop the others.
 */
bool smtp_send(const struct smtp_server *server, const struct smtp_mail *mail, struct err *err);

/* The address in "a@b" or "Name <a@b>"; NULL when it is neither, or has blanks, controls or
 * brackets in it. In buf (size bytes). */
const char *smtp_address(const char *text, char *buf, size_t size);

#endif
