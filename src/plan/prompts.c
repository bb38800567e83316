#include "plan/prompts.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "plan/dataset_body.h"
#include "plan/material.h"
#include "plan/scenario.h"
#include "wire/openai_request.h"

#define MESSAGES "\"messages\":["

struct prompts {
    const struct plan *plan;
    struct material material;
    uint64_t nonce;
    struct dataset_body *data; /* NULL: prompts are made */
    /* Used again for each body: one thread, one struct prompts. */
    struct buf text, member;
    int32_t *ids;
    size_t id_capacity;
};

/* 128 bits folded into the 64 that a seed has. */
static uint64_t fold_nonce(const char *nonce)
{
    char half[17] = "";
    memcpy(half, nonce, 16);
    uint64_t high = strtoull(half, NULL, 16);
    return high ^ (strtoull(nonce + 16, NULL, 16) * UINT64_C(0x9e3779b97f4a7c15));
}

static int open_rows(struct prompts *prompts, const char *folder, struct error *err)
{
    int64_t planned = prompts->plan->workload.data.rows;
    struct dataset_rows *rows = dataset_rows_open(folder, err);
    if (!rows)
        return -1;
    int64_t found = dataset_rows_count(rows);
    prompts_use_rows(prompts, rows);
    if (found != planned)
        return error_set(err, ERROR_USAGE, "%s/" DATASET_ROWS_FILE " has %lld rows, and the plan %lld. Prepare the run again", folder,
                         (long long)found, (long long)planned);
    return 0;
}

void prompts_use_rows(struct prompts *prompts, struct dataset_rows *rows)
{
    dataset_body_free(prompts->data);
    prompts->data = dataset_body_new(prompts->plan, &prompts->material, prompts->nonce, rows);
}

struct prompts *prompts_read(const struct plan *plan, const char *folder, struct error *err)
{
    cleanup_free char *path = file_join(folder, "prompts.jsonl.gz");
    struct material material;
    int status = material_read(&material, path, err);
    if (status == 0 && material.ids && plan->workload.endpoint == ENDPOINT_CHAT)
        status = error_set(err, ERROR_USAGE, "%s: token ids are no prompts of a chat. Prepare the run again", path);
    if (status < 0) {
        material_free(&material);
        return NULL;
    }
    struct prompts *prompts = prompts_new(plan, &material);
    if (plan->workload.data.rows == 0 || open_rows(prompts, folder, err) == 0)
        return prompts;
    prompts_free(prompts);
    return NULL;
}

struct prompts *prompts_new(const struct plan *plan, struct material *material)
{
    struct prompts *prompts = mem_alloc(sizeof *prompts);
    prompts->plan = plan;
    prompts->material = *material;
    *material = (struct material){0};
    prompts->nonce = fold_nonce(plan->nonce);
    prompts->text = BUF_INIT(PROMPT_BODY_MAX);
    prompts->member = BUF_INIT(PROMPT_BODY_MAX);
    return prompts;
}

void prompts_free(struct prompts *prompts)
{
    if (!prompts)
        return;
    dataset_body_free(prompts->data);
    material_free(&prompts->material);
    buf_free(&prompts->text);
    buf_free(&prompts->member);
    free(prompts->ids);
    free(prompts);
}

/* What a prompt's parts are drawn from. */
struct sources {
    struct random head, tail, prefix_head, prefix_tail;
    int64_t prefix_tokens;
};

/* Of a prefix, everything depends on its group: it is the same in all levels. */
static void derive_sources(const struct prompts *prompts, uint64_t where, int64_t i, struct sources *sources)
{
    const struct workload *workload = &prompts->plan->workload;
    uint64_t seed = prompts->plan->seed, heads = workload->allow_prefix_cache ? seed : prompts->nonce;
    random_derive(&sources->head, heads, "head", where, (uint64_t)i);
    random_derive(&sources->tail, seed, "body", where, (uint64_t)i);
    sources->prefix_tokens = workload->shared_prefix_tokens;
    if (sources->prefix_tokens == 0)
        return;
    struct random groups;
    random_derive(&groups, seed, "prefix-group", where, (uint64_t)i);
    uint64_t group = random_below(&groups, (uint64_t)workload->shared_prefix_groups);
    random_derive(&sources->prefix_head, heads, "prefix-head", group, 0);
    random_derive(&sources->prefix_tail, seed, "prefix", group, 0);
}

static void draw_ids(struct prompts *prompts, int64_t tokens, struct sources *sources, struct openai_request *request)
{
    MEM_GROW(prompts->ids, prompts->id_capacity, (size_t)tokens);
    material_draw_ids(&prompts->material, sources->prefix_tokens, &sources->prefix_head, &sources->prefix_tail, prompts->ids);
    material_draw_ids(&prompts->material, tokens - sources->prefix_tokens, &sources->head, &sources->tail, prompts->ids + sources->prefix_tokens);
    request->token_ids = prompts->ids;
    request->token_count = (size_t)tokens;
}

static void draw_text(struct prompts *prompts, int64_t tokens, struct sources *sources, struct openai_request *request)
{
    const struct material *material = &prompts->material;
    int64_t left = tokens - material->overhead;
    buf_reset(&prompts->text);
    if (sources->prefix_tokens > 0) {
        left -= material_draw_text(material, sources->prefix_tokens, &sources->prefix_head, &sources->prefix_tail, &prompts->text, NULL);
        material_draw_more(material, left, &sources->head, &sources->tail, &prompts->text);
    } else {
        material_draw_text(material, left, &sources->head, &sources->tail, &prompts->text, NULL);
    }
    request->text = buf_text(&prompts->text);
    request->text_length = prompts->text.len;
}

/* A piece of text behind what is there, with an opening of its own where it is a message's. */
static void draw_piece(struct prompts *prompts, int64_t tokens, bool opening, struct random *head, struct random *tail)
{
    if (opening)
        buf_append_text(&prompts->text, MATERIAL_OPENING);
    material_draw_more(&prompts->material, tokens, head, tail, &prompts->text);
}

static void end_message(struct prompts *prompts, const char *role)
{
    buf_printf(&prompts->member, "%s{\"role\":\"%s\",\"content\":", prompts->member.len > strlen(MESSAGES) ? "," : MESSAGES, role);
    json_append_quoted(&prompts->member, buf_text(&prompts->text), prompts->text.len);
    buf_append_char(&prompts->member, '}');
    buf_reset(&prompts->text);
}

/* What is said in the turns before this one is drawn again, each with its own index; so are answers, as long as they were asked for. */
struct said {
    struct sources sources;
    struct random answer;
    int64_t prompt_tokens, output_tokens;
};

static void derive_said(const struct prompts *prompts, uint64_t where, int64_t i, struct said *said)
{
    const struct workload *workload = &prompts->plan->workload;
    struct random sizes;
    random_derive(&sizes, prompts->plan->seed, "lengths", where, (uint64_t)i);
    random_derive(&said->answer, prompts->plan->seed, "answer", where, (uint64_t)i);
    derive_sources(prompts, where, i, &said->sources);
    said->prompt_tokens = token_lengths_draw(&workload->prompt, &sizes);
    said->output_tokens = token_lengths_draw(&workload->output, &sizes);
}

/* Turn 0 is a prompt as any other; a later one adds the answer before it and its own message. */
static void add_turn(struct prompts *prompts, bool first, bool last, struct said *said, int64_t *total, struct openai_request *request)
{
    bool ids = prompts->material.ids != NULL;
    int64_t tokens = said->prompt_tokens, answer = last ? 0 : said->output_tokens;
    struct random *head = &said->sources.head, *tail = &said->sources.tail;
    MEM_GROW(prompts->ids, prompts->id_capacity, ids ? (size_t)(*total + tokens + answer) : 1);
    if (first && ids)
        draw_ids(prompts, tokens, &said->sources, request);
    else if (first)
        draw_text(prompts, tokens, &said->sources, request);
    else if (ids)
        material_draw_ids(&prompts->material, tokens, head, tail, prompts->ids + *total);
    else
        draw_piece(prompts, tokens - prompts->plan->calibration.turn_tokens, request->chat, head, tail);
    if (request->chat)
        end_message(prompts, "user");
    *total += tokens;
    if (last)
        return;
    if (ids)
        material_draw_ids(&prompts->material, answer, &said->answer, &said->answer, prompts->ids + *total);
    else
        draw_piece(prompts, answer, request->chat, &said->answer, &said->answer);
    if (request->chat)
        end_message(prompts, "assistant");
    *total += answer;
}

static void draw_conversation(struct prompts *prompts, int level, uint64_t where, int64_t i, struct openai_request *request,
                              struct prompt_lengths *lengths)
{
    int64_t streams = (int64_t)prompts->plan->levels[level].load, turn = plan_turn(prompts->plan, streams, i).turn, total = 0;
    struct said said = {.output_tokens = 0};
    buf_reset(&prompts->member);
    for (int64_t k = 0; k <= turn; k++) {
        derive_said(prompts, where, i - (turn - k) * streams, &said);
        add_turn(prompts, k == 0, k == turn, &said, &total, request);
    }
    lengths->prompt_tokens = total;
    lengths->output_tokens = said.output_tokens;
    if (request->chat) {
        buf_append_char(&prompts->member, ']');
        request->member = buf_text(&prompts->member);
        request->member_length = prompts->member.len;
    } else if (prompts->material.ids) {
        request->token_ids = prompts->ids;
        request->token_count = (size_t)total;
    } else {
        request->text = buf_text(&prompts->text);
        request->text_length = prompts->text.len;
    }
}

int prompts_body(struct prompts *prompts, int level, int repeat, int64_t i, struct buf *out, struct prompt_lengths *lengths,
                 struct error *err)
{
    const struct plan *plan = prompts->plan;
    const struct server_identity *server = &plan->server;
    uint64_t where = ((uint64_t)(unsigned)level << 32) | (uint64_t)(unsigned)repeat;
    struct random sizes;
    struct sources sources;
    random_derive(&sizes, plan->seed, "lengths", where, (uint64_t)i);
    struct openai_request request = {
        .model = plan->model,
        .chat = plan->workload.endpoint == ENDPOINT_CHAT,
        .max_completion_tokens = server->max_completion_tokens,
        .ignore_eos = server->ignore_eos,
        .stream = true,
        .include_usage = server->usage,
        .continuous_usage = server->usage && server->continuous_usage,
        .no_prompt_cache = strcmp(server->kind, "llamacpp") == 0 && !plan->workload.allow_prefix_cache && plan->workload.shared_prefix_tokens == 0 &&
                           plan->workload.turns <= 1,
    };
    if (prompts->data) {
        if (dataset_body_fill(prompts->data, level, repeat, i, &request, lengths, err) < 0)
            return -1;
    } else if (plan->workload.turns > 1) {
        draw_conversation(prompts, level, where, i, &request, lengths);
    } else {
        lengths->prompt_tokens = token_lengths_draw(&plan->workload.prompt, &sizes);
        lengths->output_tokens = token_lengths_draw(&plan->workload.output, &sizes);
        derive_sources(prompts, where, i, &sources);
        (prompts->material.ids ? draw_ids : draw_text)(prompts, lengths->prompt_tokens, &sources, &request);
    }
    request.max_tokens = lengths->output_tokens;
    buf_reset(out);
    bool whole = !prompts->text.overflowed && !prompts->member.overflowed && !(prompts->data && prompts->data->text.overflowed);
    if (!whole || openai_request_write(&request, out) < 0)
        return error_set(err, ERROR_USAGE, "the body of a request with %lld prompt tokens is too large", (long long)lengths->prompt_tokens);
    return 0;
}
