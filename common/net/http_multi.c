/* What libcurl waits for: its sockets in an epoll, its timer, and our own wake. */
#include "net/http_multi.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

enum { EVENTS_AT_ONCE = 64 };

static const uint64_t no_timer = UINT64_MAX;

/* known: not NULL for a socket that is watched already. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *opaque, void *known)
{
	struct http_multi *multi = opaque;
	struct epoll_event event = { .data.fd = fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(multi->sockets, EPOLL_CTL_DEL, fd, NULL); /* may be closed by now */
		return 0;
	}
	event.events =
	    (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
	int failed =
	    epoll_ctl(multi->sockets, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	if (failed && errno == EEXIST)
		failed = epoll_ctl(multi->sockets, EPOLL_CTL_MOD, fd, &event);
	else if (failed && errno == ENOENT)
		failed = epoll_ctl(multi->sockets, EPOLL_CTL_ADD, fd, &event);
	if (!known)
		curl_multi_assign(multi->curl, fd, multi);
	return failed ? -1 : 0;
}

static int on_timer(CURLM *curl, long timeout_ms, void *opaque)
{
	struct http_multi *multi = opaque;

	(void)curl;
	multi->timer_at_ms = timeout_ms < 0 ? no_timer : clock_mono_ms() + (uint64_t)timeout_ms;
	return 0;
}

void http_multi_run_timer(struct http_multi *multi)
{
	int running;

	if (multi->timer_at_ms > clock_mono_ms())
		return;
	multi->timer_at_ms = no_timer; /* unless it is set anew in here */
	curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
}

void http_multi_wait(struct http_multi *multi, int wait_ms)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_wait(multi->sockets, events, EVENTS_AT_ONCE, wait_ms);
	int running;
	uint64_t wakes;

	for (int i = 0; i < count; i++) {
		uint32_t seen = events[i].events;
		int what = (seen & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
			   (seen & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (seen & EPOLLERR ? CURL_CSELECT_ERR : 0);
		if (events[i].data.fd != multi->wake)
			curl_multi_socket_action(multi->curl, events[i].data.fd, what,
						 &running);
		else if (read(multi->wake, &wakes, sizeof wakes) < 0)
			continue; /* nothing but EAGAIN */
	}
}

void http_multi_wake(struct http_multi *multi)
{
	const uint64_t once = 1;

	if (write(multi->wake, &once, sizeof once) < 0)
		return; /* full: it is awake */
}

bool http_multi_init(struct http_multi *multi, unsigned connections_kept)
{
	struct epoll_event event = { .events = EPOLLIN };

	multi->timer_at_ms = no_timer;
	multi->sockets = epoll_create1(EPOLL_CLOEXEC);
	multi->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	multi->curl = curl_multi_init();
	event.data.fd = multi->wake;
	if (!multi->curl || multi->sockets < 0 || multi->wake < 0 ||
	    epoll_ctl(multi->sockets, EPOLL_CTL_ADD, multi->wake, &event) != 0)
		return false;
	curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
	curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
	curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)connections_kept);
	return true;
}

void http_multi_done(struct http_multi *multi)
{
	if (multi->curl)
		curl_multi_cleanup(multi->curl); /* still takes its sockets out */
	if (multi->sockets >= 0)
		close(multi->sockets);
	if (multi->wake >= 0)
		close(multi->wake);
}
