/*
 * story: what things that happen on computers look like as Secure Endpoint events. Names,
 * hashes and addresses are made up; addresses are of RFC 5737.
 */
#include "story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "secure_endpoint.h"
#include "token.h"

/* One event of a story. */
struct scene {
	const char *event_type;
	int64_t type;
	bool detection, detection_id, name, cloud_ioc, command, network, error, started;
	bool no_file;
};

struct story_kind {
	const char *name;
	uint64_t weight;      /* unless the job says otherwise */
	const char *severity; /* NULL: the event has none */
	struct scene scene[3];
};

#define DETECTED                                                                               \
	{                                                                                      \
		"Threat Detected", 1090519054, .detection = true, .detection_id = true,        \
					       .name = true                                    \
	}

static const struct story_kind kinds[STORY_KINDS] = {
	{ "quarantine_failure",
	  30,
	  "High",
	  { DETECTED,
	    { "Quarantine Failure", 2164260880, .detection_id = true, .error = true } } },
	{ "quarantined",
	  20,
	  "Medium",
	  { DETECTED, { "Threat Quarantined", 553648143, .detection_id = true } } },
	{ "threat_detected", 5, "Medium", { DETECTED } },
	{ "cloud_ioc",
	  15,
	  "High",
	  { { "Cloud IOC", 1107296274, .name = true, .cloud_ioc = true, .command = true,
	      .started = true } } },
	{ "dfc",
	  5,
	  "Medium",
	  { { "DFC Threat Detected", 1090519084, .detection = true, .network = true,
	      .name = true } } },
	{ "executed_malware",
	  5,
	  "High",
	  { { "Executed malware", 1107296272, .detection = true, .started = true } } },
	{ "multiple_infected",
	  3,
	  "Medium",
	  { { "Multiple Infected Files", 1107296258, .detection = true, .started = true } } },
	{ "ransomware",
	  2,
	  "Critical",
	  { { "Potential Ransomware", 1107296284, .name = true, .cloud_ioc = true,
	      .command = true, .started = true } } },
	{ "botnet",
	  3,
	  "High",
	  { { "Suspected botnet connection", 1107296273, .network = true, .name = true,
	      .started = true } } },
	{ "low_prevalence",
	  2,
	  "Low",
	  { { "Threat Detected in Low Prevalence Executable", 1107296278, .detection = true,
	      .name = true } } },
	{ "policy_update", 8, NULL, { { "Policy Update", 553648130, .no_file = true } } },
	{ "file_fetch", 2, NULL, { { "File Fetch Completed", 553648173 } } },
};

static const struct {
	const char *file, *path, *detection;
} samples[] = {
	{ "invoice_2291.exe", "Users\\Public\\Downloads", "W32.9C2F5A1E77-95.SBX.TG" },
	{ "updater.exe", "ProgramData\\Update", "W32.Generic.Dropper.Sandbox" },
	{ "setup_free.exe", "Users\\Public\\Downloads", "Win.Trojan.Sample" },
	{ "report_q3.docm", "Users\\Public\\Documents", "Doc.Downloader.Sample" },
	{ "sysmon32.dll", "Windows\\Temp", "W32.1D77B0C4AA-100.SBX.VIOC" },
	{ "keygen.exe", "Temp", "W32.Overlay.Sample" },
};

static const struct {
	const char *name, *description, *arguments;
} indicators[] = {
	{ "W32.PowershellEncodedCommand.ioc",
	  "PowerShell was started with an encoded command, a way to hide what it does.",
	  "powershell.exe -NoProfile -EncodedCommand SQBFAFgA" },
	{ "W32.CredentialDump.ioc",
	  "A process read the memory of the local security authority.",
	  "rundll32.exe C:\\Windows\\Temp\\c.dll, MiniDump 640 l.dmp full" },
	{ "W32.ShadowCopyDelete.ioc",
	  "Shadow copies were deleted, often before files are encrypted.",
	  "vssadmin.exe delete shadows /all /quiet" },
};

static uint64_t next_random(struct story_maker *maker)
{
	uint64_t z = maker->seed += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static void hex_of(struct story_maker *maker, char *out, size_t digits)
{
	for (size_t i = 0; i < digits; i++)
		out[i] = "0123456789abcdef"[next_random(maker) & 15];
	out[digits] = '\0';
}

static bool read_mix(struct story_maker *maker, const json_t *mix, struct err *err)
{
	const char *name;
	json_t *weight;

	for (int i = 0; i < STORY_KINDS; i++)
		maker->weight[i] = mix ? 0 : kinds[i].weight;
	json_object_foreach((json_t *)mix, name, weight)
	{
		int found = -1;

		for (int i = 0; i < STORY_KINDS; i++) {
			if (strcmp(kinds[i].name, name) == 0)
				found = i;
		}
		if (found < 0 || !json_is_integer(weight) || json_integer_value(weight) < 0)
			return err_set(err, ERR_PERMANENT, "mix: no kind %.40s with a weight",
				       name);
		maker->weight[found] = (uint64_t)json_integer_value(weight);
	}
	for (int i = 0; i < STORY_KINDS; i++)
		maker->weights += maker->weight[i];
	return maker->weights > 0 || err_set(err, ERR_PERMANENT, "mix: nothing in it");
}

bool story_maker_init(struct story_maker *maker, const json_t *spec, struct err *err)
{
	const char *prefix = json_string_value(json_object_get(spec, "host_prefix"));

	*maker = (struct story_maker){ .seed = clock_wall_ms() };
	snprintf(maker->prefix, sizeof(maker->prefix), "%.20s", prefix ? prefix : "WS-");
	return read_mix(maker, json_object_get(spec, "mix"), err) &&
	       setting_number(spec, "seed", &maker->seed, err) &&
	       setting_number(spec, "age_s", &maker->age_s, err) &&
	       setting_number(spec, "spread_s", &maker->spread_s, err) &&
	       setting_bool(spec, "unique_hosts", &maker->unique_hosts, err);
}

static json_t *new_computer(struct story_maker *maker)
{
	char guid[ID_UUID_SIZE], host[64], ip[32], mac[24];
	uint64_t n = maker->stories + 1;

	id_uuid(guid);
	snprintf(host, sizeof(host), "%s%06" PRIu64, maker->prefix, n);
	snprintf(ip, sizeof(ip), "192.0.2.%d", (int)(n % 254) + 1);
	snprintf(mac, sizeof(mac), "02:00:5e:%02x:%02x:%02x", (unsigned)(n >> 16 & 255),
		 (unsigned)(n >> 8 & 255), (unsigned)(n & 255));
	return json_pack("{s:s, s:s, s:s, s:[{s:s, s:s}], s:s}", "connector_guid", guid,
			 "hostname", host, "external_ip", "198.51.100.20", "network_addresses",
			 "ip", ip, "mac", mac, "operating_system", "Windows 11 Enterprise");
}

json_t *story_computer(struct story_maker *maker, struct account *account)
{
	json_t *computer =
	    maker->unique_hosts
		? NULL
		: secure_endpoint_computer(account, (size_t)(next_random(maker) >> 8));

	if (computer)
		return computer;
	computer = new_computer(maker);
	if (!maker->unique_hosts)
		secure_endpoint_add_computer(account, computer, NULL);
	return computer;
}

static const struct story_kind *choose(struct story_maker *maker)
{
	uint64_t pick = next_random(maker) % maker->weights;

	for (int i = 0; i < STORY_KINDS; i++) {
		if (pick < maker->weight[i])
			return &kinds[i];
		pick -= maker->weight[i];
	}
	return &kinds[0];
}

/* What the scenes of a story have in common. */
struct setting {
	const struct story_kind *kind;
	const json_t *computer;
	const char *guid, *group;
	char sha256[65], sha1[41], md5[33], parent[65], detection_id[24];
	size_t sample, indicator;
	time_t when;
	uint64_t id;
};

static json_t *computer_json(const struct setting *setting)
{
	static const char *const copied[] = { "hostname", "external_ip", "user",
					      "network_addresses" };
	const char *base = "https://api.amp.example.com/v1";
	json_t *computer =
	    json_pack("{s:s, s:b}", "connector_guid", setting->guid, "active", 1);

	for (size_t i = 0; i < sizeof(copied) / sizeof(*copied); i++) {
		json_t *value = json_object_get(setting->computer, copied[i]);

		if (value)
			json_object_set(computer, copied[i], value);
	}
	json_object_set_new(computer, "links",
			    json_pack("{s:s++, s:s+++, s:s++}", "computer", base, "/computers/",
				      setting->guid, "trajectory", base, "/computers/",
				      setting->guid, "/trajectory", "group", base, "/groups/",
				      setting->group));
	return computer;
}

static json_t *file_json(const struct setting *setting, const struct scene *scene)
{
	json_t *file = json_pack("{s:s, s:{s:s}}", "disposition", "Malicious", "identity",
				 "sha256", setting->sha256);
	json_t *identity = json_object_get(file, "identity");
	char path[256];

	if (!scene->name)
		return file;
	snprintf(path, sizeof(path), "\\\\?\\C:\\%s\\%s", samples[setting->sample].path,
		 samples[setting->sample].file);
	json_object_set_new(file, "file_name", json_string(samples[setting->sample].file));
	json_object_set_new(file, "file_path", json_string(path));
	json_object_set_new(identity, "sha1", json_string(setting->sha1));
	json_object_set_new(identity, "md5", json_string(setting->md5));
	json_object_set_new(file, "parent",
			    json_pack("{s:i, s:s, s:s, s:{s:s}}", "process_id", 4312,
				      "disposition", "Clean", "file_name", "explorer.exe",
				      "identity", "sha256", setting->parent));
	return file;
}

static void add_details(json_t *event, const struct setting *setting, const struct scene *scene)
{
	if (scene->detection)
		json_object_set_new(event, "detection",
				    json_string(samples[setting->sample].detection));
	if (scene->detection_id)
		json_object_set_new(event, "detection_id", json_string(setting->detection_id));
	if (scene->cloud_ioc)
		json_object_set_new(event, "cloud_ioc",
				    json_pack("{s:s, s:s}", "short_description",
					      indicators[setting->indicator].name,
					      "description",
					      indicators[setting->indicator].description));
	if (scene->command)
		json_object_set_new(
		    event, "command_line",
		    json_pack("{s:s}", "arguments", indicators[setting->indicator].arguments));
	if (scene->network)
		json_object_set_new(event, "network_info",
				    json_pack("{s:s, s:s, s:{s:s, s:s}}", "dirty_url",
					      "http://bad.example.com/gate.php", "remote_ip",
					      "203.0.113.66", "nfm", "direction",
					      "Outgoing connection from", "protocol", "TCP"));
	if (scene->error)
		json_object_set_new(event, "error",
				    json_pack("{s:I, s:s}", "error_code",
					      (json_int_t)3221225761, "description",
					      "Cannot delete"));
}

static json_t *event_json(const struct setting *setting, const struct scene *scene,
			  unsigned position)
{
	char date[40];
	struct tm parts;

	gmtime_r(&setting->when, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S+00:00", &parts);
	json_t *event = json_pack(
	    "{s:I, s:I, s:i, s:s, s:s, s:I, s:s, s:[s]}", "id",
	    (json_int_t)(setting->id + position), "timestamp", (json_int_t)setting->when,
	    "timestamp_nanoseconds", (int)(setting->id % 1000 * 1000000), "date", date,
	    "event_type", scene->event_type, "event_type_id", (json_int_t)scene->type,
	    "connector_guid", setting->guid, "group_guids", setting->group);

	if (setting->kind->severity)
		json_object_set_new(event, "severity", json_string(setting->kind->severity));
	if (scene->started) {
		json_object_set_new(event, "start_timestamp",
				    json_integer((json_int_t)setting->when));
		json_object_set_new(event, "start_date", json_string(date));
	}
	json_object_set_new(event, "computer", computer_json(setting));
	if (!scene->no_file)
		json_object_set_new(event, "file", file_json(setting, scene));
	add_details(event, setting, scene);
	return event;
}

static void set_the_scene(struct story_maker *maker, struct setting *setting,
			  const json_t *computer)
{
	const char *group = json_string_value(json_object_get(computer, "group_guid"));

	setting->kind = choose(maker);
	setting->computer = computer;
	setting->guid = json_string_value(json_object_get(computer, "connector_guid"));
	setting->group = group ? group : "5f1b7a52-6a34-4c55-9d0c-8b7f1c0e7d01";
	hex_of(maker, setting->sha256, 64);
	hex_of(maker, setting->sha1, 40);
	hex_of(maker, setting->md5, 32);
	hex_of(maker, setting->parent, 64);
	setting->sample = next_random(maker) % (sizeof(samples) / sizeof(*samples));
	setting->indicator = next_random(maker) % (sizeof(indicators) / sizeof(*indicators));
	setting->when = (time_t)(clock_wall_ms() / 1000 - maker->age_s);
	if (maker->spread_s)
		setting->when -= (time_t)(next_random(maker) % maker->spread_s);
	/* Above 2^53, below 2^63, and a few apart, as the real ones. */
	setting->id = 6500000000000000000ULL + next_random(maker) % 700000000000000000ULL;
	snprintf(setting->detection_id, sizeof(setting->detection_id), "%" PRIu64, setting->id);
	setting->id++;
}

json_t *story_make(struct story_maker *maker, const json_t *computer, uint64_t most)
{
	json_t *events = json_array();
	struct setting setting = { 0 };

	set_the_scene(maker, &setting, computer);
	for (unsigned i = 0; i < 3 && setting.kind->scene[i].event_type && i < most; i++)
		json_array_append_new(events, event_json(&setting, &setting.kind->scene[i], i));
	maker->stories++;
	return events;
}
