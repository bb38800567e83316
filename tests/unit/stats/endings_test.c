/* What becomes of a request in each distribution, by hand. Whole runs: tests/cli/support/formats.py computes them once more. */
#include "stats/endings.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000000)
#define RECORDS_MAX 300
#define NEAR 1e-9

struct scene {
    struct arena *arena;
    struct record records[RECORDS_MAX];
    uint32_t order[RECORDS_MAX];
    bool member[RECORDS_MAX];
    struct run_data data;
    struct run_level level;
};

static void set_up(struct scene *scene, const char *unit)
{
    memset(scene, 0, sizeof *scene);
    scene->arena = arena_new();
    scene->data.file.records = scene->records;
    scene->data.member = scene->member;
    scene->level.records = scene->order;
    snprintf(scene->level.bounds.unit, sizeof scene->level.bounds.unit, "%s", unit);
    scene->level.bounds.window_start = 10 * S;
    scene->level.bounds.window_end = 20 * S;
}

/* Sent at `sent`, first token after a second, then a token every tenth of one until there are eleven. */
static struct record *add(struct scene *scene, int64_t sent, enum outcome outcome, bool member)
{
    size_t at = scene->level.record_count++;
    struct record *record = &scene->records[at];
    *record = record_empty();
    record->i = (int64_t)at;
    record->intended = sent - S / 2;
    record->sent = sent;
    record->first_token = sent + S;
    record->last_token = sent + 2 * S;
    record->end = sent + 3 * S;
    record->outcome = outcome;
    record->prompt_tokens = 100;
    record->output_tokens = 11;
    record->chunks = 13;
    record->arrivals = 9;
    record->coalesced = 2;
    scene->order[at] = (uint32_t)at;
    scene->member[at] = member;
    return record;
}

static void assert_near(double got, double wanted)
{
    if (fabs(got - wanted) > NEAR * fmax(1, fabs(wanted)))
        fail_msg("got %.17g, wanted %.17g", got, wanted);
}

static void test_quantities(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, "req/s");
    add(&scene, 11 * S, OUTCOME_OK, true);
    add(&scene, 9 * S, OUTCOME_OK, false); /* no member, but under way in the window */
    const struct level_endings *endings = endings_of_level(&scene.data, &scene.level, 5, scene.arena);
    static const double wanted[QUANTITY_COUNT] = {
        [QUANTITY_E2E_S] = 3, [QUANTITY_DUE_E2E_S] = 3.5, [QUANTITY_SLIP_S] = 0.5, [QUANTITY_CHUNKS] = 13,
        [QUANTITY_PROMPT_TOKENS] = 100, [QUANTITY_OUTPUT_TOKENS] = 11, [QUANTITY_TOTAL_TOKENS] = 111, [QUANTITY_TTFT_MS] = 1000,
        [QUANTITY_TPOT_WITH_FIRST_MS] = 2000.0 / 11, [QUANTITY_TPOT_VLLM_MS] = 100, [QUANTITY_TOKENS_A_CHUNK] = 1,
        [QUANTITY_LATER_TOKENS_A_CHUNK] = 1, [QUANTITY_REQUEST_RPS] = 0.2, [QUANTITY_CONCURRENCY] = (3 + 2) / 10.0,
        [QUANTITY_PROMPT_TPS] = 20, [QUANTITY_OUTPUT_TPS] = 2.2, [QUANTITY_TOTAL_TPS] = 22.2,
    };
    for (int k = 0; k < QUANTITY_COUNT; k++) {
        assert_near(endings->of[k][ENDING_OK].mean, wanted[k]);
        assert_near(endings->of[k][ENDING_ALL].mean, wanted[k]);
        assert_near(endings->of[k][ENDING_ERROR].count, 0);
    }
    assert_near(endings->of[QUANTITY_TPOT_WITH_FIRST_MS][ENDING_OK].count, 11);
    assert_near(endings->of[QUANTITY_TPOT_VLLM_MS][ENDING_OK].count, 10);
    assert_near(endings->of[QUANTITY_E2E_S][ENDING_OK].count, 1);
    assert_int_equal(endings->first_sent, 9 * S);
    assert_int_equal(endings->last_end, 14 * S);
    arena_free(scene.arena);
}

static void test_endings_are_kept_apart(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, "streams");
    add(&scene, 11 * S, OUTCOME_OK, true);
    struct record *failed = add(&scene, 12 * S, OUTCOME_ERROR, true);
    failed->first_token = failed->last_token = TIME_NEVER;
    failed->end = 13 * S;
    failed->prompt_tokens = failed->output_tokens = -1;
    failed->chunks = failed->arrivals = failed->coalesced = 0;
    struct record *cut = add(&scene, 13 * S, OUTCOME_INCOMPLETE, true);
    cut->output_tokens = -1; /* its usage never came: chunks are counted */
    struct record *never = add(&scene, 14 * S, OUTCOME_INCOMPLETE, true);
    *never = record_empty();
    never->outcome = OUTCOME_INCOMPLETE;
    const struct level_endings *endings = endings_of_level(&scene.data, &scene.level, 5, scene.arena);
    assert_near(endings->of[QUANTITY_E2E_S][ENDING_OK].mean, 3);
    assert_near(endings->of[QUANTITY_E2E_S][ENDING_ERROR].mean, 1);
    assert_near(endings->of[QUANTITY_E2E_S][ENDING_INCOMPLETE].mean, 3);
    assert_near(endings->of[QUANTITY_E2E_S][ENDING_INCOMPLETE].count, 1);
    assert_near(endings->of[QUANTITY_E2E_S][ENDING_ALL].mean, 7 / 3.0);
    assert_near(endings->of[QUANTITY_TTFT_MS][ENDING_ERROR].count, 0);
    assert_near(endings->of[QUANTITY_TTFT_MS][ENDING_ALL].count, 2);
    assert_near(endings->of[QUANTITY_OUTPUT_TOKENS][ENDING_INCOMPLETE].mean, 11);
    assert_near(endings->of[QUANTITY_PROMPT_TOKENS][ENDING_ERROR].count, 0);
    assert_near(endings->of[QUANTITY_SLIP_S][ENDING_ALL].count, 0); /* a closed loop has no arrivals */
    assert_near(endings->of[QUANTITY_REQUEST_RPS][ENDING_ERROR].mean, 0.1);
    assert_near(endings->of[QUANTITY_REQUEST_RPS][ENDING_ALL].mean, 0.3);
    assert_int_equal(endings->kept_count[ENDING_OK], 1);
    assert_int_equal(endings->kept_count[ENDING_INCOMPLETE], 2);
    assert_int_equal(endings->kept[ENDING_ERROR][0].i, 1);
    arena_free(scene.arena);
}

static void test_what_came_in_one_chunk(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, "streams");
    struct record *record = add(&scene, 11 * S, OUTCOME_OK, true);
    record->arrivals = 1;
    record->coalesced = 0;
    record->last_token = record->first_token;
    const struct level_endings *endings = endings_of_level(&scene.data, &scene.level, 0, scene.arena);
    assert_near(endings->of[QUANTITY_TOKENS_A_CHUNK][ENDING_OK].mean, 11);
    assert_near(endings->of[QUANTITY_LATER_TOKENS_A_CHUNK][ENDING_OK].count, 0);
    assert_near(endings->of[QUANTITY_OUTPUT_TPS][ENDING_OK].mean, 1.1);
    assert_int_equal(endings->kept_count[ENDING_OK], 0);
    arena_free(scene.arena);
}

static void test_some_are_kept_evenly(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, "streams");
    for (int k = 0; k < RECORDS_MAX; k++)
        add(&scene, 11 * S + k, k % 3 == 0 ? OUTCOME_ERROR : OUTCOME_OK, k != 1);
    const struct level_endings *endings = endings_of_level(&scene.data, &scene.level, 10, scene.arena);
    assert_int_equal(endings->kept_count[ENDING_ERROR], 10);
    for (int k = 0; k < 10; k++)
        assert_int_equal(endings->kept[ENDING_ERROR][k].i, 30 * k);
    assert_int_equal(endings->kept_count[ENDING_OK], 10);
    assert_int_equal(endings->kept[ENDING_OK][0].i, 2); /* 1 is no member */
    assert_int_equal(endings->kept_count[ENDING_INCOMPLETE], 0);
    arena_free(scene.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantities),
        cmocka_unit_test(test_endings_are_kept_apart),
        cmocka_unit_test(test_what_came_in_one_chunk),
        cmocka_unit_test(test_some_are_kept_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
