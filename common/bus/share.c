#include "bus/share.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"

enum { WAITING_SHARES = 4, SOON_MIN_MS = 300, SOON_MAX_MS = 1200 };

struct share_guest {
	struct share_guest *next;
	unsigned held;
	unsigned waiting;
	char name[];
};

/* As many rows as accounts have threads at work right now, and guests likewise: few. */
struct share_row {
	char *account; /* owned; NULL: free */
	struct share_guest *guests;
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

static void free_guests(struct share_row *row)
{
	while (row->guests) {
		struct share_guest *next = row->guests->next;
		free(row->guests);
		row->guests = next;
	}
}

void share_free(struct share *share)
{
	if (!share)
		return;
	for (size_t i = 0; i < share->count; i++) {
		free_guests(&share->rows[i]);
		free(share->rows[i].account);
	}
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

static struct share_guest *find_guest(const struct share_row *row, const char *name)
{
	struct share_guest *guest = row->guests;
	while (guest && strcmp(guest->name, name) != 0)
		guest = guest->next;
	return guest;
}

static struct share_guest *guest_of(struct share_row *row, const char *name)
{
	struct share_guest *guest = find_guest(row, name);
	if (guest)
		return guest;
	guest = xcalloc(1, sizeof(*guest) + strlen(name) + 1);
	memcpy(guest->name, name, strlen(name) + 1);
	guest->next = row->guests;
	row->guests = guest;
	return guest;
}

static void drop_unused(struct share_row *row)
{
	struct share_guest **at = &row->guests;
	while (*at) {
		struct share_guest *guest = *at;
		if (guest->held > 0 || guest->waiting > 0) {
			at = &guest->next;
			continue;
		}
		*at = guest->next;
		free(guest);
	}
	if (row->held > 0 || row->waiting > 0)
		return;
	free(row->account);
	row->account = NULL;
}

/* Whether there is a seat, and nobody waits for it who holds fewer. */
static bool may_sit(const struct share *share, const struct share_row *row,
		    const struct share_guest *guest)
{
	if (row->held >= share->limit)
		return false;
	for (const struct share_guest *other = row->guests; other; other = other->next) {
		if (other->waiting > 0 && other->held < guest->held)
			return false;
	}
	return true;
}

/* Rows of accounts that somebody waits for stay, but may move; guests do not. */
static void wait_for_room(struct share *share, const char *account, struct share_guest *guest,
			  uint64_t wait_ms)
{
	struct timespec until = clock_mono_after(wait_ms);
	find_row(share, account)->waiting++;
	guest->waiting++;
	int woken = 0;
	while (woken == 0 && !may_sit(share, find_row(share, account), guest))
		woken = pthread_cond_timedwait(&share->given, &share->lock, &until);
	guest->waiting--;
	find_row(share, account)->waiting--;
}

static bool is_moving(const struct share_row *row, uint64_t wait_ms)
{
	return clock_mono_ms() - row->moved_ms < wait_ms;
}

/* Whether one more thread may wait; the account has no room now. */
static bool may_wait(const struct share *share, const struct share_row *row,
		     const struct share_guest *guest, uint64_t wait_ms)
{
	unsigned line = share->limit * (is_moving(row, wait_ms) ? WAITING_SHARES : 1);
	return row->waiting < line && guest->waiting < line - line / 4;
}

static uint64_t again_ms(const struct share *share, const struct share_row *row,
			 const struct share_guest *guest, uint64_t wait_ms)
{
	bool modest = guest->held + guest->waiting < (share->limit + 1) / 2;
	return modest && is_moving(row, wait_ms)
		   ? backoff_random(SOON_MIN_MS, SOON_MAX_MS)
		   : backoff_random(SHARE_WAIT_MIN_MS, SHARE_WAIT_MAX_MS);
}

bool share_take_within(struct share *share, const char *account, const char *name,
		       uint64_t wait_ms, uint64_t *ret_again_ms)
{
	if (share->limit == 0)
		return true;
	pthread_mutex_lock(&share->lock);
	struct share_row *row = row_of(share, account);
	struct share_guest *guest = guest_of(row, name);
	if (wait_ms > 0 && !may_sit(share, row, guest) &&
	    may_wait(share, row, guest, wait_ms)) {
		wait_for_room(share, account, guest, wait_ms);
		row = find_row(share, account);
	}
	bool taken = may_sit(share, row, guest);
	row->held += taken;
	guest->held += taken;
	if (taken && row->held == share->limit)
		row->moved_ms = clock_mono_ms();
	/* Another one that waits may have been kept from a free seat by this one. */
	if (row->waiting > 0 && row->held < share->limit)
		pthread_cond_broadcast(&share->given);
	*ret_again_ms = taken ? 0 : again_ms(share, row, guest, wait_ms);
	drop_unused(row);
	pthread_mutex_unlock(&share->lock);
	return taken;
}

bool share_take(struct share *share, const char *account, const char *guest)
{
	uint64_t again;
	return share_take_within(share, account, guest, 0, &again);
}

void share_give(struct share *share, const char *account, const char *guest)
{
	if (share->limit == 0)
		return;
	pthread_mutex_lock(&share->lock);
	struct share_row *row = find_row(share, account);
	struct share_guest *own = row ? find_guest(row, guest) : NULL;
	if (own) {
		own->held--;
		row->held--;
		row->moved_ms = clock_mono_ms();
		if (row->waiting > 0)
			pthread_cond_broadcast(&share->given);
		drop_unused(row);
	}
	pthread_mutex_unlock(&share->lock);
}
