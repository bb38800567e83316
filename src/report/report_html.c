/* The report as one HTML file: what the Markdown report says, and its numbers as charts. Needs no network and no script to be read;
 * scripts sort tables and tell a chart's values. Light, dark and paper. */
#include <string.h>

#include "report/html.h"
#include "report/html_charts.h"
#include "report/html_page.h"
#include "report/report.h"

#define ROWS_MOST 16384 /* of a table */

static const char chart_style[] =
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1rem}\n"
    "figure{margin:0;padding:.6rem;border:1px solid var(--line);border-radius:6px;break-inside:avoid}figcaption{font-weight:600;font-size:.95rem}\n"
    "svg{width:100%;height:auto;display:block}.grid{stroke:var(--line)}.tick,.axis{fill:var(--soft);font-size:12px}.axis{font-size:13px}\n"
    ".end{text-anchor:end}.middle{text-anchor:middle}.limit{stroke:var(--limit);stroke-dasharray:5 4}.limit-name{fill:var(--limit)}\n"
    "polyline{fill:none;stroke-width:2.2}circle{stroke:var(--paper);stroke-width:1}circle:hover{stroke:var(--ink);stroke-width:2}\n"
    ".faint{fill-opacity:.5}.mark{stroke:var(--soft);stroke-dasharray:1 3}.cursor{stroke:var(--soft)}svg rect{fill:none;pointer-events:all}svg rect:hover{fill:var(--ink);fill-opacity:.08}\n"
    "svg:focus-visible{outline:2px solid var(--c0)}.value{margin:.2rem 0 0;font-size:.88rem;min-height:1.4em;color:var(--soft);font-variant-numeric:tabular-nums}\n"
    "details{margin-top:.4rem;font-size:.88rem}details .scroll{max-height:16rem;overflow:auto}summary{cursor:pointer;color:var(--soft)}\n"
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
    ".legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;margin:.3rem 0 0;padding:0;font-size:.88rem}\n";
/* What stands at one place of a chart is told below it: by the mouse, the nearest; by the arrow keys, Home and End, one after the other. */
static const char chart_script[] =
    "<script>\n"
    "for(const figure of document.querySelectorAll('figure')){\n"
    "  const svg=figure.querySelector('svg'),value=figure.querySelector('.value'),places=new Map();let now=-1;\n"
    "  for(const title of svg.querySelectorAll('title')){\n"
    "    const at=title.parentNode.getBBox(),x=at.x+at.width/2;places.set(x,(places.get(x)||[]).concat(title.textContent));\n"
    "  }\n"
    "  const xs=[...places.keys()].sort((a,b)=>a-b),cursor=svg.appendChild(document.createElementNS(svg.namespaceURI,'line'));\n"
    "  cursor.setAttribute('class','cursor');\n"
    "  const show=k=>{now=k;cursor.setAttribute('x1',xs[k]);cursor.setAttribute('x2',xs[k]);cursor.setAttribute('y1',16);cursor.setAttribute('y2',290);\n"
    "    value.textContent=places.get(xs[k]).join('; ')};\n"
    "  svg.onpointermove=event=>{const at=new DOMPoint(event.clientX,event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;\n"
    "    show(xs.reduce((best,x,k)=>Math.abs(x-at)<Math.abs(xs[best]-at)?k:best,0))};\n"
    "  svg.onkeydown=event=>{const to={ArrowRight:Math.min(now+1,xs.length-1),ArrowLeft:Math.max(now-1,0),Home:0,End:xs.length-1}[event.key];\n"
    "    if(to!==undefined){event.preventDefault();show(to)}};\n"
    "}\n"
    "</script>\n";

/* --- the page ---------------------------------------------------------------------------------- */

/* The Markdown report's title and verdict, the charts, and the rest of it, with so many rows of each table at most. markdown: its first part ends
 * with NUL, `rest` is the other, or NULL. */
static void put_page(const char *title, const char *markdown, const char *rest, const struct buf *charts, size_t rows_max, struct buf *out)
{
    html_page_begin(out, title, chart_style);
    html_from_markdown(out, markdown, rows_max);
    if (charts->len > 0)
        buf_printf(out, "<div class=\"charts\">\n%s</div>\n", charts->data);
    if (rest)
        html_from_markdown(out, rest, rows_max);
    html_page_end(out, chart_script);
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
    html_run_charts(summary, &charts);
    write_page(summary->facts.model, &markdown, &charts, out);
}

void report_html_comparison(const struct comparison *comparison, struct buf *out)
{
    cleanup_buf struct buf markdown = BUF_INIT(REPORT_MAX), charts = BUF_INIT(REPORT_MAX);
    report_markdown_comparison(comparison, &markdown);
    if (comparison->unit)
        html_comparison_charts(comparison, &charts);
    write_page(comparison->id, &markdown, &charts, out);
}
