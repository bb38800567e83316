/* Writes a run folder as large as a long night's: summarize N FOLDER makes N requests of 256 arrivals each; and
 * summarize --run COMMAND... runs it and prints seconds and megabytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "record/record_writer.h"

#define ARRIVALS 256
#define STREAMS 64
#define LEVELS 4

static void fail(const struct error *err)
{
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void add_request(struct record_writer *writer, struct random *random, int level, int64_t i, int64_t sent)
{
    struct error err;
    int64_t gaps[ARRIVALS], t = sent;
    int32_t n[ARRIVALS];
    struct record record = record_empty();
    for (int k = 0; k < ARRIVALS; k++) {
        gaps[k] = (int64_t)(random_exponential(random, k == 0 ? 4e8 : 4e7) + 1e6);
        n[k] = 1 + (k % 17 == 0);
        t += gaps[k];
    }
    record.level = level;
    record.repeat = record.shard = record.target = 0;
    record.stream = (int)(i % STREAMS);
    record.i = i;
    record.intended = record.sent = sent;
    record.headers = record.first_token = sent + gaps[0];
    record.last_token = t;
    record.end = t + 1000;
    record.status = 200;
    record.outcome = OUTCOME_OK;
    record.prompt_tokens = 256;
    record.output_tokens = ARRIVALS + ARRIVALS / 17 + 1;
    record.arrivals = record.chunks = ARRIVALS;
    record.first_tokens = n[0];
    record.chunk_tokens = CHUNK_TOKENS_EXACT;
    if (record_writer_add(writer, &record, gaps, n, ARRIVALS, &err) < 0)
        fail(&err);
    if (i % 1000 == 0 && record_writer_flush(writer, &err) < 0)
        fail(&err);
}

static void make_run(const char *folder, int64_t count)
{
    struct error err;
    struct random random;
    struct level_header headers[LEVELS];
    struct record_writer *writer = record_writer_open(folder, NO_SHARD, &err);
    if (!writer)
        fail(&err);
    random_seed(&random, 7);
    for (int k = 0; k < LEVELS; k++)
        headers[k] = (struct level_header){k, "concurrent", STREAMS, "streams"};
    const struct record_header header = {.run_id = "bench", .anchor_realtime_ns = NS_PER_S, .levels = headers, .level_count = LEVELS};
    if (record_writer_header(writer, &header, &err) < 0)
        fail(&err);
    int64_t t = 0;
    for (int level = 0; level < LEVELS; level++) {
        int64_t start = t;
        for (int64_t i = 0; i < count / LEVELS; i++, t += 12 * NS_PER_S / STREAMS)
            add_request(writer, &random, level, i, t);
        t += 60 * NS_PER_S;
        if (record_writer_level_end(writer, &headers[level], 0, start, t, start, t - 30 * NS_PER_S, &err) < 0)
            fail(&err);
    }
    if (record_writer_close(writer, &err) < 0)
        fail(&err);
}

static int measure(char **command)
{
    struct timespec begin, end;
    struct rusage usage;
    int status;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t pid = fork();
    if (pid == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    printf("%.2f %.2f %.0f\n", seconds, cpu, (double)usage.ru_maxrss / 1024);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--run") == 0)
        return measure(argv + 2);
    if (argc != 3) {
        fprintf(stderr, "usage: %s N FOLDER | --run COMMAND...\n", argv[0]);
        return 2;
    }
    make_run(argv[2], strtoll(argv[1], NULL, 10));
    return 0;
}
