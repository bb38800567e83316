/* Writes what a run measures: records, tokens, metrics, journal (formats: docs/workspace.md).
 *
 * records-, tokens- and metrics streams are gzip members one after the other,
 * each closed by record_writer_flush at least every second, so that after
 * kill -9 everything but the last second can be read. The journal is plain
 * lines, written through at once. A write error (a full disk) is remembered:
 * the first one comes back from every later call, with path and reason.
 *
 * Not thread-safe, except that metrics have a writer of their own. */
#ifndef ROIBENCH_RECORD_RECORD_WRITER_H
#define ROIBENCH_RECORD_RECORD_WRITER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "record/record.h"
#include "record/run_file.h"

/* Any gzip-members stream: the building block of the three. */
struct gzip_stream;
struct gzip_stream *gzip_stream_open(const char *path, struct error *err); /* truncates */
int gzip_stream_write(struct gzip_stream *stream, const void *bytes, size_t length, struct error *err);
int gzip_stream_flush(struct gzip_stream *stream, struct error *err); /* closes the member if it holds anything, write(2)s it */
int gzip_stream_close(struct gzip_stream *stream, struct error *err); /* flush, fsync, close, free: also after an error */

#define RECORDS_SCHEMA "roibench/records/v1"
#define TOKEN_ARRIVALS_MAX ((size_t)1 << 24) /* of one request */

struct record_writer;

struct level_header {
    int index;
    const char *kind; /* "concurrent" */
    double load;
    const char *unit; /* "streams" | "req/s" */
};

struct record_header {
    const char *run_id;
    int64_t anchor_realtime_ns; /* the date of time 0 */
    const struct level_header *levels; /* known so far (a dynamic sweep: none) */
    size_t level_count;
    const char *pair_id;             /* of two runs whose levels took turns; NULL: none */
    int shards;                      /* that carry out the plan together; of a whole run not written */
    const struct clock_check *clock; /* NULL: was not looked at */
};

/* Opens records, tokens and journal in folder. shard: its number, or NO_SHARD; also what the header will say. */
struct record_writer *record_writer_open(const char *folder, int shard, struct error *err);
/* The first line of the records. */
int record_writer_header(struct record_writer *writer, const struct record_header *header, struct error *err);
/* gaps[k], n[k]: ns since the arrival before (the first: since sent) and tokens of arrival k. Numbers below 0 are written as 0;
 * a request without arrivals has no frame. */
int record_writer_add(struct record_writer *writer, const struct record *record, const int64_t *gaps, const int32_t *n,
                      size_t arrivals, struct error *err);
/* A {"level_end":{...}} line in records.jsonl.gz. header: kind, load, unit are repeated, so that a dynamic sweep can be read. */
int record_writer_level_end(struct record_writer *writer, const struct level_header *header, int repeat, int64_t start, int64_t end,
                            int64_t window_start, int64_t window_end, struct error *err);
/* One journal line, written through: {"level_start":…}, {"level_end":…}. Takes no reference. */
int record_writer_journal(struct record_writer *writer, const json_t *line, struct error *err);
/* {"tick":{"t":…,"tokens":…}} without a DOM; may be kept back until the next flush. tokens: those that arrived since the tick
 * before, at t at the latest (not a running total). The engine makes one at most every 100 ms, and none where no token came. */
int record_writer_tick(struct record_writer *writer, int64_t t, int64_t tokens, struct error *err);
/* Closes the gzip members. Call it at least once a second. */
int record_writer_flush(struct record_writer *writer, struct error *err);
/* Flushes, fsyncs, closes, frees: also when it returns -1. */
int record_writer_close(struct record_writer *writer, struct error *err);

#endif
