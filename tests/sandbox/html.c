/*
 * html: writing pages. Whatever came from outside goes through html_text.
 */
#include "html.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "tests/sandbox/page.css.h"
#include "tests/sandbox/page.js.h"

/* Bytes of the UTF-8 character at text; 0 when it is none. */
static size_t utf8_size(const unsigned char *text)
{
	size_t size = *text < 0x80 ? 1 : *text >= 0xc2 && *text < 0xe0 ? 2 : 0;

	if (*text >= 0xe0 && *text < 0xf5)
		size = *text < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	return size;
}

static void add_character(struct buf *out, const char *text, size_t size)
{
	switch (size ? *text : '\x01') {
	case '&':
		buf_adds(out, "&amp;");
		break;
	case '<':
		buf_adds(out, "&lt;");
		break;
	case '>':
		buf_adds(out, "&gt;");
		break;
	case '"':
		buf_adds(out, "&quot;");
		break;
	case '\'':
		buf_adds(out, "&#39;");
		break;
	case '\x01':
		buf_adds(out, "\xef\xbf\xbd");
		break;
	default:
		buf_add(out, text, size);
	}
}

static size_t add_next(struct buf *out, const char *text)
{
	size_t size = utf8_size((const unsigned char *)text);

	add_character(out, text, size);
	return size ? size : 1;
}

void html_text(struct buf *out, const char *text)
{
	while (*text)
		text += add_next(out, text);
}

static size_t address_size(const char *text)
{
	if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
		return 0;
	size_t size = strcspn(text, " \t\r\n\"'<>()`");

	while (size > 8 && strchr(".,;:!?", text[size - 1]))
		size--;
	return size;
}

/* An address at text as a link; its size, 0 when there is none. */
static size_t add_link(struct buf *out, const char *text)
{
	size_t size = address_size(text);
	const char *end = text + size;

	if (size == 0)
		return 0;
	buf_adds(out, "<a rel=\"noreferrer\" href=\"");
	for (const char *at = text; at < end;)
		at += add_next(out, at);
	buf_adds(out, "\">");
	for (const char *at = text; at < end;)
		at += add_next(out, at);
	buf_adds(out, "</a>");
	return size;
}

void html_linked(struct buf *out, const char *text)
{
	while (*text) {
		size_t size = add_link(out, text);

		text += size ? size : add_next(out, text);
	}
}

/* "[text](address)" at text as a link; its size, 0 when there is none. */
static size_t add_named_link(struct buf *out, const char *text)
{
	size_t name = *text == '[' ? strcspn(text + 1, "[]\n") : 0;
	const char *address = text + 1 + name;
	size_t size = name && strncmp(address, "](", 2) == 0 ? address_size(address + 2) : 0;

	if (size == 0 || address[2 + size] != ')')
		return 0;
	buf_adds(out, "<a rel=\"noreferrer\" href=\"");
	for (const char *at = address + 2; at < address + 2 + size;)
		at += add_next(out, at);
	buf_adds(out, "\">");
	for (const char *at = text + 1; at < address;)
		at += add_next(out, at);
	buf_adds(out, "</a>");
	return name + size + 4;
}

/* What a line begins with: "# " a heading, "- " an item. Bytes taken. */
static size_t begin_line(struct buf *out, const char *text, bool *heading)
{
	size_t indent = strspn(text, " ");

	*heading = strncmp(text, "# ", 2) == 0;
	if (*heading) {
		buf_adds(out, "<b>");
		return 2;
	}
	if (strncmp(text + indent, "- ", 2) != 0)
		return 0;
	buf_add(out, text, indent);
	buf_adds(out, "\xe2\x80\xa2 ");
	return indent + 2;
}

void html_markdown(struct buf *out, const char *text)
{
	bool bold = false, code = false, heading = false;

	text += begin_line(out, text, &heading);
	while (*text) {
		size_t size = code ? 0 : add_named_link(out, text);

		size = size || code ? size : add_link(out, text);
		if (size > 0) {
			text += size;
		} else if (!code && strncmp(text, "**", 2) == 0) {
			buf_adds(out, bold ? "</b>" : "<b>");
			bold = !bold;
			text += 2;
		} else if (*text == '`') {
			buf_adds(out, code ? "</code>" : "<code>");
			code = !code;
			text++;
		} else if (*text == '\n') {
			buf_adds(out, heading ? "</b>\n" : "\n");
			text++;
			text += code ? 0 : begin_line(out, text, &heading);
		} else {
			text += add_next(out, text);
		}
	}
	buf_adds(out, code ? "</code>" : "");
	buf_adds(out, bold ? "</b>" : "");
	buf_adds(out, heading ? "</b>" : "");
}

void html_begin(struct buf *out, const char *title, const char *trail)
{
	buf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
		      "name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
		      "<link rel=\"icon\" href=\"data:,\"><title>");
	html_text(out, title);
	buf_adds(out, "</title><style>");
	buf_adds(out, page_css);
	buf_adds(out, "</style></head><body><header><b><a href=\"/\">Sandbox</a></b><nav>");
	buf_adds(out, trail);
	buf_adds(out, "</nav><span class=\"live\">live</span></header><main>");
}

void html_end(struct buf *out)
{
	buf_adds(out, "</main><script>");
	buf_adds(out, page_js);
	buf_adds(out, "</script></body></html>\n");
}

void html_cell(struct buf *out, const char *class_name, const char *text)
{
	buf_addf(out, "<td class=\"%s\">", class_name);
	html_text(out, text);
	buf_adds(out, "</td>");
}

static void add_field(struct buf *out, const char *open, const char *label, const char *text)
{
	if (!*text)
		return;
	buf_adds(out, open);
	buf_adds(out, "<dt>");
	html_text(out, label);
	buf_adds(out, "</dt><dd>");
	html_linked(out, text);
	buf_adds(out, "</dd></div>");
}

void html_field(struct buf *out, const char *label, const char *text)
{
	add_field(out, "<div>", label, text);
}

void html_wide_field(struct buf *out, const char *label, const char *text)
{
	add_field(out, "<div class=\"wide\">", label, text);
}
