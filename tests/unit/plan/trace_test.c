/* Traces of others, in the forms that they come in, and our own file beside the plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "plan/trace.h"
#include "support/mutate.h"
#include "support/temp_folder.h"

static char *folder;
static const struct trace_settings plain = {.speed = 1};

static int setup(void **state)
{
    (void)state;
    folder = temp_folder_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_folder_remove(folder);
    return 0;
}

static int import(const char *text, enum trace_unit unit, double speed, struct trace *trace, struct error *err)
{
    char *path = file_join(folder, "trace");
    temp_file_write(folder, "trace", text, strlen(text));
    int status = trace_import(path, &(struct trace_settings){.unit = unit, .speed = speed}, trace, err);
    free(path);
    return status;
}

static void assert_ms(const char *text, enum trace_unit unit, double speed, const int64_t *ms, size_t count)
{
    struct trace trace;
    struct error err = {0};
    if (import(text, unit, speed, &trace, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(trace.count, count);
    for (size_t k = 0; k < count; k++)
        assert_int_equal(trace.ns[k], ms[k] * NS_PER_MS);
    trace_free(&trace);
}

#define MS(...) (const int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

/* A line as kvcache-ai/Mooncake publishes them. */
#define MOONCAKE(ms) "{\"timestamp\": " #ms ", \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1, 2, 3]}\n"

static void test_the_forms_of_traces(void **state)
{
    (void)state;
    assert_ms(MOONCAKE(0) MOONCAKE(3052) MOONCAKE(3052) MOONCAKE(9155), TRACE_UNIT_USUAL, 1, MS(0, 3052, 3052, 9155));
    assert_ms("{\"timestamp\":1.5}\n\n{\"timestamp\":\"2.5\"}", TRACE_UNIT_S, 1, MS(0, 1000));
    assert_ms("Timestamp,Model,Request tokens\n5,ChatGPT,472\n45,ChatGPT,1087\n45.5,\"a\nb\",1\n", TRACE_UNIT_USUAL, 1, MS(0, 40000, 40500));
    assert_ms("x,timestamp\n1,5\n2,45\n", TRACE_UNIT_MS, 1, MS(0, 40));
    assert_ms("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0299600,3180,8\n",
              TRACE_UNIT_USUAL, 1, MS(0, 50));
    assert_ms("TIMESTAMP\n2024-05-10 00:00:00.009930+00:00\n2024-05-10 01:00:01.009930+01:00\n", TRACE_UNIT_USUAL, 1, MS(0, 1000));
    assert_ms("\r\n" MOONCAKE(1) MOONCAKE(2) "\r\n", TRACE_UNIT_USUAL, 1, MS(0, 1));
    assert_ms("\xef\xbb\xbf" MOONCAKE(1) MOONCAKE(2), TRACE_UNIT_USUAL, 1, MS(0, 1));
    assert_ms("\xef\xbb\xbftimestamp\n1\n2\n", TRACE_UNIT_USUAL, 1, MS(0, 1000));
    assert_ms("[{\"timestamp\": 7},\n {\"Timestamp\": 9}]", TRACE_UNIT_USUAL, 1, MS(0, 2));
}

/* Clocks of epochs are exact to the nanosecond, too. */
static void test_order_speed_and_large_numbers(void **state)
{
    (void)state;
    assert_ms("timestamp\n30\n10\n20\n", TRACE_UNIT_USUAL, 1, MS(0, 10000, 20000));
    assert_ms("timestamp\n30\n10\n20\n", TRACE_UNIT_USUAL, 4, MS(0, 2500, 5000));
    assert_ms("timestamp\n30\n10\n20\n", TRACE_UNIT_USUAL, 0.5, MS(0, 20000, 40000));
    assert_ms("{\"timestamp\":1700000000123}\n{\"timestamp\":1700000000124}\n", TRACE_UNIT_USUAL, 1, MS(0, 1));
    assert_ms("timestamp\n-5\n-4\n", TRACE_UNIT_USUAL, 1, MS(0, 1000));
}

static void assert_refused(const char *text, const char *expected)
{
    struct trace trace;
    struct error err = {0};
    if (import(text, TRACE_UNIT_USUAL, 1, &trace, &err) == 0)
        fail_msg("'%s' was taken", text);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_null(trace.ns);
    if (!strstr(err.text, "/trace") || !strstr(err.text, expected))
        fail_msg("'%s' does not say '%s'", err.text, expected);
}

static void test_what_is_no_trace_is_said_with_its_line(void **state)
{
    (void)state;
    assert_refused("", "is empty");
    assert_refused("timestamp\n", "has 0 timestamps");
    assert_refused(MOONCAKE(0), "has 1 timestamp: two are needed");
    assert_refused(MOONCAKE(5) MOONCAKE(5), "lasts 0 s");
    assert_refused(MOONCAKE(0) MOONCAKE(1000000001000), "lasts 1e+09 s");
    assert_refused(MOONCAKE(0) "{\"timestamp\":\"soon\"}\n", "trace: line 2, column 1: 'soon' is no timestamp: expected a number of milliseconds, or a date");
    assert_refused(MOONCAKE(0) "{\"time\":3}\n", "trace: line 2, column 1: expected a member or column timestamp; the row has: time");
    assert_refused(MOONCAKE(0) "{\"timestamp\":null}\n", "trace: line 2, ");
    assert_refused(MOONCAKE(0) "{\"timestamp\":[1]}\n", "trace: line 2, ");
    assert_refused(MOONCAKE(0) "{\"timestamp\":1e300}\n", "trace: line 2, ");
    assert_refused(MOONCAKE(0) "{\"timestamp\":9223372036854775807}\n", "trace: line 2, ");
    assert_refused(MOONCAKE(0) "{\"timestamp\":\n", "trace: line 2, ");
    assert_refused("time,model\n1,2\n", "line 1: expected a member or column timestamp; the row has: time, model (read as CSV)");
    assert_refused("timestamp,model\n1,2\nx,3\n", "trace: line 3, column 1: 'x' is no timestamp: expected a number of seconds, or a date");
    assert_refused("model,timestamp\na,1\nb\n", "trace: line 3, column 1: expected 2 fields as in the first line, found 1");
    assert_refused("timestamp\n2023-13-16 18:17:03\n2023-11-16 18:17:03\n", "trace: line 2, column 1: '2023-13-16");
    assert_refused("timestamp\n2023-11-16 18:17:03.0000000000000000000000000000000000000000000000000000000000000\n", "trace: line 2, ");
    assert_refused("timestamp\n\"1\n", "quote");
}

static void test_files_that_are_none(void **state)
{
    (void)state;
    struct trace trace;
    struct error err;
    char *path = file_join(folder, "trace");
    temp_file_write(folder, "trace", "timestamp\n1\n\0002\n", 14);
    assert_int_equal(trace_import(path, &plain, &trace, &err), -1);
    assert_non_null(strstr(err.text, "NUL"));
    free(path);
    assert_int_equal(trace_import("/nowhere/at/all", &plain, &trace, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
}

/* A file of 1 GB is read by blocks, so rows may be of any number; gzip is read as it is, and one that was cut off is no whole trace. */
static void test_gzip(void **state)
{
    (void)state;
    /* printf '{"timestamp":1}\n{"timestamp":3}\n' | gzip -n */
    static const unsigned char packed[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xab, 0x56, 0x2a, 0xc9, 0xcc, 0x4d,
                                           0x2d, 0x2e, 0x49, 0xcc, 0x2d, 0x50, 0xb2, 0x32, 0xac, 0xe5, 0xaa, 0x46, 0xe6, 0x1b, 0xd7, 0x72,
                                           0x01, 0x00, 0xeb, 0x1d, 0xa9, 0xf2, 0x20, 0x00, 0x00, 0x00};
    struct trace trace;
    struct error err = {0};
    char *path = file_join(folder, "trace");
    temp_file_write(folder, "trace", (const char *)packed, sizeof packed);
    assert_int_equal(trace_import(path, &plain, &trace, &err), 0);
    assert_int_equal(trace.ns[1], 2 * NS_PER_MS);
    trace_free(&trace);
    temp_file_write(folder, "trace", (const char *)packed, sizeof packed - 9);
    assert_int_equal(trace_import(path, &plain, &trace, &err), -1);
    assert_non_null(strstr(err.text, "the file is cut off"));
    free(path);
}

static void test_bad_rows_are_left_out_where_that_is_asked_for(void **state)
{
    (void)state;
    static const char text[] = MOONCAKE(5) "{\"timestamp\":\n" MOONCAKE(9) "{\"timestamp\":\"soon\"}\n{\"time\":3}\n";
    const struct trace_settings skipping = {.speed = 1, .skip_bad = true};
    struct trace trace;
    struct error err = {0};
    char *path = file_join(folder, "trace");
    temp_file_write(folder, "trace", text, strlen(text));
    assert_int_equal(trace_import(path, &skipping, &trace, &err), 0);
    assert_int_equal(trace.count, 2);
    assert_int_equal(trace.left_out, 3);
    trace_free(&trace);
    free(path);
}

/* Whatever a file holds: a trace in order, or a sentence that names it. */
static void test_hostile_files(void **state)
{
    (void)state;
    static const char *const examples[] = {
        MOONCAKE(0) MOONCAKE(3052) MOONCAKE(9155),
        "Timestamp,Model\n5,\"a\nb\"\n45,x\n46.5,y\n",
        "TIMESTAMP,ContextTokens\n2023-11-16 18:17:03.9799600,4808\n2023-11-16 18:17:04.0299600,3180\n",
    };
    struct random random;
    struct buf changed = BUF_INIT(1 << 20);
    char *path = file_join(folder, "trace");
    int taken = 0;
    random_seed(&random, 7);
    for (int k = 0; k < 3000; k++) {
        struct trace trace;
        struct error err = {0};
        mutate(&random, examples[k % 3], strlen(examples[k % 3]), &changed);
        temp_file_write(folder, "trace", changed.data, changed.len);
        if (trace_import(path, &plain, &trace, &err) < 0) {
            assert_non_null(strstr(err.text, "/trace"));
            continue;
        }
        taken++;
        assert_true(trace.count >= 2 && trace.ns[0] == 0 && (double)trace.ns[trace.count - 1] <= PLAN_SECONDS_MAX * 1e9);
        for (size_t n = 1; n < trace.count; n++)
            assert_true(trace.ns[n] >= trace.ns[n - 1]);
        trace_free(&trace);
    }
    assert_in_range(taken, 300, 2900);
    buf_free(&changed);
    free(path);
}

/* --- our own ------------------------------------------------------------------------------------ */

static struct plan *plan_of(int64_t count)
{
    struct plan *plan = plan_new();
    plan->arrival_shape = (struct arrival_shape){.replay_file = "t", .replay_speed = 1, .replay_count = count};
    return plan;
}

static void test_what_is_written_beside_the_plan_is_read_back(void **state)
{
    (void)state;
    const int64_t ns[] = {0, 0, 5, 1000000000000000};
    struct plan *plan = plan_of(4);
    struct error err = {0};
    char *path = file_join(folder, TRACE_FILE);
    assert_int_equal(trace_write(ns, 4, path, &err), 0);
    if (plan_read_trace(plan, folder, &err) < 0)
        fail_msg("%s", err.text);
    assert_memory_equal(plan->arrival_shape.replay, ns, sizeof ns);
    free(path);
    plan_free(plan);
}

static void assert_unreadable(const char *text, const char *expected)
{
    struct plan *plan = plan_of(2);
    struct error err = {0};
    temp_file_write(folder, TRACE_FILE, text, strlen(text));
    assert_int_equal(plan_read_trace(plan, folder, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_null(plan->arrival_shape.replay);
    if (!strstr(err.text, TRACE_FILE) || !strstr(err.text, expected))
        fail_msg("'%s' does not say '%s'", err.text, expected);
    plan_free(plan);
}

#define HEADER "{\"schema\":\"roibench/arrivals/v1\",\"count\":2}\n"

static void test_a_broken_file_beside_the_plan(void **state)
{
    (void)state;
    assert_unreadable("", "holds 0 arrivals of 2");
    assert_unreadable(HEADER "0\n", "holds 1 arrivals of 2");
    assert_unreadable(HEADER "0\n1\n2\n", ":4: expected 2 ascending");
    assert_unreadable(HEADER "5\n4\n", ":3: expected 2 ascending");
    assert_unreadable(HEADER "-1\n4\n", ":2: ");
    assert_unreadable(HEADER "0\n1000000000000001\n", ":3: ");
    assert_unreadable(HEADER "0\nx\n", ":3: ");
    assert_unreadable("{\"schema\":\"roibench/arrivals/v1\",\"count\":3}\n0\n1\n", "count: expected 2");
    assert_unreadable("{\"schema\":\"roibench/arrivals/v2\",\"count\":2}\n0\n1\n", "newer");
    assert_unreadable("0\n1\n", "expected a JSON object");
}

static void test_a_count_that_no_trace_has(void **state)
{
    (void)state;
    static const int64_t counts[] = {-1, 0, 1, TRACE_MAX + 1, INT64_MAX};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        struct plan *plan = plan_of(counts[k]);
        struct error err = {0};
        assert_int_equal(plan_read_trace(plan, folder, &err), -1);
        assert_non_null(strstr(err.text, "replay_count"));
        plan_free(plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_forms_of_traces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_speed_and_large_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_trace_is_said_with_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_rows_are_left_out_where_that_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_written_beside_the_plan_is_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_broken_file_beside_the_plan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_count_that_no_trace_has, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
