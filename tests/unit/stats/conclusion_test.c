#include "stats/conclusion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/runs.h"

#define USD INT64_C(1000000)

static const double small_rows[][3] = {{2, 300, 100}, {4, 600, 200}, {8, 2500, 250}}, large_rows[][3] = {{4, 200, 300}, {16, 900, 600}, {32, 2600, 800}};

struct pair {
    struct run_summary *runs[2];
    struct comparison *comparison;
};

static void compare(struct pair *pair)
{
    pair->comparison = comparison_make((const struct run_summary *const *)pair->runs, 2, NULL);
    assert_non_null(pair->comparison);
}

static void begin(struct pair *pair, int64_t small_price, int64_t large_price)
{
    pair->runs[0] = run_make("small", small_price, 1, small_rows, 3);
    pair->runs[1] = run_make("large", large_price, 4, large_rows, 3);
}

static void end(struct pair *pair)
{
    comparison_free(pair->comparison);
    for (int k = 0; k < 2; k++)
        run_summary_free(pair->runs[k]);
}

static void test_two_sentences(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair, 1 * USD, 4 * USD);
    compare(&pair);
    assert_string_equal(pair.comparison->conclusion,
                        "At the last load that held, small gives 1.3 times as many tokens a dollar as large: 200 against 150 tok/s per $/hour. "
                        "4 x small for the price of one large serve 16 against 16 streams (at the last load that held).");
    end(&pair);
}

static void test_what_speaks_against_it_comes_first(void **state)
{
    (void)state;
    static const struct validity_reason late = {.verdict = VALIDITY_INVALID, .tag = "client late", .text = "the client was late"};
    struct pair pair;
    begin(&pair, 1 * USD, 4 * USD);
    pair.runs[1]->facts.scenario = "stress";
    pair.runs[1]->levels[2].validity = (struct validity_summary){.verdict = VALIDITY_INVALID, .reasons = {late}, .count = 1};
    compare(&pair);
    const char *caveat = "Take this with care, for the runs were not measured alike and not every level of large is valid as a measurement: at the last load";
    assert_int_equal(strncmp(pair.comparison->conclusion, caveat, strlen(caveat)), 0);
    assert_null(pair.comparison->validity[0]);
    assert_string_equal(pair.comparison->validity[1], "1 of 3 levels is invalid as a measurement (client late)");
    end(&pair);
}

static void test_tags_are_told_once(void **state)
{
    (void)state;
    static const struct validity_reason few = {.verdict = VALIDITY_SUSPECT, .tag = "few requests", .text = ""},
                                        burst = {.verdict = VALIDITY_SUSPECT, .tag = "start burst", .text = ""};
    struct run_summary *run = run_make("small", USD, 1, small_rows, 3);
    struct arena *arena = arena_new();
    run->levels[0].validity = (struct validity_summary){.verdict = VALIDITY_SUSPECT, .reasons = {few}, .count = 1};
    run->levels[1].validity = (struct validity_summary){.verdict = VALIDITY_SUSPECT, .reasons = {few, burst}, .count = 2};
    assert_string_equal(conclusion_of_validity(arena, run), "2 of 3 levels are suspect (few requests, start burst)");
    run->levels[2].validity.verdict = VALIDITY_INVALID;
    assert_string_equal(conclusion_of_validity(arena, run), "1 of 3 levels is invalid as a measurement (), 2 of 3 levels are suspect (few requests, start burst)");
    arena_free(arena);
    run_summary_free(run);
}

static void test_without_prices_it_is_of_gpus(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair, -1, 4 * USD);
    compare(&pair);
    assert_string_equal(pair.comparison->conclusion,
                        "At the last load that held, small gives 1.3 times as many tokens a GPU as large: 200 against 150 tok/s per GPU (no two have a "
                        "price above 0). small held 4 streams, large held 16 streams.");
    end(&pair);
    begin(&pair, -1, -1);
    for (int k = 0; k < 2; k++)
        pair.runs[k]->facts.gpus = 0;
    compare(&pair);
    assert_non_null(strstr(pair.comparison->conclusion, "What a dollar buys in each cannot be compared, for no two have both a price above 0"));
    end(&pair);
}

static void test_no_unit_in_common(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair, USD, 4 * USD);
    for (int k = 0; k < 3; k++)
        strcpy(pair.runs[1]->levels[k].unit, "req/s");
    run_judge(pair.runs[1]);
    compare(&pair);
    assert_null(pair.comparison->unit);
    assert_non_null(strstr(pair.comparison->conclusion, "no unit in common"));
    end(&pair);
}

/* Three repeats of one load each; a tenth apart, with noise of `noise`. */
static void begin_repeated(struct pair *pair, double noise, const char *pair_id)
{
    static const double hours[] = {1, 1.4, 0.8};
    for (int run = 0; run < 2; run++) {
        double rows[3][3];
        for (int k = 0; k < 3; k++) {
            double value = (run == 0 ? 100 : 90) * hours[k] * (1 + (k == run ? noise : 0));
            memcpy(rows[k], (double[]){4, 500, value}, sizeof rows[k]);
        }
        pair->runs[run] = run_make(run == 0 ? "before" : "after", USD, 1, (const double (*)[3])rows, 3);
        pair->runs[run]->facts.pair_id = pair_id;
        for (int k = 0; k < 3; k++)
            pair->runs[run]->levels[k].repeat = k;
        run_judge(pair->runs[run]);
    }
}

static void test_intervals_of_repeats(void **state)
{
    (void)state;
    struct pair pair;
    begin_repeated(&pair, 0.01, "before+after");
    compare(&pair);
    assert_non_null(strstr(pair.comparison->conclusion, "At the last load that held, before gives 1.11 times as many tokens a dollar as after ("));
    assert_non_null(strstr(pair.comparison->conclusion, " from run to run)"));
    assert_true(pair.comparison->roi.rows[1].at[OPERATING_HELD].paired);
    end(&pair);
    begin_repeated(&pair, 0.01, ""); /* not in turn: the hours blur it */
    compare(&pair);
    assert_non_null(strstr(pair.comparison->conclusion, "before and after are not distinguishable by the tokens that a dollar buys"));
    assert_false(pair.comparison->roi.rows[1].at[OPERATING_HELD].paired);
    end(&pair);
}

static void test_three_runs(void **state)
{
    (void)state;
    static const double tiny_rows[][3] = {{1, 300, 20}, {2, 600, 30}, {4, 2500, 40}};
    struct run_summary *runs[] = {run_make("small", 1 * USD, 1, small_rows, 3), run_make("large", 4 * USD, 4, large_rows, 3),
                                  run_make("tiny", 1 * USD, 1, tiny_rows, 3)};
    struct comparison *comparison = comparison_make((const struct run_summary *const *)runs, 3, NULL);
    assert_string_equal(comparison->conclusion,
                        "At the last load that held, small gives 1.3 times as many tokens a dollar as large, and 6.7 times as many as the other: 200 against 150 "
                        "tok/s per $/hour. 4 x small for the price of one large serve 16 against 16 streams (at the last load that held).");
    assert_int_equal(comparison->same_load_count, 3); /* small with large at 4, with tiny at 2 and 4 */
    comparison_free(comparison);
    for (int k = 0; k < 3; k++)
        run_summary_free(runs[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_sentences),
        cmocka_unit_test(test_what_speaks_against_it_comes_first),
        cmocka_unit_test(test_tags_are_told_once),
        cmocka_unit_test(test_without_prices_it_is_of_gpus),
        cmocka_unit_test(test_no_unit_in_common),
        cmocka_unit_test(test_intervals_of_repeats),
        cmocka_unit_test(test_three_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
