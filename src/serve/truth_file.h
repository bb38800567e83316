/* The truth token by token, one JSON line a request: --truth-file.
 *
 *     {"schema":"roibench/truth-file/v1","started":DATE,"monotonic_ns":N,"model":...,"preset":...,"time_scale":X}
 *     {"id":"chatcmpl-...","arrived_ns":N,"stream":true,"disconnected":false,"struck":false,"prompt_tokens":N,
 *      "output_tokens":N,"chunks":N,"buffered":N,"times_left_out":N,"due_ns":[...],"sent_ns":[...]}
 *
 * struck: a fault ended it. arrived_ns counts from the server's start, due_ns and sent_ns from the request's arrival; a
 * client on the same machine finds its own CLOCK_MONOTONIC in monotonic_ns + arrived_ns + sent_ns[k]. due_ns has an entry
 * for each token that the engine made, sent_ns one for each token that was handed to the kernel, both in the order of time.
 *
 * Lines are written whole: 64 kB at a time, at least once a second while requests end, and by truth_file_flush. When the
 * disk takes no more, the file ends with the last whole line and nothing is added any more. Memory is bounded: all
 * open requests together hold TRUTH_FILE_HELD_MAX times; what comes beyond that is counted (times_left_out). */
#ifndef ROIBENCH_SERVE_TRUTH_FILE_H
#define ROIBENCH_SERVE_TRUTH_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TRUTH_FILE_HELD_MAX ((size_t)16 << 20)

/* Times of one request; all zero in the beginning. */
struct truth_times {
    struct truth_series {
        int64_t *times; /* ns of the clock; owned */
        size_t count, capacity;
    } due, sent;
    uint64_t left_out;
};

struct truth_file_head {
    const char *model, *preset;
    double time_scale;
    int64_t started, started_realtime; /* ns of the clock, and since 1970 */
};

struct truth_request;
struct truth_file;

/* Creates or empties the file and writes its first line. NULL: ERROR_INTERNAL, which file and why. */
struct truth_file *truth_file_new(const char *path, const struct truth_file_head *head, struct error *err);
/* Each without effect on a NULL file. */
void truth_file_due(struct truth_file *file, struct truth_times *times, int64_t due);
void truth_file_sent(struct truth_file *file, struct truth_times *times, int64_t tokens, int64_t now);
/* The request's line; frees its times. */
void truth_file_end(struct truth_file *file, struct truth_request *request);
void truth_file_flush(struct truth_file *file);
/* Flushes, closes and frees. ERROR_INTERNAL: the file does not hold everything. */
int truth_file_close(struct truth_file *file, struct error *err);

#endif
