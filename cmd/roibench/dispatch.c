/* roibench dispatch: one Job, or PipelineRun, for each model that is up; and, when all have ended, what a dollar buys with each of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/yaml.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/command_kube.h"
#include "kube/discovery.h"
#include "kube/launch.h"
#include "plan/model_file.h"
#include "record/workspace.h"
#include "wire/yaml_reader.h"

#define TEMPLATE_MAX ((size_t)1 << 20)
#define DOCUMENT_MAX ((size_t)4 << 20)
#define STAMP_SIZE 32
#define LOOK_EVERY_NS (5 * NS_PER_S)

CLEANUP_DEFINE(struct options, options_free)
CLEANUP_DEFINE(json_t, json_decref)

struct dispatch {
    const struct app *app;
    const struct options *options;
    struct arena *arena;
    struct kube_client *client;
    struct launch_settings launch;
    struct launched *launched;
    size_t count;
};

/* --- which models ------------------------------------------------------------------------------ */

static bool is_wanted(const struct dispatch *dispatch, const char *model)
{
    size_t only = options_count(dispatch->options, "only");
    for (size_t k = 0; k < only; k++)
        if (strcmp(options_item(dispatch->options, "only", k), model) == 0)
            return true;
    return only == 0;
}

static void skip(const struct dispatch *dispatch, const char *model, const char *why)
{
    fprintf(dispatch->app->out, "%-24s skipped: %s\n", model, why);
}

static void add(struct dispatch *dispatch, const char *model)
{
    launch_name(&dispatch->launch, model, dispatch->arena, &dispatch->launched[dispatch->count++]);
}

static const struct kube_service *find_service(const struct kube_service *services, size_t count, const char *name)
{
    for (size_t k = 0; k < count; k++)
        if (strcmp(services[k].name, name) == 0)
            return &services[k];
    return NULL;
}

static void consider_service(struct dispatch *dispatch, const struct kube_service *service)
{
    if (!service->ready || !service->url[0])
        skip(dispatch, service->name, service->ready ? "its InferenceService has no address" : service->why_not);
    else
        add(dispatch, service->name);
}

static bool is_file(const struct model_file *files, size_t count, const char *model)
{
    for (size_t k = 0; k < count; k++)
        if (strcmp(files[k].model, model) == 0)
            return true;
    return false;
}

static int check_only(const struct dispatch *dispatch, const struct model_file *files, size_t file_count, const struct kube_service *services,
                      size_t service_count, struct error *err)
{
    for (size_t k = 0; k < options_count(dispatch->options, "only"); k++) {
        const char *name = options_item(dispatch->options, "only", k);
        if (!is_file(files, file_count, name) && !find_service(services, service_count, name))
            return error_set(err, ERROR_USAGE, "--only %s: there is neither a file %s.json in --models nor an InferenceService of that name in namespace %s",
                             name, name, dispatch->launch.namespace);
    }
    return 0;
}

/* A file whose model KServe serves follows its readiness; one with an address of its own waits for it by itself. */
static int choose_models(struct dispatch *dispatch, struct error *err)
{
    const char *folder = options_text(dispatch->options, "models");
    struct model_file *files = NULL;
    struct kube_service *services;
    size_t file_count = 0, service_count;
    if (folder && model_file_list(folder, dispatch->arena, &files, &file_count, err) < 0)
        return error_wrap(err, "--models");
    if (kube_list_services(dispatch->client, dispatch->launch.namespace, dispatch->arena, &services, &service_count, err) != KUBE_OK ||
        check_only(dispatch, files, file_count, services, service_count, err) < 0)
        return -1;
    dispatch->launched = ARENA_ARRAY(dispatch->arena, file_count + service_count + 1, struct launched);
    for (size_t k = 0; k < file_count; k++) {
        const struct kube_service *service = find_service(services, service_count, files[k].model);
        if (!is_wanted(dispatch, files[k].model))
            continue;
        if (service)
            consider_service(dispatch, service);
        else if (files[k].has_target)
            add(dispatch, files[k].model);
        else
            skip(dispatch, files[k].model, "no InferenceService has its name, and its file names no target");
    }
    for (size_t k = 0; k < service_count; k++)
        if (is_wanted(dispatch, services[k].name) && !is_file(files, file_count, services[k].name))
            consider_service(dispatch, &services[k]);
    if (dispatch->count == 0)
        return error_set(err, ERROR_TARGET, "no model is up in namespace %s: there is nothing to benchmark", dispatch->launch.namespace);
    return 0;
}

/* --- making them ------------------------------------------------------------------------------- */

static int print_object(const struct dispatch *dispatch, const json_t *object, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(DOCUMENT_MAX);
    if (yaml_append(object, &text) < 0)
        return error_set(err, ERROR_USAGE, "the object is larger than %zu bytes", DOCUMENT_MAX);
    fprintf(dispatch->app->out, "---\n%s", buf_text(&text));
    return 0;
}

/* One that cannot be made has failed; the others are made all the same. -1: none could. */
static int create_all(struct dispatch *dispatch, struct error *err)
{
    const char *kind = launch_kind_name(dispatch->launch.kind);
    bool dry = options_flag(dispatch->options, "dry-run"), any = false;
    for (size_t k = 0; k < dispatch->count; k++) {
        struct launched *launched = &dispatch->launched[k];
        cleanup_with(json_decref) json_t *object = launch_make(&dispatch->launch, launched);
        if (dry && print_object(dispatch, object, err) < 0)
            return -1;
        if (dry)
            continue;
        if (launch_create(dispatch->client, &dispatch->launch, object, err) != KUBE_OK) {
            launched->state = LAUNCH_FAILED;
            launched->why = arena_strdup(dispatch->arena, err->text);
            log_warning(&dispatch->app->log, "%s: %s", launched->model, err->text);
            continue;
        }
        any = true;
        fprintf(dispatch->app->out, "%-24s %s %s, run %s\n", launched->model, kind, launched->name, launched->run_id);
    }
    fflush(dispatch->app->out);
    return any || dry ? 0 : -1;
}

/* --- waiting and comparing --------------------------------------------------------------------- */

static size_t tell_ended(const struct dispatch *dispatch, const struct launched *before)
{
    size_t going = 0;
    for (size_t k = 0; k < dispatch->count; k++) {
        const struct launched *is = &dispatch->launched[k];
        going += is->state == LAUNCH_GOES_ON;
        if (is->state == before[k].state)
            continue;
        if (is->state == LAUNCH_SUCCEEDED)
            log_info(&dispatch->app->log, "%s has ended well", is->model);
        else
            log_warning(&dispatch->app->log, "%s has failed: %s", is->model, is->why);
    }
    return going;
}

/* Until all have ended. An API that cannot be reached for a while is asked again at the next look. */
static int await_all(struct dispatch *dispatch, struct error *err)
{
    const struct clock *clock = dispatch->app->clock;
    int64_t end = clock_now(clock) + options_duration(dispatch->options, "timeout", 0);
    struct launched *before = ARENA_ARRAY(dispatch->arena, dispatch->count + 1, struct launched);
    size_t going;
    do {
        struct error trouble;
        memcpy(before, dispatch->launched, dispatch->count * sizeof *before);
        if (launch_look(dispatch->client, &dispatch->launch, dispatch->launched, dispatch->count, dispatch->arena, &trouble) != KUBE_OK)
            log_warning(&dispatch->app->log, "%s", trouble.text);
        going = tell_ended(dispatch, before);
        if (*dispatch->app->stop)
            return error_set(err, ERROR_TARGET, "stopped: %zu of %zu go on by themselves", going, dispatch->count);
        if (going > 0 && clock_now(clock) >= end)
            return error_set(err, ERROR_TARGET, "%zu of %zu have not ended in time (--timeout): they go on by themselves", going, dispatch->count);
        if (going > 0)
            clock_sleep_until(clock, clock_now(clock) + LOOK_EVERY_NS);
    } while (going > 0);
    return 0;
}

/* Those that have a plan and records of the run: also one that failed after it was measured. */
static bool was_measured(const char *workspace, const struct launched *launched)
{
    cleanup_free char *folder = workspace_run_folder(workspace, launched->run_id);
    cleanup_free char *records = file_join(folder, "records.jsonl.gz");
    return file_exists(records);
}

/* summarize over all of them: its report is what this log ends with. */
static int compare(struct dispatch *dispatch, struct error *err)
{
    cleanup_with(options_free) struct options *options = command_options_new(&command_summarize);
    const char *workspace = options_text(dispatch->options, "workspace");
    char **arguments = ARENA_ARRAY(dispatch->arena, dispatch->count + 2, char *);
    int count = 0;
    arguments[count++] = arena_printf(dispatch->arena, "--workspace=%s", workspace);
    for (size_t k = 0; k < dispatch->count; k++) {
        if (was_measured(workspace, &dispatch->launched[k]))
            arguments[count++] = arena_strdup(dispatch->arena, dispatch->launched[k].run_id);
        else
            log_warning(&dispatch->app->log, "%s is left out of the comparison: the workspace %s has no records of its run", dispatch->launched[k].model,
                        workspace);
    }
    if (count == 1)
        return error_set(err, ERROR_NO_DATA, "nothing was measured: there is nothing to compare");
    if (options_parse_argv(options, count, arguments, err) < 0)
        return -1;
    struct app app = *dispatch->app;
    return command_summarize.run(&app, options, err);
}

/* The first reason why not all is well. */
static int conclude(const struct dispatch *dispatch, struct error *err)
{
    size_t failed = 0;
    const struct launched *first = NULL;
    for (size_t k = 0; k < dispatch->count; k++) {
        failed += dispatch->launched[k].state == LAUNCH_FAILED;
        if (!first && dispatch->launched[k].state == LAUNCH_FAILED)
            first = &dispatch->launched[k];
    }
    return failed == 0 ? 0 : error_set(err, ERROR_TARGET, "%zu of %zu failed: %s: %s", failed, dispatch->count, first->model, first->why);
}

/* --- the command ------------------------------------------------------------------------------- */

static json_t *read_template(const char *path, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(TEMPLATE_MAX);
    return file_read(path, &text, ERROR_USAGE, err) < 0 ? NULL : yaml_parse(buf_text(&text), text.len, YAML_1_1, path, NULL, err);
}

/* The namespace that the pod is in, else prepare's default. */
static const char *find_namespace(const struct dispatch *dispatch)
{
    const char *given = options_text(dispatch->options, "namespace");
    cleanup_free char *path = file_join(options_text(dispatch->options, "kube-account"), "namespace");
    cleanup_buf struct buf text = BUF_INIT(TEMPLATE_MAX);
    if (given)
        return given;
    if (file_exists(path) && file_read(path, &text, ERROR_USAGE, NULL) == 0) {
        const char *own = arena_printf(dispatch->arena, "%.*s", (int)strcspn(buf_text(&text), "\r\n"), buf_text(&text));
        if (kube_is_name(own))
            return own;
    }
    return "private-ai";
}

static void make_stamp(const struct app *app, char stamp[STAMP_SIZE])
{
    time_t seconds = (time_t)(clock_realtime(app->clock) / NS_PER_S);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(stamp, STAMP_SIZE, "%Y%m%d-%H%M%S", &utc);
}

static int carry_out(struct dispatch *dispatch, struct error *err)
{
    bool dry = options_flag(dispatch->options, "dry-run"), compares = options_flag(dispatch->options, "compare");
    if (choose_models(dispatch, err) < 0 || create_all(dispatch, err) < 0)
        return -1;
    if (dry || !(options_flag(dispatch->options, "wait") || compares))
        return dry ? 0 : conclude(dispatch, err);
    if (await_all(dispatch, err) < 0 || (compares && compare(dispatch, err) < 0))
        return -1;
    return conclude(dispatch, err);
}

static int dispatch_run(struct app *app, struct options *options, struct error *err)
{
    char stamp[STAMP_SIZE];
    const char *path = options_text(options, "template");
    struct dispatch dispatch = {.app = app, .options = options};
    if (!path)
        return error_set(err, ERROR_USAGE, "--template is missing: the Job or PipelineRun that each model gets, such as tekton/dispatch/job-template.yaml");
    cleanup_with(json_decref) json_t *template = read_template(path, err);
    if (!template)
        return error_wrap(err, "--template");
    make_stamp(app, stamp);
    dispatch.arena = arena_new();
    dispatch.launch = (struct launch_settings){
        .kind = strcmp(options_text(options, "as"), "job") == 0 ? LAUNCH_JOB : LAUNCH_PIPELINE_RUN,
        .template = template,
        .namespace = find_namespace(&dispatch),
        .stamp = stamp,
        .image = options_text(options, "image"),
        .profile = options_text(options, "profile"),
        .ttl_s = options_duration(options, "ttl", 0) / NS_PER_S,
    };
    int status = launch_check_template(dispatch.launch.kind, template, dispatch.launch.image, err) < 0 ? error_wrap(err, "%s", path) : 0;
    if (status == 0)
        status = command_kube_open(app, options, &dispatch.client, err);
    if (status == 0 && !dispatch.client)
        status = error_set(err, ERROR_USAGE, "there is no Kubernetes to ask: this is no pod with a service account, and --kube-api names none");
    if (status == 0)
        status = carry_out(&dispatch, err);
    kube_client_free(dispatch.client);
    arena_free(dispatch.arena);
    return status;
}

static const struct option_row dispatch_options[] = {
    {.type = OPTION_GROUP, .name = "Dispatch"},
    {.type = OPTION_TEXT, .name = "models", .argument = "DIR", .help = "folder with <model>.json: each is a model, beside the InferenceServices of the namespace"},
    {.type = OPTION_TEXT, .name = "namespace", .argument = "NAME", .help = "where the models are and the Jobs go; default: the pod's own, else private-ai"},
    {.type = OPTION_TEXT, .name = "only", .argument = "NAME", .repeatable = true, .help = "this model alone"},
    {.type = OPTION_CHOICE, .name = "as", .argument = "KIND", .choices = "job|pipelinerun", .default_text = "job", .help = "what each model gets"},
    {.type = OPTION_TEXT, .name = "template", .argument = "FILE", .help = "that Job or PipelineRun, as YAML or JSON; name, labels, model and run-id are filled in"},
    {.type = OPTION_TEXT, .name = "image", .argument = "IMAGE", .help = "of the template's containers that name none"},
    {.type = OPTION_TEXT, .name = "profile", .argument = "NAME", .help = "how requests are sent, as prepare has it; default: the template's"},
    {.type = OPTION_DURATION, .name = "ttl", .argument = "SECONDS", .default_text = "86400", .max = 1e9, .help = "a Job is deleted so long after its end"},
    {.type = OPTION_FLAG, .name = "wait", .help = "until all have ended"},
    {.type = OPTION_FLAG, .name = "compare", .help = "wait, and then compare what a dollar buys with each: the runs are in --workspace"},
    {.type = OPTION_DURATION, .name = "timeout", .argument = "SECONDS", .default_text = "21600", .max = 1e9, .help = "how long to wait at most"},
    {.type = OPTION_FLAG, .name = "dry-run", .help = "print the objects as YAML, and make none"},
    COMMAND_KUBE_OPTIONS,
    {.type = OPTION_END},
};

const struct command command_dispatch = {
    .name = "dispatch",
    .summary = "gives each model that is up a benchmark of its own: a Job or PipelineRun through the Kubernetes API",
    .usage = "--template FILE [--models DIR] [--wait | --compare]",
    .options = dispatch_options,
    .run = dispatch_run,
};
