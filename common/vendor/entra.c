/* Tokens from Microsoft Entra ID, and its errors in words. */
#include "vendor/entra.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/base64.h"
#include "model/customer.h"
#include "vendor/body.h"
#include "vendor/session.h"
#include "vendor/token.h"

enum {
	URL_MAX_BYTES = 4 << 10,
	FORM_MAX_BYTES = 64 << 10,
	LIFE_MS = 3599 * 1000,
	CLAIMS_MAX_BYTES = 16 << 10,
};

#define RESOURCE "https://api.securitycenter.microsoft.com"

/* ---- the question ---- */

static void add_field(struct buf *form, const char *name, const char *value)
{
	buf_addf(form, "&%s=", name);
	buf_add_url(form, value);
}

static void write_form(struct buf *form, const struct account *account, const char *secret)
{
	buf_init(form, FORM_MAX_BYTES);
	buf_adds(form, "grant_type=client_credentials");
	add_field(form, "client_id", account->client_id);
	add_field(form, "client_secret", secret);
	if (account->token_v1)
		add_field(form, "resource", RESOURCE);
	else
		add_field(form, "scope", RESOURCE "/.default");
}

static void write_url(struct buf *url, const struct account *account)
{
	buf_init(url, URL_MAX_BYTES);
	buf_addf(url, "%s/%s/oauth2/%stoken", account->login_url, account->tenant_id,
		 account->token_v1 ? "" : "v2.0/");
}

/* ---- refusals ---- */

/* What a refusal of that number ("AADSTS7000215") means and who can mend it; NULL: not known.
 */
static const char *advice_for(unsigned long code)
{
	static const struct {
		unsigned long code;
		const char *text;
	} advice[] = {
		{ 7000215,
		  "wrong client secret: enter the secret's value, not its id, of this app" },
		{ 7000222, "the client secret has expired: make a new one in the app's "
			   "registration and enter it" },
		{ 7000216, "the client secret is missing or empty" },
		{ 700016, "the app is not known in this tenant: check client_id and tenant_id, "
			  "and that the customer's administrator has consented" },
		{ 7000112, "the app is disabled in this tenant" },
		{ 90002, "there is no such tenant: check tenant_id, and login_url when it is a "
			 "government cloud" },
		{ 900023, "tenant_id is neither a GUID nor a domain of Entra" },
		{ 500011,
		  "Defender for Endpoint is not there in this tenant: check its licence "
		  "and the administrator's consent" },
		{ 650052, "Defender for Endpoint is not licensed in this tenant" },
		{ 65001, "the customer's administrator has not consented to the app" },
		{ 70011, "the scope is not valid in this cloud: try token_version v1" },
		{ 53003, "a conditional access policy of the tenant blocks the app" },
	};

	for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++) {
		if (advice[i].code == code)
			return advice[i].text;
	}
	return NULL;
}

/* "AADSTS7000215: Invalid client secret ..."; error_codes is not always there. */
static unsigned long code_of(const json_t *root)
{
	const json_t *listed = json_array_get(json_object_get(root, "error_codes"), 0);
	const char *at = strstr(body_peek(root, "error_description"), "AADSTS");

	if (json_is_integer(listed) && json_integer_value(listed) > 0)
		return (unsigned long)json_integer_value(listed);
	return at && strspn(at + 6, "0123456789") <= 9 ? strtoul(at + 6, NULL, 10) : 0;
}

/* "fault of the token service", which passes; everything else is a person's to mend. */
static enum err_kind kind_of(const struct http_response *response, const json_t *root,
			     unsigned long code)
{
	enum err_kind kind = http_status_kind(response->status);

	if (strcmp(body_peek(root, "error"), "temporarily_unavailable") == 0 || code == 50000)
		return ERR_TRANSIENT;
	return kind == ERR_TRANSIENT ? kind : ERR_ACCOUNT;
}

/* True when the answer is a token, or none of Entra's errors: grant.c goes on with it. */
static bool inspect(const struct http_response *response, struct err *err)
{
	json_t *root = response->status != 200 && http_is_json(response)
			   ? body_parse(response->body, response->size)
			   : NULL;
	unsigned long code = code_of(root);
	char text[128];

	if (code == 0) {
		json_decref(root);
		return true;
	}
	const char *advice = advice_for(code);
	const char *said = body_peek(root, "error_description");
	const char *colon = strstr(said, ": ");

	body_excerpt(advice ? advice : colon ? colon + 2 : said, text, sizeof text);
	err_fill(err, kind_of(response, root, code), "no token: Entra AADSTS%lu: %s", code,
		 text);
	if (err && err->kind == ERR_TRANSIENT)
		err->retry_after_ms = http_retry_after_ms(response);
	json_decref(root);
	return false;
}

/* ---- what a token says ---- */

bool entra_token_is_bare(const char *token)
{
	const char *start = strchr(token, '.');
	const char *end = start ? strchr(start + 1, '.') : NULL;
	unsigned char claims[CLAIMS_MAX_BYTES];
	size_t size = 0;

	if (!end || !base64_decode(start + 1, (size_t)(end - start - 1),
				   sodium_base64_VARIANT_URLSAFE_NO_PADDING, NULL, claims,
				   sizeof claims, &size))
		return false;
	json_t *root = body_parse((const char *)claims, size);
	bool bare =
	    *body_peek(root, "aud") && json_array_size(json_object_get(root, "roles")) == 0;

	json_decref(root);
	return bare;
}

bool entra_fetch_token(const struct vendor_grant *grant, char **ret_token,
		       uint64_t *ret_life_ms, struct err *err)
{
	struct vendor_token token = { 0 };
	struct buf url, text;

	write_url(&url, grant->session->account);
	write_form(&text, grant->session->account, grant->secret);
	const struct vendor_form form = { .url = buf_text(&url),
					  .text = buf_text(&text),
					  .life_ms = LIFE_MS,
					  .inspect = inspect };
	bool ok = buf_ok(&url) && buf_ok(&text)
		      ? vendor_post_form(grant, &form, &token, err)
		      : err_set(err, ERR_ACCOUNT, "no token: the credentials are too long");

	explicit_bzero(text.data, text.size);
	buf_done(&text);
	buf_done(&url);
	if (ok && entra_token_is_bare(token.token)) {
		token_wipe(token.token);
		token.token = NULL;
		err_fill(err, ERR_ACCOUNT,
			 "no token: Entra's has no roles: grant the app Alert.Read.All of "
			 "WindowsDefenderATP, and have the customer's administrator consent");
		ok = false;
	}
	*ret_token = token.token;
	*ret_life_ms = token.life_ms;
	return ok;
}
