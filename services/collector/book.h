#ifndef COLLECTOR_BOOK_H
#define COLLECTOR_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct directory;
struct pool;
struct task;

/* Every source that some replica has to poll, as the customers' files say; one task each. Used
 * by the keeper only; the pool points into it. */
struct book {
	struct pool *pool; /* borrowed */
	unsigned partitions;
	struct task **tasks; /* sorted by partition, customer, source; owned */
	size_t count;
	uint64_t version; /* of the directory followed last */
};

void book_init(struct book *book, struct pool *pool, unsigned partitions);
void book_done(struct book *book); /* no task may be in flight */

/* Brings the tasks in line with the directory: new ones, changed intervals, and those no longer
 * wanted (customer removed or paused, source taken out). Does nothing for the version it
 * knows. */
void book_follow(struct book *book, const struct directory *directory, uint64_t version);
/* Frees the tasks that are not wanted, not held and not in flight. */
void book_sweep(struct book *book);
/* How many leases are ours. */
size_t book_held(const struct book *book);

#endif
