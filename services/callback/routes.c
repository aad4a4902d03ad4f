/* What is served. The first row that fits is taken; each of our files has rows of its own. */
#include "ancestor.h"
#include "app.h"
#include "closed.h"
#include "link_pages.h"
#include "net/httpd.h"
#include "oauth.h"
#include "push.h"

const struct httpd_route app_routes[] = {
	{ "POST", "/v1/events/*", push_handle, PUSH_BODY_MAX },
	{ "POST", "/v1/servicenow/closed", closed_handle, CLOSED_BODY_MAX },
	{ "POST", "/oauth/token", oauth_token, OAUTH_BODY_MAX },
	{ "POST", "/iroh/oauth2/token", oauth_token, OAUTH_BODY_MAX },
	{ "POST", "/iroh/iroh-response/respond/trigger/*", ancestor_handle, ANCESTOR_BODY_MAX },
	{ "GET", "/v1/verdict/*", link_pages_show_verdict, 0 },
	{ "POST", "/v1/verdict", link_pages_act_verdict, LINK_PAGES_BODY_MAX },
	{ "GET", "/v1/approve/*", link_pages_show_approve, 0 },
	{ "POST", "/v1/approve", link_pages_act_approve, LINK_PAGES_BODY_MAX },
	{ 0 },
};
