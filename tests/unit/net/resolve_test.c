#include "net/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_a_name_becomes_addresses(void **state)
{
    struct curl_slist *pinned = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(resolve_pin("http://localhost:8123/v1", &pinned, &err), 0);
    assert_non_null(pinned);
    assert_memory_equal(pinned->data, "localhost:8123:", 15);
    assert_true(strstr(pinned->data, "127.0.0.1") || strstr(pinned->data, "[::1]"));
    assert_null(pinned->next);
    assert_int_equal(resolve_pin("https://localhost/", &pinned, &err), 0);
    assert_memory_equal(pinned->next->data, "localhost:443:", 14);
    curl_slist_free_all(pinned);
}

static void test_addresses_need_no_pin(void **state)
{
    struct curl_slist *pinned = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(resolve_pin("http://127.0.0.1:1/", &pinned, &err), 0);
    assert_null(pinned);
    assert_int_equal(resolve_pin("http://[::1]:1/", &pinned, &err), 0);
    assert_null(pinned);
}

static void test_unknown_names_are_said(void **state)
{
    struct curl_slist *pinned = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(resolve_pin("http://no-such-host.invalid/", &pinned, &err), -1);
    assert_int_equal(err.class, ERROR_TARGET);
    assert_non_null(strstr(err.text, "no-such-host.invalid"));
    assert_int_equal(resolve_pin("nonsense", &pinned, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_null(pinned);
}

static void test_a_pin_is_taken_back(void **state)
{
    struct curl_slist *pinned = curl_slist_append(NULL, "model.example:8080:10.0.0.1,[fd00::1]");
    (void)state;
    pinned = curl_slist_append(pinned, "other:443:10.0.0.2");
    struct curl_slist *unpinned = resolve_unpin(pinned);
    assert_string_equal(unpinned->data, "-model.example:8080");
    assert_string_equal(unpinned->next->data, "-other:443");
    assert_null(unpinned->next->next);
    curl_slist_free_all(unpinned);
    curl_slist_free_all(pinned);
    assert_null(resolve_unpin(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pin_is_taken_back),
        cmocka_unit_test(test_a_name_becomes_addresses),
        cmocka_unit_test(test_addresses_need_no_pin),
        cmocka_unit_test(test_unknown_names_are_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
