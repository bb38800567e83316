#include "ship/s3_objects.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ship/s3_client.h"
#include "ship/s3_place.h"

#define QUESTION_TIMEOUT_NS (60 * NS_PER_S)
#define QUERY_MAX ((size_t)16 << 10)

CLEANUP_DEFINE(struct s3_bucket, s3_bucket_close)

#define cleanup_response __attribute__((cleanup(http_response_free)))
#define cleanup_objects __attribute__((cleanup(s3_objects_free)))

static int s3_object_put(const char *to, const char *name, const char *type, const void *bytes, size_t length,
                         const struct destination_settings *settings, struct error *err)
{
    cleanup_free char *bucket_name = s3_place_bucket(to), *key = s3_place_key(to, name);
    cleanup_with(s3_bucket_close) struct s3_bucket *bucket = s3_bucket_open(bucket_name, settings, err);
    cleanup_response struct http_response response = {0};
    const struct s3_call call = {.method = "PUT", .key = key, .content_type = type, .body = bytes, .length = length};
    struct s3_trouble trouble;

    if (!bucket || s3_send_well(bucket->client, bucket, &call, &response, &trouble, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    return 0;
}

static int s3_object_get(const char *to, const char *name, const struct destination_settings *settings, struct buf *bytes, bool *missing,
                         struct error *err)
{
    cleanup_free char *bucket_name = s3_place_bucket(to), *key = s3_place_key(to, name);
    cleanup_with(s3_bucket_close) struct s3_bucket *bucket = s3_bucket_open(bucket_name, settings, err);
    cleanup_response struct http_response response = {0};
    const struct s3_call call = {.method = "GET", .key = key, .timeout_ns = QUESTION_TIMEOUT_NS};
    struct s3_trouble trouble;

    if (!bucket || s3_send(bucket->client, bucket, &call, &response, &trouble, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    *missing = response.status == 404;
    if (*missing)
        return 0;
    if (response.status != 200)
        return s3_fail(bucket->client, bucket, &call, &response, &trouble, err);
    if (buf_append(bytes, buf_text(&response.body), response.body.len) < 0)
        return error_set(err, ERROR_PUBLISH, "GET s3://%s/%s: more than %zu bytes", bucket->name, key, bytes->max);
    return 0;
}

/* ---- listing ---- */

static void append_query(struct buf *query, const char *prefix, const char *next)
{
    if (next) {
        buf_append_text(query, "continuation-token=");
        sigv4_append_encoded(query, next, false);
        buf_append_char(query, '&');
    }
    buf_append_text(query, "delimiter=%2F&list-type=2&prefix=");
    sigv4_append_encoded(query, prefix, false);
}

static int list_page(const struct s3_bucket *bucket, const char *prefix, struct s3_objects *objects, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_buf struct buf query = BUF_INIT(QUERY_MAX);
    struct s3_trouble trouble;

    append_query(&query, prefix, objects->next);

    const struct s3_call call = {.method = "GET", .query = buf_text(&query), .timeout_ns = QUESTION_TIMEOUT_NS};

    if (s3_send_well(bucket->client, bucket, &call, &response, &trouble, err) < 0)
        return -1;
    return s3_read_objects(buf_text(&response.body), response.body.len, objects, err);
}

static int note_all(const struct s3_objects *objects, size_t prefix_length, destination_note note, void *context, struct error *err)
{
    for (size_t k = 0; k < objects->count; k++) {
        const char *key = objects->objects[k].key;

        /* a "folder" that a console made is an object, too */
        if (strlen(key) > prefix_length && note(context, key + prefix_length, objects->objects[k].etag, err) < 0)
            return -1;
    }
    return 0;
}

static int s3_object_list(const char *to, const char *folder, const struct destination_settings *settings, destination_note note, void *context,
                          struct error *err)
{
    cleanup_free char *bucket_name = s3_place_bucket(to), *key = s3_place_key(to, folder), *prefix = mem_printf("%s/", key);
    cleanup_with(s3_bucket_close) struct s3_bucket *bucket = s3_bucket_open(bucket_name, settings, err);
    cleanup_objects struct s3_objects objects = {0};

    if (!bucket)
        return error_reclass(err, ERROR_PUBLISH);
    do {
        if (list_page(bucket, prefix, &objects, err) < 0)
            return error_reclass(err, ERROR_PUBLISH);
    } while (objects.next);
    return note_all(&objects, strlen(prefix), note, context, err);
}

const struct destination_objects destination_s3_objects = {
    .place = s3_place_url, .put = s3_object_put, .get = s3_object_get, .list = s3_object_list};
