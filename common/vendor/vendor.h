#ifndef VENDOR_VENDOR_H
#define VENDOR_VENDOR_H

#include "bus/gate.h"
#include "vendor/session.h"

struct http;
struct pass_cache;
struct share;
struct token_cache;
struct vault;

/* Private to session.c, passage.c and attempt.c: what all sessions of a process share. */
struct vendor {
	struct http *http;
	const struct vault *vault;
	struct gate_limits limits; /* those that are the same for every account */
	uint64_t deadline_ms;
	uint64_t start_by_ms;
	void (*on_change)(const struct vendor_session *session, enum gate_change change,
			  const char *reason, void *opaque);
	void *opaque;
	struct share *share;
	struct pass_cache *passes;
	struct token_cache *tokens;
};

/* Nothing was sent, and why; come back after wait_ms. Always false. */
bool vendor_refuse(struct vendor_session *session, enum vendor_refusal refusal,
		   uint64_t wait_ms, const char *why, struct err *err);

#endif
