/* An upload that somebody else signed: "presigned:///run/secrets/upload.json" names the file that has it (ship/signed_upload.h).
 *
 * Such a signature is good for this one request and for some time: what is there cannot be asked for, nor read back, and every publish sends the archive
 * again. What the file has stands in no text: of the server's words only a code and a message that hold nothing of it. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ship/answer.h"
#include "ship/destination.h"
#include "ship/signed_upload.h"
#include "wire/s3_answers.h"

#define WORDS_MAX 400

CLEANUP_DEFINE(struct archive_stream, archive_stream_close)
CLEANUP_DEFINE(struct http_client, http_client_free)

#define cleanup_response __attribute__((cleanup(http_response_free)))

/* The body: fields, the archive, the end of the form. */
struct presigned_body {
    struct buf before, behind;
    size_t before_done, behind_done;
    struct archive_source source;
};

static const char *presigned_path(const char *to)
{
    return strstr(to, "://") + 3;
}

static int presigned_check(const char *to, struct error *err)
{
    if (*presigned_path(to))
        return 0;
    return error_set(err, ERROR_USAGE, "%s: expected presigned:///path/of/a/file.json, in which a signed URL or form is", to);
}

static char *presigned_place(const char *to, const char *name)
{
    (void)name;
    return mem_strdup(to);
}

static size_t give(const struct buf *from, size_t *done, char *bytes, size_t size)
{
    const size_t left = from->len - *done, length = left < size ? left : size;

    memcpy(bytes, buf_text(from) + *done, length);
    *done += length;
    return length;
}

static long read_body(void *context, char *bytes, size_t size)
{
    struct presigned_body *body = context;

    if (body->before_done < body->before.len)
        return (long)give(&body->before, &body->before_done, bytes, size);

    const long got = archive_source_read(&body->source, bytes, size);

    return got != 0 ? got : (long)give(&body->behind, &body->behind_done, bytes, size);
}

/* What the server said, unless it repeats what is secret; stores tell the string that they would have signed. */
static void explain(const struct signed_upload *upload, const struct buf *body, char *words, size_t size)
{
    struct s3_fault fault = {0};

    if (s3_read_fault(buf_text(body), body->len, &fault))
        snprintf(words, size, "%s: %s", fault.code, fault.message);
    else
        answer_words(buf_text(body), words, size);
    if (signed_upload_betrays(upload, words))
        snprintf(words, size, "%s", *fault.code && !signed_upload_betrays(upload, fault.code) ? fault.code : "its words repeat the signature");
}

static const char *advice(int status)
{
    switch (status) {
    case 400: return ". Does what was signed allow this name, type and size?";
    case 401:
    case 403: return ". Has what was signed expired? Such a signature is good for some time, and for exactly what it was made for; get a new one";
    case 404: return ". Is the bucket there?";
    case 405:
    case 501: return ". Was it signed for another method?";
    case 413: return ". The archive is larger than was allowed";
    default: return "";
    }
}

static int send(const struct signed_upload *upload, const struct archive_plan *plan, struct http_client *client, struct presigned_body *body,
                const char *content_type, struct delivery *delivery, int64_t stall_timeout_ns, struct error *err)
{
    cleanup_response struct http_response response = {0};
    char words[WORDS_MAX];
    const struct http_request request = {
        .method = upload->method, .url = upload->url, .content_type = content_type, .headers = (const char *const *)upload->headers,
        .header_count = upload->header_count, .read = read_body, .read_context = body,
        .length = body->before.len + plan->size + body->behind.len, .stall_timeout_ns = stall_timeout_ns,
    };
    const int result = http_client_request(client, &request, &response, err);

    if (answer_take(result, &body->source, &response, delivery, err) < 0)
        return -1;
    if (response.status / 100 == 2)
        return 0;
    explain(upload, &response.body, words, sizeof words);
    return error_set(err, ERROR_PUBLISH, "%s %s: HTTP %d%s%s%s", upload->method, delivery->to, response.status, *words ? ": " : "", words,
                     response.status / 100 == 3 ? ". The server sends us elsewhere: let it be signed for the host that it means" : advice(response.status));
}

static int deliver(const struct signed_upload *upload, const struct archive_plan *plan, const struct destination_settings *settings,
                   struct delivery *delivery, struct error *err)
{
    cleanup_with(http_client_free) struct http_client *client = http_client_new(&settings->net, err);
    cleanup_with(archive_stream_close) struct archive_stream *stream = archive_stream_open(plan);
    cleanup_free char *form_type = NULL;
    struct presigned_body body = {.before = BUF_INIT(SIGNED_FORM_MAX), .behind = BUF_INIT(SIGNED_FORM_MAX), .source = {.stream = stream}};

    if (!client)
        return error_reclass(err, ERROR_PUBLISH);

    const int made = upload->fields ? signed_upload_form(upload, plan->name, &body.before, &body.behind, &form_type, err) : 0;
    const char *type = form_type ? form_type : upload->content_type;
    const int result = made < 0 ? -1 : send(upload, plan, client, &body, type, delivery, settings->stall_timeout_ns, err);

    buf_free(&body.before);
    buf_free(&body.behind);
    return result;
}

static int presigned_put(const char *to, const struct archive_plan *plan, const struct destination_settings *settings, struct delivery *delivery,
                         struct error *err)
{
    __attribute__((cleanup(signed_upload_free))) struct signed_upload upload = {0};

    if (signed_upload_read(presigned_path(to), &upload, err) < 0)
        return -1;
    free(delivery->to);
    delivery->to = signed_upload_place(&upload, plan->name);
    return deliver(&upload, plan, settings, delivery, err);
}

const struct destination destination_presigned = {.check = presigned_check, .place = presigned_place, .put = presigned_put};
