#include "stats/gate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/histories.h"

static void test_words(void **state)
{
    (void)state;
    struct gate gate = gate_open;
    struct error err = {0};
    assert_false(gate_asks(&gate));
    assert_int_equal(gate_add(&gate, "breaking", &err), 0);
    assert_true(gate.breaking && gate_asks(&gate));
    static const struct {
        const char *text;
        double share;
    } fine[] = {{"regression=5%", 0.05}, {"regression=12.5%", 0.125}, {"regression=1000%", 10}};
    for (size_t k = 0; k < sizeof fine / sizeof fine[0]; k++) {
        assert_int_equal(gate_add(&gate, fine[k].text, &err), 0);
        assert_true(fabs(gate.regression - fine[k].share) < 1e-12);
    }
    static const char *const wrong[] = {"", "broken", "regression", "regression=", "regression=%", "regression=0", "regression=-5%", "regression=x",
                                        "regression=5%%", "regression=5", "regression=0.05", "regression=1001%", "breaking,invalid"};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        assert_int_equal(gate_add(&gate, wrong[k], &err), -1);
        assert_int_equal(err.class, ERROR_USAGE);
    }
}

#define EARLIER 6

struct asked {
    struct arena *arena;
    struct history_run *run, *was, *earlier[EARLIER];
    struct gate gate;
    bool alone, previous; /* without the earlier runs; the baseline is no fixed one */
};

static void begin(struct asked *asked)
{
    *asked = (struct asked){.arena = arena_new(), .run = history_make("is", 22), .was = history_make("was", 21), .gate = gate_open};
    for (int k = 0; k < EARLIER; k++) {
        asked->earlier[k] = history_make("e", k);
        history_add(asked->earlier[k], 4, 400 + k % 2, 0.02, 100);
    }
    history_add(asked->run, 4, 400, 0.02, 100);
    history_add(asked->was, 4, 400, 0.02, 100);
    asked->run->advised_load = 4;
}

static void end(struct asked *asked)
{
    history_run_free(asked->run);
    history_run_free(asked->was);
    for (int k = 0; k < EARLIER; k++)
        history_run_free(asked->earlier[k]);
    arena_free(asked->arena);
}

/* The only answer's. */
static bool is_met(const struct asked *asked, const char *expected)
{
    struct gate_answer answers[GATE_CONDITIONS];
    struct baseline *baseline = NULL;
    if (!isnan(asked->gate.regression)) {
        baseline = baseline_compare(asked->arena, asked->was, asked->run, (const struct history_run *const *)asked->earlier,
                                    asked->alone ? 0 : EARLIER);
        baseline->previous = asked->previous;
    }
    assert_int_equal(gate_judge(&asked->gate, asked->arena, asked->run, baseline, answers), 1);
    if (!strstr(answers[0].text, expected))
        fail_msg("\"%s\" is not in: %s", expected, answers[0].text);
    return answers[0].met;
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        enum sla_class class;
        bool breaking, degraded;
    } rows[] = {{SLA_EXCELLENT, false, false}, {SLA_ACCEPTABLE, false, false}, {SLA_DEGRADED, false, true}, {SLA_BREAKING, true, true},
                {SLA_UNKNOWN, true, true}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct asked asked;
        begin(&asked);
        asked.run->levels[0].class = rows[k].class;
        asked.gate.breaking = true;
        assert_int_equal(is_met(&asked, "4 streams, the load to run in production, is"), rows[k].breaking);
        asked.gate = gate_open;
        asked.gate.degraded = true;
        assert_int_equal(is_met(&asked, sla_class_name(rows[k].class)), rows[k].degraded);
        end(&asked);
    }
}

static void test_nothing_advised(void **state)
{
    (void)state;
    struct asked asked;
    begin(&asked);
    asked.run->advised_load = NAN;
    asked.run->advice = "No tested load can be advised for production (…).";
    asked.gate.breaking = true;
    assert_true(is_met(&asked, "No tested load"));
    end(&asked);
}

static void test_invalid(void **state)
{
    (void)state;
    struct asked asked;
    begin(&asked);
    asked.gate.invalid = true;
    assert_false(is_met(&asked, "valid"));
    asked.run->levels[0].validity = VALIDITY_SUSPECT;
    assert_false(is_met(&asked, "suspect"));
    asked.run->levels[0].validity = VALIDITY_INVALID;
    assert_true(is_met(&asked, "1 of 1 levels is invalid as a measurement"));
    asked.run->level_count = 0;
    assert_true(is_met(&asked, "no level was measured"));
    end(&asked);
}

static void test_regression(void **state)
{
    (void)state;
    struct asked asked;
    begin(&asked);
    asked.gate.regression = 0.05;
    assert_false(is_met(&asked, "nothing is worse than in was by as much"));
    asked.run->levels[0].value[HISTORY_TTFT_P95] = (struct history_value){480, 470, 490};
    assert_true(is_met(&asked, "TTFT p95 at 4 streams: 400 ms before, 480 ms now, +20 %"));
    asked.gate.regression = 0.25; /* beyond noise, and not by as much */
    assert_false(is_met(&asked, "nothing is worse"));
    asked.run->levels[0].value[HISTORY_TTFT_P95] = (struct history_value){800, 300, 2000}; /* by as much, and within noise */
    assert_false(is_met(&asked, "nothing is worse"));
    end(&asked);
}

static void test_regression_of_errors_and_points(void **state)
{
    (void)state;
    struct asked asked;
    begin(&asked);
    asked.gate.regression = 0.05;
    history_fail(&asked.was->levels[0], 60); /* breaking, and more so */
    history_fail(&asked.run->levels[0], 200);
    assert_false(is_met(&asked, "nothing is worse"));
    history_fail(&asked.was->levels[0], 2); /* degraded before */
    assert_true(is_met(&asked, "error rate at 4 streams: 0.20 % before, 20.00 % now"));
    history_fail(&asked.was->levels[0], 60);
    asked.was->breaking = (struct history_point){5, 8, 1, "(5, 8] streams"};
    asked.run->breaking = (struct history_point){3, 4, 1, "(3, 4] streams"};
    assert_true(is_met(&asked, "the breaking point fell: (5, 8] streams before, (3, 4] streams now")); /* the errors alone are of one class */
    end(&asked);
}

static void test_a_gate_does_not_open_for_what_was_not_measured(void **state)
{
    (void)state;
    struct asked asked;
    struct gate_answer answers[GATE_CONDITIONS];
    begin(&asked);
    asked.gate.regression = 0.05;
    asked.run->levels[0].validity = VALIDITY_INVALID;
    assert_true(is_met(&asked, "nothing can be told"));
    asked.previous = true;
    assert_true(is_met(&asked, "nothing can be told"));
    asked.previous = false;
    asked.run->levels[0].validity = VALIDITY_VALID;
    asked.alone = true; /* nothing is known of what two runs differ by */
    assert_true(is_met(&asked, "are called neither better nor worse"));
    asked.previous = true; /* and will be, with every run */
    assert_false(is_met(&asked, "are called neither better nor worse"));
    asked.run->levels[0].load = 5;
    assert_true(is_met(&asked, "no load in common"));
    assert_int_equal(gate_judge(&asked.gate, asked.arena, asked.run, NULL, answers), 1); /* the first run of its kind is worse than none */
    assert_false(answers[0].met);
    assert_string_equal(answers[0].condition, "regression=5%");
    end(&asked);
}

static void test_verdict_alone(void **state)
{
    (void)state;
    static const struct {
        const char *verdict;
        bool invalid, breaking, degraded;
    } rows[] = {{"excellent", false, false, false}, {"acceptable", false, false, false}, {"degraded", false, false, true},
                {"breaking", false, true, true},    {"none", false, true, true},         {"invalid", true, true, true}};
    struct gate gate = {true, true, true, NAN};
    struct gate_answer answers[GATE_CONDITIONS];
    struct error err = {0};
    size_t count;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        assert_int_equal(gate_judge_verdict(&gate, rows[k].verdict, answers, &count, &err), 0);
        assert_int_equal(count, 3);
        assert_int_equal(answers[0].met, rows[k].invalid);
        assert_int_equal(answers[1].met, rows[k].breaking);
        assert_int_equal(answers[2].met, rows[k].degraded);
    }
    assert_int_equal(gate_judge_verdict(&gate, "fine", answers, &count, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_int_equal(gate_judge_verdict(&gate, "unknown", answers, &count, &err), -1);
    gate.regression = 0.05;
    assert_int_equal(gate_judge_verdict(&gate, "excellent", answers, &count, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_nothing_advised),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_regression_of_errors_and_points),
        cmocka_unit_test(test_a_gate_does_not_open_for_what_was_not_measured),
        cmocka_unit_test(test_verdict_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
