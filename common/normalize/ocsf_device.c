/* Where it happened. */
#include <string.h>

#include "model/json_writer.h"

#include "normalize/ocsf_writer.h"

static void put_interface(struct buf *out, const struct ocsf_interface *interface)
{
	json_begin(out, NULL, '{');
	if (interface->external)
		json_put_string(out, "name", "external");
	json_put_string(out, "ip", interface->ip);
	json_put_string(out, "mac", interface->mac);
	json_put_int(out, "type_id", interface->external ? 99 : 0);
	json_put_string(out, "type", interface->external ? "External" : "Unknown");
	json_end(out, '}');
}

/* The first address and the first MAC that are the device's own. */
static void put_addresses(struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	const char *ip = NULL, *mac = NULL;

	for (size_t i = 0; i < finding->interface_count; i++) {
		const struct ocsf_interface *interface = &finding->interfaces[i];
		if (!ip && !interface->external)
			ip = interface->ip;
		if (!mac)
			mac = interface->mac;
	}
	json_put_string(writer->out, "ip", ip);
	json_put_string(writer->out, "mac", mac);
	ocsf_observe(writer, "device.ip", OCSF_OBSERVABLE_IP, ip);
	ocsf_observe(writer, "device.mac", OCSF_OBSERVABLE_MAC, mac);
}

/* OCSF wants something that names it: what others see of it does not. */
static bool has_device(const struct ocsf_finding *finding)
{
	for (size_t i = 0; i < finding->interface_count; i++) {
		if (!finding->interfaces[i].external)
			return true;
	}
	return finding->device_uid || finding->hostname || finding->device_name;
}

static void put_name(const struct ocsf_finding *finding, struct buf *out)
{
	size_t size = finding->hostname ? strcspn(finding->hostname, ".") : 0;

	if (finding->device_name)
		ocsf_put(out, "name", finding->device_name);
	else if (finding->device_domain && size > 0)
		ocsf_put_cut(out, "name", finding->hostname, size);
	else
		ocsf_put(out, "name", finding->hostname);
	ocsf_put(out, "domain", finding->device_domain);
}

void ocsf_put_device(struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	if (!has_device(finding))
		return;
	json_begin(out, "device", '{');
	ocsf_put(out, "uid", finding->device_uid);
	ocsf_put(out, "hostname", finding->hostname);
	put_name(finding, out);
	ocsf_observe(writer, "device.hostname", OCSF_OBSERVABLE_HOSTNAME, finding->hostname);
	ocsf_observe(writer, "device.uid", OCSF_OBSERVABLE_DEVICE_UID, finding->device_uid);
	put_addresses(writer);
	json_put_int(out, "type_id", 0);
	json_put_string(out, "type", "Unknown");
	if (finding->interface_count > 0) {
		json_begin(out, "network_interfaces", '[');
		for (size_t i = 0; i < finding->interface_count; i++)
			put_interface(out, &finding->interfaces[i]);
		json_end(out, ']');
	}
	ocsf_put_user(out, "owner", &finding->device_owner, false);
	if (finding->group_count > 0 || finding->device_group) {
		json_begin(out, "groups", '[');
		if (finding->device_group) {
			json_begin(out, NULL, '{');
			ocsf_put_cut(out, "name", finding->device_group, OCSF_ID_MAX_BYTES);
			json_end(out, '}');
		}
		for (size_t i = 0; i < finding->group_count; i++) {
			json_begin(out, NULL, '{');
			ocsf_put_cut(out, "uid", finding->groups[i], OCSF_ID_MAX_BYTES);
			json_end(out, '}');
		}
		json_end(out, ']');
	}
	if (finding->device_uid && finding->product->agent) {
		json_begin(out, "agent_list", '[');
		json_begin(out, NULL, '{');
		ocsf_put(out, "uid", finding->device_uid);
		json_put_string(out, "name", finding->product->full_name);
		json_put_int(out, "type_id", 1);
		json_put_string(out, "type", "Endpoint Detection and Response");
		json_put_string(out, "vendor_name", finding->product->vendor_name);
		json_end(out, '}');
		json_end(out, ']');
	}
	json_end(out, '}');
}

static void put_resource(struct buf *out, const struct ocsf_resource *resource)
{
	if (!resource->uid && !resource->name)
		return;
	json_begin(out, NULL, '{');
	ocsf_put(out, "uid", resource->uid);
	ocsf_put(out, "name", resource->name);
	ocsf_put_cut(out, "type", resource->type, OCSF_TITLE_MAX_BYTES);
	json_put_int(out, "role_id", 4);
	json_put_string(out, "role", "Related");
	json_end(out, '}');
}

void ocsf_put_resources(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	const char *name = finding->device_name ? finding->device_name : finding->hostname;
	struct buf *out = writer->out;
	size_t begun = json_begin(out, "resources", '[');

	if (finding->device_uid || name) {
		json_begin(out, NULL, '{');
		ocsf_put(out, "uid", finding->device_uid);
		ocsf_put(out, "name", name);
		ocsf_put(out, "hostname", finding->hostname);
		json_put_string(out, "type", "Device");
		json_put_int(out, "role_id", 3);
		json_put_string(out, "role", "Affected");
		json_end(out, '}');
	}
	for (size_t i = 0; i < finding->related_count; i++)
		put_resource(out, &finding->related[i]);
	json_end_unless_empty(out, begun, ']');
}
