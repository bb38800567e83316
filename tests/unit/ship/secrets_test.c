/* Which files of an archive are stopped, and what is told of them: never the value. */
#include "ship/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "support/temp_folder.h"

#define TOKEN "Bearer abcdefghijkl" "mno1"
#define VALUE "abcdefghijkl" "mno1"
#define FILES_MAX 10

CLEANUP_DEFINE(struct secrets, secrets_free)

struct scene {
    char *root;
    struct archive_member members[FILES_MAX];
    struct archive_plan plan;
};

static int make_scene(void **state)
{
    struct scene *scene = mem_alloc(sizeof *scene);

    scene->root = temp_folder_make();
    scene->plan.members = scene->members;
    *state = scene;
    return 0;
}

static int remove_scene(void **state)
{
    struct scene *scene = *state;

    for (size_t k = 0; k < scene->plan.member_count; k++) {
        free(scene->members[k].name);
        free(scene->members[k].path);
    }
    temp_folder_remove(scene->root);
    free(scene);
    return 0;
}

static void add_file(struct scene *scene, const char *name, const void *bytes, size_t length)
{
    temp_file_write(scene->root, name, bytes, length);
    scene->members[scene->plan.member_count++] =
        (struct archive_member){.name = file_join("run-1", name), .path = file_join(scene->root, name)};
}

static void add_text(struct scene *scene, const char *name, const char *text)
{
    add_file(scene, name, text, strlen(text));
}

/* Each text one member; left_out bytes are missing at the end. */
static void add_gzip(struct scene *scene, const char *name, const char *const *texts, size_t count, size_t left_out)
{
    cleanup_buf struct buf file = BUF_INIT((size_t)16 << 20);

    for (size_t k = 0; k < count; k++) {
        z_stream z = {.next_in = (Bytef *)(uintptr_t)texts[k], .avail_in = (uInt)strlen(texts[k])};
        const size_t room = strlen(texts[k]) + 1000;
        cleanup_free char *packed = mem_alloc(room);

        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_out = (Bytef *)packed;
        z.avail_out = (uInt)room;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        buf_append(&file, packed, room - z.avail_out);
        deflateEnd(&z);
    }
    add_file(scene, name, file.data, file.len - left_out);
}

/* NULL: nothing is found. */
static void assert_search(const struct scene *scene, const char *const *patterns, size_t count, const char *says)
{
    struct error err = {0};
    cleanup_with(secrets_free) struct secrets *secrets = secrets_new(patterns, count, &err);

    assert_non_null(secrets);

    const int result = secrets_search(secrets, &scene->plan, &err);

    if (result == 0 ? says != NULL : !says || !strstr(err.text, says))
        fail_msg("'%s' instead of '%s'", result == 0 ? "nothing" : err.text, says ? says : "nothing");
    if (result < 0)
        assert_int_equal(err.class, ERROR_PUBLISH);
    assert_null(strstr(err.text, VALUE));
}

static void test_plain_and_packed(void **state)
{
    static const char *const members[] = {"{\"a\":1}\n{\"b\":2}\n", "{\"c\":3}\n\n{\"key\":\"" TOKEN "\"}\n"};
    struct scene *scene = *state;

    add_text(scene, "plan.json", "{\n  \"model\": \"risk-assessment\"\n}\n");
    assert_search(scene, NULL, 0, NULL);
    add_gzip(scene, "records.jsonl.gz", members, 2, 0);
    assert_search(scene, NULL, 0, "run-1/records.jsonl.gz, line 5, holds what looks like a Bearer token: nothing was published. Take it out, or remove the file");
    add_text(scene, "report.md", TOKEN);
    assert_search(scene, NULL, 0, "Bearer token; run-1/report.md, line 1, holds what looks like a Bearer token: nothing");
}

static void test_prompts_can_stay_behind(void **state)
{
    struct scene *scene = *state;

    add_text(scene, "data.jsonl", "{\"prompt\":\"a\"}\n{\"prompt\":\"" TOKEN "\"}\n");
    assert_search(scene, NULL, 0, "run-1/data.jsonl, line 2, holds what looks like a Bearer token: nothing was published. Give --no-prompts, or");
    add_text(scene, "report.md", TOKEN);
    assert_search(scene, NULL, 0, "nothing was published. Take it out");
}

static void test_split_over_gzip_members(void **state)
{
    static const char *const members[] = {"x\nBearer abcdef", "ghijkl" "mno1\n"};
    struct scene *scene = *state;

    add_gzip(scene, "records.jsonl.gz", members, 2, 0);
    assert_search(scene, NULL, 0, "records.jsonl.gz, line 2, holds what looks like a Bearer token");
}

static void test_what_was_cut_off_is_searched_as_far_as_it_goes(void **state)
{
    static const char *const members[] = {TOKEN "\n", "more\n"};
    struct scene *scene = *state;

    add_gzip(scene, "cut.gz", members + 1, 1, 10);
    assert_search(scene, NULL, 0, NULL);
    add_gzip(scene, "records.jsonl.gz", members, 2, 10);
    assert_search(scene, NULL, 0, "records.jsonl.gz, line 1");
}

static void test_damaged_gzip(void **state)
{
    struct scene *scene = *state;

    add_text(scene, "metrics.jsonl.gz", "\x1f\x8b\x08no gzip at all, but much text of other kinds\n");
    assert_search(scene, NULL, 0, "searching run-1/metrics.jsonl.gz for secrets: ");
    assert_int_equal(remove(scene->members[0].path), 0);
    assert_search(scene, NULL, 0, "searching run-1/metrics.jsonl.gz for secrets: cannot open");
}

static void test_expressions(void **state)
{
    static const char *const patterns[] = {"acme-[0-9a-f]{8}", "^internal:"};
    struct scene *scene = *state;

    add_text(scene, "notes", "host\nsee internal:\nacme-0123abc\n");
    assert_search(scene, patterns, 2, NULL);
    add_text(scene, "a", "x\ninternal: host");
    assert_search(scene, patterns, 2, "run-1/a, line 2, holds what --redact (number 2) looks for: nothing");
    add_text(scene, "b", "x\ny\nacme-0123abcd");
    assert_search(scene, patterns, 1, "run-1/b, line 3, holds what --redact looks for: nothing");
}

static void test_many_finds_are_counted(void **state)
{
    struct scene *scene = *state;

    for (size_t k = 0; k < SECRETS_TOLD + 2; k++) {
        cleanup_free char *name = mem_printf("file-%zu", k);

        add_text(scene, name, TOKEN);
    }
    assert_search(scene, NULL, 0, "run-1/file-4, line 1, holds what looks like a Bearer token; and 2 more files hold such things: nothing");
}

/* A find at the end of some megabytes, with a line count that is right. */
static void test_far_behind(void **state)
{
    const size_t size = (size_t)3 << 20;
    struct scene *scene = *state;
    cleanup_free char *text = mem_alloc(size + 100);
    const char *texts[1] = {text};

    memset(text, 'x', size);
    for (size_t k = 99; k < size; k += 100)
        text[k] = '\n';
    memcpy(text + size, TOKEN, strlen(TOKEN));
    add_gzip(scene, "big.gz", texts, 1, 0);
    assert_search(scene, NULL, 0, "run-1/big.gz, line 31458, holds");
}

static void test_stop(void **state)
{
    struct scene *scene = *state;
    const stop_flag stop = 1;

    scene->plan.stop = &stop;
    add_text(scene, "a", "text");
    assert_search(scene, NULL, 0, "stopped while searching run-1/a for secrets");
}

static void test_wrong_and_too_complex(void **state)
{
    static const char *const patterns[] = {"fine", "(x"}, *const complex[] = {"a[ab]{200}c"};
    struct scene *scene = *state;
    struct error err = {0};
    const size_t size = (size_t)8 << 20;
    cleanup_free char *text = mem_alloc(size);
    struct random random;

    random_seed(&random, 1);
    assert_null(secrets_new(patterns, 2, &err));
    assert_string_equal(err.text, "number 2: at character 1: this ( is never closed");
    assert_int_equal(err.class, ERROR_USAGE);
    assert_null(secrets_new(patterns, SECRETS_PATTERNS_MAX + 1, &err));
    assert_string_equal(err.text, "more than 32 expressions");
    for (size_t k = 0; k < size; k++)
        text[k] = random_below(&random, 2) ? 'a' : 'b';
    add_file(scene, "b", text, size);

    cleanup_with(secrets_free) struct secrets *secrets = secrets_new(complex, 1, &err);

    assert_int_equal(secrets_search(secrets, &scene->plan, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_non_null(strstr(err.text, "--redact (number 1) is too complex"));
}

static void test_bytes(void **state)
{
    static const char text[] = "one\ntwo " TOKEN;
    struct error err = {0};
    cleanup_with(secrets_free) struct secrets *secrets = secrets_new(NULL, 0, &err);

    (void)state;
    assert_int_equal(secrets_search_bytes(secrets, "index/a.json", text, strlen(text) - 1, &err), 0);
    assert_int_equal(secrets_search_bytes(secrets, "index/a.json", text, strlen(text), &err), -1);
    assert_string_equal(err.text, "index/a.json, line 2, holds what looks like a Bearer token");
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, remove_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_plain_and_packed),
        SCENE_TEST(test_prompts_can_stay_behind),
        SCENE_TEST(test_split_over_gzip_members),
        SCENE_TEST(test_what_was_cut_off_is_searched_as_far_as_it_goes),
        SCENE_TEST(test_damaged_gzip),
        SCENE_TEST(test_expressions),
        SCENE_TEST(test_many_finds_are_counted),
        SCENE_TEST(test_far_behind),
        SCENE_TEST(test_stop),
        SCENE_TEST(test_wrong_and_too_complex),
        cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
