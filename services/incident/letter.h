#ifndef INCIDENT_LETTER_H
#define INCIDENT_LETTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct app;
struct arena;
struct customer;
struct directory;
struct incident;
struct mail_current;
struct mail_digest;
struct redis;

/*
 * Mails before they are sent. A customer's recipients get a mail of that customer only; an
 * internal recipient gets one of all customers that name him.
 */

/* Adds the incident to the mails of its customer; doing it again does nothing. approval: it
 * waits for one, tell of it at once. */
bool letter_announce(struct redis *redis, const struct customer *customer,
		     const struct incident *incident, bool approval, struct err *err);

enum { LETTER_TO_MAX = 101 };

struct letter {
	const char *to[LETTER_TO_MAX]; /* ended by NULL */
	size_t to_count;
	const struct customer *customer; /* whose settings it goes by */
	const char *subject, *text, *html;
};

/* Recipients of the digest (id) as they are now; none when nobody is to be told any more. */
void letter_find(struct letter *ret_letter, const struct directory *directory, const char *id);

/* What writing needs. Borrowed. */
struct letter_desk {
	const struct app *app;
	struct redis *redis;
	struct arena *arena;
	const struct directory *directory;
};

/* Its words, in the arena. False when none of the incidents is there any more. */
bool letter_write(const struct letter_desk *desk, const struct mail_digest *digest,
		  const struct mail_current *current, struct letter *letter);

#endif
