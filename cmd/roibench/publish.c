/* roibench publish: a run, or a comparison with its runs, as one archive to one or more destinations; or an archive back into the workspace. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/publish_choose.h"
#include "cmd/roibench/publish_deliver.h"
#include "cmd/roibench/publish_destinations.h"
#include "cmd/roibench/publish_fetch.h"
#include "cmd/roibench/publish_summarize.h"
#include "record/manifest.h"
#include "record/run_lock.h"
#include "record/workspace.h"
#include "ship/archive.h"
#include "ship/destination.h"
#include "ship/secrets.h"

#define DIFFERING_MAX ((size_t)1 << 20) /* bytes of names */
#define RETRIES_MAX 100

CLEANUP_DEFINE(struct arena, arena_free)
CLEANUP_DEFINE(struct secrets, secrets_free)

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
    struct archive_request request = {.folders = publication->folders, .folder_count = publication->count,
                                      .content = publication->content, .without_prompts = publication->without_prompts,
                                      .name = publication->name, .stop = app->stop};

    if (manifest_first_start(publication->folder, &request.mtime, err) < 0)
        return -1;
    if (archive_plan_make(&request, plan, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    if (plan->folders_left_out > 0)
        log_warning(&app->log, "%zu subfolder%s left out: an archive holds the files of a run's folder", plan->folders_left_out,
                    plan->folders_left_out == 1 ? " was" : "s were");
    return 0;
}

static void print_size(const struct app *app, const struct archive_plan *plan)
{
    char size[UNITS_TEXT_SIZE];

    fprintf(app->out, "archive %s: %zu files, %s\n", plan->name, plan->member_count, units_format_bytes(plan->size, size));
    fflush(app->out);
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

static int send_archive(const struct app *app, const struct options *options, struct error *err)
{
    __attribute__((cleanup(publication_free))) struct publication publication = {0};
    __attribute__((cleanup(archive_plan_free))) struct archive_plan plan = {0};
    cleanup_with(arena_free) struct arena *arena = arena_new();
    cleanup_with(secrets_free) struct secrets *secrets = find_secrets_by(options, err);
    const char *const *destinations;
    size_t count;

    if (!secrets || publication_choose(app, options, &publication, err) < 0 ||
        publish_list_destinations(app, options, &publication, arena, &destinations, &count, err) < 0 ||
        check_destinations(destinations, count, err) < 0 || check_not_running(&publication, err) < 0)
        return -1;
    for (size_t k = 0; k < count; k++) {
        if (check_outside(&publication, destinations[k], err) < 0)
            return -1;
    }
    publish_summarize_missing(app, options, &publication);
    if (complete_manifests(app, &publication, err) < 0 || make_archive(app, &publication, &plan, err) < 0 ||
        secrets_search(secrets, &plan, err) < 0)
        return -1;
    print_size(app, &plan);
    return publish_deliver(app, options, &publication, &plan, secrets, destinations, count, err);
}

/* In the `finally` of a pipeline whose first step failed there is no run, and no harm in that. */
static bool is_nothing_there(const struct app *app, const struct options *options)
{
    cleanup_free char *run_id = workspace_find_run_id(options_text(options, "workspace"), options_text(options, "run-id"), NULL);

    if (!options_flag(options, "summarize-missing") || options_given(options, "comparison") || !run_id)
        return false;

    cleanup_free char *folder = workspace_run_folder(options_text(options, "workspace"), run_id);

    if (file_is_folder(folder))
        return false;
    fprintf(app->out, "there is no run %s: it failed before it had a plan, and there is nothing to publish\n", run_id);
    return true;
}

static int publish_run(struct app *app, struct options *options, struct error *err)
{
    if (options_given(options, "fetch"))
        return publish_fetch(app, options, err);
    return is_nothing_there(app, options) ? 0 : send_archive(app, options, err);
}

static const struct option_row publish_options[] = {
    {.type = OPTION_GROUP, .name = "Publish"},
    {.type = OPTION_TEXT, .name = "to", .argument = "URL", .repeatable = true,
     .help = "destination: a folder (a path or file:///folder), or http(s)://host/path to PUT to (ending in /: the archive's name is "
             "appended), s3://bucket/prefix, oci://registry/repository[:tag], pushgateway://host:port (the summary's numbers), "
             "presigned:///file.json (a signed URL or form); default: those of the model's file, else <workspace>/archives"},
    {.type = OPTION_TEXT, .name = "models", .argument = "DIR", .help = "folder with <model>.json, whose `publish` lists where the model's results go"},
    {.type = OPTION_TEXT, .name = "comparison", .argument = "ID",
     .help = "publish this comparison with the runs it compares, instead of one run"},
    {.type = OPTION_CHOICE, .name = "include", .argument = "WHAT", .choices = "all|reports|records", .default_text = "all",
     .help = "reports: what readers look at, with plan and manifest; records: what was measured and sent; an archive of a part has a name of its own"},
    {.type = OPTION_FLAG, .name = "no-prompts", .help = "leave out what requests were made of: prompts.jsonl.gz, data.jsonl and its index"},
    {.type = OPTION_FLAG, .name = "summarize-missing",
     .help = "first make the report of a run that has none: it failed, or was killed; when none can be made, it is published all the same"},
    {.type = OPTION_TEXT, .name = "redact", .argument = "REGEX", .repeatable = true,
     .help = "POSIX extended regular expression of what must not leave, beside keys and tokens: a file that has it, inside gzip too, stops the "
             "publishing; nothing is replaced"},
    {.type = OPTION_FLAG, .name = "overwrite", .help = "replace what a destination holds under the archive's name with other content"},
    {.type = OPTION_FLAG, .name = "verify", .help = "read back what was sent and compare, where the destination does not itself tell its checksum"},
    {.type = OPTION_INTEGER, .name = "retries", .argument = "N", .default_text = "3", .min = 0, .max = RETRIES_MAX,
     .help = "further tries to send after a broken connection or HTTP 408, 429, 500, 502 to 504; after a second, doubled each time, or what Retry-After says"},
    {.type = OPTION_TEXT, .name = "fetch", .argument = "URL", .command_line_only = true,
     .help = "bring an archive back instead: checks it, and unpacks it as a run of the workspace; URL as in --to, of the archive itself"},
    COMMAND_TEKTON_OPTION,
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
    .summary = "packs a run into a tar.gz with a checksum and puts it into folders or onto servers; brings it back",
    .usage = "[--to URL]... [--comparison ID] | --fetch URL",
    .options = publish_options,
    .run = publish_run,
};
