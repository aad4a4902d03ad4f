#ifndef NORMALIZE_OCSF_URL_H
#define NORMALIZE_OCSF_URL_H

#include <stdbool.h>

struct arena;

/* Parts of an absolute URL with an authority (RFC 3986 section 3), as far as they are there:
 * NULL and 0 else. Percent-encoding stays. */
struct ocsf_url {
	const char *scheme;
	const char *host; /* lower case, without brackets and credentials */
	unsigned port;
	const char *path;
	const char *query; /* without '?' */
};

/* False when it is none: then nothing of it can be told apart. */
bool ocsf_url_split(const char *url, struct ocsf_url *ret_parts, struct arena *arena);

#endif
