/* --find: which load to try next, until it is known between which two the server breaks (or saturates).
 *
 * First a bracket: the loads that were given, in their order; where only one was given, that one doubled again and again, up to `most`.
 * It is closed by a load at which the condition was met, unless that is the very first: a server that was still cold shall not end the search, so
 * the load after it is tried too. Then the bracket is halved `refine` times: of streams down to neighbouring numbers, of rates
 * down to four digits. Where every load met the condition, it is halved from 0.
 *
 * Its ends are those of docs/metrics.md: `held` is the highest load at which the condition was not met, `broke` the lowest above it at
 * which it was. So a noisy server gets a bracket too, and the same one as in the report.
 *
 * Pure: what comes next is a function of what was found, so a run that is read again finds the same. */
#ifndef ROIBENCH_PLAN_FIND_H
#define ROIBENCH_PLAN_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "plan/plan.h"

#define FIND_DOUBLINGS_MAX 20 /* of a load that is never met: a million times the first */
#define FIND_REFINE_MAX 40    /* more halvings than a load has digits */

struct find {
    const struct level *given; /* ascending, all of one kind; at least one */
    size_t given_count;
    double most;      /* of the loads that are made by doubling */
    int64_t refine;
};

/* A level that was tried. Results of one index are repeats of one level: it met the condition where any of them did. */
struct find_result {
    struct level level;
    bool met;
};

/* NULL: levels to begin with; else what is wrong with them, as a sentence's end. */
const char *find_fault(const struct level *levels, size_t count);

/* 1: *next is what to try; 0: that was all. */
int find_next_level(const struct find *find, const struct find_result *done, size_t count, struct level *next);

#endif
