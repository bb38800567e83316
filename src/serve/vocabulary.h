/* From a token's id back to its text. Ids are hashes, so what an id stands for has to be remembered: the text that was
 * learned last; else the word that is generated for it; else a made-up word that encodes to it. Texts whose tokens share
 * an id come back wrong: among 1,000 different tokens, four pairs do. */
#ifndef ROIBENCH_SERVE_VOCABULARY_H
#define ROIBENCH_SERVE_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

struct vocabulary;

struct vocabulary *vocabulary_new(void); /* takes about a megabyte */
void vocabulary_free(struct vocabulary *vocabulary);

/* Remembers the tokens of a text. */
void vocabulary_learn(struct vocabulary *vocabulary, const char *text, size_t length);
/* The text of an id below TOKENIZER_VOCABULARY, "" for special ones; not NUL-terminated, valid until the next call. The first
 * id without a known text takes some 20 ms: words are made up for all of them. */
const char *vocabulary_text(struct vocabulary *vocabulary, uint32_t id, size_t *length);

#endif
