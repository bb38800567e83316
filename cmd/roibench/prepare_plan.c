#include "cmd/roibench/prepare_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command.h"
#include "net/http_client.h"
#include "plan/profile.h"
#include "plan/scenario.h"

#define RATES_MAX 1000
#define URL_MAX ((size_t)4096)
#define MAX_SECONDS_DEFAULT (60 * NS_PER_S)
#define DEFAULT_SCENARIO "chat"

/* "|synchronous|concurrent|…": the choices are what follows the first bar. */
#define PROFILE(name) "|" #name
static const char profile_choices[] =
#include "plan/profiles.def"
    ;
#undef PROFILE

const struct option_row prepare_options[] = {
    {.type = OPTION_GROUP, .name = "Target"},
    {.type = OPTION_TEXT, .name = "target", .argument = "URL", .help = "the server's OpenAI API, as in http://host:8000/v1",
     .from_model_file = true},
    {.type = OPTION_TEXT, .name = "model", .argument = "NAME", .help = "the model; default: the only one that the server has"},
    {.type = OPTION_TEXT, .name = "models", .argument = "DIR", .help = "folder with <model>.json: target, levels, hardware, price of each"},
    {.type = OPTION_TEXT, .name = "target-template", .argument = "URL", .help = "of a model without --target",
     .default_text = "http://{model}-predictor.{namespace}.svc.cluster.local:8080/v1"},
    {.type = OPTION_TEXT, .name = "namespace", .argument = "NAME", .help = "{namespace} of the template", .default_text = "private-ai"},
    {.type = OPTION_CHOICE, .name = "endpoint", .argument = "NAME", .help = "which API is loaded", .choices = "chat|completions",
     .default_text = "chat", .from_model_file = true},
    {.type = OPTION_DURATION, .name = "wait", .argument = "SECONDS", .help = "how long to wait for the model to be ready (wall time)",
     .default_text = "300", .min = 0, .max = 1e6},
    COMMAND_NET_OPTIONS,
    {.type = OPTION_DURATION, .name = "timeout", .argument = "SECONDS", .help = "of one whole request; default: none", .min = 0.001, .max = PLAN_SECONDS_MAX},
    {.type = OPTION_DURATION, .name = "stall-timeout", .argument = "SECONDS", .help = "a request without a byte for that long has failed",
     .default_text = "60", .min = 0.001, .max = PLAN_SECONDS_MAX},
    {.type = OPTION_GROUP, .name = "Load"},
    {.type = OPTION_CHOICE, .name = "profile", .argument = "NAME", .help = "how requests are sent",
     .choices = profile_choices + 1, .default_text = "sweep"},
    {.type = OPTION_TEXT, .name = "rate", .argument = "LIST",
     .help = "concurrent: streams; constant, poisson: requests/s; sweep: how many levels (default 10)"},
    {.type = OPTION_TEXT, .name = "levels", .argument = "LEVELS", .help = "of a sweep: concurrent:1,3,5 or poisson:0.1-5.0/8 (geometric)",
     .from_model_file = true},
    {.type = OPTION_CHOICE, .name = "sweep-arrivals", .argument = "NAME", .help = "arrival process of a sweep that finds its own rates",
     .choices = "constant|poisson", .default_text = "poisson"},
    {.type = OPTION_INTEGER, .name = "max-concurrency", .argument = "N",
     .help = "open loop: most requests in flight; an arrival beyond waits its turn and is sent late", .default_text = "512", .min = 1, .max = PLAN_STREAMS_MAX},
    {.type = OPTION_CHOICE, .name = "stream-start", .argument = "HOW", .help = "streams of a closed loop begin one after the other or at once",
     .choices = "spread|together", .default_text = "spread"},
    {.type = OPTION_TEXT, .name = "think-time", .argument = "DIST",
     .help = "a stream's pause before its next request: 5s, exponential:2s, uniform:1s-3s, lognormal:mean=2s,sigma=0.8, normal:mean=5s,stddev=1s; "
             "default: none"},
    {.type = OPTION_DURATION, .name = "max-seconds", .argument = "SECONDS", .help = "length of a level; default 60, none if --max-requests is given",
     .min = 0.001, .max = PLAN_SECONDS_MAX},
    {.type = OPTION_INTEGER, .name = "max-requests", .argument = "N", .help = "requests of a level; with --max-seconds: whichever comes first",
     .min = 1, .max = 1e12},
    {.type = OPTION_TEXT, .name = "warmup", .argument = "SHARE|SECONDS|auto",
     .help = "left out at a level's beginning: 0.1, 10%, 5s, or auto: until it is steady (found by MSER-5)", .default_text = "0"},
    {.type = OPTION_TEXT, .name = "cooldown", .argument = "SHARE|SECONDS|auto",
     .help = "left out at a level's end; auto: what comes after the last request of --max-requests", .default_text = "0"},
    {.type = OPTION_DURATION, .name = "drain", .argument = "SECONDS",
     .help = "how long requests in flight may go on after a level's end; default: --stall-timeout", .min = 0, .max = PLAN_SECONDS_MAX},
    {.type = OPTION_GROUP, .name = "Data"},
    {.type = OPTION_CHOICE, .name = "scenario", .argument = "NAME",
     .help = "prompt/output tokens: chat 64/64, summarization 512/128, code-gen 128/256, stress 256/256; default chat", .choices = SCENARIO_NAMES,
     .from_model_file = true},
    {.type = OPTION_TEXT, .name = "prompt-tokens", .argument = "N", .help = "length of a prompt as the server counts it, or mean,stddev,min,max"},
    {.type = OPTION_TEXT, .name = "output-tokens", .argument = "N", .help = "length of an answer, or mean,stddev,min,max"},
    {.type = OPTION_INTEGER, .name = "seed", .argument = "N", .help = "fixes lengths, arrivals and bodies", .default_text = "42", .min = 0, .max = 9e15},
    {.type = OPTION_TEXT, .name = "nonce", .argument = "HEX", .help = "fixes the first tokens of every prompt: 32 digits; default: drawn"},
    {.type = OPTION_GROUP, .name = "Deployment"},
    {.type = OPTION_TEXT, .name = "hardware", .argument = "TEXT", .help = "what the model runs on", .from_model_file = true},
    {.type = OPTION_INTEGER, .name = "gpus", .argument = "N", .help = "GPUs of the deployment", .min = 1, .max = 1e6, .from_model_file = true},
    {.type = OPTION_USD, .name = "price-per-hour", .argument = "USD", .help = "of the whole deployment", .from_model_file = true},
    {.type = OPTION_TEXT, .name = "price-source", .argument = "TEXT", .help = "where the price comes from, and its date", .from_model_file = true},
    {.type = OPTION_GROUP, .name = "Output"},
    {.type = OPTION_FLAG, .name = "dry-run", .help = "ask the server, print the plan as JSON, write nothing"},
    {.type = OPTION_TEXT, .name = "tekton-results", .argument = "DIR", .help = "write the result run-id there"},
    {.type = OPTION_END},
};

/* --- load ----------------------------------------------------------------------------------- */

static int parse_rates(const char *text, double *rates, size_t *count, struct error *err)
{
    cleanup_free char *copy = mem_strdup(text);
    char *rest = copy, *item;
    *count = 0;
    while ((item = strsep(&rest, ","))) {
        if (*count == RATES_MAX)
            return error_set(err, ERROR_USAGE, "--rate: more than %d numbers", RATES_MAX);
        if (units_parse_number(item, &rates[(*count)++]) < 0)
            return error_set(err, ERROR_USAGE, "--rate: '%s' is not a number", item);
    }
    return 0;
}

static int fill_levels(const struct options *options, struct plan *plan, struct error *err)
{
    const char *rate = options_text(options, "rate"), *levels = options_text(options, "levels");
    const struct profile *profile = profile_find(options_text(options, "profile"));
    cleanup_free double *rates = mem_calloc(RATES_MAX, sizeof *rates);
    size_t count = 0;
    plan->profile = profile->name;
    /* A model file's levels are for a sweep: they step back when another profile or a number of levels is asked for. */
    bool levels_asked = options_source(options, "levels") > OPTION_MODEL_FILE;
    if (levels_asked && rate)
        return error_set(err, ERROR_USAGE, "--levels and --rate say the same thing: give one of them");
    if (levels_asked && !profile->next_level)
        return error_set(err, ERROR_USAGE, "--levels goes with --profile sweep; --profile %s takes --rate", profile->name);
    if (levels && !rate && profile->next_level)
        return levels_parse(levels, plan, err);
    if (rate && parse_rates(rate, rates, &count, err) < 0)
        return -1;
    return profile->make_levels(plan, rates, count, err);
}

/* Throughput is what comes without a pause, and an open loop has no streams. */
static int fill_think_time(const struct options *options, struct plan *plan, struct error *err)
{
    const char *text = options_text(options, "think-time");
    if (!text)
        return 0;
    bool fits = plan->level_count > 0;
    for (size_t k = 0; k < plan->level_count; k++)
        fits = fits && plan->levels[k].unit == LOAD_STREAMS && strcmp(plan->levels[k].kind, "throughput") != 0;
    if (!fits)
        return error_set(err, ERROR_USAGE, "--think-time goes with streams: --profile concurrent or synchronous, or --levels concurrent:...");
    return variate_parse(text, "--think-time", PLAN_SECONDS_MAX, &plan->think_time, err);
}

static int parse_trim(const struct options *options, const char *name, struct trim *trim, struct error *err)
{
    const char *text = options_text(options, name);
    size_t length = strlen(text);
    cleanup_free char *copy = mem_strdup(text);
    double number;
    bool percent = length > 0 && text[length - 1] == '%';
    if (strcmp(text, "auto") == 0) {
        trim->kind = TRIM_AUTO;
        return 0;
    }
    if (percent)
        copy[length - 1] = '\0';
    if (units_parse_number(copy, &number) == 0 && (percent || number < 1)) {
        trim->kind = number > 0 ? TRIM_SHARE : TRIM_NONE;
        trim->share = percent ? number / 100 : number;
        if (trim->share >= 0 && trim->share < 1)
            return 0;
    } else if (!percent && units_parse_duration(text, &trim->ns) == 0 && (double)trim->ns <= PLAN_SECONDS_MAX * (double)NS_PER_S) {
        trim->kind = TRIM_TIME;
        return 0;
    }
    return error_set(err, ERROR_USAGE, "--%s: '%s' is no share (0.1 or 10%%), no time (5s), and not auto", name, text);
}

static double share_of_level(const struct trim *trim, int64_t level_ns)
{
    if (trim->kind == TRIM_SHARE)
        return trim->share;
    return trim->kind == TRIM_TIME && level_ns > 0 ? (double)trim->ns / (double)level_ns : 0;
}

static int fill_limits(const struct options *options, struct plan *plan, struct error *err)
{
    struct limits *limits = &plan->limits;
    limits->max_requests = options_integer(options, "max-requests", 0);
    limits->max_seconds_ns = options_duration(options, "max-seconds", limits->max_requests > 0 ? 0 : MAX_SECONDS_DEFAULT);
    limits->timeout_ns = options_duration(options, "timeout", 0);
    limits->stall_timeout_ns = options_duration(options, "stall-timeout", 0);
    limits->drain_ns = options_duration(options, "drain", limits->stall_timeout_ns);
    limits->max_concurrency = options_integer(options, "max-concurrency", 0);
    if (parse_trim(options, "warmup", &limits->warmup, err) < 0 || parse_trim(options, "cooldown", &limits->cooldown, err) < 0)
        return -1;
    if (share_of_level(&limits->warmup, limits->max_seconds_ns) + share_of_level(&limits->cooldown, limits->max_seconds_ns) >= 1)
        return error_set(err, ERROR_USAGE, "--warmup and --cooldown together leave nothing of a level to be measured");
    return 0;
}

/* --- data ------------------------------------------------------------------------------------ */

static int fill_workload(const struct options *options, struct plan *plan, struct error *err)
{
    struct workload *workload = &plan->workload;
    const char *prompt = options_text(options, "prompt-tokens"), *output = options_text(options, "output-tokens");
    const char *name = options_text(options, "scenario");
    bool tokens = prompt || output;
    if (tokens && options_source(options, "scenario") > OPTION_MODEL_FILE)
        return error_set(err, ERROR_USAGE, "--scenario and --prompt-tokens or --output-tokens contradict each other: give one or the other");
    if (tokens && !(prompt && output))
        return error_set(err, ERROR_USAGE, "--prompt-tokens and --output-tokens go together");
    workload->endpoint = strcmp(options_text(options, "endpoint"), "chat") == 0 ? ENDPOINT_CHAT : ENDPOINT_COMPLETIONS;
    if (tokens)
        return token_lengths_parse(prompt, "--prompt-tokens", &workload->prompt, err) < 0
                   ? -1
                   : token_lengths_parse(output, "--output-tokens", &workload->output, err);
    const struct scenario *scenario = scenario_find(name ? name : DEFAULT_SCENARIO);
    workload->scenario = scenario->name;
    workload->prompt = token_lengths_fixed(scenario->prompt_tokens);
    workload->output = token_lengths_fixed(scenario->output_tokens);
    return 0;
}

static int fill_nonce(const struct options *options, struct plan *plan, struct error *err)
{
    static const char digits[] = "0123456789abcdef";
    const char *nonce = options_text(options, "nonce");
    unsigned char bytes[(PLAN_NONCE_SIZE - 1) / 2];
    if (nonce) {
        if (strlen(nonce) != PLAN_NONCE_SIZE - 1 || strspn(nonce, digits) != PLAN_NONCE_SIZE - 1)
            return error_set(err, ERROR_USAGE, "--nonce: '%s' is not %d hexadecimal digits (0-9, a-f)", nonce, PLAN_NONCE_SIZE - 1);
        memcpy(plan->nonce, nonce, PLAN_NONCE_SIZE);
        return 0;
    }
    if (random_bytes(bytes, sizeof bytes) < 0)
        return error_set(err, ERROR_INTERNAL, "the kernel has no random bytes for a nonce. Give one: --nonce");
    for (size_t k = 0; k < sizeof bytes; k++) {
        plan->nonce[2 * k] = digits[bytes[k] >> 4];
        plan->nonce[2 * k + 1] = digits[bytes[k] & 15];
    }
    return 0;
}

int prepare_fill_plan(const struct options *options, struct plan *plan, struct error *err)
{
    struct deployment *deployment = &plan->deployment;
    const char *hardware = options_text(options, "hardware"), *source = options_text(options, "price-source");
    plan->sweep_arrivals = options_text(options, "sweep-arrivals");
    plan->stream_start = strcmp(options_text(options, "stream-start"), "spread") == 0 ? STREAM_START_SPREAD : STREAM_START_TOGETHER;
    plan->seed = (uint64_t)options_integer(options, "seed", 0);
    deployment->hardware = hardware ? hardware : "";
    deployment->gpus = options_integer(options, "gpus", 0);
    deployment->price_micro_usd = options_usd(options, "price-per-hour", -1);
    deployment->price_source = source ? source : "";
    if (fill_limits(options, plan, err) < 0 || fill_levels(options, plan, err) < 0 || fill_think_time(options, plan, err) < 0 ||
        fill_workload(options, plan, err) < 0)
        return -1;
    return fill_nonce(options, plan, err);
}

/* --- target ---------------------------------------------------------------------------------- */

/* "{model}" and "{namespace}" filled in; another brace is an error. */
static int fill_template(const char *template, const char *model, const char *namespace, struct buf *out, struct error *err)
{
    for (const char *c = template; *c; c++) {
        if (strncmp(c, "{model}", 7) == 0) {
            buf_append_text(out, model);
            c += 6;
        } else if (strncmp(c, "{namespace}", 11) == 0) {
            buf_append_text(out, namespace);
            c += 10;
        } else if (*c == '{') {
            return error_set(err, ERROR_USAGE, "--target-template: only {model} and {namespace} are known in '%s'", template);
        } else {
            buf_append_char(out, *c);
        }
    }
    return out->overflowed ? error_set(err, ERROR_USAGE, "--target-template: the URL is too long") : 0;
}

/* The paths of the API are appended to it. */
static int check_root(const char *url, struct error *err)
{
    static const char *const paths[] = {"/chat/completions", "/completions", "/models"};
    cleanup_free char *shown = http_url_redacted(url);
    size_t length = strlen(url);
    if (url[strcspn(url, "?#")])
        return error_set(err, ERROR_USAGE, "%s: the URL has a query or a fragment. Give the API's root, as in http://host:8000/v1", shown);
    for (size_t k = 0; k < sizeof paths / sizeof paths[0]; k++) {
        size_t tail = strlen(paths[k]);
        if (length > tail && strcmp(url + length - tail, paths[k]) == 0)
            return error_set(err, ERROR_USAGE, "%s: that is one path of the API. Give its root: %.*s", shown, (int)(length - tail), url);
    }
    return 0;
}

int prepare_fill_target(const struct options *options, struct plan *plan, struct error *err)
{
    const char *target = options_text(options, "target"), *model = options_text(options, "model");
    cleanup_buf struct buf url = BUF_INIT(URL_MAX);
    if (!target && !model)
        return error_set(err, ERROR_USAGE, "what shall be measured? Give --target URL, or --model NAME");
    if (target) {
        if (buf_append_text(&url, target) < 0)
            return error_set(err, ERROR_USAGE, "--target: the URL is too long");
    } else if (fill_template(options_text(options, "target-template"), model, options_text(options, "namespace"), &url, err) < 0) {
        return -1;
    }
    while (url.len > 0 && url.data[url.len - 1] == '/')
        url.data[--url.len] = '\0';
    if (http_url_check(buf_text(&url), err) < 0 || check_root(buf_text(&url), err) < 0)
        return error_wrap(err, "%s", target ? "--target" : "--target-template");
    plan->target = arena_strdup(plan->arena, buf_text(&url));
    return 0;
}
