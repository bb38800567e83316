#include "plan/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "plan/find.h"
#include "plan/language.h"
#include "plan/profile.h"
#include "plan/token_lengths.h"

const char *load_unit_name(enum load_unit unit)
{
    return unit == LOAD_STREAMS ? "streams" : "req/s";
}

double trim_share(const struct trim *trim, int64_t level_ns)
{
    if (trim->kind == TRIM_SHARE)
        return trim->share;
    return trim->kind == TRIM_TIME && level_ns > 0 ? (double)trim->ns / (double)level_ns : 0;
}

const char *endpoint_name(enum endpoint endpoint)
{
    return endpoint == ENDPOINT_CHAT ? "chat" : "completions";
}

const char *endpoint_path(enum endpoint endpoint)
{
    return endpoint == ENDPOINT_CHAT ? "/chat/completions" : "/completions";
}

const char *stream_start_name(enum stream_start start)
{
    return start == STREAM_START_SPREAD ? "spread" : "together";
}

const char *find_goal_name(enum find_goal goal)
{
    static const char *const names[] = {[FIND_NOTHING] = NULL, [FIND_SATURATION] = "saturation", [FIND_BREAKING] = "breaking"};
    return names[goal];
}

struct plan *plan_new(void)
{
    struct arena *arena = arena_new();
    struct plan *plan = mem_alloc(sizeof *plan);
    *plan = (struct plan){
        .arena = arena,
        .run_id = "",
        .target = "",
        .ca_file = "",
        .model = "",
        .server = {.kind = "", .version = "", .preset = "", .time_scale = 1, .max_model_len = -1},
        .profile = "",
        .sweep_arrivals = "poisson",
        .repeat = 1,
        .workload = {.scenario = "", .shared_prefix_groups = 1, .turns = 1, .language = LANGUAGE_DEFAULT,
                     .data = {.file = "", .format = "", .block_tokens = PLAN_BLOCK_TOKENS}},
        .limits = {.max_error_rate = 1, .max_micro_usd = -1},
        .deployment = {.hardware = "", .price_micro_usd = -1, .price_source = ""},
        .sla = sla_default,
        .calibration = {.method = ""},
    };
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    arena_free(plan->arena);
    free(plan);
}

struct turn plan_turn(const struct plan *plan, int64_t streams, int64_t i)
{
    int64_t turns = plan->workload.turns, round = streams > 0 ? i / streams : 0;
    if (turns <= 1 || streams <= 0)
        return (struct turn){.conversation = -1, .turn = -1};
    return (struct turn){.conversation = round / turns * streams + i % streams, .turn = round % turns};
}

double plan_mean_prompt_tokens(const struct plan *plan)
{
    bool made = plan->workload.data.rows == 0;
    double before = made && plan->workload.turns > 1 ? (double)(plan->workload.turns - 1) / 2 : 0;
    return (double)plan->workload.prompt.mean * (1 + before) + (double)plan->workload.output.mean * before;
}

int64_t plan_max_prompt_tokens(const struct plan *plan)
{
    const struct workload *workload = &plan->workload;
    int64_t before = workload->turns > 1 && workload->data.rows == 0 ? workload->turns - 1 : 0;
    return (before + 1) * workload->prompt.max + before * workload->output.max;
}

int64_t plan_wall_ns(const struct plan *plan, int64_t model_ns)
{
    return (int64_t)((double)model_ns / plan->server.time_scale);
}

static int64_t think_wall_ns(const struct plan *plan, double seconds)
{
    return plan_wall_ns(plan, llround(seconds * (double)NS_PER_S));
}

int64_t plan_think_ns(const struct plan *plan, int level, int repeat, int64_t i)
{
    struct random random;
    if (plan->think_time.mean <= 0)
        return 0;
    random_derive(&random, plan->seed, "think", ((uint64_t)(unsigned)level << 32) | (uint64_t)(unsigned)repeat, (uint64_t)i);
    return think_wall_ns(plan, variate_draw(&plan->think_time, &random));
}

int64_t plan_mean_think_ns(const struct plan *plan)
{
    return think_wall_ns(plan, plan->think_time.mean);
}

/* --find: the levels that are given are what it begins with. */
static int find_level(const struct plan *plan, const struct level_result *done, size_t done_count, struct level *next)
{
    struct find find = {.given = plan->levels, .given_count = plan->level_count, .refine = plan->refine};
    find.most = find.given[0].unit == LOAD_STREAMS ? (double)plan->limits.max_concurrency : PROFILE_RATE_MAX;
    struct find_result *results = mem_calloc(done_count + 1, sizeof *results);
    for (size_t k = 0; k < done_count; k++)
        results[k] = (struct find_result){done[k].level, plan->find == FIND_BREAKING ? done[k].broke : done[k].saturated};
    int more = find_next_level(&find, results, done_count, next);
    free(results);
    return more;
}

int plan_next_level(const struct plan *plan, const struct level_result *done, size_t done_count, struct level *next)
{
    const struct profile *profile = profile_find(plan->profile);
    if (plan->find != FIND_NOTHING)
        return find_level(plan, done, done_count, next);
    if (plan->level_count == 0 && profile && profile->next_level)
        return profile->next_level(plan, done, done_count, next);
    if (done_count >= plan->level_count)
        return 0;
    *next = plan->levels[done_count];
    return 1;
}

static void describe_levels(const struct plan *plan, struct buf *out)
{
    char text[UNITS_TEXT_SIZE];
    if (plan->level_count == 0) {
        buf_printf(out, "%lld levels that the sweep finds itself (synchronous, throughput, then %s rates between them)",
                   (long long)plan->sweep_levels, plan->sweep_arrivals);
        return;
    }
    const char *kind = "";
    for (size_t k = 0; k < plan->level_count; k++) {
        const struct level *level = &plan->levels[k];
        if (strcmp(level->kind, kind) != 0)
            buf_printf(out, "%s%s ", k ? "; " : "", level->kind);
        else
            buf_append_text(out, ", ");
        buf_append_text(out, units_format_load(level->load, text));
        kind = level->kind;
    }
    const struct level *last = &plan->levels[plan->level_count - 1];
    bool one = plan->level_count == 1 && last->unit == LOAD_STREAMS && last->load == 1; /* NOLINT: exact by definition */
    buf_printf(out, " %s", one ? "stream" : load_unit_name(last->unit));
    if (plan->find != FIND_NOTHING)
        buf_printf(out, ", %suntil it is known where %s begins, halved %lld times", plan->level_count == 1 ? "doubled " : "",
                   find_goal_name(plan->find), (long long)plan->refine);
}

static void describe_data(const struct workload_data *data, struct buf *out)
{
    char text[UNITS_TEXT_SIZE];
    if (data->rows > 0)
        buf_printf(out, "; %s (%s row%s of %s%s)", data->file, units_format_number((double)data->rows, 0, text), data->rows == 1 ? "" : "s", data->format,
                   data->shuffled ? ", shuffled" : "");
}

void plan_describe(const struct plan *plan, struct buf *out)
{
    const struct limits *limits = &plan->limits;
    char text[UNITS_TEXT_SIZE];
    cleanup_buf struct buf shape = BUF_INIT(ARRIVAL_SHAPE_TEXT_MAX);
    describe_levels(plan, out);
    arrival_shape_describe(&plan->arrival_shape, &shape);
    if (shape.len > 0)
        buf_printf(out, ", %s", buf_text(&shape));
    if (plan->think_time.mean > 0) {
        buf_append_text(out, "; think time ");
        variate_describe(&plan->think_time, out);
    }
    describe_data(&plan->workload.data, out);
    buf_append_text(out, "; prompts of ");
    token_lengths_describe(&plan->workload.prompt, out);
    buf_append_text(out, " tokens");
    if (plan->workload.shared_prefix_tokens > 0)
        buf_printf(out, " (%lld of a prefix that %s)", (long long)plan->workload.shared_prefix_tokens,
                   plan->workload.shared_prefix_groups == 1 ? "all share" : "groups share");
    buf_append_text(out, ", answers of ");
    token_lengths_describe(&plan->workload.output, out);
    if (plan->workload.turns > 1)
        buf_printf(out, ", in conversations of %lld turns", (long long)plan->workload.turns);
    buf_append_text(out, "; each level at most ");
    if (limits->max_seconds_ns > 0)
        buf_append_text(out, units_format_duration(limits->max_seconds_ns, text));
    if (limits->max_requests > 0)
        buf_printf(out, "%s%lld request%s", limits->max_seconds_ns > 0 ? " or " : "", (long long)limits->max_requests,
                   limits->max_requests == 1 ? "" : "s");
    if (limits->min_requests > 0)
        buf_printf(out, ", but until it has %lld requests, for up to %s", (long long)limits->min_requests,
                   units_format_duration(PLAN_LONGER_MAX * limits->max_seconds_ns, text));
    if (plan->repeat > 1)
        buf_printf(out, "; %lld times", (long long)plan->repeat);
}
