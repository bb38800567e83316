/* SLA classes: the bounds between them, by default and of one's own.
 *
 * The table is data: a metric has three bounds between four classes, and a bound says whether the value that equals it still belongs to the
 * better class. What lies beyond the last bound is breaking. Classes and metrics are always these: gates, history and dashboards know them by
 * name. Their bounds may come from a file (--sla FILE, YAML or JSON, docs/sla.md), or from a model file's member `sla`:
 *
 *     schema: roibench/sla/v1
 *     name: interactive chat
 *     ttft_ms:  {excellent: "< 300", acceptable: "< 800", degraded: "<= 1500"}
 *     user_tps: {excellent: "> 40", acceptable: "> 15", degraded: ">= 8"}
 *
 * A metric that is not named keeps its default bounds; one that is has all three, each stricter than the next. A bound is a number in the unit
 * of its key, or a text with an operator before it and perhaps a unit behind it; without an operator the limit belongs where it does by
 * default. plan.json and summary.json have the same members, all five metrics of them, and `source` (none: the defaults). */
#ifndef ROIBENCH_PLAN_SLA_H
#define ROIBENCH_PLAN_SLA_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

#define SLA_SCHEMA "roibench/sla/v1"
#define SLA_FILE_MAX ((size_t)64 << 10)
#define SLA_NAME_MAX 80   /* bytes */
#define SLA_SOURCE_MAX 300
#define SLA_BOUNDS 3      /* excellent | acceptable | degraded | breaking */

enum sla_class { SLA_UNKNOWN, SLA_EXCELLENT, SLA_ACCEPTABLE, SLA_DEGRADED, SLA_BREAKING };
const char *sla_class_name(enum sla_class class); /* "excellent"…; "unknown" */

enum sla_metric { SLA_TTFT, SLA_USER_TPS, SLA_KV_CACHE, SLA_QUEUE_DEPTH, SLA_ERROR_RATE, SLA_METRIC_COUNT };

struct sla_bound {
    double limit;
    bool included; /* the limit itself is still of the better class */
};

struct sla_row {
    const char *name;  /* in results: "ttft" */
    const char *key;   /* of its bounds in files: "ttft_ms" */
    const char *title; /* for people: "TTFT p95" */
    const char *unit;  /* "ms", "tok/s", ""; of a share: "%" (its values are shares of 1) */
    bool higher_is_better;
    double most;       /* that a limit may be */
    struct sla_bound bound[SLA_BOUNDS];
};

struct sla {
    struct sla_row row[SLA_METRIC_COUNT];
    const char *name;   /* what its author calls it; "" */
    const char *source; /* where it comes from: "sla.yaml (--sla of prepare)"; "": nowhere, these are the defaults */
};

/* The defaults of docs/metrics.md. */
extern const struct sla sla_default;

/* Whole, in the arena. */
const struct sla *sla_copy(const struct sla *sla, struct arena *arena);
bool sla_is_given(const struct sla *sla);
/* The same bounds, wherever they come from. */
bool sla_equal(const struct sla *a, const struct sla *b);

/* The bounds that all have; the defaults where they do not agree, or there are none. */
const struct sla *sla_common(const struct sla *const *all, size_t count);

/* Reads a file. purpose: what it was given to, for `source`. Its texts are the arena's. -1 with *err (ERROR_USAGE), that names the line. */
int sla_open(const char *path, const char *purpose, struct arena *arena, struct sla *sla, struct error *err);
/* The same of bytes in memory; whatever they are. */
int sla_parse(const char *text, size_t length, const char *path, const char *purpose, struct arena *arena, struct sla *sla, struct error *err);
/* Member "sla" of a model file, which the reader knows by its path; without one *sla is left alone. */
void sla_read_of_model(struct sla *sla, struct json_reader *reader, const json_t *root, struct arena *arena);
/* Member "sla" of plan.json, of summary.json; null or none: the defaults. */
void sla_read(struct sla *sla, struct json_reader *reader, const json_t *root, struct arena *arena);
/* For plan.json: null where nothing was given. */
void sla_write(const struct sla *sla, json_t *root);
/* For results, which say by which bounds they were judged: the defaults too. A new reference. */
json_t *sla_to_json(const struct sla *sla);

/* ---- for people ---- */

/* "roibench's default bounds", "interactive chat, of sla.yaml (--sla of prepare)" */
const char *sla_title(const struct sla *sla, struct arena *arena);
/* A limit of a metric: "1.5 s", "20 tok/s", "95 %" */
const char *sla_limit_text(const struct sla_row *row, double limit, struct arena *arena);
/* What a value of this class or a better one is: "< 1 s", "> 20 tok/s"; of breaking what is of no better one: "> 2 s", "< 10 tok/s". */
const char *sla_bound_text(const struct sla_row *row, enum sla_class class, struct arena *arena);
/* "< 500 ms, < 1 s, <= 2 s": the ends of excellent, acceptable and degraded */
const char *sla_bounds_text(const struct sla_row *row, struct arena *arena);
/* The interval of a class alone: "[500 ms, 1 s)", "> 50 tok/s", "0 %" */
const char *sla_interval_text(const struct sla_row *row, enum sla_class class, struct arena *arena);

#endif
