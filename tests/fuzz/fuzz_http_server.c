/* Bytes of a stranger, through a real socket, into the server. Whatever arrives at a handler
 * must be framed as the server promises. */
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/httpd.h"

enum { BODY_MAX = 64 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static enum httpd_outcome look(struct httpd_exchange *exchange, void *state)
{
	size_t size;
	const char *body = httpd_body(exchange, &size);
	const char *path = httpd_path(exchange);
	bool reads = strcmp(httpd_method(exchange), "POST") != 0;

	(void)state;
	must(strncmp(path, "/x", 2) == 0);
	must(size <= (reads ? 0 : BODY_MAX));
	must(memchr(body, '\0', size) != NULL || strlen(body) == size);
	must(httpd_header(exchange, "Host") != NULL);
	must(httpd_header(exchange, "Transfer-Encoding") == NULL);
	must(size == 0 || httpd_header(exchange, "Content-Length") != NULL);
	httpd_query(exchange, "q");
	httpd_answer(exchange, 200, "text/plain", body, size);
	return HTTPD_DONE;
}

static struct httpd *server(void)
{
	static const struct httpd_route routes[] = {
		{ "GET", "/x*", look, 0 },
		{ "POST", "/x", look, BODY_MAX },
		{ 0 },
	};
	static struct httpd *httpd;
	const struct httpd_settings settings = {
		.address = "127.0.0.1", .routes = routes, .head_bytes = 4096, .keep_alive = true
	};

	if (!httpd) {
		signal(SIGPIPE, SIG_IGN);
		httpd = httpd_new(&settings, NULL);
		must(httpd != NULL);
	}
	return httpd;
}

static void send_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t done = send(fd, at, size, MSG_NOSIGNAL);
		if (done <= 0)
			return;
		at += done;
		size -= (size_t)done;
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const char last[] = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((unsigned short)httpd_port(server())),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[4096];

	must(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
	send_all(fd, data, size);
	/* A last request that ends the connection: the server would else wait for more. */
	send_all(fd, last, sizeof last - 1);
	shutdown(fd, SHUT_WR);
	while (recv(fd, answer, sizeof answer, 0) > 0)
		;
	/* No lingering state, or the ports of a long run are used up. */
	const struct linger reset = { .l_onoff = 1 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
	return 0;
}
