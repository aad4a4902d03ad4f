#include "vendor/json_slice.h"

#include <stdint.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct json_walk *walk)
{
	while (walk->at < walk->end && is_blank(*walk->at))
		walk->at++;
}

/* From the opening quotation mark to behind the closing one; NULL when it is not closed. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end; at++) {
		if (*at == '"')
			return at + 1;
		if (*at == '\\')
			at++;
	}
	return NULL;
}

/* From the opening bracket to behind the one that closes it. The kinds of the open brackets are
 * the bits of a number, hence the depth. */
static const char *skip_container(const char *at, const char *end)
{
	uint64_t objects = 0;
	unsigned depth = 0;

	for (; at < end; at++) {
		switch (*at) {
		case '"':
			at = skip_string(at, end);
			if (!at)
				return NULL;
			at--;
			break;
		case '{':
		case '[':
			if (depth++ == JSON_SLICE_DEPTH_MAX)
				return NULL;
			objects = objects << 1 | (*at == '{');
			break;
		case '}':
		case ']':
			if ((objects & 1) != (*at == '}'))
				return NULL;
			objects >>= 1;
			if (--depth == 0)
				return at + 1;
			break;
		default:
			break;
		}
	}
	return NULL;
}

/* A number, true, false or null: behind its last character, NULL when there is none. */
static const char *skip_scalar(const char *at, const char *end)
{
	const char *start = at;

	while (at < end &&
	       (*at == '-' || *at == '+' || *at == '.' || (*at >= '0' && *at <= '9') ||
		(*at >= 'a' && *at <= 'z') || *at == 'E'))
		at++;
	return at > start ? at : NULL;
}

static bool take_value(struct json_walk *walk, struct json_slice *ret_value)
{
	const char *start = walk->at;
	const char *behind;

	if (start == walk->end)
		return false;
	if (*start == '"')
		behind = skip_string(start, walk->end);
	else if (*start == '{' || *start == '[')
		behind = skip_container(start, walk->end);
	else
		behind = skip_scalar(start, walk->end);
	if (!behind)
		return false;
	*ret_value = (struct json_slice){ start, (size_t)(behind - start) };
	walk->at = behind;
	return true;
}

static bool take_key(struct json_walk *walk, struct json_slice *ret_key)
{
	const char *start = walk->at;

	if (start == walk->end || *start != '"')
		return false;
	const char *behind = skip_string(start, walk->end);
	if (!behind)
		return false;
	*ret_key = (struct json_slice){ start + 1, (size_t)(behind - start) - 2 };
	walk->at = behind;
	skip_blanks(walk);
	if (walk->at == walk->end || *walk->at != ':')
		return false;
	walk->at++;
	skip_blanks(walk);
	return true;
}

bool json_walk_start(struct json_walk *walk, struct json_slice container)
{
	*walk = (struct json_walk){ .at = container.text,
				    .end = container.text + container.size,
				    .first = true };
	skip_blanks(walk);
	if (walk->at == walk->end || (*walk->at != '{' && *walk->at != '[')) {
		walk->broken = true;
		return false;
	}
	walk->close = *walk->at == '{' ? '}' : ']';
	walk->at++;
	return true;
}

/* At the closing bracket: nothing but blanks may follow. */
static bool end_walk(struct json_walk *walk)
{
	walk->at++;
	skip_blanks(walk);
	walk->broken = walk->at != walk->end;
	walk->at = walk->end;
	walk->close = '\0';
	return false;
}

bool json_walk_next(struct json_walk *walk, struct json_slice *ret_key,
		    struct json_slice *ret_value)
{
	if (walk->broken || !walk->close)
		return false;
	*ret_key = (struct json_slice){ "", 0 };
	skip_blanks(walk);
	if (walk->at < walk->end && *walk->at == walk->close && walk->first)
		return end_walk(walk);
	if (!walk->first) {
		if (walk->at < walk->end && *walk->at == walk->close)
			return end_walk(walk);
		if (walk->at == walk->end || *walk->at != ',')
			goto broken;
		walk->at++;
		skip_blanks(walk);
	}
	walk->first = false;
	if (walk->close == '}' && !take_key(walk, ret_key))
		goto broken;
	if (take_value(walk, ret_value))
		return true;
broken:
	walk->broken = true;
	return false;
}
