#include "plan/calibrate.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "plan/scenario.h"

#define REPEATS 8
#define GROUP 16
#define SINGLE_TOKENS_ENOUGH 32 /* a vocabulary that has so many of the words whole is used by these alone */
#define MEASURED_WORDS 32       /* else so many words are counted one by one */
#define FIRSTS_GROUP 8
#define HOPELESS_GROUPS 3      /* in which no word is one token: then there are too few others */
#define SEARCH_REQUESTS_MAX 36  /* after which words of several tokens are no longer looked for: what is left is for checks */
#define REPAIRS_MAX 4
#define TEXT_MAX ((size_t)64 << 20)

/* Fill up what dearer words leave over: in a vocabulary of bytes a word costs several tokens, one of these costs 1. */
static const char *const fillers[] = {"a", " a", ".", "!", "x"};
#define FILLERS (sizeof fillers / sizeof fillers[0])

struct calibration_work {
    const struct calibrate_counter *counter;
    const struct language *language;
    struct material *material;
    int64_t asked;
    struct error *err;
    struct material near; /* words whose count is not the same each time, with the nearest whole cost */
};

void calibrate_append_words(const struct language *language, struct buf *out)
{
    for (size_t k = 0; k < language->word_count; k++)
        buf_append_text(out, language->words[k]);
    for (size_t k = 0; k < language->first_count; k++)
        buf_printf(out, "%s%s", language->stop, language->firsts[k]);
    if (language->comma)
        buf_printf(out, "%s%s", language->comma, language->words[0]);
}

void calibrate_draw_lengths(const struct token_lengths *wanted, int64_t max, uint64_t seed, int64_t lengths[CALIBRATE_CHECKS])
{
    struct random random;
    random_derive(&random, seed, "calibrate-lengths", 0, 0);
    for (int k = 0; k < CALIBRATE_CHECKS; k++) {
        int64_t length = k == 0 ? wanted->mean : k == 1 ? wanted->min : k == 2 ? wanted->max : token_lengths_draw(wanted, &random);
        lengths[k] = max > 0 && length > max ? max : length;
    }
}

static int64_t ask(struct calibration_work *work, const char *text, size_t length)
{
    work->asked++;
    return work->counter->count(work->counter->context, text, length, work->err);
}

static bool may_ask(const struct calibration_work *work, int64_t requests)
{
    return work->asked + requests <= CALIBRATE_REQUESTS_MAX;
}

/* --- words --------------------------------------------------------------------------------- */

/* Tokens that the words, each `times` over, add to the opening; -1: an error. */
static int64_t added_by(struct calibration_work *work, const char *const *words, size_t count, int times)
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    buf_append_text(&text, MATERIAL_OPENING);
    for (size_t k = 0; k < count; k++)
        for (int time = 0; time < times; time++)
            buf_append_text(&text, words[k]);
    int64_t tokens = ask(work, text.data, text.len);
    if (tokens < 0)
        return -1;
    return tokens > work->material->overhead ? tokens - work->material->overhead : 0;
}

static void add_word(struct material *material, const char *text, int64_t cost)
{
    struct material_word *word = &material->words[material->word_count++];
    memcpy(word->text, text, strlen(text) + 1);
    word->cost = cost;
}

/* Takes those of words[0..count) that are one token each; together they add `added`. Where they are too many tokens for that, or too
 * many requests were made, none of them. */
static int take_single(struct calibration_work *work, const char *const *words, size_t count, int64_t added)
{
    size_t half = count / 2;
    if (added == (int64_t)count) {
        for (size_t k = 0; k < count; k++)
            add_word(work->material, words[k], 1);
        return 0;
    }
    if (count < 2 || added < (int64_t)count || added > (int64_t)(count + half) || work->asked >= SEARCH_REQUESTS_MAX)
        return 0;
    int64_t first = added_by(work, words, half, 1);
    if (first < 0)
        return -1;
    return take_single(work, words, half, first) < 0 ? -1 : take_single(work, words + half, count - half, added - first);
}

/* Can they be counted at once, if they are two tokens each? */
static bool have_room(const struct calibration_work *work, size_t words)
{
    return work->counter->room == 0 || work->material->overhead + 2 * (int64_t)words < work->counter->room;
}

/* All at once; where that does not add up, group by group. */
static int learn_groups(struct calibration_work *work)
{
    const struct language *language = work->language;
    int64_t added = have_room(work, language->word_count) ? added_by(work, language->words, language->word_count, 1) : 0;
    if (added < 0 || added == (int64_t)language->word_count)
        return added < 0 ? -1 : take_single(work, language->words, language->word_count, added);
    for (size_t from = 0; from < language->word_count && work->asked < SEARCH_REQUESTS_MAX; from += GROUP) {
        if (from == HOPELESS_GROUPS * GROUP && work->material->word_count == 0)
            return 0;
        size_t count = language->word_count - from < GROUP ? language->word_count - from : GROUP;
        added = added_by(work, language->words + from, count, 1);
        if (added < 0 || take_single(work, language->words + from, count, added) < 0)
            return -1;
    }
    return 0;
}

/* Where its cost is not the same each time, the word goes to `near` with the nearest whole cost (NULL: nowhere). */
static int learn_word(struct calibration_work *work, const char *word, struct material *near)
{
    int64_t added = added_by(work, &word, 1, REPEATS), nearest = (added + REPEATS / 2) / REPEATS;
    if (added < 0)
        return -1;
    struct material *to = added % REPEATS == 0 ? work->material : near;
    if (nearest > 0 && to)
        add_word(to, word, nearest);
    return 0;
}

static bool has_single(const struct material *material)
{
    for (size_t k = 0; k < material->word_count; k++)
        if (material->words[k].cost == 1)
            return true;
    return false;
}

static int learn_words(struct calibration_work *work)
{
    struct material *material = work->material;
    material->word_count = 0;
    for (size_t k = 0; k < MEASURED_WORDS && k < work->language->word_count; k++)
        if (learn_word(work, work->language->words[k], &work->near) < 0)
            return -1;
    for (size_t k = 0; k < FILLERS && !has_single(material); k++)
        if (learn_word(work, fillers[k], NULL) < 0)
            return -1;
    return 0;
}

/* By cost; those of one cost stay as they are, the more frequent first. Few words: no quicker way is needed. */
static void sort_words(struct material *material)
{
    for (size_t k = 1; k < material->word_count; k++) {
        struct material_word word = material->words[k];
        size_t to = k;
        for (; to > 0 && material->words[to - 1].cost > word.cost; to--)
            material->words[to] = material->words[to - 1];
        material->words[to] = word;
    }
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

/* What everything but the words costs: a word once and the same twice tell, also where the opening merges with what follows. */
static int learn_overhead(struct calibration_work *work)
{
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
    buf_printf(&text, "%s%s", MATERIAL_OPENING, work->language->words[0]);
    int64_t once = ask(work, text.data, text.len);
    buf_append_text(&text, work->language->words[0]);
    int64_t twice = once < 0 ? -1 : ask(work, text.data, text.len);
    if (twice < 0)
        return -1;
    int64_t overhead = 2 * once - twice;
    work->material->overhead = overhead > 0 ? overhead : 0;
    return 0;
}

/* What a sign costs behind a word, a word itself being known; 0: it is never the same. */
static int learn_sign(struct calibration_work *work, const char *text, struct material_word *sign)
{
    const struct material_word *word = &work->material->words[0];
    const char *const both[] = {word->text, text};
    cleanup_buf struct buf pair = BUF_INIT(2 * MATERIAL_WORD_MAX);
    buf_printf(&pair, "%s%s", both[0], both[1]);
    const char *const pairs[] = {buf_text(&pair)};
    int64_t added = added_by(work, pairs, 1, REPEATS), cost = added / REPEATS - word->cost;
    if (added < 0)
        return -1;
    if (added % REPEATS == 0 && cost > 0) {
        memcpy(sign->text, text, strlen(text) + 1);
        sign->cost = cost;
    }
    return 0;
}

/* Words behind a full stop, a group at a time: each one token, or none of the group is taken. */
static int learn_firsts(struct calibration_work *work)
{
    struct material *material = work->material;
    const struct language *language = work->language;
    const struct material_word *word = &material->words[0];
    for (size_t from = 0; from < language->first_count; from += FIRSTS_GROUP) {
        size_t count = language->first_count - from < FIRSTS_GROUP ? language->first_count - from : FIRSTS_GROUP;
        cleanup_buf struct buf text = BUF_INIT(TEXT_MAX);
        for (size_t k = from; k < from + count; k++)
            buf_printf(&text, "%s%s%s", word->text, material->stop.text, language->firsts[k]);
        const char *const texts[] = {buf_text(&text)};
        int64_t added = added_by(work, texts, 1, 1);
        if (added < 0)
            return -1;
        for (size_t k = from; k < from + count && added == (int64_t)count * (word->cost + material->stop.cost + 1); k++) {
            struct material_word *first = &material->firsts[material->first_count++];
            memcpy(first->text, language->firsts[k], strlen(language->firsts[k]) + 1);
            first->cost = 1;
        }
    }
    return 0;
}

/* What makes sentences of words. */
static int learn_sentences(struct calibration_work *work)
{
    const struct language *language = work->language;
    struct material *material = work->material;
    if (!language->stop)
        return 0;
    if (learn_sign(work, language->stop, &material->stop) < 0 || learn_sign(work, language->comma, &material->comma) < 0)
        return -1;
    return material->stop.cost > 0 ? learn_firsts(work) : 0;
}

static int learn(struct calibration_work *work)
{
    struct material *material = work->material;
    size_t room = work->language->word_count + FILLERS;
    material->words = mem_calloc(room, sizeof *material->words);
    work->near.words = mem_calloc(room, sizeof *material->words);
    if (learn_overhead(work) < 0 || (!work->language->lines && learn_groups(work) < 0))
        return -1;
    if (material->word_count < SINGLE_TOKENS_ENOUGH && learn_words(work) < 0)
        return -1;
    bool adds_up = material->word_count > 0;
    if (!adds_up)
        for (size_t k = 0; k < work->near.word_count; k++)
            add_word(material, work->near.words[k].text, work->near.words[k].cost);
    if (material->word_count == 0)
        return error_set(work->err, ERROR_TARGET, "words cost no tokens, as the server counts: prompts cannot be made to length");
    sort_words(material);
    keep_single_tokens(material);
    return adds_up ? learn_sentences(work) : 0;
}

/* --- checks -------------------------------------------------------------------------------- */

struct draw {
    struct buf text;
    struct material_mark *marks;
    int64_t placed, wanted;
    int64_t off; /* counted - (overhead + placed) */
};

static void draw_free(struct draw *draw)
{
    buf_free(&draw->text);
    free(draw->marks);
}

static int draw_and_count(struct calibration_work *work, struct draw *draw, int64_t length, uint64_t seed, uint64_t number)
{
    const struct material *material = work->material;
    struct random head, tail;
    random_derive(&head, seed, "calibrate-head", number, 0);
    random_derive(&tail, seed, "calibrate-tail", number, 0);
    draw->text = BUF_INIT(TEXT_MAX);
    draw->wanted = length > material->overhead ? length - material->overhead : 1;
    draw->marks = mem_calloc((size_t)draw->wanted, sizeof *draw->marks);
    draw->placed = number % 2 == 0 ? material_draw_text(material, draw->wanted, &head, &tail, &draw->text, draw->marks)
                                   : material_draw_evenly(material, draw->wanted, &tail, &draw->text, draw->marks);
    int64_t counted = ask(work, draw->text.data, draw->text.len);
    draw->off = counted - (material->overhead + draw->placed);
    return counted < 0 ? -1 : 0;
}

/* The word from which on the count departs: the first prefix that is counted otherwise ends with it. */
static int find_culprit(struct calibration_work *work, const struct draw *draw, const struct material_word **word)
{
    size_t good = 0, bad = 0; /* prefixes of so many words; the empty one is good, the whole is bad */
    while (bad < (size_t)draw->wanted && draw->marks[bad].end > 0)
        bad++;
    while (bad > good + 1) {
        size_t middle = good + (bad - good) / 2;
        const struct material_mark *mark = &draw->marks[middle - 1];
        int64_t counted = ask(work, draw->text.data, mark->end);
        if (counted < 0)
            return -1;
        if (counted == work->material->overhead + mark->tokens)
            good = middle;
        else
            bad = middle;
    }
    *word = bad > 0 ? draw->marks[bad - 1].word : &work->material->words[0];
    return 0;
}

static void remove_from(struct material_word *words, size_t *count, size_t index)
{
    memmove(&words[index], &words[index + 1], (*count - index - 1) * sizeof *words);
    (*count)--;
}

static void remove_word(struct material *material, const struct material_word *word)
{
    for (size_t k = 0; k < material->word_count; k++)
        if (word == &material->words[k]) {
            remove_from(material->words, &material->word_count, k);
            return;
        }
    for (size_t k = 0; k < material->first_count; k++)
        if (word == &material->firsts[k]) {
            remove_from(material->firsts, &material->first_count, k);
            return;
        }
    if (word == &material->comma)
        material->comma.cost = 0;
    else
        material->stop.cost = 0;
}

struct verdict {
    bool exact;      /* all as wanted */
    bool same;       /* all off by the same number of tokens */
    int64_t off;     /* of all, on average */
    const struct material_word *culprit; /* NULL: none was looked for */
};

/* Draws and counts CALIBRATE_CHECKS prompts, every other one of words that are all as likely, so that rare ones are checked too; where they
 * are off, not all alike, looks for the word that is to blame. */
static int check(struct calibration_work *work, const int64_t *lengths, uint64_t seed, bool repair, struct verdict *verdict)
{
    struct draw draws[CALIBRATE_CHECKS] = {0};
    int64_t sum = 0;
    int status = 0, wrong = 0;
    *verdict = (struct verdict){.exact = true, .same = true};
    for (int k = 0; k < CALIBRATE_CHECKS && status == 0; k++) {
        status = draw_and_count(work, &draws[k], lengths[k], seed, (uint64_t)k);
        sum += draws[k].off;
        verdict->exact = verdict->exact && draws[k].off == 0 && draws[k].placed == draws[k].wanted;
        verdict->same = verdict->same && draws[k].off == draws[0].off;
        wrong = draws[wrong].off == 0 && draws[k].off != 0 ? k : wrong;
    }
    verdict->off = llround((double)sum / CALIBRATE_CHECKS);
    if (status == 0 && repair && !verdict->same)
        status = find_culprit(work, &draws[wrong], &verdict->culprit);
    for (int k = 0; k < CALIBRATE_CHECKS; k++)
        draw_free(&draws[k]);
    return status;
}

static int check_lengths(const struct calibration_work *work, const struct token_lengths *wanted)
{
    const struct material *material = work->material;
    if (wanted->min > material->overhead)
        return 0;
    return error_set(work->err, ERROR_USAGE, "--prompt-tokens: %" PRId64 " tokens are too few: the %s alone are %" PRId64 " here. Ask for at least %" PRId64 "%s",
                     wanted->min, work->counter->chat ? "chat template and the opening" : "opening and what the server puts before it",
                     material->overhead, material->overhead + 1, work->counter->chat ? ", or use --endpoint completions" : "");
}

/* All off by the same: the opening merges with what follows, so it belongs to the overhead. Off by a word: it goes. */
static int settle(struct calibration_work *work, const struct token_lengths *wanted, uint64_t seed, bool *exact)
{
    struct material *material = work->material;
    int64_t lengths[CALIBRATE_CHECKS];
    struct verdict verdict;
    int64_t longest = work->counter->check_max > 0 ? work->counter->check_max + material->overhead : 0;
    calibrate_draw_lengths(wanted, longest, seed, lengths);
    for (int round = 0;; round++) {
        int64_t search = (int64_t)ceil(log2((double)wanted->max + 2));
        bool repair = round < REPAIRS_MAX && material->word_count > MATERIAL_HEAD_WORDS && may_ask(work, 2 * CALIBRATE_CHECKS + search);
        if (check_lengths(work, wanted) < 0 || check(work, lengths, seed, repair, &verdict) < 0)
            return -1;
        *exact = verdict.exact;
        if (verdict.off == 0 && verdict.same)
            return 0;
        bool last = round > REPAIRS_MAX || !may_ask(work, CALIBRATE_CHECKS);
        if (verdict.culprit) {
            remove_word(material, verdict.culprit);
        } else {
            material->overhead = verdict.off > -material->overhead ? material->overhead + verdict.off : 0;
            if (!verdict.same || last)
                return check_lengths(work, wanted); /* near, on average, is the best that can be had */
        }
    }
}

int calibrate_text(const struct calibrate_counter *counter, const struct language *language, const struct token_lengths *wanted, uint64_t seed,
                   struct material *material, bool *exact, struct error *err)
{
    struct calibration_work work = {.counter = counter, .language = language, .material = material, .err = err};
    *material = (struct material){0};
    *exact = false;
    int status = learn(&work) < 0 ? -1 : settle(&work, wanted, seed, exact);
    material_free(&work.near);
    return status;
}
