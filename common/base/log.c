/*
 * Log lines. Everything one line needs is on the stack or in thread-local storage; the only
 * thing threads share is the set of secrets, read under a read lock. A line leaves in one
 * write(2), so lines of several threads do not mix (PIPE_BUF is 4 KiB, and so is a line).
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum {
	LINE_MAX_BYTES = 4096,
	MESSAGE_MAX_BYTES = 2900, /* what is left beside a full context */
	CONTEXT_KEYS = 8,
	CONTEXT_KEY_BYTES = 16,
	CONTEXT_VALUE_BYTES = 112,
	SECRETS = 4096,
	SECRET_MIN_BYTES = 6,
	SECRET_BUCKETS = 1024,
};

static const char *_Atomic service_name = "tocsin";
static _Atomic int minimum_level = LOG_LEVEL_INFO;
static void (*_Atomic sink_function)(const char *line, size_t size);

static _Thread_local struct {
	char key[CONTEXT_KEY_BYTES];
	char value[CONTEXT_VALUE_BYTES];
} context[CONTEXT_KEYS]; /* an empty key is a free place */

/* Secrets by the hash of their first SECRET_MIN_BYTES bytes. */
struct secret {
	struct secret *next;
	uint64_t used; /* the one unused for longest makes room */
	size_t size;
	char text[];
};

static struct {
	pthread_rwlock_t lock;
	struct secret *buckets[SECRET_BUCKETS];
	size_t count;
	uint64_t uses;
} secrets = { .lock = PTHREAD_RWLOCK_INITIALIZER };

void log_setup(const char *service, enum log_level minimum)
{
	atomic_store(&service_name, service);
	atomic_store(&minimum_level, minimum);
}

void log_sink(void (*sink)(const char *line, size_t size))
{
	atomic_store(&sink_function, sink);
}

void log_context(const char *key, const char *value)
{
	int place = -1;

	for (int i = CONTEXT_KEYS - 1; i >= 0; i--)
		if (context[i].key[0] == '\0')
			place = i;
	for (int i = 0; i < CONTEXT_KEYS; i++)
		if (strncmp(context[i].key, key, CONTEXT_KEY_BYTES - 1) == 0)
			place = i;
	if (place < 0)
		return;
	if (value) {
		snprintf(context[place].key, CONTEXT_KEY_BYTES, "%s", key);
		snprintf(context[place].value, CONTEXT_VALUE_BYTES, "%s", value);
	} else {
		context[place].key[0] = '\0';
	}
}

void log_context_clear(void)
{
	for (int i = 0; i < CONTEXT_KEYS; i++)
		context[i].key[0] = '\0';
}

static size_t secret_bucket(const char *text)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (int i = 0; i < SECRET_MIN_BYTES; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619U;
	return hash % SECRET_BUCKETS;
}

static void secret_evict(void)
{
	struct secret **oldest = NULL;

	for (size_t i = 0; i < SECRET_BUCKETS; i++)
		for (struct secret **at = &secrets.buckets[i]; *at; at = &(*at)->next)
			if (!oldest || (*at)->used < (*oldest)->used)
				oldest = at;
	if (!oldest)
		return;
	struct secret *gone = *oldest;
	*oldest = gone->next;
	explicit_bzero(gone->text, gone->size);
	free(gone);
	secrets.count--;
}

static void secret_add(const char *text, size_t size)
{
	struct secret **bucket = &secrets.buckets[secret_bucket(text)];

	secrets.uses++;
	for (struct secret *known = *bucket; known; known = known->next) {
		if (known->size == size && memcmp(known->text, text, size) == 0) {
			known->used = secrets.uses;
			return;
		}
	}
	if (secrets.count == SECRETS)
		secret_evict();
	struct secret *fresh = xmalloc(sizeof *fresh + size);
	fresh->used = secrets.uses;
	fresh->size = size;
	memcpy(fresh->text, text, size);
	fresh->next = *bucket;
	*bucket = fresh;
	secrets.count++;
}

void log_mask(const char *secret)
{
	size_t size = secret ? strlen(secret) : 0;

	if (size < SECRET_MIN_BYTES)
		return;
	pthread_rwlock_wrlock(&secrets.lock);
	secret_add(secret, size);
	pthread_rwlock_unlock(&secrets.lock);
}

/* Length of the longest secret that starts at text, 0 for none. */
static size_t secret_at(const char *text, size_t size)
{
	size_t longest = 0;

	if (size < SECRET_MIN_BYTES)
		return 0;
	for (struct secret *s = secrets.buckets[secret_bucket(text)]; s; s = s->next)
		if (s->size <= size && s->size > longest && memcmp(s->text, text, s->size) == 0)
			longest = s->size;
	return longest;
}

/* Appends text as the inside of a JSON string with every secret replaced. */
static void add_masked(struct buf *line, const char *text)
{
	size_t size = strlen(text);
	size_t start = 0, at = 0;

	pthread_rwlock_rdlock(&secrets.lock);
	while (secrets.count > 0 && at < size) {
		size_t hit = secret_at(text + at, size - at);
		if (hit == 0) {
			at++;
			continue;
		}
		buf_add_json(line, text + start, at - start);
		buf_adds(line, "***");
		at += hit;
		start = at;
	}
	pthread_rwlock_unlock(&secrets.lock);
	buf_add_json(line, text + start, size - start);
}

/* Appends at most room bytes of a JSON string's inside, never half an escape or character. */
static void add_cut(struct buf *line, const struct buf *inside, size_t room)
{
	size_t size = inside->size, whole = 0;
	const char *s = buf_text(inside);

	if (size <= room) {
		buf_add(line, s, size);
		return;
	}
	for (size_t at = 0; at <= room - 3;) {
		whole = at;
		if (s[at] == '\\')
			at += s[at + 1] == 'u' ? 6 : 2;
		else
			do
				at++;
			while (((unsigned char)s[at] & 0xc0) == 0x80);
	}
	buf_add(line, s, whole);
	buf_adds(line, "...");
}

static void write_all(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t done = write(STDERR_FILENO, data, size);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* nobody listens; there is no better place to say so */
		data += done;
		size -= (size_t)done;
	}
}

static void compose(struct buf *line, enum log_level level, const char *message)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	char time[CLOCK_TEXT_SIZE];
	struct buf inside;

	clock_format(clock_wall_ms(), time);
	buf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"service\":\"%s\"", time,
		 names[level], atomic_load(&service_name));
	buf_init(&inside, SIZE_MAX / 2);
	for (int i = 0; i < CONTEXT_KEYS; i++) {
		if (context[i].key[0] == '\0')
			continue;
		buf_reset(&inside);
		add_masked(&inside, context[i].value);
		buf_addf(line, ",\"%s\":\"", context[i].key);
		add_cut(line, &inside, CONTEXT_VALUE_BYTES);
		buf_adds(line, "\"");
	}
	buf_reset(&inside);
	add_masked(&inside, message);
	buf_adds(line, ",\"msg\":\"");
	add_cut(line, &inside, MESSAGE_MAX_BYTES);
	buf_adds(line, "\"}\n");
	buf_done(&inside);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	int saved = errno; /* so that a log line between a call and its errno does no harm */
	struct buf line;
	va_list args;

	if ((int)level < atomic_load_explicit(&minimum_level, memory_order_relaxed))
		return;
	/* Secrets are masked in the whole message before it is cut: half a secret is one, too.
	 */
	char *text = NULL;
	va_start(args, fmt);
	int size = vasprintf(&text, fmt, args);
	va_end(args);
	if (size < 0)
		return;
	buf_init(&line, LINE_MAX_BYTES);
	compose(&line, level, text);
	free(text);

	void (*sink)(const char *, size_t) = atomic_load(&sink_function);
	(sink ? sink : write_all)(buf_text(&line), line.size);
	buf_done(&line);
	errno = saved;
}
