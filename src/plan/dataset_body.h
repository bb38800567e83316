/* From a row of a data file to the prompt of a request: a pure function of (row, material, seed, nonce, level, repeat, i).
 *
 * A text or the messages of a chat are sent as they are, behind a head: the opening and a few words that the nonce decides, and an empty
 * line, so that no prefix cache knows the prompt from before. Heads are made of words of one cost, so every head is equally long.
 *
 * In a plan with turns, so many rows after one another are those of a conversation, each with all that was said before; they have one head, and one
 * stream sends them.
 *
 * The prompt of a trace's row is made of the material, exactly as long as the row says: block k of its text is drawn from the
 * row's k-th hash id, so equal ids are equal blocks, and a prefix cache meets in a level what the trace had. Its first words are drawn
 * from the nonce, the level, the repeat and the first id. Rows without ids have prompts of their own. */
#ifndef ROIBENCH_PLAN_DATASET_BODY_H
#define ROIBENCH_PLAN_DATASET_BODY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "plan/dataset_rows.h"
#include "plan/material.h"
#include "plan/plan.h"
#include "plan/prompts.h"
#include "wire/openai_request.h"

#define DATASET_HEAD_BITS 48 /* that tell one head from another */

/* How many words a head has, and what they cost without the opening. */
int64_t dataset_head_words(const struct material *material);
int64_t dataset_head_tokens(const struct material *material);
/* Appends a head as it stands inside a JSON text. */
void dataset_append_head(const struct material *material, struct random *random, struct buf *out);

struct dataset_body {
    const struct plan *plan;         /* borrowed, as the material */
    const struct material *material;
    uint64_t nonce;
    struct dataset_rows *rows; /* owned */
    struct buf line, text;
    int32_t *ids;
    size_t id_capacity;
};

/* Takes the rows over. */
struct dataset_body *dataset_body_new(const struct plan *plan, const struct material *material, uint64_t nonce, struct dataset_rows *rows);
void dataset_body_free(struct dataset_body *body);

/* The prompt of request i, and the answer's length; what request points to lives until the next call. */
int dataset_body_fill(struct dataset_body *body, int level, int repeat, int64_t i, struct openai_request *request, struct prompt_lengths *lengths,
                      struct error *err);

#endif
