/* Bodies of forms. */
#include "urlform.h"

#include <string.h>

#include "base/arena.h"
#include "base/hex.h"

const char *urlform_decode(const char *text, size_t size, bool plus, struct arena *arena)
{
	char *decoded = arena_alloc(arena, size + 1), *to = decoded;

	for (size_t i = 0; i < size; i++) {
		int c = (unsigned char)text[i];

		if (c == '%') {
			c = size - i > 2 ? hex_byte(text + i + 1) : -1;
			if (c < 0)
				return NULL;
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c == '\0')
			return NULL;
		*to++ = (char)c;
	}
	return decoded;
}

static const char *find_byte(const char *text, size_t size, char c)
{
	const char *at = memchr(text, c, size);

	return at ? at : text + size;
}

bool urlform_parse(struct urlform *ret_form, const char *text, size_t size, struct arena *arena)
{
	const char *end = text + size;

	ret_form->count = 0;
	while (text < end) {
		const char *stop = find_byte(text, (size_t)(end - text), '&');
		const char *equals = find_byte(text, (size_t)(stop - text), '=');
		const char *value = equals < stop ? equals + 1 : stop;
		size_t count = ret_form->count;

		if (stop > text) {
			if (count == URLFORM_FIELDS_MAX)
				return false;
			ret_form->fields[count].name =
			    urlform_decode(text, (size_t)(equals - text), true, arena);
			ret_form->fields[count].value =
			    urlform_decode(value, (size_t)(stop - value), true, arena);
			if (!ret_form->fields[count].name || !ret_form->fields[count].value ||
			    urlform_value(ret_form, ret_form->fields[count].name))
				return false;
			ret_form->count++;
		}
		text = stop + 1;
	}
	return true;
}

const char *urlform_value(const struct urlform *form, const char *name)
{
	for (size_t i = 0; i < form->count; i++) {
		if (strcmp(form->fields[i].name, name) == 0)
			return form->fields[i].value;
	}
	return NULL;
}
