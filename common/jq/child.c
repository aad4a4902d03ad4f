#include "jq/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "jq/frame.h"

#define CHILD_NAME    "tocsin-jq"
#define CHILD_DEFAULT "/usr/bin/" CHILD_NAME

/* ---- start ---- */

/* Beside our own program, so that what is built together runs together. */
static void find_beside(char *ret_path, size_t size)
{
	char own[PATH_MAX];
	ssize_t got = readlink("/proc/self/exe", own, sizeof own - 1);

	snprintf(ret_path, size, "%s", CHILD_DEFAULT);
	if (got <= 0)
		return;
	own[got] = '\0';
	char *slash = strrchr(own, '/');
	if (!slash)
		return;
	*slash = '\0';
	char beside[PATH_MAX + sizeof CHILD_NAME];
	snprintf(beside, sizeof beside, "%s/" CHILD_NAME, own);
	if (access(beside, X_OK) == 0 && strlen(beside) < size)
		memcpy(ret_path, beside, strlen(beside) + 1);
}

static int spawn_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(attributes);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setpgroup(attributes, 0); /* Ctrl-C is for the one who started us */
	return posix_spawnattr_setflags(
	    attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

/* The socket as 0, the pipe as 1 and 2, nothing else: whatever others have open. */
static int spawn_files(posix_spawn_file_actions_t *files, int socket, int errors)
{
	posix_spawn_file_actions_init(files);
	int failed = posix_spawn_file_actions_adddup2(files, socket, STDIN_FILENO);
	if (!failed)
		failed = posix_spawn_file_actions_adddup2(files, errors, STDOUT_FILENO);
	if (!failed)
		failed = posix_spawn_file_actions_adddup2(files, errors, STDERR_FILENO);
	return failed ? failed : posix_spawn_file_actions_addclosefrom_np(files, 3);
}

static int spawn(const char *path, int socket, int errors, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	char name[] = CHILD_NAME;
	char *const arguments[] = { name, NULL }, *const environment[] = { NULL };

	int failed = spawn_files(&files, socket, errors);
	if (!failed)
		failed = spawn_attributes(&attributes);
	if (!failed)
		failed =
		    posix_spawn(ret_pid, path, &files, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return failed;
}

bool child_start(struct child *ret_child, const char *path, struct err *err)
{
	char found[PATH_MAX];
	int sockets[2], errors[2];

	if (!path)
		find_beside(found, sizeof found);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return err_set(err, ERR_TRANSIENT, "no socket for jq: %s", strerror(errno));
	/* Not blocking at its end: a program may write to stderr without limit. */
	if (pipe2(errors, O_CLOEXEC | O_NONBLOCK) < 0) {
		close(sockets[0]);
		close(sockets[1]);
		return err_set(err, ERR_TRANSIENT, "no pipe for jq: %s", strerror(errno));
	}
	int failed = spawn(path ? path : found, sockets[1], errors[1], &ret_child->pid);
	close(sockets[1]);
	close(errors[1]);
	if (failed) {
		close(sockets[0]);
		close(errors[0]);
		ret_child->pid = 0;
		return err_set(err, ERR_TRANSIENT, "cannot start %s: %s", path ? path : found,
			       strerror(failed));
	}
	ret_child->socket = sockets[0];
	ret_child->errors = errors[0];
	ret_child->words[0] = '\0';
	return true;
}

/* ---- bytes ---- */

/* By the real clock: a test that stops the other must not stop a deadline. */
static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool send_some(int socket, const struct buf *out, size_t *sent)
{
	ssize_t put =
	    send(socket, out->data + *sent, out->size - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (put < 0)
		return errno == EAGAIN || errno == EINTR;
	*sent += (size_t)put;
	return true;
}

static bool receive_some(int socket, struct buf *in)
{
	char piece[32 * 1024];
	ssize_t got = recv(socket, piece, sizeof piece, MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	buf_add(in, piece, (size_t)got);
	return got > 0 && buf_ok(in);
}

/* What it says matters only when it dies, and then the end of it. */
static void listen_to(struct child *child)
{
	char piece[4096];
	ssize_t got;

	while ((got = read(child->errors, piece, sizeof piece)) > 0) {
		size_t keep = (size_t)got < CHILD_WORDS - 1 ? (size_t)got : CHILD_WORDS - 1;
		memcpy(child->words, piece + got - keep, keep);
		child->words[keep] = '\0';
	}
}

static size_t count_frames(const struct buf *in, size_t *at, bool *ret_wrong)
{
	size_t count = 0;

	for (;;) {
		struct frame frame;
		size_t used;
		enum frame_state state =
		    frame_read(in->data + *at, in->size - *at, &frame, &used);
		*ret_wrong = state == FRAME_WRONG;
		if (state != FRAME_WHOLE)
			return count;
		*at += used;
		count++;
	}
}

enum child_state child_exchange(struct child *child, const struct buf *out, struct buf *in,
				size_t frames, uint64_t time_ms)
{
	uint64_t deadline_ms = now_ms() + time_ms;
	size_t sent = 0, seen = in->size, count = 0;
	struct pollfd polled[] = { { .fd = child->socket },
				   { .fd = child->errors, .events = POLLIN } };
	bool wrong = false;

	while (count < frames || sent < out->size) {
		uint64_t now = now_ms();

		if (now >= deadline_ms)
			return CHILD_LATE;
		polled[0].events = (short)(POLLIN | (sent < out->size ? POLLOUT : 0));
		if (poll(polled, 2, (int)(deadline_ms - now)) <= 0)
			continue;
		if (polled[1].revents)
			listen_to(child);
		if (polled[1].revents & (POLLHUP | POLLERR))
			polled[1].fd = -1;
		if ((polled[0].revents & POLLOUT) && !send_some(child->socket, out, &sent))
			polled[0].revents |= POLLIN; /* that it said before it went */
		if ((polled[0].revents & (POLLIN | POLLHUP | POLLERR)) &&
		    !receive_some(child->socket, in))
			return CHILD_GONE;
		count += count_frames(in, &seen, &wrong);
		if (wrong)
			return CHILD_CONFUSED;
	}
	return CHILD_ANSWERED;
}

/* ---- end ---- */

int child_stop(struct child *child)
{
	int status = 0;

	if (child->pid == 0)
		return 0;
	/* One that has died keeps the status it died with. */
	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	listen_to(child);
	close(child->socket);
	close(child->errors);
	child->pid = 0;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
