/* What GuideLLM's options become: the options of prepare, the files, and what is named as without meaning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "plan/guidellm_options.h"
#include "support/temp_folder.h"

#define WORDS_MAX 64
#define TARGET "--target http://h:8000 "
#define MADE "--data prompt_tokens=256,output_tokens=128 "

static enum guidellm_own own(const void *context, const char *name)
{
    (void)context;
    (void)name;
    return GUIDELLM_UNKNOWN;
}

static int make(const char *line, struct guidellm_command *command, struct guidellm_options *options, struct error *err)
{
    char *text = mem_strdup(line), *words[WORDS_MAX] = {NULL}, *none[] = {NULL};
    int count = 0;
    for (char *rest = text, *word; (word = strsep(&rest, " ")) && count < WORDS_MAX - 1;)
        if (*word)
            words[count++] = word;
    int status = guidellm_flags_parse(count, words, none, own, NULL, command, err);
    if (status == 0)
        status = guidellm_options_make(command, options, err);
    free(text);
    return status;
}

/* "target=http://h:8000/v1 insecure": what prepare gets; then "json:benchmarks.json". */
static void check(const char *line, const char *expected, const char *outputs, const char *ignored)
{
    struct guidellm_command command;
    struct guidellm_options options;
    struct error err = {0};
    struct buf got = BUF_INIT(8192), files = BUF_INIT(8192);
    if (make(line, &command, &options, &err) < 0)
        fail_msg("%s: %s", line, err.text);
    for (size_t k = 0; k < options.count; k++)
        buf_printf(&got, "%s%s%s%s", k > 0 ? " " : "", options.options[k].name, options.options[k].value ? "=" : "",
                   options.options[k].value ? options.options[k].value : "");
    for (size_t k = 0; k < options.output_count; k++)
        buf_printf(&files, "%s%s:%s", k > 0 ? " " : "", options.outputs[k].kind, options.outputs[k].path);
    assert_string_equal(buf_text(&got), expected);
    if (outputs)
        assert_string_equal(buf_text(&files), outputs);
    assert_string_equal(buf_text(&command.ignored), ignored);
    buf_free(&got);
    buf_free(&files);
    guidellm_command_free(&command);
}

#define LENGTHS "prompt-tokens=256 output-tokens=128"
#define USUAL_FILES "json:benchmarks.json csv:benchmarks.csv"

static void test_profiles(void **state)
{
    (void)state;
    check(TARGET MADE, "target=http://h:8000/v1 profile=sweep sweep-arrivals=constant " LENGTHS, USUAL_FILES, "");
    check(TARGET MADE "--rate-type sweep --rate 5", "target=http://h:8000/v1 profile=sweep rate=5 sweep-arrivals=constant " LENGTHS, NULL, "");
    check(TARGET MADE "--rate-type synchronous", "target=http://h:8000/v1 profile=synchronous stream-start=together " LENGTHS, NULL, "");
    check(TARGET MADE "--rate-type concurrent --rate 1,3,5 --rampup 10", "target=http://h:8000/v1 profile=concurrent rate=1,3,5 stream-start=spread " LENGTHS, NULL, "");
    check(TARGET MADE "--profile throughput --rate 64", "target=http://h:8000/v1 profile=throughput max-concurrency=64 " LENGTHS, NULL, "");
    check(TARGET MADE "--rate-type async --rate 2.5", "target=http://h:8000/v1 profile=constant rate=2.5 " LENGTHS, NULL, "");
    check(TARGET MADE "--profile kind=poisson,rate=[1,2],max_concurrency=100",
          "target=http://h:8000/v1 profile=poisson rate=1,2 max-concurrency=100 " LENGTHS, NULL, "");
    check(TARGET MADE "--profile kind=sweep,sweep_size=4,strategy_type=poisson", "target=http://h:8000/v1 profile=sweep rate=4 sweep-arrivals=poisson " LENGTHS, NULL, "");
    check(TARGET MADE "--profile kind=knee,min_streams=1,max_streams=10,count=5,adaptive=true",
          "target=http://h:8000/v1 profile=concurrent rate=1,3,6,8,10 stream-start=together " LENGTHS, NULL, "profile.adaptive");
    check(TARGET MADE "--profile kind=sweep,rampup_duration=5", "target=http://h:8000/v1 profile=sweep sweep-arrivals=constant " LENGTHS, NULL, "profile.rampup_duration");
}

#define STREAMS TARGET MADE "--profile kind=concurrent,streams=2 "
#define OF_STREAMS "target=http://h:8000/v1 profile=concurrent rate=2 stream-start=together "

static void test_limits(void **state)
{
    (void)state;
    check(STREAMS "--max-seconds 60 --max-requests 50", OF_STREAMS "max-seconds=60 max-requests=50 " LENGTHS, NULL, "");
    check(STREAMS "--constraint kind=max_duration,seconds=60 --constraint kind=min_requests,count=20", OF_STREAMS "max-seconds=60 max-requests=20 " LENGTHS, NULL, "");
    check(STREAMS "--max-error-rate 0.1 --max-global-error-rate 0.05 --max-errors 3", OF_STREAMS "max-error-rate=0.05 " LENGTHS, NULL, "constraints.max_errors.count");
    check(STREAMS "--detect-saturation", OF_STREAMS LENGTHS, NULL, "over_saturation (of streams)");
    check(TARGET MADE "--detect-saturation", "target=http://h:8000/v1 profile=sweep sweep-arrivals=constant stop-when-saturated " LENGTHS, NULL, "");
    check(TARGET MADE "--constraint kind=over_saturation,mode=monitor,confidence=0.9", "target=http://h:8000/v1 profile=sweep sweep-arrivals=constant " LENGTHS, NULL,
          "constraints.over_saturation.confidence");
    check(STREAMS "--max-seconds 60 --warmup 0.1 --cooldown 5", OF_STREAMS "max-seconds=60 warmup=0.1 cooldown=5s " LENGTHS, NULL, "");
    check(STREAMS "--max-requests 50 --warmup 5", OF_STREAMS "max-requests=50 warmup=0.1 " LENGTHS, NULL, "");
    check(STREAMS "--max-seconds 60 --warmup-percent 0.2 --cooldown {\"value\":3,\"mode\":\"duration\"}", OF_STREAMS "max-seconds=60 warmup=0.2 cooldown=3s " LENGTHS,
          NULL, "");
    check(STREAMS "--metrics {\"kind\":\"generative\",\"slo\":{\"ttft_ms\":2000,\"tpot_ms\":99.5}}", OF_STREAMS LENGTHS " slo=ttft=2000ms,tpot_vllm=99.5ms", NULL, "");
    check(STREAMS "--label env=staging -l a=b=c", OF_STREAMS LENGTHS " label=env=staging label=a=b=c", NULL, "");
    check(STREAMS "--random-seed 7", OF_STREAMS LENGTHS " seed=7", NULL, "");
    check(STREAMS "--seed kind=static,value=8 --sample-requests 20", OF_STREAMS LENGTHS " seed=8", NULL, "");
}

static void test_backend(void **state)
{
    (void)state;
    check("--target http://h:8000/v1/ --model m --request-type text_completions " MADE "--rate-type synchronous",
          "target=http://h:8000/v1 endpoint=completions model=m profile=synchronous stream-start=together " LENGTHS, NULL, "");
    check("--backend kind=openai_http,target=https://h,request_format=/v1/chat/completions,timeout=30,verify=false,follow_redirects=true,http2=false " MADE
          "--rate-type synchronous",
          "target=https://h/v1 endpoint=chat insecure allow-redirect timeout=30 profile=synchronous stream-start=together " LENGTHS, NULL, "backend.http2");
    check(TARGET "--backend-args {\"headers\":{\"X-A\":\"b\",\"Authorization\":null},\"verify\":\"/ca.pem\",\"validate_backend\":false} " MADE "--rate-type synchronous",
          "target=http://h:8000/v1 header=X-A: b cacert=/ca.pem profile=synchronous stream-start=together " LENGTHS, NULL, "backend.validate_backend");
    check("--backend kind=openai_http,target=http://h,extras.headers.X-B=c,extras.body.temperature=0.6 " MADE "--rate-type synchronous",
          "target=http://h/v1 header=X-B: c profile=synchronous stream-start=together " LENGTHS, NULL, "backend.extras.body.temperature");
}

static void test_the_key_is_no_option(void **state)
{
    (void)state;
    struct guidellm_command command;
    struct guidellm_options options;
    struct error err = {0};
    assert_int_equal(make("--backend kind=openai_http,target=http://h,api_key=sk-1 " MADE "--rate-type synchronous", &command, &options, &err), 0);
    assert_string_equal(options.api_key, "sk-1");
    assert_int_equal(options.requests_kept, -1);
    for (size_t k = 0; k < options.count; k++)
        assert_true(!options.options[k].value || !strstr(options.options[k].value, "sk-1"));
    assert_string_equal(buf_text(&command.ignored), "");
    guidellm_command_free(&command);
}

static void test_how_many_requests_a_report_tells_of(void **state)
{
    (void)state;
    struct guidellm_command command;
    struct guidellm_options options;
    struct error err = {0};
    assert_int_equal(make(TARGET MADE "--output-sampling 0", &command, &options, &err), 0);
    assert_int_equal(options.requests_kept, 0);
    guidellm_command_free(&command);
    assert_int_equal(make(TARGET MADE "--metrics kind=generative,sample_size=20,confidence=0.9", &command, &options, &err), 0);
    assert_int_equal(options.requests_kept, 20);
    assert_string_equal(buf_text(&command.ignored), "metrics.confidence");
    guidellm_command_free(&command);
}

#define ALONE TARGET "--rate-type synchronous "
#define OF_ALONE "target=http://h:8000/v1 profile=synchronous stream-start=together "

static void test_lengths(void **state)
{
    (void)state;
    check(ALONE "--data prompt_tokens=100,prompt_tokens_stdev=10,output_tokens=20,output_tokens_stdev=8", OF_ALONE "prompt-tokens=100,10,50,150 output-tokens=20,8,1,60", NULL, "");
    check(ALONE "--data prompt_tokens=100,prompt_tokens_min=50,prompt_tokens_max=150,output_tokens=20", OF_ALONE "prompt-tokens=uniform:50-150 output-tokens=20", NULL, "");
    check(ALONE "--data kind=synthetic_text,prompt_tokens=100,output_tokens=20,samples=10,source=x.txt", OF_ALONE "prompt-tokens=100 output-tokens=20", NULL, "data.samples, data.source");
    check(ALONE "--data {\"prompt_tokens\":100,\"output_tokens\":20,\"prefix_tokens\":50,\"prefix_count\":4,\"turns\":3}",
          OF_ALONE "prompt-tokens=150 output-tokens=20 shared-prefix-tokens=50 shared-prefix-groups=4 turns=3", NULL, "");
    check(ALONE "--data {\"prompt_tokens\":100,\"output_tokens\":20,\"prefix_buckets\":[{\"prefix_tokens\":50,\"prefix_count\":4,\"bucket_weight\":100}]}",
          OF_ALONE "prompt-tokens=150 output-tokens=20 shared-prefix-tokens=50 shared-prefix-groups=4", NULL, "");
}

static void test_files(void **state)
{
    (void)state;
    char *folder = temp_folder_make();
    assert_int_equal(chdir(folder), 0);
    temp_file_write(folder, "p.json", "[]", 2);
    check(ALONE "--data p.json --data-samples 5 --data-sampler random --backend-args {\"max_tokens\":77}", OF_ALONE "data=p.json data-order=shuffled data-rows=5 output-tokens=77", NULL, "");
    check(ALONE "--data p.json --data-args {\"prompt_column\":\"q\",\"split\":\"test\"}", OF_ALONE "data=p.json data-column=prompt=q", NULL, "data_args.split");
    check(ALONE "--data p.json --data-column-mapper {\"text_column\":\"article\",\"output_tokens_count_column\":\"n\"}",
          OF_ALONE "data=p.json data-column=prompt=article data-column=output=n", NULL, "");
    check(ALONE "--data kind=json_file,path=p.json --data-loader kind=pytorch,shuffle=true,num_workers=1", OF_ALONE "data=p.json data-order=shuffled", NULL,
          "data_loader.num_workers");
    check(TARGET "--profile kind=replay,time_scale=0.5 --data {\"kind\":\"mooncake\",\"source\":{\"kind\":\"json_file\",\"path\":\"p.json\"}}",
          "target=http://h:8000/v1 profile=replay replay-speed=2 data=p.json", NULL, "");
    assert_int_equal(chdir("/"), 0);
    temp_folder_remove(folder);
}

static void test_outputs(void **state)
{
    (void)state;
    check(ALONE MADE "--output-path out/report.json", OF_ALONE LENGTHS, "json:out/report.json", "");
    check(ALONE MADE "--output-path /", OF_ALONE LENGTHS, "json:/benchmarks.json", "");
    check(ALONE MADE "--output-dir /results --outputs a.json,b.csv,html", OF_ALONE LENGTHS, "json:/results/a.json csv:/results/b.csv html:/results/benchmarks.html", "");
    check(ALONE MADE "--output-dir /results --outputs /elsewhere/a.yml", OF_ALONE LENGTHS, "yaml:/elsewhere/a.yml", "");
    check(ALONE MADE "--output kind=json,path=x.json --output kind=yaml --output kind=plot --output kind=console", OF_ALONE LENGTHS, "json:x.json yaml:benchmarks.yaml",
          "output kind=plot (the HTML has charts)");
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } cases[] = {
        {TARGET "--rate-type synchronous", "what shall be sent? Give --data"},
        {ALONE "--data a.json --data b.json", "several sources at once"},
        {ALONE "--data org/dataset", "--data org/dataset: there is no such file, and data sets are not downloaded here"},
        {ALONE "--data prompt_tokens=256", "--data: output_tokens is missing"},
        {ALONE "--data kind=synthetic_image,x=1", "--data: kind 'synthetic_image' is not known"},
        {ALONE "--data prompt_tokens=-5,output_tokens=1", "prompt_tokens: -5 is not a number of tokens"},
        {ALONE "--data prompt_tokens=0,output_tokens=1", "prompt_tokens: 0 is not a number of tokens"},
        {ALONE "--data prompt_tokens=5,output_tokens=1,output_tokens_max=0", "output_tokens_max: 0 is not a number of tokens"},
        {TARGET MADE "--rate-type concurrent", "--profile concurrent needs numbers of streams"},
        {TARGET MADE "--rate-type poisson", "--profile poisson needs rates"},
        {TARGET MADE "--profile kind=goodput", "goodput is not looked for here"},
        {TARGET MADE "--profile burst", "--profile: 'burst' is not known"},
        {"--backend kind=vllm_python " MADE, "--backend: 'vllm_python' is not measured here"},
        {TARGET MADE "--request-type audio_transcriptions", "--request-format: 'audio_transcriptions' is not measured"},
        {TARGET MADE "--backend-kwargs {\"stream\":false}", "only streamed answers"},
        {TARGET MADE "--output-path report.pdf", "ends neither in .json"},
        {TARGET MADE "--outputs report", "'report' is neither json, yaml, csv, html"},
        {TARGET MADE "--output-path a.json --output-dir b", "--output-dir contradicts it"},
        {TARGET MADE "--warmup 5", "--warmup: 5 of what?"},
        {TARGET MADE "--max-requests 4 --warmup 5", "leave nothing of 4"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct guidellm_command command;
        struct guidellm_options options;
        struct error err = {0};
        if (make(cases[k].line, &command, &options, &err) == 0)
            fail_msg("%s was read", cases[k].line);
        if (!strstr(err.text, cases[k].error))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[k].line, err.text, cases[k].error);
        guidellm_command_free(&command);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profiles), cmocka_unit_test(test_limits),  cmocka_unit_test(test_backend), cmocka_unit_test(test_the_key_is_no_option),
        cmocka_unit_test(test_how_many_requests_a_report_tells_of),
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_files),   cmocka_unit_test(test_outputs), cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
