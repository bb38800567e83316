#include "ship/archive.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/stop.h"
#include "support/temp_folder.h"

struct scene {
    char *root, *run, *out; /* out: where archives are made */
};

static char *make_subfolder(const char *root, const char *name)
{
    char *path = file_join(root, name);

    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static int make_scene(void **state)
{
    struct scene *scene = mem_alloc(sizeof *scene);

    scene->root = temp_folder_make();
    scene->run = make_subfolder(scene->root, "r");
    scene->out = make_subfolder(scene->root, "archives");
    temp_file_write(scene->run, "plan.json", "{}\n", 3);
    temp_file_write(scene->run, "manifest.json", "{\"m\":1}\n", 8);
    temp_file_write(scene->run, "a", "", 0);
    temp_file_write(scene->run, "publish.json", "{}", 2);
    temp_file_write(scene->run, "x.tmp", "t", 1);
    *state = scene;
    return 0;
}

static int remove_scene(void **state)
{
    struct scene *scene = *state;

    temp_folder_remove(scene->root);
    free(scene->run);
    free(scene->out);
    free(scene);
    return 0;
}

static int create(const struct scene *scene, const char *prefix, struct archive_file *file, struct error *err)
{
    const struct archive_folder folder = {scene->run, prefix};
    const struct archive_request request = {.folders = &folder, .folder_count = 1, .name = "r.tar.gz", .temporary = scene->out,
                                            .mtime = 1790000000 * NS_PER_S + 5};

    return archive_create(&request, file, err);
}

static void assert_nothing_left(const struct scene *scene)
{
    /* Fails when the folder holds anything. */
    assert_int_equal(rmdir(scene->out), 0);
    assert_int_equal(mkdir(scene->out, 0777), 0);
}

/* "name mode uid gid mtime size;" of each member. */
static void list_members(const char *path, struct buf *list)
{
    struct archive *reader = archive_read_new();
    struct archive_entry *entry;

    archive_read_support_format_tar(reader);
    archive_read_support_filter_gzip(reader);
    assert_int_equal(archive_read_open_filename(reader, path, 10240), ARCHIVE_OK);
    while (archive_read_next_header(reader, &entry) == ARCHIVE_OK)
        buf_printf(list, "%s %o %d %d %lld %lld;", archive_entry_pathname(entry), archive_entry_mode(entry),
                   (int)archive_entry_uid(entry), (int)archive_entry_gid(entry), (long long)archive_entry_mtime(entry),
                   (long long)archive_entry_size(entry));
    archive_read_free(reader);
}

static void test_members(void **state)
{
    struct archive_file file;
    struct buf list = BUF_INIT(4096);
    struct error err = {0};
    unsigned long long size;
    char sha256[65];

    if (create(*state, "r", &file, &err) < 0)
        fail_msg("%s", err.text);
    list_members(file.path, &list);
    assert_string_equal(buf_text(&list), "r/a 100644 0 0 1790000000 0;r/manifest.json 100644 0 0 1790000000 8;"
                                         "r/plan.json 100644 0 0 1790000000 3;");
    assert_int_equal(file.members, 3);
    assert_int_equal(file_sha256(file.path, sha256, &size, NULL), 0);
    assert_string_equal(file.sha256, sha256);
    assert_int_equal(file.size, size);

    cleanup_free char *line = archive_checksum_line(&file), *expected = mem_printf("%s  r.tar.gz\n", sha256);

    assert_string_equal(line, expected);
    archive_file_free(&file);
    assert_nothing_left(*state);
    buf_free(&list);
}

static void test_the_same_bytes_twice(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *plan = file_join(scene->run, "plan.json"), *copy = file_join(scene->run, "copy");
    const struct timespec other_times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
    struct archive_file first, second;

    assert_int_equal(create(scene, "r", &first, NULL), 0);
    /* Another inode, another order in the folder, other times, mode and owner: as after a copy to another machine. */
    assert_int_equal(rename(plan, copy), 0);
    temp_file_write(scene->run, "plan.json", "{}\n", 3);
    assert_int_equal(unlink(copy), 0);
    assert_int_equal(utimensat(AT_FDCWD, plan, other_times, 0), 0);
    assert_int_equal(chmod(plan, 0600), 0);
    assert_int_equal(create(scene, "r", &second, NULL), 0);
    assert_string_equal(first.sha256, second.sha256);
    archive_file_free(&second);
    temp_file_write(scene->run, "plan.json", "{ }", 3);
    assert_int_equal(create(scene, "r", &second, NULL), 0);
    assert_string_not_equal(first.sha256, second.sha256);
    archive_file_free(&first);
    archive_file_free(&second);
}

static void assert_refused(const struct scene *scene, const char *says)
{
    struct archive_file file;
    struct error err = {0};

    assert_int_equal(create(scene, "r", &file, &err), -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
    if (!strstr(err.text, says))
        fail_msg("got '%s', expected '%s'", err.text, says);
    assert_null(file.path);
    assert_nothing_left(scene);
}

static void test_links_and_pipes_are_refused(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *path = file_join(scene->run, "evil"), *real = file_join(scene->root, "real");

    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_refused(scene, "r/evil is a symbolic link: only regular files are published");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0666), 0);
    assert_refused(scene, "r/evil is no regular file: only regular files are published");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(scene->run, real), 0);
    assert_int_equal(symlink(real, scene->run), 0);
    assert_refused(scene, "/r is a symbolic link");
}

static void test_subfolders_are_counted(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *inner = make_subfolder(scene->run, "inner");
    struct archive_file file;

    temp_file_write(inner, "deep", "x", 1);
    assert_int_equal(create(scene, "r", &file, NULL), 0);
    assert_int_equal(file.folders_left_out, 1);
    assert_int_equal(file.members, 3);
    archive_file_free(&file);
}

static void test_nothing_to_archive(void **state)
{
    const struct scene *scene = *state;
    const struct archive_folder folder = {scene->out, "r"};
    const struct archive_request request = {.folders = &folder, .folder_count = 1, .name = "r.tar.gz", .temporary = scene->out};
    struct archive_file file;
    struct error err = {0};

    assert_int_equal(archive_create(&request, &file, &err), -1);
    assert_non_null(strstr(err.text, "holds no files: nothing to publish"));
}

static void test_several_folders_are_sorted_together(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *other = make_subfolder(scene->root, "other");
    const struct archive_folder folders[] = {{scene->run, "z"}, {other, "b/c"}};
    const struct archive_request request = {.folders = folders, .folder_count = 2, .name = "x.tar.gz", .temporary = scene->out};
    struct archive_file file;
    struct buf list = BUF_INIT(4096);

    temp_file_write(other, "k", "kk", 2);
    assert_int_equal(archive_create(&request, &file, NULL), 0);
    list_members(file.path, &list);
    assert_string_equal(buf_text(&list), "b/c/k 100644 0 0 0 2;z/a 100644 0 0 0 0;z/manifest.json 100644 0 0 0 8;"
                                         "z/plan.json 100644 0 0 0 3;");
    archive_file_free(&file);
    buf_free(&list);
}

/* Beyond what one tar header holds: pax records. */
static void test_long_and_foreign_names(void **state)
{
    const struct scene *scene = *state;
    char prefix[201], name[201];
    struct archive_file file;
    struct buf list = BUF_INIT(4096);

    memset(prefix, 'p', 200);
    memset(name, 'n', 200);
    prefix[200] = name[200] = '\0';
    temp_file_write(scene->run, name, "x", 1);
    temp_file_write(scene->run, "caf\303\251", "x", 1);
    assert_int_equal(create(scene, prefix, &file, NULL), 0);
    assert_int_equal(file.members, 5);
    list_members(file.path, &list);
    assert_non_null(strstr(buf_text(&list), name));
    archive_file_free(&file);
    buf_free(&list);
}

static void test_a_disk_that_is_full(void **state)
{
    const struct scene *scene = *state;
    struct rlimit before, tiny;
    struct archive_file file;
    struct error err = {0};
    char block[50000];

    for (size_t k = 0; k < sizeof block; k++)
        block[k] = (char)random();
    temp_file_write(scene->run, "large", block, sizeof block);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tiny = (struct rlimit){20000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);

    const int result = create(scene, "r", &file, &err);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, "archives/r.tar.gz"));
    assert_non_null(strstr(err.text, "File too large"));
    assert_nothing_left(scene);
}

static void test_a_signal_stops_it(void **state)
{
    const struct scene *scene = *state;
    const struct archive_folder folder = {scene->run, "r"};
    const stop_flag stop = SIGTERM;
    const struct archive_request request = {.folders = &folder, .folder_count = 1, .name = "r.tar.gz", .temporary = scene->out,
                                            .stop = &stop};
    struct archive_file file;
    struct error err = {0};

    assert_int_equal(archive_create(&request, &file, &err), -1);
    assert_non_null(strstr(err.text, "stopped"));
    assert_nothing_left(scene);
}

#define ARCHIVE_TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, remove_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARCHIVE_TEST(test_members),
        ARCHIVE_TEST(test_the_same_bytes_twice),
        ARCHIVE_TEST(test_links_and_pipes_are_refused),
        ARCHIVE_TEST(test_subfolders_are_counted),
        ARCHIVE_TEST(test_nothing_to_archive),
        ARCHIVE_TEST(test_several_folders_are_sorted_together),
        ARCHIVE_TEST(test_long_and_foreign_names),
        ARCHIVE_TEST(test_a_disk_that_is_full),
        ARCHIVE_TEST(test_a_signal_stops_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
