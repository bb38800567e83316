/* What a template becomes for a model, and what the API says became of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kube/launch.h"
#include "support/kube_api.h"

#define JOB \
    "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"generateName\":\"x-\",\"labels\":{\"of\":\"mine\"}},\"spec\":{\"template\":{\"spec\":{" \
    "\"initContainers\":[{\"name\":\"prepare\",\"env\":[{\"name\":\"ROIBENCH_MODEL\",\"value\":\"old\"},{\"name\":\"OTHER\",\"value\":\"1\"}]}]," \
    "\"containers\":[{\"name\":\"run\",\"image\":\"mine:1\"}]}}}}"
#define RUN \
    "{\"apiVersion\":\"tekton.dev/v1\",\"kind\":\"PipelineRun\",\"spec\":{\"params\":[{\"name\":\"profile\",\"value\":\"sweep\"}]}}"
#define JOBS "/apis/batch/v1/namespaces/private-ai/jobs?limit=50&labelSelector=benchmark-run%3D20261124-020000"

static struct arena *arena;
static struct kube_api api;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    return value;
}

static struct launch_settings settings_of(enum launch_kind kind, const json_t *template)
{
    return (struct launch_settings){.kind = kind, .template = template, .namespace = "private-ai", .stamp = "20261124-020000", .image = "our:1", .ttl_s = 60};
}

static const char *text_at(const json_t *object, const char *list, size_t index, const char *member)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(object, list), index), member));
}

static const char *value_of(const json_t *rows, const char *name)
{
    const json_t *row;
    const char *value = NULL;
    size_t k;
    json_array_foreach(rows, k, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0) {
            assert_null(value); /* each once */
            value = json_string_value(json_object_get(row, "value"));
        }
    }
    return value;
}

static void test_a_job(void **state)
{
    (void)state;
    json_t *template = parse(JOB);
    struct launch_settings settings = settings_of(LAUNCH_JOB, template);
    struct launched launched;
    settings.profile = "poisson";
    launch_name(&settings, "mistral-3", arena, &launched);
    assert_string_equal(launched.name, "mistral-3-20261124-020000");
    assert_string_equal(launched.run_id, launched.name);
    json_t *job = launch_make(&settings, &launched), *metadata = json_object_get(job, "metadata"), *spec = json_object_get(job, "spec");
    assert_string_equal(json_string_value(json_object_get(metadata, "name")), launched.name);
    assert_null(json_object_get(metadata, "generateName"));
    const json_t *labels = json_object_get(metadata, "labels"), *pod = json_object_get(spec, "template");
    assert_string_equal(json_string_value(json_object_get(labels, "of")), "mine");
    assert_string_equal(json_string_value(json_object_get(labels, "app")), "guidellm");
    assert_string_equal(json_string_value(json_object_get(labels, "benchmark-run")), settings.stamp);
    assert_string_equal(json_string_value(json_object_get(labels, "profile")), "poisson");
    labels = json_object_get(json_object_get(pod, "metadata"), "labels");
    assert_string_equal(json_string_value(json_object_get(labels, "model")), "mistral-3");
    assert_int_equal(json_integer_value(json_object_get(spec, "ttlSecondsAfterFinished")), 60);
    pod = json_object_get(pod, "spec");
    assert_string_equal(text_at(pod, "initContainers", 0, "image"), "our:1");
    assert_string_equal(text_at(pod, "containers", 0, "image"), "mine:1");
    const json_t *env = json_object_get(json_array_get(json_object_get(pod, "initContainers"), 0), "env");
    assert_string_equal(value_of(env, "ROIBENCH_MODEL"), "mistral-3");
    assert_string_equal(value_of(env, "OTHER"), "1");
    env = json_object_get(json_array_get(json_object_get(pod, "containers"), 0), "env");
    assert_string_equal(value_of(env, "ROIBENCH_RUN_ID"), launched.run_id);
    assert_string_equal(value_of(env, "ROIBENCH_PROFILE"), "poisson");
    assert_null(json_object_get(json_object_get(template, "metadata"), "name")); /* the template is as it was */
    json_decref(job);
    json_decref(template);
}

static void test_a_pipeline_run(void **state)
{
    (void)state;
    json_t *template = parse(RUN);
    struct launch_settings settings = settings_of(LAUNCH_PIPELINE_RUN, template);
    struct launched launched;
    launch_name(&settings, "mistral-3", arena, &launched);
    assert_string_equal(launched.run_id, "mistral-3-20261124-020000-mistral-3");
    json_t *run = launch_make(&settings, &launched);
    const json_t *params = json_object_get(json_object_get(run, "spec"), "params");
    assert_string_equal(value_of(params, "model-name"), "mistral-3");
    assert_string_equal(value_of(params, "profile"), "sweep");
    json_decref(run);
    json_decref(template);
}

static void test_names_that_are_no_labels(void **state)
{
    (void)state;
    const struct launch_settings settings = settings_of(LAUNCH_JOB, NULL);
    struct launched launched;
    launch_name(&settings, "meta-llama/Llama-3.1_8B", arena, &launched);
    assert_string_equal(launched.name, "meta-llama-llama-3-1-8b-20261124-020000");
    launch_name(&settings, "a-model-whose-name-is-much-longer-than-what-a-label-of-kubernetes-holds", arena, &launched);
    assert_in_range(strlen(launched.name), 50, 63);
    assert_non_null(strstr(launched.name, "-20261124-020000"));
    launch_name(&settings, "///", arena, &launched);
    assert_string_equal(launched.name, "model-20261124-020000");
}

static void assert_refused(enum launch_kind kind, const char *text, const char *image, const char *says)
{
    struct error err = {.class = ERROR_NONE};
    json_t *template = parse(text);
    assert_int_equal(launch_check_template(kind, template, image, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
    json_decref(template);
}

static void test_templates_that_are_none(void **state)
{
    (void)state;
    struct error err;
    json_t *template = parse(JOB);
    assert_int_equal(launch_check_template(LAUNCH_JOB, template, "our:1", &err), 0);
    json_decref(template);
    assert_refused(LAUNCH_JOB, JOB, NULL, "initContainers[0].image is missing");
    assert_refused(LAUNCH_PIPELINE_RUN, JOB, NULL, "expected apiVersion: tekton.dev/v1, kind: PipelineRun");
    assert_refused(LAUNCH_JOB, "[]", NULL, "expected apiVersion: batch/v1, kind: Job");
    assert_refused(LAUNCH_JOB, "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\"}", NULL, "spec is missing");
    assert_refused(LAUNCH_JOB, "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"spec\":{}}", NULL, "a Job needs one");
    assert_refused(LAUNCH_JOB, "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"spec\":{\"template\":{\"spec\":{\"containers\":[7]}}}}", NULL, "containers[0] is no container");
}

static void test_what_became_of_them(void **state)
{
    (void)state;
    const struct launch_settings settings = settings_of(LAUNCH_JOB, NULL);
    struct launched launched[4];
    struct error err;
    KUBE_API_START(&api, {JOBS, 200,
                          "{\"items\":[{\"metadata\":{\"name\":\"a-20261124-020000\"},\"status\":{\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\"}]}},"
                          "{\"metadata\":{\"name\":\"b-20261124-020000\"},\"status\":{\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\",\"message\":\"over its limit\"}]}},"
                          "{\"metadata\":{\"name\":\"c-20261124-020000\"},\"status\":{\"conditions\":[{\"type\":\"Complete\",\"status\":\"False\"},7]}},8]}",
                          0, NULL});
    for (int k = 0; k < 4; k++)
        launch_name(&settings, (const char *[]){"a", "b", "c", "d"}[k], arena, &launched[k]);
    assert_int_equal(launch_look(api.client, &settings, launched, 4, arena, &err), KUBE_OK);
    assert_int_equal(launched[0].state, LAUNCH_SUCCEEDED);
    assert_int_equal(launched[1].state, LAUNCH_FAILED);
    assert_string_equal(launched[1].why, "over its limit");
    assert_int_equal(launched[2].state, LAUNCH_GOES_ON);
    assert_int_equal(launched[3].state, LAUNCH_FAILED);
    assert_string_equal(launched[3].why, "somebody deleted it");
    kube_api_stop(&api);
}

/* The first answer is lost; the second says that the object is there. */
static void test_an_answer_that_did_not_come(void **state)
{
    (void)state;
    const struct launch_settings settings = settings_of(LAUNCH_JOB, NULL);
    struct error err;
    json_t *object = json_object();
    KUBE_API_START(&api, {"/apis/batch/v1/namespaces/private-ai/jobs", 504, "{}", 1, NULL}, {"/apis/batch/v1/namespaces/private-ai/jobs", 409, "{}", 1, NULL});
    assert_int_equal(launch_create(api.client, &settings, object, &err), KUBE_OK);
    kube_api_stop(&api);
    KUBE_API_START(&api, {"/apis/batch/v1/namespaces/private-ai/jobs", 409, "{\"message\":\"it is there\"}", 0, NULL});
    assert_int_equal(launch_create(api.client, &settings, object, &err), KUBE_EXISTS); /* somebody else's */
    assert_non_null(strstr(err.text, "has one already: create jobs.batch in namespace private-ai: it is there"));
    assert_int_equal(api.asked, 1);
    kube_api_stop(&api);
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_job, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_pipeline_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_are_no_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_templates_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_answer_that_did_not_come, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_became_of_them, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
