/* feed: records of Umbrella and alerts of Defender that happen again and again. */
#include "feed.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/clock.h"
#include "base/err.h"

/* What tells one record from the next of the same template: the name that was asked for. */
static void fill_record(json_t *record, uint64_t number, uint64_t now_ms)
{
	const char *domain = json_string_value(json_object_get(record, "domain"));
	char name[256];

	json_object_set_new(record, "timestamp", json_integer((json_int_t)now_ms));
	if (!domain)
		return;
	snprintf(name, sizeof(name), "n%llu.%.200s", (unsigned long long)number, domain);
	json_object_set_new(record, "domain", json_string(name));
}

static void fill_alert(json_t *alert, uint64_t number, uint64_t now_ms)
{
	static const char *const times[] = { "alertCreationTime", "firstEventTime",
					     "lastEventTime", "lastUpdateTime" };
	const char *id = json_string_value(json_object_get(alert, "id"));
	char text[128];

	snprintf(text, sizeof(text), "%.60s%08llu_-%llu", id ? id : "da",
		 (unsigned long long)now_ms, (unsigned long long)number);
	json_object_set_new(alert, "id", json_string(text));
	json_object_set_new(
	    alert, "incidentId",
	    json_integer((json_int_t)(now_ms / 1000 % 1000000 * 100 + number % 100)));
	clock_format(now_ms, text);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		json_object_set_new(alert, times[i], json_string(text));
}

bool feed_add(struct account *account, const json_t *templates, uint64_t number,
	      struct err *err)
{
	bool alerts = strcmp(account->vendor->name, "defender") == 0;
	json_t *one = json_deep_copy(
	    json_array_get(templates, (size_t)(number % json_array_size(templates))));
	json_t *list = json_pack("[o]", one ? one : json_object());
	json_t *settings = NULL;
	bool ok;

	if (alerts) {
		fill_alert(json_array_get(list, 0), number, clock_wall_ms());
		settings = json_pack("{s:O}", "alerts", list);
	} else {
		fill_record(json_array_get(list, 0), number, clock_wall_ms());
	}
	pthread_mutex_lock(&account->lock);
	ok = alerts ? account->vendor->configure(account, settings, err)
		    : account->vendor->add_events(account, list, err);
	pthread_mutex_unlock(&account->lock);
	json_decref(settings);
	json_decref(list);
	return ok;
}
