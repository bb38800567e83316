/* GuideLLM's command lines, environment and scenarios as one specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/guidellm_flags.h"
#include "plan/guidellm_scenarios.h"
#include "support/temp_folder.h"

#define WORDS_MAX 64

static enum guidellm_own own(const void *context, const char *name)
{
    (void)context;
    if (strcmp(name, "price-per-hour") == 0)
        return GUIDELLM_OWN_VALUE;
    return strcmp(name, "quiet") == 0 ? GUIDELLM_OWN_FLAG : GUIDELLM_UNKNOWN;
}

/* words and variables are separated by spaces; ~ stands for a space in one. */
static int parse(const char *line, const char *variables, struct guidellm_command *command, struct error *err)
{
    char *texts[2] = {mem_strdup(line), mem_strdup(variables)}, *words[2][WORDS_MAX] = {{NULL}};
    size_t counts[2] = {0};
    for (size_t t = 0; t < 2; t++)
        for (char *rest = texts[t], *word; (word = strsep(&rest, " ")) && counts[t] < WORDS_MAX - 1;) {
            for (char *c = word; *c; c++)
                *c = *c == '~' ? ' ' : *c;
            if (*word)
                words[t][counts[t]++] = word;
        }
    int status = guidellm_flags_parse((int)counts[0], words[0], words[1], own, NULL, command, err);
    free(texts[0]);
    free(texts[1]);
    return status;
}

static void check(const char *line, const char *variables, const char *spec, const char *ignored)
{
    struct guidellm_command command;
    struct error err = {0};
    if (parse(line, variables, &command, &err) < 0)
        fail_msg("%s: %s", line, err.text);
    char *got = json_dumps(command.spec, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *expected = json_loads(spec, 0, NULL);
    char *want = json_dumps(expected, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(got, want);
    assert_string_equal(buf_text(&command.ignored), ignored);
    free(got);
    free(want);
    json_decref(expected);
    guidellm_command_free(&command);
}

static void test_all_versions_say_the_same(void **state)
{
    (void)state;
    static const char spec[] = "{\"backend\":{\"kind\":\"openai_http\",\"target\":\"http://h:8000\",\"model\":\"m\"},\"profile\":{\"kind\":\"concurrent\",\"rate\":[1.0,2.0]},"
                               "\"constraints\":{\"max_duration\":{\"seconds\":60.0}},\"data\":[{\"prompt_tokens\":256,\"output_tokens\":128}]}";
    check("--target http://h:8000 --backend-type openai_http --model m --rate-type concurrent --rate 1,2 --max-seconds 60 --data "
          "prompt_tokens=256,output_tokens=128",
          "", spec, "");
    check("--target=http://h:8000 --backend openai_http --model m --profile concurrent --rate 1 --rate 2 --max-seconds 60 --data "
          "{\"prompt_tokens\":256,\"output_tokens\":128}",
          "", spec, "");
    check("--backend kind=openai_http,target=http://h:8000,model=m --profile kind=concurrent --override profile.rate 1,2 --constraint "
          "kind=max_duration,seconds=60.0 --data prompt_tokens=256,output_tokens=128",
          "", spec, "");
    check("--rate-type concurrent --data prompt_tokens=256,output_tokens=128",
          "GUIDELLM_TARGET=http://h:8000 GUIDELLM_BACKEND=openai_http GUIDELLM_MODEL=m GUIDELLM_RATE=1,2 GUIDELLM_MAX_SECONDS=60 HOME=/", spec, "");
    check("", "GUIDELLM__SPEC__BACKEND__TARGET=http://h:8000 GUIDELLM__SPEC__BACKEND__KIND=openai_http GUIDELLM__SPEC__BACKEND__MODEL=m "
              "GUIDELLM__SPEC__PROFILE={\"kind\":\"concurrent\",\"rate\":[1.0,2.0]} GUIDELLM__SPEC__CONSTRAINTS=[{\"kind\":\"max_duration\",\"seconds\":60.0}] "
              "GUIDELLM__SPEC__DATA=[{prompt_tokens:~256,output_tokens:~128}]",
          spec, "");
}

static void test_what_is_said_last_counts(void **state)
{
    (void)state;
    check("--max-seconds 30 --max-requests 5", "GUIDELLM_MAX_SECONDS=60 GUIDELLM__SPEC__SEED__VALUE=1",
          "{\"constraints\":{\"max_duration\":{\"seconds\":30.0},\"max_requests\":{\"count\":5.0}},\"seed\":{\"value\":1}}", "");
    check("--rate 4 --outputs json --outputs csv,html", "GUIDELLM_RATE=1,2 GUIDELLM_OUTPUTS=yaml",
          "{\"profile\":{\"rate\":[4.0]},\"outputs\":[\"json\",\"csv\",\"html\"]}", "");
}

static void test_settings(void **state)
{
    (void)state;
    check("--processor gpt2 --processor-args {} --display-scheduler-stats --data-preprocessors a,b",
          "GUIDELLM__OPENAI__API_KEY=sk-1 GUIDELLM__DEFAULT_SWEEP_NUMBER=5 GUIDELLM__MP_CONTEXT_TYPE=spawn GUIDELLM__OPENAI__VERIFY=false "
          "GUIDELLM_UNKNOWN=1 GUIDELLM__MAX_CONCURRENCY=64 GUIDELLM_DISABLE_CONSOLE=",
          "{\"backend\":{\"api_key\":\"sk-1\",\"verify\":false},\"settings\":{\"sweep_size\":5,\"max_concurrency\":64}}",
          "--processor, --processor-args, --display-scheduler-stats, --data-preprocessors, GUIDELLM__MP_CONTEXT_TYPE, GUIDELLM_UNKNOWN");
}

static void test_console_labels_and_own(void **state)
{
    (void)state;
    struct guidellm_command command;
    struct error err = {0};
    assert_int_equal(parse("--disable-progress --price-per-hour 0.85 --quiet -l env=a=b --label x=1 --price-per-hour=3", "GUIDELLM__METADATA__LABELS__team=t", &command, &err), 0);
    assert_true(command.no_progress);
    assert_false(command.no_console);
    assert_true(command.by_kinds);
    assert_int_equal(command.own_count, 3);
    assert_string_equal(command.own[0], "--price-per-hour=0.85");
    assert_string_equal(command.own[1], "--quiet");
    assert_string_equal(command.own[2], "--price-per-hour=3");
    assert_string_equal(json_string_value(json_object_get(command.labels, "env")), "a=b");
    assert_string_equal(json_string_value(json_object_get(command.labels, "team")), "t");
    guidellm_command_free(&command);
    assert_int_equal(parse("--disable-console-outputs", "", &command, &err), 0);
    assert_true(command.no_console);
    assert_false(command.by_kinds);
    guidellm_command_free(&command);
}

static void check_scenario(const char *file, const char *text, const char *more, const char *spec, const char *ignored)
{
    char *folder = temp_folder_make(), line[512];
    temp_file_write(folder, file, text, strlen(text));
    snprintf(line, sizeof line, "--scenario %s/%s %s", folder, file, more);
    check(line, "", spec, ignored);
    temp_folder_remove(folder);
}

static void test_scenarios(void **state)
{
    (void)state;
    check_scenario("a.json", "{\"spec\":{\"profile\":{\"kind\":\"concurrent\"},\"constraints\":[{\"kind\":\"max_duration\",\"seconds\":45}]},\"benchmarks\":"
                             "[{\"profile.streams\":1},{\"profile.streams\":50}]}",
                   "", "{\"profile\":{\"kind\":\"concurrent\",\"streams\":[1.0,50.0]},\"constraints\":{\"max_duration\":{\"seconds\":45}}}", "");
    check_scenario("a.yaml", "spec:\n  backend:\n    kind: openai_http\n    target: http://h:1\n  data:\n  - kind: synthetic_text\n    prompt_tokens: 10\n", "--backend model=x",
                   "{\"backend\":{\"kind\":\"openai_http\",\"target\":\"http://h:1\",\"model\":\"x\"},\"data\":[{\"kind\":\"synthetic_text\",\"prompt_tokens\":10}]}", "");
    check_scenario("b.json", "{\"target\":\"http://h:1\",\"rate_type\":\"sweep\",\"rate\":[5],\"max-seconds\":10,\"model\":null,\"backend_args\":{\"verify\":false}}",
                   "--max-seconds 20",
                   "{\"backend\":{\"target\":\"http://h:1\",\"verify\":false},\"profile\":{\"kind\":\"sweep\",\"rate\":[5.0]},\"constraints\":{\"max_duration\":{\"seconds\":20.0}}}", "");
    check("-crag --data x.json", "", "{\"profile\":{\"kind\":\"sweep\"},\"data\":[\"x.json\"]}", "");
}

static void test_built_in_scenarios_can_be_read(void **state)
{
    (void)state;
    static const char *const names[] = {"chat", "rag", "rhaiis/concurrent-1k-1k-multiturn", "rhaiis/concurrent-8k-800-norm"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        struct guidellm_command command;
        struct error err = {0};
        char line[100];
        snprintf(line, sizeof line, "-c %s", names[k]);
        assert_non_null(guidellm_scenario(names[k]));
        assert_int_equal(parse(line, "", &command, &err), 0);
        assert_non_null(json_object_get(command.spec, "data"));
        guidellm_command_free(&command);
    }
    assert_null(guidellm_scenario("poem"));
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"--nonsense 1", "unknown option --nonsense"},
        {"-x", "unknown option -x"},
        {"words", "unexpected argument 'words'"},
        {"--rate 1,x", "--rate: 'x' is not a number"},
        {"--max-seconds soon", "--max-seconds: 'soon' is not a number"},
        {"--target", "--target needs a value"},
        {"--disable-progress=1", "--disable-progress takes no value"},
        {"--override profile.streams", "--override needs a name and a list"},
        {"--override constraints[0].seconds 1,2", "only profile.rate and profile.streams can differ"},
        {"--constraint count=5", "--constraint: expected kind="},
        {"--label x", "--label: 'x' is not NAME=VALUE"},
        {"--scenario poem", "--scenario poem: neither a file nor one of chat, rag"},
        {"--profile 5", "--profile: '5' is neither a kind nor kind="},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct guidellm_command command;
        struct error err = {0};
        if (parse(cases[k].line, "", &command, &err) == 0)
            fail_msg("%s was read", cases[k].line);
        if (!strstr(err.text, cases[k].error))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[k].line, err.text, cases[k].error);
        guidellm_command_free(&command);
    }
}

/* No spelling means two things. */
static void test_names_are_unique(void **state)
{
    (void)state;
    for (const struct guidellm_flag *a = guidellm_flags; a->names[0]; a++)
        for (const struct guidellm_flag *b = a + 1; b->names[0]; b++)
            for (const char *const *x = a->names; *x; x++)
                for (const char *const *y = b->names; *y; y++)
                    assert_string_not_equal(*x, *y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_versions_say_the_same), cmocka_unit_test(test_what_is_said_last_counts),
        cmocka_unit_test(test_settings),                  cmocka_unit_test(test_console_labels_and_own),
        cmocka_unit_test(test_scenarios),                 cmocka_unit_test(test_built_in_scenarios_can_be_read),
        cmocka_unit_test(test_what_is_refused),           cmocka_unit_test(test_names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
