#include "wire/csv.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const ONE[] = {"x", NULL};
static const char *const FIVE[] = {"load", "unit", "n", "with, comma", "ok", NULL};

static void test_rows(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(10000);
    struct csv csv;
    (void)state;
    csv_begin(&csv, &out, FIVE);
    csv_add_number(&csv, 0.25);
    csv_add_text(&csv, "req/s");
    csv_add_integer(&csv, INT64_MIN);
    csv_add_missing(&csv);
    csv_add_bool(&csv, true);
    csv_end_row(&csv);
    csv_add_missing(&csv);
    csv_add_text(&csv, NULL);
    csv_add_integer(&csv, 0);
    csv_add_text(&csv, "");
    csv_add_bool(&csv, false);
    csv_end_row(&csv);
    assert_string_equal(buf_text(&out), "load,unit,n,\"with, comma\",ok\r\n"
                                        "0.25,req/s,-9223372036854775808,,true\r\n"
                                        ",,0,,false\r\n");
    assert_false(out.overflowed);
}

struct example {
    const char *text, *field;
};

static const struct example TEXTS[] = {
    {"plain", "plain"},
    {"two words", "two words"},
    {" edge", "\" edge\""},
    {"edge ", "\"edge \""},
    {" ", "\" \""},
    {"a,b", "\"a,b\""},
    {"say \"x\"", "\"say \"\"x\"\"\""},
    {"\"", "\"\"\"\""},
    {"a\nb", "\"a\nb\""},
    {"a\r\nb", "\"a \nb\""},
    {"a\tb", "\"a b\""},
    {"a\x1B[31m", "\"a [31m\""},
    {"a\x7F", "\"a \""},
    {"a\xC2\x9B" "31m", "\"a 31m\""},
    {"\xE2\x80\xAE" "gnp.exe", "\" gnp.exe\""},
    {"=1+1", "'=1+1"},
    {"+1", "'+1"},
    {"-1", "'-1"},
    {"@x", "'@x"},
    {"=a,\"b\"", "\"'=a,\"\"b\"\"\""},
    {"\t=1", "\"' =1\""},
    {"\r=1", "\"' =1\""},
    {"\n=1", "\"'\n=1\""},
    {"5 = 5", "5 = 5"},
    {"caf\xC3\xA9", "caf\xC3\xA9"},
    {"\xFF", "\xFF"},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        cleanup_buf struct buf out = BUF_INIT(10000), expected = BUF_INIT(10000);
        struct csv csv;
        csv_begin(&csv, &out, ONE);
        csv_add_text(&csv, TEXTS[i].text);
        csv_end_row(&csv);
        buf_printf(&expected, "x\r\n%s\r\n", TEXTS[i].field);
        assert_string_equal(buf_text(&out), buf_text(&expected));
    }
}

static const struct {
    double number;
    const char *field;
} NUMBERS[] = {
    {0, "0"},     {-1.5, "-1.5"},      {1.0 / 3, "0.333333333"}, {123456789, "123456789"}, {1e300, "1e+300"},
    {NAN, ""},    {INFINITY, ""},      {-INFINITY, ""},          {1e-7, "1e-07"},          {100, "100"},
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        cleanup_buf struct buf out = BUF_INIT(10000), expected = BUF_INIT(10000);
        struct csv csv;
        csv_begin(&csv, &out, ONE);
        csv_add_number(&csv, NUMBERS[i].number);
        csv_end_row(&csv);
        buf_printf(&expected, "x\r\n%s\r\n", NUMBERS[i].field);
        assert_string_equal(buf_text(&out), buf_text(&expected));
    }
}

static void test_ceiling(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(8);
    struct csv csv;
    (void)state;
    csv_begin(&csv, &out, ONE);
    csv_add_text(&csv, "123456789");
    csv_end_row(&csv);
    assert_true(out.overflowed);
    assert_true(out.len <= 8);
}

/* A row of another length than the header is a mistake in the program. */
static void test_ragged_row_aborts(void **state)
{
    (void)state;
    for (int fields = 0; fields <= 2; fields++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            cleanup_buf struct buf out = BUF_INIT(1000);
            struct csv csv;
            signal(SIGABRT, SIG_DFL);
            csv_begin(&csv, &out, ONE);
            for (int i = 0; i < fields; i++)
                csv_add_missing(&csv);
            csv_end_row(&csv);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WIFSIGNALED(status), fields != 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_texts),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_ragged_row_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
