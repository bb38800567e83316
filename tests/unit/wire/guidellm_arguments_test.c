/* Values of GuideLLM's options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/guidellm_arguments.h"

static void test_what_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"kind=openai_http,target=http://h:8000/v1,model=a/b", "{\"kind\":\"openai_http\",\"target\":\"http://h:8000/v1\",\"model\":\"a/b\"}"},
        {"kind=concurrent,streams=4", "{\"kind\":\"concurrent\",\"streams\":4}"},
        {"kind=concurrent, streams=[1,2, 4]", "{\"kind\":\"concurrent\",\"streams\":[1,2,4]}"},
        {"items[2]=x", "{\"items\":[null,null,\"x\"]}"},
        {"items[0].weight=10,items[0].count=5,a.b.c=true", "{\"items\":[{\"weight\":10,\"count\":5}],\"a\":{\"b\":{\"c\":true}}}"},
        {"extras.headers={\"X-Team\": \"a, b\"},verify=false", "{\"extras\":{\"headers\":{\"X-Team\":\"a, b\"}},\"verify\":false}"},
        {"warmup=0.5,rate=2.5,x=,y=~", "{\"warmup\":0.5,\"rate\":2.5,\"x\":null,\"y\":null}"},
        {"{\"prompt_tokens\": 256, \"output_tokens\": 128}", "{\"prompt_tokens\":256,\"output_tokens\":128}"},
        {"{kind: sweep, sweep_size: 5}", "{\"kind\":\"sweep\",\"sweep_size\":5}"},
        {"kind: sweep\nsweep_size: 5\n", "{\"kind\":\"sweep\",\"sweep_size\":5}"},
        {"/tmp/prompts.json", "\"/tmp/prompts.json\""},
        {"sweep", "\"sweep\""},
        {"0.25", "0.25"},
        {"note=it's here,b=2", "{\"note\":\"it's here\",\"b\":2}"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct error err = {0};
        json_t *value = guidellm_arguments_parse(cases[k].text, "--data", &err);
        if (!value)
            fail_msg("%s: %s", cases[k].text, err.text);
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        assert_string_equal(text, cases[k].json);
        free(text);
        json_decref(value);
    }
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"kind=concurrent,streams", "--data: expected NAME=VALUE, got 'streams'"},
        {"kind=concurrent,", "--data: expected NAME=VALUE, got ''"},
        {"a=1,=2", "--data: expected NAME=VALUE, got '=2'"},
        {"a[x]=1", "expected [N]"},
        {"a[1000]=1", "expected [N] with N below 1000"},
        {"a[0]b=1", "is no name"},
        {"a..b=1", "is no name"},
        {"a=[1,2", "did not find expected ',' or ']'"},
        {"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q=1", "a name of more than 16 parts"},
        {"{\"a\": ", "--data: line 1"},
        {"a=\xFF", "no UTF-8"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct error err = {0};
        json_t *value = guidellm_arguments_parse(cases[k].text, "--data", &err);
        if (value)
            fail_msg("%s was read", cases[k].text);
        if (!strstr(err.text, cases[k].error))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[k].text, err.text, cases[k].error);
    }
}

static void test_merging(void **state)
{
    (void)state;
    struct error err = {0};
    json_t *a = guidellm_arguments_parse("{x: {y: 1, z: [1, 2]}, w: 5}", "a", &err), *b = guidellm_arguments_parse("{x: {z: [3]}, v: {u: 1}}", "b", &err);
    guidellm_arguments_merge(a, b);
    char *text = json_dumps(a, JSON_COMPACT);
    assert_string_equal(text, "{\"x\":{\"y\":1,\"z\":[3]},\"w\":5,\"v\":{\"u\":1}}");
    free(text);
    json_decref(a);
    json_decref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_merging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
