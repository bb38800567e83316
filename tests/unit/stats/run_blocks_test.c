/* Blocks are as long as a member takes, and no other request. */
#include "stats/run_blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT 5

static void test_blocks_by_the_median_of_members_that_ended_ok(void **state)
{
    (void)state;
    struct record records[COUNT];
    bool member[COUNT] = {true, true, true, false, true};
    const uint32_t order[COUNT] = {4, 3, 2, 1, 0};
    struct run_data data = {.file = {.records = records, .record_count = COUNT}, .member = member};
    struct run_level level = {.bounds = {.unit = "streams", .window_start = NS_PER_S, .window_end = 31 * NS_PER_S}, .records = order,
                              .record_count = COUNT};
    for (int k = 0; k < COUNT; k++) {
        records[k] = record_empty();
        records[k].sent = 2 * NS_PER_S;
        records[k].end = (3 + k) * NS_PER_S;
        records[k].outcome = OUTCOME_OK;
    }
    records[4].outcome = OUTCOME_ERROR;
    run_blocks_cut(&data, &level); /* 1, 2 and 3 s: 15 blocks of 2 s */
    assert_int_equal(level.blocks.count, 15);
    assert_int_equal(level.blocks.start, NS_PER_S);
    assert_int_equal(level.blocks.end, 31 * NS_PER_S);
    member[0] = member[1] = member[2] = false;
    run_blocks_cut(&data, &level);
    assert_int_equal(level.blocks.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blocks_by_the_median_of_members_that_ended_ok)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
