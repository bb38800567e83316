#include "plan/synthetic.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "plan/scenario.h"

#define SPREAD_WITHOUT_BOUNDS 5 /* standard deviations */

enum part { MEAN, STDDEV, MIN, MAX, PARTS };
static const char *const suffixes[PARTS] = {"", "_stdev", "_min", "_max"};
static const char *const unused_keys[] = {"kind", "samples", "source", NULL};

struct side {
    const char *name; /* "prompt_tokens" */
    int64_t parts[PARTS];
    bool given[PARTS];
};

bool synthetic_is(const char *text)
{
    const char *at = text + strspn(text, " \t\r\n");
    if (*at == '{')
        return true;
    return strncmp(at, "prompt_tokens", 13) == 0 || strncmp(at, "output_tokens", 13) == 0 || strncmp(at, "kind=synthetic", 14) == 0;
}

static int take_pair(struct side sides[2], const char *key, const char *value, struct buf *unused, struct error *err)
{
    for (size_t s = 0; s < 2; s++) {
        size_t length = strlen(sides[s].name);
        for (size_t p = 0; strncmp(key, sides[s].name, length) == 0 && p < PARTS; p++) {
            if (strcmp(key + length, suffixes[p]) != 0)
                continue;
            sides[s].given[p] = true;
            if (units_parse_integer(value, &sides[s].parts[p]) < 0 || sides[s].parts[p] < 0 || sides[s].parts[p] > PLAN_TOKENS_MAX)
                return error_set(err, ERROR_USAGE, "--data: %s: '%.40s' is not a number of tokens", key, value);
            return 0;
        }
    }
    for (const char *const *known = unused_keys; *known; known++) {
        if (strcmp(key, *known) == 0) {
            buf_printf(unused, "%s%s", unused->len > 0 ? ", " : "", key);
            return 0;
        }
    }
    return error_set(err, ERROR_USAGE, "--data: '%.40s' is not known. Known are prompt_tokens and output_tokens, each also with _stdev, _min, _max", key);
}

static int take_list(struct side sides[2], const char *text, struct buf *unused, struct error *err)
{
    cleanup_free char *copy = mem_strdup(text);
    char *rest = copy, *pair;
    while ((pair = strsep(&rest, ","))) {
        pair += strspn(pair, " \t\r\n");
        char *equals = strchr(pair, '=');
        if (!equals)
            return error_set(err, ERROR_USAGE, "--data: expected KEY=NUMBER, got '%.40s'", pair);
        *equals = '\0';
        if (take_pair(sides, pair, equals + 1, unused, err) < 0)
            return -1;
    }
    return 0;
}

static int take_object(struct side sides[2], const char *text, struct buf *unused, struct error *err)
{
    struct json_reader reader;
    json_t *object = json_parse(&reader, text, strlen(text), "--data", NULL, err), *value;
    const char *key;
    int status = object ? 0 : -1;
    json_object_foreach(object, key, value)
    {
        cleanup_free char *scalar = json_scalar_text(value);
        if (status == 0 && !json_is_null(value))
            status = take_pair(sides, key, scalar ? scalar : "", unused, err);
    }
    json_decref(object);
    return status;
}

/* As GuideLLM draws them: around the mean where there is a deviation, else from min to max, all as likely; without both, the mean. */
static int fill_lengths(const struct side *side, struct token_lengths *lengths, struct error *err)
{
    const int64_t *parts = side->parts;
    int64_t spread = SPREAD_WITHOUT_BOUNDS * parts[STDDEV];
    int64_t min = side->given[MIN] ? parts[MIN] : parts[MEAN] - spread, max = side->given[MAX] ? parts[MAX] : parts[MEAN] + spread;
    if (!side->given[MEAN])
        return error_set(err, ERROR_USAGE, "--data: %s is missing", side->name);
    min = min < 1 && parts[MEAN] > 0 ? 1 : min;
    max = max > PLAN_TOKENS_MAX ? PLAN_TOKENS_MAX : max;
    bool uniform = parts[STDDEV] == 0 && min < max;
    *lengths = (struct token_lengths){.mean = uniform ? min + (max - min) / 2 : parts[MEAN], .stddev = parts[STDDEV], .min = min, .max = max,
                                      .kind = uniform ? VARIATE_UNIFORM : VARIATE_CONSTANT};
    if (min < 1 || lengths->mean < min || max < lengths->mean)
        return error_set(err, ERROR_USAGE, "--data: %s: expected 1 <= min <= mean <= max, got %" PRId64 ", %" PRId64 " and %" PRId64, side->name, min,
                         parts[MEAN], max);
    return 0;
}

int synthetic_parse(const char *text, struct token_lengths *prompt, struct token_lengths *output, struct buf *unused, struct error *err)
{
    struct side sides[2] = {{.name = "prompt_tokens"}, {.name = "output_tokens"}};
    bool object = text[strspn(text, " \t\r\n")] == '{';
    if ((object ? take_object(sides, text, unused, err) : take_list(sides, text, unused, err)) < 0)
        return -1;
    return fill_lengths(&sides[0], prompt, err) < 0 ? -1 : fill_lengths(&sides[1], output, err);
}
