#include "plan/slo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "support/properties_slo.h"

static void test_objectives(void **state)
{
    (void)state;
    struct slo slo;
    struct buf text = BUF_INIT(SLO_TEXT_MAX);
    assert_int_equal(slo_parse("ttft=1000ms,tpot=0.1s,e2e_intended=2m", &slo, NULL), 0);
    assert_int_equal(slo.most_ns[SLO_TTFT], NS_PER_S);
    assert_int_equal(slo.most_ns[SLO_TPOT], NS_PER_S / 10);
    assert_int_equal(slo.most_ns[SLO_E2E_INTENDED], 120 * NS_PER_S);
    assert_int_equal(slo.most_ns[SLO_E2E], 0);
    assert_true(slo_is_given(&slo));
    slo_describe(&slo, &text);
    assert_string_equal(buf_text(&text), "ttft at most 1000 ms and tpot at most 100 ms and e2e_intended at most 120000 ms");
    buf_free(&text);
}

static void test_what_is_no_objective(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "--slo: '' is no objective: expected one as in ttft=1000ms"},
        {"ttft", "--slo: 'ttft' is no objective"},
        {"ttft=1s,", "--slo: '' is no objective"},
        {"ttft=", "--slo: ttft: '' is no time with a unit, as in 1000ms or 1s"},
        {"ttft=1000", "--slo: ttft: '1000' is no time with a unit"},
        {"ttft=1.", "--slo: ttft: '1.' is no time with a unit"},
        {"ttft=0ms", "--slo: ttft: '0ms' is no time with a unit"},
        {"ttft=-1s", "--slo: ttft: '-1s' is no time with a unit"},
        {"ttft=1e9h", "--slo: ttft: '1e9h' is no time with a unit"},
        {"ttft=1us", "--slo: ttft: '1us' is no time with a unit"},
        {"ttft=nans", "--slo: ttft: 'nans' is no time with a unit"},
        {"ttft=1s,ttft=2s", "--slo: ttft is given twice"},
        {"itl=1s", "--slo: a request has no 'itl'; there are ttft, ttft_intended, tpot, tpot_vllm, tpot_with_first, e2e, e2e_intended"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct error err = {0};
        struct slo slo;
        assert_int_equal(slo_parse(cases[k].text, &slo, &err), -1);
        if (strncmp(err.text, cases[k].says, strlen(cases[k].says)) != 0)
            fail_msg("%s: %s", cases[k].text, err.text);
        assert_int_equal(err.class, ERROR_USAGE);
    }
}

static json_t *written(const struct slo *slo)
{
    json_t *root = json_object();
    slo_write(slo, root);
    return root;
}

static void test_written_and_read_back(void **state)
{
    (void)state;
    struct slo slo, again = {0};
    struct error err = {0};
    struct json_reader reader = {.file = "plan.json", .err = &err};
    assert_int_equal(slo_parse("ttft=1.5s,tpot_with_first=62.25ms", &slo, NULL), 0);
    json_t *root = written(&slo);
    assert_true(json_number_value(json_object_get(json_object_get(root, "slo"), "tpot_with_first_ms")) == 62.25);
    slo_read(&again, &reader, root);
    assert_false(reader.failed);
    assert_memory_equal(&again, &slo, sizeof slo);
    json_decref(root);
    root = written(&(struct slo){0});
    assert_true(json_is_null(json_object_get(root, "slo")));
    again = (struct slo){0};
    slo_read(&again, &reader, root);
    assert_false(reader.failed || slo_is_given(&again));
    json_decref(root);
}

static void check_refused(const char *document, const char *says)
{
    struct slo slo = {0};
    struct error err = {0};
    struct json_reader reader = {.file = "plan.json", .err = &err};
    json_t *root = json_loads(document, 0, NULL);
    assert_non_null(root);
    slo_read(&slo, &reader, root);
    assert_true(reader.failed);
    assert_string_equal(err.text, says);
    json_decref(root);
}

static void test_a_plan_that_is_wrong(void **state)
{
    (void)state;
    check_refused("{\"slo\":{}}", "plan.json: slo.ttft_ms: expected an objective, this or another");
    check_refused("{\"slo\":{\"ttft_ms\":0}}", "plan.json: slo.ttft_ms: expected ms, above 0 and at most 1e+09");
    check_refused("{\"slo\":{\"e2e_ms\":1e10}}", "plan.json: slo.e2e_ms: expected ms, above 0 and at most 1e+09");
    check_refused("{\"slo\":{\"ttft_ms\":\"1s\"}}", "plan.json: slo.ttft_ms: expected a number, got \"1s\"");
    check_refused("{\"slo\":[]}", "plan.json: slo: expected an object, got []");
}

/* The fuzzer's property, on random changes of an objective: the same ones in every run. */
static void test_any_text_is_read_or_refused(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 5);
    for (int round = 0; round < 20000; round++) {
        char text[] = "ttft=1000ms,tpot_vllm=0.1s,e2e=2m";
        for (uint64_t changes = random_below(&random, 4); changes > 0; changes--)
            text[random_below(&random, sizeof text - 1)] = "0123456789.=,smhe-x"[random_below(&random, 19)];
        property_slo((const uint8_t *)text, random_below(&random, sizeof text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objectives),
        cmocka_unit_test(test_what_is_no_objective),
        cmocka_unit_test(test_written_and_read_back),
        cmocka_unit_test(test_a_plan_that_is_wrong),
        cmocka_unit_test(test_any_text_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
