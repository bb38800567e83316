#include "cmd/roibench/prepare_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/prepare_data.h"
#include "net/http_client.h"
#include "plan/find.h"
#include "plan/labels.h"
#include "plan/profile.h"
#include "plan/scenario.h"
#include "plan/synthetic.h"
#include "plan/trace.h"

#define RATES_MAX 1000
#define URL_MAX ((size_t)4096)
#define MAX_SECONDS_DEFAULT (60 * NS_PER_S)
#define DEFAULT_SCENARIO "chat"
#define UNUSED_MAX ((size_t)1024)
#define REFINE_DEFAULT 3

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

static bool has_kind(const struct plan *plan, const char *kind)
{
    for (size_t k = 0; k < plan->level_count; k++)
        if (strcmp(plan->levels[k].kind, kind) == 0)
            return true;
    return false;
}

static bool is_replay(const struct options *options)
{
    return strcmp(options_text(options, "profile"), "replay") == 0;
}

static enum trace_unit unit_of(const struct options *options)
{
    const char *unit = options_text(options, "replay-unit");
    return !unit ? TRACE_UNIT_USUAL : strcmp(unit, "s") == 0 ? TRACE_UNIT_S : TRACE_UNIT_MS;
}

static int fill_replay(const struct app *app, const struct options *options, struct plan *plan, struct error *err)
{
    const char *path = options_text(options, "replay-file"), *option = "--replay-file", *slash;
    if (!path && prepare_data_is_file(options)) { /* a trace has both: lengths and times */
        path = options_text(options, "data");
        option = "--data, as the trace of --profile replay";
    }
    struct arrival_shape *shape = &plan->arrival_shape;
    struct trace trace;
    if (!path || !is_replay(options))
        return 0;
    shape->replay_speed = options_number(options, "replay-speed", 1);
    const struct trace_settings settings = {.unit = unit_of(options), .speed = shape->replay_speed, .skip_bad = options_flag(options, "skip-bad")};
    if (trace_import(path, &settings, &trace, err) < 0)
        return error_wrap(err, "%s", option);
    if (trace.left_out > 0)
        log_warning(&app->log, "%s: %lld rows have no time that can be read, and were left out of the replay", path, (long long)trace.left_out);
    int64_t *copy = ARENA_ARRAY(plan->arena, trace.count, int64_t);
    memcpy(copy, trace.ns, trace.count * sizeof *copy);
    slash = strrchr(path, '/');
    shape->replay_file = arena_strdup(plan->arena, slash ? slash + 1 : path);
    shape->replay_count = (int64_t)trace.count;
    shape->replay = copy;
    trace_free(&trace);
    return 0;
}

static int fill_arrivals(const struct app *app, const struct options *options, struct plan *plan, struct error *err)
{
    plan->arrival_shape.burstiness = options_number(options, "burstiness", 0);
    plan->arrival_shape.burst_size = options_integer(options, "burst-size", 0);
    return fill_replay(app, options, plan, err);
}

/* What a command line asks for and no level will do; a configuration that many plans share may say more than one of them needs. */
static int check_starts(const struct options *options, const struct plan *plan, struct error *err)
{
    bool streams = plan->level_count == 0, finds_rates = plan->level_count == 0 && !options_given(options, "find");
    for (size_t k = 0; k < plan->level_count; k++)
        streams = streams || plan->levels[k].unit == LOAD_STREAMS;
    if (!streams && options_source(options, "stream-start") == OPTION_ARGV)
        return error_set(err, ERROR_USAGE, "--stream-start goes with streams: --profile concurrent, or --levels concurrent:...");
    if (!finds_rates && options_source(options, "sweep-arrivals") == OPTION_ARGV)
        return error_set(err, ERROR_USAGE, "--sweep-arrivals is for a sweep that finds its rates: without --levels, --find or another --profile");
    return 0;
}

/* What one kind of level needs, no other takes. */
static int check_arrivals(const struct options *options, const struct plan *plan, struct error *err)
{
    static const struct {
        const char *option, *kind;
        bool needed;
    } rows[] = {{"burstiness", "gamma", true},
                {"burst-size", "burst", true},
                {"replay-file", "replay", false},
                {"replay-unit", "replay", false},
                {"replay-speed", "replay", false}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        bool given = options_given(options, rows[k].option), there = has_kind(plan, rows[k].kind);
        if (given && !there)
            return error_set(err, ERROR_USAGE, "--%s is for %s levels only", rows[k].option, rows[k].kind);
        if (there && rows[k].needed && !given)
            return error_set(err, ERROR_USAGE, "%s levels need --%s", rows[k].kind, rows[k].option);
    }
    if (check_starts(options, plan, err) < 0)
        return -1;
    const char *fault = profile_fault(plan);
    return fault ? error_set(err, ERROR_USAGE, "--profile %s: %s", plan->profile, fault) : 0;
}

/* Without loads it begins with one stream. */
static int fill_first_level(struct plan *plan, const char *rate, struct error *err)
{
    if (rate)
        return error_set(err, ERROR_USAGE, "--find says how many levels there are: give --levels for the loads to begin with, not --rate");
    return profile_add_level(plan, profile_find("concurrent"), 1, "--find", err);
}

static int fill_find(const struct options *options, struct plan *plan, struct error *err)
{
    const char *find = options_text(options, "find");
    if (!find && options_given(options, "refine"))
        return error_set(err, ERROR_USAGE, "--refine says how often --find halves what it found: give --find saturation or breaking");
    if (!find)
        return 0;
    plan->find = strcmp(find, find_goal_name(FIND_BREAKING)) == 0 ? FIND_BREAKING : FIND_SATURATION;
    plan->refine = options_integer(options, "refine", REFINE_DEFAULT);
    const char *fault = find_fault(plan->levels, plan->level_count);
    return fault ? error_set(err, ERROR_USAGE, "--find: %s", fault) : 0;
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
    if (profile->next_level && options_given(options, "find"))
        return fill_first_level(plan, rate, err);
    if (rate && parse_rates(rate, rates, &count, err) < 0)
        return -1;
    return profile->make_levels(plan, rates, count, err);
}

static int check_saturation(const struct plan *plan, struct error *err)
{
    bool open = plan->level_count == 0; /* a sweep's own levels */
    for (size_t k = 0; k < plan->level_count; k++)
        open = open || plan->levels[k].unit == LOAD_REQUESTS_PER_S;
    if (plan->limits.stop_when_saturated && !open)
        return error_set(err, ERROR_USAGE, "--stop-when-saturated is for rates (--profile poisson...): the queue of a number of streams cannot grow");
    return 0;
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
    return variate_parse(text, "--think-time", VARIATE_SECONDS, PLAN_SECONDS_MAX, &plan->think_time, err);
}

/* "0.1" or "10%": 0 to less than 1. */
static int parse_share(const char *text, double *share)
{
    size_t length = strlen(text);
    cleanup_free char *copy = mem_strdup(text);
    bool percent = length > 0 && text[length - 1] == '%';
    if (percent)
        copy[length - 1] = '\0';
    if (units_parse_number(copy, share) < 0)
        return -1;
    *share = percent ? *share / 100 : *share;
    return *share >= 0 && *share < 1 ? 0 : -1;
}

static int parse_trim(const struct options *options, const char *name, struct trim *trim, struct error *err)
{
    const char *text = options_text(options, name);
    if (strcmp(text, "auto") == 0) {
        trim->kind = TRIM_AUTO;
    } else if (parse_share(text, &trim->share) == 0) {
        trim->kind = trim->share > 0 ? TRIM_SHARE : TRIM_NONE;
    } else if (units_parse_duration(text, &trim->ns) == 0 && (double)trim->ns <= PLAN_SECONDS_MAX * (double)NS_PER_S) {
        trim->kind = TRIM_TIME;
    } else {
        return error_set(err, ERROR_USAGE, "--%s: '%s' is no share (0.1 or 10%%), no time (5s), and not auto", name, text);
    }
    return 0;
}

/* What makes a level longer or shorter than planned, and what ends the run. */
static int fill_ceilings(const struct options *options, struct plan *plan, struct error *err)
{
    struct limits *limits = &plan->limits;
    const char *rate = options_text(options, "max-error-rate");
    limits->min_requests = options_integer(options, "min-requests", 0);
    limits->stop_when_saturated = options_flag(options, "stop-when-saturated");
    limits->max_tokens_total = options_integer(options, "max-tokens-total", 0);
    limits->max_micro_usd = options_usd(options, "max-usd", -1);
    if (limits->min_requests > 0 && limits->max_seconds_ns == 0)
        return error_set(err, ERROR_USAGE, "--min-requests makes levels longer than --max-seconds says: give that too");
    if (limits->max_requests > 0 && limits->min_requests > limits->max_requests)
        return error_set(err, ERROR_USAGE, "--min-requests is more than --max-requests");
    if (rate && parse_share(rate, &limits->max_error_rate) < 0)
        return error_set(err, ERROR_USAGE, "--max-error-rate: '%s' is no share below 1 (0.05 or 5%%)", rate);
    if (limits->max_micro_usd == 0)
        return error_set(err, ERROR_USAGE, "--max-usd: nothing can be had for $0");
    if (limits->max_micro_usd > 0 && plan->deployment.price_micro_usd <= 0)
        return error_set(err, ERROR_USAGE, "--max-usd needs to know what an hour costs: --price-per-hour");
    return 0;
}

static int fill_limits(const struct options *options, struct plan *plan, struct error *err)
{
    struct limits *limits = &plan->limits;
    limits->max_requests = options_integer(options, "max-requests", 0);
    bool unbounded = limits->max_requests > 0 || is_replay(options);
    limits->max_seconds_ns = options_duration(options, "max-seconds", unbounded ? 0 : MAX_SECONDS_DEFAULT);
    limits->timeout_ns = options_duration(options, "timeout", 0);
    limits->stall_timeout_ns = options_duration(options, "stall-timeout", 0);
    limits->drain_ns = options_duration(options, "drain", limits->stall_timeout_ns);
    limits->max_concurrency = options_integer(options, "max-concurrency", 0);
    if (parse_trim(options, "warmup", &limits->warmup, err) < 0 || parse_trim(options, "cooldown", &limits->cooldown, err) < 0)
        return -1;
    if (trim_share(&limits->warmup, limits->max_seconds_ns) + trim_share(&limits->cooldown, limits->max_seconds_ns) >= 1)
        return error_set(err, ERROR_USAGE, "--warmup and --cooldown together leave nothing of a level to be measured");
    return fill_ceilings(options, plan, err);
}

/* --- data ------------------------------------------------------------------------------------ */

/* Of a file, the prompts' lengths are known when it was read. */
static int fill_data(const struct options *options, struct plan *plan, struct error *err)
{
    struct workload *workload = &plan->workload;
    const char *output = options_text(options, "output-tokens"), *name = options_text(options, "scenario");
    bool file = prepare_data_is_file(options);
    struct buf unused = BUF_INIT(UNUSED_MAX);
    if (options_source(options, "scenario") > OPTION_MODEL_FILE || options_given(options, "prompt-tokens") || (output && !file))
        return error_set(err, ERROR_USAGE, "--data says how long prompts%s are: --%s contradicts it", file ? "" : " and answers",
                         options_given(options, "prompt-tokens") ? "prompt-tokens" : output && !file ? "output-tokens" : "scenario");
    if (!file) {
        int status = synthetic_parse(options_text(options, "data"), &workload->prompt, &workload->output, &unused, err);
        buf_free(&unused);
        return status;
    }
    if (output)
        return token_lengths_parse_any(output, "--output-tokens", plan->arena, &workload->output, err);
    workload->output = token_lengths_fixed(scenario_find(name ? name : DEFAULT_SCENARIO)->output_tokens);
    return 0;
}

static int fill_prefix(const struct options *options, struct workload *workload, struct error *err)
{
    workload->shared_prefix_tokens = options_integer(options, "shared-prefix-tokens", 0);
    workload->shared_prefix_groups = options_integer(options, "shared-prefix-groups", 1);
    if (workload->shared_prefix_tokens == 0 && options_given(options, "shared-prefix-groups"))
        return error_set(err, ERROR_USAGE, "--shared-prefix-groups says how many prefixes there are: give --shared-prefix-tokens, how long they are");
    if (workload->shared_prefix_tokens > 0 && prepare_data_is_file(options))
        return error_set(err, ERROR_USAGE, "--shared-prefix-tokens is for prompts that are made: those of --data are as the file has them");
    if (workload->shared_prefix_tokens > 0 && workload->shared_prefix_tokens >= workload->prompt.min)
        return error_set(err, ERROR_USAGE, "--shared-prefix-tokens: a prefix of %lld tokens leaves nothing of a prompt of %lld",
                         (long long)workload->shared_prefix_tokens, (long long)workload->prompt.min);
    return 0;
}

static int fill_turns(const struct options *options, struct plan *plan, struct error *err)
{
    plan->workload.turns = options_integer(options, "turns", 1);
    bool streams = plan->level_count > 0 && plan->find == FIND_NOTHING;
    for (size_t k = 0; k < plan->level_count; k++)
        streams = streams && plan->levels[k].unit == LOAD_STREAMS;
    if (plan->workload.turns > 1 && !streams)
        return error_set(err, ERROR_USAGE, "--turns: conversations are held by streams whose number is known: --profile concurrent or synchronous, or "
                         "--levels concurrent:...; not with --find");
    if (plan->workload.turns > 1 && prepare_data_is_file(options) && strcmp(options_text(options, "too-long"), "trim") == 0)
        return error_set(err, ERROR_USAGE, "--too-long trim would cut what later turns say again: with --turns, conversations of --data that are too long are "
                         "left out or refused");
    return 0;
}

static int fill_workload(const struct options *options, struct plan *plan, struct error *err)
{
    struct workload *workload = &plan->workload;
    const char *prompt = options_text(options, "prompt-tokens"), *output = options_text(options, "output-tokens");
    const char *name = options_text(options, "scenario");
    bool tokens = prompt || output;
    workload->endpoint = strcmp(options_text(options, "endpoint"), "chat") == 0 ? ENDPOINT_CHAT : ENDPOINT_COMPLETIONS;
    workload->allow_prefix_cache = options_flag(options, "allow-prefix-cache");
    workload->language = options_text(options, "language");
    if (options_text(options, "data"))
        return fill_data(options, plan, err);
    if (tokens && options_source(options, "scenario") > OPTION_MODEL_FILE)
        return error_set(err, ERROR_USAGE, "--scenario and --prompt-tokens or --output-tokens contradict each other: give one or the other");
    if (tokens && !(prompt && output))
        return error_set(err, ERROR_USAGE, "--prompt-tokens and --output-tokens go together");
    if (tokens)
        return token_lengths_parse_any(prompt, "--prompt-tokens", plan->arena, &workload->prompt, err) < 0
                   ? -1
                   : token_lengths_parse_any(output, "--output-tokens", plan->arena, &workload->output, err);
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

int prepare_fill_plan(const struct app *app, const struct options *options, struct plan *plan, struct error *err)
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
    plan->repeat = options_integer(options, "repeat", 1);
    if (options_text(options, "sla") && sla_open(options_text(options, "sla"), "--sla of prepare", plan->arena, &plan->sla, err) < 0)
        return error_wrap(err, "--sla");
    if (options_text(options, "slo") && slo_parse(options_text(options, "slo"), &plan->slo, err) < 0)
        return -1;
    for (size_t k = 0; k < options_count(options, "label"); k++)
        if (labels_add(plan, options_item(options, "label", k), err) < 0)
            return error_wrap(err, "--label");
    if (fill_arrivals(app, options, plan, err) < 0 || fill_limits(options, plan, err) < 0 || fill_levels(options, plan, err) < 0 ||
        check_arrivals(options, plan, err) < 0 || fill_find(options, plan, err) < 0 || check_saturation(plan, err) < 0 ||
        fill_think_time(options, plan, err) < 0 || fill_workload(options, plan, err) < 0 ||
        fill_prefix(options, &plan->workload, err) < 0 || fill_turns(options, plan, err) < 0)
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

/* In the plan's arena, without a slash at its end. NULL: *err. */
static const char *check_target(const struct plan *plan, const char *text, const char *option, struct error *err)
{
    cleanup_buf struct buf url = BUF_INIT(URL_MAX);
    if (buf_append_text(&url, text) < 0) {
        error_set(err, ERROR_USAGE, "%s: the URL is too long", option);
        return NULL;
    }
    while (url.len > 3 && url.data[url.len - 1] == '/' && strcmp(url.data + url.len - 3, "://") != 0)
        url.data[--url.len] = '\0';
    if (http_url_check(buf_text(&url), err) < 0 || check_root(buf_text(&url), err) < 0) {
        error_wrap(err, "%s", option);
        return NULL;
    }
    return arena_strdup(plan->arena, buf_text(&url));
}

static int fill_targets(const struct options *options, struct plan *plan, struct error *err)
{
    size_t count = options_count(options, "target");
    if (count > PLAN_TARGETS_MAX)
        return error_set(err, ERROR_USAGE, "--target: %zu of them; at most %d", count, PLAN_TARGETS_MAX);
    plan->other_targets = ARENA_ARRAY(plan->arena, count, const char *);
    for (size_t k = 0; k < count; k++) {
        const char *target = check_target(plan, options_item(options, "target", k), "--target", err);
        if (!target)
            return -1;
        bool again = k > 0 && strcmp(plan->target, target) == 0;
        for (size_t other = 0; other < plan->other_target_count; other++)
            again = again || strcmp(plan->other_targets[other], target) == 0;
        if (again)
            return error_set(err, ERROR_USAGE, "--target: %s is given twice", target);
        if (k == 0)
            plan->target = target;
        else
            plan->other_targets[plan->other_target_count++] = target;
    }
    return 0;
}

int prepare_fill_target(const struct options *options, struct plan *plan, struct error *err)
{
    const char *model = options_text(options, "model");
    cleanup_buf struct buf url = BUF_INIT(URL_MAX);
    if (options_source(options, "target") == OPTION_ARGV && options_source(options, "target-template") == OPTION_ARGV)
        return error_set(err, ERROR_USAGE, "--target and --target-template say the same thing: give one of them");
    if (options_count(options, "target") > 0)
        return fill_targets(options, plan, err);
    if (!model)
        return error_set(err, ERROR_USAGE, "what shall be measured? Give --target URL, or --model NAME");
    if (fill_template(options_text(options, "target-template"), model, options_text(options, "namespace"), &url, err) < 0)
        return -1;
    const char *target = check_target(plan, buf_text(&url), "--target-template", err);
    if (!target)
        return -1;
    plan->target = target;
    return 0;
}
