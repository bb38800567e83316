/* Traces as Mooncake published them: {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, ...]}.
 *
 * timestamp: ms since the trace's beginning; hash_ids: one for each block of the prompt, equal where the prompts are equal up to
 * and including it (Qin et al., "Mooncake: Trading More Storage for Less Computation", FAST 2025; blocks of 512 tokens). */
#include <math.h>

#include "plan/dataset.h"

static bool knows(const json_t *first)
{
    return json_object_get(first, "input_length") && json_object_get(first, "output_length") &&
           (json_object_get(first, "hash_ids") || json_object_get(first, "timestamp"));
}

static int read_hash_ids(const json_t *ids, struct error *err)
{
    if (!json_is_array(ids) || json_array_size(ids) > DATASET_HASH_IDS_MAX)
        return error_set(err, ERROR_USAGE, "hash_ids: expected an array of at most %d block ids", DATASET_HASH_IDS_MAX);
    for (size_t k = 0; k < json_array_size(ids); k++)
        if (!json_is_integer(json_array_get(ids, k)))
            return error_set(err, ERROR_USAGE, "hash_ids[%zu]: expected a whole number", k);
    return 0;
}

static int read_timestamp(const json_t *value, int64_t *timestamp_ms, struct error *err)
{
    double number = json_is_number(value) ? json_number_value(value) : -1;
    if (!(number >= 0) || number > (double)DATASET_TIMESTAMP_MAX)
        return error_set(err, ERROR_USAGE, "timestamp: expected milliseconds since the trace began");
    *timestamp_ms = llround(number);
    return 0;
}

static int read_row(const struct dataset_columns *columns, json_t *json, struct dataset_row *row, struct error *err)
{
    (void)columns;
    const json_t *ids = json_object_get(json, "hash_ids"), *timestamp = json_object_get(json, "timestamp");
    row->kind = DATASET_LENGTHS;
    if (dataset_read_tokens(json_object_get(json, "input_length"), "input_length", &row->prompt_tokens, err) < 0 ||
        (timestamp && read_timestamp(timestamp, &row->timestamp_ms, err) < 0) || (ids && read_hash_ids(ids, err) < 0))
        return -1;
    row->hash_ids = ids;
    /* A request that was given up has no answer. */
    const json_t *output = json_object_get(json, "output_length");
    if (json_is_integer(output) && json_integer_value(output) == 0) {
        row->output_tokens = 1;
        return 0;
    }
    return dataset_read_tokens(output, "output_length", &row->output_tokens, err);
}

const struct dataset_format dataset_mooncake = {
    .name = "mooncake",
    .summary = "a trace: timestamp, input_length, output_length, hash_ids",
    .container = DATASET_ANY_JSON,
    .knows = knows,
    .read = read_row,
};
