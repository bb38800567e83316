#include "wire/s3_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/properties_aws.h"

#define BODY_MAX ((size_t)1 << 20)
#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static void test_faults(void **state)
{
    static const struct {
        const char *body;
        bool is_fault;
        const char *code, *message, *region;
    } rows[] = {
        {"<Error><Code>NoSuchBucket</Code><Message>The\nbucket \x1b[31m</Message></Error>", false, "", "", ""}, /* no XML: a control character */
        {"<Error><Code>NoSuchBucket</Code><Message>The\nb\xc3\xbc" "cket</Message></Error>", true, "NoSuchBucket", "The b??cket", ""},
        {"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>", true, "AuthorizationHeaderMalformed", "", "eu-west-1"},
        {"<ErrorResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><Error><Type>Sender</Type><Code>ExpiredTokenException</Code>"
         "<Message>Token expired</Message></Error></ErrorResponse>", true, "ExpiredTokenException", "Token expired", ""},
        {"<CompleteMultipartUploadResult/>", false, "", "", ""},
        {"<html><Error><Code>x</Code></Error></html>", false, "", "", ""},
        {"", false, "", "", ""},
    };
    struct s3_fault fault;

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        assert_int_equal(s3_read_fault(rows[k].body, strlen(rows[k].body), &fault), rows[k].is_fault);
        if (!rows[k].is_fault)
            continue;
        assert_string_equal(fault.code, rows[k].code);
        assert_string_equal(fault.message, rows[k].message);
        assert_string_equal(fault.region, rows[k].region);
    }
}

static void test_an_upload_s_id(void **state)
{
    static const char good[] = "<InitiateMultipartUploadResult" NAMESPACE "><Key>k</Key><UploadId>VX-_=.</UploadId></InitiateMultipartUploadResult>";
    static const char *const bad[] = {"<InitiateMultipartUploadResult><UploadId>a b</UploadId></InitiateMultipartUploadResult>",
                                      "<InitiateMultipartUploadResult><UploadId/></InitiateMultipartUploadResult>", "<Other/>", "no XML"};
    struct error err = {0};
    char *id = s3_read_upload_id(good, strlen(good), &err);

    (void)state;
    assert_string_equal(id, "VX-_=.");
    free(id);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        err = (struct error){0};
        assert_null(s3_read_upload_id(bad[k], strlen(bad[k]), &err));
        assert_int_equal(err.class, ERROR_TARGET);
        assert_null(s3_read_upload_id(bad[k], strlen(bad[k]), NULL));
    }
}

#define PART(number, etag, size) "<Part><PartNumber>" number "</PartNumber><ETag>" etag "</ETag><Size>" size "</Size></Part>"

static void test_parts_over_two_pages(void **state)
{
    static const char first[] = "<ListPartsResult" NAMESPACE "><IsTruncated>true</IsTruncated>" PART("1", "&quot;aa&quot;", "5") PART("3", "\"bb\"", "6")
                                "</ListPartsResult>";
    static const char second[] = "<ListPartsResponse><IsTruncated>false</IsTruncated>" PART("10000", "cc", "0") "</ListPartsResponse>";
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    struct s3_parts parts = {0};

    (void)state;
    assert_int_equal(s3_read_parts(first, strlen(first), &parts, NULL), 0);
    assert_true(parts.more);
    assert_int_equal(s3_read_parts(second, strlen(second), &parts, NULL), 0);
    assert_false(parts.more);
    assert_int_equal(parts.count, 3);
    assert_int_equal(parts.parts[1].number, 3);
    assert_int_equal(parts.parts[1].size, 6);
    s3_append_completion(&body, &parts);
    assert_string_equal(buf_text(&body), "<CompleteMultipartUpload" NAMESPACE "><Part><PartNumber>1</PartNumber><ETag>\"aa\"</ETag></Part>"
                                         "<Part><PartNumber>3</PartNumber><ETag>\"bb\"</ETag></Part>"
                                         "<Part><PartNumber>10000</PartNumber><ETag>\"cc\"</ETag></Part></CompleteMultipartUpload>");
    s3_parts_free(&parts);
}

static void test_parts_that_are_none(void **state)
{
    static const char *const bad[] = {
        "<ListPartsResult>" PART("0", "a", "1") "</ListPartsResult>",
        "<ListPartsResult>" PART("10001", "a", "1") "</ListPartsResult>",
        "<ListPartsResult>" PART("1", "a", "-1") "</ListPartsResult>",
        "<ListPartsResult>" PART("1", "", "1") "</ListPartsResult>",
        "<ListPartsResult>" PART("2", "a", "1") PART("1", "a", "1") "</ListPartsResult>",
        "<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>", /* would be asked for without end */
        "<ListBucketResult/>",
    };

    (void)state;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct s3_parts parts = {0};
        struct error err = {0};

        assert_int_equal(s3_read_parts(bad[k], strlen(bad[k]), &parts, &err), -1);
        assert_non_null(strstr(err.text, "no answer of S3"));
        s3_parts_free(&parts);
    }
}

static void test_the_end_of_an_upload(void **state)
{
    static const char body[] = "<CompleteMultipartUploadResult" NAMESPACE "><ETag>\"3858-9\"</ETag></CompleteMultipartUploadResult>";
    char etag[S3_ETAG_SIZE];

    (void)state;
    assert_int_equal(s3_read_completion(body, strlen(body), etag, NULL), 0);
    assert_string_equal(etag, "3858-9");
    s3_take_etag(etag, "W/\"x\"");
    assert_string_equal(etag, "x");
    s3_take_etag(etag, "");
    assert_string_equal(etag, "");
}

static void test_the_upload_that_was_begun_last(void **state)
{
    static const char body[] =
        "<ListMultipartUploadsResult><Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload>"
        "<Upload><Key>a</Key><UploadId>2</UploadId><Initiated>2026-03-01T00:00:00Z</Initiated></Upload>"
        "<Upload><Key>a</Key><UploadId>3</UploadId><Initiated>2026-02-01T00:00:00Z</Initiated></Upload>"
        "<Upload><Key>a.sha256</Key><UploadId>4</UploadId><Initiated>2026-04-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>";
    char *id = s3_read_upload_of(body, strlen(body), "a");

    (void)state;
    assert_string_equal(id, "2");
    free(id);
    assert_null(s3_read_upload_of(body, strlen(body), "b"));
    assert_null(s3_read_upload_of(body, strlen(body) - 1, "a"));
}

static void test_objects_over_two_pages(void **state)
{
    static const char first[] = "<ListBucketResult><NextContinuationToken>t/=</NextContinuationToken><Contents><Key>a&amp;b</Key></Contents></ListBucketResult>";
    static const char second[] = "<ListBucketResult><Contents><ETag>&quot;e&quot;</ETag><Key>c</Key></Contents></ListBucketResult>";
    struct s3_objects objects = {0};

    (void)state;
    assert_int_equal(s3_read_objects(first, strlen(first), &objects, NULL), 0);
    assert_string_equal(objects.next, "t/=");
    assert_int_equal(s3_read_objects(second, strlen(second), &objects, NULL), 0);
    assert_null(objects.next);
    assert_int_equal(objects.count, 2);
    assert_string_equal(objects.objects[0].key, "a&b");
    assert_string_equal(objects.objects[0].etag, "");
    assert_string_equal(objects.objects[1].etag, "e");
    assert_int_equal(s3_read_objects("<Error/>", 8, &objects, NULL), -1);
    s3_objects_free(&objects);
}

/* The fuzzer's property, cut off everywhere. */
static void test_answers_that_break_off(void **state)
{
    static const char body[] = "<ListPartsResult><IsTruncated>true</IsTruncated>" PART("1", "&quot;a&quot;", "5") "</ListPartsResult>";

    (void)state;
    for (size_t length = 0; length < sizeof body; length++)
        property_s3_answers((const uint8_t *)body, length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_an_upload_s_id),
        cmocka_unit_test(test_parts_over_two_pages),
        cmocka_unit_test(test_parts_that_are_none),
        cmocka_unit_test(test_the_end_of_an_upload),
        cmocka_unit_test(test_the_upload_that_was_begun_last),
        cmocka_unit_test(test_objects_over_two_pages),
        cmocka_unit_test(test_answers_that_break_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
