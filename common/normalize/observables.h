#ifndef NORMALIZE_OBSERVABLES_H
#define NORMALIZE_OBSERVABLES_H

#include <stddef.h>

struct arena;

/*
 * Finding what can be looked up in a text that people or programs wrote: addresses, domains,
 * URLs, hashes, e-mail addresses, names of files; also defanged ("hxxp://evil[.]example"),
 * which are given as they really are. What could be several things is what it most likely is:
 * "invoice.pdf" a file, "example.com" a domain. Words of other kinds are passed over.
 */
enum observable_kind {
	OBSERVABLE_IP, /* v4 or v6 */
	OBSERVABLE_DOMAIN,
	OBSERVABLE_URL,
	OBSERVABLE_EMAIL,
	OBSERVABLE_FILE_NAME,
	OBSERVABLE_MD5,
	OBSERVABLE_SHA1,
	OBSERVABLE_SHA256,
};

struct observables_item {
	enum observable_kind kind;
	const char *value; /* in the arena; domains and hashes in lower case */
};

enum { OBSERVABLES_TEXT_MAX = 64 * 1024 }; /* more is not looked at */

/* Each once, in the order of the text; at most max. Returns how many. */
size_t observables_find(const char *text, size_t size, struct arena *arena,
			struct observables_item *ret_items, size_t max);

#endif
