#include "wire/openai_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/captures.h"

static const int32_t IDS[] = {1, 300, 301, 302, 303};

struct example {
    struct openai_request request;
    const char *body;
};

static const struct example EXAMPLES[] = {
    {{.model = "m", .text = "Hello", .text_length = 5}, "{\"model\":\"m\",\"prompt\":\"Hello\"}"},
    {{.model = "m", .text = "", .text_length = 0}, "{\"model\":\"m\",\"prompt\":\"\"}"},
    {{.model = "m", .token_ids = IDS, .token_count = 5, .text = "not used"}, "{\"model\":\"m\",\"prompt\":[1,300,301,302,303]}"},
    {{.model = "m", .token_ids = IDS, .token_count = 1}, "{\"model\":\"m\",\"prompt\":[1]}"},
    {{.model = "m", .token_ids = IDS, .token_count = 0}, "{\"model\":\"m\",\"prompt\":[]}"},
    {{.model = "m", .chat = true, .text = "Hi", .text_length = 2}, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}"},
    {{.model = "a/\"b\"", .text = "q\"\\\n\t\x01\0z", .text_length = 8},
     "{\"model\":\"a/\\\"b\\\"\",\"prompt\":\"q\\\"\\\\\\n\\t\\u0001\\u0000z\"}"},
    {{.model = "m", .text = "\xFFx\xC3\xA9", .text_length = 4}, "{\"model\":\"m\",\"prompt\":\"\xEF\xBF\xBDx\xC3\xA9\"}"},
    {{.model = "m", .text = "x", .text_length = 1, .max_tokens = 7, .ignore_eos = true},
     "{\"model\":\"m\",\"prompt\":\"x\",\"max_tokens\":7,\"ignore_eos\":true}"},
    {{.model = "m", .chat = true, .text = "x", .text_length = 1, .max_tokens = 7},
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":7}"},
    {{.model = "m", .chat = true, .text = "x", .text_length = 1, .max_tokens = 7, .max_completion_tokens = true},
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_completion_tokens\":7}"},
    /* stream_options without stream is refused by vLLM */
    {{.model = "m", .text = "x", .text_length = 1, .include_usage = true, .continuous_usage = true}, "{\"model\":\"m\",\"prompt\":\"x\"}"},
    {{.model = "m", .text = "x", .text_length = 1, .stream = true, .continuous_usage = true},
     "{\"model\":\"m\",\"prompt\":\"x\",\"stream\":true}"},
    {{.model = "m", .text = "x", .text_length = 1, .stream = true, .include_usage = true},
     "{\"model\":\"m\",\"prompt\":\"x\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
    {{.model = "m", .text = "x", .text_length = 1, .stream = true, .include_usage = true, .continuous_usage = true, .no_prompt_cache = true},
     "{\"model\":\"m\",\"prompt\":\"x\",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"continuous_usage_stats\":true},"
     "\"cache_prompt\":false}"},
};

static void test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof EXAMPLES / sizeof *EXAMPLES; i++) {
        cleanup_buf struct buf out = BUF_INIT(10000);
        assert_int_equal(openai_request_write(&EXAMPLES[i].request, &out), 0);
        assert_string_equal(buf_text(&out), EXAMPLES[i].body);
        json_t *document = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        assert_non_null(document);
        json_decref(document);
    }
}

/* More ids than the block they are formatted in, the longest and shortest among them. */
static void test_many_token_ids(void **state)
{
    static int32_t ids[3000];
    const size_t count = sizeof ids / sizeof *ids;
    cleanup_buf struct buf out = BUF_INIT(100000);
    (void)state;
    for (size_t i = 0; i < count; i++)
        ids[i] = i % 3 == 0 ? INT32_MAX : i % 3 == 1 ? INT32_MIN : (int32_t)i;
    for (size_t length = 0; length <= count; length += length < 300 ? 1 : 100) {
        struct openai_request request = {.model = "m", .token_ids = ids, .token_count = length};
        buf_reset(&out);
        assert_int_equal(openai_request_write(&request, &out), 0);
        json_t *document = json_loadb(out.data, out.len, 0, NULL);
        const json_t *prompt = json_object_get(document, "prompt");
        assert_int_equal(json_array_size(prompt), length);
        for (size_t i = 0; i < length; i++)
            assert_int_equal(json_integer_value(json_array_get(prompt, i)), ids[i]);
        json_decref(document);
    }
}

static void test_ceiling(void **state)
{
    struct openai_request request = {.model = "m", .token_ids = IDS, .token_count = 5, .stream = true};
    const size_t length = strlen("{\"model\":\"m\",\"prompt\":[1,300,301,302,303],\"stream\":true}");
    (void)state;
    for (size_t max = 1; max < length + 3; max++) {
        cleanup_buf struct buf out = BUF_INIT(max);
        assert_int_equal(openai_request_write(&request, &out), max < length ? -1 : 0);
        assert_true(out.len <= max);
        assert_int_equal(out.overflowed, max < length);
    }
}

/* A body that was really accepted by a server, member for member, but those that we do not send. */
static void test_same_as_a_captured_request(void **state)
{
    struct openai_request request = {
        .model = "mistral-3-int4", .text = "Hello my name is", .text_length = 16, .max_tokens = 8, .ignore_eos = true,
        .stream = true, .include_usage = true, .continuous_usage = true,
    };
    cleanup_buf struct buf out = BUF_INIT(10000);
    struct buf captured = capture_read_body(CAPTURES_FOLDER "/vllm/cmpl-stream-contusage.req", NULL);
    (void)state;
    assert_int_equal(openai_request_write(&request, &out), 0);
    json_t *ours = json_loadb(out.data, out.len, 0, NULL), *theirs = json_loadb(captured.data, captured.len, 0, NULL);
    assert_non_null(ours);
    assert_int_equal(json_object_del(theirs, "min_tokens"), 0);
    assert_int_equal(json_object_del(theirs, "temperature"), 0);
    assert_true(json_equal(ours, theirs));
    json_decref(ours);
    json_decref(theirs);
    buf_free(&captured);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_many_token_ids),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_same_as_a_captured_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
