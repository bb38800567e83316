/* Credentials in a stream of bytes, known by their shape. Lines and words mean nothing to it: text, JSON and binary data are searched alike.
 *
 *   Bearer    "Bearer ", then 16 or more of RFC 6750's characters, a digit among them
 *   sk-       behind no letter, digit, "-" or "_": "sk-", then 20 or more letters, digits, "-" and "_", of which a stretch of 16 without "-"
 *             and "_" holds a digit
 *   AKIA      AKIA or ASIA, then 16 capitals and digits, and no other letter or digit around
 *   JWT       two stretches of base64url that begin with eyJ (of {"), of 16 and of 11 or more characters, joined by a dot
 *   PEM       "-----BEGIN ... PRIVATE KEY-----" (or KEY BLOCK) before base64, or before a header of an encrypted key; line ends may be escaped
 *
 * So "task-", a sentence about Bearer tokens, a class sk-fading-circle and base64 are none of these. Memory: 400 kB, whatever is searched. */
#ifndef ROIBENCH_WIRE_SECRET_SCAN_H
#define ROIBENCH_WIRE_SECRET_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum secret_shape { SECRET_NONE, SECRET_BEARER, SECRET_SK, SECRET_AWS, SECRET_JWT, SECRET_PEM };

/* A token that is longer than that is not seen whole; only JWT's first part can be. */
#define SECRET_LOOK_MAX ((size_t)4096)

/* "a Bearer token" */
const char *secret_shape_text(enum secret_shape shape);

struct secret_scan;
struct secret_scan *secret_scan_new(void);
void secret_scan_free(struct secret_scan *scan);

/* One stream at a time: begin it, give its bytes in pieces of any size, end it. The first that is found is returned (the stream is then over), and
 * where in the stream it begins; it may lie before the piece, and one at a piece's end is only seen with the next, or at the end. */
void secret_scan_begin(struct secret_scan *scan);
enum secret_shape secret_scan_feed(struct secret_scan *scan, const char *bytes, size_t length, uint64_t *offset);
enum secret_shape secret_scan_end(struct secret_scan *scan, uint64_t *offset);

#endif
