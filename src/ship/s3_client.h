/* Signed requests to one bucket of S3, or of what speaks like it (MinIO, Ceph, NooBaa).
 *
 * Where it is: settings->s3.endpoint, else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile's endpoint_url, else AWS in
 * the region. The bucket stands in the path ("https://host/bucket/key") at an endpoint that was named, and in the host ("https://bucket.host/key")
 * at AWS's own, unless its name has dots, which no certificate of theirs covers; settings->s3.style says otherwise.
 *
 * Every body is in memory and its sha256 is signed, so a server takes no byte that changed on the way. */
#ifndef ROIBENCH_SHIP_S3_CLIENT_H
#define ROIBENCH_SHIP_S3_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/http_client.h"
#include "ship/aws_credentials.h"
#include "ship/destination.h"
#include "wire/s3_answers.h"
#include "wire/sigv4.h"

#define S3_HEADERS_MAX 4 /* of a call's own */

struct s3_bucket {
    char *name;
    char *region;
    char *root;     /* "https://bucket.host:port": scheme and authority */
    char *host;     /* for the Host header, as it is signed */
    char *path;     /* before "/key", encoded: "", "/bucket" */
    const struct destination_settings *settings;
    const struct clock *clock;
    /* settings->s3.kept has them, or they are the bucket's: */
    struct aws_credentials *credentials;
    struct http_client *client; /* for the thread that opened the bucket */
};

/* settings outlive it. ERROR_PUBLISH. For s3_bucket_close. Any thread may call with it, each with an http_client of its own. */
struct s3_bucket *s3_bucket_open(const char *name, const struct destination_settings *settings, struct error *err);
void s3_bucket_close(struct s3_bucket *bucket);
void s3_kept_free(struct s3_kept *kept);

struct s3_call {
    const char *method;
    const char *key;          /* NULL: the bucket itself */
    const char *query;        /* "uploadId=x&partNumber=1", encoded; NULL: none */
    const char *content_type; /* NULL: none */
    const char *body;         /* NULL: none */
    size_t length;
    struct sigv4_header headers[S3_HEADERS_MAX]; /* more, lower case; the first without a name ends them */
    bool (*take)(void *context, const char *bytes, size_t length); /* as http_request has it */
    void *take_context;
    int64_t timeout_ns; /* 0: as long as something moves (settings->stall_timeout_ns) */
};

/* What may become of it. */
struct s3_trouble {
    bool passing;           /* trying again may help */
    bool other_keys;        /* with new keys, or a right clock, it may go on: what is there need not go */
    bool tried_again;       /* as often as the settings say */
    int64_t retry_after_ns; /* -1: not told */
    char code[64];          /* of the server's fault; "" */
};

/* 0: an answer came, whatever its status; -1: none did (ERROR_PUBLISH, *trouble is set). http_response_free it in both cases. */
int s3_send(struct http_client *client, const struct s3_bucket *bucket, const struct s3_call *call, struct http_response *response,
            struct s3_trouble *trouble, struct error *err);
/* Of an answer that is none we can use: one sentence that says what to do. Sets *trouble. Returns -1 (ERROR_PUBLISH). */
int s3_fail(struct http_client *client, const struct s3_bucket *bucket, const struct s3_call *call, const struct http_response *response,
            struct s3_trouble *trouble, struct error *err);
/* s3_send, and s3_fail unless the status is 2xx. */
int s3_send_well(struct http_client *client, const struct s3_bucket *bucket, const struct s3_call *call, struct http_response *response,
                 struct s3_trouble *trouble, struct error *err);

#endif
