#ifndef PRIVATE_REDIS_H
#define PRIVATE_REDIS_H

/* A Redis of the test's own, on a socket in a folder that goes with it; with TOCSIN_TEST_TLS in
 * the environment on a port, with TLS. */
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus/redis.h"

struct private_redis {
	char folder[64];
	char url[96];
	char socket[80];
	char ca_file[96], certificate[96], port[8]; /* "" without TLS */
	pid_t pid;
	struct redis_settings settings;
};

static inline void nap_ms(unsigned ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L };
	nanosleep(&time, NULL);
}

/* Waits for a condition instead of a time. */
#define WAIT_FOR(condition, seconds)                                                           \
	do {                                                                                   \
		unsigned waited_ms = 0;                                                        \
		while (!(condition)) {                                                         \
			if (waited_ms > (seconds)*1000u)                                       \
				fail_msg("waited %u s for %s", (unsigned)(seconds),            \
					 #condition);                                          \
			nap_ms(5);                                                             \
			waited_ms += 5;                                                        \
		}                                                                              \
	} while (0)

static inline bool private_redis_answers(const struct private_redis *server)
{
	struct err err;
	struct redis *redis = redis_new(&server->settings, "probe");
	bool answers = redis_run(redis, &err, "PING");
	redis_free(redis);
	return answers;
}

/* Redis 7.0 reads a file that was cut within a transaction, but leaves its first half there: it
 * is run at the next start with what came after it, or both are lost. Its checker cuts it off.
 */
static inline void private_redis_mend(const struct private_redis *server)
{
	char command[256];
	snprintf(command, sizeof(command),
		 "cd '%s/appendonlydir' 2>&1 && echo y | redis-check-aof --fix "
		 "appendonly.aof.manifest 2>&1",
		 server->folder);
	FILE *output = popen(command, "r");
	assert(output);
	while (fgets(command, sizeof(command), output))
		continue;
	pclose(output);
}

static inline void private_redis_run(struct private_redis *server)
{
	private_redis_mend(server);
	server->pid = fork();
	assert(server->pid >= 0);
	if (server->pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
		       server->socket, "--dir", server->folder, "--save", "", "--appendonly",
		       "yes", "--appendfsync", "always", server->port[0] ? "--tls-port" : NULL,
		       server->port, "--tls-auth-clients", "no", "--tls-cert-file",
		       server->certificate, "--tls-key-file", server->certificate,
		       (char *)NULL);
		_exit(127);
	}
	for (unsigned i = 0; i < 2000 && !private_redis_answers(server); i++)
		nap_ms(5);
	assert(private_redis_answers(server));
}

static inline void private_redis_kill(struct private_redis *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

/* A port that was free a moment ago. */
static inline unsigned free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert(bind(fd, (const struct sockaddr *)(const void *)&address, size) == 0);
	assert(getsockname(fd, (struct sockaddr *)(void *)&address, &size) == 0);
	close(fd);
	return ntohs(address.sin_port);
}

static inline void private_redis_with_tls(struct private_redis *server)
{
	char command[160];
	snprintf(command, sizeof(command),
		 "deploy/redis/make-certificate %s localhost </dev/null", server->folder);
	int status = system(command);
	assert(status == 0);
	unsigned port = free_port();
	snprintf(server->port, sizeof(server->port), "%u", port);
	snprintf(server->url, sizeof(server->url), "rediss://localhost:%u", port);
	snprintf(server->ca_file, sizeof(server->ca_file), "%s/redis-ca.pem", server->folder);
	snprintf(server->certificate, sizeof(server->certificate), "%s/redis.pem",
		 server->folder);
	server->settings.ca_file = server->ca_file;
}

static inline struct private_redis *private_redis_start(void)
{
	struct private_redis *server = calloc(1, sizeof(*server));
	assert(server);
	snprintf(server->folder, sizeof(server->folder), "/tmp/tocsin-redis-XXXXXX");
	assert(mkdtemp(server->folder));
	snprintf(server->socket, sizeof(server->socket), "%s/s", server->folder);
	snprintf(server->url, sizeof(server->url), "unix:%s", server->socket);
	server->settings = (struct redis_settings){ .url = server->url,
						    .connect_timeout_ms = 2000,
						    .command_timeout_ms = 2000 };
	if (getenv("TOCSIN_TEST_TLS"))
		private_redis_with_tls(server);
	private_redis_run(server);
	return server;
}

static inline void private_redis_stop(struct private_redis *server)
{
	char command[128];
	if (server->pid)
		private_redis_kill(server);
	snprintf(command, sizeof(command), "rm -rf '%s'", server->folder);
	if (system(command) != 0)
		fprintf(stderr, "cannot remove %s\n", server->folder);
	free(server);
}

#endif
