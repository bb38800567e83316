#include "serve/simulator.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/simulator_state.h"
#include "serve/vocabulary.h"

#define SCRATCH_MAX ((size_t)64 << 20)
#define LATENESS_MAX NS_PER_S
#define INSTANT_WRITE_CHUNKS 8  /* in one write */
#define INSTANT_TURN_TOKENS 64  /* before others have a turn */

static int64_t now_of(const struct simulator *simulator)
{
    return clock_now(simulator->settings.clock);
}

static int64_t wall(const struct simulator *simulator, int64_t model_ns)
{
    return (int64_t)((double)model_ns / simulator->settings.time_scale);
}

/* --- a request's life ----------------------------------------------------------------------- */

static void answer_free(struct answer *answer)
{
    TAILQ_REMOVE(&answer->simulator->open, answer, open);
    answer->simulator->open_count -= answer->count;
    pace_forget(answer);
    httpd_timer_free(answer->fault_timer);
    fault_let_go(answer->fault);
    simulator_task_free(&answer->task);
    buf_free(&answer->head);
    free(answer);
}

void simulator_forget(struct answer *answer)
{
    truth_ended(&answer->simulator->truth, &answer->truth);
    answer_free(answer);
}

void simulator_abort(struct answer *answer)
{
    for (size_t k = 0; k < answer->count; k++) {
        struct generation *generation = &answer->generations[k];
        if (generation->finished)
            continue;
        generation->finished = true;
        if (!answer->begun)
            continue;
        scheduler_remove(answer->simulator->scheduler, &generation->scheduled);
        metrics_aborted(&answer->simulator->metrics);
    }
}

static void client_gone(void *context)
{
    struct answer *answer = context;
    simulator_abort(answer);
    answer->truth.disconnected = true;
    simulator_forget(answer);
}

void simulator_open_stream(struct answer *answer)
{
    const struct dialect *dialect = answer->simulator->dialect;
    if (answer->streaming)
        return;
    answer->streaming = true;
    dialect->headers(answer->request, 200, dialect->stream_type);
    httpd_stream_start(answer->request, 200);
    if (dialect->closes_streams)
        httpd_close_afterwards(answer->request);
    pace_written(answer, now_of(answer->simulator));
}

static bool is_instant(const struct simulator *simulator)
{
    const struct scheduler_cost *cost = &simulator->settings.scheduler.cost;
    return cost->base + cost->sequence + cost->context_token + cost->prefill_token <= 0;
}

/* Steps that take no time make tokens that are due at the same time: they go together, and the first one and the last
 * ones at once. A fault that counts tokens wants each on its own. */
static bool is_kept_back(const struct generation *generation)
{
    const struct answer *answer = generation->answer;
    return is_instant(answer->simulator) && answer->simulator->settings.frontend_time == 0 && !answer->fault &&
           generation->sent_tokens > 0 && !generation->finished && answer->kept_back.chunks + 1 < INSTANT_WRITE_CHUNKS;
}

/* Hands the tokens not sent yet to the kernel. */
static void send_tokens(struct generation *generation)
{
    struct answer *answer = generation->answer;
    struct simulator *simulator = answer->simulator;
    struct buf *out = &simulator->scratch;
    bool kept_back = is_kept_back(generation);
    buf_reset(out);
    simulator->dialect->tokens(generation, out);
    if (out->len == 0)
        return;
    answer->kept_back.chunks++;
    answer->kept_back.tokens += generation->scheduled.output_tokens - generation->sent_tokens;
    generation->sent_tokens = generation->scheduled.output_tokens;
    if (kept_back) {
        httpd_stream_queue(answer->request, out->data, out->len);
        return;
    }
    httpd_stream_send(answer->request, out->data, out->len);
    int64_t now = now_of(simulator);
    answer->kept_back.due = generation->due;
    answer->kept_back.taken = httpd_stream_backlog(answer->request) == 0;
    truth_sent(&simulator->truth, &answer->truth, &answer->kept_back, now);
    answer->kept_back = (struct truth_write){0};
    pace_written(answer, now);
}

static void end_stream(struct answer *answer)
{
    struct buf *out = &answer->simulator->scratch;
    buf_reset(out);
    answer->simulator->dialect->end(answer, out);
    httpd_stream_queue(answer->request, out->data, out->len);
    if (simulator_fault_end(answer))
        return;
    httpd_stream_queue(answer->request, answer->simulator->dialect->done, strlen(answer->simulator->dialect->done));
    httpd_stream_end(answer->request);
}

static void send_whole(struct answer *answer)
{
    struct simulator *simulator = answer->simulator;
    struct buf *out = &simulator->scratch;
    struct truth_write write = {.chunks = 1, .due = simulator->step_due};
    for (size_t k = 0; k < answer->count; k++)
        write.tokens += answer->generations[k].scheduled.output_tokens;
    buf_reset(out);
    simulator->dialect->whole(answer, out);
    if (out->overflowed) {
        buf_reset(out);
        simulator_error(simulator, out, 500, "Internal Server Error", NULL, "The reply would have more than %zu bytes. Ask for a stream.",
                        SCRATCH_MAX);
        simulator_reply_scratch(simulator, answer->request, 500);
        return;
    }
    simulator_reply_scratch(simulator, answer->request, 200);
    truth_sent(&simulator->truth, &answer->truth, &write, now_of(simulator));
}

static void end_answer(struct answer *answer)
{
    if (answer->task.stream)
        end_stream(answer);
    else
        send_whole(answer);
    simulator_forget(answer);
}

static bool is_time_to_send(const struct generation *generation)
{
    const struct answer *answer = generation->answer;
    int64_t unsent = generation->scheduled.output_tokens - generation->sent_tokens;
    if (generation->finished || generation->sent_tokens == 0)
        return true;
    return unsent >= answer->simulator->settings.stream_interval && httpd_stream_backlog(answer->request) <= SIMULATOR_BACKLOG_MAX;
}

/* vLLM counts the choices of one prompt together, when the last of them has ended. */
static void measure_siblings(const struct generation *generation)
{
    const struct answer *answer = generation->answer;
    const struct generation *sibling = &answer->generations[generation->index / answer->task.choices * answer->task.choices];
    int64_t longest = 0;
    for (int64_t k = 0; k < answer->task.choices; k++) {
        if (!sibling[k].finished)
            return;
        longest = sibling[k].scheduled.output_tokens > longest ? sibling[k].scheduled.output_tokens : longest;
    }
    metrics_prompt_finished(&answer->simulator->metrics, answer->task.choices, longest);
}

void simulator_deliver(struct generation *generation)
{
    struct answer *answer = generation->answer;
    if (answer->task.stream)
        send_tokens(generation);
    if (simulator_fault_sent(answer) || !generation->finished)
        return;
    if (--answer->unfinished == 0)
        end_answer(answer);
}

static void take_token(struct generation *generation, int64_t now)
{
    struct answer *answer = generation->answer;
    struct metrics *metrics = &answer->simulator->metrics;
    if (answer->burying)
        return;
    if (generation->scheduled.output_tokens == 1 && generation->index % answer->task.choices == 0)
        truth_cached(&answer->simulator->truth, &answer->truth, generation->scheduled.cached_tokens);
    metrics_token(metrics, &generation->times, &generation->scheduled, now);
    truth_due(&answer->simulator->truth, &answer->truth, answer->simulator->step_due);
    generation->due = answer->simulator->step_due;
    if (generation->scheduled.state == SCHEDULER_OUTSIDE) {
        generation->finished = true;
        metrics_finished(metrics, &generation->times, &generation->scheduled, answer->task.max_tokens, generation->stopped);
        measure_siblings(generation);
    }
    if (answer->task.stream && is_time_to_send(generation))
        pace_deliver(generation, now);
    else if (generation->finished)
        simulator_deliver(generation);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void begin_step(struct simulator *simulator, int64_t start)
{
    int64_t duration = scheduler_begin(simulator->scheduler, start);
    simulator->intake_since = TIME_NEVER;
    if (duration < 0)
        return;
    simulator->step_due = start + wall(simulator, duration);
    httpd_timer_set(simulator->step_timer, simulator->step_due);
}

/* The next step begins when the last one was due, not when we came to it: lateness does not add up, except when it is
 * so large (the process was stopped, or cannot keep up) that a burst of overdue tokens would be worse. */
static int64_t next_start(struct simulator *simulator, int64_t now)
{
    if (is_instant(simulator))
        return now;
    if (now - simulator->step_due <= LATENESS_MAX)
        return simulator->step_due;
    simulator->truth.resynchronized++;
    return now;
}

/* Returns how many tokens came out. */
static size_t end_step(struct simulator *simulator, int64_t now)
{
    size_t count;
    struct scheduler_request *const *tokens = scheduler_end(simulator->scheduler, &count);
    truth_range_add(&simulator->truth.lateness, now - simulator->step_due, 1);
    for (size_t k = 0; k < count; k++)
        take_token((struct generation *)tokens[k], now);
    metrics_step(&simulator->metrics);
    simulator_fault_bury(simulator);
    begin_step(simulator, next_start(simulator, now));
    return count;
}

/* Steps that take no time follow each other before the loop is asked again, which costs more than a small step. */
static void end_due_steps(struct simulator *simulator, int64_t now)
{
    size_t tokens = end_step(simulator, now);
    while (is_instant(simulator) && scheduler_in_step(simulator->scheduler) && tokens < INSTANT_TURN_TOKENS)
        tokens += end_step(simulator, now_of(simulator));
}

static void step_timer_due(void *context)
{
    struct simulator *simulator = context;
    int64_t now = now_of(simulator);
    if (!scheduler_in_step(simulator->scheduler))
        begin_step(simulator, now);
    else if (now < simulator->step_due)
        httpd_timer_set(simulator->step_timer, simulator->step_due);
    else
        end_due_steps(simulator, now);
}

/* A request has come: an idle engine waits a little for others sent together with it. */
static void wake_engine(struct simulator *simulator, int64_t now)
{
    if (scheduler_in_step(simulator->scheduler))
        return;
    int64_t quiet = wall(simulator, INTAKE_QUIET_NS);
    if (quiet < INTAKE_QUIET_LEAST_NS)
        quiet = INTAKE_QUIET_LEAST_NS;
    if (is_instant(simulator))
        quiet = 0;
    if (simulator->intake_since == TIME_NEVER)
        simulator->intake_since = now;
    int64_t latest = simulator->intake_since + INTAKE_TIMES_MAX * quiet;
    httpd_timer_set(simulator->step_timer, now + quiet < latest ? now + quiet : latest);
}

/* --- requests ----------------------------------------------------------------------------------- */

static void generation_init(struct generation *generation, struct answer *answer, size_t index)
{
    const struct simulator_task *task = &answer->task;
    const struct simulator_prompt *prompt = &task->prompts[index / (size_t)task->choices];
    *generation = (struct generation){
        .scheduled = {.prompt_tokens = (int64_t)prompt->count, .prompt_ids = task->no_prompt_cache ? NULL : prompt->ids},
        .answer = answer,
        .prompt = prompt,
        .index = (int64_t)index,
        .seed = answer->serial + index,
        .times = {.arrived = answer->truth.arrived, .scheduled = TIME_NEVER, .first_token = TIME_NEVER, .last_token = TIME_NEVER},
    };
    output_plan(generation);
}

static struct answer *answer_new(struct simulator *simulator, struct httpd_request *request, const struct simulator_task *task,
                                 size_t count)
{
    struct answer *answer = mem_alloc(sizeof *answer + count * sizeof answer->generations[0]);
    int64_t now = now_of(simulator);
    *answer = (struct answer){
        .simulator = simulator,
        .request = request,
        .task = *task,
        .head = BUF_INIT(SIMULATOR_BODY_MAX),
        .serial = simulator->serials + 1,
        .truth = {.arrived = now, .first_sent = TIME_NEVER, .last_sent = TIME_NEVER, .prompt_tokens = task->prompt_tokens,
                  .stream = task->stream},
        .unfinished = count,
        .count = count,
    };
    for (size_t k = 0; k < count; k++)
        generation_init(&answer->generations[k], answer, k);
    simulator->serials += count;
    TAILQ_INSERT_TAIL(&simulator->open, answer, open);
    simulator->open_count += count;
    simulator->truth.received++;
    return answer;
}

static void refuse_busy(struct simulator *simulator, struct httpd_request *request)
{
    struct buf *out = &simulator->scratch;
    metrics_rejected(&simulator->metrics);
    buf_reset(out);
    int status = simulator_error(simulator, out, 503, "Service Unavailable", NULL,
                                 "The engine is currently busy and cannot accept new requests. Please try again later.");
    simulator->truth.refused++;
    simulator_reply_scratch(simulator, request, status);
}

void simulator_generate(struct simulator *simulator, struct httpd_request *request, struct simulator_task *task, const char *id)
{
    size_t count = task->prompt_count * (size_t)task->choices;
    bool too_long = count > 1 && task->max_tokens > SIMULATOR_TOKENS_MAX / (int64_t)count;
    if (too_long || simulator->open_count + count > SIMULATOR_REQUESTS_MAX) {
        simulator_task_free(task);
        refuse_busy(simulator, request);
        return;
    }
    struct fault *fault = fault_list_select(&simulator->faults, task->stream, now_of(simulator));
    if (fault && simulator_fault_refuse(simulator, request, fault)) {
        simulator_task_free(task);
        return;
    }
    struct answer *answer = answer_new(simulator, request, task, count);
    answer->fault = fault_hold(fault);
    simulator->dialect->head(answer, id);
    answer->truth.id = answer->head.data + answer->id_at;
    httpd_on_closed(request, client_gone, answer);
    if (!simulator_fault_begin(answer))
        simulator_begin(answer);
}

void simulator_begin(struct answer *answer)
{
    struct simulator *simulator = answer->simulator;
    if (answer->task.stream && !simulator->dialect->late_headers)
        simulator_open_stream(answer);
    answer->begun = true;
    for (size_t k = 0; k < answer->count; k++)
        scheduler_add(simulator->scheduler, &answer->generations[k].scheduled);
    wake_engine(simulator, now_of(simulator));
    if (simulator_fault_sent(answer))
        simulator_fault_bury(simulator);
}

/* --- the server -------------------------------------------------------------------------------- */

static uint32_t output_id(const struct scheduler_request *request, int64_t index)
{
    return output_token_id((const struct generation *)request, index);
}

static int check_dialect(const struct simulator_settings *settings, struct error *err)
{
    const struct dialect *dialect = settings->dialect;
    const struct {
        bool on;
        unsigned ability;
        const char *option;
    } rows[] = {
        {settings->reasoning_tokens > 0, DIALECT_REASONING, "reasoning-tokens"},
        {settings->force_include_usage, DIALECT_FORCED_USAGE, "enable-force-include-usage"},
        {settings->prompt_tokens_details, DIALECT_PROMPT_DETAILS, "enable-prompt-tokens-details"},
        {settings->per_request_metrics, DIALECT_METRICS, "enable-per-request-metrics"},
    };
    for (size_t k = 0; dialect && k < sizeof rows / sizeof rows[0]; k++)
        if (rows[k].on && !(dialect->abilities & rows[k].ability))
            return error_set(err, ERROR_USAGE, "--%s: nothing like that is in the dialect %s", rows[k].option, dialect->name);
    return 0;
}

static int check_settings(const struct simulator_settings *settings, struct error *err)
{
    const struct scheduler_settings *scheduler = &settings->scheduler;
    if (scheduler->kv_blocks < settings->max_model_len / scheduler->block_size + (settings->max_model_len % scheduler->block_size != 0))
        return error_set(err, ERROR_USAGE, "a KV cache of %lld blocks of %lld tokens cannot hold one request of --max-model-len %lld "
                         "tokens. Raise --kv-blocks or lower --max-model-len", (long long)scheduler->kv_blocks,
                         (long long)scheduler->block_size, (long long)settings->max_model_len);
    return check_dialect(settings, err);
}

static void count_exchange(void *context, const struct httpd_exchange *exchange)
{
    struct simulator *simulator = context;
    int64_t date = simulator->started_realtime + exchange->ended - simulator->started;
    http_metrics_count(&simulator->metrics.http, exchange, (double)date / (double)NS_PER_S);
}

static int open_truth(struct simulator *simulator, struct error *err)
{
    const struct simulator_settings *settings = &simulator->settings;
    const struct truth_file_head head = {.model = settings->model, .preset = settings->preset, .time_scale = settings->time_scale,
                                         .started = simulator->started, .started_realtime = simulator->started_realtime};
    if (!settings->truth_file)
        return 0;
    simulator->truth.file = truth_file_new(settings->truth_file, &head, err);
    return simulator->truth.file ? 0 : -1;
}

struct simulator *simulator_new(const struct simulator_settings *settings, struct error *err)
{
    if (check_settings(settings, err) < 0)
        return NULL;
    struct simulator *simulator = mem_alloc(sizeof *simulator);
    simulator->settings = *settings;
    simulator->dialect = settings->dialect ? settings->dialect : &dialect_vllm;
    simulator->settings.scheduler.output_id = output_id;
    simulator->truth.request_ended = settings->request_ended;
    simulator->truth.context = settings->context;
    simulator->scratch = BUF_INIT(SCRATCH_MAX);
    simulator->model_json = BUF_INIT(SIMULATOR_BODY_MAX);
    simulator->intake_since = TIME_NEVER;
    simulator->started = now_of(simulator);
    simulator->started_realtime = clock_realtime(settings->clock);
    TAILQ_INIT(&simulator->open);
    TAILQ_INIT(&simulator->struck);
    simulator->faults = (struct fault_list){.seed = settings->seed, .time_scale = settings->time_scale};
    for (size_t k = 0; k < settings->fault_count; k++)
        fault_list_add(&simulator->faults, &settings->faults[k], simulator->started, NULL);
    json_append_quoted(&simulator->model_json, settings->model, strlen(settings->model));
    metrics_init(&simulator->metrics, settings->max_model_len);
    simulator->scheduler = scheduler_new(&simulator->settings.scheduler);
    struct httpd_settings httpd = {.listen = settings->listen, .body_max = SIMULATOR_BODY_MAX, .clock = settings->clock,
                                   .keep_alive_s = simulator->dialect->keep_alive_s,
                                   .keep_alive_requests = simulator->dialect->keep_alive_requests, .observer = count_exchange};
    simulator->httpd = httpd_new(&httpd, simulator_handle, simulator, err);
    if (!simulator->httpd) {
        simulator_free(simulator);
        return NULL;
    }
    simulator->step_timer = httpd_timer_new(simulator->httpd, step_timer_due, simulator);
    simulator->fault_timer = httpd_timer_new(simulator->httpd, simulator_fault_look, simulator);
    pace_init(simulator);
    if (open_truth(simulator, err) < 0) {
        simulator_free(simulator);
        return NULL;
    }
    return simulator;
}

static void stop_serving(struct simulator *simulator)
{
    httpd_timer_free(simulator->step_timer);
    httpd_timer_free(simulator->fault_timer);
    pace_free(simulator);
    httpd_free(simulator->httpd);
    simulator->step_timer = NULL;
    simulator->fault_timer = NULL;
    simulator->httpd = NULL;
}

int simulator_run(struct simulator *simulator, const stop_flag *stop, struct error *err)
{
    simulator_fault_look(simulator);
    int result = httpd_run(simulator->httpd, stop, err);
    if (result == 0 && simulator->fault_error.class)
        result = error_set(err, simulator->fault_error.class, "%s", simulator->fault_error.text);
    stop_serving(simulator); /* what is cut off belongs to the truth, too */
    struct truth_file *file = simulator->truth.file;
    struct error of_file;
    simulator->truth.file = NULL;
    return truth_file_close(file, result < 0 ? &of_file : err) < 0 ? -1 : result;
}

void simulator_free(struct simulator *simulator)
{
    if (!simulator)
        return;
    struct error ignored;
    stop_serving(simulator);
    truth_file_close(simulator->truth.file, &ignored);
    vocabulary_free(simulator->vocabulary);
    scheduler_free(simulator->scheduler);
    fault_list_clear(&simulator->faults);
    buf_free(&simulator->scratch);
    buf_free(&simulator->model_json);
    free(simulator);
}

const char *simulator_address(const struct simulator *simulator)
{
    return httpd_address(simulator->httpd);
}

int simulator_port(const struct simulator *simulator)
{
    return httpd_port(simulator->httpd);
}
