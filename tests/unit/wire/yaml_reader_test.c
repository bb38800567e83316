/* YAML as people write configurations in it. Expected values are PyYAML 6's (yaml.safe_load), dates and octals aside. */
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
    json_t *value = yaml_parse(yaml, strlen(yaml), "x.yaml", &err);
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
        {"a: -\n", "{\"a\":\"-\"}"},
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
        {"a: &x 1", "x.yaml: line 1: anchors, aliases, tags"},
        {"a: *x", "x.yaml: line 1: anchors, aliases, tags"},
        {"a: !!str 1", "line 1: anchors, aliases, tags"},
        {"a: |\n  text\n", "line 1: anchors, aliases, tags and texts of several lines"},
        {"a: 1\n\tb: 2\n", "line 2: a tab stands before"},
        {"a: 1\na: 2\n", "line 2: a key stands twice"},
        {"a: b: c\n", "line 1: a value holds ': '"},
        {"a:\n    b: 1\n  c: 2\n", "line 3: it is not indented"},
        {"a: 1\ntext\n", "line 2: it is not indented like the lines before it, or has no key"},
        {"{a: 1", "line 1: expected , or }"},
        {"[1, 2", "line 1: expected , or ]"},
        {"{a}", "line 1: a key without a colon"},
        {"'x", "a ' is not closed"},
        {"\"x", "a \" is not closed"},
        {"\"\\q\"", "an escape"},
        {"a: 1\n---\nb: 2\n", "something stands behind the document's end"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested too deep"},
        {"a: \"x\" y\n", "something stands behind a value"},
        {"[\xFF]", "no UTF-8"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct error err = {0};
        json_t *value = yaml_parse(cases[k].yaml, strlen(cases[k].yaml), "x.yaml", &err);
        if (value)
            fail_msg("%s was read", cases[k].yaml);
        if (!strstr(err.text, cases[k].error))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[k].yaml, err.text, cases[k].error);
        assert_int_equal(err.class, ERROR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
