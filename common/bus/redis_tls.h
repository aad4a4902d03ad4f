#ifndef BUS_REDIS_TLS_H
#define BUS_REDIS_TLS_H

#include <hiredis/hiredis.h>

#include "base/err.h"

/* Private to the bus: TLS on a connection just made. Builds against a hiredis without TLS
 * (before 1.0, Debian 12) have redis_tls_available() false. */
bool redis_tls_available(void);
bool redis_tls_start(redisContext *context, const char *host, const char *ca_file,
		     struct err *err);

#endif
