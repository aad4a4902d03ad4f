#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void pieces_are_apart_aligned_and_zero(void **state)
{
	struct arena *arena = arena_new();
	char *last = NULL;

	(void)state;
	for (size_t size = 0; size < 3000; size += 7) {
		char *piece = arena_alloc(arena, size);
		assert_non_null(piece);
		assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
		assert_ptr_not_equal(piece, last);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(piece[i], 0);
		memset(piece, 0xee, size);
		last = piece;
	}
	arena_free(arena);
}

static void large_pieces_leave_the_block_in_use(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	char *small = arena_alloc(arena, 16);
	char *large = arena_alloc(arena, 1 << 20);
	memset(large, 1, 1 << 20);
	char *next = arena_alloc(arena, 16);
	assert_ptr_equal(next, small + 16);
	arena_free(arena);
}

static void reset_uses_memory_again(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	/* More than a first block holds: those are given back, the others kept. */
	char *before = arena_alloc(arena, 4000);
	memset(before, 1, 4000);
	arena_reset(arena);
	char *after = arena_alloc(arena, 4000);
	assert_ptr_equal(before, after);
	assert_int_equal(after[0], 0);
	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 50; k++)
			arena_alloc(arena, 1000);
		arena_reset(arena);
	}
	arena_free(arena);
}

static void texts(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_null(arena_strdup(arena, NULL));
	assert_string_equal(arena_strdup(arena, "abc"), "abc");
	assert_string_equal(arena_strndup(arena, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(arena, "ab", 30), "ab");
	assert_string_equal(arena_printf(arena, "%s-%d", "x", 7), "x-7");
	arena_free(arena);
	arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_apart_aligned_and_zero),
		cmocka_unit_test(large_pieces_leave_the_block_in_use),
		cmocka_unit_test(reset_uses_memory_again),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
