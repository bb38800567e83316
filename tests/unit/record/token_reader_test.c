/* tokens.bin.gz: round trips, cuts and what no writer of ours would write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "record/record_reader.h"
#include "record/record_writer.h"
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

/* Gap and count of arrival k of request i: all lengths of varints occur. */
static int64_t gap_of(int64_t i, size_t k)
{
    return (INT64_C(1) << ((i + (int64_t)k) % 60)) - 1;
}

static int32_t n_of(int64_t i, size_t k)
{
    return (int32_t)((UINT32_C(1) << ((i + (int64_t)k) % 32)) - 1) & INT32_MAX;
}

static void write_tokens(const char *folder, int requests, size_t arrivals)
{
    struct record_writer *writer = record_writer_open(folder, NO_SHARD, NULL);
    cleanup_free int64_t *gaps = mem_calloc(arrivals + (size_t)requests, sizeof *gaps);
    cleanup_free int32_t *n = mem_calloc(arrivals + (size_t)requests, sizeof *n);

    for (int i = 0; i < requests; i++) {
        struct record record = record_empty();
        const size_t count = arrivals + (size_t)i;

        record.i = i;
        for (size_t k = 0; k < count; k++) {
            gaps[k] = gap_of(i, k);
            n[k] = n_of(i, k);
        }
        assert_int_equal(record_writer_add(writer, &record, gaps, n, count, NULL), 0);
        if (i % 2)
            assert_int_equal(record_writer_flush(writer, NULL), 0);
    }
    assert_int_equal(record_writer_close(writer, NULL), 0);
}

struct seen {
    size_t base, frames;
};

static int check_frame(void *context, const struct token_frame *frame, struct error *err)
{
    struct seen *seen = context;

    (void)err;
    assert_int_equal(frame->i, seen->frames);
    assert_int_equal(frame->arrivals, seen->base + seen->frames);
    for (size_t k = 0; k < frame->arrivals; k++) {
        assert_true(frame->gaps[k] == gap_of(frame->i, k));
        assert_true(frame->n[k] == n_of(frame->i, k));
    }
    seen->frames++;
    return 0;
}

static void test_frames_come_back(void **state)
{
    struct seen seen = {.base = 3};
    bool truncated;

    write_tokens(*state, 20, 3);
    assert_int_equal(record_read_tokens(*state, NO_SHARD, check_frame, &seen, &truncated, NULL), 0);
    assert_int_equal(seen.frames, 20);
    assert_false(truncated);
}

/* Frames that reach over many blocks. */
static void test_large_frames_come_back(void **state)
{
    struct seen seen = {.base = 300000};
    bool truncated;

    write_tokens(*state, 3, 300000);
    assert_int_equal(record_read_tokens(*state, NO_SHARD, check_frame, &seen, &truncated, NULL), 0);
    assert_int_equal(seen.frames, 3);
    assert_false(truncated);
}

static void test_killed_at_every_byte(void **state)
{
    size_t length, before = 0;

    write_tokens(*state, 8, 3);

    cleanup_free char *bytes = temp_file_read(*state, "tokens.bin.gz", &length);

    for (size_t cut = 0; cut < length; cut++) {
        struct seen seen = {.base = 3};
        struct error err = {0};
        bool truncated;

        temp_file_write(*state, "tokens.bin.gz", bytes, cut);
        if (record_read_tokens(*state, NO_SHARD, check_frame, &seen, &truncated, &err) < 0)
            fail_msg("cut at byte %zu: %s", cut, err.text);
        assert_true(seen.frames >= before);
        before = seen.frames;
    }
    assert_int_equal(before, 8); /* the last bytes are the checksum's */
}

static int count_frame(void *context, const struct token_frame *frame, struct error *err)
{
    (void)err;
    (void)frame;
    ++*(size_t *)context;
    return 0;
}

/* The same in the inflated bytes: a plain file is read as such. */
static void test_cut_inside_the_frames(void **state)
{
    static const unsigned char bytes[] = {5, '0', '.', '0', '.', '0', 2, 0x80, 1, 1, 3, 0x81, 1,
                                          5, '0', '.', '0', '.', '1', 1, 7, 0xff, 0x7f};
    const size_t first = 13;

    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        struct error err = {0};
        size_t frames = 0;
        bool truncated;

        temp_file_write(*state, "tokens.bin.gz", bytes, cut);
        if (record_read_tokens(*state, NO_SHARD, count_frame, &frames, &truncated, &err) < 0)
            fail_msg("cut at byte %zu: %s", cut, err.text);
        assert_int_equal(frames, (cut >= first) + (cut == sizeof bytes));
        assert_int_equal(truncated, cut != 0 && cut != first && cut != sizeof bytes);
    }
}

static const struct {
    const char *name;
    size_t length;
    const char *bytes, *says;
} hostile[] = {
    {"an endless varint", 12, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "an id longer than 47 bytes"},
    {"a huge id", 10, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "an id longer than 47 bytes"},
    {"an id of 48 bytes", 50, "\x30" "0.0.00000000000000000000000000000000000000000000\x01", "an id longer than 47 bytes"},
    {"no id", 2, "\0\0", "no <level>.<repeat>.<i>"},
    {"an id of letters", 5, "\x03" "abc\x01", "no <level>.<repeat>.<i>"},
    {"arrivals beyond the ceiling", 16, "\x05" "0.0.0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "16,777,216 arrivals"},
    {"one arrival too many", 10, "\x05" "0.0.0\x81\x80\x80\x08", "16,777,216 arrivals"},
    {"a gap beyond 64 bits", 18, "\x05" "0.0.0\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01", "no pair"},
    {"a gap of centuries", 18, "\x05" "0.0.0\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01", "no pair"},
    {"a count beyond 32 bits", 13, "\x05" "0.0.0\x01\x01\xff\xff\xff\xff\x08", "no pair"},
};

static void test_hostile_frames_are_named(void **state)
{
    for (size_t k = 0; k < sizeof hostile / sizeof *hostile; k++) {
        struct error err = {0};
        size_t frames = 0;

        temp_file_write(*state, "tokens.bin.gz", hostile[k].bytes, hostile[k].length);
        if (record_read_tokens(*state, NO_SHARD, count_frame, &frames, NULL, &err) != -1)
            fail_msg("accepted: %s", hostile[k].name);
        if (!strstr(err.text, hostile[k].says) || !strstr(err.text, "tokens.bin.gz is damaged at byte"))
            fail_msg("%s: got '%s'", hostile[k].name, err.text);
    }
}

/* 16 million arrivals claimed, three there: no memory for what was only claimed, and no error. */
static void test_a_claim_that_the_file_does_not_keep(void **state)
{
    static const char bytes[] = "\x05" "0.0.0\x80\x80\x80\x08\x01\x01\x01\x01\x01\x01";
    size_t frames = 0;
    bool truncated;

    temp_file_write(*state, "tokens.bin.gz", bytes, sizeof bytes - 1);
    assert_int_equal(record_read_tokens(*state, NO_SHARD, count_frame, &frames, &truncated, NULL), 0);
    assert_int_equal(frames, 0);
    assert_true(truncated);
}

static int stop_at_once(void *context, const struct token_frame *frame, struct error *err)
{
    (void)context;
    (void)frame;
    (void)err;
    return 5;
}

static void test_the_handler_can_stop(void **state)
{
    write_tokens(*state, 2, 1);
    assert_int_equal(record_read_tokens(*state, NO_SHARD, stop_at_once, NULL, NULL, NULL), 5);
}

static void test_no_file_and_no_arrivals(void **state)
{
    struct record_writer *writer;
    const struct record record = record_empty();
    size_t frames = 0;
    bool truncated = true;

    assert_int_equal(record_read_tokens(*state, NO_SHARD, count_frame, &frames, &truncated, NULL), 1);
    writer = record_writer_open(*state, NO_SHARD, NULL);
    assert_int_equal(record_writer_add(writer, &record, NULL, NULL, 0, NULL), 0);
    assert_int_equal(record_writer_close(writer, NULL), 0);
    assert_int_equal(record_read_tokens(*state, NO_SHARD, count_frame, &frames, &truncated, NULL), 0);
    assert_int_equal(frames, 0);
    assert_false(truncated);
}

static void test_too_many_arrivals_are_not_written(void **state)
{
    struct record_writer *writer = record_writer_open(*state, NO_SHARD, NULL);
    const struct record record = record_empty();
    struct error err = {0};

    assert_int_equal(record_writer_add(writer, &record, NULL, NULL, TOKEN_ARRIVALS_MAX + 1, &err), -1);
    assert_non_null(strstr(err.text, "16777217 arrivals"));
    assert_int_equal(record_writer_close(writer, NULL), 0);
}

#define TOKEN_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOKEN_TEST(test_frames_come_back),
        TOKEN_TEST(test_large_frames_come_back),
        TOKEN_TEST(test_killed_at_every_byte),
        TOKEN_TEST(test_cut_inside_the_frames),
        TOKEN_TEST(test_hostile_frames_are_named),
        TOKEN_TEST(test_a_claim_that_the_file_does_not_keep),
        TOKEN_TEST(test_the_handler_can_stop),
        TOKEN_TEST(test_no_file_and_no_arrivals),
        TOKEN_TEST(test_too_many_arrivals_are_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
