#include "model/base64.h"

#include <sodium.h>

static bool is_ascii(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)text[i] > 127)
			return false;
	}
	return true;
}

bool base64_decode(const char *text, size_t size, int variant, const char *ignored,
		   void *ret_bytes, size_t room, size_t *ret_size)
{
	return is_ascii(text, size) && sodium_base642bin(ret_bytes, room, text, size, ignored,
							 ret_size, NULL, variant) == 0;
}
