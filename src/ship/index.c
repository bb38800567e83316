#include "ship/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/index_page.h"
#include "ship/index_receipt.h"

#define RECEIPTS "index"
#define PAGE "index.html"
#define DOCUMENT "index.json"
#define DOCUMENT_SCHEMA "roibench/index/v1"
#define JSON_TYPE "application/json"
#define HTML_TYPE "text/html; charset=utf-8"

struct listed {
    char *name, *tag;
    json_t *receipt; /* NULL: it cannot be read */
    bool gone;       /* since it was listed: it is no row */
};

struct index {
    const char *to;
    const struct destination_objects *objects;
    const struct destination_settings *settings;
    struct listed *listed; /* by name */
    size_t count, capacity;
    json_t *known;         /* "file": [tag, receipt], of earlier rounds and of index.json */
};

/* ---- one receipt ---- */

/* "/a/run-1.0123456789ab.tar.gz" -> "run-1.0123456789ab". free() it. */
static char *stem_of(const struct delivery *delivery)
{
    static const char end[] = ".tar.gz";
    const char *slash = strrchr(delivery->to, '/'), *name = slash ? slash + 1 : delivery->to;
    const size_t length = strlen(name), end_length = strlen(end);
    const bool usual = length > end_length && strcmp(name + length - end_length, end) == 0;

    return mem_strndup(name, usual ? length - end_length : length);
}

static json_t *parse_receipt(const struct buf *bytes)
{
    json_t *receipt = json_loadb(buf_text(bytes), bytes->len, JSON_REJECT_DUPLICATES, NULL);

    if (receipt && !json_is_object(receipt)) {
        json_decref(receipt);
        return NULL;
    }
    return receipt;
}

/* Does the receipt that is there tell of this archive? */
static bool is_told(const struct index *index, const char *name, const struct archive_plan *plan)
{
    cleanup_buf struct buf bytes = BUF_INIT(INDEX_RECEIPT_SIZE_MAX);
    bool missing = false;

    if (index->objects->get(index->to, name, index->settings, &bytes, &missing, NULL) < 0 || missing)
        return false;

    json_t *receipt = parse_receipt(&bytes);
    const char *sha256 = json_string_value(json_object_get(json_object_get(receipt, "archive"), "sha256"));
    const bool told = sha256 && strcmp(sha256, plan->sha256) == 0;

    json_decref(receipt);
    return told;
}

/* 1: there is one beside the archive now; 0: it has none, or one that is too large; -1. */
static int put_report(const struct index *index, const struct index_publication *publication, const char *stem, struct error *err)
{
    cleanup_free char *path = file_join(publication->folder, "report.html"), *name = mem_printf("reports/%s.html", stem);
    cleanup_buf struct buf bytes = BUF_INIT(INDEX_REPORT_SIZE_MAX);

    if (!publication->with_report || !file_exists(path) || file_read(path, &bytes, ERROR_PUBLISH, NULL) < 0)
        return 0;
    return index->objects->put(index->to, name, HTML_TYPE, buf_text(&bytes), bytes.len, index->settings, err) < 0 ? -1 : 1;
}

static int put_receipt(const struct index *index, const struct delivery *delivery, const struct archive_plan *plan,
                       const struct index_publication *publication, struct secrets *secrets, struct error *err)
{
    cleanup_free char *stem = stem_of(delivery), *name = mem_printf(RECEIPTS "/%s.json", stem), *archive_name = mem_printf("%s.tar.gz", stem);
    cleanup_buf struct buf bytes = BUF_INIT(INDEX_RECEIPT_SIZE_MAX);

    if (is_told(index, name, plan))
        return 0;

    const int report = put_report(index, publication, stem, err);

    if (report < 0)
        return -1;

    json_t *receipt = index_receipt_new(publication), *archive = json_add_object(receipt, "archive");

    json_set_text(archive, "name", archive_name);
    json_set_integer(archive, "size", (int64_t)plan->size);
    json_set_text(archive, "sha256", plan->sha256);
    json_set_bool(receipt, "report", report == 1);

    const int fits = json_append_pretty(receipt, &bytes);

    json_decref(receipt);
    if (fits < 0)
        return error_set(err, ERROR_PUBLISH, "%s would be larger than %zu bytes", name, INDEX_RECEIPT_SIZE_MAX);
    if (secrets_search_bytes(secrets, name, buf_text(&bytes), bytes.len, err) < 0)
        return -1;
    return index->objects->put(index->to, name, JSON_TYPE, buf_text(&bytes), bytes.len, index->settings, err);
}

/* ---- what is there ---- */

static void forget(struct index *index)
{
    for (size_t k = 0; k < index->count; k++) {
        free(index->listed[k].name);
        free(index->listed[k].tag);
        json_decref(index->listed[k].receipt);
    }
    index->count = 0;
}

static int note(void *context, const char *name, const char *tag, struct error *err)
{
    struct index *index = context;
    const size_t length = strlen(name);

    if (length <= 5 || strcmp(name + length - 5, ".json") != 0)
        return 0;
    if (index->count == INDEX_RECEIPTS_MAX)
        return error_set(err, ERROR_PUBLISH, RECEIPTS "/ holds more than %zu receipts. Move old ones away, or publish to another place", INDEX_RECEIPTS_MAX);
    MEM_GROW(index->listed, index->capacity, index->count + 1);
    index->listed[index->count++] = (struct listed){.name = mem_strdup(name), .tag = mem_strdup(tag)};
    return 0;
}

static int compare_listed(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

static int read_listed(struct index *index, struct listed *listed, struct error *err)
{
    const json_t *known = json_object_get(index->known, listed->name);
    const char *tag = json_string_value(json_array_get(known, 0));
    cleanup_free char *name = mem_printf(RECEIPTS "/%s", listed->name);
    cleanup_buf struct buf bytes = BUF_INIT(INDEX_RECEIPT_SIZE_MAX);

    if (*listed->tag && tag && strcmp(tag, listed->tag) == 0) {
        listed->receipt = json_incref(json_array_get(known, 1));
        return 0;
    }
    if (index->objects->get(index->to, name, index->settings, &bytes, &listed->gone, err) < 0)
        return -1;
    listed->receipt = listed->gone ? NULL : parse_receipt(&bytes);
    if (listed->receipt)
        json_object_set_new(index->known, listed->name, json_pack("[s, O]", listed->tag, listed->receipt));
    return 0;
}

static int read_all(struct index *index, struct error *err)
{
    forget(index);
    if (index->objects->list(index->to, RECEIPTS, index->settings, note, index, err) < 0)
        return -1;
    if (index->count > 0)
        qsort(index->listed, index->count, sizeof *index->listed, compare_listed);
    for (size_t k = 0; k < index->count; k++) {
        if (read_listed(index, &index->listed[k], err) < 0)
            return -1;
    }
    return 0;
}

/* ---- the pages ---- */

static void make_pages(const struct index *index, struct buf *page, struct buf *document)
{
    json_t *root = json_object(), *rows = NULL, *receipts = json_array();
    size_t unreadable = 0;

    json_set_text(root, "schema", DOCUMENT_SCHEMA);
    rows = json_add_array(root, "receipts");
    for (size_t k = 0; k < index->count; k++) {
        const struct listed *listed = &index->listed[k];

        if (!listed->receipt) {
            unreadable += !listed->gone;
            continue;
        }
        json_array_append(receipts, listed->receipt);
        json_array_append_new(rows, json_pack("{s:s, s:s, s:O}", "file", listed->name, "tag", listed->tag, "receipt", listed->receipt));
    }
    index_page(receipts, unreadable, page);
    json_append_compact(root, document);
    buf_append_char(document, '\n');
    json_decref(receipts);
    json_decref(root);
}

/* What index.json, if it is ours, knows of receipts. Not ours: the page that is there is somebody else's. */
static int read_known(struct index *index, bool *ours, struct error *err)
{
    cleanup_buf struct buf bytes = BUF_INIT(INDEX_PAGE_MAX), page = BUF_INIT(INDEX_PAGE_MAX);
    bool missing = false, page_missing = false;
    const json_t *row;
    size_t k;

    if (index->objects->get(index->to, DOCUMENT, index->settings, &bytes, &missing, err) < 0)
        return -1;

    json_t *root = missing ? NULL : parse_receipt(&bytes);
    const char *schema = json_string_value(json_object_get(root, "schema"));

    *ours = schema && strcmp(schema, DOCUMENT_SCHEMA) == 0;
    json_array_foreach(json_object_get(*ours ? root : NULL, "receipts"), k, row) {
        const char *file = json_string_value(json_object_get(row, "file")), *tag = json_string_value(json_object_get(row, "tag"));
        json_t *receipt = json_object_get(row, "receipt");

        if (file && tag && json_is_object(receipt))
            json_object_set_new(index->known, file, json_pack("[s, O]", tag, receipt));
    }
    json_decref(root);
    if (*ours || !missing)
        return 0;
    if (index->objects->get(index->to, PAGE, index->settings, &page, &page_missing, NULL) < 0)
        page_missing = false; /* too large for one of ours */
    *ours = page_missing;
    return 0;
}

/* Until nothing new was put while the pages were. */
static int put_pages(struct index *index, struct error *err)
{
    cleanup_buf struct buf last = BUF_INIT(2 * INDEX_PAGE_MAX);

    for (;;) {
        cleanup_buf struct buf page = BUF_INIT(INDEX_PAGE_MAX), document = BUF_INIT(2 * INDEX_PAGE_MAX);

        if (read_all(index, err) < 0)
            return -1;
        make_pages(index, &page, &document);
        if (page.overflowed || document.overflowed)
            return error_set(err, ERROR_PUBLISH, PAGE " would be larger than %zu bytes", INDEX_PAGE_MAX);
        if (last.len == document.len && memcmp(buf_text(&last), buf_text(&document), document.len) == 0)
            return 0;
        if (index->settings->net.stop && *index->settings->net.stop)
            return error_set(err, ERROR_PUBLISH, "stopped by a signal");
        /* The document first: a page without it is taken for somebody else's. */
        if (index->objects->put(index->to, DOCUMENT, JSON_TYPE, buf_text(&document), document.len, index->settings, err) < 0 ||
            index->objects->put(index->to, PAGE, HTML_TYPE, buf_text(&page), page.len, index->settings, err) < 0)
            return -1;
        buf_free(&last);
        last = document;
        document = BUF_INIT(0);
    }
}

static int refresh(struct index *index, struct error *err)
{
    bool ours = false;

    if (read_known(index, &ours, err) < 0)
        return -1;
    if (ours)
        return put_pages(index, err);

    cleanup_free char *place = index->objects->place(index->to, PAGE);

    return error_set(err, ERROR_PUBLISH, "%s is somebody else's page: it stays, and what was published there is told by index/ only", place);
}

int index_refresh(const char *to, const struct destination_objects *objects, const struct destination_settings *settings, struct error *err)
{
    struct index index = {.to = to, .objects = objects, .settings = settings, .known = json_object()};
    const int result = refresh(&index, err);

    forget(&index);
    free(index.listed);
    json_decref(index.known);
    return result;
}

int index_publish(const char *to, const struct delivery *delivery, const struct archive_plan *plan, const struct index_publication *publication,
                  struct secrets *secrets, const struct destination_settings *settings, struct error *err)
{
    const struct index index = {.to = to, .objects = destination_objects_of(to), .settings = settings};

    if (!index.objects)
        return 0;
    if (put_receipt(&index, delivery, plan, publication, secrets, err) < 0)
        return -1;
    return index.objects->list ? index_refresh(to, index.objects, settings, err) : 0;
}
