#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_formats_dates(void **state)
{
    static const struct {
        int64_t ns;
        int digits;
        const char *text;
    } cases[] = {
        {0, 0, "1970-01-01T00:00:00Z"},
        {0, 9, "1970-01-01T00:00:00.000000000Z"},
        {INT64_C(1795493211123456789), 9, "2026-11-24T04:06:51.123456789Z"},
        {INT64_C(1795493211123456789), 3, "2026-11-24T04:06:51.123Z"},
        {INT64_C(1709164800000000000), 0, "2024-02-29T00:00:00Z"},
        {-1, 9, "1969-12-31T23:59:59.999999999Z"},
        {INT64_MAX, 99, "2262-04-11T23:47:16.854775807Z"},
        {INT64_MIN, 1, "1677-09-21T00:12:43.1Z"},
    };
    char buffer[CLOCK_RFC3339_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(clock_format_rfc3339(cases[i].ns, cases[i].digits, buffer), cases[i].text);
}

static void test_parses_what_it_formats(void **state)
{
    static const int64_t times[] = {0, -1, 1, INT64_C(1795493211123456789), INT64_C(4102444799999999999), INT64_MAX};
    char buffer[CLOCK_RFC3339_SIZE];
    int64_t back;

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_int_equal(clock_parse_rfc3339(clock_format_rfc3339(times[i], 9, buffer), &back), 0);
        assert_int_equal(back, times[i]);
    }
}

static void test_parses_zones_and_fractions(void **state)
{
    int64_t utc, other;

    (void)state;
    assert_int_equal(clock_parse_rfc3339("2026-11-24T04:06:51.5Z", &utc), 0);
    assert_int_equal(clock_parse_rfc3339("2026-11-24T05:36:51.500+01:30", &other), 0);
    assert_int_equal(utc, other);
    assert_int_equal(clock_parse_rfc3339("2026-11-23T23:06:51.500000000-05:00", &other), 0);
    assert_int_equal(utc, other);
    assert_int_equal(utc % NS_PER_S, 500000000);
    assert_int_equal(clock_parse_rfc3339("2024-02-29t00:00:00z", &utc), 0);
}

static void test_refuses_what_is_no_date(void **state)
{
    static const char *const texts[] = {
        "",
        "2026",
        "2026-11-24",
        "2026-11-24T04:06:51",
        "2026-11-24 04:06:51Z",
        "2026-13-24T04:06:51Z",
        "2026-00-24T04:06:51Z",
        "2026-11-31T04:06:51Z",
        "2023-02-29T04:06:51Z",
        "2026-11-24T24:06:51Z",
        "2026-11-24T04:60:51Z",
        "2026-11-24T04:06:61Z",
        "2026-11-24T04:06:51.Z",
        "2026-11-24T04:06:51.1234567890Z",
        "2026-11-24T04:06:51Zx",
        "2026-11-24T04:06:51+0100",
        "2026-11-24T04:06:51+24:00",
        "2026-11-24T04:06:51+01:60",
        "-026-11-24T04:06:51Z",
        "9999-11-24T04:06:51Z",
        "1000-11-24T04:06:51Z",
    };
    int64_t ns = 77;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (clock_parse_rfc3339(texts[i], &ns) == 0)
            fail_msg("accepted: %s", texts[i]);
}

static void test_fake_clock_moves_by_hand(void **state)
{
    struct clock_fake fake = {.now = 100, .realtime_offset = 1000};
    const struct clock clock = clock_fake_clock(&fake);

    (void)state;
    assert_int_equal(clock_now(&clock), 100);
    assert_int_equal(clock_realtime(&clock), 1100);
    clock_sleep_until(&clock, 50);
    assert_int_equal(clock_now(&clock), 100);
    clock_sleep_until(&clock, NS_PER_S);
    assert_int_equal(clock_now(&clock), NS_PER_S);
}

static void test_system_clock_goes_forward(void **state)
{
    const struct clock *clock = clock_system();
    const int64_t start = clock_now(clock);

    (void)state;
    clock_sleep_until(clock, start + NS_PER_MS);
    assert_true(clock_now(clock) >= start + NS_PER_MS);
    clock_sleep_until(clock, start);
    clock_sleep_until(clock, TIME_NEVER);
    assert_true(clock_realtime(clock) > INT64_C(1700000000) * NS_PER_S);
}

/* Whatever this machine's kernel says. */
static void test_the_kernel_tells_of_its_clock(void **state)
{
    int64_t max_error_ns = 77;
    const int synchronized = clock_system_synchronized(&max_error_ns);

    (void)state;
    assert_in_range(synchronized + 1, 0, 2);
    if (synchronized == 1)
        assert_true(max_error_ns >= 0);
    else
        assert_int_equal(max_error_ns, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats_dates),
        cmocka_unit_test(test_parses_what_it_formats),
        cmocka_unit_test(test_parses_zones_and_fractions),
        cmocka_unit_test(test_refuses_what_is_no_date),
        cmocka_unit_test(test_fake_clock_moves_by_hand),
        cmocka_unit_test(test_system_clock_goes_forward),
        cmocka_unit_test(test_the_kernel_tells_of_its_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
