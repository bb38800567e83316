#include "plan/scenario.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/units.h"

#define DRAWS_MAX 1000

static const struct scenario scenarios[] = {
    {"chat", 64, 64, "TTFT"},
    {"summarization", 512, 128, "KV cache"},
    {"code-gen", 128, 256, "TPOT"},
    {"stress", 256, 256, "overall"},
};

const struct scenario *scenario_find(const char *name)
{
    for (size_t k = 0; k < sizeof scenarios / sizeof scenarios[0]; k++)
        if (strcmp(scenarios[k].name, name) == 0)
            return &scenarios[k];
    return NULL;
}

struct token_lengths token_lengths_fixed(int64_t tokens)
{
    return (struct token_lengths){.mean = tokens, .stddev = 0, .min = tokens, .max = tokens};
}

int token_lengths_parse(const char *text, const char *option, struct token_lengths *lengths, struct error *err)
{
    cleanup_free char *copy = mem_strdup(text);
    char *rest = copy;
    int64_t numbers[4] = {0};
    size_t count = 0;
    bool read = true;
    while (rest && read) {
        read = count < 4 && units_parse_integer(strsep(&rest, ","), &numbers[count]) == 0;
        count += read;
    }
    *lengths = (struct token_lengths){.mean = numbers[0], .stddev = numbers[1], .min = numbers[2], .max = numbers[3]};
    if (count == 1)
        *lengths = token_lengths_fixed(numbers[0]);
    bool fine = read && (count == 1 || count == 4) && lengths->stddev >= 0 && lengths->stddev <= PLAN_TOKENS_MAX && lengths->min >= 1 &&
                lengths->min <= lengths->mean && lengths->mean <= lengths->max && lengths->max <= PLAN_TOKENS_MAX;
    if (!fine)
        return error_set(err, ERROR_USAGE, "%s: '%s' is neither a number of tokens (1 to %lld) nor mean,stddev,min,max", option, text,
                         (long long)PLAN_TOKENS_MAX);
    return 0;
}

int64_t token_lengths_draw(const struct token_lengths *lengths, struct random *random)
{
    if (lengths->stddev == 0)
        return lengths->mean;
    double length = 0;
    for (int tries = 0; tries < DRAWS_MAX; tries++) {
        length = round(random_normal(random, (double)lengths->mean, (double)lengths->stddev));
        if (length >= (double)lengths->min && length <= (double)lengths->max)
            return (int64_t)length;
    }
    return length < (double)lengths->min ? lengths->min : lengths->max;
}
