#include "wire/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/captures.h"
#include "support/http_body.h"

/* --- by hand --- */

/* Feeds `stream` in pieces of `step` bytes; the events joined by '|'. */
static char *read_stream(const char *stream, size_t length, size_t step, bool *unfinished)
{
    struct events events = events_new();
    struct buf joined = BUF_INIT(CAPTURE_MAX);
    struct sse sse;
    sse_init(&sse, events_add, &events);
    for (size_t at = 0; at < length; at += step) {
        size_t size = length - at < step ? length - at : step;
        char *piece = mem_strndup(stream + at, size); /* of its own: a read beyond it is seen by the sanitizer */
        assert_int_equal(sse_feed(&sse, piece, size), 0);
        free(piece);
    }
    for (size_t i = 0; i < events.count; i++) {
        size_t size;
        const char *data = events_data(&events, i, &size);
        buf_append(&joined, data, size);
        buf_append_char(&joined, '|');
    }
    if (unfinished)
        *unfinished = stream_is_cut(&sse);
    sse_free(&sse);
    events_free(&events);
    return buf_steal(&joined);
}

struct example {
    const char *stream, *events;
    bool unfinished;
};

static const struct example EXAMPLES[] = {
    {"", "", false},
    {"data: a\n\n", "a|", false},
    {"data:a\n\n", "a|", false},
    {"data:  a \n\n", " a |", false},
    {"data: a\r\n\r\n", "a|", false},
    {"data: a\r\r", "a|", false},
    {"data: a\r\ndata: b\r\n\r\n", "a\nb|", false},
    {"data: a\rdata: b\r\r", "a\nb|", false},
    {"data: a\n\r\n", "a|", false},
    {"data: a\r\n\rdata: b\n\n", "a|b|", false},
    {"data: a\ndata: b\n\n", "a\nb|", false},
    {"data: a\ndata: b\ndata:\ndata\n\n", "a\nb\n\n|", false},
    {"data\n\n", "|", false},
    {"data:\n\n", "|", false},
    {"data: \n\n", "|", false},
    {"\n\n\ndata: a\n\n\n\n", "a|", false},
    {": hello\n\n: again\n\ndata: a\n\n", "a|", false},
    {":\n:\n", "", false},
    {"data: a\n: between\ndata: b\n\n", "a\nb|", false},
    {"event: x\nid: 7\nretry: 10\ndata: a\n\n", "a|", false},
    {"event: only\n\n", "", false},
    {"datax: a\n\n", "", false},
    {"dat: a\n\n", "", false},
    {" data: a\n\n", "", false},
    {"data : a\n\n", "", false},
    {"Data: a\n\n", "", false},
    {"data: a:b: c\n\n", "a:b: c|", false},
    {"\xEF\xBB\xBF" "data: a\n\n", "a|", false},
    {"\xEF\xBB\xBF\xEF\xBB\xBF" "data: a\n\n", "", false},
    {"data: a\n\n\xEF\xBB\xBF" "data: b\n\n", "a|", false},
    {"data: a\n\ndata: [DONE]\n\n", "a|[DONE]|", false},
    {"data: a\n\ndata: b\n", "a|", true},
    {"data: a\n\ndata: b", "a|", true},
    {"data: a\n\nd", "a|", true},
    {"data: a", "", true},
    {": cut", "", true},
    {"data: \xFF\xC3(\n\n", "\xFF\xC3(|", false},
};

static void test_examples_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof EXAMPLES / sizeof *EXAMPLES; i++) {
        const struct example *example = &EXAMPLES[i];
        size_t length = strlen(example->stream);
        for (size_t step = 1; step <= length + 1; step++) {
            bool unfinished;
            char *events = read_stream(example->stream, length, step, &unfinished);
            if (strcmp(events, example->events) != 0)
                fail_msg("example %zu in steps of %zu: got %s, expected %s", i, step, events, example->events);
            assert_int_equal(unfinished, example->unfinished);
            free(events);
        }
    }
}

static void test_nul_bytes_are_kept(void **state)
{
    static const char STREAM[] = "data: a\0b\n\n";
    (void)state;
    for (size_t step = 1; step < sizeof STREAM; step++) {
        struct events events = events_new();
        struct sse sse;
        sse_init(&sse, events_add, &events);
        for (size_t at = 0; at < sizeof STREAM - 1; at += step)
            assert_int_equal(sse_feed(&sse, STREAM + at, at + step < sizeof STREAM ? step : sizeof STREAM - 1 - at), 0);
        assert_int_equal(events.count, 1);
        assert_int_equal(events.bytes.len, 3);
        assert_memory_equal(events.bytes.data, "a\0b", 3);
        sse_free(&sse);
        events_free(&events);
    }
}

static int refuse_second(void *context, const char *data, size_t length)
{
    int *seen = context;
    (void)data;
    (void)length;
    return ++*seen == 2 ? 42 : 0;
}

static void test_handler_stops_the_feeding(void **state)
{
    static const char STREAM[] = "data: a\n\ndata: b\n\ndata: c\n\n";
    int seen = 0;
    struct sse sse;
    (void)state;
    sse_init(&sse, refuse_second, &seen);
    assert_int_equal(sse_feed(&sse, STREAM, strlen(STREAM)), 42);
    assert_int_equal(seen, 2);
    sse_reset(&sse);
    assert_int_equal(sse_feed(&sse, STREAM, strlen(STREAM)), 0);
    assert_int_equal(seen, 5);
    sse_free(&sse);
}

static void test_reset_forgets_the_last_response(void **state)
{
    struct events events = events_new();
    struct sse sse;
    (void)state;
    sse_init(&sse, events_add, &events);
    assert_int_equal(sse_feed(&sse, "data: left\ndata: ov", 19), 0);
    assert_true(stream_is_cut(&sse));
    sse_reset(&sse);
    assert_false(stream_is_cut(&sse));
    assert_int_equal(sse_feed(&sse, "\xEF\xBB\xBF" "data: new\r", 13), 0);
    sse_reset(&sse);
    assert_int_equal(sse_feed(&sse, "\ndata: a\n\n", 10), 0);
    assert_int_equal(events.count, 1);
    assert_string_equal(buf_text(&events.bytes), "a");
    sse_free(&sse);
    events_free(&events);
}

static void test_handed_out_without_copy(void **state)
{
    static const char STREAM[] = "data: whole\n\n";
    struct events events = events_new();
    struct sse sse;
    (void)state;
    sse_init(&sse, events_add, &events);
    assert_int_equal(sse_feed(&sse, STREAM, strlen(STREAM)), 0);
    assert_int_equal(events.count, 1);
    assert_null(sse.data.data);
    assert_null(sse.line.data);
    sse_free(&sse);
    events_free(&events);
}

/* --- the ceiling --- */

static int count_length(void *context, const char *data, size_t length)
{
    size_t *total = context;
    (void)data;
    *total += length;
    return 0;
}

/* "data: " + size bytes, in lines of `line` bytes, fed in pieces of `step`. */
static int feed_event(size_t size, size_t line, size_t step, size_t *total)
{
    struct buf stream = BUF_INIT(SSE_EVENT_MAX * 4);
    struct sse sse;
    while (size > 0) {
        size_t part = size < line ? size : line;
        char *filler = mem_alloc(part);
        memset(filler, 'x', part);
        buf_append_text(&stream, "data: ");
        buf_append(&stream, filler, part);
        buf_append_char(&stream, '\n');
        free(filler);
        size -= part;
    }
    buf_append_char(&stream, '\n');
    *total = 0;
    sse_init(&sse, count_length, total);
    int result = 0;
    for (size_t at = 0; at < stream.len && result == 0; at += step)
        result = sse_feed(&sse, stream.data + at, stream.len - at < step ? stream.len - at : step);
    sse_free(&sse);
    buf_free(&stream);
    return result;
}

static void test_ceiling_is_exact_however_cut(void **state)
{
    static const size_t STEPS[] = {4093, SSE_EVENT_MAX, SSE_EVENT_MAX * 4};
    size_t total;
    (void)state;
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        assert_int_equal(feed_event(SSE_EVENT_MAX, SSE_EVENT_MAX, STEPS[i], &total), 0);
        assert_int_equal(total, SSE_EVENT_MAX);
        assert_int_equal(feed_event(SSE_EVENT_MAX + 1, SSE_EVENT_MAX + 1, STEPS[i], &total), -1);
        assert_int_equal(total, 0);
        /* two lines: the LF between counts too */
        assert_int_equal(feed_event(SSE_EVENT_MAX - 1, SSE_EVENT_MAX / 2, STEPS[i], &total), 0);
        assert_int_equal(total, SSE_EVENT_MAX);
        assert_int_equal(feed_event(SSE_EVENT_MAX, SSE_EVENT_MAX / 2, STEPS[i], &total), -1);
    }
}

static void test_endless_comment_is_refused(void **state)
{
    static const char FILLER[4096] = {':', ' '};
    size_t total = 0;
    struct sse sse;
    int result = 0, pieces = 0;
    (void)state;
    sse_init(&sse, count_length, &total);
    while (result == 0 && pieces++ < 2000)
        result = sse_feed(&sse, FILLER, sizeof FILLER);
    assert_int_equal(result, -1);
    assert_true(sse.line.cap <= SSE_EVENT_MAX + 64);
    sse_free(&sse);
}

/* Each byte is looked at a bounded number of times: what is quadratic in 16 MiB does not end before the test's limit. */
#define PIECE ((size_t)16 << 20)

static void test_many_short_lines_in_one_piece(void **state)
{
    static const struct {
        const char *line;
        size_t delivered; /* bytes */
    } LINES[] = {{"\r", 0}, {"\n", 0}, {"\r\n", 0}, {":\r", 0}, {"data\r\r", 0}, {"data:x\r\r", PIECE / 8}, {"data:x\n\n", PIECE / 8}};
    struct buf piece = BUF_INIT(PIECE * 2);
    (void)state;
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        size_t total = 0;
        struct sse sse;
        buf_reset(&piece);
        while (piece.len < PIECE)
            buf_append_text(&piece, LINES[i].line);
        sse_init(&sse, count_length, &total);
        assert_int_equal(sse_feed(&sse, piece.data, piece.len), 0);
        assert_int_equal(total, LINES[i].delivered);
        sse_free(&sse);
    }
    buf_free(&piece);
}

/* --- captures --- */

struct stream {
    struct http_body http;
    struct sse sse;
    const struct events *expected;
    size_t seen;
};

static int feed_sse(void *context, const char *bytes, size_t length)
{
    return sse_feed(context, bytes, length);
}

static int compare_event(void *context, const char *data, size_t length)
{
    struct stream *stream = context;
    size_t size;
    if (stream->seen >= stream->expected->count)
        return 1;
    const char *expected = events_data(stream->expected, stream->seen++, &size);
    return size != length || memcmp(expected, data, length) != 0;
}

/* 0 when the capture, cut at `cut` and then in pieces of `step`, gives the expected events. */
static int replay(struct stream *stream, const struct buf *raw, size_t cut, size_t step)
{
    sse_reset(&stream->sse);
    http_body_init(&stream->http, feed_sse, &stream->sse);
    stream->seen = 0;
    int result = http_body_feed(&stream->http, raw->data, cut);
    for (size_t at = cut; at < raw->len && result == 0; at += step)
        result = http_body_feed(&stream->http, raw->data + at, raw->len - at < step ? raw->len - at : step);
    return result != 0 || stream->seen != stream->expected->count;
}

static void check_capture(const char *path)
{
    struct buf raw = capture_read(path);
    struct events events = events_new();
    struct sse whole;
    struct http_body http;
    sse_init(&whole, events_add, &events);
    http_body_init(&http, feed_sse, &whole);
    assert_int_equal(http_body_feed(&http, raw.data, raw.len), 0);

    struct stream stream = {.expected = &events};
    sse_init(&stream.sse, compare_event, &stream);
    for (size_t cut = 0; cut <= raw.len; cut++) {
        if (replay(&stream, &raw, cut, raw.len) != 0)
            fail_msg("%s cut at byte %zu gives other events", path, cut);
    }
    if (replay(&stream, &raw, 0, 1) != 0)
        fail_msg("%s byte by byte gives other events", path);
    sse_free(&stream.sse);
    sse_free(&whole);
    events_free(&events);
    buf_free(&raw);
}

static void test_captures_cut_at_every_byte(void **state)
{
    struct captures captures = captures_list();
    size_t streams = 0;
    (void)state;
    for (size_t i = 0; i < captures.count; i++) {
        struct buf raw = capture_read(captures.paths[i]);
        bool is_stream = strcasestr(raw.data, "content-type: text/event-stream") != NULL;
        buf_free(&raw);
        if (!is_stream)
            continue;
        check_capture(captures.paths[i]);
        streams++;
    }
    assert_true(streams >= 40);
    captures_free(&captures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_cut_anywhere),
        cmocka_unit_test(test_nul_bytes_are_kept),
        cmocka_unit_test(test_handler_stops_the_feeding),
        cmocka_unit_test(test_reset_forgets_the_last_response),
        cmocka_unit_test(test_handed_out_without_copy),
        cmocka_unit_test(test_ceiling_is_exact_however_cut),
        cmocka_unit_test(test_endless_comment_is_refused),
        cmocka_unit_test(test_many_short_lines_in_one_piece),
        cmocka_unit_test(test_captures_cut_at_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
