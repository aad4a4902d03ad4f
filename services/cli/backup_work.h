#ifndef CLI_BACKUP_WORK_H
#define CLI_BACKUP_WORK_H

#include <stdbool.h>

#include "backup_file.h"
#include "bus/redis.h"

/*
 * Streams, and what is put off: they can be larger than one reply, so they are read in pages
 * while entries move on. What is put off stays so meanwhile (the key "backup" tells wake), all
 * else only moves forward, and is read in that order: nothing can pass by. What operators
 * replay from dead meanwhile is read before the streams.
 */

/* Whether it is one of those, by the part of its name behind the partition. */
bool backup_is_paged(const char *kind);

bool backup_add_work(struct backup_writer *writer, struct redis *redis, unsigned partitions,
		     struct err *err);

#endif
