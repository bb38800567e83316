#include "cmd/roibench/prepare_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "plan/dataset.h"
#include "plan/dataset_rows.h"
#include "plan/token_lengths.h"
#include "plan/synthetic.h"

#define CALIBRATE_TOKENS 256     /* prompts of this length are what the words are checked by: more than a template, less than a context */

#define DATASET(name) "|" #name
const char prepare_data_formats[] =
#include "plan/datasets.def"
    ;
#undef DATASET

/* --- options ---------------------------------------------------------------------------------- */

static int set_column(struct dataset_columns *columns, char *pair, struct error *err)
{
    const struct {
        const char *name;
        const char **column;
    } known[] = {{"prompt", &columns->prompt}, {"messages", &columns->messages}, {"output", &columns->output}, {"answer", &columns->answer}};
    char *equals = strchr(pair, '=');
    if (!equals || !equals[1])
        return error_set(err, ERROR_USAGE, "--data-column: expected prompt=NAME, messages=NAME, output=NAME or answer=NAME, got '%s'", pair);
    *equals = '\0';
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        if (strcmp(pair, known[k].name) == 0) {
            *known[k].column = equals + 1;
            return 0;
        }
    }
    return error_set(err, ERROR_USAGE, "--data-column: '%s' is none of prompt, messages, output, answer", pair);
}

/* The names point into data->columns_text. */
static int fill_columns(const struct options *options, struct prepare_data *data, struct dataset_columns *columns, struct error *err)
{
    struct buf all = BUF_INIT((size_t)64 << 10);
    for (size_t k = 0; k < options_count(options, "data-column"); k++)
        buf_printf(&all, "%s%s", k > 0 ? "," : "", options_item(options, "data-column", k));
    data->columns_text = buf_steal(&all);
    char *rest = data->columns_text, *pair;
    while (*data->columns_text && (pair = strsep(&rest, ",")))
        if (set_column(columns, pair, err) < 0)
            return -1;
    return columns->prompt && columns->messages ? error_set(err, ERROR_USAGE, "--data-column: a row has a prompt or messages, not both") : 0;
}

static bool is_given(const struct options *options, const char *name)
{
    return options_source(options, name) > OPTION_DEFAULT;
}

/* What the file, as it is read, has no use for. */
static int check_format(const struct options *options, const struct prepare_data *data, struct error *err)
{
    const struct dataset_format *format = dataset_recognised(data->dataset);
    if (is_given(options, "data-column") && format->knows)
        return error_set(err, ERROR_USAGE, "--data-column names columns of json, jsonl and csv; --data-format %s has its own", format->name);
    if (is_given(options, "trace-block") && strcmp(format->name, "mooncake") != 0)
        return error_set(err, ERROR_USAGE, "--trace-block is for traces, whose hash ids stand for so many tokens; %s is read as %s", data->path, format->name);
    return 0;
}

static int open_file(const struct options *options, struct prepare_data *data, struct plan *plan, struct error *err)
{
    struct dataset_settings settings = {.format = options_text(options, "data-format"), .skip_bad = options_flag(options, "skip-bad"),
                                        .conversations = plan->workload.turns > 1};
    if (fill_columns(options, data, &settings.columns, err) < 0)
        return -1;
    data->dataset = dataset_open(data->path, &settings, err);
    if (!data->dataset)
        return error_wrap(err, "--data");
    const char *slash = strrchr(data->path, '/');
    plan->workload.data.file = slash ? slash + 1 : data->path;
    plan->workload.data.format = dataset_recognised(data->dataset)->name;
    return check_format(options, data, err);
}

/* What goes with a file only; the trace of a replay is one, but all that it gives is times. */
static int check_alone(const struct options *options, struct error *err)
{
    static const char *const names[] = {"data-format", "data-column", "data-order", "data-rows", "trace-block", "too-long"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (is_given(options, names[k]))
            return error_set(err, ERROR_USAGE, "--%s says how a file is read: it needs --data FILE", names[k]);
    if (is_given(options, "skip-bad") && !is_given(options, "replay-file"))
        return error_set(err, ERROR_USAGE, "--skip-bad says how a file is read: it needs --data FILE or --replay-file FILE");
    return 0;
}

bool prepare_data_is_file(const struct options *options)
{
    const char *text = options_text(options, "data");
    return text && (!synthetic_is(text) || file_exists(text));
}

static int tell_unused(const struct app *app, const char *text, struct error *err)
{
    struct buf unused = BUF_INIT(1024);
    struct token_lengths prompt, output;
    int status = synthetic_parse(text, &prompt, &output, &unused, err);
    if (status == 0 && unused.len > 0)
        log_warning(&app->log, "--data: %s: has no meaning here, where every prompt is made when it is sent", buf_text(&unused));
    buf_free(&unused);
    return status;
}

int prepare_data_open(const struct app *app, const struct options *options, struct plan *plan, struct prepare_data **data, struct error *err)
{
    const char *path = options_text(options, "data"), *too_long = options_text(options, "too-long");
    *data = NULL;
    if (!prepare_data_is_file(options))
        return check_alone(options, err) < 0 ? -1 : path ? tell_unused(app, path, err) : 0;
    *data = mem_alloc(sizeof **data);
    (*data)->path = arena_strdup(plan->arena, path);
    (*data)->too_long = strcmp(too_long, "trim") == 0 ? TOO_LONG_TRIM : strcmp(too_long, "skip") == 0 ? TOO_LONG_SKIP : TOO_LONG_REFUSE;
    (*data)->rows_max = options_integer(options, "data-rows", DATASET_ROWS_MAX);
    (*data)->answers = plan->workload.output;
    plan->workload.data.shuffled = strcmp(options_text(options, "data-order"), "shuffled") == 0;
    plan->workload.data.block_tokens = options_integer(options, "trace-block", PLAN_BLOCK_TOKENS);
    plan->workload.prompt = token_lengths_fixed(CALIBRATE_TOKENS);
    if (open_file(options, *data, plan, err) < 0)
        return -1;
    log_debug(&app->log, "%s is read as %s", path, plan->workload.data.format);
    return 0;
}

void prepare_data_free(struct prepare_data *data)
{
    if (!data)
        return;
    dataset_free(data->dataset);
    free(data->columns_text);
    free(data);
}

bool prepare_data_has_texts(const struct prepare_data *data)
{
    return data && strcmp(dataset_recognised(data->dataset)->name, "mooncake") != 0;
}
