#ifndef NET_HTTPD_PROXIES_H
#define NET_HTTPD_PROXIES_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Inside net only: whom a request comes from when proxies stand in front. Only what a trusted
 * proxy says of an address counts, and of a chain the last one that is not trusted: what is
 * before it anybody could have written.
 */
struct httpd_proxies;

/* text: addresses and networks with commas, "10.0.0.0/8, 192.0.2.7, fd00::/8"; NULL or "":
 * none. NULL with err filled when it cannot be read. */
struct httpd_proxies *httpd_proxies_new(const char *text, struct err *err);
void httpd_proxies_free(struct httpd_proxies *proxies); /* NULL is fine */

bool httpd_proxies_any(const struct httpd_proxies *proxies);
/* peer and what its X-Forwarded-For says, all of it with commas (NULL: none). ret_address holds
 * INET6_ADDRSTRLEN bytes; it may be peer's. */
void httpd_proxies_client(const struct httpd_proxies *proxies, const char *peer,
			  const char *forwarded, char *ret_address);

#endif
