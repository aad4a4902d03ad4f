#ifndef BUS_SHARE_H
#define BUS_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How many of this process's threads work for one account: none may hold more than its share,
 * so that one that hangs stops nobody else. Those who share an account's seats are its guests
 * (customers): a seat goes to the waiting guest that holds the fewest, and no guest fills more
 * than three quarters of the line, so that one that floods delays the others little.
 * Thread-safe.
 */
struct share;

enum { SHARE_WAIT_MIN_MS = 1000, SHARE_WAIT_MAX_MS = 5000 };

/* limit 0: no limit. The design's share is an eighth of the threads, at least one. */
struct share *share_new(unsigned limit);
void share_free(struct share *share);
/* False: the account has its share already; put the work off SHARE_WAIT_MIN_MS to
 * SHARE_WAIT_MAX_MS, not counted. */
bool share_take(struct share *share, const char *account, const char *guest);
/* Waits for room at most so long: a burst passes. So that a vendor that hangs binds few
 * threads, no more than four shares of them wait, and once no seat was given back for so long
 * only one. False: *ret_again_ms is when to come back; soon for a guest that has next to
 * nothing while others have the seats and those move. */
bool share_take_within(struct share *share, const char *account, const char *guest,
		       uint64_t wait_ms, uint64_t *ret_again_ms);
/* guest as it was taken. */
void share_give(struct share *share, const char *account, const char *guest);

#endif
