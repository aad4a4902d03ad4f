#ifndef INCIDENT_DIGEST_H
#define INCIDENT_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/*
 * What a mail says: new incidents, each with number, severity and links. Pure. No names of
 * people or hosts, unless a title is given.
 */
struct digest_line {
	const char *customer; /* name */
	const char *number;   /* of the ticket; NULL: it has none */
	const char *url;      /* of the ticket; NULL */
	const char *severity; /* "High" */
	const char *title;    /* NULL: not to be told */
	const char *state;    /* NULL, or what has become of it: "closed" */
	uint64_t since_ms;
	uint64_t findings;
	const char *approve_url; /* NULL: nothing waits for approval */
	/* Pages that ask before they do anything, the first for any verdict; NULL: links are
	 * not made here. */
	const char *verdict_url, *false_positive_url, *benign_url, *true_positive_url;
};

struct digest {
	const char *installation;
	const struct digest_line *lines;
	size_t count;
};

/* All in the arena. */
const char *digest_subject(const struct digest *digest, struct arena *arena);
const char *digest_text(const struct digest *digest, struct arena *arena);
const char *digest_html(const struct digest *digest, struct arena *arena);

#endif
