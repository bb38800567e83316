#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "net/http_client.h"

static void test_secrets_are_taken_out(void **state)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"http://host/x", "http://host/x"},
        {"http://user:secret@host:8080/x?token=1#f", "http://host:8080/x"},
        {"https://a@b@host", "https://host"},
        {"http://host?x=@y", "http://host"},
        {"http://host/a@b", "http://host/a@b"},
        {"user:secret@host/x", "host/x"},
        {"", ""},
        {"no/scheme?u=http://x", "no/scheme"},
        {"http://user:sec/ret@host/", "http://user:sec/ret@host/"}, /* the slash ends the authority: no user part */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *shown = http_url_redacted(cases[i].url);

        assert_string_equal(shown, cases[i].shown);
    }
}

static void test_locations_are_resolved(void **state)
{
    static const struct {
        const char *base, *location, *url; /* url NULL: none */
    } cases[] = {
        {"https://h:5000/v2/x/blobs/uploads/", "/v2/x/blobs/uploads/1?_state=a%2Fb", "https://h:5000/v2/x/blobs/uploads/1?_state=a%2Fb"},
        {"https://h:5000/v2/x/blobs/uploads/", "1?a", "https://h:5000/v2/x/blobs/uploads/1?a"},
        {"https://h/v2/", "http://other:8080/y", "http://other:8080/y"},
        {"http://h/v2/", "//other/y", "http://other/y"},
        {"http://h/v2/", "ftp://other/y", NULL},
        {"http://h/v2/", "http://user:pw@other/y", NULL},
        {"http://h/v2/", "/a\r\nX: y", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_free char *url = http_url_resolve(cases[i].base, cases[i].location);

        assert_string_equal(url ? url : "none", cases[i].url ? cases[i].url : "none");
    }
}

static void test_urls_are_checked(void **state)
{
    static const char *const good[] = {"http://h", "https://h:8443/v1", "http://[::1]:80/x?y", "http://a.b.svc.cluster.local:8080/v1"};
    static const struct {
        const char *url, *expected;
    } bad[] = {
        {"h:8080/v1", "begins with http:// or https://"},
        {"", "begins with http:// or https://"},
        {"ftp://h/", "begins with http:// or https://"},
        {"file:///etc/passwd", "begins with http:// or https://"},
        {"http://user:secret@h/", "user name"},
        {"http://h /", "no spaces"},
        {"http://h\r\nX: y/", "no spaces or control"},
        {"http:///x", "names no host"}, {"http://", "names no host"}, {"http://?x", "names no host"},
        {"http://h:99999/", "not a URL"},
        {"http://[::1/", "not a URL"},
    };
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (http_url_check(good[i], &err) < 0)
            fail_msg("refused: %s", err.text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (http_url_check(bad[i].url, &err) == 0)
            fail_msg("accepted: %s", bad[i].url);
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, bad[i].expected) || strstr(err.text, "secret"))
            fail_msg("%s\ndoes not say\n%s", err.text, bad[i].expected);
    }
}

static void test_endless_urls_are_refused(void **state)
{
    struct error err = {0};
    char *url = malloc(20000);

    (void)state;
    memset(url, 'x', 19999);
    url[19999] = '\0';
    memcpy(url, "http://", 7);
    assert_int_equal(http_url_check(url, &err), -1);
    assert_non_null(strstr(err.text, "longer than"));
    free(url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets_are_taken_out),
        cmocka_unit_test(test_locations_are_resolved),
        cmocka_unit_test(test_urls_are_checked),
        cmocka_unit_test(test_endless_urls_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
