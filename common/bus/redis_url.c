#include "bus/redis_url.h"

#include <stdlib.h>
#include <string.h>

enum { REDIS_PORT = 6379, REDIS_DB_MAX = 9999 };

static bool parse_number(const char *text, unsigned max, unsigned *ret_value)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 5 || text[digits] != '\0')
		return false;
	*ret_value = (unsigned)strtoul(text, NULL, 10);
	return *ret_value <= max;
}

static bool parse_socket(const char *text, struct redis_url *ret_url)
{
	if (strncmp(text, "//", 2) == 0)
		text += 2;
	size_t length = strcspn(text, "?");
	if (text[0] != '/' || length >= sizeof(ret_url->path))
		return false;
	memcpy(ret_url->path, text, length);
	if (text[length] == '\0')
		return true;
	return strncmp(text + length, "?db=", 4) == 0 &&
	       parse_number(text + length + 4, REDIS_DB_MAX, &ret_url->db);
}

static bool parse_host(const char *text, struct redis_url *ret_url)
{
	char authority[320] = "";
	size_t length = strcspn(text, "/");
	if (length >= sizeof(authority))
		return false;
	memcpy(authority, text, length);
	const char *db = text[length] == '/' ? text + length + 1 : "";
	if (db[0] != '\0' && !parse_number(db, REDIS_DB_MAX, &ret_url->db))
		return false;

	const char *start = authority;
	char *end = NULL;
	if (authority[0] == '[') {
		start++;
		end = strchr(authority, ']');
		if (!end || (end[1] != ':' && end[1] != '\0'))
			return false;
		*end++ = '\0';
	} else {
		end = authority + strcspn(authority, ":");
	}
	ret_url->port = REDIS_PORT;
	if (*end == ':') {
		*end++ = '\0';
		if (!parse_number(end, 65535, &ret_url->port) || ret_url->port == 0)
			return false;
	}
	if (start[0] == '\0' || strlen(start) >= sizeof(ret_url->host))
		return false;
	memcpy(ret_url->host, start, strlen(start) + 1);
	return true;
}

bool redis_url_parse(const char *text, struct redis_url *ret_url, struct err *err)
{
	bool valid = false;
	memset(ret_url, 0, sizeof(*ret_url));
	if (!text)
		return err_set(err, ERR_PERMANENT, "no address of Redis: set TOCSIN_REDIS_URL");
	if (strchr(text, '@'))
		return err_set(err, ERR_PERMANENT,
			       "no user or password in TOCSIN_REDIS_URL, please: they go into "
			       "TOCSIN_REDIS_USER and TOCSIN_REDIS_PASSWORD_FILE");
	if (strncmp(text, "redis://", 8) == 0) {
		valid = parse_host(text + 8, ret_url);
	} else if (strncmp(text, "rediss://", 9) == 0) {
		valid = parse_host(text + 9, ret_url);
		ret_url->tls = true;
	} else if (strncmp(text, "unix:", 5) == 0) {
		valid = parse_socket(text + 5, ret_url);
	}
	if (!valid)
		return err_set(err, ERR_PERMANENT,
			       "TOCSIN_REDIS_URL: \"%.80s\" is no address of Redis: "
			       "redis://host[:port][/db], "
			       "rediss://host[:port][/db] or unix:/path[?db=n]",
			       text);
	return true;
}
