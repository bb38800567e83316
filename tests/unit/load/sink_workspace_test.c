/* What an engine hands to the workspace is in the run's files, as the readers see them. */
#include "load/sink_workspace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "record/record_reader.h"
#include "support/temp_folder.h"

#define ANCHOR (INT64_C(1795494411) * NS_PER_S + 123456789)

static const struct level LEVEL = {.index = 1, .kind = "poisson", .load = 2.5, .unit = LOAD_REQUESTS_PER_S};

static const struct level_end END = {
    .level = {.index = 1, .kind = "poisson", .load = 2.5, .unit = LOAD_REQUESTS_PER_S},
    .repeat = 3,
    .start = 1000,
    .end = 61000,
    .window_start = 2000,
    .window_end = 60000,
    .drawn = 10,
    .sent = 9,
    .lag = {.p50 = 10, .p99 = 20, .max = 30},
    .slip = {.p50 = 40, .p99 = 50, .max = 60},
    .stamp_delay = {.p50 = 70, .p99 = 80, .max = 90},
    .cpu = (const double[]){0.25, 0.5},
    .workers = 2,
    .switches = {12, 3},
    .pause_ns = 6,
    .record_stall_ns = 5,
    .connections_warmed = 8,
    .throttled_ns = 77,
    .reason = LEVEL_MAX_SECONDS,
};

struct bench {
    char *folder;
    struct record_writer *writer;
    struct sink_workspace workspace;
    int told;
};

static int make_bench(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    const struct record_header header = {.run_id = "r", .anchor_realtime_ns = ANCHOR};
    bench->folder = temp_folder_make();
    bench->writer = record_writer_open(bench->folder, NO_SHARD, NULL);
    assert_non_null(bench->writer);
    assert_int_equal(record_writer_header(bench->writer, &header, NULL), 0);
    sink_workspace_init(&bench->workspace, bench->writer);
    *state = bench;
    return 0;
}

static int remove_bench(void **state)
{
    struct bench *bench = *state;
    if (bench->writer)
        record_writer_close(bench->writer, NULL);
    temp_folder_remove(bench->folder);
    free(bench);
    return 0;
}

static void close_writer(struct bench *bench)
{
    assert_int_equal(record_writer_close(bench->writer, NULL), 0);
    bench->writer = NULL;
}

static struct record make_record(void)
{
    struct record record = record_empty();
    record.level = 1;
    record.repeat = 3;
    record.i = 42;
    record.intended = 1500;
    record.sent = 1600;
    record.first_token = 1700;
    record.last_token = 1900;
    record.end = 2000;
    record.status = 200;
    record.outcome = OUTCOME_OK;
    record.output_tokens = 5;
    record.arrivals = 2;
    record.chunk_tokens = CHUNK_TOKENS_EXACT;
    return record;
}

static void count_told(void *context, const struct level_end *end)
{
    struct bench *bench = context;
    assert_int_equal(end->drawn, END.drawn);
    bench->told++;
}

/* --- records and tokens ------------------------------------------------------------------------- */

static int check_frame(void *context, const struct token_frame *frame, struct error *err)
{
    (void)err;
    ++*(int *)context;
    assert_int_equal(frame->level, 1);
    assert_int_equal(frame->repeat, 3);
    assert_int_equal(frame->i, 42);
    assert_int_equal(frame->arrivals, 2);
    assert_int_equal(frame->gaps[0], 100);
    assert_int_equal(frame->gaps[1], 200);
    assert_int_equal(frame->n[0], 2);
    assert_int_equal(frame->n[1], 3);
    return 0;
}

static void test_records_come_back(void **state)
{
    struct bench *bench = *state;
    struct sink *sink = &bench->workspace.sink;
    const struct record record = make_record();
    struct record_file file;
    int frames = 0;

    bench->workspace.level_ended = count_told;
    bench->workspace.context = bench;
    assert_int_equal(sink->level_start(sink, &LEVEL, 3, 1000, 1200, NULL), 0);
    assert_int_equal(sink->add(sink, &record, (int64_t[]){100, 200}, (int32_t[]){2, 3}, 2, NULL), 0);
    assert_int_equal(bench->told, 0);
    assert_int_equal(sink->level_end(sink, &END, NULL), 0);
    assert_int_equal(bench->told, 1);
    close_writer(bench);
    assert_int_equal(record_file_read(bench->folder, &file, NULL), 0);
    assert_string_equal(file.run_id, "r");
    assert_true(file.anchor_realtime_ns == ANCHOR);
    assert_false(file.truncated);
    assert_int_equal(file.record_count, 1);
    assert_int_equal(file.records[0].i, 42);
    assert_int_equal(file.records[0].sent, 1600);
    assert_int_equal(file.records[0].output_tokens, 5);
    assert_int_equal(file.level_count, 1);
    assert_int_equal(file.levels[0].index, 1);
    assert_int_equal(file.levels[0].repeat, 3);
    assert_string_equal(file.levels[0].kind, "poisson");
    assert_string_equal(file.levels[0].unit, "req/s");
    assert_true(file.levels[0].load == 2.5);
    assert_true(file.levels[0].ended);
    assert_int_equal(file.levels[0].start, 1000);
    assert_int_equal(file.levels[0].end, 61000);
    assert_int_equal(file.levels[0].window_start, 2000);
    assert_int_equal(file.levels[0].window_end, 60000);
    record_file_free(&file);
    assert_int_equal(record_read_tokens(bench->folder, NO_SHARD, check_frame, &frames, NULL, NULL), 0);
    assert_int_equal(frames, 1);
}

/* What was flushed can be read while the run goes on: that is what kill -9 leaves. */
static void test_what_was_flushed_can_be_read(void **state)
{
    struct bench *bench = *state;
    struct sink *sink = &bench->workspace.sink;
    const struct record record = make_record();
    struct record_file file;

    assert_int_equal(sink->add(sink, &record, (int64_t[]){100, 200}, (int32_t[]){2, 3}, 2, NULL), 0);
    assert_int_equal(sink->flush(sink, NULL), 0);
    assert_int_equal(record_file_read(bench->folder, &file, NULL), 0);
    assert_int_equal(file.record_count, 1);
    assert_false(file.levels[0].ended);
    record_file_free(&file);
}

/* --- the journal ----------------------------------------------------------------------------------- */

/* One line of the journal after the other, as compact text with sorted keys. */
static int take_line(void *context, const json_t *line, struct error *err)
{
    struct buf *lines = context;
    (void)err;
    cleanup_free char *text = json_dumps(line, JSON_COMPACT | JSON_SORT_KEYS);
    buf_append_text(lines, text);
    buf_append_char(lines, '\n');
    return 0;
}

static void assert_journal(struct bench *bench, const char *expected)
{
    cleanup_buf struct buf lines = BUF_INIT(1 << 20);
    bool truncated = true;
    assert_int_equal(record_read_journal(bench->folder, NO_SHARD, take_line, &lines, &truncated, NULL), 0);
    assert_false(truncated);
    assert_string_equal(buf_text(&lines), expected);
}

static void test_the_journal_tells_the_levels_and_ticks(void **state)
{
    struct bench *bench = *state;
    struct sink *sink = &bench->workspace.sink;

    assert_int_equal(sink->level_start(sink, &LEVEL, 3, 1000, 1200, NULL), 0);
    assert_int_equal(sink->tick(sink, 100001000, 12, NULL), 0);
    assert_int_equal(sink->tick(sink, 200001000, 7, NULL), 0);
    assert_int_equal(sink->level_end(sink, &END, NULL), 0);
    assert_journal(bench,
                   "{\"level_start\":{\"index\":1,\"kind\":\"poisson\",\"load\":2.5,\"measure_start\":1200,\"repeat\":3,\"start\":1000,\"unit\":\"req/s\"}}\n"
                   "{\"tick\":{\"t\":100001000,\"tokens\":12}}\n"
                   "{\"tick\":{\"t\":200001000,\"tokens\":7}}\n"
                   "{\"level_end\":{\"connections_warmed\":8,\"context_switches\":{\"involuntary\":3,\"voluntary\":12},\"cpu\":[0.25,0.5],\"drawn\":10,\"end\":61000,\"index\":1,\"kind\":\"poisson\","
                   "\"lag_ns\":{\"max\":30,\"p50\":10,\"p99\":20},\"load\":2.5,\"pause_ns\":6,\"reason\":\"max_seconds\",\"record_stall_ns\":5,\"repeat\":3,\"sent\":9,"
                   "\"slip_ns\":{\"max\":60,\"p50\":40,\"p99\":50},\"stamp_delay_ns\":{\"max\":90,\"p50\":70,\"p99\":80},\"start\":1000,\"throttled_ns\":77,\"unit\":\"req/s\"}}\n");
}

/* What is not known is null, not 0. */
static void test_the_journal_tells_what_is_unknown(void **state)
{
    struct bench *bench = *state;
    struct sink *sink = &bench->workspace.sink;
    struct level_end end = END;

    end.lag = end.slip = end.stamp_delay = (struct lag_summary){.p50 = -1, .p99 = -1, .max = -1};
    end.cpu = (const double[]){NAN};
    end.workers = 1;
    end.switches = (struct context_switches){-1, -1};
    end.throttled_ns = -1;
    end.reason = LEVEL_TARGET_REFUSES;
    assert_int_equal(sink->level_end(sink, &end, NULL), 0);
    assert_journal(bench,
                   "{\"level_end\":{\"connections_warmed\":8,\"context_switches\":{\"involuntary\":null,\"voluntary\":null},\"cpu\":[null],\"drawn\":10,\"end\":61000,\"index\":1,\"kind\":\"poisson\","
                   "\"lag_ns\":{\"max\":null,\"p50\":null,\"p99\":null},\"load\":2.5,\"pause_ns\":6,\"reason\":\"target_refuses\",\"record_stall_ns\":5,\"repeat\":3,\"sent\":9,"
                   "\"slip_ns\":{\"max\":null,\"p50\":null,\"p99\":null},\"stamp_delay_ns\":{\"max\":null,\"p50\":null,\"p99\":null},\"start\":1000,\"throttled_ns\":null,\"unit\":\"req/s\"}}\n");
}

/* --- a full disk -------------------------------------------------------------------------------------- */

static void test_a_full_disk_comes_back_from_every_call(void **state)
{
    struct bench *bench = *state;
    struct sink *sink = &bench->workspace.sink;
    cleanup_free char *path = file_join(bench->folder, "journal.jsonl");
    struct error err = {.class = ERROR_NONE};

    record_writer_close(bench->writer, NULL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/full", path), 0);
    bench->writer = bench->workspace.writer = record_writer_open(bench->folder, NO_SHARD, NULL);
    assert_int_equal(sink->level_start(sink, &LEVEL, 0, 1000, 1000, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, path));
    bench->workspace.level_ended = count_told;
    bench->workspace.context = bench;
    assert_int_equal(sink->level_end(sink, &END, NULL), -1);
    assert_int_equal(bench->told, 0); /* nobody is told of what was not written */
    assert_int_equal(sink->tick(sink, 1, 1, NULL), -1);
    assert_int_equal(sink->flush(sink, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records_come_back, make_bench, remove_bench),
        cmocka_unit_test_setup_teardown(test_what_was_flushed_can_be_read, make_bench, remove_bench),
        cmocka_unit_test_setup_teardown(test_the_journal_tells_the_levels_and_ticks, make_bench, remove_bench),
        cmocka_unit_test_setup_teardown(test_the_journal_tells_what_is_unknown, make_bench, remove_bench),
        cmocka_unit_test_setup_teardown(test_a_full_disk_comes_back_from_every_call, make_bench, remove_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
