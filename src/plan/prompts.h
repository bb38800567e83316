/* Prompts of an exact length as the server counts them, without a tokenizer, and never twice the same.
 *
 * body(i) = f(material, seed, nonce, level, repeat, i) is pure: any worker, shard or resumed run makes the same bytes for the same
 * index, in any order. The material is what calibration learned about the server:
 *   token ids  (completions, where the server takes arrays): ids are drawn, the length is exact by construction;
 *   text       words whose marginal token counts were measured, drawn so that the sum is exact, behind a fixed overhead (chat template, BOS).
 * The first tokens of every prompt are drawn from (nonce, level, repeat, i), so no prefix cache serves what an earlier prompt left
 * there; the body's rest from (seed, level, repeat, i). Lengths are drawn from (seed, level, repeat, i).
 * A shared prefix is drawn from (seed, nonce, group), the group from (seed, level, repeat, i): it stands before that head.
 *
 * Of conversations, request i of a level of n streams carries what its stream said in requests i - n, i - 2n, ... of the same conversation, and answers
 * of the lengths that were asked for, drawn from (seed, level, repeat, i): what the server really answered has no part in it.
 *
 * prompts.jsonl.gz: first line {"schema":"roibench/prompts/v1",...}, then the material, one JSON object a line. */
#ifndef ROIBENCH_PLAN_PROMPTS_H
#define ROIBENCH_PLAN_PROMPTS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "plan/plan.h"

struct prompts;

/* Reads <folder>/prompts.jsonl.gz for this plan (borrowed; must outlive the prompts). */
struct prompts *prompts_read(const struct plan *plan, const char *folder, struct error *err);
/* The same from calibration's material, which is taken over (*material is empty afterwards). */
struct material;
struct prompts *prompts_new(const struct plan *plan, struct material *material);
void prompts_free(struct prompts *prompts);
/* From here on the prompts are those of a data file's rows, which are taken over (plan/dataset_body.h). prompts_read does it by itself. */
struct dataset_rows;
void prompts_use_rows(struct prompts *prompts, struct dataset_rows *rows);

struct prompt_lengths {
    int64_t prompt_tokens, output_tokens;
};

/* Not thread-safe: the prompts hold working memory.
 * Puts the request's JSON body into *out (reset first; its ceiling holds PROMPT_BODY_MAX). Hot path: no DOM, a few microseconds per 100 tokens. */
#define PROMPT_BODY_MAX ((size_t)64 << 20)
int prompts_body(struct prompts *prompts, int level, int repeat, int64_t i, struct buf *out, struct prompt_lengths *lengths,
                 struct error *err);

#endif
