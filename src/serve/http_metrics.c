#include "serve/http_metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "wire/promwrite.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define OTHER_ROUTE (HTTP_METRICS_ROUTES - 1)

static const char *const routes[HTTP_METRICS_ROUTES] = {"/v1/chat/completions", "/v1/completions", "/v1/models",
                                                        "/tokenize", "/detokenize", "none"};
static const char *const uncounted[] = {"/metrics", "/health", "/load", "/ping", "/version", "/server_info"};
static const char own_prefix[] = "/sim/";
static const char *const methods[HTTP_METRICS_METHODS] = {"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"};
static const double fine_bounds[HTTP_METRICS_FINE - 1] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1,  1.5, 2,
                                                          2.5,  3,     3.5,  4,     4.5, 5,    7.5, 10,   30, 60};
static const double coarse_bounds[HTTP_METRICS_COARSE - 1] = {0.1, 0.5, 1};

/* --- counting -------------------------------------------------------------------------------- */

static bool is_counted(const char *path)
{
    for (size_t k = 0; k < COUNT(uncounted); k++)
        if (strcmp(path, uncounted[k]) == 0)
            return false;
    return strncmp(path, own_prefix, sizeof own_prefix - 1) != 0;
}

static size_t route_of(const char *path)
{
    size_t k = 0;
    while (k < OTHER_ROUTE && strcmp(path, routes[k]) != 0)
        k++;
    return k;
}

static void observe(uint64_t *buckets, const double *bounds, size_t count, double seconds)
{
    size_t k = 0;
    while (k < count && seconds > bounds[k])
        k++;
    buckets[k]++;
}

static void set_once(double *created, double now)
{
    if (*created == 0)
        *created = now;
}

static void count_method(struct http_metrics_method *method, size_t class, double seconds, double now)
{
    set_once(&method->created, now);
    set_once(&method->classes[class].created, now);
    method->classes[class].count++;
    method->seconds += seconds;
    observe(method->buckets, coarse_bounds, COUNT(coarse_bounds), seconds);
}

void http_metrics_count(struct http_metrics *metrics, const struct httpd_exchange *exchange, double now)
{
    size_t class = (size_t)exchange->status / 100;
    double seconds = (double)(exchange->ended - exchange->arrived) / (double)NS_PER_S;
    if (!is_counted(exchange->path) || exchange->status <= 0 || class >= HTTP_METRICS_CLASSES)
        return;
    struct http_metrics_route *route = &metrics->routes[route_of(exchange->path)];
    set_once(&route->created, now);
    route->count++;
    route->request_bytes += (double)exchange->request_length;
    route->response_bytes += (double)exchange->reply_length;
    for (size_t k = 0; k < HTTP_METRICS_METHODS; k++)
        if (strcmp(exchange->method, methods[k]) == 0)
            count_method(&route->methods[k], class, seconds, now);
    observe(metrics->buckets, fine_bounds, COUNT(fine_bounds), seconds);
    metrics->seconds += seconds;
}

/* --- writing --------------------------------------------------------------------------------- */

struct page {
    const struct http_metrics *metrics;
    struct buf *out;
    struct buf labels; /* scratch */
};

static const char *route_labels(struct page *page, size_t route)
{
    buf_reset(&page->labels);
    buf_printf(&page->labels, "handler=\"%s\"", routes[route]);
    return buf_text(&page->labels);
}

typedef void (*method_writer)(struct page *page, size_t route, size_t method, const struct http_metrics_method *counts);

static void for_each_method(struct page *page, method_writer write)
{
    for (size_t route = 0; route < HTTP_METRICS_ROUTES; route++)
        for (size_t method = 0; method < HTTP_METRICS_METHODS; method++)
            if (page->metrics->routes[route].methods[method].created > 0)
                write(page, route, method, &page->metrics->routes[route].methods[method]);
}

static void write_classes(struct page *page, size_t route, size_t method, const struct http_metrics_method *counts, bool created)
{
    for (size_t class = 0; class < HTTP_METRICS_CLASSES; class++) {
        if (counts->classes[class].created == 0)
            continue;
        buf_reset(&page->labels);
        buf_printf(&page->labels, "handler=\"%s\",method=\"%s\",status=\"%zuxx\"", routes[route], methods[method], class);
        promwrite_sample(page->out, "http_requests", created ? "_created" : "_total", buf_text(&page->labels),
                         created ? counts->classes[class].created : (double)counts->classes[class].count);
    }
}

static void write_counts(struct page *page, size_t route, size_t method, const struct http_metrics_method *counts)
{
    write_classes(page, route, method, counts, false);
}

static void write_counts_created(struct page *page, size_t route, size_t method, const struct http_metrics_method *counts)
{
    write_classes(page, route, method, counts, true);
}

static void write_requests(struct page *page)
{
    static const char help[] = "HTTP requests by route, method and class of status.";
    promwrite_head(page->out, "http_requests", "_total", "counter", help);
    for_each_method(page, write_counts);
    promwrite_head(page->out, "http_requests", "_created", "gauge", help);
    for_each_method(page, write_counts_created);
}

static void write_sizes(struct page *page, const char *name, const char *help, bool responses)
{
    const struct http_metrics_route *all = page->metrics->routes;
    promwrite_head(page->out, name, "", "summary", help);
    for (size_t k = 0; k < HTTP_METRICS_ROUTES; k++) {
        if (all[k].count == 0)
            continue;
        promwrite_sample(page->out, name, "_count", route_labels(page, k), (double)all[k].count);
        promwrite_sample(page->out, name, "_sum", route_labels(page, k), responses ? all[k].response_bytes : all[k].request_bytes);
    }
    promwrite_head(page->out, name, "_created", "gauge", help);
    for (size_t k = 0; k < HTTP_METRICS_ROUTES; k++)
        if (all[k].count > 0)
            promwrite_sample(page->out, name, "_created", route_labels(page, k), all[k].created);
}

/* before, after: the other labels, as they stand around le. */
static void write_buckets(struct page *page, const char *name, const uint64_t *buckets, const double *bounds, size_t count,
                          const char *before, const char *after)
{
    uint64_t sum = 0;
    for (size_t k = 0; k <= count; k++) {
        buf_reset(&page->labels);
        buf_printf(&page->labels, "%sle=\"", before);
        if (k < count)
            promwrite_number(&page->labels, bounds[k]);
        else
            buf_append_text(&page->labels, "+Inf");
        buf_printf(&page->labels, "\"%s", after);
        sum += buckets[k];
        promwrite_sample(page->out, name, "_bucket", buf_text(&page->labels), (double)sum);
    }
}

static void write_fine(struct page *page, double created)
{
    static const char name[] = "http_request_duration_highr_seconds", help[] = "Request to the end of its answer, in many buckets.";
    uint64_t count = 0;
    for (size_t k = 0; k < HTTP_METRICS_FINE; k++)
        count += page->metrics->buckets[k];
    promwrite_head(page->out, name, "", "histogram", help);
    write_buckets(page, name, page->metrics->buckets, fine_bounds, COUNT(fine_bounds), "", "");
    promwrite_sample(page->out, name, "_count", "", (double)count);
    promwrite_sample(page->out, name, "_sum", "", page->metrics->seconds);
    promwrite_head(page->out, name, "_created", "gauge", help);
    promwrite_sample(page->out, name, "_created", "", created);
}

#define COARSE "http_request_duration_seconds"

static const char *method_labels(struct page *page, size_t route, size_t method)
{
    buf_reset(&page->labels);
    buf_printf(&page->labels, "handler=\"%s\",method=\"%s\"", routes[route], methods[method]);
    return buf_text(&page->labels);
}

static void write_duration(struct page *page, size_t route, size_t method, const struct http_metrics_method *counts)
{
    char before[64], after[64];
    uint64_t count = 0;
    snprintf(before, sizeof before, "handler=\"%s\",", routes[route]);
    snprintf(after, sizeof after, ",method=\"%s\"", methods[method]);
    for (size_t k = 0; k < HTTP_METRICS_COARSE; k++)
        count += counts->buckets[k];
    write_buckets(page, COARSE, counts->buckets, coarse_bounds, COUNT(coarse_bounds), before, after);
    promwrite_sample(page->out, COARSE, "_count", method_labels(page, route, method), (double)count);
    promwrite_sample(page->out, COARSE, "_sum", method_labels(page, route, method), counts->seconds);
}

static void write_duration_created(struct page *page, size_t route, size_t method, const struct http_metrics_method *counts)
{
    promwrite_sample(page->out, COARSE, "_created", method_labels(page, route, method), counts->created);
}

static void write_coarse(struct page *page)
{
    static const char help[] = "Request to the end of its answer, by route.";
    promwrite_head(page->out, COARSE, "", "histogram", help);
    for_each_method(page, write_duration);
    promwrite_head(page->out, COARSE, "_created", "gauge", help);
    for_each_method(page, write_duration_created);
}

void http_metrics_write(const struct http_metrics *metrics, double created, struct buf *out)
{
    struct page page = {.metrics = metrics, .out = out, .labels = BUF_INIT(1024)};
    write_requests(&page);
    write_sizes(&page, "http_request_size_bytes", "Bytes of requests by route, as Content-Length says.", false);
    write_sizes(&page, "http_response_size_bytes", "Bytes of answers by route, as Content-Length says.", true);
    write_fine(&page, created);
    write_coarse(&page);
    buf_free(&page.labels);
}
