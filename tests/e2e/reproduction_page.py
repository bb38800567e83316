#!/usr/bin/env python3
"""usage: reproduction_page.py FOLDER

docs/results/reproduction.md, of the six runs that tests/e2e/reproduction left in FOLDER: every number is taken from their
summary.json or computed of it here. Ends 1 when a row is beyond its tolerance in tests/data/reference-levels.tsv.
"""

from __future__ import annotations

import json
import pathlib
import sys

REFERENCE = pathlib.Path(__file__).parents[1] / "data/reference-levels.tsv"
PRESETS = {"l4-int4": "INT4 on one L4", "4xl4-bf16": "BF16 on four L4"}
TOKENS = 512  # of a request, prompt and output


def read_reference() -> dict[tuple[str, int], list[tuple[float, float | None]]]:
    """By preset and streams: TTFT p95, TPOT p95, throughput, each with its tolerance in percent; None: no claim."""
    rows = {}
    for line in REFERENCE.read_text().splitlines():
        if line.startswith("#"):
            continue
        preset, streams, *numbers = line.split("\t")
        values = [None if number == "-" else float(number) for number in numbers]
        rows[preset, int(streams)] = list(zip(values[:3], values[3:]))
    return rows


def row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def heading(*cells: str) -> list[str]:
    return [row(*cells), row(*["---"] * len(cells))]


def deviation(measured: float, reference: float, tolerance: float | None, beyond: list[str], what: str) -> str:
    percent = 100 * (measured / reference - 1)
    verdict = "no claim" if tolerance is None else f"of {tolerance:.0f}"
    if tolerance is not None and abs(percent) > tolerance:
        verdict += ", **beyond**"
        beyond.append(f"{what}: {percent:+.1f} %, tolerance {tolerance:.0f} %")
    return f"{percent:+.1f} % ({verdict})"


def reproduction(preset: str, summary: dict, reference: dict, beyond: list[str]) -> list[str]:
    lines = heading("streams", "requests", "TTFT p95 ms", "reference", "deviation", "TPOT p95 ms", "reference", "deviation",
                    "throughput tok/s", "reference", "deviation", "tok/s in the window")
    for level in summary["levels"]:
        streams = level["load"]
        cells = [streams, level["requests"]["ok"]]
        measured = {
            "TTFT p95": level["ttft_censored_ms"]["p95"],
            "TPOT p95": level["tpot_with_first_ms"]["p95"],
            "throughput": streams * TOKENS / (level["e2e_ms"]["mean"] / 1000),
        }
        for (name, value), (expected, tolerance) in zip(measured.items(), reference[preset, streams]):
            what = f"{preset}, {streams} streams, {name}"
            cells += [f"{value:.1f}" if name == "TPOT p95" else f"{value:.0f}", f"{expected:g}",
                      deviation(value, expected, tolerance, beyond, what)]
        lines.append(row(*cells, f"{level['total_tps']:.0f}"))
    return lines


def at_ease(summary: dict) -> list[str]:
    unit = summary["points"]["unit"]
    lines = heading(unit, "requests", "TTFT median ms", "TTFT p95 ms", "TPOT p95 ms", "tok/s of a user", "tok/s in and out", "class", "decided by")
    for level in summary["levels"]:
        ttft = level["ttft_censored_ms"]
        lines.append(row(f"{level['load']:.3g}", level["requests"]["members"], f"{ttft['p50']:.0f}", f"{ttft['p95']:.0f}",
                         f"{level['tpot_with_first_ms']['p95']:.1f}", f"{level['user_tps']:.1f}", f"{level['total_tps']:.0f}",
                         level["classes"]["level"], level["classes"]["decided_by"]))
    return lines


def extent(summary: dict) -> str:
    values = [level["ttft_censored_ms"]["p95"] for level in summary["levels"]]
    return f"{min(values) / 1000:.2f} to {max(values) / 1000:.2f} s"


def held(summary: dict) -> tuple[float, float, float]:
    """The highest rate at which TTFT p95 held 2 s, its tokens a second, and dollars for a million of them."""
    point = summary["points"]["capacity_at_sla"]["ttft_2s"]
    price = summary["run"]["price_per_hour"]
    return point["load"], point["total_tps"], price / (point["total_tps"] * 3600 / 1e6)


def in_plain_words(runs: dict[tuple[str, str], dict]) -> str:
    burst = {preset: runs[preset, "together"]["points"]["breaking"]["text"] for preset in PRESETS}
    spread = {preset: runs[preset, "spread"]["points"]["breaking"]["text"] for preset in PRESETS}
    (small_rate, small_tps, small_cost), (large_rate, large_tps, large_cost) = (held(runs[preset, "poisson"]) for preset in PRESETS)
    small, large = PRESETS.values()
    price = {preset: runs[preset, "poisson"]["run"]["price_per_hour"] for preset in PRESETS}
    replicas = price["4xl4-bf16"] / price["l4-int4"]
    better, factor = (small, large_cost / small_cost) if small_cost < large_cost else (large, small_cost / large_cost)
    return (
        f"When everybody presses Enter at the same moment, TTFT p95 passes 2 s at {burst['l4-int4']} with {small} and at {burst['4xl4-bf16']} with "
        f"{large}: that is how long it takes to compute so many prompts one after the other, and it says nothing about the minutes after. "
        f"The same number of users who do not start together get their first token within {extent(runs['l4-int4', 'spread'])} and "
        f"{extent(runs['4xl4-bf16', 'spread'])} (p95, from the lowest load to the highest; breaking: {spread['l4-int4']} and {spread['4xl4-bf16']}). "
        f"Users who come by themselves, as real ones do, can be served at up to {small_rate:.3g} requests a second by {small} and {large_rate:.3g} by {large} "
        f"before TTFT p95 passes 2 s (of the rates tested): {small_tps:.0f} and {large_tps:.0f} tokens a second in and out, {small_cost:.2f} and "
        f"{large_cost:.2f} dollars for a million of them. So {better} gives {factor:.1f} times as many tokens for a dollar; {replicas:.0f} of the one cost as much an hour "
        f"as one of the other. Speed is another matter: at these rates a stream gets "
        f"{speed(runs['l4-int4', 'poisson'], small_rate):.1f} and {speed(runs['4xl4-bf16', 'poisson'], large_rate):.1f} tokens a second (at TPOT p95)."
    )


def speed(summary: dict, load: float) -> float:
    return next(level["user_tps"] for level in summary["levels"] if level["load"] == load)


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    made = dict(line.split(" ", 1) for line in (folder / "made.txt").read_text().splitlines())
    runs, truths = {}, {}
    for preset in PRESETS:
        for start in ("together", "spread", "poisson"):
            runs[preset, start] = json.loads((folder / f"{preset}-{start}/summary.json").read_text())
            truths[preset, start] = json.loads((folder / f"{preset}-{start}.truth.json").read_text())
    late = max(truth["lateness_ns"]["max"] for truth in truths.values()) / 1e6
    mean = max(truth["lateness_ns"]["sum"] / truth["lateness_ns"]["count"] for truth in truths.values()) / 1e6
    reference, beyond = read_reference(), []
    print("# Reproduction of the reference\n")
    print("Made by `tests/e2e/reproduction FOLDER`; no number here is typed by hand.\n")
    print(f"- Commit {made['commit']}, {made['date']}; {made['machine']}. All six runs went on side by side, in real time (scale 1).")
    print(f"- The simulators sent their tokens {mean:.2f} ms late on average (the worst of the six), {late:.1f} ms at most.")
    print("- 256 prompt and 256 output tokens (`--scenario stress`), 60 s a level, seed 42, prices and GPUs of the reference. TTFT is from sending the")
    print("  request; TPOT is the reference's: (last token - sent) / output tokens (`tpot_with_first`). How the presets were fitted, and")
    print("  what cannot be reproduced: [simulator.md](../simulator.md).\n")
    print("## What a buyer should decide by\n")
    print(in_plain_words(runs) + "\n")
    print("## All streams started together: the reference's own test\n")
    print("`--stream-start together --warmup 0 --max-seconds 60`. Throughput is streams x 512 / mean time of a request, with which alone the reference's rows")
    print("agree with themselves; the last column is what was counted inside the 60 s, where a prompt counts whole and the answer that the end")
    print("cuts off in part. The tolerance is in brackets, in percent.\n")
    for preset, title in PRESETS.items():
        print(f"### `{preset}`: {title}\n")
        print("\n".join(reproduction(preset, runs[preset, "together"], reference, beyond)) + "\n")
    print(f"Beyond tolerance: {'; '.join(beyond) if beyond else 'none'}.\n")
    for start, title in (("spread", "Streams spread over the time of a request"), ("poisson", "Poisson arrivals, 0.1 to 5.0 requests a second")):
        print(f"## {title}\n")
        for preset, what in PRESETS.items():
            print(f"### `{preset}`: {what}\n")
            print("\n".join(at_ease(runs[preset, start])) + "\n")
            print(f"Breaking by TTFT: {runs[preset, start]['points']['breaking']['text']}.\n")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
