#include "plan/dataset_body.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"

#define HEAD_MAX ((size_t)4096)

/* --- heads ---------------------------------------------------------------------------------- */

/* Words are sorted by cost: those that cost as much as the first. */
static size_t cheapest(const struct material *material)
{
    size_t count = 0;
    while (count < material->word_count && material->words[count].cost == material->words[0].cost)
        count++;
    return count;
}

int64_t dataset_head_words(const struct material *material)
{
    size_t count = cheapest(material);
    if (count < 2)
        return MATERIAL_HEAD_WORDS;
    return (int64_t)fmin(MATERIAL_HEAD_WORDS, ceil(DATASET_HEAD_BITS / log2((double)count)));
}

int64_t dataset_head_tokens(const struct material *material)
{
    return dataset_head_words(material) * material->words[0].cost;
}

void dataset_append_head(const struct material *material, struct random *random, struct buf *out)
{
    struct buf head = BUF_INIT(HEAD_MAX), quoted = BUF_INIT(6 * HEAD_MAX);
    size_t count = cheapest(material);
    buf_append_text(&head, MATERIAL_OPENING);
    for (int64_t k = dataset_head_words(material); k > 0; k--)
        buf_append_text(&head, material->words[random_below(random, count)].text);
    buf_append_text(&head, "\n\n");
    json_append_quoted(&quoted, head.data, head.len);
    buf_append(out, quoted.data + 1, quoted.len - 2);
    buf_free(&quoted);
    buf_free(&head);
}

/* --- the prompt of a trace ------------------------------------------------------------------- */

struct block {
    int64_t tokens;
    struct random *head; /* NULL: the tail's */
    struct random tail;
};

static void draw_block(struct dataset_body *body, int64_t done, struct block *block)
{
    struct random *head = block->head ? block->head : &block->tail;
    size_t before = body->text.len, opening = strlen(MATERIAL_OPENING);
    if (body->material->ids) {
        material_draw_ids(body->material, block->tokens, head, &block->tail, body->ids + done);
        return;
    }
    material_draw_text(body->material, block->tokens, head, &block->tail, &body->text, NULL);
    if (done > 0 && body->text.len >= before + opening) { /* one opening is enough */
        memmove(body->text.data + before, body->text.data + before + opening, body->text.len - before - opening + 1);
        body->text.len -= opening;
    }
}

/* "46,47" -> 46, and moves behind it; false: none is left. */
static bool next_id(const char **ids, uint64_t *id)
{
    char *end;
    if (!*ids || (**ids != '-' && (**ids < '0' || **ids > '9')))
        return false;
    *id = (uint64_t)strtoll(*ids, &end, 10);
    *ids = *end == ',' ? end + 1 : end;
    return true;
}

static void make_prompt(struct dataset_body *body, const struct dataset_line *line, uint64_t where, int64_t i, struct openai_request *request)
{
    const struct plan *plan = body->plan;
    int64_t tokens = line->prompt_tokens - body->material->overhead;
    const char *ids = line->hash_ids;
    struct random head;
    uint64_t id = 0;
    buf_reset(&body->text);
    MEM_GROW(body->ids, body->id_capacity, body->material->ids ? (size_t)tokens : 0);
    for (int64_t done = 0; done < tokens;) {
        bool shared = next_id(&ids, &id);
        struct block block = {.tokens = tokens - done};
        if (shared && block.tokens > plan->workload.data.block_tokens)
            block.tokens = plan->workload.data.block_tokens;
        if (shared)
            random_derive(&block.tail, plan->seed, "block", id, 0);
        else
            random_derive(&block.tail, plan->seed, "body", where, (uint64_t)i);
        if (done == 0 && !plan->workload.allow_prefix_cache) {
            random_derive(&head, body->nonce, "head", where, shared ? id : (uint64_t)i);
            block.head = &head;
        }
        draw_block(body, done, &block);
        done += block.tokens;
    }
    request->token_ids = body->material->ids ? body->ids : NULL;
    request->token_count = body->material->ids ? (size_t)tokens : 0;
    request->text = buf_text(&body->text);
    request->text_length = body->text.len;
}

/* --- all rows ---------------------------------------------------------------------------------- */

struct dataset_body *dataset_body_new(const struct plan *plan, const struct material *material, uint64_t nonce, struct dataset_rows *rows)
{
    struct dataset_body *body = mem_alloc(sizeof *body);
    *body = (struct dataset_body){.plan = plan, .material = material, .nonce = nonce, .rows = rows, .line = BUF_INIT(DATASET_LINE_MAX),
                                  .text = BUF_INIT(PROMPT_BODY_MAX)};
    return body;
}

void dataset_body_free(struct dataset_body *body)
{
    if (!body)
        return;
    dataset_rows_free(body->rows);
    buf_free(&body->line);
    buf_free(&body->text);
    free(body->ids);
    free(body);
}

static void send_as_it_is(struct dataset_body *body, const struct dataset_line *line, uint64_t where, int64_t i, struct openai_request *request)
{
    request->member = line->member;
    request->member_length = line->member_length;
    if (body->plan->workload.allow_prefix_cache)
        return;
    struct random head;
    random_derive(&head, body->nonce, "head", where, (uint64_t)i);
    buf_reset(&body->text);
    buf_append(&body->text, line->member, line->head);
    dataset_append_head(body->material, &head, &body->text);
    buf_append(&body->text, line->member + line->head, line->member_length - line->head);
    request->member = buf_text(&body->text);
    request->member_length = body->text.len;
}

/* Which row request i takes, and the number that its head is drawn by: turns of one conversation have the same. */
static int64_t choose_row(const struct dataset_body *body, int level, int64_t i, int64_t *number)
{
    const struct plan *plan = body->plan;
    const struct workload *workload = &plan->workload;
    int64_t count = dataset_rows_count(body->rows);
    *number = i;
    if (workload->turns <= 1)
        return dataset_row_of(i, count, workload->data.shuffled, plan->seed);
    struct turn turn = plan_turn(plan, (int64_t)plan->levels[level].load, i);
    *number = turn.conversation;
    return dataset_row_of(turn.conversation, count / workload->turns, workload->data.shuffled, plan->seed) * workload->turns + turn.turn;
}

int dataset_body_fill(struct dataset_body *body, int level, int repeat, int64_t i, struct openai_request *request, struct prompt_lengths *lengths,
                      struct error *err)
{
    uint64_t where = ((uint64_t)(unsigned)level << 32) | (uint64_t)(unsigned)repeat;
    struct dataset_line line;
    int64_t number, row = choose_row(body, level, i, &number);
    if (dataset_rows_read(body->rows, row, &body->line, &line, err) < 0)
        return -1;
    *lengths = (struct prompt_lengths){.prompt_tokens = line.prompt_tokens, .output_tokens = line.output_tokens};
    if (!line.member && (line.prompt_tokens <= body->material->overhead || line.prompt_tokens > PLAN_TOKENS_MAX))
        return error_set(err, ERROR_USAGE, DATASET_ROWS_FILE ": line %lld: a prompt of %lld tokens cannot be made", (long long)row + 1,
                         (long long)line.prompt_tokens);
    if (line.member && !body->material->words)
        return error_set(err, ERROR_USAGE, DATASET_ROWS_FILE ": texts need words for their heads, and prompts.jsonl.gz has token ids. Prepare the run again");
    if (line.member)
        send_as_it_is(body, &line, where, number, request);
    else
        make_prompt(body, &line, where, number, request);
    return 0;
}
