#include "plan/token_lengths.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/units.h"
#include "wire/csv_reader.h"

#define DRAWS_MAX 1000
#define OPEN_END 10 /* times its mean, where a distribution without a largest value ends */
#define HISTOGRAM "histogram"
#define FILE_MAX ((size_t)4 << 20)
#define WEIGHT_MAX 1e15

/* --- text ---------------------------------------------------------------------------------- */

struct token_lengths token_lengths_fixed(int64_t tokens)
{
    return (struct token_lengths){.mean = tokens, .stddev = 0, .min = tokens, .max = tokens};
}

bool token_lengths_is_fixed(const struct token_lengths *lengths)
{
    return lengths->stddev == 0 && lengths->kind == VARIATE_CONSTANT && lengths->bin_count == 0;
}

int token_lengths_parse(const char *text, const char *option, struct token_lengths *lengths, struct error *err)
{
    cleanup_free char *copy = mem_strdup(text);
    char *rest = copy;
    int64_t numbers[4] = {0};
    size_t count = 0;
    bool read = true;
    while (rest && read) {
        read = count < 4 && units_parse_integer(strsep(&rest, ","), &numbers[count]) == 0;
        count += read;
    }
    *lengths = (struct token_lengths){.mean = numbers[0], .stddev = numbers[1], .min = numbers[2], .max = numbers[3]};
    if (count == 1)
        *lengths = token_lengths_fixed(numbers[0]);
    bool fine = read && (count == 1 || count == 4) && lengths->stddev >= 0 && lengths->stddev <= PLAN_TOKENS_MAX && lengths->min >= 1 &&
                lengths->min <= lengths->mean && lengths->mean <= lengths->max && lengths->max <= PLAN_TOKENS_MAX;
    if (!fine)
        return error_set(err, ERROR_USAGE, "%s: '%s' is neither a number of tokens (1 to %lld) nor mean,stddev,min,max with min <= mean <= max", option, text,
                         (long long)PLAN_TOKENS_MAX);
    return 0;
}

static int parse_distribution(const char *text, const char *option, struct token_lengths *lengths, struct error *err)
{
    struct variate variate;
    if (variate_parse(text, option, VARIATE_TOKENS, (double)PLAN_TOKENS_MAX, &variate, err) < 0)
        return -1;
    if (variate.max >= (double)PLAN_TOKENS_MAX && variate.kind != VARIATE_CONSTANT)
        variate.max = fmin(variate.max, OPEN_END * variate.mean);
    *lengths = token_lengths_fixed(llround(variate.mean));
    if (variate.kind != VARIATE_CONSTANT) {
        lengths->min = variate.min < 1 ? 1 : llround(variate.min);
        lengths->max = llround(variate.max);
    }
    if (lengths->min < 1 || lengths->mean < lengths->min || lengths->max < lengths->mean)
        return error_set(err, ERROR_USAGE, "%s: '%s': lengths are 1 token at least", option, text);
    if (variate.kind == VARIATE_NORMAL)
        lengths->stddev = llround(fmax(variate.spread, 1));
    else if (variate.kind != VARIATE_CONSTANT)
        lengths->kind = variate.kind;
    lengths->sigma = variate.kind == VARIATE_LOGNORMAL ? variate.spread : 0;
    return 0;
}

/* Sets what follows from the bins. NULL: fine; else what is wrong. */
static const char *settle_bins(struct token_lengths *lengths)
{
    double weights = 0, tokens = 0;
    lengths->min = PLAN_TOKENS_MAX;
    lengths->max = 1;
    for (size_t k = 0; k < lengths->bin_count; k++) {
        const struct token_bin *bin = &lengths->bins[k];
        if (!(bin->tokens >= 1 && bin->tokens <= PLAN_TOKENS_MAX))
            return "lengths are from 1 to 4194304 tokens";
        if (!(bin->weight >= 0 && bin->weight <= WEIGHT_MAX))
            return "weights are numbers from 0 on";
        weights += bin->weight;
        tokens += bin->weight * (double)bin->tokens;
        if (bin->weight > 0 && bin->tokens < lengths->min)
            lengths->min = bin->tokens;
        if (bin->weight > 0 && bin->tokens > lengths->max)
            lengths->max = bin->tokens;
    }
    if (!(weights > 0))
        return "no length has a weight";
    lengths->weight = weights;
    lengths->mean = llround(tokens / weights);
    return NULL;
}

/* tokens,weight; a first row of names is skipped. */
static int read_rows(struct csv_reader *csv, const char *path, struct token_bin *bins, size_t *count, struct error *err)
{
    char *fields[2];
    size_t found;
    int status;
    while ((status = csv_reader_row(csv, fields, 2, &found, err)) > 0) {
        double tokens, weight;
        bool numbers = found == 2 && units_parse_number(fields[0], &tokens) == 0 && units_parse_number(fields[1], &weight) == 0;
        if (!numbers && *count == 0 && csv->line == 1)
            continue;
        if (!numbers || tokens != floor(tokens) || !(tokens >= 1 && tokens <= (double)PLAN_TOKENS_MAX)) /* NOLINT: exact by definition */
            return error_set(err, ERROR_USAGE, "%s:%zu: expected tokens,weight: a whole number from 1 to %lld and a number", path, csv->line,
                             (long long)PLAN_TOKENS_MAX);
        if (*count == TOKEN_LENGTHS_BINS_MAX)
            return error_set(err, ERROR_USAGE, "%s:%zu: a histogram has at most %d rows", path, csv->line, TOKEN_LENGTHS_BINS_MAX);
        bins[(*count)++] = (struct token_bin){.tokens = (int64_t)tokens, .weight = weight};
    }
    return status < 0 ? error_wrap(err, "%s", path) : 0;
}

static int read_histogram(const char *path, const char *option, struct arena *arena, struct token_lengths *lengths, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    struct token_bin *bins = ARENA_ARRAY(arena, TOKEN_LENGTHS_BINS_MAX, struct token_bin);
    *lengths = (struct token_lengths){.bins = bins};
    if (file_read(path, &text, ERROR_USAGE, err) < 0)
        return error_wrap(err, "%s", option);
    buf_append_char(&text, '\n');
    struct csv_reader csv = csv_reader_begin(text.data, text.len - 1);
    if (read_rows(&csv, path, bins, &lengths->bin_count, err) < 0)
        return error_wrap(err, "%s", option);
    const char *fault = settle_bins(lengths);
    return fault ? error_set(err, ERROR_USAGE, "%s: %s: %s", option, path, fault) : 0;
}

int token_lengths_parse_any(const char *text, const char *option, struct arena *arena, struct token_lengths *lengths, struct error *err)
{
    const char *colon = strchr(text, ':');
    if (!colon)
        return token_lengths_parse(text, option, lengths, err);
    if (strcmp(text, HISTOGRAM ":") == 0)
        return error_set(err, ERROR_USAGE, "%s: '%s' names no file: " HISTOGRAM ":FILE", option, text);
    if (strncmp(text, HISTOGRAM ":", strlen(HISTOGRAM ":")) == 0)
        return read_histogram(colon + 1, option, arena, lengths, err);
    return parse_distribution(text, option, lengths, err);
}

void token_lengths_describe(const struct token_lengths *lengths, struct buf *out)
{
    buf_printf(out, "%lld", (long long)lengths->mean);
    if (token_lengths_is_fixed(lengths))
        return;
    buf_append_text(out, " (");
    if (lengths->bin_count > 0)
        buf_printf(out, HISTOGRAM " of %zu lengths, ", lengths->bin_count);
    else if (lengths->kind != VARIATE_CONSTANT)
        buf_printf(out, "%s, ", variate_kind_name(lengths->kind));
    if (lengths->sigma > 0)
        buf_printf(out, "sigma %g, ", lengths->sigma);
    if (lengths->stddev > 0)
        buf_printf(out, "standard deviation %lld, ", (long long)lengths->stddev);
    buf_printf(out, "%lld to %lld)", (long long)lengths->min, (long long)lengths->max);
}

/* --- drawing ------------------------------------------------------------------------------- */

static int64_t draw_bin(const struct token_lengths *lengths, struct random *random)
{
    double place = random_uniform(random) * lengths->weight;
    size_t last = 0;
    for (size_t k = 0; k < lengths->bin_count; k++) {
        if (lengths->bins[k].weight <= 0)
            continue;
        last = k;
        place -= lengths->bins[k].weight;
        if (place < 0)
            break;
    }
    return lengths->bins[last].tokens;
}

int64_t token_lengths_draw(const struct token_lengths *lengths, struct random *random)
{
    if (token_lengths_is_fixed(lengths))
        return lengths->mean;
    if (lengths->bin_count > 0)
        return draw_bin(lengths, random);
    struct variate variate = {.kind = lengths->kind, .mean = (double)lengths->mean, .spread = lengths->sigma,
                              .min = (double)lengths->min - 0.5, .max = (double)lengths->max + 0.5};
    if (lengths->kind == VARIATE_CONSTANT) {
        variate.kind = VARIATE_NORMAL;
        variate.spread = (double)lengths->stddev;
    }
    int64_t length = llround(variate_draw(&variate, random));
    return length < lengths->min ? lengths->min : length > lengths->max ? lengths->max : length;
}

/* --- of a plan ----------------------------------------------------------------------------- */

void token_lengths_write(const struct token_lengths *lengths, json_t *workload, const char *key)
{
    json_t *object = json_add_object(workload, key);
    json_set_integer(object, "mean", lengths->mean);
    json_set_integer(object, "stddev", lengths->stddev);
    json_set_integer(object, "min", lengths->min);
    json_set_integer(object, "max", lengths->max);
    if (lengths->kind != VARIATE_CONSTANT)
        json_set_text(object, "distribution", variate_kind_name(lengths->kind));
    if (lengths->kind == VARIATE_LOGNORMAL)
        json_set_number(object, "sigma", lengths->sigma);
    json_t *bins = lengths->bin_count > 0 ? json_add_array(object, HISTOGRAM) : NULL;
    for (size_t k = 0; k < lengths->bin_count; k++)
        json_array_append_new(bins, json_pack("[I,f]", (json_int_t)lengths->bins[k].tokens, lengths->bins[k].weight));
}

static int64_t tokens_within(struct json_reader *reader, const json_t *object, const char *key, int64_t min, int64_t max)
{
    int64_t value = json_get_integer(reader, object, key);
    if (!reader->failed && (value < min || value > max))
        json_fail(reader, key, "expected a whole number from %lld to %lld, got %lld", (long long)min, (long long)max, (long long)value);
    return value;
}

static void read_kind(struct json_reader *reader, const json_t *object, struct token_lengths *lengths)
{
    const char *name = json_get_text_or(reader, object, "distribution", "");
    if (reader->failed || !name[0])
        return;
    while (lengths->kind < VARIATE_KIND_COUNT && strcmp(variate_kind_name(lengths->kind), name) != 0)
        lengths->kind++;
    if (lengths->kind != VARIATE_EXPONENTIAL && lengths->kind != VARIATE_LOGNORMAL && lengths->kind != VARIATE_UNIFORM)
        json_fail(reader, "distribution", "expected exponential, lognormal or uniform, got \"%.40s\"", name);
    else if (lengths->kind == VARIATE_LOGNORMAL)
        lengths->sigma = json_get_number(reader, object, "sigma");
    if (!reader->failed && lengths->kind == VARIATE_LOGNORMAL && !(lengths->sigma > 0 && lengths->sigma <= VARIATE_SIGMA_MAX))
        json_fail(reader, "sigma", "expected a number above 0 and not above %d", VARIATE_SIGMA_MAX);
}

static void read_bins(struct json_reader *reader, const json_t *object, struct arena *arena, struct token_lengths *lengths)
{
    const json_t *array = json_get_array_or_null(reader, object, HISTOGRAM);
    size_t count = json_array_size(array);
    if (reader->failed || !array)
        return;
    struct token_bin *bins = ARENA_ARRAY(arena, count + 1, struct token_bin);
    for (size_t k = 0; k < count; k++) {
        const json_t *pair = json_array_get(array, k);
        const json_t *weight = json_array_size(pair) == 2 ? json_array_get(pair, 1) : NULL;
        bins[k] = (struct token_bin){.tokens = json_integer_value(json_array_get(pair, 0)), .weight = json_is_number(weight) ? json_number_value(weight) : -1};
    }
    lengths->bins = bins;
    lengths->bin_count = count;
    const char *fault = count > TOKEN_LENGTHS_BINS_MAX ? "too many lengths" : settle_bins(lengths);
    if (fault)
        json_fail(reader, HISTOGRAM, "expected pairs of tokens and weight: %s", fault);
}

void token_lengths_read(struct json_reader *reader, const json_t *workload, const char *key, struct arena *arena, struct token_lengths *lengths)
{
    json_t *object = json_get_object(reader, workload, key);
    size_t mark = json_enter(reader, key, -1);
    lengths->mean = tokens_within(reader, object, "mean", 1, PLAN_TOKENS_MAX);
    lengths->stddev = tokens_within(reader, object, "stddev", 0, PLAN_TOKENS_MAX);
    lengths->min = tokens_within(reader, object, "min", 1, lengths->mean > 0 ? lengths->mean : 1);
    lengths->max = tokens_within(reader, object, "max", lengths->mean, PLAN_TOKENS_MAX);
    read_kind(reader, object, lengths);
    read_bins(reader, object, arena, lengths);
    json_leave(reader, mark);
}
