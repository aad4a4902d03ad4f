#ifndef VENDOR_JSON_SLICE_H
#define VENDOR_JSON_SLICE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Where the members of a JSON object, or the items of an array, begin and end in its text. What
 * is handed on "untouched" is cut out with this instead of being decoded and encoded again, and
 * numbers of any size keep their digits. It looks at strings, brackets and separators only:
 * what a slice holds is for a real parser (the normalizer's) to judge.
 */
struct json_slice {
	const char *text; /* borrowed, not NUL-terminated */
	size_t size;
};

struct json_walk {
	const char *at, *end;
	char close;  /* '}' or ']' */
	bool first;  /* nothing was returned yet */
	bool broken; /* not JSON: what was returned so far is all there is */
};

enum { JSON_SLICE_DEPTH_MAX = 64 };

/* Begins a walk through an object or array; blanks around it are fine, anything else after its
 * end is not. False when it is neither or its first byte is all that is right about it. */
bool json_walk_start(struct json_walk *walk, struct json_slice container);
/* The next item; for an object ret_key is what stands between the key's quotation marks, for an
 * array it is empty. False at the end, and when the text is broken. */
bool json_walk_next(struct json_walk *walk, struct json_slice *ret_key,
		    struct json_slice *ret_value);

#endif
