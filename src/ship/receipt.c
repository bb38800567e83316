#include "ship/receipt.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define RECEIPT_SCHEMA "roibench/publish/v1"

static void add_row(json_t *array, const struct receipt_row *row)
{
    char date[CLOCK_RFC3339_SIZE];
    json_t *object = json_object();

    json_set_text(object, "to", row->delivery.to);
    if (row->delivery.status > 0)
        json_set_integer(object, "status", row->delivery.status);
    else
        json_set_null(object, "status");
    json_set_text(object, "etag", *row->delivery.etag ? row->delivery.etag : NULL);
    json_set_bool(object, "already_there", row->delivery.already_there);
    json_set_bool(object, "verified", row->delivery.verified);
    json_set_integer(object, "tries", row->delivery.tries);
    json_set_text(object, "started", clock_format_rfc3339(row->started, 3, date));
    json_set_text(object, "ended", clock_format_rfc3339(row->ended, 3, date));
    json_set_text(object, "error", row->error);
    json_array_append_new(array, object);
}

/* The document as it is, NULL: there is none that can be read. */
static json_t *read_receipt(const char *path)
{
    struct json_reader reader;
    struct error ignored = {0};

    return file_exists(path) ? json_open(&reader, path, RECEIPT_SCHEMA, &ignored) : NULL;
}

char *receipt_recall(const char *folder, const char *place)
{
    cleanup_free char *path = file_join(folder, "publish.json");
    json_t *document = read_receipt(path);
    const char *text = json_string_value(json_object_get(json_object_get(document, "unfinished"), place));
    char *copy = text ? mem_strdup(text) : NULL;

    json_decref(document);
    return copy;
}

int receipt_keep(const char *folder, const char *place, const char *text, struct error *err)
{
    cleanup_free char *path = file_join(folder, "publish.json");
    json_t *document = read_receipt(path);

    if (!document && !text)
        return 0;
    if (!document) {
        document = json_object();
        json_set_text(document, "schema", RECEIPT_SCHEMA);
    }

    json_t *unfinished = json_object_get(document, "unfinished");

    if (!json_is_object(unfinished))
        unfinished = json_add_object(document, "unfinished");
    if (text)
        json_set_text(unfinished, place, text);
    else
        json_object_del(unfinished, place);
    if (json_object_size(unfinished) == 0)
        json_object_del(document, "unfinished");

    const int result = json_write_file(document, path, err);

    json_decref(document);
    return result;
}

int receipt_write(const char *folder, const char *identity, const struct archive_plan *plan, const struct receipt_row *rows,
                  size_t count, struct error *err)
{
    cleanup_free char *path = file_join(folder, "publish.json");
    json_t *document = json_object(), *before = read_receipt(path);

    json_set_text(document, "schema", RECEIPT_SCHEMA);
    json_set_text(document, "identity", identity);

    json_t *archive = json_add_object(document, "archive");

    json_set_text(archive, "name", plan->name);
    json_set_integer(archive, "size", (int64_t)plan->size);
    json_set_text(archive, "sha256", plan->sha256);

    json_t *destinations = json_add_array(document, "destinations");

    for (size_t k = 0; k < count; k++)
        add_row(destinations, &rows[k]);
    if (json_is_object(json_object_get(before, "unfinished")))
        json_object_set(document, "unfinished", json_object_get(before, "unfinished"));
    json_decref(before);

    const int result = json_write_file(document, path, err);

    json_decref(document);
    return result;
}
