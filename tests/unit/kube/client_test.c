/* The client against an API that answers what the test says: pages, refusals, tries, tokens that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kube/client.h"
#include "support/kube_api.h"
#include "support/mutate.h"
#include "support/captures.h"
#include "support/temp_folder.h"

#define POD "/api/v1/namespaces/private-ai/pods/mistral"
#define PODS "/api/v1/namespaces/private-ai/pods"
#define SERVICE "/apis/serving.kserve.io/v1beta1/namespaces/private-ai/inferenceservices/mistral"
#define OBJECT "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"mistral\"}}"
#define MUTATIONS 60

static const struct kube_resource pod = {"", "v1", "pods", "private-ai", "mistral"};
static const struct kube_resource pods = {"", "v1", "pods", "private-ai", NULL};
static const struct kube_resource node = {"", "v1", "nodes", NULL, "node-1"};
static const struct kube_resource service = {"serving.kserve.io", "v1beta1", "inferenceservices", "private-ai", "mistral"};

static void test_an_object(void **state)
{
    (void)state;
    struct kube_api api;
    json_t *object;
    KUBE_API_START(&api, {POD, 200, OBJECT, 0, NULL}, {SERVICE, 200, "tests/data/kube/inferenceservice.json", 0, NULL});
    assert_int_equal(kube_get(api.client, &pod, &object, &api.err), KUBE_OK);
    assert_string_equal(json_string_value(json_object_get(object, "kind")), "Pod");
    json_decref(object);
    assert_null(strstr(tiny_server_request(api.server), "Authorization"));
    assert_int_equal(kube_get(api.client, &service, &object, &api.err), KUBE_OK);
    json_decref(object);
    kube_api_stop(&api);
}

static void test_pages_make_one_list(void **state)
{
    (void)state;
    struct kube_api api;
    json_t *items;
    KUBE_API_START(&api, {PODS "?limit=50&labelSelector=app%3Dx%2Cy%3D1", 200, "{\"metadata\":{\"continue\":\"a/b=\"},\"items\":[1,2]}", 0, NULL},
                   {PODS "?limit=50&labelSelector=app%3Dx%2Cy%3D1&continue=a%2Fb%3D", 200, "{\"metadata\":{\"continue\":\"\"},\"items\":[3]}", 0, NULL});
    assert_int_equal(kube_list(api.client, &pods, "app=x,y=1", &items, &api.err), KUBE_OK);
    assert_int_equal(json_array_size(items), 3);
    assert_int_equal(api.asked, 2);
    json_decref(items);
    kube_api_stop(&api);
}

/* A server that always has one more page. */
static void test_a_list_without_an_end(void **state)
{
    (void)state;
    struct kube_api api;
    json_t *items;
    struct buf body = BUF_INIT((size_t)1 << 20);
    buf_append_text(&body, "{\"metadata\":{\"continue\":\"more\"},\"items\":[0");
    for (int k = 1; k < 400; k++)
        buf_append_text(&body, ",0");
    buf_append_text(&body, "]}");
    KUBE_API_START(&api, {PODS "?limit=50", 200, buf_text(&body), 0, NULL}, {PODS "?limit=50&continue=more", 200, buf_text(&body), 0, NULL});
    assert_int_equal(kube_list(api.client, &pods, NULL, &items, &api.err), KUBE_FAILED);
    assert_null(items);
    assert_non_null(strstr(api.err.text, "more than 1000 pods"));
    assert_int_equal(api.asked, 3);
    buf_free(&body);
    kube_api_stop(&api);
}

static void test_forbidden_says_what_would_permit_it(void **state)
{
    (void)state;
    struct kube_api api;
    json_t *object;
    KUBE_API_START(&api, {SERVICE, 403, "tests/data/kube/forbidden.json", 0, NULL}, {"/api/v1/nodes/node-1", 403, "no json", 0, NULL},
                   {POD, 401, "{\"message\":\"Unauthorized\\u0007\"}", 0, NULL});
    assert_int_equal(kube_get(api.client, &service, &object, &api.err), KUBE_FORBIDDEN);
    assert_int_equal(api.err.class, ERROR_TARGET);
    assert_non_null(strstr(api.err.text, "get inferenceservices.serving.kserve.io/mistral in namespace private-ai"));
    assert_non_null(strstr(api.err.text, "system:serviceaccount:ci:default"));
    assert_non_null(strstr(api.err.text, "A rule of a Role in that namespace permits it: apiGroups: [\"serving.kserve.io\"], resources: "
                                         "[inferenceservices], verbs: [get]"));
    assert_int_equal(kube_get(api.client, &node, &object, &api.err), KUBE_FORBIDDEN);
    assert_non_null(strstr(api.err.text, "ClusterRole permits it: apiGroups: [\"\"], resources: [nodes], verbs: [get]"));
    assert_null(strstr(api.err.text, "no json"));
    assert_int_equal(kube_get(api.client, &pod, &object, &api.err), KUBE_FORBIDDEN);
    assert_non_null(strstr(api.err.text, "does not know who asks"));
    assert_null(strchr(api.err.text, 7));
    assert_int_equal(api.asked, 3); /* none of them is asked twice */
    kube_api_stop(&api);
}

static void test_nothing_there(void **state)
{
    (void)state;
    struct kube_api api;
    json_t *object;
    KUBE_API_START(&api, {"/", 200, "{}", 0, NULL});
    assert_int_equal(kube_get(api.client, &pod, &object, &api.err), KUBE_NOT_FOUND);
    assert_string_equal(api.err.text, "Kubernetes has none: get pods/mistral in namespace private-ai: not found");
    kube_api_stop(&api);
}

static void test_tries_again(void **state)
{
    (void)state;
    struct kube_api api;
    json_t *object;
    KUBE_API_START(&api, {POD, 429, "{}", 1, "Retry-After: 3\r\n"}, {POD, 503, "{}", 1, NULL}, {POD, 200, OBJECT, 0, NULL});
    int64_t started = api.time.now;
    assert_int_equal(kube_get(api.client, &pod, &object, &api.err), KUBE_OK);
    assert_int_equal(api.asked, 3);
    assert_int_equal(api.time.now - started, 3 * NS_PER_S + 400 * NS_PER_MS);
    json_decref(object);
    kube_api_stop(&api);
}

static void test_gives_up(void **state)
{
    (void)state;
    struct kube_api api;
    json_t *object;
    KUBE_API_START(&api, {POD, 500, "{\"message\":\"etcdserver: request timed out\"}", 0, "Retry-After: 99999\r\n"});
    int64_t started = api.time.now;
    assert_int_equal(kube_get(api.client, &pod, &object, &api.err), KUBE_FAILED);
    assert_int_equal(api.asked, KUBE_TRIES);
    assert_int_equal(api.time.now - started, 30 * NS_PER_S); /* no server makes us wait longer than 10 s */
    assert_string_equal(api.err.text, "Kubernetes answers HTTP 500: get pods/mistral in namespace private-ai: etcdserver: request timed out");
    kube_api_stop(&api);
}

static void test_nobody_is_there(void **state)
{
    (void)state;
    struct clock_fake time = {0};
    struct clock clock = clock_fake_clock(&time);
    const struct kube_settings settings = {.url = "http://127.0.0.1:1", .clock = &clock};
    struct error err;
    json_t *object;
    struct kube_client *client = kube_client_new(&settings, &err);
    assert_non_null(client);
    assert_int_equal(kube_get(client, &pod, &object, &err), KUBE_FAILED);
    assert_non_null(strstr(err.text, "refused"));
    kube_client_free(client);
}

static void test_the_token_is_read_again(void **state)
{
    (void)state;
    struct kube_api api;
    struct error err;
    json_t *object;
    char *folder = temp_folder_make(), *path = mem_printf("%s/token", folder);
    KUBE_API_START(&api, {POD, 200, OBJECT, 0, NULL});
    temp_file_write(folder, "token", "first\n", 6);
    const struct kube_settings settings = {.url = tiny_server_url(api.server), .token_file = path, .clock = &api.clock, .stop = &api.stop};
    struct kube_client *client = kube_client_new(&settings, &err);
    static const char *const tokens[] = {"first", "second", "second"};
    for (size_t k = 0; k < 3; k++) {
        char *header = mem_printf("Authorization: Bearer %s\r\n", tokens[k]);
        temp_file_write(folder, "token", tokens[k], strlen(tokens[k]));
        assert_int_equal(kube_get(client, &pod, &object, &err), KUBE_OK);
        assert_non_null(strstr(tiny_server_request(api.server), header));
        json_decref(object);
        free(header);
    }
    temp_file_write(folder, "token", "", 0);
    assert_int_equal(kube_get(client, &pod, &object, &err), KUBE_FAILED);
    assert_int_equal(err.class, ERROR_TARGET);
    assert_non_null(strstr(err.text, "the service account's token: "));
    assert_non_null(strstr(err.text, "is empty"));
    remove(path);
    assert_int_equal(kube_get(client, &pod, &object, &err), KUBE_FAILED);
    assert_non_null(strstr(err.text, "the service account's token"));
    assert_null(kube_client_new(&settings, &err));
    assert_int_equal(api.asked, 3);
    kube_client_free(client);
    kube_api_stop(&api);
    free(path);
    temp_folder_remove(folder);
}

static void test_no_api_of_kubernetes(void **state)
{
    (void)state;
    static const char *const bodies[] = {"<html>", "[1]", "", "{\"a\":", "7"};
    for (size_t k = 0; k < sizeof bodies / sizeof bodies[0]; k++) {
        struct kube_api api;
        json_t *object;
        KUBE_API_START(&api, {POD, 200, bodies[k], 0, NULL});
        assert_int_equal(kube_get(api.client, &pod, &object, &api.err), KUBE_FAILED);
        assert_non_null(strstr(api.err.text, "is no API of Kubernetes"));
        assert_int_equal(api.err.class, ERROR_TARGET);
        assert_int_equal(api.asked, 1);
        kube_api_stop(&api);
    }
}

/* ---- creating and watching ---- */

static void test_creates(void **state)
{
    (void)state;
    struct kube_api api;
    json_t *object = json_pack("{s:s}", "kind", "Pod"), *created;
    KUBE_API_START(&api, {PODS, 429, "{}", 1, NULL}, {PODS, 201, OBJECT, 1, NULL}, {PODS, 503, "{}", 0, NULL});
    assert_int_equal(kube_create(api.client, &pods, object, &created, &api.err), KUBE_OK);
    assert_int_equal(api.asked, 2);
    assert_non_null(strstr(tiny_server_request(api.server), "POST " PODS " "));
    assert_non_null(strstr(tiny_server_request(api.server), "{\"kind\":\"Pod\"}"));
    assert_string_equal(json_string_value(json_object_get(json_object_get(created, "metadata"), "name")), "mistral");
    json_decref(created);
    assert_int_equal(kube_create(api.client, &pods, object, &created, &api.err), KUBE_FAILED); /* it may have been made: not again */
    assert_int_equal(api.asked, 3);
    assert_string_equal(api.err.text, "Kubernetes answers HTTP 503: create pods in namespace private-ai");
    json_decref(object);
    kube_api_stop(&api);
}

#define WATCH PODS "?watch=true&timeoutSeconds=5&resourceVersion=41"
#define EVENT(type, name) "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name "\"}}}\n"

struct seen {
    char text[256];
    int until; /* events after which it is enough */
};

static bool see(void *context, const char *type, const json_t *object)
{
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof seen->text - length, "%s %s;", type, json_string_value(json_object_get(json_object_get(object, "metadata"), "name")));
    return --seen->until > 0;
}

static enum kube_outcome watch(struct kube_api *api, const char *body, struct seen *seen)
{
    KUBE_API_START(api, {WATCH, 200, body, 0, NULL});
    enum kube_outcome outcome = kube_watch(api->client, &pods, "41", 5 * NS_PER_S, see, seen, &api->err);
    kube_api_stop(api);
    return outcome;
}

static void test_watches(void **state)
{
    (void)state;
    struct kube_api api;
    struct seen all = {.until = 10}, two = {.until = 2}, none = {.until = 1};
    const char *events = EVENT("ADDED", "a") "\n" EVENT("BOOKMARK", "b") EVENT("MODIFIED", "c") EVENT("DELETED", "d") "{\"type\":\"cut";
    assert_int_equal(watch(&api, events, &all), KUBE_OK);
    assert_string_equal(all.text, "ADDED a;MODIFIED c;DELETED d;");
    assert_int_equal(watch(&api, events, &two), KUBE_OK);
    assert_string_equal(two.text, "ADDED a;MODIFIED c;");
    assert_int_equal(watch(&api, "", &none), KUBE_OK);
    assert_string_equal(none.text, "");
}

static void test_a_watch_that_goes_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *body, *text;
    } rows[] = {{EVENT("ADDED", "a") "{\"type\":\"ERROR\",\"object\":{\"message\":\"too old resource version\"}}\n", ": too old resource version"},
                {"{\"type\":\"ERROR\",\"object\":{}}\n", ": an error without a message"},
                {"<html>\n", ": a line is no event"},
                {"{\"type\":\"ADDED\",\"object\":7}\n", ": a line is no event"}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct kube_api api;
        struct seen seen = {.until = 10};
        assert_int_equal(watch(&api, rows[k].body, &seen), KUBE_FAILED);
        assert_non_null(strstr(api.err.text, "watch pods in namespace private-ai"));
        assert_non_null(strstr(api.err.text, rows[k].text));
    }
}

static void test_a_line_without_an_end(void **state)
{
    (void)state;
    struct kube_api api;
    struct seen seen = {.until = 10};
    char *line = mem_alloc(KUBE_LINE_MAX + 100);
    memset(line, ' ', KUBE_LINE_MAX + 99);
    assert_int_equal(watch(&api, line, &seen), KUBE_FAILED);
    assert_non_null(strstr(api.err.text, "a line is longer than"));
    free(line);
}

static void test_a_watch_of_one_that_is_forbidden(void **state)
{
    (void)state;
    struct kube_api api;
    struct seen seen = {.until = 10};
    KUBE_API_START(&api, {WATCH "&fieldSelector=metadata.name%3Dmistral", 403, "{\"message\":\"no\"}", 0, NULL});
    assert_int_equal(kube_watch(api.client, &pod, "41", 5 * NS_PER_S, see, &seen, &api.err), KUBE_FORBIDDEN);
    assert_non_null(strstr(api.err.text, "watch pods in namespace private-ai: no. A rule"));
    assert_non_null(strstr(api.err.text, "verbs: [watch]"));
    kube_api_stop(&api);
}

static void test_hostile_lists(void **state)
{
    (void)state;
    struct buf list = capture_read("tests/data/kube/pods.json"), changed = BUF_INIT(CAPTURE_MAX);
    struct random random;
    random_seed(&random, 11);
    for (int k = 0; k < MUTATIONS; k++) {
        struct kube_api api;
        json_t *items;
        mutate(&random, list.data, list.len, &changed);
        KUBE_API_START(&api, {PODS "?limit=50", 200, buf_text(&changed), 0, NULL});
        if (kube_list(api.client, &pods, NULL, &items, &api.err) == KUBE_OK)
            json_decref(items);
        else
            assert_null(items);
        kube_api_stop(&api);
    }
    buf_free(&list);
    buf_free(&changed);
}

static void test_names_and_addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "mistral-3-int4", "a.b", "1"};
    static const char *const bad[] = {"", "A", "-a", "a-", "meta/llama", "a_b", "a b", "../x", "a%2f"};
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++)
        assert_true(kube_is_name(good[k]));
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        assert_false(kube_is_name(bad[k]));
    char *four = kube_url("10.96.0.1", "443"), *six = kube_url("fd00::1", "6443");
    assert_string_equal(four, "https://10.96.0.1:443");
    assert_string_equal(six, "https://[fd00::1]:6443");
    free(four);
    free(six);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_object),
        cmocka_unit_test(test_pages_make_one_list),
        cmocka_unit_test(test_a_list_without_an_end),
        cmocka_unit_test(test_forbidden_says_what_would_permit_it),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_tries_again),
        cmocka_unit_test(test_gives_up),
        cmocka_unit_test(test_nobody_is_there),
        cmocka_unit_test(test_the_token_is_read_again),
        cmocka_unit_test(test_no_api_of_kubernetes),
        cmocka_unit_test(test_creates),
        cmocka_unit_test(test_watches),
        cmocka_unit_test(test_a_watch_that_goes_wrong),
        cmocka_unit_test(test_a_line_without_an_end),
        cmocka_unit_test(test_a_watch_of_one_that_is_forbidden),
        cmocka_unit_test(test_hostile_lists),
        cmocka_unit_test(test_names_and_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
