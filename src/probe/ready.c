#include "probe/ready.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"

#define PAUSE_FIRST_NS (100 * NS_PER_MS)
#define PAUSE_MAX_NS (5 * NS_PER_S)
#define TELL_EVERY_NS (10 * NS_PER_S)
#define TRY_TIMEOUT_NS (10 * NS_PER_S)
#define LIST_MAX ((size_t)1024)

enum verdict { VERDICT_READY, VERDICT_NOT_YET, VERDICT_NEVER };

static void list_models(const struct openai_models *models, struct buf *out)
{
    for (size_t k = 0; k < models->count; k++)
        buf_printf(out, "%s%s", k ? ", " : "", models->ids[k]);
}

static enum verdict choose(const char *url, const char *model, const struct openai_models *models, size_t *index, struct error *err)
{
    cleanup_buf struct buf names = BUF_INIT(LIST_MAX);
    if (models->count == 0) {
        error_set(err, ERROR_TARGET, "%s: no model is loaded yet", url);
        return VERDICT_NOT_YET;
    }
    for (*index = 0; model && *index < models->count; ++*index)
        if (strcmp(models->ids[*index], model) == 0)
            return VERDICT_READY;
    list_models(models, &names);
    if (model) {
        error_set(err, ERROR_TARGET, "%s: there is no model '%s'; it has: %s", url, model, buf_text(&names));
        return VERDICT_NEVER;
    }
    *index = 0;
    if (models->count == 1)
        return VERDICT_READY;
    error_set(err, ERROR_USAGE, "%s: there are several models; choose one by --model: %s", url, buf_text(&names));
    return VERDICT_NEVER;
}

static enum verdict judge_status(const char *url, const struct http_response *response, struct error *err)
{
    int status = response->status;
    probe_refused("the list of models", url, response, err);
    return status == 404 || status == 429 || status >= 500 ? VERDICT_NOT_YET : VERDICT_NEVER;
}

static enum verdict try_once(const struct probe *probe, const char *url, const char *model, struct openai_models *models,
                             size_t *index, struct error *err)
{
    struct http_response response;
    enum verdict verdict;
    if (http_client_get(probe->client, url, TRY_TIMEOUT_NS, &response, err) < 0)
        verdict = response.trouble == HTTP_TLS || response.trouble == HTTP_LOCAL ? VERDICT_NEVER : VERDICT_NOT_YET;
    else if (response.status != 200)
        verdict = judge_status(url, &response, err);
    else if (openai_models_read(buf_text(&response.body), response.body.len, models, err) < 0) {
        error_wrap(err, "%s", url);
        err->class = ERROR_TARGET;
        verdict = VERDICT_NEVER;
    } else {
        verdict = choose(url, model, models, index, err);
        if (verdict != VERDICT_READY)
            openai_models_free(models);
    }
    http_response_free(&response);
    return verdict;
}

int ready_wait(const struct probe *probe, const char *model, int64_t wait_ns, struct openai_models *models, size_t *index,
               struct error *err)
{
    cleanup_free char *url = probe_url(probe, "/models");
    int64_t started = clock_now(probe->clock), pause = PAUSE_FIRST_NS, told = started;
    char waited[UNITS_TEXT_SIZE];
    for (int tries = 1;; tries++) {
        enum verdict verdict = try_once(probe, url, model, models, index, err);
        int64_t now = clock_now(probe->clock);
        if (verdict == VERDICT_READY)
            return 0;
        if (verdict == VERDICT_NEVER)
            return -1;
        if (*probe->stop)
            return error_set(err, ERROR_TARGET, "stopped while waiting for %s", url);
        if (now - started >= wait_ns) {
            char last[ERROR_TEXT_MAX];
            snprintf(last, sizeof last, "%s", err->text);
            return error_set(err, ERROR_TARGET, "not ready: %.1500s (tried %d time%s in %s). Is the model's server up? --wait says how "
                             "long to wait", last, tries, tries == 1 ? "" : "s", units_format_duration(now - started, waited));
        }
        if (now - told >= TELL_EVERY_NS || tries == 1) {
            log_info(probe->log, "waiting for the model: %s", err->text);
            told = now;
        }
        int64_t until = now + pause < started + wait_ns ? now + pause : started + wait_ns;
        clock_sleep_until(probe->clock, until);
        pause = pause * 2 < PAUSE_MAX_NS ? pause * 2 : PAUSE_MAX_NS;
    }
}
