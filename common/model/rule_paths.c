/*
 * Paths of a jq program, without jq: a parser that knows just enough of the language to tell
 * what `.` is. Where it does not, it says nothing.
 */
#include "model/rule_paths.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/nearest.h"

#include "common/model/finding_names.txt.h"

/* What a value is: an object of that name, or nothing that is known. */
struct kind {
	const char *object; /* line of finding_names.txt after its colon; NULL: not known */
	bool is_list;
	const char *path; /* ".finding.device", in the arena; NULL: none */
};

enum { DEPTH_MAX = 40, NAMES_MAX = 128 };

struct parser {
	const char *at;
	struct arena *arena;
	rule_path_complaint *complain;
	void *opaque;
	unsigned depth;
	bool lost;  /* beyond what is understood: nothing more is said */
	bool quiet; /* looking ahead */
};

static const struct kind unknown = { 0 };

static struct kind parse_pipe(struct parser *parser, struct kind dot);

/* ---- names ---- */

/* The members of an object; NULL when there is none of that name. */
static const char *find_object(const char *name, size_t size)
{
	for (const char *line = finding_names_txt; *line;) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, name, size) == 0 && line[size] == ':')
			return line + size + 1;
		line = *end ? end + 1 : end;
	}
	return NULL;
}

/* What follows the name of a member, "=device" or "=file[]" or "*"; NULL: no such member. */
static const char *find_member(const char *members, const char *name, size_t size)
{
	for (const char *at = members; *at == ' ';) {
		const char *word = at + 1;
		size_t length = strcspn(word, "=*[ \n");

		if (length == size && strncmp(word, name, size) == 0)
			return word + length;
		at = word + strcspn(word, " \n");
	}
	return NULL;
}

static void complain_unknown(struct parser *parser, const struct kind *dot, const char *path,
			     const char *name)
{
	const char *names[NAMES_MAX + 1];
	size_t count = 0;

	for (const char *at = dot->object; *at == ' ' && count < NAMES_MAX;) {
		const char *word = at + 1;

		names[count++] = arena_strndup(parser->arena, word, strcspn(word, "=*[ \n"));
		at = word + strcspn(word, " \n");
	}
	names[count] = NULL;
	const char *near = nearest_name(names, name);
	const struct rule_path found = {
		.text = path,
		.nearest = near ? arena_printf(parser->arena, "%s.%s", dot->path, near) : NULL,
	};
	parser->complain(parser->opaque, &found);
}

static struct kind member(struct parser *parser, struct kind dot, const char *name)
{
	struct kind kind = unknown;

	if (!dot.object || parser->lost || parser->quiet)
		return unknown;
	if (dot.is_list) {
		const struct rule_path found = { .text = dot.path, .is_list = true };
		parser->complain(parser->opaque, &found);
		return unknown;
	}
	kind.path = arena_printf(parser->arena, "%s.%s", dot.path, name);
	const char *rest = find_member(dot.object, name, strlen(name));
	if (!rest) {
		complain_unknown(parser, &dot, kind.path, name);
		return unknown;
	}
	if (*rest != '=')
		return unknown; /* a value, or any JSON */
	size_t size = strcspn(rest + 1, "[ \n");
	kind.object = find_object(rest + 1, size);
	kind.is_list = rest[1 + size] == '[';
	return kind;
}

/* ---- words ---- */

static char skip_space(struct parser *parser)
{
	for (;;) {
		parser->at += strspn(parser->at, " \t\r\n");
		if (*parser->at != '#')
			return *parser->at;
		parser->at += strcspn(parser->at, "\n");
	}
}

static size_t word_size(const char *at)
{
	size_t size = 0;

	if (isdigit((unsigned char)*at))
		return 0;
	while (isalnum((unsigned char)at[size]) || at[size] == '_' ||
	       (at[size] == ':' && at[size + 1] == ':'))
		size += at[size] == ':' ? 2 : 1;
	return size;
}

static bool is_word(const char *at, const char *word)
{
	size_t size = strlen(word);

	return word_size(at) == size && strncmp(at, word, size) == 0;
}

static bool take(struct parser *parser, const char *what)
{
	size_t size = strlen(what);

	skip_space(parser);
	if (isalpha((unsigned char)*what) ? !is_word(parser->at, what)
					  : strncmp(parser->at, what, size) != 0)
		return false;
	parser->at += size;
	return true;
}

static const char *take_word(struct parser *parser)
{
	skip_space(parser);
	size_t size = word_size(parser->at);
	const char *word = size > 0 ? arena_strndup(parser->arena, parser->at, size) : NULL;

	parser->at += size;
	return word;
}

/* Past the quotes; what it says when it is plain. Programs within are looked at. */
static const char *take_text(struct parser *parser, struct kind dot)
{
	const char *start = ++parser->at;
	bool plain = true;

	while (*parser->at && *parser->at != '"') {
		if (*parser->at != '\\') {
			parser->at++;
			continue;
		}
		plain = false;
		parser->at++;
		if (*parser->at == '(') {
			parser->at++;
			parse_pipe(parser, dot);
			if (!take(parser, ")"))
				parser->lost = true;
		} else if (*parser->at) {
			parser->at++;
		}
	}
	size_t size = (size_t)(parser->at - start);
	if (*parser->at)
		parser->at++;
	return plain ? arena_strndup(parser->arena, start, size) : NULL;
}

/* ---- terms ---- */

static struct kind item_of(struct kind list)
{
	if (!list.is_list || !list.object)
		return unknown;
	list.is_list = false;
	return list;
}

/* After the name: the arguments, and what comes out. */
static struct kind parse_call(struct parser *parser, struct kind dot, const char *name)
{
	static const char *const same[] = { "select", "first", "last", "limit", NULL };
	bool each = strcmp(name, "map") == 0 || strcmp(name, "any") == 0 ||
		    strcmp(name, "all") == 0 || strcmp(name, "min_by") == 0 ||
		    strcmp(name, "max_by") == 0 || strcmp(name, "sort_by") == 0 ||
		    strcmp(name, "group_by") == 0 || strcmp(name, "unique_by") == 0;
	struct kind last = unknown, given = each ? item_of(dot) : dot;
	bool keeps = false;

	for (size_t i = 0; same[i]; i++)
		keeps = keeps || strcmp(name, same[i]) == 0;
	if (!take(parser, "("))
		return keeps && dot.is_list ? item_of(dot) : unknown;
	/* any(f) is about the items of `.`, any(g; f) about what g gives. */
	const char *start = parser->at;
	bool was_quiet = parser->quiet, was_lost = parser->lost;
	parser->quiet = true;
	parse_pipe(parser, unknown);
	bool two = take(parser, ";");
	parser->at = start;
	parser->quiet = was_quiet;
	parser->lost = was_lost;
	if (two && each)
		given = dot;
	do {
		last = parse_pipe(parser, given);
		if (two && each)
			given = last;
	} while (take(parser, ";"));
	if (!take(parser, ")"))
		parser->lost = true;
	if (strcmp(name, "select") == 0)
		return dot;
	return keeps ? last : unknown;
}

static struct kind parse_if(struct parser *parser, struct kind dot)
{
	do {
		parse_pipe(parser, dot);
		if (!take(parser, "then"))
			parser->lost = true;
		parse_pipe(parser, dot);
	} while (!parser->lost && take(parser, "elif"));
	if (take(parser, "else"))
		parse_pipe(parser, dot);
	if (!take(parser, "end"))
		parser->lost = true;
	return unknown;
}

/* Words that begin what is not understood: the rest of the text is not looked at. */
static bool is_beyond(const char *word)
{
	static const char *const words[] = { "def",    "reduce",  "foreach", "label",
					     "import", "include", NULL };

	for (size_t i = 0; words[i]; i++) {
		if (strcmp(words[i], word) == 0)
			return true;
	}
	return false;
}

static struct kind parse_term(struct parser *parser, struct kind dot);

static struct kind parse_word(struct parser *parser, struct kind dot)
{
	const char *word = take_word(parser);

	if (is_beyond(word)) {
		parser->lost = true;
		return unknown;
	}
	if (strcmp(word, "if") == 0)
		return parse_if(parser, dot);
	if (strcmp(word, "try") == 0) {
		struct kind tried = parse_term(parser, dot);

		if (take(parser, "catch"))
			parse_term(parser, unknown);
		return tried;
	}
	return parse_call(parser, dot, word);
}

/* Up to the bracket that closes; members of an object are not told from their values. */
static void skip_object(struct parser *parser, struct kind dot)
{
	unsigned depth = 1;

	for (parser->at++; *parser->at && depth > 0;) {
		char c = skip_space(parser);

		if (c == '"') {
			take_text(parser, dot);
			continue;
		}
		depth += c == '{' || c == '[' || c == '(';
		depth -= c == '}' || c == ']' || c == ')';
		parser->at += c != '\0';
	}
}

static struct kind parse_dot(struct parser *parser, struct kind dot)
{
	parser->at++;
	if (*parser->at == '.') {
		parser->at++;
		return unknown;
	}
	if (*parser->at == '"') {
		const char *name = take_text(parser, dot);
		return name ? member(parser, dot, name) : unknown;
	}
	const char *name = word_size(parser->at) > 0 ? take_word(parser) : NULL;
	return name ? member(parser, dot, name) : dot;
}

static struct kind parse_start(struct parser *parser, struct kind dot)
{
	char c = skip_space(parser);

	if (c == '-') {
		parser->at++;
		c = skip_space(parser);
	}
	if (c == '.' && !isdigit((unsigned char)parser->at[1]))
		return parse_dot(parser, dot);
	if (c == '(') {
		parser->at++;
		struct kind inner = parse_pipe(parser, dot);
		parser->lost |= !take(parser, ")");
		return inner;
	}
	if (c == '[') {
		parser->at++;
		if (take(parser, "]"))
			return unknown;
		struct kind inner = parse_pipe(parser, dot);
		parser->lost |= !take(parser, "]");
		inner.is_list = true;
		return inner;
	}
	if (c == '"')
		take_text(parser, dot);
	else if (c == '{')
		skip_object(parser, dot);
	else if (c == '$' || c == '@')
		parser->at += 1 + word_size(parser->at + 1);
	else if (isdigit((unsigned char)c) || c == '.')
		parser->at += strspn(parser->at, "0123456789.eE+-");
	else if (word_size(parser->at) > 0)
		return parse_word(parser, dot);
	else
		parser->lost = true;
	return unknown;
}

/* "[]", "[0]", "["name"]" and what else may stand in brackets. */
static struct kind parse_index(struct parser *parser, struct kind dot, struct kind left)
{
	parser->at++;
	if (take(parser, "]"))
		return left.is_list ? item_of(left) : unknown;
	if (skip_space(parser) == '"') {
		const char *start = parser->at, *name = take_text(parser, dot);

		if (name && take(parser, "]"))
			return member(parser, left, name);
		parser->at = start;
	}
	bool number = isdigit((unsigned char)*parser->at) || *parser->at == '-';
	if (*parser->at != ':')
		parse_pipe(parser, dot);
	bool slice = take(parser, ":");
	if (slice && skip_space(parser) != ']')
		parse_pipe(parser, dot);
	parser->lost |= !take(parser, "]");
	if (slice)
		return left;
	return number ? item_of(left) : unknown;
}

static struct kind parse_term(struct parser *parser, struct kind dot)
{
	struct kind left = parse_start(parser, dot);

	while (!parser->lost) {
		char c = *parser->at;

		if (c == '[')
			left = parse_index(parser, dot, left);
		else if (c == '?')
			parser->at++;
		else if (c == '.' && (parser->at[1] == '"' || word_size(parser->at + 1) > 0))
			left = parse_dot(parser, left);
		else if (c == '.' && parser->at[1] == '[')
			parser->at++;
		else
			break;
	}
	return left;
}

/* ---- operators ---- */

static bool take_operator(struct parser *parser)
{
	static const char *const operators[] = { "//=", "==", "!=", "<=", ">=", "//",
						 "and", "or", "<",  ">",  "+",	"-",
						 "*",	"/",  "%",  ",",  NULL };

	for (size_t i = 0; operators[i]; i++) {
		if (take(parser, operators[i]))
			return true;
	}
	return false;
}

/* One term gives what it is; several do only when they are the same. */
static struct kind parse_terms(struct parser *parser, struct kind dot)
{
	struct kind first = parse_term(parser, dot);

	while (!parser->lost && take_operator(parser)) {
		struct kind other = parse_term(parser, dot);

		if (other.object != first.object || other.is_list != first.is_list)
			first = unknown;
	}
	return first;
}

/* A pattern binds variables, whose paths are not followed; `.` stays what it was. */
static void skip_pattern(struct parser *parser)
{
	while (skip_space(parser) && *parser->at != '|')
		parser->at++;
}

static struct kind parse_pipe(struct parser *parser, struct kind dot)
{
	struct kind result = unknown;

	if (++parser->depth > DEPTH_MAX) {
		parser->lost = true;
		return unknown;
	}
	for (;;) {
		result = parse_terms(parser, dot);
		bool binds = take(parser, "as");
		if (binds)
			skip_pattern(parser);
		if (skip_space(parser) != '|' || parser->at[1] == '=')
			break;
		parser->at++;
		if (!binds)
			dot = result;
	}
	parser->depth--;
	return result;
}

void rule_paths_check(const char *jq, rule_path_complaint *complain, void *opaque)
{
	struct parser parser = {
		.at = jq, .arena = arena_new(), .complain = complain, .opaque = opaque
	};
	const struct kind root = { .object = find_object("root", 4), .path = "" };

	parse_pipe(&parser, root);
	arena_free(parser.arena);
}
