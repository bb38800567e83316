#include "plan/sla.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"
#include "wire/yaml_reader.h"

#define NAMES_MAX ((size_t)512) /* bytes of a list in a message */

CLEANUP_DEFINE(json_t, json_decref)

const struct sla sla_default = {
    .row =
        {
            [SLA_TTFT] = {"ttft", "ttft_ms", "TTFT p95", "ms", false, 1e9, {{500, false}, {1000, false}, {2000, true}}},
            [SLA_USER_TPS] = {"user_tps", "user_tps", "user speed", "tok/s", true, 1e9, {{50, false}, {20, false}, {10, true}}},
            [SLA_KV_CACHE] = {"kv_cache", "kv_cache", "KV cache", "%", false, 1, {{0.70, false}, {0.85, false}, {0.95, true}}},
            [SLA_QUEUE_DEPTH] = {"queue_depth", "queue_depth", "queue depth", "", false, 1e9, {{0.05, true}, {1, true}, {5, true}}},
            [SLA_ERROR_RATE] = {"error_rate", "error_rate", "error rate", "%", false, 1, {{0, true}, {0.001, true}, {0.05, true}}},
        },
    .name = "",
    .source = "",
};

const char *sla_class_name(enum sla_class class)
{
    static const char *const names[] = {
        [SLA_UNKNOWN] = "unknown",   [SLA_EXCELLENT] = "excellent", [SLA_ACCEPTABLE] = "acceptable",
        [SLA_DEGRADED] = "degraded", [SLA_BREAKING] = "breaking",
    };
    return names[class];
}

/* The class that a bound is the end of. */
static const char *bound_name(int bound)
{
    return sla_class_name((enum sla_class)(SLA_EXCELLENT + bound));
}

const struct sla *sla_copy(const struct sla *sla, struct arena *arena)
{
    struct sla *copy = ARENA_ARRAY(arena, 1, struct sla);
    *copy = *sla;
    copy->name = arena_strdup(arena, sla->name);
    copy->source = arena_strdup(arena, sla->source);
    return copy;
}

bool sla_is_given(const struct sla *sla)
{
    return sla->source[0] != '\0';
}

bool sla_equal(const struct sla *a, const struct sla *b)
{
    for (int metric = 0; metric < SLA_METRIC_COUNT; metric++)
        for (int k = 0; k < SLA_BOUNDS; k++) {
            const struct sla_bound *x = &a->row[metric].bound[k], *y = &b->row[metric].bound[k];
            if (x->limit != y->limit || x->included != y->included)
                return false;
        }
    return true;
}

const struct sla *sla_common(const struct sla *const *all, size_t count)
{
    for (size_t k = 1; k < count; k++)
        if (!sla_equal(all[0], all[k]))
            return &sla_default;
    return count > 0 ? all[0] : &sla_default;
}

/* ---- reading ---- */

static const char *operator_of(bool higher_is_better, bool included)
{
    return higher_is_better ? included ? ">=" : ">" : included ? "<=" : "<";
}

static int fail_bound(struct json_reader *reader, const struct sla_row *row, const char *key, const char *got)
{
    const char *unit = row->unit[0] == '%' ? "a share as 0.05 or \"5%\"" : row->unit[0] ? row->unit : "a number";
    return json_fail(reader, key, "expected a number from 0 to %g (%s), or a text with %s or %s before it, as \"%s %g\"; got %.40s", row->most, unit,
                     operator_of(row->higher_is_better, false), operator_of(row->higher_is_better, true),
                     operator_of(row->higher_is_better, row->bound[0].included), row->bound[0].limit, got);
}

/* Cuts a unit off the end and tells by what a number before it is to be multiplied; 0: it has another unit. */
static double take_unit(const struct sla_row *row, char *text)
{
    const struct {
        const char *unit;
        double factor;
    } of_ms[] = {{"ms", 1}, {"s", 1000}, {NULL, 0}}, of_share[] = {{"%", 0.01}, {NULL, 0}}, of_rate[] = {{"tok/s", 1}, {NULL, 0}}, *units;
    size_t length = strspn(text, "0123456789.+-eE");
    const char *unit = text + length + strspn(text + length, " ");
    units = row->unit[0] == '%' ? of_share : strcmp(row->unit, "ms") == 0 ? of_ms : of_rate;
    if (*unit == '\0') {
        text[length] = '\0';
        return 1;
    }
    for (; units->unit; units++)
        if (row->unit[0] && strcmp(units->unit, unit) == 0) {
            text[length] = '\0';
            return units->factor;
        }
    return 0;
}

/* "< 500", ">= 10 tok/s", "70 %": 0, or -1. */
static int parse_bound(const struct sla_row *row, const char *text, struct sla_bound *bound)
{
    text += strspn(text, " ");
    if (*text == '<' || *text == '>') {
        if ((*text == '>') != row->higher_is_better)
            return -1;
        bound->included = text[1] == '=';
        text += 1 + bound->included;
        text += strspn(text, " ");
    }
    cleanup_free char *number = mem_strdup(text);
    double factor = take_unit(row, number);
    if (factor == 0 || units_parse_number(number, &bound->limit) < 0)
        return -1;
    bound->limit = factor < 1 ? bound->limit / round(1 / factor) : bound->limit * factor; /* 0.1 % is 0.001 to the last bit */
    return 0;
}

/* row: the default. */
static void read_bound(struct json_reader *reader, const json_t *object, const char *key, const struct sla_row *row, struct sla_bound *bound)
{
    const json_t *value = json_object_get(object, key);
    if (!value) {
        json_fail(reader, key, "it is missing: a metric has all of excellent, acceptable and degraded");
        return;
    }
    cleanup_free char *text = json_is_boolean(value) ? NULL : json_scalar_text(value);
    int status = json_is_number(value) ? 0 : text ? parse_bound(row, text, bound) : -1;
    if (json_is_number(value))
        bound->limit = json_number_value(value);
    if (status < 0 || !(bound->limit >= 0 && bound->limit <= row->most))
        fail_bound(reader, row, key, text ? text : "no number");
}

/* Every class has values: each bound is stricter than the one behind it, and something is beyond the last. */
static void check_order(struct json_reader *reader, const struct sla_row *row)
{
    for (int k = 1; k < SLA_BOUNDS; k++) {
        double better = row->bound[k - 1].limit, worse = row->bound[k].limit;
        if (row->higher_is_better ? better <= worse : better >= worse)
            json_fail(reader, bound_name(k), "expected %s %g, the bound of %s; got %g: no value would be %s", row->higher_is_better ? "less than" : "more than",
                      better, bound_name(k - 1), worse, bound_name(k));
    }
    if (!row->higher_is_better && row->bound[0].limit == 0 && !row->bound[0].included)
        json_fail(reader, bound_name(0), "no value is below 0: \"<= 0\" has one");
    const struct sla_bound *last = &row->bound[SLA_BOUNDS - 1];
    if (row->higher_is_better && last->limit == 0 && last->included)
        json_fail(reader, bound_name(SLA_BOUNDS - 1), "no value is below 0: nothing would be breaking");
}

static void read_metric(struct json_reader *reader, const json_t *root, const struct sla_row *usual, struct sla_row *row)
{
    const json_t *object = json_object_get(root, row->key);
    const char *key;
    json_t *value;
    if (!object)
        return;
    if (!json_is_object(object)) {
        json_fail(reader, row->key, "expected its bounds: {excellent: ..., acceptable: ..., degraded: ...}");
        return;
    }
    size_t mark = json_enter(reader, row->key, -1);
    json_object_foreach((json_t *)object, key, value) {
        bool known = false;
        for (int k = 0; k < SLA_BOUNDS; k++)
            known |= strcmp(key, bound_name(k)) == 0;
        if (!known && strcmp(key, sla_class_name(SLA_BREAKING)) == 0)
            json_fail(reader, key, "it has no bound of its own: it is what lies beyond degraded");
        else if (!known)
            json_fail(reader, key, "there is no such class: expected excellent, acceptable, degraded");
    }
    for (int k = 0; k < SLA_BOUNDS && !reader->failed; k++)
        read_bound(reader, object, bound_name(k), usual, &row->bound[k]);
    if (!reader->failed)
        check_order(reader, row);
    json_leave(reader, mark);
}

static const char *read_text(struct json_reader *reader, const json_t *object, const char *key, size_t length_max, struct arena *arena)
{
    const char *text = json_get_text_or(reader, object, key, "");
    if (!reader->failed && strlen(text) > length_max)
        json_fail(reader, key, "expected at most %zu bytes", length_max);
    for (const char *c = text; *c && !reader->failed; c++)
        if ((unsigned char)*c < ' ')
            json_fail(reader, key, "expected a text of one line");
    return arena_strdup(arena, reader->failed ? "" : text);
}

static void fail_unknown(struct json_reader *reader, const char *key, const char *const *also)
{
    cleanup_buf struct buf names = BUF_INIT(NAMES_MAX);
    for (; *also; also++)
        buf_printf(&names, "%s, ", *also);
    for (int k = 0; k < SLA_METRIC_COUNT; k++)
        buf_printf(&names, "%s%s", k > 0 ? ", " : "", sla_default.row[k].key);
    json_fail(reader, key, "there is no such member: expected %s", buf_text(&names));
}

/* also: members beside the metrics; NULL at its end. */
static void read_object(struct json_reader *reader, const json_t *object, const char *const *also, struct arena *arena, struct sla *sla)
{
    const char *key;
    json_t *value;
    size_t metrics = 0;
    json_object_foreach((json_t *)object, key, value) {
        bool known = false;
        for (const char *const *name = also; *name; name++)
            known |= strcmp(*name, key) == 0;
        for (int k = 0; k < SLA_METRIC_COUNT && !known; k++) {
            known = strcmp(sla_default.row[k].key, key) == 0;
            metrics += known;
        }
        if (!known)
            fail_unknown(reader, key, also);
    }
    if (metrics == 0)
        json_fail(reader, "", "it has no bounds: expected some of ttft_ms, user_tps, kv_cache, queue_depth, error_rate");
    *sla = sla_default;
    sla->name = read_text(reader, object, "name", SLA_NAME_MAX, arena);
    for (int k = 0; k < SLA_METRIC_COUNT && !reader->failed; k++)
        read_metric(reader, object, &sla_default.row[k], &sla->row[k]);
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int sla_parse(const char *text, size_t length, const char *path, const char *purpose, struct arena *arena, struct sla *sla, struct error *err)
{
    static const char *const also[] = {"schema", "name", NULL};
    __attribute__((cleanup(json_lines_free))) struct json_lines lines = {0};
    struct json_reader reader = {.file = path, .lines = &lines, .err = err};
    cleanup_with(json_decref) json_t *root = yaml_parse(text, length, YAML_1_2, path, &lines, err);
    if (!root)
        return -1;
    if (!json_is_object(root))
        return error_set(err, ERROR_USAGE, "%s: it has no bounds: expected schema: %s, and some of ttft_ms, user_tps, kv_cache, queue_depth, error_rate",
                         path, SLA_SCHEMA);
    if (json_check_schema(&reader, root, SLA_SCHEMA) < 0)
        return -1;
    read_object(&reader, root, also, arena, sla);
    sla->source = arena_printf(arena, "%.200s (%s)", file_name(path), purpose);
    return reader.failed ? -1 : 0;
}

int sla_open(const char *path, const char *purpose, struct arena *arena, struct sla *sla, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(SLA_FILE_MAX);
    return file_read(path, &text, ERROR_USAGE, err) < 0 ? -1 : sla_parse(buf_text(&text), text.len, path, purpose, arena, sla, err);
}

void sla_read_of_model(struct sla *sla, struct json_reader *reader, const json_t *root, struct arena *arena)
{
    static const char *const also[] = {"name", NULL};
    const json_t *object = json_get_object_or_null(reader, root, "sla");
    if (!object)
        return;
    size_t mark = json_enter(reader, "sla", -1);
    read_object(reader, object, also, arena, sla);
    sla->source = arena_printf(arena, "%.200s (the model's file)", file_name(reader->file));
    json_leave(reader, mark);
}

void sla_read(struct sla *sla, struct json_reader *reader, const json_t *root, struct arena *arena)
{
    static const char *const also[] = {"name", "source", NULL};
    const json_t *object = json_get_object_or_null(reader, root, "sla");
    *sla = sla_default;
    if (!object)
        return;
    size_t mark = json_enter(reader, "sla", -1);
    read_object(reader, object, also, arena, sla);
    sla->source = read_text(reader, object, "source", SLA_SOURCE_MAX, arena);
    json_leave(reader, mark);
}

/* ---- writing ---- */

json_t *sla_to_json(const struct sla *sla)
{
    json_t *object = json_object();
    if (sla->name[0])
        json_set_text(object, "name", sla->name);
    if (sla->source[0])
        json_set_text(object, "source", sla->source);
    for (int metric = 0; metric < SLA_METRIC_COUNT; metric++) {
        const struct sla_row *row = &sla->row[metric];
        json_t *bounds = json_add_object(object, row->key);
        for (int k = 0; k < SLA_BOUNDS; k++) {
            double limit = row->bound[k].limit;
            cleanup_free char *few = mem_printf("%.15g", limit), *all = mem_printf("%.17g", limit);
            const char *number = strtod(few, NULL) == limit ? few : all;
            cleanup_free char *text = mem_printf("%s %s", operator_of(row->higher_is_better, row->bound[k].included), number);
            json_set_text(bounds, bound_name(k), text);
        }
    }
    return object;
}

void sla_write(const struct sla *sla, json_t *root)
{
    if (sla_is_given(sla))
        json_object_set_new(root, "sla", sla_to_json(sla));
    else
        json_set_null(root, "sla");
}

/* ---- for people ---- */

const char *sla_title(const struct sla *sla, struct arena *arena)
{
    if (!sla_is_given(sla))
        return "roibench's default bounds";
    return arena_printf(arena, "%s%s%s", sla->name, sla->name[0] ? ", of " : "", sla->source);
}

const char *sla_limit_text(const struct sla_row *row, double limit, struct arena *arena)
{
    if (row->unit[0] == '%')
        return arena_printf(arena, "%.6g %%", 100 * limit);
    if (strcmp(row->unit, "ms") == 0 && limit >= 1000)
        return arena_printf(arena, "%.6g s", limit / 1000);
    return arena_printf(arena, "%.6g%s%s", limit, row->unit[0] ? " " : "", row->unit);
}

const char *sla_bound_text(const struct sla_row *row, enum sla_class class, struct arena *arena)
{
    bool beyond = class == SLA_BREAKING;
    const struct sla_bound *bound = &row->bound[beyond ? SLA_BOUNDS - 1 : class - SLA_EXCELLENT];
    return arena_printf(arena, "%s %s", operator_of(row->higher_is_better != beyond, bound->included != beyond), sla_limit_text(row, bound->limit, arena));
}

const char *sla_bounds_text(const struct sla_row *row, struct arena *arena)
{
    return arena_printf(arena, "%s, %s, %s", sla_bound_text(row, SLA_EXCELLENT, arena), sla_bound_text(row, SLA_ACCEPTABLE, arena),
                        sla_bound_text(row, SLA_DEGRADED, arena));
}

const char *sla_interval_text(const struct sla_row *row, enum sla_class class, struct arena *arena)
{
    if (class == SLA_EXCELLENT || class == SLA_BREAKING)
        return sla_bound_text(row, class, arena);
    const struct sla_bound *better = &row->bound[class - SLA_EXCELLENT - 1], *worse = better + 1;
    const char *near = sla_limit_text(row, better->limit, arena), *far = sla_limit_text(row, worse->limit, arena);
    return row->higher_is_better ? arena_printf(arena, "%c%s, %s%c", worse->included ? '[' : '(', far, near, better->included ? ')' : ']')
                                 : arena_printf(arena, "%c%s, %s%c", better->included ? '(' : '[', near, far, worse->included ? ']' : ')');
}
