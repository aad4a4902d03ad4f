/* mail: a mail server, one thread per connection, that keeps what it is given. */
#include "mail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

enum { KEPT = 500, LINE_MAX_BYTES = 4096, MAIL_MAX_BYTES = 4 * 1024 * 1024, IDLE_S = 30 };

struct mails {
	int listener;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	json_t *list;
};

struct session {
	struct mails *mails;
	FILE *stream;
	json_t *to;
	char *from;
};

json_t *mails_list(struct mails *mails)
{
	pthread_mutex_lock(&mails->lock);
	json_t *list = json_deep_copy(mails->list);

	pthread_mutex_unlock(&mails->lock);
	return list;
}

static void mails_add(struct mails *mails, json_t *mail)
{
	json_object_set_new(mail, "at_ms", json_integer((json_int_t)clock_wall_ms()));
	pthread_mutex_lock(&mails->lock);
	if (json_array_size(mails->list) >= KEPT)
		json_array_remove(mails->list, 0);
	json_array_append_new(mails->list, mail);
	pthread_mutex_unlock(&mails->lock);
}

/* ---- one connection ---- */

static bool answer(struct session *session, const char *line)
{
	return fprintf(session->stream, "%s\r\n", line) > 0 && fflush(session->stream) == 0;
}

/* "FROM:<a@b> SIZE=1" is a@b. Caller frees. */
static char *address_of(const char *line)
{
	const char *open = strchr(line, '<');

	return xstrndup(open ? open + 1 : "", open ? strcspn(open + 1, ">\r\n") : 0);
}

static void forget(struct session *session)
{
	free(session->from);
	session->from = NULL;
	json_array_clear(session->to);
}

/* Lines up to a single dot; a dot that begins a line was doubled. False when it is cut off. */
static bool read_data(struct session *session, struct buf *text)
{
	char line[LINE_MAX_BYTES];

	while (fgets(line, sizeof(line), session->stream)) {
		if (strcmp(line, ".\r\n") == 0)
			return buf_ok(text);
		buf_adds(text, line[0] == '.' ? line + 1 : line);
	}
	return false;
}

static bool take_data(struct session *session)
{
	struct buf text;

	if (json_array_size(session->to) == 0)
		return answer(session, "503 who is it for?");
	if (!answer(session, "354 go on"))
		return false;
	buf_init(&text, MAIL_MAX_BYTES);
	bool whole = read_data(session, &text);

	if (whole) {
		json_t *mail = mail_parse(buf_text(&text), text.size);

		json_object_set(mail, "to", session->to);
		session->to = (json_decref(session->to), json_array());
		mails_add(session->mails, mail);
	}
	buf_done(&text);
	return whole && answer(session, "250 kept");
}

static bool obey(struct session *session, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0 || strncasecmp(line, "HELO", 4) == 0)
		return answer(session, "250 sandbox");
	if (strncasecmp(line, "MAIL", 4) == 0) {
		forget(session);
		session->from = address_of(line);
		return answer(session, "250 ok");
	}
	if (strncasecmp(line, "RCPT", 4) == 0) {
		char *address = address_of(line);

		json_array_append_new(session->to, json_string(address));
		free(address);
		return answer(session, "250 ok");
	}
	if (strncasecmp(line, "DATA", 4) == 0)
		return take_data(session);
	if (strncasecmp(line, "RSET", 4) == 0) {
		forget(session);
		return answer(session, "250 ok");
	}
	if (strncasecmp(line, "QUIT", 4) == 0) {
		answer(session, "221 bye");
		return false;
	}
	return answer(session, strncasecmp(line, "NOOP", 4) == 0 ? "250 ok" : "502 not here");
}

static void *serve(void *opaque)
{
	struct session *session = opaque;
	char line[LINE_MAX_BYTES];
	bool on = answer(session, "220 sandbox ESMTP");

	while (on && fgets(line, sizeof(line), session->stream))
		on = obey(session, line);
	fclose(session->stream);
	json_decref(session->to);
	free(session->from);
	free(session);
	return NULL;
}

static void begin(struct mails *mails, int connection)
{
	const struct timeval idle = { .tv_sec = IDLE_S };
	struct session *session = xcalloc(1, sizeof(*session));
	pthread_t thread;

	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
	*session = (struct session){ .mails = mails,
				     .stream = fdopen(connection, "r+"),
				     .to = json_array() };
	if (session->stream && pthread_create(&thread, NULL, serve, session) == 0) {
		pthread_detach(thread);
		return;
	}
	if (session->stream)
		fclose(session->stream);
	else
		close(connection);
	json_decref(session->to);
	free(session);
}

/* ---- the server ---- */

static void *listen_on(void *opaque)
{
	struct mails *mails = opaque;
	int connection;

	while ((connection = accept4(mails->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 ||
	       errno == EINTR || errno == ECONNABORTED) {
		if (connection >= 0)
			begin(mails, connection);
	}
	return NULL;
}

struct mails *mails_start(const char *address, uint16_t port, struct err *err)
{
	struct mails *mails = xcalloc(1, sizeof(*mails));
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t size = sizeof(at);
	const int on = 1;

	mails->list = json_array();
	pthread_mutex_init(&mails->lock, NULL);
	mails->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(mails->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (inet_pton(AF_INET, address, &at.sin_addr) == 1 &&
	    bind(mails->listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    listen(mails->listener, 64) == 0 &&
	    getsockname(mails->listener, (struct sockaddr *)&at, &size) == 0) {
		mails->port = ntohs(at.sin_port);
		if (pthread_create(&mails->thread, NULL, listen_on, mails) == 0)
			return mails;
	}
	err_fill(err, ERR_PERMANENT, "mail: %s:%u: %s", address, port, strerror(errno));
	close(mails->listener);
	json_decref(mails->list);
	free(mails);
	return NULL;
}

uint16_t mails_port(const struct mails *mails)
{
	return mails->port;
}

void mails_stop(struct mails *mails)
{
	if (!mails)
		return;
	shutdown(mails->listener, SHUT_RDWR);
	pthread_join(mails->thread, NULL);
	close(mails->listener);
	/* Connections that are open may still add: the list stays until the process ends. */
}
