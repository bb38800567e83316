#!/usr/bin/env python3
"""usage: reproduction_page.py FOLDER

docs/results/reproduction.md, of the six runs that tests/e2e/reproduction left in FOLDER: every number is taken from their
summary.json or computed of it here. Ends 1 when a row is beyond its tolerance in tests/data/reference-levels.tsv.
"""

from __future__ import annotations

import json
import pathlib
import sys
import textwrap

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
    lines = heading(unit, "requests", "TTFT median ms", "TTFT p95 ms", "TPOT p95 ms", "tok/s of a user", "tok/s in and out",
                    "class", "decided by")
    for level in summary["levels"]:
        ttft = level["ttft_censored_ms"]
        lines.append(row(f"{level['load']:.3g}", level["requests"]["members"], f"{ttft['p50']:.0f}", f"{ttft['p95']:.0f}",
                         f"{level['tpot_with_first_ms']['p95']:.1f}", f"{level['user_tps']:.1f}", f"{level['total_tps']:.0f}",
                         level["classes"]["level"], level["classes"]["decided_by"]))
    return lines


def extent(summary: dict) -> str:
    values = [level["ttft_censored_ms"]["p95"] for level in summary["levels"]]
    return f"{min(values) / 1000:.2f} to {max(values) / 1000:.2f} s"


def held(summary: dict) -> tuple[dict, float]:
    """The last level before the first that breaks, and the load of that one."""
    levels = summary["levels"]
    first = next(index for index, level in enumerate(levels) if level["classes"]["level"] == "breaking")
    return levels[first - 1], levels[first]["load"]


def dollars(summary: dict, level: dict) -> float:
    """For a million tokens in and out."""
    return summary["run"]["price_per_hour"] / (level["total_tps"] * 3600 / 1e6)


def breaking(summary: dict) -> str:
    """By TTFT. Without ">", which at the beginning of a line would be a quotation."""
    text = summary["points"]["breaking"]["text"]
    return text.replace("> ", "above ") if text.startswith("> ") else f"at {text}"


def in_plain_words(runs: dict[tuple[str, str], dict]) -> str:
    (one, one_title), (four, four_title) = PRESETS.items()
    one_rates, four_rates = runs[one, "poisson"], runs[four, "poisson"]
    one_level, _ = held(one_rates)
    four_level, four_broke = held(four_rates)
    one_cost, four_cost = dollars(one_rates, one_level), dollars(four_rates, four_level)
    replicas = four_rates["run"]["price_per_hour"] / one_rates["run"]["price_per_hour"]
    at_least = replicas * one_level["load"]
    pairs = list(zip(one_rates["levels"], four_rates["levels"]))
    sooner = sum(four["ttft_censored_ms"]["p95"] < one["ttft_censored_ms"]["p95"] for one, four in pairs)
    sentences = (
        f"When everybody presses Enter at the same moment, TTFT p95 passes 2 s {breaking(runs[one, 'together'])} with {one_title} and",
        f"{breaking(runs[four, 'together'])} with {four_title}: so long it takes to compute that many prompts one after the other,",
        "and it says nothing about the minutes that follow. The same numbers of users who do not start together get their first token in",
        f"{extent(runs[one, 'spread'])} and {extent(runs[four, 'spread'])} (p95, over all loads): by TTFT they break",
        f"{breaking(runs[one, 'spread'])} and {breaking(runs[four, 'spread'])}, if at all.",
        "What ends it for users who come by themselves, as real ones do, is the speed of the text. Of the rates tested,",
        f"{one_level['load']:.3g} requests a second with {one_title} and {four_level['load']:.3g} with {four_title} are the last that are not",
        "breaking (TTFT p95 above 2 s, or user tok/s below 10):",
        f"{one_level['total_tps']:.0f} and {four_level['total_tps']:.0f} tokens a second in and out,",
        f"at {one_cost:.2f} and {four_cost:.2f} dollars for a million.",
        f"{replicas:.0f} of the small deployment cost as much as the large one; evenly loaded they serve at least {at_least:.2f} requests a",
        f"second, where the large one breaks at {four_broke:.3g} at the latest: at least {at_least / four_broke:.1f} times as much for the money.",
        f"The rates tested are far apart; by the two that held it is {four_cost / one_cost:.1f} times.",
        f"For the higher price the large one has the lower TTFT p95 at {sooner} of {len(pairs)} rates.",
    )
    return textwrap.fill(" ".join(sentences), width=150, break_on_hyphens=False)


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
    print("- 256 prompt and 256 output tokens (`--scenario stress`), 60 s a level, seed 42, prices and GPUs of the reference. TTFT is from sending")
    print("  the request; TPOT is the reference's: (last token - sent) / output tokens (`tpot_with_first`). How the presets were fitted, and")
    print("  what cannot be reproduced: [simulator.md](../simulator.md).\n")
    print("## What a buyer should decide by\n")
    print(in_plain_words(runs) + "\n")
    print("## All streams started together: the reference's own test\n")
    print("`--stream-start together --warmup 0 --max-seconds 60`. Throughput is streams x 512 / mean time of a request: only so do the reference's")
    print("rows agree with themselves; the last column is what was counted inside the 60 s, where a prompt counts whole and an answer that goes")
    print("on after the end in part. In brackets: the tolerance in percent.\n")
    for preset, title in PRESETS.items():
        print(f"### `{preset}`: {title}\n")
        print("\n".join(reproduction(preset, runs[preset, "together"], reference, beyond)) + "\n")
    print(f"Beyond tolerance: {'; '.join(beyond) if beyond else 'none'}.\n")
    titles = {"spread": "Streams spread over the time of a request", "poisson": "Poisson arrivals, 0.1 to 5.0 requests a second"}
    for start, title in titles.items():
        print(f"## {title}\n")
        for preset, what in PRESETS.items():
            print(f"### `{preset}`: {what}\n")
            print("\n".join(at_ease(runs[preset, start])) + "\n")
            print(f"Breaking by TTFT: {breaking(runs[preset, start])}.\n")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
