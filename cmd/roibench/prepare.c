/* roibench prepare: waits for the model, learns what server it is, and writes the plan. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/prepare_plan.h"
#include "plan/calibrate.h"
#include "plan/model_file.h"
#include "plan/prompts.h"
#include "probe/count.h"
#include "probe/identify.h"
#include "probe/ready.h"
#include "record/workspace.h"

#define DESCRIPTION_MAX ((size_t)64 << 10)
#define TIMED_REPEAT (-1) /* no level's body has it: the timed request is none of them */

CLEANUP_DEFINE(struct plan, plan_free)
CLEANUP_DEFINE(struct http_client, http_client_free)
CLEANUP_DEFINE(struct prompts, prompts_free)

/* --- asking the server ------------------------------------------------------------------------ */

/* Words that /tokenize knows, each behind its space: their ids are ordinary ones, never special. */
static int learn_ids(const struct probe *probe, struct plan *plan, struct material *material, struct error *err)
{
    static const char words[] = " time year people way day man thing world life hand part place case week work fact point home water "
                                "room money story month right book word house side kind head name line game city power night";
    struct counter counter = {.probe = probe, .model = plan->model, .tokenize = true};
    material->ids = mem_calloc(MATERIAL_COUNT_MAX, sizeof *material->ids);
    int64_t count = counter_token_ids(&counter, words, material->ids, MATERIAL_COUNT_MAX, err);
    if (count <= 0)
        return count < 0 ? -1 : error_set(err, ERROR_TARGET, "/tokenize gives no token ids");
    material->id_count = (size_t)count;
    plan->calibration.method = "token_ids";
    plan->calibration.exact = true;
    return 0;
}

static int learn_words(const struct app *app, const struct probe *probe, struct plan *plan, struct material *material, struct error *err)
{
    struct counter counter = {.probe = probe, .model = plan->model, .tokenize = plan->server.tokenize};
    struct calibrate_counter ask = {.count = counter_count, .context = &counter};
    int64_t shortest = plan->workload.prompt.min;
    plan->calibration.method = counter.tokenize ? "tokenize" : "usage";
    if (calibrate_text(&ask, plan->workload.prompt.mean, plan->seed, material, &plan->calibration.exact, err) < 0)
        return -1;
    if (shortest <= material->overhead)
        return error_set(err, ERROR_USAGE, "--prompt-tokens: the chat template and the opening alone are %lld tokens here: the minimum of "
                         "%lld is too small", (long long)material->overhead, (long long)shortest);
    plan->calibration.template_tokens = material->overhead;
    if (!plan->calibration.exact)
        log_warning(&app->log, "the server's tokenizer does not count words alike everywhere: prompts will be near, not exactly at, the "
                    "length asked for");
    log_debug(&app->log, "prompt lengths learned by %lld requests (%s)", (long long)counter.asked, plan->calibration.method);
    return 0;
}

static int check_context(const struct plan *plan, struct error *err)
{
    int64_t needed = plan->workload.prompt.max + plan->workload.output.max, room = plan->server.max_model_len;
    if (room > 0 && needed > room)
        return error_set(err, ERROR_TARGET, "prompts and answers of up to %lld tokens do not fit: the model's context is %lld tokens "
                         "(max_model_len). Ask for fewer by --prompt-tokens and --output-tokens", (long long)needed, (long long)room);
    return 0;
}

/* One full-length request, alone: proves that the plan can be carried out, and times it. */
static int time_request(const struct probe *probe, struct plan *plan, struct material *material, struct error *err)
{
    cleanup_buf struct buf body = BUF_INIT(PROMPT_BODY_MAX);
    cleanup_with(prompts_free) struct prompts *prompts = prompts_new(plan, material);
    struct prompt_lengths lengths;
    struct http_response response;
    if (prompts_body(prompts, 0, TIMED_REPEAT, 0, &body, &lengths, err) < 0)
        return -1;
    int status = counter_ask(probe, body.data, body.len, &response, err);
    if (status == 0)
        plan->calibration.e2e_ns = response.total_ns;
    http_response_free(&response);
    return status;
}

static int find_model(const struct options *options, const struct probe *probe, struct plan *plan, struct error *err)
{
    struct openai_models models;
    size_t index;
    if (ready_wait(probe, options_text(options, "model"), options_duration(options, "wait", 0), &models, &index, err) < 0)
        return -1;
    plan->model = arena_strdup(plan->arena, models.ids[index]);
    int status = identify_server(probe, plan->model, models.owned_by[index], models.max_model_len[index], plan->arena, &plan->server, err);
    openai_models_free(&models);
    return status < 0 ? -1 : check_context(plan, err);
}

/* prompts_path NULL: nothing is written. */
static int learn_prompts(const struct app *app, const struct probe *probe, struct plan *plan, const char *prompts_path, struct error *err)
{
    struct material material = {0};
    int status = plan->server.token_ids ? learn_ids(probe, plan, &material, err) : learn_words(app, probe, plan, &material, err);
    if (status == 0 && prompts_path)
        status = material_write(&material, prompts_path, err);
    if (status == 0)
        status = time_request(probe, plan, &material, err);
    material_free(&material);
    return status;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void tell_plan(const struct app *app, const struct plan *plan)
{
    cleanup_buf struct buf text = BUF_INIT(DESCRIPTION_MAX);
    char e2e[UNITS_TEXT_SIZE];
    plan_describe(plan, &text);
    log_info(&app->log, "server: %s%s%s, model %s", plan->server.kind, plan->server.version[0] ? " " : "", plan->server.version, plan->model);
    if (plan->server.time_scale != 1)
        log_info(&app->log, "simulated with preset %s, %g times faster than real; all that follows is in model time", plan->server.preset,
                 plan->server.time_scale);
    log_info(&app->log, "load: %s", buf_text(&text));
    log_info(&app->log, "one request alone takes %s",
             units_format_duration((int64_t)((double)plan->calibration.e2e_ns * plan->server.time_scale), e2e));
    if (!plan->server.ignore_eos)
        log_warning(&app->log, "the server does not take ignore_eos: answers may be shorter than asked");
    if (!plan->server.usage)
        log_warning(&app->log, "the server gives no usage: tokens are counted by chunks");
}

static int print_plan(const struct app *app, const struct plan *plan, struct error *err)
{
    json_t *json = plan_to_json(plan);
    char *dump = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    json_decref(json);
    int status = dump && fprintf(app->out, "%s\n", dump) > 0 ? 0 : error_set(err, ERROR_INTERNAL, "cannot print the plan");
    free(dump);
    return status;
}

static int write_plan(const struct plan *plan, const char *folder, struct error *err)
{
    cleanup_free char *path = file_join(folder, "plan.json");
    json_t *json = plan_to_json(plan);
    int status = json_write_file(json, path, err);
    json_decref(json);
    return status;
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
        command_tekton_result(options_text(options, "tekton-results"), "run-id", plan->run_id, err) < 0 ||
        workspace_set_latest(options_text(options, "workspace"), plan->run_id, err) < 0)
        return -1;
    fprintf(app->out, "%s\n", plan->run_id);
    return 0;
}

static int read_model_file(struct options *options, struct error *err)
{
    const char *folder = options_text(options, "models"), *model = options_text(options, "model");
    if (!folder)
        return 0;
    if (!model)
        return error_set(err, ERROR_USAGE, "--models needs --model NAME: which of its files shall be read?");
    return model_file_read(folder, model, options, err) < 0 ? -1 : 0;
}

static int prepare_with_client(const struct app *app, const struct options *options, struct probe *probe, struct plan *plan, struct error *err)
{
    cleanup_free char *folder = NULL;
    bool dry = options_flag(options, "dry-run");
    /* Before any request: a workspace that cannot be written is known at once. */
    if (!dry && file_check_writable(options_text(options, "workspace"), err) < 0)
        return error_wrap(err, "--workspace");
    if (find_model(options, probe, plan, err) < 0)
        return -1;
    if (dry)
        return learn_prompts(app, probe, plan, NULL, err) < 0 ? -1 : print_plan(app, plan, err);
    if (prepare_run_folder(options, plan, &folder, err) < 0)
        return -1;
    cleanup_free char *prompts = file_join(folder, "prompts.jsonl.gz");
    if (learn_prompts(app, probe, plan, prompts, err) < 0) {
        unlink(prompts);
        rmdir(folder); /* stays when somebody else's files are in it */
        return -1;
    }
    return finish(app, options, plan, folder, err);
}

static int prepare_run(struct app *app, struct options *options, struct error *err)
{
    struct net_settings net;
    cleanup_free char *key = NULL;
    cleanup_with(plan_free) struct plan *plan = plan_new();
    plan->created = clock_realtime(app->clock);
    if (read_model_file(options, err) < 0 || prepare_fill_target(options, plan, err) < 0 || prepare_fill_plan(options, plan, err) < 0)
        return -1;
    const char *run_id = options_text(options, "run-id");
    if (run_id && workspace_check_run_id(run_id, err) < 0)
        return error_wrap(err, "--run-id");
    if (command_net_settings(app, options, &net, &key, err) < 0)
        return -1;
    cleanup_with(http_client_free) struct http_client *client = http_client_new(&net, err);
    if (!client)
        return -1;
    struct probe probe = {
        .client = client,
        .clock = app->clock,
        .log = &app->log,
        .target = plan->target,
        .endpoint = plan->workload.endpoint,
        .stop = app->stop,
    };
    return prepare_with_client(app, options, &probe, plan, err);
}

const struct command command_prepare = {
    .name = "prepare",
    .summary = "wait for the model, learn what server it is, write the plan",
    .usage = "(--target URL | --model NAME) [--profile NAME] [options]",
    .options = prepare_options,
    .run = prepare_run,
};
