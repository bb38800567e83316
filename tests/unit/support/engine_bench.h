/* An engine on a fake clock, with a server that does what a test says and a sink that keeps what it is told. */
#ifndef ROIBENCH_TESTS_ENGINE_BENCH_H
#define ROIBENCH_TESTS_ENGINE_BENCH_H

#include "base/stop.h"
#include "load/engine.h"
#include "support/fake_transport.h"

struct bench {
    struct sink sink; /* first: the engine hands it back */
    struct fake_transport fake;
    struct plan plan;
    struct level levels[4];
    struct fake_answer answer; /* the same for every request, unless answer_of says otherwise */
    struct fake_answer (*answer_by_body)(const char *body); /* NULL: none */
    struct share shard;        /* all of it, if a test does not say otherwise */
    int64_t start_at;          /* from the anchor; TIME_NEVER: at once */
    stop_flag stop;
    int64_t stop_at;           /* from the anchor; 0: never */
    int64_t down_from;         /* refused connections from then on; 0: never */
    int64_t refuse_until;      /* HTTP 400 before then; 0: never */
    int64_t hang_from, hang_for; /* this process gets no CPU for so long; 0: always has one */
    struct record *records;
    size_t count, capacity;
    int64_t gap_sum, n_sum;    /* of all arrivals */
    struct level_end ends[16];
    int64_t measure_starts[16]; /* as level_start promised them */
    size_t end_count, start_count;
    int64_t tick_tokens, ticks, flushes;
    int64_t fail_add_at;       /* the sink fails at that record; 0: never */
    struct engine_result result;
    struct error err;
    char seen_url[64];
    bool warm;                 /* connections are opened before each level */
    int64_t gets;              /* by which that was done */
    bool get_fails;
};

/* One level of 60 s; requests take 1 s to the first of 10 tokens, then 100 ms a token: 1.9 s. */
struct bench *bench_new(const char *kind, double load);
/* Another one like the first. */
void bench_add_level(struct bench *bench, double load);
/* engine_run, by one worker. */
int bench_run(struct bench *bench);
void bench_free(struct bench *bench);
size_t bench_count(const struct bench *bench, enum outcome outcome, enum failure failure);

#endif
