#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "import/import.h"

#define HEADER "load,unit,prompt_tokens,output_tokens,ttft_p95_ms,tpot_with_first_p95_ms,total_tps\n"

static struct run_summary *read_table(const char *text, struct error *err)
{
    return import_read_bytes(&import_levels_csv, "tables/int4.csv", text, strlen(text), &sla_default, err);
}

static struct run_summary *must_read(const char *text)
{
    struct error err = {0};
    struct run_summary *run = read_table(text, &err);
    if (!run)
        fail_msg("%s", err.text);
    return run;
}

static const char *derived_of(const struct level_summary *level, const char *field)
{
    for (size_t k = 0; k < level->derived_count; k++)
        if (strcmp(level->derived[k].field, field) == 0)
            return level->derived[k].formula;
    return NULL;
}

/* (256 x 60 - 1489) / 255 and 207 x 256 / 512, by hand. */
static void test_what_is_told_and_what_is_derived(void **state)
{
    (void)state;
    struct run_summary *run = must_read(HEADER "5,streams,256,256,1489,60,207\n");
    const struct level_summary *level = &run->levels[0];
    assert_int_equal(run->level_count, 1);
    assert_true(level->load == 5 && level->imported && run->any_ended);
    assert_string_equal(level->unit, "streams");
    assert_true(level->latency[LATENCY_TTFT].percentile[P95] == 1489);
    assert_true(level_ttft_p95(level) == 1489);
    assert_true(level->latency[LATENCY_TPOT_WITH_FIRST].percentile[P95] == 60);
    assert_true(fabs(level->latency[LATENCY_TPOT].percentile[P95] - 13871.0 / 255) < 1e-12);
    assert_true(fabs(level->rate[RATE_USER_TPS] - 1000 * 255 / 13871.0) < 1e-12);
    assert_true(level->rate[RATE_TOTAL_TPS] == 207 && level->rate[RATE_OUTPUT_TPS] == 103.5);
    assert_non_null(derived_of(level, "tpot_ms"));
    assert_non_null(derived_of(level, "output_tps"));
    assert_non_null(derived_of(level, "ttft_censored_ms"));
    assert_null(derived_of(level, "total_tps"));
    run_summary_free(run);
}

static void test_everything_else_is_missing(void **state)
{
    (void)state;
    struct run_summary *run = must_read(HEADER "5,streams,256,256,1489,60,207\n");
    const struct level_summary *level = &run->levels[0];
    static const enum rate unknown[] = {RATE_REQUEST_RPS, RATE_CONCURRENCY, RATE_ERROR_RATE, RATE_OFFERED_RPS, RATE_SYNCHRONY};
    for (size_t k = 0; k < sizeof unknown / sizeof unknown[0]; k++)
        assert_true(isnan(level->rate[unknown[k]]));
    assert_true(level->requests.members == COUNT_UNKNOWN && level->requests.error == COUNT_UNKNOWN);
    assert_true(isnan(level->latency[LATENCY_TTFT].percentile[P50]) && level->latency[LATENCY_TTFT].count == 0);
    assert_false(distribution_is_known(&level->latency[LATENCY_E2E]));
    assert_int_equal(level->verdict.metric[SLA_ERROR_RATE], SLA_UNKNOWN);
    assert_int_equal(run->facts.price_micro_usd, -1);
    assert_string_equal(run->facts.run_id, "int4");
    assert_string_equal(run->facts.model, "int4");
    assert_string_equal(run->facts.tokens, "256 + 256 tokens");
    run_summary_free(run);
}

static void test_columns_in_any_order_and_fields_left_empty(void **state)
{
    (void)state;
    struct run_summary *run = must_read("# of a paper\r\nunit,load,total_tps\r\nreq/s,0.5,\r\nreq/s,2,80\r\n");
    assert_int_equal(run->level_count, 2);
    assert_true(run->levels[0].load == 0.5 && isnan(run->levels[0].rate[RATE_TOTAL_TPS]));
    assert_true(run->levels[1].rate[RATE_TOTAL_TPS] == 80 && isnan(run->levels[1].rate[RATE_OUTPUT_TPS]));
    assert_true(isnan(run->levels[1].rate[RATE_USER_TPS]));
    assert_int_equal(run->levels[1].derived_count, 0);
    assert_string_equal(run->facts.tokens, "");
    run_summary_free(run);
}

/* A wait for the first token that is longer than the whole answer, and answers of one token. */
static void test_nothing_is_derived_of_a_contradiction(void **state)
{
    (void)state;
    struct run_summary *run = must_read(HEADER "5,streams,256,10,1489,60,207\n8,streams,256,1,60,60,207\n");
    assert_true(isnan(run->levels[0].rate[RATE_USER_TPS]));
    assert_null(derived_of(&run->levels[0], "tpot_ms"));
    assert_true(isnan(run->levels[1].rate[RATE_USER_TPS]));
    assert_string_equal(run->facts.tokens, "256 + 5.5 tokens on average");
    run_summary_free(run);
}

static void test_errors_name_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {HEADER "5,users,256,256,1489,60,207\n", "line 2: unit: expected streams or req/s, got users"},
        {HEADER "5,streams,256,256,soon,60,207\n", "line 2: ttft_p95_ms: expected a number from 0 to 10^12, got soon"},
        {HEADER "5,streams,256,256,-1,60,207\n", "line 2: ttft_p95_ms: expected a number from 0 to 10^12, got -1"},
        {HEADER "5,streams,256,256,1e13,60,207\n", "line 2: ttft_p95_ms: expected a number from 0 to 10^12, got 1e13"},
        {HEADER "1.5,streams,256,256,1,60,207\n", "line 2: level 1: 1.5 streams: expected a whole number"},
        {HEADER "5,streams,,,1,,\n5,req/s,,,2,,\n5,streams,,,3,,\n", "line 4: 5 streams once more"},
        {HEADER "5,streams,256,256,nan,60,207\n", "line 2: ttft_p95_ms"},
        {HEADER "0,streams,256,256,1,60,207\n", "line 2: level 1: a load of 0"},
        {HEADER ",streams,256,256,1,60,207\n", "line 2: level 1: a load of unknown size"},
        {HEADER "5,streams\n", "line 2: 2 fields where the first row has 7"},
        {"load,unit,ttft\n1,streams,5\n", "line 1: a column ttft; expected are load, unit"},
        {"load,unit,unit\n1,streams,5\n", "line 1: two columns unit"},
        {"load,total_tps\n1,5\n", "the first row must name the columns"},
        {"load,unit\n", "no level is in it"},
        {"", "the file is empty"},
        {"\n\n", "the first row must name the columns"},
        {HEADER "\"5,streams\n", "tables/int4.csv: line 2"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct error err = {0};
        assert_null(read_table(cases[k].text, &err));
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, cases[k].says) || strncmp(err.text, "tables/int4.csv: ", strlen("tables/int4.csv: ")) != 0)
            fail_msg("%s\nexpected: %s", err.text, cases[k].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_told_and_what_is_derived),
        cmocka_unit_test(test_everything_else_is_missing),
        cmocka_unit_test(test_columns_in_any_order_and_fields_left_empty),
        cmocka_unit_test(test_nothing_is_derived_of_a_contradiction),
        cmocka_unit_test(test_errors_name_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
