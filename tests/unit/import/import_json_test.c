#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "import/import.h"

/* Python writes what JSON has no word for. */
static void test_json_of_python(void **state)
{
    (void)state;
    static const char text[] = "{\"answer\": \"\\u0000\", \"NaN\": NaN, \"a\": [-Infinity, Infinity, 1.5, -2], \"b\": \"NaN \\\" Infinity\"}";
    json_t *root = import_parse_json("x.json", text, strlen(text), NULL);
    assert_non_null(root);
    assert_true(json_is_null(json_object_get(root, "NaN")));
    assert_true(isnan(import_number(root, "a.0")) && isnan(import_number(root, "a.1")));
    assert_true(import_number(root, "a.2") == 1.5);
    assert_true(isnan(import_number(root, "a.3"))); /* negative: "none" in reports */
    assert_true(isnan(import_number(root, "a.4")) && isnan(import_number(root, "a.x")) && isnan(import_number(root, "c.d")));
    assert_string_equal(import_text(root, "b"), "NaN \" Infinity");
    assert_null(import_text(root, "a"));
    json_decref(root);
    struct error err = {0};
    assert_null(import_parse_json("x.json", "{\"a\": NaN,\n oops}", 17, &err));
    assert_non_null(strstr(err.text, "x.json: line"));
}

static int add_up(void *context, const char *where, const json_t *line, struct error *err)
{
    double *sum = context, number = import_number(line, "n");
    if (isnan(number))
        return error_set(err, ERROR_USAGE, "%s: no n", where);
    *sum += number;
    return 0;
}

/* A line's end is LF, CR LF, or the text's; what has nothing but blanks is none. */
static void test_a_document_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double sum;
        const char *says; /* NULL: it can be read */
    } cases[] = {
        {"", 0, NULL},
        {"{\"n\":1}", 1, NULL},
        {"{\"n\":1}\n", 1, NULL},
        {"\r\n{\"n\":1}\r\n \t\r\n\n{\"n\":NaN,\"n\":2}\r\n", 3, NULL},
        {"{\"n\":1}\n\n{}\n{\"n\":4}", 1, "x.jsonl: line 3: no n"},
        {"{\"n\":1}\n{\"n\":4", 1, "x.jsonl: line 2: line 1, column 6: not JSON"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        cleanup_buf struct buf text = BUF_INIT(1000);
        struct error err = {0};
        double sum = 0;
        buf_append_text(&text, cases[k].text);
        int status = import_read_lines("x.jsonl", &text, add_up, &sum, &err);
        assert_int_equal(status, cases[k].says ? -1 : 0);
        assert_true(sum == cases[k].sum);
        if (cases[k].says && !strstr(err.text, cases[k].says))
            fail_msg("%s\nexpected: %s", err.text, cases[k].says);
    }
}

static void test_the_first_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool whole;
    } cases[] = {{"{}", true}, {"{}\n{", true}, {"{\n}", false}, {"", false}, {"\n{}", false}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        cleanup_buf struct buf text = BUF_INIT(1000);
        buf_append_text(&text, cases[k].text);
        json_t *line = import_first_line(&text);
        assert_int_equal(json_is_object(line), cases[k].whole);
        json_decref(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_of_python),
        cmocka_unit_test(test_a_document_a_line),
        cmocka_unit_test(test_the_first_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
