/* Reads a run's files back, whatever state a crash left them in.
 *
 * A gzip stream cut off in the middle is read up to its last whole byte, a last
 * line without newline is dropped, and `truncated` says so: never an error.
 * A broken line in the middle is an error that names file and line. */
#ifndef ROIBENCH_RECORD_RECORD_READER_H
#define ROIBENCH_RECORD_RECORD_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "record/record.h"
#include "record/run_file.h"

#define RECORD_LINE_MAX ((size_t)16 << 20)
#define RECORD_LEVELS_MAX ((size_t)10000)     /* levels times repeats of a run */
#define RECORD_PART_LEVELS_MAX ((size_t)1000000) /* levels of a run times its shards */
#define RECORD_RECORDS_MAX ((size_t)20000000) /* of a run: 4.2 GB of memory */

/* truncated may be NULL everywhere below. */

/* Lines of any gzip-members or plain file. line is NUL-terminated, without newline. Non-zero from the handler stops and is returned. */
typedef int (*line_handler)(void *context, char *line, size_t length, size_t number, struct error *err);
int record_read_lines(const char *path, line_handler handler, void *context, bool *truncated, struct error *err);

struct level_bounds {
    int index, repeat;
    char kind[16], unit[16];
    double load;
    /* ns from the anchor. Without a level_end line (the run was cut off): from the first sent (never sent: due) to the last
     * end of its records, and the window is the same; TIME_NEVER: it has none. */
    int64_t start, end, window_start, window_end;
    bool ended; /* a level_end line was there */
};

/* What one process wrote: a whole run, or a shard of one. */
struct record_part {
    int shard; /* NO_SHARD: the whole run */
    int64_t anchor_realtime_ns; /* its own */
    /* To be added to its times, so that they count from the first part's anchor, by that one's clock: what the anchors' dates are
     * apart; less what the clocks are apart, where their offsets to the target differ by more than their errors (clock_shift). */
    int64_t shift, clock_shift; /* clock_shift is in shift; 0 where the difference may be nothing */
    struct clock_check clock;
    struct level_bounds *levels; /* as this part saw them; times are shifted; in order of (index, repeat) */
    size_t level_count;
    size_t first_record, record_count;
    bool truncated;
};

struct record_file {
    char run_id[256];
    char pair_id[520]; /* "<run>+<run>": two runs whose levels took turns; "": none */
    int64_t anchor_realtime_ns; /* of time 0: the first part's */
    struct level_bounds *levels; /* in order of (index, repeat): of all parts. Where these are several, they have the times */
    size_t level_count;
    struct record *records; /* in the order of the files */
    size_t record_count;
    int shards; /* that were to carry out the plan; 0: one process did */
    struct record_part *parts; /* by shard: those that began */
    size_t part_count;
    bool truncated; /* one of the files */
};

/* All of a run's records in memory (208 bytes each). A level that only its records know has kind "" (a further
 * repeat: what repeat 0 has). Levels of the header that were never reached are there too, as repeat 0. A second header (of a
 * resumed run) moves the times after it to the first one's anchor. No header at all: run_id "", anchor 0, truncated.
 *
 * Of shards all files are read, and the records of file i get shard i. Files that do not belong together (of other runs, of another
 * number of shards, of a whole run and of shards) are an error. A shard that has not even a header never began: no part. */
int record_file_read(const char *folder, struct record_file *file, struct error *err);
void record_file_free(struct record_file *file);

/* The part's own bounds of a level; NULL: its records do not know it. */
const struct level_bounds *record_part_level(const struct record_part *part, int index, int repeat);

/* Of the part `shard` (NO_SHARD: of a whole run), with times as they stand in the file: */

/* tokens.bin.gz, streamed: one call a request. A request whose frame is cut off is left out. Returns 1 when there is no such file.
 * The handler's arrays are valid only during the call. */
struct token_frame {
    int level, repeat;
    int64_t i;
    size_t arrivals;
    const int64_t *gaps; /* ns; the first since sent */
    const int32_t *n;
};
typedef int (*token_handler)(void *context, const struct token_frame *frame, struct error *err);
int record_read_tokens(const char *folder, int shard, token_handler handler, void *context, bool *truncated, struct error *err);

/* A line of metrics.jsonl.gz; `series` is borrowed for the call. */
#define METRICS_TARGETS_MAX 64
struct metrics_line {
    int64_t t, took;      /* ns from the anchor, ns */
    size_t target;        /* of several its place, else 0 */
    bool extra;           /* asked for because of a level's begin or end, not because an interval was over */
    const json_t *series; /* {"name{labels}": value} */
};

/* metrics.jsonl.gz: one call a scrape. Returns 1 when there is no such file. */
typedef int (*metrics_handler)(void *context, const struct metrics_line *line, struct error *err);
int record_read_metrics(const char *folder, int shard, metrics_handler handler, void *context, bool *truncated, struct error *err);

/* journal.jsonl: one call a line, parsed. Returns 1 when there is no such file. */
typedef int (*journal_handler)(void *context, const json_t *line, struct error *err);
int record_read_journal(const char *folder, int shard, journal_handler handler, void *context, bool *truncated, struct error *err);

#endif
