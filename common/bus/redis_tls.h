#ifndef BUS_REDIS_TLS_H
#define BUS_REDIS_TLS_H

#include <hiredis/hiredis.h>

#include "base/err.h"
#include "bus/redis.h"

/*
 * Private to the bus: TLS 1.2 or later on a connection just made, the server's certificate and
 * name verified. The files of settings are read again when they have changed, so that new ones
 * are used from the next connection on. Builds against a hiredis without TLS (before 1.0,
 * Debian 12) have redis_tls_available() false.
 */
bool redis_tls_available(void);

/* Whether the files that settings name can be used. */
bool redis_tls_check(const struct redis_settings *settings, struct err *err);

/* ret_until_s: when the server's certificate ends, Unix time. */
bool redis_tls_start(redisContext *context, const char *host,
		     const struct redis_settings *settings, int64_t *ret_until_s,
		     struct err *err);

/* Why a connection ended, as far as OpenSSL knows more than hiredis said; else NULL. */
const char *redis_tls_reason(const redisContext *context);

#endif
