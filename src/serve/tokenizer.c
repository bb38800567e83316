#include "serve/tokenizer.h"

#include <stdbool.h>
#include <string.h>

#define LETTERS_MAX 5
#define DIGITS_MAX 3
#define SPACES_MAX TOKENIZER_BYTES_MAX
#define OTHER_BYTES_MAX 3
#define EMPTY_EVERY 15

static const char *const words[] = {
    " the",  " load", " of",   " one",   " road",  " is",    " never", " what",  " its",   " map",  " says", " and",
    " rain", " on",   " hill", " falls", " twice", " in",    " our",   " ear",   " near",  " a",    " fox",  " who",
    " knew", " how",  " long", " wires", " hum",   " under", " snow",  " while", " boats", " wait", " for",  " tide",
    " to",   " turn", " back", " home",  ",",      " said",  " every", " clock", " but",   " mine", ".",
};

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_other(unsigned char c)
{
    return c >= 0x80;
}

static size_t run_length(const unsigned char *text, size_t length, bool (*belongs)(unsigned char), size_t max)
{
    size_t run = 0;
    while (run < length && run < max && belongs(text[run]))
        run++;
    return run;
}

/* White space up to, but without, a single space that letters follow. */
static size_t space_length(const unsigned char *text, size_t length)
{
    size_t run = run_length(text, length, is_space, SPACES_MAX);
    if (run > 1 && run < length && text[run - 1] == ' ' && is_letter(text[run]))
        run--;
    return run;
}

static size_t token_length(const unsigned char *text, size_t length)
{
    size_t space = length > 1 && text[0] == ' ' && is_letter(text[1]);
    if (space || is_letter(text[0]))
        return space + run_length(text + space, length - space, is_letter, LETTERS_MAX);
    if (is_digit(text[0]))
        return run_length(text, length, is_digit, DIGITS_MAX);
    if (is_space(text[0]))
        return space_length(text, length);
    return is_other(text[0]) ? run_length(text, length, is_other, OTHER_BYTES_MAX) : 1;
}

size_t tokenizer_cut(const char *text, size_t length)
{
    return token_length((const unsigned char *)text, length);
}

/* 32-bit FNV-1a, folded into the ids of text. */
static uint32_t token_id(const unsigned char *bytes, size_t length)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t k = 0; k < length; k++)
        hash = (hash ^ bytes[k]) * UINT32_C(16777619);
    return TOKENIZER_SPECIAL + hash % (TOKENIZER_VOCABULARY - TOKENIZER_SPECIAL);
}

size_t tokenizer_encode(const char *text, size_t length, uint32_t *ids, size_t max)
{
    const unsigned char *rest = (const unsigned char *)text;
    size_t count = 0;
    while (length > 0) {
        size_t token = token_length(rest, length);
        if (count < max)
            ids[count] = token_id(rest, token);
        count++;
        rest += token;
        length -= token;
    }
    return count;
}

static size_t special(uint32_t *ids, const uint32_t *from, size_t count)
{
    if (ids)
        memcpy(ids, from, count * sizeof *ids);
    return count;
}

size_t tokenizer_message_before(uint32_t *ids)
{
    static const uint32_t before[TOKENIZER_MESSAGE_BEFORE] = {3, 5, 6};
    return special(ids, before, TOKENIZER_MESSAGE_BEFORE);
}

size_t tokenizer_message_after(uint32_t *ids)
{
    static const uint32_t after[TOKENIZER_MESSAGE_AFTER] = {4, 6};
    return special(ids, after, TOKENIZER_MESSAGE_AFTER);
}

size_t tokenizer_answer(uint32_t *ids)
{
    static const uint32_t answer[TOKENIZER_ANSWER] = {3, 7, 6};
    return special(ids, answer, TOKENIZER_ANSWER);
}

uint32_t tokenizer_id(const char *bytes, size_t length)
{
    return token_id((const unsigned char *)bytes, length);
}

static const char *word(uint64_t seed, int64_t index, int64_t rank)
{
    uint64_t place = seed * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)index + (uint64_t)rank;
    return words[place % (sizeof words / sizeof words[0])];
}

const char *tokenizer_output(uint64_t seed, int64_t index)
{
    return index % EMPTY_EVERY == EMPTY_EVERY - 1 ? "" : word(seed, index, 0);
}

uint32_t tokenizer_output_id(uint64_t seed, int64_t index)
{
    const char *text = tokenizer_output(seed, index);
    return text[0] ? tokenizer_id(text, strlen(text)) : TOKENIZER_HALF;
}

const char *tokenizer_alternative(uint64_t seed, int64_t index, int64_t rank)
{
    return word(seed, index, rank);
}
