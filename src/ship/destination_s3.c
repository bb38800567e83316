/* s3://bucket/prefix: the archive is the object "<prefix>/<name>", beside it "<name>.sha256".
 *
 * What we put is known again by its size and x-amz-meta-sha256, what others put by its size and ETag, where that is made of
 * MD5 sums. An archive that fits into one part is one PUT; a larger one is an upload in parts (ship/s3_upload.h). An object appears whole or
 * not at all, so nothing has to be put in order before it. Verifying is comparing ETags: with encryption by KMS, or a server
 * with ETags of its own, they say nothing, and the archive is read back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ship/destination.h"
#include "ship/s3_objects.h"
#include "ship/s3_parts.h"
#include "ship/s3_place.h"
#include "ship/s3_upload.h"

#define QUESTION_TIMEOUT_NS (60 * NS_PER_S)

CLEANUP_DEFINE(struct s3_bucket, s3_bucket_close)
CLEANUP_DEFINE(struct archive_stream, archive_stream_close)

#define cleanup_response __attribute__((cleanup(http_response_free)))

/* ---- what is there ---- */

struct s3_target {
    const struct s3_bucket *bucket;
    const struct destination_settings *settings;
    const char *key, *shown;
    bool unseen; /* we may not look */
};

static void note_trouble(struct delivery *delivery, const struct s3_trouble *trouble)
{
    delivery->passing = trouble->passing && !trouble->tried_again;
    delivery->retry_after_ns = trouble->retry_after_ns;
}

static void note_object(struct delivery *delivery, int status, const char *etag)
{
    delivery->status = status;
    snprintf(delivery->etag, sizeof delivery->etag, "\"%s\"", etag);
}

/* How many parts an ETag speaks of: 1 without "-<count>". */
static uint64_t count_of(const char *etag)
{
    const char *dash = strchr(etag, '-');

    return dash ? strtoull(dash + 1, NULL, 10) : 1;
}

/* Of an object without our header: parts of the size that we would take are the ones that can be compared; `aws s3 cp` has the same. 1, 0 or -1. */
static int same_by_etag(const struct s3_target *target, const struct archive_plan *plan, const char *etag, struct error *err)
{
    const uint64_t count = count_of(etag), part_size = s3_part_size(plan->size, &target->settings->s3);
    char expected[S3_ETAG_SIZE];

    if (part_size == 0 || (count > 1 && (plan->size + part_size - 1) / part_size != count) || (count == 1 && plan->size > S3_MEMORY_MAX))
        return 0;
    if (s3_etag_of(plan, count == 1 ? plan->size : part_size, expected, err) < 0)
        return -1;
    return strcmp(expected, etag) == 0;
}

/* 1: it is our archive; 0: it is another; -1. */
static int compare(const struct s3_target *target, const struct archive_plan *plan, const struct http_response *response, struct error *err)
{
    const char *sha256 = http_client_header(target->bucket->client, "x-amz-meta-sha256", 0);
    char etag[S3_ETAG_SIZE];

    if (response->content_length < 0 || (uint64_t)response->content_length != plan->size)
        return 0;
    if (sha256)
        return strcmp(sha256, plan->sha256) == 0;
    s3_take_etag(etag, response->etag);
    return same_by_etag(target, plan, etag, err);
}

/* 1: the same archive is there; 0: nothing is there, or we may not know, or it may be replaced; -1. */
static int look(struct s3_target *target, const struct archive_plan *plan, struct delivery *delivery, struct error *err)
{
    cleanup_response struct http_response response = {0};
    const struct s3_call call = {.method = "HEAD", .key = target->key, .timeout_ns = QUESTION_TIMEOUT_NS};
    struct s3_trouble trouble;
    char etag[S3_ETAG_SIZE];

    if (s3_send(target->bucket->client, target->bucket, &call, &response, &trouble, err) < 0) {
        note_trouble(delivery, &trouble);
        return -1;
    }
    target->unseen = response.status == 403 || response.status == 400; /* a HEAD has no body that says why: the PUT's has */
    if (target->unseen && http_client_header(target->bucket->client, "x-amz-bucket-region", 0) &&
        strcmp(http_client_header(target->bucket->client, "x-amz-bucket-region", 0), target->bucket->region) != 0)
        return s3_fail(target->bucket->client, target->bucket, &call, &response, &trouble, err);
    if (response.status == 404 || target->unseen)
        return 0;
    if (response.status != 200) {
        s3_fail(target->bucket->client, target->bucket, &call, &response, &trouble, err);
        note_trouble(delivery, &trouble);
        return -1;
    }

    const int same = compare(target, plan, &response, err);

    if (same == 0 && target->settings->overwrite)
        return 0;
    delivery->other_content = same == 0;
    if (same == 0)
        return error_set(err, ERROR_PUBLISH, "%s is there already with other content. Give --overwrite to replace it", target->shown);
    s3_take_etag(etag, response.etag);
    if (same == 1)
        note_object(delivery, response.status, etag);
    return same;
}

/* ---- putting ---- */

static int fail_taken(const struct s3_target *target, struct delivery *delivery, struct error *err)
{
    delivery->other_content = true;
    return error_set(err, ERROR_PUBLISH, "%s is there already, and these keys may not look at it. Give --overwrite to replace it", target->shown);
}

/* The whole archive in memory; it is not larger than a part. */
static char *make_archive(const struct archive_plan *plan, struct error *err)
{
    cleanup_with(archive_stream_close) struct archive_stream *stream = archive_stream_open(plan);
    cleanup_free char *bytes = mem_alloc(plan->size + 1);

    for (size_t length = 0;;) {
        const long got = archive_stream_read(stream, bytes + length, plan->size + 1 - length, err);

        if (got < 0)
            return NULL;
        if (got == 0)
            return steal_pointer(&bytes);
        length += (size_t)got;
    }
}

static int put_whole(const struct s3_target *target, const struct archive_plan *plan, struct delivery *delivery, char expected[S3_ETAG_SIZE],
                     struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *bytes = make_archive(plan, err);
    unsigned char md5[S3_MD5_SIZE];
    struct s3_call call = {.method = "PUT", .key = target->key, .content_type = "application/gzip", .body = bytes, .length = plan->size,
                           .headers = {s3_archive_header(plan)}};
    struct s3_trouble trouble;

    if (!bytes)
        return error_reclass(err, ERROR_PUBLISH);
    if (target->unseen && !target->settings->overwrite)
        call.headers[1] = (struct sigv4_header){"if-none-match", "*"};
    s3_md5(bytes, plan->size, md5);
    s3_md5_hex(md5, expected);
    if (s3_send_well(target->bucket->client, target->bucket, &call, &response, &trouble, err) < 0) {
        note_trouble(delivery, &trouble);
        return response.status == 412 ? fail_taken(target, delivery, err) : -1;
    }

    char etag[S3_ETAG_SIZE];

    s3_take_etag(etag, response.etag);
    note_object(delivery, response.status, etag);
    return 0;
}

/* Does the object say that it is this archive? An upload that was found may have been begun for another. */
static bool says_ours(const struct s3_target *target, const struct archive_plan *plan)
{
    cleanup_response struct http_response response = {0};
    const struct s3_call call = {.method = "HEAD", .key = target->key, .timeout_ns = QUESTION_TIMEOUT_NS};
    struct s3_trouble trouble;

    if (s3_send(target->bucket->client, target->bucket, &call, &response, &trouble, NULL) < 0 || response.status != 200)
        return true;

    const char *sha256 = http_client_header(target->bucket->client, "x-amz-meta-sha256", 0);

    return !sha256 || strcmp(sha256, plan->sha256) == 0;
}

static int put_parts(const struct s3_target *target, const struct archive_plan *plan, struct delivery *delivery, char expected[S3_ETAG_SIZE],
                     struct error *err)
{
    struct s3_upload_request request = {.place = target->shown, .key = target->key, .plan = plan, .unseen = target->unseen && !target->settings->overwrite};
    struct s3_upload_outcome outcome = {0};
    struct s3_trouble trouble;
    int result = s3_upload(target->bucket->client, target->bucket, &request, &outcome, &trouble, err);

    delivery->tries += outcome.retries;
    if (result == 0 && outcome.adopted && !says_ours(target, plan))
        result = s3_upload(target->bucket->client, target->bucket, &request, &outcome, &trouble, err); /* the one that was found is complete: anew */
    if (result < 0) {
        note_trouble(delivery, &trouble);
        return outcome.status == 412 ? fail_taken(target, delivery, err) : -1;
    }
    memcpy(expected, outcome.expected, S3_ETAG_SIZE);
    note_object(delivery, outcome.status, outcome.etag);
    return 0;
}

static int put_checksum(const struct s3_target *target, const struct archive_plan *plan, struct delivery *delivery, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *line = archive_checksum_line(plan);
    cleanup_free char *key = mem_printf("%s.sha256", target->key);
    const struct s3_call call = {.method = "PUT", .key = key, .content_type = "text/plain", .body = line, .length = strlen(line),
                                 .timeout_ns = QUESTION_TIMEOUT_NS};
    struct s3_trouble trouble;

    if (s3_send_well(target->bucket->client, target->bucket, &call, &response, &trouble, err) == 0)
        return 0;
    note_trouble(delivery, &trouble);
    return -1;
}

/* Of an archive that was there: where its checksum is, too, nothing is written. */
static int complete_checksum(const struct s3_target *target, const struct archive_plan *plan, struct delivery *delivery, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *key = mem_printf("%s.sha256", target->key);
    const struct s3_call call = {.method = "HEAD", .key = key, .timeout_ns = QUESTION_TIMEOUT_NS};
    struct s3_trouble trouble;

    if (s3_send(target->bucket->client, target->bucket, &call, &response, &trouble, NULL) == 0 && response.status == 200)
        return 0;
    return put_checksum(target, plan, delivery, err);
}

static int deliver(struct s3_target *target, const struct archive_plan *plan, struct delivery *delivery, struct error *err)
{
    const uint64_t part_size = s3_part_size(plan->size, &target->settings->s3);
    char expected[S3_ETAG_SIZE] = "", quoted[S3_ETAG_SIZE + 2];

    if (part_size == 0)
        return error_set(err, ERROR_PUBLISH, "%s is too large for S3: %d parts of %llu MiB are all that we send", plan->name, S3_PARTS_MAX,
                         (unsigned long long)(S3_MEMORY_MAX >> 20));

    const int found = look(target, plan, delivery, err);

    if (found < 0)
        return -1;
    if (found == 1) {
        delivery->already_there = delivery->verified = true;
        return complete_checksum(target, plan, delivery, err);
    }
    if ((plan->size <= part_size ? put_whole : put_parts)(target, plan, delivery, expected, err) < 0)
        return -1;
    snprintf(quoted, sizeof quoted, "\"%s\"", expected);
    delivery->verified = strcmp(quoted, delivery->etag) == 0;
    delivery->doubted = !delivery->verified && !target->unseen;
    return put_checksum(target, plan, delivery, err);
}

static int s3_put(const char *to, const struct archive_plan *plan, const struct destination_settings *settings, struct delivery *delivery,
                  struct error *err)
{
    cleanup_free char *name = s3_place_bucket(to), *key = s3_place_key(to, plan->name);
    cleanup_with(s3_bucket_close) struct s3_bucket *bucket = s3_bucket_open(name, settings, err);

    if (!bucket)
        return -1;

    struct s3_target target = {.bucket = bucket, .settings = settings, .key = key, .shown = delivery->to};

    return deliver(&target, plan, delivery, err) < 0 ? error_reclass(err, ERROR_PUBLISH) : 0;
}

/* ---- back ---- */

struct s3_taking {
    destination_take take;
    void *context;
    struct error err; /* of the taker */
};

static bool s3_take(void *context, const char *bytes, size_t length)
{
    struct s3_taking *taking = context;

    return taking->take(taking->context, bytes, length, &taking->err) == 0;
}

static int fetch(const struct s3_target *target, struct s3_taking *taking, char *sha256, struct error *err)
{
    cleanup_response struct http_response response = {0};
    const struct s3_call call = {.method = "GET", .key = target->key, .take = s3_take, .take_context = taking};
    struct s3_trouble trouble;

    if (s3_send_well(target->bucket->client, target->bucket, &call, &response, &trouble, err) < 0)
        return -1;
    if (taking->err.class != ERROR_NONE) {
        if (err)
            *err = taking->err;
        return -1;
    }

    const char *told = http_client_header(target->bucket->client, "x-amz-meta-sha256", 0);

    if (told)
        destination_read_checksum(told, sha256);
    return 0;
}

static void fetch_checksum(const struct s3_target *target, char *sha256)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *key = mem_printf("%s.sha256", target->key);
    const struct s3_call call = {.method = "GET", .key = key, .timeout_ns = QUESTION_TIMEOUT_NS};
    struct s3_trouble trouble;

    if (s3_send(target->bucket->client, target->bucket, &call, &response, &trouble, NULL) == 0 && response.status == 200)
        destination_read_checksum(buf_text(&response.body), sha256);
}

static int s3_get(const char *to, const char *name, const struct destination_settings *settings, destination_take take, void *context,
                  char *sha256, struct error *err)
{
    cleanup_free char *bucket_name = s3_place_bucket(to), *key = s3_place_key(to, name), *shown = s3_place_url(to, name);
    cleanup_with(s3_bucket_close) struct s3_bucket *bucket = s3_bucket_open(bucket_name, settings, err);
    const struct s3_target target = {.bucket = bucket, .settings = settings, .key = key, .shown = shown};
    struct s3_taking taking = {.take = take, .context = context};

    if (!bucket)
        return -1;
    if (!*key)
        return error_set(err, ERROR_USAGE, "'%.200s' names no archive: expected s3://bucket/prefix/name.tar.gz", to);
    if (fetch(&target, &taking, sha256, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    if (!*sha256)
        fetch_checksum(&target, sha256);
    return 0;
}

const struct destination destination_s3 = {
    .check = s3_place_check, .place = s3_place_url, .put = s3_put, .get = s3_get, .objects = &destination_s3_objects};
