#include "report/markdown.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "report/table.h"

#define REASON_TAGS_MAX 64 /* there are some twenty */
#define KUBERNETES_LINE_MAX ((size_t)128 << 10)

void markdown_list(struct buf *out, const char *title, const char *const *texts, size_t count)
{
    if (count == 0)
        return;
    buf_printf(out, "%s\n\n", title);
    for (size_t k = 0; k < count; k++) {
        buf_append_text(out, "- ");
        markdown_text(out, texts[k]);
        buf_append_char(out, '\n');
    }
    buf_append_char(out, '\n');
}

const char *markdown_usd(double usd, char *buffer)
{
    return fabs(usd) < UNITS_USD_MAX ? units_format_usd_rounded(usd, buffer) : "-";
}

const char *markdown_ttft(const struct level_summary *level, char *buffer)
{
    char number[UNITS_TEXT_SIZE];
    double p95 = level_ttft_p95(level);
    if (isnan(p95))
        return "-";
    if (!isinf(p95) && level->grew) {
        snprintf(buffer, MARKDOWN_TTFT_SIZE, "> %s (queue grew)", units_format_number(p95, 0, number));
        return buffer;
    }
    if (!isinf(p95))
        return units_format_number(p95, 0, buffer);
    snprintf(buffer, MARKDOWN_TTFT_SIZE, "> %s (%.0f %% unfinished)", units_format_number(level->ttft_p95_at_least_ms, 0, number),
             100 * level->unfinished_share);
    return buffer;
}

const char *markdown_load(const struct level_summary *level, char *buffer)
{
    char load[UNITS_TEXT_SIZE];
    int length = snprintf(buffer, MARKDOWN_LOAD_SIZE, "%s %s", units_format_load(level->load, load), level->unit);
    if (level->places > 1)
        snprintf(buffer + length, (size_t)(MARKDOWN_LOAD_SIZE - length), " (%d of %d)", level->place, level->places);
    return buffer;
}

/* ---- what was measured ---- */

static void fact(struct buf *out, const char *what, const char *text)
{
    if (!text[0])
        return;
    buf_printf(out, "- %-9s ", what);
    markdown_text(out, text);
    buf_append_char(out, '\n');
}

/* "env=staging, team=search" */
static void labels_fact(struct buf *out, const struct run_facts *facts)
{
    const char *name;
    json_t *value, *labels = json_object_get(json_object_get(facts->plan, "deployment"), "labels");
    bool first = true;
    json_object_foreach(labels, name, value)
    {
        buf_append_text(out, first ? "- Labels:   " : ", ");
        markdown_text(out, name);
        buf_append_char(out, '=');
        markdown_text(out, json_string_value(value));
        first = false;
    }
    if (!first)
        buf_append_char(out, '\n');
}

static void deployment_fact(struct buf *out, const struct run_facts *facts)
{
    char usd[UNITS_TEXT_SIZE];
    buf_append_text(out, "- Hardware: ");
    markdown_text(out, facts->hardware[0] ? facts->hardware : "not told");
    if (facts->gpus > 0)
        buf_printf(out, ", %lld GPU%s", (long long)facts->gpus, facts->gpus == 1 ? "" : "s");
    if (facts->price_micro_usd < 0)
        buf_append_text(out, ", price not told");
    else
        buf_printf(out, ", %s an hour", units_format_usd(facts->price_micro_usd, usd));
    if (facts->price_micro_usd >= 0 && facts->price_source[0]) {
        buf_append_text(out, " (");
        markdown_text(out, facts->price_source);
        buf_append_char(out, ')');
    }
    buf_append_char(out, '\n');
}

static void server_fact(struct buf *out, const struct run_facts *facts)
{
    if (!facts->server[0] && !facts->target[0])
        return;
    buf_append_text(out, "- Server:   ");
    markdown_text(out, facts->server);
    buf_append_text(out, facts->server[0] ? " at " : "at ");
    markdown_text(out, facts->target);
    if (facts->other_targets > 0)
        buf_printf(out, " and %zu more", facts->other_targets);
    if (facts->insecure)
        buf_append_text(out, ", whose certificate was not verified (--insecure)");
    if (facts->time_scale != 1)
        buf_printf(out, ", simulated %g times faster than its model: all times here are the model's", facts->time_scale);
    buf_append_char(out, '\n');
}

/* What it ran on, and by which arguments: two lines, as the second may be long. */
static void kubernetes_fact(struct buf *out, const struct kubernetes_facts *facts)
{
    cleanup_buf struct buf text = BUF_INIT(KUBERNETES_LINE_MAX), arguments = BUF_INIT(KUBERNETES_LINE_MAX);
    if (!facts || !facts->kind[0])
        return;
    kubernetes_describe(facts, &text);
    kubernetes_describe_arguments(facts, &arguments);
    fact(out, "Pods:", buf_text(&text));
    fact(out, "Args:", buf_text(&arguments));
}

static void load_fact(struct buf *out, const struct run_summary *summary)
{
    bool closed = false;
    if (!summary->facts.profile[0])
        return;
    for (size_t k = 0; k < summary->level_count; k++)
        closed |= !level_is_open_loop(&summary->levels[k]);
    buf_append_text(out, "- Load:     ");
    markdown_text(out, summary->facts.profile);
    buf_append_text(out, summary->facts.limits[0] ? ", " : "");
    markdown_text(out, summary->facts.limits);
    if (closed && summary->facts.stream_start[0])
        buf_printf(out, ", streams start %s", strcmp(summary->facts.stream_start, "spread") == 0 ? "spread over a request's time" : "together");
    if (summary->facts.arrivals[0])
        buf_printf(out, ", %s", summary->facts.arrivals);
    if (closed && summary->facts.think_time[0] && strcmp(summary->facts.think_time, "none") != 0)
        buf_printf(out, ", think time %s", summary->facts.think_time);
    buf_append_char(out, '\n');
}

static void workload_fact(struct buf *out, const struct run_facts *facts)
{
    if (!facts->tokens[0])
        return;
    buf_append_text(out, "- Workload: ");
    if (facts->scenario[0]) {
        markdown_text(out, facts->scenario);
        buf_append_text(out, ", ");
    }
    buf_printf(out, "%s (prompt + output)", facts->tokens);
    if (facts->endpoint[0])
        buf_printf(out, ", %s endpoint", facts->endpoint);
    if (facts->free_answers)
        buf_append_text(out, "; the server does not keep answers to a length: they end where the model ends them, and count as they came");
    buf_append_char(out, '\n');
}

/* ", imported: GuideLLM 0.8.1, benchmarks.json and 2 more files" */
static void origin_fact(struct buf *out, const struct import_origin *origin)
{
    buf_append_text(out, ", imported: ");
    markdown_text(out, origin->tool);
    buf_append_text(out, ", ");
    markdown_text(out, origin->files[0].name);
    if (origin->file_count > 1)
        buf_printf(out, " and %zu more file%s", origin->file_count - 1, origin->file_count == 2 ? "" : "s");
}

void markdown_quality(struct buf *out, const struct run_facts *facts)
{
    if (!facts->quality[0]) {
        buf_append_text(out, "not told");
        return;
    }
    markdown_text(out, facts->quality);
    buf_append_text(out, " (");
    markdown_text(out, facts->quality_source[0] ? facts->quality_source : "source not told");
    buf_append_char(out, ')');
}

static void quality_fact(struct buf *out, const struct run_facts *facts)
{
    if (!facts->quality[0])
        return;
    buf_append_text(out, "- Quality:  ");
    markdown_quality(out, facts);
    buf_append_text(out, ", as supplied: it was not measured here\n");
}

void markdown_facts(struct buf *out, const struct run_summary *summary)
{
    char date[CLOCK_RFC3339_SIZE];
    const struct run_facts *facts = &summary->facts;
    fact(out, "Model:", facts->model);
    server_fact(out, facts);
    kubernetes_fact(out, facts->kubernetes);
    deployment_fact(out, facts);
    quality_fact(out, facts);
    labels_fact(out, facts);
    workload_fact(out, facts);
    load_fact(out, summary);
    if (facts->objectives)
        fact(out, "Goals:", facts->objectives);
    struct arena *arena = arena_new();
    const struct sla *planned = facts->planned_sla;
    const char *classes = sla_title(summary->sla, arena);
    bool others = planned && !sla_equal(planned, summary->sla);
    fact(out, "Classes:", others ? arena_printf(arena, "by %s, not the plan's: %s", classes, sla_title(planned, arena))
                                 : arena_printf(arena, "by %s", classes));
    arena_free(arena);
    buf_append_text(out, "- Run:      ");
    markdown_text(out, facts->run_id);
    if (facts->anchor_realtime_ns)
        buf_printf(out, ", started %s", clock_format_rfc3339(facts->anchor_realtime_ns, 0, date));
    if (facts->imported)
        origin_fact(out, facts->imported);
    buf_append_text(out, "\n\n");
}

/* ---- levels ---- */

static void requests_cell(struct table *table, const struct request_counts *counts)
{
    bool cut = counts->incomplete != COUNT_UNKNOWN && counts->incomplete > 0;
    if (counts->members == COUNT_UNKNOWN)
        table_printf(table, "-");
    else if ((counts->error == 0 || counts->error == COUNT_UNKNOWN) && !cut)
        table_printf(table, "%llu", (unsigned long long)counts->members);
    else if (counts->incomplete == COUNT_UNKNOWN)
        table_printf(table, "%llu: %llu failed", (unsigned long long)counts->members, (unsigned long long)counts->error);
    else
        table_printf(table, "%llu: %llu failed, %llu cut", (unsigned long long)counts->members, (unsigned long long)counts->error,
                     (unsigned long long)counts->incomplete);
}

/* "suspect: few requests, start burst" */
static void validity_cell(struct table *table, const struct validity_summary *validity)
{
    char text[256];
    size_t length = (size_t)snprintf(text, sizeof text, "%s", validity_name(validity->verdict));
    for (size_t k = 0; k < validity->count && length < sizeof text; k++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s %s", k == 0 ? ":" : ",", validity->reasons[k].tag);
    table_printf(table, "%s", text);
}

void markdown_percent(struct table *table, double share)
{
    if (isnan(share))
        table_printf(table, "-");
    else
        table_printf(table, "%.*f %%", share == 0 ? 0 : 1, 100 * share);
}

void markdown_levels(struct buf *out, const struct run_summary *summary)
{
    static const struct table_column columns[] = {
        {"Load", true},         {"TTFT p95 ms", true}, {"TPOT p95 ms", true}, {"with first ms", true}, {"user tok/s", true},
        {"total tok/s", true},  {"output tok/s", true}, {"requests", true},   {"errors", true},        {"class", false},
        {"decided by", false},  {"measurement", false}, {0}};
    struct table table;
    char text[MARKDOWN_TTFT_SIZE], load[MARKDOWN_LOAD_SIZE];
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct level_summary *level = &summary->levels[k];
        table_printf(&table, "%s", markdown_load(level, load));
        table_printf(&table, "%s", markdown_ttft(level, text));
        table_number(&table, level->latency[LATENCY_TPOT].percentile[P95], 1);
        table_number(&table, level->latency[LATENCY_TPOT_WITH_FIRST].percentile[P95], 1);
        table_number(&table, level->rate[RATE_USER_TPS], 1);
        table_number(&table, level->rate[RATE_TOTAL_TPS], 1);
        table_number(&table, level->rate[RATE_OUTPUT_TPS], 1);
        requests_cell(&table, &level->requests);
        markdown_percent(&table, level->rate[RATE_ERROR_RATE]);
        table_printf(&table, "%s", sla_class_name(level->verdict.level));
        table_text(&table, level->verdict.decided_by < 0 ? NULL : sla_default.row[level->verdict.decided_by].title);
        validity_cell(&table, &level->validity);
    }
    table_end(&table, out);
}

/* ---- windows ---- */

static bool was_looked_for(const struct steady_cut *cut)
{
    return cut->rule >= STEADY_MSER5;
}

static void add_warmup(struct buf *out, const struct steady_cut *cut)
{
    const char *where = cut->by == STEADY_BY_TTFT ? "the TTFT" : "the completions";
    double seconds = (double)cut->ns / 1e9;
    if (cut->rule == STEADY_TOO_FEW)
        buf_append_text(out, "too few requests for MSER-5 to find a warm-up");
    else if (cut->rule == STEADY_CHANGING)
        buf_append_text(out, "no warm-up cut: the load is to change");
    else if (cut->ns == 0)
        buf_append_text(out, "no warm-up found by MSER-5");
    else if (cut->rule == STEADY_HALF)
        buf_printf(out, "warm-up %.3g s, half of the level: MSER-5 found no steady state in %s", seconds, where);
    else
        buf_printf(out, "warm-up %.3g s found by MSER-5 in %s", seconds, where);
}

static void add_cooldown(struct buf *out, const struct steady_cut *cut)
{
    if (cut->rule == STEADY_BURST)
        buf_append_text(out, "no cool-down cut: the load was kept up for less than half of the level");
    else if (cut->ns == 0)
        buf_append_text(out, "no cool-down: the load was kept up to the end");
    else
        buf_printf(out, "cool-down %.3g s, from the last request sent", (double)cut->ns / 1e9);
}

void markdown_windows(struct buf *out, const struct run_summary *summary)
{
    char load[MARKDOWN_LOAD_SIZE];
    bool any = false;
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct level_summary *level = &summary->levels[k];
        bool warmup = was_looked_for(&level->warmup), cooldown = was_looked_for(&level->cooldown);
        if (!warmup && !cooldown)
            continue;
        buf_printf(out, "- %s: ", markdown_load(level, load));
        if (warmup)
            add_warmup(out, &level->warmup);
        if (warmup && cooldown)
            buf_append_text(out, "; ");
        if (cooldown)
            add_cooldown(out, &level->cooldown);
        buf_append_char(out, '\n');
        any = true;
    }
    if (any)
        buf_append_char(out, '\n');
}

/* ---- failures ---- */

static bool has_failures(const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->level_count; k++)
        if (summary->levels[k].failure_count > 0)
            return true;
    return false;
}

static void add_failures(struct table *table, const struct level_summary *level)
{
    char load[MARKDOWN_LOAD_SIZE];
    for (size_t k = 0; k < level->failure_count; k++) {
        table_printf(table, "%s", markdown_load(level, load));
        table_printf(table, "%s", level->failures[k].name);
        table_number(table, (double)level->failures[k].count, 0);
        table_printf(table, "%s", level->failures[k].blame);
    }
}

void markdown_failures(struct buf *out, const struct run_summary *summary, const char *heading)
{
    static const struct table_column columns[] = {{"Load", true}, {"class", false}, {"requests", true}, {"whose doing", false}, {0}};
    struct table table;
    if (!has_failures(summary))
        return;
    buf_printf(out, "%s What failed\n\n", heading);
    table_begin(&table, columns);
    for (size_t k = 0; k < summary->level_count; k++)
        add_failures(&table, &summary->levels[k]);
    table_end(&table, out);
}

/* ---- validity ---- */

/* A reason, the first level that has it, and how many more do. */
struct shared_reason {
    const struct validity_reason *reason;
    const struct level_summary *first;
    size_t others;
};

/* NULL: of none yet. */
static struct shared_reason *find_reason(struct shared_reason *reasons, size_t count, const char *tag)
{
    for (size_t k = 0; k < count; k++)
        if (strcmp(reasons[k].reason->tag, tag) == 0)
            return &reasons[k];
    return NULL;
}

/* One line a reason; what several levels have in common is said once, with the first level's numbers. */
static void add_reasons(struct buf *out, const struct run_summary *summary)
{
    char load[MARKDOWN_LOAD_SIZE];
    struct shared_reason reasons[REASON_TAGS_MAX];
    size_t count = 0;
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct level_summary *level = &summary->levels[k];
        for (size_t r = 0; r < level->validity.count; r++) {
            struct shared_reason *shared = find_reason(reasons, count, level->validity.reasons[r].tag);
            if (!shared && count == REASON_TAGS_MAX)
                abort(); /* a mistake in the program */
            if (shared)
                shared->others++;
            else
                reasons[count++] = (struct shared_reason){&level->validity.reasons[r], level, 0};
        }
    }
    for (size_t k = 0; k < count; k++) {
        const struct shared_reason *shared = &reasons[k];
        buf_printf(out, "- %s: %s; at %s", validity_name(shared->reason->verdict), shared->reason->text, markdown_load(shared->first, load));
        if (shared->others > 0)
            buf_printf(out, ", and alike at %zu more level%s", shared->others, shared->others == 1 ? "" : "s");
        buf_append_char(out, '\n');
    }
}

void markdown_validity(struct buf *out, const struct run_summary *summary, const char *heading)
{
    size_t before = out->len;
    buf_printf(out, "%s Is the measurement valid?\n\n", heading);
    size_t empty = out->len;
    add_reasons(out, summary);
    for (size_t k = 0; k < summary->note_count; k++)
        buf_printf(out, "- %s\n", summary->notes[k]);
    if (out->len == empty && before < empty)
        buf_append_text(out, "- Yes: every level is valid.\n");
    buf_append_char(out, '\n');
}

void markdown_footnotes(struct buf *out)
{
    buf_append_text(out,
                    "TTFT p95 counts a request that never got its first token as infinitely late. TPOT is (last token - first token) / "
                    "tokens after the first arrival; \"with first\" is (last token - sent) / all tokens, which other tools call TPOT "
                    "too. User tok/s is 1000 / TPOT p95. Throughput counts tokens that arrived inside the window; total adds prompt "
                    "tokens. Requests of one level are not independent of each other, so the intervals of their percentiles are wider "
                    "in truth. docs/metrics.md defines every number.\n");
}
