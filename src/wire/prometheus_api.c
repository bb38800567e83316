#include "wire/prometheus_api.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SECONDS_MAX 9e9 /* ns of it fit in 64 bits */
#define SAID_MAX 200    /* characters of a peer's error text */

static void append_encoded(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("-._~", *c))
            buf_append_char(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
}

void prometheus_query_url(struct buf *out, const char *base, const char *expression, int64_t realtime_ns)
{
    size_t length = strlen(base);
    while (length > 0 && base[length - 1] == '/')
        length--;
    buf_append(out, base, length);
    buf_append_text(out, "/api/v1/query?query=");
    append_encoded(out, expression);
    buf_printf(out, "&time=%lld.%03d", (long long)(realtime_ns / 1000000000), (int)(realtime_ns % 1000000000 / 1000000));
}

const char *prometheus_label(const json_t *labels, const char *name)
{
    const char *text = json_string_value(json_object_get(labels, name));
    return text ? text : "";
}

/* ---- the answer ---- */

static int misses(struct error *err, const char *what)
{
    return error_set(err, ERROR_TARGET, "no answer of Prometheus' API: %s", what);
}

/* [<seconds>, "<value>"]; false: no such pair. A value that is not finite is not kept. */
static bool take_pair(const json_t *pair, struct prometheus_sample *samples, size_t *count)
{
    const json_t *time = json_array_get(pair, 0);
    const char *text = json_string_value(json_array_get(pair, 1));
    char *end;
    if (!json_is_number(time) || !text || !text[0] || !(fabs(json_number_value(time)) < SECONDS_MAX))
        return false;
    double value = strtod(text, &end);
    if (*end)
        return false;
    if (isfinite(value)) /* times are of milliseconds */
        samples[(*count)++] = (struct prometheus_sample){llround(json_number_value(time) * 1e3) * 1000000, value};
    return true;
}

static int read_series(const json_t *series, prometheus_handler handler, void *context, struct error *err)
{
    const json_t *labels = json_object_get(series, "metric"), *values = json_object_get(series, "values"), *pair;
    if (!json_is_object(labels) || !json_is_array(values))
        return misses(err, "a series without its labels or its samples");
    struct prometheus_sample *samples = mem_calloc(json_array_size(values) + 1, sizeof *samples);
    size_t k, count = 0;
    bool whole = true;
    json_array_foreach(values, k, pair)
        whole = whole && take_pair(pair, samples, &count);
    if (whole && count > 0)
        handler(context, labels, samples, count);
    free(samples);
    return whole ? 0 : misses(err, "a sample that is no time and number");
}

static int read_result(const json_t *root, prometheus_handler handler, void *context, struct error *err)
{
    const json_t *data = json_object_get(root, "data"), *result = json_object_get(data, "result"), *series;
    const char *status = json_string_value(json_object_get(root, "status")), *said = json_string_value(json_object_get(root, "error"));
    const char *type = json_string_value(json_object_get(data, "resultType"));
    size_t k;
    if (status && strcmp(status, "error") == 0)
        return error_set(err, ERROR_TARGET, "Prometheus says: %.*s", SAID_MAX, said ? said : "error");
    if (!status || strcmp(status, "success") != 0)
        return misses(err, "it has no status");
    if (!type || strcmp(type, "matrix") != 0 || !json_is_array(result))
        return misses(err, "it is no matrix");
    json_array_foreach(result, k, series)
        if (read_series(series, handler, context, err) < 0)
            return -1;
    return 0;
}

int prometheus_read_matrix(const char *body, size_t length, prometheus_handler handler, void *context, struct error *err)
{
    json_error_t where;
    json_t *root = json_loadb(body, length, 0, &where);
    int status = json_is_object(root) ? read_result(root, handler, context, err) : misses(err, root ? "it is no object" : where.text);
    json_decref(root);
    return status;
}

/* ---- selectors ---- */

static const char *skip_spaces(const char *text)
{
    return text + strspn(text, " \t");
}

/* name, operator, quoted value; NULL: none stands here. */
static const char *skip_matcher(const char *text)
{
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (name == 0 || isdigit((unsigned char)text[0]))
        return NULL;
    text = skip_spaces(text + name);
    if (text[0] == '=' || (text[0] == '!' && (text[1] == '=' || text[1] == '~')))
        text += text[0] == '!' || text[1] == '~' ? 2 : 1;
    else
        return NULL;
    text = skip_spaces(text);
    if (*text++ != '"')
        return NULL;
    while (*text && *text != '"' && (unsigned char)*text >= ' ')
        text += text[0] == '\\' && text[1] ? 2 : 1;
    return *text == '"' ? skip_spaces(text + 1) : NULL;
}

int prometheus_selector_check(const char *selector, struct error *err)
{
    const char *text = skip_spaces(selector);
    while (*text) {
        text = skip_matcher(text);
        if (!text || (*text && *text != ','))
            return error_set(err, ERROR_USAGE, "%s: expected label matchers as between { and } of PromQL: namespace=\"models\",pod=~\"llama-.*\"", selector);
        if (*text == ',')
            text = skip_spaces(text + 1);
    }
    return 0;
}
