/* The report as one HTML file: what the Markdown report says, and its numbers as charts. Needs no network and no script to be read;
 * scripts sort tables and tell a chart's values. Light, dark and paper. */
#include <string.h>

#include "report/html.h"
#include "report/html_charts.h"
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
    "main{max-width:88rem;margin:0 auto;padding:1rem 1.25rem 3rem}\n"
    "h1{font-size:1.7rem;margin:.8rem 0}h2{font-size:1.25rem;margin:2rem 0 .6rem;border-bottom:1px solid var(--line)}h3{font-size:1.05rem}\n"
    "h1+p strong{display:block;font-size:1.1rem;font-weight:600;padding:.7rem 1rem;background:var(--mark);border-left:4px solid var(--c0)}\n"
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
static const char head_end[] =
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}"
    "td:not(.number){white-space:normal;min-width:5rem}th{background:var(--mark);vertical-align:bottom}\n"
    ".number{text-align:right}th button{all:unset;cursor:pointer}th button:focus-visible,.scroll:focus-visible{outline:2px solid var(--c0)}\n"
    "th[aria-sort=ascending] button:after{content:\" \\2191\"}th[aria-sort=descending] button:after{content:\" \\2193\"}"
    "tbody tr:hover{background:var(--mark)}\n"
    "@media print{.value,details{display:none}main{max-width:none;padding:0}.scroll{overflow:visible}table{font-size:.72rem}th,td{padding:.15rem .3rem;white-space:normal}}\n"
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
    buf_append_text(out, head);
    buf_append_text(out, head_end);
    html_text(out, title);
    buf_append_text(out, "</title>\n</head>\n<body>\n<main>\n");
    html_from_markdown(out, markdown, rows_max);
    if (charts->len > 0)
        buf_printf(out, "<div class=\"charts\">\n%s</div>\n", charts->data);
    if (rest)
        html_from_markdown(out, rest, rows_max);
    buf_append_text(out, "</main>\n");
    buf_append_text(out, script);
    buf_append_text(out, chart_script);
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
