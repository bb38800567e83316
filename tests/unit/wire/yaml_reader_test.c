/* YAML as people write configurations in it. Expected values are PyYAML 6's (yaml.safe_load), dates, octals and what JSON has no number for aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/yaml_reader.h"

static void check(const char *yaml, const char *json)
{
    struct error err = {0};
    json_t *value = yaml_parse(yaml, strlen(yaml), YAML_1_1, "x.yaml", NULL, &err);
    if (!value)
        fail_msg("%s: %s", yaml, err.text);
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_string_equal(text, json);
    free(text);
    json_decref(value);
}

static void test_what_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"", "null"},
        {"# nothing\n\n", "null"},
        {"5", "5"},
        {"a b", "\"a b\""},
        {"{\"a\": [1, 2.5, null, true, \"x\\u00e9\"]}", "{\"a\":[1,2.5,null,true,\"x\xC3\xA9\"]}"},
        {"{a: 1, b: [x, 'it''s', ], c: {}}", "{\"a\":1,\"b\":[\"x\",\"it's\"],\"c\":{}}"},
        {"{a: http://h:8000/v1, \"b\":1}", "{\"a\":\"http://h:8000/v1\",\"b\":1}"},
        {"a: 1\nb: two words  # said\nc:\nd: ~\n", "{\"a\":1,\"b\":\"two words\",\"c\":null,\"d\":null}"},
        {"a:\n  b:\n    c: yes\n  d: off\ne: 'x: y'\n", "{\"a\":{\"b\":{\"c\":true},\"d\":false},\"e\":\"x: y\"}"},
        {"- 1\n- a: 2\n  b: 3\n-\n  - x\n  - y\n- []\n", "[1,{\"a\":2,\"b\":3},[\"x\",\"y\"],[]]"},
        {"list:\n- 1\n- 2\nnext: 3\n", "{\"list\":[1,2],\"next\":3}"},
        {"list:\n  - k: [a,\n      b]\n    m: {x: 1,\n        y: 2}\n", "{\"list\":[{\"k\":[\"a\",\"b\"],\"m\":{\"x\":1,\"y\":2}}]}"},
        {"---\nspec:\n  backend: {kind: openai_http, target: http://h:1}\n", "{\"spec\":{\"backend\":{\"kind\":\"openai_http\",\"target\":\"http://h:1\"}}}"},
        {"url: http://x/#a\n'q k': \"a # b\"\n", "{\"url\":\"http://x/#a\",\"q k\":\"a # b\"}"},
        {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
        {"- - 1\n  - 2\n- 3\n", "[[1,2],3]"},
        {"-1", "-1"},
        {"a: |\n  two\n  lines\nb: one\n  more\n", "{\"a\":\"two\\nlines\\n\",\"b\":\"one more\"}"},
        {"{a}", "{\"a\":null}"},
        {"1: a\n", "{\"1\":\"a\"}"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        check(cases[k].yaml, cases[k].json);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *error;
    } cases[] = {
        {"a: &x 1", "x.yaml: line 1: anchors, aliases and tags"},
        {"a: *x", "x.yaml: line 1: anchors, aliases and tags"},
        {"a: &x [1]\nb: *x\n", "x.yaml: line 1: anchors, aliases and tags"},
        {"&x a: 1\n", "x.yaml: line 1: anchors, aliases and tags"},
        {"a: !!str 1", "line 1: anchors, aliases and tags"},
        {"a: 1\n\tb: 2\n", "line 2: while scanning a plain scalar found a tab character that violates indentation"},
        {"a: 1\na: 2\n", "line 2: a key stands twice"},
        {"{a: 1,\n \"a\": 2}", "line 2: a key stands twice"},
        {"? [a]\n: 1\n", "line 1: a key is no text"},
        {"a: b: c\n", "line 1: mapping values are not allowed in this context"},
        {"a:\n    b: 1\n  c: 2\n", "line 3: while parsing a block mapping did not find expected key"},
        {"a: 1\ntext\n", "line 2: while scanning a simple key could not find expected ':'"},
        {"{a: 1", "did not find expected ',' or '}'"},
        {"[1, 2", "did not find expected ',' or ']'"},
        {"'x", "found unexpected end of stream"},
        {"\"x", "found unexpected end of stream"},
        {"\"\\q\"", "found unknown escape character"},
        {"\"a\\0b\"", "a text has a NUL"},
        {"\"\\ud83d\\ude00\"", "found invalid Unicode character escape code"}, /* which PyYAML reads as two halves of a character */
        {"a: 1\n---\nb: 2\n", "line 2: a second document begins, and one is read"},
        {"a: -\n", "block sequence entries are not allowed in this context"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested too deep"},
        {"a: \"x\" y\n", "line 1: while parsing a block mapping did not find expected key"},
        {"[\xFF]", "x.yaml: byte 1: invalid leading UTF-8 octet"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct error err = {0};
        json_t *value = yaml_parse(cases[k].yaml, strlen(cases[k].yaml), YAML_1_1, "x.yaml", NULL, &err);
        if (value)
            fail_msg("%s was read", cases[k].yaml);
        if (!strstr(err.text, cases[k].error))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[k].yaml, err.text, cases[k].error);
        assert_int_equal(err.class, ERROR_USAGE);
    }
}

static void test_words_of_the_two_versions(void **state)
{
    (void)state;
    static const char *const words[] = {"yes", "No", "ON", "off"};
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
        json_t *old = yaml_scalar(words[k], strlen(words[k]), YAML_1_1), *core = yaml_scalar(words[k], strlen(words[k]), YAML_1_2);
        assert_true(json_is_boolean(old));
        assert_string_equal(json_string_value(core), words[k]);
        json_decref(core);
    }
    json_t *truth = yaml_scalar("True", 4, YAML_1_2), *none = yaml_scalar("~", 1, YAML_1_2), *number = yaml_scalar("1e3", 3, YAML_1_2);
    json_t *infinity = yaml_scalar(".inf", 4, YAML_1_2);
    assert_true(json_is_true(truth) && json_is_null(none) && json_real_value(number) == 1000 && json_is_string(infinity));
    json_decref(number);
    json_decref(infinity);
}

static void test_lines(void **state)
{
    (void)state;
    static const char text[] = "# first\na: 1\nb:\n  c: [x,\n    {d: 2}]\n";
    static const struct {
        const char *path;
        size_t line;
    } cases[] = {{"a", 2}, {"b", 3}, {"b.c", 4}, {"b.c[1].d", 5}};
    struct json_lines lines = {0};
    json_t *value = yaml_parse(text, strlen(text), YAML_1_2, "x.yaml", &lines, NULL);
    assert_non_null(value);
    assert_int_equal(lines.count, sizeof cases / sizeof cases[0]);
    for (size_t k = 0; k < lines.count; k++) {
        assert_string_equal(lines.items[k].path, cases[k].path);
        assert_int_equal(lines.items[k].line, cases[k].line);
    }
    json_lines_free(&lines);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_words_of_the_two_versions),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
