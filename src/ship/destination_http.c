/* A server that takes a PUT: nginx with dav_methods, artifact stores, presigned URLs.
 *
 * A URL whose path ends in '/' is a folder: the archive's name is appended;
 * any other URL is the archive's own. Before the PUT a HEAD asks what is there and
 * how long it is, and the small "<url>.sha256" tells whether it is meant to be the same
 * archive. The checksum is put before the archive: when the way breaks off in between, it
 * says whose archive was to follow, and publishing again completes it without --overwrite.
 * A URL with a query is taken for one that was made (signed) for this one PUT: it gets just that. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ship/answer.h"
#include "ship/destination.h"

#define QUESTION_TIMEOUT_NS (30 * NS_PER_S)
#define SHA256_HEX 64
#define BODY_SHOWN_MAX 200

CLEANUP_DEFINE(FILE, fclose)
CLEANUP_DEFINE(struct http_client, http_client_free)
CLEANUP_DEFINE(struct archive_stream, archive_stream_close)

#define cleanup_response __attribute__((cleanup(http_response_free)))

struct http_target {
    struct http_client *client;
    const struct destination_settings *settings;
    char *url, *checksum_url; /* checksum_url NULL: the URL has a query */
    const char *shown;
};

/* "<base><name if base ends in '/'><suffix><query>" */
static char *http_url(const char *to, const char *name, const char *suffix)
{
    const size_t path = strcspn(to, "?#"), query = path + strcspn(to + path, "#");
    const bool folder = to[path - 1] == '/';

    return mem_printf("%.*s%s%s%.*s", (int)path, to, folder ? name : "", suffix, (int)(query - path), to + path);
}

static int http_check(const char *to, struct error *err)
{
    if (http_url_check(to, err) < 0)
        return -1;

    const char *host = strstr(to, "://") + 3;

    if (host[strcspn(host, "/?#")] == '/')
        return 0;

    cleanup_free char *shown = http_url_redacted(to);

    return error_set(err, ERROR_USAGE, "%s: the URL has no path: end it in '/' to put the archive there by its name", shown);
}

static char *http_place(const char *to, const char *name)
{
    cleanup_free char *url = http_url(to, name, "");

    return http_url_redacted(url);
}

static const char *advice(int status)
{
    switch (status) {
    case 401:
    case 403: return ". The server wants credentials, or does not let this URL be written";
    case 404:
    case 409: return ". Does the folder exist there?";
    case 405:
    case 501: return ". The server takes no PUT at this URL";
    case 413: return ". The archive is larger than the server allows";
    case 507: return ". The server's disk is full";
    default: return "";
    }
}

static int fail_status(const char *shown, const struct http_response *response, struct error *err)
{
    char words[BODY_SHOWN_MAX];

    if (response->status / 100 == 3) {
        cleanup_free char *elsewhere = http_url_redacted(response->location);

        for (char *c = elsewhere; *c; c++)
            *c = (char)(iscntrl((unsigned char)*c) ? '?' : *c);

        return error_set(err, ERROR_PUBLISH, "PUT %s: HTTP %d: the server sends us to %s. Give the URL that it means", shown,
                         response->status, *elsewhere ? elsewhere : "another place, without saying where");
    }
    answer_words(buf_text(&response->body), words, sizeof words);
    return error_set(err, ERROR_PUBLISH, "PUT %s: HTTP %d%s%s%s", shown, response->status, *words ? ": " : "", words, advice(response->status));
}

/* ---- what is there ---- */

/* Does "<url>.sha256" name our archive's content? What lies there may still be a part of it. */
static int http_is_same(const struct http_target *target, const struct archive_plan *plan, bool *same, struct delivery *delivery,
                        struct error *err)
{
    cleanup_response struct http_response response = {0};

    if (http_client_get(target->client, target->checksum_url, QUESTION_TIMEOUT_NS, &response, err) < 0) {
        answer_note(&response, delivery);
        return error_reclass(err, ERROR_PUBLISH);
    }
    *same = response.status == 200 && strncasecmp(buf_text(&response.body), plan->sha256, SHA256_HEX) == 0;
    return 0;
}

/* 1: the same archive is there; 0: nothing, a part of the same archive, or the server does not tell; -1. */
static int http_look(const struct http_target *target, const struct archive_plan *plan, struct delivery *delivery,
                     struct error *err)
{
    cleanup_response struct http_response response = {0};
    bool same = false;

    if (!target->checksum_url || target->settings->overwrite)
        return 0;
    if (http_client_head(target->client, target->url, QUESTION_TIMEOUT_NS, &response, err) < 0) {
        answer_note(&response, delivery);
        return error_reclass(err, ERROR_PUBLISH);
    }
    if (response.status != 200)
        return 0;
    if (http_is_same(target, plan, &same, delivery, err) < 0)
        return -1;
    delivery->other_content = !same;
    if (!same)
        return error_set(err, ERROR_PUBLISH, "%s is there already, with other content or without its .sha256. Give --overwrite to replace it",
                         target->shown);
    if (response.content_length < 0 || (uint64_t)response.content_length != plan->size)
        return 0;
    delivery->status = response.status;
    memcpy(delivery->etag, response.etag, sizeof delivery->etag);
    return 1;
}

/* ---- putting ---- */

static long read_file(void *context, char *bytes, size_t size)
{
    const size_t got = fread(bytes, 1, size, context);

    return got == 0 && ferror((FILE *)context) ? -1 : (long)got;
}

static int http_put_archive(const struct http_target *target, const struct archive_plan *plan, struct delivery *delivery,
                            struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_with(archive_stream_close) struct archive_stream *stream = archive_stream_open(plan);
    struct archive_source source = {.stream = stream};
    const int result = http_client_put(target->client, target->url, "application/gzip", plan->size, archive_source_read, &source,
                                       target->settings->stall_timeout_ns, &response, err);

    if (answer_take(result, &source, &response, delivery, err) < 0)
        return -1;
    return response.status / 100 == 2 ? 0 : fail_status(target->shown, &response, err);
}

/* One that fits into memory. The response is http_response_free's whatever came. */
static int http_put_bytes(struct http_client *client, const char *url, const char *type, const void *bytes, size_t length, int64_t stall_timeout_ns,
                          struct http_response *response, struct error *err)
{
    cleanup_with(fclose) FILE *file = fmemopen((void *)(uintptr_t)bytes, length, "r");

    if (!file)
        abort();
    return http_client_put(client, url, type, length, read_file, file, stall_timeout_ns, response, err) < 0 ? error_reclass(err, ERROR_PUBLISH) : 0;
}

static int http_put_checksum(const struct http_target *target, const struct archive_plan *plan, struct delivery *delivery,
                             struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *line = archive_checksum_line(plan);
    cleanup_free char *shown = mem_printf("%s.sha256", target->shown);
    const int result = http_put_bytes(target->client, target->checksum_url, "text/plain", line, strlen(line), target->settings->stall_timeout_ns,
                                      &response, err);

    answer_note(&response, delivery);
    if (result < 0)
        return -1;
    return response.status / 100 == 2 ? 0 : fail_status(shown, &response, err);
}

static int http_deliver(const struct http_target *target, const struct archive_plan *plan, struct delivery *delivery,
                        struct error *err)
{
    const int found = http_look(target, plan, delivery, err);

    if (found != 0) {
        delivery->already_there = found == 1;
        return found == 1 ? 0 : -1;
    }
    if (target->checksum_url && http_put_checksum(target, plan, delivery, err) < 0)
        return -1;
    return http_put_archive(target, plan, delivery, err);
}

static int http_put(const char *to, const struct archive_plan *plan, const struct destination_settings *settings,
                    struct delivery *delivery, struct error *err)
{
    cleanup_with(http_client_free) struct http_client *client = http_client_new(&settings->net, err);

    if (!client)
        return -1;

    cleanup_free char *url = http_url(to, plan->name, "");
    cleanup_free char *checksum_url = strchr(to, '?') ? NULL : http_url(to, plan->name, ".sha256");
    const struct http_target target = {client, settings, url, checksum_url, delivery->to};

    return http_deliver(&target, plan, delivery, err);
}

/* ---- back ---- */

struct http_taking {
    destination_take take;
    void *context;
    struct error err; /* of the taker */
    uint64_t length;
};

static bool http_take(void *context, const char *bytes, size_t length)
{
    struct http_taking *taking = context;

    taking->length += length;
    return taking->take(taking->context, bytes, length, &taking->err) == 0;
}

static int http_get_archive(const struct http_target *target, struct http_taking *taking, struct error *err)
{
    cleanup_response struct http_response response = {0};

    const struct http_request request = {.method = "GET", .url = target->url, .take = http_take, .take_context = taking,
                                         .stall_timeout_ns = target->settings->stall_timeout_ns};

    if (http_client_request(target->client, &request, &response, err) < 0 && taking->err.class == ERROR_NONE)
        return error_reclass(err, ERROR_PUBLISH);
    if (taking->err.class != ERROR_NONE) {
        if (err)
            *err = taking->err;
        return -1;
    }
    return response.status == 200 ? 0 : error_set(err, ERROR_PUBLISH, "GET %s: HTTP %d", target->shown, response.status);
}

static int http_get(const char *to, const char *name, const struct destination_settings *settings, destination_take take, void *context,
                    char *sha256, struct error *err)
{
    cleanup_with(http_client_free) struct http_client *client = http_client_new(&settings->net, err);

    if (!client)
        return -1;

    cleanup_free char *url = http_url(to, name ? name : "", "");
    cleanup_free char *checksum_url = strchr(to, '?') ? NULL : http_url(to, name ? name : "", ".sha256");
    cleanup_free char *shown = http_url_redacted(url);
    cleanup_response struct http_response response = {0};
    const struct http_target target = {client, settings, url, checksum_url, shown};
    struct http_taking taking = {.take = take, .context = context};

    if (checksum_url && http_client_get(client, checksum_url, QUESTION_TIMEOUT_NS, &response, NULL) == 0 && response.status == 200)
        destination_read_checksum(buf_text(&response.body), sha256);
    return http_get_archive(&target, &taking, err);
}

/* ---- small objects ---- */

static char *http_object_place(const char *to, const char *name)
{
    const bool folder = !strchr(to, '?') && to[strcspn(to, "#") - 1] == '/';

    return folder ? http_place(to, name) : NULL;
}

static int http_put_object(const char *to, const char *name, const char *type, const void *bytes, size_t length,
                           const struct destination_settings *settings, struct error *err)
{
    cleanup_with(http_client_free) struct http_client *client = http_client_new(&settings->net, err);
    cleanup_response struct http_response response = {0};
    cleanup_free char *url = http_url(to, name, ""), *shown = http_url_redacted(url);

    if (!client || http_put_bytes(client, url, type, bytes, length, settings->stall_timeout_ns, &response, err) < 0)
        return -1;
    return response.status / 100 == 2 ? 0 : fail_status(shown, &response, err);
}

static int http_get_object(const char *to, const char *name, const struct destination_settings *settings, struct buf *bytes, bool *missing,
                           struct error *err)
{
    cleanup_with(http_client_free) struct http_client *client = http_client_new(&settings->net, err);
    cleanup_response struct http_response response = {0};
    cleanup_free char *url = http_url(to, name, ""), *shown = http_url_redacted(url);

    if (!client || http_client_get(client, url, QUESTION_TIMEOUT_NS, &response, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    *missing = response.status == 404;
    if (*missing)
        return 0;
    if (response.status != 200)
        return error_set(err, ERROR_PUBLISH, "GET %s: HTTP %d", shown, response.status);
    if (buf_append(bytes, buf_text(&response.body), response.body.len) < 0)
        return error_set(err, ERROR_PUBLISH, "GET %s: more than %zu bytes", shown, bytes->max);
    return 0;
}

/* A server that takes a PUT cannot be asked what it holds: receipts are put, and whoever serves them makes the pages. */
static const struct destination_objects http_objects = {.place = http_object_place, .put = http_put_object, .get = http_get_object};

const struct destination destination_http = {
    .check = http_check, .place = http_place, .put = http_put, .get = http_get, .objects = &http_objects};
