#include "ship/index_receipt.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#define SECONDS_PER_HOUR 3600
#define MILLION 1e6

/* NULL: there is none, or it is none of ours; then it has nothing to tell. */
static json_t *open_document(const char *folder, const char *name, const char *schema)
{
    cleanup_free char *path = file_join(folder, name);
    struct json_reader reader;

    return file_exists(path) ? json_open(&reader, path, schema, NULL) : NULL;
}

static void copy(json_t *receipt, const char *key, const json_t *object, const char *from)
{
    json_t *value = json_object_get(object, from);

    json_object_set_new(receipt, key, json_is_string(value) || json_is_number(value) ? json_incref(value) : json_null());
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *number = json_object_get(object, key);

    return json_is_number(number) ? json_number_value(number) : NAN;
}

/* NAN: not known of one of them. */
static double worse(double a, double b, bool more_is_worse)
{
    return isnan(a) || isnan(b) ? NAN : (a > b) == more_is_worse ? a : b;
}

/* Of the levels with the advised load, the worst. */
static void put_advised(json_t *receipt, const json_t *summary, const json_t *points)
{
    const double load = number_of(points, "advised_load"), price = number_of(json_object_get(summary, "run"), "price_per_hour");
    const json_t *unit = json_object_get(points, "unit"), *level;
    double ttft_ms = NAN, total_tps = NAN;
    size_t k, found = 0;

    json_array_foreach(json_object_get(summary, "levels"), k, level) {
        const double level_ttft_ms = number_of(json_object_get(level, "ttft_censored_ms"), "p95"), level_tps = number_of(level, "total_tps");

        if (isnan(load) || number_of(level, "load") != load || !json_equal(unit, json_object_get(level, "unit")))
            continue;
        ttft_ms = found == 0 ? level_ttft_ms : worse(ttft_ms, level_ttft_ms, true);
        total_tps = found++ == 0 ? level_tps : worse(total_tps, level_tps, false);
    }
    json_set_number(receipt, "ttft_p95_ms", ttft_ms);
    json_set_number(receipt, "total_tps", total_tps);
    json_set_number(receipt, "usd_per_million_tokens", total_tps > 0 && price > 0 ? price / (total_tps * SECONDS_PER_HOUR) * MILLION : NAN);
}

static void put_run(json_t *receipt, const char *folder)
{
    json_t *summary = open_document(folder, "summary.json", NULL), *plan = open_document(folder, "plan.json", NULL);
    const json_t *run = json_object_get(summary, "run"), *points = json_object_get(summary, "points");
    const json_t *deployment = run ? run : json_object_get(plan, "deployment");

    copy(receipt, "model", run ? run : plan, "model");
    copy(receipt, "hardware", deployment, "hardware");
    copy(receipt, "server", run, "server");
    copy(receipt, "gpus", deployment, "gpus");
    copy(receipt, "price_per_hour", deployment, "price_per_hour");
    copy(receipt, "started", run ? run : plan, run ? "started" : "created");
    copy(receipt, "unit", points, "unit");
    copy(receipt, "advised_load", points, "advised_load");
    put_advised(receipt, summary, points);
    copy(receipt, "breaking_point", json_object_get(points, "breaking"), "text");
    copy(receipt, "peak_total_tps", json_object_get(points, "max_throughput"), "total_tps");
    copy(receipt, "conclusion", points, "advice");
    json_decref(summary);
    json_decref(plan);
}

json_t *index_receipt_new(const struct index_publication *publication)
{
    char date[CLOCK_RFC3339_SIZE];
    json_t *receipt = json_object();

    json_set_text(receipt, "schema", "roibench/published/v1");
    json_set_text(receipt, "kind", publication->comparison ? "comparison" : "run");
    json_set_text(receipt, "id", publication->id);
    if (publication->comparison) {
        json_t *comparison = open_document(publication->folder, "comparison.json", NULL);

        copy(receipt, "conclusion", comparison, "conclusion");
        json_decref(comparison);
    } else {
        put_run(receipt, publication->folder);
    }
    json_set_text(receipt, "published", clock_format_rfc3339(publication->published, 3, date));
    json_set_text(receipt, "identity", publication->identity);
    return receipt;
}
