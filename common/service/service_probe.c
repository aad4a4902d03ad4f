/* Asks a running process how it is: what a container's health check runs, for an image holds no
 * shell and no HTTP client. */
#include <stdio.h>
#include <string.h>

#include "net/http.h"
#include "service/service_health.h"

enum { PROBE_TIMEOUT_MS = 4000 };

static const char *host_to_ask(const char *listens_on)
{
	if (strcmp(listens_on, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(listens_on, "::") == 0 ? "::1" : listens_on;
}

/* The answer's lines as one. */
static void refuse(const struct http_response *response, struct err *err)
{
	err_fill(err, ERR_TRANSIENT, "%.*s", (int)strcspn(response->body, "\n"),
		 response->body);
	for (const char *line = strchr(response->body, '\n'); line && line[1];
	     line = strchr(line + 1, '\n')) {
		size_t size = strlen(err->text);
		snprintf(err->text + size, sizeof err->text - size, "; %.*s",
			 (int)strcspn(line + 1, "\n"), line + 1);
	}
}

static bool ask(const char *url, struct err *err)
{
	const struct http_settings settings = { .user_agent = "tocsin-healthcheck" };
	const struct http_request request = { .url = url,
					      .accept = "text/plain",
					      .timeout_ms = PROBE_TIMEOUT_MS };
	struct http_response response = { 0 };
	struct http *http = http_new(&settings, err);

	if (!http)
		return false;
	bool good = http_exchange(http, &request, &response, err);
	if (good && response.status != 200) {
		refuse(&response, err);
		good = false;
	}
	http_response_done(&response);
	http_free(http);
	return good;
}

bool service_probe(struct err *err)
{
	struct service_options options = { 0 };
	char url[160];

	if (!conf_load(service_option_table, &options, err))
		return false;
	const char *host = host_to_ask(options.health_address);
	bool six = strchr(host, ':') != NULL;
	snprintf(url, sizeof url, "http://%s%s%s:%u/readyz", six ? "[" : "", host,
		 six ? "]" : "", options.health_port);
	bool good = options.health_port != 0
			? ask(url, err)
			: err_set(err, ERR_PERMANENT,
				  "TOCSIN_HEALTH_PORT is 0: there is no port to ask");
	conf_clear(service_option_table, &options);
	return good;
}
