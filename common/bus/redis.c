/* One connection to Redis: connecting, sending, and reading exactly as many replies as were
 * asked for. hiredis is used below its blocking convenience calls, so that sizes and times are
 * bounded. */
#include "bus/redis.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/redis_tls.h"
#include "bus/redis_url.h"
#include "bus/reply_reader.h"

enum { RECONNECT_BASE_MS = 50, RECONNECT_CAP_MS = 2000, TCP_SILENCE_MS = 10000 };

struct redis {
	const struct redis_settings *settings; /* borrowed */
	struct redis_url url;
	struct err url_err; /* kind is ERR_NONE when the URL is fine */
	char name[192];
	redisContext *context; /* NULL while not connected */
	struct reply_bounds bounds;
	size_t pending;	     /* replies still to be read */
	size_t lost;	     /* of those, how many will never come */
	struct err lost_err; /* why */
	enum redis_error lost_error;
	bool leave;		/* reconnect once nothing is pending */
	bool sent;		/* bytes of what is pending may have reached Redis */
	enum redis_error error; /* of the last command */
	uint64_t block_ms;	/* replies may take this much longer */
	int64_t client_id;
	int64_t certificate_until_s;
	unsigned failures;	  /* to connect, in a row */
	uint64_t next_try_ms;	  /* monotonic */
	uint64_t connected_at_ms; /* monotonic */
};

bool redis_settings_check(const struct redis_settings *settings, struct err *err)
{
	struct redis_url url;
	if (!redis_url_parse(settings->url, &url, err))
		return false;
	if (url.tls && !redis_tls_available())
		return err_set(
		    err, ERR_PERMANENT,
		    "TOCSIN_REDIS_URL: this build has no TLS to Redis, hiredis was "
		    "older than 1.0 (Debian 12) or came without hiredis_ssl: use our "
		    "images, build on Debian 13, or use redis:// through a tunnel");
	if (!settings->certificate_file != !settings->key_file)
		return err_set(err, ERR_PERMANENT,
			       "TOCSIN_REDIS_CERTIFICATE_FILE and TOCSIN_REDIS_KEY_FILE go "
			       "together");
	if (settings->user && !settings->password)
		return err_set(err, ERR_PERMANENT,
			       "TOCSIN_REDIS_USER is set but no password: set "
			       "TOCSIN_REDIS_PASSWORD_FILE");
	return true;
}

bool redis_files_check(const struct redis_settings *settings, struct err *err)
{
	struct redis_url url;
	return redis_url_parse(settings->url, &url, err) &&
	       (!url.tls || redis_tls_check(settings, err));
}

/* hiredis writes to sockets that may be gone; the default action of SIGPIPE would end us. */
static void ignore_sigpipe(void)
{
	struct sigaction now;
	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

struct redis *redis_new(const struct redis_settings *settings, const char *name)
{
	struct redis *redis = xcalloc(1, sizeof(*redis));
	redis->settings = settings;
	snprintf(redis->name, sizeof(redis->name), "%s", name);
	if (redis_settings_check(settings, &redis->url_err))
		redis_url_parse(settings->url, &redis->url, &redis->url_err);
	ignore_sigpipe();
	return redis;
}

void redis_free(struct redis *redis)
{
	if (!redis)
		return;
	redis_disconnect(redis);
	free(redis);
}

void redis_disconnect(struct redis *redis)
{
	if (redis->context)
		redisFree(redis->context);
	redis->context = NULL;
	redis->leave = false;
	if (redis->pending > redis->lost) {
		err_fill(&redis->lost_err, ERR_TRANSIENT, "the connection to Redis was closed");
		redis->lost_err.ambiguous = redis->sent;
		redis->lost_error = REDIS_IO;
		redis->lost = redis->pending;
	}
}

uint64_t redis_connected_ms(const struct redis *redis)
{
	return redis->context ? clock_mono_ms() - redis->connected_at_ms : 0;
}

int64_t redis_client_id(const struct redis *redis)
{
	return redis->context ? redis->client_id : 0;
}

int64_t redis_certificate_until_s(const struct redis *redis)
{
	return redis->context ? redis->certificate_until_s : 0;
}

enum redis_error redis_error(const struct redis *redis)
{
	return redis->error;
}

size_t redis_pending(const struct redis *redis)
{
	return redis->pending;
}

static struct timeval timeval_of(uint64_t ms)
{
	return (struct timeval){ .tv_sec = (time_t)(ms / 1000),
				 .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
}

void redis_set_block(struct redis *redis, uint64_t block_ms)
{
	if (block_ms == redis->block_ms)
		return;
	redis->block_ms = block_ms;
	if (redis->context)
		redisSetTimeout(redis->context,
				timeval_of(redis->settings->command_timeout_ms + block_ms));
}

/* Ends the connection; everything pending is lost with it. */
static void connection_lost(struct redis *redis, const char *what)
{
	err_fill(&redis->lost_err, ERR_TRANSIENT, "Redis: %s", what);
	redis->lost_err.ambiguous = redis->sent;
	redis->lost_error = REDIS_IO;
	redis->lost = redis->pending;
	redis->next_try_ms = clock_mono_ms() + backoff_ms(RECONNECT_BASE_MS, RECONNECT_CAP_MS,
							  redis->failures, 0);
	if (redis->failures < 16)
		redis->failures++;
	redis_disconnect(redis);
}

/* errno was cleared before the call that failed: hiredis takes an old one for the reason. */
static const char *context_error(const redisContext *context)
{
	bool io = context->err == REDIS_ERR_IO;
	if (io && (errno == EAGAIN || errno == EWOULDBLOCK))
		return "no answer in time";
	if (context->err == REDIS_ERR_EOF || (io && errno == 0)) {
		const char *reason = redis_tls_reason(context);
		if (reason)
			return reason;
	}
	return context->errstr[0] != '\0' ? context->errstr : "unknown error";
}

/* One command of the greeting; an error reply ends it unless optional. */
static bool greet(redisContext *context, bool optional, struct err *err, int argc,
		  const char **argv)
{
	errno = 0;
	redisReply *reply = redisCommandArgv(context, argc, argv, NULL);
	if (!reply)
		return err_set(err, ERR_TRANSIENT, "%s", context_error(context));
	bool accepted = reply->type != REDIS_REPLY_ERROR || optional;
	if (!accepted)
		err_fill(err, ERR_TRANSIENT, "%s: %s", argv[0], reply->str);
	freeReplyObject(reply);
	return accepted;
}

/* Who may be unblocked by it (worker.c); without the right to ask, a read just lasts its time.
 */
static int64_t ask_client_id(redisContext *context)
{
	redisReply *reply = redisCommand(context, "CLIENT ID");
	int64_t id = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
	if (reply)
		freeReplyObject(reply);
	return id;
}

static bool greeting(struct redis *redis, redisContext *context, struct err *err)
{
	const struct redis_settings *settings = redis->settings;
	if (settings->password) {
		const char *user = settings->user ? settings->user : "default";
		if (!greet(context, false, err, 3,
			   (const char *[]){ "AUTH", user, settings->password }))
			return false;
	}
	/* A name is a courtesy to operators; a user without the right to give one may work. */
	if (!greet(context, true, err, 3, (const char *[]){ "CLIENT", "SETNAME", redis->name }))
		return false;
	redis->client_id = ask_client_id(context);
	char db[16];
	snprintf(db, sizeof(db), "%u", redis->url.db);
	return redis->url.db == 0 ||
	       greet(context, false, err, 2, (const char *[]){ "SELECT", db });
}

static redisContext *open_context(struct redis *redis, struct err *err)
{
	const struct redis_url *url = &redis->url;
	struct timeval limit = timeval_of(redis->settings->connect_timeout_ms);
	redisContext *context = url->path[0] != '\0'
				    ? redisConnectUnixWithTimeout(url->path, limit)
				    : redisConnectWithTimeout(url->host, (int)url->port, limit);
	if (!context) {
		err_fill(err, ERR_TRANSIENT, "out of memory");
		return NULL;
	}
	if (context->err) {
		err_fill(err, ERR_TRANSIENT, "%s", context_error(context));
		redisFree(context);
		return NULL;
	}
	if (url->path[0] == '\0') {
		unsigned silence = TCP_SILENCE_MS;
		redisEnableKeepAlive(context);
		setsockopt(context->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence,
			   sizeof(silence));
	}
	redis->certificate_until_s = 0;
	if (redisSetTimeout(context, limit) != REDIS_OK ||
	    (url->tls && !redis_tls_start(context, url->host, redis->settings,
					  &redis->certificate_until_s, err))) {
		redisFree(context);
		return NULL;
	}
	return context;
}

static bool connect_failed(struct redis *redis, const char *why, struct err *err)
{
	const char *where = redis->url.path[0] ? redis->url.path : redis->url.host;
	err_fill(err, ERR_TRANSIENT, "Redis at %s: %s", where, why);
	/* greet() puts the command in front of what Redis said. */
	const char *said = strstr(why, ": ");
	redis->error = redis_error_classify(said ? said + 2 : why);
	if (redis->error == REDIS_OTHER)
		redis->error = REDIS_IO;
	uint64_t wait = backoff_ms(RECONNECT_BASE_MS, RECONNECT_CAP_MS, redis->failures, 0);
	redis->next_try_ms = clock_mono_ms() + wait;
	if (err)
		err->retry_after_ms = wait;
	if (redis->failures < 16)
		redis->failures++;
	return false;
}

/* What a server may want of us that just ends a connection; NULL when it gets all. */
static const char *unmet_wish(const struct redis *redis)
{
	if (redis->url.tls)
		return redis->settings->certificate_file ? NULL
							 : "TOCSIN_REDIS_CERTIFICATE_FILE";
	return redis->url.path[0] == '\0' ? "TLS (rediss://)" : NULL;
}

bool redis_connect(struct redis *redis, struct err *err)
{
	struct err why = { 0 };
	if (redis->context)
		return true;
	redis->error = REDIS_IO;
	if (redis->url_err.kind != ERR_NONE)
		return err_set(err, redis->url_err.kind, "%s", redis->url_err.text);
	uint64_t now = clock_mono_ms();
	if (now < redis->next_try_ms) {
		err_fill(err, ERR_TRANSIENT,
			 "Redis: not connected; waiting before the next try");
		if (err)
			err->retry_after_ms = redis->next_try_ms - now;
		return false;
	}
	redisContext *context = open_context(redis, &why);
	if (!context)
		return connect_failed(redis, why.text, err);
	if (!greeting(redis, context, &why)) {
		const char *wanted = unmet_wish(redis);
		bool cut = context->err == REDIS_ERR_IO || context->err == REDIS_ERR_EOF;
		if (cut && wanted)
			err_prefix(&why, "it ends, or wants %s", wanted);
		redisFree(context);
		return connect_failed(redis, why.text, err);
	}
	redisSetTimeout(context,
			timeval_of(redis->settings->command_timeout_ms + redis->block_ms));
	reply_bound(context->reader, &redis->bounds);
	redis->context = context;
	redis->failures = 0;
	redis->connected_at_ms = clock_mono_ms();
	redis->error = REDIS_NONE;
	return true;
}

/* True when a command may be appended; else its reply is already lost. */
static bool append_ready(struct redis *redis)
{
	if (redis->pending == 0) {
		redis->lost = 0;
		redis->sent = false;
		if (redis->leave)
			redis_disconnect(redis);
	}
	redis->pending++;
	if (redis->lost > 0) {
		redis->lost++;
		return false;
	}
	if (!redis_connect(redis, &redis->lost_err)) {
		redis->lost_error = redis->error;
		redis->lost++;
		return false;
	}
	return true;
}

void redis_append_argv(struct redis *redis, int argc, const char *const *argv,
		       const size_t *sizes)
{
	if (!append_ready(redis))
		return;
	if (redisAppendCommandArgv(redis->context, argc, (const char **)argv, sizes) !=
	    REDIS_OK)
		connection_lost(redis, context_error(redis->context));
}

static void append_formatted(struct redis *redis, const char *fmt, va_list args)
{
	if (!append_ready(redis))
		return;
	if (redisvAppendCommand(redis->context, fmt, args) != REDIS_OK)
		connection_lost(redis, context_error(redis->context));
}

void redis_append(struct redis *redis, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	append_formatted(redis, fmt, args);
	va_end(args);
}

static bool flush(struct redis *redis)
{
	int done = 0;
	while (!done) {
		redis->sent = true;
		errno = 0;
		if (redisBufferWrite(redis->context, &done) != REDIS_OK) {
			connection_lost(redis, context_error(redis->context));
			return false;
		}
	}
	return true;
}

/* Reads more bytes; what a reply has of them in all is bounded, however it is cut. */
static bool read_more(struct redis *redis, size_t *total)
{
	const redisReader *reader = redis->context->reader;
	size_t before = reader->len;
	errno = 0;
	if (redisBufferRead(redis->context) != REDIS_OK) {
		connection_lost(redis, context_error(redis->context));
		return false;
	}
	*total += reader->len - before;
	if (*total > REDIS_REPLY_MAX) {
		connection_lost(redis, "an answer of more than 64 MiB");
		return false;
	}
	return true;
}

static redisReply *next_reply(struct redis *redis)
{
	const struct redis_settings *settings = redis->settings;
	uint64_t until = clock_mono_ms() + settings->command_timeout_ms + redis->block_ms;
	size_t total = 0;
	void *reply = NULL;
	for (;;) {
		if (redisGetReplyFromReader(redis->context, &reply) != REDIS_OK) {
			connection_lost(redis, context_error(redis->context));
			return NULL;
		}
		if (reply)
			return reply;
		if (clock_mono_ms() > until) {
			connection_lost(redis, "no whole answer in time");
			return NULL;
		}
		if (!read_more(redis, &total))
			return NULL;
	}
}

struct redis_reply *redis_read(struct redis *redis, struct err *err)
{
	redisReply *reply = NULL;
	assert(redis->pending > 0);
	if (redis->lost == 0 && flush(redis))
		reply = next_reply(redis);
	if (!reply) {
		redis->pending--;
		redis->lost--;
		redis->error = redis->lost_error;
		if (err)
			*err = redis->lost_err;
		return NULL;
	}
	redis->pending--;
	redis->error = REDIS_NONE;
	if (reply->type != REDIS_REPLY_ERROR)
		return (struct redis_reply *)reply;

	redis->error = redis_error_classify(reply->str);
	const struct redis_error_row *row = redis_error_row(redis->error);
	redis->leave = redis->leave || row->action == REDIS_RECONNECT;
	err_fill(err, ERR_TRANSIENT, "Redis: %s (%.120s)", row->meaning, reply->str);
	freeReplyObject(reply);
	return NULL;
}

struct redis_reply *redis_command_argv(struct redis *redis, int argc, const char *const *argv,
				       const size_t *sizes, struct err *err)
{
	assert(redis->pending == 0);
	redis_append_argv(redis, argc, argv, sizes);
	return redis_read(redis, err);
}

struct redis_reply *redis_command(struct redis *redis, struct err *err, const char *fmt, ...)
{
	va_list args;
	assert(redis->pending == 0);
	va_start(args, fmt);
	append_formatted(redis, fmt, args);
	va_end(args);
	return redis_read(redis, err);
}

bool redis_run(struct redis *redis, struct err *err, const char *fmt, ...)
{
	va_list args;
	assert(redis->pending == 0);
	va_start(args, fmt);
	append_formatted(redis, fmt, args);
	va_end(args);
	struct redis_reply *reply = redis_read(redis, err);
	bool answered = reply != NULL;
	reply_free(reply);
	return answered;
}

struct redis_reply *redis_expect_list(struct redis_reply *reply, size_t count, struct err *err)
{
	if (!reply || (reply_type(reply) == REPLY_ARRAY && reply_count(reply) == count))
		return reply;
	err_fill(err, ERR_TRANSIENT,
		 "Redis: an answer of another shape than our functions give; is another "
		 "version of the library loaded?");
	reply_free(reply);
	return NULL;
}
