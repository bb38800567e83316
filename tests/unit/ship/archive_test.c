#include "ship/archive.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
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
#include "support/archive_of.h"
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

static int create(const struct scene *scene, const char *prefix, struct archive_plan *plan, struct error *err)
{
    const struct archive_folder folder = {scene->run, prefix};
    const struct archive_request request = {.folders = &folder, .folder_count = 1, .name = "r.tar.gz", .mtime = 1790000000 * NS_PER_S + 5};

    return archive_plan_make(&request, plan, err);
}

/* "name mode uid gid mtime size;" of each member. */
static void list_members(const struct archive_plan *plan, struct buf *list)
{
    cleanup_free char *bytes = archive_bytes(plan);
    struct archive *reader = archive_read_new();
    struct archive_entry *entry;

    archive_read_support_format_tar(reader);
    archive_read_support_filter_gzip(reader);
    assert_int_equal(archive_read_open_memory(reader, bytes, (size_t)plan->size), ARCHIVE_OK);
    while (archive_read_next_header(reader, &entry) == ARCHIVE_OK)
        buf_printf(list, "%s %o %d %d %lld %lld;", archive_entry_pathname(entry), archive_entry_mode(entry),
                   (int)archive_entry_uid(entry), (int)archive_entry_gid(entry), (long long)archive_entry_mtime(entry),
                   (long long)archive_entry_size(entry));
    archive_read_free(reader);
}

static void test_members(void **state)
{
    struct archive_plan plan;
    struct buf list = BUF_INIT(4096);
    struct error err = {0};
    char sha256[65];

    if (create(*state, "r", &plan, &err) < 0)
        fail_msg("%s", err.text);
    cleanup_free char *bytes = archive_bytes(&plan);

    list_members(&plan, &list);
    assert_string_equal(buf_text(&list), "r/a 100644 0 0 1790000000 0;r/manifest.json 100644 0 0 1790000000 8;"
                                         "r/plan.json 100644 0 0 1790000000 3;");
    assert_int_equal(plan.member_count, 3);
    file_sha256_bytes(bytes, (size_t)plan.size, sha256);
    assert_string_equal(plan.sha256, sha256);

    cleanup_free char *line = archive_checksum_line(&plan), *expected = mem_printf("%s  r.tar.gz\n", sha256);

    assert_string_equal(line, expected);
    archive_plan_free(&plan);
    buf_free(&list);
}

static void test_the_same_bytes_twice(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *plan = file_join(scene->run, "plan.json"), *copy = file_join(scene->run, "copy");
    const struct timespec other_times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
    struct archive_plan first, second;

    assert_int_equal(create(scene, "r", &first, NULL), 0);
    /* Another inode, another order in the folder, other times, mode and owner: as after a copy to another machine. */
    assert_int_equal(rename(plan, copy), 0);
    temp_file_write(scene->run, "plan.json", "{}\n", 3);
    assert_int_equal(unlink(copy), 0);
    assert_int_equal(utimensat(AT_FDCWD, plan, other_times, 0), 0);
    assert_int_equal(chmod(plan, 0600), 0);
    assert_int_equal(create(scene, "r", &second, NULL), 0);
    assert_string_equal(first.sha256, second.sha256);
    archive_plan_free(&second);
    temp_file_write(scene->run, "plan.json", "{ }", 3);
    assert_int_equal(create(scene, "r", &second, NULL), 0);
    assert_string_not_equal(first.sha256, second.sha256);
    archive_plan_free(&first);
    archive_plan_free(&second);
}

static void assert_refused(const struct scene *scene, const char *says)
{
    struct archive_plan plan;
    struct error err = {0};

    assert_int_equal(create(scene, "r", &plan, &err), -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
    if (!strstr(err.text, says))
        fail_msg("got '%s', expected '%s'", err.text, says);
    assert_null(plan.name);
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
    struct archive_plan plan;

    temp_file_write(inner, "deep", "x", 1);
    assert_int_equal(create(scene, "r", &plan, NULL), 0);
    assert_int_equal(plan.folders_left_out, 1);
    assert_int_equal(plan.member_count, 3);
    archive_plan_free(&plan);
}

static void test_nothing_to_archive(void **state)
{
    const struct scene *scene = *state;
    const struct archive_folder folder = {scene->out, "r"};
    const struct archive_request request = {.folders = &folder, .folder_count = 1, .name = "r.tar.gz"};
    struct archive_plan plan;
    struct error err = {0};

    assert_int_equal(archive_plan_make(&request, &plan, &err), -1);
    assert_non_null(strstr(err.text, "holds no files: nothing to publish"));
}

static void test_several_folders_are_sorted_together(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *other = make_subfolder(scene->root, "other");
    const struct archive_folder folders[] = {{scene->run, "z"}, {other, "b/c"}};
    const struct archive_request request = {.folders = folders, .folder_count = 2, .name = "x.tar.gz"};
    struct archive_plan plan;
    struct buf list = BUF_INIT(4096);

    temp_file_write(other, "k", "kk", 2);
    assert_int_equal(archive_plan_make(&request, &plan, NULL), 0);
    list_members(&plan, &list);
    assert_string_equal(buf_text(&list), "b/c/k 100644 0 0 0 2;z/a 100644 0 0 0 0;z/manifest.json 100644 0 0 0 8;"
                                         "z/plan.json 100644 0 0 0 3;");
    archive_plan_free(&plan);
    buf_free(&list);
}

/* Beyond what one tar header holds: pax records. */
static void test_long_and_foreign_names(void **state)
{
    const struct scene *scene = *state;
    char prefix[201], name[201];
    struct archive_plan plan;
    struct buf list = BUF_INIT(4096);

    memset(prefix, 'p', 200);
    memset(name, 'n', 200);
    prefix[200] = name[200] = '\0';
    temp_file_write(scene->run, name, "x", 1);
    temp_file_write(scene->run, "caf\303\251", "x", 1);
    assert_int_equal(create(scene, prefix, &plan, NULL), 0);
    assert_int_equal(plan.member_count, 5);
    list_members(&plan, &list);
    assert_non_null(strstr(buf_text(&list), name));
    archive_plan_free(&plan);
    buf_free(&list);
}

/* Between the passes. The bytes before the change may be out; the last ones never are. */
static void test_a_file_that_changes(void **state)
{
    const struct scene *scene = *state;
    struct archive_plan plan;
    char bytes[4096];

    for (size_t longer = 0; longer < 2; longer++) {
        struct error err = {0};
        size_t length = 0;
        long got;

        temp_file_write(scene->run, "plan.json", "{}\n", 3);
        assert_int_equal(create(scene, "r", &plan, NULL), 0);
        temp_file_write(scene->run, "plan.json", "{ }\n", 3 + longer);

        struct archive_stream *stream = archive_stream_open(&plan);

        while ((got = archive_stream_read(stream, bytes, sizeof bytes, &err)) > 0)
            length += (size_t)got;
        assert_int_equal(got, -1);
        assert_true(length < plan.size);
        assert_int_equal(err.class, ERROR_PUBLISH);
        assert_non_null(strstr(err.text, "changed while it was archived"));
        assert_int_equal(archive_stream_read(stream, bytes, sizeof bytes, NULL), -1);
        archive_stream_close(stream);
        archive_plan_free(&plan);
    }
}

/* Levels change inside the stream, and readers take it in pieces of any size. */
static void test_gzip_is_stored(void **state)
{
    const struct scene *scene = *state;
    const size_t size = 1 << 20;
    char *block = mem_alloc(size);
    struct archive_plan plan;
    char sha256[65];

    temp_file_write(scene->run, "squeezed", block, size);
    memcpy(block, "\x1f\x8b\x08", 3);
    temp_file_write(scene->run, "stored.gz", block, size);
    temp_file_write(scene->run, "tail", block + 3, size - 3);
    assert_int_equal(create(scene, "r", &plan, NULL), 0);
    assert_true(plan.size > size && plan.size < size + 20000);

    cleanup_free char *bytes = archive_bytes(&plan);
    struct archive_stream *stream = archive_stream_open(&plan);
    char piece[777];
    size_t at = 100000;
    long got;

    assert_int_equal(archive_stream_skip(stream, at, NULL), 0);
    while ((got = archive_stream_read(stream, piece, sizeof piece, NULL)) > 0) {
        assert_memory_equal(piece, bytes + at, (size_t)got);
        at += (size_t)got;
    }
    assert_int_equal(got, 0);
    assert_int_equal(at, plan.size);
    assert_int_equal(archive_stream_skip(stream, 1, NULL), -1);
    archive_stream_close(stream);
    file_sha256_bytes(bytes, (size_t)plan.size, sha256);
    assert_string_equal(sha256, plan.sha256);
    archive_plan_free(&plan);
    free(block);
}

static void test_parts_of_the_content(void **state)
{
    const struct scene *scene = *state;
    const struct archive_folder folder = {scene->run, "r"};
    struct archive_request request = {.folders = &folder, .folder_count = 1, .name = "r.tar.gz"};
    static const char *const names[] = {"records-3.jsonl.gz", "recordsx.jsonl.gz", "prompts.jsonl.gz", "data.index"};
    static const struct {
        enum archive_content content;
        bool without_prompts;
        const char *members;
    } rows[] = {
        {ARCHIVE_ALL, true, "r/a r/manifest.json r/plan.json r/records-3.jsonl.gz r/recordsx.jsonl.gz "},
        {ARCHIVE_REPORTS, false, "r/a r/manifest.json r/plan.json r/recordsx.jsonl.gz "},
        {ARCHIVE_RECORDS, false, "r/data.index r/manifest.json r/plan.json r/prompts.jsonl.gz r/records-3.jsonl.gz "},
        {ARCHIVE_RECORDS, true, "r/manifest.json r/plan.json r/records-3.jsonl.gz "},
    };

    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        temp_file_write(scene->run, names[k], "x", 1);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct archive_plan plan;
        struct buf list = BUF_INIT(4096);

        request.content = rows[k].content;
        request.without_prompts = rows[k].without_prompts;
        assert_int_equal(archive_plan_make(&request, &plan, NULL), 0);
        for (size_t member = 0; member < plan.member_count; member++)
            buf_printf(&list, "%s ", plan.members[member].name);
        assert_string_equal(buf_text(&list), rows[k].members);
        buf_free(&list);
        archive_plan_free(&plan);
    }
}

static void test_a_signal_stops_it(void **state)
{
    const struct scene *scene = *state;
    const struct archive_folder folder = {scene->run, "r"};
    const stop_flag stop = SIGTERM;
    const struct archive_request request = {.folders = &folder, .folder_count = 1, .name = "r.tar.gz",
                                            .stop = &stop};
    struct archive_plan plan;
    struct error err = {0};

    assert_int_equal(archive_plan_make(&request, &plan, &err), -1);
    assert_non_null(strstr(err.text, "stopped"));
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
        ARCHIVE_TEST(test_a_file_that_changes),
        ARCHIVE_TEST(test_gzip_is_stored),
        ARCHIVE_TEST(test_parts_of_the_content),
        ARCHIVE_TEST(test_a_signal_stops_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
