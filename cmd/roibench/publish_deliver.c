#include "cmd/roibench/publish_deliver.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"
#include "record/manifest.h"
#include "ship/destination.h"
#include "ship/index.h"
#include "ship/receipt.h"
#include "ship/s3_client.h"

#define STALL_TIMEOUT_NS (60 * NS_PER_S)

struct delivery_run {
    const struct app *app;
    const struct publication *publication;
    const struct archive_plan *plan;
    const char *identity;
    struct secrets *secrets;
    const char *const *destinations;
    size_t count, done, failed;
    struct receipt_row *rows;
    struct error first; /* of the first that failed */
};

static void report_delivered(const struct delivery_run *run, const struct receipt_row *row)
{
    const struct delivery *delivery = &row->delivery;

    fprintf(run->app->out, "%s %s, %llu bytes, sha256 %s%s\n", delivery->already_there ? "already there:" : "published", delivery->to,
            (unsigned long long)run->plan->size, run->plan->sha256, delivery->verified && !delivery->already_there ? ", verified" : "");
    fflush(run->app->out);
}

static void tell_in_index(const struct delivery_run *run, const char *to, const struct receipt_row *row, const struct destination_settings *settings)
{
    static const char comparisons[] = "comparisons/";
    const char *prefix = run->publication->folders[0].prefix;
    const bool comparison = strncmp(prefix, comparisons, strlen(comparisons)) == 0;
    const struct index_publication publication = {
        .folder = run->publication->folder,
        .id = comparison ? prefix + strlen(comparisons) : prefix,
        .comparison = comparison,
        .with_report = run->publication->content != ARCHIVE_RECORDS,
        .identity = run->identity,
        .published = row->ended,
    };
    struct error err = {0};

    if (index_publish(to, &row->delivery, run->plan, &publication, run->secrets, settings, &err) < 0)
        log_warning(&run->app->log, "%s is published, but not in the index there: %s", run->plan->name, err.text);
}

static void deliver_one(struct delivery_run *run, const char *to, const struct destination_settings *settings)
{
    struct receipt_row *row = &run->rows[run->done++];
    struct error err = {0};

    row->started = clock_realtime(run->app->clock);

    const int result = destination_put(to, run->plan, settings, &row->delivery, &err);

    row->ended = clock_realtime(run->app->clock);
    if (result == 0) {
        report_delivered(run, row);
        tell_in_index(run, to, row, settings);
        return;
    }
    row->error = mem_strdup(err.text);
    if (run->failed++ == 0)
        run->first = err;
    if (run->count > 1)
        log_error(&run->app->log, "%s", err.text);
}

/* All of them, whatever becomes of one. */
static int deliver_all(struct delivery_run *run, const struct destination_settings *settings, struct error *err)
{
    for (size_t k = 0; k < run->count && !*run->app->stop; k++)
        deliver_one(run, run->destinations[k], settings);
    if (run->failed == 0)
        return *run->app->stop ? error_set(err, ERROR_PUBLISH, "stopped by a signal") : 0;
    if (run->count == 1)
        *err = run->first;
    else
        error_set(err, ERROR_PUBLISH, "%zu of %zu destinations did not take the archive", run->failed, run->count);
    return -1;
}

static void free_rows(struct receipt_row *rows, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        delivery_free(&rows[k].delivery);
        free(rows[k].error);
    }
    free(rows);
}

static struct s3_settings s3_settings(const struct options *options)
{
    const char *style = options_text(options, "s3-style");

    return (struct s3_settings){
        .endpoint = options_text(options, "s3-endpoint"),
        .region = options_text(options, "s3-region"),
        .style = strcmp(style, "path") == 0 ? S3_STYLE_PATH : strcmp(style, "virtual") == 0 ? S3_STYLE_VIRTUAL : S3_STYLE_AUTO,
        .part_size = (uint64_t)options_integer(options, "part-size", 0) << 20,
        .parallel = (int)options_integer(options, "parallel-parts", 0),
    };
}

static void tell_retry(void *context, const char *reason, int64_t wait_ns)
{
    const struct app *app = context;
    char wait[UNITS_TEXT_SIZE];

    log_info(&app->log, "%s; trying again in %s", reason, units_format_duration(wait_ns, wait));
}

struct destination_settings publish_settings(const struct app *app, const struct options *options)
{
    return (struct destination_settings){
        .net = {.ca_file = options_text(options, "cacert"), .ca_environment = getenv("SSL_CERT_FILE"), .stop = app->stop},
        .environment = getenv,
        .overwrite = options_flag(options, "overwrite"),
        .verify = options_flag(options, "verify"),
        .retries = (int)options_integer(options, "retries", 0),
        .before_retry = tell_retry,
        .before_retry_context = (void *)(uintptr_t)app,
        .stall_timeout_ns = STALL_TIMEOUT_NS,
        .s3 = s3_settings(options),
    };
}

/* ---- what an upload in parts goes on with: in the receipt ---- */

static char *recall(void *context, const char *place)
{
    return receipt_recall(context, place);
}

static void keep(void *context, const char *place, const char *text)
{
    receipt_keep(context, place, text, NULL); /* without it the upload is looked for in the bucket */
}

static struct destination_memory receipt_memory(const struct publication *publication)
{
    if (!file_may_write(publication->folder))
        return (struct destination_memory){0};
    return (struct destination_memory){.context = publication->folder, .recall = recall, .keep = keep};
}

int publish_deliver(const struct app *app, const struct options *options, const struct publication *publication,
                    const struct archive_plan *plan, struct secrets *secrets, const char *const *destinations, size_t count, struct error *err)
{
    char identity[65];
    struct destination_settings settings = publish_settings(app, options);
    __attribute__((cleanup(s3_kept_free))) struct s3_kept kept = {0};

    if (manifest_identity(publication->folder, identity, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    settings.memory = receipt_memory(publication);
    settings.s3.kept = &kept;

    struct delivery_run run = {.app = app, .publication = publication, .plan = plan, .identity = identity, .secrets = secrets,
                               .destinations = destinations, .count = count, .rows = mem_calloc(count, sizeof *run.rows)};
    int result = deliver_all(&run, &settings, err);

    /* The destinations' own trouble is told first. */
    if (!file_may_write(publication->folder))
        log_warning(&app->log, "%s cannot be written: no receipt there", publication->folder);
    else if (receipt_write(publication->folder, identity, plan, run.rows, run.done, result < 0 ? NULL : err) < 0)
        result = -1;
    free_rows(run.rows, run.done);
    return result;
}
