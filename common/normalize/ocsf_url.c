#include "normalize/ocsf_url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#include "normalize/text.h"

/* "user@host:port", size bytes. */
static bool split_authority(const char *at, size_t size, struct ocsf_url *parts,
			    struct arena *arena)
{
	const char *credentials = memrchr(at, '@', size);

	if (credentials) {
		size -= (size_t)(credentials + 1 - at);
		at = credentials + 1;
	}
	bool bracketed = size > 0 && *at == '[';
	const char *host = at + bracketed;
	size_t room = size - bracketed;
	const char *host_end = room > 0 ? memchr(host, bracketed ? ']' : ':', room) : NULL;
	if (bracketed && !host_end)
		return false;
	size_t host_size = host_end ? (size_t)(host_end - host) : room;
	if (host_size == 0)
		return false;
	parts->host = text_lower(arena, host, host_size);
	if (host_end && host_end[bracketed] == ':') {
		unsigned long port = strtoul(host_end + bracketed + 1, NULL, 10);
		parts->port = port <= 65535 ? (unsigned)port : 0;
	}
	return true;
}

bool ocsf_url_split(const char *url, struct ocsf_url *ret_parts, struct arena *arena)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789+-.";
	size_t scheme_size = strspn(url, letters);
	const char *at = url + scheme_size;

	*ret_parts = (struct ocsf_url){ 0 };
	if (scheme_size == 0 || !isalpha((unsigned char)url[0]) || strncmp(at, "://", 3) != 0)
		return false;
	at += 3;
	size_t size = strcspn(at, "/?#");
	if (!split_authority(at, size, ret_parts, arena))
		return false;
	ret_parts->scheme = text_lower(arena, url, scheme_size);
	at += size;
	size = strcspn(at, "?#");
	if (size > 0)
		ret_parts->path = arena_strndup(arena, at, size);
	at += size;
	if (*at == '?') {
		size = strcspn(++at, "#");
		if (size > 0)
			ret_parts->query = arena_strndup(arena, at, size);
	}
	return true;
}
