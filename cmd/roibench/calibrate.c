/* roibench calibrate: how fast is that deployment? From what was measured on it to a preset for roibench simulate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cmd/roibench/calibrate_levels.h"
#include "cmd/roibench/command.h"
#include "report/table.h"
#include "serve/preset_file.h"

#define TOKENS_MAX 100000000.0
#define COST_MAX 1e12
#define OUT_MAX ((size_t)4 << 20)
#define DEVIATION_MAX 0.25 /* beyond it the model is another deployment's */
#define NEEDED_GAIN 1.05 /* without a cost the deviation grows at least so much, or the levels do not tell it */

static const struct option_row calibrate_options[] = {
    {.type = OPTION_GROUP, .name = "Measured"},
    {.type = OPTION_TEXT, .name = "levels", .argument = "FILE",
     .help = "CSV of published levels beside the runs, or instead: load, unit, prompt_tokens, output_tokens, and any of requests, weight, "
             "ttft_p95_ms, tpot_mean_ms, output_tps, ..."},
    {.type = OPTION_DURATION, .name = "max-seconds", .argument = "SECONDS", .default_text = "60", .min = 1, .max = 86400,
     .help = "length of a level of --levels that does not tell its number of requests"},
    {.type = OPTION_GROUP, .name = "Deployment"},
    {.type = OPTION_INTEGER, .name = "max-model-len", .argument = "N", .min = 2, .max = TOKENS_MAX,
     .help = "longest request; default: what the runs' server told, else 32768"},
    {.type = OPTION_INTEGER, .name = "max-num-seqs", .argument = "N", .default_text = "256", .min = 1, .max = 65536,
     .help = "requests running at a time"},
    {.type = OPTION_INTEGER, .name = "max-num-batched-tokens", .argument = "N", .default_text = "2048", .min = 1, .max = TOKENS_MAX,
     .help = "tokens computed in one step"},
    {.type = OPTION_INTEGER, .name = "kv-blocks", .argument = "N", .default_text = "1048576", .min = 1, .max = TOKENS_MAX,
     .help = "blocks of the KV cache: vLLM logs them when it starts"},
    {.type = OPTION_INTEGER, .name = "block-size", .argument = "N", .default_text = "16", .min = 1, .max = 65536, .help = "tokens a block holds"},
    {.type = OPTION_NUMBER, .name = "context-token-ns", .argument = "NS", .min = 0, .max = COST_MAX,
     .help = "hold this cost instead of fitting it: bytes of keys and values a token over the memory's bandwidth"},
    {.type = OPTION_GROUP, .name = "Result"},
    {.type = OPTION_TEXT, .name = "name", .argument = "NAME", .default_text = "calibrated", .help = "name of the preset"},
    {.type = OPTION_TEXT, .name = "summary", .argument = "TEXT", .default_text = "", .help = "what it stands for"},
    {.type = OPTION_TEXT, .name = "output", .argument = "FILE", .help = "write the preset to this file, for roibench simulate --preset-file"},
    {.type = OPTION_END},
};

/* --- what is told --------------------------------------------------------------------------------- */

static void add_level_rows(struct table *table, const struct fit *fit, const struct fit_level *level)
{
    struct fit_figures model = fit_predict(&fit->settings, level);
    for (int k = 0; k < FIT_FIGURE_COUNT; k++) {
        if (isnan(level->measured.value[k]))
            continue;
        table_text(table, level->name);
        table_printf(table, "%s", fit_figure_title((enum fit_figure)k));
        table_number(table, level->measured.value[k], 1);
        table_number(table, model.value[k], 1);
        if (level->measured.value[k] > 0 && isfinite(model.value[k]))
            table_printf(table, "%+.1f %%%s", 100 * (model.value[k] / level->measured.value[k] - 1), level->weight > 0 ? "" : ", not fitted");
        else
            table_printf(table, "-");
    }
}

static void tell_levels(const struct fit *fit, struct buf *out)
{
    static const struct table_column columns[] = {
        {"Level", false}, {"figure", false}, {"measured", true}, {"model", true}, {"deviation", true}, {0}};
    struct table table;
    table_begin(&table, columns);
    for (size_t k = 0; k < fit->level_count; k++)
        add_level_rows(&table, fit, &fit->levels[k]);
    table_end(&table, out);
}

static const char *told_by_levels(const struct fit *fit, int cost)
{
    if (fit->held[cost])
        return "given";
    return fit->without[cost] >= NEEDED_GAIN * fit->deviation && fit->without[cost] > 0.001 ? "measured" : "not told by these levels";
}

static void tell_costs(const struct fit *fit, struct buf *out)
{
    static const struct table_column columns[] = {{"Cost of a step", false}, {"us", true}, {"deviation without it", true}, {"", false}, {0}};
    struct table table;
    table_begin(&table, columns);
    for (int k = 0; k < FIT_COST_COUNT; k++) {
        table_printf(&table, "%s", fit_cost_name((enum fit_cost)k));
        table_printf(&table, "%.6g", fit->cost[k] / 1000);
        if (isnan(fit->without[k]))
            table_printf(&table, "-");
        else
            table_printf(&table, "%.1f %%", 100 * fit->without[k]);
        table_printf(&table, "%s", told_by_levels(fit, k));
    }
    table_end(&table, out);
    buf_printf(out, "The model deviates by %.1f %% (root mean square over the figures that were fitted). A cost without which it deviates no more is not "
                    "told by these levels: other prompt lengths or numbers of streams would tell it.\n", 100 * fit->deviation);
}

/* --- the preset --------------------------------------------------------------------------------------- */

static void add_fit(json_t *root, const struct fit *fit)
{
    json_t *object = json_add_object(root, "fit");
    json_set_number(object, "deviation", fit->deviation);
    json_t *costs = json_add_object(object, "without");
    for (int k = 0; k < FIT_COST_COUNT; k++)
        json_set_number(costs, fit_cost_name((enum fit_cost)k), fit->without[k]);
    json_t *levels = json_add_array(object, "levels");
    for (size_t k = 0; k < fit->level_count; k++) {
        const struct fit_level *level = &fit->levels[k];
        struct fit_figures model = fit_predict(&fit->settings, level);
        json_t *entry = json_object();
        json_set_text(entry, "level", level->name);
        json_set_number(entry, "weight", level->weight);
        for (int f = 0; f < FIT_FIGURE_COUNT; f++) {
            if (isnan(level->measured.value[f]))
                continue;
            json_t *pair = json_add_object(entry, fit_figure_name((enum fit_figure)f));
            json_set_number(pair, "measured", level->measured.value[f]);
            json_set_number(pair, "model", model.value[f]);
        }
        json_array_append_new(levels, entry);
    }
}

static int write_preset(const struct app *app, const struct options *options, const struct fit *fit, int64_t max_model_len, struct error *err)
{
    const char *path = options_text(options, "output");
    const struct preset preset = {
        .name = options_text(options, "name"),
        .summary = options_text(options, "summary"),
        .scheduler = fit->settings,
        .max_model_len = max_model_len,
    };
    if (!path)
        return 0;
    json_t *root = preset_file_document(&preset);
    add_fit(root, fit);
    int status = json_write_file(root, path, err);
    json_decref(root);
    if (status == 0)
        log_info(&app->log, "wrote %s", path);
    return status;
}

/* --- the command ------------------------------------------------------------------------------------------ */

static int read_levels(const struct app *app, const struct options *options, struct calibrate_levels *levels, struct error *err)
{
    const char *table = options_text(options, "levels");
    size_t runs = options_positional_count(options);
    if (!table && runs == 0)
        return error_set(err, ERROR_USAGE, "nothing to calibrate by: give folders of runs, or --levels FILE");
    for (size_t k = 0; k < runs; k++)
        if (calibrate_add_run(levels, options_positional(options, k), &app->log, err) < 0)
            return -1;
    if (table && calibrate_add_table(levels, table, options_duration(options, "max-seconds", 0), err) < 0)
        return error_wrap(err, "--levels");
    if (levels->count == 0)
        return error_set(err, ERROR_NO_DATA, "no level to calibrate by");
    return 0;
}

static struct fit make_fit(const struct options *options, const struct calibrate_levels *levels)
{
    return (struct fit){
        .settings = {.cost = {.context_token = options_number(options, "context-token-ns", 0)},
                     .max_num_seqs = options_integer(options, "max-num-seqs", 0),
                     .max_num_batched_tokens = options_integer(options, "max-num-batched-tokens", 0),
                     .kv_blocks = options_integer(options, "kv-blocks", 0),
                     .block_size = options_integer(options, "block-size", 0)},
        .held = {[FIT_CONTEXT_TOKEN] = options_given(options, "context-token-ns")},
        .levels = levels->levels,
        .level_count = levels->count,
    };
}

/* A request that the cache cannot hold would wait for ever. */
static int check_lengths(const struct fit *fit, int64_t max_model_len, struct error *err)
{
    int64_t room = fit->settings.kv_blocks * fit->settings.block_size;
    int64_t longest = room < max_model_len ? room : max_model_len;
    for (size_t k = 0; k < fit->level_count; k++) {
        const struct fit_level *level = &fit->levels[k];
        int64_t tokens = level->loop ? level->loop->prompt_tokens + level->loop->output_tokens : 0;
        for (size_t r = 0; r < level->sent_count; r++)
            tokens = level->sent[r].prompt_tokens + level->sent[r].output_tokens > tokens
                         ? level->sent[r].prompt_tokens + level->sent[r].output_tokens : tokens;
        if (tokens > longest)
            return error_set(err, ERROR_USAGE, "%s: a request of %lld tokens, but --max-model-len and --kv-blocks x --block-size hold %lld",
                             level->name, (long long)tokens, (long long)longest);
    }
    return 0;
}

static int calibrate(const struct app *app, const struct options *options, struct calibrate_levels *levels, struct error *err)
{
    cleanup_buf struct buf out = BUF_INIT(OUT_MAX);
    if (options_text(options, "name")[0] == '\0')
        return error_set(err, ERROR_USAGE, "--name: the name is empty");
    if (read_levels(app, options, levels, err) < 0)
        return -1;
    int64_t told = levels->max_model_len > 0 ? levels->max_model_len : 32768;
    int64_t max_model_len = options_integer(options, "max-model-len", told);
    struct fit fit = make_fit(options, levels);
    if (check_lengths(&fit, max_model_len, err) < 0)
        return -1;
    if (fit_find(&fit) < 0)
        return error_set(err, ERROR_USAGE, "no level has a figure to fit to");
    tell_levels(&fit, &out);
    tell_costs(&fit, &out);
    fputs(buf_text(&out), app->out);
    if (fit.deviation > DEVIATION_MAX)
        log_warning(&app->log, "the model is off by %.0f %%: the figures contradict each other, or the deployment's settings are others "
                    "(--max-num-batched-tokens, --max-num-seqs, --kv-blocks). This preset is not that deployment", 100 * fit.deviation);
    return write_preset(app, options, &fit, max_model_len, err);
}

static int calibrate_run(struct app *app, struct options *options, struct error *err)
{
    struct calibrate_levels levels = {.arena = arena_new()};
    int status = calibrate(app, options, &levels, err);
    arena_free(levels.arena);
    return status;
}

const struct command command_calibrate = {
    .name = "calibrate",
    .summary = "find the speed of a deployment from runs, or from a published table: a preset for simulate",
    .usage = "[RUN_DIR...] [--levels FILE] [--output FILE]",
    .options = calibrate_options,
    .takes_positional = true,
    .ends_at_once = true,
    .run = calibrate_run,
};
