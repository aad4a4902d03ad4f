/* A program's result that is an OCSF finding already. */
#include <string.h>

#include "base/buf.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include "model/raw.h"

#include "normalize/map_program.h"
#include "normalize/ocsf_finding.h"
#include "normalize/record.h"

/* A number that is 0 or more and below limit; fallback when there is none. */
static bool read_number(const struct json_node *object, const char *name, int64_t fallback,
			int64_t limit, int64_t *ret_number, struct err *err)
{
	const struct json_node *node = json_tree_get(object, name);

	*ret_number = fallback;
	if (!node || node->kind == JSON_NODE_NULL)
		return true;
	if (json_tree_int(node, ret_number) && *ret_number >= 0 && *ret_number < limit)
		return true;
	return err_set(err, ERR_PERMANENT, "the program's %s is not what OCSF wants", name);
}

/* The writer takes names as they are, and OCSF's are plain. */
static bool check_names(const struct json_node *object, struct err *err)
{
	for (const struct json_node *node = object ? object->first : NULL; node;
	     node = node->next) {
		if (!node->name ||
		    strspn(node->name, "abcdefghijklmnopqrstuvwxyz0123456789_") !=
			node->name_size)
			return err_set(err, ERR_PERMANENT,
				       "the program returned an unknown member %.60s",
				       node->name ? node->name : "");
	}
	return true;
}

static void put_rest(struct buf *out, const struct json_node *object,
		     const char *const *written)
{
	for (const struct json_node *node = object ? object->first : NULL; node;
	     node = node->next) {
		const char *const *at = written;

		while (*at && strcmp(*at, node->name) != 0)
			at++;
		if (!*at)
			json_tree_write(out, node->name, node);
	}
}

/* The event's id is ours to say, so that a finding leads back to it. */
static void put_metadata(struct buf *out, const struct raw *raw, const struct json_node *object)
{
	static const char *const written[] = { "version", "uid", "original_event_uid",
					       "product", NULL };
	const struct json_node *metadata = json_tree_get(object, "metadata");
	const struct json_node *product = json_tree_get(metadata, "product");
	const char *version = record_peek_text(metadata, "version");

	json_begin(out, "metadata", '{');
	json_put_string(out, "version", version ? version : "1.8.0");
	json_put_string(out, "original_event_uid", raw->event_id);
	if (product && product->kind == JSON_NODE_OBJECT && product->size > 0) {
		json_tree_write(out, "product", product);
	} else {
		json_begin(out, "product", '{');
		json_put_string(out, "vendor_name", raw->source);
		json_put_string(out, "name", raw->source);
		json_put_string(out, "uid", raw->source);
		json_end(out, '}');
	}
	put_rest(out, metadata, written);
	json_end(out, '}');
}

static void put_info(struct buf *out, const struct raw *raw, const struct json_node *info)
{
	static const char *const written[] = { "uid", NULL };
	const char *uid = record_peek_text(info, "uid");

	json_begin(out, "finding_info", '{');
	json_put_string(out, "uid", uid ? uid : raw->event_id);
	put_rest(out, info, written);
	json_end(out, '}');
}

static void read_grouping(const struct json_node *object, const struct json_node *info,
			  struct ocsf_finding *finding)
{
	const struct json_node *device = json_tree_get(object, "device");
	const struct json_node *analytic = json_tree_get(info, "analytic");

	finding->device_uid = record_peek_text(device, "uid");
	finding->hostname = record_peek_text(device, "hostname");
	if (!finding->hostname)
		finding->hostname = record_peek_text(device, "name");
	finding->place = record_peek_text(device, "ip");
	finding->group_name = "analytic";
	finding->group_value = record_peek_text(analytic, "uid");
	if (!finding->group_value)
		finding->group_value = record_peek_text(analytic, "name");
}

bool full_finding_write(const struct raw *raw, const struct json_node *object, struct buf *out,
			struct ocsf_finding *ret_finding, struct err *err)
{
	static const char *const written[] = { "activity_id", "category_uid", "class_uid",
					       "type_uid",    "time",	      "severity_id",
					       "metadata",    "finding_info", NULL };
	const struct json_node *info = json_tree_get(object, "finding_info");
	int64_t class_uid, activity_id, severity_id, time_ms;

	if (!read_number(object, "class_uid", 0, 1000000, &class_uid, err) ||
	    !read_number(object, "activity_id", 1, 100, &activity_id, err) ||
	    !read_number(object, "severity_id", -1, 100, &severity_id, err) ||
	    !read_number(object, "time", (int64_t)raw->observed_ms, 253402300800000, &time_ms,
			 err))
		return false;
	if (class_uid != FINDING_CLASS_UID)
		return err_set(err, ERR_PERMANENT,
			       "the program's class_uid must be %d, a Detection Finding",
			       FINDING_CLASS_UID);
	if (severity_id < 0 || (severity_id > SEVERITY_FATAL && severity_id != SEVERITY_OTHER))
		return err_set(err, ERR_PERMANENT,
			       "the program's severity_id must be 0 to 6 or 99");
	if (!record_peek_text(info, "title"))
		return err_set(err, ERR_PERMANENT, "the program gave no finding_info.title");
	if (!check_names(object, err) || !check_names(info, err) ||
	    !check_names(json_tree_get(object, "metadata"), err))
		return false;
	json_begin(out, NULL, '{');
	json_put_int(out, "activity_id", activity_id);
	json_put_int(out, "category_uid", 2);
	json_put_int(out, "class_uid", class_uid);
	json_put_int(out, "type_uid", class_uid * 100 + activity_id);
	json_put_int(out, "time", time_ms);
	json_put_int(out, "severity_id", severity_id);
	put_metadata(out, raw, object);
	put_info(out, raw, info);
	put_rest(out, object, written);
	json_end(out, '}');
	ret_finding->severity_id = (int)severity_id;
	ret_finding->time_ms = (uint64_t)time_ms;
	read_grouping(object, info, ret_finding);
	return true;
}
