#!/usr/bin/env python3
"""GuideLLM loads a report that roibench wrote, and computes its distributions once more from the requests in it, by its own code.

    guidellm_report.py REPORT.json

Runs in GuideLLM's environment, of any version from 0.5 on. Prints a line of JSON: the version, benchmarks and requests, and the largest relative
difference of a distribution over requests (dates are seconds since 1970 there, in steps of 0.24 us: so 1e-4 is allowed) and of the mean of one over
time. Ends 1 when a request is missing, or a number differs.
"""
import importlib.metadata
import json
import sys

from guidellm.benchmark import GenerativeBenchmarksReport
from guidellm.schemas import DistributionSummary

ENDINGS = ("successful", "errored", "incomplete")
PARTS = ("mean", "std_dev", "min", "max", "total_sum")  # the mode of values that all differ is a matter of their last digits
SAME_TIME_S = 1e-7  # closer than two different dates can be
worst = {"difference": 0.0, "over_time": 0.0}


def compare(kind, where, got, wanted, scale=0):
    difference = abs(got - wanted) / max(abs(wanted), scale, 1e-9) if got != wanted else 0.0
    worst[kind] = max(worst[kind], difference)
    if difference > (1e-4 if kind == "difference" else 1e-6):
        sys.exit(f"{where}: {got} in the report, {wanted} by GuideLLM")


def over_requests(where, got, values):
    wanted = DistributionSummary.from_values([value for value in values if value is not None])
    if got.count != wanted.count:
        sys.exit(f"{where}: {got.count} observations in the report, {wanted.count} by GuideLLM")
    for part in PARTS:
        compare("difference", f"{where}.{part}", getattr(got, part), getattr(wanted, part), wanted.mean)
    ordered = sorted({value[0] if isinstance(value, tuple) else value for value in values if value is not None})
    for name, value in wanted.percentiles.model_dump().items():
        # GuideLLM adds up shares of 1, and where the sum should be 0.5 it may be a little less: then it takes the next value.
        near = min(range(len(ordered)), key=lambda k: abs(ordered[k] - value)) if ordered else None
        below = ordered[near - 1] if near else value
        told = getattr(got.percentiles, name)
        compare("difference", f"{where}.{name}", told, below if abs(told - below) < abs(told - value) else value)


def weighted(value, weight):
    return (value, weight) if value is not None and weight else None


def check(index, benchmark):
    metrics = benchmark.metrics
    for ending in ENDINGS:
        some, where = getattr(benchmark.requests, ending), f"benchmark {index}, {ending}"
        if len(some) != getattr(metrics.request_totals, ending):
            sys.exit(f"{where}: {len(some)} requests in the file")
        of = {name: getattr(getattr(metrics, name), ending) for name in (
            "request_latency", "prompt_token_count", "output_token_count", "time_to_first_token_ms", "time_per_output_token_ms",
            "inter_token_latency_ms")}
        over_requests(f"{where}: latency", of["request_latency"], [r.request_latency for r in some])
        over_requests(f"{where}: prompt tokens", of["prompt_token_count"], [r.prompt_tokens for r in some])
        over_requests(f"{where}: output tokens", of["output_token_count"], [r.output_tokens for r in some])
        over_requests(f"{where}: TTFT", of["time_to_first_token_ms"], [r.time_to_first_token_ms for r in some])
        over_requests(f"{where}: TPOT", of["time_per_output_token_ms"], [weighted(r.time_per_output_token_ms, r.output_tokens) for r in some])
        over_requests(f"{where}: ITL", of["inter_token_latency_ms"],
                      [weighted(r.inter_token_latency_ms, (r.output_tokens or 1) - 1) for r in some])
    # Streams that begin together leave no request out that ended in the window.
    start, end = benchmark.start_time, benchmark.end_time
    ended = [r.request_end_time for r in benchmark.requests.successful]
    # As GuideLLM computes it, but of every end by itself: it takes those within 0.1 ms of each other, or of the window's end, for one, which moves the end.
    wanted = DistributionSummary.rate_distribution_from_timings(ended, start_time=start, end_time=end, threshold=SAME_TIME_S)
    compare("over_time", f"benchmark {index}: requests a second", metrics.requests_per_second.successful.mean, wanted.mean)


def main():
    report = GenerativeBenchmarksReport.load_file(sys.argv[1])
    for index, benchmark in enumerate(report.benchmarks):
        check(index, benchmark)
    print(json.dumps({"version": importlib.metadata.version("guidellm"), "benchmarks": len(report.benchmarks),
                      "requests": sum(b.metrics.request_totals.total for b in report.benchmarks), **worst}))


main()
