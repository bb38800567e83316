/* Reports of other tools, as they were captured (tests/data/import), against what expected.py reads in them. */
#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "import/import.h"

#define EXPECTED "tests/unit/import/expected.tsv"
#define FOLDER "tests/data/import/"
#define TIME_ERROR 2e-6 /* ms: times are seconds of an epoch in the reports, and whole ns here */
#define RELATIVE_ERROR 1e-7
#define NUMBERS_MIN 1500

static struct run_summary *import(const char *format, const char *path)
{
    struct error err = {0};
    char spec[1024];
    snprintf(spec, sizeof spec, "%s:%s", format, path);
    struct run_summary *run = import_read(spec, &sla_default, &err);
    if (!run)
        fail_msg("%s", err.text);
    return run;
}

static struct run_summary *import_by_name(const char *file)
{
    static const char *const names[] = {"guidellm", "vllm-bench", "aiperf"};
    char path[512];
    if (strncmp(file, "aiperf", strlen("aiperf")) == 0) /* its requests are in a file of their own */
        snprintf(path, sizeof path, FOLDER "%s," FOLDER "%sl", file, file);
    else
        snprintf(path, sizeof path, FOLDER "%s", file);
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (strncmp(file, names[k], strlen(names[k])) == 0)
            return import(names[k], path);
    fail_msg("%s: of which tool?", file);
    return NULL;
}

/* ---- a number of a level by its name in summary.json ---- */

static double number_of_distribution(const struct distribution *distribution, const char *key)
{
    const struct {
        const char *name;
        double value;
    } members[] = {{"count", distribution->count > 0 ? (double)distribution->count : NAN}, {"mean", distribution->mean}, {"std", distribution->std},
                   {"min", distribution->min}, {"max", distribution->max}};
    for (size_t k = 0; k < sizeof members / sizeof members[0]; k++)
        if (strcmp(members[k].name, key) == 0)
            return members[k].value;
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        if (strcmp(percentile_name((enum percentile)k), key) == 0)
            return distribution->percentile[k];
    fail_msg("no member %s", key);
    return NAN;
}

static double number_of_requests(const struct request_counts *counts, const char *key)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"members", counts->members}, {"ok", counts->ok}, {"error", counts->error}, {"incomplete", counts->incomplete}};
    for (size_t k = 0; k < sizeof members / sizeof members[0]; k++)
        if (strcmp(members[k].name, key) == 0)
            return members[k].value == COUNT_UNKNOWN ? NAN : (double)members[k].value;
    fail_msg("no count %s", key);
    return NAN;
}

static double number_of(const struct level_summary *level, const char *name)
{
    const char *dot = strchr(name, '.');
    size_t length = dot ? (size_t)(dot - name) : strlen(name);
    if (strcmp(name, "load") == 0)
        return level->load;
    if (strncmp(name, "requests.", strlen("requests.")) == 0)
        return number_of_requests(&level->requests, name + strlen("requests."));
    for (int k = 0; k < RATE_COUNT; k++)
        if (strcmp(rate_name((enum rate)k), name) == 0)
            return level->rate[k];
    for (int k = 0; k < LATENCY_COUNT; k++)
        if (dot && strlen(latency_name((enum latency)k)) == length && strncmp(latency_name((enum latency)k), name, length) == 0)
            return number_of_distribution(&level->latency[k], dot + 1);
    fail_msg("no number %s", name);
    return NAN;
}

/* ---- tests ---- */

static double largest; /* relative difference */

static void check(const char *file, size_t index, const char *name, double expected, const struct run_summary *run)
{
    if (!run || index >= run->level_count) {
        fail_msg("%s has no level %zu", file, index);
        return;
    }
    double found = number_of(&run->levels[index], name), difference = fabs(found - expected);
    if (!(difference <= TIME_ERROR + RELATIVE_ERROR * fabs(expected)))
        fail_msg("%s, level %zu: %s is %.12g, expected.py says %.12g", file, index, name, found, expected);
    largest = fmax(largest, difference / fmax(fabs(expected), 1));
}

static void test_reports_say_what_their_requests_say(void **state)
{
    (void)state;
    char line[512], last[128] = "";
    struct run_summary *run = NULL;
    size_t numbers = 0;
    FILE *file = fopen(EXPECTED, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *rest = line, *name = strsep(&rest, "\t"), *index = strsep(&rest, "\t"), *member = strsep(&rest, "\t");
        if (line[0] == '#')
            continue;
        double expected;
        rest[strcspn(rest, "\n")] = '\0';
        assert_int_equal(units_parse_number(rest, &expected), 0);
        if (strcmp(last, name) != 0) {
            run_summary_free(run);
            run = import_by_name(name);
            snprintf(last, sizeof last, "%s", name);
        }
        check(name, strtoul(index, NULL, 10), member, expected, run);
        numbers++;
    }
    fclose(file);
    run_summary_free(run);
    assert_true(numbers >= NUMBERS_MIN);
    print_message("%zu numbers of other tools' reports; the largest relative difference is %.2g\n", numbers, largest);
}

/* Whatever the report: every level is marked, has a class for its TTFT, and says that nobody watched the client. */
static void test_every_level_is_marked(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob(FOLDER "*.json", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        struct run_summary *run = import_by_name(strrchr(found.gl_pathv[k], '/') + 1);
        assert_non_null(run->facts.imported);
        assert_true(run->facts.model[0] && run->facts.run_id[0] && run->any_ended);
        assert_null(run->facts.plan);
        for (size_t level = 0; level < run->level_count; level++) {
            const struct level_summary *summary = &run->levels[level];
            assert_true(summary->imported);
            assert_true(summary->verdict.metric[SLA_TTFT] != SLA_UNKNOWN);
            assert_int_equal(summary->validity.verdict, VALIDITY_SUSPECT);
            assert_string_equal(summary->validity.reasons[0].tag, "imported");
            assert_true(isnan(summary->server.queue_depth.mean));
            assert_true(summary->rate[RATE_TOTAL_TPS] > summary->rate[RATE_OUTPUT_TPS]);
        }
        run_summary_free(run);
    }
    globfree(&found);
}

static void test_facts_of_guidellm(void **state)
{
    (void)state;
    struct run_summary *run = import("guidellm", FOLDER "guidellm-0.8.1-concurrent.json");
    assert_string_equal(run->facts.imported->tool, "GuideLLM 0.8.1");
    assert_string_equal(run->facts.model, "mistral-3-int4");
    assert_string_equal(run->facts.target, "http://127.0.0.1:8102");
    assert_string_equal(run->facts.endpoint, "chat");
    assert_string_equal(run->facts.limits, "15 requests a level");
    assert_string_equal(run->facts.run_id, "guidellm-0.8.1-concurrent");
    assert_int_equal(run->level_count, 3);
    assert_string_equal(run->levels[2].unit, "streams");
    run_summary_free(run);
    run = import("guidellm", FOLDER "guidellm-0.8.1-sweep.json");
    assert_string_equal(run->levels[0].kind, "synchronous");
    assert_string_equal(run->levels[1].kind, "throughput");
    assert_string_equal(run->levels[2].unit, "req/s");
    assert_int_equal(run->points_count, 2);
    run_summary_free(run);
}

/* What older versions tell, and where. */
static void test_facts_of_older_guidellm(void **state)
{
    (void)state;
    static const struct {
        const char *file, *tool, *kind, *limits, *endpoint;
    } cases[] = {
        {"guidellm-0.2.1-concurrent.json", "GuideLLM 0.2 or 0.3", "concurrent", "1.0 s a level", "completions"},
        {"guidellm-0.3.1-poisson.json", "GuideLLM 0.2 or 0.3", "poisson", "2.0 s a level", "completions"},
        {"guidellm-0.5.4-constant.json", "GuideLLM 0.5.4", "constant", "40 requests a level", "chat"},
        {"guidellm-0.6.1-warmup.json", "GuideLLM 0.6.1", "concurrent", "1.0 s a level", ""}, /* by default: not told */
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct run_summary *run = import_by_name(cases[k].file);
        assert_string_equal(run->facts.imported->tool, cases[k].tool);
        assert_string_equal(run->facts.model, "tiny");
        assert_int_equal(strncmp(run->facts.target, "http://127.0.0.1:", strlen("http://127.0.0.1:")), 0);
        assert_string_equal(run->levels[0].kind, cases[k].kind);
        assert_string_equal(run->facts.limits, cases[k].limits);
        assert_string_equal(run->facts.endpoint, cases[k].endpoint);
        assert_true(fabs(run->facts.output.mean - 16) < 1e-9);
        run_summary_free(run);
    }
}

static void test_facts_of_aiperf(void **state)
{
    (void)state;
    struct run_summary *run = import_by_name("aiperf-0.13.0-rate.json");
    assert_string_equal(run->facts.imported->tool, "AIPerf 0.13.0");
    assert_string_equal(run->facts.model, "tiny");
    assert_string_equal(run->facts.limits, "60 requests a level");
    assert_string_equal(run->levels[0].kind, "poisson");
    assert_true(run->levels[0].requests.error == 3);
    assert_string_equal(run->levels[0].failures[0].name, "http_5xx");
    assert_true(run->facts.output.mean == 16); /* the server's count; AIPerf's tokenizer makes 32 of it */
    run_summary_free(run);
}

static void test_facts_of_vllm_bench(void **state)
{
    (void)state;
    struct run_summary *run = import("vllm-bench", FOLDER "vllm-bench-0.32.json");
    assert_string_equal(run->facts.model, "mistral-3-int4");
    assert_string_equal(run->facts.limits, "30 requests a level");
    assert_string_equal(run->levels[0].kind, "concurrent");
    assert_int_equal(run->facts.prompt.requests, 30);
    assert_true(fabs(run->facts.prompt.mean - 2286.0 / 30) < 1e-9);
    run_summary_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports_say_what_their_requests_say),
        cmocka_unit_test(test_every_level_is_marked),
        cmocka_unit_test(test_facts_of_guidellm),
        cmocka_unit_test(test_facts_of_older_guidellm),
        cmocka_unit_test(test_facts_of_aiperf),
        cmocka_unit_test(test_facts_of_vllm_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
