#ifndef SANDBOX_TOKEN_H
#define SANDBOX_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "index.h"

enum { ID_HEX_SIZE = 33, ID_UUID_SIZE = 37 };

/* Random names: 32 hex digits as ServiceNow's sys_id, a version 4 UUID as Cisco's. */
void id_hex(char out[ID_HEX_SIZE]);
void id_uuid(char out[ID_UUID_SIZE]);

struct token {
	struct token *next;
	char *text;
	char *subject; /* who it is for */
	uint64_t expires_ms;
};

/* The bearer tokens of one account. A zeroed table is empty. */
struct tokens {
	struct index index;
	struct token *first;
	unsigned count;
};

enum token_state { TOKEN_GOOD, TOKEN_EXPIRED, TOKEN_UNKNOWN };

void tokens_done(struct tokens *tokens); /* also: every token ends */
/* A new token in the shape of a JWT, whose middle part names key. Owned by the table. */
const struct token *tokens_issue(struct tokens *tokens, const char *key, const char *subject,
				 uint64_t lifetime_ms);
/* The same; claims continue the middle part (`,"name":value`, at most 300 bytes). */
const struct token *tokens_issue_claims(struct tokens *tokens, const char *key,
					const char *subject, const char *claims,
					uint64_t lifetime_ms);
enum token_state tokens_check(const struct tokens *tokens, const char *text,
			      const struct token **ret_token);

struct arena;
/* The key that a token of ours names; NULL when it is none of ours. */
const char *token_key(struct arena *arena, const char *text);

#endif
