/* Bodies that are no chunks: whole responses, errors, lists of models. */
#include "wire/openai.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/captures.h"
#include "wire/openai_chunk.h"

/* --- error bodies --- */

struct message_example {
    const char *body, *message;
};

static const struct message_example MESSAGES[] = {
    {"", ""},
    {" \r\n", ""},
    {"{}", "{}"},
    {"{\"error\":{\"message\":\"a\"}}", "a"},
    {"{\"error\":{\"message\":\"two\\nlines\\tof  text \"}}", "two lines of text"},
    {"{\"error\":{\"message\":\"a\\u001b[31mred\\u0000\\u009bx\"}}", "a [31mred x"},
    {"{\"error\":\"text\"}", "text"},
    {"{\"detail\":\"Not Found\"}", "Not Found"},
    {"{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}", "field required"},
    {"{\"message\":\"m\",\"code\":3}", "m"},
    {"{\"error\":null,\"message\":\"m\"}", "m"},
    {"{\"error\":{\"message\":{\"message\":\"deep\"}}}", "deep"},
    {"{\"error\":{\"error\":{\"error\":{\"error\":{\"error\":\"too deep\"}}}}}", "{\"error\":{\"error\":{\"error\":{\"error\":{\"error\":\"too deep\"}}}}}"},
    {"{\"error\":{\"message\":\"\"}}", "{\"error\":{\"message\":\"\"}}"},
    {"plain text\nsecond line", "plain text"},
    {"\n\n  indented\r\nsecond", "indented"},
    {"<html>\r\n<head><TITLE>502 Bad\nGateway</TITLE></head>", "502 Bad Gateway"},
    {"<html><title>unfinished", "<html><title>unfinished"},
    {"{\"error\":{\"message\":\"cut of", "{\"error\":{\"message\":\"cut of"},
    {"a\xC2\x9B" "b\xE2\x80\xAE" "c\xC2\xA0" "d", "a b c d"},
    {"broken \xFF\xC3( bytes", "broken \xEF\xBF\xBD\xEF\xBF\xBD( bytes"},
};

static void test_messages(void **state)
{
    char message[OPENAI_MESSAGE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof MESSAGES / sizeof *MESSAGES; i++) {
        openai_error_message(MESSAGES[i].body, strlen(MESSAGES[i].body), message, sizeof message);
        if (strcmp(message, MESSAGES[i].message) != 0)
            fail_msg("%s gives \"%s\", expected \"%s\"", MESSAGES[i].body, message, MESSAGES[i].message);
    }
}

static void test_message_is_cut_at_a_character(void **state)
{
    static const char BODY[] = "\xC3\xA9\xC3\xA9\xC3\xA9 \xF0\x9F\x98\x80"; /* 3 times 2 bytes, a space, 4 bytes */
    static const size_t LENGTHS[] = {0, 0, 2, 2, 4, 4, 6, 6, 6, 6, 6, 11, 11};
    char message[32];
    (void)state;
    for (size_t room = 1; room <= sizeof LENGTHS / sizeof *LENGTHS; room++) {
        memset(message, 'x', sizeof message);
        openai_error_message(BODY, strlen(BODY), message, room);
        assert_int_equal(strlen(message), LENGTHS[room - 1]);
        assert_int_equal(message[room], 'x');
    }
}

struct capture_message {
    const char *capture;
    int status;
    const char *message;
};

static const struct capture_message CAPTURED[] = {
    {"vllm/err-404path", 404, "Not Found"},
    {"vllm/err-405", 405, "Method Not Allowed"},
    {"vllm/err-model404", 404, "The model `nope` does not exist. Valid aliases: mistral-3-int4."},
    {"vllm/err-min-gt-max", 400, "min_tokens must be less than or equal to max_tokens=2, got 9."},
    {"vllm/err-tokid-range", 400, "Token id 999999 is out of vocabulary"},
    {"vllm/err-badtype", 400, "1 validation error: Unsupported Media Type: Only 'application/json' is allowed"},
    {"vllm-auth/err-noauth", 401, "Unauthorized"},
    {"vllm-auth/models-noauth", 401, "Unauthorized"},
    {"vllm-v3/err-503-overload-1", 503,
     "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance."},
    {"llamacpp/err-404path", 404, "File Not Found"},
    {"llamacpp/err-ctx", 400, "request (2101 tokens) exceeds the available context size (1024 tokens), try increasing it"},
    {"llamacpp/err-ctx-stream", 400, "request (2101 tokens) exceeds the available context size (1024 tokens), try increasing it"},
    {"llamacpp-auth/err-noauth", 401, "Invalid API Key"},
};

static void test_captured_errors(void **state)
{
    char path[256], message[OPENAI_MESSAGE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof CAPTURED / sizeof *CAPTURED; i++) {
        int status;
        snprintf(path, sizeof path, CAPTURES_FOLDER "/%s.raw", CAPTURED[i].capture);
        struct buf body = capture_read_body(path, &status);
        openai_error_message(buf_text(&body), body.len, message, sizeof message);
        assert_string_equal(message, CAPTURED[i].message);
        assert_int_equal(status, CAPTURED[i].status);
        buf_free(&body);
    }
}

/* --- whole responses --- */

struct response_example {
    const char *body;
    int result;
    bool token, text_empty, error;
    int64_t prompt_tokens, completion_tokens;
};

static const struct response_example RESPONSES[] = {
    {"{\"choices\":[{\"text\":\"a\"}],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":3}}", 0, true, false, false, 2, 3},
    {"{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"a\"}}]}", 0, true, false, false, -1, -1},
    {"{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{}]}}]}", 0, true, false, false, -1, -1},
    {"{\"choices\":[{\"message\":{\"content\":null,\"reasoning\":\"hm\"}}]}", 0, true, false, false, -1, -1},
    {"{\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":1}}", 0, true, true, false, -1, 1},
    {"{\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":0}}", 0, false, false, false, -1, 0},
    {"{\"error\":{\"message\":\"x\"}}", 0, false, false, true, -1, -1},
    {"[DONE]", -1, false, false, false, 0, 0},
    {"<html>", -1, false, false, false, 0, 0},
    {"", -1, false, false, false, 0, 0},
};

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof RESPONSES / sizeof *RESPONSES; i++) {
        const struct response_example *expected = &RESPONSES[i];
        struct openai_chunk response;
        assert_int_equal(openai_response_read(expected->body, strlen(expected->body), &response), expected->result);
        if (expected->result != 0)
            continue;
        assert_int_equal(response.token, expected->token);
        assert_int_equal(response.text_empty, expected->text_empty);
        assert_int_equal(response.error, expected->error);
        assert_int_equal(response.prompt_tokens, expected->prompt_tokens);
        assert_int_equal(response.completion_tokens, expected->completion_tokens);
    }
}

static void check_plain(const char *path, int64_t prompt, int64_t completion, int64_t cached)
{
    struct openai_chunk response;
    struct buf body = capture_read_body(path, NULL);
    assert_int_equal(openai_response_read(buf_text(&body), body.len, &response), 0);
    assert_true(response.token);
    assert_int_equal(response.prompt_tokens, prompt);
    assert_int_equal(response.completion_tokens, completion);
    assert_int_equal(response.cached_tokens, cached);
    assert_string_equal(response.finish_reason, "length");
    buf_free(&body);
}

static void test_captured_responses(void **state)
{
    (void)state;
    check_plain(CAPTURES_FOLDER "/vllm/cmpl-plain.raw", 7, 8, -1);
    check_plain(CAPTURES_FOLDER "/vllm/chat-plain.raw", 16, 8, -1);
    check_plain(CAPTURES_FOLDER "/vllm-auth/cached-1.raw", 401, 2, 0);
    check_plain(CAPTURES_FOLDER "/vllm-auth/cached-2.raw", 401, 2, 384);
    check_plain(CAPTURES_FOLDER "/llamacpp/cmpl-plain.raw", 8, 8, 0);
    check_plain(CAPTURES_FOLDER "/llamacpp/chat-plain.raw", 16, 8, 0);
}

/* --- models --- */

static void check_models(const char *path, const char *owner, int64_t length)
{
    struct openai_models models;
    struct error err;
    struct buf body = capture_read_body(path, NULL);
    assert_int_equal(openai_models_read(buf_text(&body), body.len, &models, &err), 0);
    assert_int_equal(models.count, 1);
    assert_string_equal(models.ids[0], "mistral-3-int4");
    assert_string_equal(models.owned_by[0], owner);
    assert_int_equal(models.max_model_len[0], length);
    openai_models_free(&models);
    buf_free(&body);
}

static void test_captured_models(void **state)
{
    (void)state;
    check_models(CAPTURES_FOLDER "/vllm/get_v1_models.raw", "vllm", 2048);
    check_models(CAPTURES_FOLDER "/llamacpp/get_v1_models.raw", "llamacpp", 1024);
}

static size_t count_models(const char *body)
{
    struct openai_models models;
    struct error err;
    assert_int_equal(openai_models_read(body, strlen(body), &models, &err), 0);
    size_t count = models.count;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(models.max_model_len[i], -1);
    openai_models_free(&models);
    assert_null(models.ids);
    return count;
}

static void test_models_of_other_shapes(void **state)
{
    (void)state;
    assert_int_equal(count_models("{\"data\":[]}"), 0);
    assert_int_equal(count_models("{\"data\":null}"), 0);
    assert_int_equal(count_models("{\"data\":[{\"id\":\"a\"},{\"id\":\"b\",\"max_model_len\":null}]}"), 2);
    assert_int_equal(count_models("{\"data\":[{\"id\":7},7,null,{\"owned_by\":\"x\"},{\"id\":\"b\",\"max_model_len\":-5,\"owned_by\":3}]}"), 1);
    assert_int_equal(count_models("{\"data\":[{\"id\":\"b\",\"max_model_len\":1e30,\"meta\":[]}]}"), 1);
}

static void refuse_models(const char *body, size_t length, const char *text)
{
    struct openai_models models;
    struct error err = {0};
    assert_int_equal(openai_models_read(body, length, &models, &err), -1);
    assert_int_equal(err.class, ERROR_TARGET);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
    assert_null(models.ids);
}

static void test_no_models(void **state)
{
    struct buf list = BUF_INIT(1 << 20);
    (void)state;
    refuse_models("", 0, "is not JSON");
    refuse_models("<html>", 6, "is not JSON");
    refuse_models("{}", 2, "has no \"data\"");
    refuse_models("[]", 2, "has no \"data\"");
    refuse_models("{\"data\":{}}", 11, "has no \"data\"");
    buf_append_text(&list, "{\"data\":[0");
    for (int i = 0; i < OPENAI_MODELS_MAX; i++)
        buf_append_text(&list, ",0");
    buf_append_text(&list, "]}");
    refuse_models(list.data, list.len, "4097 entries");
    buf_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_message_is_cut_at_a_character),
        cmocka_unit_test(test_captured_errors),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_captured_responses),
        cmocka_unit_test(test_captured_models),
        cmocka_unit_test(test_models_of_other_shapes),
        cmocka_unit_test(test_no_models),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
