/* What the reports say of earlier runs: words, and no null without its reason. */
#include "report/history_report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "report/report.h"
#include "support/histories.h"

struct fixture {
    struct arena *arena;
    struct history_run *was, *is;
};

/* Slower at 4, unknown at 8, never at 16. */
static void begin(struct fixture *f)
{
    *f = (struct fixture){arena_new(), history_make("was-|", 1), history_make("is", 2)};
    history_add(f->was, 4, 400, 0.02, 100);
    history_add(f->is, 4, 480, 0.02, 90);
    history_add(f->was, 8, 400, NAN, 100);
    history_add(f->is, 8, 480, NAN, 90);
    history_add(f->was, 16, 400, 0.02, 100);
    history_add(f->is, 16, 480, 0.02, 90)->value[HISTORY_TTFT_P95] = (struct history_value){INFINITY, 900, INFINITY};
    f->was->facts[0].text = "chat";
}

static void end(struct fixture *f)
{
    history_run_free(f->was);
    history_run_free(f->is);
    arena_free(f->arena);
}

static void check_has(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("\"%s\" is not in:\n%s", wanted, text);
}

static void test_markdown(void **state)
{
    (void)state;
    struct fixture f;
    cleanup_buf struct buf out = BUF_INIT(REPORT_MAX);
    begin(&f);
    const struct baseline *baseline = baseline_compare(f.arena, f.was, f.is, NULL, 0);
    markdown_baseline_verdict(&out, baseline);
    check_has(buf_text(&out), "**Against was-\\| of 1970-01-02: Worse beyond noise: TTFT p95 at 16 streams: 400 ms before, never now, never comes now");
    buf_reset(&out);
    markdown_baseline(&out, baseline, "##");
    check_has(buf_text(&out), "## Against was-\\| of 1970-01-02\n");
    check_has(buf_text(&out), "- scenario: chat before, none now\n");
    check_has(buf_text(&out), "+20 % worse? ");
    check_has(buf_text(&out), "+20 % ?");
    check_has(buf_text(&out), "never comes now worse");
    check_has(buf_text(&out), "(it takes --repeat 3 in both, or three earlier runs); \"?\": not known;");
    assert_null(strstr(buf_text(&out), "nan"));
    buf_reset(&out);
    markdown_baseline_verdict(&out, NULL);
    markdown_baseline(&out, NULL, "##");
    markdown_trend(&out, NULL, "##");
    assert_int_equal(out.len, 0);
    end(&f);
}

static void check_nulls(json_t *object)
{
    const char *key;
    json_t *value, *missing = json_object_get(object, "missing");
    json_object_foreach(object, key, value)
        if (json_is_null(value) && !json_is_string(json_object_get(missing, key)))
            fail_msg("%s is null without a reason", key);
}

static void test_every_null_has_its_reason(void **state)
{
    (void)state;
    struct fixture f;
    size_t k, nulls = 0;
    json_t *row;
    begin(&f);
    json_t *document = baseline_to_json(baseline_compare(f.arena, f.was, f.is, NULL, 0));
    json_array_foreach(json_object_get(document, "rows"), k, row)
    {
        check_nulls(row);
        nulls += json_object_get(row, "missing") != NULL;
    }
    assert_true(nulls > 5);
    assert_int_equal(json_integer_value(json_object_get(document, "worse")), 1);
    json_decref(document);
    const struct history_run *runs[] = {f.was, f.is, f.is};
    document = trend_to_json(trend_find(f.arena, runs, 3));
    json_array_foreach(json_object_get(document, "metrics"), k, row)
        check_nulls(row);
    assert_int_equal(json_array_size(json_object_get(document, "metrics")), TREND_METRICS);
    json_decref(document);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_markdown), cmocka_unit_test(test_every_null_has_its_reason)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
