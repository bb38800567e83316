#include "wire/sigv4.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define CANONICAL_MAX ((size_t)1 << 20)
#define DAY_LENGTH 8 /* "20130524" of the date */
#define DIGEST_SIZE 32

void sigv4_append_encoded(struct buf *out, const char *text, bool keep_slashes)
{
    for (const char *c = text; *c; c++) {
        const bool plain = isascii(*c) && (isalnum((unsigned char)*c) || strchr("-._~", *c) || (keep_slashes && *c == '/'));

        if (plain)
            buf_append_char(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

void sigv4_format_date(int64_t realtime_ns, char date[SIGV4_DATE_SIZE])
{
    char text[CLOCK_RFC3339_SIZE];
    size_t length = 0;

    for (const char *c = clock_format_rfc3339(realtime_ns, 0, text); *c && length < SIGV4_DATE_SIZE - 1; c++) {
        if (*c != '-' && *c != ':')
            date[length++] = *c;
    }
    date[length] = '\0';
}

/* ---- the query: sorted by name, then by value; a name alone gets its '=' ---- */

struct parameter {
    const char *name, *value;
    size_t name_length, value_length;
};

static int compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    const int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_parameters(const void *left, const void *right)
{
    const struct parameter *a = left, *b = right;
    const int order = compare_bytes(a->name, a->name_length, b->name, b->name_length);

    return order != 0 ? order : compare_bytes(a->value, a->value_length, b->value, b->value_length);
}

static struct parameter parse_parameter(const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    struct parameter parameter = {.name = text, .name_length = length, .value = text + length};

    if (equals) {
        parameter.name_length = (size_t)(equals - text);
        parameter.value = equals + 1;
        parameter.value_length = length - parameter.name_length - 1;
    }
    return parameter;
}

static void append_query(struct buf *out, const char *query)
{
    cleanup_free struct parameter *parameters = NULL;
    size_t count = 0, capacity = 0;

    for (const char *at = query; at && *at;) {
        const size_t length = strcspn(at, "&");

        if (length > 0) {
            MEM_GROW(parameters, capacity, count + 1);
            parameters[count++] = parse_parameter(at, length);
        }
        at += length + (at[length] == '&');
    }
    if (count > 0)
        qsort(parameters, count, sizeof *parameters, compare_parameters);
    for (size_t k = 0; k < count; k++)
        buf_printf(out, "%s%.*s=%.*s", k > 0 ? "&" : "", (int)parameters[k].name_length, parameters[k].name, (int)parameters[k].value_length,
                   parameters[k].value);
}

/* ---- headers: sorted by name, values trimmed, runs of blanks as one ---- */

static int compare_headers(const void *left, const void *right)
{
    return strcmp(((const struct sigv4_header *)left)->name, ((const struct sigv4_header *)right)->name);
}

static struct sigv4_header *sorted_headers(const struct sigv4_request *request)
{
    struct sigv4_header *sorted = mem_calloc(request->header_count, sizeof *sorted);

    memcpy(sorted, request->headers, request->header_count * sizeof *sorted);
    qsort(sorted, request->header_count, sizeof *sorted, compare_headers);
    return sorted;
}

static void append_value(struct buf *out, const char *value)
{
    bool gap = false, begun = false;

    for (const char *c = value; *c; c++) {
        const bool blank = *c == ' ' || *c == '\t';

        if (!blank) {
            if (gap && begun)
                buf_append_char(out, ' ');
            buf_append_char(out, *c);
        }
        gap = blank;
        begun = begun || !blank;
    }
}

static void append_names(struct buf *out, const struct sigv4_header *sorted, size_t count)
{
    for (size_t k = 0; k < count; k++)
        buf_printf(out, "%s%s", k > 0 ? ";" : "", sorted[k].name);
}

static void append_canonical(struct buf *out, const struct sigv4_request *request, const struct sigv4_header *sorted)
{
    buf_printf(out, "%s\n%s\n", request->method, request->path);
    append_query(out, request->query);
    buf_append_char(out, '\n');
    for (size_t k = 0; k < request->header_count; k++) {
        buf_printf(out, "%s:", sorted[k].name);
        append_value(out, sorted[k].value);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
    append_names(out, sorted, request->header_count);
    buf_printf(out, "\n%s", request->payload_sha256);
}

/* ---- keys ---- */

/* digest may be the key. */
static void hmac(const void *key, size_t key_length, const char *text, size_t length, unsigned char digest[DIGEST_SIZE])
{
    unsigned char result[EVP_MAX_MD_SIZE];

    if (!HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, length, result, NULL))
        abort();
    memcpy(digest, result, DIGEST_SIZE);
    OPENSSL_cleanse(result, sizeof result);
}

static void derive_key(const struct sigv4_request *request, const struct sigv4_keys *keys, const char *date, unsigned char key[DIGEST_SIZE])
{
    const size_t length = strlen("AWS4") + strlen(keys->secret_access_key);
    cleanup_free char *secret = mem_printf("AWS4%s", keys->secret_access_key);

    hmac(secret, length, date, DAY_LENGTH, key);
    OPENSSL_cleanse(secret, length);
    hmac(key, DIGEST_SIZE, request->region, strlen(request->region), key);
    hmac(key, DIGEST_SIZE, request->service, strlen(request->service), key);
    hmac(key, DIGEST_SIZE, "aws4_request", strlen("aws4_request"), key);
}

void sigv4_append_authorization(struct buf *out, const struct sigv4_request *request, const struct sigv4_keys *keys)
{
    cleanup_buf struct buf canonical = BUF_INIT(CANONICAL_MAX);
    cleanup_free struct sigv4_header *sorted = sorted_headers(request);
    char date[SIGV4_DATE_SIZE], hex[2 * DIGEST_SIZE + 1];
    unsigned char key[DIGEST_SIZE], signature[DIGEST_SIZE];

    append_canonical(&canonical, request, sorted);
    file_sha256_bytes(buf_text(&canonical), canonical.len, hex);
    sigv4_format_date(request->realtime_ns, date);

    cleanup_free char *scope = mem_printf("%.*s/%s/%s/aws4_request", DAY_LENGTH, date, request->region, request->service);
    cleanup_free char *to_sign = mem_printf("AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hex);

    derive_key(request, keys, date, key);
    hmac(key, DIGEST_SIZE, to_sign, strlen(to_sign), signature);
    OPENSSL_cleanse(key, sizeof key);

    buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", keys->access_key_id, scope);
    append_names(out, sorted, request->header_count);
    buf_append_text(out, ", Signature=");
    for (size_t k = 0; k < DIGEST_SIZE; k++)
        buf_printf(out, "%02x", signature[k]);
}
