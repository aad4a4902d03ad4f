#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* The first block is one that malloc has at hand without a lock: many arenas hold no more than
 * a few numbers, and a thread that waits for a vendor keeps what it uses. */
enum { FIRST_SIZE = 960, BLOCK_SIZE = 8 * 1024 };

struct block {
	struct block *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

struct arena {
	struct block *blocks; /* the first one is being filled */
	struct block *spare;  /* empty, all of BLOCK_SIZE */
};

struct arena *arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

static void free_list(struct block *block)
{
	while (block) {
		struct block *next = block->next;
		free(block);
		block = next;
	}
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	free_list(arena->blocks);
	free_list(arena->spare);
	free(arena);
}

void arena_reset(struct arena *arena)
{
	struct block *block = arena->blocks;

	arena->blocks = NULL;
	while (block) {
		struct block *next = block->next;
		if (block->size == BLOCK_SIZE) {
			block->next = arena->spare;
			arena->spare = block;
		} else {
			free(block); /* one large message must not stay for ever */
		}
		block = next;
	}
}

static size_t block_size(const struct arena *arena, size_t size)
{
	if (!arena->blocks && size <= FIRST_SIZE)
		return FIRST_SIZE;
	return size < BLOCK_SIZE ? BLOCK_SIZE : size;
}

static struct block *add_block(struct arena *arena, size_t size)
{
	struct block *block;

	if (size <= BLOCK_SIZE && arena->spare) {
		block = arena->spare;
		arena->spare = block->next;
	} else {
		size = block_size(arena, size);
		block = xmalloc(sizeof *block + size);
		block->size = size;
	}
	block->used = 0;
	/* A block made for one large piece is full at once: what is left in the current one
	 * stays in use. */
	if (block->size > BLOCK_SIZE && arena->blocks) {
		block->next = arena->blocks->next;
		arena->blocks->next = block;
	} else {
		block->next = arena->blocks;
		arena->blocks = block;
	}
	return block;
}

static size_t round_up(size_t size)
{
	const size_t align = alignof(max_align_t);

	return size ? (size + align - 1) / align * align : align;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct block *block = arena->blocks;

	if (size > SIZE_MAX / 2)
		xmalloc(SIZE_MAX); /* ends the process as any other impossible request */
	size = round_up(size);
	if (!block || block->size - block->used < size)
		block = add_block(arena, size);

	void *memory = block->data + block->used;
	block->used += size;
	return memset(memory, 0, size);
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return s ? arena_strndup(arena, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *arena, const char *s, size_t size)
{
	size = strnlen(s, size);
	char *copy = arena_alloc(arena, size + 1);

	memcpy(copy, s, size);
	return copy;
}

/* Mostly into what the current block has left, without counting first. */
char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	struct block *block = arena->blocks;
	size_t left = block ? block->size - block->used : 0;
	char *text = block ? block->data + block->used : NULL;
	va_list args;

	va_start(args, fmt);
	int size = vsnprintf(text, left, fmt, args);
	va_end(args);
	if (size < 0)
		return arena_strdup(arena, "");
	if ((size_t)size < left) {
		block->used += round_up((size_t)size + 1);
		return text;
	}
	text = arena_alloc(arena, (size_t)size + 1);
	va_start(args, fmt);
	vsnprintf(text, (size_t)size + 1, fmt, args);
	va_end(args);
	return text;
}
