#ifndef SANDBOX_MAIL_H
#define SANDBOX_MAIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;
struct request;
struct sandbox;

/*
 * A mail server that delivers nothing: it keeps what it is given, and a page shows it. No TLS
 * and no authentication: for this machine, or a private network.
 */
struct mails;

/* port 0: any free one. NULL with err filled. */
struct mails *mails_start(const char *address, uint16_t port, struct err *err);
uint16_t mails_port(const struct mails *mails);
void mails_stop(struct mails *mails); /* NULL is fine */

/* [{from, to: [...], subject, message_id, text, html, at_ms}], oldest first. */
json_t *mails_list(struct mails *mails);

/* One mail as it came over the wire, with "\r\n" line ends: its headers and parts. */
json_t *mail_parse(const char *text, size_t size);

/* What came over the wire, and what instances of ServiceNow have sent: the list, newest first,
 * or the mail whose number the path ends with. */
bool page_mails(struct sandbox *sandbox, const struct request *request, struct buf *out);

#endif
