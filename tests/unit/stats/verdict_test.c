#include "stats/verdict.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The table of docs/metrics.md, value by value around every bound. */
static const struct {
    enum sla_metric metric;
    double value;
    enum sla_class class;
} cases[] = {
    {SLA_TTFT, 0, SLA_EXCELLENT},          {SLA_TTFT, 499.9, SLA_EXCELLENT},     {SLA_TTFT, 500, SLA_ACCEPTABLE},
    {SLA_TTFT, 999.9, SLA_ACCEPTABLE},     {SLA_TTFT, 1000, SLA_DEGRADED},       {SLA_TTFT, 2000, SLA_DEGRADED},
    {SLA_TTFT, 2000.1, SLA_BREAKING},      {SLA_TTFT, INFINITY, SLA_BREAKING},   {SLA_TTFT, NAN, SLA_UNKNOWN},
    {SLA_USER_TPS, 50.1, SLA_EXCELLENT},   {SLA_USER_TPS, 50, SLA_ACCEPTABLE},   {SLA_USER_TPS, 20.1, SLA_ACCEPTABLE},
    {SLA_USER_TPS, 20, SLA_DEGRADED},      {SLA_USER_TPS, 10, SLA_DEGRADED},     {SLA_USER_TPS, 9.9, SLA_BREAKING},
    {SLA_KV_CACHE, 0.69, SLA_EXCELLENT},   {SLA_KV_CACHE, 0.70, SLA_ACCEPTABLE}, {SLA_KV_CACHE, 0.85, SLA_DEGRADED},
    {SLA_KV_CACHE, 0.95, SLA_DEGRADED},    {SLA_KV_CACHE, 0.951, SLA_BREAKING},  {SLA_QUEUE_DEPTH, 0, SLA_EXCELLENT},
    {SLA_QUEUE_DEPTH, 0.05, SLA_EXCELLENT}, {SLA_QUEUE_DEPTH, 0.06, SLA_ACCEPTABLE}, {SLA_QUEUE_DEPTH, 1, SLA_ACCEPTABLE},
    {SLA_QUEUE_DEPTH, 1.01, SLA_DEGRADED}, {SLA_QUEUE_DEPTH, 5, SLA_DEGRADED},   {SLA_QUEUE_DEPTH, 5.01, SLA_BREAKING},
    {SLA_ERROR_RATE, 0, SLA_EXCELLENT},    {SLA_ERROR_RATE, 1e-9, SLA_ACCEPTABLE}, {SLA_ERROR_RATE, 0.001, SLA_ACCEPTABLE},
    {SLA_ERROR_RATE, 0.0011, SLA_DEGRADED}, {SLA_ERROR_RATE, 0.05, SLA_DEGRADED}, {SLA_ERROR_RATE, 0.0501, SLA_BREAKING},
};

static void test_every_bound_is_on_the_right_side(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        if (sla_classify(&sla_default.row[cases[k].metric], cases[k].value) != cases[k].class)
            fail_msg("case %zu: metric %d, value %g", k, cases[k].metric, cases[k].value);
}

static void test_the_worst_metric_decides(void **state)
{
    (void)state;
    double values[SLA_METRIC_COUNT] = {
        [SLA_TTFT] = 600, [SLA_USER_TPS] = 15, [SLA_KV_CACHE] = 0.1, [SLA_QUEUE_DEPTH] = 2, [SLA_ERROR_RATE] = NAN};
    struct verdict verdict = sla_judge(&sla_default, values);
    assert_int_equal(verdict.level, SLA_DEGRADED);
    assert_int_equal(verdict.decided_by, SLA_USER_TPS); /* the first of two */
    assert_int_equal(verdict.metric[SLA_ERROR_RATE], SLA_UNKNOWN);
}

static void test_nothing_known_is_unknown(void **state)
{
    (void)state;
    double values[SLA_METRIC_COUNT] = {NAN, NAN, NAN, NAN, NAN};
    struct verdict verdict = sla_judge(&sla_default, values);
    assert_int_equal(verdict.level, SLA_UNKNOWN);
    assert_int_equal(verdict.decided_by, -1);
}

/* No member at all, or only such as failed by the client's doing: an idle server is not an excellent one. */
static void test_a_level_without_service_has_no_class(void **state)
{
    (void)state;
    double idle[SLA_METRIC_COUNT] = {
        [SLA_TTFT] = NAN, [SLA_USER_TPS] = NAN, [SLA_KV_CACHE] = 0, [SLA_QUEUE_DEPTH] = 0, [SLA_ERROR_RATE] = NAN};
    assert_int_equal(sla_judge(&sla_default, idle).level, SLA_UNKNOWN);
    assert_int_equal(sla_judge(&sla_default, idle).decided_by, -1);
    idle[SLA_ERROR_RATE] = 0;
    assert_int_equal(sla_judge(&sla_default, idle).level, SLA_UNKNOWN);
    idle[SLA_ERROR_RATE] = 0.5;
    assert_int_equal(sla_judge(&sla_default, idle).level, SLA_BREAKING);
    assert_int_equal(sla_judge(&sla_default, idle).decided_by, SLA_ERROR_RATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bound_is_on_the_right_side),
        cmocka_unit_test(test_the_worst_metric_decides),
        cmocka_unit_test(test_nothing_known_is_unknown),
        cmocka_unit_test(test_a_level_without_service_has_no_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
