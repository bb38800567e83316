#include "ship/s3_upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ship/s3_parts.h"

#define QUESTION_TIMEOUT_NS (60 * NS_PER_S)
#define COMPLETE_TIMEOUT_NS (900 * NS_PER_S) /* S3 may take minutes to put thousands of parts together */
#define COMPLETION_MAX ((size_t)4 << 20)
#define QUERY_MAX ((size_t)16 << 10)
#define MIB ((uint64_t)1 << 20)

CLEANUP_DEFINE(struct archive_stream, archive_stream_close)

#define cleanup_response __attribute__((cleanup(http_response_free)))

struct upload {
    struct http_client *client;
    const struct s3_bucket *bucket;
    const struct s3_upload_request *request;
    char *id; /* NULL: not begun */
    uint64_t part_size;
    struct s3_parts there; /* of an earlier try */
};

uint64_t s3_part_size(uint64_t size, const struct s3_settings *settings)
{
    const uint64_t wanted = settings->part_size > 0 ? settings->part_size : S3_PART_SIZE;
    const uint64_t needed = ((size + S3_PARTS_MAX - 1) / S3_PARTS_MAX + MIB - 1) / MIB * MIB;
    const uint64_t part_size = needed > wanted ? needed : wanted;

    return part_size <= S3_MEMORY_MAX ? part_size : 0;
}

struct sigv4_header s3_archive_header(const struct archive_plan *plan)
{
    return (struct sigv4_header){"x-amz-meta-sha256", plan->sha256};
}

/* ---- what is kept: "<sha256 of the archive> <upload id>" ---- */

static void keep(const struct upload *upload, const char *id)
{
    const struct destination_memory *memory = &upload->bucket->settings->memory;
    cleanup_free char *text = id ? mem_printf("%s %s", upload->request->plan->sha256, id) : NULL;

    if (memory->keep)
        memory->keep(memory->context, upload->request->place, text);
}

/* ---- small requests ---- */

/* "uploadId=<id><more>" */
static char *upload_query(const struct upload *upload, const char *more)
{
    cleanup_buf struct buf query = BUF_INIT(QUERY_MAX);

    buf_append_text(&query, "uploadId=");
    sigv4_append_encoded(&query, upload->id, false);
    buf_append_text(&query, more);
    return buf_steal(&query);
}

static int begin_upload(struct upload *upload, struct s3_trouble *trouble, struct error *err)
{
    cleanup_response struct http_response response = {0};
    const struct s3_call call = {.method = "POST", .key = upload->request->key, .query = "uploads=", .content_type = "application/gzip",
                                 .headers = {s3_archive_header(upload->request->plan)}, .timeout_ns = QUESTION_TIMEOUT_NS};

    if (s3_send_well(upload->client, upload->bucket, &call, &response, trouble, err) < 0)
        return -1;
    upload->id = s3_read_upload_id(buf_text(&response.body), response.body.len, err);
    if (!upload->id) {
        error_reclass(err, ERROR_PUBLISH);
        return error_wrap(err, "POST s3://%s/%s", upload->bucket->name, upload->request->key);
    }
    keep(upload, upload->id);
    return 0;
}

/* The parts are let go; whether that goes well is not told: the failure before it is what matters. */
static void abort_upload(struct upload *upload)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *query = upload_query(upload, "");
    const struct s3_call call = {.method = "DELETE", .key = upload->request->key, .query = query, .timeout_ns = QUESTION_TIMEOUT_NS};
    struct s3_trouble trouble;

    s3_send(upload->client, upload->bucket, &call, &response, &trouble, NULL);
    free(upload->id);
    upload->id = NULL;
    s3_parts_free(&upload->there);
    keep(upload, NULL);
}

/* 1: the upload is there, and its parts are known; 0: it is not; -1. */
static int list_parts(struct upload *upload, struct s3_trouble *trouble, struct error *err)
{
    do {
        cleanup_response struct http_response response = {0};
        cleanup_buf struct buf more = BUF_INIT(QUERY_MAX);

        if (upload->there.count > 0)
            buf_printf(&more, "&part-number-marker=%d", upload->there.parts[upload->there.count - 1].number);

        cleanup_free char *query = upload_query(upload, buf_text(&more));
        const struct s3_call call = {.method = "GET", .key = upload->request->key, .query = query, .timeout_ns = QUESTION_TIMEOUT_NS};

        if (s3_send(upload->client, upload->bucket, &call, &response, trouble, err) < 0)
            return -1;
        if (response.status == 404 || response.status == 403)
            return 0;
        if (response.status != 200)
            return s3_fail(upload->client, upload->bucket, &call, &response, trouble, err);
        if (s3_read_parts(buf_text(&response.body), response.body.len, &upload->there, err) < 0)
            return error_reclass(err, ERROR_PUBLISH);
    } while (upload->there.more);
    return 1;
}

/* An upload of this key that nobody remembers, because the memory could not be written or is gone. Who may not list finds none. */
static char *find_upload(const struct upload *upload)
{
    cleanup_response struct http_response response = {0};
    cleanup_buf struct buf query = BUF_INIT(QUERY_MAX);
    struct s3_trouble trouble;

    buf_append_text(&query, "prefix=");
    sigv4_append_encoded(&query, upload->request->key, false);
    buf_append_text(&query, "&uploads=");

    const struct s3_call call = {.method = "GET", .query = buf_text(&query), .timeout_ns = QUESTION_TIMEOUT_NS};

    if (s3_send(upload->client, upload->bucket, &call, &response, &trouble, NULL) < 0 || response.status != 200)
        return NULL;
    return s3_read_upload_of(buf_text(&response.body), response.body.len, upload->request->key);
}

/* ---- going on ---- */

/* Could these parts be of an upload with parts of that size? */
static bool have_size(const struct s3_parts *there, uint64_t size, uint64_t part_size)
{
    const uint64_t count = (size + part_size - 1) / part_size;

    for (size_t k = 0; k < there->count; k++) {
        const struct s3_part *part = &there->parts[k];
        const uint64_t number = (uint64_t)part->number;

        if (number > count || part->size != (number < count ? part_size : size - (count - 1) * part_size))
            return false;
    }
    return true;
}

/* It is their size that we go on with. false: they are none of ours. */
static bool take_part_size(struct upload *upload)
{
    const uint64_t size = upload->request->plan->size;
    uint64_t largest = 0;

    if (have_size(&upload->there, size, upload->part_size))
        return true;
    for (size_t k = 0; k < upload->there.count; k++) {
        if (upload->there.parts[k].size > largest)
            largest = upload->there.parts[k].size;
    }
    if (largest > S3_MEMORY_MAX || largest < S3_PART_SIZE_MIN || !have_size(&upload->there, size, largest))
        return false;
    upload->part_size = largest;
    return true;
}

/* *own: an upload of this very archive was kept. */
static void recall_upload(struct upload *upload, bool *own)
{
    const struct destination_memory *memory = &upload->bucket->settings->memory;
    cleanup_free char *kept = memory->recall ? memory->recall(memory->context, upload->request->place) : NULL;
    const char *space = kept ? strchr(kept, ' ') : NULL;

    if (!space || !space[1])
        return;
    upload->id = mem_strdup(space + 1);
    *own = (size_t)(space - kept) == strlen(upload->request->plan->sha256) && strncmp(kept, upload->request->plan->sha256, (size_t)(space - kept)) == 0;
    if (!*own)
        abort_upload(upload); /* of what the archive was before */
}

/* Sets upload->id to one that can be gone on with, if there is any. */
static int resume(struct upload *upload, bool *adopted, struct s3_trouble *trouble, struct error *err)
{
    bool own = false;

    recall_upload(upload, &own);
    if (!upload->id && !upload->request->unseen) {
        upload->id = find_upload(upload);
        *adopted = upload->id != NULL;
    }
    if (!upload->id)
        return 0;

    const int found = list_parts(upload, trouble, err);

    if (found < 0)
        return -1;
    if (found == 1 && (upload->there.count > 0 || own) && take_part_size(upload))
        return 0;
    if (found == 1 && upload->there.count > 0) {
        abort_upload(upload);
    } else { /* gone, or not begun by us as far as we know: left alone */
        free(upload->id);
        upload->id = NULL;
        s3_parts_free(&upload->there);
    }
    *adopted = false;
    return 0;
}

/* ---- the end ---- */

static int complete_upload(struct upload *upload, const struct s3_parts *parts, struct s3_upload_outcome *outcome, struct s3_trouble *trouble,
                           struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_buf struct buf body = BUF_INIT(COMPLETION_MAX);
    cleanup_free char *query = upload_query(upload, "");
    struct s3_fault fault;

    s3_append_completion(&body, parts);

    struct s3_call call = {.method = "POST", .key = upload->request->key, .query = query, .content_type = "application/xml",
                           .body = body.data, .length = body.len, .timeout_ns = COMPLETE_TIMEOUT_NS};

    if (upload->request->unseen)
        call.headers[0] = (struct sigv4_header){"if-none-match", "*"};
    if (s3_send(upload->client, upload->bucket, &call, &response, trouble, err) < 0)
        return -1;
    outcome->status = response.status;
    /* 200 is sent before S3 begins, and a fault may follow it */
    if (response.status / 100 != 2 || s3_read_fault(buf_text(&response.body), response.body.len, &fault)) {
        s3_fail(upload->client, upload->bucket, &call, &response, trouble, err);
        /* perhaps its answer got lost before: looking again tells */
        trouble->passing |= strcmp(trouble->code, "NoSuchUpload") == 0 || strcmp(trouble->code, "InternalError") == 0;
        return -1;
    }
    return s3_read_completion(buf_text(&response.body), response.body.len, outcome->etag, err) < 0 ? error_reclass(err, ERROR_PUBLISH) : 0;
}

static int send_parts(struct upload *upload, struct s3_parts_result *result, struct s3_trouble *trouble, struct error *err)
{
    const int wanted = upload->bucket->settings->s3.parallel > 0 ? upload->bucket->settings->s3.parallel : S3_PARALLEL;
    const int fitting = (int)(S3_MEMORY_MAX / upload->part_size);
    const struct s3_parts_job job = {.bucket = upload->bucket, .key = upload->request->key, .upload_id = upload->id, .plan = upload->request->plan,
                                     .part_size = upload->part_size, .parallel = wanted < fitting ? wanted : fitting, .there = &upload->there};

    return s3_parts_send(&job, result, trouble, err);
}

/* Who asks for what is over gets the parts that are there told; what failed for good leaves nothing behind. */
static void leave(struct upload *upload, const struct s3_parts_result *result, const struct s3_trouble *trouble, struct error *err)
{
    const stop_flag *stop = upload->bucket->settings->net.stop;

    if (trouble->passing || trouble->other_keys || (stop && *stop)) {
        if (err && strlen(err->text) + 100 < sizeof err->text)
            snprintf(err->text + strlen(err->text), 100, ". %zu of %d parts are there: publishing again sends the rest", result->parts.count,
                     result->count);
        return;
    }
    abort_upload(upload);
}

static int run(struct upload *upload, struct s3_upload_outcome *outcome, struct s3_trouble *trouble, struct error *err)
{
    struct s3_parts_result result = {0};

    if (resume(upload, &outcome->adopted, trouble, err) < 0 || (!upload->id && begin_upload(upload, trouble, err) < 0))
        return -1;

    int status = send_parts(upload, &result, trouble, err);

    outcome->retries = result.retries;
    if (status == 0) {
        s3_parts_etag(result.md5s, result.count, outcome->expected);
        status = complete_upload(upload, &result.parts, outcome, trouble, err);
    }
    if (status == 0)
        keep(upload, NULL);
    else
        leave(upload, &result, trouble, err);
    s3_parts_result_free(&result);
    return status;
}

int s3_upload(struct http_client *client, const struct s3_bucket *bucket, const struct s3_upload_request *request, struct s3_upload_outcome *outcome,
              struct s3_trouble *trouble, struct error *err)
{
    struct upload upload = {.client = client, .bucket = bucket, .request = request,
                            .part_size = s3_part_size(request->plan->size, &bucket->settings->s3)};

    *outcome = (struct s3_upload_outcome){0};
    *trouble = (struct s3_trouble){.retry_after_ns = -1};

    const int result = run(&upload, outcome, trouble, err);

    free(upload.id);
    s3_parts_free(&upload.there);
    return result;
}

/* ---- what the ETag should be ---- */

static int read_part(struct archive_stream *stream, char *bytes, size_t size, size_t *length, struct error *err)
{
    for (*length = 0; *length < size;) {
        const long got = archive_stream_read(stream, bytes + *length, size - *length, err);

        if (got <= 0)
            return (int)got;
        *length += (size_t)got;
    }
    return 0;
}

int s3_etag_of(const struct archive_plan *plan, uint64_t part_size, char etag[S3_ETAG_SIZE], struct error *err)
{
    cleanup_with(archive_stream_close) struct archive_stream *stream = archive_stream_open(plan);
    const size_t count = (size_t)((plan->size + part_size - 1) / part_size);
    cleanup_free char *bytes = mem_alloc(part_size);
    cleanup_free unsigned char *md5s = mem_calloc(count + 1, S3_MD5_SIZE);
    char hex[2 * S3_MD5_SIZE + 1];
    size_t length;

    for (size_t k = 0; k < count; k++) {
        if (read_part(stream, bytes, part_size, &length, err) < 0)
            return -1;
        s3_md5(bytes, length, md5s + k * S3_MD5_SIZE);
    }
    if (count > 1) {
        s3_parts_etag(md5s, (int)count, etag);
        return 0;
    }
    s3_md5_hex(md5s, hex);
    snprintf(etag, S3_ETAG_SIZE, "%s", hex);
    return 0;
}
