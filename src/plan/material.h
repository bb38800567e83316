/* What calibration learned about a server's tokenizer: enough to make prompts of an exact length.
 *
 * Words are text pieces with the number of tokens each adds, whatever stands before it; overhead is what an empty prompt
 * costs (chat template, BOS, the opening). Or ids: token ids that ordinary words have, for servers that take them.
 *
 * Text is drawn to look like text: words as often as in a language (the n-th of them about 1/n as often as the first: Zipf's law), in
 * sentences with a capital letter, commas and a full stop, where these have costs that were learned too. */
#ifndef ROIBENCH_PLAN_MATERIAL_H
#define ROIBENCH_PLAN_MATERIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/random.h"

#define MATERIAL_WORD_MAX 32
#define MATERIAL_COUNT_MAX 4096
#define MATERIAL_FIRSTS_MAX 32
#define MATERIAL_OPENING "Text:" /* begins every text, so that no template trims a word's space */

struct material_word {
    char text[MATERIAL_WORD_MAX];
    int64_t cost; /* tokens, at least 1 */
};

struct material {
    struct material_word *words; /* sorted by cost, and the more frequent first; NULL when ids are used */
    size_t word_count;
    struct material_word firsts[MATERIAL_FIRSTS_MAX]; /* words that begin a sentence, behind a stop */
    size_t first_count;
    struct material_word comma, stop; /* behind a word; cost 0: there is none */
    int32_t *ids;
    size_t id_count;
    int64_t overhead;
};

void material_free(struct material *material); /* its arrays */

/* Where a drawn text stands after a word. */
struct material_mark {
    const struct material_word *word; /* of the material */
    size_t end;        /* bytes of the text up to its end */
    int64_t tokens;    /* placed so far, overhead not counted */
};

/* Appends the opening and words to *out whose costs add up to `tokens`: exactly where any sum of costs gives that, else as near
 * below as can be. The first words come from `head`, all as likely as each other; the rest from `tail`. Returns the
 * tokens that were placed.
 * marks: NULL, or room for `tokens` of them (at least 1), one a word or sign; the one behind the last has end 0. */
struct buf;
#define MATERIAL_HEAD_WORDS 16
#define MATERIAL_HEAD_BITS 64 /* what the heads of prompts should differ by */
int64_t material_draw_text(const struct material *material, int64_t tokens, struct random *head, struct random *tail, struct buf *out,
                           struct material_mark *marks);
/* Goes on behind a text that was drawn before: no opening. */
int64_t material_draw_more(const struct material *material, int64_t tokens, struct random *head, struct random *tail, struct buf *out);
/* As material_draw_text, but all words as likely as each other and no sentences: rare words meet more of the others than in a text. */
int64_t material_draw_evenly(const struct material *material, int64_t tokens, struct random *random, struct buf *out, struct material_mark *marks);
/* ids[0..tokens), as material_draw_text. */
void material_draw_ids(const struct material *material, int64_t tokens, struct random *head, struct random *tail, int32_t *ids);
/* Bits of entropy in the head of a prompt of `tokens` tokens in all: below MATERIAL_HEAD_BITS only where the prompt is too short. */
double material_head_bits(const struct material *material, int64_t tokens);

/* prompts.jsonl.gz: header line, then a word, a sign or an id a line; `kind` says what is no ordinary word. */
int material_write(const struct material *material, const char *path, struct error *err);
int material_read(struct material *material, const char *path, struct error *err);

#endif
