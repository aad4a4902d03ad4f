#include "vendor/settings.h"

#include <stddef.h>

#include "net/http.h"

#define FIELD(member) .offset = offsetof(struct vendor_settings, member)

enum { MINUTE = 60 * 1000, HOUR = 3600 * 1000 };

const struct conf_option vendor_options[] = {
	{ "TOCSIN_PROXY", CONF_URL, FIELD(proxy),
	  .help = "HTTP proxy for all calls to vendors; the usual environment variables are "
		  "not read" },
	{ "TOCSIN_PROXY_AUTH", CONF_STRING, FIELD(proxy_auth), .flags = CONF_SECRET,
	  .help = "user:password for the proxy" },
	{ "TOCSIN_CA_FILE", CONF_PATH, FIELD(ca_file),
	  .help = "PEM file of the authorities that vendors' certificates are checked against, "
		  "instead of the system's" },
	{ "TOCSIN_CONNECT_TIMEOUT", CONF_MILLIS, FIELD(connect_timeout_ms), "5s", 100, MINUTE,
	  .help = "time to connect to a vendor, TLS included" },
	{ "TOCSIN_CONNECTIONS", CONF_UINT, FIELD(connections), "256", 1, 4096,
	  .help = "calls on the wire at once, of this process" },
	{ "TOCSIN_ACCOUNT_SHARE", CONF_UINT, FIELD(share), "8", 0, 1024,
	  .help = "no account holds more than this fraction (1/n) of a process's threads; 0 "
		  "lifts it" },
	{ "TOCSIN_START_BY", CONF_MILLIS, FIELD(start_by_ms), "5s", 10, MINUTE,
	  .help = "a call that is not on the wire by then is put off" },
	{ "TOCSIN_BREAKER_FAILURES", CONF_UINT, FIELD(breaker_failures), "5", 1, 1000,
	  .help = "failures in a row after which an account is left alone for a while" },
	{ "TOCSIN_BREAKER_MIN", CONF_MILLIS, FIELD(breaker_min_ms), "30s", 10, HOUR,
	  .help = "how long at first; doubled each time" },
	{ "TOCSIN_BREAKER_MAX", CONF_MILLIS, FIELD(breaker_max_ms), "5m", 10, HOUR,
	  .help = "how long at most" },
	{ "TOCSIN_PROBE_INTERVAL", CONF_MILLIS, FIELD(probe_interval_ms), "1m", 10, HOUR,
	  .help = "how often one call tries whether a parked account works again" },
	{ 0 },
};

struct http *vendor_http_new(const struct vendor_settings *settings, struct err *err)
{
	const struct http_settings http = {
		.proxy = settings->proxy,
		.proxy_auth = settings->proxy_auth,
		.ca_file = settings->ca_file,
		.user_agent = "tocsin",
		.connect_timeout_ms = (unsigned)settings->connect_timeout_ms,
		.max_in_flight = settings->connections,
	};

	return http_new(&http, err);
}
