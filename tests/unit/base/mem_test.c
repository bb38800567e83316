#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_memory_is_zeroed(void **state)
{
    (void)state;
    for (size_t size = 0; size < 300; size += 37) {
        unsigned char *bytes = mem_alloc(size);

        for (size_t i = 0; i < size; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xFF, size);
        free(bytes);
    }
}

static void test_texts(void **state)
{
    char *a = mem_strdup("abc"), *b = mem_strndup("abcdef", 2), *c = mem_strndup("ab", 10), *d = mem_printf("%s-%d", "x", 7);

    (void)state;
    assert_string_equal(a, "abc");
    assert_string_equal(b, "ab");
    assert_string_equal(c, "ab");
    assert_string_equal(d, "x-7");
    free(a);
    free(b);
    free(c);
    free(d);
}

static void test_arrays_grow(void **state)
{
    int *array = NULL;
    size_t capacity = 0;

    (void)state;
    for (size_t count = 0; count < 1000; count++) {
        MEM_GROW(array, capacity, count + 1);
        array[count] = (int)count;
    }
    assert_int_equal(array[999], 999);
    assert_true(capacity >= 1000 && capacity < 3000);
    MEM_GROW(array, capacity, 100000);
    assert_int_equal(capacity, 100000);
    assert_int_equal(array[5], 5);
    free(array);
}

/* The product of count and size does not fit: one line and SIGABRT, in a child. */
static void test_overflow_aborts(void **state)
{
    (void)state;
    fflush(NULL);

    pid_t child = fork();

    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        mem_realloc(NULL, SIZE_MAX / 2, 4);
        _exit(0);
    }

    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_arrays_grow),
        cmocka_unit_test(test_overflow_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
