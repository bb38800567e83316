#include "cmd/roibench/prepare_show.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "plan/estimate.h"

#define CELL_SIZE 48
#define DESCRIPTION_MAX ((size_t)64 << 10)
#define CENT 10000 /* micro-dollars */

static const char *reason_of(const struct plan *plan, const char *what)
{
    for (size_t k = 0; k < plan->reason_count; k++)
        if (strcmp(plan->reasons[k].what, what) == 0)
            return plan->reasons[k].why;
    return "";
}

/* What a server says of itself may stand between our lines, but make none, nor move a terminal's cursor. */
static void append_clean(struct buf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        buf_append_char(out, *c < ' ' || *c == 0x7F ? '?' : (char)*c);
}

static void row(struct buf *out, const struct plan *plan, const char *name, const char *value, const char *what)
{
    const char *why = reason_of(plan, what);
    buf_printf(out, "%-10s ", name);
    append_clean(out, value);
    append_clean(out, why[0] ? "  (" : "");
    append_clean(out, why);
    buf_append_text(out, why[0] ? ")\n" : "\n");
}

static void show_server(const struct plan *plan, struct buf *out)
{
    const struct server_identity *server = &plan->server;
    buf_printf(out, "%-10s ", "server");
    append_clean(out, server->kind);
    append_clean(out, server->version[0] ? " " : "");
    append_clean(out, server->version);
    append_clean(out, server->preset[0] ? ", preset " : "");
    append_clean(out, server->preset);
    if (server->time_scale != 1)
        buf_printf(out, ", %g times as fast", server->time_scale);
    if (server->max_model_len > 0)
        buf_printf(out, ", context %lld tokens", (long long)server->max_model_len);
    const struct {
        bool has;
        const char *name;
    } features[] = {
        {server->usage, "usage"},         {server->continuous_usage, "continuous usage"}, {server->ignore_eos, "ignore_eos"},
        {server->token_ids, "token ids"}, {server->tokenize, "/tokenize"},                {server->metrics, "/metrics"},
    };
    for (int has = 1; has >= 0; has--) {
        const char *before = has ? "; has " : "; lacks ";
        for (size_t k = 0; k < sizeof features / sizeof features[0]; k++) {
            if (features[k].has != (has == 1))
                continue;
            buf_printf(out, "%s%s", before, features[k].name);
            before = ", ";
        }
    }
    if (server->prefix_caching != CACHING_UNKNOWN)
        buf_printf(out, "; prefix caching %s", server->prefix_caching == CACHING_ON ? "on" : "off");
    buf_append_char(out, '\n');
}

static const char *format_count(double number, bool at_most, char cell[CELL_SIZE])
{
    char text[UNITS_TEXT_SIZE];
    if (!isfinite(number))
        return "?";
    snprintf(cell, CELL_SIZE, "%s%s", at_most ? "<= " : "", units_format_number(ceil(number), 0, text));
    return cell;
}

static const char *format_seconds(double seconds, bool at_least, char cell[CELL_SIZE])
{
    char text[UNITS_TEXT_SIZE];
    if (!isfinite(seconds) || seconds > PLAN_SECONDS_MAX * PLAN_LEVELS_MAX)
        return "?";
    snprintf(cell, CELL_SIZE, "%s%s", at_least ? ">= " : "", units_format_duration((int64_t)(seconds * (double)NS_PER_S), text));
    return cell;
}

static void show_estimate(struct buf *out, const struct estimate *estimate)
{
    char start[CELL_SIZE], load[CELL_SIZE], requests[CELL_SIZE], prompts[CELL_SIZE], answers[CELL_SIZE];
    buf_printf(out, "%11s  %11s  %12s  %16s  %16s\n", format_seconds(estimate->start_s, false, start),
               format_seconds(estimate->load_s, estimate->seconds_at_least, load),
               format_count(estimate->requests, estimate->requests_at_most, requests),
               format_count(estimate->prompt_tokens, estimate->requests_at_most, prompts),
               format_count(estimate->output_tokens, estimate->requests_at_most, answers));
}

static void show_levels(const struct plan *plan, struct buf *out)
{
    struct estimate sum;
    bool known = estimate_plan(plan, &sum);
    buf_printf(out, "\n%-5s  %-26s  %11s  %11s  %12s  %16s  %16s\n", "level", "load", "start phase", "time", "requests", "prompt tokens", "output tokens");
    for (size_t k = 0; k < plan->level_count; k++) {
        const struct level *level = &plan->levels[k];
        char load[CELL_SIZE], text[UNITS_TEXT_SIZE];
        struct estimate estimate = estimate_level(plan, level);
        bool one = level->unit == LOAD_STREAMS && level->load == 1; /* NOLINT: exact by definition */
        snprintf(load, sizeof load, "%s %s %s", level->kind, units_format_load(level->load, text), one ? "stream" : load_unit_name(level->unit));
        buf_printf(out, "%-5zu  %-26s  ", k + 1, load);
        show_estimate(out, &estimate);
    }
    if (plan->find != FIND_NOTHING)
        buf_append_text(out, "more   as --find goes\n");
    else if (plan->level_count == 0)
        buf_printf(out, "1-%-3lld  found while it runs\n", (long long)plan->sweep_levels);
    if (!known)
        return;
    char times[CELL_SIZE] = "all";
    if (plan->repeat > 1)
        snprintf(times, sizeof times, "all, %lld times", (long long)plan->repeat);
    buf_printf(out, "%-5s  %-26s  ", "", times);
    show_estimate(out, &sum);
}

static void show_cost(const struct plan *plan, struct buf *out)
{
    struct estimate sum;
    char load[CELL_SIZE], drain[CELL_SIZE], usd[UNITS_TEXT_SIZE], price[UNITS_TEXT_SIZE];
    bool known = estimate_plan(plan, &sum);
    double scale = plan->server.time_scale;
    const char *each = plan->find != FIND_NOTHING ? " a load" : "";
    buf_printf(out, "\nrun takes %s%s%s, and up to %s more if requests hang at the ends of the levels (--drain)\n",
               format_seconds((sum.start_s + sum.load_s) / scale, sum.seconds_at_least, load), each, scale != 1 ? " of wall time" : "",
               format_seconds(sum.drain_s / scale, false, drain));
    int64_t micro_usd = estimate_micro_usd(plan, &sum);
    if (micro_usd >= 0) /* in whole cents, the last one begun */
        buf_printf(out, "it costs %s%s%s at %s an hour%s\n", sum.seconds_at_least ? ">= " : "", units_format_usd((micro_usd + CENT - 1) / CENT * CENT, usd), each,
                   units_format_usd(plan->deployment.price_micro_usd, price), scale != 1 ? ", in the model's time" : "");
    else if (plan->deployment.price_micro_usd < 0)
        buf_append_text(out, "what it costs is not known without --price-per-hour\n");
    if (known && sum.requests_at_most)
        buf_append_text(out, "requests and tokens are those of a server that serves all streams as fast as one: fewer will be sent\n");
    const struct limits *limits = &plan->limits;
    if (limits->max_tokens_total > 0)
        buf_printf(out, "the run ends at %lld tokens in all (--max-tokens-total)\n", (long long)limits->max_tokens_total);
    if (limits->max_micro_usd > 0)
        buf_printf(out, "the run ends at %s (--max-usd)\n", units_format_usd(limits->max_micro_usd, usd));
}

static void show_kubernetes(const struct plan *plan, struct buf *out)
{
    const struct kubernetes_facts *kubernetes = plan->kubernetes;
    if (!kubernetes)
        return;
    struct buf text = BUF_INIT(DESCRIPTION_MAX);
    kubernetes_describe(kubernetes, &text);
    row(out, plan, "kubernetes", buf_text(&text), "");
    buf_reset(&text);
    kubernetes_describe_arguments(kubernetes, &text);
    if (kubernetes->argument_count > 0)
        row(out, plan, "arguments", buf_text(&text), "");
    for (size_t k = 0; k < kubernetes->note_count; k++)
        row(out, plan, "", kubernetes->notes[k], "");
    buf_free(&text);
}

void prepare_show(const struct plan *plan, struct buf *out)
{
    char text[UNITS_TEXT_SIZE], line[256];
    row(out, plan, "target", plan->target, "target");
    for (size_t k = 0; k < plan->other_target_count; k++)
        row(out, plan, "", plan->other_targets[k], "");
    row(out, plan, "model", plan->model, "model");
    show_server(plan, out);
    show_kubernetes(plan, out);
    struct buf described = BUF_INIT(DESCRIPTION_MAX);
    plan_describe(plan, &described);
    buf_printf(out, "%-10s ", "load");
    append_clean(out, buf_text(&described)); /* names of files are in it */
    buf_free(&described);
    buf_printf(out, "  (profile %s: ", plan->profile);
    append_clean(out, reason_of(plan, "profile"));
    buf_append_text(out, ")\n");
    snprintf(line, sizeof line, "%s%s%s endpoint", plan->workload.scenario, plan->workload.scenario[0] ? ", " : "", endpoint_name(plan->workload.endpoint));
    row(out, plan, "workload", line, "workload");
    snprintf(line, sizeof line, "%s by %s, %lld tokens of which are the chat template's", plan->calibration.exact ? "exact" : "nearly exact",
             plan->calibration.method, (long long)plan->calibration.template_tokens);
    row(out, plan, "prompts", line, "prompts");
    snprintf(line, sizeof line, "%llu", (unsigned long long)plan->seed);
    row(out, plan, "seed", line, "seed");
    row(out, plan, "nonce", plan->nonce, "nonce");
    bool timed = plan->limits.max_seconds_ns > 0;
    row(out, plan, "a level", timed ? units_format_duration(plan->limits.max_seconds_ns, text) : "as long as it takes", "max_seconds");
    if (sla_is_given(&plan->sla))
        row(out, plan, "classes", sla_title(&plan->sla, plan->arena), "classes");
    if (slo_is_given(&plan->slo)) {
        struct buf objectives = BUF_INIT(SLO_TEXT_MAX);
        slo_describe(&plan->slo, &objectives);
        row(out, plan, "objectives", buf_text(&objectives), "objectives");
        buf_free(&objectives);
    }
    show_levels(plan, out);
    show_cost(plan, out);
}
