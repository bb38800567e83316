#include "cmd/roibench/run_session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>

#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command_kube.h"
#include "cmd/roibench/process_costs.h"
#include "cmd/roibench/progress.h"
#include "cmd/roibench/run_kube.h"
#include "load/clock_offset.h"
#include "load/engine.h"
#include "load/limits.h"
#include "load/scraper.h"
#include "load/sink_queue.h"
#include "load/sink_workspace.h"
#include "load/warm_model.h"
#include "net/headroom.h"
#include "plan/plan.h"
#include "plan/prompts.h"
#include "plan/trace.h"
#include "record/manifest.h"
#include "record/record_writer.h"
#include "record/run_file.h"
#include "record/run_lock.h"

#define ROOM_MIN_BYTES ((uint64_t)8 << 20)
#define START_MARGIN_NS (500 * NS_PER_MS) /* what is done before the load ends so long before it */
#define MACHINE "" /* root of proc and sys */

struct run_session {
    struct run_session_settings given;
    struct app *app;
    struct plan *plan;
    struct run_lock lock;
    int64_t started;  /* realtime ns */
    char *pair_id;    /* of the two runs that take turns; NULL: none */
    struct command_net net;
    struct kube_client *kube; /* NULL: not asked */
    struct clock_check clock; /* of a shard */
    struct record_writer *writer;
    struct engine_worker *workers;
    int worker_count;
    struct scraper *scraper;
    struct sink_workspace sink;
    struct sink_queue *queue;
    struct progress progress;
    char **urls, **warm_urls; /* of every target */
    size_t url_count;
    struct engine_settings settings;
    struct engine *engine; /* NULL: what lies in the folder is not measured by us */
};

/* --- before any load -------------------------------------------------------------------- */

int64_t run_session_streams(const struct plan *plan)
{
    bool found = plan->level_count == 0 || plan->find != FIND_NOTHING; /* while it runs */
    int64_t most = found ? plan->limits.max_concurrency : 1;
    for (size_t k = 0; k < plan->level_count; k++) {
        const struct level *level = &plan->levels[k];
        int64_t streams = level->unit == LOAD_STREAMS ? (int64_t)level->load : plan->limits.max_concurrency;
        most = streams > most ? streams : most;
    }
    return most;
}

static int check_folder(const char *folder, struct error *err)
{
    int64_t first_step;
    /* A manifest that cannot be read could not take this step's row when the load is over. */
    if (file_check_writable(folder, err) < 0 || manifest_first_start(folder, &first_step, err) < 0)
        return -1;
    struct statvfs room;
    if (statvfs(folder, &room) == 0 && (uint64_t)room.f_bavail * room.f_frsize < ROOM_MIN_BYTES) {
        char needed[UNITS_TEXT_SIZE];
        return error_set(err, ERROR_INTERNAL, "%s: the disk is full: less than %s is left for what is measured. Make room first", folder,
                         units_format_bytes(ROOM_MIN_BYTES, needed));
    }
    return 0;
}

/* --- what the engine is given ------------------------------------------------------------ */

static int make_body(void *context, int level, int repeat, int64_t i, struct buf *out, struct error *err)
{
    struct prompt_lengths lengths;
    return prompts_body(context, level, repeat, i, out, &lengths, err);
}

static void on_level_ended(void *context, const struct level_end *end)
{
    struct run_session *session = context;
    (void)end;
    progress_level_ended(&session->progress);
}

static int open_scraper(struct run_session *session, int64_t anchor, struct error *err)
{
    if (!session->plan->server.metrics)
        return 0;
    char *urls[PLAN_TARGETS_MAX];
    for (size_t k = 0; k < session->url_count; k++)
        urls[k] = http_url_beside(k == 0 ? session->plan->target : session->plan->other_targets[k - 1], "/metrics");
    cleanup_free char *path = run_file_path(session->given.folder, RUN_METRICS, session->given.shard);
    struct scraper_settings settings = {
        .net = session->net.settings,
        .clock = session->app->clock,
        .log = &session->app->log,
        .urls = (const char *const *)urls,
        .url_count = session->url_count,
        .path = path,
        .anchor = anchor,
        .interval_ns = plan_wall_ns(session->plan, NS_PER_S),
        .keeps_queue = session->plan->find != FIND_NOTHING,
    };
    session->scraper = scraper_new(&settings, err);
    for (size_t k = 0; k < session->url_count; k++)
        free(urls[k]);
    return session->scraper ? 0 : -1;
}

static int open_writer(struct run_session *session, int64_t anchor_realtime, struct error *err)
{
    const struct plan *plan = session->plan;
    session->writer = record_writer_open(session->given.folder, session->given.shard, err);
    if (!session->writer)
        return -1;
    size_t known = plan->find == FIND_NOTHING ? plan->level_count : 0; /* a search tells its levels as they end */
    cleanup_free struct level_header *headers = mem_calloc(known + 1, sizeof *headers);
    for (size_t k = 0; k < known; k++)
        headers[k] = (struct level_header){
            .index = plan->levels[k].index,
            .kind = plan->levels[k].kind,
            .load = plan->levels[k].load,
            .unit = load_unit_name(plan->levels[k].unit),
        };
    const struct record_header header = {
        .run_id = plan->run_id, .anchor_realtime_ns = anchor_realtime, .levels = headers, .level_count = known,
        .shards = session->given.shards, .clock = session->given.shard == NO_SHARD ? NULL : &session->clock, .pair_id = session->pair_id,
    };
    if (record_writer_header(session->writer, &header, err) < 0)
        return -1;
    sink_workspace_init(&session->sink, session->writer);
    session->sink.level_ended = on_level_ended;
    session->sink.context = session;
    session->queue = sink_queue_new(&session->sink.sink, err);
    return session->queue ? record_writer_flush(session->writer, err) : -1;
}

static struct transport *open_transport(struct run_session *session, struct error *err)
{
    const struct limits *limits = &session->plan->limits;
    struct transport_curl_settings settings = {
        .net = session->net.settings,
        .clock = session->app->clock,
        .timeout_ns = plan_wall_ns(session->plan, limits->timeout_ns),
        .stall_timeout_ns = plan_wall_ns(session->plan, limits->stall_timeout_ns),
        .pin_urls = (const char *const *)session->urls,
        .pin_url_count = session->url_count,
        .time_scale = session->plan->server.time_scale,
    };
    return transport_curl_new(&settings, err);
}

/* Of our shard. The connections of a run that takes turns with ours stay open meanwhile: as many again. */
static size_t connections_of(const struct run_session *session)
{
    const struct run_session_settings *given = &session->given;
    struct share share = given->shard == NO_SHARD ? (struct share){0, 1} : (struct share){given->shard, given->shards};
    size_t connections = (size_t)share_of(share, run_session_streams(session->plan));
    return session->pair_id ? 2 * connections : connections;
}

/* The transports first: what they refuse (too many streams, a host that nobody knows) leaves no records, and the plan can be run. */
static int open_workers(struct run_session *session, struct error *err)
{
    size_t streams = connections_of(session);
    if (headroom_make(MACHINE, (const char *const *)session->urls, session->url_count, streams, session->worker_count, err) < 0)
        return -1;
    session->workers = mem_calloc((size_t)session->worker_count, sizeof *session->workers);
    for (int w = 0; w < session->worker_count; w++) {
        struct engine_worker *worker = &session->workers[w];
        worker->body_context = prompts_read(session->plan, session->given.folder, err);
        worker->transport = worker->body_context ? open_transport(session, err) : NULL;
        if (!worker->transport)
            return -1;
    }
    return 0;
}

static void close_workers(struct run_session *session)
{
    for (int w = 0; session->workers && w < session->worker_count; w++) {
        if (session->workers[w].transport)
            transport_free(session->workers[w].transport);
        prompts_free(session->workers[w].body_context);
    }
    free(session->workers);
}

/* --- beginning and end ------------------------------------------------------------------- */

/* Requests must be what prepare's were, or another server may answer, or none. */
static int check_headers(const struct run_session *session, struct error *err)
{
    const struct net_settings *net = &session->net.settings;
    for (size_t k = 0; k < session->plan->header_count; k++) {
        const char *name = session->plan->header_names[k];
        bool found = false;
        for (size_t given = 0; given < net->header_count && !found; given++)
            found = net_header_name_length(net->headers[given]) == strlen(name) && strncasecmp(net->headers[given], name, strlen(name)) == 0;
        if (!found)
            return error_set(err, ERROR_USAGE, "prepare was given a header %s, whose value is kept nowhere. Give it by --header", name);
    }
    return 0;
}

/* --cacert, or the file that prepare was given. */
static int choose_ca_file(struct run_session *session, struct error *err)
{
    const char *planned = session->plan->ca_file;
    if (session->net.settings.ca_file || !planned[0])
        return 0;
    session->net.settings.ca_file = planned;
    return file_exists(planned) ? 0 : error_set(err, ERROR_USAGE, "%s, the CA file that prepare was given, is not here. Give it by --cacert",
                                                planned);
}

static int check_connection(struct run_session *session, struct error *err)
{
    if (session->net.settings.insecure && !session->plan->insecure)
        return error_set(err, ERROR_USAGE, "--insecure: prepare verified the server's certificate, and the report would say so. Prepare with --insecure");
    return check_headers(session, err) < 0 ? -1 : choose_ca_file(session, err);
}

/* Requests go to all targets in turn. */
static void make_urls(struct run_session *session)
{
    const struct plan *plan = session->plan;
    session->url_count = 1 + plan->other_target_count;
    session->urls = mem_calloc(session->url_count, sizeof *session->urls);
    session->warm_urls = mem_calloc(session->url_count, sizeof *session->warm_urls);
    for (size_t k = 0; k < session->url_count; k++) {
        const char *target = k == 0 ? plan->target : plan->other_targets[k - 1];
        session->urls[k] = mem_printf("%s%s", target, endpoint_path(plan->workload.endpoint));
        session->warm_urls[k] = mem_printf("%s/models", target);
    }
}

static void configure(struct run_session *session, int64_t anchor, int64_t anchor_realtime)
{
    struct app *app = session->app;
    const struct run_session_settings *given = &session->given;
    bool whole = given->shard == NO_SHARD;
    session->settings = (struct engine_settings){
        .plan = session->plan,
        .clock = app->clock,
        .workers = session->workers,
        .worker_count = session->worker_count,
        .sink = sink_queue_sink(session->queue),
        .log = &app->log,
        .urls = (const char *const *)session->urls,
        .warm_urls = options_flag(given->options, "warm-connections") ? (const char *const *)session->warm_urls : NULL,
        .url_count = (int)session->url_count,
        .anchor = anchor,
        .shard = {.index = whole ? 0 : given->shard, .count = whole ? 1 : given->shards},
        .start_at = given->start_at == TIME_NEVER ? TIME_NEVER : given->start_at - anchor_realtime,
        .body = make_body,
        .costs = process_costs(),
        .stop = app->stop,
        .progress = progress_show,
        .progress_context = &session->progress,
        .progress_interval_ns = progress_interval(app),
        .secrets = session->net.secrets,
        .secret_count = session->net.secret_count,
    };
    if (session->scraper)
        session->settings.watch = (struct engine_watch){
            .level_start = scraper_level_start, .level_end = scraper_level_end,
            .queue_share = session->plan->find != FIND_NOTHING ? scraper_queue_share : NULL, .context = session->scraper,
        };
}

/* Before anything is recorded. What fails here is told, and fails again where it is measured. */
static int warm(struct run_session *session, struct error *err)
{
    const struct app *app = session->app;
    const struct run_session_settings *given = &session->given;
    int64_t begun = clock_now(app->clock);
    char took[UNITS_TEXT_SIZE];
    struct warm_model warming = {
        .transport = session->workers[0].transport,
        .clock = app->clock,
        .stop = app->stop,
        .deadline = given->start_at == TIME_NEVER ? TIME_FOREVER : begun + given->start_at - clock_realtime(app->clock) - START_MARGIN_NS,
        .plan = session->plan,
        .shard = given->shard == NO_SHARD ? (struct share){0, 1} : (struct share){given->shard, given->shards},
        .urls = (const char *const *)session->urls,
        .url_count = session->url_count,
        .body = make_body,
        .body_context = session->workers[0].body_context,
    };
    log_info(&app->log, "--warm-model: requests that are not recorded, before the first level");
    if (warm_model(&warming, err) < 0)
        return error_wrap(err, "--warm-model");
    units_format_duration(clock_now(app->clock) - begun, took);
    if (warming.answered < warming.sent)
        log_warning(&app->log, "--warm-model: %lld of %lld requests were answered, in %s; the last failure: %s", (long long)warming.answered,
                    (long long)warming.sent, took, warming.trouble);
    else
        log_info(&app->log, "--warm-model: %lld requests in %s", (long long)warming.sent, took);
    return 0;
}

void run_session_pair(struct run_session *a, struct run_session *b)
{
    a->pair_id = mem_printf("%s+%s", a->plan->run_id, b->plan->run_id);
    b->pair_id = mem_strdup(a->pair_id);
}

static void tell_start(const struct run_session *session, int64_t anchor_realtime)
{
    double seconds = (double)(session->given.start_at - anchor_realtime) / (double)NS_PER_S;
    char date[CLOCK_RFC3339_SIZE];
    if (session->given.start_at != TIME_NEVER && seconds > 0)
        log_info(&session->app->log, "the first level starts at %s, in %.1f s", clock_format_rfc3339(session->given.start_at, 3, date), seconds);
}

/* Shards meet by their clocks: what these are apart is written down, and summarize does with it what can be done. */
static void look_at_clock(struct run_session *session)
{
    const struct app *app = session->app;
    if (session->given.shard == NO_SHARD)
        return;
    cleanup_free char *url = http_url_beside(session->plan->target, "/health");
    int64_t patience = session->given.start_at - clock_realtime(app->clock) - START_MARGIN_NS;
    if (patience > CLOCK_OFFSET_TIME_NS)
        patience = CLOCK_OFFSET_TIME_NS;
    session->clock.synchronized = clock_system_synchronized(&session->clock.max_error_ns);
    clock_offset_measure(&session->net.settings, app->clock, url, strcmp(session->plan->server.kind, "vllm") == 0, clock_now(app->clock) + patience,
                         &session->clock);
    if (session->clock.synchronized == 0)
        log_warning(&app->log, "this machine's clock is not synchronized: shards on other machines may start at another time");
}

int run_session_begin(struct run_session *session, struct error *err)
{
    struct app *app = session->app;
    session->worker_count = (int)options_integer(session->given.options, "workers", cgroup_cpus(MACHINE));
    make_urls(session);
    if (command_net_read(app, session->given.options, &session->net, err) < 0 || check_connection(session, err) < 0)
        return -1;
    bool has_pods = session->plan->kubernetes && session->plan->kubernetes->pod_count > 0;
    if (has_pods && command_kube_open(app, session->given.options, &session->kube, err) < 0)
        return -1;
    look_at_clock(session);
    if (open_workers(session, err) < 0 || (options_flag(session->given.options, "warm-model") && warm(session, err) < 0))
        return -1;
    int64_t anchor = clock_now(app->clock), anchor_realtime = clock_realtime(app->clock);
    if (open_writer(session, anchor_realtime, err) < 0 || open_scraper(session, anchor, err) < 0)
        return -1;
    configure(session, anchor, anchor_realtime);
    session->engine = engine_new(&session->settings);
    tell_start(session, anchor_realtime);
    return 0;
}

int run_session_next(struct run_session *session, struct error *err)
{
    return engine_next(session->engine, err);
}

/* Frees what begin made; the first write error is the run's error, unless it has one. */
static int close_all(struct run_session *session, int status, struct error *err)
{
    struct error closing = {.class = ERROR_NONE};
    progress_level_ended(&session->progress);
    if (session->engine)
        engine_free(session->engine);
    close_workers(session);
    if (sink_queue_free(session->queue, &closing) < 0 && status == 0) {
        *err = closing;
        status = -1;
    }
    /* After a signal nobody waits for an answer. */
    if (session->engine && session->writer && !*session->app->stop &&
        run_kube_note_changes(session->app, session->kube, session->plan, session->writer, &closing) < 0 && status == 0) {
        *err = closing;
        status = -1;
    }
    kube_client_free(session->kube);
    if (scraper_free(session->scraper, &closing) < 0 && status == 0) {
        *err = closing;
        status = -1;
    }
    if (session->writer && record_writer_close(session->writer, &closing) < 0 && status == 0) {
        *err = closing;
        status = -1;
    }
    for (size_t k = 0; k < session->url_count; k++) {
        free(session->urls[k]);
        free(session->warm_urls[k]);
    }
    free(session->urls);
    free(session->warm_urls);
    command_net_free(&session->net);
    return status;
}

/* Why the plan was not carried out: a ceiling of the run is reached. */
static void tell_ceiling(const struct run_session *session, const struct engine_result *result)
{
    const struct plan *plan = session->plan;
    char limit[UNITS_TEXT_SIZE], used[UNITS_TEXT_SIZE];
    if (result->ceiling == LEVEL_MAX_TOKENS_TOTAL)
        log_warning(&session->app->log, "the run has used its --max-tokens-total %lld (%s tokens of prompts and answers) and ends here; what was measured is kept",
                    (long long)plan->limits.max_tokens_total, units_format_number((double)result->tokens, 0, used));
    else if (result->ceiling == LEVEL_MAX_USD)
        log_warning(&session->app->log, "the run has used its --max-usd of %s (the deployment costs %s an hour) and ends here; what was measured is kept",
                    units_format_usd(plan->limits.max_micro_usd, limit), units_format_usd(plan->deployment.price_micro_usd, used));
}

/* Stream j is shard j % shards's: the last shards of many have none of a small level. */
static bool has_share(const struct run_session *session)
{
    const struct plan *plan = session->plan;
    bool has = plan->level_count == 0;
    for (size_t k = 0; k < plan->level_count; k++)
        has |= plan->levels[k].unit != LOAD_STREAMS || plan->levels[k].load > session->given.shard;
    return has;
}

static int tell_outcome(const struct run_session *session, const struct engine_result *result, struct error *err)
{
    const struct app *app = session->app;
    bool ceiling = limits_is_ceiling(result->ceiling);
    tell_ceiling(session, result);
    if (!has_share(session)) {
        log_info(&app->log, "done: no level has a stream for shard %d of %d", session->given.shard, session->given.shards);
        return 0;
    }
    if (result->ended == 0 && !*app->stop)
        return error_set(err, ERROR_NO_DATA, "not a single request ended%s%s. Look at --max-seconds and --drain%s",
                         result->last_error[0] ? "; the last error: " : "", result->last_error, ceiling ? ", or prepare with a higher ceiling" : "");
    char all[48], sent[48] = "";
    long long failed = result->ended - result->ok;
    snprintf(all, sizeof all, "%lld request%s", (long long)result->ended, result->ended == 1 ? "" : "s");
    if (result->sent > result->ended)
        snprintf(sent, sizeof sent, " (%lld were sent)", (long long)result->sent);
    if (failed > 0)
        log_warning(&app->log, "%lld of %s failed; the newest: %s", failed, all, result->last_error);
    log_info(&app->log, "%s: %s%s in %zu finished level%s%s are in %s. Next: roibench summarize", *app->stop || ceiling ? "stopped" : "done", all,
             result->ok == 0 && failed > 0 ? ", every one failed," : "", result->levels_done, result->levels_done == 1 ? "" : "s", sent, session->given.folder);
    return 0;
}

static int note_in_manifest(const struct run_session *session, int status, struct error *err)
{
    struct app *app = session->app;
    int exit_code = *app->stop ? 128 + *app->stop : status < 0 ? (int)err->class : 0;
    struct error trouble = {.class = ERROR_NONE};
    if (command_manifest_shard(app, session->given.folder, "run", session->given.shard, session->started, exit_code,
                               status < 0 ? err->text : NULL, &trouble) == 0)
        return status;
    if (status == 0)
        *err = trouble;
    return -1;
}

static void free_session(struct run_session *session)
{
    plan_free(session->plan);
    free(session->pair_id);
    free(session);
}

int run_session_end(struct run_session *session, int status, struct error *err)
{
    struct engine_result result = {0};
    bool begun = session->engine != NULL;
    if (begun)
        result = *engine_result(session->engine);
    status = close_all(session, status, err);
    if (status == 0)
        status = tell_outcome(session, &result, err);
    if (!begun && !session->lock.again)
        run_lock_forget(&session->lock);
    status = note_in_manifest(session, status, err);
    run_lock_release(&session->lock);
    free_session(session);
    return status;
}

/* NULL: nothing is. */
static const char *decided_while_running(const struct limits *limits)
{
    return limits->min_requests > 0          ? "--min-requests"
           : limits->max_error_rate < 1      ? "--max-error-rate"
           : limits->stop_when_saturated     ? "--stop-when-saturated"
           : limits->max_tokens_total > 0    ? "--max-tokens-total"
                                             : NULL;
}

/* Shards meet by the clock alone: how long a level takes must be known before. */
static int check_shards(const struct run_session *session, struct error *err)
{
    const struct plan *plan = session->plan;
    if (session->given.start_at == TIME_NEVER)
        return 0;
    if (plan->level_count == 0 || plan->find != FIND_NOTHING)
        return error_set(err, ERROR_USAGE, "this plan's %s finds its levels while it runs: shards could not agree on them. Prepare with --levels%s",
                         plan->find != FIND_NOTHING ? "--find" : plan->profile, plan->find != FIND_NOTHING ? " and without --find" : "");
    const char *decided = decided_while_running(&plan->limits);
    if (decided)
        return error_set(err, ERROR_USAGE, "%s is decided by what the whole run has seen, and a shard sees its part only. Prepare without it", decided);
    if (plan->limits.max_seconds_ns == 0)
        return error_set(err, ERROR_USAGE, "this plan's levels end with their last request: shards could not agree when. Prepare with --max-seconds");
    if (plan->limits.max_concurrency < session->given.shards)
        return error_set(err, ERROR_USAGE, "%d shards cannot share --max-concurrency %lld", session->given.shards,
                         (long long)plan->limits.max_concurrency);
    if (plan->limits.max_requests > 0 && plan->limits.max_requests < session->given.shards)
        return error_set(err, ERROR_USAGE, "%d shards cannot share --max-requests %lld", session->given.shards,
                         (long long)plan->limits.max_requests);
    return 0;
}

struct run_session *run_session_new(const struct run_session_settings *settings, struct error *err)
{
    struct run_session *session = mem_alloc(sizeof *session);
    cleanup_free char *path = file_join(settings->folder, "plan.json");
    session->given = *settings;
    session->app = settings->app;
    session->progress.app = settings->app;
    session->started = clock_realtime(settings->app->clock);
    session->plan = plan_read(path, err);
    if (!session->plan || plan_read_trace(session->plan, settings->folder, err) < 0 || check_shards(session, err) < 0 ||
        check_folder(settings->folder, err) < 0 || run_lock_take(&session->lock, settings->folder, settings->shard, settings->shards, err) < 0) {
        free_session(session);
        return NULL;
    }
    if (session->lock.again)
        log_info(&session->app->log, "%s: an attempt in which no request ended well is written over", settings->folder);
    return session;
}
