#include "wire/promwrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* What Python 3.12 and prometheus_client print for these. */
static void numbers_are_pythons(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0.0"}, {1, "1.0"}, {0.1, "0.1"}, {0.001, "0.001"}, {2.5, "2.5"}, {20000, "20000.0"}, {123456, "123456.0"},
        {1e6, "1e+06"}, {1234567, "1.234567e+06"}, {1795499016.25, "1.79549901625e+09"}, {1.7954858908295991e9, "1.7954858908295991e+09"},
        {0.0011879460000727704, "0.0011879460000727704"}, {4.91634688e9, "4.91634688e+09"}, {23.36, "23.36"}, {-3, "-3.0"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        cleanup_buf struct buf out = BUF_INIT(100);
        promwrite_number(&out, cases[k].value);
        assert_string_equal(buf_text(&out), cases[k].text);
    }
}

static void lines_are_the_formats(void **state)
{
    (void)state;
    cleanup_buf struct buf out = BUF_INIT(1000), value = BUF_INIT(100);
    promwrite_label_value(&value, "a\"b\\c\nd");
    assert_string_equal(buf_text(&value), "a\\\"b\\\\c\\nd");
    promwrite_head(&out, "x", "_total", "counter", "Things.");
    promwrite_sample(&out, "x", "_total", "k=\"v\"", 3);
    promwrite_sample(&out, "y", "", "", 0.5);
    assert_string_equal(buf_text(&out), "# HELP x_total Things.\n# TYPE x_total counter\nx_total{k=\"v\"} 3.0\ny 0.5\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_pythons),
        cmocka_unit_test(lines_are_the_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
