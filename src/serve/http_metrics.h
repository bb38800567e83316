/* The http_* series of /metrics, as vLLM's web framework counts them: by route, method and class of status, with the time
 * from a request to the end of its answer (of a stream, too). Routes that it does not count (/metrics, /health, /load,
 * /version) are not counted, and neither are those that only the simulator has (/sim/). */
#ifndef ROIBENCH_SERVE_HTTP_METRICS_H
#define ROIBENCH_SERVE_HTTP_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "serve/httpd.h"

#define HTTP_METRICS_ROUTES 6
#define HTTP_METRICS_METHODS 7
#define HTTP_METRICS_CLASSES 6 /* 2 to 5 are used */
#define HTTP_METRICS_FINE 22
#define HTTP_METRICS_COARSE 4

struct http_metrics_method {
    double created; /* seconds since 1970; 0: not yet, and so below */
    uint64_t buckets[HTTP_METRICS_COARSE];
    double seconds;
    struct {
        double created;
        uint64_t count;
    } classes[HTTP_METRICS_CLASSES];
};

struct http_metrics {
    struct http_metrics_route {
        double created;
        uint64_t count;
        double request_bytes, response_bytes; /* as Content-Length says: 0 for a stream */
        struct http_metrics_method methods[HTTP_METRICS_METHODS];
    } routes[HTTP_METRICS_ROUTES];
    uint64_t buckets[HTTP_METRICS_FINE];
    double seconds;
};

/* An exchange that ended at the date `now`, seconds since 1970. One whose client went before it had a status is not counted. */
void http_metrics_count(struct http_metrics *metrics, const struct httpd_exchange *exchange, double now);
/* created: when the server began. */
void http_metrics_write(const struct http_metrics *metrics, double created, struct buf *out);

#endif
