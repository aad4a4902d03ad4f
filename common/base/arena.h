#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/* Memory for one message: handed out piece by piece, freed at once. Not thread-safe. */
struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena); /* NULL is fine */
void arena_reset(
    struct arena *arena); /* everything handed out is invalid; blocks are kept for reuse */

void *arena_alloc(struct arena *arena,
		  size_t size); /* zeroed, aligned for any type; never NULL */
char *arena_strdup(struct arena *arena, const char *s); /* NULL stays NULL */
char *arena_strndup(struct arena *arena, const char *s, size_t size);
char *arena_printf(struct arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
