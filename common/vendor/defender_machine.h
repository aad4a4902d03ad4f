#ifndef VENDOR_DEFENDER_MACHINE_H
#define VENDOR_DEFENDER_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct vendor_session;

/*
 * Microsoft Defender for Endpoint, machines and what is done to them. Facts:
 * MicrosoftDocs/defender-docs defender-endpoint/api/ (get-machine-by-id, isolate-machine,
 * unisolate-machine, get-machineactions-collection, get-machineaction-object, common-errors).
 * The machine itself does not say whether it is isolated: its actions do. Names of members are
 * case-sensitive ("Comment", "IsolationType"). 100 calls a minute and 1,500 an hour for each
 * application and tenant; needs Machine.Read.All and Machine.Isolate.
 *
 * Strings live in the arena; an absent one is "". An account error of these calls is theirs
 * alone: an application may read alerts and not isolate.
 */
struct defender_machine {
	const char *id;
	const char *dns_name; /* computerDnsName */
	const char *platform; /* osPlatform: "Windows11", "WindowsServer2019" */
	const char *last_ip;
	const char *external_ip;
	const char *health; /* healthStatus: "Active", "Inactive" ... */
};

/* GET /api/machines/{id}. An unknown id (404) is true with ret_found false. */
bool defender_machine(struct vendor_session *session, const char *id, struct arena *arena,
		      bool *ret_found, struct defender_machine *ret_machine, struct err *err);

enum defender_action_status {
	DEFENDER_ACTION_PENDING, /* not done, like the next */
	DEFENDER_ACTION_IN_PROGRESS,
	DEFENDER_ACTION_SUCCEEDED,
	DEFENDER_ACTION_FAILED,
	DEFENDER_ACTION_TIMED_OUT,
	DEFENDER_ACTION_CANCELLED,
	DEFENDER_ACTION_UNKNOWN, /* a word we do not know: act on nothing */
};

struct defender_action {
	const char *id;
	const char *type; /* "Isolate", "Unisolate" ... */
	const char *machine;
	const char *requestor;
	const char *comment; /* requestorComment: where our mark is */
	enum defender_action_status status;
	uint64_t created_ms; /* creationDateTimeUtc */
};

/* Whether it is under way: neither of the four ends. */
bool defender_action_running(const struct defender_action *action);

/* GET /api/machineactions, isolations and their ends only, newest first; machine NULL: of all
 * machines, since then (0: as far back as the vendor keeps them). */
struct defender_action_query {
	const char *machine;
	uint64_t since_ms;
	unsigned limit; /* 0: 100 */
};
bool defender_actions(struct vendor_session *session, const struct defender_action_query *query,
		      struct arena *arena, struct defender_action **ret_actions,
		      size_t *ret_count, struct err *err);

/*
 * POST .../isolate and .../unisolate: the action, which is Pending then. While another one of
 * the machine is under way the vendor refuses (400 ActiveRequestAlreadyExists): false,
 * permanent, *ret_busy true; look at the machine's actions. A failure after sending is
 * ambiguous.
 */
bool defender_isolate(struct vendor_session *session, const char *machine, bool selective,
		      const char *comment, struct arena *arena,
		      struct defender_action *ret_action, bool *ret_busy, struct err *err);
bool defender_unisolate(struct vendor_session *session, const char *machine,
			const char *comment, struct arena *arena,
			struct defender_action *ret_action, bool *ret_busy, struct err *err);

#endif
