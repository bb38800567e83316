#include "net/http_client.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "support/tiny_server.h"

#define LIMIT_NS (60 * NS_PER_S)

static struct http_client *new_client(const struct net_settings *settings)
{
    struct error err = {0};
    struct http_client *client = http_client_new(settings, &err);

    if (!client)
        fail_msg("%s", err.text);
    return client;
}

/* Answers every request of one connection with its context. */
static void serve_answers(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    while (fd >= 0 && tiny_keep_request(server, fd))
        tiny_send(fd, context);
    if (fd >= 0)
        tiny_close(fd);
}

static void test_get(void **state)
{
    static char text[] = "HTTP/1.1 404 Not Found\r\nContent-Type: application/json; charset=utf-8\r\nETag: \"abc\"\r\nContent-Length: 2\r\n\r\n{}";
    struct tiny_server *server = tiny_server_start(serve_answers, text);
    struct http_client *client = new_client(&(struct net_settings){.api_key = "sk-1"});
    struct http_response response;
    struct error err = {0};

    (void)state;
    for (int i = 0; i < 3; i++) { /* over one connection: the script takes no second */
        assert_int_equal(http_client_get(client, tiny_server_url(server), LIMIT_NS, &response, &err), 0);
        assert_int_equal(response.status, 404);
        assert_int_equal(response.trouble, HTTP_FINE);
        assert_string_equal(response.etag, "\"abc\"");
        assert_string_equal(response.location, "");
        assert_string_equal(buf_text(&response.body), "{}");
        assert_true(response.total_ns > 0);
        http_response_free(&response);
    }
    http_client_free(client);
    assert_memory_equal(tiny_server_request(server), "GET / HTTP/1.1\r\n", 16);
    assert_non_null(strstr(tiny_server_request(server), "\r\nAuthorization: Bearer sk-1\r\n"));
    assert_non_null(strstr(tiny_server_request(server), "\r\nUser-Agent: roibench/"));
    tiny_server_stop(server);
}

static void test_retry_after(void **state)
{
    static const struct {
        const char *header;
        int64_t ns;
    } rows[] = {{"Retry-After: 3\r\n", 3 * NS_PER_S}, {"", -1}, {"Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", -1}, {"Retry-After: -5\r\n", -1},
                {"Retry-After: 99999999999\r\n", RETRY_AFTER_MAX_S * NS_PER_S}, {"Retry-After: 99999999999999999999999\r\n", -1}};

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        char *text = mem_printf("HTTP/1.1 429 X\r\n%sContent-Length: 0\r\n\r\n", rows[k].header);
        struct tiny_server *server = tiny_server_start(serve_answers, text);
        struct http_client *client = new_client(&(struct net_settings){0});
        struct http_response response;
        struct error err = {0};

        assert_int_equal(http_client_get(client, tiny_server_url(server), LIMIT_NS, &response, &err), 0);
        assert_int_equal(response.retry_after_ns, rows[k].ns);
        http_response_free(&response);
        http_client_free(client);
        tiny_server_stop(server);
        free(text);
    }
}

/* --- any request --- */

static void test_a_request_is_sent_as_it_is_told(void **state)
{
    static char text[] = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\nwww-authenticate: Bearer realm=\"b\"\r\n"
                         "Content-Length: 0\r\n\r\n";
    static const char *const headers[] = {"X-One: 1", "Authorization: Basic eA=="};
    struct tiny_server *server = tiny_server_start(serve_answers, text);
    struct http_client *client = new_client(&(struct net_settings){0});
    struct http_response response;
    struct error err = {0};
    const struct http_request request = {.method = "PATCH", .url = tiny_server_url(server), .content_type = "text/x", .headers = headers,
                                         .header_count = 2, .body = "abc", .length = 3, .timeout_ns = LIMIT_NS};

    (void)state;
    assert_int_equal(http_client_request(client, &request, &response, &err), 0);
    assert_int_equal(response.status, 401);
    assert_string_equal(http_client_header(client, "WWW-Authenticate", 0), "Basic realm=\"a\"");
    assert_string_equal(http_client_header(client, "WWW-Authenticate", 1), "Bearer realm=\"b\"");
    assert_null(http_client_header(client, "WWW-Authenticate", 2));
    assert_null(http_client_header(client, "Location", 0));
    http_response_free(&response);
    http_client_free(client);
    assert_memory_equal(tiny_server_request(server), "PATCH / HTTP/1.1\r\n", 18);
    assert_non_null(strstr(tiny_server_request(server), "\r\nX-One: 1\r\nAuthorization: Basic eA==\r\n"));
    assert_non_null(strstr(tiny_server_request(server), "\r\nContent-Type: text/x\r\n"));
    assert_non_null(strstr(tiny_server_request(server), "\r\n\r\nabc"));
    tiny_server_stop(server);
}

/* No form's type, and a length that says that nothing follows. */
static void test_a_request_without_a_body(void **state)
{
    static char text[] = "HTTP/1.1 202 Accepted\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
    static const char *const methods[] = {"POST", "DELETE"};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct tiny_server *server = tiny_server_start(serve_answers, text);
        struct http_client *client = new_client(&(struct net_settings){0});
        struct http_response response;
        struct error err = {0};
        const struct http_request request = {.method = methods[k], .url = tiny_server_url(server), .timeout_ns = LIMIT_NS};

        assert_int_equal(http_client_request(client, &request, &response, &err), 0);
        assert_string_equal(http_client_header(client, "Location", 0), "/there");
        http_response_free(&response);
        http_client_free(client);
        assert_memory_equal(tiny_server_request(server), methods[k], strlen(methods[k]));
        assert_null(strstr(tiny_server_request(server), "Content-Type"));
        assert_true((strstr(tiny_server_request(server), "\r\nContent-Length: 0\r\n") != NULL) == (k == 0));
        tiny_server_stop(server);
    }
}

/* --- a body without an end --- */

static void serve_forever(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    tiny_read_request(fd);
    tiny_send(fd, context);
    tiny_send(fd, "one\n");
    tiny_wait_gone(fd);
    tiny_close(fd);
}

static bool take_one(void *context, const char *bytes, size_t length)
{
    struct buf *taken = context;

    buf_append(taken, bytes, length);
    return taken->len < 4;
}

static void test_a_stream_ends_when_it_is_enough(void **state)
{
    static char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    struct tiny_server *server = tiny_server_start(serve_forever, head);
    struct http_client *client = new_client(&(struct net_settings){0});
    struct buf taken = BUF_INIT((size_t)100);
    struct http_response response;
    struct error err = {0};

    (void)state;
    assert_int_equal(http_client_stream(client, tiny_server_url(server), LIMIT_NS, take_one, &taken, &response, &err), 0);
    assert_int_equal(response.status, 200);
    assert_string_equal(buf_text(&taken), "one\n");
    assert_int_equal(response.body.len, 0);
    http_response_free(&response);
    http_client_free(client);
    tiny_server_stop(server);
    buf_free(&taken);
}

/* What is no success is collected as ever: it says why. */
static void test_a_stream_that_is_refused(void **state)
{
    static char text[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    struct tiny_server *server = tiny_server_start(serve_answers, text);
    struct http_client *client = new_client(&(struct net_settings){0});
    struct buf taken = BUF_INIT((size_t)100);
    struct http_response response;
    struct error err = {0};

    (void)state;
    assert_int_equal(http_client_stream(client, tiny_server_url(server), LIMIT_NS, take_one, &taken, &response, &err), 0);
    assert_string_equal(buf_text(&response.body), "no");
    assert_int_equal(taken.len, 0);
    http_response_free(&response);
    http_client_free(client);
    tiny_server_stop(server);
}

static void test_post(void **state)
{
    static char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    struct tiny_server *server = tiny_server_start(serve_answers, text);
    struct http_client *client = new_client(&(struct net_settings){0});
    char *body = mem_alloc(2000001);
    struct http_response response;
    struct error err = {0};

    (void)state;
    memset(body, 'b', 2000000);
    assert_int_equal(http_client_post(client, tiny_server_url(server), body, 2000000, LIMIT_NS, &response, &err), 0);
    assert_string_equal(buf_text(&response.body), "ok");
    http_response_free(&response);
    http_client_free(client);
    tiny_server_stop(server);
    free(body);
}

static void test_post_says_what_it_sends(void **state)
{
    static char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct tiny_server *server = tiny_server_start(serve_answers, text);
    struct http_client *client = new_client(&(struct net_settings){.user_agent = "x/1"});
    struct http_response response;
    struct error err = {0};

    (void)state;
    assert_int_equal(http_client_post(client, tiny_server_url(server), "{\"a\":1}", 7, LIMIT_NS, &response, &err), 0);
    http_response_free(&response);
    http_client_free(client);

    const char *request = tiny_server_request(server);

    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\nUser-Agent: x/1\r\n"));
    assert_null(strstr(request, "Authorization"));
    assert_string_equal(strstr(request, "\r\n\r\n"), "\r\n\r\n{\"a\":1}");
    tiny_server_stop(server);
}

static void test_redirects_are_told_not_followed(void **state)
{
    static char text[] = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
    struct tiny_server *server = tiny_server_start(serve_answers, text);
    struct http_client *client = new_client(&(struct net_settings){0});
    cleanup_free char *expected = mem_printf("%s/elsewhere", tiny_server_url(server));
    struct http_response response;
    struct error err = {0};

    (void)state;
    assert_int_equal(http_client_get(client, tiny_server_url(server), LIMIT_NS, &response, &err), 0);
    assert_int_equal(response.status, 302);
    assert_string_equal(response.location, expected);
    http_response_free(&response);
    http_client_free(client);
    tiny_server_stop(server);
}

/* ---- PUT ---- */

struct source {
    size_t left, piece;
    bool fails;
};

static long give(void *context, char *bytes, size_t size)
{
    struct source *source = context;
    size_t count = source->left < source->piece ? source->left : source->piece;

    if (source->fails && source->left < 5000)
        return -1;
    count = count < size ? count : size;
    memset(bytes, 'p', count);
    source->left -= count;
    return (long)count;
}

static int put(struct source source, uint64_t announced, struct http_response *response, struct error *err)
{
    static char text[] = "HTTP/1.1 201 Created\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n";
    struct tiny_server *server = tiny_server_start(serve_answers, text);
    struct http_client *client = new_client(&(struct net_settings){0});
    const int result =
        http_client_put(client, tiny_server_url(server), "application/gzip", announced, give, &source, LIMIT_NS, response, err);

    http_client_free(client);
    tiny_server_stop(server);
    return result;
}

static void test_put_streams(void **state)
{
    struct http_response response;
    struct error err = {0};

    (void)state;
    assert_int_equal(put((struct source){.left = 100000, .piece = 777}, 100000, &response, &err), 0);
    assert_int_equal(response.status, 201);
    assert_string_equal(response.etag, "\"e\"");
    http_response_free(&response);
    assert_int_equal(put((struct source){.left = 0}, 0, &response, &err), 0);
    http_response_free(&response);
    /* the source has more than was announced: the rest stays behind */
    assert_int_equal(put((struct source){.left = 100000, .piece = 777}, 1000, &response, &err), 0);
    http_response_free(&response);
}

static void test_put_gives_up_with_its_source(void **state)
{
    struct http_response response;
    struct error err = {0};

    (void)state;
    assert_int_equal(put((struct source){.left = 50000, .piece = 777}, 100000, &response, &err), -1);
    assert_int_equal(response.trouble, HTTP_LOCAL);
    assert_non_null(strstr(err.text, "the data ended before the announced length"));
    http_response_free(&response);
    assert_int_equal(put((struct source){.left = 50000, .piece = 777, .fails = true}, 50000, &response, &err), -1);
    assert_non_null(strstr(err.text, "reading the data failed"));
    http_response_free(&response);
}

static void serve_no_reading(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    (void)context;
    tiny_read_request(fd); /* and no answer */
    tiny_wait_gone(fd);
    tiny_close(fd);
}

static void test_put_gives_up_when_nothing_moves(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_no_reading, NULL);
    struct http_client *client = new_client(&(struct net_settings){0});
    struct source source = {.left = 10, .piece = 10};
    struct http_response response;
    struct error err = {0};

    (void)state;
    assert_int_equal(
        http_client_put(client, tiny_server_url(server), "text/plain", 10, give, &source, NS_PER_S, &response, &err), -1);
    assert_int_equal(response.trouble, HTTP_TIMEOUT);
    http_response_free(&response);
    http_client_free(client);
    tiny_server_stop(server);
}

/* ---- trouble ---- */

static void expect_trouble(const char *url, int64_t timeout_ns, enum http_trouble trouble, const char *expected)
{
    struct http_client *client = new_client(&(struct net_settings){.api_key = "sk-secret"});
    struct http_response response;
    struct error err = {0};

    assert_int_equal(http_client_get(client, url, timeout_ns, &response, &err), -1);
    assert_int_equal(err.class, ERROR_TARGET);
    if (response.trouble != trouble || !strstr(err.text, expected) || strstr(err.text, "secret"))
        fail_msg("trouble %d: %s", (int)response.trouble, err.text);
    http_response_free(&response);
    http_client_free(client);
}

static void test_unreachable(void **state)
{
    (void)state;
    expect_trouble("http://127.0.0.1:1/v1/models?key=secret", LIMIT_NS, HTTP_CONNECT, "GET http://127.0.0.1:1/v1/models: connection refused");
    expect_trouble("http://no-such-host.invalid/", LIMIT_NS, HTTP_DNS, "no-such-host.invalid");
}

static void expect_broken(char *text, enum http_trouble trouble, const char *expected)
{
    struct tiny_server *server = tiny_server_start(serve_answers, text);

    expect_trouble(tiny_server_url(server), 200 * NS_PER_MS, trouble, expected);
    tiny_server_stop(server);
}

static void test_broken_answers(void **state)
{
    static char silent[] = "", half[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", foreign[] = "220 smtp ready\r\n\r\n";

    (void)state;
    expect_broken(silent, HTTP_TIMEOUT, "timed out");
    expect_broken(half, HTTP_TIMEOUT, "timed out");
    expect_broken(foreign, HTTP_BROKEN, "HTTP/0.9");
}

static void serve_plain_at_once(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    tiny_send(fd, context);
    tiny_wait_gone(fd);
    tiny_close(fd);
}

static void test_no_tls_there(void **state)
{
    static char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    struct tiny_server *server = tiny_server_start(serve_plain_at_once, text);
    cleanup_free char *url = mem_printf("https%s", strchr(tiny_server_url(server), ':'));

    (void)state;
    expect_trouble(url, LIMIT_NS, HTTP_TLS, "the server speaks plain HTTP");
    tiny_server_stop(server);
}

static void serve_flood(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);
    char *block = mem_alloc((size_t)1 << 20);

    (void)context;
    tiny_read_request(fd);
    tiny_send(fd, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 40; i++)
        tiny_send_bytes(fd, block, (size_t)1 << 20);
    tiny_close(fd);
    free(block);
}

static void test_a_flood_is_bounded(void **state)
{
    struct tiny_server *server = tiny_server_start(serve_flood, NULL);

    (void)state;
    expect_trouble(tiny_server_url(server), LIMIT_NS, HTTP_BROKEN, "larger than 32 MiB");
    tiny_server_stop(server);
}

static stop_flag stop_now;

static void *stop_soon(void *unused)
{
    usleep(30000);
    stop_now = 1;
    return unused;
}

static void test_stop_ends_the_waiting(void **state)
{
    static char silent[] = "";
    struct tiny_server *server = tiny_server_start(serve_answers, silent);
    struct http_client *client = new_client(&(struct net_settings){.stop = &stop_now});
    struct http_response response;
    struct error err = {0};
    pthread_t thread;

    (void)state;
    stop_now = 0;
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    assert_int_equal(http_client_get(client, tiny_server_url(server), 3600 * NS_PER_S, &response, &err), -1);
    assert_int_equal(response.trouble, HTTP_STOPPED);
    http_response_free(&response);
    pthread_join(thread, NULL);
    http_client_free(client);
    tiny_server_stop(server);
}

static void *abort_soon(void *client)
{
    usleep(30000);
    http_client_abort(client);
    return NULL;
}

static void test_another_thread_may_abort(void **state)
{
    static char silent[] = "";
    struct tiny_server *server = tiny_server_start(serve_answers, silent);
    struct http_client *client = new_client(&(struct net_settings){0});
    struct http_response response;
    struct error err = {0};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, abort_soon, client), 0);
    for (int i = 0; i < 2; i++) { /* under way, and never begun */
        assert_int_equal(http_client_get(client, tiny_server_url(server), 3600 * NS_PER_S, &response, &err), -1);
        assert_int_equal(response.trouble, HTTP_STOPPED);
        assert_non_null(strstr(err.text, "aborted"));
        http_response_free(&response);
    }
    pthread_join(thread, NULL);
    http_client_free(client);
    tiny_server_stop(server);
}

static void test_settings_are_checked(void **state)
{
    struct error err = {0};

    (void)state;
    assert_null(http_client_new(&(struct net_settings){.api_key = "a\r\nX: y"}, &err));
    assert_int_equal(err.class, ERROR_USAGE);
    assert_null(strstr(err.text, "X: y"));
    assert_null(http_client_new(&(struct net_settings){.api_key = ""}, &err));
    assert_null(http_client_new(&(struct net_settings){.ca_file = "/nonexistent.pem"}, &err));
    assert_non_null(strstr(err.text, "/nonexistent.pem"));
    assert_null(http_client_new(&(struct net_settings){.ca_file = "/dev/null"}, &err));
}

static void test_headers_are_the_user_s_to_set_but_for_ours(void **state)
{
    static const char *const good[] = {"X-Tenant: a b", "Authorization: Basic dTpw", "x-api-key:k", "Cookie: a=b; c=d"};
    static const struct {
        const char *header, *says;
    } bad[] = {
        {"X-Tenant", "'Name: value'"},         {": value", "'Name: value'"},         {"X Tenant: secret", "'Name: value'"},
        {"X-T\xc3\xa4: secret", "'Name: value'"}, {"X-Tenant:", "X-Tenant has no value"}, {"X-Tenant:  ", "X-Tenant has no value"},
        {"X-Tenant: secret\r\nX: y", "line break"}, {"host: secret", "Host is not the user's"}, {"Content-Length: 3", "not the user's"},
    };
    struct error err = {0};

    (void)state;
    for (size_t k = 0; k < sizeof good / sizeof *good; k++)
        assert_int_equal(net_header_check(good[k], &err), 0);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_int_equal(net_header_check(bad[k].header, &err), -1);
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, bad[k].says) || strstr(err.text, "secret"))
            fail_msg("'%s' of '%s'", err.text, bad[k].header);
    }
    const char *const twice[] = {"authorization: Basic x"};

    assert_null(http_client_new(&(struct net_settings){.api_key = "k", .headers = twice, .header_count = 1}, &err));
    assert_non_null(strstr(err.text, "which shall it be"));
}

static void test_headers_are_sent_with_every_request(void **state)
{
    static char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct tiny_server *server = tiny_server_start(serve_answers, answer);
    const char *const headers[] = {"X-Tenant: blue", "Authorization: Basic dTpw"};
    struct http_client *client = new_client(&(struct net_settings){.headers = headers, .header_count = 2});
    struct http_response response;

    (void)state;
    assert_int_equal(http_client_get(client, tiny_server_url(server), 10 * NS_PER_S, &response, NULL), 0);
    http_response_free(&response);
    assert_non_null(strstr(tiny_server_request(server), "\r\nX-Tenant: blue\r\n"));
    assert_non_null(strstr(tiny_server_request(server), "\r\nAuthorization: Basic dTpw\r\n"));
    http_client_free(client);
    tiny_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_a_request_is_sent_as_it_is_told),
        cmocka_unit_test(test_a_request_without_a_body),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_a_stream_ends_when_it_is_enough),
        cmocka_unit_test(test_a_stream_that_is_refused),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_post_says_what_it_sends),
        cmocka_unit_test(test_redirects_are_told_not_followed),
        cmocka_unit_test(test_put_streams),
        cmocka_unit_test(test_put_gives_up_with_its_source),
        cmocka_unit_test(test_put_gives_up_when_nothing_moves),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_broken_answers),
        cmocka_unit_test(test_no_tls_there),
        cmocka_unit_test(test_a_flood_is_bounded),
        cmocka_unit_test(test_stop_ends_the_waiting),
        cmocka_unit_test(test_another_thread_may_abort),
        cmocka_unit_test(test_settings_are_checked),
        cmocka_unit_test(test_headers_are_the_user_s_to_set_but_for_ours),
        cmocka_unit_test(test_headers_are_sent_with_every_request),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
