/* What a receipt keeps of uploads that are not finished. The rest of it: destination_test.c. */
#include "ship/receipt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/temp_folder.h"

#define PLACE "s3://b/runs/r.tar.gz"

static void assert_kept(const char *folder, const char *place, const char *expected)
{
    cleanup_free char *text = receipt_recall(folder, place);

    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
}

static void test_what_is_kept_stays_until_it_is_let_go(void **state)
{
    char *folder = temp_folder_make();
    struct archive_plan plan = {.name = "r.tar.gz", .size = 1, .sha256 = "ab"};
    struct error err = {0};
    size_t length;

    (void)state;
    assert_kept(folder, PLACE, NULL);
    assert_int_equal(receipt_keep(folder, PLACE, NULL, &err), 0); /* nothing to forget: no file is made of it */
    cleanup_free char *path = file_join(folder, "publish.json");
    assert_false(file_exists(path));

    assert_int_equal(receipt_keep(folder, PLACE, "sum id/+=", &err), 0);
    assert_int_equal(receipt_keep(folder, "s3://c/r.tar.gz", "other", &err), 0);
    assert_kept(folder, PLACE, "sum id/+=");
    assert_int_equal(receipt_write(folder, "identity", &plan, NULL, 0, &err), 0);
    assert_kept(folder, PLACE, "sum id/+=");
    assert_int_equal(receipt_keep(folder, PLACE, NULL, &err), 0);
    assert_kept(folder, PLACE, NULL);
    assert_kept(folder, "s3://c/r.tar.gz", "other");
    assert_int_equal(receipt_keep(folder, "s3://c/r.tar.gz", NULL, &err), 0);

    cleanup_free char *text = temp_file_read(folder, "publish.json", &length);

    assert_null(strstr(text, "unfinished"));
    assert_non_null(strstr(text, "\"identity\": \"identity\""));
    temp_folder_remove(folder);
}

static void test_a_receipt_that_cannot_be_read(void **state)
{
    char *folder = temp_folder_make();

    (void)state;
    temp_file_write(folder, "publish.json", "{\"unfinished\":", 14);
    assert_kept(folder, PLACE, NULL);
    assert_int_equal(receipt_keep(folder, PLACE, "x", NULL), 0);
    assert_kept(folder, PLACE, "x");
    temp_file_write(folder, "publish.json", "{\"schema\":\"roibench/publish/v1\",\"unfinished\":[1]}", 50);
    assert_kept(folder, PLACE, NULL);
    assert_int_equal(receipt_keep(folder, PLACE, "y", NULL), 0);
    assert_kept(folder, PLACE, "y");
    temp_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_kept_stays_until_it_is_let_go),
        cmocka_unit_test(test_a_receipt_that_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
