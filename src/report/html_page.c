#include "report/html_page.h"

#include "report/html.h"

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
    "h1+p strong{display:block;font-size:1.1rem;font-weight:600;padding:.7rem 1rem;background:var(--mark);border-left:4px solid var(--c0)}\n";
static const char head_end[] =
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}"
    "td:not(.number){white-space:normal;min-width:5rem}th{background:var(--mark);vertical-align:bottom}\n"
    ".number{text-align:right}th button{all:unset;cursor:pointer}th button:focus-visible,.scroll:focus-visible{outline:2px solid var(--c0)}\n"
    "th[aria-sort=ascending] button:after{content:\" \\2191\"}th[aria-sort=descending] button:after{content:\" \\2193\"}"
    "tbody tr:hover{background:var(--mark)}\n"
    "@media print{.value,details{display:none}main{max-width:none;padding:0}.scroll{overflow:visible}table{font-size:.72rem}th,td{padding:.15rem .3rem;white-space:normal}}\n"
    "</style>\n<title>";

/* A column is sorted by its numbers where a cell (or its data-sort) begins with one, else by its text; again: the other way round. */
static const char script[] =
    "<script>\n"
    "for(const table of document.querySelectorAll('table'))table.querySelectorAll('th').forEach((th,column)=>{\n"
    "  const button=document.createElement('button');button.type='button';button.append(...th.childNodes);th.append(button);\n"
    "  button.onclick=()=>{\n"
    "    const up=th.getAttribute('aria-sort')!=='ascending',body=table.tBodies[0];\n"
    "    table.querySelectorAll('th').forEach(other=>other.removeAttribute('aria-sort'));\n"
    "    th.setAttribute('aria-sort',up?'ascending':'descending');\n"
    "    const key=row=>{const cell=row.cells[column],text=cell.dataset.sort||cell.textContent,number=parseFloat(text.replace(/,/g,'').replace(/^[^0-9.-]+/,''));"
    "return isNaN(number)?text:number};\n"
    "    const order=(a,b)=>typeof a===typeof b?(a<b?-1:a>b?1:0):typeof a==='number'?-1:1;\n"
    "    [...body.rows].sort((a,b)=>(up?1:-1)*order(key(a),key(b))).forEach(row=>body.append(row));\n"
    "  };\n"
    "});\n"
    "</script>\n";

void html_page_begin(struct buf *out, const char *title, const char *style)
{
    buf_append_text(out, head);
    buf_append_text(out, style);
    buf_append_text(out, head_end);
    html_text(out, title);
    buf_append_text(out, "</title>\n</head>\n<body>\n<main>\n");
}

void html_page_end(struct buf *out, const char *more_script)
{
    buf_append_text(out, "</main>\n");
    buf_append_text(out, script);
    buf_append_text(out, more_script);
    buf_append_text(out, "</body>\n</html>\n");
}
