/* What looks like a credential, what does not, and that none gets through between two pieces. */
#include "wire/secret_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"
#include "support/mutate.h"
#include "support/properties_secret.h"

/* Made in pieces, so that who searches this file for secrets finds none. */
#define HEADER "eyJhbGciOiJSUzI1NiIs" "ImtpZCI6IiJ9"
#define PAYLOAD "eyJpc3MiOiJrdWJl" "cm5ldGVzIn0"
#define PEM_LABEL(kind) "-----BEGIN " kind "-----"

CLEANUP_DEFINE(struct secret_scan, secret_scan_free)

static const struct {
    const char *text;
    enum secret_shape shape;
} rows[] = {
    {"Authorization: Bearer abcdefghijklmno1", SECRET_BEARER},
    {"authorization: bearer\t0123456789abcdef\r\n", SECRET_BEARER},
    {"{\"Authorization\":\"Bearer abc.def-ghi_jkl~mno/p+q1==\"}", SECRET_BEARER},
    {"Bearer abcdefghijklmn1", SECRET_NONE},                     /* 15 */
    {"the Bearer authentication-scheme is", SECRET_NONE},        /* a sentence */
    {"Bearer                abcdefghijklmno1", SECRET_NONE},     /* a table */
    {"Bearer $TOKEN, Bearer <token>, Bearer ***1", SECRET_NONE}, /* placeholders */
    {"sk-" "0123456789abcdefghij", SECRET_SK},
    {"key=sk-" "proj-AbCdEfGhIjKlMnOpQ1rS", SECRET_SK},
    {"\"sk-" "ant-api03-AbCdEfGhIjKlMn0p-x_y\"", SECRET_SK},
    {"sk-" "0123456789abcdefghi", SECRET_NONE},                       /* 19 */
    {"task-" "0123456789abcdefghij, disk-0123456789abcdefghij", SECRET_NONE}, /* within a word */
    {"x_sk-" "0123456789abcdefghij -sk-0123456789abcdefghij", SECRET_NONE},   /* within base64url */
    {"sk-fading-circle sk-container-id-1-header-label", SECRET_NONE},
    {"sk-abcdefghijklmnopqrstuvwxyz", SECRET_NONE}, /* no digit */
    {"sk-12345678-1234-1234-1234-123456789012", SECRET_NONE},
    {"AKIA" "IOSFODNN7EXAMPLE", SECRET_AWS},
    {"id: ASIA" "IOSFODNN7EXAMPLE;", SECRET_AWS},
    {"XAKIA" "IOSFODNN7EXAMPLE", SECRET_NONE},
    {"AKIA" "IOSFODNN7EXAMPL", SECRET_NONE},
    {"AKIA" "IOSFODNN7EXAMPLEX", SECRET_NONE},
    {"AKIA" "IOSFODNN7EXAMPLEx", SECRET_NONE},
    {"NAKIA" "IOSFODNN7EXAMPLE KIAIOSFODNN7EXAMPLE", SECRET_NONE},
    {"t=" HEADER "." PAYLOAD ".c2lnbmF0dXJl", SECRET_JWT},
    {HEADER "." PAYLOAD, SECRET_JWT},
    {HEADER " " PAYLOAD, SECRET_NONE},
    {HEADER "." "aWF0" PAYLOAD, SECRET_NONE},
    {"a" HEADER "." PAYLOAD, SECRET_NONE},
    {"eyJhbGci" "." PAYLOAD, SECRET_NONE},
    {PEM_LABEL("PRIVATE KEY") "\nMIIEvQIBADANBgkqhkiG9w0B", SECRET_PEM},
    {PEM_LABEL("RSA PRIVATE KEY") "\\nMIIEvQIBADANBgkqhkiG9w0B", SECRET_PEM},
    {PEM_LABEL("OPENSSH PRIVATE KEY") "\\\\n  MIIEvQIBADANBgkqhkiG9w0B", SECRET_PEM},
    {PEM_LABEL("EC PRIVATE KEY") "\r\nProc-Type: 4,ENCRYPTED", SECRET_PEM},
    {PEM_LABEL("PGP PRIVATE KEY BLOCK") "\nVersion: 1", SECRET_PEM},
    {PEM_LABEL("PRIVATE KEY") " and " "-----END PRIVATE KEY-----", SECRET_NONE},
    {PEM_LABEL("PRIVATE KEY") "\n...\n", SECRET_NONE},
    {PEM_LABEL("CERTIFICATE") "\nMIIEvQIBADANBgkqhkiG9w0B", SECRET_NONE},
    {PEM_LABEL("PUBLIC KEY") "\nMIIEvQIBADANBgkqhkiG9w0B", SECRET_NONE},
    {"----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B", SECRET_NONE},
    {"", SECRET_NONE},
    {"s", SECRET_NONE},
    {"sk-", SECRET_NONE},
};

#define ROWS (sizeof rows / sizeof *rows)

static void test_shapes(void **state)
{
    cleanup_with(secret_scan_free) struct secret_scan *scan = secret_scan_new();

    (void)state;
    for (size_t k = 0; k < ROWS; k++) {
        for (size_t piece = 1; piece < 4; piece++) {
            uint64_t offset = 0;

            if (search_in_pieces(scan, rows[k].text, strlen(rows[k].text), piece, &offset) != rows[k].shape)
                fail_msg("row %zu: %s", k, rows[k].text);
        }
    }
}

/* Each of them at every place around the border between two pieces, and at the end of the buffer. */
static void test_borders(void **state)
{
    const size_t size = (size_t)600 << 10;
    cleanup_with(secret_scan_free) struct secret_scan *scan = secret_scan_new();
    cleanup_free char *bytes = mem_alloc(size);

    (void)state;
    for (size_t k = 0; k < ROWS; k++) {
        const size_t length = strlen(rows[k].text), border = ((size_t)256 << 10) + k % 2;

        for (size_t before = 0; before <= length; before += 1 + k % 3) {
            uint64_t offset = 0;

            memset(bytes, ' ', size);
            memcpy(bytes + border - before, rows[k].text, length);
            if (search_in_pieces(scan, bytes, size, border, &offset) != rows[k].shape)
                fail_msg("row %zu, %zu before the border: %s", k, before, rows[k].text);
            if (rows[k].shape != SECRET_NONE)
                assert_in_range(offset, border - before, border - before + length);
        }
    }
}

static void test_long_header(void **state)
{
    cleanup_with(secret_scan_free) struct secret_scan *scan = secret_scan_new();
    cleanup_buf struct buf text = BUF_INIT(10000);
    uint64_t offset;

    (void)state;
    buf_append_text(&text, "eyJ");
    while (text.len < 4000)
        buf_append_text(&text, "x5c_");
    buf_append_text(&text, "." PAYLOAD);
    assert_int_equal(search_in_pieces(scan, text.data, text.len, 1000, &offset), SECRET_JWT);
}

static void test_random_bytes_and_base64(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    const size_t size = (size_t)16 << 20;
    cleanup_with(secret_scan_free) struct secret_scan *scan = secret_scan_new();
    cleanup_free char *bytes = mem_alloc(size);
    struct random random;
    uint64_t offset;

    (void)state;
    random_seed(&random, 7);
    for (size_t k = 0; k < size; k++)
        bytes[k] = (char)random_below(&random, 256);
    assert_int_equal(search_in_pieces(scan, bytes, size, size, &offset), SECRET_NONE);
    for (size_t k = 0; k < size; k++)
        bytes[k] = k % 77 == 76 ? '\n' : digits[random_below(&random, 64)];
    assert_int_equal(search_in_pieces(scan, bytes, size, size, &offset), SECRET_NONE);
    for (size_t k = 0; k < size; k++)
        {
        const size_t digit = random_below(&random, 64);

        bytes[k] = digits[digit < 62 ? digit : digit + 2];
    }
    assert_int_equal(search_in_pieces(scan, bytes, size, size, &offset), SECRET_NONE);
}

static void test_names(void **state)
{
    (void)state;
    for (int shape = SECRET_BEARER; shape <= SECRET_PEM; shape++)
        assert_string_not_equal(secret_shape_text((enum secret_shape)shape), secret_shape_text(SECRET_NONE));
}

static void test_property(void **state)
{
    struct random random;
    struct buf changed = BUF_INIT(10000);

    (void)state;
    random_seed(&random, 20261124);
    for (size_t k = 0; k < 3000; k++) {
        const char *text = rows[k % ROWS].text;

        property_secret((const uint8_t *)text, strlen(text));
        mutate(&random, text, strlen(text), &changed);
        property_secret((const uint8_t *)buf_text(&changed), changed.len);
    }
    buf_free(&changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_long_header),
        cmocka_unit_test(test_random_bytes_and_base64),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_property),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
