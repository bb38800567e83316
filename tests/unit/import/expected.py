#!/usr/bin/env python3
"""What an import of the reports in tests/data/import must say: writes expected.tsv beside itself, by the reports alone.

    python3 tests/unit/import/expected.py

One line a number: file, level, member of summary.json, value. Times are of the requests where a report has all of them (percentiles: nearest
rank; std: n - 1), by docs/metrics.md; rates are the report's own words.
"""
import json
import math
import pathlib
import statistics

HERE = pathlib.Path(__file__).parent
DATA = HERE.parents[1] / "data/import"
PER_MILLE = {"p1": 10, "p5": 50, "p10": 100, "p25": 250, "p50": 500, "p75": 750, "p90": 900, "p95": 950, "p99": 990, "p99.9": 999}
LATE_MS = 2000  # a request that was cut off by the tool and had waited less is left out


def describe(values, name):
    values = sorted(values)
    if not values:
        return {}
    told = {f"{name}.count": len(values)}
    for key, per_mille in PER_MILLE.items():
        told[f"{name}.{key}"] = values[-(-len(values) * per_mille // 1000) - 1]
    if math.isfinite(values[-1]):
        told |= {f"{name}.mean": statistics.fmean(values), f"{name}.min": values[0], f"{name}.max": values[-1]}
        if len(values) > 1:
            told[f"{name}.std"] = statistics.stdev(values)
    return {k: v for k, v in told.items() if math.isfinite(v)}


def of_requests(requests, start, end, open_loop, warmup=False):
    """requests: dicts of seconds (intended, sent, first, last, end or None), tokens, outcome ok|error|incomplete, by_client. Members are those
    that were sent (open loop: due) from start to end; rates are of all."""
    due = "intended" if open_loop else "sent"
    first = min(r[due] for r in requests)
    start = first if start is None or not warmup and first < start else start
    everything, requests = requests, [r for r in requests if start <= r[due] <= end]
    ms = {name: [] for name in ("ttft_ms", "ttft_censored_ms", "ttft_intended_ms", "e2e_ms", "e2e_intended_ms", "schedule_slip_ms", "tpot_ms",
                                "tpot_vllm_ms", "tpot_with_first_ms")}
    told = {"requests.members": len(requests)}
    for outcome in ("ok", "error", "incomplete"):
        told[f"requests.{outcome}"] = sum(r["outcome"] == outcome for r in requests)
    for r in requests:
        if r["first"] is not None:
            ms["ttft_ms"].append(1e3 * (r["first"] - r["sent"]))
            ms["ttft_censored_ms"].append(1e3 * (r["first"] - r["sent"]))
            if open_loop:
                ms["ttft_intended_ms"].append(1e3 * (r["first"] - r["intended"]))
        elif r["outcome"] == "error" and not r.get("by_client") or r["outcome"] == "incomplete" and 1e3 * ((r["end"] or end) - r["sent"]) > LATE_MS:
            ms["ttft_censored_ms"].append(math.inf)
        if r["outcome"] != "ok":
            continue
        ms["e2e_ms"].append(1e3 * (r["end"] - r["sent"]))
        if open_loop:
            ms["e2e_intended_ms"].append(1e3 * (r["end"] - r["intended"]))
            ms["schedule_slip_ms"].append(1e3 * (r["sent"] - r["intended"]))
        if r["tokens"] > 1:
            ms["tpot_vllm_ms"].append(1e3 * (r["last"] - r["first"]) / (r["tokens"] - 1))
        if r["tokens"] > 1 and r["last"] > r["first"]:  # what came all at once has no time a token
            ms["tpot_ms"].append(ms["tpot_vllm_ms"][-1])
        ms["tpot_with_first_ms"].append(1e3 * (r["last"] - r["sent"]) / r["tokens"])
    for name, values in ms.items():
        told |= describe(values, name)
    told["user_tps"] = 1000 / told["tpot_ms.p95"]
    told["request_rps"] = sum(r["outcome"] == "ok" and start <= r["end"] <= end for r in everything) / (end - start)
    told["concurrency"] = sum(max(0, min(r["end"] or end, end) - max(r["sent"], start)) for r in everything) / (end - start)
    if told["requests.ok"] + told["requests.error"] > 0:
        told["error_rate"] = sum(r["outcome"] == "error" for r in requests) / (told["requests.ok"] + told["requests.error"])
    return told


def number(value, *paths):
    for path in paths:
        found = value
        for key in path.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            return found
    return None


def guidellm(document):
    for benchmark in document["benchmarks"]:
        strategy = number(benchmark, "config.strategy", "args.strategy")
        open_loop = strategy["type_"] in ("constant", "poisson", "async")
        requests = []
        for key, outcome in (("successful", "ok"), ("errored", "error"), ("incomplete", "incomplete")):
            for item in benchmark["requests"][key]:
                requests.append({
                    "outcome": outcome, "tokens": item["output_tokens"],
                    "intended": number(item, "info.timings.targeted_start", "scheduler_info.targeted_start_time"),
                    "sent": number(item, "info.timings.request_start", "start_time"),
                    "first": number(item, "info.timings.first_token_iteration", "info.timings.first_iteration", "first_token_time"),
                    "last": number(item, "info.timings.last_token_iteration", "info.timings.last_iteration", "last_token_time"),
                    "end": number(item, "info.timings.request_end", "request_end_time", "end_time")})
        warmup = bool(benchmark.get("warmup_duration"))  # then the window's begin has a step of rounding
        told = of_requests(requests, benchmark["start_time"] - (5e-7 if warmup else 0), benchmark["end_time"], open_loop, warmup)
        told["load"] = strategy["rate"] if open_loop else 1 if strategy["type_"] == "synchronous" else min(number(strategy, "streams", "max_concurrency"), len(requests))
        told["output_tps"] = benchmark["metrics"]["output_tokens_per_second"]["total"]["mean"]
        told["total_tps"] = benchmark["metrics"]["tokens_per_second"]["total"]["mean"]
        yield told


def vllm_bench(document):
    requests, gaps = [], []
    for k, start in enumerate(document["start_times"]):
        failed = bool(document["errors"][k])
        requests.append({"outcome": "error" if failed else "ok", "tokens": document["output_lens"][k], "sent": start,
                         "first": start + document["ttfts"][k], "last": start + document["latencies"][k], "end": start + document["latencies"][k]})
        gaps += [1e3 * gap for gap in document["itls"][k]]
    told = of_requests(requests, None, max(r["end"] for r in requests), False) | describe(gaps, "arrival_gap_ms")
    yield told | {"load": document["max_concurrency"], "output_tps": document["output_throughput"], "total_tps": document["total_token_throughput"]}


def aiperf(document, records):
    """Times are integer ns of an epoch: they count from the first record, before they become seconds."""
    rate = document["input_config"]["phases"][0].get("rate")
    origin = records[0]["metadata"]["request_start_ns"]
    requests, gaps = [], []
    for record in records:
        value = {key: metric["value"] for key, metric in record["metrics"].items()}
        sent, end, due = ((record["metadata"][key] - origin) / 1e9 for key in ("request_start_ns", "request_end_ns", "credit_issued_ns"))
        made = {"outcome": "error" if record.get("error") else "ok", "intended": due, "sent": sent, "end": end, "first": None}
        if not record.get("error"):
            made |= {"first": sent + value["time_to_first_token"] / 1e3, "last": sent + value["request_latency"] / 1e3,
                     "tokens": value["usage_completion_tokens"]}
            gaps += value["inter_chunk_latency"]
        requests.append(made)
    told = of_requests(requests, None, max(r["end"] for r in requests), rate is not None) | describe(gaps, "arrival_gap_ms")
    seconds, used = (document[key]["avg"] for key in ("benchmark_duration", "total_usage_completion_tokens"))
    return told | {"load": rate or document["input_config"]["phases"][0]["concurrency"], "output_tps": used / seconds,
                   "total_tps": (used + document["total_usage_prompt_tokens"]["avg"]) / seconds}


def levels_of(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    if path.name.startswith("guidellm"):
        return guidellm(document)
    if path.name.startswith("vllm-bench"):
        return vllm_bench(document)
    return [aiperf(document, [json.loads(line) for line in path.with_suffix(".jsonl").open(encoding="utf-8")])]


def main():
    with open(HERE / "expected.tsv", "w", encoding="utf-8") as out:
        out.write("# written by expected.py\n")
        for path in sorted(DATA.glob("*.json")):
            for level, told in enumerate(levels_of(path)):
                for name, value in told.items():
                    out.write(f"{path.name}\t{level}\t{name}\t{value!r}\n")


main()
