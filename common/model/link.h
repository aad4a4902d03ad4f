#ifndef MODEL_LINK_H
#define MODEL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;

/*
 * Links that act: text signed with ed25519 which says what may be done to which incident. The
 * incident service and the client sign with the private key; the callback, which faces the
 * internet, has only the public one; the incident service verifies again before it acts. A
 * token is safe in a URL as it is:
 *
 *	<key id>.<base64url of payload and signature>
 *
 * Holding a link is not enough for what harms: see model/code.h.
 *
 * Key files hold one key a line, newest first: the first signs, all verify, so that links
 * signed before a change of keys still work. Keys that are put into a file later are used
 * without a restart; one that is taken out is forgotten at the next start.
 *	private  <key id> <base64 of 64 bytes, libsodium's secret key>
 *	public   <key id> <base64 of 32 bytes>
 */
enum link_purpose {
	LINK_VERDICT, /* close with a verdict */
	LINK_APPROVE, /* contain the host that waits for approval */
	LINK_CLOSE,   /* the ticket was closed: value in the closing URL of the work note */
	LINK_PURPOSES,
};

/* As signed. Texts are plain ASCII; an empty one may be given as NULL and is read as "". */
struct link {
	enum link_purpose purpose;
	bool needs_code;     /* it would release or contain a host: page asks for the code */
	unsigned partition;  /* at most 65,535 */
	uint64_t expires_ms; /* 0: never, for LINK_CLOSE only */
	const char *installation; /* at most 12 bytes */
	const char *customer;	  /* at most 24 */
	const char *incident;	  /* 16 hex */
	const char *instance;	  /* ServiceNow account, at most 49 */
	const char *sys_id;	  /* 32 hex, or empty while there is no ticket */
	const char *number;	  /* of the ticket, shown to people; at most 40 */
	/* Of this very link, 16 hex, derived from all the above: what is used only once. Set by
	 * link_sign() and link_verify(). */
	char id[17];
};

enum link_fault {
	LINK_GOOD,
	LINK_MALFORMED, /* not a token */
	LINK_FORGED,	/* altered, or signed with a key that is not in the file */
	LINK_FOREIGN,	/* of another installation */
	LINK_MISUSED,	/* good for another purpose */
	LINK_EXPIRED,
};

enum { LINK_TOKEN_MAX = 512 }; /* bytes; none is longer */

/* Keys of one file: any thread may use them. */
struct link_keys;

/* The private file must not be readable by others. NULL with err filled. */
struct link_keys *link_keys_open_private(const char *path, struct err *err);
struct link_keys *link_keys_open_public(const char *path, struct err *err);
void link_keys_free(struct link_keys *keys); /* wipes them; NULL is fine */

/* One more key in front of both files (made when missing), the public one first, so that
 * nothing is signed with a key that nobody can verify. ret_id holds 16 bytes. */
bool link_keygen(const char *private_path, const char *public_path, char *ret_id,
		 struct err *err);

/* The token, in the arena; the same link gives the same token. NULL with err (permanent) when a
 * text is too long or not ASCII. keys must be private ones. */
const char *link_sign(const struct link_keys *keys, struct link *link, struct arena *arena,
		      struct err *err);

/* What is expected of a token. */
struct link_check {
	const char *installation;
	enum link_purpose purpose;
	uint64_t now_ms;
};

/* ret_link is filled from LINK_FOREIGN on, that is once the signature holds; its texts are in
 * the arena. Works with private and with public keys. */
enum link_fault link_verify(const struct link_keys *keys, const struct link_check *check,
			    const char *token, struct arena *arena, struct link *ret_link);

const char *link_fault_name(enum link_fault fault);	  /* "good", "malformed" ... */
const char *link_purpose_name(enum link_purpose purpose); /* "verdict", "approve", "close" */

/*
 * The page behind a token: <public_url>/v1/verdict/<token> or .../v1/approve/<token>, in the
 * arena. verdict ("false_positive", "benign", "true_positive", or NULL) is what the page shows
 * as chosen; the reader still confirms. public_url is TOCSIN_PUBLIC_URL, without a slash at its
 * end. For the closing URL of a ticket see model/closing_url.h.
 */
const char *link_url(const char *public_url, enum link_purpose purpose, const char *token,
		     const char *verdict, struct arena *arena);

#endif
