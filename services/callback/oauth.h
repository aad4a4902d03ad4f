#ifndef CALLBACK_OAUTH_H
#define CALLBACK_OAUTH_H

#include "net/httpd.h"

enum { OAUTH_BODY_MAX = 4096 };

/*
 * POST /oauth/token, also /iroh/oauth2/token, where the ancestors' profile asks: RFC 6749
 * client credentials, Basic or in the body. 200 {"access_token", "token_type", "expires_in"};
 * refusals are RFC 6749's own, {"error", "error_description"}.
 */
enum httpd_outcome oauth_token(struct httpd_exchange *exchange, void *state);

#endif
