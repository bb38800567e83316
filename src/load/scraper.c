#include "load/scraper.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/stop.h"
#include "record/record_writer.h"
#include "stats/server_data.h"
#include "wire/promtext.h"

#define SCRAPE_TIMEOUT_NS (10 * NS_PER_S)
#define SCRAPE_LINE_MAX ((size_t)8 << 20)
#define SETTLE_INTERVAL_NS (50 * NS_PER_MS)

/* One target, and the thread that looks at it. */
struct looking {
    struct scraper *scraper;
    char *url;
    size_t target;
    struct http_client *client;
    pthread_t thread;
    bool told;                  /* that /metrics is missing; of the thread alone, until it is joined */
    /* Guarded by the scraper's mutex: */
    uint64_t full_done;         /* scrapes of all series that were answered (or failed) */
    bool known, busy;           /* does the newest full scrape tell, and does the server still run or queue requests? */
    bool ever_known;            /* some scrape told */
    double waiting;             /* by the newest that told; NAN: none has */
};

struct scraper {
    struct scraper_settings settings;
    struct looking *lookings;   /* by target */
    size_t started;             /* of their threads */
    struct gzip_stream *stream;
    pthread_mutex_t writing;    /* guards the stream: held over a write, which may take long */
    pthread_mutex_t mutex;      /* guards what follows */
    pthread_cond_t changed;
    bool stopping;
    uint64_t full_asked;        /* scrapes of all series */
    struct scrapes queue;       /* with keeps_queue: of all targets together, the queue alone; wall time from the anchor */
    struct error failure;       /* of writing; the first */
    bool begun;                 /* the run's first level; of the engine's thread alone */
};

static bool ends_with(const char *name, size_t length, const char *ending)
{
    size_t ending_length = strlen(ending);
    return length >= ending_length && memcmp(name + length - ending_length, ending, ending_length) == 0;
}

static bool starts_with(const char *name, size_t length, const char *start)
{
    size_t start_length = strlen(start);
    return length >= start_length && memcmp(name, start, start_length) == 0;
}

bool scraper_keeps(const char *name, size_t length)
{
    static const char *const families[] = {"vllm:", "sglang:", "llamacpp:", "tgi_"};
    bool known = false;
    for (size_t k = 0; k < sizeof families / sizeof families[0]; k++)
        known = known || starts_with(name, length, families[k]);
    return known && (server_quantity_find(name, length) >= 0 || ends_with(name, length, "_sum") || ends_with(name, length, "_count") ||
                     ends_with(name, length, "_total"));
}

struct scrape_line {
    struct buf line;
    int64_t asked;
    bool full, known, queue_known, first;
    double running, waiting;
};

static void take_sample(void *context, const struct promtext_sample *sample)
{
    struct scrape_line *scrape = context;
    int quantity = server_quantity_find(sample->series, sample->name_length);
    if (quantity == SERVER_RUNNING) {
        scrape->running += sample->value;
        scrape->known = true;
    }
    if (quantity == SERVER_QUEUE) {
        scrape->waiting += sample->value;
        scrape->queue_known = true;
    }
    if (!scrape->full && !scraper_keeps(sample->series, sample->name_length))
        return;
    if (!scrape->first)
        buf_append_char(&scrape->line, ',');
    scrape->first = false;
    json_append_quoted(&scrape->line, sample->series, sample->series_length);
    if (isfinite(sample->value))
        buf_printf(&scrape->line, ":%.15g", sample->value);
    else
        buf_append_text(&scrape->line, ":null");
}

static void write_scrape(struct scraper *scraper, const struct buf *line)
{
    struct error err = {.class = ERROR_NONE};
    if (line->overflowed)
        return;
    pthread_mutex_lock(&scraper->writing);
    bool failed = gzip_stream_write(scraper->stream, line->data, line->len, &err) < 0 || gzip_stream_flush(scraper->stream, &err) < 0;
    pthread_mutex_unlock(&scraper->writing);
    pthread_mutex_lock(&scraper->mutex);
    if (failed && scraper->failure.class == ERROR_NONE)
        scraper->failure = err;
    pthread_mutex_unlock(&scraper->mutex);
}

static void tell_once(struct looking *looking, const char *what)
{
    if (!looking->told)
        log_warning(looking->scraper->settings.log, "%s: %s; queue depth and KV cache are unknown", looking->url, what);
    looking->told = true;
}

static bool was_stopped(const struct scraper *scraper)
{
    const stop_flag *stop = scraper->settings.net.stop;
    return stop && *stop;
}

/* One GET, one line. Fills scrape->known, running, waiting. */
static void scrape_once(struct looking *looking, struct scrape_line *scrape)
{
    struct http_response response;
    struct error err = {.class = ERROR_NONE};
    const struct scraper_settings *settings = &looking->scraper->settings;
    int64_t asked = clock_now(settings->clock);
    int status = http_client_get(looking->client, looking->url, SCRAPE_TIMEOUT_NS, &response, &err);
    int64_t took = clock_now(settings->clock) - asked;
    scrape->asked = asked - settings->anchor;
    if (status < 0) {
        if (response.trouble != HTTP_STOPPED)
            tell_once(looking, response.message);
    } else if (response.status != 200) {
        tell_once(looking, response.status == 404 ? "not found" : "no answer that can be used");
    } else {
        buf_printf(&scrape->line, "{\"t\":%lld,\"took\":%lld,", (long long)scrape->asked, (long long)took);
        if (settings->url_count > 1)
            buf_printf(&scrape->line, "\"target\":%zu,", looking->target);
        buf_printf(&scrape->line, "%s\"series\":{", scrape->full ? "\"extra\":true," : "");
        scrape->first = true;
        promtext_read(buf_text(&response.body), response.body.len, take_sample, scrape, NULL);
        buf_append_text(&scrape->line, "}}\n");
        write_scrape(looking->scraper, &scrape->line);
    }
    http_response_free(&response);
}

/* With the mutex held. The sum of what each told last; nothing as long as one has not told. */
static void keep_queue(struct scraper *scraper, int64_t asked, bool extra)
{
    double waiting = 0;
    for (size_t k = 0; k < scraper->settings.url_count; k++)
        waiting += scraper->lookings[k].waiting;
    if (!isnan(waiting))
        scrapes_add_queue(&scraper->queue, asked, extra, waiting);
}

static void do_scrape(struct looking *looking, bool full)
{
    struct scraper *scraper = looking->scraper;
    struct scrape_line scrape = {.line = BUF_INIT(SCRAPE_LINE_MAX), .full = full};
    pthread_mutex_lock(&scraper->mutex);
    uint64_t asked = scraper->full_asked;
    pthread_mutex_unlock(&scraper->mutex);
    scrape_once(looking, &scrape);
    buf_free(&scrape.line);
    pthread_mutex_lock(&scraper->mutex);
    looking->ever_known = looking->ever_known || scrape.known;
    if (scrape.queue_known)
        looking->waiting = scrape.waiting;
    if (scraper->settings.keeps_queue && scrape.queue_known)
        keep_queue(scraper, scrape.asked, full);
    if (full) {
        looking->full_done = asked;
        looking->known = scrape.known;
        looking->busy = scrape.running > 0 || scrape.waiting > 0;
        pthread_cond_broadcast(&scraper->changed);
    }
    pthread_mutex_unlock(&scraper->mutex);
}

/* With the mutex held: waits for a change, at most until `deadline`. */
static void wait_until(struct scraper *scraper, int64_t deadline)
{
    struct timespec until = {.tv_sec = deadline / NS_PER_S, .tv_nsec = deadline % NS_PER_S};
    pthread_cond_timedwait(&scraper->changed, &scraper->mutex, &until);
}

static void *scraper_main(void *context)
{
    struct looking *looking = context;
    struct scraper *scraper = looking->scraper;
    const struct scraper_settings *settings = &scraper->settings;
    int64_t next = clock_now(settings->clock) + settings->interval_ns;
    for (;;) {
        pthread_mutex_lock(&scraper->mutex);
        while (!scraper->stopping && scraper->full_asked == looking->full_done && clock_now(settings->clock) < next)
            wait_until(scraper, next);
        bool stopping = scraper->stopping, full = scraper->full_asked != looking->full_done;
        pthread_mutex_unlock(&scraper->mutex);
        if (stopping)
            return NULL;
        do_scrape(looking, full);
        int64_t now = clock_now(settings->clock);
        while (next <= now)
            next += settings->interval_ns;
    }
}

/* Of all targets, with the mutex held. */
static bool are_done(const struct scraper *scraper, uint64_t wanted)
{
    for (size_t k = 0; k < scraper->settings.url_count; k++)
        if (scraper->lookings[k].full_done < wanted)
            return false;
    return true;
}

/* Asks for a scrape of all series and waits for it, at most so long. False: one is still under way. */
static bool scrape_all(struct scraper *scraper, int64_t patience_ns)
{
    int64_t deadline = clock_now(scraper->settings.clock) + patience_ns;
    pthread_mutex_lock(&scraper->mutex);
    uint64_t wanted = ++scraper->full_asked;
    pthread_cond_broadcast(&scraper->changed);
    while (!are_done(scraper, wanted) && clock_now(scraper->settings.clock) < deadline)
        wait_until(scraper, deadline);
    bool done = are_done(scraper, wanted);
    pthread_mutex_unlock(&scraper->mutex);
    return done;
}

/* What the targets say together: of several, only those count that ever told. */
struct state {
    bool known, busy, ever_known;
};

static struct state look(struct scraper *scraper)
{
    struct state state = {.known = true};
    pthread_mutex_lock(&scraper->mutex);
    for (size_t k = 0; k < scraper->settings.url_count; k++) {
        const struct looking *looking = &scraper->lookings[k];
        state.ever_known = state.ever_known || looking->ever_known;
        state.known = state.known && (looking->known || !looking->ever_known);
        state.busy = state.busy || (looking->ever_known && looking->busy);
    }
    pthread_mutex_unlock(&scraper->mutex);
    state.known = state.known && state.ever_known;
    return state;
}

void scraper_level_start(void *scraper_pointer)
{
    struct scraper *scraper = scraper_pointer;
    bool patient = scraper->begun && look(scraper).ever_known;
    scraper->begun = true;
    scrape_all(scraper, patient ? SCRAPE_TIMEOUT_NS : SCRAPER_FIRST_PATIENCE_NS);
}

int scraper_level_end(void *scraper_pointer, int64_t deadline)
{
    struct scraper *scraper = scraper_pointer;
    const struct clock *clock = scraper->settings.clock;
    bool seen_busy = false;
    for (;;) {
        bool done = scrape_all(scraper, SCRAPE_TIMEOUT_NS);
        struct state state = look(scraper);
        bool known = done && state.known;
        if (known && !state.busy)
            return 1;
        seen_busy = seen_busy || known;
        if (!state.ever_known || was_stopped(scraper))
            return -1;
        int64_t now = clock_now(clock);
        if (now >= deadline)
            return seen_busy ? 0 : -1;
        clock_sleep_until(clock, now + SETTLE_INTERVAL_NS);
    }
}

double scraper_queue_share(void *scraper_pointer, int64_t from, int64_t to)
{
    struct scraper *scraper = scraper_pointer;
    pthread_mutex_lock(&scraper->mutex);
    scrapes_sort(&scraper->queue);
    double share = scrapes_gauge(&scraper->queue, SERVER_QUEUE, from, to, 0).share_above;
    pthread_mutex_unlock(&scraper->mutex);
    return share;
}

static int start_looking(struct scraper *scraper, size_t target, const char *url, struct error *err)
{
    struct looking *looking = &scraper->lookings[target];
    *looking = (struct looking){.scraper = scraper, .url = mem_strdup(url), .target = target, .waiting = NAN};
    looking->client = http_client_new(&scraper->settings.net, err);
    if (!looking->client)
        return -1;
    int status = pthread_create(&looking->thread, NULL, scraper_main, looking);
    if (status != 0)
        return error_set_errno(err, ERROR_INTERNAL, status, "cannot start the thread that reads /metrics");
    scraper->started++;
    return 0;
}

/* Ends the threads that were started, and frees all but the stream. */
static void end_lookings(struct scraper *scraper)
{
    pthread_mutex_lock(&scraper->mutex);
    scraper->stopping = true;
    pthread_cond_broadcast(&scraper->changed);
    pthread_mutex_unlock(&scraper->mutex);
    for (size_t k = 0; k < scraper->settings.url_count; k++) {
        struct looking *looking = &scraper->lookings[k];
        bool runs = k < scraper->started;
        pthread_mutex_lock(&scraper->mutex);
        bool owed = looking->full_done < scraper->full_asked;
        pthread_mutex_unlock(&scraper->mutex);
        if (runs) {
            http_client_abort(looking->client);
            pthread_join(looking->thread, NULL);
        }
        if (runs && owed && !was_stopped(scraper))
            tell_once(looking, "no answer until the run ended");
        http_client_free(looking->client);
        free(looking->url);
    }
    free(scraper->lookings);
    scrapes_free(&scraper->queue);
    pthread_cond_destroy(&scraper->changed);
    pthread_mutex_destroy(&scraper->mutex);
    pthread_mutex_destroy(&scraper->writing);
}

struct scraper *scraper_new(const struct scraper_settings *settings, struct error *err)
{
    struct scraper *scraper = mem_alloc(sizeof *scraper);
    scraper->settings = *settings;
    scraper->settings.urls = NULL; /* copied here, */
    scraper->settings.path = NULL; /* and opened here: not needed later */
    if (scraper->settings.interval_ns < SCRAPER_INTERVAL_MIN_NS)
        scraper->settings.interval_ns = SCRAPER_INTERVAL_MIN_NS;
    scraper->lookings = mem_calloc(settings->url_count, sizeof *scraper->lookings);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&scraper->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&scraper->mutex, NULL);
    pthread_mutex_init(&scraper->writing, NULL);
    scraper->stream = gzip_stream_open(settings->path, err);
    bool ready = scraper->stream != NULL;
    for (size_t k = 0; ready && k < settings->url_count; k++)
        ready = start_looking(scraper, k, settings->urls[k], err) == 0;
    if (ready)
        return scraper;
    end_lookings(scraper);
    if (scraper->stream)
        gzip_stream_close(scraper->stream, NULL);
    free(scraper);
    return NULL;
}

int scraper_free(struct scraper *scraper, struct error *err)
{
    if (!scraper)
        return 0;
    end_lookings(scraper);
    struct error close_error = {.class = ERROR_NONE};
    gzip_stream_close(scraper->stream, &close_error);
    const struct error *first = scraper->failure.class != ERROR_NONE ? &scraper->failure : &close_error;
    int status = first->class == ERROR_NONE ? 0 : -1;
    if (status < 0 && err)
        *err = *first;
    free(scraper);
    return status;
}
