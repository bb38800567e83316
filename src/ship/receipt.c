#include "ship/receipt.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

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

int receipt_write(const char *folder, const char *identity, const struct archive_plan *plan, const struct receipt_row *rows,
                  size_t count, struct error *err)
{
    cleanup_free char *path = file_join(folder, "publish.json");
    json_t *document = json_object();

    json_set_text(document, "schema", "roibench/publish/v1");
    json_set_text(document, "identity", identity);

    json_t *archive = json_add_object(document, "archive");

    json_set_text(archive, "name", plan->name);
    json_set_integer(archive, "size", (int64_t)plan->size);
    json_set_text(archive, "sha256", plan->sha256);

    json_t *destinations = json_add_array(document, "destinations");

    for (size_t k = 0; k < count; k++)
        add_row(destinations, &rows[k]);

    const int result = json_write_file(document, path, err);

    json_decref(document);
    return result;
}
