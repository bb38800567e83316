#!/usr/bin/env python3
"""Computes a run's statistics anew by numpy and scipy, from its records and token gaps, and compares them with summary.json.

    statistics_referee.py RUN_FOLDER...

Percentiles must be the very sample (summary.json holds 12 digits: the sample rounded to as many), intervals of percentiles the very
samples that scipy's binomial distribution names, moments and rates within 1e-9. Prints the largest differences; ends 1 beyond.
"""
import gzip
import json
import math
import os
import sys

import numpy as np
from scipy import stats

SERVER = {"connect", "timeout", "stall", "reset", "truncated", "protocol", "http_429", "http_5xx", "error_event"}
PER_MILLE = {"p1": 10, "p5": 50, "p10": 100, "p25": 250, "p50": 500, "p75": 750, "p90": 900, "p95": 950, "p99": 990, "p99.9": 999}
worst = {"percentiles": 0.0, "their intervals": 0.0, "moments": 0.0, "rates": 0.0, "intervals by blocks": 0.0}
compared = dict.fromkeys(worst, 0)


def differ(kind, where, got, wanted):
    compared[kind] += 1
    if wanted is None or not math.isfinite(wanted):
        if got is not None:
            sys.exit(f"{where}: {got} instead of null")
        return
    if got is None:
        sys.exit(f"{where}: null instead of {wanted}")
    if kind in ("percentiles", "their intervals"):
        wanted = float(f"{wanted:.12g}")
    difference = abs(got - wanted) / max(abs(wanted), 1e-300) if got != wanted else 0.0
    worst[kind] = max(worst[kind], difference)
    if difference > (0 if kind in ("percentiles", "their intervals") else 1e-9):
        sys.exit(f"{where}: {got} instead of {wanted}")


def read_lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def varints(data):
    value, shift = 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value, shift = 0, 0


def read_tokens(path):
    """id: (gaps, tokens of each arrival)"""
    with gzip.open(path, "rb") as file:
        data = file.read()
    frames, at = {}, 0

    def number():
        nonlocal at
        end = at
        while data[end] >= 0x80:
            end += 1
        value = next(varints(data[at:end + 1]))
        at = end + 1
        return value

    while at < len(data):
        length = number()
        name = data[at:at + length].decode()
        at += length
        pairs = [number() for _ in range(2 * number())]
        frames[name] = (np.array(pairs[::2], np.int64), np.array(pairs[1::2], np.int64))
    return frames


def rank_of(count, per_mille):
    return max(1, -(-count * per_mille // 1000))


def interval_ranks(count, per_mille):
    low, high = int(stats.binom.ppf(0.025, count, per_mille / 1000)), int(stats.binom.isf(0.025, count, per_mille / 1000)) + 1
    return low, high if high <= count else 0


def check_distribution(where, got, values, times=None):
    """times: how often each value counts"""
    values = np.asarray(values, float)
    if times is not None:
        values = np.repeat(values, times)
    if len(values) == 0:
        if got is not None:
            sys.exit(f"{where}: there should be none")
        return
    values = np.sort(values)
    finite = bool(np.isfinite(values[-1]))
    differ("moments", where + ".count", got["count"], len(values))
    differ("moments", where + ".mean", got["mean"], math.fsum(values) / len(values) if finite else None)
    differ("moments", where + ".std", got["std"], float(np.std(values.astype(np.longdouble), ddof=1)) if finite and len(values) > 1 else None)
    differ("percentiles", where + ".min", got["min"], values[0])
    differ("percentiles", where + ".max", got["max"], values[-1])
    for name, per_mille in PER_MILLE.items():
        differ("percentiles", f"{where}.{name}", got[name], values[rank_of(len(values), per_mille) - 1])
    for name in ("p50", "p90", "p95", "p99"):
        low, high = interval_ranks(len(values), PER_MILLE[name])
        differ("their intervals", f"{where}.{name}.low", got["interval_95"][name]["low"], values[low - 1] if low else None)
        differ("their intervals", f"{where}.{name}.high", got["interval_95"][name]["high"], values[high - 1] if high else None)


def check_rates(where, got, run, records, bounds, open_loop):
    """Rates of the window, and of its blocks; all times in ns of model time."""
    start, end = bounds
    members = [r for r in records if start <= run["at"](r, open_loop) < end]
    e2e = sorted(run["scale"] * (r["end"] - r["sent"]) for r in members if r["outcome"] == "ok")
    arrivals = [(run["scale"] * (r["sent"] + np.cumsum(run["tokens"][r["id"]][0])), run["tokens"][r["id"]][1]) for r in records if r["id"] in run["tokens"]]
    times = np.concatenate([t for t, _ in arrivals])
    tokens = np.concatenate([n for _, n in arrivals])
    first = np.array([run["scale"] * r["first_token"] for r in records if "first_token" in r])
    known = [r["prompt_tokens"] for r in records if "first_token" in r and "prompt_tokens" in r and start <= run["scale"] * r["first_token"] < end]
    prompts = np.array([r.get("prompt_tokens", sum(known) / max(1, len(known))) for r in records if "first_token" in r])
    ends = np.array([run["scale"] * r["end"] for r in records if r["outcome"] == "ok"])

    def rates(low, high):
        seconds = (high - low) / 1e9
        output = tokens[(times >= low) & (times < high)].sum()
        return {"output_tps": output / seconds, "total_tps": (output + prompts[(first >= low) & (first < high)].sum()) / seconds,
                "request_rps": ((ends >= low) & (ends < high)).sum() / seconds,
                "concurrency": sum(max(0, min(run["scale"] * r["end"], high) - max(run["scale"] * r["sent"], low)) for r in records if "sent" in r) / (high - low)}

    for name, value in rates(start, end).items():
        differ("rates", f"{where}.{name}", got[name], value)
    count = min(20, (end - start) // e2e[rank_of(len(e2e), 500) - 1])
    differ("rates", where + ".blocks.count", got["blocks"]["count"], count)
    marks = [start + (end - start) * k // count for k in range(count + 1)]
    blocks = [rates(low, high) for low, high in zip(marks, marks[1:])]
    seconds = (end - start) / count / 1e9
    for name in blocks[0]:
        # blocks differ by a ns at most: all count as equally long
        values = np.array([block[name] * (high - low) / 1e9 / seconds for block, low, high in zip(blocks, marks, marks[1:])])
        low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values)) if np.ptp(values) else (values[0], values[0])
        differ("intervals by blocks", f"{where}.{name}.low", got["interval_95"][name]["low"], max(0.0, low))
        differ("intervals by blocks", f"{where}.{name}.high", got["interval_95"][name]["high"], high)


def check_level(where, got, run, records, end):
    scale, open_loop = run["scale"], end["unit"] == "req/s"
    ms = 1e6
    start, stop = scale * end["window_start"], scale * end["window_end"]
    members = [r for r in records if start <= run["at"](r, open_loop) < stop]
    ok = [r for r in members if r["outcome"] == "ok"]
    ttft = [scale * (r["first_token"] - r["sent"]) / ms for r in members if "first_token" in r]
    lost = [r for r in members if "first_token" not in r and (r["outcome"] == "incomplete" or r.get("error") in SERVER)]
    check_distribution(where + ".ttft_ms", got["ttft_ms"], ttft)
    check_distribution(where + ".ttft_censored_ms", got["ttft_censored_ms"], ttft + [math.inf] * len(lost))
    check_distribution(where + ".ttft_intended_ms", got["ttft_intended_ms"],
                       [scale * (r["first_token"] - r["intended"]) / ms for r in members if "first_token" in r])
    check_distribution(where + ".e2e_ms", got["e2e_ms"], [scale * (r["end"] - r["sent"]) / ms for r in ok])
    check_distribution(where + ".schedule_slip_ms", got["schedule_slip_ms"], [scale * (r["sent"] - r["intended"]) / ms for r in ok])
    spread = [r for r in ok if r["output_tokens"] > r["first_tokens"] and r["last_token"] > r["first_token"]]
    check_distribution(where + ".tpot_ms", got["tpot_ms"],
                       [scale * (r["last_token"] - r["first_token"]) / ms / (r["output_tokens"] - r["first_tokens"]) for r in spread])
    check_distribution(where + ".tpot_with_first_ms", got["tpot_with_first_ms"],
                       [scale * (r["last_token"] - r["sent"]) / ms / r["output_tokens"] for r in ok])
    frames = [run["tokens"][r["id"]] for r in ok]
    gaps = scale * np.concatenate([gap[1:] for gap, _ in frames])
    n = np.concatenate([n[1:] for _, n in frames])
    check_distribution(where + ".arrival_gap_ms", got["arrival_gap_ms"], gaps / ms)
    check_distribution(where + ".itl_ms", got["itl_ms"], (gaps / n / ms)[n > 0], n[n > 0])
    check_rates(where, got, run, records, (start, stop), open_loop)


def check_run(folder):
    with open(os.path.join(folder, "plan.json"), encoding="utf-8") as file:
        plan = json.load(file)
    with open(os.path.join(folder, "summary.json"), encoding="utf-8") as file:
        summary = json.load(file)
    lines = read_lines(os.path.join(folder, "records.jsonl.gz"))
    scale = round(plan["server"]["time_scale"])
    run = {"scale": scale, "tokens": read_tokens(os.path.join(folder, "tokens.bin.gz")),
           "at": lambda r, open_loop: scale * (r["intended"] if open_loop else r.get("sent", r["intended"]))}
    ends = {(line["level_end"]["index"], line["level_end"]["repeat"]): line["level_end"] for line in lines if "level_end" in line}
    for level in summary["levels"]:
        key = level["index"], level["repeat"]
        check_level(f"{summary['run']['run_id']} {key}", level, run, [r for r in lines if (r.get("level"), r.get("repeat")) == key], ends[key])
    return len(summary["levels"])


def main():
    levels = sum(check_run(folder) for folder in sys.argv[1:])
    print(f"{levels} levels; largest relative difference to numpy and scipy: " +
          ", ".join(f"{kind} {worst[kind]:.2g} ({compared[kind]} numbers)" for kind in worst))


main()
