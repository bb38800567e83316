/* The parts of an upload on their way: one thread (the caller's) makes the archive's bytes, others send them. Inside ship only. */
#ifndef ROIBENCH_SHIP_S3_PARTS_H
#define ROIBENCH_SHIP_S3_PARTS_H

#include <stdint.h>

#include "ship/s3_client.h"

#define S3_MD5_SIZE 16

struct s3_parts_job {
    const struct s3_bucket *bucket;
    const char *key, *upload_id;
    const struct archive_plan *plan;
    uint64_t part_size;
    int parallel;                 /* at least 1; parallel * part_size bytes are held */
    const struct s3_parts *there; /* of an earlier try */
};

struct s3_parts_result {
    struct s3_parts parts;         /* all, with the ETags that the server gave; after a failure those that are there */
    unsigned char *md5s;           /* S3_MD5_SIZE a part, of what was made */
    int count;                     /* of all parts */
    int retries;                   /* requests beyond one a part */
    bool source_failed;            /* the archive could not be made (again) */
};

/* ERROR_PUBLISH; *trouble as s3_send has it. *result is to be given to s3_parts_result_free in any case. A part is tried settings->retries times more
 * when its trouble is passing. */
int s3_parts_send(const struct s3_parts_job *job, struct s3_parts_result *result, struct s3_trouble *trouble, struct error *err);
void s3_parts_result_free(struct s3_parts_result *result);

/* The ETag of an object of `count` parts with these MD5 sums: "<md5 of the sums>-<count>". */
void s3_parts_etag(const unsigned char *md5s, int count, char etag[S3_ETAG_SIZE]);
/* As an object in one piece has it: 32 digits. Where there is no MD5 (FIPS), zeros. */
void s3_md5(const void *bytes, size_t length, unsigned char md5[S3_MD5_SIZE]);
void s3_md5_hex(const unsigned char md5[S3_MD5_SIZE], char *hex); /* 33 bytes */

#endif
