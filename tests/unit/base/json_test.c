#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static json_t *parse(struct json_reader *reader, const char *text, const char *schema, struct error *err)
{
    return json_parse(reader, text, strlen(text), "plan.json", schema, err);
}

static void test_reads_members(void **state)
{
    struct json_reader r;
    struct error err = {0};
    json_t *root = parse(&r,
                         "{\"schema\":\"s/v1\",\"t\":\"x\",\"i\":-7,\"whole\":5.0,\"n\":2.5,\"b\":true,\"o\":{},\"a\":[1],"
                         "\"null\":null}",
                         "s/v1", &err);

    (void)state;
    assert_non_null(root);
    assert_string_equal(json_get_text(&r, root, "t"), "x");
    assert_int_equal(json_get_integer(&r, root, "i"), -7);
    assert_int_equal(json_get_integer(&r, root, "whole"), 5);
    assert_true(json_get_number(&r, root, "n") == 2.5);
    assert_true(json_get_number(&r, root, "i") == -7.0);
    assert_true(json_get_bool(&r, root, "b"));
    assert_non_null(json_get_object(&r, root, "o"));
    assert_int_equal(json_array_size(json_get_array(&r, root, "a")), 1);
    assert_string_equal(json_get_text_or(&r, root, "null", "fallback"), "fallback");
    assert_null(json_get_text_or(&r, root, "none", NULL));
    assert_int_equal(json_get_integer_or(&r, root, "none", 9), 9);
    assert_true(json_get_number_or(&r, root, "null", 1.5) == 1.5);
    assert_true(json_get_bool_or(&r, root, "none", true));
    assert_null(json_get_object_or_null(&r, root, "none"));
    assert_null(json_get_array_or_null(&r, root, "null"));
    assert_false(r.failed);
    json_decref(root);
}

static void test_first_error_names_the_path_and_stays(void **state)
{
    struct json_reader r;
    struct error err = {0};
    json_t *root = parse(&r, "{\"levels\":[{\"load\":\"x\"}],\"seed\":3}", NULL, &err);

    (void)state;

    const size_t mark = json_enter(&r, "levels", 2), inner = json_enter(&r, "window", -1);

    json_leave(&r, inner);
    assert_true(json_get_number(&r, json_array_get(json_object_get(root, "levels"), 0), "load") == 0.0);
    json_leave(&r, mark);
    assert_true(r.failed);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_string_equal(err.text, "plan.json: levels[2].load: expected a number, got \"x\"");
    assert_int_equal(json_get_integer(&r, root, "seed"), 0);
    assert_int_equal(json_get_integer_or(&r, root, "seed", 4), 0);
    assert_string_equal(json_get_text(&r, root, "seed"), "");
    assert_null(json_get_object(&r, NULL, "x"));
    assert_int_equal(json_fail(&r, "other", "ignored"), -1);
    assert_string_equal(err.text, "plan.json: levels[2].load: expected a number, got \"x\"");
    json_decref(root);
}

static void expect_failure(const char *text, json_t *(*get)(struct json_reader *, const json_t *, const char *), const char *expected)
{
    struct json_reader r;
    struct error err = {0};
    json_t *root = parse(&r, text, NULL, &err);

    assert_non_null(root);
    assert_null(get(&r, root, "k"));
    assert_string_equal(err.text, expected);
    json_decref(root);
}

static void test_wrong_values_are_shown_cut(void **state)
{
    (void)state;
    expect_failure("{}", json_get_object, "plan.json: k: expected an object, but it is missing");
    expect_failure("{\"k\":null}", json_get_array, "plan.json: k: expected an array, got null");
    expect_failure("{\"k\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}", json_get_object,
                   "plan.json: k: expected an object, got [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,...");
    expect_failure("{\"k\":\"\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82"
                   "\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\"}",
                   json_get_object_or_null,
                   "plan.json: k: expected an object, got \"\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82"
                   "\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC...");
}

static void test_whole_numbers(void **state)
{
    static const char *const wrong[] = {"{\"k\":1.5}", "{\"k\":1e300}", "{\"k\":\"1\"}", "{\"k\":true}"};
    struct json_reader r;
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *root = parse(&r, wrong[i], NULL, &err);

        assert_int_equal(json_get_integer(&r, root, "k"), 0);
        assert_true(r.failed);
        json_decref(root);
    }
}

static void test_broken_documents(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"{\n \"a\": }", "plan.json: line 2, column 7: not JSON"},
        {"", "plan.json: line 1, column 0: not JSON"},
        {"[1]", "plan.json: expected a JSON object"},
        {"{\"a\":1,\"a\":2}", "not JSON: duplicate object key"},
        {"{} x", "not JSON: end of file expected"},
        {"{\"schema\":\"roibench/records/v1\"}", "plan.json: schema: expected \"roibench/plan/v1\", got \"roibench/records/v1\""},
        {"{\"schema\":\"roibench/plan/v12\"}", "the file is of a newer roibench than this one"},
        {"{\"schema\":1}", "plan.json: schema: expected a string, got 1"},
        {"{}", "plan.json: schema: expected a string, but it is missing"},
    };
    struct json_reader r;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};

        assert_null(parse(&r, cases[i].text, "roibench/plan/v1", &err));
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, cases[i].expected))
            fail_msg("%s\ndoes not say\n%s", err.text, cases[i].expected);
    }
    assert_true(r.failed);
}

static void test_deep_nesting_is_refused(void **state)
{
    struct json_reader r;
    struct error err = {0};
    char *text = malloc(100000);

    (void)state;
    memset(text, '[', 100000);
    assert_null(json_parse(&r, text, 100000, "deep", NULL, &err));
    free(text);
}

static void test_long_paths_are_cut(void **state)
{
    struct json_reader r = {.file = "f", .err = NULL};
    size_t marks[100];

    (void)state;
    for (int i = 0; i < 100; i++)
        marks[i] = json_enter(&r, "somewhere", i);
    json_fail(&r, "key", "x");
    for (int i = 99; i >= 0; i--)
        json_leave(&r, marks[i]);
    assert_string_equal(r.path, "");
}

static void test_writes_numbers(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {5, "5"},
        {0.1, "0.1"},
        {1.0 / 3, "0.333333333333"},
        {1234567.891234, "1234567.89123"},
        {1763957211.6, "1763957211.6"},
        {1763957211612.5, "1763957211613"},
        {9007199254740992.0, "9007199254740992"},
        {1e300, "1e300"},
        {1e-9, "1e-9"},
        {NAN, "null"},
        {-INFINITY, "null"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_buf struct buf text = BUF_INIT(100);
        json_t *object = json_object();

        json_set_number(object, "k", cases[i].number);
        json_append_compact(json_object_get(object, "k"), &text);
        assert_string_equal(buf_text(&text), cases[i].text);
        json_t *array = json_array();
        json_append_number(array, cases[i].number);
        assert_true(json_equal(json_array_get(array, 0), json_object_get(object, "k")));
        json_decref(array);
        json_decref(object);
    }
}

static void test_writes_members_in_order(void **state)
{
    cleanup_buf struct buf text = BUF_INIT(1000), small = BUF_INIT(10);
    json_t *object = json_object();

    (void)state;
    json_set_text(object, "z", "a\"\n");
    json_set_text(object, "y", NULL);
    json_set_text(object, "broken", "a\xFF\xE2\x82z");
    json_set_integer(object, "i", INT64_MIN);
    json_set_bool(object, "b", false);
    json_set_null(object, "n");
    json_set_integer(json_add_object(object, "o"), "x", 1);
    json_array_append_new(json_add_array(object, "a"), json_integer(2));
    json_set_texts(object, "t", (const char *const[]){"x", "a\xFF"}, 2);
    json_set_texts(object, "none", NULL, 0);
    json_append_compact(object, &text);
    assert_string_equal(buf_text(&text), "{\"z\":\"a\\\"\\n\",\"y\":null,\"broken\":\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\","
                                         "\"i\":-9223372036854775808,\"b\":false,\"n\":null,\"o\":{\"x\":1},\"a\":[2],\"t\":[\"x\",\"a\xEF\xBF\xBD\"],\"none\":[]}");
    json_append_compact(object, &small);
    assert_true(small.overflowed);
    json_decref(object);
}

static void test_file_round_trip(void **state)
{
    char path[] = "/tmp/roibench-json-test-XXXXXX";
    int fd = mkstemp(path);
    struct json_reader r;
    struct error err = {0};
    json_t *object = json_object();

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    json_set_text(object, "schema", "s/v1");
    json_set_number(object, "n", 0.1);
    assert_int_equal(json_write_file(object, path, &err), 0);
    json_decref(object);
    object = json_open(&r, path, "s/v1", &err);
    assert_non_null(object);
    assert_true(json_get_number(&r, object, "n") == 0.1);
    json_decref(object);
    unlink(path);
    assert_null(json_open(&r, path, "s/v1", &err));
    assert_int_equal(err.class, ERROR_USAGE);
    assert_true(r.failed);
    assert_non_null(strstr(err.text, "No such file"));
}

static void test_quotes(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        const char *expected;
    } cases[] = {
        {"", 0, "\"\""},
        {"a/b", 3, "\"a/b\""},
        {"q\"\\", 3, "\"q\\\"\\\\\""},
        {"\b\t\n\f\r\v\x01", 7, "\"\\b\\t\\n\\f\\r\\u000b\\u0001\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\""},
        {"\xC0\x80", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},          /* overlong */
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* surrogate */
        {"\xF4\x90\x80\x80", 1, "\"\xEF\xBF\xBD\""},              /* cut */
        {"x\xE2\x82", 3, "\"x\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_buf struct buf out = BUF_INIT(100);

        json_append_quoted(&out, cases[i].text, cases[i].length);
        assert_string_equal(buf_text(&out), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_members),          cmocka_unit_test(test_first_error_names_the_path_and_stays),
        cmocka_unit_test(test_wrong_values_are_shown_cut), cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_broken_documents),       cmocka_unit_test(test_deep_nesting_is_refused),
        cmocka_unit_test(test_long_paths_are_cut),     cmocka_unit_test(test_writes_numbers),
        cmocka_unit_test(test_writes_members_in_order), cmocka_unit_test(test_file_round_trip),
        cmocka_unit_test(test_quotes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
