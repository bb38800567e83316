#include "ship/s3_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"
#include "ship/answer.h"

#define URL_MAX ((size_t)64 << 10)
#define SIGNED_MAX (S3_HEADERS_MAX + 4)
#define DEFAULT_REGION "us-east-1"

/* ---- where it is ---- */

static char *default_endpoint(const char *region)
{
    return mem_printf("https://s3.%s.amazonaws.com%s", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

static bool is_virtual(const struct s3_bucket *bucket, const char *named)
{
    switch (bucket->settings->s3.style) {
    case S3_STYLE_PATH: return false;
    case S3_STYLE_VIRTUAL: return true;
    case S3_STYLE_AUTO: break;
    }
    return !named && !strchr(bucket->name, '.');
}

/* The port that goes without saying stands in no Host header. */
static size_t host_length(const char *authority, size_t length, bool https)
{
    const char *usual = https ? ":443" : ":80";
    const size_t tail = strlen(usual);

    return length > tail && memcmp(authority + length - tail, usual, tail) == 0 ? length - tail : length;
}

static int place_bucket(struct s3_bucket *bucket, const char *named, struct error *err)
{
    cleanup_free char *endpoint = named ? mem_strdup(named) : default_endpoint(bucket->region);

    if (http_url_check(endpoint, err) < 0 || strpbrk(endpoint, "?#"))
        return error_set(err, ERROR_USAGE, "--s3-endpoint: '%.200s' is no endpoint: expected https://host or https://host:port", endpoint);

    const char *authority = strstr(endpoint, "://") + 3;
    const size_t length = strcspn(authority, "/");
    const char *path = authority + length;
    size_t path_length = strlen(path);
    const bool https = http_url_is_https(endpoint), virtual = is_virtual(bucket, named);
    const char *before = virtual ? bucket->name : "", *dot = virtual ? "." : "";

    while (path_length > 0 && path[path_length - 1] == '/')
        path_length--;
    bucket->root = mem_printf("%.*s%s%s%.*s", (int)(authority - endpoint), endpoint, before, dot, (int)length, authority);
    bucket->host = mem_printf("%s%s%.*s", before, dot, (int)host_length(authority, length, https), authority);
    bucket->path = mem_printf("%.*s%s%s", (int)path_length, path, virtual ? "" : "/", virtual ? "" : bucket->name);
    return 0;
}

static bool is_region(const char *text)
{
    return *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == strlen(text) && strlen(text) < 64;
}

/* Takes what is kept, or makes it and keeps it. */
static int connect_bucket(struct s3_bucket *bucket, struct error *err)
{
    const struct destination_settings *settings = bucket->settings;
    struct s3_kept own = {0}, *kept = settings->s3.kept ? settings->s3.kept : &own;

    if (!kept->credentials)
        kept->credentials = aws_credentials_new(&settings->net, settings->environment, bucket->clock, err);
    if (kept->credentials && !kept->client)
        kept->client = http_client_new(&settings->net, err);
    bucket->credentials = kept->credentials;
    bucket->client = kept->client;
    return bucket->client ? 0 : -1;
}

struct s3_bucket *s3_bucket_open(const char *name, const struct destination_settings *settings, struct error *err)
{
    struct s3_bucket *bucket = mem_alloc(sizeof *bucket);
    const struct s3_settings *s3 = &settings->s3;

    bucket->settings = settings;
    bucket->clock = clock_system();
    bucket->name = mem_strdup(name);
    if (connect_bucket(bucket, err) < 0) {
        s3_bucket_close(bucket);
        return NULL;
    }

    const char *region = s3->region ? s3->region : aws_credentials_region(bucket->credentials);

    bucket->region = mem_strdup(region ? region : DEFAULT_REGION);
    if (!is_region(bucket->region))
        error_set(err, ERROR_USAGE, "'%.100s' is no region: expected one such as eu-central-1", bucket->region);
    else if (place_bucket(bucket, s3->endpoint ? s3->endpoint : aws_credentials_endpoint(bucket->credentials), err) == 0)
        return bucket;
    s3_bucket_close(bucket);
    return NULL;
}

void s3_bucket_close(struct s3_bucket *bucket)
{
    if (!bucket)
        return;
    if (!bucket->settings->s3.kept)
        s3_kept_free(&(struct s3_kept){bucket->credentials, bucket->client});
    free(bucket->name);
    free(bucket->region);
    free(bucket->root);
    free(bucket->host);
    free(bucket->path);
    free(bucket);
}

void s3_kept_free(struct s3_kept *kept)
{
    aws_credentials_free(kept->credentials);
    http_client_free(kept->client);
    *kept = (struct s3_kept){0};
}

/* ---- one request ---- */

struct signed_headers {
    struct sigv4_header items[SIGNED_MAX];
    size_t count;
    char *lines[SIGNED_MAX + 1]; /* "name: value", the Authorization last */
    size_t line_count;
};

static void add_header(struct signed_headers *headers, const char *name, const char *value)
{
    headers->items[headers->count++] = (struct sigv4_header){name, value};
    headers->lines[headers->line_count++] = mem_printf("%s: %s", name, value);
}

/* One of them may be the session token. */
static void free_headers(struct signed_headers *headers)
{
    for (size_t k = 0; k < headers->line_count; k++)
        aws_secret_free(headers->lines[k]);
}

static void append_path(struct buf *out, const struct s3_bucket *bucket, const struct s3_call *call)
{
    buf_append_text(out, bucket->path);
    buf_append_char(out, '/');
    if (call->key)
        sigv4_append_encoded(out, call->key, true);
}

static void sign(const struct s3_bucket *bucket, const struct s3_call *call, const char *path, const struct aws_keys *keys,
                 struct signed_headers *headers)
{
    char date[SIGV4_DATE_SIZE], sha256[65] = SIGV4_EMPTY_SHA256;
    cleanup_buf struct buf authorization = BUF_INIT(URL_MAX);
    const struct sigv4_keys pair = {keys->access_key_id, keys->secret_access_key};
    struct sigv4_request request = {.method = call->method, .path = path, .query = call->query, .region = bucket->region, .service = "s3",
                                    .payload_sha256 = sha256, .realtime_ns = clock_realtime(bucket->clock)};

    if (call->length > 0)
        file_sha256_bytes(call->body, call->length, sha256);
    sigv4_format_date(request.realtime_ns, date);
    add_header(headers, "host", bucket->host);
    add_header(headers, "x-amz-date", date);
    add_header(headers, "x-amz-content-sha256", sha256);
    if (keys->session_token)
        add_header(headers, "x-amz-security-token", keys->session_token);
    for (size_t k = 0; k < S3_HEADERS_MAX && call->headers[k].name; k++)
        add_header(headers, call->headers[k].name, call->headers[k].value);
    request.headers = headers->items;
    request.header_count = headers->count;
    sigv4_append_authorization(&authorization, &request, &pair);
    headers->lines[headers->line_count++] = mem_printf("Authorization: %s", buf_text(&authorization));
}

static int send_signed(struct http_client *client, const struct s3_bucket *bucket, const struct s3_call *call, const struct aws_keys *keys,
                       struct http_response *response, struct error *err)
{
    cleanup_buf struct buf path = BUF_INIT(URL_MAX);
    struct signed_headers headers = {.count = 0};

    append_path(&path, bucket, call);
    sign(bucket, call, buf_text(&path), keys, &headers);

    cleanup_free char *url = mem_printf("%s%s%s%s", bucket->root, buf_text(&path), call->query ? "?" : "", call->query ? call->query : "");
    const struct http_request request = {
        .method = call->method,
        .url = url,
        .content_type = call->content_type,
        .headers = (const char *const *)headers.lines,
        .header_count = headers.line_count,
        .body = call->body,
        .length = call->length,
        .take = call->take,
        .take_context = call->take_context,
        .timeout_ns = call->timeout_ns,
        .stall_timeout_ns = bucket->settings->stall_timeout_ns,
    };
    const int result = http_client_request(client, &request, response, err);

    free_headers(&headers);
    return result;
}

int s3_send(struct http_client *client, const struct s3_bucket *bucket, const struct s3_call *call, struct http_response *response,
            struct s3_trouble *trouble, struct error *err)
{
    struct aws_keys keys = {0};

    *response = (struct http_response){.content_length = -1, .retry_after_ns = -1, .date_ns = TIME_NEVER};
    *trouble = (struct s3_trouble){.retry_after_ns = -1};
    if (aws_credentials_get(bucket->credentials, &keys, &trouble->passing, err) < 0)
        return -1;

    const int result = send_signed(client, bucket, call, &keys, response, err);

    aws_keys_free(&keys);
    if (result == 0)
        return 0;
    trouble->passing = answer_is_passing(response);
    trouble->other_keys = response->trouble == HTTP_STOPPED;
    return error_reclass(err, ERROR_PUBLISH);
}

/* ---- what went wrong ---- */

static bool is_one_of(const char *code, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(*list, code) == 0)
            return true;
    }
    return false;
}

static const char *const codes_passing[] = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException",
                                            "OperationAborted", "Busy", "XMinioServerNotInitialized", NULL};
static const char *const codes_expired[] = {"ExpiredToken", "TokenRefreshRequired", "ExpiredTokenException", NULL};
static const char *const codes_skewed[] = {"RequestTimeTooSkewed", "RequestExpired", NULL};
static const char *const codes_region[] = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "TemporaryRedirect",
                                           NULL};

/* By how much our clock is off, as the server's Date says. */
static void append_skew(struct buf *out, const struct s3_bucket *bucket, const struct http_response *response)
{
    char text[UNITS_TEXT_SIZE];
    const int64_t now = clock_realtime(bucket->clock), off = now - response->date_ns;

    if (response->date_ns == TIME_NEVER)
        buf_append_text(out, ". This machine's clock is wrong: set it");
    else
        buf_printf(out, ". This machine's clock is %s %s the server's: set it", units_format_duration(off < 0 ? -off : off, text),
                   off < 0 ? "behind" : "ahead of");
}

static void append_region(struct buf *out, const struct s3_bucket *bucket, const char *region)
{
    if (*region && strcmp(region, bucket->region) != 0)
        buf_printf(out, ". The bucket is in region %s: give --s3-region %s", region, region);
    else
        buf_printf(out, ". The bucket is not in region %s or not at this endpoint: see --s3-region and --s3-endpoint", bucket->region);
}

static void append_advice(struct buf *out, const struct s3_bucket *bucket, const struct http_response *response, const char *code, const char *region)
{
    const char *source = aws_credentials_source(bucket->credentials);

    if (is_one_of(code, codes_skewed))
        append_skew(out, bucket, response);
    else if (is_one_of(code, codes_expired))
        buf_printf(out, ". The session token from %s is over: get new keys", source);
    else if (is_one_of(code, codes_region) || response->status == 301 || (!*code && *region && strcmp(region, bucket->region) != 0))
        append_region(out, bucket, region);
    else if (strcmp(code, "NoSuchBucket") == 0 || strcmp(code, "InvalidBucketName") == 0)
        buf_printf(out, ". There is no bucket %s at %s", bucket->name, bucket->root);
    else if (strcmp(code, "SignatureDoesNotMatch") == 0)
        buf_printf(out, ". The secret access key from %s is not that of its access key id, or somebody on the way changes requests", source);
    else if (strcmp(code, "InvalidAccessKeyId") == 0 || strcmp(code, "InvalidToken") == 0 || strcmp(code, "InvalidClientTokenId") == 0)
        buf_printf(out, ". The server does not know the keys from %s", source);
    else if (response->status == 403)
        buf_printf(out, ". The keys from %s may not do this in bucket %s", source, bucket->name);
    else if (response->status == 401)
        buf_printf(out, ". The server does not take the keys from %s", source);
}

int s3_fail(struct http_client *client, const struct s3_bucket *bucket, const struct s3_call *call, const struct http_response *response,
            struct s3_trouble *trouble, struct error *err)
{
    struct s3_fault fault;
    cleanup_buf struct buf advice = BUF_INIT(ERROR_TEXT_MAX);
    const char *elsewhere = http_client_header(client, "x-amz-bucket-region", 0);

    s3_read_fault(buf_text(&response->body), response->body.len, &fault);
    if (!*fault.region && elsewhere)
        snprintf(fault.region, sizeof fault.region, "%s", elsewhere);
    for (char *c = fault.region; *c; c++)
        *c = (char)(*c > ' ' && *c < 0x7f ? *c : '?');
    snprintf(trouble->code, sizeof trouble->code, "%s", fault.code);
    for (size_t length = strlen(fault.message); length > 0 && strchr(". ", fault.message[length - 1]);)
        fault.message[--length] = '\0';
    trouble->passing = answer_is_passing(response) || is_one_of(fault.code, codes_passing);
    trouble->other_keys = is_one_of(fault.code, codes_expired) || is_one_of(fault.code, codes_skewed);
    trouble->retry_after_ns = response->retry_after_ns;
    append_advice(&advice, bucket, response, fault.code, fault.region);
    return error_set(err, ERROR_PUBLISH, "%s s3://%s%s%s: HTTP %d%s%s%s%.200s%s", call->method, bucket->name, call->key ? "/" : "",
                     call->key ? call->key : "", response->status, *fault.code ? " " : "", fault.code, *fault.message ? ": " : "", fault.message,
                     buf_text(&advice));
}

int s3_send_well(struct http_client *client, const struct s3_bucket *bucket, const struct s3_call *call, struct http_response *response,
                 struct s3_trouble *trouble, struct error *err)
{
    if (s3_send(client, bucket, call, response, trouble, err) < 0)
        return -1;
    return response->status / 100 == 2 ? 0 : s3_fail(client, bucket, call, response, trouble, err);
}
