/* AWS Signature Version 4: the Authorization header of a request to S3, STS and what speaks like them.
 *
 * Source: "Create a signed AWS API request" (IAM User Guide) and "Signature Calculations for the
 * Authorization Header" (Amazon S3 API Reference). The tests hold AWS's published vectors.
 *
 * Why not libcurl's (CURLOPT_AWS_SIGV4, as of 7.88): it signs the query as it finds it ("?uploads" without
 * its "=", names in any order), takes an upload's payload for an empty one unless a header has the hash, reads the
 * clock by itself (AWS's vectors cannot be run against it, a skewed clock cannot be tested), and leaves
 * the secret in memory of its own that nobody clears.
 *
 * No sockets, no clock. The secret is read during the call and what is derived of it is cleared again. */
#ifndef ROIBENCH_WIRE_SIGV4_H
#define ROIBENCH_WIRE_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SIGV4_DATE_SIZE 17 /* "20130524T000000Z" */
#define SIGV4_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct sigv4_keys {
    const char *access_key_id, *secret_access_key;
};

struct sigv4_header {
    const char *name; /* lower case; each at most once */
    const char *value;
};

struct sigv4_request {
    const char *method;
    const char *path;  /* as it is sent, by sigv4_append_encoded; begins with '/' */
    const char *query; /* as it is sent, without '?', names and values by sigv4_append_encoded; NULL: none */
    const struct sigv4_header *headers; /* that are signed: host, x-amz-date and all other x-amz-* at least; in any order */
    size_t header_count;
    const char *payload_sha256; /* lower-case hex of the body, or what x-amz-content-sha256 says instead */
    const char *region, *service; /* "eu-central-1", "s3" */
    int64_t realtime_ns;          /* that x-amz-date says */
};

/* Percent-encoded as the signature has it: all but letters, digits and -._~ (and '/' in a path). */
void sigv4_append_encoded(struct buf *out, const char *text, bool keep_slashes);
/* For x-amz-date. */
void sigv4_format_date(int64_t realtime_ns, char date[SIGV4_DATE_SIZE]);
/* Appends "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...". */
void sigv4_append_authorization(struct buf *out, const struct sigv4_request *request, const struct sigv4_keys *keys);

#endif
