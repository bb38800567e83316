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
        enum variate_kind kind; /* of prompts */
    } cases[] = {
        {"prompt_tokens=256,output_tokens=128", {256, 0, 256, 256}, {128, 0, 128, 128}, "", VARIATE_CONSTANT},
        {"prompt_tokens=100,prompt_tokens_stdev=10,output_tokens=20, output_tokens_stdev=8", {100, 10, 50, 150}, {20, 8, 1, 60}, "", VARIATE_CONSTANT},
        {"output_tokens=5,prompt_tokens=9,prompt_tokens_stdev=3,prompt_tokens_min=8,prompt_tokens_max=11,samples=1000", {9, 3, 8, 11}, {5, 0, 5, 5}, "samples", VARIATE_CONSTANT},
        {"kind=synthetic_text,prompt_tokens=1,output_tokens=2", {1, 0, 1, 1}, {2, 0, 2, 2}, "kind", VARIATE_CONSTANT},
        {"{\"prompt_tokens\": 128, \"output_tokens\": 64, \"source\": \"x\", \"samples\": null}", {128, 0, 128, 128}, {64, 0, 64, 64}, "source", VARIATE_CONSTANT},
        {"prompt_tokens=256,prompt_tokens_min=100,prompt_tokens_max=400,output_tokens=5", {250, 0, 100, 400}, {5, 0, 5, 5}, "", VARIATE_UNIFORM},
        {"prompt_tokens=9,prompt_tokens_min=100,prompt_tokens_max=101,output_tokens=5", {100, 0, 100, 101}, {5, 0, 5, 5}, "", VARIATE_UNIFORM},
        {"prompt_tokens=9,prompt_tokens_min=5,prompt_tokens_stdev=0,output_tokens=5", {7, 0, 5, 9}, {5, 0, 5, 5}, "", VARIATE_UNIFORM},
        {"prompt_tokens=9,prompt_tokens_max=11,output_tokens=5", {10, 0, 9, 11}, {5, 0, 5, 5}, "", VARIATE_UNIFORM},
        {"prompt_tokens=9,prompt_tokens_min=9,prompt_tokens_max=9,output_tokens=5", {9, 0, 9, 9}, {5, 0, 5, 5}, "", VARIATE_CONSTANT},
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
        assert_int_equal(prompt.kind, cases[k].kind);
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
        {"prompt_tokens=0,output_tokens=1", "prompt_tokens: expected 1 <= min <= mean <= max, got 0, 0 and 0"},
        {"prompt_tokens=5,output_tokens=1,prompt_tokens_min=9", "prompt_tokens: expected 1 <= min <= mean <= max, got 9, 5 and 5"},
        {"prompt_tokens=5,output_tokens=1,prompt_tokens_min=9,prompt_tokens_max=8", "got 9, 5 and 8"},
        {"prompt_tokens=5,output_tokens=1,prompt_tokens_min=9,prompt_tokens_stdev=1", "got 9, 5 and 10"},
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
