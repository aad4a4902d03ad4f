/*
 * Cisco Secure Endpoint events over API v1.
 *
 * The list is newest first and pages are offsets into it, so rows move down while new ones
 * arrive: a row can come twice on neighbouring pages, none can be missed. Within one second
 * there is no order at all. So nothing is concluded from a known event: every page is read
 * until the vendor names no next one.
 */
#include "source/source.h"

#include "base/arena.h"
#include "vendor/secure_endpoint.h"
#include "vendor/session.h"

extern const struct source_driver source_secure_endpoint;

/* What is collected unless the customer's file lists other types. Key on ids: the vendor
 * renames types. Names as of 2024 (GET /v1/event_types). */
static const uint64_t default_types[] = {
	1090519054, /* Threat Detected */
	2164260880, /* Quarantine Failure */
	2164260893, /* Cloud Recall Quarantine Attempt Failed */
	1090524040, /* APK Threat Detected */
	1090524041, /* APK Custom Threat Detected */
	1090519084, /* DFC Threat Detected */
	1107296257, /* Potential Dropper Infection */
	1107296258, /* Multiple Infected Files */
	1107296261, /* Adobe Reader compromise */
	1107296262, /* Microsoft Word compromise */
	1107296263, /* Microsoft Excel compromise */
	1107296264, /* Microsoft PowerPoint compromise */
	1107296266, /* Adobe Reader launched a shell */
	1107296267, /* Microsoft Word launched a shell */
	1107296268, /* Microsoft Excel launched a shell */
	1107296269, /* Microsoft PowerPoint launched a shell */
	1107296270, /* Apple QuickTime compromise */
	1107296271, /* Apple QuickTime launched a shell */
	1107296272, /* Executed malware */
	1107296273, /* Suspected botnet connection */
	1107296274, /* Cloud IOC */
	1107296275, /* Microsoft Calculator compromise */
	1107296276, /* Microsoft Notepad compromise */
	1091567670, /* Endpoint IOC Scan Completed With Detections */
	1107296277, /* Connection to suspicious domain */
	1107296278, /* Threat Detected in Low Prevalence Executable */
	1107296280, /* Suspicious Download */
	1107296281, /* Microsoft CHM Compromise */
	1107296282, /* Suspicious Cscript Launch */
	1107296284, /* Potential Ransomware */
	1107296283, /* Possible Webshell */
	2164260931, /* Critical Fault Raised */
	1090519081, /* Rootkit Detection */
	1090519105, /* Malicious Activity Detection */
	1090519102, /* iOS Network Detection */
	553648215,  /* Endpoint Isolation Unlock Limit Reached */
};

enum { DEFAULT_TYPES = sizeof(default_types) / sizeof(default_types[0]) };

static bool page(const struct source_task *task, const char *token, struct arena *arena,
		 struct source_page *ret_page, struct err *err)
{
	const struct customer_source *settings = task->settings;
	const struct secure_endpoint_query query = {
		.start_ms = task->start_ms,
		.event_types = settings->default_types ? default_types : settings->event_types,
		.event_type_count =
		    settings->default_types ? DEFAULT_TYPES : settings->event_type_count,
		.limit = SECURE_ENDPOINT_PAGE_MAX,
	};
	struct secure_endpoint_page answer = { 0 };

	if (!secure_endpoint_events(task->session, &query, token, arena, &answer, err))
		return false;

	*ret_page = (struct source_page){
		.events = arena_alloc(arena, answer.count * sizeof(*ret_page->events) + 1),
		.count = answer.count,
		.next = answer.next,
		.server_ms = answer.date_ms,
	};
	for (size_t i = 0; i < answer.count; i++) {
		const struct secure_endpoint_event *event = &answer.events[i];

		ret_page->events[i] = (struct source_event){
			.id = event->id,
			.time_ms = event->timestamp_ms,
			.payload = event->json,
			.size = event->size,
		};
	}
	return true;
}

const struct source_driver source_secure_endpoint = {
	.name = "secure_endpoint",
	.summary = "Cisco Secure Endpoint events, API v1",
	.account = ACCOUNT_SECURE_ENDPOINT,
	.page = page,
};
