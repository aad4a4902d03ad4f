/*
 * The bare limit of taking events in: appends, nothing else.
 *
 *   bare_append SOCKET STREAM FIELDS_BYTES PAYLOAD_BYTES SECONDS
 *
 * One connection; 64 XADD in a pipeline, then their 64 answers, until the time is up. An entry
 * has eight short fields of FIELDS_BYTES together, and a payload. Prints one JSON line with the
 * appends per second.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 64, FIELDS = 8 };

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	fprintf(stderr, "bare_append: %s\n", what);
	exit(1);
}

static void append_batch(redisContext *redis, int argc, const char **argv, const size_t *sizes)
{
	for (unsigned i = 0; i < BATCH; i++)
		redisAppendCommandArgv(redis, argc, argv, sizes);
	for (unsigned i = 0; i < BATCH; i++) {
		redisReply *reply = NULL;

		if (redisGetReply(redis, (void **)&reply) != REDIS_OK ||
		    reply->type == REDIS_REPLY_ERROR)
			fail(reply ? reply->str : redis->errstr);
		freeReplyObject(reply);
	}
}

int main(int argc, char **argv)
{
	if (argc != 6)
		fail("usage: bare_append SOCKET STREAM FIELDS_BYTES PAYLOAD_BYTES SECONDS");
	redisContext *redis = redisConnectUnix(argv[1]);
	size_t field_bytes = strtoul(argv[3], NULL, 10) / FIELDS / 2;
	size_t payload_bytes = strtoul(argv[4], NULL, 10);
	char *text = malloc(payload_bytes + field_bytes + 1);
	const char *words[3 + 2 * (FIELDS + 1)] = { "XADD", argv[2], "*" };
	size_t sizes[3 + 2 * (FIELDS + 1)], count = 3, done = 0;

	if (!redis || redis->err || !text)
		fail("cannot connect");
	memset(text, 'x', payload_bytes + field_bytes);
	for (size_t i = 0; i < count; i++)
		sizes[i] = strlen(words[i]);
	for (; count < 3 + 2 * FIELDS; count++) {
		words[count] = text;
		sizes[count] = field_bytes;
	}
	words[count] = "payload";
	sizes[count++] = 7;
	words[count] = text;
	sizes[count++] = payload_bytes;
	double start = now_s(), end = start + atof(argv[5]);
	for (; now_s() < end; done += BATCH)
		append_batch(redis, (int)count, words, sizes);
	printf("{\"appends\":%zu,\"per_second\":%.0f}\n", done,
	       (double)done / (now_s() - start));
	redisFree(redis);
	free(text);
	return 0;
}
