/* A Pushgateway of Prometheus, which keeps the numbers of a job that ends: not the archive, the summaries inside of it.
 *
 * "pushgateway://host:port" speaks http, "pushgateway+https://host" https; a path before /metrics may follow. The group that is replaced is {job="roibench",
 * model, hardware}: the gateway keeps the last run of each deployment and does not grow, and the history is Prometheus'. PUSHGATEWAY_AUTHORIZATION, if it
 * is set, is the Authorization header ("Bearer …", "Basic …"). Runs of a comparison on the same deployment go into one group. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "ship/answer.h"
#include "ship/destination.h"
#include "ship/summary_metrics.h"

#define TIMEOUT_NS (60 * NS_PER_S)
#define WORDS_MAX 300
#define LABEL_URL_MAX ((size_t)7 << 10)
#define ARCHIVE_DIGITS 12 /* of the sha256: as in the new name of a changed archive */
#define PLAIN "pushgateway://"
#define SECURE "pushgateway+https://"

#define cleanup_response __attribute__((cleanup(http_response_free)))

struct gateway {
    struct http_client *client;
    char *url; /* "http://host:port/prefix", without a slash at its end */
    const char *shown;
    char *authorization; /* the header; NULL: none */
    struct delivery *delivery;
    char archive[ARCHIVE_DIGITS + 1];
};

/* One run's summary, and whether its group was pushed. */
struct gateway_run {
    json_t *document;
    const char *model, *hardware;
    bool done;
};

static char *gateway_url(const char *to)
{
    const bool secure = strncasecmp(to, SECURE, strlen(SECURE)) == 0;
    const char *rest = to + strlen(secure ? SECURE : PLAIN);
    size_t length = strlen(rest);

    while (length > 0 && rest[length - 1] == '/')
        length--;
    return mem_printf("%s://%.*s", secure ? "https" : "http", (int)length, rest);
}

static int gateway_check(const char *to, struct error *err)
{
    cleanup_free char *url = gateway_url(to);

    if (http_url_check(url, err) < 0)
        return -1;
    if (strpbrk(url, "?#"))
        return error_set(err, ERROR_USAGE, "a Pushgateway is pushgateway://host:port or pushgateway+https://host:port, and a path; it has no query");
    return 0;
}

static char *gateway_place(const char *to, const char *name)
{
    (void)name;
    return http_url_redacted(to);
}

/* ---- what is pushed ---- */

static void free_runs(struct gateway_run *runs, size_t count)
{
    for (size_t k = 0; k < count; k++)
        json_decref(runs[k].document);
    free(runs);
}

static bool is_summary(const struct archive_member *member)
{
    const char *slash = strrchr(member->name, '/');

    return slash && strcmp(slash + 1, "summary.json") == 0;
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static int read_run(const char *path, struct gateway_run *run, struct error *err)
{
    struct json_reader reader;

    run->document = json_open(&reader, path, "roibench/summary/v1", err);
    if (!run->document)
        return error_reclass(err, ERROR_PUBLISH);

    const json_t *facts = json_get_object(&reader, run->document, "run");

    run->model = json_get_text_or(&reader, facts, "model", "");
    run->hardware = json_get_text_or(&reader, facts, "hardware", "");
    return reader.failed ? error_reclass(err, ERROR_PUBLISH) : 0;
}

/* An array for free_runs; NULL with *err. */
static struct gateway_run *read_runs(const struct archive_plan *plan, const char *shown, size_t *count, struct error *err)
{
    struct gateway_run *runs = NULL;
    size_t capacity = 0;

    *count = 0;
    for (size_t k = 0; k < plan->member_count; k++) {
        if (!is_summary(&plan->members[k]))
            continue;
        MEM_GROW(runs, capacity, *count + 1);
        runs[*count] = (struct gateway_run){0};
        if (read_run(plan->members[k].path, &runs[(*count)++], err) < 0) {
            free_runs(runs, *count);
            return NULL;
        }
    }
    if (!runs)
        error_set(err, ERROR_PUBLISH, "%s: %s has no summary.json to make metrics of. roibench summarize writes it; --include records leaves it out", shown,
                  plan->name);
    return runs;
}

/* "/<label>@base64/<value>", which any text can be; nothing where the value is not known. */
static void append_group(struct buf *out, const char *label, const char *value)
{
    const size_t length = strlen(value);
    char *encoded = mem_alloc(length / 3 * 4 + 5);

    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)value, (int)length);
    for (char *c = encoded; *c; c++)
        *c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
    if (length > 0)
        buf_printf(out, "/%s@base64/%s", label, encoded);
    free(encoded);
}

/* The runs of one group, as one page. */
static int write_group(struct gateway_run *runs, size_t count, const struct gateway_run *first, const char *archive, struct buf *page, struct error *err)
{
    struct summary_metrics_run *members = mem_calloc(count, sizeof *members);
    size_t used = 0;

    for (size_t k = 0; k < count; k++) {
        if (is_same_text(runs[k].model, first->model) && is_same_text(runs[k].hardware, first->hardware)) {
            members[used++] = (struct summary_metrics_run){runs[k].document, archive};
            runs[k].done = true;
        }
    }

    const int result = summary_metrics_write(members, used, page, err);

    free(members);
    return result;
}

/* ---- talking ---- */

static int ask(const struct gateway *gateway, const struct http_request *base, struct http_response *response, struct error *err)
{
    const char *const headers[] = {gateway->authorization};
    struct http_request request = *base;

    request.headers = headers;
    request.header_count = gateway->authorization ? 1 : 0;
    request.timeout_ns = TIMEOUT_NS;
    if (http_client_request(gateway->client, &request, response, err) == 0)
        return 0;
    answer_note(response, gateway->delivery);
    return error_reclass(err, ERROR_PUBLISH);
}

static int push_page(const struct gateway *gateway, const struct gateway_run *first, const struct buf *page, struct error *err)
{
    cleanup_response struct http_response response = {0};
    cleanup_buf struct buf url = BUF_INIT(LABEL_URL_MAX);
    char words[WORDS_MAX];

    buf_printf(&url, "%s/metrics/job/roibench", gateway->url);
    append_group(&url, "model", first->model);
    append_group(&url, "hardware", first->hardware);

    const struct http_request request = {.method = "PUT", .url = buf_text(&url), .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                         .body = buf_text(page), .length = page->len};

    if (url.overflowed)
        return error_set(err, ERROR_PUBLISH, "%s: the names of model and hardware are too long for a Pushgateway", gateway->shown);
    if (ask(gateway, &request, &response, err) < 0)
        return -1;
    gateway->delivery->status = response.status;
    if (response.status / 100 == 2)
        return 0;
    answer_note(&response, gateway->delivery);
    answer_words(buf_text(&response.body), words, sizeof words);
    return error_set(err, ERROR_PUBLISH, "PUT %s: HTTP %d%s%s%s", gateway->shown, response.status, *words ? ": " : "", words,
                     response.status == 401 || response.status == 403 ? ". Does PUSHGATEWAY_AUTHORIZATION hold what it wants?"
                     : response.status == 404                         ? ". Is it a Pushgateway?"
                                                                      : "");
}

/* ---- what is there ---- */

static bool is_group(const json_t *group, const struct gateway_run *run)
{
    const json_t *labels = json_object_get(group, "labels");
    const char *job = json_string_value(json_object_get(labels, "job")), *model = json_string_value(json_object_get(labels, "model"));
    const char *hardware = json_string_value(json_object_get(labels, "hardware"));

    return is_same_text(job, "roibench") && is_same_text(model ? model : "", run->model) && is_same_text(hardware ? hardware : "", run->hardware);
}

/* Does the group say that it is of this run, in this archive? */
static bool has_run(const json_t *group, const struct gateway_run *run, const char *archive)
{
    const char *run_id = json_string_value(json_object_get(json_object_get(run->document, "run"), "run_id"));
    const json_t *metrics = json_object_get(json_object_get(group, "roibench_run_info"), "metrics"), *metric;
    size_t k;

    json_array_foreach(metrics, k, metric) {
        const json_t *labels = json_object_get(metric, "labels");
        const char *of_run = json_string_value(json_object_get(labels, "run_id")), *of_archive = json_string_value(json_object_get(labels, "archive"));

        if (is_same_text(of_run, run_id) && is_same_text(of_archive, archive))
            return true;
    }
    return false;
}

/* Are all of them there? false: not, or the gateway does not tell. */
static bool look(const struct gateway *gateway, const struct gateway_run *runs, size_t count)
{
    cleanup_response struct http_response response = {0};
    cleanup_free char *url = mem_printf("%s/api/v1/metrics", gateway->url);
    const struct http_request request = {.method = "GET", .url = url};

    if (ask(gateway, &request, &response, NULL) < 0 || response.status != 200)
        return false;

    json_t *document = json_loadb(buf_text(&response.body), response.body.len, 0, NULL);
    const json_t *groups = json_object_get(document, "data"), *group;
    size_t found = 0, g;

    for (size_t k = 0; k < count; k++) {
        json_array_foreach(groups, g, group) {
            if (is_group(group, &runs[k]) && has_run(group, &runs[k], gateway->archive)) {
                found++;
                break;
            }
        }
    }
    json_decref(document);
    return found == count;
}

/* ---- the destination ---- */

static int push_runs(const struct gateway *gateway, struct gateway_run *runs, size_t count, struct error *err)
{
    for (size_t k = 0; k < count; k++) {
        cleanup_buf struct buf page = BUF_INIT(SUMMARY_METRICS_MAX);

        if (runs[k].done)
            continue;
        if (write_group(runs, count, &runs[k], gateway->archive, &page, err) < 0 || push_page(gateway, &runs[k], &page, err) < 0)
            return -1;
    }
    return 0;
}

static int deliver(const struct gateway *gateway, struct gateway_run *runs, size_t count, const struct destination_settings *settings, struct error *err)
{
    struct delivery *delivery = gateway->delivery;

    if (!settings->overwrite && look(gateway, runs, count)) {
        delivery->already_there = delivery->verified = true;
        return 0;
    }
    if (push_runs(gateway, runs, count, err) < 0)
        return -1;
    delivery->verified = settings->verify && look(gateway, runs, count);
    if (settings->verify && !delivery->verified)
        return error_set(err, ERROR_PUBLISH, "%s took the metrics, but its /api/v1/metrics does not have them. Has another run of the deployment been published?",
                         gateway->shown);
    return 0;
}

static int open_gateway(const char *to, const struct destination_settings *settings, struct gateway *gateway, struct error *err)
{
    const char *authorization = settings->environment("PUSHGATEWAY_AUTHORIZATION");

    if (authorization && *authorization) {
        gateway->authorization = mem_printf("Authorization: %s", authorization);
        if (net_header_check(gateway->authorization, NULL) < 0)
            return error_set(err, ERROR_PUBLISH, "PUSHGATEWAY_AUTHORIZATION holds a line break or another control character");
    }
    gateway->url = gateway_url(to);
    gateway->client = http_client_new(&settings->net, err);
    return gateway->client ? 0 : error_reclass(err, ERROR_PUBLISH);
}

static void close_gateway(struct gateway *gateway)
{
    http_client_free(gateway->client);
    free(gateway->url);
    if (gateway->authorization)
        OPENSSL_cleanse(gateway->authorization, strlen(gateway->authorization));
    free(gateway->authorization);
}

static int gateway_put(const char *to, const struct archive_plan *plan, const struct destination_settings *settings, struct delivery *delivery,
                       struct error *err)
{
    __attribute__((cleanup(close_gateway))) struct gateway gateway = {.shown = delivery->to, .delivery = delivery};
    size_t count;

    snprintf(gateway.archive, sizeof gateway.archive, "%.*s", ARCHIVE_DIGITS, plan->sha256);
    if (open_gateway(to, settings, &gateway, err) < 0)
        return -1;

    struct gateway_run *runs = read_runs(plan, delivery->to, &count, err);
    const int result = runs ? deliver(&gateway, runs, count, settings, err) : -1;

    if (runs)
        free_runs(runs, count);
    return result;
}

const struct destination destination_pushgateway = {.check = gateway_check, .place = gateway_place, .put = gateway_put};
