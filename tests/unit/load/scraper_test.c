/* The scraper against a server on 127.0.0.1 that answers as the captures do, slowly, wrongly, or not at all. */
#include "load/scraper.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/stop.h"
#include "record/record_reader.h"
#include "support/captures.h"
#include "support/temp_folder.h"
#include "support/tiny_server.h"
#include "wire/promtext.h"

#define IDLE CAPTURES_FOLDER "/vllm/get_metrics.raw"
#define BUSY CAPTURES_FOLDER "/vllm-v3/metrics-waiting.raw"
#define LINES_MAX 64
#define SLOW (10 * SCRAPER_FIRST_PATIENCE_NS)
#define LONG (20 * NS_PER_S) /* nothing here takes so long unless it is broken */

/* --- the server -------------------------------------------------------------------------------- */

struct bench {
    struct tiny_server *server;
    pthread_mutex_t mutex;  /* guards what follows, up to the line */
    pthread_cond_t changed;
    int asked, answered;
    int busy_left;          /* answers that still show requests; -1: for ever */
    const char *script;     /* one letter an answer: Fails, Slow (and idle), Busy, Idle; NULL or over: by the following */
    bool held;              /* requests are read and not answered */
    bool dead;              /* closes every connection */
    const char *other;      /* this instead of a capture */
    /* --- */
    struct buf idle, busy;
    char *folder, *path, *url;
    const char *other_url;  /* of a second target; NULL: there is one */
    struct log log;
    char *said;
    size_t said_length;
    stop_flag stop;
    struct scraper *scraper;
};

/* What to send now; NULL: close. Waits while answers are held. */
static const char *take_answer(struct bench *bench, size_t *length)
{
    const struct buf *capture = &bench->idle;
    pthread_mutex_lock(&bench->mutex);
    bench->asked++;
    pthread_cond_broadcast(&bench->changed);
    while (bench->held)
        pthread_cond_wait(&bench->changed, &bench->mutex);
    bool dead = bench->dead;
    const char *other = bench->other;
    char scripted = bench->script && *bench->script ? *bench->script++ : '\0';
    if (scripted) {
        other = scripted == 'F' ? "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n" : NULL;
        capture = scripted == 'B' ? &bench->busy : capture;
    } else if (bench->busy_left != 0) {
        capture = &bench->busy;
        bench->busy_left -= bench->busy_left > 0;
    }
    pthread_mutex_unlock(&bench->mutex);
    if (scripted == 'S')
        clock_sleep_until(clock_system(), clock_now(clock_system()) + SLOW);
    *length = other ? strlen(other) : capture->len;
    return dead ? NULL : other ? other : capture->data;
}

static void serve(struct tiny_server *server, void *context)
{
    struct bench *bench = context;
    for (int fd; (fd = tiny_accept(server)) >= 0; tiny_close(fd)) {
        while (tiny_read_request(fd)) {
            size_t length;
            const char *answer = take_answer(bench, &length);
            if (!answer)
                break;
            tiny_send_bytes(fd, answer, length);
            pthread_mutex_lock(&bench->mutex);
            bench->answered++;
            pthread_cond_broadcast(&bench->changed);
            pthread_mutex_unlock(&bench->mutex);
        }
    }
}

static void wait_for(struct bench *bench, const int *number, int at_least)
{
    pthread_mutex_lock(&bench->mutex);
    while (*number < at_least)
        pthread_cond_wait(&bench->changed, &bench->mutex);
    pthread_mutex_unlock(&bench->mutex);
}

static void set_held(struct bench *bench, bool held)
{
    pthread_mutex_lock(&bench->mutex);
    bench->held = held;
    pthread_cond_broadcast(&bench->changed);
    pthread_mutex_unlock(&bench->mutex);
}

static int make_bench(void **state)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    pthread_mutex_init(&bench->mutex, NULL);
    pthread_cond_init(&bench->changed, NULL);
    bench->idle = capture_read(IDLE);
    bench->busy = capture_read(BUSY);
    bench->folder = temp_folder_make();
    bench->path = file_join(bench->folder, "metrics.jsonl.gz");
    bench->server = tiny_server_start(serve, bench);
    bench->url = mem_printf("%s/metrics", tiny_server_url(bench->server));
    bench->log = (struct log){
        .stream = open_memstream(&bench->said, &bench->said_length), .clock = clock_system(), .command = "run",
        .threshold = LOG_LEVEL_WARNING,
    };
    *state = bench;
    return 0;
}

static int remove_bench(void **state)
{
    struct bench *bench = *state;
    set_held(bench, false);
    scraper_free(bench->scraper, NULL); /* of a test that failed; its connection too, for which the server waits */
    tiny_server_stop(bench->server);
    fclose(bench->log.stream);
    free(bench->said);
    buf_free(&bench->idle);
    buf_free(&bench->busy);
    temp_folder_remove(bench->folder);
    free(bench->path);
    free(bench->url);
    pthread_cond_destroy(&bench->changed);
    pthread_mutex_destroy(&bench->mutex);
    free(bench);
    return 0;
}

static struct scraper *start(struct bench *bench, int64_t interval_ns, struct error *err)
{
    const char *const urls[] = {bench->url, bench->other_url};
    struct scraper_settings settings = {
        .net = {.stop = &bench->stop},
        .clock = clock_system(),
        .log = &bench->log,
        .urls = urls,
        .url_count = bench->other_url ? 2 : 1,
        .path = bench->path,
        .anchor = clock_now(clock_system()),
        .interval_ns = interval_ns,
        .keeps_queue = true,
    };
    return bench->scraper = scraper_new(&settings, err);
}

static int stop(struct bench *bench, struct error *err)
{
    int status = scraper_free(bench->scraper, err);
    bench->scraper = NULL;
    return status;
}

static int64_t from_now(int64_t ns)
{
    return clock_now(clock_system()) + ns;
}

/* --- what it wrote --------------------------------------------------------------------------------- */

struct lines {
    size_t count, series[LINES_MAX], not_kept[LINES_MAX];
    bool extra[LINES_MAX];
    size_t target[LINES_MAX];
    int64_t t[LINES_MAX];
    json_t *last;
};

static int take_line(void *context, const struct metrics_line *line, struct error *err)
{
    struct lines *lines = context;
    const char *name;
    json_t *value;
    (void)err;
    assert_true(lines->count < LINES_MAX);
    assert_true(line->took >= 0);
    lines->t[lines->count] = line->t;
    lines->target[lines->count] = line->target;
    lines->extra[lines->count] = line->extra;
    lines->series[lines->count] = json_object_size(line->series);
    json_object_foreach((json_t *)(uintptr_t)line->series, name, value)
        lines->not_kept[lines->count] += !scraper_keeps(name, strcspn(name, "{"));
    lines->count++;
    json_decref(lines->last);
    lines->last = json_deep_copy(line->series);
    return 0;
}

static struct lines read_lines(const struct bench *bench)
{
    struct lines lines = {.count = 0};
    bool truncated = true;
    assert_int_equal(record_read_metrics(bench->folder, NO_SHARD, take_line, &lines, &truncated, NULL), 0);
    assert_false(truncated);
    return lines;
}

static void count_sample(void *context, const struct promtext_sample *sample)
{
    (void)sample;
    ++*(size_t *)context;
}

static size_t count_series(const char *capture)
{
    size_t count = 0;
    struct buf body = capture_read_body(capture, NULL);
    promtext_read(body.data, body.len, count_sample, &count, NULL);
    buf_free(&body);
    return count;
}

static size_t count_said(struct bench *bench, const char *text)
{
    size_t count = 0;
    fflush(bench->log.stream);
    for (const char *at = bench->said; at && (at = strstr(at, text)); at++)
        count++;
    return count;
}

/* --- the tests ---------------------------------------------------------------------------------------- */

static void test_what_is_kept_every_second(void **state)
{
    static const char *const kept[] = {
        "vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc",
        "vllm:generation_tokens_total", "vllm:time_to_first_token_seconds_sum", "vllm:time_to_first_token_seconds_count",
        "llamacpp:requests_processing", "llamacpp:tokens_predicted_total", "sglang:num_queue_reqs", "sglang:num_running_reqs", "sglang:token_usage",
        "sglang:inter_token_latency_seconds_sum", "tgi_queue_size", "tgi_batch_current_size", "tgi_request_generated_tokens_sum",
    };
    static const char *const left_out[] = {
        "", "vllm", "vllm:", "vllm:time_to_first_token_seconds_bucket", "vllm:num_requests_running_", "vllm:num_requests_runnin",
        "python_gc_objects_collected_total", "process_cpu_seconds_total", "http_requests_total", "xvllm:generation_tokens_total",
        "vllm:cache_config_info", "vllm:generation_tokens_created", "sglang:time_to_first_token_seconds_bucket", "sglang:gen_throughput",
    };
    (void)state;
    for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++)
        assert_true(scraper_keeps(kept[k], strlen(kept[k])));
    for (size_t k = 0; k < sizeof left_out / sizeof left_out[0]; k++)
        assert_false(scraper_keeps(left_out[k], strlen(left_out[k])));
    /* Only the length given counts. */
    assert_true(scraper_keeps("vllm:num_requests_running{engine=\"0\"}", strlen("vllm:num_requests_running")));
    assert_false(scraper_keeps("vllm:time_sum", strlen("vllm:time_su")));
}

static void test_all_series_at_the_ends_and_some_between(void **state)
{
    struct bench *bench = *state;
    int64_t begin = clock_now(clock_system());
    assert_non_null(start(bench, 1, NULL)); /* as often as it may */
    scraper_level_start(bench->scraper);
    wait_for(bench, &bench->answered, 4);
    assert_int_equal(scraper_level_end(bench->scraper, from_now(LONG)), 1);
    assert_int_equal(stop(bench, NULL), 0);
    int64_t length = clock_now(clock_system()) - begin;
    size_t all = count_series(IDLE), full = 0;
    struct lines lines = read_lines(bench);
    assert_true(lines.count >= 4);
    assert_true(lines.count <= (size_t)(length / SCRAPER_INTERVAL_MIN_NS) + 3); /* not more often than it may */
    assert_int_equal(lines.series[lines.count - 1], all);
    for (size_t k = 0; k < lines.count; k++) {
        assert_true(k == 0 || lines.t[k] > lines.t[k - 1]);
        assert_int_equal(lines.extra[k], lines.not_kept[k] > 0); /* those of all series are the extra ones */
        if (lines.not_kept[k] == 0)
            assert_in_range(lines.series[k], 10, all / 2);
        else
            assert_int_equal(lines.series[k], all);
        full += lines.not_kept[k] > 0;
    }
    assert_int_equal(full, 2);
    assert_in_range(lines.t[0], 0, length);
    json_decref(lines.last);
    assert_int_equal(count_said(bench, "metrics"), 0);
}

static void test_values_are_those_of_the_server(void **state)
{
    struct bench *bench = *state;
    bench->busy_left = -1;
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    assert_int_equal(scraper_level_end(bench->scraper, from_now(0)), 0);
    assert_int_equal(stop(bench, NULL), 0);
    struct lines lines = read_lines(bench);
    assert_int_equal(lines.count, 1);
    assert_true(json_number_value(json_object_get(
                    lines.last, "vllm:num_requests_waiting{engine=\"0\",model_name=\"mistral-3-int4\"}")) == 2);
    double kv = json_number_value(json_object_get(lines.last, "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"mistral-3-int4\"}"));
    assert_true(kv > 0.000915583226515 && kv < 0.000915583226516);
    json_decref(lines.last);
}

static void test_level_end_waits_until_the_server_is_idle(void **state)
{
    struct bench *bench = *state;
    bench->busy_left = 3;
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    assert_int_equal(scraper_level_end(bench->scraper, from_now(LONG)), 1);
    assert_int_equal(bench->asked, 4);
    bench->busy_left = -1;
    int64_t deadline = from_now(200 * NS_PER_MS);
    assert_int_equal(scraper_level_end(bench->scraper, deadline), 0);
    assert_true(clock_now(clock_system()) >= deadline);
    assert_int_equal(stop(bench, NULL), 0);
}

/* Two wait from the first answer to the second, milliseconds later; nobody in the three seconds for which the second then holds. */
static void test_the_share_of_time_in_which_requests_wait(void **state)
{
    struct bench *bench = *state;
    bench->script = "BI";
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    assert_true(isnan(scraper_queue_share(bench->scraper, 0, LONG)));
    scraper_level_start(bench->scraper);
    wait_for(bench, &bench->answered, 1);
    assert_int_equal(scraper_level_end(bench->scraper, from_now(LONG)), 1);
    double share = scraper_queue_share(bench->scraper, 0, 3600 * NS_PER_S);
    assert_true(share > 0 && share < 0.5);
    assert_int_equal(stop(bench, NULL), 0);
}

static void test_level_end_tries_again_what_failed(void **state)
{
    struct bench *bench = *state;
    bench->script = "IFBFFI";
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    scraper_level_start(bench->scraper);
    wait_for(bench, &bench->answered, 1);
    assert_int_equal(scraper_level_end(bench->scraper, from_now(LONG)), 1);
    assert_int_equal(bench->asked, 6);
    bench->script = "BFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF";
    assert_int_equal(scraper_level_end(bench->scraper, from_now(200 * NS_PER_MS)), 0); /* busy is the last that was heard of it */
    assert_int_equal(stop(bench, NULL), 0);
    struct lines lines = read_lines(bench);
    assert_int_equal(lines.count, 4);
    json_decref(lines.last);
}

/* The first level begins without a slow answer, a later one only with it: else the end would cut it off. */
static void test_a_later_level_waits_for_its_scrape(void **state)
{
    struct bench *bench = *state;
    bench->script = "SSS";
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    scraper_level_start(bench->scraper);
    wait_for(bench, &bench->answered, 1);
    assert_int_equal(scraper_level_end(bench->scraper, from_now(LONG)), 1);
    scraper_level_start(bench->scraper);
    assert_int_equal(stop(bench, NULL), 0);
    struct lines lines = read_lines(bench);
    assert_int_equal(lines.count, 3);
    json_decref(lines.last);
}

static void test_a_signal_ends_the_waiting(void **state)
{
    struct bench *bench = *state;
    bench->busy_left = -1;
    bench->stop = SIGTERM;
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    assert_int_not_equal(scraper_level_end(bench->scraper, from_now(3600 * NS_PER_S)), 1);
    assert_int_equal(stop(bench, NULL), 0);
    assert_int_equal(count_said(bench, "metrics"), 0); /* it is nobody's failure */
}

static void test_a_missing_page_is_told_once(void **state)
{
    struct bench *bench = *state;
    bench->other = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n";
    assert_non_null(start(bench, 1, NULL));
    scraper_level_start(bench->scraper);
    wait_for(bench, &bench->answered, 4);
    assert_int_equal(scraper_level_end(bench->scraper, from_now(LONG)), -1);
    assert_int_equal(stop(bench, NULL), 0);
    struct lines lines = read_lines(bench);
    assert_int_equal(lines.count, 0);
    assert_int_equal(count_said(bench, "not found"), 1);
    assert_int_equal(count_said(bench, bench->url), 1);
}

/* The first request must not wait for a server that is slow to tell; the answer is taken when it comes. */
static void test_a_slow_server_delays_no_level(void **state)
{
    struct bench *bench = *state;
    bench->held = true;
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    int64_t before = clock_now(clock_system());
    scraper_level_start(bench->scraper);
    int64_t took = clock_now(clock_system()) - before;
    wait_for(bench, &bench->asked, 1);
    assert_int_equal(bench->answered, 0);
    assert_true(took >= SCRAPER_FIRST_PATIENCE_NS);
    assert_true(took < 5 * NS_PER_S); /* far below the 10 s that a scrape may take */
    set_held(bench, false);
    assert_int_equal(scraper_level_end(bench->scraper, from_now(LONG)), 1);
    assert_int_equal(stop(bench, NULL), 0);
    struct lines lines = read_lines(bench);
    assert_int_equal(lines.count, 2);
    assert_true(lines.not_kept[0] > 0 && lines.not_kept[1] > 0);
    json_decref(lines.last);
}

/* It would take the 10 s of a scrape's limit, and a second scrape's that was asked for meanwhile. */
static void test_the_end_waits_for_no_answer(void **state)
{
    struct bench *bench = *state;
    bench->held = true;
    assert_non_null(start(bench, 1, NULL));
    wait_for(bench, &bench->asked, 1); /* one of every interval */
    scraper_level_start(bench->scraper);
    int64_t before = clock_now(clock_system());
    assert_int_equal(stop(bench, NULL), 0);
    assert_true(clock_now(clock_system()) - before < 5 * NS_PER_S);
    assert_int_equal(bench->asked, 1);
    struct lines lines = read_lines(bench);
    assert_int_equal(lines.count, 0);
    assert_int_equal(count_said(bench, "no answer until the run ended"), 1);
}

static void test_a_server_that_dies_leaves_what_it_told(void **state)
{
    struct bench *bench = *state;
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    scraper_level_start(bench->scraper);
    wait_for(bench, &bench->answered, 1);
    pthread_mutex_lock(&bench->mutex);
    bench->dead = true;
    pthread_mutex_unlock(&bench->mutex);
    int64_t deadline = from_now(200 * NS_PER_MS);
    assert_int_equal(scraper_level_end(bench->scraper, deadline), -1); /* it might come back */
    assert_true(clock_now(clock_system()) >= deadline);
    assert_int_equal(scraper_level_end(bench->scraper, from_now(0)), -1);
    assert_int_equal(stop(bench, NULL), 0);
    struct lines lines = read_lines(bench);
    assert_int_equal(lines.count, 1);
    assert_int_equal(lines.series[0], count_series(IDLE));
    json_decref(lines.last);
    assert_int_equal(count_said(bench, bench->url), 1);
}

static void test_a_server_that_tells_nonsense(void **state)
{
    struct bench *bench = *state;
    static const char body[] = "<html> {\n"
                               "vllm:num_requests_running{a=\"\\\"\xff\"} NaN\n"
                               "vllm:x_total +Inf\n"
                               "vllm:y_total 1e400\n"
                               "vllm:z_total -7\n"
                               "vllm:cut_off_total 12";
    cleanup_free char *answer = mem_printf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    bench->other = answer;
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    assert_int_equal(scraper_level_end(bench->scraper, from_now(0)), 1); /* nothing runs that could be seen */
    assert_int_equal(stop(bench, NULL), 0);
    struct lines lines = read_lines(bench);
    assert_int_equal(lines.count, 1);
    assert_true(json_is_null(json_object_get(lines.last, "vllm:x_total")));
    assert_int_equal(json_number_value(json_object_get(lines.last, "vllm:z_total")), -7);
    assert_null(json_object_get(lines.last, "vllm:cut_off_total"));
    json_decref(lines.last);
}

static void test_a_full_disk_is_told_at_the_end(void **state)
{
    struct bench *bench = *state;
    struct error err = {.class = ERROR_NONE};
    assert_int_equal(symlink("/dev/full", bench->path), 0);
    assert_non_null(start(bench, 3600 * NS_PER_S, NULL));
    assert_int_equal(scraper_level_end(bench->scraper, from_now(0)), 1); /* the server is seen all the same */
    assert_int_equal(stop(bench, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, bench->path));
    assert_non_null(strstr(err.text, "No space left on device"));
}

static void test_a_folder_that_is_not_there(void **state)
{
    struct bench *bench = *state;
    struct error err = {.class = ERROR_NONE};
    free(bench->path);
    bench->path = file_join(bench->folder, "none/metrics.jsonl.gz");
    assert_null(start(bench, NS_PER_S, &err));
    assert_int_equal(err.class, ERROR_INTERNAL);
    assert_non_null(strstr(err.text, bench->path));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, remove_bench)

/* One is busy for two looks, then its level is over; the other fails for ever, and nobody waits for it. */
static void test_two_targets(void **state)
{
    struct bench *bench = *state, *other;
    void *second = NULL;
    size_t of[2] = {0};
    make_bench(&second);
    other = second;
    bench->other_url = other->url;
    bench->busy_left = 2;
    assert_non_null(start(bench, LONG, NULL));
    scraper_level_start(bench->scraper);
    wait_for(other, &other->answered, 1);
    pthread_mutex_lock(&other->mutex);
    other->busy_left = 1;
    pthread_mutex_unlock(&other->mutex);
    assert_int_equal(scraper_level_end(bench->scraper, from_now(LONG)), 1);
    assert_int_equal(stop(bench, NULL), 0);
    struct lines lines = read_lines(bench);
    for (size_t k = 0; k < lines.count; k++) {
        assert_true(lines.target[k] < 2);
        of[lines.target[k]]++;
    }
    assert_int_equal(of[0], of[1]);
    assert_true(of[0] >= 3);
    json_decref(lines.last);
    remove_bench(&second);
}

static void test_a_target_without_metrics_keeps_nobody_waiting(void **state)
{
    struct bench *bench = *state, *other;
    void *second = NULL;
    make_bench(&second);
    other = second;
    other->other = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    bench->other_url = other->url;
    assert_non_null(start(bench, LONG, NULL));
    scraper_level_start(bench->scraper);
    assert_int_equal(scraper_level_end(bench->scraper, from_now(LONG)), 1);
    assert_int_equal(stop(bench, NULL), 0);
    struct lines lines = read_lines(bench);
    for (size_t k = 0; k < lines.count; k++)
        assert_int_equal(lines.target[k], 0);
    assert_int_equal(count_said(bench, "not found"), 1);
    json_decref(lines.last);
    remove_bench(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_kept_every_second),
        TEST(test_all_series_at_the_ends_and_some_between),
        TEST(test_values_are_those_of_the_server),
        TEST(test_level_end_waits_until_the_server_is_idle),
        TEST(test_the_share_of_time_in_which_requests_wait),
        TEST(test_level_end_tries_again_what_failed),
        TEST(test_a_later_level_waits_for_its_scrape),
        TEST(test_a_signal_ends_the_waiting),
        TEST(test_a_missing_page_is_told_once),
        TEST(test_a_slow_server_delays_no_level),
        TEST(test_the_end_waits_for_no_answer),
        TEST(test_a_server_that_dies_leaves_what_it_told),
        TEST(test_a_server_that_tells_nonsense),
        TEST(test_a_full_disk_is_told_at_the_end),
        TEST(test_a_folder_that_is_not_there),
        TEST(test_two_targets),
        TEST(test_a_target_without_metrics_keeps_nobody_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
