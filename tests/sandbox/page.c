/*
 * page: what an analyst would see.
 */
#include "page.h"

#include "request.h"
#include "response.h"

bool page_serves(const struct request *request)
{
	return request->segments < 2;
}

void page_serve(struct sandbox *sandbox, const struct request *request,
		struct response *response)
{
	(void)sandbox;
	(void)request;
	response_text(response, 200, "text/plain", "tocsin-sandbox\n");
}
