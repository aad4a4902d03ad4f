#ifndef NET_HTTPD_TLS_H
#define NET_HTTPD_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#include "base/err.h"

/* Inside net only: the certificate that a server shows, which may be replaced while connections
 * come in. Each handshake takes copies of what is shown then, so one that is under way, and
 * connections that are there, never notice. Thread-safe. */
struct httpd_tls;

/* Both PEM: the certificate with those between it and its authority, and its key. */
struct httpd_tls *httpd_tls_new(const char *certificate, const char *key, struct err *err);
/* False: they are not valid or do not belong together, and what was shown is shown. */
bool httpd_tls_renew(struct httpd_tls *tls, const char *certificate, const char *key,
		     struct err *err);
int64_t httpd_tls_until(struct httpd_tls *tls); /* when the certificate ends, Unix time */
void httpd_tls_free(struct httpd_tls *tls);	/* NULL is fine */

/* For the daemon's options. */
struct MHD_OptionItem httpd_tls_option(void);
/* A connection has begun whose handshake is to be made with tls. */
void httpd_tls_attach(struct httpd_tls *tls, struct MHD_Connection *connection);

#endif
