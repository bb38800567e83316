/* JUnit's XML, as CI systems show it: what was to be reached, and whether it was.
 *
 * Three suites a run. "objectives": a case for each set of objectives; it fails where no tested load meets it. "advised load": a case for each
 * metric of the classes at the load to run in production; it fails where that is worse than acceptable. "measurement": a case for
 * each level; it fails where its measurement is invalid. With a baseline a fourth, "baseline": a case for each number that both runs have, and for
 * each point; it fails where that became worse beyond noise. A sweep goes on until something breaks, so what loads beyond the advised one are
 * like fails nothing. What is not known is skipped, with the reason. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/units.h"
#include "base/utf8.h"
#include "report/report.h"
#include "stats/baseline.h"

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

/* ---- XML ---- */

/* Characters that XML 1.0 has no way to write become U+FFFD. */
static bool is_writable(const unsigned char *at, size_t step)
{
    bool is_noncharacter = step == 3 && at[0] == 0xEF && at[1] == 0xBF && at[2] >= 0xBE;
    return step > 0 && !is_noncharacter && (*at >= 0x20 || *at == '\t' || *at == '\n' || *at == '\r');
}

static void xml_text(struct buf *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + strlen(text);
    while (at < end) {
        size_t step = utf8_character(at, (size_t)(end - at));
        if (!is_writable(at, step))
            buf_append_text(out, "\xEF\xBF\xBD");
        else if (strchr("&<>\"'\t\n\r", *at))
            buf_printf(out, "&#%d;", *at);
        else
            buf_append(out, at, step);
        at += step ? step : 1;
    }
}

static void attribute(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, " %s=\"", name);
    xml_text(out, value);
    buf_append_char(out, '"');
}

/* ---- suites ---- */

struct suite {
    const struct run_summary *summary;
    const char *name;
    struct buf cases;
    size_t tests, failures, skipped;
};

struct totals {
    size_t tests, failures, skipped;
};

enum result { PASSED, FAILED, SKIPPED };

/* said: why it failed or was skipped, or what was reached. */
static void add_case(struct suite *suite, const char *name, enum result result, double seconds, const char *said)
{
    struct buf *out = &suite->cases;
    suite->tests++;
    suite->failures += result == FAILED;
    suite->skipped += result == SKIPPED;
    buf_append_text(out, "    <testcase");
    attribute(out, "classname", suite->name);
    attribute(out, "name", name);
    buf_printf(out, " time=\"%.3f\">\n      ", isfinite(seconds) ? seconds : 0);
    if (result == PASSED) {
        buf_append_text(out, "<system-out>");
        xml_text(out, said);
        buf_append_text(out, "</system-out>");
    } else {
        buf_append_text(out, result == FAILED ? "<failure" : "<skipped");
        attribute(out, "message", said);
        buf_append_text(out, result == FAILED ? " type=\"objective\"/>" : "/>");
    }
    buf_append_text(out, "\n    </testcase>\n");
}

static void begin_suite(struct suite *suite, const struct run_summary *summary, const char *name)
{
    *suite = (struct suite){.summary = summary, .name = name, .cases = BUF_INIT(REPORT_MAX)};
}

static void end_suite(struct suite *suite, struct totals *totals, struct buf *out)
{
    char date[CLOCK_RFC3339_SIZE];
    const struct run_facts *facts = &suite->summary->facts;
    cleanup_free char *title = mem_printf("%s (%s): %s", facts->model, facts->run_id, suite->name);
    buf_append_text(out, "  <testsuite");
    attribute(out, "name", title);
    buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\"", suite->tests, suite->failures, suite->skipped);
    if (facts->anchor_realtime_ns)
        attribute(out, "timestamp", clock_format_rfc3339(facts->anchor_realtime_ns, 0, date));
    struct arena *arena = arena_new();
    buf_append_text(out, ">\n    <properties>\n      <property name=\"sla\"");
    attribute(out, "value", sla_title(suite->summary->sla, arena));
    buf_append_text(out, "/>\n    </properties>\n");
    arena_free(arena);
    buf_append(out, buf_text(&suite->cases), suite->cases.len);
    buf_append_text(out, "  </testsuite>\n");
    totals->tests += suite->tests;
    totals->failures += suite->failures;
    totals->skipped += suite->skipped;
    buf_free(&suite->cases);
}

/* ---- objectives ---- */

static const char *objective_title(enum capacity_set set, const struct sla_row *ttft, struct arena *arena)
{
    const char *name = capacity_name(set);
    if (set == CAPACITY_ALL)
        return arena_printf(arena, "%s: some load has nothing worse than acceptable", name);
    if (set == CAPACITY_SLO)
        return arena_printf(arena, "%s: at some load 95 %% of the requests meet every goal", name);
    const struct sla_bound *bound = &ttft->bound[(set == CAPACITY_TTFT ? SLA_ACCEPTABLE : SLA_DEGRADED) - SLA_EXCELLENT];
    return arena_printf(arena, "%s: some load has a TTFT p95 %s %s", name, bound->included ? "of at most" : "below",
                        sla_limit_text(ttft, bound->limit, arena));
}

static void add_objectives(struct suite *suite, const struct points *points)
{
    char load[UNITS_TEXT_SIZE], tps[UNITS_TEXT_SIZE];
    struct arena *arena = arena_new();
    for (int k = 0; k < CAPACITY_COUNT; k++) {
        const struct level_summary *level = points->capacity[k].level;
        if (k == CAPACITY_SLO && !points->has_objectives)
            continue; /* nobody asked */
        const char *title = objective_title((enum capacity_set)k, &points->sla->row[SLA_TTFT], arena);
        if (!level) {
            add_case(suite, title, FAILED, 0, points->capacity[k].none);
            continue;
        }
        const char *said = arena_printf(arena, "up to %s %s: %s tok/s in and out", units_format_load(level->load, load), points->unit,
                                        units_format_number(points_figure(points, level, FIGURE_TOTAL_TPS), 1, tps));
        add_case(suite, title, PASSED, level->window_end_s - level->window_start_s, said);
    }
    arena_free(arena);
}

/* "degraded: 1234 ms; acceptable is < 1 s" */
static const char *value_text(struct arena *arena, const struct sla_row *row, const struct level_summary *level, double value, enum sla_class class)
{
    const char *name = sla_class_name(class), *bound = sla_bound_text(row, SLA_ACCEPTABLE, arena);
    if (isinf(value))
        return arena_printf(arena, "%s: above %.0f ms, since requests never got a first token or the queue grew without end; acceptable is %s", name,
                            level->ttft_p95_at_least_ms, bound);
    if (row->unit[0] == '%')
        return arena_printf(arena, "%s: %.4g %%; acceptable is %s", name, 100 * value, bound);
    return arena_printf(arena, "%s: %.4g%s%s; acceptable is %s", name, value, row->unit[0] ? " " : "", row->unit, bound);
}

static void add_metrics(struct suite *suite, const struct level_summary *level)
{
    struct arena *arena = arena_new();
    double values[SLA_METRIC_COUNT];
    double seconds = level->window_end_s - level->window_start_s;
    level_sla_values(level, values);
    for (int k = 0; k < SLA_METRIC_COUNT; k++) {
        const struct sla_row *row = &suite->summary->sla->row[k];
        enum sla_class class = level->verdict.metric[k];
        cleanup_free char *name = mem_printf("%s: the %s is acceptable", row->name, row->title);
        const char *said = value_text(arena, row, level, values[k], class);
        if (class == SLA_UNKNOWN)
            add_case(suite, name, SKIPPED, 0, "it is not known: summary.json tells why");
        else
            add_case(suite, name, class > SLA_ACCEPTABLE ? FAILED : PASSED, seconds, said);
    }
    arena_free(arena);
}

/* ---- validity ---- */

static char *reasons_text(const struct validity_summary *validity)
{
    struct buf text = BUF_INIT(REPORT_MAX);
    buf_append_text(&text, validity_name(validity->verdict));
    for (size_t k = 0; k < validity->count; k++)
        buf_printf(&text, "%s%s", k == 0 ? ": " : "; ", validity->reasons[k].text);
    return buf_steal(&text);
}

static void add_measurement(struct suite *suite, const struct level_summary *level, bool repeated)
{
    char load[UNITS_TEXT_SIZE];
    units_format_load(level->load, load);
    cleanup_free char *repeat = repeated ? mem_printf(", repeat %d", level->repeat) : mem_strdup("");
    cleanup_free char *name = mem_printf("level %d: %s %s%s", level->index, load, level->unit, repeat);
    cleanup_free char *said = reasons_text(&level->validity);
    add_case(suite, name, level->validity.verdict == VALIDITY_INVALID ? FAILED : PASSED, level->end_s - level->start_s, said);
}

static bool is_repeated(const struct run_summary *summary)
{
    for (size_t k = 0; k < summary->level_count; k++)
        if (summary->levels[k].repeat > 0)
            return true;
    return false;
}

/* ---- the baseline ---- */

static void add_baseline(struct suite *suite, const struct baseline *baseline)
{
    struct arena *arena = arena_new();
    for (size_t k = 0; k < baseline->row_count; k++) {
        const struct baseline_row *row = &baseline->rows[k];
        const char *name = arena_printf(arena, "%s at %s is no worse than in %s", history_metric_title(row->metric),
                                        points_load_text(arena, row->load, row->unit), baseline->run_id);
        enum result result = row->missing ? SKIPPED : row->verdict == CHANGE_WORSE ? FAILED : PASSED;
        add_case(suite, name, result, 0, row->missing ? row->missing : baseline_row_text(arena, row));
    }
    for (size_t k = 0; k < BASELINE_POINTS; k++) {
        const struct baseline_point *point = &baseline->points[k];
        const char *name = arena_printf(arena, "the %s point is no lower than in %s", point->name, baseline->run_id);
        enum result result = point->verdict == CHANGE_UNKNOWN ? SKIPPED : point->verdict == CHANGE_WORSE ? FAILED : PASSED;
        add_case(suite, name, result, 0, arena_printf(arena, "%s before, %s now", point->was, point->is));
    }
    arena_free(arena);
}

/* ---- documents ---- */

static void add_run(const struct run_summary *summary, struct totals *totals, struct buf *out)
{
    struct suite suite;
    for (size_t k = 0; k < summary->points_count; k++) {
        const struct points *points = &summary->points[k];
        begin_suite(&suite, summary, k == 0 ? "objectives" : "objectives of the other kind of load");
        add_objectives(&suite, points);
        end_suite(&suite, totals, out);
        begin_suite(&suite, summary, k == 0 ? "advised load" : "advised load of the other kind");
        if (points->advised)
            add_metrics(&suite, points->advised);
        else
            add_case(&suite, "a load to run in production", FAILED, 0, points->advice);
        end_suite(&suite, totals, out);
    }
    begin_suite(&suite, summary, "measurement");
    for (size_t k = 0; k < summary->level_count; k++)
        add_measurement(&suite, &summary->levels[k], is_repeated(summary));
    end_suite(&suite, totals, out);
    if (!summary->baseline)
        return;
    begin_suite(&suite, summary, "baseline");
    add_baseline(&suite, summary->baseline);
    end_suite(&suite, totals, out);
}

static void write_document(const char *name, const struct run_summary *const *runs, size_t count, struct buf *out)
{
    cleanup_buf struct buf suites = BUF_INIT(REPORT_MAX);
    struct totals totals = {0};
    for (size_t k = 0; k < count; k++)
        add_run(runs[k], &totals, &suites);
    buf_append_text(out, XML_HEAD "<testsuites");
    attribute(out, "name", name);
    buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\">\n", totals.tests, totals.failures, totals.skipped);
    buf_append(out, buf_text(&suites), suites.len);
    buf_append_text(out, "</testsuites>\n");
    out->overflowed |= suites.overflowed;
}

void report_junit_run(const struct run_summary *summary, struct buf *out)
{
    write_document(summary->facts.run_id, &summary, 1, out);
}

void report_junit_comparison(const struct comparison *comparison, struct buf *out)
{
    write_document(comparison->id, comparison->runs, comparison->count, out);
}
