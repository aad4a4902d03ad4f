/* The section "containment" of a customer's file. */
#include "model/customer_containment.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/account.h"
#include "model/customer_defaults.h"
#include "model/form.h"

enum {
	NEVER_MAX = 500,
	NEVER_MAX_BYTES = 253, /* of a host name */
	GUID_SIZE = 36,
	PER_HOUR = 10,
	PER_HOUR_MAX = 1000,
	ADDRESS_BYTES = 16,
};

#define MAXIMUM_AGE_MS	 (30 * MINUTE_MS)
#define MAXIMUM_TIME_MS	 DAY_MS
#define APPROVAL_TIME_MS DAY_MS

const char *const containment_mode_names[] = { "off", "approve", "auto", NULL };

static const char *const test_names[] = { "operating_system", "ancestors", NULL };
static const char *const type_names[] = { "full", "selective", NULL };
static const char *const severities[] = { "informational", "low",      "medium",
					  "high",	   "critical", NULL };

void customer_containment_init(struct customer_containment *ret_containment)
{
	*ret_containment = (struct customer_containment){
		.isolate = true,
		.minimum_severity = SEVERITY_HIGH,
		.maximum_age_ms = MAXIMUM_AGE_MS,
		.per_hour = PER_HOUR,
		.maximum_time_ms = MAXIMUM_TIME_MS,
		.approval_time_ms = APPROVAL_TIME_MS,
	};
}

void customer_containment_clear(struct customer_containment *containment)
{
	for (size_t i = 0; i < containment->never_count; i++)
		free(containment->never[i]);
	free(containment->never);
	free(containment->triage_group);
	*containment = (struct customer_containment){ 0 };
}

/* ---- addresses ---- */

struct network {
	int family;
	unsigned char bytes[ADDRESS_BYTES];
	unsigned bits;
};

/* "10.0.0.0/8", "fe80::/10" or a single address. */
static bool network_parse(const char *text, struct network *ret_network)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	bool six = strchr(text, ':') != NULL;
	unsigned all = six ? 128 : 32;
	char *end = NULL;

	if (size >= sizeof address)
		return false;
	memcpy(address, text, size);
	address[size] = '\0';
	ret_network->family = six ? AF_INET6 : AF_INET;
	ret_network->bits = all;
	if (slash && isdigit((unsigned char)slash[1])) {
		unsigned long bits = strtoul(slash + 1, &end, 10);

		if (*end || bits > all)
			return false;
		ret_network->bits = (unsigned)bits;
	} else if (slash) {
		return false;
	}
	return inet_pton(ret_network->family, address, ret_network->bytes) == 1;
}

static bool network_has(const struct network *network, const char *ip)
{
	struct network one;
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (!network_parse(ip, &one) || one.family != network->family ||
	    memcmp(one.bytes, network->bytes, whole) != 0)
		return false;
	return rest == 0 || (one.bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}

/* ---- the never-list ---- */

/* "dc01" means dc01.corp.example as well: people write the short name, vendors either. */
static bool name_matches(const char *pattern, const char *name)
{
	char first[NEVER_MAX_BYTES + 1];
	size_t size;

	if (!name || !*name)
		return false;
	if (fnmatch(pattern, name, FNM_CASEFOLD | FNM_NOESCAPE) == 0)
		return true;
	size = strcspn(name, ".");
	if (strchr(pattern, '.') || name[size] == '\0' || size > NEVER_MAX_BYTES)
		return false;
	memcpy(first, name, size);
	first[size] = '\0';
	return fnmatch(pattern, first, FNM_CASEFOLD | FNM_NOESCAPE) == 0;
}

static bool entry_matches(const char *entry, const struct containment_host *host)
{
	struct network network;

	if (name_matches(entry, host->name) ||
	    (host->id && fnmatch(entry, host->id, FNM_CASEFOLD | FNM_NOESCAPE) == 0))
		return true;
	if (!network_parse(entry, &network))
		return false;
	for (size_t i = 0; i < host->ip_count; i++) {
		if (network_has(&network, host->ips[i]))
			return true;
	}
	return false;
}

const char *customer_containment_never(const struct customer_containment *containment,
				       const struct containment_host *host)
{
	for (size_t i = 0; i < containment->never_count; i++) {
		if (entry_matches(containment->never[i], host))
			return containment->never[i];
	}
	return NULL;
}

/* A slash is in networks only, and a bracket would be a set to fnmatch(). */
static bool entry_valid(const char *entry)
{
	struct network network;

	if (!*entry || strlen(entry) > NEVER_MAX_BYTES)
		return false;
	for (const char *c = entry; *c; c++) {
		if ((unsigned char)*c <= ' ' || *c == '[' || *c == 0x7f)
			return false;
	}
	return !strchr(entry, '/') || network_parse(entry, &network);
}

static bool read_never(struct customer_containment *containment, const struct form *form,
		       struct err *err)
{
	const json_t *list = json_object_get(form->json, "never"), *item;
	size_t i;

	if (!form_has(form, "never"))
		return true;
	if (!json_is_array(list) || json_array_size(list) > NEVER_MAX)
		return form_refuse(form, "never", err, "must list at most %d hosts", NEVER_MAX);
	containment->never = xcalloc(json_array_size(list) + 1, sizeof *containment->never);
	json_array_foreach(list, i, item)
	{
		const char *entry = json_string_value(item);

		if (!entry || !entry_valid(entry))
			return form_refuse(form, "never", err,
					   "item %zu must be a host name or id (* and ? stand "
					   "for others), an IP address or a network",
					   i + 1);
		containment->never[containment->never_count++] = xstrdup(entry);
	}
	return true;
}

/* ---- the section ---- */

static bool read_bool(const struct form *form, const char *name, bool *ret, struct err *err)
{
	const json_t *value = json_object_get(form->json, name);

	if (!form_has(form, name))
		return true;
	*ret = json_is_true(value);
	return json_is_boolean(value) || form_refuse(form, name, err, "must be true or false");
}

static bool guid_valid(const char *text)
{
	static const char hex[] = "0123456789abcdefABCDEF";

	for (size_t i = 0; i < GUID_SIZE; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (!text[i] || (hyphen ? text[i] != '-' : !strchr(hex, text[i])))
			return false;
	}
	return text[GUID_SIZE] == '\0';
}

static bool read_methods(struct customer_containment *containment, const struct form *form,
			 struct err *err)
{
	unsigned type = 0;

	if (!read_bool(form, "isolate", &containment->isolate, err) ||
	    !form_text(form, "triage_group", GUID_SIZE, NULL, &containment->triage_group,
		       err) ||
	    !form_choice(form, "defender_isolation", type_names, &type, err))
		return false;
	containment->selective = type == 1;
	if (containment->triage_group && !guid_valid(containment->triage_group))
		return form_refuse(form, "triage_group", err,
				   "must be the GUID of a group of Secure Endpoint");
	if (containment->mode != CONTAINMENT_OFF && !containment->isolate &&
	    !containment->triage_group)
		return form_refuse(form, "isolate", err,
				   "is false and there is no triage_group: nothing could be "
				   "done, then mode is off");
	return true;
}

static bool read_conditions(struct customer_containment *containment, const struct form *form,
			    struct err *err)
{
	unsigned severity = (unsigned)containment->minimum_severity - SEVERITY_INFORMATIONAL;
	unsigned test = CONTAINMENT_TEST_SYSTEM;

	if (!form_choice(form, "minimum_severity", severities, &severity, err) ||
	    !form_choice(form, "workstations", test_names, &test, err) ||
	    !form_span(form, "maximum_age", 1000, DAY_MS, &containment->maximum_age_ms, err) ||
	    !form_unsigned(form, "per_hour", PER_HOUR_MAX, &containment->per_hour, err))
		return false;
	containment->minimum_severity = SEVERITY_INFORMATIONAL + (int)severity;
	containment->test = (enum containment_test)test;
	return read_never(containment, form, err);
}

static bool read_times(struct customer_containment *containment, const struct form *form,
		       struct err *err)
{
	return form_span(form, "maximum_time", SECOND_MS, 90 * DAY_MS,
			 &containment->maximum_time_ms, err) &&
	       read_bool(form, "release_by_itself", &containment->release_by_itself, err) &&
	       form_span(form, "approval_time", SECOND_MS, 7 * DAY_MS,
			 &containment->approval_time_ms, err);
}

bool customer_containment_read(struct customer_containment *containment,
			       const struct form *file, struct err *err)
{
	static const char *const members[] = { "mode",
					       "isolate",
					       "triage_group",
					       "defender_isolation",
					       "minimum_severity",
					       "maximum_age",
					       "workstations",
					       "never",
					       "per_hour",
					       "maximum_time",
					       "release_by_itself",
					       "approval_time",
					       NULL };
	unsigned mode = CONTAINMENT_OFF;
	struct form form;

	if (!form_object(file, "containment", &form, err))
		return false;
	if (!form.json)
		return true;
	if (!form_known(&form, members, err) ||
	    !form_choice(&form, "mode", containment_mode_names, &mode, err))
		return false;
	containment->mode = (enum containment_mode)mode;
	return read_methods(containment, &form, err) &&
	       read_conditions(containment, &form, err) && read_times(containment, &form, err);
}

/* ---- writing ---- */

static void put_span(json_t *object, const char *name, uint64_t ms, uint64_t fallback_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (ms == fallback_ms)
		return;
	clock_format_span(ms, text);
	json_object_set_new(object, name, json_string(text));
}

static void put_never(json_t *object, const struct customer_containment *containment)
{
	json_t *list = json_array();

	for (size_t i = 0; i < containment->never_count; i++)
		json_array_append_new(list, json_string(containment->never[i]));
	if (containment->never_count > 0)
		json_object_set(object, "never", list);
	json_decref(list);
}

json_t *customer_containment_write(const struct customer_containment *containment)
{
	json_t *object = json_object();

	if (containment->mode != CONTAINMENT_OFF)
		account_put_text(object, "mode", containment_mode_names[containment->mode],
				 NULL);
	if (!containment->isolate)
		json_object_set_new(object, "isolate", json_false());
	account_put_text(object, "triage_group", containment->triage_group, NULL);
	if (containment->selective)
		account_put_text(object, "defender_isolation", "selective", NULL);
	if (containment->minimum_severity != SEVERITY_HIGH)
		account_put_text(
		    object, "minimum_severity",
		    severities[containment->minimum_severity - SEVERITY_INFORMATIONAL], NULL);
	put_span(object, "maximum_age", containment->maximum_age_ms, MAXIMUM_AGE_MS);
	if (containment->test != CONTAINMENT_TEST_SYSTEM)
		account_put_text(object, "workstations", test_names[containment->test], NULL);
	put_never(object, containment);
	if (containment->per_hour != PER_HOUR)
		json_object_set_new(object, "per_hour", json_integer(containment->per_hour));
	put_span(object, "maximum_time", containment->maximum_time_ms, MAXIMUM_TIME_MS);
	if (containment->release_by_itself)
		json_object_set_new(object, "release_by_itself", json_true());
	put_span(object, "approval_time", containment->approval_time_ms, APPROVAL_TIME_MS);
	return object;
}
