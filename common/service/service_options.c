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
	{ "TOCSIN_METRICS_CUSTOMERS", CONF_BOOL, FIELD(metrics_customers), "true",
	  .help = "metrics tell customers apart, up to 2,000 series each; no: all are one" },
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
