/* Disks that are full, folders that are not there, and what the header says. */
#include "record/record_writer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "record/gzip_members.h"
#include "record/record_reader.h"
#include "support/temp_folder.h"

static int make_folder(void **state)
{
    *state = temp_folder_make();
    return 0;
}

static int remove_folder(void **state)
{
    temp_folder_remove(*state);
    return 0;
}

/* A folder in which this one file lies on a device that is always full. */
static struct record_writer *open_with_full(const char *folder, const char *name)
{
    cleanup_free char *path = file_join(folder, name);

    assert_int_equal(symlink("/dev/full", path), 0);

    struct record_writer *writer = record_writer_open(folder, NO_SHARD, NULL);

    assert_non_null(writer);
    return writer;
}

static void assert_says_full(const struct error *err, const char *name)
{
    assert_int_equal(err->class, ERROR_INTERNAL);
    assert_non_null(strstr(err->text, name));
    assert_non_null(strstr(err->text, "No space left on device. Free some space"));
}

static void test_full_for_records(void **state)
{
    struct record_writer *writer = open_with_full(*state, "records.jsonl.gz");
    const struct record record = record_empty();
    struct error err = {0}, again = {0}, last = {0};

    assert_int_equal(record_writer_add(writer, &record, NULL, NULL, 0, &err), 0); /* still in the buffer */
    assert_int_equal(record_writer_flush(writer, &err), -1);
    assert_says_full(&err, "/records.jsonl.gz");
    assert_int_equal(record_writer_tick(writer, 1, 1, &again), -1);
    assert_string_equal(again.text, err.text);
    assert_int_equal(record_writer_add(writer, &record, NULL, NULL, 0, NULL), -1);
    assert_int_equal(record_writer_close(writer, &last), -1);
    assert_string_equal(last.text, err.text);
}

static void test_full_for_tokens_without_a_flush(void **state)
{
    struct record_writer *writer = open_with_full(*state, "tokens.bin.gz");
    const struct record record = record_empty();
    struct error err = {0};
    int64_t gaps[1000];
    int32_t n[1000];
    int result = 0;

    srandom(1);
    for (int k = 0; k < 1000; k++) {
        gaps[k] = random();
        n[k] = 1;
    }
    for (int k = 0; k < 1000 && result == 0; k++)
        result = record_writer_add(writer, &record, gaps, n, 1000, &err);
    assert_int_equal(result, -1);
    assert_says_full(&err, "/tokens.bin.gz");
    assert_int_equal(record_writer_close(writer, NULL), -1);
}

static void test_full_for_the_journal(void **state)
{
    struct record_writer *writer = open_with_full(*state, "journal.jsonl");
    json_t *line = json_pack("{s:{}}", "level_start");
    struct error err = {0};

    assert_int_equal(record_writer_journal(writer, line, &err), -1);
    assert_says_full(&err, "/journal.jsonl");
    assert_int_equal(record_writer_close(writer, NULL), -1);
    json_decref(line);
}

static void test_full_only_at_close(void **state)
{
    struct record_writer *writer = open_with_full(*state, "records.jsonl.gz");
    const struct record record = record_empty();
    struct error err = {0};

    assert_int_equal(record_writer_add(writer, &record, NULL, NULL, 0, NULL), 0);
    assert_int_equal(record_writer_close(writer, &err), -1);
    assert_says_full(&err, "/records.jsonl.gz");
}

static void test_a_limit_on_the_file_size(void **state)
{
    cleanup_free char *path = file_join(*state, "x.gz");
    struct gzip_stream *stream = gzip_stream_open(path, NULL);
    struct rlimit before, tiny;
    struct error err = {0};
    char block[5000];

    for (size_t k = 0; k < sizeof block; k++)
        block[k] = (char)random();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tiny = (struct rlimit){1000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(gzip_stream_write(stream, block, sizeof block, NULL), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);

    const int result = gzip_stream_flush(stream, &err);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -1);
    assert_non_null(strstr(err.text, "x.gz: File too large"));
    assert_int_equal(gzip_stream_close(stream, NULL), -1);
}

static void test_no_folder(void **state)
{
    cleanup_free char *missing = file_join(*state, "missing");
    struct error err = {0};

    assert_null(record_writer_open(missing, NO_SHARD, &err));
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, missing));
    assert_non_null(strstr(err.text, "No such file"));
}

/* Members are closed by each flush that has something to close, and only then. */
static void test_flush_closes_members(void **state)
{
    cleanup_free char *path = file_join(*state, "x.gz");
    struct gzip_stream *stream = gzip_stream_open(path, NULL);
    struct stat first, second;

    assert_int_equal(gzip_stream_flush(stream, NULL), 0);
    assert_int_equal(stat(path, &first), 0);
    assert_int_equal(first.st_size, 0);
    assert_int_equal(gzip_stream_write(stream, "abc", 3, NULL), 0);
    assert_int_equal(gzip_stream_flush(stream, NULL), 0);
    assert_int_equal(stat(path, &first), 0);
    assert_true(first.st_size > 20);
    assert_int_equal(gzip_stream_flush(stream, NULL), 0);
    assert_int_equal(gzip_stream_close(stream, NULL), 0);
    assert_int_equal(stat(path, &second), 0);
    assert_int_equal(second.st_size, first.st_size);
}

static off_t size_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* One member of so many bytes; how much the file grew by it. */
static off_t member_size(struct gzip_stream *stream, const char *path, const void *bytes, size_t length)
{
    const off_t before = size_of(path);
    assert_int_equal(gzip_stream_write(stream, bytes, length, NULL), 0);
    assert_int_equal(gzip_stream_flush(stream, NULL), 0);
    return size_of(path) - before;
}

/* What does not pack is stored; that it packs later is seen. Small members tell nothing. And all of it is read back. */
static void test_what_does_not_pack_is_stored(void **state)
{
    enum { LENGTH = 60000, SMALL = 100 };
    cleanup_free char *path = file_join(*state, "x.gz"), *noise = mem_alloc(LENGTH), *text = mem_alloc(LENGTH), *got = mem_alloc(LENGTH);
    struct gzip_stream *stream = gzip_stream_open(path, NULL);
    struct random random;
    random_seed(&random, 1);
    for (size_t k = 0; k < LENGTH; k++) {
        noise[k] = (char)random_u64(&random);
        text[k] = "some text "[k % 10];
    }
    assert_true(member_size(stream, path, text, LENGTH) < LENGTH / 10);
    for (int k = 0; k < 5; k++)
        assert_true(member_size(stream, path, noise, SMALL) >= SMALL);
    assert_true(member_size(stream, path, text, LENGTH) < LENGTH / 10);
    assert_true(member_size(stream, path, noise, LENGTH) >= LENGTH);
    int stored = 0;
    while (member_size(stream, path, text, LENGTH) > LENGTH)
        stored++;
    assert_int_equal(stored, 15);
    assert_true(member_size(stream, path, text, LENGTH) < LENGTH / 10);
    assert_int_equal(gzip_stream_close(stream, NULL), 0);
    struct gzip_source *source = gzip_source_open(path, NULL, NULL);
    assert_non_null(source);
    for (int member = 0; member < 1 + 5 + 1 + 1 + 15 + 2; member++) {
        const bool small = member >= 1 && member < 6, is_noise = small || member == 7;
        const size_t length = small ? SMALL : LENGTH;
        assert_int_equal(gzip_source_read(source, got, length, NULL), length);
        assert_memory_equal(got, is_noise ? noise : text, length);
    }
    assert_int_equal(gzip_source_read(source, got, 1, NULL), 0);
    assert_false(gzip_source_truncated(source));
    gzip_source_free(source);
}

#define WRITE_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

static int take_first_line(void *context, char *line, size_t length, size_t number, struct error *err)
{
    (void)number, (void)err;
    memcpy(context, line, length + 1);
    return 1;
}

static void expect_first_line(const char *folder, int shard, const struct record_header *header, const char *expected)
{
    struct record_writer *writer = record_writer_open(folder, shard, NULL);
    char name[RUN_FILE_NAME_SIZE], line[512] = "";

    assert_non_null(writer);
    assert_int_equal(record_writer_header(writer, header, NULL), 0);
    assert_int_equal(record_writer_close(writer, NULL), 0);

    cleanup_free char *path = file_join(folder, run_file_name(RUN_RECORDS, shard, name));

    assert_int_equal(record_read_lines(path, take_first_line, line, NULL, NULL), 1);
    assert_string_equal(line, expected);
}

static void test_header(void **state)
{
    const struct clock_check clock = {.offset_ns = -1500, .error_ns = 20, .synchronized = 1, .max_error_ns = 7};
    const struct clock_check unknown = {.error_ns = -1, .synchronized = -1, .max_error_ns = -1};
    struct record_header header = {.run_id = "r", .anchor_realtime_ns = NS_PER_S, .shards = 4};

    expect_first_line(*state, NO_SHARD, &header,
                      "{\"schema\":\"roibench/records/v1\",\"anchor\":\"1970-01-01T00:00:01.000000000Z\",\"run_id\":\"r\",\"levels\":[]}");
    header.clock = &clock;
    expect_first_line(*state, 3, &header,
                      "{\"schema\":\"roibench/records/v1\",\"anchor\":\"1970-01-01T00:00:01.000000000Z\",\"run_id\":\"r\",\"shard\":3,"
                      "\"shards\":4,\"clock\":{\"offset_ns\":-1500,\"error_ns\":20,\"synchronized\":true,\"max_error_ns\":7},"
                      "\"levels\":[]}");
    header.clock = &unknown;
    expect_first_line(*state, 0, &header,
                      "{\"schema\":\"roibench/records/v1\",\"anchor\":\"1970-01-01T00:00:01.000000000Z\",\"run_id\":\"r\",\"shard\":0,"
                      "\"shards\":4,\"clock\":{},\"levels\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITE_TEST(test_full_for_records),
        WRITE_TEST(test_full_for_tokens_without_a_flush),
        WRITE_TEST(test_full_for_the_journal),
        WRITE_TEST(test_full_only_at_close),
        WRITE_TEST(test_a_limit_on_the_file_size),
        WRITE_TEST(test_no_folder),
        WRITE_TEST(test_flush_closes_members),
        WRITE_TEST(test_what_does_not_pack_is_stored),
        WRITE_TEST(test_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
