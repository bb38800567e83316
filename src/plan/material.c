#include "plan/material.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "plan/plan.h"
#include "record/record_reader.h"
#include "record/record_writer.h"

#define SCHEMA "roibench/prompts/v1"
#define LINE_MAX_BYTES ((size_t)4096)
#define SENTENCE_MIN 6   /* words, */
#define SENTENCE_MORE 16 /* and fewer than so many more */
#define COMMA_EVERY 10   /* words */
#define SUMS 64 /* sums below it are looked up, all others taken for reachable */

void material_free(struct material *material)
{
    free(material->words);
    free(material->ids);
    *material = (struct material){0};
}

/* Bit n: n tokens can be made of the words' costs. */
static uint64_t reachable_sums(const struct material *material)
{
    uint64_t sums = 1;
    for (unsigned sum = 1; sum < SUMS; sum++)
        for (size_t k = 0; k < material->word_count && material->words[k].cost <= sum; k++)
            if (sums >> (sum - material->words[k].cost) & 1)
                sums |= UINT64_C(1) << sum;
    return sums;
}

static bool leaves_reachable(int64_t left, int64_t cost, uint64_t sums)
{
    int64_t rest = left - cost;
    return rest >= 0 && (rest >= SUMS || (sums >> rest & 1));
}

/* Among the first `count` words from `start` on, the first that leaves a sum that can be reached; `start` if none does. */
static size_t choose_word(const struct material *material, size_t start, size_t count, int64_t left, uint64_t sums)
{
    for (size_t k = 0; k < count; k++) {
        size_t index = (start + k) % count;
        if (leaves_reachable(left, material->words[index].cost, sums))
            return index;
    }
    return start;
}

/* 0 to count - 1: n - 1 about as often as 1/n. An octave first, all as likely, then evenly in it: whole numbers only, so that every
 * machine draws the same. */
static size_t draw_zipf(struct random *random, size_t count)
{
    unsigned octaves = 64 - (unsigned)__builtin_clzll(count);
    for (;;) {
        uint64_t bits = random_u64(random);
        unsigned octave = (unsigned)((bits & UINT32_MAX) * octaves >> 32);
        uint64_t n = (UINT64_C(1) << octave) + (bits >> 32 & ((UINT64_C(1) << octave) - 1));
        if (n <= count)
            return (size_t)n - 1;
    }
}

/* A text that is being drawn. */
struct drawing {
    const struct material *material;
    int64_t left;       /* tokens */
    int64_t head_words; /* first words that are all as likely as each other */
    uint64_t sums;
    size_t affordable;  /* words */
    int64_t words;      /* drawn so far */
    int64_t sentence;   /* words that the sentence still has; 0: it is over */
    bool joint;         /* behind a word: a sign may follow */
};

/* May it stand here? Behind it there is either nothing or room for a word with a stop. */
static bool has_room(const struct drawing *drawing, const struct material_word *sign)
{
    const struct material *material = drawing->material;
    int64_t rest = drawing->left - sign->cost;
    bool nothing = rest == 0 && sign == &material->stop;
    return nothing || (rest >= material->words[0].cost + material->stop.cost && leaves_reachable(drawing->left, sign->cost, drawing->sums));
}

/* A comma or a stop, where one belongs; NULL: none. */
static const struct material_word *draw_sign(struct drawing *drawing, struct random *random)
{
    const struct material_word *comma = &drawing->material->comma, *stop = &drawing->material->stop;
    bool over = drawing->sentence == 0 || drawing->left == stop->cost;
    if (!drawing->joint || stop->cost == 0 || drawing->words < drawing->head_words)
        return NULL;
    if (over && has_room(drawing, stop)) {
        drawing->sentence = 0;
        return stop;
    }
    bool pause = comma->cost > 0 && drawing->sentence > 1 && random_below(random, COMMA_EVERY) == 0;
    return pause && has_room(drawing, comma) ? comma : NULL;
}

static const struct material_word *draw_first(const struct drawing *drawing, struct random *random)
{
    const struct material *material = drawing->material;
    if (material->first_count == 0 || drawing->joint)
        return NULL;
    const struct material_word *first = &material->firsts[draw_zipf(random, material->first_count)];
    return leaves_reachable(drawing->left, first->cost, drawing->sums) ? first : NULL;
}

static const struct material_word *draw_word(struct drawing *drawing, struct random *head, struct random *tail)
{
    const struct material *material = drawing->material;
    const struct material_word *first = NULL;
    size_t index;
    bool in_head = drawing->words < drawing->head_words;
    while (drawing->affordable > 0 && material->words[drawing->affordable - 1].cost > drawing->left)
        drawing->affordable--;
    if (drawing->affordable == 0)
        return NULL;
    if (!in_head && drawing->sentence == 0 && material->stop.cost > 0) {
        drawing->sentence = SENTENCE_MIN + (int64_t)random_below(tail, SENTENCE_MORE);
        first = draw_first(drawing, tail);
    }
    drawing->words++;
    drawing->sentence -= drawing->sentence > 0;
    if (first)
        return first;
    index = in_head ? (size_t)random_below(head, drawing->affordable) : draw_zipf(tail, drawing->affordable);
    if (drawing->sums != UINT64_MAX)
        index = choose_word(material, index, drawing->affordable, drawing->left, drawing->sums);
    return &material->words[index];
}

static int64_t draw_text(const struct material *material, int64_t tokens, int64_t head_words, struct random *head, struct random *tail,
                         struct buf *out, struct material_mark *marks)
{
    int64_t k = 0;
    struct drawing drawing = {.material = material, .left = tokens, .head_words = head_words, .affordable = material->word_count};
    drawing.sums = material->words[0].cost > 1 ? reachable_sums(material) : UINT64_MAX;
    for (; drawing.left > 0; k++) {
        const struct material_word *sign = draw_sign(&drawing, tail), *word = sign ? sign : draw_word(&drawing, head, tail);
        if (!word)
            break;
        buf_append_text(out, word->text);
        drawing.joint = !sign;
        drawing.left -= word->cost;
        if (marks)
            marks[k] = (struct material_mark){.word = word, .end = out->len, .tokens = tokens - drawing.left};
    }
    if (marks && k < tokens)
        marks[k] = (struct material_mark){.end = 0};
    return tokens - drawing.left;
}

int64_t material_draw_text(const struct material *material, int64_t tokens, struct random *head, struct random *tail, struct buf *out,
                           struct material_mark *marks)
{
    buf_append_text(out, MATERIAL_OPENING);
    return draw_text(material, tokens, MATERIAL_HEAD_WORDS, head, tail, out, marks);
}

int64_t material_draw_more(const struct material *material, int64_t tokens, struct random *head, struct random *tail, struct buf *out)
{
    return draw_text(material, tokens, MATERIAL_HEAD_WORDS, head, tail, out, NULL);
}

int64_t material_draw_evenly(const struct material *material, int64_t tokens, struct random *random, struct buf *out, struct material_mark *marks)
{
    buf_append_text(out, MATERIAL_OPENING);
    return draw_text(material, tokens, INT64_MAX, random, random, out, marks);
}

void material_draw_ids(const struct material *material, int64_t tokens, struct random *head, struct random *tail, int32_t *ids)
{
    for (int64_t k = 0; k < tokens; k++) {
        size_t index = k < MATERIAL_HEAD_WORDS ? (size_t)random_below(head, material->id_count) : draw_zipf(tail, material->id_count);
        ids[k] = material->ids[index];
    }
}

double material_head_bits(const struct material *material, int64_t tokens)
{
    double places, choices = (double)(material->ids ? material->id_count : material->word_count);
    if (material->ids) {
        places = (double)tokens;
    } else {
        double sum = 0;
        for (size_t k = 0; k < material->word_count; k++)
            sum += (double)material->words[k].cost;
        places = floor((double)(tokens - material->overhead) * choices / sum);
    }
    if (places < 0 || choices < 1)
        return 0;
    return fmin(places, MATERIAL_HEAD_WORDS) * log2(choices);
}

/* --- the file ----------------------------------------------------------------------------- */

enum kind { KIND_WORD, KIND_FIRST, KIND_COMMA, KIND_STOP, KIND_COUNT };
static const char *const kinds[KIND_COUNT] = {"word", "first", "comma", "stop"};

static int write_line(struct gzip_stream *stream, json_t *line, struct error *err)
{
    struct buf text = BUF_INIT(LINE_MAX_BYTES);
    json_append_compact(line, &text);
    json_decref(line);
    buf_append_char(&text, '\n');
    int status = gzip_stream_write(stream, text.data, text.len, err);
    buf_free(&text);
    return status;
}

static int write_word(struct gzip_stream *stream, const struct material_word *word, const char *kind, struct error *err)
{
    json_t *line = json_object();
    json_set_text(line, "word", word->text);
    json_set_integer(line, "cost", word->cost);
    if (kind)
        json_set_text(line, "kind", kind);
    return write_line(stream, line, err);
}

static int write_lines(struct gzip_stream *stream, const struct material *material, struct error *err)
{
    json_t *header = json_object();
    json_set_text(header, "schema", SCHEMA);
    json_set_text(header, "kind", material->ids ? "token_ids" : "text");
    json_set_integer(header, "overhead", material->overhead);
    if (write_line(stream, header, err) < 0)
        return -1;
    for (size_t k = 0; k < material->word_count; k++)
        if (write_word(stream, &material->words[k], NULL, err) < 0)
            return -1;
    for (size_t k = 0; k < material->first_count; k++)
        if (write_word(stream, &material->firsts[k], kinds[KIND_FIRST], err) < 0)
            return -1;
    if ((material->comma.cost > 0 && write_word(stream, &material->comma, kinds[KIND_COMMA], err) < 0) ||
        (material->stop.cost > 0 && write_word(stream, &material->stop, kinds[KIND_STOP], err) < 0))
        return -1;
    for (size_t k = 0; k < material->id_count; k++) {
        json_t *line = json_object();
        json_set_integer(line, "id", material->ids[k]);
        if (write_line(stream, line, err) < 0)
            return -1;
    }
    return 0;
}

int material_write(const struct material *material, const char *path, struct error *err)
{
    struct gzip_stream *stream = gzip_stream_open(path, err);
    if (!stream)
        return -1;
    int status = write_lines(stream, material, err);
    return gzip_stream_close(stream, status < 0 ? NULL : err) < 0 ? -1 : status;
}

/* Where a line's word goes; NULL, and the reader failed: nowhere. */
static struct material_word *place_for(struct json_reader *reader, const char *kind, struct material *material)
{
    if (strcmp(kind, kinds[KIND_WORD]) == 0)
        return &material->words[material->word_count++];
    if (strcmp(kind, kinds[KIND_FIRST]) == 0 && material->first_count < MATERIAL_FIRSTS_MAX)
        return &material->firsts[material->first_count++];
    if (strcmp(kind, kinds[KIND_COMMA]) == 0)
        return &material->comma;
    if (strcmp(kind, kinds[KIND_STOP]) == 0)
        return &material->stop;
    json_fail(reader, "kind", "expected word, first (at most %d), comma or stop", MATERIAL_FIRSTS_MAX);
    return NULL;
}

static void read_word(struct json_reader *reader, const json_t *object, struct material *material)
{
    const char *text = json_get_text(reader, object, "word"), *kind = json_get_text_or(reader, object, "kind", kinds[KIND_WORD]);
    int64_t cost = json_get_integer(reader, object, "cost");
    if (reader->failed)
        return;
    if (!text[0] || strlen(text) >= MATERIAL_WORD_MAX || cost < 1 || cost > PLAN_TOKENS_MAX) {
        json_fail(reader, "word", "expected 1 to %d bytes that cost at least one token", MATERIAL_WORD_MAX - 1);
        return;
    }
    struct material_word *word = place_for(reader, kind, material);
    if (!word)
        return;
    snprintf(word->text, sizeof word->text, "%s", text);
    word->cost = cost;
    if (material->word_count > 1 && word == &material->words[material->word_count - 1] && word->cost < word[-1].cost)
        json_fail(reader, "cost", "expected words sorted by cost");
}

static void read_id(struct json_reader *reader, const json_t *object, struct material *material)
{
    int64_t id = json_get_integer(reader, object, "id");
    if (!reader->failed && (id < 0 || id > INT32_MAX))
        json_fail(reader, "id", "expected a token id");
    if (!reader->failed)
        material->ids[material->id_count++] = (int32_t)id;
}

static void read_header(struct json_reader *reader, const json_t *object, struct material *material)
{
    const char *kind = json_get_text(reader, object, "kind");
    material->overhead = json_get_integer(reader, object, "overhead");
    if (reader->failed)
        return;
    if (material->overhead < 0 || material->overhead > PLAN_TOKENS_MAX)
        json_fail(reader, "overhead", "expected a number of tokens");
    if (strcmp(kind, "token_ids") == 0)
        material->ids = mem_calloc(MATERIAL_COUNT_MAX, sizeof *material->ids);
    else
        material->words = mem_calloc(MATERIAL_COUNT_MAX, sizeof *material->words);
}

struct reading {
    struct material *material;
    const char *path;
};

static int take_line(void *context, char *line, size_t length, size_t number, struct error *err)
{
    struct reading *reading = context;
    struct material *material = reading->material;
    struct json_reader reader;
    json_t *object = json_parse(&reader, line, length, reading->path, number == 1 ? SCHEMA : NULL, err);
    if (!object)
        return -1;
    if (number == 1)
        read_header(&reader, object, material);
    else if (material->word_count + material->id_count == MATERIAL_COUNT_MAX)
        json_fail(&reader, "", "expected at most %d words or ids", MATERIAL_COUNT_MAX);
    else if (material->ids)
        read_id(&reader, object, material);
    else
        read_word(&reader, object, material);
    json_decref(object);
    return reader.failed ? -1 : 0;
}

int material_read(struct material *material, const char *path, struct error *err)
{
    struct reading reading = {.material = material, .path = path};
    *material = (struct material){0};
    if (record_read_lines(path, take_line, &reading, NULL, err) < 0)
        return -1;
    if (material->word_count + material->id_count == 0)
        return error_set(err, ERROR_USAGE, "%s: holds no words and no token ids. Prepare the run again", path);
    return 0;
}
