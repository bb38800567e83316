/* roibench run: carries out the plan and records what came back. */
#include <stdlib.h>

#include "base/cgroup.h"
#include "base/cleanup.h"
#include "cmd/roibench/command_kube.h"
#include "cmd/roibench/run_session.h"
#include "cmd/roibench/self_test.h"
#include "load/engine.h"
#include "plan/plan.h"
#include "record/run_file.h"
#include "record/workspace.h"

#define START_AT_MAX_NS (24 * 3600 * NS_PER_S)
#define PAIR 2

static const struct option_row run_options[] = {
    {.type = OPTION_GROUP, .name = "Run"},
    {.type = OPTION_INTEGER, .name = "workers", .argument = "N", .min = 1, .max = ENGINE_WORKERS_MAX,
     .help = "threads that share the streams (default: the CPUs that this container may use)"},
    {.type = OPTION_FLAG, .name = "warm-connections",
     .help = "open the streams' connections before each level (a GET of /models each), so that no request waits for TCP and TLS"},
    {.type = OPTION_FLAG, .name = "warm-model",
     .help = "before the first level, send as many requests at once as each level will; they are not recorded, and how long they took is told"},
    {.type = OPTION_FLAG, .name = "interleave",
     .help = "two runs: their plans take turns, level by level, so that both meet the same hour's network and neighbours"},
    {.type = OPTION_TEXT, .name = "shard", .argument = "I/N",
     .help = "part I (from 0) of N processes that carry out the plan together, each with its own files; needs --start-at"},
    {.type = OPTION_TEXT, .name = "start-at", .argument = "DATE",
     .help = "when the first level starts (RFC 3339, such as 2026-11-24T12:00:00Z); every level then has its fixed time"},
    {.type = OPTION_FLAG, .name = "self-test",
     .help = "measure this machine instead of a server: how many tokens a second it takes, and what it adds to TTFT"},
    COMMAND_TEKTON_OPTION,
    COMMAND_NET_OPTIONS,
    COMMAND_KUBE_OPTIONS,
    {.type = OPTION_END},
};

static int parse_shard(const char *text, struct run_session_settings *settings, struct error *err)
{
    char *slash, *end;
    if (!text)
        return 0;
    long shard = strtol(text, &slash, 10), shards = *slash == '/' ? strtol(slash + 1, &end, 10) : 0;
    bool digits = text[0] >= '0' && text[0] <= '9' && *slash == '/' && slash[1] >= '0' && slash[1] <= '9' && *end == '\0';
    if (!digits || shards < 1 || shards > SHARDS_MAX || shard >= shards)
        return error_set(err, ERROR_USAGE, "--shard: '%s' is not I/N with 0 <= I < N <= %d, such as 0/4", text, SHARDS_MAX);
    settings->shard = (int)shard;
    settings->shards = (int)shards;
    return 0;
}

static int parse_start(const char *text, struct run_session_settings *settings, struct error *err)
{
    if (!text)
        return settings->shard == NO_SHARD ? 0 : error_set(err, ERROR_USAGE, "--shard: shards meet by the clock. Give all of them the same --start-at");
    if (clock_parse_rfc3339(text, &settings->start_at) < 0)
        return error_set(err, ERROR_USAGE, "--start-at: '%s' is no date such as 2026-11-24T12:00:00Z", text);
    int64_t ahead = settings->start_at - clock_realtime(settings->app->clock);
    if (ahead < 0)
        return error_set(err, ERROR_USAGE, "--start-at: %s was %.1f s ago", text, (double)-ahead / (double)NS_PER_S);
    if (ahead > START_AT_MAX_NS)
        return error_set(err, ERROR_USAGE, "--start-at: %s is more than a day ahead", text);
    return 0;
}

/* --- one plan ------------------------------------------------------------------------------ */

static int run_one(const struct run_session_settings *settings, struct error *err)
{
    struct run_session *session = run_session_new(settings, err);
    if (!session)
        return -1;
    int status = run_session_begin(session, err);
    while (status == 0 && (status = run_session_next(session, err)) > 0)
        status = 0;
    return run_session_end(session, status, err);
}

/* --- two plans, level by level ------------------------------------------------------------- */

/* Who is first changes from level to level (A B, B A, ...), so that a drift of the server or the network favours none. */
static int take_turns(struct run_session *const sessions[PAIR], struct error *err)
{
    bool more[PAIR] = {true, true};
    for (int round = 0; more[0] || more[1]; round++) {
        for (int turn = 0; turn < PAIR; turn++) {
            int which = (turn + round) % PAIR;
            int status = more[which] ? run_session_next(sessions[which], err) : 0;
            if (status < 0)
                return -1;
            more[which] = status > 0;
        }
    }
    return 0;
}

/* The first error is told; what the other run has measured is kept all the same. */
static int end_both(struct run_session *const sessions[PAIR], int status, struct error *err)
{
    for (int which = 0; which < PAIR; which++) {
        struct error trouble = {.class = ERROR_NONE};
        if (status < 0)
            trouble = *err;
        if (sessions[which] && run_session_end(sessions[which], status, &trouble) < 0 && status == 0) {
            status = -1;
            *err = trouble;
        }
    }
    return status;
}

static int run_pair(struct run_session_settings *settings, const struct options *options, struct error *err)
{
    struct run_session *sessions[PAIR] = {NULL, NULL};
    char *folders[PAIR] = {NULL, NULL};
    int status = 0;
    for (int which = 0; which < PAIR && status == 0; which++) {
        folders[which] = command_find_run_folder(options_text(options, "workspace"), options_positional(options, (size_t)which), err);
        settings->folder = folders[which];
        sessions[which] = folders[which] ? run_session_new(settings, err) : NULL;
        status = sessions[which] ? 0 : -1;
    }
    if (status == 0)
        run_session_pair(sessions[0], sessions[1]);
    for (int which = 0; which < PAIR && status == 0; which++)
        status = run_session_begin(sessions[which], err);
    if (status == 0)
        status = take_turns(sessions, err);
    status = end_both(sessions, status, err);
    for (int which = 0; which < PAIR; which++)
        free(folders[which]);
    return status;
}

/* A plan that is there says for how many streams this machine has to do. */
static int run_self_test(struct app *app, const struct options *options, struct error *err)
{
    static const char *const of_a_run[] = {"warm-connections", "interleave", "shard", "start-at"};
    for (size_t k = 0; k < sizeof of_a_run / sizeof of_a_run[0]; k++)
        if (options_given(options, of_a_run[k]))
            return error_set(err, ERROR_USAGE, "--self-test measures this machine: --%s has no meaning there", of_a_run[k]);
    if (options_positional_count(options) > 0)
        return error_set(err, ERROR_USAGE, "--self-test measures this machine and takes no folder");
    struct plan *plan = command_find_plan(app, options);
    int64_t streams = plan ? run_session_streams(plan) : 0;
    plan_free(plan);
    int cpus = cgroup_cpus("");
    int64_t workers = options_integer(options, "workers", cpus > 1 ? cpus - 1 : 1); /* the simulator needs a CPU of its own */
    return self_test_run(app, (int)workers, streams, err);
}

static int run_run(struct app *app, struct options *options, struct error *err)
{
    struct run_session_settings settings = {.app = app, .options = options, .shard = NO_SHARD, .start_at = TIME_NEVER};
    size_t count = options_positional_count(options);
    if (options_flag(options, "self-test"))
        return run_self_test(app, options, err);
    if (parse_shard(options_text(options, "shard"), &settings, err) < 0 || parse_start(options_text(options, "start-at"), &settings, err) < 0)
        return -1;
    if (options_flag(options, "interleave")) {
        if (count != PAIR || settings.start_at != TIME_NEVER)
            return error_set(err, ERROR_USAGE, "--interleave takes two runs, and neither --shard nor --start-at");
        if (options_given(options, "run-id") && options_source(options, "run-id") == OPTION_ARGV)
            return error_set(err, ERROR_USAGE, "--run-id has no meaning beside --interleave RUN_DIR RUN_DIR");
        return run_pair(&settings, options, err);
    }
    if (count > 1)
        return error_set(err, ERROR_USAGE, "%zu runs are given: one at a time, or two with --interleave", count);
    cleanup_free char *folder = count == 1 ? command_find_run_folder(options_text(options, "workspace"), options_positional(options, 0), err)
                                           : command_current_run_folder(options, err);
    if (!folder)
        return -1;
    settings.folder = folder;
    return run_one(&settings, err);
}

const struct command command_run = {
    .name = "run",
    .summary = "carry out the plan: load the server and record every request",
    .usage = "[RUN_DIR] | RUN_DIR RUN_DIR --interleave",
    .options = run_options,
    .takes_positional = true,
    .run = run_run,
};
