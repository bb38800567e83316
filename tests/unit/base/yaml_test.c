#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(const char *json, const char *yaml)
{
    struct buf out = BUF_INIT(1 << 16);
    json_t *document = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(document);
    assert_int_equal(yaml_append(document, &out), 0);
    assert_string_equal(buf_text(&out), yaml);
    json_decref(document);
    buf_free(&out);
}

static void test_blocks(void **state)
{
    (void)state;
    expect("{\"a\":1,\"b\":{\"c\":true,\"d\":null},\"e\":[1,\"x\"]}", "a: 1\nb:\n  c: true\n  d: null\ne:\n  - 1\n  - \"x\"\n");
    expect("[{\"a\":1,\"b\":{\"c\":2}},{}]", "- a: 1\n  b:\n    c: 2\n- {}\n");
    expect("[[1,2],[],[[3]]]", "- - 1\n  - 2\n- []\n- - - 3\n");
    expect("{\"a\":{},\"b\":[],\"c\":[{\"d\":[1]}]}", "a: {}\nb: []\nc:\n  - d:\n      - 1\n");
    expect("\"alone\"", "\"alone\"\n");
    expect("{}", "{}\n");
}

/* YAML 1.1 takes "1e-05" and "1e20" for texts, "no" for false and "1:20" for a number. */
static void test_what_could_be_taken_for_something_else(void **state)
{
    (void)state;
    expect("[0.1, 1e-5, 1e20, -2.5e-300, 100.0, 0.30000000000000004]",
           "- 0.1\n- 1.0e-05\n- 1.0e+20\n- -2.5e-300\n- 100.0\n- 0.30000000000000004\n");
    expect("{\"no\":\"no\",\"On\":\"1:20\",\"y\":\"~\",\"a b\":\"null\",\"*.p\":\"# x\",\"_a1\":\"\"}",
           "\"no\": \"no\"\n\"On\": \"1:20\"\n\"y\": \"~\"\n\"a b\": \"null\"\n\"*.p\": \"# x\"\n_a1: \"\"\n");
}

static void test_characters(void **state)
{
    (void)state;
    expect("\"a\\\"b\\\\c\\nd\\u0001\\u007f\"", "\"a\\\"b\\\\c\\x0ad\\x01\\x7f\"\n");
    expect("\"\\u00e4\\ud83d\\ude00\"", "\"\u00e4\U0001F600\"\n");
    expect("\"\\u0085\\u2028\\u2029\\ufeff\\ufffe\\u00a0\"", "\"\\u0085\\u2028\\u2029\\ufeff\\ufffe\u00a0\"\n");
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(8);
    json_t *document = json_pack("{s:s}", "key", "longer than eight");
    assert_int_equal(yaml_append(document, &out), -1);
    json_decref(document);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_what_could_be_taken_for_something_else),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
