#!/usr/bin/env python3
"""usage: compare_with_model.py RUN_FOLDER [KV_BLOCKS]

What `roibench run` measured at the simulator beside what serving_model.py says of the same requests: of an open
loop every request that was sent, of a closed loop the first request of each stream; all later ones are the model's
own. In a closed loop a request that comes too late for a step, as on a busy machine, changes all that follow. So a
level that does not agree is compared again with what the model says of every request at the time at which it was
sent ("as sent"): an error of the model or the program is there again. Prints a line for each comparison. Ends 1, and
says BEYOND, when a number is off by more than LIMIT of the model's, when the two do not speak of the same number of
requests (those of a closed loop may differ by one a stream, at the edges of its window), or when a request failed or
was served from the cache: each prompt is new. KV_BLOCKS: instead of the preset's.
"""

from __future__ import annotations

import gzip
import json
import pathlib
import sys

import serving_model

LIMIT = 0.05
METRICS = {
    "TTFT mean": ("ttft_mean_ms", lambda level: level["ttft_ms"]["mean"]),
    "p95": ("ttft_p95_ms", lambda level: level["ttft_ms"]["p95"]),
    "ITL mean": ("itl_mean_ms", lambda level: level["itl_ms"]["mean"]),
    "tok/s": ("total_tps", lambda level: level["total_tps"]),
}


def read_records(folder: pathlib.Path) -> tuple[dict[int, dict], dict[int, list[dict]]]:
    """The bounds of each level and its requests."""
    bounds, requests = {}, {}
    with gzip.open(folder / "records.jsonl.gz", "rt") as lines:
        for record in map(json.loads, lines):
            if "level_end" in record:
                bounds[record["level_end"]["index"]] = record["level_end"]
            elif "outcome" in record:
                requests.setdefault(record["level"], []).append(record)
    return bounds, requests


def predict(preset: dict, plan: dict, bounds: dict, requests: list[dict], as_sent: bool) -> dict[str, float]:
    scale = plan["server"]["time_scale"]
    prompt, output = (int(plan["workload"][name]["mean"]) for name in ("prompt_tokens", "output_tokens"))
    # 2 ms of model time, at least 0.5 ms of wall time
    quiet = max(0.002, 0.0005 * scale)

    def model_time(nanoseconds: int) -> float:
        return (nanoseconds - bounds["start"]) * scale / 1e9

    end = model_time(bounds["end"])
    if not as_sent:
        starts = {}
        for request in sorted(requests, key=lambda request: request["sent"]):
            starts.setdefault(request["stream"], model_time(request["sent"]))
        served = serving_model.closed_loop(preset, starts.values(), prompt, output, end, quiet=quiet)
    else:
        arrivals = [serving_model.Request(model_time(request["sent"]), prompt, output) for request in requests]
        served = serving_model.serve(preset, arrivals, quiet=quiet)
    return serving_model.measure(served, model_time(bounds["window_start"]), model_time(bounds["window_end"]))


def compare(level: dict, model: dict[str, float], requests: list[dict], as_sent: bool) -> bool:
    """Prints the line."""
    tolerated = level["load"] if level["unit"] == "streams" else 0
    agree = abs(level["requests"]["ok"] - model["requests"]) <= tolerated
    agree &= all(request["outcome"] == "ok" and not request.get("cached_tokens") for request in requests)
    line = f"{level['load']:4.3g} {level['unit']:7} {level['requests']['ok']:3} / {model['requests']:3} requests"
    for name, (key, measured) in METRICS.items():
        deviation = measured(level) / model[key] - 1
        agree &= abs(deviation) <= LIMIT
        line += f" | {name} {measured(level):8.1f} / {model[key]:8.1f} {100 * deviation:+5.1f} %"
    print(line + (", as sent" if as_sent else "") + ("" if agree else " BEYOND"))
    return agree


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    plan, summary = (json.loads((folder / name).read_text()) for name in ("plan.json", "summary.json"))
    bounds, requests = read_records(folder)
    preset = serving_model.read_preset(plan["server"]["preset"])
    if len(sys.argv) == 3:
        preset["kv-blocks"] = float(sys.argv[2])
    all_agree = True
    for level in summary["levels"]:
        closed = level["unit"] == "streams"
        of_level = requests[level["index"]]
        agree = False
        for as_sent in (False, True) if closed else (True,):
            if not agree:
                model = predict(preset, plan, bounds[level["index"]], of_level, as_sent)
                agree = compare(level, model, of_level, closed and as_sent)
        all_agree &= agree
    sys.exit(0 if all_agree else 1)


if __name__ == "__main__":
    main()
