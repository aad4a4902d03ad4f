#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a: for spreading and for telling whether settings changed. Stored in Redis and compared
 * between replicas, so it never changes. Not for anything an adversary may choose. */
static const uint64_t HASH_START = 14695981039346656037u;

static inline uint64_t hash_add(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++) {
		hash ^= bytes[i];
		hash *= 1099511628211u;
	}
	return hash;
}

#endif
