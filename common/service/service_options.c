/* The options every process has, and the names of all of them. */
#include <string.h>

#include "service/service.h"

#define FIELD(member) .offset = offsetof(struct service_options, member)

const struct conf_option service_option_table[] = {
	{ "TOCSIN_INSTALLATION", CONF_STRING, FIELD(installation), "main", 1, 12,
	  .help =
	      "name of this installation, a-z 0-9 -; part of every key in tickets: two that "
	      "share a vendor account must differ" },
	{ "TOCSIN_LOG_LEVEL", CONF_CHOICE, FIELD(log_level), "info",
	  .choices = "debug|info|warn|error", .help = "least severe lines to write" },
	{ "TOCSIN_HEALTH_ADDRESS", CONF_STRING, FIELD(health_address), "127.0.0.1",
	  .help = "address of /healthz, /readyz and /metrics; 0.0.0.0 in a container" },
	{ "TOCSIN_HEALTH_PORT", CONF_UINT, FIELD(health_port), "0", 0, 65535,
	  .help = "their port; 0 opens none" },
	{ 0 },
};

const struct conf_option service_http_option_table[] = {
	{ "TOCSIN_PROXY", CONF_URL, FIELD(proxy), NULL,
	  .help = "HTTP proxy for all calls to vendors" },
	{ "TOCSIN_PROXY_AUTH", CONF_STRING, FIELD(proxy_auth), NULL, .flags = CONF_SECRET,
	  .help = "user:password for the proxy" },
	{ "TOCSIN_CA_FILE", CONF_PATH, FIELD(ca_file), NULL,
	  .help = "certificates (PEM) that vendors are verified against, instead of the "
		  "system's" },
	{ "TOCSIN_CONNECT_TIMEOUT", CONF_MILLIS, FIELD(connect_timeout_ms), "5s", 100, 60000,
	  .help = "most time for a connection to a vendor, TLS included" },
	{ "TOCSIN_HTTP_IN_FLIGHT", CONF_UINT, FIELD(http_in_flight), "256", 1, 4096,
	  .help = "calls to vendors on the wire at once" },
	{ 0 },
};

/* Collected from the sources while building: a name is known once some table has it. */
const char *const service_known_names[] = {
#include "settings.h"
	NULL,
};

bool service_options_check(const struct service_options *options, struct err *err)
{
	const char *name = options->installation;

	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
		return err_set(err, ERR_PERMANENT,
			       "TOCSIN_INSTALLATION=%s is not made of a-z 0-9 -", name);
	return true;
}
