/* The Prometheus text exposition format (0.0.4), read in one pass.
 *
 * Every sample line goes to the handler with its full series name as it stands
 * ("vllm:num_requests_running{engine=\"0\",model_name=\"m\"}"), its bare name and its value
 * (NaN, +Inf, -Inf as doubles). Comments, HELP, TYPE, timestamps and exemplars are
 * read over. A line that is none of these is counted in `broken` and skipped; so is a last line without its
 * line feed (the format demands one): a body that was cut off must not turn 1234 into 12.
 * Lines are independent: a text read in two parts, cut behind a line feed, gives the same samples. */
#ifndef ROIBENCH_WIRE_PROMTEXT_H
#define ROIBENCH_WIRE_PROMTEXT_H

#include <stdbool.h>
#include <stddef.h>

struct promtext_sample {
    const char *series; /* not NUL-terminated; with labels; no control characters */
    size_t series_length;
    size_t name_length; /* of the part before '{' */
    double value;
};

typedef void (*promtext_handler)(void *context, const struct promtext_sample *sample);

/* Returns the number of samples; *broken (may be NULL) lines that could not be read. */
size_t promtext_read(const char *text, size_t length, promtext_handler handler, void *context, size_t *broken);

#endif
