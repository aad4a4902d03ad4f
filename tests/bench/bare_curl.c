/*
 * The bare limit of calls to a vendor: libcurl's multi interface doing POSTs, nothing else.
 *
 *   bare_curl URL USER:PASSWORD IN_FLIGHT TOTAL BODY_BYTES
 *
 * Every call creates a ServiceNow incident, the connections are kept. Prints one JSON line with
 * the calls per second and how many were not answered 201.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct call {
	CURL *easy;
	char *body;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t discard(char *data, size_t size, size_t count, void *opaque)
{
	(void)data;
	(void)opaque;
	return size * count;
}

static char *make_body(size_t size, size_t number)
{
	char *body = malloc(size + 128);
	int n = snprintf(
	    body, 128, "{\"correlation_id\": \"bare-%zu\", \"short_description\": \"", number);

	memset(body + n, 'x', size);
	strcpy(body + n + size, "\"}");
	return body;
}

static void start(CURLM *multi, struct call *call, size_t number, size_t body_bytes)
{
	free(call->body);
	call->body = make_body(body_bytes, number);
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->body);
	curl_multi_add_handle(multi, call->easy);
}

static CURL *new_easy(struct call *call, const char *url, const char *login,
		      struct curl_slist *headers)
{
	CURL *easy = curl_easy_init();

	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_USERPWD, login);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	return easy;
}

int main(int argc, char **argv)
{
	if (argc < 6) {
		fprintf(stderr,
			"usage: bare_curl URL USER:PASSWORD IN_FLIGHT TOTAL BODY_BYTES\n");
		return 2;
	}
	size_t in_flight = strtoul(argv[3], NULL, 10), total = strtoul(argv[4], NULL, 10);
	size_t body_bytes = strtoul(argv[5], NULL, 10), started = 0, done = 0, other = 0;
	struct call *calls = calloc(in_flight, sizeof(*calls));
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");

	curl_global_init(CURL_GLOBAL_ALL);
	CURLM *multi = curl_multi_init();

	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)in_flight);
	double begin = now_s();

	for (; started < in_flight && started < total; started++) {
		calls[started].easy = new_easy(&calls[started], argv[1], argv[2], headers);
		start(multi, &calls[started], started, body_bytes);
	}
	while (done < total) {
		int running = 0, left = 0;
		CURLMsg *message;

		curl_multi_perform(multi, &running);
		while ((message = curl_multi_info_read(multi, &left))) {
			struct call *call = NULL;
			long status = 0;

			if (message->msg != CURLMSG_DONE)
				continue;
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
					  (char **)&call);
			curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE,
					  &status);
			other += status != 201;
			done++;
			curl_multi_remove_handle(multi, message->easy_handle);
			if (started < total)
				start(multi, call, started++, body_bytes);
		}
		if (done < total)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	double seconds = now_s() - begin;

	printf("{\"calls\": %zu, \"seconds\": %.4f, \"per_second\": %.1f, \"not_201\": %zu}\n",
	       done, seconds, (double)done / seconds, other);
	return 0;
}
