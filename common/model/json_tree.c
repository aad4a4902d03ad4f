/*
 * A recursive descent over a copy of the text. Strings are decoded where they stand, since no
 * escape is shorter than what it stands for, and end in a NUL where their quote was; a number
 * gets its NUL once the byte after it has been looked at.
 */
#include "model/json_tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hex.h"
#include "model/json_bytes.h"

/* BEHIND: NULs after the text, since strings are looked at eight bytes at once. */
enum { NODES_AT_ONCE = 64, BEHIND = 8 };

struct parser {
	unsigned char *start, *at, *end; /* *end is a NUL of ours, as is what follows */
	struct arena *arena;
	struct json_node *spare; /* allocated, not used yet */
	size_t spare_count, node_count;
	unsigned depth;
	const char *wrong; /* the first thing that was */
};

static bool fail(struct parser *parser, const char *what)
{
	if (!parser->wrong)
		parser->wrong = what;
	return false;
}

static struct json_node *new_node(struct parser *parser)
{
	if (parser->node_count == JSON_TREE_NODES_MAX) {
		fail(parser, "too many values");
		return NULL;
	}
	if (parser->spare_count == 0) {
		parser->spare =
		    arena_alloc(parser->arena, NODES_AT_ONCE * sizeof *parser->spare);
		parser->spare_count = NODES_AT_ONCE;
	}
	parser->node_count++;
	parser->spare_count--;
	return parser->spare++;
}

static void skip_space(struct parser *parser)
{
	while (*parser->at == ' ' || *parser->at == '\n' || *parser->at == '\r' ||
	       *parser->at == '\t')
		parser->at++;
}

/* ---- strings ---- */

/* Length of the well-formed sequence at s (RFC 3629), 0 when it is not one. The text ends in a
 * NUL, which is no continuation, so reading on is safe as long as each byte is checked first.
 */
static size_t utf8_length(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

/* The four digits after "\u", -1 when they are not. */
static int32_t read_hex(const unsigned char *at)
{
	int32_t code = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = hex_digit((char)at[i]);
		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

static unsigned char *put_utf8(unsigned char *out, int32_t code)
{
	if (code < 0x80) {
		*out++ = (unsigned char)code;
	} else if (code < 0x800) {
		*out++ = (unsigned char)(0xc0 | code >> 6);
		*out++ = (unsigned char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*out++ = (unsigned char)(0xe0 | code >> 12);
		*out++ = (unsigned char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (unsigned char)(0x80 | (code & 0x3f));
	} else {
		*out++ = (unsigned char)(0xf0 | code >> 18);
		*out++ = (unsigned char)(0x80 | (code >> 12 & 0x3f));
		*out++ = (unsigned char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (unsigned char)(0x80 | (code & 0x3f));
	}
	return out;
}

/* at stands behind "\u". Writes the character to *out, returns where to go on, or NULL. */
static unsigned char *decode_unicode(struct parser *parser, unsigned char *at,
				     unsigned char **out)
{
	int32_t code = read_hex(at);

	if (code < 0) {
		fail(parser, "\\u without four hex digits");
		return NULL;
	}
	at += 4;
	if (code >= 0xd800 && code <= 0xdfff) {
		int32_t low = at[0] == '\\' && at[1] == 'u' ? read_hex(at + 2) : -1;
		if (code > 0xdbff || low < 0xdc00 || low > 0xdfff) {
			fail(parser, "half a surrogate pair");
			return NULL;
		}
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		at += 6;
	}
	*out = put_utf8(*out, code ? code : 0xfffd);
	return at;
}

/* at stands behind the backslash. */
static unsigned char *decode_escape(struct parser *parser, unsigned char *at,
				    unsigned char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found = *at ? strchr(from, *at) : NULL;

	if (*at == 'u')
		return decode_unicode(parser, at + 1, out);
	if (!found) {
		fail(parser, "unknown escape");
		return NULL;
	}
	*(*out)++ = (unsigned char)to[found - from];
	return at + 1;
}

/* at stands on the first byte that is not plain, which is also where to write. */
static unsigned char *decode_rest(struct parser *parser, unsigned char *at, unsigned char **out)
{
	while (*at != '"') {
		if (*at == '\\') {
			at = decode_escape(parser, at + 1, out);
			if (!at)
				return NULL;
		} else if (*at < 0x20) {
			fail(parser, at == parser->end ? "text ends within a string"
						       : "control character in a string");
			return NULL;
		} else if (*at < 0x80) {
			*(*out)++ = *at++;
		} else {
			size_t length = utf8_length(at);
			if (length == 0) {
				parser->at = at;
				fail(parser, "invalid UTF-8");
				return NULL;
			}
			memmove(*out, at, length);
			*out += length;
			at += length;
		}
	}
	return at;
}

/* parser->at stands on the quote. */
static bool parse_string(struct parser *parser, const char **ret_text, size_t *ret_size)
{
	unsigned char *start = ++parser->at, *at = start, *out;

	while (json_eight_plain(at)) /* never past the end: what is behind it is not plain */
		at += 8;
	while (*at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
		at++;
	out = at;
	at = decode_rest(parser, at, &out);
	if (!at)
		return false;
	*out = '\0';
	*ret_text = (const char *)start;
	*ret_size = (size_t)(out - start);
	parser->at = at + 1;
	return true;
}

/* ---- numbers and words ---- */

static unsigned char *skip_digits(unsigned char *at)
{
	while (*at >= '0' && *at <= '9')
		at++;
	return at;
}

/* RFC 8259 section 6. The text is copied: its end is the start of what follows. */
static bool parse_number(struct parser *parser, struct json_node *node)
{
	unsigned char *start = parser->at, *at = start + (*start == '-'), *digits = at;

	at = skip_digits(at);
	if (at == digits || (digits[0] == '0' && at - digits > 1))
		return fail(parser, "not a number");
	if (*at == '.') {
		digits = ++at;
		at = skip_digits(at);
		if (at == digits)
			return fail(parser, "number without digits after its point");
	}
	if (*at == 'e' || *at == 'E') {
		at++;
		at += *at == '+' || *at == '-';
		digits = at;
		at = skip_digits(at);
		if (at == digits)
			return fail(parser, "number without digits in its exponent");
	}
	node->kind = JSON_NODE_NUMBER;
	node->size = (size_t)(at - start);
	node->text = arena_strndup(parser->arena, (const char *)start, node->size);
	parser->at = at;
	return true;
}

static bool parse_word(struct parser *parser, struct json_node *node)
{
	static const struct {
		const char *word;
		size_t size;
		enum json_kind kind;
		bool truth;
	} words[] = { { "true", 4, JSON_NODE_BOOL, true },
		      { "false", 5, JSON_NODE_BOOL, false },
		      { "null", 4, JSON_NODE_NULL, false } };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strncmp((const char *)parser->at, words[i].word, words[i].size) != 0)
			continue;
		parser->at += words[i].size;
		node->kind = words[i].kind;
		node->truth = words[i].truth;
		return true;
	}
	return fail(parser,
		    parser->at == parser->end ? "text ends too early" : "not a JSON value");
}

/* ---- arrays and objects ---- */

static bool parse_value(struct parser *parser, struct json_node *node);

static bool same_name(const struct json_node *a, const struct json_node *b)
{
	return a->name_size == b->name_size && memcmp(a->name, b->name, a->name_size) == 0;
}

/* Takes out an earlier member of the name that the last one has. */
static void drop_earlier(struct json_node *object, const struct json_node *last)
{
	for (struct json_node **link = &object->first; *link != last; link = &(*link)->next) {
		if (!same_name(*link, last))
			continue;
		*link = (*link)->next;
		object->size--;
		return; /* there was at most one */
	}
}

static bool parse_member_name(struct parser *parser, struct json_node *member)
{
	if (*parser->at != '"')
		return fail(parser, "member name expected");
	if (!parse_string(parser, &member->name, &member->name_size))
		return false;
	skip_space(parser);
	if (*parser->at != ':')
		return fail(parser, "':' expected");
	parser->at++;
	skip_space(parser);
	return true;
}

/* parser->at stands behind the opening bracket. */
static bool parse_children(struct parser *parser, struct json_node *node, unsigned char close)
{
	struct json_node **link = &node->first;

	skip_space(parser);
	if (*parser->at == close) {
		parser->at++;
		return true;
	}
	for (;;) {
		struct json_node *child = new_node(parser);
		if (!child)
			return false;
		if (close == '}' && !parse_member_name(parser, child))
			return false;
		if (!parse_value(parser, child))
			return false;
		*link = child;
		link = &child->next;
		node->size++;
		if (close == '}') {
			if (node->size > JSON_TREE_MEMBERS_MAX)
				return fail(parser, "an object with too many members");
			drop_earlier(node, child);
		}
		skip_space(parser);
		if (*parser->at == close) {
			parser->at++;
			return true;
		}
		if (*parser->at != ',')
			return fail(parser, close == '}' ? "',' or '}' expected"
							 : "',' or ']' expected");
		parser->at++;
		skip_space(parser);
	}
}

static bool parse_value(struct parser *parser, struct json_node *node)
{
	switch (*parser->at) {
	case '{':
	case '[':
		if (parser->depth == JSON_TREE_DEPTH_MAX)
			return fail(parser, "nested too deeply");
		node->kind = *parser->at == '{' ? JSON_NODE_OBJECT : JSON_NODE_ARRAY;
		parser->depth++;
		unsigned char close = *parser->at++ == '{' ? '}' : ']';
		bool parsed = parse_children(parser, node, close);
		parser->depth--;
		return parsed;
	case '"':
		node->kind = JSON_NODE_TEXT;
		return parse_string(parser, &node->text, &node->size);
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return parse_number(parser, node);
	default:
		return parse_word(parser, node);
	}
}

struct json_node *json_tree_parse(const char *text, size_t size, struct arena *arena,
				  struct err *err)
{
	unsigned char *copy = arena_alloc(arena, size + BEHIND); /* zeroed */
	struct parser parser = {
		.start = copy, .at = copy, .end = copy + size, .arena = arena
	};

	if (size > 0)
		memcpy(copy, text, size);
	struct json_node *root = new_node(&parser);
	skip_space(&parser);
	bool parsed = parse_value(&parser, root);
	if (parsed) {
		skip_space(&parser);
		if (parser.at != parser.end)
			parsed = fail(&parser, "something follows the value");
	}
	if (parsed)
		return root;
	err_fill(err, ERR_PERMANENT, "not JSON: %s at byte %zu", parser.wrong,
		 (size_t)(parser.at - parser.start));
	return NULL;
}

bool json_tree_is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		size_t length = *at < 0x80 ? 1 : utf8_length(at);
		if (length == 0)
			return false;
		at += length;
	}
	return true;
}

/* ---- looking things up ---- */

struct json_node *json_tree_get(const struct json_node *object, const char *name)
{
	size_t size = strlen(name);

	if (!object || object->kind != JSON_NODE_OBJECT)
		return NULL;
	for (struct json_node *member = object->first; member; member = member->next) {
		if (member->name_size == size && memcmp(member->name, name, size) == 0)
			return member;
	}
	return NULL;
}

bool json_tree_int(const struct json_node *node, int64_t *ret_number)
{
	static const double exact = 9007199254740992.0; /* 2^53 */
	char *end;

	if (!node || node->kind != JSON_NODE_NUMBER)
		return false;
	if (node->text[strspn(node->text, "-0123456789")] == '\0') {
		if (node->size > 20)
			return false;
		/* Twenty bytes hold every 64-bit number, and some that are larger. */
		bool negative = node->text[0] == '-';
		uint64_t limit = (uint64_t)INT64_MAX + negative, number = 0;
		for (const char *digit = node->text + negative; *digit; digit++) {
			uint64_t value = (uint64_t)(*digit - '0');
			if (number > (limit - value) / 10)
				return false;
			number = number * 10 + value;
		}
		*ret_number = negative ? (int64_t)(0 - number) : (int64_t)number;
		return true;
	}
	double value = strtod(node->text, &end);
	if (*end != '\0' || fabs(value) > exact || value != floor(value))
		return false;
	*ret_number = (int64_t)value;
	return true;
}
