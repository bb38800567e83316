/* HTML out of our Markdown: elements where we meant them, and nothing of anybody else's text becomes one. Charts of odd numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/report.h"
#include "report/table.h"

#define TEXT_MAX ((size_t)1 << 20)
#define ROWS 1000

static void expect_html(const char *markdown, const char *html)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    html_from_markdown(&out, markdown, ROWS);
    assert_string_equal(out.len ? buf_text(&out) : "", html);
    buf_free(&out);
}

static void test_blocks(void **state)
{
    (void)state;
    expect_html("", "");
    expect_html("# A title\n\nOne line\nand another.\n\nA **bold** word.\n",
                "<h1>A title</h1>\n<p>One line\nand another.</p>\n<p>A <strong>bold</strong> word.</p>\n");
    expect_html("## Two\n- a: 1\n- b < 2\n### Three", "<h2>Two</h2>\n<ul>\n<li>a: 1</li>\n<li>b &lt; 2</li>\n</ul>\n<h3>Three</h3>\n");
    expect_html("text\n- item\ntext\n", "<p>text</p>\n<ul>\n<li>item</li>\n</ul>\n<p>text</p>\n");
    expect_html("**never closed\n", "<p><strong>never closed</strong></p>\n");
}

static void test_tables(void **state)
{
    (void)state;
    expect_html("| Load | class |\n| ---: | ----- |\n|    5 | a \\| b |\n",
                "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\" class=\"number\">Load</th><th scope=\"col\">class</th></tr></thead>\n"
                "<tbody>\n<tr><td class=\"number\">5</td><td>a | b</td></tr>\n</tbody></table></div>\n");
    /* cut off behind its head */
    expect_html("| Load |", "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">Load</th></tr></thead>\n<tbody>\n</tbody></table></div>\n");
}

/* What a server calls itself goes through markdown_text, and then through this. */
static void test_other_people_s_text_stays_text(void **state)
{
    static const char *const hostile[] = {
        "<script>alert(1)</script>", "a|b", "**bold**", "[link](http://x)", "`code`", "\\", "&lt;b&gt;", "\" onload=\"x", "a\nb | c\n# d", "<!--", "]]>",
    };
    (void)state;
    for (size_t k = 0; k < sizeof hostile / sizeof *hostile; k++) {
        struct buf markdown = BUF_INIT(TEXT_MAX), out = BUF_INIT(TEXT_MAX);
        buf_append_text(&markdown, "- Model: ");
        markdown_text(&markdown, hostile[k]);
        html_from_markdown(&out, buf_text(&markdown), ROWS);
        const char *text = buf_text(&out);
        assert_memory_equal(text, "<ul>\n<li>Model: ", 16);
        const char *first = strchr(text + 16, '<');
        assert_string_equal(first, "</li>\n</ul>\n"); /* the first element behind it is ours, and the last */
        buf_free(&markdown);
        buf_free(&out);
    }
    struct buf out = BUF_INIT(TEXT_MAX);
    html_text(&out, "<a href=\"x\">&'");
    assert_string_equal(buf_text(&out), "&lt;a href=&quot;x&quot;&gt;&amp;'");
    buf_free(&out);
}

static size_t count(const char *text, const char *what)
{
    size_t found = 0;
    for (; (text = strstr(text, what)); text++)
        found++;
    return found;
}

static void test_a_chart_shows_every_number_that_is_one(void **state)
{
    struct chart *chart = calloc(1, sizeof *chart);
    struct buf out = BUF_INIT(TEXT_MAX);
    (void)state;
    *chart = (struct chart){.title = "A < B", .x_title = "streams", .y_title = "ms", .y_unit = "ms"};
    struct chart_series *series = chart_add_series(chart, "p95 <b>");
    chart_add_point(series, 1, 10);
    chart_add_point(series, 2, NAN);
    chart_add_point(series, 3, INFINITY);
    chart_add_point(series, 4, 30);
    chart_add_limit(chart, 50, "near");
    chart_add_limit(chart, 5000, "far");
    chart_write(chart, &out);
    assert_int_equal(count(buf_text(&out), "<circle"), 2);
    assert_non_null(strstr(buf_text(&out), "p95 &lt;b&gt;: 30.00 ms at 4 streams"));
    assert_non_null(strstr(buf_text(&out), "aria-label=\"A &lt; B. p95 &lt;b&gt;: 10.00 ms at 1, 30.00 ms at 4 streams\""));
    assert_non_null(strstr(buf_text(&out), "<tr><td class=\"number\">4</td><td class=\"number\">30.00</td></tr>"));
    assert_non_null(strstr(buf_text(&out), ">near<"));
    assert_null(strstr(buf_text(&out), ">far<"));
    assert_int_equal(count(buf_text(&out), "nan"), 0);
    assert_int_equal(count(buf_text(&out), "inf"), 0);
    buf_free(&out);
    free(chart);
}

static void test_charts_of_nothing_and_of_too_much(void **state)
{
    struct chart *chart = calloc(1, sizeof *chart);
    struct buf out = BUF_INIT(TEXT_MAX);
    (void)state;
    *chart = (struct chart){.title = "t", .x_title = "x", .y_title = "y", .y_unit = ""};
    chart_write(chart, &out);
    chart_add_series(chart, "empty");
    chart_write(chart, &out);
    assert_int_equal(out.len, 0);
    for (int k = 0; k < CHART_SERIES_MAX + 2; k++)
        chart_add_point(chart_add_series(chart, "zero"), 0, 0);
    for (int k = 0; k < 2 * CHART_POINTS_MAX; k++)
        chart_add_point(&chart->series[0], k, 1e-7 * k);
    chart_write(chart, &out);
    assert_int_equal(count(buf_text(&out), "<polyline"), CHART_SERIES_MAX);
    assert_int_equal(count(buf_text(&out), "<circle"), CHART_POINTS_MAX + CHART_SERIES_MAX - 1);
    assert_int_equal(count(buf_text(&out), "nan"), 0);
    buf_free(&out);
    free(chart);
}

/* Over time: a line that begins anew with each level, a place to point at for each step, which tells all series; a load measured twice has two
 * values in the table. */
static void test_dense_charts_and_marks(void **state)
{
    struct chart *chart = calloc(1, sizeof *chart);
    struct buf out = BUF_INIT(TEXT_MAX);
    (void)state;
    *chart = (struct chart){.title = "t", .x_title = "s", .y_title = "y", .y_unit = "ms", .dense = true};
    struct chart_series *a = chart_add_series(chart, "a"), *b = chart_add_series(chart, "b");
    chart_add_first_point(a, 1, 10);
    chart_add_point(a, 2, 20);
    chart_add_first_point(a, 5, 30);
    chart_add_point(b, 2, 7);
    chart_add_mark(chart, 0, "1 <streams>");
    chart_add_mark(chart, 4, "3 streams");
    chart_add_mark(chart, NAN, "never");
    chart_write(chart, &out);
    assert_int_equal(count(buf_text(&out), "<circle"), 0);
    assert_int_equal(count(buf_text(&out), "<polyline class=\"series-0\""), 2);
    assert_int_equal(count(buf_text(&out), "<rect"), 3);
    assert_non_null(strstr(buf_text(&out), "<title>2.0 s, 1 &lt;streams&gt;: a 20.00; b 7.00</title>"));
    assert_non_null(strstr(buf_text(&out), "<title>5.0 s, 3 streams: a 30.00</title>"));
    assert_int_equal(count(buf_text(&out), "class=\"mark\""), 2);
    assert_non_null(strstr(buf_text(&out), "<tr><td class=\"number\">1.0</td><td class=\"number\">10.00</td><td class=\"number\">-</td></tr>"));
    buf_reset(&out);
    *chart = (struct chart){.title = "t", .x_title = "streams", .y_title = "y", .y_unit = "ms"};
    a = chart_add_series(chart, "a");
    chart_add_point(a, 2, 10);
    chart_add_faint_point(a, 2, 11);
    chart_write(chart, &out);
    assert_non_null(strstr(buf_text(&out), "<td class=\"number\">10.00 / 11.00</td>"));
    assert_non_null(strstr(buf_text(&out), "class=\"series-0 faint\""));
    assert_non_null(strstr(buf_text(&out), "a: 11.00 ms at 2 streams, dominated"));
    buf_free(&out);
    free(chart);
}

/* Rows beyond the limit are counted below the table, items below the list. */
static void test_long_tables_and_lists(void **state)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    (void)state;
    html_from_markdown(&out, "| a | b |\n| - | - |\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |\n\n- x\n- y\n- z\n\n| c |\n| - |\n| 7 |\n", 2);
    assert_non_null(strstr(buf_text(&out), "<td>4</td></tr>\n</tbody><tfoot><tr><td colspan=\"2\">1 more rows: report.md has them all</td></tr></tfoot>"));
    assert_null(strstr(buf_text(&out), "<td>5</td>"));
    assert_non_null(strstr(buf_text(&out), "<li>y</li>\n<li>1 more: report.md has them all</li>\n</ul>"));
    assert_non_null(strstr(buf_text(&out), "<td>7</td></tr>\n</tbody></table>"));
    buf_free(&out);
}

#define LEVELS 3000 /* whose tables alone are larger than a page may be */

static struct run_summary *large_run(const char *run_id)
{
    struct run_summary *summary = calloc(1, sizeof *summary);
    summary->arena = arena_new();
    summary->facts = (struct run_facts){.run_id = run_id, .model = "a model with a name of some length", .target = "http://model.example/v1",
                                        .server = "vllm 1", .profile = "sweep", .stream_start = "spread", .arrivals = "", .think_time = "none",
                                        .scenario = "", .endpoint = "chat", .tokens = "1 + 1", .limits = "1 s", .warmup = "auto", .cooldown = "auto",
                                        .drain = "1 s", .hardware = run_id, .price_micro_usd = 1000000, .price_source = "", .gpus = 1,
                                        .time_scale = 1, .quality = "", .quality_source = "", .pair_id = "", .plan = json_object()};
    summary->levels = calloc(LEVELS, sizeof *summary->levels);
    summary->level_count = LEVELS;
    for (int k = 0; k < LEVELS; k++) {
        struct level_summary *level = &summary->levels[k];
        level_summary_init(level);
        level->index = k;
        level->load = k + 1;
        snprintf(level->unit, sizeof level->unit, "streams");
        snprintf(level->kind, sizeof level->kind, "concurrent");
        level->latency[LATENCY_TTFT_CENSORED].count = 100;
        level->latency[LATENCY_TTFT_CENSORED].percentile[P95] = 10.0 * k;
        level->rate[RATE_TOTAL_TPS] = level->rate[RATE_OUTPUT_TPS] = 100 + k;
        level->server.running.mean = k;
        level->failures[0] = (struct failure_count){"reset", "server", 1};
        level->failure_count = 1;
        level_add_reason(level, VALIDITY_SUSPECT, "few requests", "this level had too few requests to say anything of its p95");
    }
    run_summary_find_points(summary, &sla_default);
    return summary;
}

static void free_large_run(struct run_summary *summary)
{
    json_decref(summary->facts.plan);
    arena_free(summary->arena);
    free(summary->levels);
    free(summary);
}

static void expect_page_below_the_limit(const struct buf *page)
{
    assert_false(page->overflowed);
    assert_in_range(page->len, REPORT_HTML_MAX / 10, REPORT_HTML_MAX);
    assert_non_null(strstr(buf_text(page), "more rows: report.md has them all"));
    assert_non_null(strstr(buf_text(page), "</html>"));
}

static void test_a_page_is_below_a_megabyte_whatever_the_run(void **state)
{
    (void)state;
    struct run_summary *summary = large_run("large"), *other = large_run("other");
    const struct run_summary *const both[] = {summary, other};
    struct buf page = BUF_INIT(REPORT_MAX);
    report_html_run(summary, &page);
    expect_page_below_the_limit(&page);
    buf_reset(&page);
    struct comparison *comparison = comparison_make(both, 2, NULL);
    assert_non_null(comparison);
    report_html_comparison(comparison, &page);
    expect_page_below_the_limit(&page);
    comparison_free(comparison);
    buf_free(&page);
    free_large_run(summary);
    free_large_run(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_other_people_s_text_stays_text),
        cmocka_unit_test(test_a_chart_shows_every_number_that_is_one),
        cmocka_unit_test(test_charts_of_nothing_and_of_too_much),
        cmocka_unit_test(test_dense_charts_and_marks),
        cmocka_unit_test(test_long_tables_and_lists),
        cmocka_unit_test(test_a_page_is_below_a_megabyte_whatever_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
