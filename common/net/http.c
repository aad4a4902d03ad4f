/*
 * The thread that drives all exchanges. Callers put a call into the inbox, wake the thread and
 * wait on the call's semaphore; everything else here belongs to the thread alone, so libcurl is
 * never entered by two. It runs no code of the callers.
 */
#include "net/http.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/http_call.h"
#include "net/http_multi.h"

enum {
	STACK_BYTES = 512 * 1024,
	CONNECT_TIMEOUT_MS = 5000,
	TIMEOUT_MS = 30000,
	IN_FLIGHT = 256,
	SLEEP_MAX_MS = 60000,
};

struct call_list {
	struct http_call *first, *last;
};

struct http {
	char *proxy, *proxy_auth, *ca_file, *user_agent;
	struct http_settings settings; /* its texts are the ones above */
	pthread_t thread;
	struct http_multi multi;

	pthread_mutex_t lock; /* of the next five */
	struct call_list inbox;
	bool woken;
	bool stopping;
	bool ending;
	uint64_t stop_at_ms;

	/* The thread's own. */
	struct call_list waiting, active;
	unsigned active_count;
	CURL **idle; /* handles to use again */
	unsigned idle_count;
};

static void list_append(struct call_list *list, struct http_call *call)
{
	call->next = NULL;
	call->previous = list->last;
	if (list->last)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
}

static void list_remove(struct call_list *list, struct http_call *call)
{
	if (call->previous)
		call->previous->next = call->next;
	else
		list->first = call->next;
	if (call->next)
		call->next->previous = call->previous;
	else
		list->last = call->previous;
}

/* ---- the thread ---- */

/* The caller may be gone with the call as soon as this returns. */
static void end_waiting(struct http *http, struct http_call *call, enum http_cause cause)
{
	list_remove(&http->waiting, call);
	call->cause = cause;
	sem_post(&call->done);
}

static void end_active(struct http *http, struct http_call *call)
{
	CURL *easy = call->easy;

	list_remove(&http->active, call);
	http->active_count--;
	curl_multi_remove_handle(http->multi.curl, easy);
	http_easy_collect(easy, call);
	http->idle[http->idle_count++] = easy;
	sem_post(&call->done);
}

static void begin(struct http *http, struct http_call *call)
{
	list_remove(&http->waiting, call);
	list_append(&http->active, call);
	http->active_count++;
	call->easy = http->idle_count > 0 ? http->idle[--http->idle_count]
					  : http_easy_new(&http->settings);
	if (!call->easy)
		xmalloc(SIZE_MAX); /* out of memory */
	http_easy_prepare(call->easy, call, http->settings.connect_timeout_ms);
	CURLMcode code = curl_multi_add_handle(http->multi.curl, call->easy);
	if (code != CURLM_OK) {
		call->code = CURLE_FAILED_INIT;
		end_active(http, call);
	}
}

/* Takes over the inbox; true when the thread is to end. */
static bool take_inbox(struct http *http, bool *ret_stopping, uint64_t *ret_stop_at_ms)
{
	pthread_mutex_lock(&http->lock);
	struct http_call *call = http->inbox.first;
	http->inbox = (struct call_list){ 0 };
	http->woken = false;
	*ret_stopping = http->stopping;
	*ret_stop_at_ms = http->stop_at_ms;
	bool ending = http->ending;
	pthread_mutex_unlock(&http->lock);

	while (call) {
		struct http_call *next = call->next;
		list_append(&http->waiting, call);
		call = next;
	}
	return ending;
}

/* When a waiting call has to be given up. */
static uint64_t give_up_at(const struct http_call *call, enum http_cause *ret_cause)
{
	uint64_t start_by = call->request->start_by_ms;

	*ret_cause = HTTP_CAUSE_NO_SLOT;
	if (start_by == 0 || start_by >= call->deadline_ms)
		return call->deadline_ms;
	*ret_cause = HTTP_CAUSE_LATE;
	return start_by;
}

/* Begins what has a slot and gives up what waited too long. */
static void serve_waiting(struct http *http, bool stopping, uint64_t now)
{
	struct http_call *next;

	for (struct http_call *call = http->waiting.first; call; call = next) {
		enum http_cause cause;
		next = call->next;
		if (stopping)
			end_waiting(http, call, HTTP_CAUSE_STOPPING);
		else if (give_up_at(call, &cause) < now)
			end_waiting(http, call, cause);
		else if (http->active_count < http->settings.max_in_flight)
			begin(http, call);
	}
}

static void cancel_active(struct http *http)
{
	while (http->active.first) {
		http->active.first->cause = HTTP_CAUSE_STOPPING;
		end_active(http, http->active.first);
	}
}

static void collect_finished(struct http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi.curl, &left))) {
		struct http_call *call = NULL;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		call->code = message->data.result;
		end_active(http, call);
	}
}

/* How long the thread may sleep. */
static int sleep_ms(const struct http *http, bool stopping, uint64_t stop_at, uint64_t now)
{
	uint64_t until = now + SLEEP_MAX_MS;

	if (stopping && http->active.first && stop_at < until)
		until = stop_at;
	if (http->multi.timer_at_ms < until)
		until = http->multi.timer_at_ms;
	for (const struct http_call *call = http->waiting.first; call; call = call->next) {
		enum http_cause cause;
		uint64_t at = give_up_at(call, &cause) + 1;
		if (at < until)
			until = at;
	}
	return until > now ? (int)(until - now) : 0;
}

static void *drive(void *opaque)
{
	struct http *http = opaque;
	bool stopping;
	uint64_t stop_at;

	for (;;) {
		bool ending = take_inbox(http, &stopping, &stop_at);
		serve_waiting(http, stopping, clock_mono_ms());
		http_multi_run_timer(&http->multi);
		collect_finished(http);
		uint64_t now = clock_mono_ms();
		if (stopping && now >= stop_at)
			cancel_active(http);
		if (ending && !http->active.first)
			return NULL;
		/* A freed slot is given away before sleeping. */
		if (http->waiting.first && http->active_count < http->settings.max_in_flight)
			continue;
		http_multi_wait(&http->multi, sleep_ms(http, stopping, stop_at, now));
		collect_finished(http);
	}
}

/* ---- life ---- */

static void global_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void adopt_settings(struct http *http, const struct http_settings *settings)
{
	http->proxy = copy(settings->proxy);
	http->proxy_auth = copy(settings->proxy_auth);
	http->ca_file = copy(settings->ca_file);
	http->user_agent = xstrdup(settings->user_agent ? settings->user_agent : "tocsin");
	http->settings = (struct http_settings){
		.proxy = http->proxy,
		.proxy_auth = http->proxy_auth,
		.ca_file = http->ca_file,
		.user_agent = http->user_agent,
		.connect_timeout_ms = settings->connect_timeout_ms
					  ? settings->connect_timeout_ms
					  : CONNECT_TIMEOUT_MS,
		.max_in_flight = settings->max_in_flight ? settings->max_in_flight : IN_FLIGHT,
	};
}

/* The thread takes no signals: they are for those who wait for them. */
static bool start_thread(struct http *http)
{
	sigset_t all, before;
	pthread_attr_t attributes;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&http->thread, &attributes, drive, http);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return failed == 0;
}

static void release(struct http *http)
{
	for (unsigned i = 0; i < http->idle_count; i++)
		curl_easy_cleanup(http->idle[i]);
	free(http->idle);
	http_multi_done(&http->multi);
	pthread_mutex_destroy(&http->lock);
	if (http->proxy_auth)
		explicit_bzero(http->proxy_auth, strlen(http->proxy_auth));
	free(http->proxy);
	free(http->proxy_auth);
	free(http->ca_file);
	free(http->user_agent);
	free(http);
}

struct http *http_new(const struct http_settings *settings, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, global_init);
	if (settings->ca_file && access(settings->ca_file, R_OK) != 0) {
		err_fill(err, ERR_PERMANENT, "cannot read the CA file %s", settings->ca_file);
		return NULL;
	}
	struct http *http = xcalloc(1, sizeof *http);
	pthread_mutex_init(&http->lock, NULL);
	adopt_settings(http, settings);
	http->idle = xcalloc(http->settings.max_in_flight, sizeof *http->idle);
	/* More than one vendor's worth: a connection given up is a handshake. */
	if (http_multi_init(&http->multi, http->settings.max_in_flight * 2) &&
	    start_thread(http))
		return http;
	err_fill(err, ERR_TRANSIENT, "cannot start the HTTP client");
	release(http);
	return NULL;
}

void http_stop(struct http *http, unsigned grace_ms)
{
	pthread_mutex_lock(&http->lock);
	http->stopping = true;
	http->stop_at_ms = clock_mono_ms() + grace_ms;
	pthread_mutex_unlock(&http->lock);
	http_multi_wake(&http->multi);
}

void http_free(struct http *http)
{
	if (!http)
		return;
	pthread_mutex_lock(&http->lock);
	if (!http->stopping)
		http->stop_at_ms = 0;
	http->stopping = true;
	http->ending = true;
	pthread_mutex_unlock(&http->lock);
	http_multi_wake(&http->multi);
	pthread_join(http->thread, NULL);
	release(http);
}

/* ---- the caller's side ---- */

static bool submit(struct http *http, struct http_call *call)
{
	pthread_mutex_lock(&http->lock);
	bool accepted = !http->stopping;
	bool wake = accepted && !http->woken;
	if (accepted) {
		list_append(&http->inbox, call);
		http->woken = true;
	}
	pthread_mutex_unlock(&http->lock);
	if (wake)
		http_multi_wake(&http->multi);
	return accepted;
}

static bool exchange_once(struct http *http, const struct http_request *request,
			  const char *url, uint64_t deadline_ms,
			  struct http_response *ret_response, char **ret_redirect,
			  struct err *err)
{
	struct http_call call;

	bool good = http_call_init(&call, request, url, deadline_ms, err);
	if (good && submit(http, &call)) {
		while (sem_wait(&call.done) != 0)
			; /* interrupted */
		sem_destroy(&call.done);
		good = http_call_result(&call, ret_response, err);
		*ret_redirect = copy(call.redirect_url);
	} else if (good) {
		good = err_set(err, ERR_STOPPING, "not begun because the process stops");
	}
	http_call_done(&call);
	return good;
}

static bool may_follow(const struct http_request *request, const char *from, const char *to,
		       int status)
{
	bool reads = !request->method || strcmp(request->method, "GET") == 0 ||
		     strcmp(request->method, "HEAD") == 0;
	bool safer = strncasecmp(from, "https:", 6) != 0 || strncasecmp(to, "https:", 6) == 0;
	bool fits = status == 307 || status == 308 ||
		    (reads && (status == 301 || status == 302 || status == 303));

	return fits && safer && request->may_redirect && request->may_redirect(from, to);
}

bool http_exchange(struct http *http, const struct http_request *request,
		   struct http_response *ret_response, struct err *err)
{
	uint64_t started = clock_mono_ms();
	uint64_t deadline = started + (request->timeout_ms ? request->timeout_ms : TIMEOUT_MS);
	char *url = copy(request->url);
	char *to = NULL;
	bool good;

	*ret_response = (struct http_response){ 0 };
	for (unsigned hop = 0;; hop++) {
		good = exchange_once(http, request, url, deadline, ret_response, &to, err);
		if (!good || !to || hop >= request->redirects ||
		    !may_follow(request, url, to, ret_response->status))
			break;
		http_response_done(ret_response);
		free(url);
		url = to;
		to = NULL;
	}
	free(to);
	free(url);
	ret_response->elapsed_ms = clock_mono_ms() - started;
	return good;
}
