#include "serve/vocabulary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "serve/tokenizer.h"

#define LETTERS 26
#define WORD_LETTERS 5
#define GENERATED_LOOKED_AT 1000 /* tokens of one generation: every word of the list is among them */

struct entry {
    uint8_t length; /* 0: none yet */
    char bytes[TOKENIZER_BYTES_MAX];
};

struct vocabulary {
    bool complete; /* no entry is empty but those of special tokens */
    struct entry entries[TOKENIZER_VOCABULARY];
};

static void set(struct entry *entry, const char *bytes, size_t length)
{
    memcpy(entry->bytes, bytes, length);
    entry->length = (uint8_t)length;
}

/* " aaaaa", " baaaa", ...: 12 million words, of which the first two million have nearly every id. */
static void make_words(struct vocabulary *vocabulary)
{
    char word[1 + WORD_LETTERS] = {' ', 'a', 'a', 'a', 'a', 'a'};
    size_t missing = 0, place = 0;
    for (size_t id = TOKENIZER_SPECIAL; id < TOKENIZER_VOCABULARY; id++)
        missing += vocabulary->entries[id].length == 0;
    while (missing > 0 && place < WORD_LETTERS) {
        struct entry *entry = &vocabulary->entries[tokenizer_id(word, sizeof word)];
        missing -= entry->length == 0;
        if (entry->length == 0)
            set(entry, word, sizeof word);
        for (place = 0; place < WORD_LETTERS && ++word[1 + place] > 'a' + LETTERS - 1; place++)
            word[1 + place] = 'a';
    }
}

struct vocabulary *vocabulary_new(void)
{
    struct vocabulary *vocabulary = mem_alloc(sizeof *vocabulary);
    for (int64_t k = 0; k < GENERATED_LOOKED_AT; k++) {
        const char *word = tokenizer_output(0, k);
        vocabulary_learn(vocabulary, word, strlen(word));
    }
    return vocabulary;
}

void vocabulary_free(struct vocabulary *vocabulary)
{
    free(vocabulary);
}

void vocabulary_learn(struct vocabulary *vocabulary, const char *text, size_t length)
{
    while (length > 0) {
        size_t token = tokenizer_cut(text, length);
        set(&vocabulary->entries[tokenizer_id(text, token)], text, token);
        text += token;
        length -= token;
    }
}

const char *vocabulary_text(struct vocabulary *vocabulary, uint32_t id, size_t *length)
{
    if (vocabulary->entries[id].length == 0 && !vocabulary->complete) {
        make_words(vocabulary);
        vocabulary->complete = true;
    }
    *length = vocabulary->entries[id].length;
    return vocabulary->entries[id].bytes;
}
