#ifndef NET_HTTP_MULTI_H
#define NET_HTTP_MULTI_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

/*
 * Private to net/http.c: libcurl's multi handle and what it waits for. One thread uses it, all
 * but http_multi_wake().
 *
 * libcurl says which sockets to watch and when its next timer is due. Letting it look at all of
 * its transfers for each answer was half of what a process with 256 calls in flight did.
 */
struct http_multi {
	CURLM *curl;
	int sockets;	      /* epoll: libcurl's, and the next */
	int wake;	      /* eventfd */
	uint64_t timer_at_ms; /* monotonic; UINT64_MAX: none */
};

/* False: no memory, or no file descriptors. To be ended with http_multi_done() either way. */
bool http_multi_init(struct http_multi *multi, unsigned connections_kept);
void http_multi_done(struct http_multi *multi);

/* Lets libcurl do what is due by now. */
void http_multi_run_timer(struct http_multi *multi);
/* Lets it do what its sockets are ready for; waits for one at most so long, or for a wake. */
void http_multi_wait(struct http_multi *multi, int wait_ms);
/* Ends the wait, or the next one. From any thread. */
void http_multi_wake(struct http_multi *multi);

#endif
