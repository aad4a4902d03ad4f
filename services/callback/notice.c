/* What was heard, into the stream `closures`; and of clones, an alarm. */
#include "notice.h"

#include <sodium.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/key.h"
#include "credentials.h"
#include "problem.h"

enum { HOUR_MS = 60 * 60 * 1000, DIGEST_BYTES = 8, RETRY_MS = 5000 };

struct commit *notice_new(struct httpd_exchange *exchange)
{
	return commit_new(exchange, 0, STREAM_CLOSURES, 1);
}

enum httpd_outcome notice_refuse(struct commit *commit, enum problem problem,
				 const char *detail)
{
	struct httpd_exchange *exchange = commit->exchange;
	enum httpd_outcome outcome = problem_answer(exchange, problem, detail);

	commit_free(commit);
	return outcome;
}

enum httpd_outcome notice_refuse_stranger(struct commit *commit,
					  const struct credentials *credentials)
{
	if (credentials)
		return notice_refuse(commit, PROBLEM_UNAUTHORIZED, NULL);
	problem_retry_after(commit->exchange, RETRY_MS);
	return notice_refuse(commit, PROBLEM_UNAVAILABLE, NULL);
}

static const char *nonce_key(struct commit *commit, unsigned partition, const char *nonce)
{
	struct key key;

	key_format(&key, partition, "nonce:%s", nonce);
	return arena_strdup(commit->arena, key.text);
}

enum httpd_outcome notice_submit(const struct app *app, struct commit *commit,
				 unsigned partition, const struct closure *closure,
				 const char *nonce, const char *value, uint64_t nonce_ttl_ms)
{
	struct field *fields = arena_alloc(commit->arena, CLOSURE_FIELDS * sizeof(*fields));
	struct closure said = *closure;

	said.trace = commit_trace(commit);
	said.received_ms = clock_wall_ms();
	key_format(&commit->stream, partition, "%s", STREAM_CLOSURES);
	commit->items[0] = (struct append_item){
		.event = { .fields = fields,
			   .field_count = closure_encode(&said, commit->arena, fields) },
		.nonce_key = nonce ? nonce_key(commit, partition, nonce) : NULL,
		.nonce_value = value,
		.nonce_ttl_ms = nonce_ttl_ms,
	};
	return committer_submit(app->committer, commit);
}

/* ---- clones ---- */

struct clone {
	const char *account, *linked, *said;
};

static void clone_end(struct commit *commit, enum commit_result result)
{
	const struct clone *clone = commit->state;

	/* Said once an hour; when it cannot be told whether it was, too often is better. */
	if (result != COMMIT_DURABLE || commit->answers[0] == APPEND_ADDED)
		log_error("alarm: %s calls with the credentials of account %s, which is linked "
			  "to %s: a clone? It is refused, see docs/callback.md",
			  clone->said, clone->account, clone->linked);
	problem_answer(commit->exchange, PROBLEM_WRONG_INSTANCE, NULL);
}

static const char *digest(struct arena *arena, const char *text)
{
	unsigned char hash[crypto_generichash_BYTES];
	char *hex = arena_alloc(arena, 2 * DIGEST_BYTES + 1);

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)text, strlen(text), NULL,
			   0);
	return sodium_bin2hex(hex, 2 * DIGEST_BYTES + 1, hash, DIGEST_BYTES);
}

enum httpd_outcome notice_of_clone(const struct app *app, struct commit *commit,
				   const struct credentials_instance *instance,
				   const char *instance_name)
{
	struct arena *arena = commit->arena;
	struct clone *clone = arena_alloc(arena, sizeof(*clone));
	const char *nonce;

	clone->account = arena_strdup(arena, instance->record->id);
	clone->linked = arena_strdup(arena, instance->record->callback.instance_name);
	clone->said = arena_strdup(arena, instance_name);
	metric_add(&credentials_clones, 1, clone->account);
	nonce = arena_printf(arena, "clone:%s:%s", clone->account, digest(arena, clone->said));

	const struct field said[] = {
		field_text("v", "1"),
		field_text("kind", "alarm"),
		field_text("account", clone->account),
		field_text("instance_name", clone->said),
		field_text("trace", commit_trace(commit)),
		field_text("text",
			   arena_printf(arena, "%s calls as account %s, which is linked to %s",
					clone->said, clone->account, clone->linked)),
	};
	struct field *fields = arena_alloc(arena, sizeof(said));

	memcpy(fields, said, sizeof(said));
	key_format(&commit->stream, 0, "%s", STREAM_ACTIVITY);
	commit->items[0] = (struct append_item){
		.event = { .fields = fields, .field_count = sizeof(said) / sizeof(said[0]) },
		.nonce_key = nonce_key(commit, 0, nonce),
		.nonce_ttl_ms = HOUR_MS,
	};
	commit->state = clone;
	commit->end = clone_end;
	return committer_submit(app->committer, commit);
}
