/* The queue of streams: by time, then by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "load/due.h"

static void test_comes_out_in_order(void **state)
{
    struct due_queue queue = {0};
    struct random random;
    (void)state;
    random_seed(&random, 7);
    for (int stream = 0; stream < 5000; stream++)
        due_push(&queue, (int64_t)random_below(&random, 100), stream);
    struct due before = due_pop(&queue);
    for (int k = 1; k < 5000; k++) {
        struct due due = due_pop(&queue);
        assert_true(due.time > before.time || (due.time == before.time && due.stream > before.stream));
        before = due;
    }
    assert_int_equal(queue.count, 0);
    due_free(&queue);
}

static void test_pushes_between_pops(void **state)
{
    struct due_queue queue = {0};
    (void)state;
    due_push(&queue, 30, 0);
    due_push(&queue, 10, 1);
    assert_int_equal(due_pop(&queue).stream, 1);
    due_push(&queue, 20, 2);
    due_push(&queue, 40, 3);
    assert_int_equal(due_pop(&queue).stream, 2);
    assert_int_equal(due_pop(&queue).stream, 0);
    assert_int_equal(due_pop(&queue).stream, 3);
    due_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_out_in_order),
        cmocka_unit_test(test_pushes_between_pops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
