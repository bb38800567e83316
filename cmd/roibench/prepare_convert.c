#include "cmd/roibench/prepare_convert.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/prepare_member.h"
#include "plan/dataset.h"
#include "plan/dataset_body.h"
#include "plan/token_lengths.h"
#include "probe/count.h"

#define SAMPLE_BY_TOKENIZE 32    /* first rows that are counted whatever their length, then the 64th, 128th, ... */
#define SAMPLE_BY_USAGE 4        /* each costs a prefill */
#define SAMPLE_BY_USAGE_BYTES 16384
#define COUNTS_MAX 20000         /* rows near the limit that are counted; the others are estimated */
#define COUNTS_BY_USAGE_MAX 64
#define MESSAGE_TOKENS 16        /* that a template puts around a message, at most */
#define TRIM_ROUNDS 6
#define TRIM_MARGIN 0.98
#define LINES_NAMED 5
#define TELL_EVERY_NS (10 * NS_PER_S)
#define TOKENS_PER_BYTE 0.25     /* of English, until something was counted */

/* --- all rows ----------------------------------------------------------------------------------- */

struct lengths_sum {
    double sum, squares;
    int64_t min, max;
};

struct conversion {
    const struct app *app;
    struct prepare_data *data;
    const struct material *material;
    struct plan *plan;
    struct counter counter;
    struct dataset_writer *writer;
    struct prepare_member member;
    struct buf line;
    int64_t head_tokens, counts; /* rows counted beyond the sample */
    double sample_bytes, sample_tokens;
    struct lengths_sum prompts, answers;
    int64_t short_prompts, told_at;
    int64_t last_timestamp_ms, out_of_order;
    uint64_t lines_left_out[LINES_NAMED];
};

static void add_length(struct lengths_sum *sum, int64_t tokens, int64_t rows_before)
{
    sum->sum += (double)tokens;
    sum->squares += (double)tokens * (double)tokens;
    sum->min = rows_before == 0 || tokens < sum->min ? tokens : sum->min;
    sum->max = rows_before == 0 || tokens > sum->max ? tokens : sum->max;
}

static struct token_lengths lengths_of(const struct lengths_sum *sum, int64_t rows)
{
    double mean = sum->sum / (double)rows, variance = sum->squares / (double)rows - mean * mean;
    return (struct token_lengths){.mean = llround(mean), .stddev = llround(sqrt(fmax(variance, 0))), .min = sum->min, .max = sum->max};
}

static double tokens_per_byte(const struct conversion *conversion)
{
    return conversion->sample_bytes > 0 && conversion->sample_tokens > 0 ? conversion->sample_tokens / conversion->sample_bytes : TOKENS_PER_BYTE;
}

static int64_t at_least_one(double tokens)
{
    return tokens > PLAN_TOKENS_MAX ? PLAN_TOKENS_MAX : tokens < 1 ? 1 : llround(tokens);
}

/* As the row says, as long as the answer that it has, or drawn. */
static int64_t answer_tokens(const struct conversion *conversion, const struct dataset_row *row, int64_t turn)
{
    struct random random;
    if (row->output_tokens > 0)
        return row->output_tokens;
    if (row->answer_length > 0)
        return at_least_one((double)row->answer_length * tokens_per_byte(conversion));
    random_derive(&random, conversion->plan->seed, "answers", (uint64_t)(conversion->plan->workload.data.rows + turn), 0);
    return token_lengths_draw(&conversion->data->answers, &random);
}

/* Tokens that are in every prompt of a text. */
static int64_t fixed_tokens(const struct conversion *conversion)
{
    return conversion->material->overhead + conversion->head_tokens;
}

struct length {
    int64_t tokens;
    bool counted;
};

static int64_t estimate_tokens(const struct conversion *conversion)
{
    double text = (double)conversion->member.text_bytes * tokens_per_byte(conversion);
    return fixed_tokens(conversion) + at_least_one(text);
}

/* A token is a byte at least, so a short text fits for certain. */
static bool certainly_fits(const struct conversion *conversion, int64_t answer)
{
    int64_t room = conversion->plan->server.max_model_len, bytes = (int64_t)conversion->member.text_bytes;
    return room <= 0 || bytes + fixed_tokens(conversion) + MESSAGE_TOKENS * (int64_t)conversion->member.messages + answer <= room;
}

static bool in_sample(const struct conversion *conversion)
{
    const struct workload_data *data = &conversion->plan->workload.data;
    int64_t number = data->rows + data->too_long, room = conversion->plan->server.max_model_len;
    bool power = (number & (number - 1)) == 0;
    if (conversion->counter.tokenize)
        return number < SAMPLE_BY_TOKENIZE || power;
    int64_t bytes = (int64_t)conversion->member.text_bytes;
    return (number < SAMPLE_BY_USAGE || power) && bytes <= SAMPLE_BY_USAGE_BYTES && (room <= 0 || bytes < room);
}

static bool worth_asking(const struct conversion *conversion, int64_t answer)
{
    int64_t most = conversion->counter.tokenize ? COUNTS_MAX : COUNTS_BY_USAGE_MAX;
    return !certainly_fits(conversion, answer) && conversion->counts < most;
}

/* The prompt's length, by the server where it matters. 1; 0: the server refuses it (*refusal); -1. */
static int measure(struct conversion *conversion, int64_t answer, struct length *length, struct error *refusal, struct error *err)
{
    bool sample = in_sample(conversion);
    int64_t room = conversion->plan->server.max_model_len;
    length->counted = false;
    length->tokens = estimate_tokens(conversion);
    if (!sample && !worth_asking(conversion, answer))
        return 1;
    conversion->counts += !sample;
    struct buf whole = BUF_INIT(PROMPT_BODY_MAX);
    struct random random;
    random_derive(&random, conversion->plan->seed, "head", 0, 0);
    prepare_member_with_head(&conversion->member, conversion->plan->workload.allow_prefix_cache ? NULL : conversion->material, &random, &whole);
    int64_t counted = counter_count_member(&conversion->counter, buf_text(&whole), whole.len, refusal);
    buf_free(&whole);
    if (counted == COUNTER_REFUSED && (conversion->counter.tokenize || room <= 0))
        return 0;
    if (counted == COUNTER_REFUSED) { /* a request, which does not fit: by how much is not known */
        length->tokens = length->tokens > 2 * room ? length->tokens : 2 * room;
        return 1;
    }
    if (counted < 0)
        return error_set(err, refusal->class, "%s", refusal->text);
    *length = (struct length){counted, true};
    if (counted > fixed_tokens(conversion)) {
        conversion->sample_tokens += (double)(counted - fixed_tokens(conversion));
        conversion->sample_bytes += (double)conversion->member.text_bytes;
    }
    return 1;
}

static int write_row(struct conversion *conversion, const struct dataset_row *row, const struct length *length, int64_t answer, struct error *err)
{
    struct workload_data *data = &conversion->plan->workload.data;
    struct buf *line = &conversion->line;
    buf_reset(line);
    buf_printf(line, "{\"prompt_tokens\":%" PRId64 ",\"counted\":%s,\"output_tokens\":%" PRId64, length->tokens, length->counted ? "true" : "false", answer);
    if (row->kind == DATASET_LENGTHS) {
        for (size_t k = 0; k < json_array_size(row->hash_ids); k++)
            buf_printf(line, "%s%" JSON_INTEGER_FORMAT, k > 0 ? "," : ",\"hash_ids\":[", json_integer_value(json_array_get(row->hash_ids, k)));
        buf_append_text(line, json_array_size(row->hash_ids) > 0 ? "]}" : "}");
    } else {
        buf_printf(line, ",\"head\":%zu,", conversion->member.head);
        buf_append(line, conversion->member.json.data, conversion->member.json.len);
        buf_append_char(line, '}');
    }
    if (line->overflowed)
        return error_set(err, ERROR_USAGE, "a prompt of %zu bytes is too large", conversion->member.text_bytes);
    add_length(&conversion->prompts, length->tokens, data->rows);
    add_length(&conversion->answers, answer, data->rows);
    data->counted += length->counted;
    data->rows++;
    return dataset_writer_add(conversion->writer, line->data, line->len, err);
}

/* A row that does not fit: 0 left out, -1 with --too-long refuse. */
static int leave_out(struct conversion *conversion, const struct dataset_row *row, const struct length *length, int64_t answer, struct error *err)
{
    struct workload_data *data = &conversion->plan->workload.data;
    if (conversion->data->too_long == TOO_LONG_REFUSE)
        return error_set(err, ERROR_USAGE, "%s: line %" PRIu64 ": a prompt of %s%" PRId64 " tokens and an answer of %" PRId64 " do not fit into the model's "
                         "context of %" PRId64 " tokens. --too-long skip leaves such rows out%s", conversion->data->path,
                         row->line, length->counted ? "" : "about ", length->tokens, answer, conversion->plan->server.max_model_len,
                         conversion->plan->workload.turns > 1 ? "" : ", --too-long trim shortens them");
    if (data->too_long < LINES_NAMED)
        conversion->lines_left_out[data->too_long] = row->line;
    data->too_long++;
    return 0;
}

/* Shortens the text until it fits. 1; 0: it cannot be; -1. */
static int trim(struct conversion *conversion, int64_t answer, struct length *length, struct error *err)
{
    int64_t room = conversion->plan->server.max_model_len - answer;
    struct error refusal;
    for (int round = 0; round < TRIM_ROUNDS && length->tokens > room; round++) {
        double share = (double)(room - fixed_tokens(conversion)) / (double)(length->tokens - fixed_tokens(conversion));
        if (share <= 0 || !prepare_member_shorten(&conversion->member, share * TRIM_MARGIN))
            return 0;
        int status = measure(conversion, answer, length, &refusal, err);
        if (status <= 0)
            return status;
    }
    conversion->plan->workload.data.trimmed += length->tokens <= room;
    return length->tokens <= room;
}

static int convert_text(struct conversion *conversion, const struct dataset_row *row, struct error *err)
{
    int64_t answer = answer_tokens(conversion, row, 0), room = conversion->plan->server.max_model_len;
    struct length length;
    struct error refusal = {0};
    if (prepare_member_of_row(&conversion->member, row, conversion->plan->workload.endpoint, &refusal) < 0)
        return dataset_refuse(conversion->data->dataset, row, &refusal, err);
    int status = measure(conversion, answer, &length, &refusal, err);
    if (status == 0 && !conversion->counter.tokenize && conversion->data->too_long != TOO_LONG_REFUSE)
        return leave_out(conversion, row, &length, answer, err); /* how large the context is was not told, but this is beyond it */
    if (status == 0)
        return dataset_refuse(conversion->data->dataset, row, &refusal, err);
    if (status > 0 && room > 0 && length.tokens + answer > room) {
        status = conversion->data->too_long == TOO_LONG_TRIM ? trim(conversion, answer, &length, err) : 0;
        if (status == 0)
            return leave_out(conversion, row, &length, answer, err);
    }
    return status < 0 ? -1 : write_row(conversion, row, &length, answer, err);
}

/* Prompts are made as long as the trace says: there is nothing to count. */
static int convert_lengths(struct conversion *conversion, const struct dataset_row *row, struct error *err)
{
    int64_t answer = answer_tokens(conversion, row, 0), room = conversion->plan->server.max_model_len, shortest = conversion->material->overhead + 1;
    struct length length = {row->prompt_tokens, true};
    conversion->short_prompts += length.tokens < shortest;
    length.tokens = length.tokens < shortest ? shortest : length.tokens;
    if (room > 0 && length.tokens + answer > room) {
        if (conversion->data->too_long != TOO_LONG_TRIM || room - answer < shortest)
            return leave_out(conversion, row, &length, answer, err);
        length.tokens = room - answer;
        conversion->plan->workload.data.trimmed++;
    }
    return write_row(conversion, row, &length, answer, err);
}

/* How many messages the prompt of that turn has: all up to the user's that begins it. 0: there are not so many turns. */
static size_t count_messages(const json_t *messages, int64_t turn)
{
    for (size_t k = 0; k < json_array_size(messages); k++) {
        const char *role = json_string_value(json_object_get(json_array_get(messages, k), "role"));
        if (role && strcmp(role, "user") == 0 && turn-- == 0)
            return k + 1;
    }
    return 0;
}

/* A turn as a row of its own; json_decref its messages. */
static struct dataset_row row_of_turn(const struct dataset_row *conversation, int64_t turn)
{
    struct dataset_row row = *conversation;
    size_t count = count_messages(conversation->messages, turn), said = json_array_size(conversation->messages);
    row.messages = json_array();
    for (size_t k = 0; k < count; k++)
        json_array_append(row.messages, json_array_get(conversation->messages, k));
    if (count < said) /* what the assistant answered in the file; of the last message the row knows it */
        row.answer_length = json_string_length(json_object_get(json_array_get(conversation->messages, count), "content"));
    return row;
}

enum turn_fit { TURN_FITS, TURN_TOO_LONG, TURN_BAD, TURN_FAILED };
struct turn_length {
    struct length length;
    int64_t answer;
};

static enum turn_fit measure_turn(struct conversion *conversion, const struct dataset_row *row, int64_t turn, struct turn_length *measured,
                                  struct error *refusal, struct error *err)
{
    int64_t room = conversion->plan->server.max_model_len;
    if (prepare_member_of_row(&conversion->member, row, conversion->plan->workload.endpoint, refusal) < 0)
        return TURN_BAD;
    measured->answer = answer_tokens(conversion, row, turn);
    int status = measure(conversion, measured->answer, &measured->length, refusal, err);
    if (status < 0)
        return TURN_FAILED;
    if (status == 0)
        return conversion->counter.tokenize || conversion->data->too_long == TOO_LONG_REFUSE ? TURN_BAD : TURN_TOO_LONG;
    return room > 0 && measured->length.tokens + measured->answer > room ? TURN_TOO_LONG : TURN_FITS;
}

static int write_turns(struct conversion *conversion, const struct dataset_row *row, const struct turn_length *measured, struct error *err)
{
    int status = 0;
    for (int64_t k = 0; k < conversion->plan->workload.turns && status == 0; k++) {
        struct dataset_row turn = row_of_turn(row, k);
        status = prepare_member_of_row(&conversion->member, &turn, conversion->plan->workload.endpoint, err);
        if (status == 0)
            status = write_row(conversion, &turn, &measured[k].length, measured[k].answer, err);
        json_decref(turn.messages);
    }
    return status;
}

/* All turns that are asked for, or none: one that does not fit takes the others with it. */
static int convert_conversation(struct conversion *conversion, const struct dataset_row *row, struct error *err)
{
    struct workload *workload = &conversion->plan->workload;
    struct error refusal = {0};
    if (count_messages(row->messages, workload->turns - 1) == 0) {
        workload->data.too_short++;
        return 0;
    }
    cleanup_free struct turn_length *measured = mem_calloc((size_t)workload->turns, sizeof *measured);
    for (int64_t k = 0; k < workload->turns; k++) {
        struct dataset_row turn = row_of_turn(row, k);
        enum turn_fit fit = measure_turn(conversion, &turn, k, &measured[k], &refusal, err);
        json_decref(turn.messages);
        if (fit == TURN_FAILED)
            return -1;
        if (fit == TURN_BAD)
            return dataset_refuse(conversion->data->dataset, row, &refusal, err);
        if (fit == TURN_TOO_LONG)
            return leave_out(conversion, row, &measured[k].length, measured[k].answer, err);
    }
    return write_turns(conversion, row, measured, err);
}

static int convert_row(struct conversion *conversion, const struct dataset_row *row, struct error *err)
{
    if (conversion->plan->workload.turns > 1)
        return convert_conversation(conversion, row, err);
    return row->kind == DATASET_LENGTHS ? convert_lengths(conversion, row, err) : convert_text(conversion, row, err);
}

static void tell_progress(struct conversion *conversion)
{
    int64_t now = clock_now(conversion->app->clock);
    char rows[UNITS_TEXT_SIZE];
    if (now - conversion->told_at < TELL_EVERY_NS)
        return;
    conversion->told_at = now;
    log_info(&conversion->app->log, "%s: %s rows read", conversion->data->path,
             units_format_number((double)dataset_counts(conversion->data->dataset).good, 0, rows));
}

static int convert_rows(struct conversion *conversion, struct error *err)
{
    struct dataset_row row;
    int status = 1;
    conversion->told_at = clock_now(conversion->app->clock);
    conversion->last_timestamp_ms = -1;
    const struct workload *workload = &conversion->plan->workload;
    while (workload->data.rows / workload->turns < conversion->data->rows_max && (status = dataset_next(conversion->data->dataset, &row, err)) > 0) {
        if (*conversion->app->stop)
            return error_set(err, ERROR_TARGET, "stopped");
        if (convert_row(conversion, &row, err) < 0)
            return -1;
        conversion->out_of_order += row.timestamp_ms >= 0 && row.timestamp_ms < conversion->last_timestamp_ms;
        conversion->last_timestamp_ms = row.timestamp_ms;
        tell_progress(conversion);
    }
    return status < 0 ? -1 : 0;
}

/* --- what came of it ---------------------------------------------------------------------------- */

static void tell_left_out(const struct conversion *conversion)
{
    const struct workload_data *data = &conversion->plan->workload.data;
    const struct log *log = &conversion->app->log;
    struct dataset_counts counts = dataset_counts(conversion->data->dataset);
    struct buf lines = BUF_INIT(1024);
    if (counts.bad > 0)
        log_warning(log, "%s: %" PRId64 " of %" PRId64 " rows were left out; the first: %s", conversion->data->path, counts.bad, counts.bad + counts.good,
                    counts.first_bad);
    for (int64_t k = 0; k < data->too_long && k < LINES_NAMED; k++)
        buf_printf(&lines, "%s%" PRIu64, k > 0 ? ", " : "", conversion->lines_left_out[k]);
    if (data->too_long > 0 && conversion->plan->server.max_model_len <= 0)
        log_warning(log, "%s: the server does not tell how long a request may be; %" PRId64 " that it refused when they were counted were left out: line%s %s",
                    conversion->data->path, data->too_long, data->too_long == 1 ? "" : "s", buf_text(&lines));
    else if (data->too_long > 0)
        log_warning(log, "%s: %" PRId64 " row%s not fit into the model's context of %" PRId64 " tokens together with the answer and %s left out: line%s %s%s",
                    conversion->data->path, data->too_long, data->too_long == 1 ? " does" : "s do", conversion->plan->server.max_model_len,
                    data->too_long == 1 ? "was" : "were", data->too_long == 1 ? "" : "s", buf_text(&lines), data->too_long > LINES_NAMED ? ", ..." : "");
    if (data->too_short > 0)
        log_warning(log, "%s: %" PRId64 " conversation%s fewer than %" PRId64 " turns and %s left out (--turns)", conversion->data->path, data->too_short,
                    data->too_short == 1 ? " has" : "s have", conversion->plan->workload.turns, data->too_short == 1 ? "was" : "were");
    if (data->trimmed > 0)
        log_warning(log, "%s: %" PRId64 " row%s shortened to fit into the model's context (--too-long trim)", conversion->data->path, data->trimmed,
                    data->trimmed == 1 ? " was" : "s were");
    if (conversion->short_prompts > 0)
        log_warning(log, "%s: %" PRId64 " prompts are shorter than what the chat template alone costs: they are %" PRId64 " tokens long", conversion->data->path,
                    conversion->short_prompts, conversion->material->overhead + 1);
    if (data->counted < data->rows)
        log_info(log, "the prompt tokens of %" PRId64 " of %" PRId64 " rows are an estimate: %.3g a byte, by %s", data->rows - data->counted, data->rows,
                 tokens_per_byte(conversion), conversion->sample_bytes > 0 ? "the rows that the server counted" : "rule of thumb");
    buf_free(&lines);
}

/* Arrival i of a replay is sent with row i. */
static void tell_replay(const struct conversion *conversion)
{
    const struct plan *plan = conversion->plan;
    const struct workload_data *data = &plan->workload.data;
    int64_t bad = dataset_counts(conversion->data->dataset).bad;
    if (!plan->arrival_shape.replay)
        return;
    if (bad + data->too_long > 0 || conversion->out_of_order > 0 || data->shuffled || data->rows < plan->arrival_shape.replay_count)
        log_warning(&conversion->app->log, "%s: the times of the replay are not those of the rows that are sent then: %s", conversion->data->path,
                    bad + data->too_long > 0         ? "rows were left out"
                    : conversion->out_of_order > 0 ? "its rows are not in the order of their timestamps"
                    : data->shuffled               ? "rows are shuffled"
                                                   : "there are more times than rows");
}

static int finish(struct conversion *conversion, struct error *err)
{
    struct workload *workload = &conversion->plan->workload;
    tell_left_out(conversion);
    tell_replay(conversion);
    if (workload->data.rows == 0)
        return error_set(err, ERROR_USAGE, "%s: no row is left that could be sent", conversion->data->path);
    workload->data.bad = dataset_counts(conversion->data->dataset).bad;
    workload->prompt = lengths_of(&conversion->prompts, workload->data.rows);
    workload->output = lengths_of(&conversion->answers, workload->data.rows);
    conversion->plan->calibration.exact = conversion->plan->calibration.exact && workload->data.counted == workload->data.rows;
    return 0;
}

int prepare_convert_data(const struct app *app, const struct probe *probe, struct prepare_data *data, const struct material *material,
                         struct plan *plan, const char *folder, struct dataset_rows **rows, struct error *err)
{
    struct conversion conversion = {
        .app = app,
        .data = data,
        .material = material,
        .plan = plan,
        .counter = {.probe = probe, .model = plan->model, .tokenize = plan->server.tokenize, .max_completion_tokens = plan->server.max_completion_tokens},
        .writer = dataset_writer_open(folder, plan->workload.turns, err),
        .line = BUF_INIT(DATASET_LINE_MAX),
        .head_tokens = plan->workload.allow_prefix_cache || material->ids ? 0 : dataset_head_tokens(material),
    };
    if (!conversion.writer)
        return -1;
    prepare_member_init(&conversion.member);
    int status = convert_rows(&conversion, err) < 0 ? -1 : finish(&conversion, err);
    if (dataset_writer_close(conversion.writer, status == 0 ? rows : NULL, status == 0 ? err : NULL) < 0)
        status = -1;
    prepare_member_free(&conversion.member);
    buf_free(&conversion.line);
    log_debug(&app->log, "%s: %" PRId64 " requests were asked to count rows", data->path, conversion.counter.asked);
    return status;
}
