/* Reads what condition.c can run; the rest becomes OPAQUE nodes, as long as it is certain where
 * it ends. Otherwise the whole condition is one. */
#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "condition_node.h"

enum { NODES_MAX = 256, DEPTH_MAX = 32 };

struct parser {
	const char *at;
	struct arena *arena;
	unsigned nodes, depth;
};

static const struct condition *parse_level(struct parser *parser, unsigned level);

static struct condition *new_node(struct parser *parser, enum condition_kind kind,
				  const struct condition *left, const struct condition *right)
{
	struct condition *node = arena_alloc(parser->arena, sizeof *node);

	node->kind = kind;
	node->left = left;
	node->right = right;
	parser->nodes++;
	return node;
}

/* ---- tokens ---- */

static bool is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

static bool is_name(char c)
{
	return is_name_start(c) || isdigit((unsigned char)c);
}

/* A comment with a backslash in it ends where the version of jq says. */
static void skip_space(struct parser *parser)
{
	for (;;) {
		parser->at += strspn(parser->at, " \t\r\n");
		size_t size = *parser->at == '#' ? strcspn(parser->at, "\\\r\n") : 0;
		if (size == 0 || parser->at[size] == '\\' || parser->at[size] == '\r')
			return;
		parser->at += size;
	}
}

static size_t name_size(const char *at)
{
	size_t size = 0;

	while (is_name_start(*at) && is_name(at[size]))
		size++;
	return size;
}

static bool is_word(const char *at, const char *word)
{
	return name_size(at) == strlen(word) && strncmp(at, word, strlen(word)) == 0;
}

static bool take(struct parser *parser, const char *token)
{
	size_t size = strlen(token);
	bool same = is_name_start(*token) ? is_word(parser->at, token)
					  : strncmp(parser->at, token, size) == 0;

	if (!same)
		return false;
	parser->at += size;
	skip_space(parser);
	return true;
}

/* Of plain characters only: what a backslash means is left to jq. */
static bool take_text(struct parser *parser, struct json_node *ret_node)
{
	size_t size = *parser->at == '"' ? strcspn(parser->at + 1, "\"\\\r\n") : 0;

	if (*parser->at != '"' || parser->at[1 + size] != '"')
		return false;
	*ret_node = (struct json_node){
		.kind = JSON_NODE_TEXT,
		.text = arena_strndup(parser->arena, parser->at + 1, size),
		.size = size,
	};
	parser->at += size + 2;
	skip_space(parser);
	return true;
}

/* Whole ones only. */
static bool take_number(struct parser *parser, struct json_node *ret_node)
{
	size_t size = strspn(parser->at, "0123456789");

	if (size == 0 || size > CONDITION_DIGITS_MAX || is_name(parser->at[size]) ||
	    parser->at[size] == '.')
		return false;
	*ret_node = (struct json_node){
		.kind = JSON_NODE_NUMBER,
		.text = arena_strndup(parser->arena, parser->at, size),
		.size = size,
	};
	parser->at += size;
	skip_space(parser);
	return true;
}

/* From a bracket to the one that closes it. False when that is not certain. */
static bool skip_brackets(struct parser *parser)
{
	struct json_node ignored;
	char open[DEPTH_MAX];
	size_t depth = 0;

	do {
		char c = *parser->at;
		if (strchr("([{", c) && c) {
			if (depth == DEPTH_MAX)
				return false;
			open[depth++] = c == '(' ? ')' : c == '[' ? ']' : '}';
		} else if (strchr(")]}", c) && c) {
			if (depth == 0 || open[--depth] != c)
				return false;
		} else if (c == '"' ? !take_text(parser, &ignored) : c == '\0' || c == '#') {
			return false;
		}
		if (c != '"') {
			parser->at++;
			skip_space(parser);
		}
	} while (depth > 0);
	return true;
}

/* ---- terms ---- */

static const struct condition *skip_to_opaque(struct parser *parser)
{
	return skip_brackets(parser) ? new_node(parser, OPAQUE, NULL, NULL) : NULL;
}

/* What is in parentheses, or as a whole what jq is to be asked about. */
static const struct condition *parse_brackets(struct parser *parser)
{
	const char *begun = parser->at;

	if (parser->depth < DEPTH_MAX && take(parser, "(")) {
		parser->depth++;
		const struct condition *inner = parse_level(parser, 0);
		parser->depth--;
		if (inner && take(parser, ")"))
			return inner;
	}
	parser->at = begun;
	return skip_to_opaque(parser);
}

/* Words that begin something which ends elsewhere. */
static bool is_keyword(const char *at)
{
	static const char *const keywords[] = {
		"def",	   "if",     "then",	"elif",	  "else",    "end",   "as",
		"and",	   "or",     "reduce",	"try",	  "catch",   "label", "break",
		"foreach", "import", "include", "module", "__loc__",
	};

	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
		if (is_word(at, keywords[i]))
			return true;
	}
	return false;
}

static const struct condition *literal_of(struct parser *parser, struct json_node value)
{
	struct condition *node = new_node(parser, LITERAL, NULL, NULL);

	node->literal = value;
	return node;
}

static const struct condition *parse_word(struct parser *parser)
{
	static const struct {
		const char *name;
		enum condition_kind kind;
	} functions[] = {
		{ "not", NOT },		  { "length", LENGTH },
		{ "index", INDEX },	  { "ascii_downcase", ASCII_DOWNCASE },
		{ "contains", CONTAINS }, { "startswith", STARTSWITH },
		{ "endswith", ENDSWITH },
	};
	const struct condition *argument = NULL;
	enum condition_kind kind = OPAQUE;

	if (take(parser, "null"))
		return literal_of(parser, (struct json_node){ .kind = JSON_NODE_NULL });
	if (take(parser, "true"))
		return literal_of(parser,
				  (struct json_node){ .kind = JSON_NODE_BOOL, .truth = true });
	if (take(parser, "false"))
		return literal_of(parser, (struct json_node){ .kind = JSON_NODE_BOOL });
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		if (is_word(parser->at, functions[i].name))
			kind = functions[i].kind;
	}
	parser->at += name_size(parser->at);
	if (*parser->at == ':')
		return NULL;
	skip_space(parser);
	if (*parser->at == '(' && kind < INDEX)
		return skip_to_opaque(parser);
	if (*parser->at == '(' && !(argument = parse_brackets(parser)))
		return NULL;
	return new_node(parser, argument || kind < INDEX ? kind : OPAQUE, NULL, argument);
}

static const struct condition *parse_primary(struct parser *parser)
{
	struct json_node value;

	if (*parser->at == '.') {
		char next = parser->at[1];

		if (next == '.' || next == '"' || isdigit((unsigned char)next))
			return NULL;
		if (!is_name_start(next)) /* else it is the name's */
			take(parser, ".");
		return new_node(parser, DOT, NULL, NULL);
	}
	if (*parser->at && strchr("([{", *parser->at))
		return parse_brackets(parser);
	if (is_name_start(*parser->at) && !is_keyword(parser->at))
		return parse_word(parser);
	if (take_text(parser, &value) || take_number(parser, &value))
		return literal_of(parser, value);
	return NULL;
}

/* [3] or ["name"]; other brackets hold what jq is to be asked about. */
static const struct condition *parse_item(struct parser *parser, const struct condition *left)
{
	const char *begun = parser->at;
	struct condition *node = new_node(parser, OPAQUE, left, NULL);

	take(parser, "[");
	if (take_text(parser, &node->literal) && take(parser, "]")) {
		node->kind = FIELD;
		return node;
	}
	if (take_number(parser, &node->literal) && take(parser, "]")) {
		node->kind = ITEM;
		for (const char *digit = node->literal.text; *digit; digit++)
			node->index = node->index * 10 + (size_t)(*digit - '0');
		return node;
	}
	parser->at = begun;
	return skip_to_opaque(parser);
}

static const struct condition *parse_term(struct parser *parser)
{
	const struct condition *term = parse_primary(parser);

	while (term && parser->nodes < NODES_MAX) {
		if (*parser->at == '[') {
			term = parse_item(parser, term);
		} else if (*parser->at == '.' && is_name_start(parser->at[1])) {
			struct condition *field = new_node(parser, FIELD, term, NULL);
			size_t size = name_size(parser->at + 1);

			field->literal = (struct json_node){
				.kind = JSON_NODE_TEXT,
				.text = arena_strndup(parser->arena, parser->at + 1, size),
				.size = size,
			};
			parser->at += 1 + size;
			skip_space(parser);
			term = field;
		} else if (*parser->at == '?' && parser->at[1] != '/') {
			take(parser, "?"); /* errors are jq's in any case */
		} else {
			return term;
		}
	}
	return NULL;
}

/* ---- operators ---- */

/* Those that bind loosest come first. All join on the left: what jq joins on the right means
 * the same either way. */
static const struct operator
{
	unsigned level;
	const char *token;
	enum condition_kind kind;
}
operators[] = {
	{ 0, "|", PIPE },	 { 1, "//", ALTERNATIVE },   { 2, "or", OR },
	{ 3, "and", AND },	 { 4, "==", EQUAL },	     { 4, "!=", NOT_EQUAL },
	{ 4, "<=", LESS_EQUAL }, { 4, ">=", GREATER_EQUAL }, { 4, "<", LESS },
	{ 4, ">", GREATER },
};
enum { LEVELS = 5 };

static const struct operator* take_operator(struct parser *parser, unsigned level)
{
	/* Assignments begin like them. */
	if (strncmp(parser->at, "|=", 2) == 0 || strncmp(parser->at, "//=", 3) == 0)
		return NULL;
	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
		if (operators[i].level == level && take(parser, operators[i].token))
			return &operators[i];
	}
	return NULL;
}

static const struct condition *parse_level(struct parser *parser, unsigned level)
{
	const struct condition *left;
	const struct operator* operator;

	if (level == LEVELS)
		return parse_term(parser);
	left = parse_level(parser, level + 1);
	while (left && (operator= take_operator(parser, level)) != NULL) {
		const struct condition *right = parse_level(parser, level + 1);
		left = right ? new_node(parser, operator->kind, left, right) : NULL;
	}
	return left;
}

const struct condition *condition_parse(const char *text, struct arena *arena)
{
	struct parser parser = { .at = text, .arena = arena };

	skip_space(&parser);
	const struct condition *whole = parse_level(&parser, 0);
	return whole && *parser.at == '\0' ? whole : new_node(&parser, OPAQUE, NULL, NULL);
}
