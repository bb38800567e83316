#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/simulator_state.h"
#include "support/captures.h"

/* What we send and what vLLM sent have the same members in the same order, with values of the same types; what is
 * not free (object, role, finish_reason) is equal. */

#define WIRE CAPTURES_FOLDER "/vllm/"
#define OUT_MAX ((size_t)1 << 20)
#define OUTPUT_TOKENS 8

static struct generation *make(bool chat, bool stream, bool usage, bool continuous)
{
    static struct clock_fake fake = {.realtime_offset = 1795486018 * NS_PER_S};
    static struct clock clock;
    clock = clock_fake_clock(&fake);
    struct simulator *simulator = mem_alloc(sizeof *simulator);
    struct generation *generation = mem_alloc(sizeof *generation);
    simulator->settings.clock = &clock;
    simulator->model_json = BUF_INIT(OUT_MAX);
    buf_append_text(&simulator->model_json, "\"m\"");
    generation->simulator = simulator;
    generation->task = (struct simulator_task){.chat = chat, .stream = stream, .include_usage = usage, .continuous_usage = continuous,
                                               .prompt_tokens = 16, .max_tokens = OUTPUT_TOKENS};
    generation->head = BUF_INIT(OUT_MAX);
    generation->serial = 1;
    chunk_head(generation, NULL);
    return generation;
}

static void discard(struct generation *generation)
{
    buf_free(&generation->simulator->model_json);
    buf_free(&generation->head);
    free(generation->simulator);
    free(generation);
}

static bool is_fixed(const char *key)
{
    return strcmp(key, "object") == 0 || strcmp(key, "role") == 0 || strcmp(key, "finish_reason") == 0;
}

/* Replaces what may differ by a value of its type. */
static json_t *skeleton(const char *key, const json_t *value)
{
    if (json_is_object(value)) {
        json_t *object = json_object(), *member;
        const char *name;
        json_object_foreach((json_t *)value, name, member) json_object_set_new(object, name, skeleton(name, member));
        return object;
    }
    if (json_is_array(value)) {
        json_t *array = json_array();
        for (size_t k = 0; k < json_array_size(value); k++)
            json_array_append_new(array, skeleton(key, json_array_get(value, k)));
        return array;
    }
    if (json_is_string(value) && !is_fixed(key))
        return json_string("text");
    return json_is_integer(value) ? json_integer(0) : json_deep_copy(value);
}

static void assert_same_shape(const char *ours, size_t our_length, const char *theirs, size_t their_length)
{
    json_t *a = json_loadb(ours, our_length, 0, NULL), *b = json_loadb(theirs, their_length, 0, NULL);
    assert_non_null(a);
    assert_non_null(b);
    json_t *our_shape = skeleton("", a), *their_shape = skeleton("", b);
    cleanup_buf struct buf our_text = BUF_INIT(OUT_MAX), their_text = BUF_INIT(OUT_MAX);
    json_append_compact(our_shape, &our_text);
    json_append_compact(their_shape, &their_text);
    assert_string_equal(buf_text(&our_text), buf_text(&their_text));
    json_decref(a), json_decref(b), json_decref(our_shape), json_decref(their_shape);
}

static struct events events_of(const char *bytes, size_t length)
{
    struct events events = events_new();
    struct sse sse;
    sse_init(&sse, events_add, &events);
    assert_int_equal(sse_feed(&sse, bytes, length), 0);
    assert_false(sse_unfinished(&sse));
    sse_free(&sse);
    return events;
}

/* All that a stream of one token a chunk consists of, but [DONE]. */
static struct events our_stream(struct generation *generation)
{
    cleanup_buf struct buf out = BUF_INIT(OUT_MAX);
    if (generation->task.chat)
        chunk_role(generation, &out);
    for (int64_t k = 1; k <= OUTPUT_TOKENS; k++) {
        generation->scheduled.output_tokens = k;
        chunk_tokens(generation, &out);
        generation->sent_tokens = k;
    }
    if (generation->task.include_usage)
        chunk_usage(generation, &out);
    return events_of(out.data, out.len);
}

static void compare_stream(const char *capture, bool chat, bool usage, bool continuous)
{
    cleanup_buf struct buf theirs = capture_read_body(capture, NULL);
    struct generation *generation = make(chat, true, usage, continuous);
    struct events ours = our_stream(generation), captured = events_of(theirs.data, theirs.len);
    assert_int_equal(ours.count + 1, captured.count); /* theirs ends in [DONE] */
    for (size_t k = 0; k < ours.count; k++) {
        size_t our_length, their_length;
        const char *our = events_data(&ours, k, &our_length), *their = events_data(&captured, k, &their_length);
        assert_same_shape(our, our_length, their, their_length);
    }
    events_free(&ours);
    events_free(&captured);
    discard(generation);
}

static void streams_have_the_shape_of_the_captures(void **state)
{
    (void)state;
    compare_stream(WIRE "cmpl-stream.raw", false, false, false);
    compare_stream(WIRE "cmpl-stream-usage.raw", false, true, false);
    compare_stream(WIRE "cmpl-stream-contusage.raw", false, true, true);
    compare_stream(WIRE "chat-stream.raw", true, false, false);
    compare_stream(WIRE "chat-stream-usage.raw", true, true, false);
    compare_stream(WIRE "chat-stream-contusage.raw", true, true, true);
}

static void compare_whole(const char *capture, bool chat)
{
    cleanup_buf struct buf theirs = capture_read_body(capture, NULL), ours = BUF_INIT(OUT_MAX);
    struct generation *generation = make(chat, false, false, false);
    generation->scheduled.output_tokens = OUTPUT_TOKENS;
    chunk_whole(generation, &ours);
    assert_same_shape(ours.data, ours.len, theirs.data, theirs.len);
    discard(generation);
}

static void whole_replies_have_the_shape_of_the_captures(void **state)
{
    (void)state;
    compare_whole(WIRE "cmpl-plain.raw", false);
    compare_whole(WIRE "chat-plain.raw", true);
}

static void several_tokens_share_a_chunk(void **state)
{
    (void)state;
    struct generation *generation = make(false, true, true, true);
    cleanup_buf struct buf one = BUF_INIT(OUT_MAX);
    generation->sent_tokens = 2;
    generation->scheduled.output_tokens = 5;
    chunk_tokens(generation, &one);
    json_t *chunk = json_loadb(one.data + 6, one.len - 6, 0, NULL);
    json_t *usage = json_object_get(chunk, "usage");
    assert_int_equal(json_integer_value(json_object_get(usage, "completion_tokens")), 5);
    assert_int_equal(json_integer_value(json_object_get(usage, "total_tokens")), 21);
    const char *text = json_string_value(json_object_get(json_array_get(json_object_get(chunk, "choices"), 0), "text"));
    size_t words = 0;
    for (const char *c = text; *c; c++)
        words += *c == ' ' || *c == ',' || *c == '.';
    assert_int_equal(words, 3);
    json_decref(chunk);
    discard(generation);
}

static void ids_that_a_client_chose_are_quoted(void **state)
{
    (void)state;
    struct generation *generation = make(true, true, false, false);
    buf_reset(&generation->head);
    chunk_head(generation, "a\"b\xff");
    assert_non_null(strstr(generation->head.data, "{\"id\":\"chatcmpl-a\\\"b"));
    assert_null(strchr(generation->head.data, '\xff'));
    discard(generation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_have_the_shape_of_the_captures),
        cmocka_unit_test(whole_replies_have_the_shape_of_the_captures),
        cmocka_unit_test(several_tokens_share_a_chunk),
        cmocka_unit_test(ids_that_a_client_chose_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
