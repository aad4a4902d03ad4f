#ifndef UNIT_WIRE_H
#define UNIT_WIRE_H

/* Plain sockets on the loopback for tests that need to see or send exact bytes. Every wait ends
 * after WIRE_PATIENCE_S, so that a broken peer fails a test instead of hanging it. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { WIRE_PATIENCE_S = 20 };

static inline void wire_limit(int fd)
{
	const struct timeval limit = { .tv_sec = WIRE_PATIENCE_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static inline struct sockaddr_in wire_loopback(unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((unsigned short)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A listening socket on a free port, -1 on failure. */
static inline int wire_listen(unsigned *ret_port)
{
	struct sockaddr_in at = wire_loopback(0);
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_port = 0;
	if (bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, 128) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) != 0) {
		close(fd);
		return -1;
	}
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static inline int wire_connect(unsigned port)
{
	struct sockaddr_in at = wire_loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	wire_limit(fd);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline bool wire_send(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t done = send(fd, at, size, MSG_NOSIGNAL);
		if (done <= 0)
			return false;
		at += done;
		size -= (size_t)done;
	}
	return true;
}

static inline bool wire_say(int fd, const char *text)
{
	return wire_send(fd, text, strlen(text));
}

/* Reads until the peer closes or room is full; the text is NUL-terminated. */
static inline size_t wire_read_all(int fd, char *ret_text, size_t room)
{
	size_t size = 0;

	while (size + 1 < room) {
		ssize_t got = recv(fd, ret_text + size, room - 1 - size, 0);
		if (got <= 0)
			break;
		size += (size_t)got;
	}
	ret_text[size] = '\0';
	return size;
}

#endif
