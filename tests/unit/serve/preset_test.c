#include "serve/preset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "serve/fit.h"
#include "wire/csv_reader.h"

#define ROWS "tests/data/reference-levels.tsv"
#define NO_CLAIM -1

struct level {
    char preset[32];
    int streams;
    double ttft_ms, tpot_ms, total_tps;
    double ttft_tolerance, tpot_tolerance, tps_tolerance; /* percent; NO_CLAIM */
};

static double read_tolerance(const char *text)
{
    return strcmp(text, "-") == 0 ? NO_CLAIM : strtod(text, NULL);
}

static char *next_field(char **rest)
{
    char *field = strsep(rest, "\t\n");
    assert_non_null(field);
    return field;
}

/* Returns whether the line is a row. */
static int read_level(char *line, struct level *level)
{
    if (line[0] == '#')
        return 0;
    snprintf(level->preset, sizeof level->preset, "%s", next_field(&line));
    level->streams = (int)strtol(next_field(&line), NULL, 10);
    level->ttft_ms = strtod(next_field(&line), NULL);
    level->tpot_ms = strtod(next_field(&line), NULL);
    level->total_tps = strtod(next_field(&line), NULL);
    level->ttft_tolerance = read_tolerance(next_field(&line));
    level->tpot_tolerance = read_tolerance(next_field(&line));
    level->tps_tolerance = read_tolerance(next_field(&line));
    return 1;
}

/* Counts what is out of tolerance instead of stopping at it: a misfit shows whole. */
static int compare(const struct level *level, const char *what, double got, double expected, double tolerance)
{
    double percent = (got / expected - 1) * 100;
    if (tolerance < 0 || (percent <= tolerance && percent >= -tolerance))
        return 0;
    print_error("%s, %d streams: %s is %.1f, the reference %.1f: %+.1f %%, allowed %.0f %%\n", level->preset, level->streams, what,
                got, expected, percent, tolerance);
    return 1;
}

/* Streams x tokens / mean time of a request: a level's end, when streams fall silent one by one, is no part of it. */
static double steady_tps(const struct rehearsal_loop *loop, const struct rehearsal_request *requests, size_t count)
{
    double sum_s = 0;
    for (size_t k = 0; k < count; k++)
        sum_s += (double)(requests[k].last_token - requests[k].sent) / (double)NS_PER_S;
    return (double)loop->streams * (double)(loop->prompt_tokens + loop->output_tokens) / (sum_s / (double)count);
}

static int compare_level(const struct level *level, int64_t turnaround_ns)
{
    const struct preset *preset = preset_find(level->preset);
    assert_non_null(preset);
    const struct rehearsal_loop loop = {.streams = (size_t)level->streams, .prompt_tokens = 256, .output_tokens = 256,
                                        .duration_ns = 60 * NS_PER_S, .turnaround_ns = turnaround_ns};
    size_t count;
    struct rehearsal_request *requests = rehearsal_run(&preset->scheduler, &loop, &count);
    struct fit_figures got = fit_describe(requests, count, NULL);
    double tps = steady_tps(&loop, requests, count);
    free(requests);
    return compare(level, "TTFT p95 in ms", got.value[FIT_TTFT_P95], level->ttft_ms, level->ttft_tolerance) +
           compare(level, "TPOT p95 in ms", got.value[FIT_TPOT_WITH_FIRST_P95], level->tpot_ms, level->tpot_tolerance) +
           compare(level, "throughput", tps, level->total_tps, level->tps_tolerance);
}

static int compare_levels(int64_t turnaround_ns)
{
    FILE *rows = fopen(ROWS, "r");
    assert_non_null(rows);
    char line[256];
    int wrong = 0, levels = 0;
    while (fgets(line, sizeof line, rows)) {
        struct level level;
        if (!read_level(line, &level))
            continue;
        wrong += compare_level(&level, turnaround_ns);
        levels++;
    }
    fclose(rows);
    assert_int_equal(levels, 12);
    return wrong;
}

/* A client that sends its next request in the instant in which the last one ended, and one that takes a millisecond. */
static void reference_levels_are_reproduced(void **state)
{
    (void)state;
    assert_int_equal(compare_levels(0), 0);
    assert_int_equal(compare_levels(NS_PER_MS), 0);
}

/* The same server with starts apart: what the reference's TTFT column is made of. */
static void spread_starts_do_not_break(void **state)
{
    (void)state;
    const struct preset *preset = preset_find("l4-int4");
    const struct rehearsal_loop loop = {.streams = 15, .prompt_tokens = 256, .output_tokens = 256, .duration_ns = 60 * NS_PER_S,
                                        .stagger_ns = 1100 * NS_PER_MS, .turnaround_ns = NS_PER_MS};
    size_t count;
    struct rehearsal_request *requests = rehearsal_run(&preset->scheduler, &loop, &count);
    assert_true(fit_describe(requests, count, NULL).value[FIT_TTFT_P95] < 800);
    free(requests);
}

/* --- a published table: what was fitted, and what was not ---------------------------------------- */

#define PUBLISHED "a100-qwen3-32b"
#define DRAWS 100

/* Percent by which the model may be off. Of the TTFT of one step's prompts no more is claimed than docs/simulator.md says. */
struct claims {
    double ttft, ttft_of_one_step, tpot, tps;
};

static struct scheduler_settings published_settings(void)
{
    const struct preset *preset = preset_find(PUBLISHED);
    assert_non_null(preset);
    return preset->scheduler;
}

static int compare_published(const char *load, const char *what, double got, double published, double tolerance)
{
    double percent = (got / published - 1) * 100;
    if (percent <= tolerance && percent >= -tolerance)
        return 0;
    print_error("%s: %s is %.2f, published %.2f: %+.1f %%, allowed %.0f %%\n", load, what, got, published, percent, tolerance);
    return 1;
}

/* One row of streams: load, unit, prompt_tokens, output_tokens, requests, and the last three: TTFT p99, TPOT p99, output tok/s. */
static int compare_row(const struct scheduler_settings *settings, const struct claims *claims, char **fields, size_t count)
{
    char load[64];
    double published[3];
    for (int k = 0; k < 3; k++)
        published[k] = strtod(fields[count - 3 + (size_t)k], NULL);
    const struct rehearsal_loop loop = {.streams = strtoul(fields[0], NULL, 10), .prompt_tokens = strtol(fields[2], NULL, 10),
                                        .output_tokens = strtol(fields[3], NULL, 10), .requests_max = strtoul(fields[4], NULL, 10),
                                        .duration_ns = TIME_FOREVER};
    const struct fit_level level = {.loop = &loop};
    struct fit_figures got = fit_predict(settings, &level);
    bool one_step = (int64_t)loop.streams * loop.prompt_tokens <= settings->max_num_batched_tokens;
    snprintf(load, sizeof load, "%s streams, %s + %s", fields[0], fields[2], fields[3]);
    return compare_published(load, "TTFT p99", got.value[FIT_TTFT_P99], published[0], one_step ? claims->ttft_of_one_step : claims->ttft) +
           compare_published(load, "TPOT p99", got.value[FIT_TPOT_P99], published[1], claims->tpot) +
           compare_published(load, "output tok/s", got.value[FIT_OUTPUT_TPS], published[2], claims->tps);
}

static void compare_table(const char *path, const struct scheduler_settings *settings, const struct claims *claims)
{
    struct error err = {0};
    struct buf text = BUF_INIT(1 << 16);
    char *fields[16];
    size_t count, rows = 0;
    int wrong = 0;
    assert_int_equal(file_read(path, &text, ERROR_USAGE, &err), 0);
    buf_append_char(&text, '\n');
    struct csv_reader reader = csv_reader_begin(text.data, text.len - 1);
    assert_int_equal(csv_reader_row(&reader, fields, 16, &count, &err), 1);
    assert_string_equal(fields[count - 3], "ttft_p99_ms");
    assert_string_equal(fields[count - 2], "tpot_p99_ms");
    assert_string_equal(fields[count - 1], "output_tps");
    while (csv_reader_row(&reader, fields, 16, &count, &err) == 1) {
        if (strcmp(fields[1], "streams") != 0)
            continue;
        wrong += compare_row(settings, claims, fields, count);
        rows++;
    }
    buf_free(&text);
    assert_int_equal(rows, 9);
    assert_int_equal(wrong, 0);
}

static void published_levels_are_reproduced(void **state)
{
    (void)state;
    struct scheduler_settings settings = published_settings();
    const struct claims claims = {.ttft = 4, .ttft_of_one_step = 16, .tpot = 3, .tps = 2};
    compare_table("tests/data/literature/a100-qwen3-32b.csv", &settings, &claims);
}

/* The same server with half the bytes a token of keys and values: twice the blocks, half the time to read a context. */
static void a_larger_cache_is_predicted(void **state)
{
    (void)state;
    struct scheduler_settings settings = published_settings();
    const struct claims claims = {.ttft = 4, .ttft_of_one_step = 16, .tpot = 4, .tps = 4};
    settings.kv_blocks = 4899;
    settings.cost.context_token /= 2;
    compare_table("tests/data/literature/a100-qwen3-32b-fp8kv.csv", &settings, &claims);
}

/* 128 requests in exactly 128 / rate, as the published client sends them. */
static struct fit_figures draw_open_loop(const struct scheduler_settings *settings, double rate, uint64_t seed)
{
    enum { REQUESTS = 128 };
    struct random random;
    struct rehearsal_request requests[REQUESTS];
    double at_s[REQUESTS], now_s = 0;
    random_seed(&random, seed);
    for (int k = 0; k < REQUESTS; k++)
        at_s[k] = now_s += random_exponential(&random, 1 / rate);
    for (int k = 0; k < REQUESTS; k++)
        requests[k] = (struct rehearsal_request){.sent = (int64_t)(at_s[k] * (REQUESTS / rate / now_s) * NS_PER_S),
                                                 .prompt_tokens = 512, .output_tokens = 256};
    rehearsal_replay(settings, requests, REQUESTS);
    return fit_describe(requests, REQUESTS, NULL);
}

/* Is what was published one of the 90 % of draws in the middle? */
static void assert_usual(const struct scheduler_settings *settings, double rate, enum fit_figure figure, double published)
{
    int below = 0;
    for (uint64_t seed = 1; seed <= DRAWS; seed++)
        below += draw_open_loop(settings, rate, seed).value[figure] < published;
    if (below * 20 < DRAWS || below * 20 > 19 * DRAWS)
        fail_msg("%g req/s: %s of %g is above %d of %d draws", rate, fit_figure_name(figure), published, below, DRAWS);
}

static void published_rates_are_predicted(void **state)
{
    (void)state;
    struct scheduler_settings settings = published_settings();
    assert_usual(&settings, 0.6, FIT_TTFT_P99, 481.19);
    assert_usual(&settings, 0.6, FIT_TPOT_P99, 59.75);
    assert_usual(&settings, 0.8, FIT_TPOT_P99, 62.71);
    double tps = draw_open_loop(&settings, 0.6, 1).value[FIT_OUTPUT_TPS]; /* of the rate and the last request alone */
    assert_int_equal(compare_published("0.6 req/s", "output tok/s", tps, 145.04, 2), 0);
}

static void every_choice_is_a_preset_that_can_run_its_longest_request(void **state)
{
    (void)state;
    char choices[] = PRESET_CHOICES;
    for (char *name = strtok(choices, "|"); name; name = strtok(NULL, "|")) {
        const struct preset *preset = preset_find(name);
        assert_non_null(preset);
        assert_true(preset->scheduler.kv_blocks * preset->scheduler.block_size >= preset->max_model_len);
    }
    assert_null(preset_find("l4"));
    assert_null(preset_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_levels_are_reproduced),
        cmocka_unit_test(spread_starts_do_not_break),
        cmocka_unit_test(published_levels_are_reproduced),
        cmocka_unit_test(a_larger_cache_is_predicted),
        cmocka_unit_test(published_rates_are_predicted),
        cmocka_unit_test(every_choice_is_a_preset_that_can_run_its_longest_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
