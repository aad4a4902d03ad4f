#ifndef MODEL_BASE64_H
#define MODEL_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Decodes all of text[0..size) in one of libsodium's variants (sodium_base64_VARIANT_...),
 * passing over the characters in `ignored`, which may be NULL. False when it holds anything
 * else, is not padded as the variant wants, or has more than room bytes.
 *
 * Not sodium_base642bin() itself: where char is signed, 1.0.18 takes any byte above 127 for the
 * last letter of the alphabet, so that one signature could be written in many ways.
 */
bool base64_decode(const char *text, size_t size, int variant, const char *ignored,
		   void *ret_bytes, size_t room, size_t *ret_size);

#endif
