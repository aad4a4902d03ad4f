#ifndef BUS_REDIS_H
#define BUS_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/field.h"
#include "bus/reply.h"

struct arena;

/*
 * One connection to Redis, for one thread. It connects when it is first used and again, with
 * backoff, after it was lost; a command that was under way is never repeated here: err then
 * says whether Redis may have run it (ambiguous). Replies are bounded (REDIS_REPLY_MAX).
 */
struct redis;

enum { REDIS_REPLY_MAX = 64 << 20, REDIS_ARGS_MAX = 4000 };

struct redis_settings {
	const char *url; /* redis://host[:port][/db], rediss://..., unix:/path[?db=n] */
	const char *user;
	const char *password; /* NULL: no AUTH */
	/* rediss only. Who may have signed the server's certificate, NULL: the system's; and
	 * ours with its key, both or neither, where the server wants one. */
	const char *ca_file, *certificate_file, *key_file;
	uint64_t connect_timeout_ms; /* TCP, and each answer of TLS and AUTH */
	uint64_t command_timeout_ms; /* from the last byte sent to the whole reply */
};

/* What an error of Redis means for us; redis_error_table() says what to do about each. */
enum redis_error {
	REDIS_NONE,
	REDIS_IO, /* no connection, or it was lost */
	REDIS_LOADING,
	REDIS_READONLY,
	REDIS_MASTERDOWN,
	REDIS_NOREPLICAS,
	REDIS_UNBLOCKED,
	REDIS_CLUSTERDOWN,
	REDIS_MOVED,
	REDIS_CROSSSLOT,
	REDIS_NOGROUP,
	REDIS_BUSYGROUP,
	REDIS_OOM,
	REDIS_MISCONF,
	REDIS_BUSY,
	REDIS_NOAUTH,
	REDIS_NOPERM,
	REDIS_NOFUNCTION,
	REDIS_WRONGTYPE,
	REDIS_EXECABORT,
	/* of our own functions */
	REDIS_STALE,	/* lease or fence is no longer ours */
	REDIS_FULL,	/* above 80 % of maxmemory: producers wait */
	REDIS_NOSTREAM, /* a stream that setup makes is missing */
	REDIS_REFUSED,	/* our arguments were wrong: a defect of ours */
	REDIS_OTHER,
};

enum redis_action {
	REDIS_RETRY,	 /* the same connection, later */
	REDIS_RECONNECT, /* this connection is of no use, or leads to the wrong server */
	REDIS_ALARM, /* nothing changes until someone acts: say so, be unready, go on trying */
};

/* One row per class. Every class is transient for an entry: no fault of Redis is an event's
 * own. */
struct redis_error_row {
	enum redis_error error;
	const char *prefix; /* how the error text starts; NULL: told apart otherwise */
	enum redis_action action;
	const char *meaning; /* for people: what it is and what helps */
};

const struct redis_error_row *redis_error_table(size_t *ret_count);
const struct redis_error_row *redis_error_row(enum redis_error error);
enum redis_error redis_error_classify(const char *text); /* of an error reply */

/* No network yet. settings and what it points to are borrowed and must outlive the connection.
 * name is what CLIENT LIST shows (copied). */
struct redis *redis_new(const struct redis_settings *settings, const char *name);
void redis_free(struct redis *redis); /* NULL is fine */

/* A wrong URL or a wish this build cannot meet (rediss:// without TLS), before any thread
 * starts; and whether the files for TLS can be used, then or later. */
bool redis_settings_check(const struct redis_settings *settings, struct err *err);
bool redis_files_check(const struct redis_settings *settings, struct err *err);

/* Connects now if need be. */
bool redis_connect(struct redis *redis, struct err *err);
/* Closes the connection; the next command opens a new one. */
void redis_disconnect(struct redis *redis);
/* How long this connection has been up; 0 when it is not. */
uint64_t redis_connected_ms(const struct redis *redis);
/* What CLIENT ID says of this connection; 0 when it is not up, or the user may not ask. */
int64_t redis_client_id(const struct redis *redis);
/* When the certificate of the server it is connected to ends, Unix time; 0 without TLS. */
int64_t redis_certificate_until_s(const struct redis *redis);
/* Of the last command. REDIS_NONE after success. */
enum redis_error redis_error(const struct redis *redis);
/* Answers may take this much longer than command_timeout_ms: the BLOCK time of what is sent. */
void redis_set_block(struct redis *redis, uint64_t block_ms);

/*
 * Sends one command and waits. NULL with err filled (always ERR_TRANSIENT) on any failure, an
 * error reply included: a reply that is returned is never an error. Caller frees it with
 * reply_free(). fmt knows %s, %b (pointer, size_t), %d, %u, %lld, %llu, %%; an argument never
 * becomes two.
 */
struct redis_reply *redis_command(struct redis *redis, struct err *err, const char *fmt, ...);
struct redis_reply *redis_command_argv(struct redis *redis, int argc, const char *const *argv,
				       const size_t *sizes, struct err *err);
/* What a small write begins with that must be possible when Redis is full, because it drains,
 * stops something, or is a person's order: fmt is REDIS_ALWAYS "SET %s PX %d", the key is the
 * first argument. The caller needs fcall on the key as well. */
#define REDIS_ALWAYS "FCALL always 1 %s "
/* The same, for a command whose answer says nothing more. */
bool redis_run(struct redis *redis, struct err *err, const char *fmt, ...);

/*
 * Several commands in one round trip: append each, then read exactly as many replies. Appended
 * bytes are not sent before the first read. redis_read() gives NULL like redis_command(); an
 * error reply (redis_error() is not REDIS_IO) leaves the others readable, a lost connection
 * ends all of them. redis_pending() is how many replies are still to be read.
 */
void redis_append(struct redis *redis, const char *fmt, ...);
void redis_append_argv(struct redis *redis, int argc, const char *const *argv,
		       const size_t *sizes);
struct redis_reply *redis_read(struct redis *redis, struct err *err);
size_t redis_pending(const struct redis *redis);

/* reply when it is a list of exactly count; else it is freed and err filled (NULL too). */
struct redis_reply *redis_expect_list(struct redis_reply *reply, size_t count, struct err *err);

/* The arguments of a function call, built up piece by piece and used once. */
struct redis_call {
	const char **argv;
	size_t *sizes;
	size_t count, room;
	size_t key_count;
	size_t bytes;
	char key_number[24];
	struct arena *arena; /* text of numbers */
};

void redis_call_init(struct redis_call *call, const char *function);
/* Of a call that is not made; zeroed is fine. */
void redis_call_done(struct redis_call *call);
void redis_call_key(struct redis_call *call,
		    const char *key); /* all keys before any argument */
void redis_call_arg(struct redis_call *call, const void *data, size_t size); /* borrowed */
void redis_call_text(struct redis_call *call, const char *text);
void redis_call_number(struct redis_call *call, uint64_t number);
/* How many fields, then names and values. */
void redis_call_fields(struct redis_call *call, const struct field *fields, size_t count);

/* FCALL. As redis_command_argv(); the call is done then. */
struct redis_reply *redis_function(struct redis *redis, struct redis_call *call,
				   struct err *err);
/* Of one that answers a number: whether it is 1. ret_yes may be NULL. */
bool redis_function_yes(struct redis *redis, struct redis_call *call, bool *ret_yes,
			struct err *err);
void redis_append_function(struct redis *redis, struct redis_call *call);

#endif
