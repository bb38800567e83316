#include "support/properties_import.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "import/import.h"
#include "report/report.h"
#include "support/must.h"

#define COUNT_UNKNOWN_TEXT "18446744073709551615"

static const struct import_format *const formats[] = {
#define IMPORT(identifier, name) &import_##identifier,
#include "import/imports.def"
#undef IMPORT
};

static void check_level(const struct level_summary *level)
{
    must(level->imported && level->load > 0 && level->load <= 1e9);
    for (int k = 0; k < RATE_COUNT; k++)
        must(!(level->rate[k] < 0) && !isinf(level->rate[k]));
    for (int k = 0; k < LATENCY_COUNT; k++)
        must(isnan(level->latency[k].mean) || isfinite(level->latency[k].mean));
}

/* JSON has no NaN: a document that is read again held none. */
static void check_reports(const struct run_summary *run)
{
    cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
    report_json_run(run, &text);
    json_t *document = json_loadb(buf_text(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
    must(document != NULL && json_array_size(json_object_get(document, "levels")) == run->level_count);
    json_decref(document);
    for (const struct report_format *format = report_formats; format->name; format++) {
        buf_reset(&text);
        if (format->comparison_file) /* the others need records */
            format->write_run(run, &text);
        must(!text.overflowed && !strstr(buf_text(&text), COUNT_UNKNOWN_TEXT));
    }
}

void property_import(const uint8_t *data, size_t size)
{
    struct error err = {0};
    if (size == 0)
        return;
    const struct import_format *format = formats[data[0] % (sizeof formats / sizeof formats[0])];
    struct run_summary *run = import_read_bytes(format, "f.json", (const char *)data + 1, size - 1, &sla_default, &err);
    if (!run) {
        must(err.class == ERROR_USAGE && strstr(err.text, "f.json") == err.text);
        return;
    }
    must(run->level_count > 0 && run->level_count <= IMPORT_LEVELS_MAX);
    for (size_t k = 0; k < run->level_count; k++)
        check_level(&run->levels[k]);
    check_reports(run);
    run_summary_free(run);
}
