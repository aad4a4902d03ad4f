#ifndef SANDBOX_HTML_H
#define SANDBOX_HTML_H

#include <stddef.h>

struct buf;
struct request;
struct response;

/* A page from its head to the opening of <main>; `trail` is markup for the navigation. */
void html_begin(struct buf *out, const char *title, const char *trail);
void html_end(struct buf *out);

/* Text as text: everything that could be markup is escaped, invalid UTF-8 replaced. */
void html_text(struct buf *out, const char *text);
/* Text in which http(s) addresses become links. */
void html_linked(struct buf *out, const char *text);
/* <td class="...">text</td> */
void html_cell(struct buf *out, const char *class_name, const char *text);
/* <div><dt>label</dt><dd>text</dd></div>, left out when text is empty. */
void html_field(struct buf *out, const char *label, const char *text);
/* The same over the whole width, in equal widths of letters: for keys. */
void html_wide_field(struct buf *out, const char *label, const char *text);
/* Text with headings, items, **bold**, `code` and [named](links). */
void html_markdown(struct buf *out, const char *text);

#endif
