/* Trusted proxies, and the client behind them. */
#include "net/httpd_proxies.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { NETWORKS_MAX = 64, ADDRESS_BYTES = 16, V4_PREFIX = 96 };

/* IPv4 as ::ffff:a.b.c.d, so that there is one kind. */
struct network {
	unsigned char address[ADDRESS_BYTES];
	unsigned bits;
};

struct httpd_proxies {
	struct network networks[NETWORKS_MAX];
	unsigned count;
};

static bool parse_address(const char *text, unsigned char *ret_address)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, text, ret_address + sizeof mapped) == 1) {
		memcpy(ret_address, mapped, sizeof mapped);
		return true;
	}
	return inet_pton(AF_INET6, text, ret_address) == 1;
}

static bool parse_network(char *text, struct network *ret_network)
{
	char *slash = strchr(text, '/'), *end;
	bool is_v4 = !strchr(text, ':');
	unsigned long bits = is_v4 ? 32 : 128;

	if (slash) {
		*slash = '\0';
		bits = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end != '\0' ||
		    bits > (is_v4 ? 32UL : 128UL))
			return false;
	}
	ret_network->bits = (unsigned)bits + (is_v4 ? V4_PREFIX : 0);
	return parse_address(text, ret_network->address);
}

static bool contains(const struct network *network, const unsigned char *address)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (memcmp(network->address, address, whole) != 0)
		return false;
	unsigned mask = rest ? 0xffU << (8 - rest) & 0xffU : 0;
	return rest == 0 || ((network->address[whole] ^ address[whole]) & mask) == 0;
}

static bool is_trusted(const struct httpd_proxies *proxies, const unsigned char *address)
{
	for (unsigned i = 0; i < proxies->count; i++) {
		if (contains(&proxies->networks[i], address))
			return true;
	}
	return false;
}

struct httpd_proxies *httpd_proxies_new(const char *text, struct err *err)
{
	struct httpd_proxies *proxies = xcalloc(1, sizeof *proxies);
	char *copy = xstrdup(text ? text : ""), *rest = copy, *one;

	while ((one = strsep(&rest, ", "))) {
		if (*one == '\0')
			continue;
		if (proxies->count == NETWORKS_MAX ||
		    !parse_network(one, &proxies->networks[proxies->count])) {
			err_fill(err, ERR_PERMANENT,
				 "trusted proxies: %.60s is no address or network, or one of "
				 "more than %d",
				 one, NETWORKS_MAX);
			free(copy);
			free(proxies);
			return NULL;
		}
		proxies->count++;
	}
	free(copy);
	return proxies;
}

void httpd_proxies_free(struct httpd_proxies *proxies)
{
	free(proxies);
}

bool httpd_proxies_any(const struct httpd_proxies *proxies)
{
	return proxies->count > 0;
}

/* "192.0.2.7", "192.0.2.7:4711", "[2001:db8::1]:4711", "2001:db8::1" */
static bool parse_hop(const char *text, size_t size, unsigned char *ret_address)
{
	char hop[64];

	while (size > 0 && *text == ' ') {
		text++;
		size--;
	}
	while (size > 0 && text[size - 1] == ' ')
		size--;
	if (size > 0 && *text == '[') {
		const char *close = memchr(text, ']', size);
		if (!close)
			return false;
		size = (size_t)(close - ++text);
	} else {
		const char *colon = memchr(text, ':', size);
		if (colon && !memchr(colon + 1, ':', size - (size_t)(colon + 1 - text)))
			size = (size_t)(colon - text);
	}
	if (size >= sizeof hop)
		return false;
	memcpy(hop, text, size);
	hop[size] = '\0';
	return parse_address(hop, ret_address);
}

static void format_address(const unsigned char *address, char *ret_text)
{
	bool is_v4 = memcmp(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;

	inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? address + 12 : address, ret_text,
		  INET6_ADDRSTRLEN);
}

void httpd_proxies_client(const struct httpd_proxies *proxies, const char *peer,
			  const char *forwarded, char *ret_address)
{
	unsigned char address[ADDRESS_BYTES], hop[ADDRESS_BYTES];
	const char *end = forwarded ? forwarded + strlen(forwarded) : NULL;

	if (!parse_address(peer, address)) {
		snprintf(ret_address, INET6_ADDRSTRLEN, "%s", peer);
		return;
	}
	while (end && is_trusted(proxies, address)) {
		const char *start = end;
		while (start > forwarded && start[-1] != ',')
			start--;
		if (!parse_hop(start, (size_t)(end - start), hop))
			break; /* the proxy does not know: it is the proxy's */
		memcpy(address, hop, sizeof address);
		end = start > forwarded ? start - 1 : NULL;
	}
	format_address(address, ret_address);
}
