#ifndef VENDOR_SETTINGS_H
#define VENDOR_SETTINGS_H

#include <stdint.h>

#include "base/conf.h"

struct http;

/* How this process goes to the vendors; the same rows for every process that does. */
struct vendor_settings {
	char *proxy;
	char *proxy_auth;
	char *ca_file;
	uint64_t connect_timeout_ms;
	unsigned connections;
	unsigned share;
	uint64_t start_by_ms;
	unsigned breaker_failures;
	uint64_t breaker_min_ms;
	uint64_t breaker_max_ms;
	uint64_t probe_interval_ms;
};

extern const struct conf_option vendor_options[];

/* NULL with err filled when a file cannot be read. */
struct http *vendor_http_new(const struct vendor_settings *settings, struct err *err);

#endif
