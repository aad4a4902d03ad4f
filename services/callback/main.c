/*
 * tocsin-callback: the only process that listens to the internet. It believes nobody, and all
 * it can do in Redis is append to `raw` and `closures`.
 *
 *   request --> [httpd] --> handler: who is it? what is it? --> [committer] --> raw, closures
 *                  ^                                                |
 *                  `------------- answer, once it is durable <------'
 *
 * main.c          the process
 * routes.c        what is served, and by whom
 * push.c          POST /v1/events/...: pushed events; events.c finds them in the body
 * auth.c          signatures and secrets; rates.c how much
 * oauth.c         access tokens for ServiceNow instances; access.c checks them
 * closed.c        POST /v1/servicenow/closed; hint.c reads it
 * ancestor.c      the ancestors' closing URL
 * link_pages.c    links of mails; link_form.c and page.c are what people see
 * notice.c        into the stream closures; throttle.c how often strangers may try
 * committer.c     many requests, one append
 * credentials.c   whom we know
 * certificate.c   TLS: the certificate it shows, renewed while it runs
 * problem.c       refusals
 * app.h           what the handlers share
 */
#include <stdio.h>
#include <stdlib.h>

#include "app.h"
#include "base/log.h"
#include "bus/bus.h"
#include "certificate.h"
#include "committer.h"
#include "credentials.h"
#include "model/link.h"
#include "model/vault.h"
#include "net/httpd.h"
#include "notice.h"
#include "problem.h"
#include "push.h"
#include "rates.h"
#include "service/service.h"
#include "throttle.h"

struct config {
	char *address;
	unsigned port;
	unsigned threads;
	unsigned connections;
	unsigned per_address;
	char *trusted_proxies;
	char *tls_certificate_file, *tls_key_file;
	char *key_file;
	char *link_key_file;
	char *public_url;
	unsigned events_per_minute;
};

#define FIELD(member) .offset = offsetof(struct config, member)

static const struct conf_option options[] = {
	{ "TOCSIN_CALLBACK_ADDRESS", CONF_STRING, FIELD(address), "127.0.0.1",
	  .help = "where requests from outside are taken; 0.0.0.0 or :: in a container" },
	{ "TOCSIN_CALLBACK_PORT", CONF_UINT, FIELD(port), "8443", 0, 65535,
	  .help = "its port; 0: any free one" },
	{ "TOCSIN_CALLBACK_THREADS", CONF_UINT, FIELD(threads), "2", 1, 64,
	  .help = "threads that read and check requests" },
	{ "TOCSIN_CALLBACK_CONNECTIONS", CONF_UINT, FIELD(connections), "2048", 16, 65536,
	  .help = "connections at once" },
	{ "TOCSIN_CALLBACK_PER_ADDRESS", CONF_UINT, FIELD(per_address), "64", 0, 65536,
	  .help = "connections at once of one address; 0: no limit" },
	{ "TOCSIN_CALLBACK_TRUSTED_PROXIES", CONF_STRING, FIELD(trusted_proxies), NULL,
	  .help =
	      "addresses and networks with commas whose X-Forwarded-For is believed; behind "
	      "them the limit per address is of requests" },
	{ "TOCSIN_CALLBACK_TLS_CERTIFICATE_FILE", CONF_PATH, FIELD(tls_certificate_file), NULL,
	  .help =
	      "certificate and those between, PEM: the service speaks TLS itself; a renewed "
	      "one is shown from the next connection on, together with its key" },
	{ "TOCSIN_CALLBACK_TLS_KEY_FILE", CONF_PATH, FIELD(tls_key_file), NULL,
	  .help = "its key, PEM" },
	{ "TOCSIN_CALLBACK_KEY_FILE", CONF_PATH, FIELD(key_file), "/etc/tocsin/callback.key",
	  .help = "keys that seal what the callback service needs to know" },
	{ "TOCSIN_LINK_PUBLIC_KEY_FILE", CONF_PATH, FIELD(link_key_file), NULL,
	  .help = "public keys that verify links; none: links are not served" },
	{ "TOCSIN_PUBLIC_URL", CONF_URL, FIELD(public_url), NULL,
	  .help = "where the callback service is reached from outside" },
	{ "TOCSIN_PUSH_EVENTS_PER_MINUTE", CONF_UINT, FIELD(events_per_minute), "6000", 1,
	  10000000,
	  .help = "pushed events of one customer that are taken in a minute, unless its file "
		  "says otherwise" },
	{ 0 },
};

enum { BODY_BYTES = 16 << 20 }; /* of all requests that are being read or wait */

static struct metric requests = {
	.name = "tocsin_callback_requests_total",
	.kind = METRIC_COUNTER,
	.help = "requests from outside by route and status",
	.labels = "route,status",
};
static struct metric *const own_metrics[] = { &requests, NULL };
static struct metric *const *const metrics[] = {
	own_metrics,
	problem_metrics,
	committer_metrics,
	credentials_metrics,
	push_metrics,
	certificate_metrics,
	NULL,
};

static const struct service_about about = {
	.name = "callback",
	.summary = "takes closings, verdicts and pushed events from outside",
	.metrics = metrics,
};

struct process {
	struct config config;
	struct bus_settings times;
	struct service *service;
	struct vault *vault;
	struct link_keys *link_keys;
	struct app app;
	struct certificate certificate;
	struct httpd *httpd;
	_Atomic bool listening;
};

static bool is_listening(void *opaque, char *ret_text)
{
	const struct process *process = opaque;

	snprintf(ret_text, SERVICE_TEXT_SIZE, "not listening yet");
	return process->listening;
}

static void count_request(const char *route, int status, void *app)
{
	char text[12];

	(void)app;
	snprintf(text, sizeof text, "%d", status);
	metric_add(&requests, 1, route ? route : "none", text);
}

static bool listen_with(struct process *process, const char *certificate, const char *key,
			struct err *err)
{
	const struct config *config = &process->config;
	const struct httpd_settings settings = {
		.address = config->address,
		.port = config->port,
		.routes = app_routes,
		.state = &process->app,
		.threads = config->threads,
		.connections = config->connections,
		.per_address = config->per_address,
		.body_bytes = BODY_BYTES,
		.keep_alive = true,
		.tls_certificate = certificate,
		.tls_key = key,
		.trusted_proxies = config->trusted_proxies,
		.refused = problem_refused,
		.answered = count_request,
	};

	process->httpd = httpd_new(&settings, err);
	if (!process->httpd)
		return false;
	process->listening = true;
	log_info("listening on %s port %u%s", config->address, httpd_port(process->httpd),
		 key ? " with TLS" : "");
	certificate_started(process->httpd);
	return true;
}

static bool listen_outside(struct process *process, struct err *err)
{
	char *certificate = NULL, *key = NULL;

	process->certificate.certificate_file = process->config.tls_certificate_file;
	process->certificate.key_file = process->config.tls_key_file;
	bool good = certificate_read(&process->certificate, &certificate, &key, err) &&
		    listen_with(process, certificate, key, err);

	free(certificate);
	vault_wipe(key);
	return good;
}

static bool start(struct process *process, struct err *err)
{
	struct app *app = &process->app;

	if (!bus_settings_check(&process->times, err))
		return false;
	service_add_ready(process->service, "listener", is_listening, process);
	process->vault = vault_open(process->config.key_file, err);
	if (!process->vault)
		return false;
	app->times = &process->times;
	app->installation = service_options(process->service)->installation;
	app->public_url = process->config.public_url;
	app->vault = process->vault;
	auth_init(&app->auth, process->vault);
	app->rates = rates_new();
	app->throttle = throttle_new();
	if (process->config.link_key_file) {
		process->link_keys = link_keys_open_public(process->config.link_key_file, err);
		if (!process->link_keys)
			return false;
		app->link_keys = process->link_keys;
	}
	app->events_per_minute = process->config.events_per_minute;
	app->credentials =
	    credentials_book_new(&process->times, process->vault, process->service, err);
	if (!app->credentials)
		return false;
	app->committer = committer_new(&process->times, process->service, err);
	if (!app->committer)
		return false;
	service_add_ready(process->service, "redis", committer_ready, app->committer);
	service_add_ready(process->service, "credentials", credentials_ready, app->credentials);
	return listen_outside(process, err);
}

/* Until the process is to stop, and what is under way is answered. */
static bool work(struct process *process)
{
	while (service_wait_ms(process->service, CERTIFICATE_LOOK_MS))
		certificate_look(&process->certificate, process->httpd);
	return httpd_drain(process->httpd, (unsigned)process->times.stop_grace_ms);
}

/* Before the service is finished: the threads stamp its beats. */
static void stop_threads(struct process *process)
{
	if (process->app.committer)
		committer_stop(process->app.committer);
	if (process->app.credentials)
		credentials_book_stop(process->app.credentials);
}

static void take_down(struct process *process)
{
	httpd_free(process->httpd);
	committer_free(process->app.committer);
	credentials_book_free(process->app.credentials);
	rates_free(process->app.rates);
	throttle_free(process->app.throttle);
	link_keys_free(process->link_keys);
	auth_done(&process->app.auth);
	vault_free(process->vault);
	conf_clear(options, &process->config);
	conf_clear(bus_options, &process->times);
}

int main(int argc, char **argv)
{
	struct process process = { 0 };
	const struct service_part parts[] = {
		{ "Redis and times", bus_options, &process.times },
		{ "Callback", options, &process.config },
		{ 0 },
	};
	struct err err = { 0 };

	process.service = service_start(argc, argv, &about, parts);
	if (!process.service)
		return EXIT_FAILURE;
	bool started = start(&process, &err);
	bool clean = started && work(&process);
	stop_threads(&process);
	int status = started ? service_finish(process.service, clean)
			     : service_fail(process.service, &err);
	take_down(&process);
	return status;
}
