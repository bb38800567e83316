/* What the writer wrote comes back: whole, cut off anywhere, and damaged. */
#include "record/record_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "record/record_writer.h"
#include "support/temp_folder.h"

static const struct level_header levels[] = {{0, "concurrent", 1, "streams"}, {1, "concurrent", 2.5, "streams"}};

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

static struct record make_record(int level, int repeat, int64_t i)
{
    struct record record = record_empty();

    record.level = level;
    record.repeat = repeat;
    record.i = i;
    record.sent = 1000 * i;
    record.end = 1000 * i + 500;
    record.outcome = OUTCOME_OK;
    return record;
}

/* A header, two levels of `per_level` requests, each in a member of its own; the last level without an end. */
static void write_run(const char *folder, int per_level)
{
    struct record_writer *writer = record_writer_open(folder, NO_SHARD, NULL);
    const struct record_header header = {
        .run_id = "m-1", .anchor_realtime_ns = INT64_C(1790000000123456789), .levels = levels, .level_count = 2, .pair_id = "m-1+m-2"};

    assert_non_null(writer);
    assert_int_equal(record_writer_header(writer, &header, NULL), 0);
    for (int level = 0; level < 2; level++) {
        for (int i = 0; i < per_level; i++) {
            const struct record record = make_record(level, 0, i);
            const int64_t gaps[] = {1000000, 20000000 + i, 0};
            const int32_t n[] = {1, 300, 2};

            assert_int_equal(record_writer_add(writer, &record, gaps, n, 3, NULL), 0);
        }
        if (level == 0)
            assert_int_equal(record_writer_level_end(writer, &levels[0], 0, 10, 9000, 20, 8000, NULL), 0);
        assert_int_equal(record_writer_flush(writer, NULL), 0);
    }
    assert_int_equal(record_writer_close(writer, NULL), 0);
}

static void test_a_run_comes_back(void **state)
{
    struct record_file file;
    struct error err = {0};

    write_run(*state, 5);
    if (record_file_read(*state, &file, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(file.run_id, "m-1");
    assert_string_equal(file.pair_id, "m-1+m-2");
    assert_true(file.anchor_realtime_ns == INT64_C(1790000000123456789));
    assert_false(file.truncated);
    assert_int_equal(file.record_count, 10);
    assert_int_equal(file.records[7].level, 1);
    assert_int_equal(file.records[7].i, 2);
    assert_int_equal(file.level_count, 2);
    assert_true(file.levels[0].ended);
    assert_int_equal(file.levels[0].window_start, 20);
    assert_int_equal(file.levels[0].window_end, 8000);
    assert_string_equal(file.levels[1].kind, "concurrent");
    assert_string_equal(file.levels[1].unit, "streams");
    assert_true(file.levels[1].load == 2.5);
    assert_false(file.levels[1].ended);
    assert_int_equal(file.levels[1].start, 0);
    assert_int_equal(file.levels[1].end, 4500);
    record_file_free(&file);
}

/* The bytes of the file up to which the first `members` members reach. */
static size_t members_length(const unsigned char *bytes, size_t length, int members)
{
    for (size_t k = 1; k + 3 < length; k++) {
        if (bytes[k] == 0x1f && bytes[k + 1] == 0x8b && bytes[k + 2] == 8 && bytes[k + 3] == 0 && --members == 0)
            return k;
    }
    return length;
}

static void test_killed_at_every_byte(void **state)
{
    size_t length;

    write_run(*state, 5);

    cleanup_free char *bytes = temp_file_read(*state, "records.jsonl.gz", &length);
    const size_t first = members_length((unsigned char *)bytes, length, 1);

    assert_true(first > 100 && first < length - 50);
    for (size_t cut = 0; cut < length; cut++) {
        struct record_file file;
        struct error err = {0};

        temp_file_write(*state, "records.jsonl.gz", bytes, cut);
        if (record_file_read(*state, &file, &err) < 0)
            fail_msg("cut at byte %zu: %s", cut, err.text);
        if (cut != first)
            assert_true(file.truncated);
        if (cut >= first) {
            assert_true(file.record_count >= 5);
            assert_true(file.levels[0].ended);
        }
        for (size_t k = 0; k < file.record_count; k++)
            assert_int_equal(file.records[k].end - file.records[k].sent, 500);
        record_file_free(&file);
    }
}

static void test_zeros_at_the_end_are_a_cut(void **state)
{
    struct record_file file;
    size_t length;

    write_run(*state, 2);

    cleanup_free char *bytes = temp_file_read(*state, "records.jsonl.gz", &length);
    cleanup_free char *longer = mem_alloc(length + 600000);

    memcpy(longer, bytes, length);
    temp_file_write(*state, "records.jsonl.gz", longer, length + 600000);
    assert_int_equal(record_file_read(*state, &file, NULL), 0);
    assert_int_equal(file.record_count, 4);
    assert_true(file.truncated);
    record_file_free(&file);
}

static void test_damage_names_file_and_byte(void **state)
{
    struct record_file file;
    struct error err = {0};
    size_t length;

    write_run(*state, 2);

    cleanup_free char *bytes = temp_file_read(*state, "records.jsonl.gz", &length);
    const size_t first = members_length((unsigned char *)bytes, length, 1);

    memcpy(bytes + first, "xxxx", 4);
    temp_file_write(*state, "records.jsonl.gz", bytes, length);
    assert_int_equal(record_file_read(*state, &file, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_non_null(strstr(err.text, "records.jsonl.gz is damaged at byte"));
    assert_null(file.records);
}

#define HEADER "{\"schema\":\"roibench/records/v1\",\"anchor\":\"2026-11-24T04:06:51.5Z\",\"run_id\":\"r\",\"levels\":[]}\n"
#define RECORD(i, rest) "{\"level\":0,\"repeat\":0,\"i\":" #i ",\"outcome\":\"ok\"" rest "}\n"

static const struct {
    const char *content, *says;
} broken[] = {
    {HEADER RECORD(0, "") "{\"level\":0\n" RECORD(1, ""), "records.jsonl.gz: line 3: expected ',' or '}'"},
    {HEADER RECORD(0, "") "\n" RECORD(1, ""), "line 3: expected an object"},
    {"{\"schema\":\"roibench/records/v2\"}\n", "newer"},
    {"{\"schema\":\"roibench/plan/v1\"}\n", "expected \"roibench/records/v1\""},
    {"{\"schema\":\"roibench/records/v1\",\"anchor\":\"today\",\"run_id\":\"r\",\"levels\":[]}\n", "anchor: expected an RFC 3339 date"},
    {"{\"schema\":\"roibench/records/v1\",\"anchor\":\"2026-11-24T04:06:51Z\",\"run_id\":\"r\",\"levels\":[{\"index\":-1}]}\n",
     "levels[0].index: expected a number from 0"},
    {"{\"schema\":\"roibench/records/v1\",\"anchor\":\"2026-11-24T04:06:51Z\",\"run_id\":\"r\",\"levels\":[{\"index\":0,"
     "\"kind\":\"a-very-long-kind-indeed\"}]}\n", "levels[0].kind: longer than 15 bytes"},
    {"{\"schema\":\"roibench/records/v1\",\"anchor\":\"2026-11-24T04:06:51Z\",\"run_id\":\"r\",\"levels\":[7]}\n", "levels[0]"},
    {HEADER "{\"level_end\":{\"index\":0,\"repeat\":-3}}\n", "level_end.repeat: expected a number from 0"},
    {HEADER "{\"level_end\":{\"index\":0,\"repeat\":0,\"end\":9223372036854775807}}\n", "level_end.end: a time beyond 70 years"},
    {HEADER "{\"level_end\":7}\n", "level_end"},
    {HEADER "{\"level_end\":\n", "line 2"},
};

static void test_broken_lines_name_file_and_line(void **state)
{
    for (size_t k = 0; k < sizeof broken / sizeof *broken; k++) {
        struct record_file file;
        struct error err = {0};

        temp_file_write(*state, "records.jsonl.gz", broken[k].content, strlen(broken[k].content));
        if (record_file_read(*state, &file, &err) == 0)
            fail_msg("accepted: %s", broken[k].content);
        if (!strstr(err.text, broken[k].says))
            fail_msg("got '%s', expected '%s'", err.text, broken[k].says);
    }
}

static void test_levels_nobody_announced(void **state)
{
    static const char content[] = HEADER "{\"level\":2,\"repeat\":1,\"i\":0,\"outcome\":\"ok\",\"sent\":100,\"end\":900}\n"
                                         "{\"level\":2,\"repeat\":0,\"i\":0,\"outcome\":\"incomplete\",\"intended\":50}\n"
                                         "{\"level\":0,\"repeat\":0,\"i\":0,\"outcome\":\"ok\",\"sent\":7,\"end\":8}\n"
                                         "{\"level_end\":{\"index\":0,\"repeat\":0,\"kind\":\"poisson\",\"load\":0.25,"
                                         "\"unit\":\"req/s\",\"start\":1,\"end\":9,\"window_start\":2,\"window_end\":8}}\n";
    struct record_file file;

    temp_file_write(*state, "records.jsonl.gz", content, strlen(content));
    assert_int_equal(record_file_read(*state, &file, NULL), 0);
    assert_int_equal(file.level_count, 3);
    assert_string_equal(file.levels[0].kind, "poisson");
    assert_string_equal(file.levels[0].unit, "req/s");
    assert_true(file.levels[0].load == 0.25);
    assert_int_equal(file.levels[0].start, 1);
    assert_int_equal(file.levels[1].index, 2);
    assert_int_equal(file.levels[1].repeat, 0);
    assert_int_equal(file.levels[1].start, 50);
    assert_int_equal(file.levels[2].repeat, 1);
    assert_int_equal(file.levels[2].window_start, 100);
    assert_int_equal(file.levels[2].window_end, 900);
    assert_string_equal(file.levels[2].kind, "");
    record_file_free(&file);
}

static void test_a_second_header_moves_times(void **state)
{
    static const char content[] =
        HEADER RECORD(0, ",\"sent\":100")
        "{\"schema\":\"roibench/records/v1\",\"anchor\":\"2026-11-24T04:06:53.5Z\",\"run_id\":\"r\",\"levels\":[]}\n"
        RECORD(1, ",\"sent\":100");
    struct record_file file;

    temp_file_write(*state, "records.jsonl.gz", content, strlen(content));
    assert_int_equal(record_file_read(*state, &file, NULL), 0);
    assert_int_equal(file.records[0].sent, 100);
    assert_int_equal(file.records[1].sent, 2 * NS_PER_S + 100);
    assert_int_equal(file.records[1].end, TIME_NEVER);
    record_file_free(&file);
}

static void test_no_file(void **state)
{
    struct record_file file;
    struct error err = {0};

    assert_int_equal(record_file_read(*state, &file, &err), -1);
    assert_non_null(strstr(err.text, "records.jsonl.gz"));
    assert_int_equal(record_read_metrics(*state, NO_SHARD, NULL, NULL, NULL, &err), 1);
    assert_int_equal(record_read_journal(*state, NO_SHARD, NULL, NULL, NULL, &err), 1);
}

static void test_an_empty_file_is_a_run_cut_off(void **state)
{
    struct record_file file;

    temp_file_write(*state, "records.jsonl.gz", "", 0);
    assert_int_equal(record_file_read(*state, &file, NULL), 0);
    assert_true(file.truncated);
    assert_int_equal(file.record_count, 0);
    record_file_free(&file);
}

/* ---- lines ---- */

static int count_line(void *context, char *line, size_t length, size_t number, struct error *err)
{
    size_t *count = context;

    (void)err;
    assert_int_equal(strlen(line), length);
    assert_int_equal(number, ++*count);
    return number == 4 ? 17 : 0;
}

static void test_lines(void **state)
{
    cleanup_free char *path = mem_printf("%s/lines", (char *)*state);
    size_t count = 0;
    bool truncated;

    temp_file_write(*state, "lines", "a\n\nccc\nd", 8);
    assert_int_equal(record_read_lines(path, count_line, &count, &truncated, NULL), 0);
    assert_int_equal(count, 3);
    assert_true(truncated);
    temp_file_write(*state, "lines", "a\n\nccc\nd\ne\n", 11);
    count = 0;
    assert_int_equal(record_read_lines(path, count_line, &count, &truncated, NULL), 17);
    assert_int_equal(count, 4);
}

static void test_a_line_beyond_the_ceiling(void **state)
{
    cleanup_free char *path = mem_printf("%s/lines.gz", (char *)*state);
    struct gzip_stream *stream = gzip_stream_open(path, NULL);
    cleanup_free char *block = mem_alloc(1 << 20);
    struct error err = {0};
    size_t count = 0;

    memset(block, 'x', 1 << 20);
    assert_int_equal(gzip_stream_write(stream, "a\n", 2, NULL), 0);
    for (int k = 0; k < 18; k++)
        assert_int_equal(gzip_stream_write(stream, block, 1 << 20, NULL), 0);
    assert_int_equal(gzip_stream_close(stream, NULL), 0);
    assert_int_equal(record_read_lines(path, count_line, &count, NULL, &err), -1);
    assert_non_null(strstr(err.text, "line 2 is longer than 16 MB"));
}

/* ---- metrics and journal ---- */

static int sum_metrics(void *context, const struct metrics_line *line, struct error *err)
{
    int64_t *sum = context;

    (void)err;
    *sum += line->t + line->took + (line->extra ? 5000 : 0) + (int64_t)line->target * 10000 + json_integer_value(json_object_get(line->series, "a{b=\"c\"}"));
    return 0;
}

static void test_metrics(void **state)
{
    static const char content[] = "{\"t\":1000,\"took\":200,\"series\":{\"a{b=\\\"c\\\"}\":30}}\n{\"t\":1,\"took\":0,\"target\":2,\"extra\":true,\"series\":{}}\n{\"t\":";
    int64_t sum = 0;
    bool truncated;
    struct error err = {0};

    temp_file_write(*state, "metrics.jsonl.gz", content, strlen(content));
    assert_int_equal(record_read_metrics(*state, NO_SHARD, sum_metrics, &sum, &truncated, NULL), 0);
    assert_int_equal(sum, 26231);
    assert_true(truncated);
    temp_file_write(*state, "metrics.jsonl.gz", "{\"t\":1,\"took\":0,\"target\":64,\"series\":{}}\n", 41);
    assert_int_equal(record_read_metrics(*state, NO_SHARD, sum_metrics, &sum, &truncated, &err), -1);
    assert_non_null(strstr(err.text, "beyond the 64 there may be"));
    temp_file_write(*state, "metrics.jsonl.gz", "{\"t\":1.5,\"took\":0,\"series\":{}}\n", 32);
    assert_int_equal(record_read_metrics(*state, NO_SHARD, sum_metrics, &sum, &truncated, &err), -1);
    assert_non_null(strstr(err.text, "metrics.jsonl.gz: line 1: expected integers"));
    temp_file_write(*state, "metrics.jsonl.gz", "[1]\n", 4);
    assert_int_equal(record_read_metrics(*state, NO_SHARD, sum_metrics, &sum, &truncated, &err), -1);
    assert_non_null(strstr(err.text, "line 1: expected a JSON object"));
    temp_file_write(*state, "metrics.jsonl.gz", "{nonsense\n", 10);
    assert_int_equal(record_read_metrics(*state, NO_SHARD, sum_metrics, &sum, &truncated, &err), -1);
    assert_non_null(strstr(err.text, "line 1: no JSON"));
}

static int collect_journal(void *context, const json_t *line, struct error *err)
{
    const char *key = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)line));

    (void)err;
    buf_printf(context, "%s ", key);
    return 0;
}

static void test_journal_keeps_the_order(void **state)
{
    struct record_writer *writer = record_writer_open(*state, NO_SHARD, NULL);
    json_t *line = json_pack("{s:{s:i}}", "level_start", "index", 0);
    cleanup_buf struct buf keys = BUF_INIT(1000);
    bool truncated;

    assert_int_equal(record_writer_tick(writer, 100, 7, NULL), 0);
    assert_int_equal(record_writer_journal(writer, line, NULL), 0);
    json_decref(line);
    /* Written through: it can be read while the writer is still open. */
    assert_int_equal(record_read_journal(*state, NO_SHARD, collect_journal, &keys, &truncated, NULL), 0);
    assert_string_equal(buf_text(&keys), "tick level_start ");
    assert_int_equal(record_writer_tick(writer, 200, 8, NULL), 0);
    assert_int_equal(record_writer_flush(writer, NULL), 0);
    buf_reset(&keys);
    assert_int_equal(record_read_journal(*state, NO_SHARD, collect_journal, &keys, &truncated, NULL), 0);
    assert_string_equal(buf_text(&keys), "tick level_start tick ");
    assert_false(truncated);
    assert_int_equal(record_writer_close(writer, NULL), 0);
}

#define READ_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        READ_TEST(test_a_run_comes_back),
        READ_TEST(test_killed_at_every_byte),
        READ_TEST(test_zeros_at_the_end_are_a_cut),
        READ_TEST(test_damage_names_file_and_byte),
        READ_TEST(test_broken_lines_name_file_and_line),
        READ_TEST(test_levels_nobody_announced),
        READ_TEST(test_a_second_header_moves_times),
        READ_TEST(test_no_file),
        READ_TEST(test_an_empty_file_is_a_run_cut_off),
        READ_TEST(test_lines),
        READ_TEST(test_a_line_beyond_the_ceiling),
        READ_TEST(test_metrics),
        READ_TEST(test_journal_keeps_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
