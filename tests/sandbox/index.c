/*
 * index: a chained hash table from text to values; duplicates are the point (ServiceNow takes
 * as many records of one correlation_id as it is sent).
 */
#include "index.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static unsigned long hash_text(const char *text)
{
	unsigned long hash = 14695981039346656037UL; /* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211UL;
	return hash ^ hash >> 29;
}

void index_done(struct index *index)
{
	for (size_t i = 0; i < index->buckets; i++) {
		for (struct index_entry *entry = index->bucket[i], *next; entry; entry = next) {
			next = entry->next;
			free(entry);
		}
	}
	free(index->bucket);
	*index = (struct index){ 0 };
}

static void grow(struct index *index)
{
	struct index old = *index;
	size_t buckets = old.buckets ? old.buckets * 2 : 64;

	index->bucket = xcalloc(buckets, sizeof(struct index_entry *));
	index->buckets = buckets;
	for (size_t i = 0; i < old.buckets; i++) {
		struct index_entry *reversed = NULL;

		/* Twice turned around, so that the newest stays first. */
		for (struct index_entry *entry = old.bucket[i], *next; entry; entry = next) {
			next = entry->next;
			entry->next = reversed;
			reversed = entry;
		}
		for (struct index_entry *entry = reversed, *next; entry; entry = next) {
			struct index_entry **head = &index->bucket[entry->hash & (buckets - 1)];

			next = entry->next;
			entry->next = *head;
			*head = entry;
		}
	}
	free(old.bucket);
}

void index_add(struct index *index, const char *key, void *value)
{
	size_t size = strlen(key) + 1;
	struct index_entry *entry = xmalloc(sizeof(*entry) + size);

	if (index->count >= index->buckets)
		grow(index);
	entry->hash = hash_text(key);
	entry->value = value;
	memcpy(entry->key, key, size);
	struct index_entry **head = &index->bucket[entry->hash & (index->buckets - 1)];

	entry->next = *head;
	*head = entry;
	index->count++;
}

void index_remove(struct index *index, const char *key, const void *value)
{
	if (!index->buckets)
		return;
	struct index_entry **at = &index->bucket[hash_text(key) & (index->buckets - 1)];

	for (; *at; at = &(*at)->next) {
		struct index_entry *entry = *at;

		if (entry->value == value && strcmp(entry->key, key) == 0) {
			*at = entry->next;
			free(entry);
			index->count--;
			return;
		}
	}
}

void *index_get(const struct index *index, const char *key)
{
	struct index_entry *entry = index_next(index, key, NULL);

	return entry ? entry->value : NULL;
}

struct index_entry *index_next(const struct index *index, const char *key,
			       struct index_entry *entry)
{
	if (!index->buckets)
		return NULL;
	unsigned long hash = entry ? entry->hash : hash_text(key);

	entry = entry ? entry->next : index->bucket[hash & (index->buckets - 1)];
	while (entry && (entry->hash != hash || strcmp(entry->key, key) != 0))
		entry = entry->next;
	return entry;
}
