/* What `roibench calibrate` fits to: levels of recorded runs, and of tables that others have published. */
#ifndef ROIBENCH_CMD_CALIBRATE_LEVELS_H
#define ROIBENCH_CMD_CALIBRATE_LEVELS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/fit.h"

#define CALIBRATE_LEVELS_MAX 256

struct calibrate_levels {
    struct arena *arena; /* everything below is in it */
    struct fit_level *levels; /* CALIBRATE_LEVELS_MAX */
    size_t count;
    int64_t max_model_len; /* the largest that a run's server told; 0: none did */
};

/* The levels of a run's folder: its requests are replayed at the times at which they were sent. Requests that did not end ok load
 * the model as far as their lengths are known, but do not count. A level without an ok request is left out, and that is logged,
 * as are prompts that the server had in its cache: the model takes every prompt as new. */
int calibrate_add_run(struct calibrate_levels *levels, const char *folder, const struct log *log, struct error *err);

/* A CSV with the columns load, unit, prompt_tokens, output_tokens and any of requests, weight and the names of serve/fit.h's
 * figures. Streams begin together and are a closed loop; req/s are Poisson arrivals. A row ends after `requests`, or, where it does
 * not tell them, after duration_ns (or 20,000 of them); req/s with `requests` are stretched to send them in exactly requests / load. A weight of 0: shown,
 * not fitted. */
int calibrate_add_table(struct calibrate_levels *levels, const char *path, int64_t duration_ns, struct error *err);

#endif
