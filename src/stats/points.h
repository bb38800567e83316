/* Points on a sweep: where it saturates, where it breaks, what it can carry.
 *
 * Loads of different units are never compared: a run that has both gets its points twice. "First" means the lowest
 * load L such that L and every tested load above it satisfy the condition, so that a cold first level does not break a sweep.
 * Levels for which a condition is not known count as not tested. Levels of one load are one tested load: it satisfies a condition
 * where any of them does; for everything else the worst of them stands for it (class, then TTFT p95, then throughput).
 * Texts belong to the arena. */
#ifndef ROIBENCH_STATS_POINTS_H
#define ROIBENCH_STATS_POINTS_H

#include "base/arena.h"
#include "plan/slo.h"
#include "stats/level_summary.h"
#include "stats/repeats.h"
#include "stats/saturation.h"

struct point {
    double held, broke;     /* NAN: no tested load held; none broke */
    const char *metric;     /* what decided; NULL: nothing is known */
    int decided;            /* 1 both levels lie clearly on their side of the limit, 0 they do not, -1 not known */
    int64_t needs_requests; /* about how many a level needs to decide it; -1 */
    const char *text;       /* "(5, 8] streams", "> 30 streams", "<= 1 streams", "unknown: …" */
    const struct level_summary *held_level, *broke_level; /* NULL as held and broke */
};

/* Sets of objectives: nothing worse than a class, for TTFT alone or for all metrics; or SLO_SHARE of the requests meet the objectives
 * of --slo, all at once. */
#define CAPACITIES(X)       \
    X(TTFT, "ttft")         \
    X(TTFT_2S, "ttft_2s")   \
    X(ALL, "all")           \
    X(SLO, "slo")

enum capacity_set {
#define X(name, key) CAPACITY_##name,
    CAPACITIES(X)
#undef X
        CAPACITY_COUNT
};
const char *capacity_name(enum capacity_set set);

struct capacity {
    const struct level_summary *level; /* NULL: none */
    const char *none;                  /* then why: "none: user_tps 19.3 < 20 at every load" */
    int decided;                       /* of the sets of TTFT alone, as a point's: for this load, and the next one if its TTFT is why it is not it */
    int64_t needs_requests;
};

struct knee {
    double load; /* NAN: there is none */
    const char *text;
    int decided; /* 1: whatever the throughputs' intervals (within-run noise) allow, each step is the small or large one it seems; 0, -1 as of a point */
};

struct sweet_spot {
    double low, high;  /* NAN: there is none */
    const char *none;  /* then why */
};

struct points {
    const char *unit;
    const struct sla *sla; /* by which they were found: borrowed */
    size_t load_count; /* different loads of this unit that were tested: below 2 it is no sweep */
    const struct level_summary *const *loads; /* ascending, of each the level that stands for it */
    const struct repeated_load *repeated; /* of all units: what points_figure averages */
    size_t repeated_count;
    struct point saturation, breaking;
    struct point breaking_by[SLA_METRIC_COUNT]; /* each metric's class alone */
    struct knee knee;
    struct sweet_spot sweet_spot;
    struct capacity capacity[CAPACITY_COUNT];
    bool has_objectives; /* some level tells of --slo's */
    const struct level_summary *slo_advisable; /* capacity[CAPACITY_SLO].level, of loads that are valid as a measurement and not breaking; NULL: none */
    const struct level_summary *max_throughput; /* NULL: no level has a throughput */
    /* Which level to run in production and what limits it: a sentence, and the level (NULL: none can be named; one whose
     * measurement is invalid never is). Then a sentence of what it costs and on what that rests, or what to do; "": nothing to say. */
    const struct level_summary *advised;
    const char *advice, *assurance;
};

/* Of the levels with this unit, whatever their order. levels and sla must outlive the points. */
void points_find(struct points *points, struct arena *arena, const struct level_summary *levels, size_t count, const char *unit,
                 const struct sla *sla);

/* What is said of a load's throughput, by the level that stands for it: as in a comparison (roi_figure) the mean of its repeats, if there are
 * INTERVAL_VALUES_MIN that count, else the level's own. Classes and points are by the level that stands for the load, the worst of its repeats. */
double points_figure(const struct points *points, const struct level_summary *level, enum figure figure);
/* The repeats that points_figure averages; NULL: it is the level's own. */
const struct repeated_load *points_repeats(const struct points *points, const struct level_summary *level);

/* levels: one a load; set: of classes, not CAPACITY_SLO. The level of the highest throughput among those that meet the set's objectives and whose own class, all metrics together, is
 * not worse than `worst`. NULL: none. */
const struct level_summary *points_best_level(const struct level_summary *const *levels, size_t count, enum capacity_set set,
                                              enum sla_class worst);

/* "5 streams", "0.25 req/s" */
const char *points_load_text(struct arena *arena, double load, const char *unit);

#endif
