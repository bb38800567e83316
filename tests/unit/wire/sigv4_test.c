/* AWS's published vectors: of the Signature Version 4 test suite (all at 2015-08-30T12:36:00Z with the suite's keys), and the examples of the
 * Amazon S3 API Reference (2013-05-24). */
#include "wire/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define HEADERS_MAX 5
#define OUT_MAX 4096

struct vector {
    const char *name, *method, *path, *query;
    struct sigv4_header headers[HEADERS_MAX];
    const char *payload, *signed_headers, *signature;
};

static const struct vector suite[] = {
    {"get-vanilla", "GET", "/", NULL, {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
     SIGV4_EMPTY_SHA256, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"post-vanilla", "POST", "/", "", {{"x-amz-date", "20150830T123600Z"}, {"host", "example.amazonaws.com"}},
     SIGV4_EMPTY_SHA256, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"get-vanilla-query-order-key-case", "GET", "/", "Param2=value2&Param1=value1",
     {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
     SIGV4_EMPTY_SHA256, "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-header-value-trim", "GET", "/", NULL,
     {{"my-header1", " value1"}, {"x-amz-date", "20150830T123600Z"}, {"host", "example.amazonaws.com"}, {"my-header2", " \"a   b   c\""}},
     SIGV4_EMPTY_SHA256, "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"get-utf8", "GET", "/%E1%88%B4", NULL, {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
     SIGV4_EMPTY_SHA256, "host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"post-header-key-sort", "POST", "/", NULL,
     {{"host", "example.amazonaws.com"}, {"my-header1", "value1"}, {"x-amz-date", "20150830T123600Z"}},
     SIGV4_EMPTY_SHA256, "host;my-header1;x-amz-date", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
};

#define EXAMPLE_HOST {"host", "examplebucket.s3.amazonaws.com"}
#define EXAMPLE_DATE {"x-amz-date", "20130524T000000Z"}
#define EXAMPLE_EMPTY {"x-amz-content-sha256", SIGV4_EMPTY_SHA256}
#define EXAMPLE_PAYLOAD "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static const struct vector s3_examples[] = {
    {"GET Object", "GET", "/test.txt", NULL, {EXAMPLE_HOST, {"range", "bytes=0-9"}, EXAMPLE_EMPTY, EXAMPLE_DATE}, SIGV4_EMPTY_SHA256,
     "host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT Object", "PUT", "/test%24file.text", NULL,
     {EXAMPLE_HOST, {"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-content-sha256", EXAMPLE_PAYLOAD},
      {"x-amz-storage-class", "REDUCED_REDUNDANCY"}, EXAMPLE_DATE},
     EXAMPLE_PAYLOAD, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET Bucket Lifecycle", "GET", "/", "lifecycle", {EXAMPLE_HOST, EXAMPLE_EMPTY, EXAMPLE_DATE}, SIGV4_EMPTY_SHA256,
     "host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET Bucket (List Objects)", "GET", "/", "prefix=J&max-keys=2", {EXAMPLE_DATE, EXAMPLE_EMPTY, EXAMPLE_HOST}, SIGV4_EMPTY_SHA256,
     "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static void assert_vector(const struct vector *vector, const char *date, const char *service, const struct sigv4_keys *keys)
{
    struct sigv4_request request = {.method = vector->method, .path = vector->path, .query = vector->query, .headers = vector->headers,
                                    .payload_sha256 = vector->payload, .region = "us-east-1", .service = service};
    cleanup_buf struct buf out = BUF_INIT(OUT_MAX), expected = BUF_INIT(OUT_MAX);

    while (request.header_count < HEADERS_MAX && vector->headers[request.header_count].name)
        request.header_count++;
    assert_int_equal(clock_parse_rfc3339(date, &request.realtime_ns), 0);
    sigv4_append_authorization(&out, &request, keys);
    buf_printf(&expected, "AWS4-HMAC-SHA256 Credential=%s/%.4s%.2s%.2s/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
               keys->access_key_id, date, date + 5, date + 8, service, vector->signed_headers, vector->signature);
    if (strcmp(buf_text(&out), buf_text(&expected)) != 0)
        fail_msg("%s: %s", vector->name, buf_text(&out));
}

static void test_the_suite(void **state)
{
    static const struct sigv4_keys keys = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};

    (void)state;
    for (size_t k = 0; k < sizeof suite / sizeof *suite; k++)
        assert_vector(&suite[k], "2015-08-30T12:36:00Z", "service", &keys);
}

static void test_the_examples_of_s3(void **state)
{
    static const struct sigv4_keys keys = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

    (void)state;
    for (size_t k = 0; k < sizeof s3_examples / sizeof *s3_examples; k++)
        assert_vector(&s3_examples[k], "2013-05-24T00:00:00Z", "s3", &keys);
}

/* Sorted by bytes of names, then of values; empty ones and names alone. */
static void test_queries_are_brought_into_order(void **state)
{
    static const char *const same[] = {"a=1&a=2&ab=0&b=&uploads=", "uploads&b&ab=0&a=2&a=1", "&uploads=&&a=2&ab=0&b=&a=1&"};
    static const struct sigv4_keys keys = {"id", "secret"};
    struct sigv4_request request = {.method = "POST", .path = "/", .headers = (struct sigv4_header[]){{"host", "h"}}, .header_count = 1,
                                    .payload_sha256 = SIGV4_EMPTY_SHA256, .region = "r", .service = "s3"};
    cleanup_buf struct buf first = BUF_INIT(OUT_MAX);

    (void)state;
    request.query = same[0];
    sigv4_append_authorization(&first, &request, &keys);
    for (size_t k = 0; k < sizeof same / sizeof *same; k++) {
        cleanup_buf struct buf out = BUF_INIT(OUT_MAX);

        request.query = same[k];
        sigv4_append_authorization(&out, &request, &keys);
        assert_string_equal(buf_text(&out), buf_text(&first));
    }
}

static void test_encoding(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(OUT_MAX);

    (void)state;
    sigv4_append_encoded(&out, "aZ09-._~/ +*%=&?#\xc3\xa9$", false);
    assert_string_equal(buf_text(&out), "aZ09-._~%2F%20%2B%2A%25%3D%26%3F%23%C3%A9%24");
    buf_reset(&out);
    sigv4_append_encoded(&out, "/b/a b", true);
    assert_string_equal(buf_text(&out), "/b/a%20b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_suite),
        cmocka_unit_test(test_the_examples_of_s3),
        cmocka_unit_test(test_queries_are_brought_into_order),
        cmocka_unit_test(test_encoding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
