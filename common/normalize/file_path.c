#include "normalize/file_path.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/hex.h"
#include "model/json_tree.h"

/* "%3A" becomes ':'; what is no escape, or would become a control character, stays. The whole
 * stays as it is when the result would be no text. */
static const char *percent_decode(const char *text, struct arena *arena)
{
	char *decoded = arena_strdup(arena, text);
	char *out = decoded;

	for (const char *c = text; *c; c++) {
		int byte = c[0] == '%' ? hex_byte(c + 1) : -1;

		if (byte < 0x20 || byte == 0x7f) {
			*out++ = *c;
			continue;
		}
		*out++ = (char)byte;
		c += 2;
	}
	*out = '\0';
	return json_tree_is_utf8(decoded) ? decoded : text;
}

const char *file_path_plain(const char *path, struct arena *arena)
{
	if (strncmp(path, "\\\\?\\", 4) == 0)
		path += 4;
	else if (strncasecmp(path, "file://", 7) == 0)
		path = percent_decode(path + 7, arena);
	if (path[0] == '/' && isalpha((unsigned char)path[1]) && path[2] == ':')
		path++;
	return path[0] ? path : NULL;
}
