/* Where a model is served, and what it runs on, as an API tells it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kube/context.h"
#include "kube/discovery.h"
#include "support/kube_api.h"

#define BETA "/apis/serving.kserve.io/v1beta1/namespaces/private-ai/inferenceservices"
#define ALPHA "/apis/serving.kserve.io/v1alpha1/namespaces/private-ai/llminferenceservices"
#define PODS "/api/v1/namespaces/private-ai/pods?limit=50&labelSelector="
#define PODS_OF_MISTRAL PODS "serving.kserve.io%2Finferenceservice%3Dmistral%2Ccomponent%3Dpredictor"
#define PODS_OF_QWEN PODS "app.kubernetes.io%2Fpart-of%3Dllminferenceservice%2Capp.kubernetes.io%2Fname%3Dqwen%2Ckserve.io%2Fcomponent%3Dworkload"
#define NODE "/api/v1/nodes/ip-10-0-4-17.ec2.internal"
#define FOLDER "tests/data/kube/"
#define NOT_READY "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"ImagePullBackOff\"}]}}"
#define NO_ADDRESS "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"

static struct kube_api api;
static struct arena *arena;
static struct kube_service service;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    service = (struct kube_service){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(service.object);
    kube_api_stop(&api);
    arena_free(arena);
    return 0;
}

static enum kube_outcome find(const char *name)
{
    return kube_find_service(api.client, "private-ai", name, arena, &service, &api.err);
}

static void test_an_inference_service(void **state)
{
    (void)state;
    KUBE_API_START(&api, {BETA "/mistral", 200, FOLDER "inferenceservice.json", 0, NULL});
    assert_int_equal(find("mistral"), KUBE_OK);
    assert_string_equal(service.kind, "InferenceService");
    assert_string_equal(service.url, "http://mistral-predictor.private-ai.svc.cluster.local:8080");
    assert_true(service.ready);
    assert_int_equal(api.asked, 1);
}

static void test_an_llm_inference_service(void **state)
{
    (void)state;
    KUBE_API_START(&api, {ALPHA "/qwen", 200, FOLDER "llminferenceservice.json", 0, NULL});
    assert_int_equal(find("qwen"), KUBE_OK);
    assert_string_equal(service.kind, "LLMInferenceService");
    assert_int_equal(api.asked, 2);
}

static void test_none_lists_what_there_is(void **state)
{
    (void)state;
    KUBE_API_START(&api, {BETA "?limit=50", 200, "{\"items\":[{\"metadata\":{\"name\":\"mistral\"}},{\"metadata\":{\"name\":\"NO NAME\"}},7]}", 0, NULL},
                   {ALPHA "?limit=50", 200, "{\"items\":[{\"metadata\":{\"name\":\"qwen\"}}]}", 0, NULL});
    assert_int_equal(find("mistrl"), KUBE_NOT_FOUND);
    assert_string_equal(api.err.text, "there is neither an InferenceService nor an LLMInferenceService 'mistrl' in namespace 'private-ai'; it has: "
                                      "mistral, qwen and 2 more");
    assert_int_equal(find("meta-llama/Llama-3"), KUBE_NOT_FOUND);
    assert_int_equal(api.asked, 2 + 2 + 2); /* what can be no name is not asked for */
}

static void test_forbidden(void **state)
{
    (void)state;
    KUBE_API_START(&api, {BETA "/mistral", 403, FOLDER "forbidden.json", 0, NULL}, {ALPHA "/qwen", 403, "{}", 0, NULL});
    assert_int_equal(find("mistral"), KUBE_FORBIDDEN);
    assert_non_null(strstr(api.err.text, "verbs: [get]"));
    assert_int_equal(api.asked, 1);
    assert_int_equal(find("qwen"), KUBE_NOT_FOUND); /* a Role for the older kind alone is enough */
}

static void test_all_of_a_namespace(void **state)
{
    (void)state;
    struct kube_service *services;
    size_t count;
    KUBE_API_START(&api, {BETA "?limit=50", 200, "{\"items\":[{\"metadata\":{\"name\":\"mistral\"},\"status\":{\"address\":{\"url\":\"http://m\"},"
                                                "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}},{\"metadata\":{\"name\":\"NO NAME\"}}]}", 1, NULL},
                   {ALPHA "?limit=50", 200, "{\"items\":[{\"metadata\":{\"name\":\"qwen\"}}]}", 1, NULL}, {BETA "?limit=50", 403, "{}", 1, NULL});
    assert_int_equal(kube_list_services(api.client, "private-ai", arena, &services, &count, &api.err), KUBE_OK);
    assert_int_equal(count, 2);
    assert_string_equal(services[0].name, "mistral");
    assert_true(services[0].ready);
    assert_string_equal(services[1].kind, "LLMInferenceService");
    assert_false(services[1].ready);
    assert_int_equal(kube_list_services(api.client, "private-ai", arena, &services, &count, &api.err), KUBE_FORBIDDEN);
    assert_non_null(strstr(api.err.text, "verbs: [list]"));
    assert_int_equal(kube_list_services(api.client, "private-ai", arena, &services, &count, &api.err), KUBE_OK); /* a cluster without KServe */
    assert_int_equal(count, 0);
}

static enum kube_outcome await(int64_t wait_ns)
{
    static char said[4096];
    FILE *stream = fmemopen(said, sizeof said, "w");
    const struct log log = {.stream = stream, .clock = &api.clock, .command = "prepare", .threshold = LOG_LEVEL_INFO};
    const struct kube_waiting waiting = {.client = api.client, .clock = &api.clock, .log = &log, .stop = &api.stop, .wait_ns = wait_ns};
    enum kube_outcome outcome = kube_await_service(&waiting, "private-ai", "mistral", arena, &service, &api.err);
    fclose(stream);
    if (outcome == KUBE_FAILED)
        assert_non_null(strstr(said, "waiting for InferenceService mistral"));
    return outcome;
}

static void test_waits_until_it_is_ready_and_has_an_address(void **state)
{
    (void)state;
    KUBE_API_START(&api, {BETA "/mistral", 200, NOT_READY, 2, NULL}, {BETA "/mistral", 200, NO_ADDRESS, 1, NULL},
                   {BETA "/mistral", 200, FOLDER "inferenceservice.json", 0, NULL});
    int64_t started = api.time.now;
    assert_int_equal(await(60 * NS_PER_S), KUBE_OK);
    assert_true(service.ready);
    assert_int_equal(api.time.now - started, 6 * NS_PER_S);
}

/* A watch that ends tells of a change at once; one that ends again and again is not asked without a pause. */
static void test_a_watch_shortens_the_wait(void **state)
{
    (void)state;
    KUBE_API_START(&api, {BETA "/mistral", 200, "{\"metadata\":{\"resourceVersion\":\"7\"}}", 2, NULL},
                   {BETA "?watch=true&timeoutSeconds=10&resourceVersion=7&fieldSelector=metadata.name%3Dmistral", 200,
                    "{\"type\":\"MODIFIED\",\"object\":{}}\n", 0, NULL},
                   {BETA "/mistral", 200, FOLDER "inferenceservice.json", 0, NULL});
    int64_t started = api.time.now;
    assert_int_equal(await(60 * NS_PER_S), KUBE_OK);
    assert_int_equal(api.time.now - started, 400 * NS_PER_MS);
    assert_int_equal(api.asked, 5);
}

static void test_waits_no_longer_than_asked(void **state)
{
    (void)state;
    KUBE_API_START(&api, {BETA "/mistral", 200, NOT_READY, 0, NULL});
    int64_t started = api.time.now;
    assert_int_equal(await(5 * NS_PER_S), KUBE_FAILED);
    assert_int_equal(api.time.now - started, 5 * NS_PER_S);
    assert_non_null(strstr(api.err.text, "is not ready after 5"));
    assert_non_null(strstr(api.err.text, "ImagePullBackOff"));
    assert_string_equal(service.kind, "InferenceService"); /* it is there: the template would not help */
}

/* ---- context ---- */

static void test_context(void **state)
{
    (void)state;
    KUBE_API_START(&api, {BETA "/mistral", 200, FOLDER "inferenceservice.json", 0, NULL}, {PODS_OF_MISTRAL, 200, FOLDER "pods.json", 0, NULL},
                   {NODE, 200, FOLDER "node.json", 0, NULL});
    assert_int_equal(find("mistral"), KUBE_OK);
    const struct kubernetes_facts *facts = kube_learn_context(api.client, "private-ai", "mistral", &service, arena);
    assert_int_equal(facts->note_count, 0);
    assert_int_equal(kubernetes_gpus(facts), 2);
    assert_string_equal(facts->nodes[0].gpu_product, "NVIDIA-L4");
    assert_string_equal(facts->runtime, "vllm-cuda-runtime");
    assert_int_equal(api.asked, 3);
}

static void test_context_of_the_other_kind(void **state)
{
    (void)state;
    KUBE_API_START(&api, {ALPHA "/qwen", 200, FOLDER "llminferenceservice.json", 0, NULL}, {PODS_OF_QWEN, 200, FOLDER "pods.json", 0, NULL},
                   {NODE, 200, FOLDER "node.json", 0, NULL});
    assert_int_equal(find("qwen"), KUBE_OK);
    const struct kubernetes_facts *facts = kube_learn_context(api.client, "private-ai", "qwen", &service, arena);
    assert_int_equal(facts->min_replicas, 2);
    assert_int_equal(facts->pod_count, 1);
}

static void test_what_is_forbidden_is_noted(void **state)
{
    (void)state;
    KUBE_API_START(&api, {BETA "/mistral", 200, FOLDER "inferenceservice.json", 0, NULL}, {PODS_OF_MISTRAL, 200, FOLDER "pods.json", 1, NULL},
                   {PODS_OF_MISTRAL, 403, "{}", 0, NULL}, {NODE, 403, "{}", 0, NULL});
    assert_int_equal(find("mistral"), KUBE_OK);
    const struct kubernetes_facts *facts = kube_learn_context(api.client, "private-ai", "mistral", &service, arena);
    assert_int_equal(facts->note_count, 1);
    assert_non_null(strstr(facts->notes[0], "ClusterRole permits it: apiGroups: [\"\"], resources: [nodes], verbs: [get]"));
    assert_int_equal(facts->gpus_per_pod, 2);
    facts = kube_learn_context(api.client, "private-ai", "mistral", &service, arena);
    assert_int_equal(facts->note_count, 1);
    assert_non_null(strstr(facts->notes[0], "resources: [pods], verbs: [list]"));
    assert_string_equal(facts->runtime, "vllm-cuda-runtime");
}

/* ---- what became of the pods ---- */

static struct kubernetes_facts *planned(size_t pods)
{
    struct kubernetes_facts *facts = kubernetes_facts_new(arena, "private-ai", "mistral");
    static const struct kubernetes_pod rows[] = {{"mistral-predictor-6f7d9c5b8-2xk4p", "4f6f0f0e-9f0e-4b7c-8a51-31f3c8b6a001", "", 1, true},
                                                 {"mistral-predictor-6f7d9c5b8-other", "4f6f0f0e-0000", "", 0, true}};
    facts->kind = "InferenceService";
    facts->pod_count = pods;
    memcpy(facts->pods, rows, pods * sizeof *rows);
    return facts;
}

static int compare(const struct kubernetes_facts *facts, const char *expected)
{
    struct buf out = BUF_INIT((size_t)4096);
    int count = kube_compare_pods(api.client, facts, &out, &api.err);
    assert_string_equal(buf_text(&out), expected);
    buf_free(&out);
    return count;
}

static void test_pods_since_then(void **state)
{
    (void)state;
    KUBE_API_START(&api, {PODS_OF_MISTRAL, 200, FOLDER "pods.json", 4, NULL}, {PODS_OF_MISTRAL, 403, "{}", 0, NULL});
    assert_int_equal(compare(planned(1), ""), 0);
    assert_int_equal(compare(planned(2), "pod mistral-predictor-6f7d9c5b8-other is gone"), 1);
    assert_int_equal(compare(planned(0), "pod mistral-predictor-6f7d9c5b8-2xk4p is new"), 1);
    struct kubernetes_facts *before = planned(2);
    before->pods[0].restarts = 0;
    assert_int_equal(compare(before, "pod mistral-predictor-6f7d9c5b8-2xk4p was restarted; pod mistral-predictor-6f7d9c5b8-other is gone"), 2);
    assert_int_equal(compare(before, ""), -1);
    assert_non_null(strstr(api.err.text, "resources: [pods], verbs: [list]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_inference_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_llm_inference_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none_lists_what_there_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forbidden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_of_a_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits_until_it_is_ready_and_has_an_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_watch_shortens_the_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits_no_longer_than_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_context, setup, teardown),
        cmocka_unit_test_setup_teardown(test_context_of_the_other_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_forbidden_is_noted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pods_since_then, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
