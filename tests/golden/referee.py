#!/usr/bin/env python3
"""Computes the main numbers of every golden case from its inputs with numpy, and compares them with expect.json.

    python3 tests/golden/referee.py        (needs numpy)

It shares no code and no shortcut with the program: plain arrays, the definitions of docs/metrics.md. Prints the largest relative
difference and ends 1 when one is above 1e-8 (files hold 9 digits).
"""
import glob
import json
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER_FAILURES = {"connect", "timeout", "stall", "reset", "truncated", "protocol", "http_429", "http_5xx", "error_event"}
worst = 0.0


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def rank(values, per_mille):
    values = np.sort(values)
    return values[max(1, -(-len(values) * per_mille // 1000)) - 1]


def compare(where, got, wanted):
    global worst
    if wanted is None or (isinstance(wanted, float) and not np.isfinite(wanted)):
        if got is not None:
            sys.exit(f"{where}: got {got}, wanted nothing")
        return
    if got is None:
        sys.exit(f"{where}: got nothing, wanted {wanted}")
    difference = abs(got - wanted) / max(abs(wanted), 1e-12) if got != wanted else 0.0
    worst = max(worst, difference)
    if difference > 1e-8:
        sys.exit(f"{where}: got {got}, wanted {wanted}")


def distribution(where, got, values):
    if len(values) == 0:
        compare(where, got, None)
        return
    values = np.asarray(values, float)
    compare(where + ".count", got["count"], len(values))
    if np.isfinite(values).all():
        compare(where + ".mean", got["mean"], values.mean())
        compare(where + ".std", got["std"], values.std(ddof=1) if len(values) > 1 else None)
    for name, p in (("p1", 10), ("p50", 500), ("p90", 900), ("p95", 950), ("p99", 990), ("p99.9", 999)):
        compare(f"{where}.{name}", got[name], float(rank(values, p)))


def check_level(where, got, bounds, records, tokens, ticks, scale):
    ms = scale / 1e6
    open_loop = bounds["unit"] == "req/s"
    start, end = bounds["window_start"], bounds["window_end"]
    seconds = (end - start) * scale / 1e9

    def inside(t):
        return t is not None and start <= t < end

    members = [r for r in records if inside(r["intended"] if open_loop else r.get("sent"))]
    ok = [r for r in members if r["outcome"] == "ok"]
    came = [r for r in members if "first_token" in r]
    lost = [r for r in members if "first_token" not in r and (r["outcome"] == "incomplete" or r.get("error") in SERVER_FAILURES)]
    ttft = [(r["first_token"] - r["sent"]) * ms for r in came]
    distribution(where + ".ttft_ms", got["ttft_ms"], ttft)
    distribution(where + ".ttft_censored_ms", got["ttft_censored_ms"], ttft + [np.inf] * len(lost))
    if not open_loop:
        later = [(r["first_token"] - r["sent"]) * ms for r in came if r["i"] >= bounds["load"]]
        distribution(where + ".ttft_without_first_ms", got["ttft_without_first_ms"], later)
    distribution(where + ".e2e_ms", got["e2e_ms"], [(r["end"] - r["sent"]) * ms for r in ok])
    distribution(where + ".e2e_intended_ms", got["e2e_intended_ms"], [(r["end"] - r["intended"]) * ms for r in ok])
    tpot = [(r["last_token"] - r["first_token"]) * ms / (r["output_tokens"] - r["first_tokens"]) for r in ok]
    distribution(where + ".tpot_ms", got["tpot_ms"], tpot)
    distribution(where + ".tpot_with_first_ms", got["tpot_with_first_ms"],
                 [(r["last_token"] - r["sent"]) * ms / r["output_tokens"] for r in ok])
    compare(where + ".user_tps", got["user_tps"], 1000 / rank(tpot, 950))
    gaps = [gap * ms for r in ok for gap in tokens.get(r["id"], [])[1:]]
    distribution(where + ".itl_ms", got["itl_ms"], gaps)
    if tokens:
        out = sum(inside(t) for r in records if r["id"] in tokens for t in r["sent"] + np.cumsum(tokens[r["id"]]))
    else:
        out = sum(tick["tokens"] for tick in ticks if start < tick["t"] <= end)
    compare(where + ".output_tps", got["output_tps"], out / seconds)
    prompts = sum(r["prompt_tokens"] for r in records if inside(r.get("first_token")))
    compare(where + ".total_tps", got["total_tps"], (out + prompts) / seconds)
    compare(where + ".request_rps", got["request_rps"], sum(r["outcome"] == "ok" and inside(r["end"]) for r in records) / seconds)
    busy = sum(max(0, min(r["end"], end) - max(r["sent"], start)) for r in records if "sent" in r)
    compare(where + ".concurrency", got["concurrency"], busy / (end - start))
    ended = [r for r in members if r["outcome"] != "incomplete"]
    compare(where + ".error_rate", got["error_rate"], sum(r.get("error") in SERVER_FAILURES for r in ended) / len(ended))
    if open_loop:
        compare(where + ".drawn_rps", got["drawn_rps"], len(members) / seconds)
        compare(where + ".delivered_rps", got["delivered_rps"],
                sum("sent" in r and r["sent"] < bounds["end"] for r in members) / seconds)
    else:
        width = float(rank([(r["end"] - r["sent"]) for r in ok], 500)) / 10
        bins = int((end - start) / width)
        counts = np.bincount([int((r["sent"] - start) / width) for r in members], minlength=bins)[:bins]
        compare(where + ".synchrony", got["synchrony"], counts.var() / counts.mean())


def check_run(where, folder, got):
    records = lines(os.path.join(folder, "records.jsonl"))
    scale = json.load(open(os.path.join(folder, "plan.json"), encoding="utf-8"))["server"]["time_scale"]
    tokens, ticks = {}, []
    if os.path.exists(os.path.join(folder, "tokens.tsv")):
        for line in open(os.path.join(folder, "tokens.tsv"), encoding="utf-8"):
            name, *gaps = line.split()
            tokens[name] = [int(gap) for gap in gaps]
    if os.path.exists(os.path.join(folder, "journal.jsonl")):
        ticks = [line["tick"] for line in lines(os.path.join(folder, "journal.jsonl")) if "tick" in line]
    for line in records:
        bounds = line.get("level_end")
        if bounds:  # a level that was cut off has no window to check
            level = next(level for level in got["levels"] if level["index"] == bounds["index"])
            check_level(f"{where}[{bounds['index']}]", level, bounds,
                        [r for r in records if r.get("level") == bounds["index"]], tokens, ticks, scale)


def main():
    for path in sorted(glob.glob(os.path.join(HERE, "*", "expect.json"))):
        got = json.load(open(path, encoding="utf-8"))
        for run in got.get("runs", [got]):
            name = run["run"]["run_id"]
            check_run(name, os.path.join(os.path.dirname(path), name), run)
    print(f"referee: all cases agree; largest relative difference {worst:.1e}")


main()
