/* --levels, --rate of each profile, and the levels that a sweep finds itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "plan/profile.h"

static void assert_loads(const char *text, const char *kind, enum load_unit unit, const double *loads, size_t count)
{
    struct plan *plan = plan_new();
    struct error err = {0};
    assert_int_equal(levels_parse(text, plan, &err), 0);
    assert_int_equal(plan->level_count, count);
    for (size_t k = 0; k < count; k++) {
        assert_int_equal(plan->levels[k].index, k);
        assert_string_equal(plan->levels[k].kind, kind);
        assert_int_equal(plan->levels[k].unit, unit);
        assert_true(fabs(plan->levels[k].load - loads[k]) < 1e-9 * loads[k]);
    }
    plan_free(plan);
}

static void test_lists(void **state)
{
    (void)state;
    assert_loads("concurrent:1,3,5,8,10,15", "concurrent", LOAD_STREAMS, (const double[]){1, 3, 5, 8, 10, 15}, 6);
    assert_loads("constant:0.5", "constant", LOAD_REQUESTS_PER_S, (const double[]){0.5}, 1);
    assert_loads("poisson:2,1", "poisson", LOAD_REQUESTS_PER_S, (const double[]){2, 1}, 2);
}

static void test_ranges_are_geometric(void **state)
{
    (void)state;
    assert_loads("poisson:0.1-10/3", "poisson", LOAD_REQUESTS_PER_S, (const double[]){0.1, 1, 10}, 3);
    assert_loads("constant:2-8/1", "constant", LOAD_REQUESTS_PER_S, (const double[]){2}, 1);
    assert_loads("concurrent:1-8/4", "concurrent", LOAD_STREAMS, (const double[]){1, 2, 4, 8}, 4);
    assert_loads("poisson:0.1-5/4", "poisson", LOAD_REQUESTS_PER_S, (const double[]){0.1, 0.3684, 1.357, 5}, 4); /* four digits */
}

/* Streams are whole, and each number comes once: 1, 1.3, 1.7, 2.3, 3 */
static void test_a_range_of_streams_has_each_number_once(void **state)
{
    (void)state;
    assert_loads("concurrent:1-3/5", "concurrent", LOAD_STREAMS, (const double[]){1, 2, 3}, 3);
}

static void test_what_is_no_level_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", ":", "concurrent", "concurrent:", "concurrent:0", "concurrent:1.5", "concurrent:-1", "concurrent:1,,2", "concurrent:1,x",
        "concurrent:1000001", "poisson:0", "poisson:nan", "poisson:inf", "poisson:1e7", "poisson:1-5", "poisson:5-1/3", "poisson:1-5/0",
        "poisson:1-5/1001", "poisson:0-5/3", "poisson:1-5/2/3", "sweep:1", "synchronous:1", "throughput:5", "sawtooth:1", "concurrent:1-2-3/2",
    };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        struct plan *plan = plan_new();
        struct error err = {0};
        if (levels_parse(wrong[k], plan, &err) == 0)
            fail_msg("'%s' was taken", wrong[k]);
        assert_int_equal(err.class, ERROR_USAGE);
        assert_non_null(strstr(err.text, "--levels"));
        plan_free(plan);
    }
}

static void test_an_unknown_kind_names_those_that_exist(void **state)
{
    (void)state;
    struct plan *plan = plan_new();
    struct error err = {0};
    assert_int_equal(levels_parse("sawtooth:1", plan, &err), -1);
    assert_non_null(strstr(err.text, "Known kinds: concurrent, constant, poisson"));
    plan_free(plan);
}

static void test_levels_have_a_ceiling(void **state)
{
    (void)state;
    struct plan *plan = plan_new();
    struct error err = {0};
    for (int k = 0; k < PLAN_LEVELS_MAX; k++)
        assert_int_equal(profile_add_level(plan, &profile_concurrent, 1, "--rate", &err), 0);
    assert_int_equal(profile_add_level(plan, &profile_concurrent, 1, "--rate", &err), -1);
    assert_non_null(strstr(err.text, "more than 1000 levels"));
    plan_free(plan);
}

/* --- --rate ------------------------------------------------------------------------------------ */

static int make(const char *name, const double *rates, size_t count, struct plan **plan, struct error *err)
{
    *plan = plan_new();
    (*plan)->profile = name;
    (*plan)->limits.max_concurrency = 64;
    return profile_find(name)->make_levels(*plan, rates, count, err);
}

static void test_profiles_with_one_level(void **state)
{
    (void)state;
    struct plan *plan;
    struct error err;
    assert_int_equal(make("synchronous", NULL, 0, &plan, &err), 0);
    assert_int_equal(plan->level_count, 1);
    assert_true(plan->levels[0].load == 1);
    plan_free(plan);
    assert_int_equal(make("throughput", NULL, 0, &plan, &err), 0);
    assert_true(plan->levels[0].load == 64);
    plan_free(plan);
    assert_int_equal(make("synchronous", (const double[]){2}, 1, &plan, &err), -1);
    plan_free(plan);
    assert_int_equal(make("throughput", (const double[]){2}, 1, &plan, &err), -1);
    plan_free(plan);
}

static void test_profiles_that_need_a_rate_say_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *name, *says;
    } cases[] = {{"concurrent", "streams"}, {"constant", "requests/s"}, {"poisson", "requests/s"}};
    for (size_t k = 0; k < 3; k++) {
        struct plan *plan;
        struct error err;
        assert_int_equal(make(cases[k].name, NULL, 0, &plan, &err), -1);
        assert_non_null(strstr(err.text, cases[k].says));
        plan_free(plan);
        assert_int_equal(make(cases[k].name, (const double[]){3, 2}, 2, &plan, &err), 0);
        assert_int_equal(plan->level_count, 2);
        assert_string_equal(plan->levels[1].kind, cases[k].name);
        plan_free(plan);
    }
}

/* --- a sweep without levels -------------------------------------------------------------------- */

static void test_a_sweep_goes_from_one_stream_to_all_and_fills_in_between(void **state)
{
    (void)state;
    struct plan *plan;
    struct error err;
    struct level_result done[6] = {0};
    struct level next;
    assert_int_equal(make("sweep", (const double[]){6}, 1, &plan, &err), 0);
    plan->sweep_arrivals = "constant";
    for (size_t k = 0; k < 6; k++) {
        assert_int_equal(plan_next_level(plan, done, k, &next), 1);
        assert_int_equal(next.index, k);
        done[k].level = next;
        done[k].request_rps = k == 0 ? 1 : k == 1 ? 11 : next.load;
    }
    assert_string_equal(done[0].level.kind, "synchronous");
    assert_string_equal(done[1].level.kind, "throughput");
    assert_true(done[1].level.load == 64);
    for (size_t k = 2; k < 6; k++) {
        assert_string_equal(done[k].level.kind, "constant");
        assert_int_equal(done[k].level.unit, LOAD_REQUESTS_PER_S);
        assert_true(fabs(done[k].level.load - (1 + 2 * (double)(k - 1))) < 1e-9); /* 3, 5, 7, 9: evenly, neither end */
    }
    assert_int_equal(plan_next_level(plan, done, 6, &next), 0);
    plan_free(plan);
}

static void test_a_sweep_of_a_dead_server_ends_after_two_levels(void **state)
{
    (void)state;
    struct plan *plan;
    struct error err;
    struct level_result done[2] = {0};
    struct level next;
    assert_int_equal(make("sweep", NULL, 0, &plan, &err), 0);
    assert_int_equal(plan->sweep_levels, 10);
    assert_int_equal(plan_next_level(plan, done, 2, &next), 0);
    plan_free(plan);
}

static void test_the_number_of_a_sweeps_levels(void **state)
{
    (void)state;
    static const double wrong[] = {2, 3.5, 0, -1, 1001};
    struct plan *plan;
    struct error err;
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        assert_int_equal(make("sweep", &wrong[k], 1, &plan, &err), -1);
        plan_free(plan);
    }
    assert_int_equal(make("sweep", (const double[]){4, 5}, 2, &plan, &err), -1);
    plan_free(plan);
}

static void test_given_levels_come_one_after_the_other(void **state)
{
    (void)state;
    struct plan *plan = plan_new();
    struct level next;
    struct error err;
    plan->profile = "sweep";
    assert_int_equal(levels_parse("concurrent:4,2", plan, &err), 0);
    assert_int_equal(plan_next_level(plan, NULL, 0, &next), 1);
    assert_true(next.load == 4);
    assert_int_equal(plan_next_level(plan, NULL, 1, &next), 1);
    assert_true(next.load == 2);
    assert_int_equal(plan_next_level(plan, NULL, 2, &next), 0);
    plan_free(plan);
}

static void test_only_ramp_and_replay_change_while_they_last(void **state)
{
    (void)state;
    static const char *const steady[] = {"synchronous", "concurrent", "throughput", "constant", "poisson", "gamma", "burst"};
    for (size_t k = 0; k < sizeof steady / sizeof steady[0]; k++)
        assert_false(profile_load_changes(profile_find(steady[k])));
    assert_true(profile_load_changes(profile_find("ramp")));
    assert_true(profile_load_changes(profile_find("replay")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_ranges_are_geometric),
        cmocka_unit_test(test_a_range_of_streams_has_each_number_once),
        cmocka_unit_test(test_what_is_no_level_is_refused),
        cmocka_unit_test(test_an_unknown_kind_names_those_that_exist),
        cmocka_unit_test(test_levels_have_a_ceiling),
        cmocka_unit_test(test_profiles_with_one_level),
        cmocka_unit_test(test_profiles_that_need_a_rate_say_what_it_is),
        cmocka_unit_test(test_a_sweep_goes_from_one_stream_to_all_and_fills_in_between),
        cmocka_unit_test(test_a_sweep_of_a_dead_server_ends_after_two_levels),
        cmocka_unit_test(test_the_number_of_a_sweeps_levels),
        cmocka_unit_test(test_given_levels_come_one_after_the_other),
        cmocka_unit_test(test_only_ramp_and_replay_change_while_they_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
