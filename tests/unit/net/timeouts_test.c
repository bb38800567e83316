#include "net/timeouts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"

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
    timeout_touch(&list, &a, 108);
    timeout_touch(&list, &a, 107); /* nothing goes back */
    assert_ptr_equal(timeout_due(&list, 111), &b); /* a was put behind b */
    timeout_remove(&list, &b);
    assert_null(timeout_due(&list, 117));
    assert_int_equal(timeout_next(&list), 118);
    assert_ptr_equal(timeout_due(&list, 118), &a);
}

/* The limits are exact, however activity and new members are mixed. */
static void test_every_limit_is_exact(void **state)
{
    enum { MEMBERS = 50, LIMIT = 100 };
    struct timeout_list list = {.limit = LIMIT};
    struct timeout_node nodes[MEMBERS];
    int64_t since[MEMBERS];
    struct random random;

    (void)state;
    random_seed(&random, 7);
    for (int k = 0; k < MEMBERS; k++)
        timeout_add(&list, &nodes[k], since[k] = 1000 + (int64_t)random_below(&random, 20));
    for (int64_t now = 1020; now < 3000; now++) {
        const int active = (int)random_below(&random, MEMBERS), started = (int)random_below(&random, MEMBERS);
        struct timeout_node *due;

        timeout_touch(&list, &nodes[active], now);
        since[active] = since[active] > now ? since[active] : now;
        timeout_remove(&list, &nodes[started]);
        timeout_add(&list, &nodes[started], since[started] = now + 3); /* began within the turn, after its stamp */
        while ((due = timeout_due(&list, now))) {
            const int64_t k = due - nodes;

            assert_int_equal(now - since[k], LIMIT);
            timeout_remove(&list, due);
            timeout_add(&list, due, since[k] = now);
        }
        for (int k = 0; k < MEMBERS; k++)
            assert_true(now - since[k] < LIMIT);
    }
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
        cmocka_unit_test(test_every_limit_is_exact),
        cmocka_unit_test(test_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
