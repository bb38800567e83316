#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_many_sizes_are_zeroed_aligned_and_apart(void **state)
{
    struct arena *arena = arena_new();
    unsigned char *items[2000];
    size_t sizes[2000];

    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        sizes[i] = (i * 7919) % (i % 100 == 0 ? 200000 : 300);
        items[i] = arena_alloc(arena, sizes[i], 1);
        assert_int_equal((uintptr_t)items[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(items[i][k], 0);
        memset(items[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < 2000; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(items[i][k], i % 251);
    arena_free(arena);
}

static void test_large_first(void **state)
{
    struct arena *arena = arena_new();
    char *large = arena_alloc(arena, 1000000, 1), *small = arena_alloc(arena, 1, 1);

    (void)state;
    large[999999] = 'x';
    *small = 'y';
    assert_int_equal(large[0], 0);
    arena_free(arena);
    arena_free(NULL);
}

static void test_texts_and_types(void **state)
{
    struct arena *arena = arena_new();
    int *numbers = ARENA_ARRAY(arena, 10, int);
    double *one = ARENA_NEW(arena, double);

    (void)state;
    numbers[9] = 3;
    assert_true(*one == 0.0);
    assert_string_equal(arena_strdup(arena, "text"), "text");
    assert_string_equal(arena_printf(arena, "%s %05d", "number", 42), "number 00042");
    assert_string_equal(arena_printf(arena, "%s", ""), "");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_sizes_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_large_first),
        cmocka_unit_test(test_texts_and_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
