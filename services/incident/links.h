#ifndef INCIDENT_LINKS_H
#define INCIDENT_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "model/code.h"
#include "model/link.h"

struct arena;
struct customer;
struct incident;

/* What this process signs for people: links in mails, the value in the closing URL, codes in
 * tickets. Immutable after links_open(). */
struct links {
	char *key_file;
	char *public_url;	/* NULL: none, then no mail carries a link */
	struct link_keys *keys; /* NULL: nothing is signed */
	const char *installation;
};

extern const struct conf_option links_options[]; /* of a struct links */

/* installation is borrowed. False with err when a key file is named and cannot be used, or a
 * public URL without a key file. */
bool links_open(struct links *links, const char *installation, struct err *err);
void links_close(struct links *links); /* the keys; conf_clear() frees the rest */

/* A token for this incident in the arena; NULL when nothing is signed, or the incident's texts
 * do not fit. */
const char *links_token(const struct links *links, enum link_purpose purpose,
			const struct incident *incident, const struct customer *customer,
			uint64_t expires_ms, bool needs_code, struct arena *arena);

/* The URL of the page behind such a token; NULL when there is no public URL, or no token.
 * verdict as for link_url(). */
const char *links_url(const struct links *links, enum link_purpose purpose, const char *token,
		      const char *verdict, struct arena *arena);

/* "K7QM-4XPT" for the ticket; false, and "" when nothing is signed. */
bool links_code(const struct links *links, const struct incident *incident,
		enum code_purpose purpose, char *ret_shown);

#endif
