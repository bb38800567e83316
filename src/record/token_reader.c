/* record_read_tokens: frames of varints, decoded from a block of inflated bytes.
 *
 * A varint is at most 10 bytes, and behind the block's end there are always
 * zero bytes enough for two of them, read eight at a time (a zero byte ends a
 * varint). So a pair is decoded without looking at the end, and one comparison
 * afterwards tells whether it was whole. */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "record/gzip_members.h"
#include "record/record_reader.h"
#include "record/record_writer.h"

#define TOKEN_BLOCK_SIZE ((size_t)512 << 10)
#define VARINT_MAX 10
#define PAIR_MAX ((size_t)2 * VARINT_MAX)
#define USUAL_PAIR_SIZE 5
#define PADDING (PAIR_MAX + RECORD_ID_SIZE)

CLEANUP_DEFINE(struct gzip_source, gzip_source_free)

struct token_blocks {
    struct gzip_source *source;
    const char *path;
    bool ended;      /* the source gave all it had */
    uint64_t offset; /* of bytes[0] in the inflated stream */
    const unsigned char *at, *end;
    int64_t *gaps;
    int32_t *n;
    size_t gaps_capacity, n_capacity;
    unsigned char bytes[TOKEN_BLOCK_SIZE + PADDING];
};

static int tokens_fail(const struct token_blocks *blocks, struct error *err, const char *what)
{
    return error_set(err, ERROR_USAGE, "%s is damaged at byte %" PRIu64 " of its content: %s", blocks->path,
                     blocks->offset + (uint64_t)(blocks->at - blocks->bytes), what);
}

/* At least `count` bytes ahead, or all that there are, and the padding behind. */
static int tokens_need(struct token_blocks *blocks, size_t count, struct error *err)
{
    size_t left = (size_t)(blocks->end - blocks->at);

    if (left >= count || blocks->ended)
        return 0;
    memmove(blocks->bytes, blocks->at, left);
    blocks->offset += (uint64_t)(blocks->at - blocks->bytes);
    while (left < count && !blocks->ended) {
        const int64_t got = gzip_source_read(blocks->source, blocks->bytes + left, TOKEN_BLOCK_SIZE - left, err);

        if (got < 0)
            return -1;
        blocks->ended = got == 0;
        left += (size_t)got;
    }
    blocks->at = blocks->bytes;
    blocks->end = blocks->bytes + left;
    memset(blocks->bytes + left, 0, PADDING);
    return 0;
}

/* NULL: more than 64 bits. */
static const unsigned char *take_long_varint(const unsigned char *at, uint64_t *number)
{
    uint64_t value = *at & 0x7f;
    unsigned shift = 7;

    while (*at++ & 0x80) {
        if (shift > 63 || (shift == 63 && *at > 1))
            return NULL;
        value |= (uint64_t)(*at & 0x7f) << shift;
        shift += 7;
    }
    *number = value;
    return at;
}

/* Those of up to 8 bytes without a loop: seven bits of each byte are pushed together in three steps, two bytes, four, eight. */
static inline const unsigned char *take_varint(const unsigned char *at, uint64_t *number)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    word = le64toh(word);

    const uint64_t ends = ~word & UINT64_C(0x8080808080808080);

    if (ends == 0)
        return take_long_varint(at, number);

    const uint64_t last = ends & -ends; /* the high bit of the last byte */

    word &= (last << 1) - 1; /* of the eighth byte: all ones */
    word &= UINT64_C(0x7f7f7f7f7f7f7f7f);
    word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
    word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
    *number = (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
    return at + __builtin_ctzll(last) / 8 + 1;
}

/* Nearly every pair is a gap of 2 to 268 ms, four bytes, and fewer than 128 tokens, one. That it is one is a guess of the processor's, so the
 * next pair does not wait for this one's length. */
static inline bool take_usual_pair(const unsigned char *at, int64_t *gap, int32_t *n)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    word = le64toh(word);
    if ((word & UINT64_C(0x8080808080)) != UINT64_C(0x0000808080))
        return false;
    *gap = (int64_t)((word & 0x7f) | (word >> 1 & 0x3f80) | (word >> 2 & 0x1fc000) | (word >> 3 & 0xfe00000));
    *n = (int32_t)(word >> 32 & 0x7f);
    return true;
}

/* A pair at `at`: 1 taken, 0 the file ends inside it, -1 what cannot be. */
static inline int tokens_take_pair(struct token_blocks *blocks, int64_t *gap, int32_t *n)
{
    if (take_usual_pair(blocks->at, gap, n) && blocks->end - blocks->at >= USUAL_PAIR_SIZE) {
        blocks->at += USUAL_PAIR_SIZE;
        return 1;
    }

    uint64_t first, second;
    const unsigned char *next = take_varint(blocks->at, &first);

    next = next ? take_varint(next, &second) : NULL;
    if (!next)
        return -1;
    if (next > blocks->end)
        return 0;
    if (first > (uint64_t)RECORD_TIME_MAX || second > INT32_MAX)
        return -1;
    *gap = (int64_t)first;
    *n = (int32_t)second;
    blocks->at = next;
    return 1;
}

/* The arrays grow with what was really read, never by what the frame claims. */
static int tokens_take_arrivals(struct token_blocks *blocks, size_t arrivals, struct error *err)
{
    for (size_t k = 0; k < arrivals; k++) {
        if ((size_t)(blocks->end - blocks->at) < PAIR_MAX && tokens_need(blocks, PAIR_MAX, err) < 0)
            return -1;
        if (k == blocks->gaps_capacity) {
            MEM_GROW(blocks->gaps, blocks->gaps_capacity, k + 1);
            MEM_GROW(blocks->n, blocks->n_capacity, k + 1);
        }

        const int result = tokens_take_pair(blocks, &blocks->gaps[k], &blocks->n[k]);

        if (result <= 0)
            return result < 0 ? tokens_fail(blocks, err, "no pair of gap and count") : 0;
    }
    return 1;
}

/* 1 taken, 0 the file ends inside it, -1. */
static int tokens_take_number(struct token_blocks *blocks, uint64_t max, const char *what, uint64_t *number, struct error *err)
{
    if (tokens_need(blocks, VARINT_MAX, err) < 0)
        return -1;

    const unsigned char *next = take_varint(blocks->at, number);

    if (!next || (next <= blocks->end && *number > max))
        return tokens_fail(blocks, err, what);
    if (next > blocks->end)
        return 0;
    blocks->at = next;
    return 1;
}

static int tokens_take_id(struct token_blocks *blocks, struct token_frame *frame, struct error *err)
{
    uint64_t length;
    const int result = tokens_take_number(blocks, RECORD_ID_SIZE - 1, "an id longer than 47 bytes", &length, err);

    if (result <= 0)
        return result;
    if (tokens_need(blocks, length, err) < 0)
        return -1;
    if ((size_t)(blocks->end - blocks->at) < length)
        return 0;
    if (record_parse_id((const char *)blocks->at, length, &frame->level, &frame->repeat, &frame->i) < 0)
        return tokens_fail(blocks, err, "no <level>.<repeat>.<i>");
    blocks->at += length;
    return 1;
}

static int tokens_take_frame(struct token_blocks *blocks, struct token_frame *frame, struct error *err)
{
    uint64_t arrivals;
    int result = tokens_take_id(blocks, frame, err);

    if (result > 0)
        result = tokens_take_number(blocks, TOKEN_ARRIVALS_MAX, "more than 16,777,216 arrivals of one request", &arrivals, err);
    if (result > 0)
        result = tokens_take_arrivals(blocks, arrivals, err);
    if (result <= 0)
        return result;
    frame->arrivals = arrivals;
    frame->gaps = blocks->gaps;
    frame->n = blocks->n;
    return 1;
}

static int tokens_read_all(struct token_blocks *blocks, token_handler handler, void *context, bool *truncated, struct error *err)
{
    struct token_frame frame;

    for (;;) {
        if (tokens_need(blocks, 1, err) < 0)
            return -1;
        if (blocks->at == blocks->end)
            return 0;

        int result = tokens_take_frame(blocks, &frame, err);

        if (result == 0) {
            *truncated = true;
            return 0;
        }
        if (result > 0)
            result = handler(context, &frame, err);
        if (result != 0)
            return result;
    }
}

int record_read_tokens(const char *folder, int shard, token_handler handler, void *context, bool *truncated, struct error *err)
{
    cleanup_free char *path = run_file_path(folder, RUN_TOKENS, shard);
    bool missing, cut = false;
    cleanup_with(gzip_source_free) struct gzip_source *source = gzip_source_open(path, &missing, err);

    if (!source)
        return missing ? 1 : -1;

    cleanup_free struct token_blocks *blocks = mem_alloc(sizeof *blocks);

    blocks->source = source;
    blocks->path = path;
    blocks->at = blocks->end = blocks->bytes;

    const int result = tokens_read_all(blocks, handler, context, &cut, err);

    free(blocks->gaps);
    free(blocks->n);
    if (truncated)
        *truncated = cut || gzip_source_truncated(source);
    return result;
}
