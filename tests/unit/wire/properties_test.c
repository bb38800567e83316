/* The fuzzers' properties, tried on the captures and on random changes of them: the same ones in every run.
 * A property that does not hold aborts; the test says before which input it tries. */
#include "support/properties.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record/record.h"
#include "support/captures.h"
#include "support/mutate.h"
#include "wire/openai.h"
#include "wire/openai_chunk.h"

#define SEED 20261124

/* Inputs, one behind the other. */
static void add_input(struct events *inputs, const char *bytes, size_t length)
{
    assert_int_equal(events_add(inputs, bytes, length), 0);
}

static struct events corpus_new(void)
{
    struct events inputs = events_new();
    inputs.bytes.max = (size_t)16 << 20;
    return inputs;
}

static void try_all(const struct events *inputs, property holds)
{
    for (size_t i = 0; i < inputs->count; i++) {
        size_t length;
        const char *bytes = events_data(inputs, i, &length);
        holds((const uint8_t *)bytes, length);
    }
}

/* Tries `count` changed inputs; those longer than `longest` are cut first. */
static void try_changed(const struct events *inputs, property holds, size_t count, size_t longest)
{
    struct random random;
    struct buf changed = BUF_INIT(CAPTURE_MAX);
    random_seed(&random, SEED);
    for (size_t i = 0; i < count; i++) {
        size_t length;
        const char *bytes = events_data(inputs, (size_t)random_below(&random, inputs->count), &length);
        mutate(&random, bytes, length < longest ? length : longest, &changed);
        holds((const uint8_t *)buf_text(&changed), changed.len);
    }
    buf_free(&changed);
}

/* --- corpora --- */

static struct events read_captures(void)
{
    struct events inputs = corpus_new();
    struct captures captures = captures_list();
    for (size_t i = 0; i < captures.count; i++) {
        struct buf raw = capture_read(captures.paths[i]);
        add_input(&inputs, raw.data, raw.len);
        buf_free(&raw);
    }
    captures_free(&captures);
    return inputs;
}

/* Bodies without their framing: of the streams the events, else the whole. */
static struct events read_bodies(void)
{
    struct events inputs = corpus_new();
    struct captures captures = captures_list();
    for (size_t i = 0; i < captures.count; i++) {
        struct buf body = capture_read_body(captures.paths[i], NULL);
        struct sse sse;
        size_t before = inputs.count;
        sse_init(&sse, events_add, &inputs);
        assert_int_equal(sse_feed(&sse, buf_text(&body), body.len), 0);
        sse_free(&sse);
        if (inputs.count == before && body.len < 8192)
            add_input(&inputs, buf_text(&body), body.len);
        buf_free(&body);
    }
    captures_free(&captures);
    return inputs;
}

/* The streams: their events, each in a line. *remembered: the events before which the scanner knew how they would begin. */
static struct events read_streams(size_t *remembered)
{
    struct events inputs = corpus_new();
    struct captures captures = captures_list();
    for (size_t i = 0; i < captures.count; i++) {
        struct buf body = capture_read_body(captures.paths[i], NULL), lines = BUF_INIT(CAPTURE_MAX);
        struct events events = events_new();
        struct openai_prefix prefix = {0};
        struct sse sse;
        sse_init(&sse, events_add, &events);
        assert_int_equal(sse_feed(&sse, buf_text(&body), body.len), 0);
        sse_free(&sse);
        for (size_t k = 0; k < events.count; k++) {
            struct openai_chunk chunk;
            size_t length;
            const char *bytes = events_data(&events, k, &length);
            *remembered += length > prefix.length && prefix.length > 100 && memcmp(bytes, prefix.bytes, prefix.length) == 0;
            openai_chunk_read_next(&prefix, bytes, length, &chunk);
            buf_append(&lines, bytes, length);
            buf_append_char(&lines, '\n');
        }
        if (events.count > 0)
            add_input(&inputs, lines.data, lines.len);
        buf_free(&lines);
        events_free(&events);
        buf_free(&body);
    }
    captures_free(&captures);
    return inputs;
}

static struct events make_records(void)
{
    struct events inputs = corpus_new();
    for (int i = 0; i < 16; i++) {
        struct record record = record_empty();
        struct buf line = BUF_INIT(65536);
        record.level = i;
        record.i = INT64_C(1) << i;
        record.intended = i * NS_PER_S;
        record.sent = i % 2 ? record.intended + 5 : TIME_NEVER;
        record.end = record.sent == TIME_NEVER ? TIME_NEVER : record.sent + NS_PER_S;
        record.status = i % 3 ? 200 : 0;
        record.outcome = (enum outcome)(i % 3);
        record.failure = (enum failure)(i % FAILURE_COUNT);
        record.chunk_tokens = (enum chunk_tokens)(i % 4);
        record.output_tokens = i - 1;
        memcpy(record.finish_reason, "stop\"\\", i % 4 ? 7 : 1);
        record.finish_reason[i % 4 ? 6 : 0] = '\0';
        record_append_json(&record, &line);
        add_input(&inputs, line.data, line.len);
        buf_free(&line);
    }
    return inputs;
}

/* --- tests --- */

static void test_streams(void **state)
{
    struct events inputs = read_captures();
    (void)state;
    try_all(&inputs, property_sse);
    try_changed(&inputs, property_sse, 5000, 3000);
    events_free(&inputs);
}

static size_t count_scanned(const struct events *inputs)
{
    size_t scanned = 0;
    for (size_t i = 0; i < inputs->count; i++) {
        struct openai_chunk chunk;
        size_t length;
        const char *bytes = events_data(inputs, i, &length);
        scanned += openai_scan_chunk(NULL, bytes, length, &chunk) == 0;
    }
    return scanned;
}

static void test_scanner_and_jansson_agree(void **state)
{
    struct events inputs = read_bodies();
    (void)state;
    assert_true(count_scanned(&inputs) > 400); /* else jansson would agree with itself */
    try_all(&inputs, property_openai_chunk);
    try_changed(&inputs, property_openai_chunk, 120000, CAPTURE_MAX);
    events_free(&inputs);
}

/* What is in the way of remembering. */
static const char *const PAIRS[] = {
    "{\"usage\":{\"completion_tokens\":5},\"choices\":[]}\n{\"usage\":{\"completion_tokens\":5},\"choices\":[]}",
    "{\"object\":\"a\",\"choices\":[]}\n{\"object\":\"a\",\"choices\":[],\"object\":\"error\"}",
    "{\"error\":null,\"choices\":[]}\n{\"error\":null,\"choices\":[],\"error\":\"broken\"}",
    "{\"choices\":[]}\n{\"choices\":[{\"text\":\"a\"}],\"choices\":[]}",
    "{\"choices\":[]}\n{\"choices\":",
};

static void test_they_agree_whatever_was_remembered(void **state)
{
    size_t remembered = 0;
    struct events inputs = read_streams(&remembered);
    (void)state;
    assert_true(remembered > 200); /* else there was nothing to remember */
    try_all(&inputs, property_openai_stream);
    try_changed(&inputs, property_openai_stream, 20000, 3000);
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++)
        property_openai_stream((const uint8_t *)PAIRS[i], strlen(PAIRS[i]));
    events_free(&inputs);
}

static void test_bodies(void **state)
{
    struct events inputs = read_bodies();
    (void)state;
    try_all(&inputs, property_openai_body);
    try_changed(&inputs, property_openai_body, 10000, CAPTURE_MAX);
    events_free(&inputs);
}

static void test_metrics(void **state)
{
    struct events inputs = read_captures();
    (void)state;
    try_all(&inputs, property_promtext);
    try_changed(&inputs, property_promtext, 10000, 3000);
    events_free(&inputs);
}

static void test_records(void **state)
{
    struct events inputs = make_records();
    (void)state;
    try_all(&inputs, property_record_line);
    try_changed(&inputs, property_record_line, 50000, 5000);
    events_free(&inputs);
}

/* Configurations, and values of GuideLLM's options. */
static const char *const CONFIGURATIONS[] = {
    "spec:\n  backend: {kind: openai_http, target: http://h:8000}\n  data:\n  - kind: synthetic_text\n    prompt_tokens: 256\n",
    "# said\n- a: 'it''s'\n  \"b c\": \"\\u00e9\"\n- - 1\n  - yes\n- ~\n- {x: [1, {y: 2}], z: -1.5e3}\n",
    "kind=concurrent,streams[0]=1,streams[1]=2,warmup={percent: 0.1},extras.headers={\"X-A\": \"b, c\"}",
    "{\"prompt_tokens\": 256, \"output_tokens\": 128}",
};

static void test_configurations(void **state)
{
    struct events inputs = corpus_new();
    (void)state;
    for (size_t i = 0; i < sizeof CONFIGURATIONS / sizeof *CONFIGURATIONS; i++)
        add_input(&inputs, CONFIGURATIONS[i], strlen(CONFIGURATIONS[i]));
    try_all(&inputs, property_yaml);
    try_all(&inputs, property_guidellm_arguments);
    try_changed(&inputs, property_yaml, 50000, 3000);
    try_changed(&inputs, property_guidellm_arguments, 50000, 3000);
    events_free(&inputs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams), cmocka_unit_test(test_scanner_and_jansson_agree),
        cmocka_unit_test(test_they_agree_whatever_was_remembered),
        cmocka_unit_test(test_bodies),  cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_records), cmocka_unit_test(test_configurations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
