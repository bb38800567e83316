#include "base/units.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

static void test_durations_are_parsed(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"30", 30 * SECOND}, {"250ms", 250 * MS}, {"1.5s", 1500 * MS}, {"2m", 120 * SECOND},        {"1h", 3600 * SECOND},
        {"0", 0},            {".5", 500 * MS},    {"1e3", 1000 * SECOND}, {"1000000000", SECOND * SECOND}, {"0.1ms", 100000},
    };
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(units_parse_duration(cases[i].text, &ns), 0);
        assert_int_equal(ns, cases[i].ns);
    }
}

static void test_non_durations_are_refused(void **state)
{
    static const char *const texts[] = {"",    "-1", "s",   "1 s", " 1", "1x",  "1ss",          "inf",
                                        "nan", ".",  "0x1", "1e",  "+1", "1mm", "1000000000.1", "1e999"};
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (units_parse_duration(texts[i], &ns) == 0)
            fail_msg("accepted: %s", texts[i]);
}

static void test_numbers(void **state)
{
    static const char *const wrong[] = {"", "-", "1.2.3", "1,2", "inf", "nan", "0x10", "1e999", " 1", "1 ", "e5", "--1"};
    double number;

    (void)state;
    assert_int_equal(units_parse_number("-12.5e1", &number), 0);
    assert_true(number == -125.0);
    assert_int_equal(units_parse_number("+.5", &number), 0);
    assert_true(number == 0.5);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (units_parse_number(wrong[i], &number) == 0)
            fail_msg("accepted: %s", wrong[i]);
}

static void test_integers(void **state)
{
    static const char *const wrong[] = {"", "-", "1.0", "1e3", "0x10", "9223372036854775808", " 1", "1 ", "+-1"};
    int64_t integer;

    (void)state;
    assert_int_equal(units_parse_integer("9223372036854775807", &integer), 0);
    assert_true(integer == INT64_MAX);
    assert_int_equal(units_parse_integer("-9223372036854775808", &integer), 0);
    assert_true(integer == INT64_MIN);
    assert_int_equal(units_parse_integer("007", &integer), 0);
    assert_int_equal(integer, 7);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (units_parse_integer(wrong[i], &integer) == 0)
            fail_msg("accepted: %s", wrong[i]);
}

static void test_dollars(void **state)
{
    static const struct {
        const char *text;
        int64_t micro;
    } cases[] = {{"0.85", 850000}, {"$3.40", 3400000}, {"12", 12000000}, {".000001", 1}, {"1.", 1000000},
                 {"1000000000", INT64_C(1000000000000000)}};
    static const char *const wrong[] = {"", "$", ".", "-1", "1.0000001", "1e3", "1000000000.000001", "99999999999999999999", "1,5", "$$1", "1$"};
    int64_t micro;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(units_parse_usd(cases[i].text, &micro), 0);
        assert_int_equal(micro, cases[i].micro);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (units_parse_usd(wrong[i], &micro) == 0)
            fail_msg("accepted: %s", wrong[i]);
}

static void test_durations_are_formatted(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0 ms"},
        {123456, "0.12 ms"},
        {5 * MS, "5.0 ms"},
        {850 * MS, "850 ms"},
        {999 * MS + 400000, "999 ms"},
        {999 * MS + 600000, "1.0 s"},
        {1234 * MS, "1.2 s"},
        {59940 * MS, "59.9 s"},
        {59960 * MS, "1 m 00 s"},
        {125 * SECOND, "2 m 05 s"},
        {3599 * SECOND + 600 * MS, "1 h 00 m"},
        {3900 * SECOND, "1 h 05 m"},
        {-125 * SECOND, "-2 m 05 s"},
    };
    char buffer[UNITS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(units_format_duration(cases[i].ns, buffer), cases[i].text);
    units_format_duration(INT64_MIN, buffer);
    units_format_duration(INT64_MAX, buffer);
}

static void test_bytes_are_formatted(void **state)
{
    char buffer[UNITS_TEXT_SIZE];

    (void)state;
    assert_string_equal(units_format_bytes(0, buffer), "0 B");
    assert_string_equal(units_format_bytes(999, buffer), "999 B");
    assert_string_equal(units_format_bytes(1400, buffer), "1.4 kB");
    assert_string_equal(units_format_bytes(999949, buffer), "999.9 kB");
    assert_string_equal(units_format_bytes(999960, buffer), "1.0 MB");
    assert_string_equal(units_format_bytes(3200000, buffer), "3.2 MB");
    assert_string_equal(units_format_bytes(UINT64_MAX, buffer), "18.4 EB");
}

static void test_numbers_are_formatted(void **state)
{
    char buffer[UNITS_TEXT_SIZE];

    (void)state;
    assert_string_equal(units_format_number(12345.6, 1, buffer), "12,345.6");
    assert_string_equal(units_format_number(0, 0, buffer), "0");
    assert_string_equal(units_format_number(999, 0, buffer), "999");
    assert_string_equal(units_format_number(1000, 0, buffer), "1,000");
    assert_string_equal(units_format_number(-1234567.891, 2, buffer), "-1,234,567.89");
    assert_string_equal(units_format_number(-0.001, 1, buffer), "0.0");
    assert_string_equal(units_format_number(999.96, 1, buffer), "1,000.0");
    assert_string_equal(units_format_number(NAN, 1, buffer), "-");
    assert_string_equal(units_format_number(INFINITY, 1, buffer), "inf");
    assert_string_equal(units_format_number(1e300, 9, buffer), "1e+300");
    assert_string_equal(units_format_number(999999999999999.0, 99, buffer), "999,999,999,999,999.000000000");
}

static void test_loads_and_dollars_are_formatted(void **state)
{
    char buffer[UNITS_TEXT_SIZE];

    (void)state;
    assert_string_equal(units_format_load(5, buffer), "5");
    assert_string_equal(units_format_load(0.25, buffer), "0.25");
    assert_string_equal(units_format_load(0.1 + 0.2, buffer), "0.3");
    assert_string_equal(units_format_load(1000000, buffer), "1000000");
    assert_string_equal(units_format_usd(3400000, buffer), "$3.40");
    assert_string_equal(units_format_usd(123, buffer), "$0.000123");
    assert_string_equal(units_format_usd(0, buffer), "$0.00");
    assert_string_equal(units_format_usd(1234500, buffer), "$1.2345");
    assert_string_equal(units_format_usd(-850000, buffer), "-$0.85");
    units_format_usd(INT64_MIN, buffer);
    assert_string_equal(buffer, "-$9223372036854.775808");
    assert_true(units_usd(3400000) == 3.4);
    assert_true(units_usd(0) == 0);
    assert_true(isnan(units_usd(-1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_are_parsed),    cmocka_unit_test(test_non_durations_are_refused),
        cmocka_unit_test(test_numbers),                 cmocka_unit_test(test_integers),
        cmocka_unit_test(test_dollars),                 cmocka_unit_test(test_durations_are_formatted),
        cmocka_unit_test(test_bytes_are_formatted),     cmocka_unit_test(test_numbers_are_formatted),
        cmocka_unit_test(test_loads_and_dollars_are_formatted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
