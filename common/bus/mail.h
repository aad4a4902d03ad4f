#ifndef BUS_MAIL_H
#define BUS_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct redis;

/*
 * Mails that wait to be sent, in the customers' partitions:
 *
 *   mail:<digest>            sorted set of incidents by time
 *   mail:<digest>:current    hash: message_id, incidents, email_id, attempt; last_ms
 *   mail:due                 sorted set of digests by time
 *
 * A mail that was begun keeps its incidents and its Message-ID until it is sent, so that a
 * repeat is the same mail.
 */
struct mail_digest {
	unsigned partition;
	const char *id; /* 1 to 64 of a-z 0-9 . - */
};

/* Adds an incident, once. The digest is then due wait_ms after its first incident, and
 * interval_ms after the last mail, whichever is later. */
bool mail_add(struct redis *redis, const struct mail_digest *digest, const char *incident,
	      uint64_t wait_ms, uint64_t interval_ms, struct err *err);

/* Digests that are due, at most max ids in the arena. */
bool mail_due(struct redis *redis, unsigned partition, size_t max, struct arena *arena,
	      const char ***ret_ids, size_t *ret_count, struct err *err);

struct mail_current {
	const char *message_id;
	const char **incidents;
	size_t count;
	const char *email_id; /* of ServiceNow, when it has the mail; "" before */
	unsigned attempt;
};

enum { MAIL_INCIDENTS_MAX = 200 };

/* The mail under way, or a new one with message_id; nobody else is given it for busy_ms.
 * ret_current->count is 0 when there is nothing to send now. Texts are in the arena. */
bool mail_take(struct redis *redis, const struct mail_digest *digest, const char *message_id,
	       uint64_t busy_ms, struct arena *arena, struct mail_current *ret_current,
	       struct err *err);
/* Writes email_id and attempt of current; it is due again after delay_ms. */
bool mail_later(struct redis *redis, const struct mail_digest *digest,
		const struct mail_current *current, uint64_t delay_ms, struct err *err);
bool mail_sent(struct redis *redis, const struct mail_digest *digest, const char *message_id,
	       uint64_t interval_ms, struct err *err);

#endif
