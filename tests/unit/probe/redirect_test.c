/* Redirects of a target: refused with what to do, followed where allowed, and never with what only one server may know. */
#include "probe/redirect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/stop.h"
#include "probe/ready.h"
#include "support/tiny_server.h"

/* Answers one request after the other: with a redirect to `location`, or a list of models where it has none. Notes what it was sent. */
struct host {
    char location[256];
    char sent[4096];
    int asked;
};

static void serve(struct tiny_server *server, void *context)
{
    static const char models[] = "HTTP/1.1 200 OK\r\nContent-Length: 24\r\nConnection: close\r\n\r\n{\"data\":[{\"id\":\"tiny\"}]}";
    struct host *host = context;
    for (int fd; (fd = tiny_accept(server)) >= 0; tiny_close(fd)) {
        if (!tiny_keep_request(server, fd))
            continue;
        snprintf(host->sent, sizeof host->sent, "%s", tiny_server_request(server));
        host->asked++;
        cleanup_free char *moved = mem_printf("HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", host->location);
        tiny_send(fd, host->location[0] ? moved : models);
    }
}

struct bench {
    struct host first, second;
    struct tiny_server *first_server, *second_server;
    struct http_client *client;
    struct arena *arena;
    char *target;
    stop_flag stop;
    struct probe probe;
    struct error err;
};

/* The first host sends everybody to the second; with a key and a header, if asked. */
static void start(struct bench *bench, bool secrets, bool allowed)
{
    static const char *const headers[] = {"X-Tenant: blue"};
    struct net_settings net = {.api_key = secrets ? "sk-secret" : NULL, .headers = headers, .header_count = secrets};
    *bench = (struct bench){.arena = arena_new()};
    bench->first_server = tiny_server_start(serve, &bench->first);
    bench->second_server = tiny_server_start(serve, &bench->second);
    snprintf(bench->first.location, sizeof bench->first.location, "%s/other/v1/models", tiny_server_url(bench->second_server));
    bench->client = http_client_new(&net, &bench->err);
    bench->target = mem_printf("%s/v1", tiny_server_url(bench->first_server));
    bench->probe = (struct probe){.client = bench->client, .clock = clock_system(), .target = bench->target,
                                  .stop = &bench->stop, .has_secrets = secrets, .moves = allowed ? bench->arena : NULL};
}

static void stop(struct bench *bench)
{
    tiny_server_stop(bench->first_server);
    tiny_server_stop(bench->second_server);
    http_client_free(bench->client);
    arena_free(bench->arena);
    free(bench->target);
}

static int wait_ready(struct bench *bench)
{
    struct openai_models models;
    size_t index;
    int status = ready_wait(&bench->probe, NULL, 0, &models, &index, &bench->err);
    if (status == 0)
        openai_models_free(&models);
    return status;
}

static void assert_says(const struct error *err, const char *words)
{
    assert_int_equal(err->class, ERROR_TARGET);
    if (!strstr(err->text, words))
        fail_msg("'%s' does not say '%s'", err->text, words);
}

static void test_refused_with_what_to_give(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench, false, false);
    cleanup_free char *advice = mem_printf("redirected to %s. If that is what shall be measured, give --target %s/other/v1, or --allow-redirect",
                                           bench.first.location, tiny_server_url(bench.second_server));
    assert_int_equal(wait_ready(&bench), -1);
    assert_says(&bench.err, advice);
    assert_int_equal(bench.second.asked, 0);
    stop(&bench);
}

static void test_followed_where_allowed(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench, false, true);
    cleanup_free char *there = mem_printf("%s/other/v1", tiny_server_url(bench.second_server));
    assert_int_equal(wait_ready(&bench), 0);
    assert_string_equal(bench.probe.target, there);
    assert_string_equal(bench.probe.moved_from, bench.target);
    assert_memory_equal(bench.second.sent, "GET /other/v1/models HTTP/1.1\r\n", 31);
    stop(&bench);
}

static void test_what_is_secret_stays(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench, true, true);
    assert_int_equal(wait_ready(&bench), -1);
    assert_says(&bench.err, "The API key and headers given are not sent to another host. If that is what shall be measured, give --target ");
    assert_null(strstr(bench.err.text, "sk-secret"));
    assert_non_null(strstr(bench.first.sent, "Authorization: Bearer sk-secret")); /* whom it is for */
    assert_non_null(strstr(bench.first.sent, "X-Tenant: blue"));
    assert_int_equal(bench.second.asked, 0);
    stop(&bench);
}

/* The same host: another path of it, with the key. */
static void test_a_path_on_the_same_host(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench, true, true);
    const struct http_response response = {.status = 308, .location = ""};
    struct http_response moved = response;
    snprintf(moved.location, sizeof moved.location, "%s/v2/models/?page=1", tiny_server_url(bench.first_server));
    cleanup_free char *url = mem_printf("%s/models", bench.target), *there = mem_printf("%s/v2", tiny_server_url(bench.first_server));
    assert_int_equal(redirect_follow(&bench.probe, url, &moved, &bench.err), 0);
    assert_string_equal(bench.probe.target, there);
    stop(&bench);
}

static void test_a_ring_ends(void **state)
{
    (void)state;
    struct bench bench;
    start(&bench, false, true);
    snprintf(bench.second.location, sizeof bench.second.location, "%s/v1/models", tiny_server_url(bench.first_server));
    assert_int_equal(wait_ready(&bench), -1);
    assert_says(&bench.err, "after 5 redirects: none more are followed");
    assert_int_equal(bench.first.asked + bench.second.asked, 1 + REDIRECTS_MAX);
    stop(&bench);
}

static void test_where_to(void **state)
{
    static const struct {
        const char *url, *location, *target, *says; /* target NULL: refused */
        bool secrets;
    } cases[] = {
        {"http://h/v1/models", "https://h/v1/models", "https://h/v1", NULL, true},
        {"http://h:8000/v1/models", "http://h:8000/v1/models/", "http://h:8000/v1", NULL, true},
        {"http://h/v1/models", "http://H:80/x/v1/models", "http://H:80/x/v1", NULL, true},
        {"https://h/v1/models", "http://h/v1/models", NULL, "not sent without TLS. If that is what shall be measured, give --target http://h/v1", true},
        {"https://h/v1/models", "http://h/v1/models", "http://h/v1", NULL, false},
        {"https://h/v1/models", "https://h:8443/v1/models", NULL, "not sent to another host", true},
        {"https://h/v1/models", "https://h.evil/v1/models", NULL, "not sent to another host", true},
        {"https://h/v1/models", "https://h.other/v1/models", "https://h.other/v1", NULL, false},
        {"https://h/v1/models", "https://user:pw@h/v1/models", "https://h/v1", NULL, true},
        {"http://h/v1/models", "https://sso/login?next=/v1/models", NULL, "redirected to https://sso/login, which is no list of models", false},
        {"http://h/v1/models", "ftp://h/v1/models", NULL, "no list of models", false},
        {"http://h/v1/models", "", NULL, "does not say where to", false},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct arena *arena = arena_new();
        struct probe probe = {.target = "before", .has_secrets = cases[k].secrets, .moves = arena};
        struct http_response response = {.status = 302};
        struct error err = {0};
        snprintf(response.location, sizeof response.location, "%s", cases[k].location);
        int status = redirect_follow(&probe, cases[k].url, &response, &err);
        assert_int_equal(status, cases[k].target ? 0 : -1);
        assert_string_equal(probe.target, cases[k].target ? cases[k].target : "before");
        if (cases[k].says)
            assert_says(&err, cases[k].says);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_with_what_to_give),
        cmocka_unit_test(test_followed_where_allowed),
        cmocka_unit_test(test_what_is_secret_stays),
        cmocka_unit_test(test_a_path_on_the_same_host),
        cmocka_unit_test(test_a_ring_ends),
        cmocka_unit_test(test_where_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
