#include "cmd/roibench/summarize_facts.h"

#include <math.h>
#include <string.h>

#include "base/terminal.h"
#include "base/units.h"

#define GPUS_MAX 1000000
#define CLAIM_MAX 1e12

typedef int (*fact_setter)(struct deployed *deployed, const char *text, const char *item, struct error *err);

static int set_price(struct deployed *deployed, const char *text, const char *item, struct error *err)
{
    int64_t price;
    if (units_parse_usd(text, &price) < 0)
        return error_set(err, ERROR_USAGE, "--price %s: expected NAME=USD, dollars an hour as in 0.85", item);
    *deployed->price_micro_usd = price;
    *deployed->price_source = "--price";
    return 0;
}

static int set_gpus(struct deployed *deployed, const char *text, const char *item, struct error *err)
{
    int64_t gpus;
    if (units_parse_integer(text, &gpus) < 0 || gpus < 1 || gpus > GPUS_MAX)
        return error_set(err, ERROR_USAGE, "--gpus %s: expected NAME=N, a whole number from 1 to %d", item, GPUS_MAX);
    *deployed->gpus = gpus;
    return 0;
}

/* Whatever it is a number of: it stays a text. */
static int set_quality(struct deployed *deployed, const char *text, const char *item, struct error *err)
{
    bool steers = false;
    for (const char *at = text; *at; at++)
        steers |= terminal_control_length(at, strlen(at)) > 0;
    if (!text[0] || strlen(text) > QUALITY_TEXT_MAX || steers)
        return error_set(err, ERROR_USAGE, "--quality %s: expected NAME=X, such as 0.989, of at most %d bytes", item, QUALITY_TEXT_MAX);
    deployed->quality = text;
    return 0;
}

static int set_claim(struct deployed *deployed, const char *text, const char *item, struct error *err)
{
    double claim;
    if (units_parse_number(text, &claim) < 0 || !(claim > 0 && claim < CLAIM_MAX))
        return error_set(err, ERROR_USAGE, "--claim %s: expected NAME=X, total tokens a second per dollar-hour, above 0", item);
    deployed->claim = claim;
    return 0;
}

static bool is_named(const struct deployed *deployed, const char *name, size_t length)
{
    const char *const names[] = {deployed->run_id, deployed->model, deployed->hardware};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (names[k] && strlen(names[k]) == length && memcmp(names[k], name, length) == 0)
            return true;
    return false;
}

/* NAME is a run-id, a model or a hardware; it may hold '=', its value cannot. */
static int set_fact(struct deployed *deployed, size_t count, const char *option, const char *item, fact_setter set, struct error *err)
{
    const char *equals = strrchr(item, '=');
    size_t matches = 0;
    if (!equals || equals == item)
        return error_set(err, ERROR_USAGE, "--%s %s: expected NAME=VALUE; NAME is a run-id, a model or a hardware", option, item);
    for (size_t k = 0; k < count; k++) {
        if (!is_named(&deployed[k], item, (size_t)(equals - item)))
            continue;
        matches++;
        if (set(&deployed[k], equals + 1, item, err) < 0)
            return -1;
    }
    if (matches == 0)
        return error_set(err, ERROR_USAGE, "--%s %s: no run has this run-id, model or hardware; the first has the run-id %s", option, item,
                         deployed[0].run_id);
    return 0;
}

static int set_sources(const struct options *options, struct deployed *deployed, size_t count, struct error *err)
{
    const char *source = options_text(options, "quality-source");
    if (!source)
        return 0;
    if (options_count(options, "quality") == 0)
        return error_set(err, ERROR_USAGE, "--quality-source: there is no --quality that it could be the source of");
    for (size_t k = 0; k < count; k++)
        if (deployed[k].quality[0])
            deployed[k].quality_source = source;
    return 0;
}

int summarize_facts_read(const struct options *options, struct deployed *deployed, size_t count, struct error *err)
{
    static const struct {
        const char *option;
        fact_setter set;
    } facts[] = {{"price", set_price}, {"gpus", set_gpus}, {"quality", set_quality}, {"claim", set_claim}};
    for (size_t k = 0; k < count; k++) {
        deployed[k].quality = deployed[k].quality_source = "";
        deployed[k].claim = 0;
        deployed[k].calls_per_turn = options_integer(options, "calls-per-turn", 1);
    }
    for (size_t fact = 0; fact < sizeof facts / sizeof facts[0]; fact++)
        for (size_t k = 0; k < options_count(options, facts[fact].option); k++)
            if (set_fact(deployed, count, facts[fact].option, options_item(options, facts[fact].option, k), facts[fact].set, err) < 0)
                return -1;
    if (count == 1 && options_count(options, "claim") > 0)
        return error_set(err, ERROR_USAGE, "--claim: a published figure is looked for in a comparison; give two runs");
    return set_sources(options, deployed, count, err);
}

void summarize_facts_add(struct run_summary *run, const struct deployed *deployed)
{
    run->facts.quality = deployed->quality;
    run->facts.quality_source = deployed->quality_source;
    run->facts.claim = deployed->claim;
    run->calls_per_turn = deployed->calls_per_turn;
}
