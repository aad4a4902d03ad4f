/* Values from outside as JSON. */
#include "view.h"

#include <string.h>

#include "base/buf.h"
#include "text.h"

json_t *view_text(const char *text)
{
	struct buf clean;

	if (!text || !text[0])
		return json_null();
	json_t *json = json_string(text);
	if (json)
		return json;
	buf_init(&clean, strlen(text) * 3 + 1);
	text_clean(&clean, text);
	json = json_string(buf_text(&clean));
	buf_done(&clean);
	return json ? json : json_null();
}

json_t *view_ms(uint64_t ms)
{
	return ms ? json_integer((json_int_t)ms) : json_null();
}
