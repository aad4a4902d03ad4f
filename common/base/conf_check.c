/* What conf.c needs of the world outside its table: secret files, and misspelt names. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/nearest.h"

enum { NAME_MAX_BYTES = NEAREST_NAME_MAX };

static bool read_bounded(int fd, char *data, size_t room, size_t *ret_size)
{
	*ret_size = 0;
	while (*ret_size < room) {
		ssize_t got = read(fd, data + *ret_size, room - *ret_size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			return true;
		*ret_size += (size_t)got;
	}
	return true;
}

char *conf_read_file(const char *path, size_t max, struct err *err)
{
	size_t size = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		err_fill(err, ERR_PERMANENT, "cannot open %s: %s", path, strerror(errno));
		return NULL;
	}
	char *text = xmalloc(max + 2);
	bool got = read_bounded(fd, text, max + 1, &size);
	int reason = errno;
	close(fd);
	text[size] = '\0';
	if (got && size <= max && !memchr(text, '\0', size)) {
		if (size > 0 && text[size - 1] == '\n')
			text[--size] = '\0';
		if (size > 0 && text[size - 1] == '\r')
			text[--size] = '\0';
		return text;
	}
	if (!got)
		err_fill(err, ERR_PERMANENT, "cannot read %s: %s", path, strerror(reason));
	else if (size > max)
		err_fill(err, ERR_PERMANENT, "%s is larger than %zu bytes", path, max);
	else
		err_fill(err, ERR_PERMANENT, "%s holds a zero byte: it is not text", path);
	explicit_bzero(text, size);
	free(text);
	return NULL;
}

/* Kubernetes sets TOCSIN_CALLBACK_SERVICE_HOST, TOCSIN_CALLBACK_PORT=tcp://... and the like for
 * every Service it knows: those are not ours to judge. */
static bool is_service_link(const char *name, const char *value)
{
	return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") ||
	       strstr(name, "_TCP_") || strstr(name, "_UDP_") ||
	       strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0;
}

struct nearest {
	const char *wanted;
	bool known;
	size_t distance;
	char name[NAME_MAX_BYTES + 8];
};

static void consider(struct nearest *nearest, const char *name, const char *suffix)
{
	char full[NAME_MAX_BYTES + 8];

	snprintf(full, sizeof full, "%s%s", name, suffix);
	if (strcmp(full, nearest->wanted) == 0)
		nearest->known = true;
	size_t apart = nearest_distance(full, nearest->wanted);
	if (apart >= nearest->distance)
		return;
	nearest->distance = apart;
	memcpy(nearest->name, full, sizeof full);
}

static void search(struct nearest *nearest, const struct conf_option *const *tables,
		   const char *const *also_known)
{
	for (; tables && *tables; tables++) {
		for (const struct conf_option *row = *tables; row->name; row++) {
			consider(nearest, row->name, "");
			if (row->flags & CONF_SECRET)
				consider(nearest, row->name, "_FILE");
		}
	}
	for (; also_known && *also_known; also_known++) {
		size_t size = strlen(*also_known);
		consider(nearest, *also_known, "");
		/* Which of them are secrets is not known here: none is suggested as a file. */
		if (strncmp(nearest->wanted, *also_known, size) == 0 &&
		    strcmp(nearest->wanted + size, "_FILE") == 0)
			nearest->known = true;
	}
}

bool conf_check_unknown(const struct conf_option *const *tables, const char *const *also_known,
			struct err *err)
{
	for (char **entry = environ; *entry; entry++) {
		char name[NAME_MAX_BYTES];
		size_t size = strcspn(*entry, "=");

		if (strncmp(*entry, "TOCSIN_", 7) != 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)size, *entry);
		if (is_service_link(name, *entry + size + ((*entry)[size] == '=')))
			continue;
		struct nearest nearest = { .wanted = name, .distance = NAME_MAX_BYTES };
		search(&nearest, tables, also_known);
		if (nearest.known)
			continue;
		return err_set(err, ERR_PERMANENT, "unknown setting %s: did you mean %s?", name,
			       nearest.name[0] ? nearest.name : "one of --help");
	}
	return true;
}
