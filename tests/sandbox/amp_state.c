/*
 * amp_state: what one Secure Endpoint customer has: events, computers and their isolation.
 */
#include "amp_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "token.h"

bool amp_check_event(const json_t *object, struct err *err)
{
	if (!json_is_object(object))
		return err_set(err, ERR_PERMANENT, "an event must be an object");
	if (!json_is_integer(json_object_get(object, "timestamp")))
		return err_set(err, ERR_PERMANENT, "timestamp: must be a whole number");
	return true;
}

/* Where an event of that second goes: before all others of its second, because the list is
 * read backwards and what was recorded first must come out first. */
static size_t event_place(const struct amp_state *state, int64_t timestamp)
{
	size_t low = 0, high = state->events;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (state->event[middle]->timestamp < timestamp)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool amp_add_event(struct amp_state *state, const json_t *object, struct err *err)
{
	if (!amp_check_event(object, err))
		return false;
	struct amp_event *event = xcalloc(1, sizeof(*event));

	event->object = json_deep_copy(object);
	event->timestamp = json_integer_value(json_object_get(object, "timestamp"));
	event->type = json_integer_value(json_object_get(object, "event_type_id"));
	event->text = json_dumps(object, JSON_COMPACT);
	event->size = strlen(event->text);
	event->visible_ms = clock_wall_ms();
	if (state->events == state->event_room) {
		state->event_room = state->event_room ? state->event_room * 2 : 64;
		state->event = xrealloc(state->event, state->event_room * sizeof(event));
	}
	size_t place = event_place(state, event->timestamp);

	memmove(state->event + place + 1, state->event + place,
		(state->events - place) * sizeof(event));
	state->event[place] = event;
	state->events++;
	return true;
}

static enum isolation isolation_named(const char *name)
{
	for (int i = NOT_ISOLATED; i <= PENDING_STOP; i++) {
		if (name && strcmp(amp_isolation_name((enum isolation)i), name) == 0)
			return (enum isolation)i;
	}
	return NOT_ISOLATED;
}

static void set_member(char **field, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		return;
	free(*field);
	*field = xstrdup(text);
}

/* What is given of {available, status, comment, isolated_by}: as if a person had done it in
 * the vendor's console. */
static void set_isolation(struct amp_computer *computer, const json_t *isolation)
{
	const json_t *available = json_object_get(isolation, "available");
	const char *status = json_string_value(json_object_get(isolation, "status"));

	if (available)
		computer->available = json_is_true(available);
	if (status) {
		computer->isolation = isolation_named(status);
		computer->due_ms = 0;
	}
	set_member(&computer->comment, isolation, "comment");
	set_member(&computer->isolated_by, isolation, "isolated_by");
}

struct amp_computer *amp_add_computer(struct amp_state *state, const json_t *object,
				      struct err *err)
{
	const char *guid = json_string_value(json_object_get(object, "connector_guid"));
	json_t *isolation = json_object_get(object, "isolation");

	if (!guid || !json_is_string(json_object_get(object, "hostname"))) {
		err_fill(err, ERR_PERMANENT, "a computer needs connector_guid and hostname");
		return NULL;
	}
	struct amp_computer *computer = index_get(&state->by_guid, guid);

	if (computer) {
		json_t *changes = json_copy((json_t *)object);

		/* The guid is borrowed from the object, by the index too. */
		json_object_del(changes, "connector_guid");
		json_object_del(changes, "isolation");
		json_object_update(computer->object, changes);
		json_decref(changes);
		set_isolation(computer, isolation);
		return computer;
	}
	computer = xcalloc(1, sizeof(*computer));
	computer->object = json_deep_copy(object);
	json_object_del(computer->object, "isolation");
	computer->guid = json_string_value(json_object_get(computer->object, "connector_guid"));
	computer->available = true;
	set_isolation(computer, isolation);
	if ((state->computers & (state->computers - 1)) == 0)
		state->computer =
		    xrealloc(state->computer,
			     (state->computers ? state->computers * 2 : 1) * sizeof(computer));
	state->computer[state->computers++] = computer;
	index_add(&state->by_guid, computer->guid, computer);
	return computer;
}

void amp_computer_free(struct amp_computer *computer)
{
	json_decref(computer->object);
	free(computer->comment);
	free(computer->unlock_code);
	free(computer->isolated_by);
	free(computer);
}

void amp_computer_settle(struct amp_state *state, struct amp_computer *computer)
{
	(void)state;
	if (computer->due_ms == 0 || clock_mono_ms() < computer->due_ms)
		return;
	computer->due_ms = 0;
	computer->isolation = computer->isolation == PENDING_START ? ISOLATED : NOT_ISOLATED;
}

const char *amp_isolation_name(enum isolation isolation)
{
	static const char *const names[] = { "not_isolated", "pending_start", "isolated",
					     "pending_stop" };

	return names[isolation];
}

static json_t *group_link(const struct amp_state *state, const char *guid)
{
	size_t i;
	json_t *group;

	json_array_foreach(state->groups, i, group)
	{
		const char *candidate = json_string_value(json_object_get(group, "guid"));

		if (candidate && guid && strcmp(candidate, guid) == 0)
			return json_pack("[{s:s, s:O}]", "guid", guid, "name",
					 json_object_get(group, "name"));
	}
	return json_array();
}

static void set_default(json_t *object, const char *key, json_t *value)
{
	if (!json_object_get(object, key))
		json_object_set(object, key, value);
	json_decref(value);
}

json_t *amp_computer_json(struct amp_state *state, struct amp_computer *computer,
			  const char *origin)
{
	json_t *object = json_copy(computer->object);
	const char *group = json_string_value(json_object_get(object, "group_guid"));
	char url[3][640];

	amp_computer_settle(state, computer);
	group = group ? group : "";
	snprintf(url[0], sizeof(url[0]), "%.300s/amp/v1/computers/%.200s", origin,
		 computer->guid);
	snprintf(url[1], sizeof(url[1]), "%.600s/trajectory", url[0]);
	snprintf(url[2], sizeof(url[2]), "%.300s/amp/v1/groups/%.200s", origin, group);
	set_default(object, "active", json_true());
	set_default(object, "links",
		    json_pack("{s:s, s:s, s:s}", "computer", url[0], "trajectory", url[1],
			      "group", url[2]));
	set_default(object, "connector_version", json_string("8.4.5.30483"));
	set_default(object, "operating_system", json_string("Windows 11 Enterprise"));
	set_default(object, "internal_ips", json_array());
	set_default(object, "external_ip", json_string("198.51.100.1"));
	set_default(object, "install_date", json_string("2026-01-12T08:30:00Z"));
	set_default(object, "is_compromised", json_false());
	set_default(object, "network_addresses", json_array());
	set_default(object, "policy",
		    json_pack("{s:s, s:s}", "guid", "6f0a7c7e-1f0e-4c3b-8d9a-5b7f0f6f2f11",
			      "name", "Protect"));
	set_default(object, "last_seen", json_string("2026-11-21T18:00:00Z"));
	set_default(object, "faults", json_array());
	set_default(object, "orbital", json_pack("{s:s}", "status", "not_enabled"));
	json_object_set_new(object, "groups", group_link(state, group));
	json_object_set_new(object, "isolation",
			    json_pack("{s:b, s:s}", "available", (int)computer->available,
				      "status", amp_isolation_name(computer->isolation)));
	return object;
}

json_t *amp_isolation_json(const struct amp_computer *computer)
{
	return json_pack("{s:b, s:s, s:s?, s:s?, s:s*}", "available", (int)computer->available,
			 "status", amp_isolation_name(computer->isolation), "unlock_code",
			 computer->unlock_code, "comment", computer->comment, "isolated_by",
			 computer->isolated_by);
}
