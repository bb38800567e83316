#include "cmd/roibench/prepare_learn.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cmd/roibench/prepare_convert.h"
#include "plan/calibrate.h"
#include "plan/prompts.h"
#include "probe/count.h"
#include "probe/identify.h"
#include "probe/ready.h"
#include "probe/trial.h"
#include "wire/openai_request.h"

#define TIMED_REPEAT (-1)          /* no level's body has it: the timed request is none of them */
#define CHECK_TOKENIZE_MAX 32768   /* tokens of a prompt that is counted by /tokenize, */
#define CHECK_USAGE_MAX 1024       /* and by a request, which costs a prefill: a longer one is counted when it is timed */
#define TOKEN_TIME_MAX NS_PER_S    /* a request that takes longer than this for each token of its answer is given up */
#define TURN_WORDS 40 /* tokens of a message by which turns are learned */
#define WORDS_MAX ((size_t)16 << 10)
#define HEAD_BITS_ENOUGH 48        /* of a million prompts, two begin alike in one run of five hundred */
#define REFUSAL_TIMEOUT_NS (10 * NS_PER_S) /* a server that refuses does so at once */

CLEANUP_DEFINE(struct prompts, prompts_free)

/* --- lengths --------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static size_t keep_distinct(int32_t *ids, size_t count)
{
    size_t kept = 0;
    qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t k = 0; k < count; k++)
        if (kept == 0 || ids[kept - 1] != ids[k])
            ids[kept++] = ids[k];
    return kept;
}

/* Draws prompts of ids as the run will and lets the server count them. */
static int check_ids(struct counter *counter, const struct plan *plan, const struct material *material, bool *exact, struct error *err)
{
    int64_t lengths[CALIBRATE_CHECKS];
    calibrate_draw_lengths(&plan->workload.prompt, CHECK_USAGE_MAX, plan->seed, lengths);
    *exact = true;
    for (int k = 0; k < CALIBRATE_CHECKS; k++) {
        cleanup_free int32_t *ids = mem_calloc((size_t)lengths[k], sizeof *ids);
        struct random random;
        random_derive(&random, plan->seed, "calibrate-ids", (uint64_t)k, 0);
        material_draw_ids(material, lengths[k], &random, &random, ids);
        int64_t counted = counter_count_ids(counter, ids, (size_t)lengths[k], err);
        if (counted < 0)
            return -1;
        *exact = *exact && counted == lengths[k];
    }
    return 0;
}

/* The ids of ordinary words are ordinary ones, never special. */
static int learn_ids(struct counter *counter, struct plan *plan, struct material *material, struct error *err)
{
    cleanup_buf struct buf words = BUF_INIT(WORDS_MAX);
    calibrate_append_words(language_find(plan->workload.language), &words);
    material->ids = mem_calloc(MATERIAL_COUNT_MAX, sizeof *material->ids);
    int64_t count = counter_token_ids(counter, buf_text(&words), material->ids, MATERIAL_COUNT_MAX, err);
    if (count <= 0)
        return count < 0 ? -1 : error_set(err, ERROR_TARGET, "/tokenize gives no token ids");
    material->id_count = keep_distinct(material->ids, (size_t)count);
    plan->calibration.method = "token_ids";
    return check_ids(counter, plan, material, &plan->calibration.exact, err);
}

static int learn_words(struct counter *counter, struct plan *plan, struct material *material, struct error *err)
{
    int64_t most = counter->tokenize ? CHECK_TOKENIZE_MAX : CHECK_USAGE_MAX, room = counter->tokenize ? 0 : plan->server.max_model_len;
    struct calibrate_counter ask = {
        .count = counter_count,
        .context = counter,
        .check_max = room > 0 && room / 2 < most ? room / 2 : most,
        .chat = plan->workload.endpoint == ENDPOINT_CHAT,
        .room = room > 0 ? room : 0,
    };
    plan->calibration.method = counter->tokenize ? "tokenize" : "usage";
    if (calibrate_text(&ask, language_find(plan->workload.language), &plan->workload.prompt, plan->seed, material, &plan->calibration.exact, err) < 0)
        return -1;
    plan->calibration.template_tokens = material->overhead;
    return 0;
}

static void append_message(const struct material *material, const char *role, int64_t tokens, struct random *random, struct buf *out)
{
    cleanup_buf struct buf text = BUF_INIT(WORDS_MAX);
    material_draw_text(material, tokens, random, random, &text, NULL);
    buf_printf(out, "%s{\"role\":\"%s\",\"content\":", out->len > 0 ? "," : "\"messages\":[", role);
    json_append_quoted(out, buf_text(&text), text.len);
    buf_append_char(out, '}');
}

/* What the template puts around an answer and the message behind it: it is counted once more with others. */
static int learn_turns(struct counter *counter, struct plan *plan, const struct material *material, struct error *err)
{
    int64_t counted[2];
    for (int k = 0; k < 2; k++) {
        cleanup_buf struct buf messages = BUF_INIT(WORDS_MAX);
        struct random random;
        int64_t tokens = TURN_WORDS * (k + 1);
        random_derive(&random, plan->seed, "calibrate-turns", (uint64_t)k, 0);
        append_message(material, "user", tokens, &random, &messages);
        append_message(material, "assistant", tokens, &random, &messages);
        append_message(material, "user", tokens, &random, &messages);
        buf_append_char(&messages, ']');
        int64_t all = counter_count_member(counter, buf_text(&messages), messages.len, err);
        if (all < 0)
            return -1;
        counted[k] = all - material->overhead - 3 * tokens;
    }
    plan->calibration.exact = plan->calibration.exact && counted[0] == counted[1] && counted[0] >= 0;
    plan->calibration.turn_tokens = counted[0] > 0 ? counted[0] : 0;
    if (plan->workload.prompt.min <= plan->calibration.turn_tokens)
        return error_set(err, ERROR_USAGE, "--prompt-tokens: %" PRId64 " tokens are too few for a later turn: the chat template and the openings alone are %" PRId64
                         " there", plan->workload.prompt.min, plan->calibration.turn_tokens);
    return 0;
}

static int learn_lengths(const struct app *app, const struct probe *probe, struct plan *plan, const struct prepare_data *data,
                         struct material *material, struct error *err)
{
    struct counter counter = {.probe = probe, .model = plan->model, .tokenize = plan->server.tokenize,
                              .max_completion_tokens = plan->server.max_completion_tokens};
    int status = plan->server.token_ids && !prepare_data_has_texts(data) ? learn_ids(&counter, plan, material, err) : learn_words(&counter, plan, material, err);
    if (status < 0)
        return -1;
    if (plan->workload.turns > 1 && !data && plan->workload.endpoint == ENDPOINT_CHAT && learn_turns(&counter, plan, material, err) < 0)
        return -1;
    log_debug(&app->log, "prompt lengths learned by %" PRId64 " requests (%s)", counter.asked, plan->calibration.method);
    int64_t own = plan->workload.prompt.min - plan->workload.shared_prefix_tokens;
    if (plan->workload.shared_prefix_tokens > 0 && own <= material->overhead)
        return error_set(err, ERROR_USAGE, "--shared-prefix-tokens: a prefix of %" PRId64 " tokens, and %" PRId64 " of the chat template and the opening, leave "
                         "nothing of a prompt of %" PRId64, plan->workload.shared_prefix_tokens, material->overhead, plan->workload.prompt.min);
    double bits = material_head_bits(material, own);
    if (bits < HEAD_BITS_ENOUGH)
        log_warning(&app->log, "prompts of %" PRId64 " tokens have room for %.0f bits only that tell them apart: some may be alike, and be "
                    "served from a prefix cache", own, floor(bits));
    return 0;
}

/* --- the longest request ----------------------------------------------------------------------- */

/* The server's own words for a request that does not fit; 0 when it takes it all the same. */
static int ask_too_long(const struct probe *probe, const struct plan *plan, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(PROMPT_BODY_MAX), body = BUF_INIT(PROMPT_BODY_MAX);
    struct trial trial;
    for (int64_t k = 0; k < plan->workload.prompt.max; k++)
        buf_append_text(&text, " time");
    struct openai_request request = {
        .model = plan->model,
        .chat = plan->workload.endpoint == ENDPOINT_CHAT,
        .text = buf_text(&text),
        .text_length = text.len,
        .max_tokens = plan->workload.output.max,
        .max_completion_tokens = plan->server.max_completion_tokens,
        .stream = true,
    };
    if (text.overflowed || openai_request_write(&request, &body) < 0)
        return 0;
    return trial_send(probe, body.data, body.len, REFUSAL_TIMEOUT_NS, &trial, err);
}

static int check_context(const struct probe *probe, const struct plan *plan, struct error *err)
{
    int64_t prompt = plan_max_prompt_tokens(plan), output = plan->workload.output.max, room = plan->server.max_model_len;
    if (room <= 0 || plan->workload.data.file[0] || prompt + output <= room) /* of data, row by row */
        return 0;
    struct error said = {.class = ERROR_NONE};
    ask_too_long(probe, plan, &said);
    return error_set(err, ERROR_TARGET, "prompts of %" PRId64 " and answers of %" PRId64 " tokens do not fit into the model's context of %" PRId64
                     " tokens. Ask for fewer by --prompt-tokens and --output-tokens%s%s%.1200s", prompt, output, room,
                     plan->workload.turns > 1 ? ", or --turns" : "", said.text[0] ? ". " : "", said.text);
}

/* The answer's time limit grows with its length. */
static int64_t time_limit(const struct plan *plan, const struct prompt_lengths *lengths)
{
    if (plan->limits.timeout_ns > 0)
        return plan->limits.timeout_ns;
    return PROBE_TIMEOUT_NS + lengths->output_tokens * TOKEN_TIME_MAX;
}

static void judge_trial(const struct app *app, const struct trial *trial, const struct prompt_lengths *asked, struct plan *plan)
{
    if (trial->prompt_tokens >= 0 && trial->prompt_tokens != asked->prompt_tokens && plan->calibration.exact) {
        plan->calibration.exact = false;
        log_warning(&app->log, "a prompt of %" PRId64 " tokens was counted as %" PRId64 " by the server's usage: lengths are not exact",
                    asked->prompt_tokens, trial->prompt_tokens);
    } else if (!plan->calibration.exact && plan->workload.data.rows == 0) {
        log_warning(&app->log, "the server's tokenizer does not count words alike everywhere: prompts will be near the length asked for, not "
                    "exactly at it");
    }
    if (!plan->server.ignore_eos)
        log_warning(&app->log, "the server does not take ignore_eos: answers may be shorter than asked");
    else if (trial->output_tokens >= 0 && trial->output_tokens != asked->output_tokens) {
        plan->server.ignore_eos = false; /* taken, and not heeded */
        log_warning(&app->log, "an answer of %" PRId64 " tokens was asked for and %" PRId64 " came: the server does not keep to lengths",
                    asked->output_tokens, trial->output_tokens);
    }
    if (!plan->server.usage)
        log_warning(&app->log, "the server gives no usage: tokens are counted by chunks");
}

/* One full-length request (of data: the first row's; takes the rows over), alone: proves that the plan can be carried out, and times it. */
static int time_request(const struct app *app, const struct probe *probe, struct plan *plan, struct material *material, struct dataset_rows *rows,
                        struct error *err)
{
    cleanup_buf struct buf body = BUF_INIT(PROMPT_BODY_MAX);
    cleanup_with(prompts_free) struct prompts *prompts = prompts_new(plan, material);
    struct prompt_lengths lengths;
    struct trial trial;
    if (rows)
        prompts_use_rows(prompts, rows);
    int64_t last_turn = plan->workload.turns > 1 ? (plan->workload.turns - 1) * (int64_t)plan->levels[0].load : 0;
    if (prompts_body(prompts, 0, TIMED_REPEAT, last_turn, &body, &lengths, err) < 0 ||
        trial_send(probe, body.data, body.len, time_limit(plan, &lengths), &trial, err) < 0)
        return -1;
    plan->calibration.e2e_ns = trial.e2e_ns;
    judge_trial(app, &trial, &lengths, plan);
    return 0;
}

/* --- all of it --------------------------------------------------------------------------------- */

/* What one of them is asked by, the other must understand. */
static bool understand_the_same(const struct server_identity *a, const struct server_identity *b)
{
    return strcmp(a->kind, b->kind) == 0 && a->time_scale == b->time_scale && a->usage == b->usage && /* NOLINT: the same number, or not */
           a->continuous_usage == b->continuous_usage && a->ignore_eos == b->ignore_eos && a->token_ids == b->token_ids &&
           a->max_completion_tokens == b->max_completion_tokens;
}

/* The other targets: the same model, on servers alike. `first` was asked already. */
static int check_other_target(const struct app *app, const struct options *options, const struct probe *first, const char **target,
                              const struct plan *plan, struct error *err)
{
    struct probe probe = *first;
    struct openai_models models;
    struct server_identity server = {.kind = ""};
    const struct server_identity *expected = &plan->server;
    size_t index;
    probe.target = *target;
    probe.moved = 0;
    probe.moved_from = NULL;
    if (ready_wait(&probe, plan->model, options_duration(options, "wait", 0), &models, &index, err) < 0)
        return -1;
    int status = identify_server(&probe, plan->model, models.owned_by[index], models.max_model_len[index], plan->arena, &server, err);
    openai_models_free(&models);
    *target = probe.target;
    if (status < 0)
        return -1;
    if (!understand_the_same(expected, &server) || server.max_model_len != expected->max_model_len)
        return error_set(err, ERROR_TARGET, "%s is another server (%s %s, context %" PRId64 ") than %s (%s %s, context %" PRId64 "), or can do other "
                         "things: one run's targets must be alike. Measure them one by one", *target, server.kind, server.version,
                         server.max_model_len, plan->target, expected->kind, expected->version, expected->max_model_len);
    if (strcmp(server.version, expected->version) != 0)
        log_warning(&app->log, "%s is of version %s, and %s of %s", *target, server.version, plan->target, expected->version);
    return 0;
}

/* They differed when they were given; a redirect may have led to another of them. */
static int check_different(const struct plan *plan, size_t index, struct error *err)
{
    const char *target = plan->other_targets[index];
    bool again = strcmp(plan->target, target) == 0;
    for (size_t k = 0; k < index; k++)
        again = again || strcmp(plan->other_targets[k], target) == 0;
    return again ? error_set(err, ERROR_USAGE, "--target: two of them are redirected to %s: give it once", target) : 0;
}

int prepare_check_other_targets(const struct app *app, const struct options *options, const struct probe *probe, struct plan *plan, struct error *err)
{
    for (size_t k = 0; k < plan->other_target_count; k++)
        if (check_other_target(app, options, probe, &plan->other_targets[k], plan, err) < 0 || check_different(plan, k, err) < 0)
            return -1;
    return 0;
}

int prepare_find_model(const struct options *options, struct probe *probe, struct plan *plan, struct error *err)
{
    struct openai_models models;
    size_t index;
    if (ready_wait(probe, options_text(options, "model"), options_duration(options, "wait", 0), &models, &index, err) < 0)
        return -1;
    plan->model = arena_strdup(plan->arena, models.ids[index]);
    plan->target = probe->target;
    int status = identify_server(probe, plan->model, models.owned_by[index], models.max_model_len[index], plan->arena, &plan->server, err);
    openai_models_free(&models);
    return status < 0 ? -1 : check_context(probe, plan, err);
}

int prepare_learn_prompts(const struct app *app, const struct probe *probe, struct plan *plan, struct prepare_data *data, const char *folder,
                          struct error *err)
{
    cleanup_free char *path = folder ? file_join(folder, "prompts.jsonl.gz") : NULL;
    struct material material = {0};
    struct dataset_rows *rows = NULL;
    int status = learn_lengths(app, probe, plan, data, &material, err);
    if (status == 0 && path)
        status = material_write(&material, path, err);
    if (status == 0 && data)
        status = prepare_convert_data(app, probe, data, &material, plan, folder, &rows, err);
    if (status == 0)
        status = time_request(app, probe, plan, &material, rows, err);
    material_free(&material);
    return status;
}
