#include "ship/oci_manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support/archive_of.h"
#include "support/temp_folder.h"

#define HEX "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static void test_the_empty_config(void **state)
{
    char digest[OCI_DIGEST_SIZE];

    (void)state;
    oci_digest(OCI_EMPTY, strlen(OCI_EMPTY), digest);
    assert_string_equal(digest, OCI_EMPTY_DIGEST);
}

/* What is made is read again as the archive, and is the same twice. */
static void test_round_trip(void **state)
{
    char *root = temp_folder_make(), *path = file_join(root, "r"), first[OCI_DIGEST_SIZE], second[OCI_DIGEST_SIZE];
    const struct archive_folder folder = {path, "r"};
    const struct archive_request request = {.folders = &folder, .folder_count = 1, .name = "r.tar.gz"};
    static const char plan_json[] = "{\"schema\":\"roibench/plan/v1\",\"run_id\":\"r\",\"model\":\"m \\\"1\\\"\",\"deployment\":{\"hardware\":\"4 x L4\"}}";
    struct archive_plan plan = {0};
    struct buf out = BUF_INIT(OCI_MANIFEST_MAX), again = BUF_INIT(OCI_MANIFEST_MAX);
    struct oci_layer layer;
    struct error err = {0};

    (void)state;
    assert_int_equal(mkdir(path, 0777), 0);
    temp_file_write(path, "plan.json", plan_json, strlen(plan_json));
    if (archive_plan_make(&request, &plan, &err) < 0 || oci_manifest_make(&plan, &out, first, &err) < 0 || oci_manifest_make(&plan, &again, second, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(first, second);
    assert_non_null(strstr(buf_text(&out), "\"vnd.roibench.run\":\"r\",\"vnd.roibench.model\":\"m \\\"1\\\"\",\"vnd.roibench.hardware\":\"4 x L4\""));
    assert_true(oci_manifest_read(buf_text(&out), out.len, &layer));
    assert_string_equal(layer.digest + strlen("sha256:"), plan.sha256);
    assert_int_equal(layer.size, plan.size);
    buf_free(&out);
    buf_free(&again);
    archive_plan_free(&plan);
    free(path);
    temp_folder_remove(root);
}

static void test_manifests_of_others(void **state)
{
    static const struct {
        const char *text;
        bool found;
    } rows[] = {
        {"{\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:" HEX "\",\"size\":2}]}", true},
        {"{\"layers\":[{\"mediaType\":\"a\",\"digest\":\"sha256:" HEX "\",\"size\":2},{\"mediaType\":\"application/vnd.roibench.run.v1.tar+gzip\","
         "\"digest\":\"sha256:" HEX "\",\"size\":2}]}", true},
        {"{\"layers\":[{\"mediaType\":\"x+gzip\",\"digest\":\"sha256:" HEX "\",\"size\":2},{\"mediaType\":\"x+gzip\",\"digest\":\"sha256:" HEX "\",\"size\":2}]}", false},
        {"{\"layers\":[{\"mediaType\":\"x+gzip\",\"digest\":\"sha256:../../x\",\"size\":2}]}", false},
        {"{\"layers\":[{\"mediaType\":\"x+gzip\",\"digest\":\"sha256:" HEX "\",\"size\":-2}]}", false},
        {"{\"manifests\":[]}", false}, {"{\"layers\":{}}", false}, {"{\"layers\":[1]}", false}, {"[]", false}, {"", false}, {"{", false},
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct oci_layer layer;

        if (oci_manifest_read(rows[k].text, strlen(rows[k].text), &layer) != rows[k].found)
            fail_msg("%s", rows[k].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_empty_config),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_manifests_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
