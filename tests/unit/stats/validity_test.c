/* Who is to blame for arrivals that were not delivered, and what else makes a measurement doubtful. */
#include "stats/validity.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define ARRIVALS 100 /* one a second */

struct bench {
    struct run_data data;
    struct run_level level;
    struct level_summary out;
    struct record records[ARRIVALS];
    uint32_t order[ARRIVALS];
    bool member[ARRIVALS];
    struct plan *plan;
};

/* An open loop of 100 s: requests take e2e_s each; from first_lost on none is sent. */
static void begin(struct bench *bench, double e2e_s, int first_lost)
{
    memset(bench, 0, sizeof *bench);
    bench->plan = plan_new();
    bench->plan->limits.max_concurrency = 10;
    level_summary_init(&bench->out);
    snprintf(bench->out.unit, sizeof bench->out.unit, "req/s");
    bench->out.ended = true;
    bench->out.rate[RATE_DRAWN_RPS] = 1;
    bench->out.rate[RATE_DELIVERED_RPS] = first_lost / (double)ARRIVALS;
    bench->out.server.queue_depth.mean = 0;
    bench->out.server.queue_depth.covered = bench->out.server.kv_cache.covered = 1;
    bench->data.file.records = bench->records;
    bench->data.member = bench->member;
    bench->level = (struct run_level){.records = bench->order, .record_count = ARRIVALS};
    bench->level.bounds.end = bench->level.bounds.window_end = ARRIVALS * NS_PER_S;
    bench->level.health = (struct client_health){.known = true, .lag_p99 = 0, .cpu = 0.1, .throttled = 0};
    for (int k = 0; k < ARRIVALS; k++) {
        struct record *record = &bench->records[k];
        *record = record_empty();
        bench->order[k] = (uint32_t)k;
        bench->member[k] = true;
        record->intended = k * NS_PER_S;
        record->outcome = OUTCOME_OK;
        if (k < first_lost) {
            record->sent = record->intended;
            record->end = record->sent + (int64_t)(e2e_s * (double)NS_PER_S);
        }
    }
}

static const struct validity_reason *judge(struct bench *bench, struct arena *arena, const char *tag)
{
    bench->out.validity = (struct validity_summary){0};
    validity_judge(&bench->out, &bench->data, &bench->level, bench->plan, &sla_default, arena);
    for (size_t k = 0; k < bench->out.validity.count; k++)
        if (strcmp(bench->out.validity.reasons[k].tag, tag) == 0)
            return &bench->out.validity.reasons[k];
    return NULL;
}

/* The ten places are taken from 50 s on; before, at most ten seconds' arrivals are under way: the mean is far below the cap. */
static void test_the_cap_is_no_fault_of_the_client(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, 50);
    for (int k = 40; k < 50; k++)
        bench.records[k].end = 200 * NS_PER_S;
    bench.out.rate[RATE_CONCURRENCY] = 6; /* of 10, as the mean over the window */
    const struct validity_reason *reason = judge(&bench, arena, "limited");
    assert_non_null(reason);
    assert_int_equal(reason->verdict, VALIDITY_SUSPECT);
    assert_string_equal(reason->text, "limited by --max-concurrency 10: 50.0 % of the arrivals that were drawn were delivered");
    assert_int_equal(bench.out.validity.verdict, VALIDITY_SUSPECT);
    bench.out.server.queue_depth.mean = 3; /* the server's queue does not make it less so */
    assert_non_null(judge(&bench, arena, "limited"));
    bench.out.server.queue_depth.mean = NAN;
    assert_non_null(judge(&bench, arena, "limited"));
    plan_free(bench.plan);
    arena_free(arena);
}

static void test_places_were_free(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, 50);
    bench.out.rate[RATE_CONCURRENCY] = 9.9; /* whatever the mean says: nothing was under way when the lost ones were due */
    const struct validity_reason *reason = judge(&bench, arena, "undelivered");
    assert_non_null(reason);
    assert_int_equal(reason->verdict, VALIDITY_INVALID);
    assert_null(judge(&bench, arena, "limited"));
    bench.out.server.queue_depth.mean = NAN;
    assert_int_equal(judge(&bench, arena, "undelivered")->verdict, VALIDITY_SUSPECT);
    bench.out.server.queue_depth.mean = 3;
    assert_null(judge(&bench, arena, "undelivered"));
    plan_free(bench.plan);
    arena_free(arena);
}

/* 44 of the 50 lost ones became due after the places were free again. */
static void test_the_cap_must_explain_most_of_it(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, 50);
    for (int k = 40; k < 50; k++)
        bench.records[k].end = 55 * NS_PER_S + NS_PER_S / 2;
    assert_non_null(judge(&bench, arena, "undelivered"));
    assert_null(judge(&bench, arena, "limited"));
    plan_free(bench.plan);
    arena_free(arena);
}

static void test_late_stamps_are_told_and_a_slow_disk_is_suspect(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, ARRIVALS);
    bench.out.start_s = 10;
    bench.out.end_s = 110;
    bench.out.latency[LATENCY_ARRIVAL_GAP].percentile[P50] = 50; /* ms: a tenth of it is the limit */
    bench.level.health.stamp_delay_p99 = 5 * NS_PER_MS;
    bench.level.health.record_stall = NS_PER_S;
    assert_null(judge(&bench, arena, "late stamps"));
    assert_null(judge(&bench, arena, "slow disk"));
    enum validity before = bench.out.validity.verdict;
    bench.level.health.stamp_delay_p99 = 6 * NS_PER_MS;
    assert_string_equal(judge(&bench, arena, "late stamps")->text,
                        "the client waited for a CPU: its time stamps were later than the kernel's by 6.00 ms (p99) > 5.00 ms");
    assert_int_equal(bench.out.validity.verdict, before);
    bench.level.health.record_stall = 1500 * NS_PER_MS;
    const struct validity_reason *reason = judge(&bench, arena, "slow disk");
    assert_string_equal(reason->text, "nothing new was sent for 1.5 s, for the disk did not take the records: less load than asked");
    assert_int_equal(reason->verdict, VALIDITY_SUSPECT);
    plan_free(bench.plan);
    arena_free(arena);
}

/* In 100 s: 1 s is what a p99 can bear. A short level bears 0.1 s of wall time. */
static void test_a_client_that_stood_still_is_invalid(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, ARRIVALS);
    bench.level.health.pause = NS_PER_S;
    assert_null(judge(&bench, arena, "client stopped"));
    bench.level.health.pause = NS_PER_S + NS_PER_MS;
    const struct validity_reason *reason = judge(&bench, arena, "client stopped");
    assert_string_equal(reason->text, "the client stood still for 1 s, and all that came meanwhile was seen too late");
    assert_int_equal(reason->verdict, VALIDITY_INVALID);
    bench.level.bounds.window_end = 2 * NS_PER_S;
    bench.plan->server.time_scale = 11;
    assert_null(judge(&bench, arena, "client stopped"));
    bench.plan->server.time_scale = 9;
    assert_non_null(judge(&bench, arena, "client stopped"));
    plan_free(bench.plan);
    arena_free(arena);
}

static void test_a_stopped_level_is_cut_off(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, ARRIVALS);
    assert_null(judge(&bench, arena, "cut off"));
    snprintf(bench.level.health.reason, sizeof bench.level.health.reason, "stopped");
    assert_string_equal(judge(&bench, arena, "cut off")->text, "cut off: the run was stopped in this level");
    assert_int_equal(bench.out.validity.verdict, VALIDITY_SUSPECT);
    bench.out.requests.left_out = 3;
    assert_non_null(strstr(judge(&bench, arena, "cut off")->text, "3 requests without a first token are left out"));
    bench.out.ended = false; /* though its journal tells how it ended */
    assert_non_null(strstr(judge(&bench, arena, "cut off")->text, "the records end before this level did"));
    bench.level.health.known = false;
    assert_non_null(strstr(judge(&bench, arena, "cut off")->text, "did not live to end"));
    plan_free(bench.plan);
    arena_free(arena);
}

static void test_times_that_go_back(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, ARRIVALS);
    bench.records[3].sent = TIME_NEVER; /* its connection failed */
    bench.records[4].first_token = bench.records[4].last_token = bench.records[4].end;
    assert_null(judge(&bench, arena, "clock jumped"));
    bench.records[5].end = bench.records[5].sent - 1;
    const struct validity_reason *reason = judge(&bench, arena, "clock jumped");
    assert_int_equal(reason->verdict, VALIDITY_INVALID);
    assert_non_null(strstr(reason->text, "of 1 request the times go back"));
    bench.records[4].first_token = bench.records[4].end + 1;
    assert_non_null(strstr(judge(&bench, arena, "clock jumped")->text, "of 2 requests"));
    plan_free(bench.plan);
    arena_free(arena);
}

/* Without the gaps between tokens, what lag matters is known from the records: 40 ms between arrivals bear 4. */
static void test_lag_where_the_gaps_are_lost(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, ARRIVALS);
    bench.level.health.lag_p99 = 3 * NS_PER_MS;
    assert_non_null(strstr(judge(&bench, arena, "client late")->text, "event-loop lag p99 3.00 ms > 1.00 ms"));
    for (int k = 0; k < ARRIVALS; k++) {
        bench.records[k].first_token = bench.records[k].sent + NS_PER_S;
        bench.records[k].last_token = bench.records[k].first_token + 10 * 40 * NS_PER_MS;
        bench.records[k].arrivals = 11;
    }
    assert_null(judge(&bench, arena, "client late"));
    bench.level.health.lag_p99 = 4 * NS_PER_MS + 1;
    assert_non_null(strstr(judge(&bench, arena, "client late")->text, "event-loop lag p99 4.00 ms > 4.00 ms"));
    bench.out.latency[LATENCY_ARRIVAL_GAP].percentile[P50] = 50;
    assert_null(judge(&bench, arena, "client late"));
    plan_free(bench.plan);
    arena_free(arena);
}

static void test_metrics_of_a_part_of_the_window(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, ARRIVALS);
    assert_null(judge(&bench, arena, "metrics gap"));
    bench.out.server.kv_cache.covered = 0.4;
    assert_non_null(strstr(judge(&bench, arena, "metrics gap")->text, "cover 40 % of the window"));
    bench.out.server.kv_cache.covered = bench.out.server.queue_depth.covered = 0; /* no metrics at all is said elsewhere */
    assert_null(judge(&bench, arena, "metrics gap"));
    plan_free(bench.plan);
    arena_free(arena);
}

static void test_pods_that_changed(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct bench bench;
    begin(&bench, 2, ARRIVALS);
    assert_null(judge(&bench, arena, "pods changed"));
    snprintf(bench.data.pods_changed, sizeof bench.data.pods_changed, "pod a was restarted");
    const struct validity_reason *reason = judge(&bench, arena, "pods changed");
    assert_int_equal(reason->verdict, VALIDITY_SUSPECT);
    assert_string_equal(reason->text, "the model's pods are not those that prepare saw: pod a was restarted");
    plan_free(bench.plan);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_cap_is_no_fault_of_the_client),
        cmocka_unit_test(test_places_were_free),
        cmocka_unit_test(test_the_cap_must_explain_most_of_it),
        cmocka_unit_test(test_late_stamps_are_told_and_a_slow_disk_is_suspect),
        cmocka_unit_test(test_a_client_that_stood_still_is_invalid),
        cmocka_unit_test(test_a_stopped_level_is_cut_off),
        cmocka_unit_test(test_times_that_go_back),
        cmocka_unit_test(test_lag_where_the_gaps_are_lost),
        cmocka_unit_test(test_metrics_of_a_part_of_the_window),
        cmocka_unit_test(test_pods_that_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
