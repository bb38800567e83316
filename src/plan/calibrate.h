/* Learns a server's tokenizer from its counts alone, so that prompts can be made exactly as long as asked.
 *
 * What is asked is "how many tokens is a prompt of this text?", through a callback. Words are counted many at once: where a group of
 * n of them adds n tokens, each is one token; one that adds a few more is halved until the words are found that are several. Where a
 * vocabulary is too small for that, single words are counted, eight times over behind one opening; where the sum is a multiple of
 * eight, that is the word's cost. Commas, full stops and words behind them are counted likewise. Then whole prompts are drawn and counted:
 * only when all of them come out as asked is the calibration called exact. One that does not is halved until the word is
 * found from which on the count departs (one that merges with its neighbours); that word is left out, and others are drawn.
 * 15 requests on common vocabularies, never more than CALIBRATE_REQUESTS_MAX. */
#ifndef ROIBENCH_PLAN_CALIBRATE_H
#define ROIBENCH_PLAN_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "plan/language.h"
#include "plan/material.h"
#include "plan/plan.h"

#define CALIBRATE_CHECKS 8
#define CALIBRATE_REQUESTS_MAX 96

struct calibrate_counter {
    /* Tokens of a whole prompt of this text (template included); -1 with *err. */
    int64_t (*count)(void *context, const char *text, size_t length, struct error *err);
    void *context;
    int64_t check_max; /* drawn prompts are cut to so many tokens of words: counting a long one may cost a whole prefill; 0: no limit */
    bool chat;         /* for advice: a chat's template costs tokens, and there is an endpoint without one */
    int64_t room;      /* tokens of the longest text that can be counted; 0: not known */
};

/* Fills *material (material_free it) with words. wanted: the asked prompt lengths; one not above the overhead is an error
 * (ERROR_USAGE). *exact: the last CALIBRATE_CHECKS drawn prompts, of the asked lengths, were all counted as asked; else lengths are
 * right on average only. */
int calibrate_text(const struct calibrate_counter *counter, const struct language *language, const struct token_lengths *wanted, uint64_t seed,
                   struct material *material, bool *exact, struct error *err);

/* Appends the words that calibration draws from, and sentences' beginnings and ends: a text whose token ids are ordinary ones. */
void calibrate_append_words(const struct language *language, struct buf *out);

/* Prompt lengths for CALIBRATE_CHECKS checks: mean, min, max, the rest drawn; cut to `max` (0: no limit). */
void calibrate_draw_lengths(const struct token_lengths *wanted, int64_t max, uint64_t seed, int64_t lengths[CALIBRATE_CHECKS]);

#endif
