/* roibench publish: a run, or a comparison with its runs, as one archive to one or more destinations. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command.h"
#include "record/manifest.h"
#include "record/run_lock.h"
#include "record/workspace.h"
#include "ship/archive.h"
#include "ship/destination.h"
#include "ship/receipt.h"
#include "ship/secrets.h"

#define COMPARED_RUNS_MAX 1000
#define DIFFERING_MAX ((size_t)1 << 20) /* bytes of names */
#define STALL_TIMEOUT_NS (60 * NS_PER_S)

CLEANUP_DEFINE(struct secrets, secrets_free)

/* What goes into the archive. */
struct publication {
    char *folder;   /* that the receipt is written to and the dates are taken from */
    char *name;     /* of the archive */
    struct archive_folder *folders;
    size_t count, capacity;
};

static void publication_free(struct publication *publication)
{
    for (size_t k = 0; k < publication->count; k++) {
        free((char *)(uintptr_t)publication->folders[k].path);
        free((char *)(uintptr_t)publication->folders[k].prefix);
    }
    free(publication->folders);
    free(publication->folder);
    free(publication->name);
}

static void publication_add(struct publication *publication, const char *path, const char *prefix)
{
    MEM_GROW(publication->folders, publication->capacity, publication->count + 1);
    publication->folders[publication->count++] = (struct archive_folder){.path = mem_strdup(path), .prefix = mem_strdup(prefix)};
}

static void warn_without_summary(const struct app *app, const char *folder)
{
    cleanup_free char *summary = file_join(folder, "summary.json");

    if (!file_exists(summary))
        log_warning(&app->log, "%s has no summary.json: published as it is. roibench summarize makes one", folder);
}

/* ---- what is published ---- */

static int choose_run(const struct app *app, const struct options *options, struct publication *publication, struct error *err)
{
    const char *workspace = options_text(options, "workspace");
    cleanup_free char *run_id = workspace_find_run_id(workspace, options_text(options, "run-id"), err);

    if (!run_id)
        return -1;
    publication->folder = workspace_run_folder(workspace, run_id);
    if (!file_is_folder(publication->folder))
        return error_set(err, ERROR_USAGE, "there is no run %s: %s is no folder", run_id, publication->folder);
    warn_without_summary(app, publication->folder);
    publication->name = mem_printf("%s.tar.gz", run_id);
    publication_add(publication, publication->folder, run_id);
    return 0;
}

static int add_compared_run(const struct app *app, const char *workspace, const char *run_id, struct publication *publication,
                            struct error *err)
{
    if (workspace_check_run_id(run_id, err) < 0)
        return -1;
    for (size_t k = 0; k < publication->count; k++) {
        if (strcmp(publication->folders[k].prefix, run_id) == 0)
            return 0;
    }

    cleanup_free char *folder = workspace_run_folder(workspace, run_id);

    if (!file_is_folder(folder)) {
        log_warning(&app->log, "the compared run %s is not in the workspace: left out", run_id);
        return 0;
    }
    warn_without_summary(app, folder);
    publication_add(publication, folder, run_id);
    return 0;
}

static int add_compared_runs(const struct app *app, const char *workspace, const json_t *document, struct json_reader *reader,
                             struct publication *publication, struct error *err)
{
    const json_t *runs = json_get_array(reader, document, "runs"), *run;
    size_t k;

    if (!reader->failed && json_array_size(runs) > COMPARED_RUNS_MAX)
        return json_fail(reader, "runs", "more than %d", COMPARED_RUNS_MAX);
    json_array_foreach(runs, k, run) {
        const size_t mark = json_enter(reader, "runs", (int)k);
        const json_t *facts = json_get_object(reader, run, "run");
        const size_t inner = json_enter(reader, "run", -1);
        const char *run_id = json_get_text(reader, facts, "run_id");

        if (reader->failed)
            return -1;
        json_leave(reader, inner);
        json_leave(reader, mark);
        if (add_compared_run(app, workspace, run_id, publication, err) < 0)
            return error_wrap(err, "%s: runs[%zu].run.run_id", reader->file, k);
    }
    return reader->failed ? -1 : 0;
}

static int choose_comparison(const struct app *app, const struct options *options, struct publication *publication,
                             struct error *err)
{
    const char *workspace = options_text(options, "workspace"), *id = options_text(options, "comparison");
    struct json_reader reader;

    if (options_given(options, "run-id") && options_source(options, "run-id") == OPTION_ARGV)
        return error_set(err, ERROR_USAGE, "--comparison and --run-id exclude each other: a comparison brings its runs along");
    if (workspace_check_comparison_id(id, err) < 0)
        return -1;
    publication->folder = workspace_comparison_folder(workspace, id);
    if (!file_is_folder(publication->folder))
        return error_set(err, ERROR_USAGE, "there is no comparison %s: %s is no folder", id, publication->folder);
    publication->name = mem_printf("comparison-%s.tar.gz", id);

    cleanup_free char *prefix = file_join("comparisons", id);

    publication_add(publication, publication->folder, prefix);

    cleanup_free char *path = file_join(publication->folder, "comparison.json");
    json_t *document = json_open(&reader, path, "roibench/comparison/v1", err);
    const int result = document ? add_compared_runs(app, workspace, document, &reader, publication, err) : -1;

    json_decref(document);
    return result;
}

/* ---- where it goes ---- */

struct delivery_run {
    const struct app *app;
    const struct archive_plan *plan;
    const char *const *destinations;
    size_t count, done, failed;
    struct receipt_row *rows;
    struct error first; /* of the first that failed */
};

static void report_delivered(const struct delivery_run *run, const struct receipt_row *row)
{
    fprintf(run->app->out, "%s %s, %llu bytes, sha256 %s\n", row->delivery.already_there ? "already there:" : "published",
            row->delivery.to, (unsigned long long)run->plan->size, run->plan->sha256);
    fflush(run->app->out);
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

static struct s3_settings publish_s3_settings(const struct options *options)
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

static int deliver(const struct app *app, const struct options *options, const struct publication *publication,
                   const struct archive_plan *plan, const char *const *destinations, size_t count, struct error *err)
{
    char identity[65];
    const struct destination_settings settings = {
        .net = {.ca_file = options_text(options, "cacert"), .ca_environment = getenv("SSL_CERT_FILE"), .stop = app->stop},
        .environment = getenv,
        .overwrite = options_flag(options, "overwrite"),
        .stall_timeout_ns = STALL_TIMEOUT_NS,
        .s3 = publish_s3_settings(options),
    };

    if (manifest_identity(publication->folder, identity, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);

    struct delivery_run run = {.app = app, .plan = plan, .destinations = destinations, .count = count,
                               .rows = mem_calloc(count, sizeof *run.rows)};
    int result = deliver_all(&run, &settings, err);

    /* The destinations' own trouble is told first. */
    if (!file_may_write(publication->folder))
        log_warning(&app->log, "%s cannot be written: no receipt there", publication->folder);
    else if (receipt_write(publication->folder, identity, plan, run.rows, run.done, result < 0 ? NULL : err) < 0)
        result = -1;
    free_rows(run.rows, run.done);
    return result;
}

/* ---- before anything is packed ---- */

static int check_not_running(const struct publication *publication, struct error *err)
{
    for (size_t k = 0; k < publication->count; k++) {
        if (run_lock_is_held(publication->folders[k].path))
            return error_set(err, ERROR_PUBLISH, "%s: roibench run is still writing into it. Publish it when the run is over",
                             publication->folders[k].path);
    }
    return 0;
}

/* An archive in a folder that it is made of would be in the next one. */
static int check_outside(const struct publication *publication, const char *to, struct error *err)
{
    cleanup_free char *folder = destination_folder(to);

    if (!folder)
        return 0;

    cleanup_free char *place = file_resolve(folder);

    for (size_t k = 0; k < publication->count; k++) {
        cleanup_free char *inside = file_resolve(publication->folders[k].path);
        const size_t length = strlen(inside);

        if (strncmp(place, inside, length) == 0 && (place[length] == '/' || place[length] == '\0'))
            return error_set(err, ERROR_USAGE, "--to: %s lies in %s, which is to be published. Choose a folder outside", to,
                             publication->folders[k].path);
    }
    return 0;
}

/* The manifest goes into the archive: it must have every file, and it is not bent to what was changed behind its back. */
static int complete_manifest(const struct app *app, const char *folder, int64_t started, struct error *err)
{
    cleanup_buf struct buf differing = BUF_INIT(DIFFERING_MAX);
    struct error own = {0};
    const int result = command_manifest_complete(app, folder, "publish", started, &differing, &own);

    if (differing.len > 0)
        log_warning(&app->log, "%s: not what its manifest.json says: %s. Published as they are", folder, buf_text(&differing));
    if (result == 0)
        return 0;
    if (own.class == ERROR_INTERNAL && !file_may_write(folder)) {
        log_warning(&app->log, "%s cannot be written: its manifest.json stays as it is", folder);
        return 0;
    }
    if (err)
        *err = own;
    return -1;
}

static int complete_manifests(const struct app *app, const struct publication *publication, struct error *err)
{
    const int64_t started = clock_realtime(app->clock);

    for (size_t k = 0; k < publication->count; k++) {
        if (complete_manifest(app, publication->folders[k].path, started, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- the command ---- */

static int make_archive(const struct app *app, const struct publication *publication, struct archive_plan *plan,
                        struct error *err)
{
    char size[UNITS_TEXT_SIZE];
    struct archive_request request = {.folders = publication->folders, .folder_count = publication->count,
                                      .name = publication->name, .stop = app->stop};

    if (manifest_first_start(publication->folder, &request.mtime, err) < 0)
        return -1;
    if (archive_plan_make(&request, plan, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    log_info(&app->log, "%s: %zu files, %s", plan->name, plan->member_count, units_format_bytes(plan->size, size));
    if (plan->folders_left_out > 0)
        log_warning(&app->log, "%zu subfolder%s left out: an archive holds the files of a run's folder", plan->folders_left_out,
                    plan->folders_left_out == 1 ? " was" : "s were");
    return 0;
}

/* The list, in an array to free(); the texts are the options' or default_to. */
static const char **list_destinations(const struct options *options, const char *default_to, size_t *count)
{
    *count = options_count(options, "to");

    const char **list = mem_calloc(*count ? *count : 1, sizeof *list);

    for (size_t k = 0; k < *count; k++)
        list[k] = options_item(options, "to", k);
    if (*count == 0)
        list[(*count)++] = default_to;
    return list;
}

static int check_destinations(const char *const *destinations, size_t count, struct error *err)
{
    for (size_t k = 0; k < count; k++) {
        if (destination_check(destinations[k], err) < 0)
            return error_wrap(err, "--to");
    }
    return 0;
}

/* What --redact asks for, and the shapes of credentials. NULL with *err. */
static struct secrets *find_secrets_by(const struct options *options, struct error *err)
{
    const size_t count = options_count(options, "redact");
    cleanup_free const char **patterns = mem_calloc(count + 1, sizeof *patterns);

    for (size_t k = 0; k < count; k++)
        patterns[k] = options_item(options, "redact", k);

    struct secrets *secrets = secrets_new(patterns, count, err);

    if (!secrets)
        error_wrap(err, "--redact");
    return secrets;
}

static int publish_run(struct app *app, struct options *options, struct error *err)
{
    const char *workspace = options_text(options, "workspace");
    cleanup_free char *archives = workspace_archives_folder(workspace);
    __attribute__((cleanup(publication_free))) struct publication publication = {0};
    __attribute__((cleanup(archive_plan_free))) struct archive_plan plan = {0};
    size_t count;
    cleanup_free const char **destinations = list_destinations(options, archives, &count);
    cleanup_with(secrets_free) struct secrets *secrets = find_secrets_by(options, err);

    if (!secrets || check_destinations(destinations, count, err) < 0)
        return -1;
    if ((options_given(options, "comparison") ? choose_comparison : choose_run)(app, options, &publication, err) < 0)
        return -1;
    if (check_not_running(&publication, err) < 0)
        return -1;
    for (size_t k = 0; k < count; k++) {
        if (check_outside(&publication, destinations[k], err) < 0)
            return -1;
    }
    if (complete_manifests(app, &publication, err) < 0 || make_archive(app, &publication, &plan, err) < 0 || secrets_search(secrets, &plan, err) < 0)
        return -1;
    return deliver(app, options, &publication, &plan, destinations, count, err);
}

static const struct option_row publish_options[] = {
    {.type = OPTION_GROUP, .name = "Publish"},
    {.type = OPTION_TEXT, .name = "to", .argument = "URL", .repeatable = true,
     .help = "destination: a folder (a path or file:///folder), or http(s)://host/path to PUT to (ending in /: the archive's name is "
             "appended); default: <workspace>/archives"},
    {.type = OPTION_TEXT, .name = "comparison", .argument = "ID",
     .help = "publish this comparison with the runs it compares, instead of one run"},
    {.type = OPTION_TEXT, .name = "redact", .argument = "REGEX", .repeatable = true,
     .help = "POSIX extended regular expression of what must not leave, beside keys and tokens: a file that has it, inside gzip too, stops the "
             "publishing; nothing is replaced"},
    {.type = OPTION_FLAG, .name = "overwrite", .help = "replace what a destination holds under the archive's name with other content"},
    {.type = OPTION_TEXT, .name = "cacert", .argument = "FILE",
     .help = "PEM bundle to verify servers with; default: SSL_CERT_FILE, the system's, the pod's service CA"},
    {.type = OPTION_GROUP, .name = "S3"},
    {.type = OPTION_TEXT, .name = "s3-endpoint", .argument = "URL",
     .help = "server of s3://bucket/prefix; default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's endpoint_url, AWS itself"},
    {.type = OPTION_TEXT, .name = "s3-region", .argument = "REGION",
     .help = "region of the bucket; default: AWS_REGION, AWS_DEFAULT_REGION, the profile's, us-east-1"},
    {.type = OPTION_CHOICE, .name = "s3-style", .choices = "auto|path|virtual", .default_text = "auto",
     .help = "where the bucket stands: path (https://host/bucket/key) or virtual (https://bucket.host/key); auto: virtual at AWS itself"},
    {.type = OPTION_INTEGER, .name = "part-size", .argument = "MIB", .default_text = "8", .min = 5, .max = 48,
     .help = "MiB of a part; an archive that fits into one part is sent in one piece"},
    {.type = OPTION_INTEGER, .name = "parallel-parts", .argument = "N", .default_text = "4", .min = 1, .max = 16,
     .help = "parts on their way at once; fewer where these would take more than 48 MiB"},
    {.type = OPTION_END},
};

const struct command command_publish = {
    .name = "publish",
    .summary = "packs a run into a tar.gz with a checksum and puts it into folders or onto servers",
    .usage = "[--to URL]... [--comparison ID]",
    .options = publish_options,
    .run = publish_run,
};
