#include "stats/prompt_sum.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void add(struct prompt_sum *sum, int64_t tokens)
{
    struct record record = record_empty();
    record.prompt_tokens = tokens;
    prompt_sum_add(sum, &record);
}

static void test_unknown_ones_count_with_the_mean(void **state)
{
    struct prompt_sum sum = {0};
    (void)state;
    assert_true(prompt_sum_tokens(&sum) == 0);
    add(&sum, -1);
    assert_true(isnan(prompt_sum_tokens(&sum)));
    add(&sum, 10);
    add(&sum, 20);
    assert_true(fabs(prompt_sum_tokens(&sum) - 45) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unknown_ones_count_with_the_mean)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
