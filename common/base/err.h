#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

/* The only distinctions a caller can act on. */
enum err_kind {
	ERR_NONE = 0,
	ERR_TRANSIENT, /* the same input may work later: network, 408, 429, 5xx */
	ERR_PERMANENT, /* this input will never work: bad JSON, a 400 of its own */
	ERR_ACCOUNT,   /* every input of this vendor account fails: 401, 403, data policy, quota
			*/
	ERR_STOPPING,  /* we are shutting down: neither success nor failure */
};

struct err {
	enum err_kind kind;
	bool ambiguous;		 /* the peer may have acted although we saw no answer */
	uint64_t retry_after_ms; /* the peer's hint, 0 when there is none */
	char text[240];		 /* for people: what, where, what to do; never a secret */
};

/* Fills err (NULL is allowed), clearing ambiguous and retry_after_ms. */
void err_fill(struct err *err, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts text in front of what err says, "reading acme.json: <what it said>". */
void err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "transient", "permanent", ...: the names used in logs, metrics and dead letters. */
const char *err_kind_name(enum err_kind kind);

/* For `return err_set(err, ERR_TRANSIENT, "...")`. A macro, so that compilers and analyzers
 * see the constant false. */
#define err_set(err, ...) (err_fill((err), __VA_ARGS__), false)

#endif
