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
#define SUMS 64 /* sums below it are looked up, all others taken for reachable */

void material_free(struct material *material)
{
    free(material->words);
    free(material->ids);
    *material = (struct material){0};
}

/* How many words, from the cheapest on, cost at most `tokens`. */
static size_t affordable(const struct material *material, int64_t tokens)
{
    size_t count = material->word_count;
    while (count > 0 && material->words[count - 1].cost > tokens)
        count--;
    return count;
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

/* Among the first `count` words from `start` on, the first that leaves a sum that can be reached; `start` if none does. */
static size_t choose_word(const struct material *material, size_t start, size_t count, int64_t left, uint64_t sums)
{
    for (size_t k = 0; k < count; k++) {
        size_t index = (start + k) % count;
        int64_t rest = left - material->words[index].cost;
        if (rest >= SUMS || (sums >> rest & 1))
            return index;
    }
    return start;
}

int64_t material_draw_text(const struct material *material, int64_t tokens, struct random *head, struct random *tail, struct buf *out,
                           struct material_mark *marks)
{
    int64_t placed = 0, k = 0;
    size_t count = material->word_count;
    uint64_t sums = material->words[0].cost > 1 ? reachable_sums(material) : UINT64_MAX;
    buf_append_text(out, MATERIAL_OPENING);
    for (; placed < tokens; k++) {
        if (material->words[count - 1].cost > tokens - placed)
            count = affordable(material, tokens - placed);
        if (count == 0)
            break;
        size_t index = (size_t)random_below(k < MATERIAL_HEAD_WORDS ? head : tail, count);
        if (sums != UINT64_MAX)
            index = choose_word(material, index, count, tokens - placed, sums);
        const struct material_word *word = &material->words[index];
        buf_append_text(out, word->text);
        placed += word->cost;
        if (marks)
            marks[k] = (struct material_mark){.word = index, .end = out->len, .tokens = placed};
    }
    if (marks && k < tokens)
        marks[k] = (struct material_mark){.end = 0};
    return placed;
}

void material_draw_ids(const struct material *material, int64_t tokens, struct random *head, struct random *tail, int32_t *ids)
{
    for (int64_t k = 0; k < tokens; k++) {
        struct random *random = k < MATERIAL_HEAD_WORDS ? head : tail;
        ids[k] = material->ids[random_below(random, material->id_count)];
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

static int write_lines(struct gzip_stream *stream, const struct material *material, struct error *err)
{
    json_t *header = json_object();
    json_set_text(header, "schema", SCHEMA);
    json_set_text(header, "kind", material->ids ? "token_ids" : "text");
    json_set_integer(header, "overhead", material->overhead);
    if (write_line(stream, header, err) < 0)
        return -1;
    for (size_t k = 0; k < material->word_count; k++) {
        json_t *line = json_object();
        json_set_text(line, "word", material->words[k].text);
        json_set_integer(line, "cost", material->words[k].cost);
        if (write_line(stream, line, err) < 0)
            return -1;
    }
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

static void read_word(struct json_reader *reader, const json_t *object, struct material *material)
{
    const char *text = json_get_text(reader, object, "word");
    int64_t cost = json_get_integer(reader, object, "cost");
    if (reader->failed)
        return;
    if (!text[0] || strlen(text) >= MATERIAL_WORD_MAX || cost < 1 || cost > PLAN_TOKENS_MAX) {
        json_fail(reader, "word", "expected 1 to %d bytes that cost at least one token", MATERIAL_WORD_MAX - 1);
        return;
    }
    struct material_word *word = &material->words[material->word_count++];
    snprintf(word->text, sizeof word->text, "%s", text);
    word->cost = cost;
    if (material->word_count > 1 && word->cost < word[-1].cost)
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
