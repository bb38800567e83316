/* GuideLLM's profile and constraints: how requests are sent, and when a level ends. */
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/units.h"
#include "plan/guidellm_options.h"

#define LIST_MAX ((size_t)8192) /* bytes of a list of loads */

/* How a kind of profile reads here. loads: members that list its loads, the first that is there counts. */
static const struct kind {
    const char *name, *profile;
    const char *loads[3];
    bool needs_loads, streams, open;
} kinds[] = {
    {"synchronous", "synchronous", {NULL}, false, true, false},
    {"concurrent", "concurrent", {"streams", "rate"}, true, true, false},
    {"knee", "concurrent", {"initial_streams"}, true, true, false},
    {"throughput", "throughput", {NULL}, false, false, false},
    {"constant", "constant", {"rate"}, true, false, true},
    {"async", "constant", {"rate"}, true, false, true},
    {"poisson", "poisson", {"rate"}, true, false, true},
    {"sweep", "sweep", {"sweep_size", "rate"}, false, false, true},
    {"replay", "replay", {NULL}, false, false, true},
};

struct load {
    json_t *profile, *constraints;
    const struct kind *kind;
    double max_seconds, max_requests; /* NAN: none */
};

static int find_kind(struct guidellm_taking *taking, struct load *load)
{
    const char *name;
    if (guidellm_take_text(taking, load->profile, "kind", &name) < 0)
        return -1;
    name = name ? name : "sweep";
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (strcmp(kinds[k].name, name) == 0)
            load->kind = &kinds[k];
    if (load->kind)
        return 0;
    if (strcmp(name, "goodput") == 0)
        return error_set(taking->err, ERROR_USAGE, "--profile: goodput is not looked for here; --find breaking of prepare looks for the load that breaks");
    return error_set(taking->err, ERROR_USAGE, "--profile: '%s' is not known. Known: synchronous, concurrent, throughput, constant, async, poisson, sweep, replay, knee",
                     name);
}

/* --- loads ------------------------------------------------------------------------------------ */

/* A number or a list of numbers as "1,2,4"; NULL: absent. */
static int take_list(struct guidellm_taking *taking, json_t *profile, const char *key, const char **list)
{
    const json_t *member = guidellm_take(taking, profile, key);
    cleanup_buf struct buf text = BUF_INIT(LIST_MAX);
    size_t count = json_is_array(member) ? json_array_size(member) : member ? 1 : 0;
    *list = NULL;
    for (size_t k = 0; k < count; k++) {
        cleanup_free char *item = json_scalar_text(json_is_array(member) ? json_array_get(member, k) : member);
        double number;
        if (!item || units_parse_number(item, &number) < 0)
            return error_set(taking->err, ERROR_USAGE, "profile.%s: expected a number or a list of numbers", key);
        buf_printf(&text, "%s%.15g", k > 0 ? "," : "", number);
    }
    if (text.overflowed)
        return error_set(taking->err, ERROR_USAGE, "profile.%s: %zu loads are too many", key, count);
    if (count > 0)
        *list = arena_strdup(taking->command->arena, buf_text(&text));
    return 0;
}

/* Evenly from min_streams to max_streams, as GuideLLM rounds them. */
static int take_range(struct guidellm_taking *taking, struct load *load, const char **list)
{
    double from, to, count;
    cleanup_buf struct buf text = BUF_INIT(LIST_MAX);
    if (guidellm_take_number(taking, load->profile, "min_streams", &from) < 0 || guidellm_take_number(taking, load->profile, "max_streams", &to) < 0 ||
        guidellm_take_number(taking, load->profile, "count", &count) < 0)
        return -1;
    if (!(from >= 1 && to > from && count >= 2 && count <= 1000 && to - from >= count - 1))
        return error_set(taking->err, ERROR_USAGE, "--profile knee needs initial_streams, or min_streams, max_streams and count");
    for (int k = 0; k < (int)count; k++)
        buf_printf(&text, "%s%.0f", k > 0 ? "," : "", floor(from + (k * (to - from) + floor((count - 1) / 2)) / (count - 1)));
    *list = arena_strdup(taking->command->arena, buf_text(&text));
    return 0;
}

static int take_loads(struct guidellm_taking *taking, struct load *load)
{
    const char *list = NULL;
    for (const char *const *key = load->kind->loads; *key && !list; key++)
        if (take_list(taking, load->profile, *key, &list) < 0)
            return -1;
    if (!list && strcmp(load->kind->name, "knee") == 0 && take_range(taking, load, &list) < 0)
        return -1;
    if (!list && strcmp(load->kind->name, "sweep") == 0 && take_list(taking, guidellm_section(taking, "settings"), "sweep_size", &list) < 0)
        return -1;
    json_object_del(guidellm_section(taking, "settings"), "sweep_size"); /* a default, and no wish of this run's */
    if (!list && load->kind->needs_loads)
        return error_set(taking->err, ERROR_USAGE, "--profile %s needs %s", load->kind->name,
                         load->kind->streams ? "numbers of streams: --rate 1,2,4 (0.7: streams=N, or --override profile.streams 1,2,4)"
                                             : "rates: --rate 1,2,4 (0.7: rate=X, or --override profile.rate 1,2,4)");
    guidellm_add(taking, "profile", load->kind->profile);
    if (list)
        guidellm_add(taking, "rate", list);
    return 0;
}

static int take_ceiling(struct guidellm_taking *taking, struct load *load)
{
    double ceiling, rate = NAN, setting;
    if (guidellm_take_number(taking, load->profile, "max_concurrency", &ceiling) < 0 ||
        guidellm_take_number(taking, guidellm_section(taking, "settings"), "max_concurrency", &setting) < 0)
        return -1;
    if (strcmp(load->kind->name, "throughput") == 0 && guidellm_take_number(taking, load->profile, "rate", &rate) < 0)
        return -1;
    ceiling = isnan(ceiling) ? rate : ceiling;
    ceiling = isnan(ceiling) && !load->kind->streams ? setting : ceiling;
    if (!isnan(ceiling))
        guidellm_add_number(taking, "max-concurrency", ceiling);
    return 0;
}

/* GuideLLM's streams begin at once, or spread over a ramp; ours spread over a mean request. */
static int take_start(struct guidellm_taking *taking, struct load *load)
{
    const char *arrivals;
    double ramp = NAN;
    if (load->kind->streams && guidellm_take_number(taking, load->profile, "rampup_duration", &ramp) < 0)
        return -1;
    if (load->kind->streams)
        guidellm_add(taking, "stream-start", ramp > 0 ? "spread" : "together");
    if (strcmp(load->kind->name, "sweep") != 0)
        return 0;
    if (guidellm_take_text(taking, load->profile, "strategy_type", &arrivals) < 0)
        return -1;
    guidellm_add(taking, "sweep-arrivals", arrivals ? arrivals : "constant");
    return 0;
}

static int take_replay(struct guidellm_taking *taking, struct load *load)
{
    double scale;
    if (strcmp(load->kind->name, "replay") != 0)
        return 0;
    if (guidellm_take_number(taking, load->profile, "time_scale", &scale) < 0)
        return -1;
    if (!isnan(scale) && !(scale > 0))
        return error_set(taking->err, ERROR_USAGE, "profile.time_scale: expected a number above 0");
    if (!isnan(scale))
        guidellm_add_number(taking, "replay-speed", 1 / scale);
    return 0;
}

/* --- limits ------------------------------------------------------------------------------------- */

static json_t *constraint(const struct load *load, const char *kind)
{
    return json_object_get(load->constraints, kind);
}

static int take_limit(struct guidellm_taking *taking, const struct load *load, const char *kind, const char *key, const char *option, double *limit)
{
    if (guidellm_take_number(taking, constraint(load, kind), key, limit) < 0)
        return error_wrap(taking->err, "constraint %s", kind);
    if (!isnan(*limit) && option)
        guidellm_add_number(taking, option, *limit);
    return 0;
}

/* The smaller one; both are shares of all requests of the level here. */
static int take_error_rates(struct guidellm_taking *taking, const struct load *load)
{
    double window, global;
    if (take_limit(taking, load, "max_error_rate", "rate", NULL, &window) < 0 || take_limit(taking, load, "max_global_error_rate", "rate", NULL, &global) < 0)
        return -1;
    double rate = fmin(window, global); /* of a NAN and a number the number */
    if (!isnan(rate))
        guidellm_add_number(taking, "max-error-rate", rate);
    return 0;
}

/* `enabled` until 0.6, `mode` from 0.7 on. Streams have no queue of ours that could grow. */
static int take_saturation(struct guidellm_taking *taking, const struct load *load)
{
    json_t *saturation = constraint(load, "over_saturation");
    bool enabled;
    const char *mode;
    int given = guidellm_take_bool(taking, saturation, "enabled", &enabled);
    if (given < 0 || guidellm_take_text(taking, saturation, "mode", &mode) < 0)
        return -1;
    bool wanted = saturation && (given == 0 || enabled) && (!mode || strcmp(mode, "enforce") == 0);
    if (wanted && load->kind->open)
        guidellm_add(taking, "stop-when-saturated", NULL);
    else if (wanted)
        guidellm_ignore(&taking->command->ignored, "over_saturation (of streams)");
    return 0;
}

static int take_limits(struct guidellm_taking *taking, struct load *load)
{
    double least;
    if (take_limit(taking, load, "max_duration", "seconds", "max-seconds", &load->max_seconds) < 0 ||
        take_limit(taking, load, "max_requests", "count", NULL, &load->max_requests) < 0 ||
        take_limit(taking, load, "min_requests", "count", NULL, &least) < 0)
        return -1;
    load->max_requests = fmin(load->max_requests, least); /* GuideLLM's min_requests ends a level, too: when so many have ended */
    if (!isnan(load->max_requests))
        guidellm_add_number(taking, "max-requests", load->max_requests);
    return take_error_rates(taking, load) < 0 ? -1 : take_saturation(taking, load);
}

/* --- warm-up and cool-down -------------------------------------------------------------------------- */

/* Seconds where the level has a time, else a share of its requests. */
static int add_trim_value(struct guidellm_taking *taking, const struct load *load, const char *name, double value, bool requests)
{
    struct arena *arena = taking->command->arena;
    if (!requests && !isnan(load->max_seconds)) {
        guidellm_add(taking, name, arena_printf(arena, "%.15gs", value));
        return 0;
    }
    if (isnan(load->max_requests))
        return error_set(taking->err, ERROR_USAGE, "--%s: %g of what? Give --max-seconds or --max-requests", name, value);
    if (!(value < load->max_requests))
        return error_set(taking->err, ERROR_USAGE, "--%s: %g requests leave nothing of %g to be measured", name, value, load->max_requests);
    guidellm_add(taking, name, arena_printf(arena, "%.15g", value / load->max_requests));
    return 0;
}

static int take_trim_object(struct guidellm_taking *taking, const struct load *load, const char *name, json_t *object)
{
    double percent, value;
    const char *mode;
    if (guidellm_take_number(taking, object, "percent", &percent) < 0 || guidellm_take_number(taking, object, "value", &value) < 0 ||
        guidellm_take_text(taking, object, "mode", &mode) < 0)
        return error_wrap(taking->err, "profile.%s", name);
    if (!isnan(percent)) {
        guidellm_add_number(taking, name, percent);
        return 0;
    }
    bool requests = mode && (strcmp(mode, "requests") == 0 || strcmp(mode, "prefer_requests") == 0) && !isnan(load->max_requests);
    return isnan(value) ? 0 : add_trim_value(taking, load, name, value, requests);
}

static int take_trim(struct guidellm_taking *taking, const struct load *load, const char *name)
{
    json_t *member = json_object_get(load->profile, name);
    double number;
    if (json_is_object(member))
        return take_trim_object(taking, load, name, member);
    if (guidellm_take_number(taking, load->profile, name, &number) < 0)
        return -1;
    if (number >= 1)
        return add_trim_value(taking, load, name, number, false);
    if (!isnan(number))
        guidellm_add_number(taking, name, number);
    return 0;
}

int guidellm_take_load(struct guidellm_taking *taking)
{
    struct load load = {.profile = guidellm_section(taking, "profile"), .constraints = guidellm_section(taking, "constraints")};
    if (find_kind(taking, &load) < 0 || take_loads(taking, &load) < 0 || take_ceiling(taking, &load) < 0 || take_start(taking, &load) < 0 ||
        take_replay(taking, &load) < 0 || take_limits(taking, &load) < 0)
        return -1;
    return take_trim(taking, &load, "warmup") < 0 ? -1 : take_trim(taking, &load, "cooldown");
}
