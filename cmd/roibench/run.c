/* roibench run: carries out the plan and records what came back. */
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/command.h"
#include "cmd/roibench/progress.h"
#include "load/engine.h"
#include "load/scraper.h"
#include "load/sink_queue.h"
#include "load/sink_workspace.h"
#include "plan/plan.h"
#include "plan/profile.h"
#include "plan/prompts.h"
#include "record/manifest.h"
#include "record/record_writer.h"
#include "record/run_lock.h"
#include "record/workspace.h"

#define ROOM_MIN_BYTES ((uint64_t)8 << 20)
#define CGROUP_CPU_STAT "/sys/fs/cgroup/cpu.stat"
#define CPU_STAT_MAX ((size_t)16 << 10)

CLEANUP_DEFINE(struct plan, plan_free)

/* What this container may use. */
static int cpus(void)
{
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

/* Everything a run holds; let go in run_close. */
struct run {
    struct app *app;
    const struct plan *plan;
    const char *folder;
    char *url;
    struct net_settings net;
    char *key;
    struct record_writer *writer;
    struct engine_worker *workers;
    int worker_count;
    struct scraper *scraper;
    struct sink_workspace sink;
    struct sink_queue *queue;
    struct progress progress;
    bool begun; /* the engine was started: what lies in the folder is measured */
};

static const struct option_row run_options[] = {
    {.type = OPTION_GROUP, .name = "Run"},
    {.type = OPTION_INTEGER, .name = "workers", .argument = "N", .min = 1, .max = ENGINE_WORKERS_MAX,
     .help = "threads that share the streams (default: the CPUs that this container may use)"},
    COMMAND_NET_OPTIONS,
    {.type = OPTION_END},
};

/* --- before any load -------------------------------------------------------------------- */

static int64_t most_streams(const struct plan *plan)
{
    int64_t most = plan->level_count == 0 ? plan->limits.max_concurrency : 1;
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

static int64_t thread_cpu_ns(void *context)
{
    struct timespec time;
    (void)context;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) < 0)
        return -1;
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

static struct context_switches thread_switches(void *context)
{
    struct rusage usage;
    (void)context;
    if (getrusage(RUSAGE_THREAD, &usage) < 0)
        return (struct context_switches){-1, -1};
    return (struct context_switches){usage.ru_nvcsw, usage.ru_nivcsw};
}

static int64_t cgroup_throttled_ns(void *context)
{
    (void)context;
    cleanup_buf struct buf text = BUF_INIT(CPU_STAT_MAX);
    if (file_read(CGROUP_CPU_STAT, &text, ERROR_INTERNAL, NULL) < 0)
        return -1;
    const char *line = strstr(buf_text(&text), "throttled_usec ");
    return line ? strtoll(line + strlen("throttled_usec "), NULL, 10) * NS_PER_US : -1;
}

static void on_level_ended(void *context, const struct level_end *end)
{
    struct run *run = context;
    (void)end;
    progress_level_ended(&run->progress);
}

static int open_scraper(struct run *run, int64_t anchor, struct error *err)
{
    if (!run->plan->server.metrics)
        return 0;
    cleanup_free char *url = http_url_beside(run->plan->target, "/metrics");
    cleanup_free char *path = file_join(run->folder, "metrics.jsonl.gz");
    struct scraper_settings settings = {
        .net = run->net,
        .clock = run->app->clock,
        .log = &run->app->log,
        .url = url,
        .path = path,
        .anchor = anchor,
        .interval_ns = plan_wall_ns(run->plan, NS_PER_S),
    };
    run->scraper = scraper_new(&settings, err);
    return run->scraper ? 0 : -1;
}

static int open_writer(struct run *run, int64_t anchor_realtime, struct error *err)
{
    const struct plan *plan = run->plan;
    run->writer = record_writer_open(run->folder, NO_SHARD, err);
    if (!run->writer)
        return -1;
    cleanup_free struct level_header *headers = mem_calloc(plan->level_count + 1, sizeof *headers);
    for (size_t k = 0; k < plan->level_count; k++)
        headers[k] = (struct level_header){
            .index = plan->levels[k].index,
            .kind = plan->levels[k].kind,
            .load = plan->levels[k].load,
            .unit = load_unit_name(plan->levels[k].unit),
        };
    const struct record_header header = {
        .run_id = plan->run_id, .anchor_realtime_ns = anchor_realtime, .levels = headers, .level_count = plan->level_count};
    if (record_writer_header(run->writer, &header, err) < 0)
        return -1;
    sink_workspace_init(&run->sink, run->writer);
    run->sink.level_ended = on_level_ended;
    run->sink.context = run;
    run->queue = sink_queue_new(&run->sink.sink, err);
    return run->queue ? record_writer_flush(run->writer, err) : -1;
}

/* All of a run's connections need descriptors and ports of one process: `streams` are those of all workers. */
static struct transport *open_transport(struct run *run, size_t streams, struct error *err)
{
    const struct limits *limits = &run->plan->limits;
    struct transport_curl_settings settings = {
        .net = run->net,
        .clock = run->app->clock,
        .timeout_ns = plan_wall_ns(run->plan, limits->timeout_ns),
        .stall_timeout_ns = plan_wall_ns(run->plan, limits->stall_timeout_ns),
        .max_streams = streams,
        .pin_url = run->plan->target,
        .time_scale = run->plan->server.time_scale,
    };
    return transport_curl_new(&settings, err);
}

/* The transports first: what they refuse (too many streams, a host that nobody knows) leaves no records, and the plan can be run. */
static int open_workers(struct run *run, struct error *err)
{
    size_t streams = (size_t)most_streams(run->plan);
    run->workers = mem_calloc((size_t)run->worker_count, sizeof *run->workers);
    for (int w = 0; w < run->worker_count; w++) {
        struct engine_worker *worker = &run->workers[w];
        worker->body_context = prompts_read(run->plan, run->folder, err);
        worker->transport = worker->body_context ? open_transport(run, streams, err) : NULL;
        if (!worker->transport)
            return -1;
    }
    return 0;
}

static void close_workers(struct run *run)
{
    for (int w = 0; run->workers && w < run->worker_count; w++) {
        if (run->workers[w].transport)
            transport_free(run->workers[w].transport);
        prompts_free(run->workers[w].body_context);
    }
    free(run->workers);
}

/* Frees everything; the first write error is the run's error, unless it has one. */
static int run_close(struct run *run, int status, struct error *err)
{
    struct error closing = {.class = ERROR_NONE};
    progress_level_ended(&run->progress);
    close_workers(run);
    if (sink_queue_free(run->queue, &closing) < 0 && status == 0) {
        *err = closing;
        status = -1;
    }
    if (scraper_free(run->scraper, &closing) < 0 && status == 0) {
        *err = closing;
        status = -1;
    }
    if (run->writer && record_writer_close(run->writer, &closing) < 0 && status == 0) {
        *err = closing;
        status = -1;
    }
    free(run->url);
    free(run->key);
    return status;
}

/* --- the run ------------------------------------------------------------------------------ */

static int carry_out(struct run *run, struct engine_result *result, struct error *err)
{
    struct app *app = run->app;
    int64_t anchor = clock_now(app->clock), anchor_realtime = clock_realtime(app->clock);
    if (open_workers(run, err) < 0 || open_writer(run, anchor_realtime, err) < 0 || open_scraper(run, anchor, err) < 0)
        return -1;
    const char *const urls[] = {run->url};
    struct engine_settings settings = {
        .plan = run->plan,
        .clock = app->clock,
        .workers = run->workers,
        .worker_count = run->worker_count,
        .sink = sink_queue_sink(run->queue),
        .log = &app->log,
        .urls = urls,
        .url_count = 1,
        .anchor = anchor,
        .shard = {.index = 0, .count = 1},
        .start_at = TIME_NEVER,
        .body = make_body,
        .costs = {.cpu_ns = thread_cpu_ns, .throttled_ns = cgroup_throttled_ns, .switches = thread_switches},
        .stop = app->stop,
        .progress = progress_show,
        .progress_context = &run->progress,
        .progress_interval_ns = progress_interval(app),
        .secret = run->key,
    };
    if (run->scraper)
        settings.watch = (struct engine_watch){
            .level_start = scraper_level_start, .level_end = scraper_level_end, .context = run->scraper,
        };
    run->begun = true;
    return engine_run(&settings, result, err);
}

static int tell_outcome(const struct run *run, const struct engine_result *result, struct error *err)
{
    const struct app *app = run->app;
    if (result->ended == 0 && !*app->stop)
        return error_set(err, ERROR_NO_DATA, "not a single request ended%s%s. Look at --max-seconds and --drain",
                         result->last_error[0] ? "; the last error: " : "", result->last_error);
    char all[48], sent[48] = "";
    long long failed = result->ended - result->ok;
    snprintf(all, sizeof all, "%lld request%s", (long long)result->ended, result->ended == 1 ? "" : "s");
    if (result->sent > result->ended)
        snprintf(sent, sizeof sent, " (%lld were sent)", (long long)result->sent);
    if (failed > 0)
        log_warning(&app->log, "%lld of %s failed; the newest: %s", failed, all, result->last_error);
    log_info(&app->log, "%s: %s%s in %zu finished level%s%s are in %s. Next: roibench summarize", *app->stop ? "stopped" : "done", all,
             result->ok == 0 && failed > 0 ? ", every one failed," : "", result->levels_done, result->levels_done == 1 ? "" : "s", sent, run->folder);
    return 0;
}

/* --cacert, or the file that prepare was given. */
static int choose_ca_file(struct run *run, struct error *err)
{
    const char *planned = run->plan->ca_file;
    if (run->net.ca_file || !planned[0])
        return 0;
    run->net.ca_file = planned;
    return file_exists(planned) ? 0 : error_set(err, ERROR_USAGE, "%s, the CA file that prepare was given, is not here. Give it by --cacert",
                                                planned);
}

/* *begun: the engine was started. */
static int run_plan(struct app *app, const struct options *options, const struct plan *plan, const char *folder, bool *begun,
                    struct error *err)
{
    struct run run = {.app = app, .plan = plan, .folder = folder, .progress = {.app = app}};
    struct engine_result result = {0};
    run.worker_count = (int)options_integer(options, "workers", cpus());
    run.url = mem_printf("%s%s", plan->target, endpoint_path(plan->workload.endpoint));
    int status = command_net_settings(app, options, &run.net, &run.key, err);
    if (status == 0)
        status = choose_ca_file(&run, err);
    if (status == 0)
        status = carry_out(&run, &result, err);
    status = run_close(&run, status, err);
    *begun = run.begun;
    return status < 0 ? -1 : tell_outcome(&run, &result, err);
}

/* With the folder to ourselves. */
static int run_locked(struct app *app, const struct options *options, const struct plan *plan, const char *folder, struct run_lock *lock,
                      struct error *err)
{
    int64_t started = clock_realtime(app->clock);
    bool begun = false;
    int status = run_plan(app, options, plan, folder, &begun, err);
    if (!begun && !lock->again)
        run_lock_forget(lock);
    int exit_code = *app->stop ? 128 + *app->stop : status < 0 ? (int)err->class : 0;
    struct error manifest_error = {.class = ERROR_NONE};
    if (command_manifest(app, folder, "run", started, exit_code, status < 0 ? err->text : NULL, &manifest_error) < 0) {
        if (status == 0)
            *err = manifest_error;
        return -1;
    }
    return status;
}

static int run_run(struct app *app, struct options *options, struct error *err)
{
    const char *workspace = options_text(options, "workspace");
    cleanup_free char *run_id = workspace_find_run_id(workspace, options_text(options, "run-id"), err);
    if (!run_id)
        return -1;
    cleanup_free char *folder = workspace_run_folder(workspace, run_id);
    cleanup_free char *path = file_join(folder, "plan.json");
    cleanup_with(plan_free) struct plan *plan = plan_read(path, err);
    if (!plan || check_folder(folder, err) < 0)
        return -1;
    struct run_lock lock;
    if (run_lock_take(&lock, folder, NO_SHARD, 0, err) < 0)
        return -1;
    if (lock.again)
        log_info(&app->log, "%s: an attempt in which no request ended well is written over", folder);
    int status = run_locked(app, options, plan, folder, &lock, err);
    run_lock_release(&lock);
    return status;
}

const struct command command_run = {
    .name = "run",
    .summary = "carry out the plan: load the server and record every request",
    .usage = "[--workspace DIR] [--run-id ID]",
    .options = run_options,
    .run = run_run,
};
