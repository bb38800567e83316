#include "wire/http_challenge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/properties_registry.h"

static void test_headers_of_servers(void **state)
{
    static const struct {
        const char *header, *realm, *service, *scope; /* realm NULL: no Bearer */
    } rows[] = {
        {"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull,push\"",
         "https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull,push"},
        {"bearer realm=\"https://r/t\" , service=\"s\" ,, scope=\"\"", "https://r/t", "s", ""},
        {"Basic realm=\"a, Bearer realm=b\", Bearer realm=\"https://r/t\"", "https://r/t", "", ""},
        {"Bearer realm=\"https://r/t\", Basic realm=\"other\", service=\"not ours\"", "https://r/t", "", ""},
        {"Negotiate, Bearer realm=https://r/t,service=s", "https://r/t", "s", ""},
        {"Negotiate YWJjZA==, BEARER REALM=\"https://r/t\"", "https://r/t", "", ""},
        {"Bearer scope=\"a\", realm=\"a \\\"b\\\" \\\\\"", "a \"b\" \\", "", "a"},
        {"Bearer realm = \"x\"", "x", "", ""},
        {"Bearer realm=\"first\", realm=\"second\"", "first", "", ""},
        {"Bearer realm=\"cut", "cut", "", ""},
        {"Bearer", "", "", ""},
        {"Bearer abc==", "", "", ""},
        {"Basic realm=\"x\"", NULL, "", ""},
        {"BearerX realm=\"x\"", NULL, "", ""},
        {"realm=\"x\", Bearer", "", "", ""},
        {"\"Bearer realm=x\"", NULL, "", ""},
        {"", NULL, "", ""},
        {" , ,, = \"", NULL, "", ""},
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct http_challenge challenge;

        if (http_challenge_find(rows[k].header, "Bearer", &challenge) != (rows[k].realm != NULL))
            fail_msg("%s", rows[k].header);
        assert_string_equal(challenge.realm, rows[k].realm ? rows[k].realm : "");
        assert_string_equal(challenge.service, rows[k].service);
        assert_string_equal(challenge.scope, rows[k].scope);
        property_http_challenge((const uint8_t *)rows[k].header, strlen(rows[k].header));
    }
}

static void test_what_does_not_fit_is_not_there(void **state)
{
    struct http_challenge challenge;
    char *header = mem_printf("Bearer realm=\"%02000d\",service=s,error=\"invalid_token\"", 1);

    (void)state;
    assert_true(http_challenge_find(header, "Bearer", &challenge));
    assert_string_equal(challenge.realm, "");
    assert_string_equal(challenge.service, "s");
    assert_string_equal(challenge.error, "invalid_token");
    free(header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_of_servers),
        cmocka_unit_test(test_what_does_not_fit_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
