/* Accounts: one set of credentials at one vendor. */
#include "model/account.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/vault.h"

enum {
	SHARED_ID_MAX = 24,
	NAME_MAX_BYTES = 128,
	SECRET_MAX_BYTES = 12 * 1024,
	ORG_ID_MAX = 20,
	DAY_BYTES = 10
};

const char *const account_kind_names[] = { "secure_endpoint", "umbrella", "threat_response",
					   "servicenow",      "defender", NULL };

/* A GUID or a domain: it becomes a part of a path. */
static const char tenant_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

/* The two spellings of North America are both the vendor's. */
static const char *const regions[] = { "nam", "us", "eu", "apjc", NULL };
static const char *const region_parts[] = { "", "", ".eu", ".apjc" };

static const char *const auth_names[] = {
	[ACCOUNT_AUTH_BASIC] = "basic",
	[ACCOUNT_AUTH_OAUTH] = "oauth",
	[ACCOUNT_AUTH_CURRENT] = "current",
	[ACCOUNT_AUTH_LEGACY] = "legacy",
};

static const struct {
	const char *url_start, *url_end;     /* around the region's part; NULL: no regions */
	const char *intel_start, *intel_end; /* likewise */
	const char *url, *login_url;	     /* for everyone; NULL: must be given */
	unsigned calls_per_hour;	     /* the vendor's limit */
	unsigned burst;			     /* 0: as large a share as anyone's */
	unsigned in_flight;
} kinds[ACCOUNT_KINDS] = {
	[ACCOUNT_SECURE_ENDPOINT] = { "https://api", ".amp.cisco.com", .calls_per_hour = 3000 },
	[ACCOUNT_THREAT_RESPONSE] = { "https://visibility", ".amp.cisco.com/iroh",
				      "https://private.intel", ".amp.cisco.com/ctia",
				      .calls_per_hour = 8000 },
	[ACCOUNT_UMBRELLA] = { .calls_per_hour = 18000 }, /* 5 a second */
	[ACCOUNT_SERVICENOW] = { .in_flight = 4 },
	[ACCOUNT_DEFENDER] = { .url = "https://api.security.microsoft.com",
			       .login_url = "https://login.microsoftonline.com",
			       .calls_per_hour = 1500,
			       .burst = 60 }, /* and 24 that grow back: below 100 a minute */
};

const char *account_kind_name(enum account_kind kind)
{
	return account_kind_names[kind];
}

enum account_kind account_kind_named(const char *name)
{
	unsigned kind = 0;

	while (account_kind_names[kind] && strcmp(account_kind_names[kind], name) != 0)
		kind++;
	assert(account_kind_names[kind]);
	return (enum account_kind)kind;
}

void account_clear(struct account *account)
{
	free(account->id);
	free(account->owner);
	free(account->url);
	free(account->intel_url);
	free(account->login_url);
	free(account->tenant_id);
	free(account->management_url);
	free(account->org_id);
	free(account->region);
	free(account->client_id);
	free(account->username);
	free(account->secret);
	account_callback_clear(&account->callback);
	*account = (struct account){ 0 };
}

void account_free(struct account *account)
{
	if (!account)
		return;
	account_clear(account);
	free(account);
}

/* ---- reading ---- */

static char *join(const char *start, const char *middle, const char *end)
{
	struct buf text;

	buf_init(&text, 256);
	buf_addf(&text, "%s%s%s", start, middle, end);
	return buf_take(&text, NULL);
}

static bool read_region(struct account *account, const struct form *form, struct err *err)
{
	unsigned region = 0;

	if (!form_choice(form, "region", regions, &region, err))
		return false;
	if (form_has(form, "url"))
		return form_refuse(form, "region", err, "give either region or url");
	if (form_has(form, "intel_url"))
		return form_refuse(form, "intel_url", err, "belongs to url, not region");
	account->region = xstrdup(regions[region == 1 ? 0 : region]);
	account->url = join(kinds[account->kind].url_start, region_parts[region],
			    kinds[account->kind].url_end);
	if (kinds[account->kind].intel_start)
		account->intel_url = join(kinds[account->kind].intel_start,
					  region_parts[region], kinds[account->kind].intel_end);
	return true;
}

static bool read_hosts(struct account *account, const struct form *form, struct err *err)
{
	if (!form_has(form, "url"))
		return form_refuse(form, "region", err, "is missing (nam, eu or apjc)");
	if (!form_url(form, "url", &account->url, err))
		return false;
	return account->kind != ACCOUNT_THREAT_RESPONSE ||
	       (form_need(form, "intel_url", err) &&
		form_url(form, "intel_url", &account->intel_url, err));
}

static bool read_cisco(struct account *account, const struct form *form, struct err *err)
{
	static const char *const endpoint_members[] = {
		"id",	  "kind",    "region",	       "url",	    "client_id",
		"secret", "expires", "calls_per_hour", "in_flight", NULL
	};
	static const char *const response_members[] = {
		"id",	  "kind",    "region",	       "url",	    "intel_url", "client_id",
		"secret", "expires", "calls_per_hour", "in_flight", NULL
	};
	bool is_response = account->kind == ACCOUNT_THREAT_RESPONSE;

	return form_known(form, is_response ? response_members : endpoint_members, err) &&
	       (form_has(form, "region") ? read_region(account, form, err)
					 : read_hosts(account, form, err)) &&
	       form_need(form, "client_id", err) &&
	       form_text(form, "client_id", NAME_MAX_BYTES, NULL, &account->client_id, err);
}

/* developer.cisco.com: the current API has one host; legacy keys have two, and an organization
 * in the path. */
static const char umbrella_url[] = "https://api.umbrella.com";
static const char umbrella_legacy_url[] = "https://reports.api.umbrella.com";
static const char umbrella_legacy_management_url[] = "https://management.api.umbrella.com";

static bool read_umbrella_hosts(struct account *account, const struct form *form,
				struct err *err)
{
	bool legacy = account->auth == ACCOUNT_AUTH_LEGACY;

	account->url = xstrdup(legacy ? umbrella_legacy_url : umbrella_url);
	if (legacy)
		account->management_url = xstrdup(umbrella_legacy_management_url);
	if (form_has(form, "management_url") && !legacy)
		return form_refuse(form, "management_url", err, "needs \"auth\": \"legacy\"");
	if (legacy && form_has(form, "url") != form_has(form, "management_url"))
		return form_refuse(
		    form, form_has(form, "url") ? "management_url" : "url", err,
		    "is missing: url and management_url are given together, or neither");
	return form_url(form, "url", &account->url, err) &&
	       form_url(form, "management_url", &account->management_url, err);
}

static bool read_umbrella(struct account *account, const struct form *form, struct err *err)
{
	static const char *const members[] = {
		"id",	     "kind",   "url",	  "management_url", "auth",	 "org_id",
		"client_id", "secret", "expires", "calls_per_hour", "in_flight", NULL
	};
	static const char *const auths[] = { "current", "legacy", NULL };
	unsigned auth = 0;

	if (!form_known(form, members, err) || !form_choice(form, "auth", auths, &auth, err))
		return false;
	account->auth = auth ? ACCOUNT_AUTH_LEGACY : ACCOUNT_AUTH_CURRENT;
	return read_umbrella_hosts(account, form, err) &&
	       (account->auth != ACCOUNT_AUTH_LEGACY || form_need(form, "org_id", err)) &&
	       form_text(form, "org_id", ORG_ID_MAX, "0123456789", &account->org_id, err) &&
	       form_need(form, "client_id", err) &&
	       form_text(form, "client_id", NAME_MAX_BYTES, NULL, &account->client_id, err);
}

static bool read_servicenow(struct account *account, const struct form *form, struct err *err)
{
	static const char *const members[] = { "id",	    "kind",	"url",
					       "auth",	    "username", "client_id",
					       "secret",    "expires",	"calls_per_hour",
					       "in_flight", "callback", NULL };
	static const char *const auths[] = { "basic", "oauth", NULL };
	unsigned auth = ACCOUNT_AUTH_BASIC;

	if (!form_known(form, members, err) || !form_need(form, "url", err) ||
	    !form_url(form, "url", &account->url, err) ||
	    !form_choice(form, "auth", auths, &auth, err) ||
	    !account_callback_read(&account->callback, form, err))
		return false;
	account->auth = (enum account_auth)auth;
	if (account->auth == ACCOUNT_AUTH_BASIC) {
		if (form_has(form, "client_id"))
			return form_refuse(form, "client_id", err, "needs \"auth\": \"oauth\"");
		return form_need(form, "username", err) &&
		       form_text(form, "username", NAME_MAX_BYTES, NULL, &account->username,
				 err);
	}
	if (form_has(form, "username"))
		return form_refuse(form, "username", err, "needs \"auth\": \"basic\"");
	return form_need(form, "client_id", err) &&
	       form_text(form, "client_id", NAME_MAX_BYTES, NULL, &account->client_id, err);
}

static bool read_defender(struct account *account, const struct form *form, struct err *err)
{
	static const char *const members[] = {
		"id",	     "kind",	       "tenant_id",	"client_id",
		"secret",    "expires",	       "token_version", "url",
		"login_url", "calls_per_hour", "in_flight",	NULL
	};
	static const char *const versions[] = { "v2", "v1", NULL };
	unsigned version = 0;

	account->url = xstrdup(kinds[ACCOUNT_DEFENDER].url);
	account->login_url = xstrdup(kinds[ACCOUNT_DEFENDER].login_url);
	if (!form_known(form, members, err) || !form_need(form, "tenant_id", err) ||
	    !form_text(form, "tenant_id", NAME_MAX_BYTES, tenant_letters, &account->tenant_id,
		       err) ||
	    !form_need(form, "client_id", err) ||
	    !form_text(form, "client_id", NAME_MAX_BYTES, NULL, &account->client_id, err) ||
	    !form_choice(form, "token_version", versions, &version, err) ||
	    !form_url(form, "url", &account->url, err) ||
	    !form_url(form, "login_url", &account->login_url, err))
		return false;
	account->token_v1 = version == 1;
	return true;
}

/* A day, at whose beginning it is over. */
static bool read_expires(struct account *account, const struct form *form, struct err *err)
{
	char *day = NULL, *moment;
	bool valid;

	if (!form_text(form, "expires", DAY_BYTES, "0123456789-", &day, err))
		return false;
	moment = join(day ? day : "1970-01-01", "T00:00:00", "Z");
	valid = clock_parse(moment, &account->expires_ms);
	free(moment);
	free(day);
	return valid || form_refuse(form, "expires", err, "must be a day like \"2027-01-31\"");
}

static bool read_kind(struct account *account, const struct form *form, struct err *err)
{
	switch (account->kind) {
	case ACCOUNT_SERVICENOW:
		return read_servicenow(account, form, err);
	case ACCOUNT_UMBRELLA:
		return read_umbrella(account, form, err);
	case ACCOUNT_DEFENDER:
		return read_defender(account, form, err);
	case ACCOUNT_SECURE_ENDPOINT:
	case ACCOUNT_THREAT_RESPONSE:
		break;
	}
	return read_cisco(account, form, err);
}

bool account_read(struct account *ret_account, enum account_kind kind, const struct form *form,
		  struct err *err)
{
	ret_account->kind = kind;
	ret_account->calls_per_hour = kinds[kind].calls_per_hour;
	ret_account->in_flight = kinds[kind].in_flight;
	if (!read_kind(ret_account, form, err) || !form_need(form, "secret", err) ||
	    !form_text(form, "secret", SECRET_MAX_BYTES, NULL, &ret_account->secret, err) ||
	    !read_expires(ret_account, form, err) ||
	    !form_unsigned(form, "calls_per_hour", 1000000, &ret_account->calls_per_hour,
			   err) ||
	    !form_unsigned(form, "in_flight", 1000, &ret_account->in_flight, err))
		return false;
	if (ret_account->calls_per_hour / 8 > kinds[kind].burst)
		ret_account->burst = kinds[kind].burst;
	if (!vault_is_sealed(ret_account->secret))
		return form_refuse(form, "secret", err,
				   "is not sealed: enter it with `tocsin customer add`");
	return true;
}

struct account *account_decode(const char *text, size_t size, const char *where,
			       struct err *err)
{
	struct account *account = xcalloc(1, sizeof *account);
	json_t *root = form_parse(text, size, where, err);
	const struct form form = { .where = where, .json = root };
	unsigned kind = 0;

	bool read = root && form_need(&form, "id", err) &&
		    form_text(&form, "id", SHARED_ID_MAX, id_letters, &account->id, err) &&
		    form_need(&form, "kind", err) &&
		    form_choice(&form, "kind", account_kind_names, &kind, err) &&
		    account_read(account, (enum account_kind)kind, &form, err);
	json_decref(root);
	if (!read) {
		account_free(account);
		return NULL;
	}
	account->owner = join("account:", account->id, "");
	return account;
}

/* ---- writing ---- */

void account_put_text(json_t *object, const char *name, const char *text, const char *fallback)
{
	if (text && (!fallback || strcmp(text, fallback) != 0))
		json_object_set_new(object, name, json_string(text));
}

/* Both hosts or none, as they are read. */
static void write_umbrella_hosts(json_t *object, const struct account *account)
{
	bool legacy = account->auth == ACCOUNT_AUTH_LEGACY;

	if (!legacy) {
		account_put_text(object, "url", account->url, umbrella_url);
	} else if (strcmp(account->url, umbrella_legacy_url) != 0 ||
		   strcmp(account->management_url, umbrella_legacy_management_url) != 0) {
		account_put_text(object, "url", account->url, NULL);
		account_put_text(object, "management_url", account->management_url, NULL);
	}
}

json_t *account_write(const struct account *account)
{
	json_t *object = json_object();

	account_put_text(object, "region", account->region, NULL);
	if (account->kind == ACCOUNT_UMBRELLA) {
		write_umbrella_hosts(object, account);
	} else if (!account->region) {
		account_put_text(object, "url", account->url, kinds[account->kind].url);
		account_put_text(object, "intel_url", account->intel_url, NULL);
	}
	if (account->kind == ACCOUNT_SERVICENOW || account->kind == ACCOUNT_UMBRELLA)
		account_put_text(object, "auth", auth_names[account->auth], NULL);
	account_put_text(object, "org_id", account->org_id, NULL);
	account_put_text(object, "login_url", account->login_url,
			 kinds[account->kind].login_url);
	account_put_text(object, "tenant_id", account->tenant_id, NULL);
	if (account->token_v1)
		account_put_text(object, "token_version", "v1", NULL);
	account_put_text(object, "username", account->username, NULL);
	account_put_text(object, "client_id", account->client_id, NULL);
	account_put_text(object, "secret", account->secret, NULL);
	if (account->expires_ms) {
		char day[CLOCK_TEXT_SIZE];

		clock_format(account->expires_ms, day);
		day[DAY_BYTES] = '\0';
		account_put_text(object, "expires", day, NULL);
	}
	if (account->calls_per_hour != kinds[account->kind].calls_per_hour)
		json_object_set_new(object, "calls_per_hour",
				    json_integer(account->calls_per_hour));
	if (account->in_flight != kinds[account->kind].in_flight)
		json_object_set_new(object, "in_flight", json_integer(account->in_flight));
	if (account->callback.given)
		json_object_set_new(object, "callback",
				    account_callback_write(&account->callback));
	return object;
}

char *account_encode(const struct account *account)
{
	json_t *head = json_object();
	json_t *rest = account_write(account);

	account_put_text(head, "id", account->id, NULL);
	account_put_text(head, "kind", account_kind_name(account->kind), NULL);
	json_object_update(head, rest);
	char *text = json_dumps(head, JSON_INDENT(2));
	json_decref(rest);
	json_decref(head);
	return text;
}

/* ---- secrets ---- */

/* A secret belongs to one account and one kind of it: "servicenow.secret" of "acme". */
static char *seal_field(const struct account *account)
{
	return join(account_kind_name(account->kind), ".secret", "");
}

char *account_unseal(const struct account *account, const struct vault *vault, struct err *err)
{
	char *field = seal_field(account);
	char *secret = vault_unseal(vault, account->owner, field, account->secret, err);

	free(field);
	return secret;
}

bool account_seal(struct account *account, const struct vault *vault, const char *secret,
		  struct err *err)
{
	char *field = seal_field(account);
	char *sealed = vault_seal(vault, account->owner, field, secret, err);

	free(field);
	if (!sealed)
		return false;
	free(account->secret);
	account->secret = sealed;
	return true;
}
