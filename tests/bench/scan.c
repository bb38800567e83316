/* scan CAPTURE...: nanoseconds a chunk by the scanner and by jansson, and their ratio, for each kind of chunk.
 *
 * The median of several rounds over all events of the captures of one folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "wire/openai.h"
#include "wire/openai_chunk.h"

#define ROUNDS 9
#define CHUNKS_A_ROUND 20000
#define SIZES 3

/* Chunks by length: without logprobs, with usage and ids, with logprobs. */
static const size_t LONGEST[SIZES] = {300, 450, 65536};

struct chunks {
    struct {
        char *bytes;
        size_t length;
    } *list;
    size_t count, capacity, total;
};

typedef int (*chunk_reader)(const char *data, size_t length, struct openai_chunk *chunk);

static void add_chunk(struct chunks *sizes, const char *data, size_t length)
{
    size_t size = 0;
    while (size + 1 < SIZES && length > LONGEST[size])
        size++;
    struct chunks *chunks = &sizes[size];
    MEM_GROW(chunks->list, chunks->capacity, chunks->count + 1);
    chunks->list[chunks->count].bytes = mem_strndup(data, length);
    chunks->list[chunks->count++].length = length;
    chunks->total += length;
}

/* Every "data: {" line: the framing does not matter here. */
static void read_capture(const char *path, struct chunks *sizes)
{
    static const char PREFIX[] = "data: {";
    cleanup_buf struct buf raw = BUF_INIT((size_t)1 << 20);
    struct error err;
    if (file_read(path, &raw, ERROR_USAGE, &err) < 0) {
        fprintf(stderr, "scan: %s\n", err.text);
        exit(1);
    }
    const char *at = raw.data;
    while (at && (at = strstr(at, PREFIX))) {
        at += sizeof PREFIX - 2;
        add_chunk(sizes, at, strcspn(at, "\r\n"));
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double measure(const struct chunks *chunks, chunk_reader read)
{
    double rounds[ROUNDS];
    struct openai_chunk chunk;
    size_t turns = CHUNKS_A_ROUND / chunks->count + 1;
    volatile size_t tokens = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        double start = seconds_now();
        for (size_t turn = 0; turn < turns; turn++) {
            for (size_t i = 0; i < chunks->count; i++)
                tokens = tokens + (read(chunks->list[i].bytes, chunks->list[i].length, &chunk) == 0 && chunk.token);
        }
        rounds[round] = (seconds_now() - start) / (double)(turns * chunks->count);
    }
    qsort(rounds, ROUNDS, sizeof *rounds, compare_doubles);
    return rounds[ROUNDS / 2] * 1e9;
}

int main(int argc, char **argv)
{
    struct chunks sizes[SIZES] = {{NULL, 0, 0, 0}};
    for (int i = 1; i < argc; i++)
        read_capture(argv[i], sizes);
    printf("%-22s %12s %12s %8s\n", "chunks of a stream", "scanner ns", "jansson ns", "ratio");
    for (size_t size = 0; size < SIZES; size++) {
        const struct chunks *chunks = &sizes[size];
        if (chunks->count == 0)
            continue;
        double scanner = measure(chunks, openai_chunk_read), jansson = measure(chunks, openai_chunk_read_by_json);
        printf("%4zu of %5zu bytes     %12.0f %12.0f %8.1f\n", chunks->count, chunks->total / chunks->count, scanner, jansson,
               jansson / scanner);
        for (size_t i = 0; i < chunks->count; i++)
            free(chunks->list[i].bytes);
        free(chunks->list);
    }
    return 0;
}
