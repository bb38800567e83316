/* An archive into a bucket in parts: several at once, and only those that are not there yet.
 *
 * Memory is the number of parts on their way times their size (S3_MEMORY_MAX at most), whatever the archive's. A part that
 * is there already (ListParts: same size, and its ETag is the MD5 of ours) is not sent.
 *
 * When it fails for a while (nobody answers, keys that expired, a signal), the upload stays and a later one goes on with it; it is found by
 * what settings->memory kept, else by ListMultipartUploads. When it fails for good it is aborted, so that no parts stay that cost money. */
#ifndef ROIBENCH_SHIP_S3_UPLOAD_H
#define ROIBENCH_SHIP_S3_UPLOAD_H

#include <stdint.h>

#include "ship/s3_client.h"

#define S3_PART_SIZE ((uint64_t)8 << 20)
#define S3_PART_SIZE_MIN ((uint64_t)5 << 20) /* S3's own, but for the last part */
#define S3_MEMORY_MAX ((uint64_t)48 << 20)   /* of all parts on their way; the largest part size */
#define S3_PARALLEL 4
#define S3_PARALLEL_MAX 16

/* The part size for an archive of `size` bytes: what is asked for, or more, so that S3_PARTS_MAX are enough. 0: it is too large. */
uint64_t s3_part_size(uint64_t size, const struct s3_settings *settings);

struct s3_upload_request {
    const char *place; /* delivery->to, for settings->memory */
    const char *key;
    const struct archive_plan *plan;
    bool unseen; /* the keys may not look what is there: only where nothing is, the object may appear, and no upload but our own is gone on with */
};

struct s3_upload_outcome {
    int status;
    char etag[S3_ETAG_SIZE];     /* of the object */
    char expected[S3_ETAG_SIZE]; /* that it has where ETags are made of MD5 sums */
    int retries;                 /* of parts */
    bool adopted; /* an upload that was found: the object has the headers that it was begun with, perhaps for other content */
};

/* ERROR_PUBLISH with *trouble as s3_send has it. */
int s3_upload(struct http_client *client, const struct s3_bucket *bucket, const struct s3_upload_request *request, struct s3_upload_outcome *outcome,
              struct s3_trouble *trouble, struct error *err);

/* The header by which our archives are known again: x-amz-meta-sha256. */
struct sigv4_header s3_archive_header(const struct archive_plan *plan);

/* The ETag that the archive has in parts of that size, or in one piece if it fits. -1: it could not be made. */
int s3_etag_of(const struct archive_plan *plan, uint64_t part_size, char etag[S3_ETAG_SIZE], struct error *err);

#endif
