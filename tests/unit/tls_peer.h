#ifndef TLS_PEER_H
#define TLS_PEER_H

/* Starts tls_peer: servers that speak TLS well or badly. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char peer_folder[] = "/tmp/tocsin-test-tls-XXXXXX";
static char peer_ca[64];
static char peer_ports[512]; /* "good=1234 wrong=..." */
static pid_t peer;
static int peer_input;

static inline int peer_start(void **state)
{
	int in[2], out[2];
	size_t size = 0;
	ssize_t got = 0;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(peer_folder) || pipe(in) != 0 || pipe(out) != 0)
		return -1;
	snprintf(peer_ca, sizeof peer_ca, "%s/ca.pem", peer_folder);
	peer = fork();
	if (peer == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execl("tests/unit/tls_peer", "tls_peer", peer_folder, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	peer_input = in[1];
	while (size + 1 < sizeof peer_ports && !strchr(peer_ports, '\n') &&
	       (got = read(out[0], peer_ports + size, sizeof peer_ports - 1 - size)) > 0)
		size += (size_t)got;
	close(out[0]);
	return strchr(peer_ports, '\n') ? 0 : -1;
}

static inline int peer_stop(void **state)
{
	char command[100];

	(void)state;
	close(peer_input);
	waitpid(peer, NULL, 0);
	snprintf(command, sizeof command, "rm -r %s", peer_folder);
	return system(command);
}

static inline unsigned peer_port(const char *name)
{
	char wanted[32];

	snprintf(wanted, sizeof wanted, "%s=", name);
	const char *found = strstr(peer_ports, wanted);
	assert(found);
	return (unsigned)strtoul(found + strlen(wanted), NULL, 10);
}

#endif
