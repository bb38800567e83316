#include "cmd/roibench/publish_choose.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "record/workspace.h"

#define COMPARED_RUNS_MAX 1000

void publication_free(struct publication *publication)
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

/* ---- which part ---- */

static void choose_part(const struct options *options, struct publication *publication)
{
    const char *include = options_text(options, "include");

    publication->content = strcmp(include, "reports") == 0 ? ARCHIVE_REPORTS : strcmp(include, "records") == 0 ? ARCHIVE_RECORDS : ARCHIVE_ALL;
    /* Reports have none. */
    publication->without_prompts = options_flag(options, "no-prompts") && publication->content != ARCHIVE_REPORTS;
}

static char *archive_name(const char *before, const char *id, const struct publication *publication)
{
    static const char *const parts[] = {[ARCHIVE_ALL] = "", [ARCHIVE_REPORTS] = ".reports", [ARCHIVE_RECORDS] = ".records"};

    return mem_printf("%s%s%s%s.tar.gz", before, id, parts[publication->content], publication->without_prompts ? ".no-prompts" : "");
}

/* ---- which folders ---- */

static int choose_run(const struct options *options, struct publication *publication, struct error *err)
{
    const char *workspace = options_text(options, "workspace");
    cleanup_free char *run_id = workspace_find_run_id(workspace, options_text(options, "run-id"), err);

    if (!run_id)
        return -1;
    publication->folder = workspace_run_folder(workspace, run_id);
    if (!file_is_folder(publication->folder))
        return error_set(err, ERROR_USAGE, "there is no run %s: %s is no folder", run_id, publication->folder);
    publication->name = archive_name("", run_id, publication);
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
    publication->name = archive_name("comparison-", id, publication);

    cleanup_free char *prefix = file_join("comparisons", id);

    publication_add(publication, publication->folder, prefix);

    cleanup_free char *path = file_join(publication->folder, "comparison.json");
    json_t *document = json_open(&reader, path, "roibench/comparison/v1", err);
    const int result = document ? add_compared_runs(app, workspace, document, &reader, publication, err) : -1;

    json_decref(document);
    return result;
}

int publication_choose(const struct app *app, const struct options *options, struct publication *publication, struct error *err)
{
    choose_part(options, publication);
    return options_given(options, "comparison") ? choose_comparison(app, options, publication, err)
                                                : choose_run(options, publication, err);
}
