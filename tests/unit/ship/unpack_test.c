/* What archives of ours become again, cut off anywhere too. What others make: tests/cli/publish_fetch.bats. */
#include "ship/unpack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "ship/archive.h"
#include "support/archive_of.h"
#include "support/temp_folder.h"

#define CONTENT_SIZE ((size_t)20000)

struct scene {
    char *root, *archive, content[CONTENT_SIZE];
    struct archive_plan plan;
};

static int make_scene(void **state)
{
    struct scene *scene = mem_calloc(1, sizeof *scene);

    for (size_t k = 0; k < CONTENT_SIZE; k++)
        scene->content[k] = (char)(k * k >> 3);
    scene->root = temp_folder_make();
    scene->archive = file_join(scene->root, "r.tar.gz");
    archive_of(scene->root, scene->content, CONTENT_SIZE, &scene->plan);
    *state = scene;
    return 0;
}

static int remove_scene(void **state)
{
    struct scene *scene = *state;

    archive_plan_free(&scene->plan);
    temp_folder_remove(scene->root);
    free(scene->archive);
    free(scene);
    return 0;
}

/* Unpacks the archive's first bytes into a new folder; *whole: what came out is all that went in. */
static int unpack_first(const struct scene *scene, const char *bytes, size_t length, bool *whole, struct error *err)
{
    cleanup_free char *into = temp_folder_make();
    struct unpacked unpacked;
    size_t got = 0;

    temp_file_write(scene->root, "r.tar.gz", bytes, length);

    const int result = archive_unpack(scene->archive, into, NULL, &unpacked, err);

    *whole = false;
    if (result == 0) {
        cleanup_free char *content = temp_file_read(into, "r/content", &got);

        assert_int_equal(unpacked.folder_count, 1);
        assert_string_equal(unpacked.folders[0], "r");
        assert_int_equal(unpacked.file_count, 1);
        assert_int_equal(unpacked.bytes, got);
        *whole = got == CONTENT_SIZE && memcmp(content, scene->content, got) == 0;
    }
    unpacked_free(&unpacked);
    temp_folder_remove(steal_pointer(&into));
    return result;
}

static void test_all_of_it(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *bytes = archive_bytes(&scene->plan);
    struct error err = {0};
    bool whole;

    if (unpack_first(scene, bytes, (size_t)scene->plan.size, &whole, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(whole);
}

/* An error, or nothing was missing but what comes behind the last file. */
static void test_cut_off_anywhere(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *bytes = archive_bytes(&scene->plan);
    size_t failed = 0;

    for (size_t length = 0; length < (size_t)scene->plan.size; length += length < 100 || length > (size_t)scene->plan.size - 100 ? 1 : 97) {
        struct error err = {0};
        bool whole;

        if (unpack_first(scene, bytes, length, &whole, &err) < 0) {
            failed++;
            assert_int_equal(err.class, ERROR_PUBLISH);
        } else {
            assert_true(whole);
        }
    }
    assert_true(failed > 100);
}

/* A byte that is not what it was: an error, or libarchive did not need it. */
static void test_a_changed_byte(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *bytes = archive_bytes(&scene->plan);

    for (size_t at = 0; at < (size_t)scene->plan.size; at += at < 200 ? 1 : 211) {
        bool whole;

        bytes[at] ^= 0x20;
        unpack_first(scene, bytes, (size_t)scene->plan.size, &whole, NULL);
        bytes[at] ^= 0x20;
    }
}

static void test_a_signal_stops_it(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *bytes = archive_bytes(&scene->plan);
    cleanup_free char *into = file_join(scene->root, "into");
    const stop_flag stop = SIGTERM;
    struct unpacked unpacked;
    struct error err = {0};

    temp_file_write(scene->root, "r.tar.gz", bytes, (size_t)scene->plan.size);
    assert_int_equal(mkdir(into, 0777), 0);
    assert_int_equal(archive_unpack(scene->archive, into, &stop, &unpacked, &err), -1);
    assert_non_null(strstr(err.text, "stopped by a signal"));
    unpacked_free(&unpacked);
}

static void test_an_archive_that_is_not_there(void **state)
{
    const struct scene *scene = *state;
    struct unpacked unpacked;
    struct error err = {0};

    assert_int_equal(archive_unpack("/nowhere/x.tar.gz", scene->root, NULL, &unpacked, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    unpacked_free(&unpacked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_of_it, make_scene, remove_scene),
        cmocka_unit_test_setup_teardown(test_cut_off_anywhere, make_scene, remove_scene),
        cmocka_unit_test_setup_teardown(test_a_changed_byte, make_scene, remove_scene),
        cmocka_unit_test_setup_teardown(test_a_signal_stops_it, make_scene, remove_scene),
        cmocka_unit_test_setup_teardown(test_an_archive_that_is_not_there, make_scene, remove_scene),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
