#ifndef VENDOR_ENTRA_H
#define VENDOR_ENTRA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "vendor/call.h"

/*
 * Microsoft Entra ID: tokens for an application, by its secret. Facts: MicrosoftDocs/entra-docs
 * docs/identity-platform/v2-oauth2-client-creds-grant-flow.md and reference-error-codes.md,
 * MicrosoftDocs/azure-docs v1-oauth2-client-creds-grant-flow.md, MicrosoftDocs/defender-docs
 * defender-endpoint/api/exposed-apis-create-app-partners.md.
 *
 * v2 asks for a scope, v1 for a resource and answers with numbers that are texts. A token is
 * given even when the application was granted nothing: then it has no roles, and every call of
 * the API would be refused until the token ends.
 */

/* Asks <login_url>/<tenant_id>; a refusal says in words what is to be done about it. A token
 * without roles is an account error too: kept, it would outlive the consent that is missing. */
bool entra_fetch_token(const struct vendor_grant *grant, char **ret_token,
		       uint64_t *ret_life_ms, struct err *err);

/* Whether a token says for whom it is, and that it carries no role. What cannot be read is
 * taken as it is: what is inside of a token is nobody's promise. */
bool entra_token_is_bare(const char *token);

#endif
