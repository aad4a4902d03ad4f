/*
 * The bare limit of a stage between two streams: read, append, acknowledge, nothing else.
 *
 *   bare_loop SOCKET IN OUT GROUP THREADS OUT_BYTES [multi]
 *
 * Each thread has a connection and a consumer; XREADGROUP COUNT 64, then XADD and XACK per
 * entry in one pipeline (or in one MULTI). Ends when the stream has nothing more and prints one
 * JSON line with the entries per second of all threads.
 */
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 64, THREADS_MAX = 64 };

struct job {
	const char *socket, *in, *out, *group;
	unsigned number;
	size_t out_bytes;
	bool multi;
	size_t done;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void expect(redisContext *redis, unsigned replies)
{
	for (unsigned i = 0; i < replies; i++) {
		redisReply *reply = NULL;

		if (redisGetReply(redis, (void **)&reply) != REDIS_OK ||
		    reply->type == REDIS_REPLY_ERROR) {
			fprintf(stderr, "bare_loop: %s\n", reply ? reply->str : redis->errstr);
			exit(1);
		}
		freeReplyObject(reply);
	}
}

static void pass_on(redisContext *redis, const struct job *job, const redisReply *entries,
		    const char *payload)
{
	unsigned replies = 0;

	if (job->multi) {
		redisAppendCommand(redis, "MULTI");
		replies++;
	}
	for (size_t i = 0; i < entries->elements; i++) {
		redisAppendCommand(redis, "XADD %s * payload %b", job->out, payload,
				   job->out_bytes);
		redisAppendCommand(redis, "XACK %s %s %s", job->in, job->group,
				   entries->element[i]->element[0]->str);
		replies += 2;
	}
	if (job->multi) {
		redisAppendCommand(redis, "EXEC");
		replies++;
	}
	expect(redis, replies);
}

static void *loop(void *opaque)
{
	struct job *job = opaque;
	redisContext *redis = redisConnectUnix(job->socket);
	char *payload = malloc(job->out_bytes + 1);

	if (!redis || redis->err || !payload) {
		fprintf(stderr, "bare_loop: cannot connect to %s\n", job->socket);
		exit(1);
	}
	memset(payload, 'x', job->out_bytes);
	for (;;) {
		redisReply *reply =
		    redisCommand(redis, "XREADGROUP GROUP %s bare-%u COUNT %d STREAMS %s >",
				 job->group, job->number, BATCH, job->in);

		if (!reply || reply->type != REDIS_REPLY_ARRAY) {
			freeReplyObject(reply);
			break;
		}
		pass_on(redis, job, reply->element[0]->element[1], payload);
		job->done += reply->element[0]->element[1]->elements;
		freeReplyObject(reply);
	}
	free(payload);
	redisFree(redis);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 7) {
		fprintf(stderr,
			"usage: bare_loop SOCKET IN OUT GROUP THREADS OUT_BYTES [multi]\n");
		return 2;
	}
	unsigned threads = (unsigned)strtoul(argv[5], NULL, 10);
	pthread_t ids[THREADS_MAX];
	struct job jobs[THREADS_MAX];
	size_t done = 0;

	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	double start = now_s();

	for (unsigned i = 0; i < threads; i++) {
		jobs[i] = (struct job){ .socket = argv[1],
					.in = argv[2],
					.out = argv[3],
					.group = argv[4],
					.number = i,
					.out_bytes = strtoul(argv[6], NULL, 10),
					.multi = argc > 7 && strcmp(argv[7], "multi") == 0 };
		pthread_create(&ids[i], NULL, loop, &jobs[i]);
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		done += jobs[i].done;
	}
	double seconds = now_s() - start;

	printf("{\"entries\": %zu, \"seconds\": %.4f, \"per_second\": %.1f}\n", done, seconds,
	       (double)done / seconds);
	return 0;
}
