#ifndef CLI_VIEW_H
#define CLI_VIEW_H

#include <jansson.h>
#include <stdint.h>

/* Values from outside as JSON that can always be printed. */

/* NULL and "" are null; what is not UTF-8 is shown as text_clean() makes it. */
json_t *view_text(const char *text);
/* Milliseconds since 1970, or a time in milliseconds; 0 is null. */
json_t *view_ms(uint64_t ms);

#endif
