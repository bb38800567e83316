#include "cmd/roibench/summarize_prometheus.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "record/gpu_file.h"
#include "record/run_span.h"
#include "wire/prometheus_api.h"

#define TIMEOUT_NS (60 * NS_PER_S)
#define PIECE_NS (1800 * NS_PER_S)  /* of one query */
#define MARGIN_NS (300 * NS_PER_S)  /* before and after the run: a counter is interpolated between the scrapes around a window */
#define CLOCKS_APART_MAX_NS (3 * NS_PER_S)
#define TOKEN_MAX ((size_t)64 << 10)
#define URL_MAX ((size_t)16 << 10)
#define SPAN_MAX_NS (30 * 86400 * NS_PER_S)

/* NVIDIA's dcgm-exporter, its default counters (MEMORY_ACTIVE and ENERGY are left out by some). */
static const struct {
    const char *name;
    enum gpu_quantity quantity;
    double scale;
} counters[] = {
    {"DCGM_FI_DEV_GPU_UTIL", GPU_UTILIZATION, 0.01},             /* % */
    {"DCGM_FI_PROF_DRAM_ACTIVE", GPU_MEMORY_ACTIVE, 1},
    {"DCGM_FI_DEV_FB_USED", GPU_MEMORY_USED, 1048576},           /* MiB */
    {"DCGM_FI_DEV_FB_FREE", GPU_MEMORY_FREE, 1048576},
    {"DCGM_FI_DEV_POWER_USAGE", GPU_POWER, 1},                   /* W */
    {"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", GPU_ENERGY, 0.001}, /* mJ */
};
#define COUNTERS (sizeof counters / sizeof counters[0])

struct asking {
    const struct app *app;
    const char *url, *selector; /* selector: "" none */
    struct http_client *client;
    const struct plan *plan;
    const struct kubernetes_facts *pods; /* whose GPUs count; NULL: all */
    struct run_span span;
    size_t counter;
    struct gpu_samples samples; /* of the run that is looked at */
    size_t others;              /* series of GPUs that are not the pods' */
    bool clocks_told;
};

/* ---- which GPUs ---- */

/* The exporter's own pod is `pod` where the scrape did not keep its labels; the model's is exported_pod then. */
static bool is_of_pods(const struct kubernetes_facts *pods, const json_t *labels)
{
    const char *exported = prometheus_label(labels, "exported_pod"), *pod = exported[0] ? exported : prometheus_label(labels, "pod");
    const char *space = prometheus_label(labels, exported[0] ? "exported_namespace" : "namespace");
    if (space[0] && strcmp(space, pods->namespace) != 0)
        return false;
    for (size_t k = 0; k < pods->pod_count; k++)
        if (strcmp(pods->pods[k].name, pod) == 0)
            return true;
    return false;
}

/* A slice of a GPU (MIG) is one of its own. */
static const char *name_gpu(const json_t *labels, char name[GPU_TEXT_SIZE])
{
    const char *uuid = prometheus_label(labels, "UUID"), *slice = prometheus_label(labels, "GPU_I_ID");
    if (uuid[0])
        snprintf(name, GPU_TEXT_SIZE, "%s%s%s", uuid, slice[0] ? "/" : "", slice);
    else
        snprintf(name, GPU_TEXT_SIZE, "%s:%s", prometheus_label(labels, "Hostname"), prometheus_label(labels, "gpu"));
    return name;
}

static void take_series(void *context, const json_t *labels, const struct prometheus_sample *samples, size_t count)
{
    struct asking *asking = context;
    char name[GPU_TEXT_SIZE];
    if (asking->pods && !is_of_pods(asking->pods, labels)) {
        asking->others++;
        return;
    }
    struct gpu_series *series = gpu_samples_series(&asking->samples, name_gpu(labels, name), prometheus_label(labels, "modelName"),
                                                   counters[asking->counter].quantity);
    for (size_t k = 0; series && k < count; k++)
        gpu_series_add(series, samples[k].realtime_ns - asking->span.anchor_realtime_ns, samples[k].value * counters[asking->counter].scale);
}

/* ---- asking ---- */

/* Its samples are dated by its clock, the levels by ours. */
static void check_clocks(struct asking *asking, const struct http_response *response)
{
    int64_t apart = response->date_ns == TIME_NEVER ? 0 : response->date_ns - clock_realtime(asking->app->clock);
    if (asking->clocks_told || (apart < CLOCKS_APART_MAX_NS && apart > -CLOCKS_APART_MAX_NS))
        return;
    log_warning(&asking->app->log, "the clock of %s is %.0f s %s: GPU facts may be of other times than the levels", asking->url,
                (double)(apart < 0 ? -apart : apart) / 1e9, apart < 0 ? "behind" : "ahead");
    asking->clocks_told = true;
}

static int ask(struct asking *asking, const char *expression, int64_t realtime_ns, struct error *err)
{
    cleanup_buf struct buf url = BUF_INIT(URL_MAX);
    struct http_response response;
    prometheus_query_url(&url, asking->url, expression, realtime_ns);
    if (url.overflowed)
        return error_set(err, ERROR_TARGET, "the selector is too long");
    int status = http_client_get(asking->client, buf_text(&url), TIMEOUT_NS, &response, err);
    if (status == 0) {
        check_clocks(asking, &response);
        /* An error has a body that says why, but not from a proxy. */
        bool own = response.status == 200 || response.status == 400 || response.status == 422 || response.status == 503;
        status = own ? prometheus_read_matrix(buf_text(&response.body), response.body.len, take_series, asking, err)
                     : error_set(err, ERROR_TARGET, "HTTP status %d", response.status);
    }
    http_response_free(&response);
    return status;
}

static int ask_piece(struct asking *asking, int64_t from, int64_t to, struct error *err)
{
    for (asking->counter = 0; asking->counter < COUNTERS; asking->counter++) {
        cleanup_free char *expression = mem_printf("%s{%s}[%llds]", counters[asking->counter].name, asking->selector,
                                                   (long long)((to - from + NS_PER_S - 1) / NS_PER_S));
        if (ask(asking, expression, to, err) < 0)
            return -1;
    }
    return 0;
}

static int ask_all(struct asking *asking, struct error *err)
{
    int64_t from = asking->span.from_realtime_ns - MARGIN_NS, to = asking->span.to_realtime_ns + MARGIN_NS, now = clock_realtime(asking->app->clock);
    if (to > now)
        to = now;
    if (to - from > SPAN_MAX_NS)
        return error_set(err, ERROR_TARGET, "the run lasted longer than 30 days");
    for (int64_t at = from; at < to; at += PIECE_NS)
        if (ask_piece(asking, at, at + PIECE_NS < to ? at + PIECE_NS : to, err) < 0)
            return -1;
    gpu_samples_sort(&asking->samples);
    return 0;
}

/* ---- a run ---- */

/* Without pods and selector, all that Prometheus knows are the deployment's only if they are as many. */
static bool may_be_all(const struct asking *asking)
{
    size_t known = gpu_samples_gpus(&asking->samples);
    int64_t told = asking->plan->deployment.gpus;
    if (asking->pods || asking->selector[0] || told <= 0 || (size_t)told == known)
        return true;
    log_warning(&asking->app->log, "%s knows %zu GPUs and the deployment has %lld: --prometheus-selector says which; %s has no GPU facts", asking->url, known,
                (long long)told, asking->plan->run_id);
    return false;
}

static void tell_none(const struct asking *asking)
{
    if (asking->others > 0)
        log_warning(&asking->app->log, "%s: none of the GPUs there has a label of the model's pods: --prometheus-selector says which; %s has no GPU facts", asking->url,
                    asking->plan->run_id);
    else
        log_warning(&asking->app->log, "%s has no samples of DCGM%s for the time of %s: it has no GPU facts", asking->url,
                    asking->selector[0] ? " with these labels" : "", asking->plan->run_id);
}

static int keep(struct asking *asking, const char *folder, struct error *err)
{
    cleanup_free char *redacted = http_url_redacted(asking->url);
    struct gpu_samples *samples = &asking->samples;
    snprintf(samples->source, sizeof samples->source, "%s", redacted);
    snprintf(samples->selector, sizeof samples->selector, "%s", asking->selector);
    if (gpu_file_write(folder, samples, err) < 0)
        return -1;
    log_info(&asking->app->log, "%s: %zu GPUs of %s", folder, gpu_samples_gpus(samples), redacted);
    return command_manifest(asking->app, folder, "gpus", samples->asked_realtime_ns, 0, NULL, err);
}

static void look_at_run(struct asking *asking, const char *folder)
{
    struct error err = {.class = ERROR_NONE};
    const struct kubernetes_facts *facts = asking->plan->kubernetes;
    asking->samples = (struct gpu_samples){.asked_realtime_ns = clock_realtime(asking->app->clock)};
    asking->others = 0;
    asking->pods = facts && facts->pod_count > 0 && !asking->selector[0] ? facts : NULL;
    if (run_span_read(folder, &asking->span, &err) < 0)
        log_warning(&asking->app->log, "%s; it has no GPU facts", err.text);
    else if (ask_all(asking, &err) < 0)
        log_warning(&asking->app->log, "--prometheus %s: %s; %s has no GPU facts", asking->url, err.text, asking->plan->run_id);
    else if (asking->samples.count == 0)
        tell_none(asking);
    else if (may_be_all(asking) && keep(asking, folder, &err) < 0)
        log_warning(&asking->app->log, "GPU facts could not be kept: %s", err.text);
    gpu_samples_free(&asking->samples);
}

/* ---- options ---- */

int summarize_prometheus_check(const struct options *options, struct error *err)
{
    static const char *const others[] = {"prometheus-selector", "prometheus-token-file", "prometheus-cacert"};
    const char *url = options_text(options, "prometheus"), *selector = options_text(options, "prometheus-selector");
    for (size_t k = 0; !url && k < sizeof others / sizeof others[0]; k++)
        if (options_source(options, others[k]) == OPTION_ARGV)
            return error_set(err, ERROR_USAGE, "--%s says nothing without --prometheus", others[k]);
    if (url && http_url_check(url, err) < 0)
        return error_wrap(err, "--prometheus");
    if (selector && prometheus_selector_check(selector, err) < 0)
        return error_wrap(err, "--prometheus-selector");
    return 0;
}

static int read_token(const char *path, char **token, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(TOKEN_MAX);
    if (!path)
        return 0;
    if (file_read(path, &text, ERROR_USAGE, err) < 0)
        return error_wrap(err, "--prometheus-token-file");
    while (text.len > 0 && isspace((unsigned char)text.data[text.len - 1]))
        text.data[--text.len] = '\0';
    if (text.len == 0)
        return error_set(err, ERROR_USAGE, "--prometheus-token-file: %s is empty", path);
    *token = buf_steal(&text);
    return 0;
}

int summarize_prometheus(const struct app *app, const struct options *options, char *const *folders, struct plan *const *plans, size_t count,
                         struct error *err)
{
    cleanup_free char *token = NULL;
    const char *selector = options_text(options, "prometheus-selector");
    struct asking asking = {.app = app, .url = options_text(options, "prometheus"), .selector = selector ? selector : ""};
    if (!asking.url)
        return 0;
    if (read_token(options_text(options, "prometheus-token-file"), &token, err) < 0)
        return -1;
    struct net_settings settings = {
        .ca_file = options_text(options, "prometheus-cacert"), .ca_environment = getenv("SSL_CERT_FILE"), .api_key = token, .stop = app->stop};
    asking.client = http_client_new(&settings, err);
    if (!asking.client)
        return error_reclass(err, ERROR_USAGE);
    for (size_t k = 0; k < count && !*app->stop; k++) {
        if (!plans[k]) /* an import: its levels have no dates */
            continue;
        asking.plan = plans[k];
        look_at_run(&asking, folders[k]);
    }
    http_client_free(asking.client);
    return 0;
}
