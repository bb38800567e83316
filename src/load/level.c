#include "load/level.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/stop.h"
#include "load/limits.h"

#define HELD_LOOK_NS NS_PER_MS

/* --- what others look at: one writer, so a plain load and store is enough ----------------- */

static void count(_Atomic int64_t *counter, int64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

/* --- requests -------------------------------------------------------------------------- */

static void note_message(struct engine *engine, const struct request *request)
{
    bool withheld = false;
    for (size_t k = 0; k < engine->settings->secret_count; k++)
        withheld = withheld || strstr(request->message, engine->settings->secrets[k]);
    char what[96] = "";
    if (request->record.status >= 400)
        snprintf(what, sizeof what, "HTTP %d: ", request->record.status);
    pthread_mutex_lock(&engine->lock);
    snprintf(engine->last_error, sizeof engine->last_error, "%s%.400s", what,
             withheld              ? "(the answer holds the API key or a header and is not shown)"
             : request->message[0] ? request->message
                                   : failure_name(request->record.failure));
    pthread_mutex_unlock(&engine->lock);
}

/* Only requests that were refused, one after the other from the start of the run: no load will mend that. A missing key is sure at once. */
static void count_refusal(struct engine *engine, const struct record *record)
{
    if (record->outcome == OUTCOME_INCOMPLETE || atomic_load_explicit(&engine->answered, memory_order_relaxed))
        return;
    pthread_mutex_lock(&engine->lock);
    if (record->failure != FAILURE_HTTP_4XX)
        atomic_store(&engine->answered, true);
    else
        engine->refusals = record->status == 401 ? REFUSALS_MAX : engine->refusals + 1;
    engine->refusal_status = record->status;
    atomic_store(&engine->refused, !atomic_load(&engine->answered) && engine->refusals >= REFUSALS_MAX);
    pthread_mutex_unlock(&engine->lock);
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
    count(&run->worker->counts.ended, 1);
    if (record->outcome == OUTCOME_ERROR) {
        count(&run->worker->counts.failed, 1);
        count(&run->worker->counts.by_server, failure_by_server(record->failure));
        run->connect_failures += record->failure == FAILURE_CONNECT || record->failure == FAILURE_DNS || record->failure == FAILURE_TLS;
        return;
    }
    run->ok++;
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
    count(&run->worker->counts.in_flight, -1);
    request->next_free = run->worker->free_requests;
    run->worker->free_requests = request;
}

static void stamp_turn(struct level_run *run, int64_t now)
{
    if (run->turn_stamp == TIME_NEVER)
        run->turn_stamp = now;
}

static void on_tokens(void *context, const struct request *request, int64_t tokens, int64_t now)
{
    struct worker *worker = context;
    if (request->counted == tokens) /* the first */
        oversight_first_token(&worker->engine->oversight, &request->record);
    stamp_turn(worker->run, now - worker->engine->settings->anchor);
    count(&worker->counts.tokens, tokens);
}

/* A stream that cannot become an answer any more may go on for ever. */
static void on_hopeless(void *context, struct request *request)
{
    const struct worker *worker = context;
    transport_cancel(worker->transport, &request->transfer);
}

static void add_record(struct level_run *run, const struct record *record, const int64_t *gaps, const int32_t *n)
{
    struct engine *engine = run->engine;
    struct sink *sink = engine->settings->sink;
    struct error err = {.class = ERROR_NONE};
    if (sink->add(sink, record, gaps, n, (size_t)record->arrivals, &err) < 0)
        engine_fail(engine, &err);
    oversight_add(&engine->oversight, record);
}

/* What was sent counts as long as the plan asks for, until the server tells. */
static int64_t asked_prompt(const struct level_run *run)
{
    return llround(plan_mean_prompt_tokens(run->plan));
}

static void on_finished(void *context, struct request *request, int64_t absolute)
{
    struct worker *worker = context;
    struct engine *engine = worker->engine;
    struct level_run *run = worker->run;
    struct record *record = &request->record;
    int64_t now = absolute - engine->settings->anchor;
    stamp_turn(run, now);
    run->last_ended = now;
    if (record->sent != TIME_NEVER)
        lag_add(&worker->slip, record->sent - record->intended);
    count_ended(run, record);
    if (record->prompt_tokens >= 0)
        count(&worker->counts.prompt_tokens, record->prompt_tokens - asked_prompt(run));
    count_refusal(engine, record);
    if (record->outcome == OUTCOME_ERROR)
        note_message(engine, request);
    add_record(run, record, request->gaps, request->n);
    request_gone(run, request);
    run->source->ended(run->source, run, request, now);
}

static struct request *take_request(struct level_run *run)
{
    struct worker *worker = run->worker;
    struct request *request = worker->free_requests;
    if (request)
        worker->free_requests = request->next_free;
    else
        request = request_new(on_finished, on_tokens, on_hopeless, worker, run->engine->settings->anchor,
                              run->plan->server.continuous_usage);
    MEM_GROW(run->in_flight, run->in_flight_capacity, run->in_flight_count + 1);
    request->slot = run->in_flight_count;
    run->in_flight[run->in_flight_count++] = request;
    count(&worker->counts.in_flight, 1);
    return request;
}

void level_send(struct level_run *run, int stream, int64_t i, int64_t target, int64_t intended)
{
    const struct engine_settings *settings = run->engine->settings;
    struct request *request = take_request(run);
    struct error err = {.class = ERROR_NONE};
    if (settings->body(run->worker->body_context, run->level.index, run->repeat, i, &request->body, &err) < 0) {
        engine_fail(run->engine, &err);
        request_gone(run, request);
        return;
    }
    target %= settings->url_count;
    request_begin(request, run->level.index, run->repeat, stream, i, intended, settings->urls[target]);
    request->record.target = (int)target;
    struct turn turn = plan_turn(run->plan, stream >= 0 ? (int64_t)run->level.load : 0, i);
    request->record.conversation = turn.conversation;
    request->record.turn = turn.turn;
    request->record.shard = settings->shard.index;
    count(&run->worker->counts.sent, 1);
    count(&run->worker->counts.prompt_tokens, asked_prompt(run));
    transport_start(run->worker->transport, &request->transfer);
}

/* The last of min_requests is drawn, due at `now`: it is still inside. */
static void set_deadline(struct level_run *run, int64_t now)
{
    struct level_shared *shared = &run->engine->level;
    run->deadline = now < shared->planned_end ? shared->planned_end : now + 1;
    if (!run->profile->open_loop) /* there, every worker draws the same arrivals */
        atomic_store(&shared->deadline, run->deadline);
}

bool level_draw(struct level_run *run, int64_t now, bool ours)
{
    if (run->drawn_out)
        return false;
    if ((run->counted_max > 0 || run->counted_min > 0) && now >= run->measure_start) {
        int64_t counted = run->profile->open_loop ? ++run->counted : atomic_fetch_add(&run->engine->level.counted, 1) + 1;
        run->drawn_out = run->counted_max > 0 && counted >= run->counted_max;
        if (run->drawn_out && counted > run->counted_max) /* another worker drew the last one */
            return false;
        if (counted == run->counted_min)
            set_deadline(run, now);
    }
    count(&run->worker->counts.drawn, ours);
    return true;
}

void level_never_sent(struct level_run *run, int64_t i, int64_t intended, int64_t now)
{
    struct record record = record_empty();
    record.level = run->level.index;
    record.repeat = run->repeat;
    record.shard = run->engine->settings->shard.index;
    record.i = i;
    record.intended = intended;
    record.end = now;
    record.outcome = OUTCOME_INCOMPLETE;
    record.failure = FAILURE_CANCELLED;
    add_record(run, &record, NULL, NULL);
}

bool level_is_held(struct level_run *run, int64_t now)
{
    struct sink *sink = run->engine->settings->sink;
    bool full = sink->full && sink->full(sink);
    if (full && run->held_since == TIME_NEVER)
        run->held_since = now;
    if (!full && run->held_since != TIME_NEVER) {
        run->held_ns += now - run->held_since;
        run->held_since = TIME_NEVER;
    }
    return full;
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
        transport_cancel(run->worker->transport, &run->in_flight[k]->transfer);
}

static void check_limits(struct level_run *run, int64_t now)
{
    struct engine *engine = run->engine;
    int early = atomic_load(&engine->level.ended_by);
    bool ceiling = early != LEVEL_GOES_ON && limits_is_ceiling((enum level_reason)early);
    const stop_flag *stop = engine->settings->stop;
    bool told_to_stop = (stop && *stop) || atomic_load_explicit(&engine->failed, memory_order_relaxed);
    if (run->counted_min > 0 && !run->profile->open_loop)
        run->deadline = counter_look(&engine->level.deadline);
    if (run->counted_max > 0 && !run->profile->open_loop && counter_look(&engine->level.counted) >= run->counted_max)
        run->drawn_out = true;
    if (told_to_stop)
        stop_sending(run, LEVEL_STOPPED, now, now);
    else if (atomic_load_explicit(&engine->refused, memory_order_relaxed))
        stop_sending(run, LEVEL_TARGET_REFUSES, now, now);
    else if (early != LEVEL_GOES_ON)
        stop_sending(run, (enum level_reason)early, counter_look(&engine->level.ended_at), now);
    else if (now >= run->deadline)
        stop_sending(run, LEVEL_MAX_SECONDS, run->deadline, now);
    else if (run->drawn_out && run->source->waiting(run->source) == 0 && run->in_flight_count == 0)
        stop_sending(run, LEVEL_MAX_REQUESTS, TIME_NEVER, now);
    bool cut = told_to_stop || ceiling || (run->phase == LEVEL_DRAINING && (now >= run->drain_deadline || run->reason == LEVEL_TARGET_REFUSES));
    if (cut && run->phase == LEVEL_DRAINING) {
        if (told_to_stop || ceiling) /* also when that came in the middle of the drain: what is cancelled had not the time it was due */
            run->reason = told_to_stop ? LEVEL_STOPPED : (enum level_reason)early;
        cancel_all(run);
    }
}

/* --- the next thing to do ---------------------------------------------------------------- */

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_send(const struct level_run *run, int64_t now)
{
    if (run->drawn_out)
        return TIME_FOREVER;
    return run->held_since == TIME_NEVER ? run->source->next_due(run->source, run) : now + HELD_LOOK_NS;
}

static int64_t next_deadline(const struct level_run *run, int64_t now)
{
    int64_t next = run->next_tick;
    if (run->worker->index == 0)
        next = earliest(earliest(next, run->next_look), earliest(run->next_flush, run->next_progress));
    if (run->phase == LEVEL_SENDING)
        return earliest(next, earliest(run->deadline, next_send(run, now)));
    return run->phase == LEVEL_DRAINING ? earliest(next, run->drain_deadline) : next;
}

/* --- a transport that is broken ---------------------------------------------------------- */

static void free_abandoned(void *context, struct request *request, int64_t now)
{
    (void)context, (void)now;
    request_free(request);
}

static void ignore_tokens(void *context, const struct request *request, int64_t tokens, int64_t now)
{
    (void)context, (void)request, (void)tokens, (void)now;
}

/* It cannot be waited for their ends: they are recorded as cancelled now, and free themselves when the transport lets them go. */
static void abandon_all(struct level_run *run, int64_t now)
{
    while (run->in_flight_count > 0) {
        struct request *request = run->in_flight[--run->in_flight_count];
        request->finished = free_abandoned;
        request->tokens = ignore_tokens;
        struct record record = request->record;
        record.end = now;
        record.failure = FAILURE_CANCELLED;
        add_record(run, &record, request->gaps, request->n);
    }
}

/* --- the loop -------------------------------------------------------------------------- */

static void note_pause(struct level_run *run, int64_t ns)
{
    if (ns > run->pause_ns)
        run->pause_ns = ns;
}

/* One wait, and how late it made us: what was ready is stamped once (turn_stamp), and nothing that becomes ready is
 * seen before we wait again. */
static void wait_once(struct level_run *run)
{
    struct worker *worker = run->worker;
    const struct engine_settings *settings = run->engine->settings;
    struct error err = {.class = ERROR_NONE};
    int64_t entered = level_now(run);
    int64_t deadline = next_deadline(run, entered);
    if (run->turn_stamp != TIME_NEVER) {
        lag_add(&worker->lag, entered - run->turn_stamp);
        note_pause(run, entered - run->turn_stamp);
    }
    run->turn_stamp = TIME_NEVER;
    if (transport_wait(worker->transport, deadline + settings->anchor, &err) < 0) {
        engine_fail(run->engine, &err);
        if (run->phase == LEVEL_CANCELLED)
            abandon_all(run, level_now(run));
    }
    if (run->turn_stamp == TIME_NEVER) {
        int64_t woken = level_now(run);
        if (woken >= deadline) {
            lag_add(&worker->lag, woken - deadline);
            run->turn_stamp = woken;
        }
    }
    note_pause(run, run->turn_stamp == TIME_NEVER ? 0 : run->turn_stamp - deadline);
}

static void loop(struct level_run *run)
{
    for (;;) {
        int64_t now = level_now(run);
        if (run->phase == LEVEL_SENDING) {
            check_limits(run, now);
            if (run->phase == LEVEL_SENDING && !level_is_held(run, now))
                run->source->send_due(run->source, run, now);
        }
        check_limits(run, now);
        level_do_periodic(run, now);
        if (run->phase != LEVEL_SENDING && run->in_flight_count == 0)
            return;
        wait_once(run);
    }
}

static void init(struct level_run *run, struct worker *worker)
{
    struct engine *engine = worker->engine;
    const struct level_shared *shared = &engine->level;
    const struct plan *plan = engine->settings->plan;
    *run = (struct level_run){
        .engine = engine,
        .worker = worker,
        .plan = plan,
        .profile = profile_find(shared->level.kind),
        .share = share_of_worker(engine->settings->shard, worker->index, shared->workers),
        .level = shared->level,
        .repeat = shared->repeat,
        .time_scale = plan->server.time_scale,
        .phase = LEVEL_SENDING,
        .start = shared->start,
        .measure_start = shared->measure_start,
        .deadline = shared->deadline,
        .end = TIME_NEVER,
        .last_ended = shared->start,
        .counted_max = plan->limits.max_requests,
        .counted_min = shared->planned_end != TIME_FOREVER ? plan->limits.min_requests : 0,
        .turn_stamp = TIME_NEVER,
        .held_since = TIME_NEVER,
    };
    /* What other shards have drawn cannot be seen. In an open loop it is known. */
    if (!run->profile->open_loop && run->counted_max > 0)
        run->counted_max = share_of(engine->settings->shard, run->counted_max);
    run->source = run->profile->open_loop ? open_loop_new(run) : closed_loop_new(run);
    level_begin_periodic(run);
    worker->run = run;
    lag_reset(&worker->lag);
    lag_reset(&worker->slip);
    if (transport_stamp_delay(worker->transport))
        lag_reset(transport_stamp_delay(worker->transport));
}

static struct context_switches switches_since(const struct engine_costs *costs, struct context_switches before)
{
    struct context_switches now = costs->switches ? costs->switches(costs->context) : (struct context_switches){-1, -1};
    if (now.voluntary < 0 || before.voluntary < 0)
        return (struct context_switches){-1, -1};
    return (struct context_switches){now.voluntary - before.voluntary, now.involuntary - before.involuntary};
}

void level_run_part(struct level_run *run, struct worker *worker)
{
    const struct engine_costs *costs = &worker->engine->settings->costs;
    int64_t cpu = costs->cpu_ns ? costs->cpu_ns(costs->context) : -1;
    struct context_switches switches = costs->switches ? costs->switches(costs->context) : (struct context_switches){-1, -1};
    init(run, worker);
    loop(run);
    run->over = level_now(run);
    if (run->held_since != TIME_NEVER)
        run->held_ns += run->over - run->held_since;
    run->cpu_ns = cpu < 0 ? -1 : costs->cpu_ns(costs->context) - cpu;
    run->switches = switches_since(costs, switches);
}

void level_run_free(struct level_run *run)
{
    run->source->free(run->source);
    free(run->in_flight);
    run->worker->run = NULL;
}
