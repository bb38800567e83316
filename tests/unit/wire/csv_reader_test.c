#include "wire/csv_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

#define FIELDS_MAX 4

/* The rows as "a|b;c|d;"; or the error's text. */
static void assert_reads(const char *text, size_t length, const char *expected)
{
    cleanup_buf struct buf got = BUF_INIT(512);
    char *copy = mem_alloc(length + 1);
    struct error err;
    memcpy(copy, text, length);
    struct csv_reader reader = csv_reader_begin(copy, length);
    char *fields[FIELDS_MAX];
    size_t count;
    int status;
    while ((status = csv_reader_row(&reader, fields, FIELDS_MAX, &count, &err)) > 0) {
        for (size_t k = 0; k < count; k++) {
            buf_append_text(&got, k > 0 ? "|" : "");
            buf_append_text(&got, fields[k]);
        }
        buf_append_text(&got, ";");
    }
    if (status < 0)
        buf_append_text(&got, err.text);
    assert_string_equal(buf_text(&got), expected);
    free(copy);
}

static void rows_and_fields(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"\n\r\n  \n", ""},
        {"a,b\nc,d\n", "a|b;c|d;"},
        {"a,b\r\nc,d", "a|b;c|d;"},
        {"\xEF\xBB\xBF" "a,b", "a|b;"},
        {" a , b\t\n", "a|b;"},
        {"a,,\n", "a||;"},
        {",\n", "|;"},
        {"# what this is\na\n\n#b\nc\n", "a;c;"},
        {"\"a,b\",c\n", "a,b|c;"},
        {"\"say \"\"yes\"\"\"\n", "say \"yes\";"},
        {"\"two\nlines\" , b\n", "two\nlines|b;"},
        {"\"\",\"\"\n", "|;"},
        {"\" kept \"\n", " kept ;"},
        {"a,b,c,d\n", "a|b|c|d;"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        assert_reads(cases[k].text, strlen(cases[k].text), cases[k].expected);
}

static void errors_name_their_line(void **state)
{
    (void)state;
    assert_reads("a\n\n\"b\n", 6, "a;line 3: a quote is not closed");
    assert_reads("\"x\ny\"\na\"b\n", 10, "x\ny;line 3: a quote stands inside a field that does not begin with one");
    assert_reads("\"a\"b\n", 5, "line 1: something stands behind a closing quote");
    assert_reads("a,b,c,d,e\n", 10, "line 1: too many fields");
    assert_reads("a\0b\n", 4, "line 1: a NUL byte: this is no text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_fields),
        cmocka_unit_test(errors_name_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
