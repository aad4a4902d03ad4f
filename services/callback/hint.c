/* Reading what an instance says of a ticket. */
#include "hint.h"

#include <string.h>

#include "base/arena.h"
#include "base/control.h"
#include "model/json_tree.h"
#include "vendor/servicenow_table.h"

enum { SYS_ID_SIZE = 32, TEXT_MAX = 200 };

static bool read_text(const struct json_node *object, const char *name, const char **ret,
		      struct err *err)
{
	const struct json_node *node = json_tree_get(object, name);

	*ret = "";
	if (!node || node->kind == JSON_NODE_NULL)
		return true;
	/* ServiceNow sends texts; whoever builds the body by hand may send a number. */
	if ((node->kind != JSON_NODE_TEXT && node->kind != JSON_NODE_NUMBER) ||
	    node->size > TEXT_MAX || has_control(node->text))
		return err_set(
		    err, ERR_PERMANENT,
		    "%s is not a text of at most %d bytes without control characters", name,
		    TEXT_MAX);
	*ret = node->text;
	return true;
}

bool hint_parse(struct hint *ret_hint, const char *text, size_t size, struct arena *arena,
		struct err *err)
{
	const struct json_node *object = json_tree_parse(text, size, arena, err);
	struct hint hint;

	if (!object)
		return false;
	if (object->kind != JSON_NODE_OBJECT)
		return err_set(err, ERR_PERMANENT, "the body is not a JSON object");
	if (!read_text(object, "instance_name", &hint.instance_name, err) ||
	    !read_text(object, "sys_id", &hint.sys_id, err) ||
	    !read_text(object, "number", &hint.number, err) ||
	    !read_text(object, "table", &hint.table, err) ||
	    !read_text(object, "state", &hint.state, err) ||
	    !read_text(object, "close_code", &hint.close_code, err) ||
	    !read_text(object, "sys_updated_by", &hint.updated_by, err) ||
	    !read_text(object, "correlation_id", &hint.key, err))
		return false;
	if (!*hint.instance_name)
		return err_set(err, ERR_PERMANENT, "instance_name is missing");
	if (strlen(hint.sys_id) != SYS_ID_SIZE ||
	    strspn(hint.sys_id, "0123456789abcdef") != SYS_ID_SIZE)
		return err_set(err, ERR_PERMANENT, "sys_id is not 32 hexadecimal digits");
	*ret_hint = hint;
	return true;
}

/* Cuts the next part off; false when it is longer than room lets it be, or empty. */
static bool next_part(const char **key, char *ret_part, size_t room, const char *letters)
{
	size_t size = strcspn(*key, ":");

	if (size == 0 || size >= room || strspn(*key, letters) < size)
		return false;
	memcpy(ret_part, *key, size);
	ret_part[size] = '\0';
	*key += size;
	*key += **key == ':';
	return true;
}

bool hint_key_parse(struct hint_key *ret_key, const char *key, const char *installation)
{
	static const char hex[] = "0123456789abcdef";
	static const char names[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	char part[17];

	*ret_key = (struct hint_key){ 0 };
	if (strncmp(key, "tocsin-t:", 9) == 0)
		ret_key->test = true;
	else if (strncmp(key, "tocsin-i:", 9) != 0)
		return false;
	key += 9;
	if (!next_part(&key, part, sizeof(part), names) || strcmp(part, installation) != 0)
		return false;
	if (ret_key->test)
		return true;
	return next_part(&key, ret_key->customer, sizeof(ret_key->customer), names) &&
	       next_part(&key, part, sizeof(part), hex) && strlen(part) == 16 &&
	       next_part(&key, ret_key->incident, sizeof(ret_key->incident), hex) &&
	       strlen(ret_key->incident) == 16 && *key == '\0' && key[-1] != ':';
}

enum closure_op hint_op(const struct hint *hint)
{
	const struct servicenow_value values[] = { { "state", hint->state } };
	const struct servicenow_record record = { values, 1 };

	/* Who says no state says that something happened: the ticket is read anyway. */
	if (!*hint->state)
		return CLOSURE_CLOSED;
	return servicenow_table_is_over(hint->table, &record) ? CLOSURE_CLOSED : CLOSURE_REOPEN;
}
