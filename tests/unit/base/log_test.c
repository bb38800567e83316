#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Writes one line of each level and compares what came out. */
static void expect_lines(bool json, enum log_level threshold, const char *expected)
{
    struct clock_fake fake = {.now = 0, .realtime_offset = INT64_C(1795493211123456789)};
    const struct clock clock = clock_fake_clock(&fake);
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    const struct log log = {.stream = stream, .clock = &clock, .command = "run", .json = json, .threshold = threshold};

    log_error(&log, "no %s", "luck");
    log_warning(&log, "slow");
    log_info(&log, "level %d", 3);
    log_debug(&log, "detail");
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);
}

static void test_text(void **state)
{
    (void)state;
    expect_lines(false, LOG_LEVEL_WARNING, "roibench run: no luck\nroibench run: warning: slow\n");
    expect_lines(false, LOG_LEVEL_DEBUG,
                 "roibench run: no luck\nroibench run: warning: slow\n04:06:51 level 3\n04:06:51 detail\n");
}

static void test_json(void **state)
{
    (void)state;
    expect_lines(true, LOG_LEVEL_INFO,
                 "{\"time\":\"2026-11-24T04:06:51.123Z\",\"level\":\"error\",\"command\":\"run\",\"message\":\"no luck\"}\n"
                 "{\"time\":\"2026-11-24T04:06:51.123Z\",\"level\":\"warning\",\"command\":\"run\",\"message\":\"slow\"}\n"
                 "{\"time\":\"2026-11-24T04:06:51.123Z\",\"level\":\"info\",\"command\":\"run\",\"message\":\"level 3\"}\n");
}

static void expect_fields(bool json, const char *expected)
{
    struct clock_fake fake = {.now = 0, .realtime_offset = INT64_C(1795493211123456789)};
    const struct clock clock = clock_fake_clock(&fake);
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    struct log log = {.stream = stream, .clock = &clock, .command = "run", .json = json, .threshold = LOG_LEVEL_INFO};
    json_t *fields = json_pack("{s:i}", "sent", 3);

    log_info_fields(&log, "progress", fields, "level 1");
    log.threshold = LOG_LEVEL_WARNING;
    log_info_fields(&log, "progress", fields, "not shown");
    log_info_fields(NULL, "progress", fields, "nobody listens");
    json_decref(fields);
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);
}

static void test_fields_are_members(void **state)
{
    (void)state;
    expect_fields(false, "04:06:51 level 1\n");
    expect_fields(true, "{\"time\":\"2026-11-24T04:06:51.123Z\",\"level\":\"info\",\"command\":\"run\",\"message\":\"level 1\","
                        "\"progress\":{\"sent\":3}}\n");
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    const struct log log = {.stream = stream, .clock = clock_system(), .command = "run", .threshold = LOG_LEVEL_INFO};

    (void)state;
    log_error(&log, "%s", "a\x1B[2Jb\r\xC2\x9Bz \xC3\xA9\tq\nroibench run: fine\xE2\x80\xAEx");
    log_write(NULL, LOG_LEVEL_ERROR, "nobody listens");
    fclose(stream);
    assert_string_equal(text, "roibench run: a?[2Jb???z \xC3\xA9\tq roibench run: fine???x\n");
    free(text);
}

static void test_long_messages_are_cut(void **state)
{
    char *text = NULL, *message = malloc(100000);
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    const struct log log = {.stream = stream, .clock = clock_system(), .command = "run", .json = true, .threshold = LOG_LEVEL_INFO};

    (void)state;
    memset(message, 1, 99999);
    message[99999] = '\0';
    log_error(&log, "%s", message);
    fclose(stream);
    assert_true(length > 6 * 8191);
    assert_string_equal(text + length - 3, "\"}\n");
    free(text);
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_fields_are_members),
        cmocka_unit_test(test_control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(test_long_messages_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
