#include "stats/workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(const struct workload_fact *list, const char *title)
{
    for (int k = 0; k < WORKLOAD_FACTS; k++)
        if (strcmp(list[k].title, title) == 0)
            return list[k].text;
    fail_msg("there is no fact %s", title);
    return NULL;
}

static void test_facts_of_a_plan(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct plan *plan = plan_new();
    struct run_facts facts;
    struct workload_fact list[WORKLOAD_FACTS];
    const char *others[] = {"http://b/v1", "http://c/v1"};
    plan->other_targets = others;
    plan->workload.scenario = "stress";
    plan->server.kind = "vllm";
    plan->other_target_count = 2;
    plan->limits.max_concurrency = 512;
    run_facts_fill(&facts, arena, plan);
    workload_list(&facts, arena, list);
    assert_string_equal(text_of(list, "scenario"), "stress");
    assert_string_equal(text_of(list, "number of targets"), "3");
    assert_string_equal(text_of(list, "--max-concurrency"), "512");
    assert_string_equal(text_of(list, "kind of server"), "real");
    assert_string_equal(text_of(list, "think time"), "none");
    json_decref(facts.plan);
    plan_free(plan);
    arena_free(arena);
}

static void test_what_an_import_does_not_tell(void **state)
{
    (void)state;
    static const struct import_origin origin = {.format = "levels-csv"};
    const struct run_facts facts = {
        .imported = &origin, .scenario = "", .endpoint = "", .tokens = "", .profile = "", .limits = "", .stream_start = "", .arrivals = "",
        .think_time = "", .warmup = "", .cooldown = "", .drain = ""};
    struct arena *arena = arena_new();
    struct workload_fact list[WORKLOAD_FACTS];
    workload_list(&facts, arena, list);
    for (int k = 0; k < WORKLOAD_FACTS; k++)
        if (!list[k].of_plans)
            assert_string_equal(list[k].text, "");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_facts_of_a_plan), cmocka_unit_test(test_what_an_import_does_not_tell)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
