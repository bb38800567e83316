#include "ship/registry_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"

static void test_places(void **state)
{
    static const char digest[] = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    static const struct {
        const char *to, *base, *repository, *tag; /* base NULL: refused */
        bool digest;
    } rows[] = {
        {"oci://r.example/team/results", "https://r.example", "team/results", NULL, false},
        {"oci://r.example:5000/a.b_c-d__e/x:V1.2_3-4", "https://r.example:5000", "a.b_c-d__e/x", "V1.2_3-4", false},
        {"oci+http://r.example/x:t", "http://r.example", "x", "t", false},
        {"oci://localhost:5000/x", "http://localhost:5000", "x", NULL, false},
        {"oci://localhost.example/x", "https://localhost.example", "x", NULL, false},
        {"oci://127.0.0.1/x", "http://127.0.0.1", "x", NULL, false},
        {"oci://[::1]:5000/x", "http://[::1]:5000", "x", NULL, false},
        {"oci://r/x@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "https://r", "x", NULL, true},
        {"oci://r/x:t@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "https://r", "x", "t", true},
        {"oci://r/x@sha256:4413", NULL, NULL, NULL, false},
        {"oci://r", NULL, NULL, NULL, false},
        {"oci:///x", NULL, NULL, NULL, false},
        {"oci://r/", NULL, NULL, NULL, false},
        {"oci://r/Team/x", NULL, NULL, NULL, false},
        {"oci://r/a//b", NULL, NULL, NULL, false},
        {"oci://r/a/", NULL, NULL, NULL, false},
        {"oci://r/a..b", NULL, NULL, NULL, false},
        {"oci://r/a___b", NULL, NULL, NULL, false},
        {"oci://r/../b", NULL, NULL, NULL, false},
        {"oci://r/x:", NULL, NULL, NULL, false},
        {"oci://r/x:.t", NULL, NULL, NULL, false},
        {"oci://r/x:a b", NULL, NULL, NULL, false},
        {"oci://r/x?y", NULL, NULL, NULL, false},
        {"oci://r?q/x", NULL, NULL, NULL, false},
        {"oci://user:secret@r/x", NULL, NULL, NULL, false},
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct registry_place place;
        struct error err = {0};
        const int result = registry_place_parse(rows[k].to, &place, &err);

        if ((result == 0) != (rows[k].base != NULL))
            fail_msg("%s: %s", rows[k].to, err.text);
        if (result < 0) {
            assert_int_equal(err.class, ERROR_USAGE);
            assert_null(strstr(err.text, "secret"));
            continue;
        }
        assert_string_equal(place.base, rows[k].base);
        assert_string_equal(place.repository, rows[k].repository);
        assert_string_equal(place.tag ? place.tag : "none", rows[k].tag ? rows[k].tag : "none");
        assert_string_equal(place.digest ? place.digest : "none", rows[k].digest ? digest : "none");
        registry_place_free(&place);
    }
}

static void test_tags_of_names(void **state)
{
    static const struct {
        const char *name, *tag;
    } rows[] = {
        {"2026-11-24_a.tar.gz", "2026-11-24_a"}, {"r1.0123456789ab.tar.gz", "r1.0123456789ab"}, {"a+b c.tar.gz", "a-b-c"}, {"-x.tar.gz", "_x"}, {"x", "x"},
    };
    cleanup_free char *name = mem_printf("%0300d.0123456789ab.tar.gz", 1);
    cleanup_free char *tag = registry_place_tag_of(name);

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        cleanup_free char *made = registry_place_tag_of(rows[k].name);

        assert_string_equal(made, rows[k].tag);
    }
    assert_int_equal(strlen(tag), OCI_TAG_MAX);
    assert_non_null(strstr(tag, "1.0123456789ab"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_tags_of_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
