#include "serve/truth_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "serve/simulator_truth.h"

static const struct truth_file_head HEAD = {
    .model = "m", .preset = "instant", .time_scale = 2, .started = 1000, .started_realtime = 1795499016 * NS_PER_S + 5};

static char path[] = "/tmp/truth_file_test.XXXXXX";

static struct truth *begin(const char *name)
{
    struct error err;
    struct truth *truth = mem_alloc(sizeof *truth);
    truth->file = truth_file_new(name, &HEAD, &err);
    assert_non_null(truth->file);
    return truth;
}

static struct truth_request arrived_at(int64_t time)
{
    return (struct truth_request){.arrived = time, .first_sent = TIME_NEVER, .last_sent = TIME_NEVER, .prompt_tokens = 3,
                                  .stream = true, .id = "\"cmpl-1\"", .id_length = 8};
}

static void request_with_two_tokens(struct truth *truth, int64_t time)
{
    struct truth_request request = arrived_at(time);
    truth_due(truth, &request, time + 10);
    truth_sent(truth, &request, &(struct truth_write){.tokens = 1, .chunks = 1, .taken = true, .due = time + 10}, time + 12);
    truth_due(truth, &request, time + 20);
    truth_due(truth, &request, time + 30);
    truth_sent(truth, &request, &(struct truth_write){.tokens = 1, .chunks = 1, .taken = false, .due = time + 20}, time + 25);
    request.disconnected = true;
    truth_ended(truth, &request);
}

static void assert_holds(const char *expected)
{
    struct error err;
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    assert_int_equal(file_read(path, &text, ERROR_INTERNAL, &err), 0);
    assert_string_equal(buf_text(&text), expected);
}

#define HEAD_LINE \
    "{\"schema\":\"roibench/truth-file/v1\",\"started\":\"2026-11-24T05:43:36.000000005Z\",\"monotonic_ns\":1000," \
    "\"model\":\"m\",\"preset\":\"instant\",\"time_scale\":2}\n"
#define TWO_TOKENS_LINE \
    "{\"id\":\"cmpl-1\",\"arrived_ns\":500,\"stream\":true,\"disconnected\":true,\"struck\":false,\"prompt_tokens\":3,\"output_tokens\":2," \
    "\"chunks\":2,\"buffered\":1,\"times_left_out\":0,\"due_ns\":[10,20,30],\"sent_ns\":[12,25]}\n"

static void a_request_is_a_line(void **state)
{
    (void)state;
    struct error err;
    struct truth *truth = begin(path);
    assert_holds(HEAD_LINE);
    request_with_two_tokens(truth, 1500);
    assert_holds(HEAD_LINE);
    truth_file_flush(truth->file);
    assert_holds(HEAD_LINE TWO_TOKENS_LINE);
    struct truth_request struck = arrived_at(1700);
    struck.struck = true;
    truth_ended(truth, &struck);
    assert_int_equal(truth_file_close(truth->file, &err), 0);
    assert_holds(HEAD_LINE TWO_TOKENS_LINE
                 "{\"id\":\"cmpl-1\",\"arrived_ns\":700,\"stream\":true,\"disconnected\":false,\"struck\":true,\"prompt_tokens\":3,\"output_tokens\":0,"
                 "\"chunks\":0,\"buffered\":0,\"times_left_out\":0,\"due_ns\":[],\"sent_ns\":[]}\n");
    free(truth);
}

static void lines_are_written_every_second(void **state)
{
    (void)state;
    struct error err;
    struct truth *truth = begin(path);
    request_with_two_tokens(truth, 1500);
    request_with_two_tokens(truth, HEAD.started + NS_PER_S);
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_true((size_t)file.st_size > sizeof HEAD_LINE + 2 * sizeof TWO_TOKENS_LINE - 3);
    assert_int_equal(truth_file_close(truth->file, &err), 0);
    free(truth);
}

static void what_finds_no_room_is_counted(void **state)
{
    (void)state;
    struct error err;
    struct truth *truth = begin(path);
    struct truth_request whole = arrived_at(0), other = arrived_at(0);
    truth_file_sent(truth->file, &whole.times, (int64_t)TRUTH_FILE_HELD_MAX - 1, 7);
    truth_file_sent(truth->file, &other.times, 3, 7);
    truth_file_due(truth->file, &other.times, 7);
    assert_int_equal(whole.times.left_out, 0);
    assert_int_equal(other.times.sent.count, 1);
    assert_int_equal(other.times.left_out, 3);
    truth_ended(truth, &other);
    truth_ended(truth, &whole);
    struct truth_request later = arrived_at(0);
    truth_file_due(truth->file, &later.times, 7);
    assert_int_equal(later.times.left_out, 0);
    truth_ended(truth, &later);
    assert_int_equal(truth_file_close(truth->file, &err), 0);
    free(truth);
}

static void a_file_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    struct error err;
    assert_null(truth_file_new("/nowhere/truth", &HEAD, &err));
    assert_string_equal(err.text, "cannot write the truth file /nowhere/truth: No such file or directory");
    assert_null(truth_file_new("/dev/full", &HEAD, &err));
    assert_string_equal(err.text, "cannot write the truth file /dev/full: No space left on device");
}

/* As on a full disk: the file may have one line and a half. */
static void a_file_that_grows_no_more_ends_with_a_whole_line(void **state)
{
    (void)state;
    struct error err;
    struct rlimit before, limit;
    struct truth *truth = begin(path);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = sizeof HEAD_LINE TWO_TOKENS_LINE - 1 + sizeof TWO_TOKENS_LINE / 2;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int k = 0; k < 3; k++) {
        request_with_two_tokens(truth, 1500);
        truth_file_flush(truth->file);
    }
    int closed = truth_file_close(truth->file, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(closed, -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, " is not whole: File too large"));
    assert_holds(HEAD_LINE TWO_TOKENS_LINE);
    free(truth);
}

static void no_file_no_memory(void **state)
{
    (void)state;
    struct error err;
    struct truth *truth = mem_alloc(sizeof *truth);
    struct truth_request request = arrived_at(0);
    truth_due(truth, &request, 1);
    truth_sent(truth, &request, &(struct truth_write){.tokens = 1, .chunks = 1, .taken = true, .due = 1}, 2);
    assert_null(request.times.due.times);
    assert_null(request.times.sent.times);
    truth_ended(truth, &request);
    truth_file_flush(NULL);
    assert_int_equal(truth_file_close(NULL, &err), 0);
    free(truth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_a_line),
        cmocka_unit_test(lines_are_written_every_second),
        cmocka_unit_test(what_finds_no_room_is_counted),
        cmocka_unit_test(a_file_that_cannot_be_written_is_named),
        cmocka_unit_test(a_file_that_grows_no_more_ends_with_a_whole_line),
        cmocka_unit_test(no_file_no_memory),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
