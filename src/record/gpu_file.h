/* What Prometheus told of a run's GPUs, kept beside its records: gpu.jsonl. Prometheus forgets after days or weeks; the run does not.
 *
 *     {"schema":"roibench/gpu/v1","source":"http://prometheus:9090","selector":"","asked":"2026-11-24T…Z"}
 *     {"gpu":"GPU-6d5c…","name":"NVIDIA L4","quantity":"power_w","samples":[[<ns from the anchor>,68.2],…]}
 *
 * Times are wall time. */
#ifndef ROIBENCH_RECORD_GPU_FILE_H
#define ROIBENCH_RECORD_GPU_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define GPU_SCHEMA "roibench/gpu/v1"
#define GPU_FILE "gpu.jsonl"
#define GPU_FILE_MAX ((size_t)256 << 20)
#define GPU_SERIES_MAX 4096             /* GPUs times quantities */
#define GPU_SAMPLES_MAX ((size_t)500000) /* of a series */
#define GPU_TEXT_SIZE 128

/* enum, name in the file */
#define GPU_QUANTITIES(X)                                                                  \
    X(UTILIZATION, "utilization")     /* share of the time in which anything ran on it */  \
    X(MEMORY_ACTIVE, "memory_active") /* share of the time in which its memory was busy */ \
    X(MEMORY_USED, "memory_used_bytes")                                                    \
    X(MEMORY_FREE, "memory_free_bytes")                                                    \
    X(POWER, "power_w")                                                                    \
    X(ENERGY, "energy_j")             /* a counter */

enum gpu_quantity {
#define X(name, key) GPU_##name,
    GPU_QUANTITIES(X)
#undef X
        GPU_QUANTITY_COUNT
};
const char *gpu_quantity_name(enum gpu_quantity quantity); /* "power_w" */

struct gpu_sample {
    int64_t t; /* first (base/sort.h); wall ns from the run's anchor */
    double value;
};

struct gpu_series {
    char gpu[GPU_TEXT_SIZE];  /* which one: a UUID, or what comes next to it */
    char name[GPU_TEXT_SIZE]; /* "NVIDIA L4"; "" not told */
    enum gpu_quantity quantity;
    struct gpu_sample *samples;
    size_t count, cap;
};

struct gpu_samples { /* all zero: none */
    char source[512], selector[1024];
    int64_t asked_realtime_ns;
    struct gpu_series *series;
    size_t count, cap;
};

/* That GPU's series of the quantity, made where it is not there yet; NULL: there are GPU_SERIES_MAX. Valid until the next call. */
struct gpu_series *gpu_samples_series(struct gpu_samples *samples, const char *gpu, const char *name, enum gpu_quantity quantity);
/* Beyond GPU_SAMPLES_MAX nothing is added. */
void gpu_series_add(struct gpu_series *series, int64_t t, double value);
/* Orders every series by time; of samples of one moment one is left. */
void gpu_samples_sort(struct gpu_samples *samples);
/* How many different GPUs there are. */
size_t gpu_samples_gpus(const struct gpu_samples *samples);
void gpu_samples_free(struct gpu_samples *samples);

/* Atomically, into the run's folder. */
int gpu_file_write(const char *folder, const struct gpu_samples *samples, struct error *err);
/* Sorted. 1: there is no such file. *samples is to be freed whatever comes back. */
int gpu_file_read(const char *folder, struct gpu_samples *samples, struct error *err);

#endif
