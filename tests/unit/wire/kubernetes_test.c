/* Objects of Kubernetes' API to facts, facts to plan.json and back; what must be withheld; hostile objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/captures.h"
#include "support/mutate.h"
#include "support/properties.h"
#include "wire/kubernetes.h"

#define FOLDER "tests/data/kube/"
#define MUTATIONS 400

static struct arena *arena;

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

static json_t *load(const char *path)
{
    struct buf text = capture_read(path);
    json_t *json = json_loadb(buf_text(&text), text.len, 0, NULL);
    buf_free(&text);
    assert_non_null(json);
    return json;
}

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static struct kubernetes_facts *mistral(void)
{
    struct kubernetes_facts *facts = kubernetes_facts_new(arena, "private-ai", "mistral");
    json_t *service = load(FOLDER "inferenceservice.json"), *pods = load(FOLDER "pods.json"), *node = load(FOLDER "node.json");
    facts->kind = "InferenceService";
    kubernetes_read_service(facts, service, arena);
    kubernetes_read_pods(facts, json_object_get(pods, "items"), arena);
    kubernetes_read_node(facts, "ip-10-0-4-17.ec2.internal", node, arena);
    json_decref(service);
    json_decref(pods);
    json_decref(node);
    return facts;
}

static void assert_described(void (*describe)(const struct kubernetes_facts *, struct buf *), const struct kubernetes_facts *facts, const char *expected)
{
    cleanup_buf struct buf text = BUF_INIT((size_t)64 << 10);
    describe(facts, &text);
    assert_string_equal(buf_text(&text), expected);
}

static void test_facts_of_a_recorded_service(void **state)
{
    (void)state;
    const struct kubernetes_facts *facts = mistral();
    assert_string_equal(facts->runtime, "vllm-cuda-runtime");
    assert_int_equal(facts->min_replicas, 1);
    assert_int_equal(facts->max_replicas, 3);
    assert_string_equal(facts->image, "quay.io/modh/vllm:rhoai-2.25-cuda");
    assert_string_equal(facts->image_digest, "sha256:0f2ab1d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff");
    assert_string_equal(facts->gpu_resource, "nvidia.com/gpu");
    assert_int_equal(facts->gpus_per_pod, 2);
    assert_int_equal(facts->pod_count, 1); /* the one that is about to end serves nobody */
    assert_int_equal(facts->pods[0].restarts, 1);
    assert_true(facts->pods[0].ready);
    assert_int_equal(facts->node_count, 1);
    assert_string_equal(facts->nodes[0].instance_type, "g6.12xlarge");
    assert_int_equal(facts->note_count, 0);
    assert_described(kubernetes_describe_hardware, facts, "2 x NVIDIA-L4 on g6.12xlarge");
    assert_described(kubernetes_describe, facts, "InferenceService mistral in namespace private-ai, 2 x NVIDIA-L4 on g6.12xlarge, 1 pod, "
                                                 "runtime vllm-cuda-runtime, image sha256:0f2ab1d3c4b5");
    assert_described(kubernetes_describe_arguments, facts,
                     "python -m vllm.entrypoints.openai.api_server --port=8080 --model=/mnt/models --max-model-len=8192 --kv-cache-dtype fp8 "
                     "--tensor-parallel-size=2 --max-num-batched-tokens=4096 --api-key (withheld) --hf-token=(withheld)");
}

static void test_addresses(void **state)
{
    (void)state;
    const char *why;
    json_t *service = load(FOLDER "inferenceservice.json"), *llm = load(FOLDER "llminferenceservice.json"), *none = parse("{\"status\":{\"url\":7}}");
    assert_string_equal(kubernetes_service_url(service, arena), "http://mistral-predictor.private-ai.svc.cluster.local:8080");
    assert_string_equal(kubernetes_service_url(llm, arena), "https://qwen-kserve-workload-svc.private-ai.svc.cluster.local:8000");
    assert_string_equal(kubernetes_service_url(none, arena), "");
    assert_true(kubernetes_service_ready(service, arena, &why));
    assert_false(kubernetes_service_ready(none, arena, &why));
    json_object_del(json_object_get(service, "status"), "address");
    assert_string_equal(kubernetes_service_url(service, arena), "https://mistral-private-ai.apps.example.com");
    json_decref(service);
    json_decref(llm);
    json_decref(none);
}

static void test_a_service_says_why_it_is_not_ready(void **state)
{
    (void)state;
    static const struct {
        const char *conditions, *why;
    } rows[] = {
        {"[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"MinimumReplicasUnavailable\",\"message\":\"no replica\"}]",
         "Ready is False: MinimumReplicasUnavailable: no replica"},
        {"[{\"type\":\"PredictorReady\",\"status\":\"False\",\"reason\":\"ErrImagePull\"},{\"type\":\"Ready\",\"status\":\"False\"}]",
         "PredictorReady is False: ErrImagePull"},
        {"[{\"type\":\"Ready\",\"status\":\"Unknown\"}]", "Ready is Unknown"},
        {"[{\"type\":\"Ready\"}]", "Ready is "},
        {"[7, null, {\"type\": 3}]", "it has no condition Ready yet"},
        {"\"Ready\"", "it has no condition Ready yet"},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        const char *why;
        json_t *service = parse(arena_printf(arena, "{\"status\":{\"conditions\":%s}}", rows[k].conditions));
        assert_false(kubernetes_service_ready(service, arena, &why));
        assert_string_equal(why, rows[k].why);
        json_decref(service);
    }
}

static void test_what_is_withheld(void **state)
{
    (void)state;
    static const struct {
        const char *argument, *shown;
        bool next;
    } rows[] = {
        {"--max-num-batched-tokens=8192", "--max-num-batched-tokens=8192", false},
        {"--tokenizer=mistral", "--tokenizer=mistral", false},
        {"--long-prefill-token-threshold=4", "--long-prefill-token-threshold=4", false},
        {"--ssl-keyfile=/certs/tls.key", "--ssl-keyfile=/certs/tls.key", false},
        {"--port", "--port", false},
        {"http://proxy:3128/x", "http://proxy:3128/x", false},
        {"--api-key", "--api-key", true},
        {"--api-key=sk", "--api-key=(withheld)", false},
        {"--client-secret-id=x", "--client-secret-id=(withheld)", false},
        {"HF_TOKEN=x", "HF_TOKEN=(withheld)", false},
        {"--clientSecret=x", "--clientSecret=(withheld)", false},
        {"--origin=https://me:pw@host/x", "--origin=https://(withheld)@host/x", false},
        {"s3://me:pw@host/x", "s3://(withheld)@host/x", false},
        {"hf_abcdefghijklmnopqrstuvwx", "(withheld)", false},
        {"--x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIi", "--x=(withheld)", false},
        {"--kv-transfer-config={\"kv_role\":\"kv_both\"}", "--kv-transfer-config={\"kv_role\":\"kv_both\"}", false},
        {"--kv-transfer-config={\"remote_api_key\":\"x\"}", "--kv-transfer-config=(withheld)", false},
        {"Authorization: Bearer abc", "Authorization: (withheld) (withheld)", false},
        {"exec vllm serve m \\\n --api-key sk1  --port 80", "exec vllm serve m \\ --api-key (withheld) --port 80", false},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        bool next = false;
        assert_string_equal(kubernetes_withhold(rows[k].argument, &next, arena), rows[k].shown);
        assert_int_equal(next, rows[k].next);
    }
    bool next = true;
    assert_string_equal(kubernetes_withhold("plain", &next, arena), "(withheld)");
    assert_false(next);
    next = true; /* --enable-auth was a flag */
    assert_string_equal(kubernetes_withhold("--port=80", &next, arena), "--port=80");
}

static void test_pods_that_are_not_alike_are_noted(void **state)
{
    (void)state;
    struct kubernetes_facts *facts = kubernetes_facts_new(arena, "n", "s");
    json_t *pods = parse("[{\"metadata\":{\"uid\":\"1\"},\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"a\"}]}},"
                         "{\"metadata\":{\"uid\":\"2\"},\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"b\"}]},"
                         "\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}},"
                         "{\"metadata\":{\"uid\":\"3\"},\"status\":{\"phase\":\"Failed\"}}]");
    kubernetes_read_pods(facts, pods, arena);
    assert_int_equal(facts->pod_count, 2);
    assert_string_equal(facts->image, "b"); /* of the one that is ready */
    assert_int_equal(facts->note_count, 1);
    assert_non_null(strstr(facts->notes[0], "differ"));
    json_decref(pods);
}

static void test_no_pods_are_noted(void **state)
{
    (void)state;
    struct kubernetes_facts *facts = kubernetes_facts_new(arena, "n", "s");
    kubernetes_read_pods(facts, NULL, arena);
    assert_int_equal(facts->note_count, 1);
    assert_described(kubernetes_describe, facts, "nothing known of s in namespace n");
}

static void test_gpus_of_other_makers(void **state)
{
    (void)state;
    static const struct {
        const char *limits, *resource;
        int count;
    } rows[] = {{"{\"amd.com/gpu\":\"8\"}", "amd.com/gpu", 8},        {"{\"cpu\":\"2\",\"nvidia.com/mig-1g.10gb\":1}", "nvidia.com/mig-1g.10gb", 1},
                {"{\"nvidia.com/gpu\":\"many\"}", "", 0},             {"{\"nvidia.com/gpu\":\"-1\"}", "", 0},
                {"{\"nvidia.com/gpu\":\"999999999999\"}", "", 0}, {"{\"cpu\":\"2\"}", "", 0}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct kubernetes_facts *facts = kubernetes_facts_new(arena, "n", "s");
        json_t *pods = parse(arena_printf(arena, "[{\"spec\":{\"containers\":[{\"resources\":{\"limits\":%s}}]}}]", rows[k].limits));
        kubernetes_read_pods(facts, pods, arena);
        assert_string_equal(facts->gpu_resource, rows[k].resource);
        assert_int_equal(facts->gpus_per_pod, rows[k].count);
        json_decref(pods);
    }
}

static struct kubernetes_facts *with_arguments(const char *const *arguments)
{
    struct kubernetes_facts *facts = kubernetes_facts_new(arena, "n", "s");
    for (; *arguments; arguments++)
        facts->arguments[facts->argument_count++] = *arguments;
    return facts;
}

static void test_arguments_of_one_alone(void **state)
{
    (void)state;
    static const char *const first[] = {"--port", "80", "--kv-cache-dtype", "fp8", "--enforce-eager", "--max-model-len=8192", NULL};
    static const char *const second[] = {"--max-model-len=8192", "--port", "80", "--kv-cache-dtype", "auto", NULL};
    const struct kubernetes_facts *a = with_arguments(first), *b = with_arguments(second);
    cleanup_buf struct buf text = BUF_INIT((size_t)4096);
    kubernetes_describe_own_arguments(a, b, &text);
    assert_string_equal(buf_text(&text), "--kv-cache-dtype fp8, --enforce-eager");
    buf_reset(&text);
    kubernetes_describe_own_arguments(b, a, &text);
    assert_string_equal(buf_text(&text), "--kv-cache-dtype auto");
    buf_reset(&text);
    kubernetes_describe_own_arguments(a, a, &text);
    assert_string_equal(buf_text(&text), "");
}

static struct kubernetes_facts *through_json(const struct kubernetes_facts *facts, struct error *err)
{
    json_t *root = json_object();
    struct json_reader reader = {.file = "plan.json", .err = err};
    kubernetes_facts_write(root, facts);
    struct kubernetes_facts *back = kubernetes_facts_read(&reader, root, arena);
    json_decref(root);
    return back;
}

static void test_through_json_and_back(void **state)
{
    (void)state;
    struct error err = {.class = ERROR_NONE};
    struct kubernetes_facts *facts = mistral();
    kubernetes_note(facts, arena, "a note");
    struct kubernetes_facts *back = through_json(facts, &err);
    assert_non_null(back);
    json_t *once = json_object(), *twice = json_object();
    kubernetes_facts_write(once, facts);
    kubernetes_facts_write(twice, back);
    assert_true(json_equal(once, twice));
    assert_int_equal(json_object_size(json_object_get(once, "kubernetes")), 15);
    json_decref(once);
    json_decref(twice);
}

static void test_reading_refuses_what_is_no_such_plan(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"kubernetes\":7}", "{\"kubernetes\":{}}", "{\"kubernetes\":{\"namespace\":\"n\",\"name\":\"s\",\"pods\":[7]}}",
        "{\"kubernetes\":{\"namespace\":\"n\",\"name\":\"s\",\"arguments\":[7]}}",
        "{\"kubernetes\":{\"namespace\":\"n\",\"name\":\"s\",\"gpus_per_pod\":1000000}}",
        "{\"kubernetes\":{\"namespace\":\"n\",\"name\":\"s\",\"pods\":[{\"name\":\"p\",\"restarts\":-1}]}}",
    };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        struct error err = {.class = ERROR_NONE};
        struct json_reader reader = {.file = "plan.json", .err = &err};
        json_t *root = parse(wrong[k]);
        assert_null(kubernetes_facts_read(&reader, root, arena));
        assert_true(reader.failed);
        assert_non_null(strstr(err.text, "kubernetes"));
        json_decref(root);
    }
}

static void test_hostile_objects(void **state)
{
    (void)state;
    static const char *const paths[] = {FOLDER "pods.json", FOLDER "inferenceservice.json", FOLDER "node.json", FOLDER "llminferenceservice.json"};
    struct buf changed = BUF_INIT(CAPTURE_MAX);
    struct random random;
    random_seed(&random, 7);
    for (size_t path = 0; path < sizeof paths / sizeof paths[0]; path++) {
        struct buf object = capture_read(paths[path]);
        property_kubernetes((const uint8_t *)object.data, object.len);
        for (int k = 0; k < MUTATIONS; k++) {
            mutate(&random, object.data, object.len, &changed);
            property_kubernetes((const uint8_t *)buf_text(&changed), changed.len);
        }
        buf_free(&object);
    }
    buf_free(&changed);
}

static void test_ceilings(void **state)
{
    (void)state;
    struct error err = {.class = ERROR_NONE};
    json_t *pods = json_array();
    for (int k = 0; k < 300; k++) {
        json_t *arguments = json_array();
        for (int argument = 0; argument < 200; argument++)
            json_array_append_new(arguments, json_string(arena_printf(arena, "--x=\x01%01000d", argument)));
        json_array_append_new(pods, json_pack("{s:{s:s,s:s},s:{s:s,s:[{s:o}]}}", "metadata", "name", "p", "uid", arena_printf(arena, "%d", k), "spec",
                                              "nodeName", arena_printf(arena, "node-%d", k), "containers", "args", arguments));
    }
    struct kubernetes_facts *facts = kubernetes_facts_new(arena, "n", "s");
    kubernetes_read_pods(facts, pods, arena);
    assert_int_equal(facts->pod_count, KUBERNETES_PODS_MAX);
    assert_int_equal(facts->node_count, KUBERNETES_NODES_MAX);
    assert_int_equal(facts->argument_count, KUBERNETES_ARGUMENTS_MAX);
    assert_int_equal(strlen(facts->arguments[0]), KUBERNETES_TEXT_MAX);
    assert_null(strchr(facts->arguments[0], 1));
    for (int k = 0; k < 100; k++)
        kubernetes_note(facts, arena, "again");
    assert_int_equal(facts->note_count, KUBERNETES_NOTES_MAX);
    assert_non_null(through_json(facts, &err));
    json_decref(pods);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_facts_of_a_recorded_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_service_says_why_it_is_not_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_withheld, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pods_that_are_not_alike_are_noted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_pods_are_noted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gpus_of_other_makers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arguments_of_one_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_through_json_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reading_refuses_what_is_no_such_plan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ceilings, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
