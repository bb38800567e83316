#include "cmd/roibench/publish_summarize.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

CLEANUP_DEFINE(struct options, options_free)

/* The report that summarize prints goes nowhere. */
static int summarize(const struct app *app, const char *workspace, const char *run_id, struct error *err)
{
    cleanup_with(options_free) struct options *options = command_options_new(&command_summarize);
    char workspace_name[] = "--workspace", run_id_name[] = "--run-id";
    char *arguments[] = {workspace_name, (char *)(uintptr_t)workspace, run_id_name, (char *)(uintptr_t)run_id};
    cleanup_fclose FILE *nowhere = fopen("/dev/null", "w");
    struct app quiet = *app;

    if (nowhere)
        quiet.out = nowhere;
    quiet.out_terminal = false;
    if (options_parse_argv(options, (int)(sizeof arguments / sizeof *arguments), arguments, err) < 0)
        return -1;
    return command_summarize.run(&quiet, options, err);
}

static bool lacks(const char *folder, const char *name)
{
    cleanup_free char *path = file_join(folder, name);

    return !file_exists(path);
}

static bool is_comparison(const struct archive_folder *folder)
{
    return strchr(folder->prefix, '/') != NULL;
}

void publish_summarize_missing(const struct app *app, const struct options *options, const struct publication *publication)
{
    const bool wanted = options_flag(options, "summarize-missing");

    for (size_t k = 0; k < publication->count; k++) {
        const struct archive_folder *folder = &publication->folders[k];
        struct error err = {0};

        if (is_comparison(folder) || !lacks(folder->path, "summary.json"))
            continue;
        if (!wanted)
            log_warning(&app->log, "%s has no summary.json: published as it is. --summarize-missing makes one", folder->path);
        else if (summarize(app, options_text(options, "workspace"), folder->prefix, &err) < 0)
            log_warning(&app->log, "%s has no summary.json, and none can be made: %s. Published as it is", folder->path, err.text);
        else
            log_info(&app->log, "%s had no summary.json: summarized", folder->path);
    }
}
