/* What S3 and what speaks like it answers, and the one body that it is sent (Amazon S3 API Reference, 2006-03-01).
 *
 * The answers come from a peer: numbers are checked, texts that are shown are made clean lines, ETags are without their quotes.
 * Readers return -1 with *err (ERROR_TARGET): it is no such answer. */
#ifndef ROIBENCH_WIRE_S3_ANSWERS_H
#define ROIBENCH_WIRE_S3_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define S3_PARTS_MAX 10000 /* of one upload, as S3 has it */
#define S3_ETAG_SIZE 128

/* <Error>, and STS' <ErrorResponse>. */
struct s3_fault {
    char code[64];     /* "SlowDown" */
    char message[300]; /* as a line */
    char region[64];   /* that the bucket is in; "": not told */
};
/* false: it is none. *fault is filled in any case. */
bool s3_read_fault(const char *bytes, size_t length, struct s3_fault *fault);

/* Of CreateMultipartUpload; free() it. NULL with *err. */
char *s3_read_upload_id(const char *bytes, size_t length, struct error *err);

struct s3_part {
    int number; /* 1 to S3_PARTS_MAX */
    uint64_t size;
    char etag[S3_ETAG_SIZE];
};
struct s3_parts {
    struct s3_part *parts; /* in order of their numbers */
    size_t count, capacity;
    bool more; /* to be asked for, after the last number */
};
/* Of ListParts: appends, sets `more`. */
int s3_read_parts(const char *bytes, size_t length, struct s3_parts *parts, struct error *err);
void s3_parts_free(struct s3_parts *parts);
/* The body of CompleteMultipartUpload. */
void s3_append_completion(struct buf *out, const struct s3_parts *parts);
/* Its answer, which is 200 even when it is a fault: tell that apart with s3_read_fault first. */
int s3_read_completion(const char *bytes, size_t length, char etag[S3_ETAG_SIZE], struct error *err);

/* Of ListMultipartUploads: the upload of exactly this key that was begun last; free() it. NULL: none, or no such answer. */
char *s3_read_upload_of(const char *bytes, size_t length, const char *key);

struct s3_object {
    char *key;
    char etag[S3_ETAG_SIZE]; /* "": not told */
};
struct s3_objects {
    struct s3_object *objects;
    size_t count, capacity;
    char *next; /* continuation token; NULL: that was all */
};
/* Of ListObjectsV2: appends, sets `next`. */
int s3_read_objects(const char *bytes, size_t length, struct s3_objects *objects, struct error *err);
void s3_objects_free(struct s3_objects *objects);

/* An ETag as a header has it, without quotes and "W/". */
void s3_take_etag(char etag[S3_ETAG_SIZE], const char *text);

#endif
