#ifndef UNIT_VENDOR_FAKE_H
#define UNIT_VENDOR_FAKE_H

/*
 * The vendors' clients without a network: their HTTP and their gate are replaced by scripts.
 * Answers are given in the order in which they were added; what was asked is kept. Include
 * once, in the test itself; start with fake_start(), end with fake_end().
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bus/gate.h"
#include "model/customer.h"
#include "model/vault.h"
#include "net/http.h"
#include "vendor/session.h"
#include "vendor/settings.h"

enum { FAKE_MAX = 64 };

struct fake_answer {
	int status; /* 0: no answer, error below */
	const char *body;
	const char *headers; /* "Name: value\nName: value", NULL for none */
	const char *type;    /* NULL: application/json */
	enum err_kind kind;
	bool ambiguous;
};

struct fake_request {
	char method[16];
	char url[4096];
	char body[8192];
	char bearer[128];
	char basic_user[128];
	char basic_password[128];
	char content_type[128];
	char header[128]; /* the first of further ones */
	bool (*may_redirect)(const char *from, const char *to);
};

/* What a gate call was given. */
struct fake_leave {
	enum gate_outcome outcome;
	bool probe;
	uint64_t retry_after_ms;
	char reason[256];
};

static struct {
	pthread_mutex_t lock;
	struct fake_answer answers[FAKE_MAX];
	size_t answer_count, answered;
	struct fake_request requests[FAKE_MAX];
	size_t request_count;
	struct gate_pass pass; /* what gate_enter() says */
	bool gate_down;
	size_t entered;
	struct fake_leave leaves[FAKE_MAX];
	size_t leave_count;
	bool parked;
	char reason[200];
	size_t changes;
	enum gate_change change; /* last one told to the service */
	char vault_path[64];
	struct vault *vault;
	struct vendor *vendor;
	struct arena *arena;
	struct account account;
	struct vendor_session session;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void fake_copy(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", from ? from : "");
}

static bool fake_lost(const struct fake_answer *answer, struct err *err)
{
	err_fill(err, answer->kind, "no answer");
	if (err)
		err->ambiguous = answer->ambiguous;
	return false;
}

static void fake_response(const struct fake_answer *answer, struct http_response *ret_response)
{
	struct buf headers;

	buf_init(&headers, 65536);
	buf_adds(&headers, "Content-Type: ");
	buf_adds(&headers, answer->type ? answer->type : "application/json");
	if (answer->headers) {
		buf_adds(&headers, "\n");
		buf_adds(&headers, answer->headers);
	}
	buf_adds(&headers, "\n\n");
	for (size_t i = 0; i < headers.size; i++) {
		if (headers.data[i] == '\n')
			headers.data[i] = '\0';
	}
	*ret_response =
	    (struct http_response){ .status = answer->status,
				    .body = xstrdup(answer->body ? answer->body : "") };
	ret_response->size = strlen(ret_response->body);
	ret_response->headers = buf_take(&headers, NULL);
	ret_response->content_type = ret_response->headers + strlen("Content-Type: ");
}

bool http_exchange(struct http *http, const struct http_request *request,
		   struct http_response *ret_response, struct err *err)
{
	(void)http;
	*ret_response = (struct http_response){ 0 };
	pthread_mutex_lock(&fake.lock);
	struct fake_answer answer =
	    fake.answered < fake.answer_count
		? fake.answers[fake.answered++]
		: (struct fake_answer){ .kind = ERR_TRANSIENT, .ambiguous = true };

	if (fake.request_count < FAKE_MAX) {
		struct fake_request *seen = &fake.requests[fake.request_count++];

		fake_copy(seen->method, sizeof seen->method,
			  request->method ? request->method : "GET");
		fake_copy(seen->url, sizeof seen->url, request->url);
		snprintf(seen->body, sizeof seen->body, "%.*s", (int)request->size,
			 request->body ? (const char *)request->body : "");
		fake_copy(seen->bearer, sizeof seen->bearer, request->bearer);
		fake_copy(seen->basic_user, sizeof seen->basic_user, request->basic_user);
		fake_copy(seen->basic_password, sizeof seen->basic_password,
			  request->basic_password);
		fake_copy(seen->content_type, sizeof seen->content_type, request->content_type);
		fake_copy(seen->header, sizeof seen->header,
			  request->headers ? request->headers[0] : NULL);
		seen->may_redirect = request->redirects ? request->may_redirect : NULL;
	}
	pthread_mutex_unlock(&fake.lock);
	if (!answer.status)
		return fake_lost(&answer, err);
	fake_response(&answer, ret_response);
	return true;
}

bool gate_enter(struct redis *redis, const char *id, enum gate_class class,
		const struct gate_limits *limits, struct gate_pass *ret_pass, struct err *err)
{
	(void)redis, (void)id, (void)class, (void)limits;
	fake.entered++;
	*ret_pass = fake.pass;
	return fake.gate_down ? err_set(err, ERR_TRANSIENT, "Redis is away") : true;
}

bool gate_leave(struct redis *redis, const char *id, const struct gate_limits *limits,
		const struct gate_pass *pass, const struct gate_result *result,
		enum gate_change *ret_change, struct err *err)
{
	bool probe = pass->answer == GATE_PROBE;

	(void)redis, (void)id, (void)limits, (void)err;
	*ret_change = GATE_SAME;
	assert_true(fake.leave_count < FAKE_MAX);
	fake.leaves[fake.leave_count] =
	    (struct fake_leave){ .outcome = result->outcome,
				 .probe = probe,
				 .retry_after_ms = result->retry_after_ms };
	fake_copy(fake.leaves[fake.leave_count++].reason, 256, result->reason);
	if (result->outcome == GATE_FAULT) {
		*ret_change = fake.parked ? GATE_SAME : GATE_NEWLY_PARKED;
		fake.parked = true;
		fake_copy(fake.reason, sizeof fake.reason, result->reason);
	} else if (result->outcome == GATE_OK && probe && fake.parked) {
		*ret_change = GATE_RESUMED;
		fake.parked = false;
	}
	return true;
}

bool gate_park(struct redis *redis, const char *id, const char *reason, bool *ret_changed,
	       struct err *err)
{
	(void)redis, (void)id, (void)err;
	*ret_changed = !fake.parked;
	fake.parked = true;
	fake_copy(fake.reason, sizeof fake.reason, reason);
	return true;
}

bool gate_read(struct redis *redis, const char *id, struct gate_state *ret_state,
	       struct err *err)
{
	(void)redis, (void)id, (void)err;
	*ret_state = (struct gate_state){ .known = true, .parked = fake.parked };
	fake_copy(ret_state->reason, sizeof ret_state->reason, fake.reason);
	return true;
}

static void fake_on_change(const struct vendor_session *session, enum gate_change change,
			   const char *reason, void *opaque)
{
	(void)session, (void)reason, (void)opaque;
	fake.changes++;
	fake.change = change;
}

static inline void fake_answer(struct fake_answer answer)
{
	assert_true(fake.answer_count < FAKE_MAX);
	fake.answers[fake.answer_count++] = answer;
}

static inline void fake_json(int status, const char *body)
{
	fake_answer((struct fake_answer){ .status = status, .body = body });
}

static inline const struct fake_request *fake_asked(size_t index)
{
	assert_true(index < fake.request_count);
	return &fake.requests[index];
}

/* Forgets script and record, keeps account and tokens. */
static inline void fake_reset(void)
{
	fake.answer_count = fake.answered = fake.request_count = 0;
	fake.entered = fake.leave_count = fake.changes = 0;
	fake.pass = (struct gate_pass){ .answer = GATE_ENTERED };
	fake.gate_down = fake.parked = false;
	fake.reason[0] = '\0';
	fake.session = (struct vendor_session){ .vendor = fake.vendor,
						.account = &fake.account,
						.class = VENDOR_OPENING };
}

/* threads and share as vendor_new() takes them. */
static inline void fake_start(enum account_kind kind, enum account_auth auth, unsigned threads)
{
	const struct vendor_settings settings = { .share = 8,
						  .start_by_ms = 5000,
						  .probe_interval_ms = 60000 };
	const struct vendor_needs base = { .threads = threads, .on_change = fake_on_change };
	struct vendor_needs needs = base;
	char id[16];

	snprintf(fake.vault_path, sizeof fake.vault_path, "/tmp/vendor-fake-XXXXXX");
	int fd = mkstemp(fake.vault_path);
	assert_true(fd >= 0);
	close(fd);
	unlink(fake.vault_path);
	assert_true(vault_keygen(fake.vault_path, id, NULL));
	fake.vault = vault_open(fake.vault_path, NULL);
	assert_non_null(fake.vault);
	fake.account = (struct account){
		.id = xstrdup("acme.vendor"),
		.kind = kind,
		.owner = xstrdup("acme"),
		.url = xstrdup("https://vendor.example"),
		.intel_url = xstrdup("https://intel.example/ctia"),
		.auth = auth,
		.client_id = xstrdup("client"),
		.username = auth == ACCOUNT_AUTH_BASIC ? xstrdup("robot") : NULL,
	};
	assert_true(account_seal(&fake.account, fake.vault, "s3cret&=", NULL));
	needs.vault = fake.vault;
	needs.settings = &settings;
	fake.vendor = vendor_new(&needs);
	fake.arena = arena_new();
	fake_reset();
}

static inline void fake_end(void)
{
	vendor_free(fake.vendor);
	arena_free(fake.arena);
	vault_free(fake.vault);
	unlink(fake.vault_path);
	free(fake.account.id);
	free(fake.account.owner);
	free(fake.account.url);
	free(fake.account.intel_url);
	free(fake.account.client_id);
	free(fake.account.username);
	free(fake.account.secret);
}

#endif
