#ifndef MODEL_CODE_H
#define MODEL_CODE_H

#include <stdbool.h>

struct link_keys;

/*
 * The second factor of a link that contains or releases a host. The mail carries the link, the
 * ticket the code, never both in one place. The code follows from the private link key, the
 * incident and what it is for, so it is stored nowhere; the callback, which has only the public
 * key, cannot make one. Its last letter is a check on the others: a page tells a slip of the
 * finger at once, whereas only the incident service knows whether the code is right. 31^7 codes
 * (34.7 bits): whoever verifies must also count the wrong ones.
 */
enum code_purpose {
	CODE_APPROVE, /* contain */
	CODE_RELEASE, /* a verdict that releases */
};

enum {
	CODE_SIZE = 9,	      /* as compared: 8 letters of 23456789A-Z without I, L, O; NUL */
	CODE_SHOWN_SIZE = 10, /* as shown: "K7QM-4XPT"; NUL */
	CODE_ATTEMPTS = 5,    /* wrong ones that an incident stands for each purpose */
};

/* What the ticket shows, by the newest key. keys must be private ones. */
void code_make(const struct link_keys *keys, const char *installation, const char *incident,
	       enum code_purpose purpose, char *ret_shown);

/* What was typed as it is compared: capitals, without blanks and hyphens. False when it cannot
 * be a code: wrong length, letter or check. */
bool code_normalize(const char *typed, char *ret_code);

/* Whether what was typed is the code by any of the private keys; in constant time. */
bool code_verify(const struct link_keys *keys, const char *installation, const char *incident,
		 enum code_purpose purpose, const char *typed);

#endif
