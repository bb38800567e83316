/* Names of destinations, folders, and receipts. HTTP: destination_http_test.c. */
#include "ship/destination.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "ship/receipt.h"
#include "support/archive_of.h"
#include "support/temp_folder.h"

static const struct destination_settings plain, overwriting = {.overwrite = true};

struct scene {
    char *root;
    struct archive_plan plan;
};

static int make_scene(void **state)
{
    struct scene *scene = mem_alloc(sizeof *scene);

    scene->root = temp_folder_make();
    temp_file_write(scene->root, "made.tmp", "file", 4);
    archive_of(scene->root, "content", 7, &scene->plan);
    *state = scene;
    return 0;
}

static int remove_scene(void **state)
{
    struct scene *scene = *state;

    archive_plan_free(&scene->plan);
    temp_folder_remove(scene->root);
    free(scene);
    return 0;
}

static const struct {
    const char *to, *says; /* NULL: fine */
} names[] = {
    {"archives", NULL},
    {"/tmp/x", NULL},
    {"a:b", NULL},
    {"file:///tmp/a%20b", NULL},
    {"file://localhost/tmp", NULL},
    {"http://h/x/", NULL},
    {"HTTPS://h:8443/x.tar.gz?signature=1", NULL},
    {"", "names no folder"},
    {"file://host/tmp", "names no folder"},
    {"file://", "names no folder"},
    {"file:///tmp/%0", "names no folder"},
    {"file:///tmp/%00", "names no folder"},
    {"ftp://bucket/prefix", "unknown kind of destination 'ftp://'. Known: file://, http://, https://, "},
    {"ftp://h/x", "unknown kind of destination 'ftp://'"},
    {"http://", "http://"},
    {"http://h", "has no path"},
    {"http://h?x=/", "has no path"},
    {"http://u:p@h/x/", "user name"},
    {"http://h/a b", "spaces"},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct error err = {0};
        const int result = destination_check(names[k].to, &err);

        if ((result == 0) != !names[k].says)
            fail_msg("'%s': %d %s", names[k].to, result, err.text);
        if (!names[k].says)
            continue;
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, names[k].says))
            fail_msg("'%s': got '%s'", names[k].to, err.text);
        assert_null(strstr(err.text, "u:p"));
    }
}

static int count_entries(const char *folder)
{
    DIR *directory = opendir(folder);
    int count = -2;

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void assert_put(const struct scene *scene, const char *to, const struct destination_settings *settings, bool already_there)
{
    struct delivery delivery;
    struct error err = {0};

    if (destination_put(to, &scene->plan, settings, &delivery, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(delivery.already_there, already_there);
    assert_int_equal(delivery.status, 0);
    delivery_free(&delivery);
}

static void assert_not_put(const struct scene *scene, const char *to, const char *says)
{
    struct delivery delivery;
    struct error err = {0};

    assert_int_equal(destination_put(to, &scene->plan, &plain, &delivery, &err), -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
    if (!strstr(err.text, says))
        fail_msg("got '%s', expected '%s'", err.text, says);
    assert_non_null(delivery.to);
    delivery_free(&delivery);
}

static void test_a_folder(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *to = mem_printf("file://%s/new%%20one/deep/", scene->root);
    cleanup_free char *folder = mem_printf("%s/new one/deep", scene->root);
    struct delivery delivery;
    size_t length, archive_length;

    assert_int_equal(destination_put(to, &scene->plan, &plain, &delivery, NULL), 0);

    cleanup_free char *expected = file_join(folder, "r.tar.gz");
    cleanup_free char *made = archive_bytes(&scene->plan);
    cleanup_free char *bytes = temp_file_read(folder, "r.tar.gz", &archive_length);
    cleanup_free char *sum = temp_file_read(folder, "r.tar.gz.sha256", &length);
    cleanup_free char *line = mem_printf("%s  r.tar.gz\n", scene->plan.sha256);

    assert_string_equal(delivery.to, expected);
    assert_memory_equal(bytes, made, scene->plan.size);
    assert_int_equal(archive_length, scene->plan.size);
    assert_string_equal(sum, line);
    assert_int_equal(count_entries(folder), 2);
    delivery_free(&delivery);
}

static void test_what_is_there_is_kept(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *other = mem_printf("r.%.12s.tar.gz", scene->plan.sha256);
    cleanup_free char *place = file_join(scene->root, other);
    size_t length;

    assert_put(scene, scene->root, &plain, false);
    assert_put(scene, scene->root, &plain, true);
    temp_file_write(scene->root, "r.tar.gz", "longer than it", 14);
    /* A new name, and once only. */
    assert_put(scene, scene->root, &plain, false);
    assert_true(file_exists(place));
    assert_put(scene, scene->root, &plain, true);

    cleanup_free char *kept = temp_file_read(scene->root, "r.tar.gz", &length);

    assert_string_equal(kept, "longer than it");
    temp_file_write(scene->root, other, "x", 1);
    assert_not_put(scene, scene->root, "is there already with other content. Give --overwrite");
    assert_put(scene, scene->root, &overwriting, false);
    assert_put(scene, scene->root, &overwriting, true);
    assert_int_equal(count_entries(scene->root), 6);
}

static int take(void *context, const char *bytes, size_t length, struct error *err)
{
    (void)err;
    buf_append(context, bytes, length);
    return 0;
}

static void test_what_comes_back(void **state)
{
    const struct scene *scene = *state;
    const struct destination_settings settings = {.verify = true};
    cleanup_free char *path = file_join(scene->root, "r.tar.gz"), *made = archive_bytes(&scene->plan);
    struct buf bytes = BUF_INIT(1 << 20);
    struct delivery delivery;
    struct error err = {0};
    char sha256[65];

    assert_int_equal(destination_put(scene->root, &scene->plan, &settings, &delivery, NULL), 0);
    assert_true(delivery.verified);
    assert_int_equal(delivery.tries, 1);
    delivery_free(&delivery);
    assert_int_equal(destination_get(path, &settings, take, &bytes, sha256, NULL), 0);
    assert_string_equal(sha256, scene->plan.sha256);
    assert_int_equal(bytes.len, scene->plan.size);
    assert_memory_equal(bytes.data, made, bytes.len);
    assert_int_equal(destination_get(scene->root, &settings, take, &bytes, sha256, &err), -1);
    assert_non_null(strstr(err.text, "is no regular file"));
    buf_free(&bytes);
}

/* As much of the archive as fits is there when the disk is full; then nothing is. */
static void test_a_disk_that_is_full(void **state)
{
    struct scene *scene = *state;
    struct rlimit before, tiny;
    struct delivery delivery;
    struct error err = {0};
    static char block[50000] = "\x1f\x8b\x08";
    cleanup_free char *deep = file_join(scene->root, "deep"), *out = file_join(scene->root, "out");
    struct archive_plan plan;

    assert_int_equal(mkdir(deep, 0777), 0);
    archive_of(deep, block, sizeof block, &plan);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tiny = (struct rlimit){20000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);

    const int result = destination_put(out, &plan, &plain, &delivery, &err);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
    assert_non_null(strstr(err.text, "File too large"));
    assert_int_equal(count_entries(out), 0);
    delivery_free(&delivery);
    archive_plan_free(&plan);
}

static void test_folders_that_take_nothing(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *path = file_join(scene->root, "r.tar.gz"), *file = file_join(scene->root, "made.tmp");

    assert_int_equal(mkdir(path, 0777), 0);
    assert_not_put(scene, scene->root, "is no regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_not_put(scene, scene->root, "is no regular file");
    assert_not_put(scene, file, "made.tmp");
    assert_not_put(scene, "/proc/nothing", "/proc/nothing");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(count_entries(scene->root), 2);
}

static void test_receipt(void **state)
{
    const struct scene *scene = *state;
    struct receipt_row rows[2] = {
        {.delivery = {.to = mem_strdup("/a/r.tar.gz"), .already_there = true}, .started = 0, .ended = 5 * NS_PER_MS},
        {.delivery = {.to = mem_strdup("http://h/r.tar.gz"), .status = 403, .etag = "\"x\""}, .error = mem_strdup("no")},
    };
    size_t length;

    assert_int_equal(receipt_write(scene->root, "abc", &scene->plan, rows, 2, NULL), 0);

    cleanup_free char *text = temp_file_read(scene->root, "publish.json", &length);
    cleanup_free char *expected = mem_printf(
        "{\n  \"schema\": \"roibench/publish/v1\",\n  \"identity\": \"abc\",\n  \"archive\": {\n    \"name\": \"r.tar.gz\",\n"
        "    \"size\": %llu,\n    \"sha256\": \"%s\"\n  },\n  \"destinations\": [\n    {\n      \"to\": \"/a/r.tar.gz\",\n"
        "      \"status\": null,\n      \"etag\": null,\n      \"already_there\": true,\n      \"verified\": false,\n      \"tries\": 0,\n"
        "      \"started\": \"1970-01-01T00:00:00.000Z\",\n      \"ended\": \"1970-01-01T00:00:00.005Z\",\n      \"error\": null\n    },\n"
        "    {\n      \"to\": \"http://h/r.tar.gz\",\n      \"status\": 403,\n      \"etag\": \"\\\"x\\\"\",\n"
        "      \"already_there\": false,\n      \"verified\": false,\n      \"tries\": 0,\n      \"started\": \"1970-01-01T00:00:00.000Z\",\n"
        "      \"ended\": \"1970-01-01T00:00:00.000Z\",\n      \"error\": \"no\"\n    }\n  ]\n}\n",
        (unsigned long long)scene->plan.size, scene->plan.sha256);

    assert_string_equal(text, expected);
    for (size_t k = 0; k < 2; k++) {
        delivery_free(&rows[k].delivery);
        free(rows[k].error);
    }
}

static int note_name(void *context, const char *name, const char *tag, struct error *err)
{
    (void)err;
    return buf_printf(context, "%s%s ", name, tag);
}

static void test_small_objects(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *to = file_join(scene->root, "new/"), *shown = mem_printf("%snothing/else.json", to);
    const struct destination_objects *objects = destination_objects_of(to);
    cleanup_buf struct buf bytes = BUF_INIT(4), names_there = BUF_INIT(1000);
    struct error err = {0};
    bool missing = false;

    assert_non_null(objects);

    cleanup_free char *place = objects->place(to, "nothing/else.json");

    assert_string_equal(place, shown);
    assert_int_equal(objects->list(to, "index", &plain, note_name, &names_there, &err), 0);
    assert_int_equal(objects->get(to, "index/a.json", &plain, &bytes, &missing, &err), 0);
    assert_true(missing);
    assert_int_equal(objects->put(to, "index/a.json", "application/json", "{}", 2, &plain, &err), 0);
    assert_int_equal(objects->put(to, "index/a.json", "application/json", "[]\n", 3, &plain, &err), 0);
    assert_int_equal(objects->get(to, "index/a.json", &plain, &bytes, &missing, &err), 0);
    assert_false(missing);
    assert_string_equal(buf_text(&bytes), "[]\n");

    cleanup_free char *folder = file_join(to, "index"), *inner = file_join(folder, "inner"), *link = file_join(folder, "link.json");

    temp_file_write(folder, "b.json.0.tmp", "{", 1);
    assert_int_equal(mkdir(inner, 0777), 0);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(objects->list(to, "index", &plain, note_name, &names_there, &err), 0);
    assert_string_equal(buf_text(&names_there), "a.json ");
    assert_int_equal(objects->put(to, "index/a.json", "application/json", "12345", 5, &plain, &err), 0);
    buf_reset(&bytes);
    assert_int_equal(objects->get(to, "index/a.json", &plain, &bytes, &missing, &err), -1);
    assert_int_equal(objects->put(to, "index/a.json/b", "application/json", "12345", 5, &plain, &err), -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
}

static void test_where_nothing_is_beside(void **state)
{
    (void)state;
    assert_null(destination_objects_of("http://h/x.tar.gz"));
    assert_null(destination_objects_of("http://h/x/?signature=1"));
    assert_non_null(destination_objects_of("http://h/x/"));
}

#define DESTINATION_TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, remove_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        DESTINATION_TEST(test_a_folder),
        DESTINATION_TEST(test_what_is_there_is_kept),
        DESTINATION_TEST(test_what_comes_back),
        DESTINATION_TEST(test_a_disk_that_is_full),
        DESTINATION_TEST(test_folders_that_take_nothing),
        DESTINATION_TEST(test_small_objects),
        cmocka_unit_test(test_where_nothing_is_beside),
        DESTINATION_TEST(test_receipt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
