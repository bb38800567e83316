#include "wire/docker_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/properties_registry.h"

/* base64: dTpw is u:p, YTpi a:b, bDpvOm5n l:o:ng */
static const char everything[] =
    "{\"auths\":{\"registry.example:5000\":{\"auth\":\"dTpw\",\"email\":\"x\"},\"registry.example:5000/team\":{\"auth\":\"YTpi\"},"
    "\"https://old.example/v1/\":{\"auth\":\"bDpvOm5n\"},\"https://index.docker.io/v1/\":{\"username\":\"hub\",\"password\":\"pw\"},"
    "\"token.example\":{\"auth\":\"PHRva2VuPjo=\",\"identitytoken\":\"refresh\"},\"bearer.example\":{\"registrytoken\":\"abc\"},"
    "\"kept.example\":{}},\"credHelpers\":{\"helped.example\":\"pass\"},\"credsStore\":\"desktop\",\"HttpHeaders\":{}}";

static void test_entries(void **state)
{
    static const struct {
        const char *registry, *repository;
        int found;
        const char *user, *password, *identity_token, *registry_token, *helper;
    } rows[] = {
        {"registry.example:5000", "team/results", 1, "a", "b", NULL, NULL, "desktop"},
        {"registry.example:5000", "teams/results", 1, "u", "p", NULL, NULL, "desktop"},
        {"registry.example", "team/results", 0, NULL, NULL, NULL, NULL, "desktop"},
        {"old.example", "x", 1, "l", "o:ng", NULL, NULL, "desktop"},
        {"docker.io", "library/x", 1, "hub", "pw", NULL, NULL, "desktop"},
        {"bearer.example", "x", 1, NULL, NULL, NULL, "abc", "desktop"},
        {"kept.example", "x", 0, NULL, NULL, NULL, NULL, "desktop"},
        {"helped.example", "x", 0, NULL, NULL, NULL, NULL, "pass"},
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct registry_login login;
        struct error err = {0};
        const int found = docker_config_find(everything, strlen(everything), "config.json", rows[k].registry, rows[k].repository, &login, &err);

        if (found != rows[k].found)
            fail_msg("%s: %d: %s", rows[k].registry, found, err.text);
#define SAME(member) assert_string_equal(login.member ? login.member : "none", rows[k].member ? rows[k].member : "none")
        SAME(user);
        SAME(password);
        SAME(identity_token);
        SAME(registry_token);
        SAME(helper);
        registry_login_free(&login);
        assert_null(login.password);
    }
}

/* Docker writes "<token>:" beside an identity token: the token counts. */
static void test_an_identity_token_needs_no_password(void **state)
{
    struct registry_login login;

    (void)state;
    assert_int_equal(docker_config_find(everything, strlen(everything), "f", "token.example", "x", &login, NULL), 1);
    assert_string_equal(login.identity_token, "refresh");
    registry_login_free(&login);
}

static void test_what_nobody_writes(void **state)
{
    static const char *const bad[] = {
        "", "[]", "{\"auths\":[]}", "{\"auths\":{\"h\":\"secret\"}}", "{\"auths\":{\"h\":{\"auth\":\"secret\"}}}", "{\"auths\":{\"h\":{\"auth\":[\"secret\"]}}}",
        "{\"auths\":{\"h\":{\"auth\":\"dQ==\"}}}", "{\"auths\":{\"h\":{\"username\":\"u\",\"password\":\"secret\\r\\nX: y\"}}}",
        "{\"auths\":{\"h\":{\"registrytoken\":\"secret\\n\"}}}", "{\"auths\":{\"h\":{\"auth\":\"secret", "{\"credsStore\":1}",
        "{\"auths\":{\"h\":{\"auth\":\"dTpw\"},\"h\":{\"auth\":\"dTpw\"}}}",
    };

    (void)state;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct registry_login login;
        struct error err = {0};

        if (docker_config_find(bad[k], strlen(bad[k]), "the-file", "h", "x", &login, &err) != -1)
            fail_msg("%s", bad[k]);
        assert_int_equal(err.class, ERROR_USAGE);
        assert_memory_equal(err.text, "the-file: ", 10);
        assert_null(strstr(err.text, "secret"));
        registry_login_free(&login);
    }
}

static void test_files_that_break_off(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof everything; length++)
        property_docker_config((const uint8_t *)everything, length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_an_identity_token_needs_no_password),
        cmocka_unit_test(test_what_nobody_writes),
        cmocka_unit_test(test_files_that_break_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
