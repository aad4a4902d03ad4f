/*
 * The server over libmicrohttpd. It is stricter than the library in what it reads
 * (httpd_frame.c) and how long it waits (httpd_watch.c); httpd_exchange.c is a request,
 * httpd_tls.c the certificate.
 */
#include "net/httpd.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/httpd_exchange.h"
#include "net/httpd_peers.h"
#include "net/httpd_tls.h"
#include "net/httpd_watch.h"

enum {
	CONNECTIONS = 64,
	HEAD_BYTES = 16 * 1024,
	IDLE_MS = 5000,
	REQUEST_MS = 10000,
	STACK_BYTES = 256 * 1024,
	OPTIONS_MAX = 8,
};

static void take_defaults(struct httpd_settings *settings)
{
	if (settings->threads == 0)
		settings->threads = 1;
	if (settings->connections == 0)
		settings->connections = CONNECTIONS;
	if (settings->head_bytes == 0)
		settings->head_bytes = HEAD_BYTES;
	if (settings->idle_ms == 0)
		settings->idle_ms = IDLE_MS;
	if (settings->request_ms == 0)
		settings->request_ms = REQUEST_MS;
}

static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";

#if MHD_VERSION >= 0x01000000
#define STRICTNESS MHD_OPTION_CLIENT_DISCIPLINE_LVL
#else
#define STRICTNESS MHD_OPTION_STRICT_FOR_CLIENT
#endif

static void on_connection(void *opaque, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct httpd *httpd = opaque;

	if (httpd->tls && code == MHD_CONNECTION_NOTIFY_STARTED)
		httpd_tls_attach(httpd->tls, connection);
	httpd_watch_connection(httpd->watch, connection, context, code);
}

static struct MHD_Daemon *start_daemon(struct httpd *httpd, const struct addrinfo *at)
{
	const struct httpd_settings *settings = &httpd->settings;
	/* Not epoll: MHD_quiesce_daemon() and a daemon's thread may both take the listener out
	 * of the set, and whoever is second ends the process (seen with 0.9.75). */
	unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME;
	unsigned idle_s = (settings->idle_ms + 999) / 1000;
	bool proxied = httpd_peers_proxied(httpd->peers);
	struct MHD_OptionItem options[OPTIONS_MAX] = { { MHD_OPTION_END, 0, NULL } };
	size_t count = 0;

	if (at->ai_family == AF_INET6)
		flags |= MHD_USE_DUAL_STACK;
	if (settings->threads > 1)
		options[count++] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE,
							    (intptr_t)settings->threads, NULL };
	if (httpd->tls) {
		flags |= MHD_USE_TLS;
		options[count++] = httpd_tls_option();
		options[count++] =
		    (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, priorities };
	}
	options[count] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	return MHD_start_daemon(
	    flags, 0, NULL, NULL, httpd_on_request, httpd, MHD_OPTION_SOCK_ADDR, at->ai_addr,
	    MHD_OPTION_NOTIFY_COMPLETED, httpd_on_completed, httpd,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, httpd, MHD_OPTION_UNESCAPE_CALLBACK,
	    httpd_unescape, NULL, MHD_OPTION_CONNECTION_LIMIT, settings->connections,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, proxied ? 0 : settings->per_address,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)settings->head_bytes,
	    MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_THREAD_STACK_SIZE,
	    (size_t)STACK_BYTES, STRICTNESS, 1, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/* The server's threads take no signals: they are for those who wait for them. */
static bool listen_on(struct httpd *httpd, const struct addrinfo *at, struct err *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = 0;
	httpd->daemon = start_daemon(httpd, at);
	int reason = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!httpd->daemon)
		return err_set(err, ERR_PERMANENT, "cannot listen on %s port %u: %s",
			       httpd->settings.address, httpd->settings.port, strerror(reason));
	return true;
}

static bool resolve(const struct httpd_settings *settings, struct addrinfo **ret_at,
		    struct err *err)
{
	char port[16];
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };

	snprintf(port, sizeof port, "%u", settings->port);
	if (settings->port <= 65535 &&
	    getaddrinfo(settings->address, port, &hints, ret_at) == 0)
		return true;
	return err_set(err, ERR_PERMANENT, "not an address to listen on: %.100s port %u",
		       settings->address, settings->port);
}

/* Neither certificate nor key: nothing to do. */
static bool start_tls(struct httpd *httpd, struct err *err)
{
	const char *certificate = httpd->settings.tls_certificate;
	const char *key = httpd->settings.tls_key;

	httpd->settings.tls_certificate = httpd->settings.tls_key = NULL;
	if (!key && !certificate)
		return true;
	if (!key || !certificate)
		return err_set(err, ERR_PERMANENT, "TLS needs both a certificate and its key");
	if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
		return err_set(err, ERR_PERMANENT, "this libmicrohttpd has no TLS");
	httpd->tls = httpd_tls_new(certificate, key, err);
	return httpd->tls != NULL;
}

static bool start_listening(struct httpd *httpd, struct err *err)
{
	struct addrinfo *at;

	if (!resolve(&httpd->settings, &at, err))
		return false;
	bool good = listen_on(httpd, at, err);
	freeaddrinfo(at);
	return good;
}

struct httpd *httpd_new(const struct httpd_settings *settings, struct err *err)
{
	struct httpd_peers *peers = httpd_peers_new(settings->trusted_proxies, err);

	if (!peers)
		return NULL;
	struct httpd *httpd = xcalloc(1, sizeof *httpd);
	httpd->settings = *settings;
	httpd->peers = peers;
	take_defaults(&httpd->settings);
	httpd->listener = -1;
	pthread_mutex_init(&httpd->pending, NULL);
	httpd->watch = httpd_watch_new(httpd->settings.request_ms, httpd->settings.idle_ms);
	if (start_tls(httpd, err) && start_listening(httpd, err))
		return httpd;
	httpd_free(httpd);
	return NULL;
}

bool httpd_renew_tls(struct httpd *httpd, const char *certificate, const char *key,
		     struct err *err)
{
	return httpd_tls_renew(httpd->tls, certificate, key, err);
}

int64_t httpd_tls_until_s(const struct httpd *httpd)
{
	return httpd->tls ? httpd_tls_until(httpd->tls) : 0;
}

unsigned httpd_port(const struct httpd *httpd)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info ? info->port : 0;
}

bool httpd_drain(struct httpd *httpd, unsigned grace_ms)
{
	httpd->draining = true;
	if (httpd->listener < 0) {
		httpd->listener = MHD_quiesce_daemon(httpd->daemon);
		/* Closed only after the threads are gone, but nobody shall wait in its queue.
		 */
		if (httpd->listener >= 0)
			shutdown(httpd->listener, SHUT_RDWR);
	}
	return httpd_watch_wait(httpd->watch, grace_ms);
}

void httpd_free(struct httpd *httpd)
{
	if (!httpd)
		return;
	if (httpd->daemon)
		MHD_stop_daemon(httpd->daemon);
	if (httpd->listener >= 0)
		close(httpd->listener);
	httpd_watch_free(httpd->watch);
	httpd_tls_free(httpd->tls);
	httpd_peers_free(httpd->peers);
	/* Whoever resumed the last exchange may still be on the way out of httpd_complete(). */
	pthread_mutex_lock(&httpd->pending);
	pthread_mutex_unlock(&httpd->pending);
	pthread_mutex_destroy(&httpd->pending);
	free(httpd);
}
