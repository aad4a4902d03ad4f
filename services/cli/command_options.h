#ifndef CLI_COMMAND_OPTIONS_H
#define CLI_COMMAND_OPTIONS_H

#include "command.h"

/* Options that several commands share, as parts of their tables. */

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

#endif
