/* The options of each command, in the order of the help. */
#include "command_options.h"

#include <stddef.h>

const struct command_option command_globals[] = {
	{ "json", NULL, "print one JSON document instead of tables" },
	{ "help", NULL, "tell about the command" },
	{ 0 },
};

/* What several commands share. */

#define FROM_WHERE                                                                             \
	{ "secret-file", "NAME=FILE",                                                          \
	  "read the secret of an account of kind NAME, like servicenow, from a file; - is "    \
	  "stdin",                                                                             \
	  .many = true },                                                                      \
	{                                                                                      \
		"secrets-stdin", NULL,                                                         \
		    "read secrets from stdin, as JSON: {\"servicenow\": \"...\"}"              \
	}

#define CUSTOMER_SETTINGS                                                                      \
	{ "name", "NAME", "for people, at most 100 bytes", .sets = "name" },                   \
	    { "mode", "MODE", "shadow (nothing is done outside, the default), live or paused", \
	      .sets = "mode" },                                                                \
	    { "label", "LABEL", "for collectors that serve only some customers",               \
	      .sets = "label" },                                                               \
	    { "time-zone", "ZONE", "whose time tickets give beside UTC, like Europe/Berlin",   \
	      .sets = "time_zone" },                                                           \
	    { "minimum-severity", "SEVERITY",                                                  \
	      "below it findings are recorded only: informational, low, medium, high, "        \
	      "critical",                                                                      \
	      .sets = "minimum_severity" },                                                    \
	    { "containment", "MODE", "off (the default), approve or auto; more in its file",   \
	      .sets = "containment.mode" },                                                    \
	    { "secure-endpoint-account", "ACCOUNT", "poll with a shared account",              \
	      .sets = "sources.secure_endpoint.account" },                                     \
	    { "secure-endpoint-region", "REGION", "nam, eu or apjc",                           \
	      .sets = "accounts.secure_endpoint.region" },                                     \
	    { "secure-endpoint-url", "URL", "instead of a region",                             \
	      .sets = "accounts.secure_endpoint.url" },                                        \
	    { "secure-endpoint-client-id", "ID", "of the API client; its key is the secret",   \
	      .sets = "accounts.secure_endpoint.client_id" },                                  \
	    { "interval", "TIME", "between polls, 10s to 24h; default 5m",                     \
	      .sets = "sources.secure_endpoint.interval" },                                    \
	    { "look-back", "TIME", "how much each poll overlaps the last; default 10m",        \
	      .sets = "sources.secure_endpoint.look_back" },                                   \
	    { "first-look-back", "TIME", "how far back the first poll goes; default 1h",       \
	      .sets = "sources.secure_endpoint.first_look_back" },                             \
	    { "event-types", "LIST", "ids with commas; without it the default list",           \
	      .sets = "sources.secure_endpoint.event_types[]" },                               \
	    { "umbrella-account", "ACCOUNT", "poll Umbrella with a shared account",            \
	      .sets = "sources.umbrella.account" },                                            \
	    { "umbrella-client-id", "KEY", "of the API; its secret is the secret",             \
	      .sets = "accounts.umbrella.client_id" },                                         \
	    { "umbrella-auth", "AUTH", "current (the default) or legacy",                      \
	      .sets = "accounts.umbrella.auth" },                                              \
	    { "umbrella-org-id", "ID", "organization: of a provider's customer, or legacy",    \
	      .sets = "accounts.umbrella.org_id" },                                            \
	    { "umbrella-url", "URL", "instead of the vendor's",                                \
	      .sets = "accounts.umbrella.url" },                                               \
	    { "umbrella-management-url", "URL", "of legacy tokens, with --umbrella-url",       \
	      .sets = "accounts.umbrella.management_url" },                                    \
	    { "umbrella-interval", "TIME", "between polls, 10s to 24h; default 5m",            \
	      .sets = "sources.umbrella.interval" },                                           \
	    { "umbrella-verdict", "VERDICT", "blocked (the default), allowed, proxied or all", \
	      .sets = "sources.umbrella.verdict" },                                            \
	    { "umbrella-categories", "LIST", "ids with commas; default 65,150",                \
	      .sets = "sources.umbrella.categories[]" },                                       \
	    { "defender-account", "ACCOUNT", "poll with a shared account",                     \
	      .sets = "sources.defender.account" },                                            \
	    { "defender-tenant-id", "ID", "the customer's, in Entra: a GUID or a domain",      \
	      .sets = "accounts.defender.tenant_id" },                                         \
	    { "defender-client-id", "ID", "of the app; its secret's value is the secret",      \
	      .sets = "accounts.defender.client_id" },                                         \
	    { "defender-token-version", "VERSION", "v2 (the default) or v1",                   \
	      .sets = "accounts.defender.token_version" },                                     \
	    { "defender-url", "URL", "of the API, for a region or a government cloud",         \
	      .sets = "accounts.defender.url" },                                               \
	    { "defender-login-url", "URL", "of Entra, for a government cloud",                 \
	      .sets = "accounts.defender.login_url" },                                         \
	    { "defender-interval", "TIME", "between polls, 10s to 24h; default 5m",            \
	      .sets = "sources.defender.interval" },                                           \
	    { "defender-look-back", "TIME", "how much each poll overlaps; default 10m",        \
	      .sets = "sources.defender.look_back" },                                          \
	    { "defender-first-look-back", "TIME",                                              \
	      "how far back the first poll goes; default 1h",                                  \
	      .sets = "sources.defender.first_look_back" },                                    \
	    { "threat-response-account", "ACCOUNT", "open incidents with a shared account",    \
	      .sets = "threat_response.account" },                                             \
	    { "threat-response-region", "REGION", "nam, eu or apjc",                           \
	      .sets = "accounts.threat_response.region" },                                     \
	    { "threat-response-url", "URL", "of IROH, instead of a region",                    \
	      .sets = "accounts.threat_response.url" },                                        \
	    { "threat-response-intel-url", "URL", "of CTIA, with --threat-response-url",       \
	      .sets = "accounts.threat_response.intel_url" },                                  \
	    { "threat-response-client-id", "ID", "of the API client",                          \
	      .sets = "accounts.threat_response.client_id" },                                  \
	    { "threat-response-mode", "MODE", "create (the default) or off",                   \
	      .sets = "threat_response.mode" },                                                \
	    { "servicenow-account", "ACCOUNT", "open tickets with a shared account",           \
	      .sets = "servicenow.account" },                                                  \
	    { "servicenow-url", "URL", "https://INSTANCE.service-now.com",                     \
	      .sets = "accounts.servicenow.url" },                                             \
	    { "servicenow-auth", "AUTH", "basic (the default) or oauth",                       \
	      .sets = "accounts.servicenow.auth" },                                            \
	    { "servicenow-username", "NAME", "for basic",                                      \
	      .sets = "accounts.servicenow.username" },                                        \
	    { "servicenow-client-id", "ID", "for oauth",                                       \
	      .sets = "accounts.servicenow.client_id" },                                       \
	    { "caller-id", "SYS_ID", "whom tickets come from: a service contact",              \
	      .sets = "servicenow.caller_id" },                                                \
	    { "company", "SYS_ID", "whose tickets they are", .sets = "servicenow.company" },   \
	    { "assignment-group", "SYS_ID", "who works on them",                               \
	      .sets = "servicenow.assignment_group" },                                         \
	    { "category", "VALUE", "of tickets", .sets = "servicenow.category" },              \
	    { "subcategory", "VALUE", "of tickets", .sets = "servicenow.subcategory" },        \
	    { "domain", "SYS_ID", "sys_domain of tickets, or global",                          \
	      .sets = "servicenow.domain" },                                                   \
	    { "suffix", "TEXT", "end of the short description; default [SecureX]",             \
	      .sets = "servicenow.suffix" },                                                   \
	    { "priority", "RULE", "severity (the default), or ancestors: always 1/1",          \
	      .sets = "servicenow.priority" },                                                 \
	    { "template", "NAME", "of tickets (docs/ticket-templates.md)",                     \
	      .sets = "servicenow.template" },                                                 \
	{                                                                                      \
		"table", "NAME", "instead of incident", .sets = "servicenow.table"             \
	}

/* Of what reads a vendor's window again. */
#define WINDOW                                                                                 \
	{ "customer", "ID", "only this customer's sources" },                                  \
	    { "source", "NAME", "only this source" },                                          \
	    { "since", "TIME",                                                                 \
	      "where the window begins: 24h (the default), or a time in UTC" },                \
	{                                                                                      \
		"limit", "N", "list at most so many events of each source; default 200"        \
	}

/* ---- by command ---- */

const struct command_option options_rules_check[] = {
	{ "idle", "TIME", "report rules that have not matched for so long; default 30d" },
	{ 0 },
};

const struct command_option options_rules_test[] = {
	{ "since", "TIME", "findings of the last so long; default 24h" },
	{ "customer", "ID", "only this customer's" },
	{ "all", NULL, "list every finding that something is decided about, not only 50" },
	{ 0 },
};

const struct command_option options_template_show[] = {
	{ "source", "NAME", "as it is for events of this source" },
	{ 0 },
};

const struct command_option options_template_test[] = {
	{ "customer", "ID", "whose ticket it is" },
	{ "source", "NAME", "whose event it is, when that cannot be told from it" },
	{ "template", "NAME", "instead of the customer's; or a file" },
	{ 0 },
};

const struct command_option options_help[] = {
	{ "markdown", NULL, "print the reference, docs/cli.md" },
	{ 0 },
};

const struct command_option options_setup[] = {
	{ "watch", NULL, "stay, and apply again whenever files or Redis change" },
	{ "healthcheck", NULL, "exit 0 when the --watch with these settings is ready" },
	{ "print-options", NULL, "print the settings of --watch as Markdown" },
	{ "print-metrics", NULL, "print the metrics of --watch as Markdown" },
	{ 0 },
};

const struct command_option options_keygen[] = {
	{ "file", "FILE", "instead of the one of the settings, and no other" },
	{ "callback", NULL, "a newer key of the callback service instead" },
	{ "link", NULL, "a newer pair of keys for links instead" },
	{ "missing", NULL, "only make the files that are missing" },
	{ "reseal", NULL, "seal every customer's and account's secrets with the new key" },
	{ "finish", NULL, "make no key: forget all but the newest one of this kind" },
	{ 0 },
};

const struct command_option options_customer_add[] = {
	CUSTOMER_SETTINGS,
	FROM_WHERE,
	{ 0 },
};

const struct command_option options_apply[] = {
	FROM_WHERE,
	{ 0 },
};

const struct command_option options_secret[] = {
	FROM_WHERE,
	{ "expires", "DAY", "on which it stops to be valid, like 2027-01-31" },
	{ 0 },
};

const struct command_option options_import[] = {
	{ "update", NULL, "replace customers that exist already" },
	{ "dry-run", NULL, "check everything, write nothing" },
	CUSTOMER_SETTINGS,
	{ 0 },
};

const struct command_option options_resume[] = {
	{ "mode", "MODE", "live (the default) or shadow" },
	{ 0 },
};

const struct command_option options_remove[] = {
	{ "yes", NULL, "do not ask" },
	{ 0 },
};

const struct command_option options_customer_remove[] = {
	{ "release", NULL, "let its contained hosts go first, and wait for it" },
	{ "leave", NULL, "leave its contained hosts as they are; do not look" },
	{ "purge", NULL, "erase what Redis holds of it as well" },
	{ "yes", NULL, "do not ask" },
	{ 0 },
};

const struct command_option options_test[] = {
	{ "customer", "ID", "in whose name; default: the first with tickets there" },
	{ "wait", "SECONDS", "how long for the call; default 60" },
	{ 0 }
};

const struct command_option options_canary[] = {
	{ "customer", "ID",
	  "whose event it is; default: the first live one with tickets there" },
	{ "wait", "SECONDS", "how long for the ticket, and again for its end; default 180" },
	{ "every", "TIME", "stay, and send one so often, like 1h" },
	{ "off", NULL,
	  "send none: there will be no more, so none is missed (TocsinCanaryLost)" },
	{ 0 }
};

const struct command_option options_kit[] = {
	{ "output", "FOLDER", "where the files go; made when missing, default: here" },
	{ "instance-name", "NAME", "property instance_name; default: first part of the URL" },
	{ "integration-user", "NAME",
	  "whose changes are ours; default: the account's username" },
	{ 0 }
};

const struct command_option options_account_add[] = {
	{ "kind", "KIND", "secure_endpoint, umbrella, defender, threat_response, servicenow",
	  .sets = "kind" },
	{ "region", "REGION", "nam, eu or apjc; of secure_endpoint and threat_response",
	  .sets = "region" },
	{ "url", "URL", "instead of a region; https://INSTANCE.service-now.com",
	  .sets = "url" },
	{ "intel-url", "URL", "of CTIA, with --url of threat_response", .sets = "intel_url" },
	{ "management-url", "URL", "of tokens, with --url of a legacy umbrella",
	  .sets = "management_url" },
	{ "auth", "AUTH",
	  "servicenow: basic (the default) or oauth; umbrella: current (the default) or legacy",
	  .sets = "auth" },
	{ "org-id", "ID", "umbrella: organization", .sets = "org_id" },
	{ "username", "NAME", "servicenow with basic", .sets = "username" },
	{ "client-id", "ID", "of the API client", .sets = "client_id" },
	{ "tenant-id", "ID", "defender: the customer's, a GUID or a domain",
	  .sets = "tenant_id" },
	{ "token-version", "VERSION", "defender: v2 (the default) or v1",
	  .sets = "token_version" },
	{ "login-url", "URL", "of Entra, with --kind defender", .sets = "login_url" },
	{ "calls-per-hour", "N", "budget of all processes together; 0: none",
	  .sets = "calls_per_hour#" },
	{ "in-flight", "N", "calls at once of all processes together; 0: no limit",
	  .sets = "in_flight#" },
	FROM_WHERE,
	{ 0 },
};

const struct command_option options_push_add[] = {
	{ "source", "NAME[=PATH]",
	  "what may be pushed, like generic; PATH is where its events' ids are", .many = true },
	{ "bearer", NULL, "make a bearer token instead of a secret to sign with" },
	{ "events-per-minute", "N", "instead of TOCSIN_PUSH_EVENTS_PER_MINUTE" },
	{ 0 },
};

const struct command_option options_push_rotate[] = {
	{ "bearer", NULL, "the bearer token, not the secret to sign with" },
	{ "finish", NULL, "the older one is no longer valid" },
	{ 0 },
};

const struct command_option options_push_send[] = {
	{ "secret-file", "FILE", "holds the secret that push add printed" },
	{ "bearer", NULL, "the secret is a bearer token" },
	{ "url", "URL", "of the callback service, instead of TOCSIN_PUBLIC_URL" },
	{ 0 },
};

const struct command_option options_push_remove[] = {
	{ "source", "NAME", "only this source; default all, with the secrets", .many = true },
	{ 0 },
};

const struct command_option options_connect[] = {
	{ "instance-name", "NAME",
	  "as the instance calls itself; default: the host in its URL" },
	{ "hmac", NULL, "make a secret to sign with instead of an OAuth client" },
	{ 0 },
};

const struct command_option options_connect_rotate[] = {
	{ "hmac", NULL, "the secret to sign with, not the OAuth client's" },
	{ "finish", NULL, "the older one is no longer valid" },
	{ 0 },
};

const struct command_option options_incident_list[] = {
	{ "customer", "ID", "only this customer's" },
	{ "state", "STATE", "opening, open, closing, closed, held, failed or shadow" },
	{ "host", "NAME", "only those of this host" },
	{ "limit", "N", "at most so many, newest first; default 50" },
	{ 0 },
};

const struct command_option options_incident_close[] = {
	{ "verdict", "VERDICT", "false_positive, benign or true_positive" },
	{ "note", "TEXT", "why, for the ticket" },
	{ 0 },
};

const struct command_option options_incident_release[] = {
	{ "customer", "ID", "all of this customer's that wait for a confirmation" },
	{ 0 },
};

const struct command_option options_write_off[] = {
	{ "reason", "TEXT", "why it need not be let go any more; must be given" },
	{ "force", NULL, "whatever the vendor says of the host" },
	{ 0 },
};

const struct command_option options_containment_list[] = {
	{ "customer", "ID", "only this customer's" },
	{ 0 },
};

const struct command_option options_freeze[] = {
	{ "customer", "ID", "only this customer's" },
	{ 0 },
};

const struct command_option options_trace[] = {
	{ "customer", "ID", "look only at this customer's events" },
	{ "source", "NAME", "look only at this source; default all" },
	{ 0 },
};

const struct command_option options_collect[] = {
	WINDOW,
	{ "once", NULL, "read the window once" },
	{ "all-types", NULL, "whatever the type or category of the events" },
	{ "dry-run", NULL, "take nothing in, say what would become of each event" },
	{ 0 },
};

const struct command_option options_replay[] = {
	WINDOW,
	{ "dry-run", NULL, "change nothing, say what would become of each event" },
	{ "rules", "FILE", "go by these rules instead of those in force; implies --dry-run" },
	{ 0 },
};

const struct command_option options_audit[] = {
	WINDOW,
	{ "repair", NULL, "take in what has no fate" },
	{ 0 },
};

const struct command_option options_dead_list[] = {
	{ "limit", "N", "at most so many, oldest first; default 50" },
	{ "customer", "ID", "only this customer's" },
	{ 0 },
};

const struct command_option options_dead_replay[] = {
	{ "all", NULL, "every dead entry" },
	{ 0 },
};

const struct command_option options_dead_drop[] = {
	{ "all", NULL, "every dead entry" },
	{ "yes", NULL, "really: without it nothing is dropped" },
	{ "export", "FILE", "write what is dropped to a new file first, a JSON object a line" },
	{ 0 },
};

const struct command_option options_dead_export[] = {
	{ "acknowledge", NULL, "the FILE is safe: drop what it holds" },
	{ 0 },
};

const struct command_option options_restore[] = {
	{ "force", NULL, "replace what Redis holds of ours, and files that are there" },
	{ 0 },
};
