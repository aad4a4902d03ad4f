#ifndef SANDBOX_PAGE_H
#define SANDBOX_PAGE_H

#include <stdbool.h>

struct request;
struct response;
struct sandbox;

/* Whether a GET is for a page and not for a vendor's API. */
bool page_serves(const struct request *request);
/* The pages for people: what an analyst sees in ServiceNow and in Threat Response. */
void page_serve(struct sandbox *sandbox, const struct request *request,
		struct response *response);

#endif
