/* Proxies are taken from the environment as libcurl reads it: http_proxy (small letters only), https_proxy, no_proxy. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "net/transport.h"
#include "support/tiny_server.h"
#include "support/told.h"

#define UNKNOWN "http://model.invalid:8000/v1" /* only a proxy could know it */
#define NOBODY "http://127.0.0.1:1"
#define LIMIT_NS (60 * NS_PER_S)

static const char *const variables[] = {
    "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
};

static int forget_environment(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof variables / sizeof *variables; k++)
        unsetenv(variables[k]);
    return 0;
}

/* As a proxy or a server: answers every request with its context, and keeps it. */
static void serve(struct tiny_server *server, void *context)
{
    for (int fd; (fd = tiny_accept(server)) >= 0; tiny_close(fd))
        while (tiny_keep_request(server, fd))
            tiny_send(fd, context);
}

static struct tiny_server *start(void)
{
    static char answer[] = TOLD_CHUNKED "2\r\nok\r\n0\r\n\r\n";

    return tiny_server_start(serve, answer);
}

/* One request, to a host that is looked up before as `run` does. */
static struct told post(const char *url)
{
    struct transport *transport = told_transport_with(&(struct transport_curl_settings){
        .net = {.api_key = "sk-1"}, .clock = clock_system(),
        .pin_urls = (const char *const[]){url}, .pin_url_count = 1});
    struct told told = told_new(transport, url);

    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 1);
    transport_free(transport);
    return told;
}

static void expect_ok(const char *url)
{
    struct told told = post(url);

    if (told.result != TRANSPORT_OK)
        fail_msg("%s: %d %s", url, (int)told.result, told.message);
    assert_string_equal(buf_text(&told.bytes), "ok");
    buf_free(&told.bytes);
}

static void expect_first_line(struct tiny_server *server, const char *line)
{
    const char *request = tiny_server_request(server);

    if (strncmp(request, line, strlen(line)) != 0 || strncmp(request + strlen(line), "\r\n", 2) != 0)
        fail_msg("not '%s' but: %s", line, request);
}

static void test_a_proxy_is_asked_for_hosts_that_only_it_knows(void **state)
{
    struct tiny_server *proxy = start();

    (void)state;
    setenv("http_proxy", tiny_server_url(proxy), 1);
    expect_ok(UNKNOWN);
    expect_first_line(proxy, "POST " UNKNOWN " HTTP/1.1");
    assert_non_null(strstr(tiny_server_request(proxy), "\r\nHost: model.invalid:8000\r\n"));
    assert_non_null(strstr(tiny_server_request(proxy), "\r\nAuthorization: Bearer sk-1\r\n"));
    assert_string_equal(strstr(tiny_server_request(proxy), "\r\n\r\n"), "\r\n\r\n" TOLD_BODY);
    tiny_server_stop(proxy);
}

static void test_the_client_of_one_request_asks_it_too(void **state)
{
    struct tiny_server *proxy = start();
    struct http_client *client = http_client_new(&(struct net_settings){0}, NULL);
    struct http_response response;

    (void)state;
    setenv("http_proxy", tiny_server_url(proxy), 1);
    assert_int_equal(http_client_get(client, UNKNOWN "/models", LIMIT_NS, &response, NULL), 0);
    assert_string_equal(buf_text(&response.body), "ok");
    http_response_free(&response);
    http_client_free(client);
    expect_first_line(proxy, "GET " UNKNOWN "/models HTTP/1.1");
    tiny_server_stop(proxy);
}

/* What the environment's URL says of a user is the proxy's alone: the server's key is another. */
static void test_a_proxy_s_user_and_password(void **state)
{
    struct tiny_server *proxy = start();
    cleanup_free char *with_user = mem_printf("http://ann:p%%40ss@%s", tiny_server_url(proxy) + strlen("http://"));

    (void)state;
    setenv("http_proxy", with_user, 1);
    expect_ok(UNKNOWN);
    assert_non_null(strstr(tiny_server_request(proxy), "\r\nProxy-Authorization: Basic YW5uOnBAc3M=\r\n")); /* ann:p@ss */
    assert_non_null(strstr(tiny_server_request(proxy), "\r\nAuthorization: Bearer sk-1\r\n"));
    tiny_server_stop(proxy);
}

static void test_no_proxy_names_what_is_asked_directly(void **state)
{
    struct tiny_server *server = start();
    cleanup_free char *by_name = mem_printf("http://localhost%s", strrchr(tiny_server_url(server), ':'));

    (void)state;
    setenv("http_proxy", NOBODY, 1);
    setenv("no_proxy", "example.org,127.0.0.1,localhost", 1);
    expect_ok(tiny_server_url(server));
    expect_first_line(server, "POST / HTTP/1.1");
    expect_ok(by_name);
    setenv("no_proxy", "*", 1);
    expect_ok(tiny_server_url(server));
    tiny_server_stop(server);
}

/* A CGI server sets HTTP_PROXY from a client's header; https_proxy is for https. */
static void test_what_is_no_proxy_for_http(void **state)
{
    struct tiny_server *server = start();

    (void)state;
    setenv("HTTP_PROXY", NOBODY, 1);
    setenv("https_proxy", NOBODY, 1);
    expect_ok(tiny_server_url(server));
    tiny_server_stop(server);
}

static void expect_no_connection(const char *url, const char *says)
{
    struct told told = post(url);

    if (told.result != TRANSPORT_CONNECT || !strstr(told.message, says))
        fail_msg("%s: %d %s", url, (int)told.result, told.message);
    assert_int_equal(told.sent, 0);
    assert_int_equal(told.headers, 0);
    buf_free(&told.bytes);
}

static void test_a_proxy_that_is_not_there(void **state)
{
    (void)state;
    setenv("http_proxy", NOBODY, 1);
    setenv("https_proxy", NOBODY, 1);
    expect_no_connection("http://192.0.2.1:2/v1", "connection refused (through the proxy 127.0.0.1:1)");
    expect_no_connection("https://192.0.2.1:2/v1", "connection refused (through the proxy 127.0.0.1:1)");
}

/* Its refusal is not the server's answer. */
static void test_a_tunnel_that_is_refused(void **state)
{
    static char forbidden[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    struct tiny_server *proxy = tiny_server_start(serve, forbidden);

    (void)state;
    setenv("https_proxy", tiny_server_url(proxy), 1);
    expect_no_connection("https://127.0.0.1:2/v1", "response 403");
    tiny_server_stop(proxy);
}

static void serve_hang_up(struct tiny_server *server, void *context)
{
    (void)context;
    for (int fd; (fd = tiny_accept(server)) >= 0; tiny_close(fd))
        tiny_read_request(fd);
}

static void test_a_tunnel_that_breaks(void **state)
{
    struct tiny_server *proxy = tiny_server_start(serve_hang_up, NULL);

    (void)state;
    setenv("https_proxy", tiny_server_url(proxy), 1);
    expect_no_connection("https://127.0.0.1:2/v1", "proxy CONNECT aborted");
    tiny_server_stop(proxy);
}

static void test_without_a_proxy_an_unknown_host_stays_unknown(void **state)
{
    const struct transport_curl_settings settings = {.clock = clock_system(),
        .pin_urls = (const char *const[]){UNKNOWN}, .pin_url_count = 1};
    struct error err = {0};

    (void)state;
    setenv("http_proxy", NOBODY, 1);
    setenv("no_proxy", "model.invalid", 1);
    assert_null(transport_curl_new(&settings, &err));
    assert_int_equal(err.class, ERROR_TARGET);
    assert_non_null(strstr(err.text, "cannot look up the host model.invalid: "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, forget_environment, forget_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_proxy_is_asked_for_hosts_that_only_it_knows),
        TEST(test_the_client_of_one_request_asks_it_too),
        TEST(test_a_proxy_s_user_and_password),
        TEST(test_no_proxy_names_what_is_asked_directly),
        TEST(test_what_is_no_proxy_for_http),
        TEST(test_a_proxy_that_is_not_there),
        TEST(test_a_tunnel_that_is_refused),
        TEST(test_a_tunnel_that_breaks),
        TEST(test_without_a_proxy_an_unknown_host_stays_unknown),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
