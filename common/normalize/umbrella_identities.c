/* Whose traffic it was: the identities of a record, and its addresses. */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "model/json_tree.h"

#include "normalize/ocsf_finding.h"
#include "normalize/record.h"
#include "normalize/umbrella_record.h"

enum identity_kind { IDENTITY_PLACE, IDENTITY_COMPUTER, IDENTITY_USER };

/* By identities[].type.type; all others are places: networks, sites, tunnels ... */
static enum identity_kind kind_of(const char *type)
{
	static const char *const computers[] = {
		"roaming",    "anyconnect", "directory_computer", "mobile_device",
		"chromebook", "computer",   "internal_host",	  "umbrella_module"
	};
	static const char *const users[] = { "directory_user", "user",	       "saml_user",
					     "saml",	       "g_suite_user", "users" };

	for (size_t i = 0; type && i < sizeof computers / sizeof computers[0]; i++) {
		if (strcasecmp(type, computers[i]) == 0)
			return IDENTITY_COMPUTER;
	}
	for (size_t i = 0; type && i < sizeof users / sizeof users[0]; i++) {
		if (strcasecmp(type, users[i]) == 0)
			return IDENTITY_USER;
	}
	return IDENTITY_PLACE;
}

static bool is_host_name(const char *label)
{
	return label[strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-_.")] == '\0';
}

static void read_computer(struct ocsf_finding *finding, struct json_node *item)
{
	finding->device_uid = record_id(item, "id");
	finding->device_name = record_text(item, "label");
	if (finding->device_name && is_host_name(finding->device_name))
		finding->hostname = finding->device_name;
}

/* OCSF wants a domain with a dot. */
static bool is_email(const char *text)
{
	const char *at = strchr(text, '@');

	return at && at > text && !strchr(at + 1, '@') && strchr(at + 1, '.') && at[1] != '.' &&
	       at[strlen(at) - 1] != '.' && !strpbrk(text, " <>()\"") &&
	       at[1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789-.")] == '\0' &&
	       text + strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._%+-") ==
		   at;
}

/* "Jane Doe (jdoe@example.com)", "jdoe@example.com", "jdoe" */
static void read_user(struct umbrella_mapping *mapping, struct json_node *item)
{
	struct ocsf_user *user = &mapping->finding->user;
	const char *label = record_text(item, "label");
	const char *open = label ? strrchr(label, '(') : NULL;
	size_t inner = open ? strcspn(open + 1, ")") : 0;

	if (!label)
		return;
	user->uid = record_id(item, "id");
	user->name = label;
	if (open && open > label + 1 && inner > 0 && open[1 + inner] == ')' &&
	    open[2 + inner] == '\0') {
		size_t size = (size_t)(open - label);

		while (size > 0 && label[size - 1] == ' ')
			size--;
		user->name = arena_strndup(mapping->arena, open + 1, inner);
		if (size > 0)
			user->full_name = arena_strndup(mapping->arena, label, size);
	}
	if (is_email(user->name))
		user->email_addr = user->name;
}

static void read_place(struct ocsf_finding *finding, struct json_node *item)
{
	struct json_node *type = json_tree_get(item, "type");

	if (finding->related_count == OCSF_RESOURCES_MAX)
		return;
	const struct ocsf_resource resource = { .uid = record_id(item, "id"),
						.name = record_text(item, "label"),
						.type = record_text(type, "label") };

	if (resource.uid || resource.name)
		finding->related[finding->related_count++] = resource;
}

static void read_identity(struct umbrella_mapping *mapping, struct json_node *item)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *type = json_tree_get(item, "type");

	switch (kind_of(record_peek_text(type, "type"))) {
	case IDENTITY_COMPUTER:
		if (!finding->device_uid && !finding->device_name)
			read_computer(finding, item);
		break;
	case IDENTITY_USER:
		if (!finding->user.name)
			read_user(mapping, item);
		break;
	case IDENTITY_PLACE:
		read_place(finding, item);
		break;
	}
}

static void add_data(struct ocsf_finding *finding, const char *name, struct json_node *node)
{
	if (!node || node->used || finding->data_count == OCSF_DATA_MAX)
		return;
	finding->data[finding->data_count].name = name;
	finding->data[finding->data_count++].node = node;
	node->used = true;
}

/* The address inside is the computer's; the one outside is everybody's behind it. */
static void read_addresses(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	const char *internal = record_ip(mapping->record, "internalip");

	if (!internal)
		internal = record_ip(mapping->record, "sourceip");
	if (internal) {
		finding->source.ip = internal;
		finding->source.scope_id = OCSF_INTERNAL;
		finding->interfaces[finding->interface_count++] =
		    (struct ocsf_interface){ .ip = internal };
		if (record_peek_text(mapping->record, "externalip"))
			add_data(finding, "externalip",
				 json_tree_get(mapping->record, "externalip"));
		return;
	}
	finding->source.ip = record_ip(mapping->record, "externalip");
	finding->source.scope_id = finding->source.ip ? OCSF_EXTERNAL : OCSF_SCOPE_UNKNOWN;
}

/* Without a computer: the address in its site, or who it was. Sites use the same addresses. */
static void read_where(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	const struct ocsf_resource *site = &finding->related[0];
	const char *where = finding->related_count == 0 ? ""
			    : site->uid			? site->uid
							: site->name;
	const char *who = finding->user.uid ? finding->user.uid : finding->user.name;
	const char *address = finding->source.ip ? finding->source.ip : "";

	if (finding->device_name && !finding->hostname && !finding->device_uid)
		finding->place = finding->device_name;
	else
		finding->place =
		    arena_printf(mapping->arena, "%.200s/%.200s", where, who ? who : address);
}

void umbrella_read_identities(struct umbrella_mapping *mapping)
{
	struct ocsf_finding *finding = mapping->finding;
	struct json_node *list = json_tree_get(mapping->record, "identities");
	struct json_node *item = list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;

	for (; item; item = item->next)
		read_identity(mapping, item);
	if (mapping->is_retrospective)
		finding->hostname = record_text(mapping->record, "hostname");
	read_addresses(mapping);
	read_where(mapping);
}
