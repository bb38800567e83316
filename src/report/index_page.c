#include "report/index_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/units.h"
#include "report/html.h"
#include "report/html_page.h"

#define UNKNOWN "<td class=\"soft\">not told</td>"
#define USD_MAX 1e9
#define BYTES_MAX 9e15

static const char style[] = "a{color:var(--c0)}a:focus-visible{outline:2px solid var(--c0)}.soft{color:var(--soft)}.say{max-width:48rem}th.wrap{white-space:normal}\n"
                            "td.short,td.short:not(.number){white-space:nowrap;min-width:0}\n";

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && *text ? text : NULL;
}

/* NAN: none, or below 0. */
static double number_of(const json_t *object, const char *key)
{
    const json_t *number = json_object_get(object, key);
    const double value = json_is_number(number) ? json_number_value(number) : NAN;

    return value >= 0 ? value : NAN;
}

/* ---- cells ---- */

static void put_text(struct buf *out, const char *text)
{
    if (!text) {
        buf_append_text(out, UNKNOWN);
        return;
    }
    buf_append_text(out, "<td>");
    html_text(out, text);
    buf_append_text(out, "</td>");
}

static void put_number(struct buf *out, double number, int decimals)
{
    char text[UNITS_TEXT_SIZE];

    if (isnan(number) || number > BYTES_MAX)
        buf_append_text(out, UNKNOWN);
    else
        buf_printf(out, "<td class=\"number\">%s</td>", units_format_number(number, decimals, text));
}

static void put_usd(struct buf *out, double usd)
{
    char text[UNITS_TEXT_SIZE];

    if (isnan(usd) || usd >= USD_MAX)
        buf_append_text(out, UNKNOWN);
    else
        buf_printf(out, "<td class=\"number\">%s</td>", units_format_usd_rounded(usd, text));
}

/* One segment of a path that is relative to the page: nothing in it is a scheme, a host or a folder. */
static void put_segment(struct buf *out, const char *name)
{
    for (const char *c = name; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._~", *c))
            buf_append_char(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

static void put_link(struct buf *out, const char *folder, const char *name, const char *suffix, const char *shown)
{
    buf_printf(out, "<a href=\"./%s", folder);
    put_segment(out, name);
    buf_printf(out, "%s\">", suffix);
    html_text(out, shown);
    buf_append_text(out, "</a>");
}

/* "2026-11-24T04:06:51.123Z" as "2026-11-24 04:06:51", sorted by its digits. Of another form: as it is. */
static void put_time(struct buf *out, const char *time)
{
    static const char form[] = "0000-00-00T00:00:00";
    char digits[sizeof form] = "", shown[sizeof form] = "";
    size_t count = 0, k = 0;

    for (; time && k < sizeof form - 1 && (form[k] == '0' ? time[k] >= '0' && time[k] <= '9' : time[k] == form[k]); k++) {
        shown[k] = (char)(form[k] == 'T' ? ' ' : time[k]);
        if (form[k] == '0')
            digits[count++] = time[k];
    }
    if (k < sizeof form - 1)
        put_text(out, time);
    else
        buf_printf(out, "<td class=\"short\" data-sort=\"%s\">%s</td>", digits, shown);
}

/* The name without ".tar.gz" is that of receipt and report, too. */
static char *stem_of(const char *archive)
{
    static const char end[] = ".tar.gz";
    const size_t length = strlen(archive), end_length = strlen(end);
    const bool usual = length > end_length && strcmp(archive + length - end_length, end) == 0;

    return mem_strndup(archive, usual ? length - end_length : length);
}

static void put_links(struct buf *out, const json_t *receipt)
{
    char text[UNITS_TEXT_SIZE];
    const json_t *archive = json_object_get(receipt, "archive");
    const char *name = text_of(archive, "name");
    const double size = number_of(archive, "size");

    if (!name) {
        buf_append_text(out, UNKNOWN UNKNOWN);
        return;
    }

    cleanup_free char *stem = stem_of(name);

    if (json_is_true(json_object_get(receipt, "report"))) {
        buf_append_text(out, "<td class=\"short\">");
        put_link(out, "reports/", stem, ".html", "report");
        buf_append_text(out, "</td>");
    } else {
        buf_append_text(out, "<td class=\"short soft\">in the archive</td>");
    }
    buf_printf(out, "<td class=\"short\" data-sort=\"%.0f\">", size <= BYTES_MAX ? size : 0);
    put_link(out, "", name, "", size <= BYTES_MAX ? units_format_bytes((uint64_t)size, text) : "archive");
    buf_append_text(out, "</td>");
}

/* ---- tables ---- */

static void put_heads(struct buf *out, const char *const *heads, size_t count)
{
    buf_append_text(out, "<div class=\"scroll\" tabindex=\"0\">\n<table>\n<thead><tr>");
    for (size_t k = 0; k < count; k++)
        buf_printf(out, "<th scope=\"col\"%s>%s</th>", heads[k][0] == '#' ? " class=\"number wrap\"" : "", heads[k] + (heads[k][0] == '#'));
    buf_append_text(out, "</tr></thead>\n<tbody>\n");
}

static void put_load(struct buf *out, const json_t *receipt)
{
    const double load = number_of(receipt, "advised_load");
    const char *unit = text_of(receipt, "unit");
    char text[UNITS_TEXT_SIZE];

    if (isnan(load) || load > BYTES_MAX || !unit) {
        buf_append_text(out, UNKNOWN);
        return;
    }
    buf_printf(out, "<td class=\"number\">%s ", units_format_load(load, text));
    html_text(out, unit);
    buf_append_text(out, "</td>");
}

static void put_run(struct buf *out, const json_t *receipt)
{
    buf_append_text(out, "<tr>");
    put_time(out, text_of(receipt, "started"));
    put_text(out, text_of(receipt, "model"));
    put_text(out, text_of(receipt, "hardware"));
    put_links(out, receipt);
    put_load(out, receipt);
    put_number(out, number_of(receipt, "ttft_p95_ms"), 0);
    put_number(out, number_of(receipt, "total_tps"), 0);
    put_usd(out, number_of(receipt, "usd_per_million_tokens"));
    put_text(out, text_of(receipt, "breaking_point"));
    put_number(out, number_of(receipt, "peak_total_tps"), 0);
    put_text(out, text_of(receipt, "id"));
    buf_append_text(out, "</tr>\n");
}

static void put_comparison(struct buf *out, const json_t *receipt)
{
    buf_append_text(out, "<tr>");
    put_time(out, text_of(receipt, "published"));
    put_text(out, text_of(receipt, "id"));
    buf_append_text(out, "<td class=\"say\">");
    html_text(out, text_of(receipt, "conclusion") ? text_of(receipt, "conclusion") : "none told");
    buf_append_text(out, "</td>");
    put_links(out, receipt);
    buf_append_text(out, "</tr>\n");
}

/* ---- the page ---- */

static const char *date_of(const json_t *receipt)
{
    const char *date = text_of(receipt, "started");

    if (!date)
        date = text_of(receipt, "published");
    return date ? date : "";
}

static int compare_receipts(const void *a, const void *b)
{
    const json_t *first = *(const json_t *const *)a, *second = *(const json_t *const *)b;
    const int by_date = strcmp(date_of(second), date_of(first));

    if (by_date != 0)
        return by_date;

    const char *name = text_of(json_object_get(first, "archive"), "name"), *other = text_of(json_object_get(second, "archive"), "name");

    return strcmp(name ? name : "", other ? other : "");
}

static bool is_comparison(const json_t *receipt)
{
    const char *kind = text_of(receipt, "kind");

    return kind && strcmp(kind, "comparison") == 0;
}

static void put_table(struct buf *out, const json_t *const *receipts, size_t count, bool comparisons)
{
    static const char *const run_heads[] = {"Started (UTC)", "Model", "Hardware", "Report", "Archive", "#Advised load", "#its TTFT p95, ms",
                                            "#its total tok/s", "#its $ per 1M tokens", "Breaking point", "#Peak total tok/s", "Run"};
    static const char *const comparison_heads[] = {"Published (UTC)", "Comparison", "Conclusion", "Report", "Archive"};
    size_t rows = 0;

    for (size_t k = 0; k < count; k++)
        rows += is_comparison(receipts[k]) == comparisons;
    if (rows == 0)
        return;
    buf_printf(out, "<h2>%s</h2>\n", comparisons ? "Comparisons" : "Runs");
    put_heads(out, comparisons ? comparison_heads : run_heads, comparisons ? sizeof comparison_heads / sizeof *comparison_heads : sizeof run_heads / sizeof *run_heads);
    for (size_t k = 0; k < count; k++) {
        if (is_comparison(receipts[k]) == comparisons)
            (comparisons ? put_comparison : put_run)(out, receipts[k]);
    }
    buf_append_text(out, "</tbody>\n</table>\n</div>\n");
}

void index_page(const json_t *receipts, size_t unreadable, struct buf *out)
{
    const size_t all = json_array_size(receipts);
    cleanup_free const json_t **sorted = mem_calloc(all + 1, sizeof *sorted);
    size_t count = 0;

    for (size_t k = 0; k < all; k++) {
        if (json_is_object(json_array_get(receipts, k)))
            sorted[count++] = json_array_get(receipts, k);
    }
    qsort(sorted, count, sizeof *sorted, compare_receipts);
    html_page_begin(out, "Benchmarks", style);
    buf_append_text(out, "<h1>Benchmarks</h1>\n");
    put_table(out, sorted, count, true);
    put_table(out, sorted, count, false);
    if (count == 0)
        buf_append_text(out, "<p>Nothing was published here yet.</p>\n");
    if (unreadable + all > count)
        buf_printf(out, "<p>%zu receipt%s in index/ could not be read.</p>\n", unreadable + all - count, unreadable + all - count == 1 ? "" : "s");
    buf_append_text(out, "<p class=\"soft\">TTFT p95: 95 % of the requests wait less for their first token. Total: prompt and output tokens. "
                         "The advised load, what it costs and where a deployment breaks: the report tells why.</p>\n");
    html_page_end(out, "");
}
