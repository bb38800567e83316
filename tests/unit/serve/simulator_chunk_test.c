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

/* A request of 16 prompt tokens and OUTPUT_TOKENS a choice; `task` says the rest. The simulator's settings are empty. */
static struct answer *make_choices(struct simulator_task task, size_t count)
{
    static struct clock_fake fake = {.realtime_offset = 1795486018 * NS_PER_S};
    static struct clock clock;
    static uint32_t ids[16] = {1, 2, 3};
    static char text[] = "a\"b";
    static struct simulator_prompt prompt;
    prompt = (struct simulator_prompt){.ids = ids, .count = 16, .text = text, .text_length = 3};
    clock = clock_fake_clock(&fake);
    struct simulator *simulator = mem_alloc(sizeof *simulator);
    struct answer *answer = mem_alloc(sizeof *answer + count * sizeof answer->generations[0]);
    simulator->settings.clock = &clock;
    simulator->model_json = BUF_INIT(OUT_MAX);
    buf_append_text(&simulator->model_json, "\"m\"");
    task.prompts = &prompt;
    task.prompt_tokens = 16;
    task.max_tokens = OUTPUT_TOKENS;
    task.choices = (int64_t)count;
    *answer = (struct answer){.simulator = simulator, .task = task, .head = BUF_INIT(OUT_MAX), .serial = 1, .count = count};
    for (size_t k = 0; k < count; k++)
        answer->generations[k] = (struct generation){.answer = answer, .prompt = &prompt, .index = (int64_t)k, .seed = 1 + k,
                                                     .scheduled = {.prompt_tokens = 16, .output_limit = OUTPUT_TOKENS}};
    chunk_head(answer, NULL);
    return answer;
}

static struct answer *make(bool chat, bool stream, bool usage, bool continuous)
{
    return make_choices((struct simulator_task){.chat = chat, .stream = stream, .include_usage = usage, .continuous_usage = continuous}, 1);
}

static void discard(struct answer *answer)
{
    buf_free(&answer->simulator->model_json);
    buf_free(&answer->head);
    free(answer->simulator);
    free(answer);
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
    assert_false(stream_is_cut(&sse));
    sse_free(&sse);
    return events;
}

/* All that a stream of one token a chunk consists of, but [DONE]. */
static struct events our_stream(struct answer *answer)
{
    cleanup_buf struct buf out = BUF_INIT(OUT_MAX);
    for (size_t c = 0; c < answer->count && answer->task.chat; c++)
        chunk_role(&answer->generations[c], &out);
    for (int64_t k = 1; k <= answer->generations[0].scheduled.output_limit; k++)
        for (size_t c = 0; c < answer->count; c++) {
            answer->generations[c].scheduled.output_tokens = k;
            chunk_tokens(&answer->generations[c], &out);
            answer->generations[c].sent_tokens = k;
        }
    if (answer->task.include_usage)
        chunk_usage(answer, &out);
    return events_of(out.data, out.len);
}

/* Discards the answer. */
static void compare_answer(const char *capture, struct answer *answer)
{
    cleanup_buf struct buf theirs = capture_read_body(capture, NULL);
    struct events ours = our_stream(answer), captured = events_of(theirs.data, theirs.len);
    assert_int_equal(ours.count + 1, captured.count); /* theirs ends in [DONE] */
    for (size_t k = 0; k < ours.count; k++) {
        size_t our_length, their_length;
        const char *our = events_data(&ours, k, &our_length), *their = events_data(&captured, k, &their_length);
        assert_same_shape(our, our_length, their, their_length);
    }
    events_free(&ours);
    events_free(&captured);
    discard(answer);
}

static void compare_stream(const char *capture, bool chat, bool usage, bool continuous)
{
    compare_answer(capture, make(chat, true, usage, continuous));
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

static void token_ids_are_sent_as_in_the_captures(void **state)
{
    (void)state;
    struct simulator_task task = {.stream = true, .include_usage = true, .return_token_ids = true};
    struct answer *answer = make_choices(task, 1);
    answer->task.prompts[0].count = 7; /* theirs has so many */
    compare_answer(WIRE "cmpl-stream-tokids.raw", answer);
    task.chat = true;
    answer = make_choices(task, 1);
    compare_answer(WIRE "chat-stream-tokids.raw", answer);
}

static void echo_comes_first_with_the_ids_of_the_prompt(void **state)
{
    (void)state;
    struct answer *answer = make_choices((struct simulator_task){.stream = true, .echo = true}, 1);
    answer->generations[0].scheduled.output_limit = 3;
    struct events events = our_stream(answer);
    size_t length;
    const char *first = events_data(&events, 0, &length);
    assert_non_null(strstr(first, "\"text\":\"a\\\"b "));
    assert_non_null(strstr(first, "\"prompt_token_ids\":[1,2,3,"));
    assert_non_null(strstr(first, "\"token_ids\":null"));
    assert_non_null(strstr(events_data(&events, 1, &length), "\"prompt_token_ids\":null"));
    events_free(&events);
    discard(answer);
}

static void choices_interleave_by_index(void **state)
{
    (void)state;
    struct answer *answer = make_choices((struct simulator_task){.stream = true, .include_usage = true}, 2);
    answer->generations[0].scheduled.output_limit = answer->generations[1].scheduled.output_limit = 4;
    compare_answer(WIRE "cmpl-n2.raw", answer);
}

static void usage_sums_prompts_once_and_choices_all(void **state)
{
    (void)state;
    struct answer *answer = make_choices((struct simulator_task){.chat = true, .return_token_ids = true}, 2);
    cleanup_buf struct buf out = BUF_INIT(OUT_MAX);
    answer->generations[0].scheduled.output_tokens = 3;
    answer->generations[1].scheduled.output_tokens = 5;
    chunk_whole(answer, &out);
    json_t *reply = json_loadb(out.data, out.len, 0, NULL), *choices = json_object_get(reply, "choices"), *usage = json_object_get(reply, "usage");
    assert_int_equal(json_integer_value(json_object_get(usage, "prompt_tokens")), 16);
    assert_int_equal(json_integer_value(json_object_get(usage, "completion_tokens")), 8);
    assert_int_equal(json_integer_value(json_object_get(usage, "total_tokens")), 24);
    assert_int_equal(json_array_size(choices), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(choices, 1), "index")), 1);
    assert_int_equal(json_array_size(json_object_get(json_array_get(choices, 0), "token_ids")), 3);
    assert_int_equal(json_array_size(json_object_get(json_array_get(choices, 1), "token_ids")), 5);
    json_decref(reply);
    discard(answer);
}

static void compare_whole(const char *capture, bool chat)
{
    cleanup_buf struct buf theirs = capture_read_body(capture, NULL), ours = BUF_INIT(OUT_MAX);
    struct answer *answer = make(chat, false, false, false);
    answer->generations[0].scheduled.output_tokens = OUTPUT_TOKENS;
    chunk_whole(answer, &ours);
    assert_same_shape(ours.data, ours.len, theirs.data, theirs.len);
    discard(answer);
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
    struct answer *answer = make(false, true, true, true);
    struct generation *generation = &answer->generations[0];
    cleanup_buf struct buf one = BUF_INIT(OUT_MAX);
    generation->sent_tokens = generation->text_token = 2;
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
    discard(answer);
}

static void ids_that_a_client_chose_are_quoted(void **state)
{
    (void)state;
    struct answer *answer = make(true, true, false, false);
    buf_reset(&answer->head);
    chunk_head(answer, "a\"b\xff");
    assert_non_null(strstr(answer->head.data, "{\"id\":\"chatcmpl-a\\\"b"));
    assert_null(strchr(answer->head.data, '\xff'));
    discard(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_have_the_shape_of_the_captures),
        cmocka_unit_test(token_ids_are_sent_as_in_the_captures),
        cmocka_unit_test(echo_comes_first_with_the_ids_of_the_prompt),
        cmocka_unit_test(choices_interleave_by_index),
        cmocka_unit_test(usage_sums_prompts_once_and_choices_all),
        cmocka_unit_test(whole_replies_have_the_shape_of_the_captures),
        cmocka_unit_test(several_tokens_share_a_chunk),
        cmocka_unit_test(ids_that_a_client_chose_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
