#include "serve/preset_file.h"

#include "base/json.h"

#define SCHEMA "roibench/preset/v1"
#define COST_MAX 1e12       /* ns: a step of a quarter of an hour */
#define TOKENS_MAX 100000000
#define COUNT_MAX 65536     /* as the options of simulate */

static double read_cost(struct json_reader *reader, const json_t *object, const char *key)
{
    double cost = json_get_number(reader, object, key);
    if (!reader->failed && !(cost >= 0 && cost <= COST_MAX))
        json_fail(reader, key, "expected ns from 0 to %g, got %g", COST_MAX, cost);
    return cost;
}

static int64_t read_size(struct json_reader *reader, const json_t *object, const char *key, int low, int high)
{
    int64_t size = json_get_integer(reader, object, key);
    if (!reader->failed && (size < low || size > high))
        json_fail(reader, key, "expected a whole number from %d to %d, got %lld", low, high, (long long)size);
    return size;
}

static void read_members(struct json_reader *reader, const json_t *root, struct arena *arena, struct preset *preset)
{
    const char *name = json_get_text(reader, root, "name"), *summary = json_get_text_or(reader, root, "summary", "");
    if (!reader->failed && !name[0])
        json_fail(reader, "name", "expected a name, got an empty string");
    const json_t *step = json_get_object(reader, root, "step_ns");
    size_t mark = json_enter(reader, "step_ns", -1);
    struct scheduler_cost cost = {
        .base = read_cost(reader, step, "base"),
        .sequence = read_cost(reader, step, "sequence"),
        .context_token = read_cost(reader, step, "context_token"),
        .prefill_token = read_cost(reader, step, "prefill_token"),
    };
    json_leave(reader, mark);
    *preset = (struct preset){
        .scheduler = {.cost = cost,
                      .max_num_seqs = read_size(reader, root, "max_num_seqs", 1, COUNT_MAX),
                      .max_num_batched_tokens = read_size(reader, root, "max_num_batched_tokens", 1, TOKENS_MAX),
                      .kv_blocks = read_size(reader, root, "kv_blocks", 1, TOKENS_MAX),
                      .block_size = read_size(reader, root, "block_size", 1, COUNT_MAX),
                      .prefix_caching = true},
        .max_model_len = read_size(reader, root, "max_model_len", 2, TOKENS_MAX),
    };
    if (reader->failed)
        return;
    preset->name = arena_strdup(arena, name);
    preset->summary = arena_strdup(arena, summary);
}

int preset_file_read(const char *path, struct arena *arena, struct preset *preset, struct error *err)
{
    struct json_reader reader;
    json_t *root = json_open(&reader, path, SCHEMA, err);
    if (!root)
        return -1;
    read_members(&reader, root, arena, preset);
    json_decref(root);
    return reader.failed ? -1 : 0;
}

json_t *preset_file_document(const struct preset *preset)
{
    const struct scheduler_settings *scheduler = &preset->scheduler;
    json_t *root = json_object();
    json_set_text(root, "schema", SCHEMA);
    json_set_text(root, "name", preset->name);
    json_set_text(root, "summary", preset->summary);
    json_t *step = json_add_object(root, "step_ns");
    json_set_number(step, "base", scheduler->cost.base);
    json_set_number(step, "sequence", scheduler->cost.sequence);
    json_set_number(step, "context_token", scheduler->cost.context_token);
    json_set_number(step, "prefill_token", scheduler->cost.prefill_token);
    json_set_integer(root, "max_model_len", preset->max_model_len);
    json_set_integer(root, "max_num_seqs", scheduler->max_num_seqs);
    json_set_integer(root, "max_num_batched_tokens", scheduler->max_num_batched_tokens);
    json_set_integer(root, "kv_blocks", scheduler->kv_blocks);
    json_set_integer(root, "block_size", scheduler->block_size);
    return root;
}
