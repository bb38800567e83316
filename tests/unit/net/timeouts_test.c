#include "net/timeouts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void test_due_in_order(void **state)
{
    struct timeout_list list = {.limit = 10};
    struct timeout_node a, b, c;

    (void)state;
    assert_true(timeout_next(&list) == TIME_FOREVER);
    assert_null(timeout_due(&list, INT64_MAX));
    timeout_add(&list, &a, 100);
    timeout_add(&list, &b, 105);
    timeout_add(&list, &c, 106);
    assert_int_equal(timeout_next(&list), 110);
    assert_null(timeout_due(&list, 109));
    assert_ptr_equal(timeout_due(&list, 110), &a);
    timeout_remove(&list, &a);
    assert_null(timeout_due(&list, 114));
    timeout_remove(&list, &c);
    assert_ptr_equal(timeout_due(&list, 1000), &b);
    timeout_remove(&list, &b);
    assert_null(timeout_due(&list, 1000));
    assert_null(list.first);
    assert_null(list.last);
}

static void test_activity_moves_the_limit(void **state)
{
    struct timeout_list list = {.limit = 10};
    struct timeout_node a, b;

    (void)state;
    timeout_add(&list, &a, 100);
    timeout_add(&list, &b, 101);
    a.since = 108;
    assert_ptr_equal(timeout_due(&list, 111), &b); /* a was put behind b */
    timeout_remove(&list, &b);
    assert_null(timeout_due(&list, 117));
    assert_int_equal(timeout_next(&list), 118);
    assert_ptr_equal(timeout_due(&list, 118), &a);
}

static void test_no_limit(void **state)
{
    struct timeout_list list = {.limit = 0};
    struct timeout_node a;

    (void)state;
    timeout_add(&list, &a, 0);
    assert_null(timeout_due(&list, INT64_MAX));
    assert_true(timeout_next(&list) == TIME_FOREVER);
    timeout_remove(&list, &a);
    assert_null(list.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due_in_order),
        cmocka_unit_test(test_activity_moves_the_limit),
        cmocka_unit_test(test_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
