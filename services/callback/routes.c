/* What is served. The first row that fits is taken; each of our files has rows of its own. */
#include "app.h"
#include "net/httpd.h"
#include "push.h"

const struct httpd_route app_routes[] = {
	{ "POST", "/v1/events/*", push_handle, PUSH_BODY_MAX },
	{ 0 },
};
