#include "base/nearest.h"

#include <string.h>

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

size_t nearest_distance(const char *a, const char *b)
{
	size_t row[NEAREST_NAME_MAX + 1];
	size_t size_a = strlen(a), size_b = strlen(b);

	if (size_a > NEAREST_NAME_MAX || size_b > NEAREST_NAME_MAX)
		return NEAREST_NAME_MAX;
	for (size_t i = 0; i <= size_b; i++)
		row[i] = i;
	for (size_t k = 1; k <= size_a; k++) {
		size_t diagonal = row[0];
		row[0] = k;
		for (size_t i = 1; i <= size_b; i++) {
			size_t above = row[i];
			row[i] = smallest(row[i - 1] + 1, above + 1,
					  diagonal + (a[k - 1] != b[i - 1]));
			diagonal = above;
		}
	}
	return row[size_b];
}

const char *nearest_name(const char *const *names, const char *name)
{
	const char *best = NULL;
	size_t least = strlen(name) / 3 + 2; /* the first distance that is too far */

	for (; *names; names++) {
		size_t apart = nearest_distance(*names, name);
		if (apart < least) {
			least = apart;
			best = *names;
		}
	}
	return best;
}
