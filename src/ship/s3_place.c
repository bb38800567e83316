#include "ship/s3_place.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/utf8.h"

#define BUCKET_LENGTH_MIN 3
#define BUCKET_LENGTH_MAX 63
#define KEY_LENGTH_MAX 1024
#define NAME_LENGTH_MAX 300 /* of an archive and what stands behind it, beside the prefix */

static const char *after_scheme(const char *to)
{
    return strstr(to, "://") + 3;
}

char *s3_place_bucket(const char *to)
{
    const char *name = after_scheme(to);

    return mem_strndup(name, strcspn(name, "/"));
}

char *s3_place_key(const char *to, const char *name)
{
    const char *prefix = after_scheme(to);

    prefix += strcspn(prefix, "/");
    prefix += *prefix == '/';

    size_t length = strlen(prefix);

    while (length > 0 && prefix[length - 1] == '/')
        length--;
    return mem_printf("%.*s%s%s", (int)length, prefix, length > 0 && name ? "/" : "", name ? name : "");
}

/* Amazon S3 User Guide, "Bucket naming rules"; other servers' older buckets may have capitals and _. */
static bool is_bucket(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const size_t length = strlen(name);

    return length >= BUCKET_LENGTH_MIN && length <= BUCKET_LENGTH_MAX && strspn(name, letters) == length && !strchr(".-_", name[0]) &&
           !strstr(name, "..");
}

/* "." and ".." would be taken out of a URL on the way, and then no signature fits. */
static bool has_dots(const char *key)
{
    for (const char *part = key; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        const size_t length = strcspn(part, "/");

        if ((length == 1 && *part == '.') || (length == 2 && strncmp(part, "..", 2) == 0))
            return true;
    }
    return false;
}

static bool is_text(const char *key)
{
    for (const unsigned char *c = (const unsigned char *)key; *c;) {
        const size_t length = utf8_character(c, strlen((const char *)c));

        if (length == 0 || *c < ' ' || *c == 0x7f)
            return false;
        c += length;
    }
    return true;
}

int s3_place_check(const char *to, struct error *err)
{
    cleanup_free char *bucket = s3_place_bucket(to), *prefix = s3_place_key(to, NULL);

    if (!is_bucket(bucket))
        return error_set(err, ERROR_USAGE, "'%.200s' names no bucket: expected s3://bucket/prefix, a bucket has 3 to 63 letters, digits, dots and hyphens",
                         to);
    if (!is_text(prefix) || has_dots(prefix) || strstr(prefix, "//"))
        return error_set(err, ERROR_USAGE, "'%.200s': a prefix has no empty parts, no '.' and '..', and is UTF-8 without control characters", to);
    if (strlen(prefix) > KEY_LENGTH_MAX - NAME_LENGTH_MAX)
        return error_set(err, ERROR_USAGE, "the prefix in '%.100s...' is too long: a key of S3 has %d bytes", to, KEY_LENGTH_MAX);
    return 0;
}

char *s3_place_url(const char *to, const char *name)
{
    cleanup_free char *bucket = s3_place_bucket(to), *key = s3_place_key(to, name);

    return mem_printf("s3://%s/%s", bucket, key);
}
