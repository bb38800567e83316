#include "report/summary_read.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define COUNT_MAX INT64_C(1000000000000) /* of anything in a level */

/* ---- a level ---- */

static const json_t *object_or_null(struct json_reader *reader, const json_t *object, const char *key)
{
    return object ? json_get_object_or_null(reader, object, key) : NULL;
}

static double number_or_unknown(struct json_reader *reader, const json_t *object, const char *key)
{
    return object ? json_get_number_or(reader, object, key, NAN) : NAN;
}

static uint64_t read_count(struct json_reader *reader, const json_t *object, const char *key)
{
    int64_t count = json_get_integer(reader, object, key);
    if (!reader->failed && (count < 0 || count > COUNT_MAX))
        json_fail(reader, key, "expected a count, got %lld", (long long)count);
    return reader->failed ? 0 : (uint64_t)count;
}

/* Infinity is null in a file: so is a bound that there is none of, with too few samples. */
static double bound(double number, uint64_t rank)
{
    return isnan(number) && rank > 0 ? INFINITY : number;
}

static struct history_value read_percentile(struct json_reader *reader, const json_t *level, const char *key, enum percentile which)
{
    const char *percentile = percentile_name(which);
    const json_t *distribution = object_or_null(reader, level, key);
    size_t mark = json_enter(reader, key, -1);
    const json_t *intervals = object_or_null(reader, distribution, "interval_95");
    size_t inner = json_enter(reader, "interval_95", -1);
    const json_t *interval = object_or_null(reader, intervals, percentile);
    uint64_t count = distribution ? read_count(reader, distribution, "count") : 0, low, high;
    series_interval_ranks(count, percentile_per_mille(which), &low, &high);
    struct history_value value = {
        count > 0 ? json_get_number_or(reader, distribution, percentile, INFINITY) : NAN,
        bound(number_or_unknown(reader, interval, "low"), low),
        bound(number_or_unknown(reader, interval, "high"), high),
    };
    json_leave(reader, inner);
    json_leave(reader, mark);
    return value;
}

/* Not in files of before there were any. */
static struct interval read_rate_interval(struct json_reader *reader, const json_t *level, const char *key)
{
    const json_t *intervals = object_or_null(reader, level, "interval_95");
    size_t mark = json_enter(reader, "interval_95", -1);
    const json_t *interval = object_or_null(reader, intervals, key);
    struct interval found = {number_or_unknown(reader, interval, "low"), number_or_unknown(reader, interval, "high")};
    json_leave(reader, mark);
    return found;
}

static enum validity read_validity(struct json_reader *reader, const json_t *level)
{
    const json_t *validity = json_get_object(reader, level, "validity");
    size_t mark = json_enter(reader, "validity", -1);
    const char *verdict = json_get_text(reader, validity, "verdict");
    enum validity found = VALIDITY_VALID;
    while (!reader->failed && strcmp(verdict, validity_name(found)) != 0)
        if (found == VALIDITY_INVALID)
            json_fail(reader, "verdict", "expected valid, suspect or invalid, got \"%.20s\"", verdict);
        else
            found++;
    json_leave(reader, mark);
    return found;
}

static enum sla_class read_class(struct json_reader *reader, const json_t *level)
{
    const json_t *classes = json_get_object(reader, level, "classes");
    size_t mark = json_enter(reader, "classes", -1);
    const char *name = json_get_text_or(reader, classes, "level", sla_class_name(SLA_UNKNOWN));
    enum sla_class found = SLA_UNKNOWN;
    while (!reader->failed && strcmp(name, sla_class_name(found)) != 0)
        if (found == SLA_BREAKING)
            json_fail(reader, "level", "expected the name of a class, got \"%.20s\"", name);
        else
            found++;
    json_leave(reader, mark);
    return found;
}

static void read_requests(struct json_reader *reader, const json_t *level, struct history_level *out)
{
    const json_t *requests = json_get_object(reader, level, "requests");
    size_t mark = json_enter(reader, "requests", -1);
    out->ended = read_count(reader, requests, "ok") + read_count(reader, requests, "error");
    json_leave(reader, mark);
    double rate = json_get_number_or(reader, level, "error_rate", 0);
    if (!reader->failed && !(rate >= 0 && rate <= 1))
        json_fail(reader, "error_rate", "expected a share, got %g", rate);
    out->failed = reader->failed ? 0 : (uint64_t)llround(rate * (double)out->ended);
}

static void read_level(struct json_reader *reader, const json_t *level, struct history_level *out)
{
    out->load = json_get_number(reader, level, "load");
    const char *unit = json_get_text(reader, level, "unit");
    snprintf(out->unit, sizeof out->unit, "%s", unit);
    out->validity = read_validity(reader, level);
    out->class = read_class(reader, level);
    read_requests(reader, level, out);
    out->value[HISTORY_TTFT_P50] = read_percentile(reader, level, "ttft_censored_ms", P50);
    out->value[HISTORY_TTFT_P95] = read_percentile(reader, level, "ttft_censored_ms", P95);
    out->value[HISTORY_USER_TPS] = history_speed(read_percentile(reader, level, "tpot_ms", P95));
    out->value[HISTORY_E2E_P50] = read_percentile(reader, level, "e2e_ms", P50);
    struct interval throughput = read_rate_interval(reader, level, "total_tps"), errors = read_rate_interval(reader, level, "error_rate");
    out->value[HISTORY_TOTAL_TPS] = (struct history_value){json_get_number_or(reader, level, "total_tps", NAN), throughput.low, throughput.high};
    out->value[HISTORY_ERROR_RATE] = history_error_rate(out->failed, out->ended, &errors);
}

static void read_levels(struct json_reader *reader, const json_t *root, struct history_run *run)
{
    const json_t *levels = json_get_array(reader, root, "levels");
    size_t count = reader->failed ? 0 : json_array_size(levels);
    if (count > SUMMARY_LEVELS_MAX)
        json_fail(reader, "levels", "more than %d", SUMMARY_LEVELS_MAX);
    run->levels = ARENA_ARRAY(run->arena, count + 1, struct history_level);
    for (size_t k = 0; k < count && !reader->failed; k++) {
        const json_t *level = json_array_get(levels, k);
        size_t mark = json_enter(reader, "levels", (int)k);
        if (json_is_object(level))
            read_level(reader, level, &run->levels[run->level_count++]);
        else
            json_fail(reader, "", "expected an object");
        json_leave(reader, mark);
    }
}

/* ---- points ---- */

static struct history_point read_point(struct json_reader *reader, const json_t *points, const char *key, struct arena *arena)
{
    const json_t *object = json_get_object(reader, points, key);
    size_t mark = json_enter(reader, key, -1);
    const json_t *decided = json_object_get(object, "decided");
    const char *text = json_get_text(reader, object, "text");
    struct history_point point = {
        .held = number_or_unknown(reader, object, "held"),
        .broke = number_or_unknown(reader, object, "broke"),
        .decided = json_is_true(decided) ? 1 : json_is_false(decided) ? 0 : -1,
        .text = arena_strdup(arena, text),
    };
    json_leave(reader, mark);
    return point;
}

static void read_points(struct json_reader *reader, const json_t *root, struct history_run *run)
{
    const json_t *points = json_get_object_or_null(reader, root, "points");
    if (!points)
        return;
    size_t mark = json_enter(reader, "points", -1);
    const char *unit = json_get_text(reader, points, "unit"), *advice = json_get_text(reader, points, "advice");
    run->unit = arena_strdup(run->arena, unit);
    run->advice = arena_strdup(run->arena, advice);
    run->saturation = read_point(reader, points, "saturation", run->arena);
    run->breaking = read_point(reader, points, "breaking", run->arena);
    run->advised_load = json_get_number_or(reader, points, "advised_load", NAN);
    const json_t *most = json_get_object_or_null(reader, points, "max_throughput");
    size_t inner = json_enter(reader, "max_throughput", -1);
    run->max_tps = number_or_unknown(reader, most, "total_tps");
    json_leave(reader, inner);
    json_leave(reader, mark);
}

/* ---- the whole ---- */

static void read_facts(struct json_reader *reader, const json_t *root, struct history_run *run)
{
    const json_t *facts = json_get_object(reader, root, "run");
    size_t mark = json_enter(reader, "run", -1);
    const char *started = json_get_text_or(reader, facts, "started", NULL);
    if (!reader->failed && started && clock_parse_rfc3339(started, &run->started) < 0)
        json_fail(reader, "started", "expected a date as in 2026-11-24T04:06:51Z, got \"%.40s\"", started);
    history_run_set_gpus(run, json_get_integer_or(reader, facts, "gpus", 0));
    json_leave(reader, mark);
}

static void read_sla(struct json_reader *reader, const json_t *root, struct history_run *run)
{
    struct sla sla;
    sla_read(&sla, reader, root, run->arena);
    run->sla = sla_copy(&sla, run->arena);
}

static struct history_run *read_root(struct json_reader *reader, json_t *root, const struct plan *plan)
{
    if (!root)
        return NULL;
    struct history_run *run = history_run_new(plan);
    read_facts(reader, root, run);
    read_sla(reader, root, run);
    read_levels(reader, root, run);
    read_points(reader, root, run);
    json_decref(root);
    if (!reader->failed)
        return run;
    history_run_free(run);
    return NULL;
}

struct history_run *summary_read(const char *path, const struct plan *plan, struct error *err)
{
    struct json_reader reader;
    return read_root(&reader, json_open(&reader, path, SUMMARY_SCHEMA, err), plan);
}

struct history_run *summary_parse(const char *bytes, size_t length, const char *name, const struct plan *plan, struct error *err)
{
    struct json_reader reader;
    return read_root(&reader, json_parse(&reader, bytes, length, name, SUMMARY_SCHEMA, err), plan);
}
