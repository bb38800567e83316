/* The HTTP API of Prometheus (v1): the URL of an instant query, and the matrix that it answers when its expression is a range selector.
 *
 * "up{job=\"x\"}[300s]" at time t gives every sample of the 300 s before t as it was scraped, with the time at which it was. A range query
 * would give what was known at steps of its own choosing, old values repeated, and hide how often the GPUs were looked at.
 *
 * The answer comes from a peer: labels and values are checked, what is not of the expected type is an error. */
#ifndef ROIBENCH_WIRE_PROMETHEUS_API_H
#define ROIBENCH_WIRE_PROMETHEUS_API_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct prometheus_sample {
    int64_t realtime_ns;
    double value; /* finite */
};

/* labels: an object of strings. samples are valid during the call. */
typedef void (*prometheus_handler)(void *context, const json_t *labels, const struct prometheus_sample *samples, size_t count);

/* "<base>/api/v1/query?query=<expression>&time=<seconds>", percent-encoded. base: with or without a path, with or without "/" at its end. */
void prometheus_query_url(struct buf *out, const char *base, const char *expression, int64_t realtime_ns);

/* Calls the handler for each series that has a finite sample. -1 with *err (ERROR_TARGET): no answer of this API, or it says an error. */
int prometheus_read_matrix(const char *body, size_t length, prometheus_handler handler, void *context, struct error *err);

/* The label's value, "" where it is not there. */
const char *prometheus_label(const json_t *labels, const char *name);

/* Is this a list of label matchers, as stands between { and }: name="value", !=, =~ or !~, separated by commas? ERROR_USAGE says what is not.
 * "" is one. */
int prometheus_selector_check(const char *selector, struct error *err);

#endif
