/* The closing URL of the second work note: written for tickets, read from requests. */
#include "model/closing_url.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/control.h"
#include "model/json_tree.h"
#include "model/json_writer.h"

enum { SYS_ID_SIZE = 32, TEXT_MAX = 1024, URL_MAX = 4 * CLOSING_VALUE_MAX };

const char *closing_url(const struct closing_value *value, struct arena *arena)
{
	struct buf json, url;

	buf_init(&json, CLOSING_VALUE_MAX);
	(void)json_begin(&json, NULL, '{');
	json_put_string(&json, "snow-incident-id", value->sys_id);
	json_put_string(&json, "securex-incident-id", value->ctim_id);
	json_put_string(&json, "customer-name", value->customer_name);
	json_put_string(&json, "amp-connector-guid", value->connector);
	json_put_string(&json, "amp-group-guid", value->group);
	json_put_string(&json, "tocsin-incident-id", value->incident);
	json_put_string(&json, "tocsin-link", value->token);
	json_end(&json, '}');
	buf_init(&url, URL_MAX);
	buf_adds(&url, CLOSING_URL_PATH "?observable_type=ip&observable_value=");
	buf_add_url(&url, buf_text(&json));
	buf_adds(&url, "&workflow_id=close");

	const char *text = arena_strdup(arena, buf_text(&url));

	buf_done(&json);
	buf_done(&url);
	return text;
}

/* *ret stays NULL when the member is missing, null or empty. */
static bool read_text(const struct json_node *object, const char *name, const char **ret,
		      struct err *err)
{
	const struct json_node *node = json_tree_get(object, name);

	if (!node || node->kind == JSON_NODE_NULL)
		return true;
	if (node->kind != JSON_NODE_TEXT || node->size > TEXT_MAX)
		return err_set(err, ERR_PERMANENT, "%s is not a text as it should be", name);
	if (node->size > 0)
		*ret = node->text;
	return true;
}

static bool read_id(const struct json_node *object, const char *name, const char **ret,
		    struct err *err)
{
	if (!read_text(object, name, ret, err))
		return false;
	if (*ret && has_control(*ret))
		return err_set(err, ERR_PERMANENT, "%s holds control characters", name);
	return true;
}

static bool read_sys_id(const struct json_node *object, const char **ret, struct err *err)
{
	const char *snow = NULL, *servicenow = NULL;

	if (!read_id(object, "snow-incident-id", &snow, err) ||
	    !read_id(object, "servicenow-incident-id", &servicenow, err))
		return false;
	if (snow && servicenow && strcmp(snow, servicenow) != 0)
		return err_set(err, ERR_PERMANENT, "it names two tickets");
	*ret = snow ? snow : servicenow;
	if (!*ret)
		return err_set(err, ERR_PERMANENT,
			       "neither snow-incident-id nor servicenow-incident-id");
	if (strlen(*ret) != SYS_ID_SIZE || strspn(*ret, "0123456789abcdef") != SYS_ID_SIZE)
		return err_set(err, ERR_PERMANENT,
			       "the ticket's id is not 32 hexadecimal digits");
	return true;
}

bool closing_value_parse(struct closing_value *ret_value, const char *text, size_t size,
			 struct arena *arena, struct err *err)
{
	struct closing_value value = { 0 };

	if (size > CLOSING_VALUE_MAX)
		return err_set(err, ERR_PERMANENT, "observable_value has more than %d bytes",
			       CLOSING_VALUE_MAX);

	const struct json_node *object = json_tree_parse(text, size, arena, err);

	if (!object) {
		err_prefix(err, "observable_value");
		return false;
	}
	if (object->kind != JSON_NODE_OBJECT)
		return err_set(err, ERR_PERMANENT, "observable_value is not a JSON object");
	if (!read_sys_id(object, &value.sys_id, err) ||
	    !read_id(object, "securex-incident-id", &value.ctim_id, err) ||
	    !read_text(object, "customer-name", &value.customer_name, err) ||
	    !read_id(object, "amp-connector-guid", &value.connector, err) ||
	    !read_id(object, "amp-group-guid", &value.group, err) ||
	    !read_id(object, "tocsin-incident-id", &value.incident, err) ||
	    !read_id(object, "tocsin-link", &value.token, err))
		return false;
	*ret_value = value;
	return true;
}
