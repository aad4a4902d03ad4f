/* Every command, in the order of the help. */
#include <stddef.h>

#include "command.h"
#include "command_options.h"
#include "run.h"

#define ANY 100

const struct command commands[] = {
	{ "help", "[COMMAND]", 0, 2, "prints all commands, or tells about one", NULL,
	  options_help, run_help, true },
	{ "completion", "bash|zsh", 1, 1, "prints a completion script", NULL, NULL,
	  run_completion, true },
	{ "setup", NULL, 0, 0, "loads Redis functions, makes streams, applies the files",
	  "Loads the function library, makes the streams, groups and generation of every\n"
	  "partition, and applies customers/ID.json and accounts/ID.json of\n"
	  "TOCSIN_CONFIG_DIR to Redis. Only what changed is written, in one step with a\n"
	  "new version. A file that is malformed leaves that customer as it was; the\n"
	  "others are applied, and the exit status is 4. A customer whose file is gone is\n"
	  "removed.\n"
	  "\n"
	  "With --watch it stays: it looks at the files every second or so and at Redis\n"
	  "every few seconds, and makes everything again when Redis lost its data. It\n"
	  "then serves /healthz, /readyz and /metrics like every service, and logs JSON\n"
	  "lines on stderr.",
	  options_setup, run_setup },
	{ "keygen", NULL, 0, 0, "adds a newer key to the key file",
	  "There are three kinds. The master key (TOCSIN_KEY_FILE) seals customers'\n"
	  "secrets, the callback's (TOCSIN_CALLBACK_KEY_FILE) what callers prove to the\n"
	  "callback service, and a pair signs links and verifies them\n"
	  "(TOCSIN_LINK_KEY_FILE and TOCSIN_LINK_PUBLIC_KEY_FILE). Without an option a\n"
	  "newer master key is made, and the other files if they are missing. The newest\n"
	  "key seals, the older ones stay so that what they sealed still opens. With\n"
	  "--reseal every file of the configuration is sealed again with the newest keys.\n"
	  "--finish then takes the older ones out of the key file; it refuses while a file\n"
	  "has something that only they open. A bearer token or client secret is only\n"
	  "hashed: the callback's key it was made with must stay until it is rotated.\n"
	  "Links that were signed with an older pair end with it.",
	  options_keygen, run_keygen },

	{ "backup", "FILE", 1, 1, "writes the customers' files and all of Redis to a file",
	  "While everything runs. Secrets in it stay sealed; the keys that open them are\n"
	  "not in it, keep a copy of those elsewhere.",
	  NULL, run_backup },
	{ "restore", "FILE", 1, 1, "puts a backup into an empty Redis",
	  "Nothing but Redis may run meanwhile. Files that are there stay as they are.\n"
	  "Needs the rights of Redis's user setup. Then start everything: what was opened\n"
	  "outside since the backup is looked up and not opened again.",
	  options_restore, run_restore },

	{ "customer add", "ID", 1, 1, "adds a customer",
	  "ID is 1 to 24 of a-z 0-9 and -, and never changes. Credentials are the\n"
	  "customer's own (--servicenow-url ...) or shared accounts (--servicenow-account\n"
	  "...). Secrets are asked for on the terminal without echo, or come from\n"
	  "--secret-file or --secrets-stdin; they are sealed before they are written.\n"
	  "Nothing is written unless everything is right. A new customer is in shadow\n"
	  "mode: see tocsin customer resume.",
	  options_customer_add, run_customer_add },
	{ "customer apply", "FILE...", 1, ANY, "adds or replaces customers from JSON files",
	  "The files have the form of customers/ID.json (docs/customer-files.md); - is\n"
	  "stdin. Secrets in them may be plain: they are sealed before they are written.\n"
	  "Credentials without a secret keep the one they have. Either all files are\n"
	  "applied or none.",
	  options_apply, run_customer_apply },
	{ "customer secret", "ID [VENDOR...]", 1, ANY,
	  "replaces secrets of a customer's own credentials",
	  "VENDOR is secure_endpoint, umbrella, defender, threat_response or servicenow.\n"
	  "They are asked for on the terminal, or given as to customer add. Everything\n"
	  "else stays, but for the day on which it expires: that is of the new one.\n"
	  "An account that is parked works again within a minute.",
	  options_secret, run_customer_secret },
	{ "customer import", "CSV", 1, 1, "adds customers from a table",
	  "The first line names the columns: id, name, mode, ... as the options of\n"
	  "customer add, with _ for -, and secure_endpoint_secret, umbrella_secret,\n"
	  "defender_secret, threat_response_secret, servicenow_secret. Options given here\n"
	  "are used for rows that leave them empty.\n"
	  "\n"
	  "The older table is read as well: customer_name, encoded_amp_api_credentials\n"
	  "(base64 of id:secret), encoded_umb_api_credentials, umb_org_ID. The id is made\n"
	  "of the name; the region is nam unless --secure-endpoint-region says otherwise;\n"
	  "Umbrella's keys are legacy ones unless --umbrella-auth says otherwise. Either\n"
	  "all rows are imported or none.",
	  options_import, run_customer_import },
	{ "customer list", NULL, 0, 0, "lists customers", NULL, NULL, run_customer_list },
	{ "customer show", "ID", 1, 1, "shows a customer's settings, without secrets", NULL,
	  NULL, run_customer_show },
	{ "customer verify", "[ID...]", 0, ANY,
	  "says what each credential of a customer can and cannot do",
	  "Asks the vendors, and changes nothing there. Without ID: every customer. It\n"
	  "works without Redis. Exit status 4 when something is missing.",
	  NULL, run_customer_verify },
	{ "customer pause", "ID...", 1, ANY, "stops polling and opening for customers", NULL,
	  NULL, run_customer_pause },
	{ "customer resume", "ID...", 1, ANY, "makes customers live", NULL, options_resume,
	  run_customer_resume },
	{ "customer remove", "ID...", 1, ANY, "removes customers' files",
	  "Refused while hosts of theirs are contained: --release lets them go first\n"
	  "(needs TOCSIN_LINK_KEY_FILE), --leave leaves them contained. What Redis holds\n"
	  "of their incidents stays until it expires; with --purge the keeper erases it.\n"
	  "--purge of one that is removed already erases what is left.",
	  options_customer_remove, run_customer_remove },
	{ "customer reseal", NULL, 0, 0, "seals every secret with the newest key", NULL, NULL,
	  run_customer_reseal },

	{ "account add", "ID", 1, 1, "adds an account that several customers share",
	  "For example one ServiceNow instance, or one XDR organisation.", options_account_add,
	  run_account_add },
	{ "account apply", "FILE...", 1, ANY,
	  "adds or replaces shared accounts from JSON files",
	  "As tocsin customer apply, with the form of accounts/ID.json.", options_apply,
	  run_account_apply },
	{ "account secret", "ID", 1, 1, "replaces the secret of a shared account",
	  "As tocsin customer secret.", options_secret, run_account_secret },
	{ "account list", NULL, 0, 0, "lists accounts, who uses them, and which are parked",
	  NULL, NULL, run_account_list },
	{ "account show", "ID", 1, 1, "shows an account and its state, without the secret",
	  NULL, NULL, run_account_show },
	{ "account verify", "[ID...]", 0, ANY,
	  "says what accounts' credentials can and cannot do", NULL, NULL, run_account_verify },
	{ "account resume", "ID...", 1, ANY, "lets parked accounts work again",
	  "Work that waits for the account is started at once.", NULL, run_account_resume },
	{ "account remove", "ID...", 1, ANY, "removes shared accounts that nobody uses", NULL,
	  options_remove, run_account_remove },

	{ "servicenow connect", "ACCOUNT", 1, 1, "lets an instance of ServiceNow call us",
	  "Makes an OAuth client for the account's instance and prints its secret once,\n"
	  "or with --hmac a secret to sign requests with. What the client may tell us\n"
	  "about is that instance's tickets, and calls from a clone, which has another\n"
	  "name, are refused.",
	  options_connect, run_servicenow_connect },
	{ "servicenow rotate", "ACCOUNT", 1, 1,
	  "makes a newer secret, valid beside the older one",
	  "When the instance has the newer one, --finish ends the older one.",
	  options_connect_rotate, run_servicenow_rotate },
	{ "servicenow disconnect", "ACCOUNT", 1, 1, "ends an instance's right to call us", NULL,
	  NULL, run_servicenow_disconnect },
	{ "servicenow kit", "ACCOUNT", 1, 1,
	  "writes what links an instance of ServiceNow to this installation",
	  "An update set with a business rule per table and a REST message, one that\n"
	  "removes them, and a guide to what is done by hand. Written again, it changes\n"
	  "the same records.",
	  options_kit, run_servicenow_kit },
	{ "servicenow test", "ACCOUNT", 1, 1,
	  "tries the whole way to an instance of ServiceNow and back",
	  "Opens a ticket marked as a test, closes it, waits for the instance's call, and\n"
	  "says  which link of the chain is missing. Exit status 4 when one is.",
	  options_test, run_servicenow_test },
	{ "canary", "ACCOUNT...", 1, ANY,
	  "sends an event marked as a test the whole way, to a ticket and back",
	  "For each account of ServiceNow: an event goes through normalizer and incident\n"
	  "service, its ticket is closed, and the instance's call has to end the\n"
	  "incident. Where it got lost is said in one line, and the exit status is 4. The\n"
	  "next run goes on with one that was lost on the way, so there is never more\n"
	  "than one ticket.",
	  options_canary, run_canary },

	{ "push add", "CUSTOMER", 1, 1, "lets somebody push a customer's events to us",
	  "Makes a secret to sign with (Standard Webhooks), or with --bearer a token, and\n"
	  "prints it once: what is kept of it is sealed or hashed with the key in\n"
	  "TOCSIN_CALLBACK_KEY_FILE. Given again it adds sources. See docs/push.md.",
	  options_push_add, run_push_add },
	{ "push rotate", "CUSTOMER", 1, 1, "makes a newer secret, valid beside the older one",
	  "When every sender has the newer one, --finish ends the older one.",
	  options_push_rotate, run_push_rotate },
	{ "push show", "CUSTOMER", 1, 1, "says what a customer may push, and how", NULL, NULL,
	  run_push_show },
	{ "push send", "CUSTOMER SOURCE FILE", 3, 3, "pushes events, as their sender would",
	  "To try what push add has made: FILE holds one event, a list of them, or one in\n"
	  "each line; - is stdin.",
	  options_push_send, run_push_send },
	{ "push remove", "CUSTOMER", 1, 1, "ends the pushing of a customer's events", NULL,
	  options_push_remove, run_push_remove },

	{ "source check", "FILE [EVENTS-FILE]", 1, 2,
	  "checks a source's jq program, and tries it on events",
	  "FILE is the program, named like the source: wazuh.jq. EVENTS-FILE holds an\n"
	  "event, a list of them, or one in each line; what the normalizer would make of\n"
	  "each is printed. Exit status 1 when the program is wrong, 4 when an event\n"
	  "would be buried; it works without Redis.",
	  NULL, run_source_check },

	{ "rules list", NULL, 0, 0, "lists the rules, and how often each has matched", NULL,
	  NULL, run_rules_list },
	{ "rules check", "[FILE]", 0, 1, "checks and compiles rules.json, or a file like it",
	  "Reports what is wrong, and what is doubtful: expired rules, paths that no\n"
	  "finding has, unknown customers and accounts, rules that leave others nothing\n"
	  "to do, and of the rules in force those that never match or fail. Exit status 4\n"
	  "when there is anything. A FILE is checked without Redis.",
	  options_rules_check, run_rules_check },
	{ "rules test", "[FILE]", 0, 1,
	  "tells what rules would have done to the findings of late",
	  "Takes the findings that the normalizer has kept (TOCSIN_RECENT_FINDINGS,\n"
	  "TOCSIN_RECENT_AGE), suppressed ones as well, and asks the rules of\n"
	  "TOCSIN_CONFIG_DIR or of FILE about each. Nothing is done and nothing is\n"
	  "counted. MATCHED is how often a rule applied, DECIDED how often no earlier one\n"
	  "had decided already.",
	  options_rules_test, run_rules_test },
	{ "template check", "[FILE]", 0, 1, "checks and compiles ticket templates",
	  "Those of TOCSIN_CONFIG_DIR, or one file before it is put there. Exit status 4\n"
	  "when one is wrong; it works without Redis.",
	  NULL, run_template_check },
	{ "template show", "NAME", 1, 1, "shows a template with all that it extends",
	  "The built-in ones are default and defender.", options_template_show,
	  run_template_show },
	{ "template test", "EVENT-FILE", 1, 1, "prints the ticket that an event would open",
	  "EVENT-FILE holds an event as its vendor gives it, or an OCSF finding. Nothing\n"
	  "is done; it works without Redis and vendors. Without --customer an example is\n"
	  "taken. Exit status 4 when an expression failed.",
	  options_template_test, run_template_test },

	{ "status", NULL, 0, 0, "says how everything is going",
	  "Streams, work put off, dead entries, parked accounts, and per customer and\n"
	  "source the last poll and error. The first line says ok, behind or broken, and\n"
	  "why; exit status 4 when it is broken.",
	  NULL, run_status },
	{ "incident list", NULL, 0, 0, "lists incidents, newest first", NULL,
	  options_incident_list, run_incident_list },
	{ "incident show", "ID", 1, 1, "shows an incident with its journal and timeline",
	  "ID is the incident's own, or a ticket number like INC0010002.", NULL,
	  run_incident_show },
	{ "incident retry", "ID...", 1, ANY, "lets failed steps of incidents be tried again",
	  "After someone changed what made them fail. Before anything is made again, it\n"
	  "is looked up.",
	  NULL, run_incident_retry },
	{ "incident close", "ID...", 1, ANY, "closes incidents, with their tickets",
	  "The ticket is resolved, the incident in Threat Response closed, hosts are let\n"
	  "go. One that is held, because something outside has changed, is closed in this\n"
	  "way too.",
	  options_incident_close, run_incident_close },
	{ "incident reopen", "ID...", 1, ANY, "takes back that incidents were closed",
	  "Also in Threat Response. Nothing is isolated again by itself.", NULL,
	  run_incident_reopen },
	{ "incident release", "[ID...]", 0, ANY,
	  "confirms that closed incidents let their hosts go",
	  "Asked for when a ticket was cancelled, or when more than ten hosts would be let go "
	  "at once.",
	  options_incident_release, run_incident_release },
	{ "containment list", NULL, 0, 0,
	  "lists which hosts are contained now, and what waits for approval",
	  "Since when, how, for which incident and ticket, when the customer's maximum\n"
	  "time ends, and what went wrong when one could not be let go; then what is\n"
	  "frozen.",
	  options_containment_list, run_containment_list },
	{ "containment approve", "INCIDENT...", 1, ANY, "contains the hosts of incidents",
	  "Of incidents that wait for approval, and of others whose host was not\n"
	  "contained. What is on a never-list, or contained by somebody else, is not.\n"
	  "Needs TOCSIN_LINK_KEY_FILE.",
	  NULL, run_containment_approve },
	{ "containment release", "HOST|INCIDENT...", 1, ANY,
	  "lets hosts go whose incidents stay open",
	  "A host by its name or the vendor's id, or an incident or ticket. Only what\n"
	  "carries our mark, and is held by no other incident, is let go. Needs\n"
	  "TOCSIN_LINK_KEY_FILE.",
	  NULL, run_containment_release },
	{ "containment write-off", "HOST|INCIDENT...", 1, ANY,
	  "takes hosts off the list that are gone for good",
	  "Deleted at their vendor, or installed anew under another id: nothing is done\n"
	  "there, and an incident that failed because of it is closed. The ticket and the\n"
	  "incident's record say who and why. It is refused, and the incident says so,\n"
	  "while the vendor knows the host as contained by us or cannot be asked, unless\n"
	  "--force is given. Needs TOCSIN_LINK_KEY_FILE.",
	  options_write_off, run_containment_write_off },
	{ "freeze", "[WHAT]", 0, 1, "stops what is done without a person",
	  "WHAT is containment, closing or all, which is the default. Holds at once in\n"
	  "all processes: containment that is frozen asks for approval, closing waits.\n"
	  "What a person orders is done all the same.",
	  options_freeze, run_freeze },
	{ "unfreeze", "[WHAT]", 0, 1, "lets go on what freeze has stopped",
	  "What asked for approval meanwhile still does.", options_freeze, run_unfreeze },
	{ "trace", "EVENT-ID", 1, 1, "tells an event's fate, and why there is or is no ticket",
	  NULL, options_trace, run_trace },
	{ "collect", NULL, 0, 0, "reads a vendor's window once and takes in what is new",
	  "As the collector does, with the same budgets and the same account; what is\n"
	  "known stays as it is, and the collector's own place does not move. Nothing\n"
	  "that comes in this way contains a host by itself. With --dry-run nothing is\n"
	  "written: each event is listed with what is known of it, or what would become\n"
	  "of it: why it would be skipped, which finding it is, which incident it would\n"
	  "join or open, and whether that makes a ticket.",
	  options_collect, run_collect },
	{ "replay", NULL, 0, 0, "takes events that got no ticket through the pipeline again",
	  "After rules, grouping or a minimum severity have changed. The vendors' windows\n"
	  "are read again; what was suppressed, skipped or only recorded is normalized\n"
	  "and decided anew. What belongs to an incident stays there, so that there is\n"
	  "never a second ticket; what is dead is for tocsin dead replay, and what has no\n"
	  "fate for tocsin audit --repair. Nothing that comes in this way contains a host\n"
	  "by itself. With --rules it says what other rules would do. What was pushed is\n"
	  "taken from the findings that are kept of late.",
	  options_replay, run_replay },
	{ "audit", NULL, 0, 0, "proves that every event of a vendor's window has a fate",
	  "Reads the window again and looks up each event. Events that no poll could have\n"
	  "seen yet, older than fates are kept, or from before the source's first poll\n"
	  "are counted and not missed. What is missed is listed with the vendor's id,\n"
	  "time and type; exit status 4 then. A type that was added to a customer's file\n"
	  "since is missed, too: its older events were not asked for.",
	  options_audit, run_audit },
	{ "dead list", NULL, 0, 0, "lists what could never succeed, oldest first", NULL,
	  options_dead_list, run_dead_list },
	{ "dead show", "ID", 1, 1, "shows a dead entry whole", NULL, NULL, run_dead_show },
	{ "dead replay", "[ID...]", 0, ANY,
	  "puts dead entries back to the stream they came from", "Their age starts again.",
	  options_dead_replay, run_dead_replay },
	{ "dead export", "FILE", 1, 1, "writes dead entries to a file, or drops those in it",
	  "FILE is made, a JSON object a line. Nothing is dropped before the same command\n"
	  "is given with --acknowledge, and then exactly what FILE holds: what died since\n"
	  "stays.",
	  options_dead_export, run_dead_export },
	{ "dead drop", "[ID...]", 0, ANY, "forgets dead entries, after printing them",
	  "What is dropped is printed whole, so that the output is an export.",
	  options_dead_drop, run_dead_drop },
	{ 0 },
};
