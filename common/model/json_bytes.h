#ifndef MODEL_JSON_BYTES_H
#define MODEL_JSON_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Whether the next eight bytes all stand for themselves inside a JSON string: neither quote nor
 * backslash nor control nor beyond ASCII. True is never wrong, false may be (0x7f, and what
 * follows a byte that is not plain). A byte's top bit ends up set when it is below 0x20, zero
 * after the XOR with what is looked for, or 0x7f and above. */
static inline bool json_eight_plain(const void *text)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	uint64_t bytes;

	memcpy(&bytes, text, sizeof bytes);
	uint64_t quote = bytes ^ ones * '"', backslash = bytes ^ ones * '\\';
	uint64_t wrong = (bytes - ones * 0x20) | (quote - ones) | (backslash - ones) | bytes |
			 (bytes + ones);
	return (wrong & tops) == 0;
}

#endif
