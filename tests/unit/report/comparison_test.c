/* What is told beside the measurements (quality, calls a turn, published figures) in every format of a comparison and of a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/report.h"
#include "support/runs.h"

#define USD INT64_C(1000000)

struct fixture {
    struct run_summary *runs[2];
    struct comparison *comparison;
};

static void begin(struct fixture *f)
{
    static const double small[][3] = {{2, 300, 100}, {4, 600, 200}, {8, 2500, 250}}, large[][3] = {{4, 200, 300}, {16, 900, 600}, {32, 2600, 800}};
    f->runs[0] = run_make("small", 1 * USD, 1, small, 3);
    f->runs[1] = run_make("large", 4 * USD, 4, large, 3);
    for (int k = 0; k < 2; k++)
        f->runs[k]->calls_per_turn = 3;
    f->runs[0]->levels[1].rate[RATE_REQUEST_RPS] = 1.5;
    f->runs[0]->levels[1].latency[LATENCY_E2E].percentile[P50] = 2000;
    f->runs[0]->facts.quality = "98.9 %";
    f->runs[0]->facts.quality_source = "a leaderboard";
    f->runs[0]->facts.claim = 225;
    f->comparison = comparison_make((const struct run_summary *const *)f->runs, 2, NULL);
    assert_non_null(f->comparison);
}

static void end(struct fixture *f)
{
    comparison_free(f->comparison);
    for (int k = 0; k < 2; k++)
        run_summary_free(f->runs[k]);
}

static json_t *parse(struct buf *text)
{
    json_t *document = json_loads(buf_text(text), 0, NULL);
    assert_non_null(document);
    return document;
}

static double number_at(const json_t *object, const char *a, const char *b, const char *c)
{
    const json_t *value = json_object_get(json_object_get(json_object_get(object, a), b), c);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void test_comparison_as_markdown(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "**At the last load that held, small gives 1.3 times as many tokens a dollar as large",
        "The workloads are equal.",
        "- small: 98.9 % (a leaderboard)\n- large: not told\n",
        "- 225 tok/s per $/h, as published for small, is 225 tok/s at $1.00, which lies between 4 streams (200 tok/s) and 8 streams (250 tok/s)",
        "| 4 streams | TTFT p95, ms            | large |   600 |   200 | 67 % less         |",
        "## Where a turn makes 3 calls",
        "| last that held   | small      |  4 streams |           1.3 |   0.500 |       6.0 |        $0.5556 |",
        "no interval is printed on a ratio of such figures",
    };
    struct fixture f;
    cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
    begin(&f);
    report_markdown_comparison(f.comparison, &text);
    for (size_t k = 0; k < sizeof expected / sizeof expected[0]; k++)
        if (!strstr(buf_text(&text), expected[k]))
            fail_msg("\"%s\" is not in:\n%s", expected[k], buf_text(&text));
    end(&f);
}

static void test_comparison_as_json(void **state)
{
    (void)state;
    struct fixture f;
    cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
    begin(&f);
    report_json_comparison(f.comparison, &text);
    json_t *document = parse(&text);
    const json_t *small = json_array_get(json_object_get(json_object_get(document, "roi"), "rows"), 0);
    assert_true(number_at(small, "held", "conversations", "turns_per_s") == 0.5);
    assert_true(number_at(small, "held", "conversations", "turn_ms") == 6000);
    const json_t *large = json_array_get(json_object_get(json_object_get(document, "roi"), "rows"), 1);
    const json_t *missing = json_object_get(json_object_get(json_object_get(large, "held"), "conversations"), "missing");
    assert_string_equal(json_string_value(json_object_get(missing, "turns_per_s")), "no rate of requests is known");
    assert_int_equal(json_array_size(json_object_get(json_object_get(document, "roi"), "footnotes")), 2);
    const json_t *run = json_object_get(json_array_get(json_object_get(document, "runs"), 0), "run");
    assert_string_equal(json_string_value(json_object_get(run, "quality")), "98.9 %");
    assert_int_equal(json_array_size(json_object_get(document, "same_load")), 1);
    json_decref(document);
    end(&f);
}

static void test_a_run_tells_conversations_and_quality(void **state)
{
    (void)state;
    struct fixture f;
    cleanup_buf struct buf markdown = BUF_INIT(REPORT_MAX), json = BUF_INIT(REPORT_MAX), without = BUF_INIT(REPORT_MAX);
    begin(&f);
    report_markdown_run(f.runs[0], &markdown);
    assert_non_null(strstr(buf_text(&markdown), "- Quality:  98.9 % (a leaderboard), as supplied: it was not measured here\n"));
    assert_non_null(strstr(buf_text(&markdown), "| 4 streams |           1.3 |   0.500 |       6.0 |        $0.5556 |"));
    assert_non_null(strstr(buf_text(&markdown), "A million tokens cost $1.39 there; it rests on 100 requests of a valid measurement.**"));
    report_json_run(f.runs[0], &json);
    json_t *document = parse(&json);
    const json_t *second = json_array_get(json_object_get(document, "conversations"), 1);
    assert_true(json_number_value(json_object_get(second, "turns_per_s")) == 0.5);
    json_decref(document);
    f.runs[0]->calls_per_turn = 1;
    report_json_run(f.runs[0], &without);
    document = parse(&without);
    assert_null(json_object_get(document, "conversations"));
    json_decref(document);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparison_as_markdown),
        cmocka_unit_test(test_comparison_as_json),
        cmocka_unit_test(test_a_run_tells_conversations_and_quality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
