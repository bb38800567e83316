/* What the faults of faults.def do. A row's function is act_<identifier>; true: the request is taken over or ended.
 *
 * Whom a fault strikes for good leaves the engine; that may have to wait until the engine's step is over (simulator_fault_bury). */
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "serve/simulator_state.h"

#define PUMP_BYTES ((size_t)16 << 10)
#define PUMP_WRITES 16
#define PUMP_BACKLOG_MAX ((size_t)256 << 10)
#define PUMP_PAUSE NS_PER_MS
#define DATE_SIZE 40

struct strike {
    struct simulator *simulator;
    const struct fault *fault;
    struct httpd_request *request;
    struct answer *answer; /* NULL: the server, or a request that is not taken */
};

static int64_t now_of(const struct simulator *simulator)
{
    return clock_now(simulator->settings.clock);
}

static int64_t wall(const struct simulator *simulator, const struct fault *fault, enum fault_key key)
{
    return (int64_t)((double)fault_integer(fault, key) / simulator->settings.time_scale);
}

/* --- the end of an answer ------------------------------------------------------------------------ */

/* No token more, and no comment: also none that is in the line to be sent. */
static bool silence(struct answer *answer)
{
    pace_forget(answer);
    if (!answer->burying)
        TAILQ_INSERT_TAIL(&answer->simulator->struck, answer, struck_link);
    answer->burying = true;
    return true;
}

/* Its request has been ended. */
static bool cut(struct answer *answer)
{
    answer->request = NULL;
    answer->truth.struck = true;
    return silence(answer);
}

void simulator_fault_bury(struct simulator *simulator)
{
    struct answer *answer;
    while ((answer = TAILQ_FIRST(&simulator->struck))) {
        TAILQ_REMOVE(&simulator->struck, answer, struck_link);
        answer->burying = false;
        simulator_abort(answer);
        if (!answer->request)
            simulator_forget(answer);
    }
}

/* --- a request or its answer ---------------------------------------------------------------------- */

static bool act_status(const struct strike *strike)
{
    static const struct {
        int code;
        const char *type;
    } types[] = {{429, "Too Many Requests"}, {500, "Internal Server Error"}, {503, "Service Unavailable"}};
    int code = (int)fault_integer(strike->fault, FAULT_KEY_CODE);
    int64_t retry_after = fault_integer(strike->fault, FAULT_KEY_RETRY_AFTER);
    const char *type = code < 500 ? "Bad Request" : "Internal Server Error";
    struct buf *out = &strike->simulator->scratch;
    char seconds[24];
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
        if (types[k].code == code)
            type = types[k].type;
    if (retry_after >= 0) {
        snprintf(seconds, sizeof seconds, "%lld", (long long)retry_after);
        httpd_reply_header(strike->request, "retry-after", seconds);
    }
    buf_reset(out);
    simulator_error(strike->simulator, out, code, type, NULL, "The simulator was told to answer so (--fault %s).", strike->fault->text);
    strike->simulator->truth.refused++;
    simulator_reply_scratch(strike->simulator, strike->request, code);
    return true;
}

static void headers_due(void *context)
{
    simulator_begin(context);
}

static bool act_slow_headers(const struct strike *strike)
{
    struct answer *answer = strike->answer;
    answer->fault_timer = httpd_timer_new(strike->simulator->httpd, headers_due, answer);
    httpd_timer_set(answer->fault_timer, now_of(strike->simulator) + wall(strike->simulator, strike->fault, FAULT_KEY_DELAY));
    return true;
}

static bool act_no_usage(const struct strike *strike)
{
    strike->answer->task.include_usage = strike->answer->task.continuous_usage = false;
    return false;
}

static bool act_byte_by_byte(const struct strike *strike)
{
    httpd_stream_split(strike->request);
    return false;
}

static bool act_reset(const struct strike *strike)
{
    httpd_reset(strike->request);
    return cut(strike->answer);
}

static bool act_stall(const struct strike *strike)
{
    return silence(strike->answer);
}

static bool act_truncate(const struct strike *strike)
{
    httpd_close(strike->request);
    return cut(strike->answer);
}

static bool act_end_early(const struct strike *strike)
{
    httpd_stream_end(strike->request);
    return cut(strike->answer);
}

static void queue_text(const struct strike *strike, const char *text)
{
    httpd_stream_queue(strike->request, text, strlen(text));
}

static bool act_error_event(const struct strike *strike)
{
    queue_text(strike, "data: {\"error\": {\"message\": \"EngineCore encountered an issue. See stack trace (above) for the root "
                       "cause.\", \"type\": \"InternalServerError\", \"param\": null, \"code\": 500}}\n\n");
    queue_text(strike, strike->simulator->dialect->done);
    httpd_stream_end(strike->request);
    return cut(strike->answer);
}

static bool act_garbage(const struct strike *strike)
{
    static const char garbage[] = "data: {\"id\":\xff\xfe\x00\x1b\x80,]]\n\n";
    httpd_stream_send(strike->request, garbage, sizeof garbage - 1);
    return false;
}

static bool act_chunk_size(const struct strike *strike)
{
    static const char wrong[] = "no size\r\ndata: {}\n\n\r\n";
    httpd_stream_raw(strike->request, wrong, sizeof wrong - 1);
    httpd_close(strike->request);
    return cut(strike->answer);
}

static void pump(void *context)
{
    static const char filler[] = "................................................................";
    struct answer *answer = context;
    struct buf *out = &answer->simulator->scratch;
    buf_reset(out);
    while (out->len < PUMP_BYTES && (int64_t)out->len < answer->fault_bytes)
        buf_append(out, filler, sizeof filler - 1);
    for (int k = 0; k < PUMP_WRITES && answer->fault_bytes > 0 &&
                    httpd_stream_backlog(answer->request) < PUMP_BACKLOG_MAX; k++) {
        size_t length = (int64_t)out->len < answer->fault_bytes ? out->len : (size_t)answer->fault_bytes;
        httpd_stream_send(answer->request, out->data, length);
        answer->fault_bytes -= (int64_t)length;
    }
    if (answer->fault_bytes > 0) {
        httpd_timer_set(answer->fault_timer, now_of(answer->simulator) + PUMP_PAUSE);
        return;
    }
    httpd_close(answer->request);
    answer->request = NULL;
    answer->truth.struck = true;
    simulator_forget(answer);
}

static bool act_endless_line(const struct strike *strike)
{
    struct answer *answer = strike->answer;
    queue_text(strike, "data: ");
    answer->fault_bytes = fault_integer(strike->fault, FAULT_KEY_BYTES);
    answer->fault_timer = httpd_timer_new(strike->simulator->httpd, pump, answer);
    httpd_timer_set(answer->fault_timer, now_of(strike->simulator));
    return silence(answer);
}

static bool act_no_done(const struct strike *strike)
{
    httpd_stream_end(strike->request);
    return true;
}

static bool act_no_terminator(const struct strike *strike)
{
    queue_text(strike, strike->simulator->dialect->done);
    httpd_close(strike->request);
    return true;
}

/* --- the server ------------------------------------------------------------------------------------ */

static bool act_refuse(const struct strike *strike)
{
    (void)strike; /* simulator_fault_look closes the listener */
    return false;
}

static bool act_clock_skew(const struct strike *strike)
{
    char date[DATE_SIZE];
    struct tm parts;
    time_t seconds = (time_t)((clock_realtime(strike->simulator->settings.clock) + fault_integer(strike->fault, FAULT_KEY_BY)) / NS_PER_S);
    if (gmtime_r(&seconds, &parts) && strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0)
        httpd_reply_header(strike->request, "date", date);
    return false;
}

static void set_down(const struct strike *strike)
{
    struct simulator *simulator = strike->simulator;
    simulator->down_until = now_of(simulator) + wall(simulator, strike->fault, FAULT_KEY_DOWN);
    simulator->loading_until = simulator->down_until + wall(simulator, strike->fault, FAULT_KEY_LOADING);
}

/* The process is gone, and another one begins. */
static void replace_process(struct simulator *simulator)
{
    for (struct answer *answer = TAILQ_FIRST(&simulator->open); answer; answer = TAILQ_NEXT(answer, open)) {
        if (!answer->request)
            continue;
        httpd_reset(answer->request);
        cut(answer);
    }
    simulator_fault_bury(simulator);
    httpd_drop_idle(simulator->httpd, true);
    scheduler_free(simulator->scheduler);
    simulator->scheduler = scheduler_new(&simulator->settings.scheduler);
    metrics_init(&simulator->metrics, simulator->settings.max_model_len);
    simulator->started_realtime = clock_realtime(simulator->settings.clock);
    simulator->hangs = false;
}

static bool act_restart(const struct strike *strike)
{
    set_down(strike);
    replace_process(strike->simulator);
    return true;
}

static bool act_sigterm(const struct strike *strike)
{
    struct simulator *simulator = strike->simulator;
    set_down(strike);
    for (struct answer *answer = TAILQ_FIRST(&simulator->open); answer; answer = TAILQ_NEXT(answer, open)) {
        httpd_timer_free(answer->fault_timer);
        answer->fault_timer = NULL;
        silence(answer);
    }
    simulator_fault_bury(simulator);
    httpd_drop_idle(simulator->httpd, false);
    simulator->hangs = true;
    return true;
}

/* --- when they act ---------------------------------------------------------------------------------- */

static bool (*const acts[FAULT_KINDS])(const struct strike *strike) = {
#define FAULT(identifier_, name_, moment_, keys_, help_) [FAULT_##identifier_] = act_##identifier_,
#include "serve/faults.def"
#undef FAULT
};

static bool act(struct simulator *simulator, struct fault *fault, struct httpd_request *request, struct answer *answer)
{
    const struct strike strike = {.simulator = simulator, .fault = fault, .request = request, .answer = answer};
    fault->struck++;
    simulator->truth.faults[fault->kind]++;
    if (answer)
        answer->truth.fault = fault_name(fault->kind);
    return acts[fault->kind](&strike);
}

/* An answer suffers its fault once. */
static bool suffer(struct answer *answer)
{
    struct fault *fault = answer->fault;
    answer->fault = NULL;
    bool over = act(answer->simulator, fault, answer->request, answer);
    fault_let_go(fault);
    return over;
}

static bool is_sim(const char *path)
{
    return strncmp(path, "/sim/", 5) == 0;
}

bool simulator_fault_handle(struct simulator *simulator, struct httpd_request *request)
{
    struct fault_list *list = &simulator->faults;
    if (is_sim(httpd_path(request)))
        return false;
    if (!httpd_is_listening(simulator->httpd)) {
        httpd_reset(request); /* a connection from before */
        return true;
    }
    for (size_t k = 0; k < list->count; k++) {
        struct fault *fault = list->items[k];
        if (fault_moment(fault->kind) == FAULT_SERVER_REPLY && fault_is_open(list, fault, now_of(simulator))) {
            act(simulator, fault, request, NULL);
            break;
        }
    }
    return false;
}

bool simulator_fault_refuse(struct simulator *simulator, struct httpd_request *request, struct fault *fault)
{
    return fault_moment(fault->kind) == FAULT_REQUEST && act(simulator, fault, request, NULL);
}

bool simulator_fault_begin(struct answer *answer)
{
    struct fault *fault = answer->fault;
    struct simulator *simulator = answer->simulator;
    if (!fault)
        return false;
    switch (fault_moment(fault->kind)) {
    case FAULT_SERVER_EVENT:
        fault->fired = true;
        suffer(answer);
        simulator_fault_look(simulator);
        return true;
    case FAULT_CONNECTION:
        if (fault_integer(fault, FAULT_KEY_AFTER) > 0)
            return false;
        suffer(answer);
        simulator_fault_bury(simulator);
        return true;
    case FAULT_ANSWER:
    case FAULT_STREAM:
        return suffer(answer);
    default:
        return false;
    }
}

bool simulator_fault_sent(struct answer *answer)
{
    const struct fault *fault = answer->fault;
    if (!fault)
        return false;
    enum fault_moment moment = fault_moment(fault->kind);
    if (moment != FAULT_TOKEN && moment != FAULT_CONNECTION)
        return false;
    if (answer->truth.tokens < fault_integer(fault, FAULT_KEY_AFTER))
        return false;
    simulator_open_stream(answer);
    return suffer(answer);
}

bool simulator_fault_end(struct answer *answer)
{
    return answer->fault && fault_moment(answer->fault->kind) == FAULT_END && suffer(answer);
}

/* Is the listener to be closed now? Counts windows that open. */
static bool is_refusing(struct simulator *simulator, int64_t now)
{
    const struct fault_list *list = &simulator->faults;
    bool refusing = now < simulator->down_until;
    for (size_t k = 0; k < list->count; k++) {
        struct fault *fault = list->items[k];
        if (fault_moment(fault->kind) != FAULT_SERVER_WINDOW || !fault_is_open(list, fault, now))
            continue;
        refusing = true;
        if (!fault->fired)
            act(simulator, fault, NULL, NULL);
        fault->fired = true;
    }
    return refusing;
}

static void fire_timed(struct simulator *simulator, int64_t now)
{
    const struct fault_list *list = &simulator->faults;
    for (size_t k = 0; k < list->count; k++) {
        struct fault *fault = list->items[k];
        if (!fault_is_timed(fault) || fault->fired || !fault_is_open(list, fault, now))
            continue;
        fault->fired = true;
        act(simulator, fault, NULL, NULL);
    }
}

void simulator_fault_look(void *context)
{
    struct simulator *simulator = context;
    struct error err = {0};
    int64_t now = now_of(simulator);
    fire_timed(simulator, now);
    if (simulator->hangs && now >= simulator->down_until)
        replace_process(simulator);
    int result = is_refusing(simulator, now) ? httpd_refuse(simulator->httpd, &err) : httpd_listen_again(simulator->httpd, &err);
    if (result < 0) {
        simulator->fault_error = err;
        httpd_stop(simulator->httpd);
        return;
    }
    int64_t next = fault_list_next(&simulator->faults, now);
    if (now < simulator->down_until && simulator->down_until < next)
        next = simulator->down_until;
    if (next != TIME_FOREVER)
        httpd_timer_set(simulator->fault_timer, next);
}

/* --- /sim/fault --------------------------------------------------------------------------------------- */

static int parse_all(const json_t *texts, struct fault *faults, struct error *err)
{
    for (size_t k = 0; k < json_array_size(texts); k++) {
        const char *text = json_string_value(json_array_get(texts, k));
        if (!text)
            return error_set(err, ERROR_USAGE, "item %zu is no string", k);
        if (fault_parse(text, &faults[k], err) < 0)
            return -1;
    }
    return 0;
}

/* All or none. */
static int set_faults(struct simulator *simulator, const json_t *texts, bool replace, struct error *err)
{
    size_t count = json_array_size(texts);
    if (count + (replace ? 0 : simulator->faults.count) > FAULTS_MAX)
        return error_set(err, ERROR_USAGE, "more than %d faults", FAULTS_MAX);
    struct fault *faults = mem_calloc(count + 1, sizeof *faults);
    int result = parse_all(texts, faults, err);
    if (result == 0 && replace)
        fault_list_clear(&simulator->faults);
    for (size_t k = 0; result == 0 && k < count; k++)
        fault_list_add(&simulator->faults, &faults[k], now_of(simulator), err);
    free(faults);
    return result;
}

static int take_faults(struct simulator *simulator, struct httpd_request *request, bool replace, struct error *err)
{
    size_t length;
    const char *body = httpd_body(request, &length);
    json_t *texts = json_loadb(body, length, 0, NULL);
    int result = json_is_array(texts) ? set_faults(simulator, texts, replace, err)
                                      : error_set(err, ERROR_USAGE, "expected a JSON list of texts as --fault takes them");
    json_decref(texts);
    return result;
}

static void describe(struct simulator *simulator, struct httpd_request *request)
{
    json_t *document = json_object();
    json_set_text(document, "schema", "roibench/faults/v1");
    json_object_set_new(document, "faults", fault_list_describe(&simulator->faults));
    buf_reset(&simulator->scratch);
    json_append_compact(document, &simulator->scratch);
    json_decref(document);
    simulator_reply_scratch(simulator, request, 200);
}

void simulator_fault_api(struct simulator *simulator, struct httpd_request *request)
{
    struct error err;
    int result = 0;
    const char *method = httpd_method(request);
    if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        result = take_faults(simulator, request, method[1] == 'U', &err);
    } else if (strcmp(method, "DELETE") == 0) {
        fault_list_clear(&simulator->faults);
    } else if (strcmp(method, "GET") != 0) {
        httpd_reply_header(request, "allow", "GET, POST, PUT, DELETE");
        simulator_reply(simulator, request, 405, NULL, "", 0);
        return;
    }
    if (result < 0) {
        buf_reset(&simulator->scratch);
        simulator_error(simulator, &simulator->scratch, 400, "Bad Request", NULL, "%s", err.text);
        simulator_reply_scratch(simulator, request, 400);
        return;
    }
    simulator_fault_look(simulator);
    describe(simulator, request);
}
