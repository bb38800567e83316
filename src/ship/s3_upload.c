#include "ship/s3_upload.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/thread.h"
#include "ship/s3_parts.h"

#define QUESTION_TIMEOUT_NS (60 * NS_PER_S)
#define COMPLETE_TIMEOUT_NS (900 * NS_PER_S) /* S3 may take minutes to put thousands of parts together */
#define COMPLETION_MAX ((size_t)4 << 20)

CLEANUP_DEFINE(struct archive_stream, archive_stream_close)

#define cleanup_response __attribute__((cleanup(http_response_free)))
#define cleanup_parts __attribute__((cleanup(s3_parts_free)))

struct upload {
    struct http_client *client;
    const struct s3_bucket *bucket;
    const char *key;
    const struct archive_plan *plan;
    uint64_t part_size;
    char *id;              /* NULL: not begun */
    struct s3_parts there; /* of an earlier try */
};
