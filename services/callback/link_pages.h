#ifndef CALLBACK_LINK_PAGES_H
#define CALLBACK_LINK_PAGES_H

#include "net/httpd.h"

/*
 * Links of mails. GET and HEAD show what a link would do and change nothing, however often
 * (mail scanners open links); the form on the page posts the token, and that acts, once.
 *
 *	GET  /v1/verdict/{token}[?verdict=...]	page with the choice of verdicts
 *	POST /v1/verdict	token, verdict, code (when a host would be released)
 *	GET  /v1/approve/{token}	page that asks for the code of the ticket
 *	POST /v1/approve	token, code
 *
 * 202 with a page once it is durable, 200 when the same was said before. The incident service
 * verifies token and code again.
 */
enum httpd_outcome link_pages_show_verdict(struct httpd_exchange *exchange, void *app);
enum httpd_outcome link_pages_act_verdict(struct httpd_exchange *exchange, void *app);
enum httpd_outcome link_pages_show_approve(struct httpd_exchange *exchange, void *app);
enum httpd_outcome link_pages_act_approve(struct httpd_exchange *exchange, void *app);

enum { LINK_PAGES_BODY_MAX = 4096 };

#endif
