#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>

#include "base/buf.h"

/*
 * Text from outside on its way to a terminal. Whatever could steer the terminal or reorder what
 * a person reads (control characters, escape sequences, bidirectional overrides, invalid UTF-8)
 * becomes U+FFFD; tabs and line breaks become spaces. Widths are columns of a terminal: 0 for
 * combining characters, 2 for East Asian wide ones.
 */

/* Appends what is safe to show of text. */
void text_clean(struct buf *out, const char *text);
/* Columns of UTF-8 text that text_clean() made. */
size_t text_width(const char *text);
/* How many bytes of text fit into columns; *ret_width is set to the columns they take. */
size_t text_cut(const char *text, size_t columns, size_t *ret_width);

#endif
