/* GuideLLM's data: lengths of prompts that are made, or a file. */
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "plan/guidellm_options.h"
#include "plan/plan.h"
#include "plan/synthetic.h"
#include "wire/guidellm_arguments.h"

#define SPREAD_WITHOUT_BOUNDS 5 /* standard deviations, as GuideLLM has it */

/* --- lengths -------------------------------------------------------------------------------- */

static int64_t bounded(double tokens)
{
    return tokens < 1 ? 1 : tokens > (double)PLAN_TOKENS_MAX ? PLAN_TOKENS_MAX : (int64_t)tokens;
}

/* "prompt_tokens" with _stdev, _min and _max as the value of --prompt-tokens; more: tokens that each gets on top. */
static int take_lengths(struct guidellm_taking *taking, json_t *data, const char *name, const char *option, double more)
{
    static const char *const suffixes[] = {"", "_stdev", "_min", "_max"};
    static const double least[] = {1, 0, 0, 1};
    double parts[4];
    for (size_t k = 0; k < 4; k++) {
        const char *key = arena_printf(taking->command->arena, "%s%s", name, suffixes[k]);
        if (guidellm_take_number(taking, data, key, &parts[k]) < 0)
            return error_wrap(taking->err, "--data");
        if (parts[k] < least[k] || parts[k] > (double)PLAN_TOKENS_MAX)
            return error_set(taking->err, ERROR_USAGE, "--data: %s: %g is not a number of tokens", key, parts[k]);
    }
    double mean = parts[0], stddev = isnan(parts[1]) ? 0 : parts[1];
    if (isnan(mean))
        return error_set(taking->err, ERROR_USAGE, "--data: %s is missing", name);
    double min = isnan(parts[2]) ? mean - SPREAD_WITHOUT_BOUNDS * stddev : parts[2];
    double max = isnan(parts[3]) ? mean + SPREAD_WITHOUT_BOUNDS * stddev : parts[3];
    long long low = bounded(min + more), high = bounded(max + more), middle = bounded(mean + more), spread = bounded(stddev);
    struct arena *arena = taking->command->arena;
    if (low == high)
        guidellm_add(taking, option, arena_printf(arena, "%lld", low));
    else if (stddev > 0)
        guidellm_add(taking, option, arena_printf(arena, "%lld,%lld,%lld,%lld", middle, spread, low, high));
    else
        guidellm_add(taking, option, arena_printf(arena, "uniform:%lld-%lld", low, high));
    return 0;
}

/* One bucket of prefixes: [{"prefix_tokens", "prefix_count", "bucket_weight"}]. More of them are left, and so named. */
static void flatten_bucket(json_t *data)
{
    const json_t *buckets = json_object_get(data, "prefix_buckets"), *bucket = json_array_get(buckets, 0);
    if (json_array_size(buckets) != 1 || !json_is_object(bucket))
        return;
    json_object_set(data, "prefix_tokens", json_object_get(bucket, "prefix_tokens"));
    json_object_set(data, "prefix_count", json_object_get(bucket, "prefix_count"));
    json_object_del(data, "prefix_buckets");
}

/* GuideLLM puts the prefix before a prompt; in ours it is a part of its length. */
static int take_synthetic(struct guidellm_taking *taking, json_t *data)
{
    double prefix, groups, turns;
    flatten_bucket(data);
    if (guidellm_take_number(taking, data, "prefix_tokens", &prefix) < 0 || guidellm_take_number(taking, data, "prefix_count", &groups) < 0 ||
        guidellm_take_number(taking, data, "turns", &turns) < 0)
        return error_wrap(taking->err, "--data");
    if (take_lengths(taking, data, "prompt_tokens", "prompt-tokens", isnan(prefix) ? 0 : prefix) < 0 ||
        take_lengths(taking, data, "output_tokens", "output-tokens", 0) < 0)
        return -1;
    if (prefix >= 1)
        guidellm_add_number(taking, "shared-prefix-tokens", prefix);
    if (prefix >= 1 && groups >= 1)
        guidellm_add_number(taking, "shared-prefix-groups", groups);
    if (turns > 1)
        guidellm_add_number(taking, "turns", turns);
    return 0;
}

/* --- files ------------------------------------------------------------------------------------ */

/* GuideLLM's names of columns: {"prompt_column": "question"}, {"text_column": ["article"]}. */
static int take_columns(struct guidellm_taking *taking, json_t *names)
{
    static const struct {
        const char *key, *column;
    } known[] = {{"text_column", "prompt"}, {"prompt_column", "prompt"}, {"output_tokens_count_column", "output"}};
    bool prompt = false;
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        const json_t *member = guidellm_take(taking, names, known[k].key);
        const char *name = json_string_value(json_is_array(member) ? json_array_get(member, 0) : member);
        bool twice = prompt && strcmp(known[k].column, "prompt") == 0;
        if (member && !name)
            return error_set(taking->err, ERROR_USAGE, "%s: expected the name of a column", known[k].key);
        if (!name || twice)
            continue;
        prompt = prompt || strcmp(known[k].column, "prompt") == 0;
        guidellm_add(taking, "data-column", arena_printf(taking->command->arena, "%s=%s", known[k].column, name));
    }
    return 0;
}

static int take_all_columns(struct guidellm_taking *taking, json_t *data)
{
    json_t *mapper = guidellm_section(taking, "data_column_mapper"), *arguments = json_object_get(taking->command->spec, "data_args");
    const char *kind;
    if (guidellm_take_text(taking, mapper, "kind", &kind) < 0)
        return -1;
    if (kind && strcmp(kind, "generative_column_mapper") != 0)
        return error_set(taking->err, ERROR_USAGE, "--data-column-mapper: kind '%s' is not known here", kind);
    if (take_columns(taking, json_object_get(mapper, "column_mappings")) < 0 || take_columns(taking, mapper) < 0 || take_columns(taking, data) < 0)
        return -1;
    for (size_t k = 0; k < json_array_size(arguments); k++)
        if (take_columns(taking, json_array_get(arguments, k)) < 0)
            return -1;
    return 0;
}

static int take_order(struct guidellm_taking *taking)
{
    json_t *loader = guidellm_section(taking, "data_loader");
    const char *sampler, *kind;
    double samples;
    bool shuffle;
    int given = guidellm_take_bool(taking, loader, "shuffle", &shuffle);
    if (given < 0 || guidellm_take_text(taking, loader, "sampler", &sampler) < 0 || guidellm_take_text(taking, loader, "kind", &kind) < 0 ||
        guidellm_take_number(taking, loader, "samples", &samples) < 0)
        return -1;
    if (shuffle || sampler)
        guidellm_add(taking, "data-order", "shuffled");
    if (samples > 0)
        guidellm_add_number(taking, "data-rows", samples);
    return 0;
}

/* Rows that do not say how long their answer is. */
static int take_answers(struct guidellm_taking *taking)
{
    double tokens;
    json_t *backend = guidellm_section(taking, "backend");
    static const char *const names[] = {"max_tokens", "max_completion_tokens", "max_output_tokens"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        if (guidellm_take_number(taking, backend, names[k], &tokens) < 0)
            return -1;
        if (isnan(tokens))
            continue;
        guidellm_add_number(taking, "output-tokens", tokens);
        return 0;
    }
    return 0;
}

static int take_file(struct guidellm_taking *taking, json_t *data, const char *path)
{
    const char *dot = strrchr(path, '.');
    static const char *const unread[] = {".txt", ".text", ".parquet", ".arrow", ".hdf5", ".tar", ".db"};
    if (!file_exists(path))
        return error_set(taking->err, ERROR_USAGE, "--data %s: there is no such file, and data sets are not downloaded here. Give a file of JSON, JSON Lines or "
                         "CSV, or lengths: prompt_tokens=256,output_tokens=128", path);
    for (size_t k = 0; dot && k < sizeof unread / sizeof unread[0]; k++)
        if (strcmp(dot, unread[k]) == 0)
            return error_set(taking->err, ERROR_USAGE, "--data %s: %s files are not read here; JSON, JSON Lines and CSV are. Of lines of text: "
                             "jq -R '{prompt: .}' %s", path, unread[k], path);
    guidellm_add(taking, "data", path);
    return take_all_columns(taking, data) < 0 || take_order(taking) < 0 ? -1 : take_answers(taking);
}

/* --- which of them ------------------------------------------------------------------------------ */

/* {"kind": "json_file", "path"}, {"kind": "huggingface", "source"}, {"kind": "mooncake", "source": {...}}. */
static int take_source(struct guidellm_taking *taking, json_t *data, const char *kind)
{
    static const char *const names[] = {"path", "source", "src", "from", "name"};
    bool trace = strcmp(kind, "mooncake") == 0 || strcmp(kind, "trace_synthetic") == 0;
    json_t *source = trace ? guidellm_take(taking, data, "source") : data;
    const char *path = NULL, *inner;
    if (trace && json_is_object(source) && guidellm_take_text(taking, source, "kind", &inner) < 0)
        return -1;
    for (size_t k = 0; json_is_object(source) && !path && k < sizeof names / sizeof names[0]; k++)
        if (guidellm_take_text(taking, source, names[k], &path) < 0)
            return error_wrap(taking->err, "--data");
    path = json_is_string(source) ? json_string_value(source) : path;
    if (!path)
        return error_set(taking->err, ERROR_USAGE, "--data: kind %s: no file is named (path=FILE)", kind);
    return take_file(taking, data, path);
}

static int take_described(struct guidellm_taking *taking, json_t *data)
{
    const char *kind;
    static const char *const files[] = {"json_file", "csv_file", "text_file", "parquet_file", "arrow_file", "huggingface", "hf", "mooncake",
                                        "trace_synthetic"};
    if (guidellm_take_text(taking, data, "kind", &kind) < 0)
        return -1;
    if (!kind || strcmp(kind, "synthetic_text") == 0)
        return take_synthetic(taking, data);
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++)
        if (strcmp(files[k], kind) == 0)
            return take_source(taking, data, kind);
    return error_set(taking->err, ERROR_USAGE, "--data: kind '%s' is not known here. Known: synthetic_text, json_file, csv_file, huggingface (a file), mooncake", kind);
}

/* A text that describes lengths becomes an object. What it holds and nobody takes is named like the rest. NULL: the name of a file. */
static json_t *description(struct guidellm_taking *taking, json_t *data)
{
    json_t *spec = taking->command->spec;
    if (json_is_object(data))
        json_object_set(spec, "data", data);
    else if (json_is_string(data) && synthetic_is(json_string_value(data)))
        json_object_set_new(spec, "data", guidellm_arguments_parse(json_string_value(data), "--data", NULL));
    return json_object_get(spec, "data");
}

int guidellm_take_data(struct guidellm_taking *taking)
{
    json_t *all = guidellm_take(taking, taking->command->spec, "data"), *data = json_is_array(all) ? json_array_get(all, 0) : all;
    size_t count = json_is_array(all) ? json_array_size(all) : data != NULL;
    if (count != 1)
        return error_set(taking->err, ERROR_USAGE, count == 0 ? "what shall be sent? Give --data prompt_tokens=256,output_tokens=128, or --data FILE"
                                                               : "--data: several sources at once are not measured here");
    json_t *described = description(taking, data);
    if (described)
        return take_described(taking, described);
    cleanup_free char *scalar = json_scalar_text(data);
    if (!scalar)
        return error_set(taking->err, ERROR_USAGE, "--data: expected lengths, a file, or kind=...");
    return take_file(taking, NULL, arena_strdup(taking->command->arena, scalar));
}
