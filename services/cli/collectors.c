/* Who polls: the announcements of the collectors, and the leases of sources. */
#include "collectors.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "bus/reply.h"
#include "model/customer.h"
#include "status.h"
#include "view.h"

enum { NAMES_MAX = 5 };

void collectors_done(struct collectors *collectors)
{
	for (size_t i = 0; i < collectors->count; i++) {
		free(collectors->items[i].name);
		pin_done(&collectors->items[i].pin);
	}
	free(collectors->items);
	*collectors = (struct collectors){ 0 };
}

/* Without an announcement it is dead, and its name is not forgotten yet. */
static bool read_one(struct collectors *collectors, struct redis *redis, const char *name,
		     struct err *err)
{
	struct key key;

	key_format(&key, 0, "collector:%.200s", name);
	struct redis_reply *announcement = redis_command(redis, err, "GET %s", key.text);
	if (!announcement)
		return false;
	if (reply_type(announcement) == REPLY_TEXT) {
		struct collector_seen *seen = &collectors->items[collectors->count++];

		seen->name = xstrdup(name);
		pin_decode(&seen->pin, reply_text(announcement));
	}
	reply_free(announcement);
	return true;
}

bool collectors_read(struct collectors *ret_collectors, struct redis *redis, struct err *err)
{
	struct key key;

	*ret_collectors = (struct collectors){ 0 };
	key_format(&key, 0, "collectors");
	struct redis_reply *names = redis_command(redis, err, "SMEMBERS %s", key.text);
	if (!names)
		return false;
	ret_collectors->items = xcalloc(reply_count(names) + 1, sizeof(*ret_collectors->items));
	bool fine = true;
	for (size_t i = 0; fine && i < reply_count(names); i++)
		fine = read_one(ret_collectors, redis, reply_text(reply_at(names, i)), err);
	reply_free(names);
	if (!fine)
		collectors_done(ret_collectors);
	return fine;
}

static bool is_polled(const struct customer *customer)
{
	return customer->mode != CUSTOMER_PAUSED && customer->source_count > 0;
}

static bool has_its_own(const struct collectors *collectors, const struct customer *customer)
{
	for (size_t i = 0; i < collectors->count; i++) {
		if (pin_matches(&collectors->items[i].pin, customer))
			return true;
	}
	return false;
}

size_t collectors_pinned(const struct collectors *collectors, const struct directory *directory)
{
	size_t pinned = 0;

	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);

		pinned += is_polled(customer) && has_its_own(collectors, customer);
	}
	return pinned;
}

/* ---- for tocsin status ---- */

static void judge_pin(const struct collector_seen *seen, const struct directory *directory,
		      struct verdict *verdict)
{
	bool labelled = !seen->pin.label;

	for (size_t i = 0; i < seen->pin.customer_count; i++) {
		if (!directory_customer(directory, seen->pin.customers[i]))
			verdict_add(verdict, HEALTH_BEHIND,
				    "collector %s is pinned to %s, which is no customer",
				    seen->name, seen->pin.customers[i]);
	}
	for (size_t i = 0; !labelled && i < directory_count(directory); i++) {
		const char *label = directory_at(directory, i)->label;

		labelled = label && strcmp(label, seen->pin.label) == 0;
	}
	if (!labelled)
		verdict_add(verdict, HEALTH_BEHIND,
			    "collector %s is pinned to the label %s, which no customer has",
			    seen->name, seen->pin.label);
}

static void judge_coverage(const struct collectors *collectors,
			   const struct directory *directory, struct verdict *verdict)
{
	size_t left = 0;
	struct buf names;

	for (size_t i = 0; i < collectors->count; i++) {
		if (!pin_is_set(&collectors->items[i].pin))
			return; /* polls all that no other one does */
	}
	buf_init(&names, 512);
	for (size_t i = 0; i < directory_count(directory); i++) {
		const struct customer *customer = directory_at(directory, i);

		if (!is_polled(customer) || has_its_own(collectors, customer))
			continue;
		if (left++ < NAMES_MAX)
			buf_addf(&names, "%s%s", left > 1 ? ", " : "", customer->id);
	}
	if (left > 0)
		verdict_add(verdict, HEALTH_BROKEN, "nobody polls %s%s: %s", names.data,
			    left > NAMES_MAX ? " and others" : "",
			    collectors->count > 0
				? "every collector that is alive is pinned to other customers"
				: "no collector is alive");
	buf_done(&names);
}

static size_t count_sources(const json_t *sources, const char *name)
{
	const json_t *row;
	size_t i, count = 0;

	json_array_foreach(sources, i, row)
	{
		const char *owner = json_string_value(json_object_get(row, "collector"));

		count += owner && strcmp(owner, name) == 0;
	}
	return count;
}

static json_t *describe(const struct collector_seen *seen, const json_t *sources)
{
	json_t *customers = json_array();

	for (size_t i = 0; i < seen->pin.customer_count; i++)
		json_array_append_new(customers, view_text(seen->pin.customers[i]));
	return json_pack("{s:o,s:o,s:o,s:I}", "collector", view_text(seen->name), "customers",
			 customers, "label", view_text(seen->pin.label), "sources",
			 (json_int_t)count_sources(sources, seen->name));
}

json_t *status_collectors(const struct collectors *collectors,
			  const struct directory *directory, const json_t *sources,
			  struct verdict *verdict)
{
	json_t *list = json_array();

	for (size_t i = 0; i < collectors->count; i++) {
		judge_pin(&collectors->items[i], directory, verdict);
		json_array_append_new(list, describe(&collectors->items[i], sources));
	}
	judge_coverage(collectors, directory, verdict);
	return list;
}
