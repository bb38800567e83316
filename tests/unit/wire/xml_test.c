#include "wire/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#define TOLD_MAX ((size_t)4 << 20)

static void tell(void *context, const char *path, const char *text)
{
    buf_printf(context, "%s=%s\n", path, text);
}

static void test_elements_at_their_end(void **state)
{
    static const struct {
        const char *xml, *told;
    } rows[] = {
        {"<a xmlns='x'><b>1</b><b> </b></a>", "/a/b=1\n/a/b= \n/a=\n"},
        {"<?xml version='1.0'?><!-- c --><s:a xmlns:s='x'>x<s:b c='d'/>y</s:a>", "/a/b=\n/a=xy\n"},
        {"<a>&lt;&amp;&#x41;<![CDATA[<b>]]></a>", "/a=<&A<b>\n"},
        {"<a><b>1<c>2</c>3</b></a>", "/a/b/c=2\n/a/b=13\n/a=\n"},
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        cleanup_buf struct buf told = BUF_INIT(TOLD_MAX);
        struct error err = {0};

        if (xml_read(rows[k].xml, strlen(rows[k].xml), tell, &told, &err) < 0)
            fail_msg("%s: %s", rows[k].xml, err.text);
        assert_string_equal(buf_text(&told), rows[k].told);
    }
}

static void assert_refused(const char *xml, size_t length, const char *says)
{
    cleanup_buf struct buf told = BUF_INIT(TOLD_MAX);
    struct error err = {0};

    assert_int_equal(xml_read(xml, length, tell, &told, &err), -1);
    assert_int_equal(err.class, ERROR_TARGET);
    if (!strstr(err.text, says))
        fail_msg("'%s', expected '%s'", err.text, says);
}

static void test_what_is_refused(void **state)
{
    static const char entities[] = "<!DOCTYPE a [<!ENTITY b 'bb'>]><a>&b;</a>";

    (void)state;
    assert_refused("", 0, "no element found");
    assert_refused("<html><p>", 9, "no element found");
    assert_refused("<a></b>", 7, "mismatched tag");
    assert_refused("{\"a\":1}", 7, "not well-formed");
    assert_refused("<a>\xff</a>", 8, "not well-formed");
    assert_refused(entities, strlen(entities), "document type");
}

static void test_ceilings(void **state)
{
    cleanup_buf struct buf deep = BUF_INIT(TOLD_MAX), named = BUF_INIT(TOLD_MAX), filled = BUF_INIT(TOLD_MAX);

    (void)state;
    for (int k = 0; k < XML_DEPTH_MAX; k++)
        buf_append_text(&deep, "<a>");
    assert_refused(buf_text(&deep), deep.len, "no element found");
    buf_append_text(&deep, "<a>");
    assert_refused(buf_text(&deep), deep.len, "nested too deeply");

    buf_append_char(&named, '<');
    for (int k = 0; k < 5000; k++)
        buf_append_char(&named, 'n');
    buf_append_text(&named, "/>");
    assert_refused(buf_text(&named), named.len, "a name is too long");

    buf_append_text(&filled, "<a>");
    for (size_t k = 0; k <= XML_TEXT_MAX; k++)
        buf_append_char(&filled, 't');
    buf_append_text(&filled, "</a>");
    assert_refused(buf_text(&filled), filled.len, "a text is too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_at_their_end),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_ceilings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
