#!/usr/bin/env python3
"""docs/results/load-engine.md and its chart, out of what tests/bench/engine.py --json kept.

    tests/bench/engine_page.py [FIGURES.json [FOLDER]]      docs/results/load-engine.json, docs/results
"""

import json
import math
import sys
from pathlib import Path

PEER, OURS = "vllm bench", "roibench"
LINES = (("ttft_ms", f"{OURS}, TTFT p99", "#1b6ca8", ""), ("itl_ms", f"{OURS}, ITL p99", "#1b6ca8", "6 4"),
         ("peer_ttft_ms", f"{PEER}, TTFT p99", "#b5432a", ""), ("peer_itl_ms", f"{PEER}, ITL p99", "#b5432a", "6 4"))
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 420, 70, 30, 190, 50
LEAST_MS = 0.01


def chart(curve):
    """Both axes logarithmic."""
    values = [point[key] for point in curve for key, *_ in LINES if point.get(key)]
    low, high = math.floor(math.log10(LEAST_MS)), math.ceil(math.log10(max(values)))
    last = math.log10(max(point["streams"] for point in curve))
    x = lambda streams: LEFT + math.log10(streams) / last * (WIDTH - LEFT - RIGHT)
    y = lambda ms: HEIGHT - BOTTOM - (math.log10(max(ms, LEAST_MS)) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    text = lambda at_x, at_y, what, anchor="middle", fill="#333": (
        f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}" fill="{fill}">{what}</text>')
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for exponent in range(low, high + 1):
        at = y(10.0**exponent)
        parts += [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>',
                  text(LEFT - 8, at + 4, f"{10.0**exponent:g} ms", "end")]
    parts += [text(x(point["streams"]), HEIGHT - BOTTOM + 20, point["streams"]) for point in curve]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "streams"))
    parts.append(text(LEFT, TOP - 12, "error of the client against the server's truth; true are TTFT 200 ms, ITL 10 ms", "start"))
    taken = []
    for key, label, color, dashes in LINES:
        points = [(x(point["streams"]), y(point[key])) for point in curve if point.get(key) is not None]
        if not points:
            continue
        path = " ".join(f"{at_x:.1f},{at_y:.1f}" for at_x, at_y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dashes}"/>')
        parts += [f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="3" fill="{color}"/>' for at_x, at_y in points]
        label_y = points[-1][1]
        while any(abs(label_y - other) < 16 for other in taken):
            label_y += 4
        taken.append(label_y)
        parts.append(text(points[-1][0] + 8, label_y + 4, label, "start", color))
    return "\n".join(parts + ["</svg>", ""])


def number(value):
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(rows):
    lines = ["| what | reached | must | aim | | of the same runs |",
             "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        if "unmeasured" in row:
            lines.append(f"| {row['name']} | not measured: {row['unmeasured']} | | | | |")
            continue
        sign = "<=" if row["better"] == "less" else ">="
        must = f"{sign} {number(row['must'])}" if row["must"] is not None else ""
        count = len(row["samples"])
        spread = f" ({number(min(row['samples']))} to {number(max(row['samples']))}, {count} runs)" if count > 1 else ""
        verdict = {"aim": "aim reached", "must": "ok", "MISSED": "**missed**", "": ""}[row["verdict"]]
        reached = f"{number(row['value'])} {row['unit']}{spread}"
        beside = f"{row['beside']}; load average {row['load_average']:.1f}{', at real-time priority' if row.get('real_time') else ''}"
        lines.append(f"| {row['name']} | {reached} | {must} | {number(row['aim'])} | {verdict} | {beside} |")
    return lines


def curve_table(curve):
    lines = ["| streams | TTFT p99 | ITL p99 | client's CPU | server late p99 | vllm bench: TTFT p99 | ITL p99 |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for point in curve:
        peer = (f"{point[key]:.1f} ms" if point.get(key) is not None else "" for key in ("peer_ttft_ms", "peer_itl_ms"))
        lines.append(f"| {point['streams']:,} | {point['ttft_ms']:.3f} ms | {point['itl_ms']:.3f} ms | {point['cpu'] * 100:.0f} % | "
                     f"{point['server_late_p99_ms']:.2f} ms | {' | '.join(peer)} |")
    return lines


def page(figures):
    machine, curve = figures["machine"], figures["curve"]
    others = "The load average is that at the end of a row's runs, theirs included (1 to 2); where it is\n  higher, others worked too."
    if any(row.get("real_time") for row in figures["rows"]):
        others += " `at real-time priority`: client and server ran under `chrt -f 5`, to keep that out of rows about time."
    lines = ["# The load engine, measured", "",
             "Made by `tests/bench/engine.py --json docs/results/load-engine.json` and `tests/bench/engine_page.py`; no number here is typed by",
             "hand.",
             "",
             f"- Commit {machine['commit']}, {machine['date']} UTC; {machine['cpus']} CPUs, {machine['model']}, Linux {machine['kernel']}. Medians",
             f"  (least to most; without these: one run). {others}",
             "- Client and server share the machine. The server is `tests/bench/blaster.c`, which sends what it has computed beforehand; its own",
             "  CPU and how late it was are told beside every figure. The bare reader (`tests/bench/bare_reader.c`) is the least that a client can",
             "  do: epoll, `recv` of 64 kB, count `data:`. What is compared ran in turns. A figure of CPU is of the whole process, its records",
             "  and their compression included.", ""]
    lines += table(figures["rows"])
    if curve:
        lines += ["", "## Error of the client by the number of streams", "",
                  "How far TTFT p99 and ITL p99 are from what the server really did, each stream in its time; vllm bench under the same load,",
                  f"as it reports them. Runs a point: {curve[0]['runs']}; of vllm bench one.", "",
                  "![error against streams](load-engine.svg)", ""]
        lines += curve_table(curve)
    if figures["self_test"]:
        lines += ["", "## What this machine adds, in its own words", "", "`roibench run --self-test` on it:", "", "```", figures["self_test"].rstrip(), "```"]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) > 3:
        sys.exit(__doc__)
    results = Path(__file__).resolve().parents[2] / "docs/results"
    figures = json.loads(Path(sys.argv[1] if len(sys.argv) > 1 else results / "load-engine.json").read_text())
    folder = Path(sys.argv[2]) if len(sys.argv) == 3 else results
    (folder / "load-engine.md").write_text(page(figures))
    if figures["curve"]:
        (folder / "load-engine.svg").write_text(chart(figures["curve"]))


if __name__ == "__main__":
    main()
