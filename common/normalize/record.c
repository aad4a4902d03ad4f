#include "normalize/record.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "model/json_tree.h"

#include "normalize/text.h"

/* 9999-12-31T23:59:59Z, the last second that texts can carry. */
static const int64_t last_second = 253402300799;

const char *record_peek_text(const struct json_node *object, const char *name)
{
	const struct json_node *node = json_tree_get(object, name);

	return node && node->kind == JSON_NODE_TEXT && node->size > 0 ? node->text : NULL;
}

const char *record_text(struct json_node *object, const char *name)
{
	struct json_node *node = json_tree_get(object, name);

	if (!node || node->kind != JSON_NODE_TEXT || node->size == 0)
		return NULL;
	node->used = true;
	return node->text;
}

bool record_int(struct json_node *object, const char *name, int64_t *ret_number)
{
	struct json_node *node = json_tree_get(object, name);

	if (!json_tree_int(node, ret_number))
		return false;
	node->used = true;
	return true;
}

const char *record_id(struct json_node *object, const char *name)
{
	struct json_node *node = json_tree_get(object, name);

	if (!node || node->size == 0 || node->size > 128)
		return NULL;
	if (node->kind == JSON_NODE_NUMBER && strspn(node->text, "0123456789") != node->size)
		return NULL;
	if (node->kind != JSON_NODE_NUMBER && node->kind != JSON_NODE_TEXT)
		return NULL;
	node->used = true;
	return node->text;
}

uint64_t record_time(struct json_node *object, const char *name)
{
	struct json_node *node = json_tree_get(object, name);
	uint64_t time_ms = 0;
	int64_t seconds = 0;

	if (json_tree_int(node, &seconds) && seconds > 0 && seconds <= last_second)
		time_ms = (uint64_t)seconds * 1000;
	else if (!node || node->kind != JSON_NODE_TEXT || !clock_parse(node->text, &time_ms))
		return 0;
	node->used = true;
	return time_ms;
}

uint64_t record_date(struct json_node *object, const char *name)
{
	return record_peek_text(object, name) ? record_time(object, name) : 0;
}

const char *record_hash(struct json_node *object, const char *name, unsigned bytes,
			struct arena *arena)
{
	struct json_node *node = json_tree_get(object, name);

	if (!node || node->kind != JSON_NODE_TEXT || node->size != 2 * (size_t)bytes ||
	    strspn(node->text, "0123456789abcdefABCDEF") != node->size)
		return NULL;
	node->used = true;
	if (strspn(node->text, "0123456789abcdef") == node->size)
		return node->text;
	return text_lower(arena, node->text, node->size);
}

const char *record_ip(struct json_node *object, const char *name)
{
	const char *text = record_peek_text(object, name);
	struct in6_addr address;

	if (!text || (inet_pton(AF_INET, text, &address) != 1 &&
		      inet_pton(AF_INET6, text, &address) != 1))
		return NULL;
	return record_text(object, name);
}

const char *record_mac(struct json_node *object, const char *name)
{
	const char *text = record_peek_text(object, name);

	if (!text || strlen(text) != 17)
		return NULL;
	for (size_t i = 0; i < 17; i++) {
		bool right = i % 3 == 2 ? text[i] == ':' || text[i] == '-'
					: isxdigit((unsigned char)text[i]) != 0;
		if (!right)
			return NULL;
	}
	return record_text(object, name);
}
