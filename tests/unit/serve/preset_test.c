#include "serve/preset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "serve/fit.h"

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
        cmocka_unit_test(every_choice_is_a_preset_that_can_run_its_longest_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
