/* The report as one HTML file: what the Markdown report says, and its numbers as charts. Needs no network and no script to be read;
 * the script sorts tables. Light, dark and paper. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/report.h"

#define ROWS_MOST 16384 /* of a table */

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
    "<style>\n"
    ":root{color-scheme:light dark;--ink:#1c2024;--soft:#5b6570;--paper:#fff;--line:#d9dee3;--mark:#f3f5f7;--limit:#b3261e;"
    "--c0:#0b62c4;--c1:#b35300;--c2:#1d7a3c;--c3:#8a2da5;--c4:#00707a;--c5:#a01b52;--c6:#5c5300;--c7:#444b54}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a3adb8;--paper:#14171a;--line:#343a40;--mark:#1e2327;--limit:#ff8a80;"
    "--c0:#6cb0ff;--c1:#ffb066;--c2:#7ad49a;--c3:#d59bea;--c4:#66d3dd;--c5:#ff8fb8;--c6:#d9cd5c;--c7:#c0c8d0}}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
    "main{max-width:78rem;margin:0 auto;padding:1rem 1.25rem 3rem}\n"
    "h1{font-size:1.7rem;margin:.8rem 0}h2{font-size:1.25rem;margin:2rem 0 .6rem;border-bottom:1px solid var(--line)}h3{font-size:1.05rem}\n"
    "h1+p strong{display:block;font-size:1.1rem;font-weight:600;padding:.7rem 1rem;background:var(--mark);border-left:4px solid var(--c0)}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1rem}\n"
    "figure{margin:0;padding:.6rem;border:1px solid var(--line);border-radius:6px;break-inside:avoid}figcaption{font-weight:600;font-size:.95rem}\n"
    "svg{width:100%;height:auto;display:block}.grid{stroke:var(--line)}.tick,.axis{fill:var(--soft);font-size:12px}.axis{font-size:13px}\n"
    ".end{text-anchor:end}.middle{text-anchor:middle}.limit{stroke:var(--limit);stroke-dasharray:5 4}.limit-name{fill:var(--limit)}\n"
    "polyline{fill:none;stroke-width:2.2}circle{stroke:var(--paper);stroke-width:1}circle:hover{stroke:var(--ink);stroke-width:2}\n"
    "polyline.series-0{stroke:var(--c0)}polyline.series-1{stroke:var(--c1);stroke-dasharray:8 3}"
    "polyline.series-2{stroke:var(--c2);stroke-dasharray:2 3}"
    "polyline.series-3{stroke:var(--c3);stroke-dasharray:10 3 2 3}polyline.series-4{stroke:var(--c4)}"
    "polyline.series-5{stroke:var(--c5);stroke-dasharray:8 3}"
    "polyline.series-6{stroke:var(--c6);stroke-dasharray:2 3}polyline.series-7{stroke:var(--c7)}\n"
    ".series-0{fill:var(--c0)}.series-1{fill:var(--c1)}.series-2{fill:var(--c2)}.series-3{fill:var(--c3)}.series-4{fill:var(--c4)}"
    ".series-5{fill:var(--c5)}.series-6{fill:var(--c6)}.series-7{fill:var(--c7)}polyline[class]{fill:none}\n"
    ".key{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border-radius:50%}.key.series-0{background:var(--c0)}"
    ".key.series-1{background:var(--c1)}"
    ".key.series-2{background:var(--c2)}.key.series-3{background:var(--c3)}.key.series-4{background:var(--c4)}.key.series-5{background:var(--c5)}"
    ".key.series-6{background:var(--c6)}.key.series-7{background:var(--c7)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;margin:.3rem 0 0;padding:0;font-size:.88rem}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}"
    "td:not(.number){white-space:normal;min-width:5rem}th{background:var(--mark);vertical-align:bottom}\n"
    ".number{text-align:right}th button{all:unset;cursor:pointer}th button:focus-visible,.scroll:focus-visible{outline:2px solid var(--c0)}\n"
    "th[aria-sort=ascending] button:after{content:\" \\2191\"}th[aria-sort=descending] button:after{content:\" \\2193\"}"
    "tbody tr:hover{background:var(--mark)}\n"
    "@media print{main{max-width:none;padding:0}.scroll{overflow:visible}table{font-size:.72rem}th,td{padding:.15rem .3rem;white-space:normal}}\n"
    "</style>\n<title>";

/* A column is sorted by its numbers where a cell begins with one, else by its text; again: the other way round. */
static const char script[] =
    "<script>\n"
    "for(const table of document.querySelectorAll('table'))table.querySelectorAll('th').forEach((th,column)=>{\n"
    "  const button=document.createElement('button');button.type='button';button.append(...th.childNodes);th.append(button);\n"
    "  button.onclick=()=>{\n"
    "    const up=th.getAttribute('aria-sort')!=='ascending',body=table.tBodies[0];\n"
    "    table.querySelectorAll('th').forEach(other=>other.removeAttribute('aria-sort'));\n"
    "    th.setAttribute('aria-sort',up?'ascending':'descending');\n"
    "    const key=row=>{const text=row.cells[column].textContent,number=parseFloat(text.replace(/,/g,'').replace(/^[^0-9.-]+/,''));"
    "return isNaN(number)?text:number};\n"
    "    const order=(a,b)=>typeof a===typeof b?(a<b?-1:a>b?1:0):typeof a==='number'?-1:1;\n"
    "    [...body.rows].sort((a,b)=>(up?1:-1)*order(key(a),key(b))).forEach(row=>body.append(row));\n"
    "  };\n"
    "});\n"
    "</script>\n";

/* --- charts ------------------------------------------------------------------------------------ */

typedef double (*level_value)(const struct level_summary *level);

static double value_total(const struct level_summary *level)
{
    return level->rate[RATE_TOTAL_TPS];
}

static double value_output(const struct level_summary *level)
{
    return level->rate[RATE_OUTPUT_TPS];
}

static double value_ttft_p95(const struct level_summary *level)
{
    return level_ttft_p95(level);
}

static double value_ttft_p50(const struct level_summary *level)
{
    return level->latency[LATENCY_TTFT_CENSORED].percentile[P50];
}

static double value_user_tps(const struct level_summary *level)
{
    return level->rate[RATE_USER_TPS];
}

static double value_queue(const struct level_summary *level)
{
    return level->server.queue_depth.mean;
}

static double value_running(const struct level_summary *level)
{
    return level->server.running.mean;
}

static double value_kv_cache(const struct level_summary *level)
{
    return 100 * level->server.kv_cache.mean;
}

static int compare_points(const void *a, const void *b)
{
    const struct chart_point *x = a, *y = b;
    return (x->x > y->x) - (x->x < y->x);
}

/* The levels of one unit, by their load. */
static void add_levels(struct chart *chart, const char *name, const struct run_summary *summary, const char *unit, level_value value)
{
    struct chart_series *series = chart_add_series(chart, name);
    for (size_t k = 0; k < summary->level_count; k++)
        if (strcmp(summary->levels[k].unit, unit) == 0)
            chart_add_point(series, summary->levels[k].load, value(&summary->levels[k]));
    if (series && series->count > 0)
        qsort(series->points, series->count, sizeof series->points[0], compare_points);
}

static void add_ttft_limits(struct chart *chart)
{
    const struct sla_row *row = &sla_default.row[SLA_TTFT];
    for (int bound = 0; bound < 3; bound++)
        chart_add_limit(chart, row->bound[bound].limit, bound == 2 ? "breaking" : bound == 1 ? "degraded" : "acceptable");
}

static void write_run_charts(const struct run_summary *summary, const char *unit, struct buf *out)
{
    struct chart throughput = {.title = "Throughput", .x_title = unit, .y_title = "tokens/s", .y_unit = "tok/s"};
    struct chart ttft = {.title = "Time to first token, with the bounds of its classes", .x_title = unit, .y_title = "TTFT ms", .y_unit = "ms"};
    struct chart speed = {.title = "Speed for one user (1000 / TPOT p95)", .x_title = unit, .y_title = "tokens/s", .y_unit = "tok/s"};
    struct chart server = {
        .title = "At the server: requests running and waiting", .x_title = unit, .y_title = "requests (mean)", .y_unit = "requests",
    };
    struct chart cache = {.title = "At the server: KV cache in use", .x_title = unit, .y_title = "% (mean)", .y_unit = "%"};
    struct chart price = {.title = "Latency against throughput", .x_title = "tok/s in and out", .y_title = "TTFT p95 ms", .y_unit = "ms"};
    add_levels(&throughput, "prompt and output", summary, unit, value_total);
    add_levels(&throughput, "output", summary, unit, value_output);
    add_levels(&ttft, "p95", summary, unit, value_ttft_p95);
    add_levels(&ttft, "median", summary, unit, value_ttft_p50);
    add_ttft_limits(&ttft);
    add_levels(&speed, "user tok/s", summary, unit, value_user_tps);
    add_levels(&server, "running", summary, unit, value_running);
    add_levels(&server, "waiting", summary, unit, value_queue);
    add_levels(&cache, "KV cache", summary, unit, value_kv_cache);
    struct chart_series *series = chart_add_series(&price, "a load each");
    for (size_t k = 0; k < summary->level_count; k++)
        if (strcmp(summary->levels[k].unit, unit) == 0)
            chart_add_point(series, summary->levels[k].rate[RATE_TOTAL_TPS], level_ttft_p95(&summary->levels[k]));
    const struct chart *const charts[] = {&throughput, &ttft, &speed, &price, &server, &cache};
    for (size_t k = 0; k < sizeof charts / sizeof charts[0]; k++)
        chart_write(charts[k], out);
}

static void write_comparison_charts(const struct comparison *comparison, struct buf *out)
{
    const char *unit = comparison->unit;
    struct chart throughput = {.title = "Throughput", .x_title = unit, .y_title = "tok/s in and out", .y_unit = "tok/s"};
    struct chart ttft = {.title = "Time to first token, p95", .x_title = unit, .y_title = "TTFT p95 ms", .y_unit = "ms"};
    struct chart speed = {.title = "Speed for one user (1000 / TPOT p95)", .x_title = unit, .y_title = "tokens/s", .y_unit = "tok/s"};
    struct chart pareto = {.title = "Throughput a dollar buys against the speed of one user", .x_title = "user tok/s", .y_title = "tok/s per $/hour",
                           .y_unit = "tok/s per $/h"};
    for (size_t k = 0; k < comparison->count; k++) {
        add_levels(&throughput, comparison->names[k], comparison->runs[k], unit, value_total);
        add_levels(&ttft, comparison->names[k], comparison->runs[k], unit, value_ttft_p95);
        add_levels(&speed, comparison->names[k], comparison->runs[k], unit, value_user_tps);
        struct chart_series *series = chart_add_series(&pareto, comparison->names[k]);
        for (size_t p = 0; p < comparison->roi.pareto_count; p++)
            if (comparison->roi.pareto[p].row == k)
                chart_add_point(series, comparison->roi.pareto[p].user_tps, comparison->roi.pareto[p].per_usd);
        if (series && series->count > 0)
            qsort(series->points, series->count, sizeof series->points[0], compare_points);
    }
    add_ttft_limits(&ttft);
    const struct chart *const charts[] = {&pareto, &throughput, &ttft, &speed};
    for (size_t k = 0; k < sizeof charts / sizeof charts[0]; k++)
        chart_write(charts[k], out);
}

/* --- the page ---------------------------------------------------------------------------------- */

/* The Markdown report's title and verdict, the charts, and the rest of it, with so many rows of each table at most. markdown: its first part ends
 * with NUL, `rest` is the other, or NULL. */
static void put_page(const char *title, const char *markdown, const char *rest, const struct buf *charts, size_t rows_max, struct buf *out)
{
    buf_append_text(out, head);
    html_text(out, title);
    buf_append_text(out, "</title>\n</head>\n<body>\n<main>\n");
    html_from_markdown(out, markdown, rows_max);
    if (charts->len > 0)
        buf_printf(out, "<div class=\"charts\">\n%s</div>\n", charts->data);
    if (rest)
        html_from_markdown(out, rest, rows_max);
    buf_append_text(out, "</main>\n");
    buf_append_text(out, script);
    buf_append_text(out, "</body>\n</html>\n");
}

/* Rows are left out until the page is small enough to be opened anywhere. */
static void write_page(const char *title, struct buf *markdown, const struct buf *charts, struct buf *out)
{
    char *rest = strstr(markdown->data, "\n## "); /* a report is never empty */
    size_t rows_max = ROWS_MOST;
    if (rest)
        *rest++ = '\0';
    put_page(title, markdown->data, rest, charts, rows_max, out);
    while (out->len > REPORT_HTML_MAX && rows_max > 1) {
        rows_max /= 4;
        buf_reset(out);
        put_page(title, markdown->data, rest, charts, rows_max, out);
    }
}

void report_html_run(const struct run_summary *summary, struct buf *out)
{
    cleanup_buf struct buf markdown = BUF_INIT(REPORT_MAX), charts = BUF_INIT(REPORT_MAX);
    report_markdown_run(summary, &markdown);
    if (summary->points_count > 0 && summary->points[0].load_count > 1)
        write_run_charts(summary, summary->points[0].unit, &charts);
    write_page(summary->facts.model, &markdown, &charts, out);
}

void report_html_comparison(const struct comparison *comparison, struct buf *out)
{
    cleanup_buf struct buf markdown = BUF_INIT(REPORT_MAX), charts = BUF_INIT(REPORT_MAX);
    report_markdown_comparison(comparison, &markdown);
    if (comparison->unit)
        write_comparison_charts(comparison, &charts);
    write_page(comparison->id, &markdown, &charts, out);
}
