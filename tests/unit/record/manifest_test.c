#include "record/manifest.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "support/temp_folder.h"

static int make_folder(void **state)
{
    char *folder = temp_folder_make();

    temp_file_write(folder, "b.json", "b\n", 2);
    temp_file_write(folder, "a.json", "a\n", 2);
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    temp_folder_remove(*state);
    return 0;
}

static struct manifest_step make_step(const char *name, int exit_code)
{
    return (struct manifest_step){.step = name, .version = "1.2.3", .host = "h", .started = 1000 * NS_PER_S,
                                  .ended = 1001 * NS_PER_S + 5 * NS_PER_MS, .exit_code = exit_code};
}

static int count_text(const char *folder, const char *text)
{
    size_t length;
    cleanup_free char *bytes = temp_file_read(folder, "manifest.json", &length);
    int count = 0;

    for (const char *at = bytes; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void update(const char *folder, const char *name, int exit_code)
{
    const struct manifest_step step = make_step(name, exit_code);
    struct error err = {0};

    if (manifest_update(folder, &step, &err) < 0)
        fail_msg("%s", err.text);
}

/* The manifest's identity is that of the files that are there. */
static void assert_vouched_for(const char *folder)
{
    char identity[65];

    assert_int_equal(manifest_identity(folder, identity, NULL), 0);
    assert_int_equal(count_text(folder, identity), 1);
}

static void test_steps_and_files(void **state)
{
    update(*state, "prepare", 0);
    update(*state, "run", 143);
    update(*state, "run", 0);
    assert_int_equal(count_text(*state, "\"step\": "), 2);
    assert_int_equal(count_text(*state, "\"exit_code\": 143"), 0);
    assert_int_equal(count_text(*state, "\"ended\": \"1970-01-01T00:16:41.005Z\""), 2);
    assert_int_equal(count_text(*state, "\"a.json\""), 1);
    assert_int_equal(count_text(*state, "\"sha256\": \"87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7\""), 1);
    assert_int_equal(count_text(*state, "manifest.json"), 0);
    assert_vouched_for(*state);
}

/* sha256 of "a.json <sha256>\nb.json <sha256>\n", as sha256sum computes it. */
static void test_identity(void **state)
{
    char identity[65], again[65];

    assert_int_equal(manifest_identity(*state, identity, NULL), 0);
    assert_string_equal(identity, "d0eb78793c2510badbbaa6fed510910fae6a3f04528aca2720104ae1105c0a43");
    update(*state, "run", 0);
    temp_file_write(*state, "publish.json", "{}", 2);
    temp_file_write(*state, "x.json.1a2b.tmp", "x", 1);
    assert_int_equal(manifest_identity(*state, again, NULL), 0);
    assert_string_equal(again, identity);
    temp_file_write(*state, "c", "", 0);
    assert_int_equal(manifest_identity(*state, again, NULL), 0);
    assert_string_not_equal(again, identity);
}

static void expect_complete(const char *folder, const char *differing)
{
    const struct manifest_step step = make_step("publish", 0);
    cleanup_buf struct buf names = BUF_INIT(1000);
    struct error err = {0};

    if (manifest_complete(folder, &step, &names, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&names), differing);
}

static void test_completing_adds_and_changes_nothing(void **state)
{
    cleanup_free char *path = file_join(*state, "b.json");

    expect_complete(*state, "");
    assert_vouched_for(*state);
    assert_int_equal(count_text(*state, "\"publish\""), 1);
    temp_file_write(*state, "c.json", "c\n", 2);
    expect_complete(*state, "");
    assert_vouched_for(*state);

    size_t length, again;
    cleanup_free char *before = temp_file_read(*state, "manifest.json", &length);

    temp_file_write(*state, "a.json", "x\n", 2);
    unlink(path);
    expect_complete(*state, "a.json, b.json");

    cleanup_free char *after = temp_file_read(*state, "manifest.json", &again);

    assert_int_equal(again, length);
    assert_memory_equal(after, before, length);
    temp_file_write(*state, "d.json", "d\n", 2);
    expect_complete(*state, "a.json, b.json");
    assert_int_equal(count_text(*state, "\"d.json\""), 1);
    assert_int_equal(count_text(*state, "\"b.json\""), 1);
    temp_file_write(*state, "b.json", "b\n", 2);
    temp_file_write(*state, "a.json", "a\n", 2);
    assert_vouched_for(*state);
}

static void test_links_and_folders_are_no_content(void **state)
{
    cleanup_free char *link = file_join(*state, "link"), *folder = file_join(*state, "folder");
    char identity[65], again[65];

    assert_int_equal(manifest_identity(*state, identity, NULL), 0);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_int_equal(manifest_identity(*state, again, NULL), 0);
    assert_string_equal(again, identity);
}

static void test_broken_manifests_are_named(void **state)
{
    static const struct {
        const char *text, *says;
    } broken[] = {
        {"{", "manifest.json"},
        {"{\"schema\":\"roibench/manifest/v2\"}", "newer"},
        {"{\"schema\":\"roibench/manifest/v1\",\"steps\":7}", "steps"},
    };
    const struct manifest_step step = make_step("run", 0);

    for (size_t k = 0; k < sizeof broken / sizeof *broken; k++) {
        struct error err = {0};

        temp_file_write(*state, "manifest.json", broken[k].text, strlen(broken[k].text));
        assert_int_equal(manifest_update(*state, &step, &err), -1);
        assert_non_null(strstr(err.text, broken[k].says));
    }
}

static void test_names_that_are_no_text(void **state)
{
    struct error err = {0};
    char identity[65];

    temp_file_write(*state, "a\nb", "", 0);
    assert_int_equal(manifest_identity(*state, identity, &err), -1);
    assert_non_null(strstr(err.text, "whose name is no text of one line"));
}

static void test_first_start(void **state)
{
    int64_t start = 7;
    struct error err = {0};
    static const char wrong[] = "{\"schema\":\"roibench/manifest/v1\",\"steps\":[{\"started\":\"yesterday\"}]}";

    assert_int_equal(manifest_first_start(*state, &start, NULL), 0);
    assert_int_equal(start, 0);
    update(*state, "prepare", 0);
    update(*state, "run", 0);
    assert_int_equal(manifest_first_start(*state, &start, NULL), 0);
    assert_true(start == 1000 * NS_PER_S);
    temp_file_write(*state, "manifest.json", wrong, sizeof wrong - 1);
    assert_int_equal(manifest_first_start(*state, &start, &err), -1);
    assert_non_null(strstr(err.text, "steps[0].started: expected an RFC 3339 date"));
}

/* ---- shards ---- */

static void update_shard(const char *folder, int shard)
{
    const struct manifest_step step = make_step("run", 0);
    struct error err = {0};

    if (manifest_update_shard(folder, &step, shard, &err) < 0)
        fail_msg("%s", err.text);
}

static void test_a_shard_vouches_for_its_own_files(void **state)
{
    temp_file_write(*state, "records-0.jsonl.gz", "0", 1);
    temp_file_write(*state, "records-1.jsonl.gz", "half of", 7);
    update_shard(*state, 0);
    assert_int_equal(count_text(*state, "\"step\": \"run-0\""), 1);
    assert_int_equal(count_text(*state, "records-0.jsonl.gz"), 1);
    assert_int_equal(count_text(*state, "a.json"), 1);
    assert_int_equal(count_text(*state, "records-1.jsonl.gz"), 0);
    temp_file_write(*state, "records-1.jsonl.gz", "all of it", 9);
    update_shard(*state, 1);
    assert_int_equal(count_text(*state, "\"step\": \"run-"), 2);
    assert_vouched_for(*state);

    /* What the other shard wrote down stays, whatever lies there now. */
    temp_file_write(*state, "records-0.jsonl.gz", "changed", 7);
    update_shard(*state, 1);
    expect_complete(*state, "records-0.jsonl.gz");
}

#define TOGETHER 4
#define ROUNDS 10

struct together {
    const char *folder;
    pthread_barrier_t *start;
    int shard, result;
};

static void *update_at_once(void *context)
{
    struct together *together = context;
    const struct manifest_step step = make_step("run", 0);

    pthread_barrier_wait(together->start);
    together->result = manifest_update_shard(together->folder, &step, together->shard, NULL);
    return NULL;
}

static void update_together(const char *folder)
{
    struct together together[TOGETHER];
    pthread_t threads[TOGETHER];
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, TOGETHER), 0);
    for (int shard = 0; shard < TOGETHER; shard++) {
        together[shard] = (struct together){.folder = folder, .start = &start, .shard = shard};
        assert_int_equal(pthread_create(&threads[shard], NULL, update_at_once, &together[shard]), 0);
    }
    for (int shard = 0; shard < TOGETHER; shard++) {
        assert_int_equal(pthread_join(threads[shard], NULL), 0);
        assert_int_equal(together[shard].result, 0);
    }
    pthread_barrier_destroy(&start);
}

static void test_shards_that_end_together_lose_no_row(void **state)
{
    cleanup_free char *manifest = file_join(*state, "manifest.json");

    temp_file_write(*state, "plan.json", "{}", 2);
    for (int shard = 0; shard < TOGETHER; shard++) {
        char name[32];

        snprintf(name, sizeof name, "journal-%d.jsonl", shard);
        temp_file_write(*state, name, name, strlen(name));
    }
    for (int round = 0; round < ROUNDS; round++) {
        unlink(manifest);
        update_together(*state);
        assert_int_equal(count_text(*state, "\"step\": \"run-"), TOGETHER);
        assert_int_equal(count_text(*state, "\"journal-"), TOGETHER);
        assert_vouched_for(*state);
    }
}

static void test_exit_codes(void **state)
{
    const struct manifest_step shard = make_step("run", 143);

    assert_int_equal(manifest_exit_code(*state, "run"), -1);
    update(*state, "prepare", 0);
    update(*state, "runner", 9); /* another step, whose name begins alike */
    assert_int_equal(manifest_exit_code(*state, "run"), -1);
    update(*state, "run", 0);
    assert_int_equal(manifest_exit_code(*state, "run"), 0);
    assert_int_equal(manifest_update_shard(*state, &shard, 3, NULL), 0);
    assert_int_equal(manifest_exit_code(*state, "run"), 143);
    temp_file_write(*state, "manifest.json", "{", 1);
    assert_int_equal(manifest_exit_code(*state, "run"), -1);
}

#define MANIFEST_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

/* A step that did the same again is not told of. */
static void test_nothing_new_is_not_written(void **state)
{
    const char *folder = *state;
    struct manifest_step later = make_step("summarize", 0);
    size_t length;

    update(folder, "run", 0);
    update(folder, "summarize", 0);

    cleanup_free char *before = temp_file_read(folder, "manifest.json", &length);

    later.started += NS_PER_S;
    later.host = "another";
    assert_int_equal(manifest_update(folder, &later, NULL), 0);

    cleanup_free char *again = temp_file_read(folder, "manifest.json", &length);

    assert_string_equal(again, before);
    later.exit_code = 4;
    assert_int_equal(manifest_update(folder, &later, NULL), 0);
    assert_int_equal(count_text(folder, "\"another\""), 1);
    later.host = "a third";
    temp_file_write(folder, "a.json", "A\n", 2);
    assert_int_equal(manifest_update(folder, &later, NULL), 0);
    assert_int_equal(count_text(folder, "\"a third\""), 1);
}

static void expect_checked(const char *folder, const char *left_out, const char *says)
{
    cleanup_buf struct buf names = BUF_INIT(1000);
    struct error err = {0};
    const int result = manifest_check(folder, &names, &err);

    if (!says && result < 0)
        fail_msg("%s", err.text);
    if (!says) {
        assert_string_equal(buf_text(&names), left_out);
        return;
    }
    assert_int_equal(result, -1);
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, says))
        fail_msg("%s", err.text);
}

static void test_a_copy_is_checked(void **state)
{
    const char *folder = *state;
    cleanup_free char *a = file_join(folder, "a.json");
    cleanup_free char *c = file_join(folder, "c.json");
    size_t length;

    expect_checked(folder, NULL, "manifest.json");
    update(folder, "run", 0);
    expect_checked(folder, "", NULL);
    temp_file_write(folder, "c.json", "c", 1);
    expect_checked(folder, NULL, "c.json is not in the manifest");
    unlink(c);
    temp_file_write(folder, "a.json", "A\n", 2);
    expect_checked(folder, NULL, "a.json is not what the manifest says: 2 bytes");
    unlink(a);
    expect_checked(folder, "a.json", NULL);

    cleanup_free char *manifest = temp_file_read(folder, "manifest.json", &length);

    *strstr(manifest, "a.json") = 'x';
    temp_file_write(folder, "manifest.json", manifest, length);
    expect_checked(folder, NULL, "identity: is not that of the files that it lists");
    temp_file_write(folder, "manifest.json", "{\"schema\":\"roibench/manifest/v1\",\"identity\":\"\",\"files\":{\"a\":{\"sha256\":\"x\",\"size\":1}}}", 85);
    expect_checked(folder, NULL, "files.sha256: expected a file's name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MANIFEST_TEST(test_steps_and_files),
        MANIFEST_TEST(test_identity),
        MANIFEST_TEST(test_completing_adds_and_changes_nothing),
        MANIFEST_TEST(test_links_and_folders_are_no_content),
        MANIFEST_TEST(test_broken_manifests_are_named),
        MANIFEST_TEST(test_names_that_are_no_text),
        MANIFEST_TEST(test_first_start),
        MANIFEST_TEST(test_exit_codes),
        MANIFEST_TEST(test_nothing_new_is_not_written),
        MANIFEST_TEST(test_a_copy_is_checked),
        MANIFEST_TEST(test_a_shard_vouches_for_its_own_files),
        MANIFEST_TEST(test_shards_that_end_together_lose_no_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
