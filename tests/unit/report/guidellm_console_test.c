/* GuideLLM's tables and CSV, from a report that GuideLLM 0.8.1 made (a sweep, without its requests and what is not read here).
 *
 * sweep-0.8.1.txt is what GuideLLM's own `export` prints of it, with TZ=UTC: the tables whose columns are the same here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/guidellm_console.h"
#include "report/guidellm_csv.h"

#define FOLDER "tests/data/guidellm/"
#define TEXT_MAX ((size_t)1 << 20)

static json_t *read_report(void)
{
    json_error_t trouble;
    json_t *report = json_load_file(FOLDER "sweep-0.8.1.json", 0, &trouble);
    if (!report)
        fail_msg("%s", trouble.text);
    return report;
}

static void test_the_tables_are_those_of_guidellm(void **state)
{
    (void)state;
    struct buf got = BUF_INIT(TEXT_MAX), expected = BUF_INIT(TEXT_MAX);
    json_t *report = read_report();
    guidellm_console_append(report, &got);
    assert_int_equal(file_read(FOLDER "sweep-0.8.1.txt", &expected, ERROR_USAGE, NULL), 0);
    /* Table by table: ours has two more between them. */
    char *rest = expected.data + strlen("ℹ "), *table;
    size_t tables = 0;
    while (rest && *rest) {
        table = rest;
        rest = strstr(table, "ℹ ");
        if (rest) {
            *rest = '\0';
            rest += strlen("ℹ ");
        }
        if (!strstr(buf_text(&got), table))
            fail_msg("expected\n%s\nin\n%s", table, buf_text(&got));
        tables++;
    }
    assert_int_equal(tables, 3);
    assert_non_null(strstr(buf_text(&got), "Request Latency Statistics (Completed Requests)"));
    assert_non_null(strstr(buf_text(&got), "| synchronous    | 76.0  | 76.0 | 169.7 | 182.7 |\n"));
    json_decref(report);
    buf_free(&got);
    buf_free(&expected);
}

/* Whatever is missing or of another type is a sign, not a crash. */
static void test_what_is_missing(void **state)
{
    (void)state;
    struct buf got = BUF_INIT(TEXT_MAX);
    json_t *report = json_loads("{\"benchmarks\":[{\"config\":{\"strategy\":{\"type_\":\"x\"}},\"duration\":\"long\",\"start_time\":-5},5]}", 0, NULL), *empty = json_object();
    guidellm_console_append(report, &got);
    assert_non_null(strstr(buf_text(&got), "| x         | N/A   | N/A | --  | --   |"));
    guidellm_csv_append(report, &got);
    guidellm_console_append(empty, &got);
    guidellm_csv_append(empty, &got);
    json_decref(report);
    json_decref(empty);
    buf_free(&got);
}

static size_t count_rows(const char *text)
{
    size_t rows = 0;
    for (; (text = strstr(text, "\r\n")); text += 2)
        rows++;
    return rows;
}

static void test_csv(void **state)
{
    (void)state;
    struct buf got = BUF_INIT(TEXT_MAX);
    json_t *report = read_report();
    guidellm_csv_append(report, &got);
    const char *text = buf_text(&got);
    assert_int_equal(count_rows(text), 6);
    assert_int_equal(strncmp(text, "Run Info,Run Info,Run Info,", 27), 0);
    assert_non_null(strstr(text, "Successful Sec,Successful Sec,Successful Sec,Successful Sec,"));
    assert_non_null(strstr(text, ",Mean,Median,Std Dev,Percentiles,"));
    assert_non_null(strstr(text, "throughput@512"));
    assert_null(strstr(text, "Errored Sec")); /* no benchmark has any */
    json_decref(report);
    buf_free(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_tables_are_those_of_guidellm),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_csv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
