/* What a choice generates, and where it ends. Its text is a pure function of its seed and the token's index, so its end is
 * known when it begins: nothing has to be looked for while it is generated, and the engine just gets a limit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "serve/simulator_state.h"
#include "serve/tokenizer.h"

#define TEXT_MAX ((size_t)1 << 30)
#define ARGUMENTS_OPEN "{\"text\":\""
#define ARGUMENTS_CLOSE "\"}"

/* An end that has been found: the number of tokens up to it, and what it is. */
struct ending {
    int64_t tokens;
    const struct simulator_stop *stop; /* a string */
    uint32_t id;                       /* a stop token; 0: none */
    bool eos;
    size_t text; /* bytes of what is to be sent, when a stop string ended it */
};

/* The n-th token is the end with probability p, if none before was: the first that may be is min_tokens + 1. */
static void draw_eos(const struct generation *generation, struct ending *ending)
{
    const struct simulator_settings *settings = &generation->answer->simulator->settings;
    const struct simulator_task *task = &generation->answer->task;
    struct random random;
    if (task->ignore_eos || settings->eos_probability <= 0)
        return;
    random_derive(&random, settings->seed, "eos", generation->seed, 0);
    double number = (double)task->min_tokens + 1;
    if (settings->eos_probability < 1)
        number += floor(log1p(-random_uniform(&random)) / log1p(-settings->eos_probability));
    if (number > (double)ending->tokens)
        return;
    ending->tokens = (int64_t)number;
    ending->eos = true;
}

static int compare_ids(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void find_stop_token(const struct generation *generation, struct ending *ending)
{
    const struct simulator_task *task = &generation->answer->task;
    for (int64_t k = task->min_tokens; k < ending->tokens - ending->eos && task->stop_id_count > 0; k++) {
        uint32_t id = tokenizer_output_id(generation->seed, k);
        if (!bsearch(&id, task->stop_ids, task->stop_id_count, sizeof id, compare_ids))
            continue;
        *ending = (struct ending){.tokens = k + 1, .id = id};
        return;
    }
}

/* The first stop string, in the order they were given, of which a part is in the last `fresh` bytes of the text. */
static const struct simulator_stop *match_stop(const struct simulator_task *task, const struct buf *text, size_t fresh, size_t *at)
{
    for (size_t k = 0; k < task->stop_count; k++) {
        const struct simulator_stop *stop = &task->stops[k];
        size_t back = fresh + stop->length - 1, from = text->len > back ? text->len - back : 0;
        const char *found = memmem(text->data + from, text->len - from, stop->text, stop->length);
        if (!found)
            continue;
        *at = (size_t)(found - text->data);
        return stop;
    }
    return NULL;
}

/* Strings are looked for in the text alone: a token that ends the generation has none, reasoning is not searched. */
static void find_stop_string(const struct generation *generation, struct ending *ending)
{
    const struct simulator_task *task = &generation->answer->task;
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    bool silent = ending->eos || (ending->id && !task->include_stop);
    for (int64_t k = generation->reasoning_tokens; k < ending->tokens - silent && task->stop_count > 0; k++) {
        const char *word = tokenizer_output(generation->seed, k);
        size_t fresh = strlen(word), at;
        buf_append(&text, word, fresh);
        const struct simulator_stop *stop = fresh > 0 && k >= task->min_tokens ? match_stop(task, &text, fresh, &at) : NULL;
        if (!stop)
            continue;
        *ending = (struct ending){.tokens = k + 1, .stop = stop, .text = task->include_stop ? at + stop->length : at};
        return;
    }
    ending->text = text.len;
}

void output_plan(struct generation *generation)
{
    const struct simulator_task *task = &generation->answer->task;
    struct ending ending = {.tokens = task->max_tokens};
    int64_t reasoning = task->chat ? generation->answer->simulator->settings.reasoning_tokens : 0;
    draw_eos(generation, &ending);
    generation->reasoning_tokens = reasoning < ending.tokens ? reasoning : ending.tokens;
    if (!task->tool) {
        find_stop_token(generation, &ending);
        find_stop_string(generation, &ending);
    }
    generation->scheduled.output_limit = ending.tokens;
    generation->reasoning_tokens = reasoning < ending.tokens ? reasoning : ending.tokens;
    generation->calls_tool = task->tool && generation->reasoning_tokens < ending.tokens;
    generation->stop = ending.stop;
    generation->stop_id = ending.id;
    generation->eos = ending.eos && !generation->calls_tool;
    generation->stopped = ending.stop || ending.id || ending.eos;
    generation->text_end = ending.text;
    generation->text_token = generation->reasoning_tokens;
}

/* A call's arguments are an object with one text in it, whatever the tool's schema says. */
static const char *argument_piece(const struct generation *generation, int64_t index)
{
    bool first = index == generation->reasoning_tokens, last = index == generation->scheduled.output_limit - 1;
    if (first || last)
        return first && last ? "{}" : first ? ARGUMENTS_OPEN : ARGUMENTS_CLOSE;
    return tokenizer_output(generation->seed, index);
}

const char *output_piece(const struct generation *generation, int64_t index)
{
    if (generation->calls_tool && index >= generation->reasoning_tokens)
        return argument_piece(generation, index);
    bool last = index == generation->scheduled.output_limit - 1;
    if (last && (generation->eos || (generation->stop_id && !generation->answer->task.include_stop)))
        return "";
    return tokenizer_output(generation->seed, index);
}

uint32_t output_token_id(const struct generation *generation, int64_t index)
{
    if (generation->eos && index == generation->scheduled.output_limit - 1)
        return TOKENIZER_EOS;
    const char *piece = generation->calls_tool ? output_piece(generation, index) : NULL;
    return piece && piece[0] ? tokenizer_id(piece, strlen(piece)) : tokenizer_output_id(generation->seed, index);
}

/* With stop strings, what could be the beginning of one is held back: as many bytes as the longest has, less one. */
void output_append_text(struct generation *generation, struct buf *out)
{
    const struct simulator_task *task = &generation->answer->task;
    int64_t made = generation->scheduled.output_tokens;
    bool all = made >= generation->scheduled.output_limit;
    if (task->stop_count == 0) {
        for (int64_t k = generation->text_token; k < made; k++)
            buf_append_text(out, output_piece(generation, k));
        generation->text_token = made > generation->text_token ? made : generation->text_token;
        return;
    }
    for (; generation->made_token < made; generation->made_token++)
        if (generation->made_token >= generation->reasoning_tokens)
            generation->text_made += strlen(output_piece(generation, generation->made_token));
    size_t held = task->include_stop ? 0 : task->stop_longest - 1;
    size_t end = all ? generation->text_end : generation->text_made > held ? generation->text_made - held : 0;
    while (generation->text_token < made && generation->text_sent < end) {
        const char *piece = output_piece(generation, generation->text_token);
        size_t length = strlen(piece), skip = generation->text_sent - generation->text_before;
        size_t take = end - generation->text_before < length ? end - generation->text_before : length;
        buf_append(out, piece + skip, take - skip);
        generation->text_sent += take - skip;
        if (take < length)
            break;
        generation->text_before += length;
        generation->text_token++;
    }
}
