/* "s3://bucket/prefix": which bucket, which keys. Nothing in it is percent-encoded, as with AWS's own tools. Inside ship only. */
#ifndef ROIBENCH_SHIP_S3_PLACE_H
#define ROIBENCH_SHIP_S3_PLACE_H

#include "base/error.h"

/* ERROR_USAGE. What follows takes what passed. */
int s3_place_check(const char *to, struct error *err);
char *s3_place_bucket(const char *to); /* free() it */
/* The prefix without '/' at its end; "<prefix>/<name>" unless name is NULL. free() it. */
char *s3_place_key(const char *to, const char *name);
/* "s3://bucket/<key>", as it is shown. free() it. */
char *s3_place_url(const char *to, const char *name);

#endif
