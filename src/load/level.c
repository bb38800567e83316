#include "load/level.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TICK_NS (100 * NS_PER_MS)
#define FLUSH_NS (500 * NS_PER_MS) /* well below the second after which everything must be readable */

static int64_t now_of(const struct level_run *run)
{
    return clock_now(run->engine->settings->clock) - run->engine->settings->anchor;
}

/* --- requests -------------------------------------------------------------------------- */

static void fail_run(struct engine *engine, const struct error *err)
{
    if (engine->failure.class == ERROR_NONE)
        engine->failure = *err;
}

static void note_message(struct engine *engine, const struct request *request)
{
    const char *secret = engine->settings->secret;
    bool withheld = secret && secret[0] && strstr(request->message, secret);
    char what[96] = "";
    if (request->record.status >= 400)
        snprintf(what, sizeof what, "HTTP %d: ", request->record.status);
    snprintf(engine->result->last_error, sizeof engine->result->last_error, "%s%.400s", what,
             withheld           ? "(the answer holds the API key and is not shown)"
             : request->message[0] ? request->message
                                   : failure_name(request->record.failure));
}

/* Only requests that were refused, one after the other from the start of the run: no load will mend that. A missing key is sure at once. */
static void count_refusal(struct engine *engine, const struct record *record)
{
    if (engine->refusals < 0 || record->outcome == OUTCOME_INCOMPLETE)
        return;
    engine->refusals = record->failure != FAILURE_HTTP_4XX ? -1 : record->status == 401 ? REFUSALS_MAX : engine->refusals + 1;
    engine->refusal_status = record->status;
}

/* What the drain brings ended after the level: it is no part of its rate. */
static bool ended_inside(const struct level_run *run, const struct record *record)
{
    int64_t end = run->end == TIME_NEVER ? run->deadline : run->end;
    return record->end >= run->measure_start && record->end <= end;
}

static void count_ended(struct level_run *run, const struct record *record)
{
    if (record->outcome == OUTCOME_INCOMPLETE)
        return;
    run->ended++;
    run->engine->result->ended++;
    if (record->outcome == OUTCOME_ERROR) {
        run->failed++;
        run->connect_failures += record->failure == FAILURE_CONNECT || record->failure == FAILURE_DNS || record->failure == FAILURE_TLS;
        return;
    }
    run->ok++;
    run->engine->result->ok++;
    run->ok_inside += ended_inside(run, record);
    run->e2e_sum += record->end - record->sent;
    if (record->first_token != TIME_NEVER)
        run->recent_ttft[run->recent_count++ % LEVEL_RECENT] = record->first_token - record->sent;
}

static void request_gone(struct level_run *run, struct request *request)
{
    struct request *last = run->in_flight[--run->in_flight_count];
    run->in_flight[request->slot] = last;
    last->slot = request->slot;
    request->next_free = run->engine->free_requests;
    run->engine->free_requests = request;
}

static void stamp_turn(struct level_run *run, int64_t now)
{
    if (run->turn_stamp == TIME_NEVER)
        run->turn_stamp = now;
}

static void on_tokens(void *context, int64_t tokens, int64_t now)
{
    struct level_run *run = ((struct engine *)context)->run;
    stamp_turn(run, now - run->engine->settings->anchor);
    run->tokens += tokens;
    run->tick_tokens += tokens;
}

/* A stream that cannot become an answer any more may go on for ever. */
static void on_hopeless(void *context, struct request *request)
{
    const struct engine *engine = context;
    transport_cancel(engine->settings->transport, &request->transfer);
}

static void on_finished(void *context, struct request *request, int64_t absolute)
{
    struct engine *engine = context;
    struct level_run *run = engine->run;
    struct record *record = &request->record;
    int64_t now = absolute - engine->settings->anchor;
    struct error err = {.class = ERROR_NONE};
    stamp_turn(run, now);
    run->last_ended = now;
    if (record->sent != TIME_NEVER)
        lag_add(&engine->slip, record->sent - record->intended);
    count_ended(run, record);
    count_refusal(engine, record);
    if (record->outcome == OUTCOME_ERROR)
        note_message(engine, request);
    struct sink *sink = engine->settings->sink;
    if (sink->add(sink, record, request->gaps, request->n, (size_t)record->arrivals, &err) < 0)
        fail_run(engine, &err);
    request_gone(run, request);
    run->source->ended(run->source, run, request, now);
}

static struct request *take_request(struct level_run *run)
{
    struct engine *engine = run->engine;
    struct request *request = engine->free_requests;
    if (request)
        engine->free_requests = request->next_free;
    else
        request = request_new(on_finished, on_tokens, on_hopeless, engine, engine->settings->anchor,
                              run->plan->server.continuous_usage);
    MEM_GROW(run->in_flight, run->in_flight_capacity, run->in_flight_count + 1);
    request->slot = run->in_flight_count;
    run->in_flight[run->in_flight_count++] = request;
    return request;
}

void level_send(struct level_run *run, int stream, int64_t i, int64_t intended)
{
    const struct engine_settings *settings = run->engine->settings;
    struct request *request = take_request(run);
    struct error err = {.class = ERROR_NONE};
    if (settings->body(settings->body_context, run->level.index, run->repeat, i, &request->body, &err) < 0) {
        fail_run(run->engine, &err);
        request_gone(run, request);
        return;
    }
    request_begin(request, run->level.index, run->repeat, stream, i, intended, settings->url);
    run->sent++;
    run->engine->result->sent++;
    transport_start(settings->transport, &request->transfer);
}

bool level_draw(struct level_run *run, int64_t now)
{
    if (run->drawn_out)
        return false;
    run->drawn++;
    int64_t limit = run->plan->limits.max_requests;
    if (now >= run->measure_start && ++run->counted == limit)
        run->drawn_out = true;
    return true;
}

void level_never_sent(struct level_run *run, int64_t i, int64_t intended, int64_t now)
{
    struct record record = record_empty();
    struct error err = {.class = ERROR_NONE};
    struct sink *sink = run->engine->settings->sink;
    record.level = run->level.index;
    record.repeat = run->repeat;
    record.i = i;
    record.intended = intended;
    record.end = now;
    record.outcome = OUTCOME_INCOMPLETE;
    record.failure = FAILURE_CANCELLED;
    if (sink->add(sink, &record, NULL, NULL, 0, &err) < 0)
        fail_run(run->engine, &err);
}

/* --- the end of a level ---------------------------------------------------------------- */

static void stop_sending(struct level_run *run, enum level_reason reason, int64_t end, int64_t now)
{
    if (run->phase != LEVEL_SENDING)
        return;
    run->phase = LEVEL_DRAINING;
    run->reason = reason;
    run->end = end;
    run->drain_deadline = now + plan_wall_ns(run->plan, run->plan->limits.drain_ns);
    run->source->give_up(run->source, run);
}

static void cancel_all(struct level_run *run)
{
    /* From the last to the first: `ended` may come at once and moves the last one into the gap. */
    run->phase = LEVEL_CANCELLED;
    for (size_t k = run->in_flight_count; k-- > 0;)
        transport_cancel(run->engine->settings->transport, &run->in_flight[k]->transfer);
}

static void check_limits(struct level_run *run, int64_t now)
{
    struct engine *engine = run->engine;
    const volatile sig_atomic_t *stop = engine->settings->stop;
    bool told_to_stop = (stop && *stop) || engine->failure.class != ERROR_NONE;
    if (told_to_stop)
        stop_sending(run, LEVEL_STOPPED, now, now);
    else if (engine->refusals >= REFUSALS_MAX)
        stop_sending(run, LEVEL_TARGET_REFUSES, now, now);
    else if (now >= run->deadline)
        stop_sending(run, LEVEL_MAX_SECONDS, run->deadline, now);
    else if (run->drawn_out && run->source->waiting(run->source) == 0 && run->in_flight_count == 0)
        stop_sending(run, LEVEL_MAX_REQUESTS, TIME_NEVER, now);
    bool cut = told_to_stop || (run->phase == LEVEL_DRAINING && (now >= run->drain_deadline || run->reason == LEVEL_TARGET_REFUSES));
    if (cut && run->phase == LEVEL_DRAINING) {
        if (told_to_stop) /* also when that came in the middle of the drain: what is cancelled had not the time it was due */
            run->reason = LEVEL_STOPPED;
        cancel_all(run);
    }
}

static int64_t trim_ns(const struct level_run *run, const struct trim *trim, int64_t length)
{
    if (trim->kind == TRIM_SHARE)
        return (int64_t)(trim->share * (double)length);
    return trim->kind == TRIM_TIME ? plan_wall_ns(run->plan, trim->ns) : 0;
}

static struct level_end make_end(struct level_run *run)
{
    const struct limits *limits = &run->plan->limits;
    /* A level that is bounded by requests lasts until its last one ended. Windows are half-open: that end is still inside. */
    if (run->end == TIME_NEVER)
        run->end = run->last_ended + 1;
    int64_t length = run->end - run->start;
    int64_t window_start = run->start + trim_ns(run, &limits->warmup, length);
    int64_t window_end = run->end - trim_ns(run, &limits->cooldown, length);
    if (window_start < run->measure_start)
        window_start = run->measure_start;
    if (window_start > run->end)
        window_start = run->end;
    return (struct level_end){
        .level = run->level,
        .repeat = run->repeat,
        .start = run->start,
        .end = run->end,
        .window_start = window_start,
        .window_end = window_end < window_start ? window_start : window_end,
        .drawn = run->drawn,
        .sent = run->sent,
        .lag = lag_summarize(&run->engine->lag),
        .slip = lag_summarize(&run->engine->slip),
        .cpu = NAN,
        .throttled_ns = -1,
        .reason = run->reason,
    };
}

/* --- what happens now and then --------------------------------------------------------- */

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double recent_ttft_ms(const struct level_run *run)
{
    int64_t sorted[LEVEL_RECENT];
    size_t count = run->recent_count < LEVEL_RECENT ? run->recent_count : LEVEL_RECENT;
    if (count == 0)
        return NAN;
    memcpy(sorted, run->recent_ttft, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], compare_ns);
    size_t median = (count - 1) / 2;
    return (double)sorted[median] * run->time_scale / (double)NS_PER_MS;
}

static void report_progress(struct level_run *run, int64_t now)
{
    const struct engine_settings *settings = run->engine->settings;
    const struct limits *limits = &run->plan->limits;
    if (!settings->progress)
        return;
    double elapsed_s = (double)(now - run->start) * run->time_scale / (double)NS_PER_S;
    double planned_s = (double)limits->max_seconds_ns / (double)NS_PER_S;
    if (planned_s > 0)
        planned_s += (double)(run->measure_start - run->start) * run->time_scale / (double)NS_PER_S;
    struct engine_progress progress = {
        .level = run->level,
        .levels_done = run->levels_done,
        .levels_total = run->plan->level_count ? run->plan->level_count : (size_t)run->plan->sweep_levels,
        .elapsed_s = elapsed_s,
        .planned_s = planned_s,
        .planned_requests = limits->max_requests,
        .sent = run->sent,
        .ended = run->ended,
        .failed = run->failed,
        .in_flight = (int64_t)run->in_flight_count,
        .tokens = run->tokens,
        .tokens_per_s = elapsed_s > 0 ? (double)run->tokens / elapsed_s : 0,
        .ttft_ms = recent_ttft_ms(run),
        .draining = run->phase != LEVEL_SENDING,
        .last_error = run->engine->result->last_error[0] ? run->engine->result->last_error : NULL,
    };
    settings->progress(settings->progress_context, &progress);
}

static void do_periodic(struct level_run *run, int64_t now)
{
    struct engine *engine = run->engine;
    struct sink *sink = engine->settings->sink;
    struct error err = {.class = ERROR_NONE};
    if (now >= engine->next_tick) {
        engine->next_tick = now + TICK_NS;
        if (run->tick_tokens > 0 && sink->tick(sink, now, run->tick_tokens, &err) < 0)
            fail_run(engine, &err);
        run->tick_tokens = 0;
    }
    if (now >= engine->next_flush) {
        engine->next_flush = now + FLUSH_NS;
        if (sink->flush(sink, &err) < 0)
            fail_run(engine, &err);
    }
    if (now >= engine->next_progress) {
        engine->next_progress = now + engine->settings->progress_interval_ns;
        report_progress(run, now);
    }
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_deadline(const struct level_run *run)
{
    const struct engine *engine = run->engine;
    int64_t next = earliest(earliest(engine->next_tick, engine->next_flush), engine->next_progress);
    if (run->phase == LEVEL_SENDING)
        return earliest(next, earliest(run->deadline, run->drawn_out ? TIME_FOREVER : run->source->next_due(run->source, run)));
    return run->phase == LEVEL_DRAINING ? earliest(next, run->drain_deadline) : next;
}

/* --- a transport that is broken ---------------------------------------------------------- */

static void free_abandoned(void *context, struct request *request, int64_t now)
{
    (void)context, (void)now;
    request_free(request);
}

static void ignore_tokens(void *context, int64_t tokens, int64_t now)
{
    (void)context, (void)tokens, (void)now;
}

/* It cannot be waited for their ends: they are recorded as cancelled now, and free themselves when the transport lets them go. */
static void abandon_all(struct level_run *run, int64_t now)
{
    struct sink *sink = run->engine->settings->sink;
    struct error err = {.class = ERROR_NONE};
    while (run->in_flight_count > 0) {
        struct request *request = run->in_flight[--run->in_flight_count];
        request->finished = free_abandoned;
        request->tokens = ignore_tokens;
        struct record record = request->record;
        record.end = now;
        record.failure = FAILURE_CANCELLED;
        if (sink->add(sink, &record, request->gaps, request->n, (size_t)record.arrivals, &err) < 0)
            fail_run(run->engine, &err);
    }
}

/* --- the loop -------------------------------------------------------------------------- */

/* One wait, and how late it made us: what was ready is stamped once (turn_stamp), and nothing that becomes ready is
 * seen before we wait again. */
static void wait_once(struct level_run *run)
{
    struct engine *engine = run->engine;
    const struct engine_settings *settings = engine->settings;
    struct error err = {.class = ERROR_NONE};
    int64_t deadline = next_deadline(run);
    int64_t entered = now_of(run);
    if (run->turn_stamp != TIME_NEVER)
        lag_add(&engine->lag, entered - run->turn_stamp);
    run->turn_stamp = TIME_NEVER;
    if (transport_wait(settings->transport, deadline + settings->anchor, &err) < 0) {
        fail_run(engine, &err);
        if (run->phase == LEVEL_CANCELLED)
            abandon_all(run, now_of(run));
    }
    if (run->turn_stamp == TIME_NEVER) {
        int64_t woken = now_of(run);
        if (woken >= deadline) {
            lag_add(&engine->lag, woken - deadline);
            run->turn_stamp = woken;
        }
    }
}

static void loop(struct level_run *run)
{
    for (;;) {
        int64_t now = now_of(run);
        if (run->phase == LEVEL_SENDING) {
            check_limits(run, now);
            if (run->phase == LEVEL_SENDING)
                run->source->send_due(run->source, run, now);
        }
        check_limits(run, now);
        do_periodic(run, now);
        if (run->phase != LEVEL_SENDING && run->in_flight_count == 0)
            return;
        wait_once(run);
    }
}

static void init(struct level_run *run, struct engine *engine, const struct level *level, int repeat, size_t levels_done)
{
    const struct plan *plan = engine->settings->plan;
    *run = (struct level_run){
        .engine = engine,
        .plan = plan,
        .profile = profile_find(level->kind),
        .level = *level,
        .repeat = repeat,
        .time_scale = plan->server.time_scale,
        .phase = LEVEL_SENDING,
        .end = TIME_NEVER,
        .turn_stamp = TIME_NEVER,
        .levels_done = levels_done,
    };
    engine->run = run;
    lag_reset(&engine->lag);
    lag_reset(&engine->slip);
}

/* Stream n - 1 starts (n - 1)/n of a mean request time after stream 0: then the start phase is over. */
static void start(struct level_run *run, int64_t mean_e2e_ns)
{
    int64_t max_seconds_ns = run->plan->limits.max_seconds_ns;
    bool open = run->profile->open_loop;
    run->start = run->last_ended = now_of(run);
    run->measure_start = run->start;
    if (!open && run->level.load > 1)
        run->measure_start += (int64_t)((double)mean_e2e_ns * (run->level.load - 1) / run->level.load);
    run->deadline = max_seconds_ns > 0 ? run->measure_start + plan_wall_ns(run->plan, max_seconds_ns) : TIME_FOREVER;
    run->source = open ? open_loop_new(run) : closed_loop_new(run, mean_e2e_ns);
    run->engine->next_tick = run->engine->next_flush = run->engine->next_progress = run->start;
}

static struct level_facts facts_of(const struct level_run *run, const struct level_end *end)
{
    double length_s = (double)(end->end - run->measure_start) * run->time_scale / (double)NS_PER_S;
    return (struct level_facts){
        .ok = run->ok,
        .ended = run->ended,
        .connect_failures = run->connect_failures,
        .mean_e2e_ns = run->ok > 0 ? run->e2e_sum / run->ok : 0,
        .request_rps = length_s > 0 ? (double)run->ok_inside / length_s : 0,
        .reason = end->reason,
    };
}

static int64_t ask_cost(int64_t (*cost)(void *), void *context)
{
    return cost ? cost(context) : -1;
}

int level_run_whole(struct engine *engine, const struct level *level, int repeat, int64_t mean_e2e_ns, size_t levels_done,
                    struct level_facts *facts)
{
    const struct engine_settings *settings = engine->settings;
    const struct engine_costs *costs = &settings->costs;
    struct sink *sink = settings->sink;
    struct error err = {.class = ERROR_NONE};
    struct level_run run;
    if (settings->watch.level_start)
        settings->watch.level_start(settings->watch.context);
    init(&run, engine, level, repeat, levels_done);
    int64_t cpu = ask_cost(costs->cpu_ns, costs->context), throttled = ask_cost(costs->throttled_ns, costs->context);
    start(&run, mean_e2e_ns);
    if (sink->level_start(sink, level, repeat, run.start, run.measure_start, &err) < 0)
        fail_run(engine, &err);
    loop(&run);
    int64_t over = now_of(&run);
    struct level_end end = make_end(&run);
    if (cpu >= 0 && over > run.start)
        end.cpu = (double)(ask_cost(costs->cpu_ns, costs->context) - cpu) / (double)(over - run.start);
    if (throttled >= 0)
        end.throttled_ns = ask_cost(costs->throttled_ns, costs->context) - throttled;
    if (run.tick_tokens > 0 && sink->tick(sink, over, run.tick_tokens, &err) < 0)
        fail_run(engine, &err);
    if (sink->level_end(sink, &end, &err) < 0 || sink->flush(sink, &err) < 0)
        fail_run(engine, &err);
    report_progress(&run, over);
    *facts = facts_of(&run, &end);
    run.source->free(run.source);
    free(run.in_flight);
    engine->run = NULL;
    return engine->failure.class == ERROR_NONE ? 0 : -1;
}
