#ifndef SANDBOX_PAGE_ACT_H
#define SANDBOX_PAGE_ACT_H

#include <stdbool.h>

struct buf;
struct request;
struct response;
struct sandbox;
struct snow;
struct snow_row;

/* What an analyst does with a ticket on its page: resolve, close, cancel, reopen. */

/* Appends the form below the ticket's fields. */
void page_act_form(struct buf *out, const struct snow *snow, const struct snow_row *row);
/* Whether a POST comes from that form, and what it does: the change, then back to the page. */
bool page_act_serves(const struct request *request);
void page_act_serve(struct sandbox *sandbox, const struct request *request,
		    struct response *response);

#endif
