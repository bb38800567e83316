#include "support/properties_aws.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "support/must.h"
#include "wire/aws_keys.h"
#include "wire/s3_answers.h"

#define BODY_MAX ((size_t)8 << 20)

static void must_be_line(const char *text)
{
    for (const char *c = text; *c; c++)
        must(*c >= ' ' && *c < 0x7f);
}

static void must_be_told(int status, const struct error *err)
{
    must((status == 0) == (err->class == ERROR_NONE) && (status == 0 || err->text[0]));
}

static void check_fault(const char *bytes, size_t size)
{
    struct s3_fault fault;
    const bool is_fault = s3_read_fault(bytes, size, &fault);

    must(!is_fault || *fault.code);
    must_be_line(fault.code);
    must_be_line(fault.message);
    must_be_line(fault.region);
}

/* What was read of a list of parts is well-formed again as the body that ends the upload. */
static void check_parts(const char *bytes, size_t size)
{
    struct s3_parts parts = {0};
    struct error err = {0};
    char etag[S3_ETAG_SIZE] = "";
    const int status = s3_read_parts(bytes, size, &parts, &err);
    struct buf body = BUF_INIT(BODY_MAX);

    must_be_told(status, &err);
    for (size_t k = 0; status == 0 && k < parts.count; k++) {
        must(parts.parts[k].number > (k > 0 ? parts.parts[k - 1].number : 0) && parts.parts[k].number <= S3_PARTS_MAX);
        must_be_line(parts.parts[k].etag);
    }
    s3_append_completion(&body, &parts);
    must(!body.overflowed);
    err = (struct error){0};
    must(s3_read_completion(buf_text(&body), body.len, etag, &err) < 0 && strstr(err.text, "no answer of S3"));
    buf_free(&body);
    s3_parts_free(&parts);
}

static void check_objects(const char *bytes, size_t size)
{
    struct s3_objects objects = {0};
    struct error err = {0};

    must_be_told(s3_read_objects(bytes, size, &objects, &err), &err);
    for (size_t k = 0; k < objects.count; k++)
        must(objects.objects[k].key != NULL);
    for (size_t k = 0; k < objects.count; k++)
        must_be_line(objects.objects[k].etag);
    must(!objects.next || *objects.next);
    s3_objects_free(&objects);
}

static void check_texts(const char *bytes, size_t size)
{
    struct error err = {0};
    char etag[S3_ETAG_SIZE] = "";
    char *id = s3_read_upload_id(bytes, size, &err);

    must_be_told(id ? 0 : -1, &err);
    if (id)
        must_be_line(id);
    free(id);
    err = (struct error){0};
    must_be_told(s3_read_completion(bytes, size, etag, &err), &err);
    must_be_line(etag);
    id = s3_read_upload_of(bytes, size, "runs/r.tar.gz");
    if (id)
        must_be_line(id);
    free(id);
}

void property_s3_answers(const uint8_t *data, size_t size)
{
    char *bytes = copy_exact(data, size);

    check_fault(bytes, size);
    check_parts(bytes, size);
    check_objects(bytes, size);
    check_texts(bytes, size);
    free(bytes);
}

static void check_keys(int status, struct aws_keys *keys, const struct error *err)
{
    must_be_told(status, err);
    if (status < 0)
        return;
    must(keys->access_key_id && keys->secret_access_key && keys->expires_ns != TIME_NEVER);
    aws_keys_check(keys, "there", NULL);
    aws_keys_free(keys);
}

static void check_profile(const char *bytes, size_t size, const char *name, bool config)
{
    struct aws_profile profile = {0};

    aws_profile_read(&profile, bytes, size, name, config);
    must(profile.found || (!profile.access_key_id && !profile.role_arn && !profile.region && !profile.foreign));
    must(!profile.secret_access_key || *profile.secret_access_key);
    aws_profile_read(&profile, bytes, size, name, !config);
    aws_profile_free(&profile);
}

void property_aws_keys(const uint8_t *data, size_t size)
{
    char *bytes = copy_exact(data, size);
    struct aws_keys keys = {0};
    struct error err = {0};

    check_keys(aws_keys_read_json(bytes, size, &keys, &err), &keys, &err);
    err = (struct error){0};
    check_keys(aws_keys_read_sts(bytes, size, &keys, &err), &keys, &err);
    check_profile(bytes, size, "default", false);
    check_profile(bytes, size, "nightly", true);
    free(bytes);
}
