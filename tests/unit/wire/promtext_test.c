#include "wire/promtext.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "support/captures.h"

/* "series|name length|value;" of each sample. */
static void log_sample(void *context, const struct promtext_sample *sample)
{
    buf_printf(context, "%.*s|%zu|%g;", (int)sample->series_length, sample->series, sample->name_length, sample->value);
}

struct example {
    const char *text, *samples;
    size_t broken;
};

static const struct example EXAMPLES[] = {
    {"", "", 0},
    {"\n\n  \n", "", 0},
    {"# HELP a b\n# TYPE a gauge\n#\n# anything {\n", "", 0},
    {"a 1\n", "a|1|1;", 0},
    {"a 1\r\nb 2\r\n", "a|1|1;b|1|2;", 0},
    {"  a\t1  \n", "a|1|1;", 0},
    {"a:b_c9 1.5e+03\n", "a:b_c9|6|1500;", 0},
    {"a{b=\"c\"} 1\n", "a{b=\"c\"}|1|1;", 0},
    {"a{b=\"c\",d=\"e\",} 1\n", "a{b=\"c\",d=\"e\",}|1|1;", 0},
    {"a{ b = \"c\" , d=\"e\" } 1\n", "a{ b = \"c\" , d=\"e\" }|1|1;", 0},
    {"a{} 1\n", "a{}|1|1;", 0},
    {"a{b=\"c\"}1\n", "a{b=\"c\"}|1|1;", 0},
    {"a{b=\"}, # \\\"x\\\\\"} 1\n", "a{b=\"}, # \\\"x\\\\\"}|1|1;", 0},
    {"a{le=\"+Inf\"} 7\n", "a{le=\"+Inf\"}|1|7;", 0},
    {"a NaN\nb +Inf\nc -Inf\nd Inf\n", "a|1|nan;b|1|inf;c|1|-inf;d|1|inf;", 0},
    {"a 1 1395066363000\n", "a|1|1;", 0},
    {"a 1 -5\n", "a|1|1;", 0},
    {"a_bucket{le=\"1\"} 5 # {trace_id=\"x\"} 0.5 1.5\n", "a_bucket{le=\"1\"}|8|5;", 0},
    {"a 1 1.5 # {x=\"y\"} 2\n", "a|1|1;", 0},
    {"a{b=\"\xC3\xA9\"} 1\n", "a{b=\"\xC3\xA9\"}|1|1;", 0},
    /* broken lines do not hide the next */
    {"a\nb 2\n", "b|1|2;", 1},
    {"a x\nb 2\n", "b|1|2;", 1},
    {"a 1x\na 1 x\na 1 2 3\n", "", 3},
    {"a 0x10\na 1 0x10\na -0X1p3\na nan(1)\nb 2\n", "b|1|2;", 4},
    {"9a 1\n-a 1\n{b=\"c\"} 1\n1\n", "", 4},
    {"a{ 1\na{b} 1\na{b=} 1\na{b=c} 1\na{b=\"c} 1\na{b=\"c\" 1\na{=\"c\"} 1\na{,} 1\n", "", 8},
    {"a{b=\"c\"d=\"e\"} 1\n", "", 1},
    {"a{b=\"c\\\n\"} 1\n", "", 2},
    {"a{b:c=\"d\"} 1\n", "", 1},
    {"a{b=\"c\"}} 1\n", "", 1},
    {"a 1111111111111111111111111111111111111111111111111111111111111111\n", "", 1},
    {"a{b=\"\x1B[31m\"} 1\n", "", 1},
    {"<html>\n<body>\n", "", 2},
    {"HTTP/1.1 200 OK\n", "", 1},
    /* cut off */
    {"a 1\nb 2", "a|1|1;", 1},
    {"b 2", "", 1},
    {"a 1\n ", "a|1|1;", 0},
};

static void test_examples(void **state)
{
    struct buf log = BUF_INIT(65536);
    (void)state;
    for (size_t i = 0; i < sizeof EXAMPLES / sizeof *EXAMPLES; i++) {
        size_t broken;
        buf_reset(&log);
        size_t count = promtext_read(EXAMPLES[i].text, strlen(EXAMPLES[i].text), log_sample, &log, &broken);
        size_t expected = 0;
        for (const char *at = EXAMPLES[i].samples; *at; at++)
            expected += *at == ';';
        if (strcmp(buf_text(&log), EXAMPLES[i].samples) != 0 || count != expected || broken != EXAMPLES[i].broken)
            fail_msg("%s gives %s (%zu, %zu broken), expected %s (%zu broken)", EXAMPLES[i].text, buf_text(&log), count, broken,
                     EXAMPLES[i].samples, EXAMPLES[i].broken);
    }
    buf_free(&log);
}

static void test_nul_bytes(void **state)
{
    static const char TEXT[] = "a\0 1\na 1\0\na{b=\"\0\"} 1\na \0\nb 2\n";
    struct buf log = BUF_INIT(65536);
    size_t broken;
    (void)state;
    assert_int_equal(promtext_read(TEXT, sizeof TEXT - 1, log_sample, &log, &broken), 1);
    assert_string_equal(buf_text(&log), "b|1|2;");
    assert_int_equal(broken, 4);
    assert_int_equal(promtext_read(TEXT, sizeof TEXT - 1, log_sample, &log, NULL), 1);
    buf_free(&log);
}

/* --- captures --- */

/* Three of vLLM's, then llama.cpp's. */
static const char *const CAPTURED[] = {
    CAPTURES_FOLDER "/vllm/get_metrics.raw",
    CAPTURES_FOLDER "/vllm-auth/metrics-noauth.raw",
    CAPTURES_FOLDER "/vllm-v3/metrics-waiting.raw",
    CAPTURES_FOLDER "/llamacpp/get_metrics.raw",
};

/* Lines that begin with neither '#' nor nothing: every one of them is a sample in these files. */
static size_t count_sample_lines(const struct buf *body)
{
    size_t count = 0;
    for (const char *at = body->data; at && *at; at = strchr(at, '\n') + 1)
        count += *at != '#' && *at != '\n';
    return count;
}

static void test_captures_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CAPTURED / sizeof *CAPTURED; i++) {
        struct buf body = capture_read_body(CAPTURED[i], NULL), log = BUF_INIT(CAPTURE_MAX);
        size_t broken;
        size_t count = promtext_read(buf_text(&body), body.len, log_sample, &log, &broken);
        assert_int_equal(broken, 0);
        assert_int_equal(count, count_sample_lines(&body));
        buf_free(&log);
        buf_free(&body);
    }
}

static void expect_sample(const struct buf *log, const char *sample)
{
    if (!strstr(buf_text(log), sample))
        fail_msg("%s is not among the samples", sample);
}

static void test_values_of_a_capture(void **state)
{
    struct buf body = capture_read_body(CAPTURES_FOLDER "/vllm-v3/metrics-waiting.raw", NULL), log = BUF_INIT(CAPTURE_MAX);
    (void)state;
    promtext_read(buf_text(&body), body.len, log_sample, &log, NULL);
    expect_sample(&log, ";vllm:num_requests_waiting{engine=\"0\",model_name=\"mistral-3-int4\"}|25|2;");
    expect_sample(&log, ";process_max_fds|15|20000;");
    buf_free(&log);
    buf_free(&body);
}

/* Read in two parts, cut at 500 drawn places: the first part gives what the whole gives of its full lines and
 * nothing made up out of the line that is cut; the rest, from that line on, gives the others. */
static void test_captures_cut_at_drawn_places(void **state)
{
    struct random random;
    struct buf whole = BUF_INIT(CAPTURE_MAX), parts = BUF_INIT(CAPTURE_MAX);
    (void)state;
    random_seed(&random, 7);
    for (size_t i = 0; i < 3; i++) {
        struct buf body = capture_read_body(CAPTURED[i], NULL);
        buf_reset(&whole);
        size_t count = promtext_read(body.data, body.len, log_sample, &whole, NULL);
        assert_true(count > 300);
        for (int drawn = 0; drawn < 500; drawn++) {
            size_t cut = (size_t)random_below(&random, body.len), broken, line = cut;
            while (line > 0 && body.data[line - 1] != '\n')
                line--;
            buf_reset(&parts);
            size_t first = promtext_read(body.data, cut, log_sample, &parts, &broken);
            assert_int_equal(broken, line < cut ? 1 : 0);
            assert_memory_equal(buf_text(&parts), whole.data, parts.len);
            size_t rest = promtext_read(body.data + line, body.len - line, log_sample, &parts, &broken);
            assert_int_equal(broken, 0);
            assert_int_equal(first + rest, count);
            assert_string_equal(buf_text(&parts), buf_text(&whole));
        }
        buf_free(&body);
    }
    buf_free(&whole);
    buf_free(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_captures_are_whole),
        cmocka_unit_test(test_values_of_a_capture),
        cmocka_unit_test(test_captures_cut_at_drawn_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
