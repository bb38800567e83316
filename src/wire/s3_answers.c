#include "wire/s3_answers.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "wire/xml.h"

#define OBJECTS_MAX ((size_t)1000000)
#define UPLOAD_ID_MAX 2048

static bool is_path(const char *path, const char *expected)
{
    return strcmp(path, expected) == 0;
}

/* What stands behind the first element of the path when its name begins so; NULL: it is another. AWS's own clients do not look at the end of
 * that name, and servers differ in it ("Result", "Response", "V2"). */
static const char *below(const char *path, const char *root)
{
    const size_t length = strlen(root);

    return strncmp(path, root, length) == 0 ? path + length + strcspn(path + length, "/") : NULL;
}

/* A line of ASCII, cut to size. */
static void copy_line(char *out, size_t size, const char *text)
{
    size_t length = 0;

    for (const char *c = text; *c && length + 1 < size; c++)
        out[length++] = *c >= ' ' && *c < 0x7f ? *c : isspace((unsigned char)*c) ? ' ' : '?';
    out[length] = '\0';
}

void s3_take_etag(char etag[S3_ETAG_SIZE], const char *text)
{
    if (strncmp(text, "W/", 2) == 0)
        text += 2;
    text += *text == '"';
    copy_line(etag, S3_ETAG_SIZE, text);

    const size_t length = strlen(etag);

    if (length > 0 && etag[length - 1] == '"')
        etag[length - 1] = '\0';
}

static int fail_missing(struct error *err, const char *what)
{
    return error_set(err, ERROR_TARGET, "no answer of S3: %s", what);
}

/* ---- faults ---- */

static void take_fault(void *context, const char *path, const char *text)
{
    struct s3_fault *fault = context;
    const char *name = strncmp(path, "/ErrorResponse", 14) == 0 ? path + 14 : path;

    if (is_path(name, "/Error/Code"))
        copy_line(fault->code, sizeof fault->code, text);
    else if (is_path(name, "/Error/Message"))
        copy_line(fault->message, sizeof fault->message, text);
    else if (is_path(name, "/Error/Region"))
        copy_line(fault->region, sizeof fault->region, text);
}

bool s3_read_fault(const char *bytes, size_t length, struct s3_fault *fault)
{
    *fault = (struct s3_fault){0};
    return length > 0 && xml_read(bytes, length, take_fault, fault, NULL) == 0 && *fault->code;
}

/* ---- one text ---- */

struct wanted_text {
    const char *path;
    char *text;
};

static void take_text(void *context, const char *path, const char *text)
{
    struct wanted_text *wanted = context;

    if (!wanted->text && is_path(path, wanted->path))
        wanted->text = mem_strdup(text);
}

static char *read_text(const char *bytes, size_t length, const char *path, struct error *err)
{
    struct wanted_text wanted = {.path = path};

    if (xml_read(bytes, length, take_text, &wanted, err) == 0 && wanted.text && *wanted.text)
        return wanted.text;
    if (!err || err->class == ERROR_NONE)
        fail_missing(err, path);
    free(wanted.text);
    return NULL;
}

static bool is_upload_id(const char *text)
{
    const size_t length = strlen(text);

    for (size_t k = 0; k < length; k++) {
        if (text[k] <= ' ' || text[k] >= 0x7f)
            return false;
    }
    return length > 0 && length <= UPLOAD_ID_MAX;
}

char *s3_read_upload_id(const char *bytes, size_t length, struct error *err)
{
    char *id = read_text(bytes, length, "/InitiateMultipartUploadResult/UploadId", err);

    if (!id || is_upload_id(id))
        return id;
    free(id);
    fail_missing(err, "an UploadId that is none");
    return NULL;
}

int s3_read_completion(const char *bytes, size_t length, char etag[S3_ETAG_SIZE], struct error *err)
{
    char *text = read_text(bytes, length, "/CompleteMultipartUploadResult/ETag", err);

    if (!text)
        return -1;
    s3_take_etag(etag, text);
    free(text);
    return 0;
}

/* ---- parts ---- */

struct parts_reading {
    struct s3_parts *parts;
    struct s3_part part;
    bool is_list, broken;
};

static bool read_number(const char *text, int64_t min, int64_t max, int64_t *number)
{
    return units_parse_integer(text, number) == 0 && *number >= min && *number <= max;
}

static void end_part(struct parts_reading *reading)
{
    struct s3_parts *parts = reading->parts;
    const int before = parts->count > 0 ? parts->parts[parts->count - 1].number : 0;

    if (reading->part.number > before && *reading->part.etag) {
        MEM_GROW(parts->parts, parts->capacity, parts->count + 1);
        parts->parts[parts->count++] = reading->part;
    } else {
        reading->broken = true;
    }
    reading->part = (struct s3_part){0};
}

static void take_part(void *context, const char *path, const char *text)
{
    struct parts_reading *reading = context;
    const char *name = below(path, "/ListParts");
    int64_t number = 0;

    if (!name)
        return;
    reading->is_list = true;
    if (is_path(name, "/Part/PartNumber")) {
        reading->broken |= !read_number(text, 1, S3_PARTS_MAX, &number);
        reading->part.number = (int)number;
    } else if (is_path(name, "/Part/Size")) {
        reading->broken |= !read_number(text, 0, INT64_MAX, &number);
        reading->part.size = (uint64_t)number;
    } else if (is_path(name, "/Part/ETag")) {
        s3_take_etag(reading->part.etag, text);
    } else if (is_path(name, "/Part")) {
        end_part(reading);
    } else if (is_path(name, "/IsTruncated")) {
        reading->parts->more = strcmp(text, "true") == 0;
    }
}

int s3_read_parts(const char *bytes, size_t length, struct s3_parts *parts, struct error *err)
{
    struct parts_reading reading = {.parts = parts};
    const size_t before = parts->count;

    parts->more = false;
    if (xml_read(bytes, length, take_part, &reading, err) < 0)
        return -1;
    if (!reading.is_list || reading.broken || (parts->more && parts->count == before))
        return fail_missing(err, "a list of parts that is none");
    return 0;
}

void s3_parts_free(struct s3_parts *parts)
{
    free(parts->parts);
    *parts = (struct s3_parts){0};
}

/* What XML cannot hold as it is. ETags are ASCII lines (copy_line). */
static void append_escaped(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '&')
            buf_append_text(out, "&amp;");
        else if (*c == '<')
            buf_append_text(out, "&lt;");
        else if (*c == '>')
            buf_append_text(out, "&gt;");
        else
            buf_append_char(out, *c);
    }
}

void s3_append_completion(struct buf *out, const struct s3_parts *parts)
{
    buf_append_text(out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t k = 0; k < parts->count; k++) {
        buf_printf(out, "<Part><PartNumber>%d</PartNumber><ETag>\"", parts->parts[k].number);
        append_escaped(out, parts->parts[k].etag);
        buf_append_text(out, "\"</ETag></Part>");
    }
    buf_append_text(out, "</CompleteMultipartUpload>");
}

/* ---- uploads ---- */

struct uploads_reading {
    const char *key;
    char *id, *begun;           /* of the one under way */
    char *best_id, *best_begun; /* RFC 3339 in UTC: texts are in the order of times */
    bool same_key;
};

static void replace_text(char **text, const char *with)
{
    free(*text);
    *text = mem_strdup(with);
}

static void end_upload(struct uploads_reading *reading)
{
    const char *begun = reading->begun ? reading->begun : "";

    if (reading->same_key && reading->id && is_upload_id(reading->id) && (!reading->best_id || strcmp(begun, reading->best_begun) > 0)) {
        replace_text(&reading->best_id, reading->id);
        replace_text(&reading->best_begun, begun);
    }
    free(reading->id);
    free(reading->begun);
    reading->id = reading->begun = NULL;
    reading->same_key = false;
}

static void take_upload(void *context, const char *path, const char *text)
{
    struct uploads_reading *reading = context;
    const char *name = below(path, "/ListMultipartUploads");

    if (!name || strncmp(name, "/Upload", 7) != 0)
        return;
    name += 7;
    if (is_path(name, "/Key"))
        reading->same_key = strcmp(text, reading->key) == 0;
    else if (is_path(name, "/UploadId"))
        replace_text(&reading->id, text);
    else if (is_path(name, "/Initiated"))
        replace_text(&reading->begun, text);
    else if (is_path(name, ""))
        end_upload(reading);
}

char *s3_read_upload_of(const char *bytes, size_t length, const char *key)
{
    struct uploads_reading reading = {.key = key};

    if (xml_read(bytes, length, take_upload, &reading, NULL) < 0) {
        free(reading.best_id);
        reading.best_id = NULL;
    }
    free(reading.id);
    free(reading.begun);
    free(reading.best_begun);
    return reading.best_id;
}

/* ---- objects ---- */

struct objects_reading {
    struct s3_objects *objects;
    struct s3_object object;
    bool is_list, too_many;
};

static void end_object(struct objects_reading *reading)
{
    struct s3_objects *objects = reading->objects;

    if (reading->object.key && objects->count < OBJECTS_MAX) {
        MEM_GROW(objects->objects, objects->capacity, objects->count + 1);
        objects->objects[objects->count++] = reading->object;
    } else {
        reading->too_many |= reading->object.key != NULL;
        free(reading->object.key);
    }
    reading->object = (struct s3_object){0};
}

static void take_object(void *context, const char *path, const char *text)
{
    struct objects_reading *reading = context;
    const char *name = below(path, "/ListBucket");

    if (!name)
        return;
    reading->is_list = true;
    if (is_path(name, "/NextContinuationToken") && *text)
        replace_text(&reading->objects->next, text);
    else if (is_path(name, "/Contents/Key"))
        replace_text(&reading->object.key, text);
    else if (is_path(name, "/Contents/ETag"))
        s3_take_etag(reading->object.etag, text);
    else if (is_path(name, "/Contents"))
        end_object(reading);
}

int s3_read_objects(const char *bytes, size_t length, struct s3_objects *objects, struct error *err)
{
    struct objects_reading reading = {.objects = objects};

    free(objects->next);
    objects->next = NULL;
    const int result = xml_read(bytes, length, take_object, &reading, err);

    free(reading.object.key); /* of an element that broke off */
    if (result < 0)
        return -1;
    if (reading.too_many)
        return fail_missing(err, "more objects than we read");
    return reading.is_list ? 0 : fail_missing(err, "a list of objects that is none");
}

void s3_objects_free(struct s3_objects *objects)
{
    for (size_t k = 0; k < objects->count; k++)
        free(objects->objects[k].key);
    free(objects->objects);
    free(objects->next);
    *objects = (struct s3_objects){0};
}
