#include "wire/openai.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/captures.h"
#include "support/http_body.h"
#include "wire/openai_chunk.h"

/* --- single chunks --- */

/* "t" token, "e" its text is empty, "d" done, "!" error; then what is not -1 or "". "-1": refused. */
static void describe_chunk(const struct openai_chunk *chunk, int result, char *text, size_t size)
{
    char counts[128] = "";
    const struct {
        const char *name;
        int64_t count;
    } COUNTS[] = {{"ids", chunk->token_ids}, {"p", chunk->prompt_tokens}, {"c", chunk->completion_tokens}, {"cached", chunk->cached_tokens}};
    for (size_t i = 0; i < 4 && result == 0; i++) {
        size_t used = strlen(counts);
        if (COUNTS[i].count >= 0)
            snprintf(counts + used, sizeof counts - used, " %s=%lld", COUNTS[i].name, (long long)COUNTS[i].count);
    }
    if (result != 0)
        snprintf(text, size, "-1");
    else
        snprintf(text, size, "%s%s%s%s%s%s%s%s%s", chunk->token ? "t" : "", chunk->text_empty ? "e" : "", chunk->done ? "d" : "",
                 chunk->error ? "!" : "", counts, chunk->finish_reason[0] ? " f=" : "", chunk->finish_reason,
                 chunk->message[0] ? " m=" : "", chunk->message);
}

struct chunk_example {
    const char *data, *expected;
};

static const struct chunk_example CHUNKS[] = {
    /* the end */
    {"[DONE]", "d"},
    {" [DONE] \r", "d"},
    {"[DONE]x", "-1"},
    {"[DONE", "-1"},
    {"[]", "-1"},
    {"", "-1"},
    {" ", "-1"},
    {"null", "-1"},
    {"\"x\"", "-1"},
    {"{}", ""},
    {" {\t} \r\n", ""},
    {"{}{}", "-1"},
    {"{} x", "-1"},
    {"{\"choices\":[]}", ""},
    {"{\"choices\":null}", ""},
    {"{\"choices\":7}", ""},
    {"{\"choices\":[null,7,\"x\",[]]}", ""},
    /* texts */
    {"{\"choices\":[{\"text\":\"a\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\"}]}", "te"},
    {"{\"choices\":[{\"text\":null}]}", ""},
    {"{\"choices\":[{\"text\":7}]}", ""},
    {"{\"choices\":[{\"text\":\"\\u0000\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\\ud83d\\ude00\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\xF0\x9F\x98\x80\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\xEF\xBF\xBD\"}]}", "t"},
    {"{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "t"},
    {"{\"choices\":[{\"delta\":{\"content\":\"\"}}]}", "te"},
    {"{\"choices\":[{\"delta\":{\"content\":null}}]}", ""},
    {"{\"choices\":[{\"delta\":{}}]}", ""},
    {"{\"choices\":[{\"delta\":null}]}", ""},
    {"{\"choices\":[{\"delta\":{\"reasoning\":\"a\"}}]}", "t"},
    {"{\"choices\":[{\"delta\":{\"reasoning_content\":\"a\",\"content\":null}}]}", "t"},
    {"{\"choices\":[{\"delta\":{\"reasoning_content\":\"\",\"content\":\"a\"}}]}", "t"},
    {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}", "t"},
    {"{\"choices\":[{\"delta\":{\"tool_calls\":[]}}]}", ""},
    {"{\"choices\":[{\"delta\":{\"tool_calls\":null,\"content\":\"a\"}}]}", "t"},
    {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}}]}", "t"},
    {"{\"choices\":[{\"delta\":{\"unknown\":\"a\"}}]}", ""},
    /* roles */
    {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}", ""},
    {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}", ""},
    {"{\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}", ""},
    {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"a\"}}]}", "t"},
    {"{\"choices\":[{\"delta\":{\"role\":null,\"content\":\"\"}}]}", "te"},
    {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"token_ids\":[5]}]}", "te ids=1"},
    /* ids and logprobs */
    {"{\"choices\":[{\"text\":\"abc\",\"token_ids\":[1,2,3]}]}", "t ids=3"},
    {"{\"choices\":[{\"text\":\"\",\"token_ids\":[1]}]}", "te ids=1"},
    {"{\"choices\":[{\"text\":\"\",\"token_ids\":[]}]}", " ids=0"},
    {"{\"choices\":[{\"text\":\"held back\",\"token_ids\":[]}]}", "t ids=0"},
    {"{\"choices\":[{\"text\":\"\",\"token_ids\":null}]}", "te"},
    {"{\"choices\":[{\"delta\":{},\"token_ids\":[1,2]}]}", "te ids=2"},
    {"{\"prompt_token_ids\":[1,2],\"choices\":[{\"prompt_token_ids\":[1,2],\"text\":\"a\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"a\",\"logprobs\":{\"content\":[{},{}]}}]}", "t ids=2"},
    {"{\"choices\":[{\"text\":\"a\",\"logprobs\":{\"tokens\":[\"a\"],\"token_logprobs\":[-1.5]}}]}", "t ids=1"},
    {"{\"choices\":[{\"text\":\"a\",\"logprobs\":{\"tokens\":[\"a\"],\"content\":null}}]}", "t ids=1"},
    {"{\"choices\":[{\"text\":\"a\",\"logprobs\":{\"tokens\":[\"a\"],\"content\":[1,2]}}]}", "t ids=2"},
    {"{\"choices\":[{\"text\":\"a\",\"logprobs\":{}}]}", "t"},
    {"{\"choices\":[{\"text\":\"a\",\"logprobs\":{\"tokens\":[1]},\"token_ids\":[1,2]}]}", "t ids=2"},
    {"{\"choices\":[{\"text\":\"a\",\"token_ids\":[1]},{\"text\":\"\",\"token_ids\":[2,3]}]}", "t ids=3"},
    {"{\"choices\":[{\"text\":\"\"},{\"text\":\"\"}]}", "te"},
    {"{\"choices\":[{\"text\":\"\"},{\"text\":\"a\"}]}", "t"},
    {"{\"choices\":[{\"delta\":{}},{\"text\":\"\"}]}", "te"},
    /* the last chunk */
    {"{\"choices\":[{\"text\":\"a\",\"finish_reason\":\"length\"}]}", "t f=length"},
    {"{\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\"}]}", " f=length"},
    {"{\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\",\"stop_reason\":null}]}", "te f=length"},
    {"{\"choices\":[{\"stop_reason\":7,\"text\":\"\",\"finish_reason\":\"stop\"}]}", "te f=stop"},
    {"{\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\",\"token_ids\":[9]}]}", "te ids=1 f=length"},
    {"{\"choices\":[{\"text\":\"\",\"finish_reason\":\"\"}]}", "te"},
    {"{\"choices\":[{\"text\":\"\",\"finish_reason\":null}]}", "te"},
    {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\",\"stop_reason\":null}]}", " f=stop"},
    {"{\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\",\"stop_reason\":null}]}", "te f=stop"},
    {"{\"choices\":[{\"finish_reason\":\"stop\"},{\"finish_reason\":\"length\"},{\"finish_reason\":null}]}", " f=length"},
    {"{\"choices\":[{\"finish_reason\":\"a\\nb\\u0007c\"}]}", " f=a b c"},
    {"{\"choices\":[{\"finish_reason\":\"0123456789012345678901234567890123456789\"}]}", " f=0123456789012345678901234567890"},
    {"{\"choices\":[{\"text\":\"\"}],\"prompt_progress\":{\"total\":8}}", ""},
    {"{\"prompt_progress\":null,\"choices\":[{\"text\":\"\"}]}", "te"},
    /* usage */
    {"{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}", " p=3 c=4"},
    {"{\"usage\":{\"completion_tokens\":0,\"prompt_tokens_details\":{\"cached_tokens\":5}}}", " c=0 cached=5"},
    {"{\"usage\":{\"prompt_tokens_details\":null}}", ""},
    {"{\"usage\":null}", ""},
    {"{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1.5}}", ""},
    {"{\"usage\":{\"prompt_tokens\":\"3\",\"completion_tokens\":null}}", ""},
    {"{\"usage\":{\"prompt_tokens\":3.0,\"completion_tokens\":1e3}}", " p=3 c=1000"},
    {"{\"usage\":{\"prompt_tokens\":999999999999999,\"completion_tokens\":1000000000000000}}", " p=999999999999999"},
    {"{\"usage\":{\"prompt_tokens\":18446744073709551617,\"completion_tokens\":2}}", " c=2"},
    {"{\"usage\":{\"prompt_tokens\":007}}", "-1"},
    {"{\"usage\":{\"prompt_tokens\":1e999}}", "-1"},
    {"{\"usage\":[1]}", ""},
    /* keys twice, escaped, deep; broken bytes */
    {"{\"choices\":[{\"text\":\"a\"}],\"choices\":[]}", ""},
    {"{\"choices\":[],\"choices\":[{\"text\":\"a\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"a\",\"text\":\"\"}]}", "te"},
    {"{\"usage\":{\"completion_tokens\":1,\"completion_tokens\":2}}", " c=2"},
    {"{\"\\u0063hoices\":[{\"te\\u0078t\":\"a\"}]}", "t"},
    {"{\"a\\u0000\":1}", "-1"},
    {"{\"x\":{\"a\\u0000\":1}}", "-1"},
    {"{\"choices\":[{\"text\":\"\xFF\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\xC0\x80\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\xED\xA0\x80\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\\ud800\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\\ud800\\u0041\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\\ud800\\ud800\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\\udc00\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\\ud800x\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\\uD83D\\uDE00\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\\u00g0\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\xC1\xBF\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\xC2\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\xC2\x80\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\xE0\x9F\xBF\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\xE0\xA0\x80\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\xE2\x82\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\xED\x9F\xBF\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\xF0\x8F\xBF\xBF\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\xF0\x90\x80\x80\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\xF4\x8F\xBF\xBF\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"\xF4\x90\x80\x80\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\x80\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"\x7F\"}]}", "t"},
    {"{\"choices\":[{\"text\":\"0123456\x1F\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"a\nb\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"a\\x\"}]}", "-1"},
    {"{\"choices\":[{\"text\":\"a}]}", "-1"},
    {"{\"choices\":[{\"text\":\"a\"}]", "-1"},
    {"{\"choices\":[{\"text\":\"a\",}]}", "-1"},
    {"{\"choices\":[{\"text\":\"a\"},]}", "-1"},
    {"{\"choices\":[{\"text\" \"a\"}]}", "-1"},
    {"{\"x\":[1,2,{\"y\":[{},[],-0.5e-3,true,false,null]}],\"choices\":[{\"text\":\"a\"}]}", "t"},
    {"{\"x\":nulL}", "-1"},
    {"{\"x\":-}", "-1"},
    {"{\"x\":1.}", "-1"},
    {"{\"x\":01}", "-1"},
    {"{\"x\":+1}", "-1"},
    {"{\"x\":[1}", "-1"},
    {"{\"x\":{\"y\"}}", "-1"},
    {"{'x':1}", "-1"},
    /* errors */
    {"{\"error\":{\"message\":\"it broke\",\"code\":500}}", "! m=it broke"},
    {"{\"error\":\"Unauthorized\"}", "! m=Unauthorized"},
    {"{\"error\":{}}", "! m=an error without a message"},
    {"{\"error\":7}", "! m=an error without a message"},
    {"{\"error\":null}", ""},
    {"{\"error\":false}", ""},
    {"{\"object\":\"error\",\"message\":\"too long\",\"code\":400}", "! m=too long"},
    {"{\"object\":\"chunk\",\"message\":\"no error\"}", ""},
    {"{\"choices\":[{\"text\":\"a\"}],\"error\":{\"message\":\"late\"}}", "t! m=late"},
};

static void test_chunks(void **state)
{
    char text[1024];
    (void)state;
    for (size_t i = 0; i < sizeof CHUNKS / sizeof *CHUNKS; i++) {
        struct openai_chunk chunk;
        int result = openai_chunk_read(CHUNKS[i].data, strlen(CHUNKS[i].data), &chunk);
        describe_chunk(&chunk, result, text, sizeof text);
        if (strcmp(text, CHUNKS[i].expected) != 0)
            fail_msg("%s is \"%s\", expected \"%s\"", CHUNKS[i].data, text, CHUNKS[i].expected);
        result = openai_chunk_read_by_json(CHUNKS[i].data, strlen(CHUNKS[i].data), &chunk);
        describe_chunk(&chunk, result, text, sizeof text);
        if (strcmp(text, CHUNKS[i].expected) != 0)
            fail_msg("%s is \"%s\" to jansson, expected \"%s\"", CHUNKS[i].data, text, CHUNKS[i].expected);
    }
}

/* {"x":[[...]],"choices":[{"text":"a"}]} with `depth` brackets around nothing. */
static int read_nested(size_t depth, char open, char close)
{
    struct buf text = BUF_INIT(1 << 20);
    struct openai_chunk chunk;
    buf_append_text(&text, "{\"x\":");
    for (size_t i = 0; i < depth; i++)
        buf_append_text(&text, open == '{' ? "{\"a\":" : "[");
    if (open == '{')
        buf_append_char(&text, '1');
    for (size_t i = 0; i < depth; i++)
        buf_append_char(&text, close);
    buf_append_text(&text, ",\"choices\":[{\"text\":\"a\"}]}");
    int result = openai_chunk_read(text.data, text.len, &chunk);
    assert_int_equal(openai_chunk_read_by_json(text.data, text.len, &chunk), result);
    buf_free(&text);
    return result;
}

static void test_nesting_has_a_ceiling(void **state)
{
    (void)state;
    for (size_t depth = 1; depth < OPENAI_DEPTH_MAX; depth++) {
        assert_int_equal(read_nested(depth, '[', ']'), 0);
        assert_int_equal(read_nested(depth, '{', '}'), 0);
    }
    assert_int_equal(read_nested(OPENAI_DEPTH_MAX, '[', ']'), -1);
    assert_int_equal(read_nested(OPENAI_DEPTH_MAX, '{', '}'), -1);
    assert_int_equal(read_nested(100000, '[', ']'), -1);
}

/* --- captures --- */

struct totals {
    long long chunks, tokens, empty, token_ids, prompt_tokens, completion_tokens, cached_tokens;
    char finish_reason[OPENAI_FINISH_REASON_SIZE];
    int done, error, unfinished;
    int slow; /* chunks that the scanner left to jansson */
};

static void keep(long long *target, int64_t count)
{
    if (count >= 0)
        *target = count;
}

static int add_chunk(void *context, const char *data, size_t length)
{
    struct totals *totals = context;
    struct openai_chunk chunk, scanned;
    assert_int_equal(openai_chunk_read(data, length, &chunk), 0);
    if (chunk.done) {
        totals->done = 1;
        return 0;
    }
    totals->slow += openai_scan_chunk(NULL, data, length, &scanned) != 0;
    totals->chunks++;
    totals->tokens += chunk.token;
    totals->empty += chunk.text_empty;
    if (chunk.token_ids >= 0)
        totals->token_ids = (totals->token_ids < 0 ? 0 : totals->token_ids) + chunk.token_ids;
    keep(&totals->prompt_tokens, chunk.prompt_tokens);
    keep(&totals->completion_tokens, chunk.completion_tokens);
    keep(&totals->cached_tokens, chunk.cached_tokens);
    if (chunk.finish_reason[0])
        memcpy(totals->finish_reason, chunk.finish_reason, sizeof totals->finish_reason);
    totals->error |= chunk.error;
    return 0;
}

static struct totals read_capture(const char *path)
{
    struct totals totals = {.token_ids = -1, .prompt_tokens = -1, .completion_tokens = -1, .cached_tokens = -1};
    struct buf body = capture_read_body(path, NULL);
    struct sse sse;
    sse_init(&sse, add_chunk, &totals);
    assert_int_equal(sse_feed(&sse, buf_text(&body), body.len), 0);
    totals.unfinished = stream_is_cut(&sse);
    sse_free(&sse);
    buf_free(&body);
    return totals;
}

static void append_count(char *line, size_t size, long long count)
{
    size_t used = strlen(line);
    if (count < 0)
        snprintf(line + used, size - used, "\t-");
    else
        snprintf(line + used, size - used, "\t%lld", count);
}

static void describe_totals(const struct totals *totals, char *line, size_t size)
{
    size_t used;
    append_count(line, size, totals->chunks);
    append_count(line, size, totals->tokens);
    append_count(line, size, totals->empty);
    append_count(line, size, totals->token_ids);
    append_count(line, size, totals->prompt_tokens);
    append_count(line, size, totals->completion_tokens);
    append_count(line, size, totals->cached_tokens);
    used = strlen(line);
    snprintf(line + used, size - used, "\t%s\t%d\t%d\t%d\t", totals->finish_reason[0] ? totals->finish_reason : "-", totals->done,
             totals->error, totals->unfinished);
}

static void check_row(const char *row)
{
    char path[256], line[512];
    size_t name = strcspn(row, "\t");
    snprintf(path, sizeof path, CAPTURES_FOLDER "/%.*s", (int)name, row);
    snprintf(line, sizeof line, "%.*s", (int)name, row);
    struct totals totals = read_capture(path);
    describe_totals(&totals, line, sizeof line);
    if (strncmp(row, line, strlen(line)) != 0)
        fail_msg("read     %s\nexpected %s", line, row);
    int allowed = totals.error + (strstr(path, "llamacpp/cmpl-stream-contusage") ? 2 : 0);
    if (totals.slow != allowed)
        fail_msg("%s: %d chunks are too unusual for the scanner, expected %d", path, totals.slow, allowed);
}

static void test_captures_are_read_as_expected(void **state)
{
    struct buf table = capture_read(CAPTURES_FOLDER "/expected.tsv");
    size_t rows = 0;
    char *rest = table.data;
    (void)state;
    for (char *row = strsep(&rest, "\n"); row; row = strsep(&rest, "\n")) {
        if (row[0] == '\0' || row[0] == '#' || strncmp(row, "capture\t", 8) == 0)
            continue;
        check_row(row);
        rows++;
    }
    assert_int_equal(rows, 41);
    buf_free(&table);
}

/* --- cut --- */

/* The chunks of a capture as text, a line each. */
static int log_chunk(void *context, const char *data, size_t length)
{
    char text[1024];
    struct openai_chunk chunk;
    int result = openai_chunk_read(data, length, &chunk);
    describe_chunk(&chunk, result, text, sizeof text);
    return buf_append_text(context, text) < 0 || buf_append_char(context, '\n') < 0;
}

static int feed_sse(void *context, const char *bytes, size_t length)
{
    return sse_feed(context, bytes, length);
}

static void read_cut(const struct buf *raw, size_t cut, size_t step, struct buf *log)
{
    struct http_body http;
    struct sse sse;
    buf_reset(log);
    sse_init(&sse, log_chunk, log);
    http_body_init(&http, feed_sse, &sse);
    assert_int_equal(http_body_feed(&http, raw->data, cut), 0);
    for (size_t at = cut; at < raw->len; at += step)
        assert_int_equal(http_body_feed(&http, raw->data + at, raw->len - at < step ? raw->len - at : step), 0);
    sse_free(&sse);
}

/* A capture with every kind of chunk; sse_test cuts all of them and compares the events. */
static void test_chunks_of_a_stream_cut_at_every_byte(void **state)
{
    static const char *const PATHS[] = {
        CAPTURES_FOLDER "/vllm/chat-stream-contusage.raw",
        CAPTURES_FOLDER "/vllm-v3/interval4-stream.raw",
        CAPTURES_FOLDER "/llamacpp/cmpl-stream-usage.raw",
    };
    struct buf whole = BUF_INIT(CAPTURE_MAX), log = BUF_INIT(CAPTURE_MAX);
    (void)state;
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        struct buf raw = capture_read(PATHS[i]);
        read_cut(&raw, 0, raw.len, &whole);
        assert_true(whole.len > 10);
        for (size_t cut = 0; cut <= raw.len; cut++) {
            read_cut(&raw, cut, raw.len, &log);
            assert_string_equal(buf_text(&log), buf_text(&whole));
        }
        buf_free(&raw);
    }
    buf_free(&whole);
    buf_free(&log);
}

static void test_chunks_of_all_streams_byte_by_byte(void **state)
{
    struct captures captures = captures_list();
    struct buf whole = BUF_INIT(CAPTURE_MAX), log = BUF_INIT(CAPTURE_MAX);
    (void)state;
    for (size_t i = 0; i < captures.count; i++) {
        struct buf raw = capture_read(captures.paths[i]);
        read_cut(&raw, 0, raw.len, &whole);
        read_cut(&raw, 0, 1, &log);
        assert_string_equal(buf_text(&log), buf_text(&whole));
        buf_free(&raw);
    }
    captures_free(&captures);
    buf_free(&whole);
    buf_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_nesting_has_a_ceiling),
        cmocka_unit_test(test_captures_are_read_as_expected),
        cmocka_unit_test(test_chunks_of_a_stream_cut_at_every_byte),
        cmocka_unit_test(test_chunks_of_all_streams_byte_by_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
