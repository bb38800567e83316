#include "net/curl_error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_classes(void **state)
{
    static const struct {
        struct net_failure failure;
        enum transport_result result;
    } cases[] = {
        {{CURLE_OK, 0, true, "", NULL}, TRANSPORT_OK},
        {{CURLE_COULDNT_RESOLVE_HOST, 0, false, "", NULL}, TRANSPORT_DNS},
        {{CURLE_COULDNT_CONNECT, ECONNREFUSED, false, "", NULL}, TRANSPORT_CONNECT},
        {{CURLE_COULDNT_CONNECT, 0, false, "", NULL}, TRANSPORT_CONNECT},
        {{CURLE_COULDNT_CONNECT, 0, false, "Unsupported proxy scheme for 'x://u:p@h'", NULL}, TRANSPORT_LOCAL},
        {{CURLE_COULDNT_RESOLVE_PROXY, 0, false, "Unsupported proxy syntax in 'x://u:p@h:1:2'", NULL}, TRANSPORT_LOCAL},
        {{CURLE_COULDNT_RESOLVE_PROXY, 0, false, "Could not resolve proxy: h", NULL}, TRANSPORT_DNS},
        {{CURLE_COULDNT_CONNECT, EADDRNOTAVAIL, false, "", NULL}, TRANSPORT_LOCAL},
        {{CURLE_COULDNT_CONNECT, EMFILE, false, "", NULL}, TRANSPORT_LOCAL},
        {{CURLE_SSL_CONNECT_ERROR, 0, false, "wrong version number", NULL}, TRANSPORT_TLS},
        {{CURLE_SSL_CONNECT_ERROR, 0, false, "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to h:1", NULL}, TRANSPORT_CONNECT},
        {{CURLE_PEER_FAILED_VERIFICATION, 0, false, "", NULL}, TRANSPORT_TLS},
        {{CURLE_OPERATION_TIMEDOUT, 0, false, "", NULL}, TRANSPORT_CONNECT},
        {{CURLE_OPERATION_TIMEDOUT, 0, true, "", NULL}, TRANSPORT_TIMEOUT},
        {{CURLE_GOT_NOTHING, 0, true, "Empty reply from server", NULL}, TRANSPORT_RESET},
        {{CURLE_RECV_ERROR, 0, true, "Recv failure: Connection reset by peer", NULL}, TRANSPORT_RESET},
        {{CURLE_RECV_ERROR, 0, true, "Illegal or missing hexadecimal sequence in chunked-encoding", NULL}, TRANSPORT_PROTOCOL},
        {{CURLE_RECV_ERROR, 0, false, "CONNECT tunnel failed, response 403", NULL}, TRANSPORT_CONNECT},
        {{CURLE_SEND_ERROR, 0, true, "", NULL}, TRANSPORT_RESET},
        {{CURLE_SEND_ERROR, 0, false, "", NULL}, TRANSPORT_CONNECT},
        {{CURLE_PARTIAL_FILE, 0, true, "", NULL}, TRANSPORT_TRUNCATED},
        {{CURLE_OUT_OF_MEMORY, 0, true, "", NULL}, TRANSPORT_PROTOCOL},
        {{CURLE_OUT_OF_MEMORY, 0, false, "", NULL}, TRANSPORT_LOCAL},
        {{CURLE_UNSUPPORTED_PROTOCOL, 0, true, "Received HTTP/0.9 when not allowed", NULL}, TRANSPORT_PROTOCOL},
        {{CURLE_ABORTED_BY_CALLBACK, 0, true, "", NULL}, TRANSPORT_CANCELLED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (net_failure_class(&cases[i].failure) != cases[i].result)
            fail_msg("case %zu: class %d", i, (int)net_failure_class(&cases[i].failure));
}

static void expect_words_of(const char *url, CURLcode code, long errno_value, const char *text, const char *expected)
{
    const struct net_failure failure = {.code = code, .errno_value = errno_value, .text = text, .url = url};
    char message[160];

    net_failure_describe(&failure, message, sizeof message);
    assert_string_equal(message, expected);
}

static void expect_words(CURLcode code, long errno_value, const char *text, const char *expected)
{
    expect_words_of("http://h:1/v1", code, errno_value, text, expected);
}

/* The password of a proxy stands in the text of libcurl. */
static void test_words_of_proxies(void **state)
{
    static const struct {
        const char *url, *host;
        bool is_proxy;
    } cases[] = {
        {"http://h:1/v1", "h port 1", false},          {"http://h:12/v1", "h port 1", true},    {"http://h:1/v1", "h port 12", true},
        {"http://h/v1", "h port 80", false},           {"http://h/v1", "h port 3128", true},    {"https://h", "h port 443", false},
        {"https://h/v1", "h port 80", true},           {"http://H.x:1/v1", "h.X port 1", false}, {"http://h.x:1/v1", "h port 1", true},
        {"http://[fd00::7]:1/v1", "fd00::7 port 1", false}, {"http://[fd00::7]/v1", "fd00::7 port 1", true},
    };

    (void)state;
    expect_words(CURLE_COULDNT_RESOLVE_PROXY, 0, "Unsupported proxy syntax in 'http://u:secret@h:1:2'",
                 "the proxy of the environment (http_proxy, https_proxy, all_proxy) is no URL that can be used: expected http://HOST:PORT");
    expect_words(CURLE_COULDNT_CONNECT, 0, "Unsupported proxy scheme for 'x://u:secret@h'",
                 "the proxy of the environment (http_proxy, https_proxy, all_proxy) is no URL that can be used: expected http://HOST:PORT");
    expect_words(CURLE_SSL_CONNECT_ERROR, 0, "error:0A00010B:SSL routines::wrong version number",
                 "the proxy of the environment (http_proxy, all_proxy) speaks plain HTTP, not TLS: is it http:// instead of https://?");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[80], expected[80] = "connection refused", host[16], port[8];

        snprintf(text, sizeof text, "Failed to connect to %s after 0 ms", cases[i].host);
        sscanf(cases[i].host, "%15s port %7s", host, port);
        if (cases[i].is_proxy)
            snprintf(expected, sizeof expected, "connection refused (through the proxy %s:%s)", host, port);
        expect_words_of(cases[i].url, CURLE_COULDNT_CONNECT, ECONNREFUSED, text, expected);
    }
}

static void test_words(void **state)
{
    (void)state;
    expect_words(CURLE_COULDNT_CONNECT, ECONNREFUSED, "Failed to connect to h port 1 after 0 ms", "connection refused");
    expect_words(CURLE_COULDNT_CONNECT, ECONNREFUSED, "Failed to connect to proxy.local port 3128 after 0 ms: Couldn't connect to server",
                 "connection refused (through the proxy proxy.local:3128)");
    expect_words_of("https://h:1/v1", CURLE_SSL_CONNECT_ERROR, 0, "error:0A00010B:SSL routines::wrong version number",
                 "the server speaks plain HTTP, not TLS: is it http:// instead of https://?");
    expect_words(CURLE_COULDNT_RESOLVE_HOST, 0, "Could not resolve host: x", "could not resolve host: x");
    expect_words(CURLE_PEER_FAILED_VERIFICATION, 0, "SSL certificate problem\r\nX", "SSL certificate problem; if its CA is a private one, give it by --cacert");
    expect_words(CURLE_GOT_NOTHING, 0, "", "server returned nothing (no headers, no data)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_of_proxies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
