/* Lengths as GuideLLM writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "plan/synthetic.h"

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t prompt[4], output[4];
        const char *unused;
    } cases[] = {
        {"prompt_tokens=256,output_tokens=128", {256, 0, 256, 256}, {128, 0, 128, 128}, ""},
        {"prompt_tokens=100,prompt_tokens_stdev=10,output_tokens=20, output_tokens_stdev=8", {100, 10, 50, 150}, {20, 8, 1, 60}, ""},
        {"output_tokens=5,prompt_tokens=9,prompt_tokens_stdev=3,prompt_tokens_min=8,prompt_tokens_max=11,samples=1000", {9, 3, 8, 11}, {5, 0, 5, 5}, "samples"},
        {"kind=synthetic_text,prompt_tokens=1,output_tokens=2", {1, 0, 1, 1}, {2, 0, 2, 2}, "kind"},
        {"{\"prompt_tokens\": 128, \"output_tokens\": 64, \"source\": \"x\", \"samples\": null}", {128, 0, 128, 128}, {64, 0, 64, 64}, "source"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct token_lengths prompt, output;
        struct buf unused = BUF_INIT(100);
        struct error err = {0};
        assert_true(synthetic_is(cases[k].text));
        if (synthetic_parse(cases[k].text, &prompt, &output, &unused, &err) < 0)
            fail_msg("%s: %s", cases[k].text, err.text);
        const int64_t got[] = {prompt.mean, prompt.stddev, prompt.min, prompt.max, output.mean, output.stddev, output.min, output.max};
        assert_memory_equal(got, cases[k].prompt, sizeof cases[k].prompt);
        assert_memory_equal(got + 4, cases[k].output, sizeof cases[k].output);
        assert_string_equal(buf_text(&unused), cases[k].unused);
        buf_free(&unused);
    }
}

static void test_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"prompt_tokens=256", "output_tokens is missing"},
        {"prompt_tokens=256,output_tokens", "expected KEY=NUMBER, got 'output_tokens'"},
        {"prompt_tokens=x,output_tokens=1", "prompt_tokens: 'x' is not a number of tokens"},
        {"prompt_tokens=1,output_tokens=99999999999", "output_tokens: '99999999999' is not"},
        {"prompt_tokens=0,output_tokens=1", "prompt_tokens: '0,0,1,0' is neither"},
        {"prompt_tokens=5,output_tokens=1,prompt_tokens_min=9", "prompt_tokens: '5,0,9,5' is neither"},
        {"prompt_tokens=1,output_tokens=1,prefix_tokens=3", "'prefix_tokens' is not known. Known are prompt_tokens"},
        {"{\"prompt_tokens\": [1]}", "prompt_tokens: '' is not"},
        {"{\"prompt_tokens\"", "--data"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct token_lengths prompt, output;
        struct buf unused = BUF_INIT(100);
        struct error err = {0};
        assert_int_equal(synthetic_parse(cases[k].text, &prompt, &output, &unused, &err), -1);
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, cases[k].error))
            fail_msg("%s: %s", cases[k].text, err.text);
        buf_free(&unused);
    }
    assert_false(synthetic_is("prompts.json"));
    assert_false(synthetic_is("data/prompt_tokens"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
