#include "bus/share.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* As many rows as accounts have threads at work right now: few. */
struct share_row {
	char *account; /* owned; NULL: free */
	unsigned held;
};

struct share {
	pthread_mutex_t lock;
	unsigned limit;
	struct share_row *rows;
	size_t count;
};

struct share *share_new(unsigned limit)
{
	struct share *share = xcalloc(1, sizeof(*share));
	pthread_mutex_init(&share->lock, NULL);
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

bool share_take(struct share *share, const char *account)
{
	if (share->limit == 0)
		return true;
	pthread_mutex_lock(&share->lock);
	struct share_row *row = find_row(share, account);
	if (!row)
		row = new_row(share, account);
	bool taken = row->held < share->limit;
	row->held += taken;
	pthread_mutex_unlock(&share->lock);
	return taken;
}

void share_give(struct share *share, const char *account)
{
	if (share->limit == 0)
		return;
	pthread_mutex_lock(&share->lock);
	struct share_row *row = find_row(share, account);
	if (row && --row->held == 0) {
		free(row->account);
		row->account = NULL;
	}
	pthread_mutex_unlock(&share->lock);
}
