#ifndef CLI_CALLBACK_DRAFT_H
#define CLI_CALLBACK_DRAFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "store.h"

struct cli;
struct vault;

/* Secrets that others prove to the callback service, on their way into files: made here, shown
 * once, kept sealed or hashed with the callback's key. */
enum callback_secret {
	CALLBACK_HMAC,	/* "whsec_...", sealed: signatures are checked with it */
	CALLBACK_TOKEN, /* a random text, hashed */
};

/* Where one is kept: which list of which object, and what its seal is bound to. */
struct callback_place {
	json_t *object;
	const char *member; /* "hmac", "bearer", "secret" */
	const char *owner;  /* customer's id or "account:<id>" */
	const char *field;  /* "push.hmac" ... */
};

/* A new secret in front of the list. The one that was in front stays valid beside it, one
 * that was older goes. Returns it in the clear: to be shown, then given to vault_wipe(). NULL
 * with err filled. */
char *callback_draft_renew(const struct callback_place *place, enum callback_secret kind,
			   const struct vault *vault, struct err *err);
/* The older one goes; false with err when there is none. */
bool callback_draft_finish(const struct callback_place *place, struct err *err);

/* A draft that says who may call but not with what keeps the secrets its file had. */
void callback_draft_keep(json_t *draft, const json_t *older, enum store_kind kind);
/* Takes them out, for showing a file. */
void callback_draft_hide(json_t *draft, enum store_kind kind);
/* Seals again what was sealed with an older key of the callback; counts secrets. */
bool callback_draft_reseal(json_t *draft, enum store_kind kind, const struct vault *vault,
			   size_t *ret_count, struct err *err);

/* The callback's vault, opened when first asked for; NULL with err filled. */
const struct vault *callback_draft_vault(struct cli *cli, struct err *err);

#endif
