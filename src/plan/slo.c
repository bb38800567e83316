#include "plan/slo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "plan/plan.h"

#define NS_A_MS 1e6

static const struct {
    const char *name, *key;
} latencies[SLO_LATENCY_COUNT] = {
#define X(name, text, key) [SLO_##name] = {text, key},
    SLO_LATENCIES(X)
#undef X
};

const char *slo_latency_name(enum slo_latency latency)
{
    return latencies[latency].name;
}

bool slo_is_given(const struct slo *slo)
{
    for (int k = 0; k < SLO_LATENCY_COUNT; k++)
        if (slo->most_ns[k] > 0)
            return true;
    return false;
}

static int find_latency(const char *name)
{
    for (int k = 0; k < SLO_LATENCY_COUNT; k++)
        if (strcmp(name, latencies[k].name) == 0)
            return k;
    return -1;
}

static int fail_name(const char *name, struct error *err)
{
    cleanup_buf struct buf names = BUF_INIT(SLO_TEXT_MAX);
    for (int k = 0; k < SLO_LATENCY_COUNT; k++)
        buf_printf(&names, "%s%s", k > 0 ? ", " : "", latencies[k].name);
    return error_set(err, ERROR_USAGE, "--slo: a request has no '%s'; there are %s", name, buf_text(&names));
}

/* Without a unit, 1000 would be seconds to us and milliseconds to others. */
static int parse_objective(char *item, struct slo *slo, struct error *err)
{
    char *value = item;
    const char *name = strsep(&value, "=");
    int64_t ns = 0;
    if (!value)
        return error_set(err, ERROR_USAGE, "--slo: '%s' is no objective: expected one as in ttft=1000ms", item);
    int latency = find_latency(name);
    if (latency < 0)
        return fail_name(name, err);
    size_t length = strlen(value);
    bool has_unit = length > 0 && (value[length - 1] < '0' || value[length - 1] > '9') && value[length - 1] != '.';
    if (!has_unit || units_parse_duration(value, &ns) < 0 || ns <= 0 || (double)ns > PLAN_SECONDS_MAX * (double)NS_PER_S)
        return error_set(err, ERROR_USAGE, "--slo: %s: '%s' is no time with a unit, as in 1000ms or 1s", name, value);
    if (slo->most_ns[latency] > 0)
        return error_set(err, ERROR_USAGE, "--slo: %s is given twice", name);
    slo->most_ns[latency] = ns;
    return 0;
}

int slo_parse(const char *text, struct slo *slo, struct error *err)
{
    cleanup_free char *copy = mem_strdup(text);
    char *rest = copy, *item;
    *slo = (struct slo){0};
    while ((item = strsep(&rest, ",")))
        if (parse_objective(item, slo, err) < 0)
            return -1;
    return 0;
}

void slo_describe(const struct slo *slo, struct buf *out)
{
    const char *and = "";
    for (int k = 0; k < SLO_LATENCY_COUNT; k++) {
        if (slo->most_ns[k] == 0)
            continue;
        buf_printf(out, "%s%s at most %.9g ms", and, latencies[k].name, (double)slo->most_ns[k] / NS_A_MS);
        and = " and ";
    }
}

void slo_write(const struct slo *slo, json_t *root)
{
    if (!slo_is_given(slo)) {
        json_set_null(root, "slo");
        return;
    }
    json_t *object = json_add_object(root, "slo");
    for (int k = 0; k < SLO_LATENCY_COUNT; k++)
        if (slo->most_ns[k] > 0)
            json_set_number(object, latencies[k].key, (double)slo->most_ns[k] / NS_A_MS);
}

void slo_read(struct slo *slo, struct json_reader *reader, const json_t *root)
{
    const json_t *object = json_get_object_or_null(reader, root, "slo");
    if (!object)
        return;
    size_t mark = json_enter(reader, "slo", -1);
    for (int k = 0; k < SLO_LATENCY_COUNT; k++) {
        const json_t *value = json_object_get(object, latencies[k].key);
        if (!value || json_is_null(value))
            continue;
        double ms = json_get_number(reader, object, latencies[k].key);
        if (!reader->failed && !(ms > 0 && ms <= PLAN_SECONDS_MAX * 1000))
            json_fail(reader, latencies[k].key, "expected ms, above 0 and at most %g", PLAN_SECONDS_MAX * 1000);
        else
            slo->most_ns[k] = llround(ms * NS_A_MS);
    }
    if (!reader->failed && !slo_is_given(slo))
        json_fail(reader, "ttft_ms", "expected an objective, this or another");
    json_leave(reader, mark);
}
