#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "serve/simulator_state.h"
#include "serve/tokenizer.h"
#include "serve/vocabulary.h"
#include "support/captures.h"

#define REFUSALS "tests/data/simulate/refusals.tsv"
#define LINE_MAX_BYTES 4096

/* Only what reading a body looks at. */
static struct simulator *make(void)
{
    struct simulator *simulator = mem_alloc(sizeof *simulator);
    simulator->settings = (struct simulator_settings){.model = "mistral-3-int4", .max_model_len = 2048};
    simulator->dialect = &dialect_vllm;
    return simulator;
}

static int read_body(bool chat, const char *body, struct simulator_task *task, struct buf *reply)
{
    struct simulator *simulator = make();
    int status = simulator_task_read(simulator, chat, body, strlen(body), task, reply);
    free(simulator);
    return status;
}

static void compare_refusal(const char *capture, bool chat, const char *body)
{
    struct simulator_task task;
    cleanup_buf struct buf reply = BUF_INIT(LINE_MAX_BYTES);
    char path[256];
    int expected_status;
    snprintf(path, sizeof path, CAPTURES_FOLDER "/vllm/%s.raw", capture);
    cleanup_buf struct buf expected = capture_read_body(path, &expected_status);
    int status = read_body(chat, body, &task, &reply);
    if (status != expected_status || strcmp(buf_text(&reply), buf_text(&expected)) != 0)
        fail_msg("%s: expected %d %s\ngot %d %s", capture, expected_status, buf_text(&expected), status, buf_text(&reply));
}

static void refusals_are_vllms_to_the_byte(void **state)
{
    (void)state;
    FILE *rows = fopen(REFUSALS, "r");
    assert_non_null(rows);
    char line[LINE_MAX_BYTES];
    int count = 0;
    while (fgets(line, sizeof line, rows)) {
        line[strcspn(line, "\n")] = '\0';
        char *endpoint = strchr(line, '\t'), *body = endpoint ? strchr(endpoint + 1, '\t') : NULL;
        if (line[0] == '#' || !body)
            continue;
        *endpoint++ = *body++ = '\0';
        compare_refusal(line, strcmp(endpoint, "chat") == 0, body);
        count++;
    }
    fclose(rows);
    assert_true(count > 8);
}

static void too_long_prompt_is_refused_in_vllms_words(void **state)
{
    (void)state;
    cleanup_buf struct buf body = BUF_INIT(1 << 16);
    buf_append_text(&body, "{\"prompt\":[1");
    for (int k = 0; k < 2100; k++)
        buf_append_text(&body, ",300");
    buf_append_text(&body, "],\"max_tokens\":4}");
    compare_refusal("err-ctx-toolong", false, buf_text(&body));
}

struct example {
    bool chat;
    const char *body;
    int status;
    int64_t prompt, output;
};

static const struct example EXAMPLES[] = {
    {false, "{\"prompt\":[5,6,7],\"max_tokens\":9}", 0, 3, 9},
    {false, "{\"prompt\":[[5,6,7]]}", 0, 3, 16},
    {false, "{\"prompt\":\"one two\"}", 0, 3, 16},              /* and the beginning of text */
    {false, "{\"prompt\":[\"one two\"]}", 0, 3, 16},
    {false, "{\"prompt\":\"x\",\"max_completion_tokens\":4}", 0, 2, 16},
    {false, "{\"prompt\":\"x\",\"max_tokens\":null,\"stream\":null}", 0, 2, 16},
    {false, "{\"prompt\":\"a\\u0000b\"}", 0, 4, 16},
    {true, "{\"messages\":[{\"role\":\"user\",\"content\":\"one two\"}],\"max_tokens\":9}", 0, 11, 9},
    {true, "{\"messages\":[{\"role\":\"user\",\"content\":\"one two\"}],\"max_tokens\":9,\"max_completion_tokens\":3}", 0, 11, 3},
    {true, "{\"messages\":[{\"role\":\"user\",\"content\":\"one two\"}]}", 0, 11, 2037}, /* what is left */
    {true, "{\"messages\":[{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}],\"max_tokens\":1}", 0, 16, 1},
    {true, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\" b\"}]}],\"max_tokens\":1}", 0, 11, 1},
    {false, "{\"prompt\":[1],\"max_tokens\":2047}", 0, 1, 2047},
    {false, "{\"prompt\":[1],\"max_tokens\":2048}", 400, 0, 0},
    {false, "{\"prompt\":\"\"}", 0, 1, 16},
    {false, "{\"prompt\":[]}", 400, 0, 0},
    {false, "{\"prompt\":[1,\"a\"]}", 400, 0, 0},
    {false, "{\"prompt\":[-1]}", 400, 0, 0},
    {false, "{\"prompt\":[[1],[2]]}", 0, 2, 16},
    {false, "{\"prompt\":[\"one two\",\"three\",[1]]}", 0, 6, 16},
    {false, "{\"prompt\":[\"one\",7]}", 400, 0, 0},
    {false, "{\"prompt\":[[1],[]]}", 400, 0, 0},
    {false, "{\"prompt\":[[1],[1,2,3]],\"max_tokens\":2046}", 400, 0, 0},
    {false, "{\"prompt\":{}}", 400, 0, 0},
    {false, "{\"prompt\":7}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"n\":2}", 0, 1, 16},
    {false, "{\"prompt\":[1],\"n\":2,\"temperature\":0}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"n\":0}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"n\":16385}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"n\":\"2\"}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"echo\":1}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"return_token_ids\":\"yes\"}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"stream\":\"yes\"}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"stream\":true,\"stream_options\":7}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"max_tokens\":-9223372036854775808}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"max_tokens\":9223372036854775807}", 400, 0, 0},
    {false, "{\"prompt\":[1],\"min_tokens\":-1}", 400, 0, 0},
    {false, "{\"model\":7,\"prompt\":[1]}", 400, 0, 0},
    {true, "{\"messages\":[]}", 400, 0, 0},
    {true, "{\"messages\":[7]}", 400, 0, 0},
    {true, "{\"messages\":[{\"content\":\"x\"}]}", 400, 0, 0},
    {true, "{\"messages\":[{\"role\":\"user\",\"content\":[7]}]}", 400, 0, 0},
    {true, "{\"messages\":[{\"role\":\"user\",\"content\":7}]}", 400, 0, 0},
    {true, "{}", 400, 0, 0},
    {true, "[]", 400, 0, 0},
    {true, "", 400, 0, 0},
    {true, "{\"messages\"", 400, 0, 0},
};

static void bodies_are_read(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof EXAMPLES / sizeof EXAMPLES[0]; k++) {
        const struct example *example = &EXAMPLES[k];
        struct simulator_task task;
        cleanup_buf struct buf reply = BUF_INIT(LINE_MAX_BYTES);
        int status = read_body(example->chat, example->body, &task, &reply);
        if (status != example->status)
            fail_msg("%s: status %d, expected %d: %s", example->body, status, example->status, buf_text(&reply));
        if (status == 0 && (task.prompt_tokens != example->prompt || task.max_tokens != example->output))
            fail_msg("%s: %lld and %lld tokens", example->body, (long long)task.prompt_tokens, (long long)task.max_tokens);
        json_t *error = status ? json_loadb(reply.data, reply.len, 0, NULL) : NULL;
        assert_int_equal(status != 0, json_is_string(json_object_get(json_object_get(error, "error"), "message")));
        json_decref(error);
        simulator_task_free(&task);
    }
}

static void prompts_are_kept_as_their_tokens(void **state)
{
    (void)state;
    struct simulator_task task;
    cleanup_buf struct buf reply = BUF_INIT(LINE_MAX_BYTES);
    assert_int_equal(read_body(false, "{\"prompt\":[[5,6,7],\"one two\"],\"n\":3,\"echo\":true,\"return_token_ids\":true}", &task, &reply), 0);
    assert_int_equal(task.prompt_count, 2);
    assert_int_equal(task.choices, 3);
    assert_true(task.echo && task.return_token_ids);
    assert_int_equal(task.prompts[0].count, 3);
    assert_memory_equal(task.prompts[0].ids, ((uint32_t[]){5, 6, 7}), 3 * sizeof(uint32_t));
    assert_null(task.prompts[0].text);
    uint32_t expected[3] = {TOKENIZER_BOS};
    assert_int_equal(tokenizer_encode("one two", 7, expected + 1, 2), 2);
    assert_int_equal(task.prompts[1].count, 3);
    assert_memory_equal(task.prompts[1].ids, expected, sizeof expected);
    assert_int_equal(task.prompts[1].text_length, 7);
    assert_memory_equal(task.prompts[1].text, "one two", 7);
    simulator_task_free(&task);
    assert_int_equal(read_body(true, "{\"messages\":[{\"role\":\"user\",\"content\":\"one two\"}],\"max_tokens\":9}", &task, &reply), 0);
    uint32_t chat[] = {TOKENIZER_BOS, 3, 5, 6, expected[1], expected[2], 4, 6, 3, 7, 6};
    assert_int_equal(task.prompts[0].count, 11);
    assert_memory_equal(task.prompts[0].ids, chat, sizeof chat);
    simulator_task_free(&task);
}

/* Reads options of a stream; of what the task owns nothing is left. */
static struct simulator_task read_stream(const char *options)
{
    struct simulator_task task;
    cleanup_buf struct buf body = BUF_INIT(LINE_MAX_BYTES), reply = BUF_INIT(LINE_MAX_BYTES);
    buf_printf(&body, "{\"prompt\":[1],\"stream\":true%s}", options);
    assert_int_equal(read_body(false, buf_text(&body), &task, &reply), 0);
    struct simulator_task read = task;
    simulator_task_free(&task);
    return read;
}

static void usage_is_sent_as_asked_for(void **state)
{
    (void)state;
    struct simulator_task task = read_stream(",\"stream_options\":{\"include_usage\":true}");
    assert_true(task.stream && task.include_usage && !task.continuous_usage);
    task = read_stream(",\"stream_options\":{\"include_usage\":true,\"continuous_usage_stats\":true}");
    assert_true(task.include_usage && task.continuous_usage);
    task = read_stream(",\"stream_options\":{\"continuous_usage_stats\":true}");
    assert_false(task.include_usage || task.continuous_usage);
    assert_false(read_stream("").include_usage);
}

static void tokenize_counts_what_a_request_counts(void **state)
{
    (void)state;
    struct simulator *simulator = make();
    cleanup_buf struct buf reply = BUF_INIT(LINE_MAX_BYTES);
    const char *chat = "{\"messages\":[{\"role\":\"user\",\"content\":\"one two\"}]}";
    const char *open = "{\"messages\":[{\"role\":\"user\",\"content\":\"one two\"}],\"add_generation_prompt\":false}";
    const char *bare = "{\"prompt\":\"one two\",\"add_special_tokens\":false}";
    assert_int_equal(simulator_tokenize(simulator, chat, strlen(chat), &reply), 0);
    assert_memory_equal(buf_text(&reply), "{\"count\":11,\"max_model_len\":2048,\"tokens\":[1,3,5,6,", 51);
    buf_reset(&reply);
    assert_int_equal(simulator_tokenize(simulator, open, strlen(open), &reply), 0);
    assert_memory_equal(buf_text(&reply), "{\"count\":8,", 11);
    buf_reset(&reply);
    assert_int_equal(simulator_tokenize(simulator, bare, strlen(bare), &reply), 0);
    assert_memory_equal(buf_text(&reply), "{\"count\":2,", 11);
    assert_int_equal(simulator_tokenize(simulator, "{}", 2, &reply), 400);
    vocabulary_free(simulator->vocabulary);
    free(simulator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_are_vllms_to_the_byte), cmocka_unit_test(too_long_prompt_is_refused_in_vllms_words),
        cmocka_unit_test(bodies_are_read),                cmocka_unit_test(usage_is_sent_as_asked_for),
        cmocka_unit_test(tokenize_counts_what_a_request_counts),
        cmocka_unit_test(prompts_are_kept_as_their_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
