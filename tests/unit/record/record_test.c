#include "record/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct record full_record(void)
{
    return (struct record){
        .level = 3, .repeat = 1, .shard = 0, .stream = 7, .i = 4711,
        .intended = -5, .sent = 1000000123, .connected = 1000000100, .headers = 1100000000, .first_token = 1200000000,
        .last_token = 9000000000, .end = 9000000001,
        .status = 200, .outcome = OUTCOME_ERROR, .failure = FAILURE_HTTP_5XX,
        .prompt_tokens = 512, .output_tokens = 256, .cached_tokens = 0, .chunks = 250, .arrivals = 240, .coalesced = 10,
        .first_tokens = 2, .chunk_tokens = CHUNK_TOKENS_INFERRED, .finish_reason = "a \"b\"\\\n",
        .bytes = 123456, .reused = true, .reconnected = 1, .target = 2, .conversation = 6, .turn = 3,
    };
}

static void assert_same(const struct record *a, const struct record *b)
{
    struct buf first = BUF_INIT(4096), second = BUF_INIT(4096);

    record_append_json(a, &first);
    record_append_json(b, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    buf_free(&first);
    buf_free(&second);
}

static void assert_round_trip(const struct record *record)
{
    struct buf line = BUF_INIT(4096);
    struct error err = {0};
    struct record back;

    record_append_json(record, &line);
    if (record_parse_json(line.data, line.len, &back, &err) < 0)
        fail_msg("%s in %s", err.text, line.data);
    assert_same(record, &back);
    buf_free(&line);
}

static void test_a_full_record_comes_back(void **state)
{
    const struct record record = full_record();
    struct buf line = BUF_INIT(4096);
    struct record back;

    (void)state;
    assert_round_trip(&record);
    record_append_json(&record, &line);
    assert_string_equal(
        buf_text(&line),
        "{\"id\":\"3.1.4711\",\"level\":3,\"repeat\":1,\"shard\":0,\"stream\":7,\"i\":4711,\"intended\":-5,\"sent\":1000000123,"
        "\"connected\":1000000100,\"headers\":1100000000,\"first_token\":1200000000,\"last_token\":9000000000,\"end\":9000000001,"
        "\"status\":200,\"outcome\":\"error\",\"error\":\"http_5xx\",\"prompt_tokens\":512,\"output_tokens\":256,"
        "\"cached_tokens\":0,\"chunks\":250,\"arrivals\":240,\"coalesced\":10,\"first_tokens\":2,\"chunk_tokens\":\"inferred\","
        "\"finish_reason\":\"a \\\"b\\\"\\\\\\n\",\"bytes\":123456,\"reused\":true,\"reconnected\":1,\"target\":2,"
        "\"conversation\":6,\"turn\":3}");
    assert_int_equal(record_parse_json(line.data, line.len, &back, NULL), 0);
    assert_int_equal(back.intended, -5);
    assert_int_equal(back.end, 9000000001);
    assert_int_equal(back.stream, 7);
    assert_int_equal(back.failure, FAILURE_HTTP_5XX);
    assert_string_equal(back.finish_reason, "a \"b\"\\\n");
    assert_true(back.reused);
    assert_int_equal(back.target, 2);
    assert_true(back.conversation == 6 && back.turn == 3);
    buf_free(&line);
}

static void test_what_never_happened_is_absent(void **state)
{
    struct record record = record_empty(), back;
    struct buf line = BUF_INIT(4096);

    (void)state;
    record_append_json(&record, &line);
    assert_null(strstr(line.data, "sent"));
    assert_null(strstr(line.data, "stream"));
    assert_null(strstr(line.data, "status"));
    assert_null(strstr(line.data, "error"));
    assert_null(strstr(line.data, "_tokens"));
    assert_null(strstr(line.data, "finish_reason"));
    assert_int_equal(record_parse_json(line.data, line.len, &back, NULL), 0);
    assert_int_equal(back.sent, TIME_NEVER);
    assert_int_equal(back.stream, -1);
    assert_int_equal(back.output_tokens, -1);
    assert_int_equal(back.chunks, 0);
    record.chunks = record.bytes = -1;
    buf_reset(&line);
    record_append_json(&record, &line);
    assert_int_equal(record_parse_json(line.data, line.len, &back, NULL), 0);
    assert_int_equal(back.chunks, -1);
    assert_int_equal(back.bytes, -1);
    buf_free(&line);
}

static void test_every_name_comes_back(void **state)
{
    struct record record = full_record();

    (void)state;
    for (int k = FAILURE_NONE; k < FAILURE_COUNT; k++) {
        record.failure = (enum failure)k;
        assert_round_trip(&record);
        assert_false(failure_by_server((enum failure)k) && failure_by_client((enum failure)k));
    }
    for (int k = CHUNK_TOKENS_NONE; k <= CHUNK_TOKENS_COUNTED; k++) {
        record.chunk_tokens = (enum chunk_tokens)k;
        assert_round_trip(&record);
    }
    for (int k = OUTCOME_OK; k <= OUTCOME_INCOMPLETE; k++) {
        record.outcome = (enum outcome)k;
        assert_round_trip(&record);
    }
}

static void test_blame(void **state)
{
    (void)state;
    assert_true(failure_by_server(FAILURE_HTTP_429));
    assert_true(failure_by_server(FAILURE_STALL));
    assert_true(failure_by_client(FAILURE_HTTP_4XX));
    assert_true(failure_by_client(FAILURE_DNS));
    assert_false(failure_by_server(FAILURE_CANCELLED) || failure_by_client(FAILURE_CANCELLED));
    assert_false(failure_by_server(FAILURE_NONE) || failure_by_client(FAILURE_NONE));
}

static void test_unknown_members_and_spaces_are_tolerated(void **state)
{
    const char line[] = "{ \"branch\" : {\"a\":[1,2,{\"}\":\"]\"}],\"b\":\"x\\\"}\"} , \"level\" : 1,\"repeat\":0 ,\"i\":2,"
                        "\"outcome\":\"ok\",\"sent\":null,\"new\":-1.5e3,\"flag\":true, \"finish_reason\":\"\\u0041\\u00E9\\/\\u0007\\b\" } ";
    struct record record;
    struct error err = {0};

    (void)state;
    if (record_parse_json(line, strlen(line), &record, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(record.level, 1);
    assert_int_equal(record.sent, TIME_NEVER);
    assert_string_equal(record.finish_reason, "A?/?\b");
}

static const struct {
    const char *line, *says;
} malformed[] = {
    {"", "expected an object"},
    {"[]", "expected an object"},
    {"{}", "expected a string"},
    {"{\"level\"", "expected ':'"},
    {"{\"level\":", "expected a whole number"},
    {"{\"level\":}", "expected a whole number"},
    {"{\"level\":-}", "expected a whole number"},
    {"{\"level\":1.5}", "fraction"},
    {"{\"level\":1e5}", "fraction"},
    {"{\"level\":-1}", "\"level\": expected a number from 0 on"},
    {"{\"level\":2147483648}", "\"level\": expected a number below 2^31"},
    {"{\"level\":99999999999999999999}", "beyond 64 bits"},
    {"{\"i\":100000000001}", "\"i\": a number beyond 10^11"},
    {"{\"sent\":9223372036854775807}", "\"sent\": a time beyond"},
    {"{\"sent\":-9223372036854775808}", "beyond 64 bits"},
    {"{\"level\":\"1\"}", "expected a whole number"},
    {"{\"outcome\":1}", "expected a string"},
    {"{\"outcome\":\"fine\"}", "\"outcome\": expected ok, error or incomplete"},
    {"{\"error\":\"http_6xx\"}", "\"error\": not an error class"},
    {"{\"chunk_tokens\":\"some\"}", "\"chunk_tokens\": expected exact"},
    {"{\"reused\":1}", "\"reused\": expected true or false"},
    {"{\"level\":1,}", "expected a string"},
    {"{\"level\":1 \"i\":2}", "expected ',' or '}'"},
    {"{\"level\":1", "expected ',' or '}'"},
    {"{\"finish_reason\":\"abc", "a string without its end"},
    {"{\"finish_reason\":\"abc\\", "a string without its end"},
    {"{\"finish_reason\":\"a\tb\"}", "a control character"},
    {"{\"finish_reason\":\"a\\\tb\"}", "an escape that JSON does not know at byte 20"},
    {"{\"finish_reason\":\"a\\\033[2J\"}", "an escape that JSON does not know"},
    {"{\"finish_reason\":\"\\x41\"}", "an escape that JSON does not know"},
    {"{\"finish_reason\":\"\\U0041\"}", "an escape that JSON does not know"},
    {"{\"finish_reason\":\"\\u004\"}", "an escape that JSON does not know"},
    {"{\"unknown\":\"\\\001\"}", "an escape that JSON does not know"},
    {"{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", "nested too deeply"},
    {"{\"x\":[1", "the line ends in the middle"},
    {"{\"x\":", "the line ends in the middle"},
    {"{\"x\":,", "expected a value"},
    {"{\"level\":1,\"repeat\":0,\"i\":2,\"outcome\":\"ok\"}x", "something follows"},
    {"{\"level\":1,\"repeat\":0,\"i\":2}", "\"outcome\" is missing"},
    {"{\"repeat\":0,\"i\":2,\"outcome\":\"ok\"}", "\"level\" is missing"},
    {"{\"level\":null,\"repeat\":0,\"i\":2,\"outcome\":\"ok\"}", "\"level\" is missing"},
};

static void test_malformed_lines_are_named(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof malformed / sizeof *malformed; k++) {
        struct record record;
        struct error err = {0};

        if (record_parse_json(malformed[k].line, strlen(malformed[k].line), &record, &err) == 0)
            fail_msg("accepted: %s", malformed[k].line);
        if (!strstr(err.text, malformed[k].says))
            fail_msg("%s: got '%s', expected '%s'", malformed[k].line, err.text, malformed[k].says);
    }
}

/* Every prefix, in memory of exactly its size: the sanitizers see a byte read beyond. */
static void test_every_cut_is_refused(void **state)
{
    const struct record record = full_record();
    struct buf line = BUF_INIT(4096);
    struct record back;

    (void)state;
    record_append_json(&record, &line);
    for (size_t length = 0; length < line.len; length++) {
        char *cut = malloc(length ? length : 1);

        memcpy(cut, line.data, length);
        assert_int_equal(record_parse_json(cut, length, &back, NULL), -1);
        free(cut);
    }
    buf_free(&line);
}

static void test_a_long_finish_reason_is_cut(void **state)
{
    const char line[] = "{\"level\":1,\"repeat\":0,\"i\":2,\"outcome\":\"ok\",\"finish_reason\":"
                        "\"0123456789012345678901234567890123456789\"}";
    struct record record;

    (void)state;
    assert_int_equal(record_parse_json(line, strlen(line), &record, NULL), 0);
    assert_string_equal(record.finish_reason, "0123456789012345678901234567890");
}

static void test_ids(void **state)
{
    static const char *const bad[] = {"", ".", "1", "1.2", "1.2.", "1.2.3.", "1..3", "-1.2.3", "1.2.x", "2147483648.0.0",
                                      "1.2.99999999999999999999", " 1.2.3", "1.2.3 "};
    struct record record = {.level = INT32_MAX, .repeat = INT32_MAX, .i = INT64_MAX};
    char id[RECORD_ID_SIZE];
    int level, repeat;
    int64_t i;

    (void)state;
    record_format_id(&record, id);
    assert_string_equal(id, "2147483647.2147483647.9223372036854775807");
    assert_int_equal(record_parse_id(id, strlen(id), &level, &repeat, &i), 0);
    assert_int_equal(level, INT32_MAX);
    assert_int_equal(repeat, INT32_MAX);
    assert_true(i == INT64_MAX);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        if (record_parse_id(bad[k], strlen(bad[k]), &level, &repeat, &i) == 0)
            fail_msg("accepted '%s'", bad[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_record_comes_back),
        cmocka_unit_test(test_what_never_happened_is_absent),
        cmocka_unit_test(test_every_name_comes_back),
        cmocka_unit_test(test_blame),
        cmocka_unit_test(test_unknown_members_and_spaces_are_tolerated),
        cmocka_unit_test(test_malformed_lines_are_named),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_a_long_finish_reason_is_cut),
        cmocka_unit_test(test_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
