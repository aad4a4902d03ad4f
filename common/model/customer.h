#ifndef MODEL_CUSTOMER_H
#define MODEL_CUSTOMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/account_callback.h"
#include "model/customer_closing.h"
#include "model/customer_containment.h"
#include "model/customer_mail.h"
#include "model/customer_push.h"

struct vault;

/*
 * Customers and vendor accounts as operators write them: one JSON file each,
 * customers/<id>.json and accounts/<id>.json under TOCSIN_CONFIG_DIR, secrets sealed. Setup
 * applies them to the hash `tocsin:customers` (customers under their id, accounts under
 * "@<id>") as the same JSON; services decode them from there. Decoding checks everything it can
 * without a network and names file, line where JSON is broken, and field ("customers/acme.json:
 * sources.secure_endpoint.region: ..."). Unknown members are refused by name. Everything in
 * these structs is owned by them.
 */

enum account_kind {
	ACCOUNT_SECURE_ENDPOINT,
	ACCOUNT_UMBRELLA,
	ACCOUNT_THREAT_RESPONSE,
	ACCOUNT_SERVICENOW,
	ACCOUNT_DEFENDER,
};
enum account_auth {
	ACCOUNT_AUTH_BASIC,
	ACCOUNT_AUTH_OAUTH,
	ACCOUNT_AUTH_CURRENT, /* Umbrella: one host for tokens and reports */
	ACCOUNT_AUTH_LEGACY   /* Umbrella: keys of one organization, hosts of their own */
};

/*
 * One set of credentials at one vendor; the unit of rate budgets, breakers and parking.
 *
 * url is what the vendor's paths are appended to, without a slash at its end:
 *   Secure Endpoint  https://api[.eu|.apjc].amp.cisco.com (the API is below /v1)
 *   Umbrella         https://api.umbrella.com; legacy https://reports.api.umbrella.com and
 *                    management_url https://management.api.umbrella.com
 *   Threat Response  https://visibility[.eu|.apjc].amp.cisco.com/iroh, and intel_url
 *                    https://private.intel[.eu|.apjc].amp.cisco.com/ctia
 *   ServiceNow       https://<instance>.service-now.com
 *   Defender         https://api.security.microsoft.com (the API is below /api), and login_url
 *                    https://login.microsoftonline.com
 * Regions and hosts: CiscoSecurity/amp-00-integration-workflows docs/source/amp/intro.rst,
 * CiscoSecurity/tr-05-api-module threatresponse/urls, MicrosoftDocs/defender-docs
 * defender-endpoint/gov.md.
 */
struct account {
	/* 1 to 49 of a-z 0-9 - and '.'; a customer's own one is "<customer>.<kind>" */
	char *id;
	enum account_kind kind;
	char *owner; /* customer id or "account:<id>": first part of the seal's place */
	char *url;
	char *intel_url;      /* Threat Response only */
	char *management_url; /* Umbrella legacy only: where tokens are */
	char *org_id;	      /* Umbrella, digits; NULL: the key's own organization */
	char *login_url;      /* Defender only: where Entra gives tokens */
	char *tenant_id;      /* Defender only: the customer's, a GUID or a domain */
	bool token_v1;	      /* Defender only: Entra's older token endpoint */
	char *region;	      /* nam (also written us), eu, apjc; NULL when a url was given */
	enum account_auth auth;
	char *client_id;     /* all but ServiceNow basic */
	char *username;	     /* ServiceNow basic */
	char *secret;	     /* sealed: API key, client password, client secret or password */
	uint64_t expires_ms; /* when it stops to be valid, as the operator says; 0: not said */
	unsigned calls_per_hour;	  /* budget; 0: none */
	unsigned burst;			  /* of them at once after a pause; 0: an eighth */
	unsigned in_flight;		  /* calls at once over all processes; 0: no limit */
	struct account_callback callback; /* ServiceNow only: how the instance calls us */
};

/* The opened secret, to be wiped with vault_wipe(); NULL with err filled. */
char *account_unseal(const struct account *account, const struct vault *vault, struct err *err);
/* Replaces the account's secret by secret, sealed for this account. */
bool account_seal(struct account *account, const struct vault *vault, const char *secret,
		  struct err *err);

enum customer_mode { CUSTOMER_SHADOW, CUSTOMER_LIVE, CUSTOMER_PAUSED };

/* Which activity of Umbrella is asked for. */
enum customer_verdict {
	CUSTOMER_VERDICT_BLOCKED,
	CUSTOMER_VERDICT_ALLOWED,
	CUSTOMER_VERDICT_PROXIED,
	CUSTOMER_VERDICT_ALL
};
/* "blocked" ..., ended by NULL. */
extern const char *const customer_verdict_names[];

struct customer_source {
	char *name;		       /* driver, "secure_endpoint", "umbrella" */
	char *account;		       /* account id */
	uint64_t interval_ms;	       /* default 5 min, at least 10 s */
	uint64_t look_back_ms;	       /* overlap of each poll, default 10 min */
	uint64_t first_look_back_ms;   /* of the very first poll, default 1 h */
	bool default_types;	       /* none given: the driver's default list */
	uint64_t *event_types;	       /* asked for by name; of Umbrella categories; owned */
	size_t event_type_count;       /* 0 and not default_types: no filter */
	enum customer_verdict verdict; /* Umbrella only, like the next */
	bool retrospective;	       /* also files whose disposition changed later */
};

/* ServiceNow's, each 1 (highest) to 3. */
struct customer_priority {
	unsigned impact, urgency;
};
enum { CUSTOMER_PRIORITIES = 5 };
/* What a file that says nothing gets, by severity_id - SEVERITY_INFORMATIONAL. */
extern const struct customer_priority customer_priorities_by_severity[CUSTOMER_PRIORITIES];

struct customer_servicenow {
	char *account;	 /* NULL: no tickets */
	char *table;	 /* default "incident" */
	char *caller_id; /* sys_ids, required together with account */
	char *company;
	char *assignment_group;
	char *category; /* NULL: the column is not sent */
	char *subcategory;
	char *domain;	/* sys_domain; NULL: not sent */
	char *suffix;	/* end of the short description, default "[SecureX]" */
	char *template; /* of tickets; NULL: each source's own */
	struct customer_priority priorities[CUSTOMER_PRIORITIES]; /* by severity, as above */
};

struct customer_threat_response {
	char *account; /* NULL: mode off */
	bool create;   /* mode "create", else "off" */
};

struct customer {
	char *id;   /* 1 to 24 of a-z 0-9 -, never changes */
	char *name; /* for people, at most 100 bytes */
	unsigned partition;
	enum customer_mode mode;      /* "shadow" unless the file says "live" or "paused" */
	int minimum_severity;	      /* OCSF severity_id, default 3 (medium) */
	uint64_t note_interval_ms[4]; /* default now, 5 min, 30 min, 4 h */
	unsigned notes_per_day;	      /* default 12 */
	char *time_zone;	      /* "Europe/Berlin"; NULL: tickets say UTC only */
	char *label;		      /* for pinning collectors; NULL for none */
	struct customer_source *sources;
	size_t source_count;
	struct customer_servicenow servicenow;
	struct customer_threat_response threat_response;
	struct customer_closing closing;
	struct customer_mail mail;
	struct customer_push push;
	struct customer_containment containment;
	struct account *accounts; /* the customer's own, written inside its file */
	size_t account_count;
};

/* text is one file's JSON; where ("customers/acme.json") starts every message. NULL with err
 * (permanent) filled. */
struct customer *customer_decode(const char *text, size_t size, const char *where,
				 struct err *err);
void customer_free(struct customer *customer);
/* Whether this system knows the customer's time zone: for those who read its file. A service
 * that does not says UTC only. */
bool customer_check_zone(const struct customer *customer, const char *where, struct err *err);
struct account *account_decode(const char *text, size_t size, const char *where,
			       struct err *err);
void account_free(struct account *account);
/* Caller frees. The canonical JSON of the file: decode(encode(x)) is x. */
char *customer_encode(const struct customer *customer);
char *account_encode(const struct account *account);

const struct customer_source *customer_source(const struct customer *customer,
					      const char *name);
const char *account_kind_name(enum account_kind kind); /* "secure_endpoint" ... */
bool customer_id_valid(const char *id);

/*
 * The directory of all customers and accounts, immutable once built; services swap whole ones.
 * Cross-checks: every referenced account exists and is of the right kind.
 */
struct directory;

struct directory *directory_new(void);
void directory_free(struct directory *directory);
/* Takes ownership. Replaces one of the same id. */
void directory_add_customer(struct directory *directory, struct customer *customer);
void directory_add_account(struct directory *directory, struct account *account);
bool directory_check(const struct directory *directory, struct err *err);
size_t directory_count(const struct directory *directory);
const struct customer *directory_at(const struct directory *directory, size_t index);
const struct customer *directory_customer(const struct directory *directory, const char *id);
const struct account *directory_account(const struct directory *directory, const char *id);
size_t directory_account_count(const struct directory *directory);
const struct account *directory_account_at(const struct directory *directory, size_t index);

#endif
