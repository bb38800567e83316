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

struct scraper {
    struct scraper_settings settings;
    char *url;
    struct http_client *client;
    struct gzip_stream *stream;
    pthread_t thread;
    pthread_mutex_t mutex;      /* guards what follows */
    pthread_cond_t changed;
    bool stopping;
    uint64_t full_asked, full_done; /* scrapes of all series: asked for, and answered (or failed) */
    bool known, busy;           /* does the newest full scrape tell, and does the server still run or queue requests? */
    bool ever_known;            /* some scrape told */
    struct scrapes queue;       /* with keeps_queue: of all scrapes that told, the queue alone; wall time from the anchor */
    struct error failure;       /* of writing; the first */
    bool told;                  /* that /metrics is missing */
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
    if (gzip_stream_write(scraper->stream, line->data, line->len, &err) < 0 || gzip_stream_flush(scraper->stream, &err) < 0) {
        pthread_mutex_lock(&scraper->mutex);
        if (scraper->failure.class == ERROR_NONE)
            scraper->failure = err;
        pthread_mutex_unlock(&scraper->mutex);
    }
}

static void tell_once(struct scraper *scraper, const char *what)
{
    if (!scraper->told)
        log_warning(scraper->settings.log, "%s: %s; queue depth and KV cache are unknown", scraper->settings.url, what);
    scraper->told = true;
}

static bool was_stopped(const struct scraper *scraper)
{
    const stop_flag *stop = scraper->settings.net.stop;
    return stop && *stop;
}

/* One GET, one line. Fills scrape->known, running, waiting. */
static void scrape_once(struct scraper *scraper, struct scrape_line *scrape)
{
    struct http_response response;
    struct error err = {.class = ERROR_NONE};
    const struct scraper_settings *settings = &scraper->settings;
    int64_t asked = clock_now(settings->clock);
    int status = http_client_get(scraper->client, settings->url, SCRAPE_TIMEOUT_NS, &response, &err);
    int64_t took = clock_now(settings->clock) - asked;
    scrape->asked = asked - settings->anchor;
    if (status < 0) {
        if (response.trouble != HTTP_STOPPED)
            tell_once(scraper, response.message);
    } else if (response.status != 200) {
        tell_once(scraper, response.status == 404 ? "not found" : "no answer that can be used");
    } else {
        buf_printf(&scrape->line, "{\"t\":%lld,\"took\":%lld,%s\"series\":{", (long long)scrape->asked, (long long)took,
                   scrape->full ? "\"extra\":true," : "");
        scrape->first = true;
        promtext_read(buf_text(&response.body), response.body.len, take_sample, scrape, NULL);
        buf_append_text(&scrape->line, "}}\n");
        write_scrape(scraper, &scrape->line);
    }
    http_response_free(&response);
}

static void do_scrape(struct scraper *scraper, bool full)
{
    struct scrape_line scrape = {.line = BUF_INIT(SCRAPE_LINE_MAX), .full = full};
    pthread_mutex_lock(&scraper->mutex);
    uint64_t asked = scraper->full_asked;
    pthread_mutex_unlock(&scraper->mutex);
    scrape_once(scraper, &scrape);
    buf_free(&scrape.line);
    pthread_mutex_lock(&scraper->mutex);
    scraper->ever_known = scraper->ever_known || scrape.known;
    if (scraper->settings.keeps_queue && scrape.queue_known)
        scrapes_add_queue(&scraper->queue, scrape.asked, full, scrape.waiting);
    if (full) {
        scraper->full_done = asked;
        scraper->known = scrape.known;
        scraper->busy = scrape.running > 0 || scrape.waiting > 0;
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
    struct scraper *scraper = context;
    const struct scraper_settings *settings = &scraper->settings;
    int64_t next = clock_now(settings->clock) + settings->interval_ns;
    for (;;) {
        pthread_mutex_lock(&scraper->mutex);
        while (!scraper->stopping && scraper->full_asked == scraper->full_done && clock_now(settings->clock) < next)
            wait_until(scraper, next);
        bool stopping = scraper->stopping, full = scraper->full_asked != scraper->full_done;
        pthread_mutex_unlock(&scraper->mutex);
        if (stopping)
            return NULL;
        do_scrape(scraper, full);
        int64_t now = clock_now(settings->clock);
        while (next <= now)
            next += settings->interval_ns;
    }
}

/* Asks for a scrape of all series and waits for it, at most so long. False: it is still under way. */
static bool scrape_all(struct scraper *scraper, int64_t patience_ns)
{
    int64_t deadline = clock_now(scraper->settings.clock) + patience_ns;
    pthread_mutex_lock(&scraper->mutex);
    uint64_t wanted = ++scraper->full_asked;
    pthread_cond_broadcast(&scraper->changed);
    while (scraper->full_done < wanted && clock_now(scraper->settings.clock) < deadline)
        wait_until(scraper, deadline);
    bool done = scraper->full_done >= wanted;
    pthread_mutex_unlock(&scraper->mutex);
    return done;
}

void scraper_level_start(void *scraper_pointer)
{
    struct scraper *scraper = scraper_pointer;
    pthread_mutex_lock(&scraper->mutex);
    bool patient = scraper->begun && scraper->ever_known;
    pthread_mutex_unlock(&scraper->mutex);
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
        pthread_mutex_lock(&scraper->mutex);
        bool known = done && scraper->known, busy = scraper->busy, ever_known = scraper->ever_known;
        pthread_mutex_unlock(&scraper->mutex);
        if (known && !busy)
            return 1;
        seen_busy = seen_busy || known;
        if (!ever_known || was_stopped(scraper))
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

struct scraper *scraper_new(const struct scraper_settings *settings, struct error *err)
{
    struct scraper *scraper = mem_alloc(sizeof *scraper);
    scraper->settings = *settings;
    scraper->settings.url = scraper->url = mem_strdup(settings->url);
    scraper->settings.path = NULL; /* opened here, not needed later */
    if (scraper->settings.interval_ns < SCRAPER_INTERVAL_MIN_NS)
        scraper->settings.interval_ns = SCRAPER_INTERVAL_MIN_NS;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&scraper->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&scraper->mutex, NULL);
    scraper->client = http_client_new(&settings->net, err);
    scraper->stream = scraper->client ? gzip_stream_open(settings->path, err) : NULL;
    int status = scraper->stream ? pthread_create(&scraper->thread, NULL, scraper_main, scraper) : 0;
    if (scraper->stream && status == 0)
        return scraper;
    if (scraper->stream) {
        gzip_stream_close(scraper->stream, NULL);
        error_set_errno(err, ERROR_INTERNAL, status, "cannot start the thread that reads /metrics");
    }
    http_client_free(scraper->client);
    free(scraper->url);
    free(scraper);
    return NULL;
}

int scraper_free(struct scraper *scraper, struct error *err)
{
    if (!scraper)
        return 0;
    pthread_mutex_lock(&scraper->mutex);
    scraper->stopping = true;
    bool owed = scraper->full_done < scraper->full_asked;
    pthread_cond_broadcast(&scraper->changed);
    pthread_mutex_unlock(&scraper->mutex);
    http_client_abort(scraper->client);
    pthread_join(scraper->thread, NULL);
    if (owed && !was_stopped(scraper))
        tell_once(scraper, "no answer until the run ended");
    struct error close_error = {.class = ERROR_NONE};
    gzip_stream_close(scraper->stream, &close_error);
    struct error *first = scraper->failure.class != ERROR_NONE ? &scraper->failure : &close_error;
    int status = first->class == ERROR_NONE ? 0 : -1;
    if (status < 0 && err)
        *err = *first;
    scrapes_free(&scraper->queue);
    http_client_free(scraper->client);
    pthread_cond_destroy(&scraper->changed);
    pthread_mutex_destroy(&scraper->mutex);
    free(scraper->url);
    free(scraper);
    return status;
}
