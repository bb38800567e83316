#include "cmd/roibench/calibrate_levels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/random.h"
#include "base/units.h"
#include "stats/run_data.h"
#include "wire/csv_reader.h"

#define FIELDS_MAX 32
#define TABLE_MAX ((size_t)16 << 20)
#define REQUESTS_MAX 20000  /* of a level: more tell no more, and a fit rehearses a level some thousand times */
#define TOKENS_MAX 1e7
#define RATE_MAX 1e6
#define FIGURE_MIN 1e-3
#define FIGURE_MAX 1e9
#define ARRIVALS_SEED 42

static struct fit_level *new_level(struct calibrate_levels *levels, struct error *err)
{
    if (levels->count == CALIBRATE_LEVELS_MAX) {
        error_set(err, ERROR_USAGE, "more than %d levels", CALIBRATE_LEVELS_MAX);
        return NULL;
    }
    if (!levels->levels)
        levels->levels = ARENA_ARRAY(levels->arena, CALIBRATE_LEVELS_MAX, struct fit_level);
    struct fit_level *level = &levels->levels[levels->count++];
    level->weight = 1;
    for (int k = 0; k < FIT_FIGURE_COUNT; k++)
        level->measured.value[k] = NAN;
    return level;
}

static const char *level_name(struct arena *arena, double load, const char *unit)
{
    char text[UNITS_TEXT_SIZE];
    return arena_printf(arena, "%s %s", units_format_load(load, text), unit);
}

/* --- a run ------------------------------------------------------------------------------------ */

static int compare_sent(const void *a, const void *b)
{
    const struct record *x = *(const struct record *const *)a, *y = *(const struct record *const *)b;
    return (x->sent > y->sent) - (x->sent < y->sent);
}

/* Those whose lengths are known, in the order of sending. */
static size_t choose_records(const struct run_data *data, const struct run_level *level, const struct record **chosen)
{
    size_t count = 0;
    for (size_t k = 0; k < level->record_count; k++) {
        const struct record *record = &data->file.records[level->records[k]];
        if (record->sent != TIME_NEVER && record->prompt_tokens > 0 && record->output_tokens > 0)
            chosen[count++] = record;
    }
    qsort(chosen, count, sizeof(const struct record *), compare_sent);
    return count < REQUESTS_MAX ? count : REQUESTS_MAX;
}

static int add_run_level(struct calibrate_levels *levels, const struct run_data *data, const struct run_level *level, const char *name,
                         const struct log *log, struct error *err)
{
    struct arena *arena = levels->arena;
    const struct record **chosen = ARENA_ARRAY(arena, level->record_count + 1, const struct record *);
    size_t count = choose_records(data, level, chosen), counting = 0, cached = 0;
    struct rehearsal_request *requests = ARENA_ARRAY(arena, count + 1, struct rehearsal_request);
    bool *counted = ARENA_ARRAY(arena, count + 1, bool);
    for (size_t k = 0; k < count; k++) {
        const struct record *record = chosen[k];
        size_t index = (size_t)(record - data->file.records);
        requests[k] = (struct rehearsal_request){.sent = record->sent - chosen[0]->sent, .prompt_tokens = record->prompt_tokens,
                                                 .output_tokens = record->output_tokens};
        cached += record->cached_tokens > 0;
        counted[k] = data->member[index] && record->outcome == OUTCOME_OK && record->first_token != TIME_NEVER;
        if (!counted[k])
            continue;
        requests[k].first_token = record->first_token - chosen[0]->sent;
        requests[k].last_token = record->last_token - chosen[0]->sent;
        counting++;
    }
    if (counting == 0) {
        log_warning(log, "%s: no request that ended ok and whose tokens are known: left out", name);
        return 0;
    }
    if (cached > 0)
        log_warning(log, "%s: of %zu requests %zu found the beginning of their prompt in the server's cache; the model computes it", name, count, cached);
    struct fit_level *out = new_level(levels, err);
    if (!out)
        return -1;
    out->name = name;
    out->sent = requests;
    out->sent_count = count;
    out->counted = counted;
    out->measured = fit_describe(requests, count, counted);
    return 0;
}

CLEANUP_DEFINE(struct plan, plan_free)

int calibrate_add_run(struct calibrate_levels *levels, const char *folder, const struct log *log, struct error *err)
{
    cleanup_free char *path = file_join(folder, "plan.json");
    cleanup_with(plan_free) struct plan *plan = plan_read(path, err);
    struct run_data data = {0};
    if (!plan)
        return -1;
    if (run_data_read(&data, folder, plan, err) < 0)
        return -1;
    if (plan->server.max_model_len > levels->max_model_len)
        levels->max_model_len = plan->server.max_model_len;
    int status = 0;
    for (size_t k = 0; k < data.level_count && status == 0; k++) {
        const struct level_bounds *bounds = &data.levels[k].bounds;
        status = add_run_level(levels, &data, &data.levels[k], level_name(levels->arena, bounds->load, bounds->unit), log, err);
    }
    run_data_free(&data);
    return status;
}

/* --- a table ------------------------------------------------------------------------------------ */

enum column { COLUMN_LOAD, COLUMN_UNIT, COLUMN_PROMPT, COLUMN_OUTPUT, COLUMN_REQUESTS, COLUMN_WEIGHT, COLUMN_FIGURES };

static const char *const column_names[COLUMN_FIGURES] = {"load", "unit", "prompt_tokens", "output_tokens", "requests", "weight"};

static const char *column_name(int column)
{
    return column < COLUMN_FIGURES ? column_names[column] : fit_figure_name((enum fit_figure)(column - COLUMN_FIGURES));
}

/* Which column each field of a row is. */
struct header {
    int column[FIELDS_MAX];
    size_t count;
};

static int unknown_column(const char *name, struct error *err)
{
    cleanup_buf struct buf known = BUF_INIT(1024);
    for (int k = 0; k < COLUMN_FIGURES + FIT_FIGURE_COUNT; k++)
        buf_printf(&known, k ? ", %s" : "%s", column_name(k));
    return error_set(err, ERROR_USAGE, "there is no column '%.60s'. Known: %s", name, buf_text(&known));
}

static int read_header(char **fields, size_t count, struct header *header, struct error *err)
{
    unsigned seen = 0;
    for (header->count = 0; header->count < count; header->count++) {
        int column = 0;
        while (column < COLUMN_FIGURES + FIT_FIGURE_COUNT && strcmp(column_name(column), fields[header->count]) != 0)
            column++;
        if (column == COLUMN_FIGURES + FIT_FIGURE_COUNT)
            return unknown_column(fields[header->count], err);
        if (seen & 1U << column)
            return error_set(err, ERROR_USAGE, "the column %s is there twice", column_name(column));
        seen |= 1U << column;
        header->column[header->count] = column;
    }
    for (int column = COLUMN_LOAD; column <= COLUMN_OUTPUT; column++)
        if (!(seen & 1U << column))
            return error_set(err, ERROR_USAGE, "the column %s is missing", column_name(column));
    return 0;
}

struct row {
    const char *unit;
    double value[COLUMN_FIGURES + FIT_FIGURE_COUNT]; /* NAN: empty */
};

static int read_row(const struct header *header, char **fields, size_t count, struct row *row, struct error *err)
{
    if (count != header->count)
        return error_set(err, ERROR_USAGE, "%zu fields where the header has %zu", count, header->count);
    row->unit = "";
    for (int k = 0; k < COLUMN_FIGURES + FIT_FIGURE_COUNT; k++)
        row->value[k] = NAN;
    for (size_t k = 0; k < count; k++) {
        int column = header->column[k];
        if (column == COLUMN_UNIT)
            row->unit = fields[k];
        else if (fields[k][0] && units_parse_number(fields[k], &row->value[column]) < 0)
            return error_set(err, ERROR_USAGE, "%s: '%.60s' is not a number", column_name(column), fields[k]);
    }
    return 0;
}

static int check_range(const struct row *row, enum column column, double low, double high, struct error *err)
{
    double value = row->value[column];
    if (value >= low && value <= high)
        return 0;
    return error_set(err, ERROR_USAGE, "%s: expected a number from %g to %g", column_name((int)column), low, high);
}

static int check_count(const struct row *row, enum column column, double low, double high, struct error *err)
{
    double value = row->value[column];
    if (value >= low && value <= high && value == floor(value))
        return 0;
    return error_set(err, ERROR_USAGE, "%s: expected a whole number from %.0f to %.0f", column_name((int)column), low, high);
}

static int check_row(const struct row *row, bool open, struct error *err)
{
    if (!open && strcmp(row->unit, "streams") != 0)
        return error_set(err, ERROR_USAGE, "unit: expected streams or req/s, got '%.60s'", row->unit);
    if ((open ? check_range(row, COLUMN_LOAD, 1e-6, RATE_MAX, err) : check_count(row, COLUMN_LOAD, 1, REQUESTS_MAX, err)) < 0 ||
        check_count(row, COLUMN_PROMPT, 1, TOKENS_MAX, err) < 0 || check_count(row, COLUMN_OUTPUT, 1, TOKENS_MAX, err) < 0)
        return -1;
    /* A stream without a request is none. */
    if (!isnan(row->value[COLUMN_REQUESTS]) && check_count(row, COLUMN_REQUESTS, open ? 1 : row->value[COLUMN_LOAD], REQUESTS_MAX, err) < 0)
        return -1;
    if (!isnan(row->value[COLUMN_WEIGHT]) && check_range(row, COLUMN_WEIGHT, 0, 1e6, err) < 0)
        return -1;
    for (int k = COLUMN_FIGURES; k < COLUMN_FIGURES + FIT_FIGURE_COUNT; k++)
        if (!isnan(row->value[k]) && check_range(row, (enum column)k, FIGURE_MIN, FIGURE_MAX, err) < 0)
            return -1;
    return 0;
}

static void make_loop(struct calibrate_levels *levels, struct fit_level *level, const struct row *row, int64_t duration_ns)
{
    bool bounded = !isnan(row->value[COLUMN_REQUESTS]);
    struct rehearsal_loop *loop = ARENA_NEW(levels->arena, struct rehearsal_loop);
    *loop = (struct rehearsal_loop){
        .streams = (size_t)row->value[COLUMN_LOAD],
        .prompt_tokens = (int64_t)row->value[COLUMN_PROMPT],
        .output_tokens = (int64_t)row->value[COLUMN_OUTPUT],
        .duration_ns = bounded ? TIME_FOREVER : duration_ns,
        .requests_max = bounded ? (size_t)row->value[COLUMN_REQUESTS] : REQUESTS_MAX,
    };
    level->loop = loop;
}

static void make_arrivals(struct calibrate_levels *levels, struct fit_level *level, const struct row *row, int64_t duration_ns)
{
    struct random random;
    bool bounded = !isnan(row->value[COLUMN_REQUESTS]);
    size_t max = bounded ? (size_t)row->value[COLUMN_REQUESTS] : REQUESTS_MAX;
    struct rehearsal_request *requests = ARENA_ARRAY(levels->arena, max + 1, struct rehearsal_request);
    random_derive(&random, ARRIVALS_SEED, "calibrate-arrivals", 0, 0);
    double at_s = 0;
    for (level->sent_count = 0; level->sent_count < max; level->sent_count++) {
        at_s += random_exponential(&random, 1 / row->value[COLUMN_LOAD]);
        if (!bounded && at_s * NS_PER_S >= (double)duration_ns)
            break;
        requests[level->sent_count] = (struct rehearsal_request){.sent = (int64_t)(at_s * NS_PER_S),
                                                                 .prompt_tokens = (int64_t)row->value[COLUMN_PROMPT],
                                                                 .output_tokens = (int64_t)row->value[COLUMN_OUTPUT]};
    }
    /* As vLLM's benchmark sends them: so many requests in exactly so long. A drawn rate would be off by 1 / sqrt(requests). */
    for (size_t k = 0; bounded && k < max; k++)
        requests[k].sent = (int64_t)((double)requests[k].sent * ((double)max / row->value[COLUMN_LOAD] / at_s));
    level->sent = requests;
}

static int add_row(struct calibrate_levels *levels, const struct row *row, int64_t duration_ns, struct error *err)
{
    bool open = strcmp(row->unit, "req/s") == 0;
    if (check_row(row, open, err) < 0)
        return -1;
    struct fit_level *level = new_level(levels, err);
    if (!level)
        return -1;
    level->name = arena_printf(levels->arena, "%s, %g + %g", level_name(levels->arena, row->value[COLUMN_LOAD], row->unit),
                               row->value[COLUMN_PROMPT], row->value[COLUMN_OUTPUT]);
    if (!isnan(row->value[COLUMN_WEIGHT]))
        level->weight = row->value[COLUMN_WEIGHT];
    memcpy(level->measured.value, row->value + COLUMN_FIGURES, sizeof level->measured.value);
    if (open)
        make_arrivals(levels, level, row, duration_ns);
    else
        make_loop(levels, level, row, duration_ns);
    return 0;
}

static int read_table(struct calibrate_levels *levels, struct csv_reader *reader, int64_t duration_ns, struct error *err)
{
    char *fields[FIELDS_MAX] = {0};
    size_t count;
    struct header header = {0};
    int status = csv_reader_row(reader, fields, FIELDS_MAX, &count, err);
    if (status == 0)
        return error_set(err, ERROR_USAGE, "no header");
    if (status < 0)
        return -1;
    if (read_header(fields, count, &header, err) < 0)
        return error_wrap(err, "line %zu", reader->line);
    while ((status = csv_reader_row(reader, fields, FIELDS_MAX, &count, err)) > 0) {
        struct row row = {.unit = ""};
        if (read_row(&header, fields, count, &row, err) < 0 || add_row(levels, &row, duration_ns, err) < 0)
            return error_wrap(err, "line %zu", reader->line);
    }
    return status;
}

int calibrate_add_table(struct calibrate_levels *levels, const char *path, int64_t duration_ns, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(TABLE_MAX);
    if (file_read(path, &text, ERROR_USAGE, err) < 0)
        return -1;
    buf_append_char(&text, '\n'); /* also an empty file has room for the reader's NUL */
    struct csv_reader reader = csv_reader_begin(text.data, text.len - 1);
    if (read_table(levels, &reader, duration_ns, err) < 0)
        return error_wrap(err, "%s", path);
    return 0;
}
