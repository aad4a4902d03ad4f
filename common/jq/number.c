#include "jq/number.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

/* 2^53: up to here every whole number is a double. */
#define EXACT_MAX "9007199254740992"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What a number of JSON is made of. */
static bool is_number(char c)
{
	return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Behind the quote that ends the text, or the end. */
static const char *skip_text(const char *at, const char *end)
{
	while (at < end && *at != '"')
		at += *at == '\\' && end - at > 1 ? 2 : 1;
	return at < end ? at + 1 : end;
}

/* at[0..size) is made of is_number(). */
static bool is_beyond(const char *at, size_t size)
{
	enum { DIGITS = sizeof EXACT_MAX - 1 };

	if (*at == '-') {
		at++;
		size--;
	}
	if (size < DIGITS || at[0] == '0')
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_digit(at[i]))
			return false;
	}
	return size > DIGITS || memcmp(at, EXACT_MAX, DIGITS) > 0;
}

void number_add_exact(struct buf *out, const char *json, size_t size)
{
	const char *at = json, *end = json + size, *kept = json;

	while (at < end) {
		if (*at == '"') {
			at = skip_text(at + 1, end);
			continue;
		}
		if (!is_number(*at)) {
			at++;
			continue;
		}
		const char *number = at;
		while (at < end && is_number(*at))
			at++;
		if (!is_beyond(number, (size_t)(at - number)))
			continue;
		buf_add(out, kept, (size_t)(number - kept));
		buf_add(out, "\"", 1);
		buf_add(out, number, (size_t)(at - number));
		buf_add(out, "\"", 1);
		kept = at;
	}
	buf_add(out, kept, (size_t)(end - kept));
}
