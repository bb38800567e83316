#include "serve/fit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

#define LEVELS_MAX 6

static const struct scheduler_settings deployment = {
    .cost = {.base = 12e6, .sequence = 90e3, .context_token = 150, .prefill_token = 40e3},
    .max_num_seqs = 256, .max_num_batched_tokens = 2048, .kv_blocks = 20000, .block_size = 16,
};

/* Levels as that deployment would be measured, and the fit of them. */
struct fixture {
    struct rehearsal_loop loops[LEVELS_MAX];
    struct fit_level levels[LEVELS_MAX];
    struct fit fit;
};

static void add_loop(struct fixture *f, size_t streams, int64_t prompt, int64_t output)
{
    size_t k = f->fit.level_count++;
    f->loops[k] = (struct rehearsal_loop){.streams = streams, .prompt_tokens = prompt, .output_tokens = output,
                                          .duration_ns = TIME_FOREVER, .requests_max = streams * 4};
    f->levels[k] = (struct fit_level){.name = "", .loop = &f->loops[k], .weight = 1};
    f->levels[k].measured = fit_predict(&deployment, &f->levels[k]);
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){.fit = {.settings = deployment}};
    f->fit.settings.cost = (struct scheduler_cost){0, 0, 0, 0};
    f->fit.levels = f->levels;
}

static void assert_share(double value, double expected, double share)
{
    if (fabs(value / expected - 1) > share)
        fail_msg("%g is not within %g %% of %g", value, 100 * share, expected);
}

static void figures_by_hand(void **state)
{
    (void)state;
    static const struct rehearsal_request requests[] = {
        {.sent = 0, .prompt_tokens = 10, .output_tokens = 11, .first_token = 100 * NS_PER_MS, .last_token = 1100 * NS_PER_MS},
        {.sent = 500 * NS_PER_MS, .prompt_tokens = 10, .output_tokens = 1, .first_token = 800 * NS_PER_MS, .last_token = 800 * NS_PER_MS},
    };
    static const bool second[] = {false, true};
    struct fit_figures all = fit_describe(requests, 2, NULL), one = fit_describe(requests, 2, second);
    assert_share(all.value[FIT_TTFT_MEAN], 200, 1e-9);
    assert_share(all.value[FIT_TTFT_P50], 100, 1e-9);
    assert_share(all.value[FIT_TTFT_P95], 300, 1e-9);
    assert_share(all.value[FIT_TPOT_MEAN], 100, 1e-9); /* a request of one token has none */
    assert_share(all.value[FIT_TPOT_WITH_FIRST_P95], 300, 1e-9);
    assert_share(all.value[FIT_OUTPUT_TPS], 12 / 1.1, 1e-9);
    assert_share(all.value[FIT_TOTAL_TPS], 32 / 1.1, 1e-9);
    assert_share(one.value[FIT_TTFT_MEAN], 300, 1e-9);
    assert_true(isnan(one.value[FIT_TPOT_MEAN]));
    assert_true(isnan(one.value[FIT_OUTPUT_TPS]));
}

/* Different prompts, outputs and numbers of streams: all four costs come back. */
static void costs_are_found_again(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    add_loop(&f, 1, 128, 64);
    add_loop(&f, 8, 128, 64);
    add_loop(&f, 32, 64, 128);
    add_loop(&f, 8, 2000, 64);
    add_loop(&f, 32, 2000, 64);
    assert_int_equal(fit_find(&f.fit), 0);
    assert_true(f.fit.deviation < 0.01);
    assert_share(f.fit.cost[FIT_BASE], 12e6, 0.03);
    assert_share(f.fit.cost[FIT_SEQUENCE], 90e3, 0.15);
    assert_share(f.fit.cost[FIT_CONTEXT_TOKEN], 150, 0.15);
    assert_share(f.fit.cost[FIT_PREFILL_TOKEN], 40e3, 0.03);
    for (int k = 0; k < FIT_COST_COUNT; k++)
        assert_true(f.fit.without[k] > 3 * f.fit.deviation);
}

/* One length only: what a sequence costs and what its context costs cannot be told apart, and that is said. */
static void what_was_not_measured_shows(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    add_loop(&f, 1, 256, 256);
    add_loop(&f, 4, 256, 256);
    add_loop(&f, 16, 256, 256);
    assert_int_equal(fit_find(&f.fit), 0);
    assert_true(f.fit.deviation < 0.01);
    assert_true(f.fit.without[FIT_BASE] > 0.1);
    assert_true(f.fit.without[FIT_PREFILL_TOKEN] > 0.1);
    assert_true(fmin(f.fit.without[FIT_SEQUENCE], f.fit.without[FIT_CONTEXT_TOKEN]) < 0.02);
}

static void a_cost_that_is_held_stays(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    add_loop(&f, 1, 256, 64);
    add_loop(&f, 16, 256, 64);
    f.fit.held[FIT_CONTEXT_TOKEN] = true;
    f.fit.settings.cost.context_token = 150;
    assert_int_equal(fit_find(&f.fit), 0);
    assert_share(f.fit.cost[FIT_CONTEXT_TOKEN], 150, 1e-12);
    assert_share(f.fit.cost[FIT_SEQUENCE], 90e3, 0.1);
    assert_true(isnan(f.fit.without[FIT_CONTEXT_TOKEN]));
}

/* What a run has recorded: requests at the times at which they were sent. */
static void sent_requests_are_replayed(void **state)
{
    (void)state;
    struct rehearsal_request requests[40];
    for (size_t k = 0; k < 40; k++)
        requests[k] = (struct rehearsal_request){.sent = (int64_t)k * 150 * NS_PER_MS, .prompt_tokens = 100 + 40 * (int64_t)(k % 10),
                                                 .output_tokens = 20 + (int64_t)(k % 7)};
    struct fit_level level = {.name = "", .sent = requests, .sent_count = 40, .weight = 1};
    level.measured = fit_predict(&deployment, &level);
    struct fit fit = {.settings = deployment, .levels = &level, .level_count = 1};
    fit.settings.cost = (struct scheduler_cost){0, 0, 0, 0};
    assert_int_equal(fit_find(&fit), 0);
    assert_true(fit.deviation < 0.01);
    assert_share(fit.cost[FIT_PREFILL_TOKEN], 40e3, 0.1);
    assert_int_equal(requests[0].first_token, 0); /* left as they were */
}

/* Neither a server faster than any, nor one that needs years: the search ends, at the edge of what it looks for. */
static void figures_beyond_any_deployment_end_the_search(void **state)
{
    (void)state;
    static const double tpot_ms[] = {1e-3, 1e12};
    for (size_t k = 0; k < 2; k++) {
        struct fixture f;
        begin(&f);
        add_loop(&f, 2, 64, 64);
        for (int figure = 0; figure < FIT_FIGURE_COUNT; figure++)
            f.levels[0].measured.value[figure] = figure == FIT_TPOT_MEAN ? tpot_ms[k] : NAN;
        assert_int_equal(fit_find(&f.fit), 0);
        assert_in_range(f.fit.cost[FIT_BASE], 100000, 1000000000000);
        assert_true(f.fit.settings.cost.base == f.fit.cost[FIT_BASE]);
        assert_true(isfinite(f.fit.deviation) && f.fit.deviation > 1);
    }
}

static void nothing_to_fit_is_an_error(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    assert_int_equal(fit_find(&f.fit), -1);
    add_loop(&f, 1, 10, 10);
    f.levels[0].weight = 0;
    assert_int_equal(fit_find(&f.fit), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_by_hand),
        cmocka_unit_test(costs_are_found_again),
        cmocka_unit_test(what_was_not_measured_shows),
        cmocka_unit_test(a_cost_that_is_held_stays),
        cmocka_unit_test(sent_requests_are_replayed),
        cmocka_unit_test(figures_beyond_any_deployment_end_the_search),
        cmocka_unit_test(nothing_to_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
