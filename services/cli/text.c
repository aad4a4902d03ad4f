/* UTF-8 for terminals. */
#include "text.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

struct range {
	uint32_t first, last;
};

/* Zero columns: the combining blocks of Unicode 15 that names and file paths really use. */
static const struct range combining[] = {
	{ 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD },   { 0x0610, 0x061A },
	{ 0x064B, 0x065F }, { 0x06D6, 0x06DC }, { 0x093C, 0x093C },   { 0x0941, 0x0948 },
	{ 0x094D, 0x094D }, { 0x0E31, 0x0E31 }, { 0x0E34, 0x0E3A },   { 0x0E47, 0x0E4E },
	{ 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF }, { 0x200B, 0x200D },   { 0x20D0, 0x20FF },
	{ 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F }, { 0xE0100, 0xE01EF },
};

/* Two columns: East_Asian_Width W and F, and emoji. */
static const struct range wide[] = {
	{ 0x1100, 0x115F },   { 0x231A, 0x231B },   { 0x23E9, 0x23EC },	  { 0x26A1, 0x26A1 },
	{ 0x2705, 0x2705 },   { 0x274C, 0x274C },   { 0x2E80, 0x303E },	  { 0x3041, 0x33FF },
	{ 0x3400, 0x4DBF },   { 0x4E00, 0x9FFF },   { 0xA000, 0xA4CF },	  { 0xA960, 0xA97F },
	{ 0xAC00, 0xD7A3 },   { 0xF900, 0xFAFF },   { 0xFE30, 0xFE6F },	  { 0xFF00, 0xFF60 },
	{ 0xFFE0, 0xFFE6 },   { 0x1F300, 0x1F64F }, { 0x1F680, 0x1F6FF }, { 0x1F900, 0x1F9FF },
	{ 0x20000, 0x2FFFD }, { 0x30000, 0x3FFFD },
};

/* Not shown: controls, bidirectional marks and overrides, separators, non-characters. */
static const struct range harmful[] = {
	{ 0x0000, 0x001F }, { 0x007F, 0x009F }, { 0x061C, 0x061C },   { 0x200E, 0x200F },
	{ 0x2028, 0x202E }, { 0x2066, 0x2069 }, { 0xFEFF, 0xFEFF },   { 0xFFF9, 0xFFFB },
	{ 0xD800, 0xDFFF }, { 0xFFFE, 0xFFFF }, { 0xE0000, 0xE007F },
};

#define IN(ranges, point) in_ranges(ranges, sizeof(ranges) / sizeof(ranges)[0], point)

static int in_ranges(const struct range *ranges, size_t count, uint32_t point)
{
	for (size_t i = 0; i < count; i++) {
		if (point >= ranges[i].first && point <= ranges[i].last)
			return 1;
	}
	return 0;
}

/* Bytes of the character at text, which is not at its end; 0 when it is not UTF-8 in its
 * shortest form. */
static size_t decode(const char *text, uint32_t *ret_point)
{
	static const uint32_t shortest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)text[0];
	size_t size = lead < 0x80		    ? 1
		      : lead >= 0xC2 && lead < 0xE0 ? 2
		      : lead >= 0xE0 && lead < 0xF0 ? 3
		      : lead >= 0xF0 && lead < 0xF5 ? 4
						    : 0;

	if (size == 0)
		return 0;
	*ret_point = size == 1 ? lead : lead & (0x7Fu >> size);
	for (size_t i = 1; i < size; i++) {
		unsigned char next = (unsigned char)text[i];
		if ((next & 0xC0) != 0x80)
			return 0;
		*ret_point = *ret_point << 6 | (next & 0x3F);
	}
	return *ret_point >= shortest[size] && *ret_point <= 0x10FFFF ? size : 0;
}

void text_clean(struct buf *out, const char *text)
{
	while (*text) {
		uint32_t point;
		size_t size = decode(text, &point);

		if (*text == '\t' || *text == '\n' || *text == '\r')
			buf_add(out, " ", 1);
		else if (size == 0 || IN(harmful, point))
			buf_adds(out, REPLACEMENT);
		else
			buf_add(out, text, size);
		text += size ? size : 1;
	}
}

static size_t columns_of(uint32_t point)
{
	if (point < 0x300)
		return 1;
	if (IN(combining, point))
		return 0;
	return IN(wide, point) ? 2 : 1;
}

size_t text_cut(const char *text, size_t columns, size_t *ret_width)
{
	size_t bytes = 0;

	*ret_width = 0;
	while (text[bytes]) {
		uint32_t point;
		size_t size = decode(text + bytes, &point);
		size_t width = size ? columns_of(point) : 1;

		if (*ret_width + width > columns)
			break;
		*ret_width += width;
		bytes += size ? size : 1;
	}
	return bytes;
}

size_t text_width(const char *text)
{
	size_t width;

	text_cut(text, (size_t)-1 / 2, &width);
	return width;
}
