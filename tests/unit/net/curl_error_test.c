#include "net/curl_error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

static void expect_words(CURLcode code, long errno_value, const char *text, const char *expected)
{
    const struct net_failure failure = {.code = code, .errno_value = errno_value, .text = text, .url = "http://h:1/v1"};
    char message[128];

    net_failure_describe(&failure, message, sizeof message);
    assert_string_equal(message, expected);
}

static void test_words(void **state)
{
    (void)state;
    expect_words(CURLE_COULDNT_CONNECT, ECONNREFUSED, "Failed to connect to h port 1 after 0 ms", "connection refused");
    expect_words(CURLE_COULDNT_CONNECT, ECONNREFUSED, "Failed to connect to proxy.local port 3128 after 0 ms: Couldn't connect to server",
                 "connection refused (through the proxy proxy.local:3128)");
    expect_words(CURLE_SSL_CONNECT_ERROR, 0, "error:0A00010B:SSL routines::wrong version number",
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
