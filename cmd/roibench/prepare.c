/* roibench prepare: waits for the model, learns what server it is, and writes the plan. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/command_kube.h"
#include "cmd/roibench/prepare_data.h"
#include "cmd/roibench/prepare_kube.h"
#include "cmd/roibench/prepare_learn.h"
#include "cmd/roibench/prepare_plan.h"
#include "cmd/roibench/prepare_show.h"
#include "plan/dataset_rows.h"
#include "plan/estimate.h"
#include "plan/model_file.h"
#include "plan/trace.h"
#include "record/workspace.h"

#define DURATION_TOLD_MAX_S 1e9 /* some thirty years: nobody waits for more */
#define UNKNOWN_TEXT_MAX ((size_t)1024)
#define DESCRIPTION_MAX ((size_t)64 << 10)

CLEANUP_DEFINE(struct plan, plan_free)
CLEANUP_DEFINE(struct http_client, http_client_free)
CLEANUP_DEFINE(struct prepare_data, prepare_data_free)
CLEANUP_DEFINE(struct kube_client, kube_client_free)

/* --- writing ---------------------------------------------------------------------------------- */

/* Levels that are bounded by time: requests alone bound nothing that is known here. */
static void tell_duration(const struct app *app, const struct plan *plan)
{
    struct estimate sum;
    char load_text[UNITS_TEXT_SIZE], drain_text[UNITS_TEXT_SIZE];
    estimate_plan(plan, &sum);
    double load = (sum.start_s + sum.load_s) / plan->server.time_scale, drain = sum.drain_s / plan->server.time_scale;
    if (plan->find == FIND_NOTHING && plan->limits.max_seconds_ns > 0 && load + drain < DURATION_TOLD_MAX_S)
        log_info(&app->log, "run will take about %s%s, and up to %s more if requests hang at the ends of the levels (--drain)",
                 units_format_duration((int64_t)(load * (double)NS_PER_S), load_text), plan->server.time_scale != 1 ? " of wall time" : "",
                 units_format_duration((int64_t)(drain * (double)NS_PER_S), drain_text));
}

static void tell_plan(const struct app *app, const struct plan *plan)
{
    cleanup_buf struct buf text = BUF_INIT(DESCRIPTION_MAX);
    char e2e[UNITS_TEXT_SIZE];
    plan_describe(plan, &text);
    log_info(&app->log, "server: %s%s%s, model %s", plan->server.kind, plan->server.version[0] ? " " : "", plan->server.version, plan->model);
    if (plan->other_target_count > 0)
        log_info(&app->log, "%zu targets, asked in turn", 1 + plan->other_target_count);
    if (plan->server.time_scale != 1)
        log_info(&app->log, "simulated with preset %s, %g times faster than real; all that follows is in model time", plan->server.preset,
                 plan->server.time_scale);
    log_info(&app->log, "load: %s", buf_text(&text));
    log_info(&app->log, "one request alone takes %s",
             units_format_duration((int64_t)((double)plan->calibration.e2e_ns * plan->server.time_scale), e2e));
    tell_duration(app, plan);
}

static int print_plan(const struct app *app, const struct options *options, const struct plan *plan, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(JSON_FILE_MAX);
    int status = 0;
    if (options_flag(options, "json")) {
        json_t *json = plan_to_json(plan);
        status = json_append_pretty(json, &text);
        json_decref(json);
    } else {
        prepare_show(plan, &text);
    }
    if (status < 0 || text.overflowed || fputs(buf_text(&text), app->out) < 0)
        return error_set(err, ERROR_INTERNAL, "cannot print the plan");
    return 0;
}

/* Members that no plan of ours has: a misspelt limit is none. Appends "limits.max_request, ". */
static void find_unknown(const json_t *given, const json_t *ours, const char *path, struct buf *unknown)
{
    const char *key;
    json_t *member;
    size_t index;
    json_object_foreach((json_t *)given, key, member)
    {
        cleanup_free char *below = mem_printf("%s%s%s", path, path[0] ? "." : "", key);
        const json_t *known = json_object_get(ours, key);
        if (!known && !json_is_null(member))
            buf_printf(unknown, "%s%s", unknown->len > 0 ? ", " : "", below);
        else
            find_unknown(member, known, below, unknown);
    }
    json_array_foreach((json_t *)given, index, member)
    {
        cleanup_free char *below = mem_printf("%s[%zu]", path, index);
        find_unknown(member, json_array_get(ours, index), below, unknown);
    }
}

static int tell_unknown(const struct app *app, const char *path, const struct plan *plan, struct error *err)
{
    cleanup_buf struct buf unknown = BUF_INIT(UNKNOWN_TEXT_MAX);
    struct json_reader reader;
    json_t *given = json_open(&reader, path, NULL, err), *ours = plan_to_json(plan);
    if (given)
        find_unknown(given, ours, "", &unknown);
    if (unknown.len > 0)
        log_warning(&app->log, "%s: a plan has no member like these, or it has their value without being told: %s", path, buf_text(&unknown));
    int status = given ? 0 : -1;
    json_decref(given);
    json_decref(ours);
    return status;
}

/* A plan that was written by hand. Nothing else that was said on the command line would have a meaning. */
static int check_plan(const struct app *app, const struct options *options, struct error *err)
{
    for (const struct option_row *row = prepare_options; row->type != OPTION_END; row++) {
        bool said = row->type != OPTION_GROUP && options_source(options, row->name) == OPTION_ARGV;
        if (said && strcmp(row->name, "check") != 0 && strcmp(row->name, "json") != 0)
            return error_set(err, ERROR_USAGE, "--check reads a plan as it is: --%s has no meaning beside it", row->name);
    }
    const char *path = options_text(options, "check");
    cleanup_with(plan_free) struct plan *plan = plan_read(path, err);
    for (size_t k = 0; plan && k <= plan->other_target_count; k++)
        if (http_url_check(k == 0 ? plan->target : plan->other_targets[k - 1], err) < 0)
            return error_wrap(err, "%s: target", path);
    return plan && tell_unknown(app, path, plan, err) == 0 ? print_plan(app, options, plan, err) : -1;
}

static int write_plan(const struct plan *plan, const char *folder, struct error *err)
{
    cleanup_free char *path = file_join(folder, "plan.json");
    json_t *json = plan_to_json(plan);
    int status = json_write_file(json, path, err);
    json_decref(json);
    return status;
}

/* Of a replay, so that `run` does not need the trace. */
static int write_arrivals(const struct plan *plan, const char *path, struct error *err)
{
    const struct arrival_shape *shape = &plan->arrival_shape;
    return shape->replay ? trace_write(shape->replay, (size_t)shape->replay_count, path, err) : 0;
}

static int prepare_run_folder(const struct options *options, struct plan *plan, char **folder, struct error *err)
{
    const char *workspace = options_text(options, "workspace"), *run_id = options_text(options, "run-id");
    cleanup_free char *made = run_id ? NULL : workspace_make_run_id(plan->model, plan->created);
    *folder = workspace_create_run(workspace, run_id ? run_id : made, err);
    if (!*folder)
        return -1;
    plan->run_id = arena_strdup(plan->arena, run_id ? run_id : made);
    return 0;
}

static int finish(const struct app *app, const struct options *options, const struct plan *plan, const char *folder, struct error *err)
{
    if (write_plan(plan, folder, err) < 0)
        return -1;
    tell_plan(app, plan);
    if (command_manifest(app, folder, "prepare", plan->created, 0, NULL, err) < 0 ||
        workspace_set_latest(options_text(options, "workspace"), plan->run_id, err) < 0)
        return -1;
    fprintf(app->out, "%s\n", plan->run_id);
    return command_tekton_result(options_text(options, "tekton-results"), "run-id", plan->run_id, err);
}

static int read_model_file(const struct app *app, struct options *options, struct plan *plan, struct error *err)
{
    const char *folder = options_text(options, "models"), *model = options_text(options, "model");
    if (!folder)
        return 0;
    if (!model)
        return error_set(err, ERROR_USAGE, "--models needs --model NAME: which of its files shall be read?");
    int found = model_file_read(folder, model, options, plan->arena, &plan->sla, err);
    if (found == 0)
        log_info(&app->log, "%s has no file for the model %s: what is not given by an option has its default", folder, model);
    return found < 0 ? -1 : 0;
}

static int learn(const struct app *app, const struct options *options, const struct probe *probe, struct plan *plan, struct prepare_data *data,
                 const char *folder, struct error *err)
{
    if (prepare_learn_prompts(app, probe, plan, data, folder, err) < 0)
        return -1;
    prepare_explain(options, plan, probe->moved_from);
    return 0;
}

static void remove_files(const char *folder)
{
    static const char *const names[] = {TRACE_FILE, "prompts.jsonl.gz", DATASET_ROWS_FILE, DATASET_INDEX_FILE};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        cleanup_free char *path = file_join(folder, names[k]);
        unlink(path);
    }
}

/* The model's address and what server it is; Kubernetes is asked where it can be. */
static int find_model(const struct app *app, const struct options *options, struct probe *probe, struct plan *plan, struct error *err)
{
    cleanup_with(kube_client_free) struct kube_client *kube = NULL;
    if (command_kube_open(app, options, &kube, err) < 0 || prepare_kube_find_target(app, options, kube, plan, err) < 0)
        return -1;
    probe->target = plan->target;
    if (prepare_find_model(options, probe, plan, err) < 0 || prepare_check_other_targets(app, options, probe, plan, err) < 0)
        return -1;
    return prepare_kube_learn(app, options, kube, plan, err);
}

static int prepare_with_client(const struct app *app, const struct options *options, struct probe *probe, struct plan *plan, struct prepare_data *data,
                               struct error *err)
{
    cleanup_free char *folder = NULL;
    bool dry = options_flag(options, "dry-run");
    /* Before any request: a workspace that cannot be written is known at once. */
    if (!dry && file_check_writable(options_text(options, "workspace"), err) < 0)
        return error_wrap(err, "--workspace");
    if (find_model(app, options, probe, plan, err) < 0)
        return -1;
    if (dry)
        return learn(app, options, probe, plan, data, NULL, err) < 0 ? -1 : print_plan(app, options, plan, err);
    if (prepare_run_folder(options, plan, &folder, err) < 0)
        return -1;
    cleanup_free char *arrivals = file_join(folder, TRACE_FILE);
    if (write_arrivals(plan, arrivals, err) < 0 || learn(app, options, probe, plan, data, folder, err) < 0) {
        remove_files(folder);
        rmdir(folder); /* stays when somebody else's files are in it */
        return -1;
    }
    return finish(app, options, plan, folder, err);
}

/* What `run` must be given too, but for secrets. It may work in another folder. */
static void keep_connection(const struct net_settings *net, struct plan *plan)
{
    cleanup_free char *absolute = net->ca_file ? realpath(net->ca_file, NULL) : NULL;
    if (absolute)
        plan->ca_file = arena_strdup(plan->arena, absolute);
    plan->insecure = net->insecure;
    plan->header_count = net->header_count;
    plan->header_names = arena_alloc(plan->arena, net->header_count + 1, sizeof *plan->header_names);
    for (size_t k = 0; k < net->header_count; k++)
        plan->header_names[k] = arena_printf(plan->arena, "%.*s", (int)net_header_name_length(net->headers[k]), net->headers[k]);
}

static int prepare_run(struct app *app, struct options *options, struct error *err)
{
    __attribute__((cleanup(command_net_free))) struct command_net net = {.key = NULL};
    cleanup_with(plan_free) struct plan *plan = plan_new();
    if (options_text(options, "check"))
        return check_plan(app, options, err);
    if (options_flag(options, "json") && !options_flag(options, "dry-run"))
        return error_set(err, ERROR_USAGE, "--json says how --dry-run or --check print a plan: give one of them");
    plan->created = clock_realtime(app->clock);
    if (read_model_file(app, options, plan, err) < 0 || prepare_fill_target(options, plan, err) < 0 || prepare_fill_plan(app, options, plan, err) < 0)
        return -1;
    cleanup_with(prepare_data_free) struct prepare_data *data = NULL;
    if (prepare_data_open(app, options, plan, &data, err) < 0)
        return -1;
    const char *run_id = options_text(options, "run-id");
    if (run_id && workspace_check_run_id(run_id, err) < 0)
        return error_wrap(err, "--run-id");
    if (command_net_read(app, options, &net, err) < 0)
        return -1;
    cleanup_with(http_client_free) struct http_client *client = http_client_new(&net.settings, err);
    if (!client)
        return -1;
    keep_connection(&net.settings, plan);
    if (plan->insecure)
        log_warning(&app->log, "--insecure: the server's certificate is not verified; whoever answers is measured");
    struct probe probe = {
        .client = client,
        .clock = app->clock,
        .log = &app->log,
        .target = plan->target,
        .endpoint = plan->workload.endpoint,
        .stop = app->stop,
        .has_secrets = net.settings.api_key || net.settings.header_count > 0,
        .moves = options_flag(options, "allow-redirect") ? plan->arena : NULL,
    };
    return prepare_with_client(app, options, &probe, plan, data, err);
}

const struct command command_prepare = {
    .name = "prepare",
    .summary = "wait for the model, learn what server it is, write the plan",
    .usage = "(--target URL | --model NAME) [--profile NAME] [options] | --check FILE",
    .options = prepare_options,
    .run = prepare_run,
};
