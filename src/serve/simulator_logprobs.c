/* Log probabilities that a model could have had: the token that came has more than half, each one after it half of what is left. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "serve/simulator_state.h"
#include "serve/tokenizer.h"

#define TOKEN_NAME_MAX sizeof ((struct logprobs_candidate *)0)->name
#define LEAST_PROBABILITY 0.55 /* of the token that came; between this and this + PROBABILITY_SPREAD */
#define PROBABILITY_SPREAD 0.4
#define LN_2 0.69314718055994531

/* rank 0: the token that came. */
static const char *candidate_text(const struct generation *generation, int64_t index, int64_t rank)
{
    return rank == 0 ? output_piece(generation, index) : tokenizer_alternative(generation->seed, index, rank);
}

/* As a reply names it: its text, or "token_id:N". Returns its length. */
static size_t name_candidate(const struct generation *generation, int64_t index, int64_t rank, char name[TOKEN_NAME_MAX])
{
    const char *text = candidate_text(generation, index, rank);
    uint32_t id = rank == 0 ? output_token_id(generation, index) : tokenizer_id(text, strlen(text));
    if (generation->answer->task.tokens_as_ids)
        return (size_t)snprintf(name, TOKEN_NAME_MAX, "token_id:%" PRIu32, id);
    return (size_t)snprintf(name, TOKEN_NAME_MAX, "%s", text);
}

static double logprob(const struct generation *generation, int64_t index, int64_t rank)
{
    uint64_t mixed = (generation->seed * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)index) * UINT64_C(0xbf58476d1ce4e5b9);
    double first = LEAST_PROBABILITY + PROBABILITY_SPREAD * (double)(mixed >> 11) * 0x1p-53;
    return rank == 0 ? log(first) : log1p(-first) - LN_2 * (double)rank;
}

void logprobs_candidate(const struct generation *generation, int64_t index, int64_t rank, struct logprobs_candidate *candidate)
{
    const char *text = candidate_text(generation, index, rank);
    candidate->id = rank == 0 ? output_token_id(generation, index) : tokenizer_id(text, strlen(text));
    candidate->length = name_candidate(generation, index, rank, candidate->name);
    candidate->logprob = logprob(generation, index, rank);
}

/* --- chat ------------------------------------------------------------------------------------ */

static void append_candidate(const struct generation *generation, int64_t index, int64_t rank, struct buf *out)
{
    char name[TOKEN_NAME_MAX];
    size_t length = name_candidate(generation, index, rank, name);
    buf_append_text(out, "{\"token\":");
    json_append_quoted(out, name, length);
    buf_printf(out, ",\"logprob\":%.16g,\"bytes\":[", logprob(generation, index, rank));
    for (size_t k = 0; k < length; k++)
        buf_printf(out, k ? ",%d" : "%d", (unsigned char)name[k]);
    buf_append_char(out, ']');
}

void logprobs_append_content(const struct generation *generation, int64_t from, logprobs_candidate_writer *write, struct buf *out)
{
    buf_append_text(out, "{\"content\":[");
    for (int64_t k = from; k < generation->scheduled.output_tokens && !out->overflowed; k++) {
        if (k > from)
            buf_append_char(out, ',');
        write(generation, k, 0, out);
        buf_append_text(out, ",\"top_logprobs\":[");
        for (int64_t rank = 0; rank < generation->answer->task.top_logprobs; rank++) {
            if (rank > 0)
                buf_append_char(out, ',');
            write(generation, k, rank, out);
            buf_append_char(out, '}');
        }
        buf_append_text(out, "]}");
    }
    buf_append_text(out, "]}");
}

/* --- completions ----------------------------------------------------------------------------- */

static void append_offsets(struct generation *generation, int64_t from, struct buf *out)
{
    char name[TOKEN_NAME_MAX];
    for (int64_t k = from; k < generation->scheduled.output_tokens; k++) {
        buf_printf(out, k > from ? ",%zu" : "%zu", generation->logprobs_offset);
        generation->logprobs_offset += name_candidate(generation, k, 0, name);
    }
}

static void append_names(const struct generation *generation, int64_t from, struct buf *out)
{
    char name[TOKEN_NAME_MAX];
    for (int64_t k = from; k < generation->scheduled.output_tokens; k++) {
        size_t length = name_candidate(generation, k, 0, name);
        if (k > from)
            buf_append_char(out, ',');
        json_append_quoted(out, name, length);
    }
}

/* vLLM shows the token that came even when none is asked for. */
static void append_tops(const struct generation *generation, int64_t from, struct buf *out)
{
    int64_t shown = generation->answer->task.top_logprobs > 0 ? generation->answer->task.top_logprobs : 1;
    char name[TOKEN_NAME_MAX];
    for (int64_t k = from; k < generation->scheduled.output_tokens && !out->overflowed; k++) {
        buf_append_text(out, k > from ? ",{" : "{");
        for (int64_t rank = 0; rank < shown; rank++) {
            size_t length = name_candidate(generation, k, rank, name);
            if (rank > 0)
                buf_append_char(out, ',');
            json_append_quoted(out, name, length);
            buf_printf(out, ":%.16g", logprob(generation, k, rank));
        }
        buf_append_char(out, '}');
    }
}

static void append_completion(struct generation *generation, int64_t from, struct buf *out)
{
    buf_append_text(out, "{\"text_offset\":[");
    append_offsets(generation, from, out);
    buf_append_text(out, "],\"token_logprobs\":[");
    for (int64_t k = from; k < generation->scheduled.output_tokens; k++)
        buf_printf(out, k > from ? ",%.16g" : "%.16g", logprob(generation, k, 0));
    buf_append_text(out, "],\"tokens\":[");
    append_names(generation, from, out);
    buf_append_text(out, "],\"top_logprobs\":[");
    append_tops(generation, from, out);
    buf_append_text(out, "]}");
}

void logprobs_append(struct generation *generation, int64_t from, struct buf *out)
{
    buf_append_text(out, ",\"logprobs\":");
    if (!generation->answer->task.logprobs)
        buf_append_text(out, "null");
    else if (generation->answer->task.chat)
        logprobs_append_content(generation, from, append_candidate, out);
    else
        append_completion(generation, from, out);
}
