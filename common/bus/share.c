#include "bus/share.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

enum { WAITING_SHARES = 4 };

/* As many rows as accounts have threads at work right now: few. */
struct share_row {
	char *account; /* owned; NULL: free */
	unsigned held;
	unsigned waiting;
	uint64_t moved_ms; /* when the last seat was taken or one given back */
};

struct share {
	pthread_mutex_t lock;
	pthread_cond_t given;
	unsigned limit;
	struct share_row *rows;
	size_t count;
};

struct share *share_new(unsigned limit)
{
	struct share *share = xcalloc(1, sizeof(*share));
	pthread_condattr_t clock;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&share->lock, NULL);
	pthread_cond_init(&share->given, &clock);
	pthread_condattr_destroy(&clock);
	share->limit = limit;
	return share;
}

void share_free(struct share *share)
{
	if (!share)
		return;
	for (size_t i = 0; i < share->count; i++)
		free(share->rows[i].account);
	free(share->rows);
	pthread_cond_destroy(&share->given);
	pthread_mutex_destroy(&share->lock);
	free(share);
}

static struct share_row *find_row(struct share *share, const char *account)
{
	for (size_t i = 0; i < share->count; i++) {
		if (share->rows[i].account && strcmp(share->rows[i].account, account) == 0)
			return &share->rows[i];
	}
	return NULL;
}

static struct share_row *new_row(struct share *share, const char *account)
{
	struct share_row *row = NULL;
	for (size_t i = 0; i < share->count && !row; i++) {
		if (!share->rows[i].account)
			row = &share->rows[i];
	}
	if (!row) {
		share->rows = xrealloc(share->rows, (share->count + 1) * sizeof(*share->rows));
		row = &share->rows[share->count++];
	}
	*row = (struct share_row){ .account = xstrdup(account) };
	return row;
}

static struct share_row *row_of(struct share *share, const char *account)
{
	struct share_row *row = find_row(share, account);
	return row ? row : new_row(share, account);
}

static void drop_unused(struct share_row *row)
{
	if (row->held > 0 || row->waiting > 0)
		return;
	free(row->account);
	row->account = NULL;
}

bool share_take(struct share *share, const char *account)
{
	return share_take_within(share, account, 0);
}

/* The row of an account stays while somebody waits for it, but may move. */
static void wait_for_room(struct share *share, const char *account, uint64_t wait_ms)
{
	struct timespec until = clock_mono_after(wait_ms);
	find_row(share, account)->waiting++;
	int woken = 0;
	while (woken == 0 && find_row(share, account)->held >= share->limit)
		woken = pthread_cond_timedwait(&share->given, &share->lock, &until);
	find_row(share, account)->waiting--;
}

/* Whether one more thread may wait; the account has no room now. */
static bool may_wait(const struct share *share, const struct share_row *row, uint64_t wait_ms)
{
	bool moving = clock_mono_ms() - row->moved_ms < wait_ms;
	return row->waiting < share->limit * (moving ? WAITING_SHARES : 1);
}

bool share_take_within(struct share *share, const char *account, uint64_t wait_ms)
{
	if (share->limit == 0)
		return true;
	pthread_mutex_lock(&share->lock);
	struct share_row *row = row_of(share, account);
	if (wait_ms > 0 && row->held >= share->limit && may_wait(share, row, wait_ms)) {
		wait_for_room(share, account, wait_ms);
		row = row_of(share, account);
	}
	bool taken = row->held < share->limit;
	row->held += taken;
	if (taken && row->held == share->limit)
		row->moved_ms = clock_mono_ms();
	drop_unused(row);
	pthread_mutex_unlock(&share->lock);
	return taken;
}

void share_give(struct share *share, const char *account)
{
	if (share->limit == 0)
		return;
	pthread_mutex_lock(&share->lock);
	struct share_row *row = find_row(share, account);
	if (row) {
		row->held--;
		row->moved_ms = clock_mono_ms();
		if (row->waiting > 0)
			pthread_cond_broadcast(&share->given);
		drop_unused(row);
	}
	pthread_mutex_unlock(&share->lock);
}
