#ifndef NET_HTTPD_PEERS_H
#define NET_HTTPD_PEERS_H

#include <stdbool.h>

#include <microhttpd.h>

#include "base/err.h"

/* Inside net only: whom requests come from, and how many each has under way where connections
 * do not tell, behind proxies. Thread-safe. */
struct httpd_peers;

/* As httpd_proxies_new(). */
struct httpd_peers *httpd_peers_new(const char *trusted_proxies, struct err *err);
void httpd_peers_free(struct httpd_peers *peers); /* NULL is fine */
bool httpd_peers_proxied(const struct httpd_peers *peers);

/* Names the client (ret_peer holds INET6_ADDRSTRLEN bytes) and counts the request: the counter
 * of its address, to be given back; NULL when connections are counted instead. Addresses share
 * counters when their hashes are equal, which is rare. */
_Atomic unsigned *httpd_peers_enter(struct httpd_peers *peers,
				    struct MHD_Connection *connection, char *ret_peer);
void httpd_peers_leave(_Atomic unsigned *of_address); /* NULL is fine */

#endif
