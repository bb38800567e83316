/* A table of levels, as they are published: a header row, one row a level. load and unit are needed, a column that is not there or a field
 * that is empty is missing. */
#include <math.h>
#include <string.h>

#include "base/units.h"
#include "import/import.h"
#include "wire/csv_reader.h"

#define COLUMNS(X)                                   \
    X(LOAD, "load")                                  \
    X(UNIT, "unit")                                  \
    X(PROMPT_TOKENS, "prompt_tokens")                \
    X(OUTPUT_TOKENS, "output_tokens")                \
    X(TTFT, "ttft_p95_ms")                           \
    X(TPOT_WITH_FIRST, "tpot_with_first_p95_ms")     \
    X(TOTAL_TPS, "total_tps")

enum column {
#define X(name, key) COLUMN_##name,
    COLUMNS(X)
#undef X
        COLUMN_COUNT
};
static const char *const column_names[] = {
#define X(name, key) [COLUMN_##name] = key,
    COLUMNS(X)
#undef X
};

#define FIELDS_MAX 64
#define NUMBER_MAX 1e12

struct table {
    const char *name;
    struct csv_reader reader;
    int field[COLUMN_COUNT]; /* of a column; -1: it is not there */
    char *fields[FIELDS_MAX];
    size_t count;
};

static int find_column(const char *name)
{
    for (int k = 0; k < COLUMN_COUNT; k++)
        if (strcmp(column_names[k], name) == 0)
            return k;
    return -1;
}

static int fail(const struct table *table, struct error *err, const char *what, const char *text)
{
    return error_set(err, ERROR_USAGE, "%s: line %zu: %s %.40s", table->name, table->reader.line, what, text);
}

static int read_header(struct table *table, struct error *err)
{
    int status = csv_reader_row(&table->reader, table->fields, FIELDS_MAX, &table->count, err);
    if (status < 0)
        return error_wrap(err, "%s", table->name);
    for (int k = 0; k < COLUMN_COUNT; k++)
        table->field[k] = -1;
    for (size_t k = 0; status > 0 && k < table->count; k++) {
        int column = find_column(table->fields[k]);
        if (column < 0)
            return error_set(err, ERROR_USAGE, "%s: line %zu: a column %.40s; expected are load, unit, prompt_tokens, output_tokens, ttft_p95_ms, "
                             "tpot_with_first_p95_ms, total_tps", table->name, table->reader.line, table->fields[k]);
        if (table->field[column] >= 0)
            return fail(table, err, "two columns", table->fields[k]);
        table->field[column] = (int)k;
    }
    if (table->field[COLUMN_LOAD] < 0 || table->field[COLUMN_UNIT] < 0)
        return error_set(err, ERROR_USAGE, "%s: the first row must name the columns, load and unit among them", table->name);
    return 0;
}

/* NAN: the column is not there or its field is empty. */
static int read_number(const struct table *table, enum column column, double *number, struct error *err)
{
    *number = NAN;
    if (table->field[column] < 0)
        return 0;
    const char *text = table->fields[table->field[column]];
    if (!text[0])
        return 0;
    if (units_parse_number(text, number) < 0 || *number < 0 || *number > NUMBER_MAX)
        return error_set(err, ERROR_USAGE, "%s: line %zu: %s: expected a number from 0 to 10^12, got %.40s", table->name, table->reader.line,
                         column_names[column], text);
    return 0;
}

static int read_unit(const struct table *table, enum load_unit *unit, struct error *err)
{
    const char *text = table->fields[table->field[COLUMN_UNIT]];
    for (*unit = LOAD_STREAMS; *unit <= LOAD_REQUESTS_PER_S; (*unit)++)
        if (strcmp(load_unit_name(*unit), text) == 0)
            return 0;
    return fail(table, err, "unit: expected streams or req/s, got", text);
}

/* (output_tokens x tpot_with_first - ttft) / (output_tokens - 1): what is left when the wait for the first token is taken out. */
static void derive_tpot(struct level_summary *level, double output_tokens)
{
    double ttft = level->latency[LATENCY_TTFT].percentile[P95], with_first = level->latency[LATENCY_TPOT_WITH_FIRST].percentile[P95];
    double tpot = (output_tokens * with_first - ttft) / (output_tokens - 1);
    if (output_tokens > 1 && tpot > 0) {
        level->latency[LATENCY_TPOT].percentile[P95] = tpot;
        level_add_derived(level, "tpot_ms", "(output_tokens x tpot_with_first - ttft) / (output_tokens - 1), of the p95 of both");
    } else if (output_tokens * with_first <= ttft) {
        level_add_missing(level, "tpot_ms", "output_tokens x tpot_with_first is no longer than the ttft: nothing is left for the other tokens");
    }
    import_derive_speed(level);
}

static void derive_output(struct level_summary *level, double prompt_tokens, double output_tokens)
{
    double share = output_tokens / (prompt_tokens + output_tokens);
    if (!(share >= 0) || isnan(level->rate[RATE_TOTAL_TPS]))
        return;
    level->rate[RATE_OUTPUT_TPS] = level->rate[RATE_TOTAL_TPS] * share;
    level_add_derived(level, "output_tps", "total_tps x output_tokens / (prompt_tokens + output_tokens)");
}

/* The last level of the run is a load of its own among those of its file, the first of which is `from`. */
static int check_load(const struct import *import, const struct table *table, size_t from, struct error *err)
{
    const struct level_summary *last = &import->levels[import->level_count - 1];
    char load[UNITS_TEXT_SIZE];
    for (const struct level_summary *level = &import->levels[from]; level < last; level++)
        if (level->load == last->load && strcmp(level->unit, last->unit) == 0)
            return error_set(err, ERROR_USAGE, "%s: line %zu: %s %s once more: a load that was measured several times is told by several files, FILE,FILE",
                             table->name, table->reader.line, units_format_load(last->load, load), last->unit);
    return 0;
}

static int add_row(struct import *import, const struct table *table, struct error *err)
{
    double number[COLUMN_COUNT];
    enum load_unit unit;
    if (read_unit(table, &unit, err) < 0)
        return -1;
    for (int k = 0; k < COLUMN_COUNT; k++)
        if (k != COLUMN_UNIT && read_number(table, (enum column)k, &number[k], err) < 0)
            return -1;
    struct level_summary *level = import_add_level(import, unit == LOAD_STREAMS ? "concurrent" : "", number[COLUMN_LOAD], unit, err);
    if (!level)
        return error_wrap(err, "%s: line %zu", table->name, table->reader.line);
    level->latency[LATENCY_TTFT].percentile[P95] = number[COLUMN_TTFT];
    level->latency[LATENCY_TPOT_WITH_FIRST].percentile[P95] = number[COLUMN_TPOT_WITH_FIRST];
    level->rate[RATE_TOTAL_TPS] = number[COLUMN_TOTAL_TPS];
    import_derive_censored(level);
    derive_tpot(level, number[COLUMN_OUTPUT_TOKENS]);
    derive_output(level, number[COLUMN_PROMPT_TOKENS], number[COLUMN_OUTPUT_TOKENS]);
    import_add_tokens(&import->facts->prompt, 1, number[COLUMN_PROMPT_TOKENS], 0);
    import_add_tokens(&import->facts->output, 1, number[COLUMN_OUTPUT_TOKENS], 0);
    return 0;
}

static int read_file(struct import *import, const char *name, struct buf *text, struct error *err)
{
    struct table table = {.name = name, .reader = csv_reader_begin(text->data, text->len)};
    int status;
    import->tool = "a table of levels";
    import->lacks = "a table of levels does not tell it";
    if (read_header(&table, err) < 0)
        return -1;
    size_t header = table.count, before = import->level_count;
    while ((status = csv_reader_row(&table.reader, table.fields, FIELDS_MAX, &table.count, err)) > 0) {
        if (table.count != header)
            return error_set(err, ERROR_USAGE, "%s: line %zu: %zu fields where the first row has %zu", name, table.reader.line, table.count, header);
        if (add_row(import, &table, err) < 0 || check_load(import, &table, before, err) < 0)
            return -1;
    }
    if (status < 0)
        return error_wrap(err, "%s", name);
    return import->level_count > before ? 0 : error_set(err, ERROR_USAGE, "%s: no level is in it", name);
}

const struct import_format import_levels_csv = {.name = "levels-csv", .read = read_file};
