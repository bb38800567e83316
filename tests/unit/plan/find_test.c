/* Searches on servers that are a formula. */
#include "plan/find.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"

#define LEVELS_MAX 200

/* Breaks from `limit` upwards; in [limit - fuzz, limit + fuzz] with a chance of one half. */
struct server {
    double limit, fuzz;
    bool cold; /* the first level breaks, whatever its load */
    struct random random;
};

struct outcome {
    struct find_result done[LEVELS_MAX];
    size_t count;
    double held, broke; /* by the definition of docs/metrics.md; 0 and INFINITY: none */
};

static bool breaks(struct server *server, const struct find_result *tried)
{
    if (server->cold && tried->level.index == 0)
        return true;
    if (server->fuzz > 0 && fabs(tried->level.load - server->limit) <= server->fuzz)
        return random_uniform(&server->random) < 0.5;
    return tried->level.load >= server->limit;
}

static void search(const struct find *find, struct server server, int repeats, struct outcome *outcome)
{
    struct level next;
    *outcome = (struct outcome){.broke = INFINITY};
    random_seed(&server.random, 1);
    while (find_next_level(find, outcome->done, outcome->count, &next)) {
        assert_true(outcome->count + (size_t)repeats <= LEVELS_MAX);
        for (int repeat = 0; repeat < repeats; repeat++) {
            struct find_result *tried = &outcome->done[outcome->count++];
            tried->level = next;
            tried->met = breaks(&server, tried);
        }
    }
    for (size_t k = 0; k < outcome->count; k++)
        if (!outcome->done[k].met && outcome->done[k].level.load > outcome->held)
            outcome->held = outcome->done[k].level.load;
    for (size_t k = 0; k < outcome->count; k++)
        if (outcome->done[k].level.load > outcome->held && outcome->done[k].level.load < outcome->broke)
            outcome->broke = outcome->done[k].level.load;
}

static struct level streams(double load)
{
    return (struct level){.kind = "concurrent", .load = load, .unit = LOAD_STREAMS};
}

static void check_loads(const struct outcome *outcome, const double *loads, size_t count)
{
    assert_int_equal(outcome->count, count);
    for (size_t k = 0; k < count; k++) {
        assert_true(outcome->done[k].level.load == loads[k]);
        assert_int_equal(outcome->done[k].level.index, k);
    }
}

static void test_given_levels_then_halves(void **state)
{
    (void)state;
    struct level given[] = {streams(1), streams(3), streams(5), streams(8), streams(10), streams(15)};
    struct find find = {given, 6, 512, 5};
    struct outcome outcome;
    search(&find, (struct server){.limit = 7}, 1, &outcome);
    check_loads(&outcome, (const double[]){1, 3, 5, 8, 6, 7}, 6);
    search(&find, (struct server){.limit = 6}, 1, &outcome);
    check_loads(&outcome, (const double[]){1, 3, 5, 8, 6}, 5); /* (5, 6]: there is nothing between */
    find.refine = 1;
    search(&find, (struct server){.limit = 7}, 1, &outcome);
    check_loads(&outcome, (const double[]){1, 3, 5, 8, 6}, 5);
    find.refine = 0;
    search(&find, (struct server){.limit = 7}, 1, &outcome);
    check_loads(&outcome, (const double[]){1, 3, 5, 8}, 4);
}

static void test_every_limit_is_found_by_doubling(void **state)
{
    (void)state;
    struct level given = streams(1);
    struct find find = {&given, 1, 512, 10};
    for (int limit = 2; limit <= 512; limit++) {
        struct outcome outcome;
        search(&find, (struct server){.limit = limit}, 1, &outcome);
        assert_true(outcome.broke == limit && outcome.held == limit - 1);
        assert_true(outcome.count <= 19);
        assert_string_equal(outcome.done[outcome.count - 1].level.kind, "concurrent");
    }
}

static void test_a_server_that_never_breaks(void **state)
{
    (void)state;
    struct level given = streams(3);
    struct find find = {&given, 1, 20, 5};
    struct outcome outcome;
    search(&find, (struct server){.limit = INFINITY}, 1, &outcome);
    check_loads(&outcome, (const double[]){3, 6, 12, 20}, 4);
    struct level list[] = {streams(4), streams(30)};
    find = (struct find){list, 2, 20, 5};
    search(&find, (struct server){.limit = INFINITY}, 1, &outcome);
    check_loads(&outcome, (const double[]){4, 30}, 2);
    find = (struct find){&given, 1, INFINITY, 5};
    search(&find, (struct server){.limit = INFINITY}, 1, &outcome);
    assert_int_equal(outcome.count, FIND_DOUBLINGS_MAX + 1);
}

static void test_a_server_that_breaks_at_once(void **state)
{
    (void)state;
    struct level given = streams(8);
    struct find find = {&given, 1, 512, 5};
    struct outcome outcome;
    search(&find, (struct server){.limit = 0}, 1, &outcome);
    check_loads(&outcome, (const double[]){8, 16, 4, 2, 1}, 5);
    search(&find, (struct server){.limit = 3}, 1, &outcome);
    check_loads(&outcome, (const double[]){8, 16, 4, 2, 3}, 5);
    find.most = 8; /* nothing above it may be tried */
    search(&find, (struct server){.limit = 0}, 1, &outcome);
    check_loads(&outcome, (const double[]){8, 4, 2, 1}, 4);
    given = streams(1);
    search(&find, (struct server){.limit = 0}, 1, &outcome);
    check_loads(&outcome, (const double[]){1, 2}, 2);
}

static void test_a_cold_server_does_not_end_the_search(void **state)
{
    (void)state;
    struct level given = streams(2);
    struct find find = {&given, 1, 512, 6};
    struct outcome outcome;
    search(&find, (struct server){.limit = 21, .cold = true}, 1, &outcome);
    assert_true(outcome.held == 20 && outcome.broke == 21);
}

static void test_rates_to_four_digits(void **state)
{
    (void)state;
    struct level given = {.kind = "poisson", .load = 0.25, .unit = LOAD_REQUESTS_PER_S};
    struct find find = {&given, 1, 1e6, FIND_REFINE_MAX};
    struct outcome outcome;
    search(&find, (struct server){.limit = 1.2344}, 1, &outcome);
    assert_true(fabs(outcome.broke - 1.235) < 1e-9 && fabs(outcome.held - 1.234) < 1e-9);
    assert_true(outcome.count < 20);
    find.refine = 3;
    search(&find, (struct server){.limit = 1.2344}, 1, &outcome);
    check_loads(&outcome, (const double[]){0.25, 0.5, 1, 2, 1.5, 1.25, 1.125}, 7);
}

static void test_a_noisy_server_gets_a_bracket_and_an_end(void **state)
{
    (void)state;
    for (int limit = 10; limit <= 200; limit += 7) {
        struct level given = streams(1);
        struct find find = {&given, 1, 512, 12};
        struct outcome outcome;
        search(&find, (struct server){.limit = limit, .fuzz = limit / 4.0}, 1, &outcome);
        assert_true(outcome.broke - outcome.held == 1);
        assert_true(fabs(outcome.broke - limit) <= limit / 4.0 + 1);
        assert_true(outcome.count <= 22);
    }
}

static void test_repeats_are_one_level(void **state)
{
    (void)state;
    struct level given[] = {streams(2), streams(8), streams(32)};
    struct find find = {given, 3, 512, 2};
    struct outcome outcome;
    search(&find, (struct server){.limit = 8}, 3, &outcome);
    assert_int_equal(outcome.count, 3 * 4);
    assert_true(outcome.done[6].level.load == 5 && outcome.done[6].level.index == 2);
    struct find_result done[] = {{{.index = 0, .load = 2}, false}, {{.index = 1, .load = 8}, true}, {{.index = 1, .load = 8}, false}};
    struct level next;
    assert_int_equal(find_next_level(&find, done, 3, &next), 1);
    assert_true(next.load == 5); /* 8 broke once */
}

static void test_what_it_cannot_begin_with(void **state)
{
    (void)state;
    const struct level up[] = {{0, "poisson", 1, LOAD_REQUESTS_PER_S}, {1, "poisson", 2, LOAD_REQUESTS_PER_S}};
    const struct level down[] = {{0, "poisson", 2, LOAD_REQUESTS_PER_S}, {1, "poisson", 2, LOAD_REQUESTS_PER_S}};
    const struct level mixed[] = {{0, "constant", 1, LOAD_REQUESTS_PER_S}, {1, "poisson", 2, LOAD_REQUESTS_PER_S}};
    const struct level all_at_once = {0, "throughput", 512, LOAD_STREAMS};
    assert_null(find_fault(up, 2));
    assert_null(find_fault(up, 1));
    assert_non_null(find_fault(up, 0));
    assert_non_null(find_fault(down, 2));
    assert_non_null(find_fault(mixed, 2));
    assert_non_null(find_fault(&all_at_once, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_given_levels_then_halves),
        cmocka_unit_test(test_every_limit_is_found_by_doubling),
        cmocka_unit_test(test_a_server_that_never_breaks),
        cmocka_unit_test(test_a_server_that_breaks_at_once),
        cmocka_unit_test(test_a_cold_server_does_not_end_the_search),
        cmocka_unit_test(test_rates_to_four_digits),
        cmocka_unit_test(test_a_noisy_server_gets_a_bracket_and_an_end),
        cmocka_unit_test(test_repeats_are_one_level),
        cmocka_unit_test(test_what_it_cannot_begin_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
