#include "stats/points.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stats/advice.h"
#include "support/levels.h"

#define INT4 "tests/data/reference-int4.csv"
#define BF16 "tests/data/reference-bf16.csv"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct points find(const struct level_summary *levels, size_t count)
{
    struct points points;
    points_find(&points, arena, levels, count, "streams", &sla_default);
    return points;
}

static struct points find_in_table(const char *path, struct level_summary *levels)
{
    return find(levels, levels_read_table(path, levels));
}

/* ---- the reference's tables: the expected values are those of docs/metrics.md ---- */

static void test_reference_breaks_where_it_says(void **state)
{
    (void)state;
    struct level_summary int4[TABLE_LEVELS_MAX], bf16[TABLE_LEVELS_MAX];
    struct points a = find_in_table(INT4, int4), b = find_in_table(BF16, bf16);
    assert_string_equal(a.breaking.text, "(5, 8] streams");
    assert_string_equal(b.breaking.text, "(15, 20] streams");
    assert_string_equal(a.breaking.metric, "ttft");
    assert_int_equal(a.breaking.decided, -1); /* a table has no interval */
}

static void test_reference_is_degraded_by_speed_everywhere(void **state)
{
    (void)state;
    struct level_summary levels[TABLE_LEVELS_MAX];
    size_t count = levels_read_table(BF16, levels);
    for (size_t k = 0; k < count; k++) {
        assert_int_equal(levels[k].verdict.metric[SLA_USER_TPS], SLA_DEGRADED);
        assert_true(levels[k].rate[RATE_USER_TPS] > 13 && levels[k].rate[RATE_USER_TPS] < 20);
    }
}

static void test_reference_capacity(void **state)
{
    (void)state;
    struct level_summary int4[TABLE_LEVELS_MAX], bf16[TABLE_LEVELS_MAX];
    struct points a = find_in_table(INT4, int4), b = find_in_table(BF16, bf16);
    assert_true(a.capacity[CAPACITY_TTFT].level->load == 3);
    assert_true(a.capacity[CAPACITY_TTFT_2S].level->load == 5);
    assert_true(b.capacity[CAPACITY_TTFT].level->load == 5);
    assert_true(b.capacity[CAPACITY_TTFT_2S].level->load == 15);
    assert_null(a.capacity[CAPACITY_ALL].level);
    assert_string_equal(a.capacity[CAPACITY_ALL].none, "none: user_tps 19.3 < 20 at every load");
    assert_string_equal(b.capacity[CAPACITY_ALL].none, "none: user_tps 19.2 < 20 at every load");
}

/* Loads below breaking with at least a fifth of the throughput at the breaking load or below: this rule exists here only. */
static void reference_sweet_spot(const struct level_summary *levels, size_t count, double broke, double *low, double *high)
{
    double most = 0;
    for (size_t k = 0; k < count; k++)
        if (levels[k].load <= broke && levels[k].rate[RATE_TOTAL_TPS] > most)
            most = levels[k].rate[RATE_TOTAL_TPS];
    *low = *high = NAN;
    for (size_t k = 0; k < count; k++) {
        if (levels[k].load >= broke || levels[k].rate[RATE_TOTAL_TPS] < 0.2 * most)
            continue;
        *low = isnan(*low) ? levels[k].load : *low;
        *high = levels[k].load;
    }
}

static void test_reference_sweet_spots(void **state)
{
    (void)state;
    struct level_summary levels[TABLE_LEVELS_MAX];
    double low, high;
    size_t count = levels_read_table(INT4, levels);
    reference_sweet_spot(levels, count, find(levels, count).breaking.broke, &low, &high);
    assert_true(low == 3 && high == 5);
    count = levels_read_table(BF16, levels);
    reference_sweet_spot(levels, count, find(levels, count).breaking.broke, &low, &high);
    assert_true(low == 5 && high == 15);
}

static void test_what_a_table_lacks_is_said(void **state)
{
    (void)state;
    struct level_summary levels[TABLE_LEVELS_MAX];
    struct points points = find_in_table(INT4, levels);
    assert_true(isnan(points.sweet_spot.low));
    assert_non_null(strstr(points.sweet_spot.none, "end-to-end"));
    assert_non_null(strstr(points.saturation.text, "unknown"));
    assert_null(points.saturation.metric);
}

/* ---- levels by hand ---- */

static void make_levels(struct level_summary *levels, const double (*rows)[3], size_t count)
{
    for (size_t k = 0; k < count; k++) {
        level_make(&levels[k], rows[k][0], rows[k][1], rows[k][2]);
        levels[k].index = (int)k;
        level_judge(&levels[k]);
    }
}

static void test_not_reached_is_a_value(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 10}, {30, 300, 200}};
    struct level_summary levels[2];
    make_levels(levels, rows, 2);
    struct points points = find(levels, 2);
    assert_string_equal(points.breaking.text, "> 30 streams");
    assert_true(points.breaking.held == 30 && isnan(points.breaking.broke));
}

static void test_broke_at_the_lowest_load(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 2500, 10}, {5, 3000, 20}};
    struct level_summary levels[2];
    make_levels(levels, rows, 2);
    struct points points = find(levels, 2);
    assert_string_equal(points.breaking.text, "<= 1 streams");
    assert_true(isnan(points.breaking.held) && points.breaking.broke == 1);
    assert_null(points.advised);
}

static void test_a_cold_first_level_does_not_break_a_sweep(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 9000, 10}, {3, 300, 30}, {5, 400, 50}, {8, 2100, 60}};
    struct level_summary levels[4];
    make_levels(levels, rows, 4);
    assert_string_equal(find(levels, 4).breaking.text, "(5, 8] streams");
}

static void test_order_of_levels_does_not_matter(void **state)
{
    (void)state;
    static const double rows[][3] = {{8, 2100, 60}, {3, 300, 30}, {10, 2500, 61}, {1, 200, 10}};
    struct level_summary levels[4];
    make_levels(levels, rows, 4);
    struct points points = find(levels, 4);
    assert_string_equal(points.breaking.text, "(3, 8] streams");
    assert_true(points.max_throughput->load == 10);
}

static void test_unfinished_requests_break(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 200, 10}, {3, INFINITY, 20}};
    struct level_summary levels[2];
    make_levels(levels, rows, 2);
    assert_string_equal(find(levels, 2).breaking.text, "(1, 3] streams");
}

static void test_errors_break(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 200, 10}, {3, 300, 20}};
    struct level_summary levels[2];
    make_levels(levels, rows, 2);
    levels[0].rate[RATE_ERROR_RATE] = 0;
    levels[1].rate[RATE_ERROR_RATE] = 0.06;
    struct points points = find(levels, 2);
    assert_string_equal(points.breaking.text, "(1, 3] streams");
    assert_string_equal(points.breaking.metric, "error_rate");
    assert_string_equal(points.breaking_by[SLA_TTFT].text, "> 3 streams");
}

static void test_levels_without_the_metric_were_not_tested(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 200, 10}, {3, NAN, NAN}, {5, 2500, 20}};
    struct level_summary levels[3];
    make_levels(levels, rows, 3);
    assert_string_equal(find(levels, 3).breaking.text, "(1, 5] streams");
}

static void test_saturation_by_median_slices_and_queue(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 200, 10}, {2, 200, 10}, {3, 200, 10}, {4, 200, 10}};
    struct level_summary levels[4];
    make_levels(levels, rows, 4);
    for (int k = 0; k < 4; k++)
        levels[k].latency[LATENCY_TTFT_CENSORED].percentile[P50] = 500;
    levels[1].ttft_slices_above = 0.8;
    levels[2].server.queue_depth.share_above = 0.5;
    levels[3].latency[LATENCY_TTFT_CENSORED].percentile[P50] = 1000.1;
    struct points points = find(levels, 4);
    assert_string_equal(points.saturation.text, "(1, 2] streams");
    assert_string_equal(points.saturation.metric, "ttft_slices");
    levels[1].ttft_slices_above = 0.7;
    points = find(levels, 4);
    assert_string_equal(points.saturation.text, "(2, 3] streams");
    assert_string_equal(points.saturation.metric, "queue_depth");
    levels[2].server.queue_depth.share_above = 0.49;
    points = find(levels, 4);
    assert_string_equal(points.saturation.text, "(3, 4] streams");
    assert_string_equal(points.saturation.metric, "ttft_p50");
}

static void test_slices_need_a_hundred_requests(void **state)
{
    (void)state;
    double waits[200];
    for (int k = 0; k < 200; k++)
        waits[k] = k < 40 ? 100 : 1500; /* the first two of ten slices are quick */
    assert_true(isnan(saturation_slices_above(waits, 99, saturation_limit_ms(&sla_default))));
    assert_true(saturation_slices_above(waits, 200, saturation_limit_ms(&sla_default)) == 0.8);
}

static void set_interval(struct level_summary *level, uint64_t count, double low, double high)
{
    struct distribution *ttft = &level->latency[LATENCY_TTFT_CENSORED];
    ttft->count = count;
    ttft->interval[INTERVAL_P95] = (struct interval){low, high};
}

static void test_a_point_is_decided_by_intervals(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 900, 10}, {3, 2500, 20}};
    struct level_summary levels[2];
    make_levels(levels, rows, 2);
    set_interval(&levels[0], 100, 800, 1000);
    set_interval(&levels[1], 100, 2200, 3000);
    struct points points = find(levels, 2);
    assert_int_equal(points.breaking.decided, 1);
    assert_int_equal(points.breaking.needs_requests, -1);
    set_interval(&levels[1], 100, 1920, 3000); /* the limit is inside */
    points = find(levels, 2);
    assert_int_equal(points.breaking.decided, 0);
    assert_int_equal(points.breaking.needs_requests, 117); /* 100 x (540 / 500)^2 = 116.6 */
    set_interval(&levels[0], 20, 800, NAN); /* no upper bound */
    points = find(levels, 2);
    assert_int_equal(points.breaking.decided, 0);
    assert_int_equal(points.breaking.needs_requests, 117);
    set_interval(&levels[1], 20, 2200, NAN); /* clearly above, but the level that held is not decided */
    points = find(levels, 2);
    assert_int_equal(points.breaking.decided, 0);
    assert_int_equal(points.breaking.needs_requests, 72);
}

static void test_capacity_is_decided_by_intervals(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 400, 10}, {3, 900, 20}, {5, 1100, 30}};
    struct level_summary levels[3];
    make_levels(levels, rows, 3);
    set_interval(&levels[1], 100, 850, 950);
    set_interval(&levels[2], 100, 1050, 1200);
    struct capacity capacity = find(levels, 3).capacity[CAPACITY_TTFT];
    assert_true(capacity.level->load == 3 && capacity.decided == 1 && capacity.needs_requests == -1);
    set_interval(&levels[2], 100, 990, 1200); /* it may be below 1 s, too */
    capacity = find(levels, 3).capacity[CAPACITY_TTFT];
    assert_int_equal(capacity.decided, 0);
    assert_int_equal(capacity.needs_requests, 111); /* 100 x (105 / 100)^2 = 110.25 */
    assert_int_equal(find(levels, 2).capacity[CAPACITY_TTFT].decided, 1); /* nothing above was tested */
    assert_int_equal(find(levels, 3).capacity[CAPACITY_TTFT_2S].decided, 1);
    assert_int_equal(find(levels, 3).capacity[CAPACITY_ALL].decided, -1);
}

static void test_knee_is_decided_by_intervals(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 1, 100}, {2, 1, 200}, {4, 1, 205}};
    struct level_summary levels[3];
    make_levels(levels, rows, 3);
    assert_int_equal(find(levels, 3).knee.decided, -1);
    for (int k = 0; k < 3; k++)
        levels[k].rate_interval[RATE_TOTAL_TPS] = (struct interval){rows[k][2] - 5, rows[k][2] + 5};
    struct knee knee = find(levels, 3).knee;
    assert_true(knee.load == 2 && knee.decided == 1);
    levels[2].rate_interval[RATE_TOTAL_TPS].high = 215; /* 215 / 195 = 1.1026: may be a step of more than 10 % */
    assert_int_equal(find(levels, 3).knee.decided, 0);
    assert_int_equal(find(levels, 2).knee.decided, 1); /* not reached, and that for sure */
    levels[0].rate_interval[RATE_TOTAL_TPS].high = 190; /* 195 / 190: the step into the knee may be a small one */
    assert_int_equal(find(levels, 2).knee.decided, 0);
}

static void test_knee(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 1, 100}, {2, 1, 200}, {4, 1, 300}, {8, 1, 320}, {16, 1, 310}};
    struct level_summary levels[5];
    make_levels(levels, rows, 5);
    assert_true(find(levels, 5).knee.load == 4);
    struct points points = find(levels, 3);
    assert_true(isnan(points.knee.load));
    assert_non_null(strstr(points.knee.text, "not reached"));
}

static void test_sweet_spot_is_where_power_is_highest(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 50}, {2, 100, 95}, {4, 100, 150}, {8, 100, 160}};
    static const double e2e[] = {1000, 1050, 1600, 3000}; /* power: 50, 90, 94, 53 */
    struct level_summary levels[4];
    make_levels(levels, rows, 4);
    for (int k = 0; k < 4; k++)
        levels[k].latency[LATENCY_E2E].percentile[P50] = e2e[k];
    struct points points = find(levels, 4);
    assert_true(points.sweet_spot.low == 2 && points.sweet_spot.high == 4);
    for (int k = 0; k < 4; k++) {
        levels[k].rate[RATE_USER_TPS] = 15;
        level_judge(&levels[k]);
    }
    points = find(levels, 4);
    assert_true(isnan(points.sweet_spot.low));
    assert_non_null(strstr(points.sweet_spot.none, "4 streams"));
}

static void test_units_are_never_mixed(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 50}, {2, 2500, 95}};
    struct level_summary levels[2];
    make_levels(levels, rows, 2);
    snprintf(levels[1].unit, sizeof levels[1].unit, "req/s");
    struct points streams = find(levels, 2), rates;
    points_find(&rates, arena, levels, 2, "req/s", &sla_default);
    assert_string_equal(streams.breaking.text, "> 1 streams");
    assert_string_equal(rates.breaking.text, "<= 2 req/s");
}

static void test_advice_names_a_level_and_its_limit(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 50}, {5, 800, 200}, {8, 2500, 250}};
    struct level_summary levels[3];
    make_levels(levels, rows, 3);
    struct points points = find(levels, 3);
    assert_true(points.advised->load == 5);
    assert_non_null(strstr(points.advice, "Run 5 streams in production"));
    assert_non_null(strstr(points.advice, "at 8 streams TTFT p95 is 2500 ms (breaking)"));
}

static void test_advice_is_by_the_objectives_that_were_given(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 50}, {5, 800, 200}, {8, 900, 250}};
    struct level_summary levels[3];
    make_levels(levels, rows, 3);
    levels[0].goodput_share = 1;
    levels[1].goodput_share = 0.97;
    levels[2].goodput_share = 0.6;
    struct points points = find(levels, 3);
    assert_true(points.advised->load == 5);
    assert_string_equal(points.advice, "Run 5 streams in production: there 95 % of the requests meet all objectives, at 200 tok/s in and out; at 8 streams 60 % of the "
                                       "requests do.");
    levels[0].goodput_share = levels[1].goodput_share = 0.5;
    points = find(levels, 3);
    assert_null(points.advised);
    assert_non_null(strstr(points.advice, "No tested load can be advised for production (none: 60 % of the requests met all objectives at 8 streams"));
    levels[1].goodput_share = 0.97;
    levels[1].validity.verdict = VALIDITY_INVALID;
    assert_non_null(strstr(find(levels, 3).advice, "the measurement at 5 streams, which would be it, is invalid"));
    levels[0].goodput_share = 1; /* a lower load that is valid will do */
    points = find(levels, 3);
    assert_true(points.advised->load == 1 && points.capacity[CAPACITY_SLO].level->load == 5);
    assert_non_null(strstr(points.advice, "Run 1 stream in production"));
    assert_non_null(strstr(points.advice, "the measurement at 5 streams is invalid"));
}

/* The class is the worst repeat's; the throughput and its cost are the mean of three. Of two, there is no mean worth naming. */
static void test_throughput_of_repeats_is_their_mean(void **state)
{
    (void)state;
    static const double rows[][3] = {{5, 100, 200}, {5, 300, 240}, {5, 200, 280}};
    struct level_summary levels[3];
    make_levels(levels, rows, 3);
    for (int k = 0; k < 3; k++) {
        levels[k].repeat = k;
        levels[k].index = 0;
        levels[k].ended = true;
    }
    struct points points = find(levels, 3);
    advice_assure(&points, arena, 3600000, &sla_default);
    assert_true(points.advised == &levels[1] && points_figure(&points, points.advised, FIGURE_TOTAL_TPS) == 240);
    levels[2].rate[RATE_TOTAL_TPS] = 340;
    points = find(levels, 3);
    advice_assure(&points, arena, 3600000, &sla_default);
    assert_non_null(strstr(points.advice, "at 260 tok/s in and out (mean of 3 repeats); "));
    assert_non_null(strstr(points.assurance, "A million tokens cost $3.85 there; ")); /* 3.6 $/h of 260 tok/s */
    assert_non_null(strstr(points.assurance, ", the worst of its repeats."));
    levels[2].validity.verdict = VALIDITY_INVALID; /* left out, and then there are two */
    points = find(levels, 3);
    assert_null(points_repeats(&points, &levels[0]));
    assert_true(points_figure(&points, &levels[1], FIGURE_TOTAL_TPS) == 240);
}

/* Requests were answered in time; only what they add up to is lost. */
static void test_advice_without_any_throughput_says_what_is_missing(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, NAN}, {5, 800, NAN}};
    struct level_summary levels[2];
    make_levels(levels, rows, 2);
    for (int k = 0; k < 2; k++) {
        levels[k].requests.ok = 100;
        level_add_missing(&levels[k], "output_tps", "tokens.bin.gz is lost");
        level_add_missing(&levels[k], "total_tps", "output_tps is not known");
    }
    struct points points = find(levels, 2);
    advice_assure(&points, arena, 0, &sla_default);
    assert_string_equal(points.advice, "No tested load can be advised for production (none: the throughput of the loads that meet it is not known).");
    assert_string_equal(points.assurance, "Requests were answered, but how many tokens a second came is not known: tokens.bin.gz is lost.");
    levels[0].goodput_share = levels[1].goodput_share = 1;
    points = find(levels, 2);
    assert_string_equal(points.capacity[CAPACITY_SLO].none, "none: the throughput of the loads that meet it is not known");
    for (int k = 0; k < 2; k++)
        levels[k].rate[RATE_TOTAL_TPS] = 0;
    assert_string_equal(find(levels, 2).capacity[CAPACITY_TTFT].none, "none: the loads that meet it have no throughput");
    level_make(&levels[0], 1, NAN, NAN);
    level_add_missing(&levels[0], "output_tps", "the measurement window is empty");
    levels[0].requests.ok = 0;
    points = find(levels, 1);
    advice_assure(&points, arena, 0, &sla_default);
    assert_string_equal(points.assurance, "How many tokens a second came is not known: the measurement window is empty.");
    level_make(&levels[0], 1, NAN, 0);
    points = find(levels, 1);
    advice_assure(&points, arena, 0, &sla_default);
    assert_string_equal(points.assurance, "Not one request brought a token: see what failed.");
}

static void test_advice_never_names_a_level_that_breaks(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 50}, {5, 800, 200}, {8, 900, 250}};
    struct level_summary levels[3];
    make_levels(levels, rows, 3);
    for (int k = 1; k < 3; k++) {
        levels[k].verdict.metric[SLA_USER_TPS] = levels[k].verdict.level = SLA_BREAKING;
        levels[k].verdict.decided_by = SLA_USER_TPS;
        levels[k].rate[RATE_USER_TPS] = 8;
    }
    struct points points = find(levels, 3);
    assert_true(points.advised->load == 1);
    points = find(levels + 1, 2);
    assert_null(points.advised);
    assert_string_equal(points.advice, "No tested load can be advised for production (at 8 streams the user speed is 8 tok/s: breaking).");
}

/* The next load is better in throughput: what keeps it out is said, and never that it gives less. */
static void test_advice_says_less_throughput_only_where_it_is_so(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 50}, {5, 800, 200}, {8, 900, 250}};
    struct level_summary levels[3];
    make_levels(levels, rows, 3);
    levels[2].rate[RATE_USER_TPS] = 8; /* breaking, by the speed alone */
    level_judge(&levels[2]);
    for (int k = 0; k < 2; k++) { /* no level meets all objectives: TTFT alone decides */
        levels[k].rate[RATE_USER_TPS] = 15;
        level_judge(&levels[k]);
    }
    struct points points = find(levels, 3);
    assert_true(points.advised->load == 5);
    assert_non_null(strstr(points.advice, "95 % of the requests wait less than 1 s"));
    assert_non_null(strstr(points.advice, "at 8 streams the user speed is 8 tok/s (breaking)"));
    assert_null(strstr(points.advice, "throughput"));
    levels[2].rate[RATE_USER_TPS] = 15;
    levels[2].rate[RATE_TOTAL_TPS] = 190;
    level_judge(&levels[2]);
    assert_non_null(strstr(find(levels, 3).advice, "8 streams gives less throughput"));
    levels[2].rate[RATE_TOTAL_TPS] = NAN;
    assert_non_null(strstr(find(levels, 3).advice, "the throughput at 8 streams is not known"));
    levels[2].rate[RATE_TOTAL_TPS] = 0;
    assert_non_null(strstr(find(levels, 3).advice, "8 streams gives no throughput"));
    level_make(&levels[2], 8, NAN, 300);
    assert_non_null(strstr(find(levels, 3).advice, "at 8 streams no TTFT was measured"));
}

static void test_a_level_where_all_failed_is_no_step(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, INFINITY, 0}, {2, INFINITY, 0}, {4, 100, 50}, {8, 100, 80}, {16, 100, 81}};
    struct level_summary levels[5];
    make_levels(levels, rows, 5);
    struct points points = find(levels, 2);
    assert_true(isnan(points.knee.load));
    assert_null(strstr(points.knee.text, "nan"));
    assert_string_equal(points.knee.text, "none: fewer than two loads with a throughput");
    assert_null(points.max_throughput);
    assert_null(points.advised);
    points = find(levels, 5);
    assert_true(points.knee.load == 8);
    assert_true(points.max_throughput->load == 16);
    points = find(levels + 1, 2); /* from 0 to 50 is no step of infinitely many percent */
    assert_string_equal(points.knee.text, "none: fewer than two loads with a throughput");
}

static void test_equal_loads_are_one(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 50}, {5, 200, 90}, {5, 3000, 95}, {8, 2500, 99}};
    struct level_summary levels[4];
    make_levels(levels, rows, 4);
    struct points points = find(levels, 4);
    assert_string_equal(points.breaking.text, "(1, 5] streams");
    assert_true(points.breaking.broke_level == &levels[2]);
    assert_int_equal(points.load_count, 3);
    assert_true(points.capacity[CAPACITY_ALL].level->load == 1); /* one of the two levels of 5 streams broke */
    assert_string_equal(find(levels, 3).breaking.text, "(1, 5] streams");
    assert_string_equal(find(levels + 1, 2).breaking.text, "<= 5 streams");
    levels[2].latency[LATENCY_TTFT_CENSORED].percentile[P95] = NAN; /* not known counts as not tested */
    level_judge(&levels[2]);
    points = find(levels, 4);
    assert_string_equal(points.breaking.text, "(5, 8] streams");
    assert_true(points.breaking.held_level == &levels[1]);
}

static void test_a_limit_that_is_just_missed_says_what_it_needs(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 50}, {2, 1000.2, 80}};
    struct level_summary levels[2];
    make_levels(levels, rows, 2);
    levels[0].rate[RATE_USER_TPS] = 20;
    level_judge(&levels[0]);
    assert_string_equal(find(levels, 1).capacity[CAPACITY_ALL].none, "none: user_tps 20 at every load, needs > 20");
    levels[0].rate[RATE_USER_TPS] = 19.9999;
    level_judge(&levels[0]);
    assert_string_equal(find(levels, 1).capacity[CAPACITY_ALL].none, "none: user_tps 20 at every load, needs > 20");
    assert_string_equal(find(levels + 1, 1).capacity[CAPACITY_TTFT].none, "none: ttft 1000 ms at every load, needs < 1000 ms");
    levels[0].rate[RATE_USER_TPS] = 12;
    level_judge(&levels[0]);
    assert_string_equal(find(levels, 1).capacity[CAPACITY_ALL].none, "none: user_tps 12 < 20 at every load");
}

static void test_advice_names_no_level_whose_measurement_is_invalid(void **state)
{
    (void)state;
    static const double rows[][3] = {{1, 100, 50}, {5, 200, 200}};
    static const struct validity_reason late = {.verdict = VALIDITY_INVALID, .tag = "client late", .text = "the client was late"};
    struct level_summary levels[2];
    make_levels(levels, rows, 2);
    levels[1].validity = (struct validity_summary){.verdict = VALIDITY_INVALID, .reasons = {late}, .count = 1};
    struct points points = find(levels, 2);
    assert_true(points.advised->load == 1);
    assert_non_null(strstr(points.advice, "the measurement at 5 streams is invalid (client late)"));
    points = find(levels + 1, 1);
    assert_null(points.advised);
    assert_non_null(strstr(points.advice, "the measurement is invalid at each of them (client late)"));
}

static void test_no_level_at_all(void **state)
{
    (void)state;
    struct points points = find(NULL, 0);
    assert_non_null(points.breaking.text);
    assert_null(points.max_throughput);
    assert_null(points.advised);
    assert_non_null(points.advice);
    assert_non_null(points.capacity[CAPACITY_ALL].none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_breaks_where_it_says),
        cmocka_unit_test(test_reference_is_degraded_by_speed_everywhere),
        cmocka_unit_test(test_reference_capacity),
        cmocka_unit_test(test_reference_sweet_spots),
        cmocka_unit_test(test_what_a_table_lacks_is_said),
        cmocka_unit_test(test_not_reached_is_a_value),
        cmocka_unit_test(test_broke_at_the_lowest_load),
        cmocka_unit_test(test_a_cold_first_level_does_not_break_a_sweep),
        cmocka_unit_test(test_order_of_levels_does_not_matter),
        cmocka_unit_test(test_unfinished_requests_break),
        cmocka_unit_test(test_errors_break),
        cmocka_unit_test(test_levels_without_the_metric_were_not_tested),
        cmocka_unit_test(test_saturation_by_median_slices_and_queue),
        cmocka_unit_test(test_slices_need_a_hundred_requests),
        cmocka_unit_test(test_a_point_is_decided_by_intervals),
        cmocka_unit_test(test_capacity_is_decided_by_intervals),
        cmocka_unit_test(test_knee_is_decided_by_intervals),
        cmocka_unit_test(test_knee),
        cmocka_unit_test(test_sweet_spot_is_where_power_is_highest),
        cmocka_unit_test(test_units_are_never_mixed),
        cmocka_unit_test(test_advice_names_a_level_and_its_limit),
        cmocka_unit_test(test_advice_is_by_the_objectives_that_were_given),
        cmocka_unit_test(test_throughput_of_repeats_is_their_mean),
        cmocka_unit_test(test_advice_without_any_throughput_says_what_is_missing),
        cmocka_unit_test(test_advice_never_names_a_level_that_breaks),
        cmocka_unit_test(test_advice_names_no_level_whose_measurement_is_invalid),
        cmocka_unit_test(test_advice_says_less_throughput_only_where_it_is_so),
        cmocka_unit_test(test_a_level_where_all_failed_is_no_step),
        cmocka_unit_test(test_equal_loads_are_one),
        cmocka_unit_test(test_a_limit_that_is_just_missed_says_what_it_needs),
        cmocka_unit_test(test_no_level_at_all),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
