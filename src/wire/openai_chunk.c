#include "wire/openai_chunk.h"

#include <string.h>

#include "base/terminal.h"
#include "base/utf8.h"

void openai_choice_clear(struct openai_choice *choice)
{
    *choice = (struct openai_choice){.token_ids = -1, .logprobs = -1};
}

/* Clears no more than must be: 550 bytes a token are not free. */
void openai_chunk_clear(struct openai_chunk *chunk)
{
    chunk->done = chunk->error = chunk->token = chunk->text_empty = false;
    chunk->token_ids = chunk->prompt_tokens = chunk->completion_tokens = chunk->cached_tokens = -1;
    chunk->finish_reason[0] = '\0';
    chunk->message[0] = '\0';
}

static bool is_token(const struct openai_choice *choice, int64_t counted, bool progress)
{
    if (counted > 0 || choice->text_filled)
        return true;
    if (!choice->text || counted == 0 || choice->role || progress)
        return false;
    return !choice->finished || choice->stop_reason;
}

void openai_chunk_add_choice(struct openai_chunk *chunk, const struct openai_choice *choice, bool progress)
{
    int64_t counted = choice->token_ids >= 0 ? choice->token_ids : choice->logprobs;
    if (counted >= 0)
        chunk->token_ids = (chunk->token_ids < 0 ? 0 : chunk->token_ids) + counted;
    if (!is_token(choice, counted, progress))
        return;
    chunk->text_empty = (!chunk->token || chunk->text_empty) && !choice->text_filled;
    chunk->token = true;
}

/* White space and control characters: a terminal must never see them. */
static bool is_blank(const unsigned char *character, size_t size)
{
    return (size == 1 && character[0] == ' ') || (size == 2 && character[0] == 0xC2 && character[1] == 0xA0) || character[0] == '\0' ||
           terminal_control_length((const char *)character, size) > 0;
}

void openai_copy_line(char *target, size_t size, const char *text, size_t length)
{
    static const unsigned char REPLACEMENT[] = {0xEF, 0xBF, 0xBD};
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    size_t used = 0;
    bool gap = false;
    while (at < end) {
        size_t step = utf8_character(at, (size_t)(end - at));
        const unsigned char *character = step > 0 ? at : REPLACEMENT;
        size_t wide = step > 0 ? step : sizeof REPLACEMENT;
        at += step > 0 ? step : 1;
        if (is_blank(character, wide)) {
            gap = used > 0;
            continue;
        }
        if (used + (gap ? 1 : 0) + wide >= size)
            break;
        if (gap)
            target[used++] = ' ';
        gap = false;
        memcpy(target + used, character, wide);
        used += wide;
    }
    target[used] = '\0';
}
