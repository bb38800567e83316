/* A run folder of a few requests with known times, and scrapes beside them: for what is computed of both. Times in ms of the wall. */
#ifndef ROIBENCH_TESTS_SMALL_RUN_H
#define ROIBENCH_TESTS_SMALL_RUN_H

#include "stats/summary.h"

struct small_run;

/* One level of `streams`, in [start, end), which is its window too. folder: an empty one. */
struct small_run *small_run_begin(const char *folder, double streams, double start, double end);

struct small_request {
    double sent, head, ttft, gap; /* head, ttft: after sent; head < 0: not told; gap: between arrivals */
    int arrivals, tokens_each;    /* arrivals 0: no token came */
    double end;                   /* 0: with the last token */
    enum failure failure;
};
void small_run_add(struct small_run *run, const struct small_request *request);
void small_run_tick(struct small_run *run, double t, int tokens);
/* series: {"name{labels}":value,...} as text, with %s and the like filled in */
void small_run_scrape(struct small_run *run, double t, double took, const char *series, ...) __attribute__((format(printf, 4, 5)));
/* Writes the level's end (unless it was cut off) and closes the files. Frees. */
void small_run_end(struct small_run *run, bool ended);

/* Of the folder, as of a server with that time scale. */
struct run_summary *small_run_summarize(const char *folder, double time_scale);

#endif
