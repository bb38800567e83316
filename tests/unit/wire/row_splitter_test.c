/* Rows of lines, arrays and CSV: the same however the bytes come, with their places, and without holding what is too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "wire/row_splitter.h"

#define ROW_MAX 40

struct text_source {
    const char *text;
    size_t length, step, fail_at;
};

static int64_t read_text(void *context, void *to, size_t size, struct error *err)
{
    struct text_source *source = context;
    size_t take = source->length < source->step ? source->length : source->step;
    if (source->fail_at > 0 && source->length <= source->fail_at)
        return error_set(err, ERROR_INTERNAL, "the disk is gone");
    if (take > size)
        take = size;
    memcpy(to, source->text, take);
    source->text += take;
    source->length -= take;
    return (int64_t)take;
}

/* "line:column bytes|..." of all rows, and how it ended. */
static void rows_of(enum row_kind kind, const char *text, size_t step, struct buf *out)
{
    struct text_source source = {.text = text, .length = strlen(text), .step = step};
    struct row_splitter *splitter = row_splitter_new((struct row_source){read_text, &source}, ROW_MAX);
    struct row_bytes row;
    struct error err = {0};
    int status;
    row_splitter_set_kind(splitter, kind);
    buf_reset(out);
    while ((status = row_splitter_next(splitter, &row, &err)) > 0) {
        assert_int_equal(strlen(row.bytes), row.length);
        buf_printf(out, "%d:%d %s|", (int)row.line, (int)row.column, row.too_long ? "(too long)" : row.bytes);
    }
    if (status < 0)
        buf_printf(out, "%d:%d! %s", (int)row.line, (int)row.column, err.text);
    assert_int_equal(row_splitter_next(splitter, &row, &err), 0);
    row_splitter_free(splitter);
}

static const struct {
    enum row_kind kind;
    const char *text, *rows;
} cases[] = {
    {ROWS_LINES, "", ""},
    {ROWS_LINES, "a\nb\n", "1:1 a|2:1 b|"},
    {ROWS_LINES, "\xEF\xBB\xBF{}\r\n\r\n  \n x ", "1:1 {}|4:1  x |"},
    {ROWS_LINES, "0123456789012345678901234567890123456789\n", "1:1 0123456789012345678901234567890123456789|"},
    {ROWS_LINES, "01234567890123456789012345678901234567890\nb", "1:1 (too long)|2:1 b|"},
    {ROWS_LINES, "b\n01234567890123456789012345678901234567890", "1:1 b|2:1 (too long)|"},
    {ROWS_JSON_ARRAY, " [ ] ", ""},
    {ROWS_JSON_ARRAY, "[1]", "1:2 1|"},
    {ROWS_JSON_ARRAY, "[{\"a\":[1,2]} ,\n \"x,]\\\"[\" ,\n{\"b\":\n{}}\n]\n", "1:2 {\"a\":[1,2]}|2:2 \"x,]\\\"[\"|3:1 {\"b\":\n{}}|"},
    {ROWS_JSON_ARRAY, "[{\"a\":\"01234567890123456789012345678901234567890\"},2]", "1:2 (too long)|1:52 2|"},
    {ROWS_JSON_ARRAY, "{}", "1:1! expected '[', found '{'"},
    {ROWS_JSON_ARRAY, "[1,]", "1:2 1|1:4! expected a value, found ']'"},
    {ROWS_JSON_ARRAY, "[,1]", "1:2! expected a value or ']', found ','"},
    {ROWS_JSON_ARRAY, "[1]\n[2]", "1:2 1|2:1! expected nothing behind the array, found '['"},
    {ROWS_JSON_ARRAY, "[1,\n", "1:2 1|2:1! expected a value, found the end of the file"},
    {ROWS_JSON_ARRAY, "[1,\n{\"a\":\n\"", "1:2 1|3:2! expected the end of the value that begins in line 2, found the end of the file"},
    {ROWS_JSON_ARRAY, "", "1:1! expected '[', found the end of the file"},
    {ROWS_JSON_ARRAY, "[1}, {2]]", "1:2 1}|1:6 {2]|"},
    {ROWS_CSV, "a,b\n\"x\ny\",2\r\nz,\"q\"\"\n\"\"\"\n", "1:1 a,b|2:1 \"x\ny\",2|4:1 z,\"q\"\"\n\"\"\"|"},
    {ROWS_CSV, "a,b\"c\nd,e", "1:1 a,b\"c|2:1 d,e|"},
    {ROWS_CSV, ", \"a\nb\" \nlast", "1:1 , \"a\nb\" |3:1 last|"},
    {ROWS_CSV, "\"a\nb", "1:1 \"a\nb|"},
    {ROWS_CSV, "\"0123456789012345678\n90123456789012345678901\",2\nb", "1:1 (too long)|3:1 b|"},
};

static void test_rows_and_their_places(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(4096);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        for (size_t step = 1; step < 120; step += step < 8 ? 1 : 37) {
            rows_of(cases[k].kind, cases[k].text, step, &out);
            if (strcmp(buf_text(&out), cases[k].rows) != 0)
                fail_msg("case %zu, %zu bytes at once: %s\nexpected %s", k, step, buf_text(&out), cases[k].rows);
        }
    }
    buf_free(&out);
}

static void test_a_peek_takes_nothing(void **state)
{
    (void)state;
    struct text_source source = {.text = "\xEF\xBB\xBFone\ntwo", .length = 10, .step = 1};
    struct row_splitter *splitter = row_splitter_new((struct row_source){read_text, &source}, ROW_MAX);
    struct row_bytes row;
    struct error err = {0};
    const char *bytes;
    size_t length;
    assert_int_equal(row_splitter_peek(splitter, 4, &bytes, &length, &err), 0);
    assert_true(length >= 4);
    assert_memory_equal(bytes, "one\n", 4);
    assert_int_equal(row_splitter_peek(splitter, 100, &bytes, &length, &err), 0);
    assert_string_equal(bytes, "one\ntwo");
    assert_int_equal(row_splitter_next(splitter, &row, &err), 1);
    assert_string_equal(row.bytes, "one");
    assert_int_equal(row_splitter_next(splitter, &row, &err), 1);
    assert_string_equal(row.bytes, "two");
    assert_int_equal(row_splitter_next(splitter, &row, &err), 0);
    row_splitter_free(splitter);
}

static void test_a_source_that_fails_is_no_end(void **state)
{
    (void)state;
    struct text_source source = {.text = "one\ntwo\nthree", .length = 13, .step = 3, .fail_at = 4};
    struct row_splitter *splitter = row_splitter_new((struct row_source){read_text, &source}, ROW_MAX);
    struct row_bytes row;
    struct error err = {0};
    assert_int_equal(row_splitter_next(splitter, &row, &err), 1);
    assert_int_equal(row_splitter_next(splitter, &row, &err), 1);
    assert_int_equal(row_splitter_next(splitter, &row, &err), -1);
    assert_int_equal(err.class, ERROR_INTERNAL);
    row_splitter_free(splitter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_and_their_places),
        cmocka_unit_test(test_a_peek_takes_nothing),
        cmocka_unit_test(test_a_source_that_fails_is_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
