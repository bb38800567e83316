#include "ship/s3_parts.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/thread.h"

#define RETRY_WAIT_NS NS_PER_S
#define RETRY_WAIT_MAX_NS (60 * NS_PER_S)
#define RETRY_AFTER_MAX_NS (600 * NS_PER_S)

CLEANUP_DEFINE(struct http_client, http_client_free)
CLEANUP_DEFINE(struct archive_stream, archive_stream_close)

#define cleanup_response __attribute__((cleanup(http_response_free)))

enum slot_state { SLOT_EMPTY, SLOT_FULL, SLOT_TAKEN };

struct slot {
    enum slot_state state;
    char *bytes;
    size_t length;
    int number;
};

struct pump {
    const struct s3_parts_job *job;
    struct s3_parts_result *result;
    pthread_mutex_t lock; /* of what follows, and of *result */
    pthread_cond_t changed;
    struct slot *slots;
    int slot_count;
    struct s3_part *parts; /* by number - 1; an empty ETag: not there */
    bool all_made;         /* no part follows */
    bool failed;
    struct error err; /* of what failed first */
    struct s3_trouble trouble;
};

void s3_md5(const void *bytes, size_t length, unsigned char md5[S3_MD5_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};

    EVP_Digest(bytes, length, digest, NULL, EVP_md5(), NULL);
    memcpy(md5, digest, S3_MD5_SIZE);
}

void s3_md5_hex(const unsigned char md5[S3_MD5_SIZE], char *hex)
{
    for (size_t k = 0; k < S3_MD5_SIZE; k++)
        snprintf(hex + 2 * k, 3, "%02x", md5[k]);
}

void s3_parts_etag(const unsigned char *md5s, int count, char etag[S3_ETAG_SIZE])
{
    unsigned char md5[S3_MD5_SIZE];
    char hex[2 * S3_MD5_SIZE + 1];

    s3_md5(md5s, (size_t)count * S3_MD5_SIZE, md5);
    s3_md5_hex(md5, hex);
    snprintf(etag, S3_ETAG_SIZE, "%s-%d", hex, count);
}

void s3_parts_result_free(struct s3_parts_result *result)
{
    s3_parts_free(&result->parts);
    free(result->md5s);
    result->md5s = NULL;
}

/* Under the lock. The first failure is the one that is told. */
static void fail(struct pump *pump, const struct s3_trouble *trouble, const struct error *err)
{
    if (!pump->failed) {
        pump->failed = true;
        pump->err = *err;
        pump->trouble = *trouble;
    }
    pthread_cond_broadcast(&pump->changed);
}

/* ---- sending ---- */

static int send_once(struct http_client *client, const struct s3_parts_job *job, const struct slot *slot, char etag[S3_ETAG_SIZE],
                     struct s3_trouble *trouble, struct error *err)
{
    cleanup_buf struct buf query = BUF_INIT(16384);
    cleanup_response struct http_response response = {0};

    buf_printf(&query, "partNumber=%d&uploadId=", slot->number);
    sigv4_append_encoded(&query, job->upload_id, false);

    const struct s3_call call = {.method = "PUT", .key = job->key, .query = buf_text(&query), .body = slot->bytes, .length = slot->length};

    if (s3_send_well(client, job->bucket, &call, &response, trouble, err) < 0)
        return -1;
    s3_take_etag(etag, response.etag);
    if (*etag)
        return 0;
    return error_set(err, ERROR_PUBLISH, "PUT s3://%s/%s: the server took part %d without giving it an ETag", job->bucket->name, job->key, slot->number);
}

static int send_part(struct http_client *client, const struct pump *pump, const struct slot *slot, char etag[S3_ETAG_SIZE], int *retries,
                     struct s3_trouble *trouble, struct error *err)
{
    const struct destination_settings *settings = pump->job->bucket->settings;
    int64_t wait_ns = settings->retry_wait_ns > 0 ? settings->retry_wait_ns : RETRY_WAIT_NS;

    for (*retries = 0;; (*retries)++) {
        struct error own = {0};

        if (send_once(client, pump->job, slot, etag, trouble, &own) == 0)
            return 0;

        const int64_t pause = trouble->retry_after_ns >= 0 ? trouble->retry_after_ns : wait_ns;

        if (!trouble->passing || *retries == settings->retries || pause > RETRY_AFTER_MAX_NS || !destination_wait(pause, settings->net.stop)) {
            *err = own;
            trouble->tried_again = trouble->passing;
            return error_wrap(err, "part %d of %d", slot->number, pump->result->count);
        }
        wait_ns = wait_ns < RETRY_WAIT_MAX_NS / 2 ? wait_ns * 2 : RETRY_WAIT_MAX_NS;
    }
}

/* Under the lock: a slot to send, waited for; NULL: there is no more to do. */
static struct slot *take_slot(struct pump *pump)
{
    while (!pump->failed) {
        for (int k = 0; k < pump->slot_count; k++) {
            if (pump->slots[k].state == SLOT_FULL) {
                pump->slots[k].state = SLOT_TAKEN;
                return &pump->slots[k];
            }
        }
        if (pump->all_made)
            return NULL;
        pthread_cond_wait(&pump->changed, &pump->lock);
    }
    return NULL;
}

static void *send_parts(void *argument)
{
    struct pump *pump = argument;
    struct s3_trouble trouble = {.retry_after_ns = -1};
    struct error err = {0};
    cleanup_with(http_client_free) struct http_client *client = http_client_new(&pump->job->bucket->settings->net, &err);
    struct slot *slot;

    pthread_mutex_lock(&pump->lock);
    if (!client)
        fail(pump, &trouble, &err);
    while ((slot = take_slot(pump))) {
        char etag[S3_ETAG_SIZE];
        unsigned char md5[S3_MD5_SIZE];
        int retries = 0;

        pthread_mutex_unlock(&pump->lock);
        s3_md5(slot->bytes, slot->length, md5);

        const int result = send_part(client, pump, slot, etag, &retries, &trouble, &err);

        pthread_mutex_lock(&pump->lock);
        memcpy(pump->result->md5s + (size_t)(slot->number - 1) * S3_MD5_SIZE, md5, S3_MD5_SIZE);
        pump->result->retries += retries;
        if (result < 0)
            fail(pump, &trouble, &err);
        else
            memcpy(pump->parts[slot->number - 1].etag, etag, sizeof etag);
        slot->state = SLOT_EMPTY;
        pthread_cond_broadcast(&pump->changed);
    }
    pthread_mutex_unlock(&pump->lock);
    return NULL;
}

/* ---- making ---- */

static int fill(struct archive_stream *stream, struct slot *slot, size_t length, struct error *err)
{
    slot->length = 0;
    while (slot->length < length) {
        const long got = archive_stream_read(stream, slot->bytes + slot->length, length - slot->length, err);

        if (got < 0)
            return -1;
        if (got == 0)
            return error_set(err, ERROR_PUBLISH, "the archive ended before its end: a file changed while it was sent");
        slot->length += (size_t)got;
    }
    return 0;
}

/* The stream tells only behind the last byte whether all of them were right. */
static int end_stream(struct archive_stream *stream, struct error *err)
{
    char byte;
    const long got = archive_stream_read(stream, &byte, 1, err);

    return got > 0 ? error_set(err, ERROR_PUBLISH, "the archive goes on behind its end: a file changed while it was sent") : (int)got;
}

static const struct s3_part *find_part(const struct s3_parts *there, int number)
{
    for (size_t k = 0; k < there->count; k++) {
        if (there->parts[k].number == number)
            return &there->parts[k];
    }
    return NULL;
}

/* Is it there already? Then its MD5 is noted, too. */
static bool is_there(struct pump *pump, const struct slot *slot)
{
    const struct s3_part *part = find_part(pump->job->there, slot->number);
    unsigned char md5[S3_MD5_SIZE];
    char hex[2 * S3_MD5_SIZE + 1];

    if (!part || part->size != slot->length)
        return false;
    s3_md5(slot->bytes, slot->length, md5);
    s3_md5_hex(md5, hex);
    if (strcmp(hex, part->etag) != 0)
        return false;
    memcpy(pump->result->md5s + (size_t)(slot->number - 1) * S3_MD5_SIZE, md5, S3_MD5_SIZE);
    memcpy(pump->parts[slot->number - 1].etag, part->etag, sizeof part->etag);
    return true;
}

/* Under the lock: an empty slot, waited for; NULL: something failed. */
static struct slot *empty_slot(struct pump *pump)
{
    while (!pump->failed) {
        for (int k = 0; k < pump->slot_count; k++) {
            if (pump->slots[k].state == SLOT_EMPTY)
                return &pump->slots[k];
        }
        pthread_cond_wait(&pump->changed, &pump->lock);
    }
    return NULL;
}

/* Under the lock, which is let go while bytes are made. */
static int make_part(struct pump *pump, struct archive_stream *stream, struct slot *slot, int number, struct error *err)
{
    const struct s3_parts_job *job = pump->job;
    const uint64_t begin = (uint64_t)(number - 1) * job->part_size, left = job->plan->size - begin;
    const size_t length = (size_t)(left < job->part_size ? left : job->part_size);

    pthread_mutex_unlock(&pump->lock);

    int result = fill(stream, slot, length, err);

    if (result == 0 && number == pump->result->count)
        result = end_stream(stream, err);
    pthread_mutex_lock(&pump->lock);
    return result;
}

static void make_parts(struct pump *pump)
{
    cleanup_with(archive_stream_close) struct archive_stream *stream = archive_stream_open(pump->job->plan);

    pthread_mutex_lock(&pump->lock);
    for (int number = 1; number <= pump->result->count; number++) {
        struct slot *slot = empty_slot(pump);
        struct error err = {0};

        if (!slot)
            break;
        slot->number = number;
        if (make_part(pump, stream, slot, number, &err) < 0) {
            pump->result->source_failed = true;
            fail(pump, &(struct s3_trouble){.retry_after_ns = -1}, &err);
            break;
        }
        if (!is_there(pump, slot))
            slot->state = SLOT_FULL;
        pthread_cond_broadcast(&pump->changed);
    }
    pump->all_made = true;
    pthread_cond_broadcast(&pump->changed);
    pthread_mutex_unlock(&pump->lock);
}

/* ---- together ---- */

static void collect(struct pump *pump)
{
    struct s3_parts *parts = &pump->result->parts;

    for (int k = 0; k < pump->result->count; k++) {
        if (!*pump->parts[k].etag)
            continue;
        MEM_GROW(parts->parts, parts->capacity, parts->count + 1);
        parts->parts[parts->count] = pump->parts[k];
        parts->parts[parts->count++].number = k + 1;
    }
}

static void run(struct pump *pump)
{
    cleanup_free pthread_t *threads = mem_calloc((size_t)pump->slot_count, sizeof *threads);
    int started = 0;

    while (started < pump->slot_count && thread_start(&threads[started], send_parts, pump) == 0)
        started++;
    if (started > 0)
        make_parts(pump);
    else
        fail(pump, &(struct s3_trouble){.retry_after_ns = -1},
             &(struct error){.class = ERROR_PUBLISH, .text = "cannot start a thread to send parts"});
    for (int k = 0; k < started; k++)
        pthread_join(threads[k], NULL);
}

int s3_parts_send(const struct s3_parts_job *job, struct s3_parts_result *result, struct s3_trouble *trouble, struct error *err)
{
    const uint64_t count = (job->plan->size + job->part_size - 1) / job->part_size;
    struct pump pump = {.job = job, .result = result};

    *result = (struct s3_parts_result){.count = (int)count, .md5s = mem_calloc(count, S3_MD5_SIZE)};
    pump.slot_count = count < (uint64_t)job->parallel ? (int)count : job->parallel;
    pump.slots = mem_calloc((size_t)pump.slot_count, sizeof *pump.slots);
    pump.parts = mem_calloc(count, sizeof *pump.parts);
    for (int k = 0; k < pump.slot_count; k++)
        pump.slots[k].bytes = mem_alloc(job->part_size);
    pthread_mutex_init(&pump.lock, NULL);
    pthread_cond_init(&pump.changed, NULL);
    run(&pump);
    collect(&pump);
    pthread_cond_destroy(&pump.changed);
    pthread_mutex_destroy(&pump.lock);
    for (int k = 0; k < pump.slot_count; k++)
        free(pump.slots[k].bytes);
    free(pump.slots);
    free(pump.parts);
    if (!pump.failed)
        return 0;
    *trouble = pump.trouble;
    if (err)
        *err = pump.err;
    return -1;
}
