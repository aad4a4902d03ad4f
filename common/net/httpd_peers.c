/* Clients by their addresses. */
#include "net/httpd_peers.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "net/httpd_proxies.h"

enum { SLOTS = 8192, FORWARDED_MAX = 4096 };

struct httpd_peers {
	struct httpd_proxies *proxies;
	_Atomic unsigned under_way[SLOTS]; /* by a hash of the client's address */
};

struct httpd_peers *httpd_peers_new(const char *trusted_proxies, struct err *err)
{
	struct httpd_proxies *proxies = httpd_proxies_new(trusted_proxies, err);

	if (!proxies)
		return NULL;
	struct httpd_peers *peers = xcalloc(1, sizeof *peers);
	peers->proxies = proxies;
	return peers;
}

void httpd_peers_free(struct httpd_peers *peers)
{
	if (!peers)
		return;
	httpd_proxies_free(peers->proxies);
	free(peers);
}

bool httpd_peers_proxied(const struct httpd_peers *peers)
{
	return httpd_proxies_any(peers->proxies);
}

/* The other end of the connection. */
static void name_peer(struct MHD_Connection *connection, char *ret_peer)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *at = info ? info->client_addr : NULL;

	*ret_peer = '\0';
	if (at && at->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)at;
		inet_ntop(AF_INET, &in->sin_addr, ret_peer, INET6_ADDRSTRLEN);
	} else if (at && at->sa_family == AF_INET6) {
		const unsigned char *in =
		    ((const struct sockaddr_in6 *)(const void *)at)->sin6_addr.s6_addr;
		bool is_mapped = memcmp(in, mapped, sizeof mapped) == 0;
		inet_ntop(is_mapped ? AF_INET : AF_INET6, is_mapped ? in + 12 : in, ret_peer,
			  INET6_ADDRSTRLEN);
	}
}

/* Several headers of that name are one list. */
static enum MHD_Result add_forwarded(void *opaque, enum MHD_ValueKind kind, const char *name,
				     const char *value)
{
	struct buf *all = opaque;

	(void)kind;
	if (strcasecmp(name, "X-Forwarded-For") == 0 && value)
		buf_addf(all, "%s%s", all->size ? "," : "", value);
	return MHD_YES;
}

_Atomic unsigned *httpd_peers_enter(struct httpd_peers *peers,
				    struct MHD_Connection *connection, char *ret_peer)
{
	uint32_t hash = 2166136261U; /* FNV-1a */
	struct buf all;

	name_peer(connection, ret_peer);
	if (!httpd_peers_proxied(peers))
		return NULL;
	buf_init(&all, FORWARDED_MAX);
	MHD_get_connection_values(connection, MHD_HEADER_KIND, add_forwarded, &all);
	httpd_proxies_client(peers->proxies, ret_peer,
			     all.size > 0 && buf_ok(&all) ? buf_text(&all) : NULL, ret_peer);
	buf_done(&all);
	for (const char *at = ret_peer; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619U;
	_Atomic unsigned *of_address = &peers->under_way[hash % SLOTS];
	atomic_fetch_add(of_address, 1);
	return of_address;
}

void httpd_peers_leave(_Atomic unsigned *of_address)
{
	if (of_address)
		atomic_fetch_sub(of_address, 1);
}
