#include "stats/endings.h"

#include "stats/timeline.h"

#define NS 1e9 /* of a second */
#define MS 1e6 /* ns of one */

int64_t record_token_chunks(const struct record *record)
{
    return record->arrivals + record->coalesced;
}

/* -1: not known. */
static int64_t output_tokens(const struct record *record)
{
    int64_t chunks = record_token_chunks(record);
    return record->output_tokens >= 0 ? record->output_tokens : chunks > 0 ? chunks : -1;
}

static enum ending ending_of(const struct record *record)
{
    return record->outcome == OUTCOME_OK ? ENDING_OK : record->outcome == OUTCOME_ERROR ? ENDING_ERROR : ENDING_INCOMPLETE;
}

/* ---- a quantity of each request ---- */

static void add_between(struct weighted_list *list, int64_t from, int64_t to, double unit)
{
    if (from != TIME_NEVER && to != TIME_NEVER)
        weighted_add(list, (double)(to - from) / unit, 1);
}

static void add_mean(struct weighted_list *list, int64_t from, int64_t to, int64_t tokens)
{
    if (from != TIME_NEVER && to != TIME_NEVER && tokens > 0)
        weighted_add(list, (double)(to - from) / MS / (double)tokens, (double)tokens);
}

static void add_count(struct weighted_list *list, int64_t count)
{
    if (count >= 0)
        weighted_add(list, (double)count, 1);
}

static void add_total(struct weighted_list *list, int64_t prompt, int64_t output)
{
    if (prompt >= 0 || output >= 0)
        weighted_add(list, (double)(prompt > 0 ? prompt : 0) + (double)(output > 0 ? output : 0), 1);
}

static void add_chunks(struct weighted_list *list, const struct record *record, bool with_first)
{
    int64_t chunks = record_token_chunks(record), tokens = output_tokens(record);
    if (tokens > 0 && with_first)
        weighted_add(list, chunks > 1 ? 1 : (double)tokens, 1);
    if (chunks > 1 && tokens > 1)
        weighted_add(list, (double)(tokens - 1) / (double)(chunks - 1), (double)(chunks - 1));
}

static void add_quantity(struct weighted_list *list, const struct record *record, enum ending_quantity quantity, bool open_loop)
{
    int64_t tokens = output_tokens(record);
    switch (quantity) {
    case QUANTITY_E2E_S:
        add_between(list, record->sent, record->end, NS);
        break;
    case QUANTITY_DUE_E2E_S:
        add_between(list, open_loop ? record->intended : TIME_NEVER, record->end, NS);
        break;
    case QUANTITY_SLIP_S:
        add_between(list, open_loop ? record->intended : TIME_NEVER, record->sent, NS);
        break;
    case QUANTITY_CHUNKS:
        add_count(list, record->chunks);
        break;
    case QUANTITY_PROMPT_TOKENS:
        add_count(list, record->prompt_tokens);
        break;
    case QUANTITY_OUTPUT_TOKENS:
        add_count(list, tokens);
        break;
    case QUANTITY_TOTAL_TOKENS:
        add_total(list, record->prompt_tokens, tokens);
        break;
    case QUANTITY_TTFT_MS:
        add_between(list, record->sent, record->first_token, MS);
        break;
    case QUANTITY_TPOT_WITH_FIRST_MS:
        add_mean(list, record->sent, record->last_token, tokens);
        break;
    case QUANTITY_TPOT_VLLM_MS:
        add_mean(list, record->first_token, record->last_token, tokens - 1);
        break;
    case QUANTITY_TOKENS_A_CHUNK:
        add_chunks(list, record, true);
        break;
    default:
        add_chunks(list, record, false);
        break;
    }
}

struct splitting {
    const struct run_data *data;
    const struct run_level *level;
    bool open_loop;
    struct level_endings *out;
};

/* Of a level most requests end alike: what all of them are is then known already. */
static void split_quantity(const struct splitting *work, enum ending_quantity quantity)
{
    struct weighted_list lists[ENDING_ALL] = {0}, all = {0};
    struct spread *of = work->out->of[quantity];
    for (size_t k = 0; k < work->level->record_count; k++) {
        uint32_t at = work->level->records[k];
        const struct record *record = &work->data->file.records[at];
        if (work->data->member[at])
            add_quantity(&lists[ending_of(record)], record, quantity, work->open_loop);
    }
    for (int ending = 0; ending < ENDING_ALL; ending++) {
        of[ending] = spread_of(&lists[ending]);
        for (size_t k = 0; k < lists[ending].count; k++)
            weighted_add(&all, lists[ending].items[k].value, lists[ending].items[k].weight);
    }
    of[ENDING_ALL] = spread_of(&all);
    for (int ending = 0; ending < ENDING_ALL; ending++)
        weighted_free(&lists[ending]);
    weighted_free(&all);
}

/* ---- over time ---- */

typedef void (*add_event)(struct timeline *to, const struct record *record);

/* What happened in time: events, and with others beside them. */
struct flow {
    add_event add;
    enum ending_quantity of;
    add_event then; /* NULL: there are none */
    enum ending_quantity of_both;
};

static void add_request(struct timeline *to, const struct record *record)
{
    timeline_add(to, record->end, 1);
}

static void add_prompt(struct timeline *to, const struct record *record)
{
    timeline_add(to, record->first_token != TIME_NEVER ? record->first_token : record->end, (double)record->prompt_tokens);
}

/* Evenly: when each of a request's tokens came is in another file, and too much to be sorted. */
static void add_output(struct timeline *to, const struct record *record)
{
    int64_t chunks = record_token_chunks(record), tokens = output_tokens(record), length = record->last_token - record->first_token;
    if (tokens <= 0)
        return;
    if (record->first_token == TIME_NEVER || record->last_token == TIME_NEVER || chunks <= 1) {
        timeline_add(to, record->last_token != TIME_NEVER ? record->last_token : record->end, (double)tokens);
        return;
    }
    timeline_add(to, record->first_token, 1);
    double each = (double)(tokens - 1) / (double)(chunks - 1);
    for (int64_t k = 1; k < chunks && tokens > 1; k++)
        timeline_add(to, record->first_token + (int64_t)((double)length * (double)k / (double)(chunks - 1)), each);
}

/* The next request from *at on that ended so and has times; NULL: there is none. */
static const struct record *next_of(const struct splitting *work, enum ending ending, size_t *at)
{
    while (*at < work->level->record_count) {
        const struct record *record = &work->data->file.records[work->level->records[(*at)++]];
        if (record->sent != TIME_NEVER && record->end != TIME_NEVER && (ending == ENDING_ALL || ending_of(record) == ending))
            return record;
    }
    return NULL;
}

static void add_each(const struct splitting *work, enum ending ending, add_event add, struct timeline *to)
{
    const struct record *record;
    for (size_t at = 0; (record = next_of(work, ending, &at));)
        add(to, record);
}

static void describe_flow(const struct splitting *work, enum ending ending, const struct flow *flow, struct timeline *events)
{
    work->out->of[flow->of][ending] = timeline_rate(events);
    if (!flow->then)
        return;
    add_each(work, ending, flow->then, events);
    work->out->of[flow->of_both][ending] = timeline_rate(events);
}

/* One flow at a time: a timeline of a long level has a million cells. */
static void split_flow(const struct splitting *work, const struct flow *flow)
{
    const struct level_bounds *bounds = &work->level->bounds;
    struct timeline all, part;
    timeline_init(&all, bounds->window_start, bounds->window_end);
    for (int ending = 0; ending < ENDING_ALL; ending++) {
        timeline_init(&part, bounds->window_start, bounds->window_end);
        add_each(work, (enum ending)ending, flow->add, &part);
        timeline_add_all(&all, &part);
        describe_flow(work, (enum ending)ending, flow, &part);
        timeline_free(&part);
    }
    describe_flow(work, ENDING_ALL, flow, &all);
    timeline_free(&all);
}

static void split_under_way(const struct splitting *work)
{
    const struct level_bounds *bounds = &work->level->bounds;
    for (int ending = 0; ending <= ENDING_ALL; ending++) {
        struct interval_ends ends = {0};
        const struct record *record;
        for (size_t at = 0; (record = next_of(work, (enum ending)ending, &at));)
            interval_ends_add(&ends, record->sent, record->end);
        work->out->of[QUANTITY_CONCURRENCY][ending] = interval_ends_overlap(&ends, bounds->window_start, bounds->window_end);
        interval_ends_free(&ends);
    }
}

static void split_times(const struct splitting *work)
{
    static const struct flow flows[] = {
        {add_request, QUANTITY_REQUEST_RPS, NULL, QUANTITY_REQUEST_RPS},
        {add_prompt, QUANTITY_PROMPT_TPS, NULL, QUANTITY_PROMPT_TPS},
        {add_output, QUANTITY_OUTPUT_TPS, add_prompt, QUANTITY_TOTAL_TPS},
    };
    for (size_t k = 0; k < sizeof flows / sizeof flows[0]; k++)
        split_flow(work, &flows[k]);
    split_under_way(work);
}

/* ---- single requests ---- */

static void keep_some(const struct splitting *work, enum ending ending, size_t keep, struct arena *arena)
{
    size_t count = 0, seen = 0;
    for (size_t k = 0; k < work->level->record_count; k++)
        count += work->data->member[work->level->records[k]] && ending_of(&work->data->file.records[work->level->records[k]]) == ending;
    size_t wanted = count < keep ? count : keep, kept = 0;
    struct record *records = ARENA_ARRAY(arena, wanted + 1, struct record);
    for (size_t k = 0; k < work->level->record_count && kept < wanted; k++) {
        uint32_t at = work->level->records[k];
        if (!work->data->member[at] || ending_of(&work->data->file.records[at]) != ending)
            continue;
        if (seen++ * wanted / count == kept) /* of a hundred of which ten are wanted: 0, 10, 20 … */
            records[kept++] = work->data->file.records[at];
    }
    work->out->kept[ending] = records;
    work->out->kept_count[ending] = kept;
}

static void find_ends(const struct splitting *work)
{
    struct level_endings *out = work->out;
    out->first_sent = out->last_end = TIME_NEVER;
    for (size_t k = 0; k < work->level->record_count; k++) {
        const struct record *record = &work->data->file.records[work->level->records[k]];
        if (record->sent == TIME_NEVER || record->end == TIME_NEVER)
            continue;
        if (out->first_sent == TIME_NEVER || record->sent < out->first_sent)
            out->first_sent = record->sent;
        if (out->last_end == TIME_NEVER || record->end > out->last_end)
            out->last_end = record->end;
    }
}

const struct level_endings *endings_of_level(const struct run_data *data, const struct run_level *level, size_t keep, struct arena *arena)
{
    struct splitting work = {data, level, run_level_is_open_loop(level), ARENA_NEW(arena, struct level_endings)};
    for (int quantity = 0; quantity < QUANTITY_OVER_TIME; quantity++)
        split_quantity(&work, (enum ending_quantity)quantity);
    split_times(&work);
    for (int ending = 0; ending < ENDING_ALL; ending++)
        keep_some(&work, (enum ending)ending, keep, arena);
    find_ends(&work);
    return work.out;
}
