#include "ship/signed_upload.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/http_client.h"

#define FILE_MAX SIGNED_FORM_MAX
#define FILENAME "${filename}" /* what S3 and Google replace by the name of the file that a form sends */
#define SECRET_MIN 8           /* shorter values ("200", "s3") say nothing */
#define QUERY_PART_MAX 4096

void signed_upload_free(struct signed_upload *upload)
{
    for (size_t k = 0; k < upload->header_count; k++) {
        OPENSSL_cleanse(upload->headers[k], strlen(upload->headers[k]));
        free(upload->headers[k]);
    }
    json_decref(upload->document);
    *upload = (struct signed_upload){0};
}

/* ---- reading ---- */

static bool is_line(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < ' ' || *c == 0x7F)
            return false;
    }
    return true;
}

static int check_fields(const json_t *fields, const char *path, struct error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)fields, key, value) {
        if (!json_is_string(value) || !*key || !is_line(key) || strchr(key, '"') || strchr(key, '\\') || strcmp(key, "file") == 0)
            return error_set(err, ERROR_PUBLISH, "%s: fields: expected names of a form (other than file) and texts", path);
    }
    return 0;
}

static int read_headers(struct signed_upload *upload, const json_t *headers, const char *path, struct error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)headers, key, value) {
        const char *text = json_string_value(value);

        if (text && strcasecmp(key, "Content-Type") == 0 && is_line(text) && *text) {
            upload->content_type = text;
            continue;
        }
        if (upload->header_count == SIGNED_HEADERS_MAX)
            return error_set(err, ERROR_PUBLISH, "%s: headers: more than %d", path, SIGNED_HEADERS_MAX);

        char *header = mem_printf("%s: %s", key, text ? text : "");

        upload->headers[upload->header_count++] = header;
        if (net_header_check(header, NULL) < 0)
            return error_set(err, ERROR_PUBLISH, "%s: headers: expected names and texts of HTTP, without those that are ours (Host, Content-Length)", path);
    }
    return 0;
}

static int read_members(struct signed_upload *upload, const char *path, struct error *err)
{
    const json_t *fields = json_object_get(upload->document, "fields"), *headers = json_object_get(upload->document, "headers");
    const json_t *method = json_object_get(upload->document, "method");

    upload->url = json_string_value(json_object_get(upload->document, "url"));
    if (!upload->url)
        return error_set(err, ERROR_PUBLISH, "%s: expected {\"url\": …, \"fields\": {…}} or {\"url\": …}, as SDKs print what they sign", path);
    if (http_url_check(upload->url, err) < 0) {
        error_wrap(err, "%s: url", path);
        return error_reclass(err, ERROR_PUBLISH);
    }
    if ((fields && !json_is_null(fields) && !json_is_object(fields)) || (headers && !json_is_null(headers) && !json_is_object(headers)))
        return error_set(err, ERROR_PUBLISH, "%s: fields and headers: expected objects", path);
    upload->fields = json_object_size(fields) > 0 ? fields : NULL;
    upload->method = json_is_string(method) ? json_string_value(method) : upload->fields ? "POST" : "PUT";
    if ((strcmp(upload->method, "PUT") != 0 && strcmp(upload->method, "POST") != 0) || (upload->fields && strcmp(upload->method, "POST") != 0))
        return error_set(err, ERROR_PUBLISH, "%s: method: expected PUT or POST, and POST for a form", path);
    return check_fields(upload->fields, path, err) < 0 ? -1 : read_headers(upload, headers, path, err);
}

static void forget(struct buf *secret)
{
    if (secret->data)
        OPENSSL_cleanse(secret->data, secret->cap);
    buf_free(secret);
}

int signed_upload_read(const char *path, struct signed_upload *upload, struct error *err)
{
    __attribute__((cleanup(forget))) struct buf text = BUF_INIT(FILE_MAX);
    json_error_t where;

    *upload = (struct signed_upload){0};
    if (file_read(path, &text, ERROR_PUBLISH, err) < 0)
        return -1;
    /* jansson's own text shows a part of what is wrong, which may be a secret. */
    upload->document = json_loadb(buf_text(&text), text.len, JSON_REJECT_DUPLICATES, &where);
    if (!upload->document)
        return error_set(err, ERROR_PUBLISH, "%s: line %d, column %d: not JSON", path, where.line, where.column);
    return read_members(upload, path, err);
}

/* ---- the form ---- */

int signed_upload_form(const struct signed_upload *upload, const char *name, struct buf *before, struct buf *behind, char **content_type, struct error *err)
{
    uint64_t random[2];
    const char *key, *type = "application/gzip";
    json_t *value;

    random_bytes(random, sizeof random);

    cleanup_free char *boundary = mem_printf("roibench-%016" PRIx64 "%016" PRIx64, random[0], random[1]);

    json_object_foreach((json_t *)(uintptr_t)upload->fields, key, value) {
        buf_printf(before, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n", boundary, key);
        buf_append(before, json_string_value(value), json_string_length(value));
        buf_append_text(before, "\r\n");
        if (strcasecmp(key, "Content-Type") == 0 && is_line(json_string_value(value)) && *json_string_value(value))
            type = json_string_value(value);
    }
    buf_printf(before, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n", boundary, name, type);
    buf_printf(behind, "\r\n--%s--\r\n", boundary);
    *content_type = mem_printf("multipart/form-data; boundary=%s", boundary);
    return before->overflowed ? error_set(err, ERROR_PUBLISH, "the form's fields have more than %zu bytes", before->max) : 0;
}

/* ---- what may be shown ---- */

char *signed_upload_place(const struct signed_upload *upload, const char *name)
{
    cleanup_free char *url = http_url_redacted(upload->url);
    const char *key = json_string_value(json_object_get(upload->fields, "key"));
    const size_t length = strlen(url);
    const char *slash = length > 0 && url[length - 1] == '/' ? "" : "/";

    if (!key || !is_line(key))
        return mem_strdup(url);

    const char *hole = strstr(key, FILENAME);

    if (!hole)
        return mem_printf("%s%s%s", url, slash, key);
    return mem_printf("%s%s%.*s%s%s", url, slash, (int)(hole - key), key, name, hole + strlen(FILENAME));
}

bool signed_upload_betrays(const struct signed_upload *upload, const char *text)
{
    const char *key, *query = strchr(upload->url, '?');
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)upload->fields, key, value) {
        if (strcmp(key, "key") != 0 && json_string_length(value) >= SECRET_MIN && strstr(text, json_string_value(value)))
            return true;
    }
    for (size_t k = 0; k < upload->header_count; k++) {
        const char *header = upload->headers[k] + net_header_name_length(upload->headers[k]) + 2;

        if (strlen(header) >= SECRET_MIN && strstr(text, header))
            return true;
    }
    while (query && *query) {
        query += strspn(query, "?&");

        const size_t length = strcspn(query, "&"), name = strcspn(query, "=&");
        cleanup_free char *part = mem_strndup(query + (name < length ? name + 1 : 0), name < length ? length - name - 1 : length);

        if (strlen(part) >= SECRET_MIN && strlen(part) < QUERY_PART_MAX && strstr(text, part))
            return true;
        query += length;
    }
    return false;
}
