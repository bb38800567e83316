/* roibench simulate: a vLLM-like server to try things on, and to measure the measurer by. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "cmd/roibench/command.h"
#include "serve/preset_file.h"
#include "serve/simulator.h"

#define TOKENS_MAX 100000000.0
#define TIME_SCALE_MAX 1000.0

/* "|vllm|llamacpp": the choices are what follows the first bar. */
static const char dialect_choices[] =
#define DIALECT(identifier_) "|" #identifier_
#include "serve/dialects.def"
#undef DIALECT
    ;

static const struct option_row simulate_options[] = {
    {.type = OPTION_GROUP, .name = "Server"},
    {.type = OPTION_TEXT, .name = "listen", .argument = "HOST:PORT", .default_text = "127.0.0.1:8000",
     .help = "address to listen at; port 0 takes any free one"},
    {.type = OPTION_TEXT, .name = "port-file", .argument = "FILE", .help = "write the port to this file when it listens"},
    {.type = OPTION_TEXT, .name = "api-key-file", .argument = "FILE",
     .help = "file with the key that /v1 asks for; or the environment variable ROIBENCH_API_KEY; default: none"},
    {.type = OPTION_DURATION, .name = "ready-after", .argument = "SECONDS", .default_text = "0", .min = 0, .max = 86400,
     .help = "answer 503 for so long, as while a model is loaded (wall time)"},
    {.type = OPTION_TEXT, .name = "truth-file", .argument = "FILE",
     .help = "write when every token was due and when it was sent to this file, a JSON line a request"},
    {.type = OPTION_GROUP, .name = "Model"},
    {.type = OPTION_TEXT, .name = "model", .argument = "NAME", .default_text = "simulated", .help = "name it is served by"},
    {.type = OPTION_CHOICE, .name = "preset", .argument = "NAME", .choices = PRESET_CHOICES, .default_text = "l4-int4",
     .help = "deployment whose speed it has; the options below replace single numbers of it"},
    {.type = OPTION_TEXT, .name = "preset-file", .argument = "FILE", .help = "a preset of your own: what roibench calibrate has written"},
    {.type = OPTION_NUMBER, .name = "time-scale", .argument = "X", .default_text = "1", .min = 0.001, .max = TIME_SCALE_MAX,
     .help = "run X times faster than the deployment; all it reports is wall time"},
    {.type = OPTION_INTEGER, .name = "max-model-len", .argument = "N", .min = 2, .max = TOKENS_MAX,
     .help = "longest request, prompt and output tokens"},
    {.type = OPTION_INTEGER, .name = "max-num-seqs", .argument = "N", .min = 1, .max = 65536, .help = "requests running at a time"},
    {.type = OPTION_INTEGER, .name = "max-num-batched-tokens", .argument = "N", .min = 1, .max = TOKENS_MAX,
     .help = "tokens computed in one step"},
    {.type = OPTION_INTEGER, .name = "long-prefill-token-threshold", .argument = "N", .default_text = "0", .min = 0, .max = TOKENS_MAX,
     .help = "most of them for one request, when there is another; 0: no limit"},
    {.type = OPTION_INTEGER, .name = "kv-blocks", .argument = "N", .min = 1, .max = TOKENS_MAX, .help = "blocks of the KV cache"},
    {.type = OPTION_INTEGER, .name = "block-size", .argument = "N", .min = 1, .max = 65536, .help = "tokens a block holds"},
    {.type = OPTION_CHOICE, .name = "prefix-caching", .argument = "on|off", .choices = "on|off", .default_text = "on",
     .help = "keep what was computed for one request's beginning for others with the same"},
    {.type = OPTION_NUMBER, .name = "eos-probability", .argument = "P", .default_text = "0", .min = 0, .max = 1,
     .help = "probability of each token to be the end, unless a request ignores it (ignore_eos); 0: every generation has its full length"},
    {.type = OPTION_INTEGER, .name = "reasoning-tokens", .argument = "N", .default_text = "0", .min = 0, .max = TOKENS_MAX,
     .help = "the first tokens of a chat's answer are reasoning"},
    {.type = OPTION_GROUP, .name = "Wire"},
    {.type = OPTION_CHOICE, .name = "dialect", .argument = "NAME", .choices = dialect_choices + 1, .default_text = "vllm",
     .help = "whose wire it speaks: headers, chunks, usage, errors, routes and metrics; the speed stays the preset's"},
    {.type = OPTION_INTEGER, .name = "stream-interval", .argument = "N", .default_text = "1", .min = 1, .max = TOKENS_MAX,
     .help = "tokens a chunk of a stream, after the first"},
    {.type = OPTION_DURATION, .name = "frontend-time", .argument = "TIME", .default_text = "0", .min = 0, .max = 10,
     .help = "what the front end needs for a chunk (model time); tokens that come while a stream waits for it share a chunk"},
    {.type = OPTION_DURATION, .name = "sse-keep-alive-interval", .argument = "SECONDS", .default_text = "0", .min = 0, .max = 86400,
     .help = "send a comment into a stream after so long without a write (wall time); 0: never"},
    {.type = OPTION_FLAG, .name = "enable-force-include-usage", .help = "usage in streams that do not ask for it"},
    {.type = OPTION_FLAG, .name = "enable-prompt-tokens-details", .help = "usage says how many tokens of the prompt were cached"},
    {.type = OPTION_FLAG, .name = "enable-per-request-metrics", .help = "queue time, TTFT and speed as the engine saw them, beside usage"},
    {.type = OPTION_GROUP, .name = "Faults"},
    {.type = OPTION_TEXT, .name = "fault", .argument = "KIND[:KEY=VALUE,...]", .repeatable = true,
     .help = "what goes wrong, and for whom; KIND is one of"
#define FAULT(identifier_, name_, moment_, keys_, help_) " " name_
#include "serve/faults.def"
#undef FAULT
             "; keys that select: from, to (seconds since it was set, model time), rate (a share of the requests), every, first, at "
             "(numbers of requests); after (tokens)"},
    {.type = OPTION_INTEGER, .name = "seed", .argument = "N", .default_text = "1", .min = 0, .max = 9007199254740992.0,
     .help = "of what is drawn: the requests of a fault's rate, the ends of --eos-probability"},
    {.type = OPTION_END},
};

/* Returns an array of options_count() faults; free(). */
static struct fault *read_faults(const struct options *options, struct error *err)
{
    size_t count = options_count(options, "fault");
    if (count > FAULTS_MAX) {
        error_set(err, ERROR_USAGE, "--fault: more than %d faults", FAULTS_MAX);
        return NULL;
    }
    cleanup_free struct fault *faults = mem_calloc(count + 1, sizeof *faults);
    for (size_t k = 0; k < count; k++)
        if (fault_parse(options_item(options, "fault", k), &faults[k], err) < 0) {
            error_wrap(err, "--fault");
            return NULL;
        }
    return steal_pointer(&faults);
}

/* Texts of a preset from a file belong to the arena. */
static int choose_preset(const struct options *options, struct arena *arena, struct preset *preset, struct error *err)
{
    const char *path = options_text(options, "preset-file");
    *preset = *preset_find(options_text(options, "preset"));
    if (!path)
        return 0;
    if (options_source(options, "preset") != OPTION_DEFAULT)
        return error_set(err, ERROR_USAGE, "--preset and --preset-file exclude each other");
    return preset_file_read(path, arena, preset, err);
}

static struct simulator_settings read_settings(const struct app *app, const struct options *options, const struct preset *preset)
{
    const struct scheduler_settings *base = &preset->scheduler;
    return (struct simulator_settings){
        .listen = options_text(options, "listen"),
        .model = options_text(options, "model"),
        .preset = preset->name,
        .dialect = dialect_find(options_text(options, "dialect")),
        .truth_file = options_text(options, "truth-file"),
        .time_scale = options_number(options, "time-scale", 1),
        .scheduler = {.cost = base->cost,
                      .max_num_seqs = options_integer(options, "max-num-seqs", base->max_num_seqs),
                      .max_num_batched_tokens = options_integer(options, "max-num-batched-tokens", base->max_num_batched_tokens),
                      .long_prefill_token_threshold = options_integer(options, "long-prefill-token-threshold", 0),
                      .kv_blocks = options_integer(options, "kv-blocks", base->kv_blocks),
                      .block_size = options_integer(options, "block-size", base->block_size),
                      .prefix_caching = strcmp(options_text(options, "prefix-caching"), "on") == 0},
        .max_model_len = options_integer(options, "max-model-len", preset->max_model_len),
        .stream_interval = options_integer(options, "stream-interval", 1),
        .eos_probability = options_number(options, "eos-probability", 0),
        .reasoning_tokens = options_integer(options, "reasoning-tokens", 0),
        .frontend_time = (int64_t)((double)options_duration(options, "frontend-time", 0) / options_number(options, "time-scale", 1)),
        .keep_alive = options_duration(options, "sse-keep-alive-interval", 0),
        .force_include_usage = options_flag(options, "enable-force-include-usage"),
        .prompt_tokens_details = options_flag(options, "enable-prompt-tokens-details"),
        .per_request_metrics = options_flag(options, "enable-per-request-metrics"),
        .ready_after = options_duration(options, "ready-after", 0),
        .fault_count = options_count(options, "fault"),
        .seed = (uint64_t)options_integer(options, "seed", 1),
        .clock = app->clock,
    };
}

/* Every stream is a descriptor; the soft limit is often 1024. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int write_port(const struct options *options, int port, struct error *err)
{
    const char *path = options_text(options, "port-file");
    char text[16];
    if (!path)
        return 0;
    int length = snprintf(text, sizeof text, "%d\n", port);
    return file_write_atomic(path, text, (size_t)length, err);
}

CLEANUP_DEFINE(struct simulator, simulator_free)

static int serve(struct app *app, struct options *options, const struct preset *preset, struct error *err)
{
    struct simulator_settings settings = read_settings(app, options, preset);
    cleanup_free char *key = NULL;
    if (settings.model[0] == '\0')
        return error_set(err, ERROR_USAGE, "--model: the name is empty");
    if (command_api_key(options, &key, err) < 0)
        return -1;
    settings.api_key = key;
    cleanup_free struct fault *faults = read_faults(options, err);
    if (!faults)
        return -1;
    settings.faults = faults;
    raise_descriptor_limit();
    cleanup_with(simulator_free) struct simulator *simulator = simulator_new(&settings, err);
    if (!simulator || write_port(options, simulator_port(simulator), err) < 0)
        return -1;
    log_info(&app->log, "listening on http://%s (model %s, preset %s, time scale %g)", simulator_address(simulator),
             settings.model, settings.preset, settings.time_scale);
    return simulator_run(simulator, app->stop, err);
}

static int simulate_run(struct app *app, struct options *options, struct error *err)
{
    struct preset preset;
    struct arena *arena = arena_new();
    int status = choose_preset(options, arena, &preset, err);
    if (status == 0)
        status = serve(app, options, &preset, err);
    arena_free(arena);
    return status;
}

const struct command command_simulate = {
    .name = "simulate",
    .summary = "serve a simulated model: OpenAI API and /metrics as vLLM has them, with the speed of a preset",
    .usage = "[--preset NAME] [--listen HOST:PORT] [options]",
    .options = simulate_options,
    .without_workspace = true,
    .run = simulate_run,
};
