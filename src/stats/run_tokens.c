#include "stats/run_tokens.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

/* Weighted tokens are summed in integers, so that the sum does not depend on the order of the requests. */
#define TOKEN_PARTS 1048576
__extension__ typedef __int128 wide;

struct token_parts {
    wide in_window, in_span, span_gap_tokens; /* TOKEN_PARTS a token */
    wide span_gap_ns;
    int64_t span_gaps;
    struct block_parts {
        wide in_window, itl_ns, gap_ns;
        uint64_t itl_count, gap_count;
    } block[BLOCKS];
};

struct pass {
    struct run_data *data;
    struct token_parts *parts; /* by level */
    bool second;
    size_t next; /* in file order: the record that most probably follows */
    int64_t *gaps; /* of scale_frame */
    size_t gaps_capacity;
};

static bool record_is(const struct record *record, const struct token_frame *frame)
{
    return record->level == frame->level && record->repeat == frame->repeat && record->i == frame->i;
}

static const struct record *find_by_order(const struct run_data *data, const struct run_level *level, int64_t i)
{
    size_t low = 0, high = level->record_count;
    while (data->file.records && low < high) {
        size_t middle = low + (high - low) / 2;
        if (data->file.records[level->records[middle]].i < i)
            low = middle + 1;
        else
            high = middle;
    }
    if (!data->file.records || low == level->record_count || data->file.records[level->records[low]].i != i)
        return NULL;
    return &data->file.records[level->records[low]];
}

/* Requests and frames are written side by side, so the next record is nearly always the right one. */
static const struct record *find_record(struct pass *pass, const struct run_level *level, const struct token_frame *frame)
{
    const struct record_file *file = &pass->data->file;
    const struct record *record = pass->next < file->record_count ? &file->records[pass->next] : NULL;
    if (!record || !record_is(record, frame))
        record = find_by_order(pass->data, level, frame->i);
    if (record)
        pass->next = (size_t)(record - file->records) + 1;
    return record;
}

static int64_t scale_gap(const struct run_data *data, int64_t gap)
{
    double model = (double)gap * data->time_scale;
    return model > (double)TIME_LIMIT ? TIME_LIMIT : (int64_t)llrint(model);
}

/* The frame with its gaps in model time; they are the pass's until the next frame. */
static struct token_frame scale_frame(struct pass *pass, const struct token_frame *frame)
{
    struct token_frame model = *frame;
    if (pass->data->time_scale == 1)
        return model;
    MEM_GROW(pass->gaps, pass->gaps_capacity, frame->arrivals);
    for (size_t k = 0; k < frame->arrivals; k++)
        pass->gaps[k] = scale_gap(pass->data, frame->gaps[k]);
    model.gaps = pass->gaps;
    return model;
}

static double tokens_per_n(const struct record *record, const struct token_frame *frame)
{
    double sum = 0;
    if (record->chunk_tokens != CHUNK_TOKENS_INFERRED || record->output_tokens <= 0)
        return 1;
    for (size_t k = 0; k < frame->arrivals; k++)
        sum += frame->n[k];
    return sum > 0 ? (double)record->output_tokens / sum : 1;
}

/* Tokens of one request that arrived in the same block: times ascend, so a block is left once and for all. */
struct in_block {
    size_t block;
    int64_t until, tokens;
};

static void leave_block(const struct run_level *level, struct in_block *in, int64_t t, struct token_parts *parts, double weight)
{
    if (in->tokens > 0)
        parts->block[in->block].in_window += (wide)((double)in->tokens * weight);
    in->tokens = 0;
    if (t < level->bounds.window_end) {
        in->block = blocks_find(&level->blocks, t);
        in->until = blocks_bound(&level->blocks, in->block + 1);
    }
}

/* The ones inside the window are nearly all of a request's, so they are counted in integers and weighted once. */
static void count_tokens(const struct pass *pass, const struct run_level *level, const struct record *record, const struct token_frame *frame)
{
    int64_t t = record->sent, in_window = 0, in_span = 0, after_gaps = 0, gaps = 0;
    wide gaps_ns = 0;
    double weight = tokens_per_n(record, frame) * TOKEN_PARTS;
    struct token_parts *parts = &pass->parts[level - pass->data->levels];
    struct in_block in = {.until = level->blocks.count > 0 ? level->blocks.start : INT64_MAX};
    for (size_t k = 0; k < frame->arrivals; k++) {
        int64_t gap = frame->gaps[k];
        if (__builtin_add_overflow(t, gap, &t))
            break;
        if (run_level_in_window(level, t)) {
            in_window += frame->n[k];
            if (t >= in.until)
                leave_block(level, &in, t, parts, weight);
            in.tokens += frame->n[k];
        }
        if (!run_level_in_span(level, t))
            continue;
        in_span += frame->n[k];
        if (k == 0)
            continue;
        after_gaps += frame->n[k];
        gaps_ns += gap;
        gaps++;
    }
    parts->in_window += (wide)((double)in_window * weight);
    parts->in_span += (wide)((double)in_span * weight);
    parts->span_gap_tokens += (wide)((double)after_gaps * weight);
    parts->span_gap_ns += gaps_ns;
    parts->span_gaps += gaps;
    if (level->blocks.count > 0)
        leave_block(level, &in, INT64_MAX, parts, weight);
}

/* Of a member, in the first pass. */
static void sum_gaps(const struct pass *pass, const struct run_level *level, const struct record *record, const struct token_frame *frame)
{
    if (level->blocks.count == 0 || frame->arrivals < 2)
        return;
    struct block_parts *block =
        &pass->parts[level - pass->data->levels].block[blocks_find(&level->blocks, run_level_counted_at(level, record))];
    wide gap_ns = 0, itl_ns = 0;
    uint64_t itl_count = 0;
    for (size_t k = 1; k < frame->arrivals; k++) {
        gap_ns += frame->gaps[k];
        itl_ns += frame->n[k] > 0 ? frame->gaps[k] : 0;
        itl_count += (uint64_t)frame->n[k];
    }
    block->gap_ns += gap_ns;
    block->gap_count += frame->arrivals - 1;
    block->itl_ns += itl_ns;
    block->itl_count += itl_count;
}

/* The first gap is the TTFT. */
static void add_gaps(const struct pass *pass, struct run_level *level, const struct token_frame *frame)
{
    if (frame->arrivals > 1)
        (pass->second ? selection_collect : selection_count)(level->tokens.gaps, frame->gaps + 1, frame->n + 1, frame->arrivals - 1);
}

static int on_frame(void *context, const struct token_frame *frame, struct error *err)
{
    (void)err;
    struct pass *pass = context;
    struct run_level *level = run_data_find_level(pass->data, frame->level, frame->repeat);
    const struct record *record = level ? find_record(pass, level, frame) : NULL;
    if (!record || record->sent == TIME_NEVER)
        return 0;
    level->tokens.frames += !pass->second;
    bool counts = record->outcome == OUTCOME_OK && pass->data->member[record - pass->data->file.records];
    struct token_frame model = scale_frame(pass, frame);
    if (!pass->second)
        count_tokens(pass, level, record, &model);
    if (!pass->second && counts)
        sum_gaps(pass, level, record, &model);
    if (counts)
        add_gaps(pass, level, &model);
    return 0;
}

/* A request without tokens has no frame; a part without the file does not tell of its tokens. */
static bool all_have_tokens(const struct run_data *data, const char *folder)
{
    for (size_t p = 0; p < data->file.part_count; p++) {
        cleanup_free char *path = run_file_path(folder, RUN_TOKENS, data->file.parts[p].shard);
        if (!file_exists(path))
            return false;
    }
    return data->file.part_count > 0;
}

static void set_sums(struct token_sums *tokens, const struct token_parts *parts)
{
    tokens->in_window = (double)parts->in_window / TOKEN_PARTS;
    tokens->in_span = (double)parts->in_span / TOKEN_PARTS;
    tokens->span_gap_ns = (double)parts->span_gap_ns;
    tokens->span_gap_tokens = (double)parts->span_gap_tokens / TOKEN_PARTS;
    tokens->span_gaps = (double)parts->span_gaps;
    for (int k = 0; k < BLOCKS; k++) {
        const struct block_parts *block = &parts->block[k];
        tokens->block[k] = (struct block_tokens){(double)block->in_window / TOKEN_PARTS, (double)block->itl_ns, (double)block->itl_count,
                                                 (double)block->gap_ns, (double)block->gap_count};
    }
}

static int read_pass(struct run_data *data, const char *folder, bool second, struct error *err)
{
    cleanup_free struct token_parts *parts = mem_calloc(data->level_count + 1, sizeof *parts);
    struct pass pass = {.data = data, .parts = parts, .second = second};
    for (size_t p = 0; p < data->file.part_count; p++) {
        int shard = data->file.parts[p].shard;
        bool cut = false;
        int result = record_read_tokens(folder, shard, on_frame, &pass, &cut, err);
        free(pass.gaps);
        pass.gaps = NULL;
        pass.gaps_capacity = 0;
        if (result < 0)
            return -1;
        if (cut)
            run_file_name(RUN_TOKENS, shard, data->truncated);
    }
    for (size_t k = 0; !second && k < data->level_count; k++)
        set_sums(&data->levels[k].tokens, &parts[k]);
    return 0;
}

int run_tokens_read(struct run_data *data, const char *folder, struct error *err)
{
    for (size_t k = 0; k < data->level_count; k++)
        data->levels[k].tokens.gaps = selection_new();
    data->has_tokens = all_have_tokens(data, folder);
    if (!data->has_tokens)
        return 0;
    if (read_pass(data, folder, false, err) < 0)
        return -1;
    for (size_t k = 0; k < data->level_count; k++)
        selection_choose(data->levels[k].tokens.gaps);
    return read_pass(data, folder, true, err);
}
