#ifndef SANDBOX_INDEX_H
#define SANDBOX_INDEX_H

#include <stddef.h>

struct index_entry {
	struct index_entry *next; /* in its bucket, newest first */
	void *value;
	unsigned long hash;
	char key[];
};

/* From text to any number of values each. A zeroed index is empty. Not thread-safe. */
struct index {
	struct index_entry **bucket;
	size_t buckets;
	size_t count;
};

void index_done(struct index *index);
void index_add(struct index *index, const char *key, void *value);
void index_remove(struct index *index, const char *key, const void *value);
/* The newest value of key; NULL when there is none. */
void *index_get(const struct index *index, const char *key);
/* Walks all values of a key, newest first: start with entry NULL. */
struct index_entry *index_next(const struct index *index, const char *key,
			       struct index_entry *entry);

#endif
