/* One upload that somebody else signed, as the SDKs of object stores print it: a JSON file, so that its secrets stand in no command line.
 *
 *     {"url": "https://bucket.s3.amazonaws.com/", "fields": {"key": "runs/${filename}", "policy": "…", "x-amz-signature": "…"}}
 *     {"url": "https://account.blob.core.windows.net/c/x?sig=…", "headers": {"x-ms-blob-type": "BlockBlob"}}
 *
 * With fields (boto3's generate_presigned_post, Google's generate_signed_post_policy_v4) it is a POST of a form (multipart/form-data, RFC 7578), the
 * archive behind the fields in their order; without, a PUT of the bytes, or what "method" says (PUT, POST). */
#ifndef ROIBENCH_SHIP_SIGNED_UPLOAD_H
#define ROIBENCH_SHIP_SIGNED_UPLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

#define SIGNED_HEADERS_MAX 32
#define SIGNED_FORM_MAX ((size_t)1 << 20) /* bytes of all fields */

struct signed_upload {
    json_t *document;
    const char *url, *method;
    const json_t *fields; /* NULL: no form */
    char *headers[SIGNED_HEADERS_MAX]; /* "Name: value" */
    size_t header_count;
    const char *content_type;
};

/* ERROR_PUBLISH; the text holds nothing of what the file has. For signed_upload_free in every case. */
int signed_upload_read(const char *path, struct signed_upload *upload, struct error *err);
void signed_upload_free(struct signed_upload *upload);

/* What comes before and behind the archive's bytes in a form, and its Content-Type (free() it). ERROR_PUBLISH: the fields are too many. */
int signed_upload_form(const struct signed_upload *upload, const char *name, struct buf *before, struct buf *behind, char **content_type, struct error *err);

/* Where the archive will be, as it may be shown: the URL without its query; of a form also its key, with the archive's name in it. free() it. */
char *signed_upload_place(const struct signed_upload *upload, const char *name);
/* Does a text, which a server sent, hold one of the upload's values, or a part of its query? */
bool signed_upload_betrays(const struct signed_upload *upload, const char *text);

#endif
