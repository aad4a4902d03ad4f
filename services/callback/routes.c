/* What is served. The first row that fits is taken; each of our files has rows of its own. */
#include "app.h"
#include "net/httpd.h"

const struct httpd_route app_routes[] = {
	{ 0 },
};
