#ifndef CALLBACK_ACCESS_H
#define CALLBACK_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/httpd.h"

struct app;
struct arena;
struct credentials;
struct credentials_instance;
struct vault;

/*
 * Which ServiceNow instance sends a request. Whatever is wrong with what it shows (unknown, not
 * ours, too old) looks the same and costs the same.
 *
 * An access token is "<account>~<end, ms>~<keyed hash of both>": any replica of the callback
 * service that has the key knows it, none has to store it.
 */
enum { ACCESS_LIFETIME_S = 900 };

/* In the arena. */
const char *access_issue(const struct vault *vault, const char *account, uint64_t now_ms,
			 struct arena *arena);
/* The account it was issued to, in the arena; NULL when it is none of ours or has ended. */
const char *access_account(const struct vault *vault, const char *token, uint64_t now_ms,
			   struct arena *arena);

/* By "Authorization: Bearer". NULL when unknown; credentials may be NULL. */
const struct credentials_instance *access_bearer(const struct app *app,
						 const struct httpd_exchange *exchange,
						 const struct credentials *credentials,
						 struct arena *arena);
/* By a Standard Webhooks signature of the body; ?account= says whose. */
const struct credentials_instance *access_signed(const struct app *app,
						 const struct httpd_exchange *exchange,
						 const struct credentials *credentials);

/* An OAuth client and its secret; either may be NULL. */
const struct credentials_instance *access_client(const struct app *app,
						 const struct credentials *credentials,
						 const char *client_id, const char *secret);

#endif
