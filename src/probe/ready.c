#include "probe/ready.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "probe/redirect.h"

#define PAUSE_FIRST_NS (100 * NS_PER_MS)
#define PAUSE_MAX_NS (5 * NS_PER_S)
#define TELL_EVERY_NS (10 * NS_PER_S)
#define TRY_TIMEOUT_NS (10 * NS_PER_S)
#define TRY_TIMEOUT_MIN_NS NS_PER_S
#define LIST_MAX ((size_t)1024)
#define LISTED_MAX ((size_t)20) /* models named in an error */

enum verdict { VERDICT_READY, VERDICT_MOVED, VERDICT_NOT_YET, VERDICT_NEVER };

static void list_models(const struct openai_models *models, struct buf *out)
{
    for (size_t k = 0; k < models->count && k < LISTED_MAX; k++)
        buf_printf(out, "%s%s", k ? ", " : "", models->ids[k]);
    if (models->count > LISTED_MAX)
        buf_printf(out, " and %zu more", models->count - LISTED_MAX);
}

/* One look at the target, at most `timeout_ns` long. */
struct look {
    struct probe *probe;
    const char *url, *model; /* model NULL: the only one */
    int64_t timeout_ns;
    struct openai_models *models;
    size_t *index;
};

/* The server is there, but says itself that it is not ready: its list may grow. */
static bool is_loading(const struct look *look)
{
    cleanup_free char *url = http_url_beside(look->probe->target, "/health");
    struct http_response response;
    bool loading = http_client_get(look->probe->client, url, look->timeout_ns, &response, NULL) == 0 && response.status == 503;
    http_response_free(&response);
    return loading;
}

static enum verdict choose(const struct look *look, struct error *err)
{
    const struct openai_models *models = look->models;
    cleanup_buf struct buf names = BUF_INIT(LIST_MAX);
    if (models->count == 0) {
        error_set(err, ERROR_TARGET, "%s: no model is loaded yet", look->url);
        return VERDICT_NOT_YET;
    }
    for (*look->index = 0; look->model && *look->index < models->count; ++*look->index)
        if (strcmp(models->ids[*look->index], look->model) == 0)
            return VERDICT_READY;
    list_models(models, &names);
    if (look->model) {
        error_set(err, ERROR_TARGET, "%s: there is no model '%s'; it has: %s", look->url, look->model, buf_text(&names));
        return is_loading(look) ? VERDICT_NOT_YET : VERDICT_NEVER;
    }
    *look->index = 0;
    if (models->count == 1)
        return VERDICT_READY;
    error_set(err, ERROR_USAGE, "%s: there are several models; choose one by --model: %s", look->url, buf_text(&names));
    return VERDICT_NEVER;
}

static enum verdict judge_status(const struct look *look, const struct http_response *response, struct error *err)
{
    int status = response->status;
    const char *target = look->probe->target;
    if (redirect_is(status))
        return redirect_follow(look->probe, look->url, response, err) < 0 ? VERDICT_NEVER : VERDICT_MOVED;
    if (status == 404 && !http_url_ends_in_v1(target)) {
        error_set(err, ERROR_TARGET, "%s: HTTP 404. Is %s/v1 the target?", look->url, target);
        return VERDICT_NEVER;
    }
    probe_refused("the list of models", look->url, response, err);
    return status == 404 || status == 429 || status >= 500 ? VERDICT_NOT_YET : VERDICT_NEVER;
}

static enum verdict judge_list(const struct look *look, const struct http_response *response, struct error *err)
{
    if (openai_models_read(buf_text(&response->body), response->body.len, look->models, err) < 0) {
        error_wrap(err, "%s", look->url);
        return VERDICT_NEVER;
    }
    enum verdict verdict = choose(look, err);
    if (verdict != VERDICT_READY)
        openai_models_free(look->models);
    return verdict;
}

static enum verdict try_once(const struct look *look, struct error *err)
{
    struct http_response response;
    enum verdict verdict;
    if (http_client_get(look->probe->client, look->url, look->timeout_ns, &response, err) < 0)
        verdict = response.trouble == HTTP_TLS || response.trouble == HTTP_LOCAL ? VERDICT_NEVER : VERDICT_NOT_YET;
    else
        verdict = response.status == 200 ? judge_list(look, &response, err) : judge_status(look, &response, err);
    http_response_free(&response);
    return verdict;
}

static int give_up(int tries, int64_t waited_ns, struct error *err)
{
    char last[ERROR_TEXT_MAX], waited[UNITS_TEXT_SIZE];
    snprintf(last, sizeof last, "%s", err->text);
    return error_set(err, ERROR_TARGET, "not ready: %.1500s (tried %d time%s in %s). Is the model's server up? --wait says how long to wait",
                     last, tries, tries == 1 ? "" : "s", units_format_duration(waited_ns, waited));
}

static int64_t try_timeout(int64_t left)
{
    return left < TRY_TIMEOUT_MIN_NS ? TRY_TIMEOUT_MIN_NS : left < TRY_TIMEOUT_NS ? left : TRY_TIMEOUT_NS;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): index is written through look */
int ready_wait(struct probe *probe, const char *model, int64_t wait_ns, struct openai_models *models, size_t *index,
               struct error *err)
{
    cleanup_free char *url = probe_url(probe, "/models");
    int64_t started = clock_now(probe->clock), end = started + wait_ns, pause = PAUSE_FIRST_NS, told = started;
    struct look look = {.probe = probe, .url = url, .model = model, .models = models, .index = index};
    struct error own = {.class = ERROR_NONE}; /* the caller may not care, but the last one is looked at here */
    err = err ? err : &own;
    for (int tries = 1;; tries++) {
        look.timeout_ns = try_timeout(end - clock_now(probe->clock));
        enum verdict verdict = try_once(&look, err);
        int64_t now = clock_now(probe->clock);
        if (verdict == VERDICT_MOVED) {
            log_info(probe->log, "%s is redirected: the target is %s", url, probe->target);
            free(url);
            look.url = url = probe_url(probe, "/models");
            continue;
        }
        if (verdict != VERDICT_NOT_YET)
            return verdict == VERDICT_READY ? 0 : -1;
        if (*probe->stop)
            return error_set(err, ERROR_TARGET, "stopped while waiting for %s", url);
        if (now >= end)
            return give_up(tries, now - started, err);
        if (now - told >= TELL_EVERY_NS || tries == 1) {
            char at_most[UNITS_TEXT_SIZE];
            log_info(probe->log, "waiting for the model, %lld s of %s: %s", (long long)((now - started) / NS_PER_S),
                     units_format_duration(wait_ns, at_most), err->text);
            told = now;
        }
        clock_sleep_until(probe->clock, now + pause < end ? now + pause : end);
        pause = pause * 2 < PAUSE_MAX_NS ? pause * 2 : PAUSE_MAX_NS;
    }
}
