#ifndef CLI_BACKUP_WORK_H
#define CLI_BACKUP_WORK_H

#include <stdbool.h>

#include "backup_file.h"
#include "bus/redis.h"

/*
 * Streams, and what is put off: they can be larger than one reply, so they are read in pages,
 * in the order in which entries move. What is put off comes back to its stream, with a new id:
 * it is read before the streams and once more behind them, and then what the streams got
 * meanwhile. An entry would have to be put off and come back twice, both times within one of
 * those moments, to be missed.
 */

/* Whether it is one of those, by the part of its name behind the partition. */
bool backup_is_paged(const char *kind);

bool backup_add_work(struct backup_writer *writer, struct redis *redis, unsigned partitions,
		     struct err *err);

#endif
