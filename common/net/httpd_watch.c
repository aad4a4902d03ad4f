#include "net/httpd_watch.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

enum { STACK_BYTES = 64 * 1024, TICK_MAX_MS = 1000 };

struct watched {
	struct watched *next, *previous;
	int fd;
	uint64_t deadline_ms; /* 0: none */
};

struct httpd_watch {
	unsigned request_ms, idle_ms;
	pthread_t thread;
	pthread_mutex_t lock; /* of everything below; libmicrohttpd is not called under it */
	pthread_cond_t changed;
	struct watched *first;
	unsigned under_way;
	bool ending;
};

/* Waits for a change until at most ms from now. */
static void wait_ms(struct httpd_watch *watch, uint64_t ms)
{
	struct timespec until = clock_mono_after(ms);

	pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
}

static void *reap(void *opaque)
{
	struct httpd_watch *watch = opaque;
	uint64_t tick = watch->request_ms / 8 + 1;

	if (tick > TICK_MAX_MS)
		tick = TICK_MAX_MS;
	pthread_mutex_lock(&watch->lock);
	while (!watch->ending) {
		uint64_t now = clock_mono_ms();
		for (struct watched *w = watch->first; w; w = w->next) {
			if (w->deadline_ms == 0 || now <= w->deadline_ms)
				continue;
			/* The library sees the end of the stream and closes: the number cannot
			 * be another connection's while it is in this list. */
			shutdown(w->fd, SHUT_RDWR);
			w->deadline_ms = 0;
		}
		wait_ms(watch, tick);
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

struct httpd_watch *httpd_watch_new(unsigned request_ms, unsigned idle_ms)
{
	struct httpd_watch *watch = xcalloc(1, sizeof *watch);
	pthread_condattr_t monotonic;
	pthread_attr_t attributes;
	sigset_t all, before;

	watch->request_ms = request_ms;
	watch->idle_ms = idle_ms;
	pthread_mutex_init(&watch->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&watch->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&watch->thread, &attributes, reap, watch) != 0)
		abort(); /* no thread at start: nothing else would work either */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return watch;
}

void httpd_watch_free(struct httpd_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->ending = true;
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
	pthread_join(watch->thread, NULL);
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

static struct watched *watched_new(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct watched *watched = xcalloc(1, sizeof *watched);

	watched->fd = info ? info->connect_fd : -1;
	return watched;
}

void httpd_watch_connection(void *opaque, struct MHD_Connection *connection, void **context,
			    enum MHD_ConnectionNotificationCode code)
{
	struct httpd_watch *watch = opaque;
	struct watched *watched = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		watched = watched_new(connection);
		watched->deadline_ms = clock_mono_ms() + watch->request_ms;
		*context = watched;
		pthread_mutex_lock(&watch->lock);
		watched->next = watch->first;
		if (watch->first)
			watch->first->previous = watched;
		watch->first = watched;
		pthread_mutex_unlock(&watch->lock);
		return;
	}
	if (!watched)
		return;
	pthread_mutex_lock(&watch->lock);
	if (watched->previous)
		watched->previous->next = watched->next;
	else
		watch->first = watched->next;
	if (watched->next)
		watched->next->previous = watched->previous;
	pthread_mutex_unlock(&watch->lock);
	free(watched);
	*context = NULL;
}

static void set_deadline(struct httpd_watch *watch, struct MHD_Connection *connection,
			 uint64_t deadline_ms)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct watched *watched = info ? info->socket_context : NULL;

	if (!watched)
		return;
	pthread_mutex_lock(&watch->lock);
	watched->deadline_ms = deadline_ms;
	pthread_mutex_unlock(&watch->lock);
}

void httpd_watch_pause(struct httpd_watch *watch, struct MHD_Connection *connection)
{
	set_deadline(watch, connection, 0);
}

void httpd_watch_renew(struct httpd_watch *watch, struct MHD_Connection *connection)
{
	set_deadline(watch, connection, clock_mono_ms() + watch->request_ms);
}

void httpd_watch_enter(struct httpd_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->under_way++;
	pthread_mutex_unlock(&watch->lock);
}

void httpd_watch_leave(struct httpd_watch *watch, struct MHD_Connection *connection)
{
	/* A connection that is kept may idle before its next request begins. */
	set_deadline(watch, connection, clock_mono_ms() + watch->idle_ms + watch->request_ms);
	pthread_mutex_lock(&watch->lock);
	watch->under_way--;
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
}

bool httpd_watch_wait(struct httpd_watch *watch, unsigned grace_ms)
{
	uint64_t deadline = clock_mono_ms() + grace_ms;

	pthread_mutex_lock(&watch->lock);
	for (uint64_t now = clock_mono_ms(); watch->under_way > 0 && now < deadline;
	     now = clock_mono_ms())
		wait_ms(watch, deadline - now);
	bool quiet = watch->under_way == 0;
	pthread_mutex_unlock(&watch->lock);
	return quiet;
}
