#include "plan/calibrate.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define REPEATS 8
#define TEXT_MAX ((size_t)64 << 20)

/* Words that most tokenizers know as one token each, with the space before them. */
static const char *const candidates[] = {
    " time", " year", " people", " way", " day", " man", " thing", " world", " life", " hand", " part", " place",
    " case", " week", " work", " fact", " point", " home", " water", " room", " money", " story", " month", " right",
    " book", " word", " house", " side", " kind", " head", " name", " line", " game", " city", " power", " night",
};
/* Fill up what the words leave over: in a tokenizer of bytes a word costs several tokens, one of these costs 1. */
static const char *const fillers[] = {" a", "a", ".", "!", "x"};

static int64_t count_repeated(const struct calibrate_counter *counter, const char *word, struct error *err)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    buf_append_text(&text, MATERIAL_OPENING);
    for (int k = 0; word && k < REPEATS; k++)
        buf_append_text(&text, word);
    int64_t count = counter->count(counter->context, text.data, text.len, err);
    buf_free(&text);
    return count;
}

static int compare_words(const void *a, const void *b)
{
    const struct material_word *x = a, *y = b;
    return x->cost != y->cost ? (x->cost > y->cost) - (x->cost < y->cost) : strcmp(x->text, y->text);
}

/* 1: added, 0: its cost is not the same each time, -1: error. */
static int add_word(const struct calibrate_counter *counter, const char *word, struct material *material, struct error *err)
{
    int64_t count = count_repeated(counter, word, err);
    if (count < 0)
        return -1;
    int64_t sum = count - material->overhead;
    if (sum <= 0 || sum % REPEATS != 0)
        return 0;
    struct material_word *added = &material->words[material->word_count++];
    memcpy(added->text, word, strlen(word) + 1);
    added->cost = sum / REPEATS;
    return 1;
}

static int add_fillers(const struct calibrate_counter *counter, struct material *material, struct error *err)
{
    for (size_t k = 0; k < sizeof fillers / sizeof fillers[0]; k++) {
        int status = add_word(counter, fillers[k], material, err);
        if (status < 0)
            return -1;
        if (status > 0 && material->words[material->word_count - 1].cost == 1)
            return 0;
    }
    return 0;
}

static int learn_words(const struct calibrate_counter *counter, struct material *material, struct error *err)
{
    bool one = false;
    material->overhead = count_repeated(counter, NULL, err);
    if (material->overhead < 0)
        return -1;
    material->words = mem_calloc(MATERIAL_COUNT_MAX, sizeof *material->words);
    for (size_t k = 0; k < sizeof candidates / sizeof candidates[0]; k++) {
        int status = add_word(counter, candidates[k], material, err);
        if (status < 0)
            return -1;
        one = one || (status > 0 && material->words[material->word_count - 1].cost == 1);
    }
    if (!one && add_fillers(counter, material, err) < 0)
        return -1;
    if (material->word_count == 0)
        return error_set(err, ERROR_TARGET, "the server's token counts do not add up for any word: prompts cannot be made to length");
    qsort(material->words, material->word_count, sizeof *material->words, compare_words);
    return 0;
}

/* Words of one token each are enough when there are many of them: any sum can be reached, all of it with entropy. */
static void keep_single_tokens(struct material *material)
{
    size_t single = 0;
    while (single < material->word_count && material->words[single].cost == 1)
        single++;
    if (single >= MATERIAL_HEAD_WORDS)
        material->word_count = single;
}

/* How far the drawn prompts are off, all by the same number of tokens; INT64_MAX: not all by the same. */
static int check(const struct calibrate_counter *counter, const struct material *material, int64_t wanted, uint64_t seed,
                 int64_t *off, struct error *err)
{
    for (uint64_t k = 0; k < CALIBRATE_CHECKS; k++) {
        struct buf text = BUF_INIT(TEXT_MAX);
        struct random head, tail;
        random_derive(&head, seed, "calibrate-head", k, 0);
        random_derive(&tail, seed, "calibrate-tail", k, 0);
        material_draw_text(material, wanted - material->overhead, &head, &tail, &text);
        int64_t count = counter->count(counter->context, text.data, text.len, err);
        buf_free(&text);
        if (count < 0)
            return -1;
        if (k == 0)
            *off = count - wanted;
        else if (count - wanted != *off)
            *off = INT64_MAX;
        if (*off == INT64_MAX)
            return 0;
    }
    return 0;
}

int calibrate_text(const struct calibrate_counter *counter, int64_t wanted, uint64_t seed, struct material *material, bool *exact,
                   struct error *err)
{
    int64_t off = 0;
    *material = (struct material){0};
    *exact = false;
    if (learn_words(counter, material, err) < 0)
        return -1;
    keep_single_tokens(material);
    for (int round = 0; round < 2; round++) {
        if (wanted <= material->overhead)
            return error_set(err, ERROR_USAGE, "--prompt-tokens %lld: the chat template and the opening alone are %lld tokens here. Ask for "
                             "more, or use --endpoint completions", (long long)wanted, (long long)material->overhead);
        if (check(counter, material, wanted, seed, &off, err) < 0)
            return -1;
        if (off == 0 || off == INT64_MAX)
            break;
        /* All off by the same: the opening merges with what follows. Then that belongs to the overhead. */
        if (round == 0 && material->overhead + off >= 0)
            material->overhead += off;
    }
    *exact = off == 0;
    return 0;
}
