#!/usr/bin/env python3
"""Computes the main numbers of every golden case from its inputs, and compares them with expect.json.

    python3 tests/golden/referee.py        (make lint runs it; needs nothing but Python)

It shares no code and no shortcut with the program: plain lists, the definitions of docs/metrics.md. Prints the largest relative
difference and ends 1 when one is above 1e-11 (files hold 12 digits).
"""
import calendar
import glob
import json
import math
import os
import sys
import time

import referee_comparison

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER_FAILURES = {"connect", "timeout", "stall", "reset", "truncated", "protocol", "http_429", "http_5xx", "error_event"}
CLIENT_FAILURES = {"dns", "tls", "local", "http_4xx"}
BREAKING_TTFT_MS = 2000
HOLDS = 3  # a scrape's value, in intervals
CLASSES = ("excellent", "acceptable", "degraded", "breaking")
GAUGES = (("queue_depth", "vllm:num_requests_waiting", 0), ("kv_cache", "vllm:kv_cache_usage_perc", 0.95),
          ("running", "vllm:num_requests_running", None))
# metric: whether more is better, three limits, whether each limit is still of the better class
SLA = (("ttft", False, (500, 1000, 2000), (False, False, True)), ("user_tps", True, (50, 20, 10), (False, False, True)),
       ("kv_cache", False, (0.70, 0.85, 0.95), (False, False, True)), ("queue_depth", False, (0.05, 1, 5), (True, True, True)),
       ("error_rate", False, (0, 0.001, 0.05), (True, True, True)))
# Student's t, 97.5 %, by degrees of freedom (scipy.stats.t.ppf)
T975 = {2: 4.302652729749462, 3: 3.1824463052837078, 4: 2.7764451051977934, 5: 2.5705818356363146, 6: 2.4469118511449786,
        7: 2.364624251592784, 8: 2.306004135204166, 9: 2.262157162798205, 10: 2.228138851986274, 11: 2.200985160091639,
        12: 2.1788128296672284, 13: 2.1603686564627913, 14: 2.144786687917804, 15: 2.131449545559776, 16: 2.1199052992212546,
        17: 2.1098155778333156, 18: 2.1009220402410382, 19: 2.0930240544083087}
worst, compared = 0.0, 0


def lines(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def rank(values, per_mille):
    return sorted(values)[max(1, -(-len(values) * per_mille // 1000)) - 1]


def compare(where, got, wanted):
    global worst, compared
    compared += 1
    if wanted is None or isinstance(wanted, str) or not math.isfinite(wanted):
        wanted = wanted if isinstance(wanted, str) else None
        if got != wanted:
            sys.exit(f"{where}: got {got}, wanted {wanted or 'nothing'}")
        return
    if got is None:
        sys.exit(f"{where}: got nothing, wanted {wanted}")
    difference = abs(got - wanted) / max(abs(wanted), 1e-12) if got != wanted else 0.0
    worst = max(worst, difference)
    if difference > 1e-11:
        sys.exit(f"{where}: got {got}, wanted {wanted}")


def distribution(where, got, values):
    if not values:
        if got is not None:
            sys.exit(f"{where}: got {got}, wanted nothing")
        return
    compare(where + ".count", got["count"], len(values))
    mean = math.fsum(values) / len(values)
    spread = len(values) > 1 and math.isfinite(mean)
    compare(where + ".mean", got["mean"], mean)
    compare(where + ".std", got["std"],
            math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)) if spread else None)
    compare(where + ".min", got["min"], min(values))
    compare(where + ".max", got["max"], max(values))
    for name, p in (("p1", 10), ("p50", 500), ("p90", 900), ("p95", 950), ("p99", 990), ("p99.9", 999)):
        compare(f"{where}.{name}", got[name], rank(values, p))


def mean_of(values):
    return math.fsum(values) / len(values)


def student(values):
    """Mean, low, high; no interval of fewer than three."""
    mean = mean_of(values)
    if len(values) < 3 or not math.isfinite(mean):
        return mean, None, None
    half = T975[len(values) - 1] * math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))
    return mean, max(0, mean - half), mean + half


def check_interval(where, got, wanted):
    compare(where + ".low", got["low"], wanted[-2] if wanted else None)
    compare(where + ".high", got["high"], wanted[-1] if wanted else None)


def check_resampled(where, got, over, under):
    """Of a ratio of sums: the program's own random numbers are not drawn again, but where they can lead to is known."""
    ratios = [a / b for a, b in zip(over, under) if b]
    if not any(over):
        check_interval(where, got, None)
    elif not min(ratios) <= got["low"] <= sum(over) / sum(under) * (1 + 1e-11) or not \
            sum(over) / sum(under) * (1 - 1e-11) <= got["high"] <= max(ratios) * (1 + 1e-11):
        sys.exit(f"{where}: {got} is no interval of {ratios}")


def check_blocks(where, got, window, events, known_tokens):
    """events: lists of (time, value) by name, all in ns of model time; in_flight: of (from, to)."""
    start, end, e2e = window
    count = min(20, (end - start) // rank(e2e, 500)) if e2e else 0
    if count < 5:
        compare(where + ".blocks", got["blocks"], None)
        for name in ("output_tps", "total_tps", "request_rps", "concurrency", "goodput_rps", "error_rate"):
            check_interval(f"{where}.interval_95.{name}", got["interval_95"][name], None)
        return
    bounds = [start + (end - start) * k // count for k in range(count + 1)]
    seconds = (end - start) / count / 1e9

    def sums(name):
        return [math.fsum(value for t, value in events[name] if low <= t < high) for low, high in zip(bounds, bounds[1:])]

    compare(where + ".blocks.count", got["blocks"]["count"], count)
    compare(where + ".blocks.seconds", got["blocks"]["seconds"], seconds)
    output = sums("tokens")
    flight = [sum(max(0, min(b, high) - max(a, low)) for a, b in events["in_flight"]) for low, high in zip(bounds, bounds[1:])]
    rates = {"output_tps": [n / seconds for n in output], "request_rps": [n / seconds for n in sums("ended_ok")],
             "total_tps": [(n + prompts) / seconds for n, prompts in zip(output, sums("prompts"))],
             "concurrency": [ns / 1e9 / seconds for ns in flight]}
    if got["goodput_rps"] is not None:
        rates["goodput_rps"] = [n / seconds for n in sums("good")]
    for name, values in rates.items():
        unknown = not known_tokens and name in ("output_tps", "total_tps")
        check_interval(f"{where}.interval_95.{name}", got["interval_95"][name], None if unknown else student(values))
        if name in got["blocks"] and not unknown:
            for k, value in enumerate(values):
                compare(f"{where}.blocks.{name}[{k}]", got["blocks"][name][k], value)
    check_resampled(where + ".interval_95.error_rate", got["interval_95"]["error_rate"], sums("failed"), sums("ended"))
    for name in ("ttft", "e2e", "tpot"):
        if got[name + "_ms"] is not None:
            check_resampled(f"{where}.{name}_ms.interval_95.mean", got[name + "_ms"]["interval_95"]["mean"], sums(name), sums(name + "_n"))


def check_slices(where, got, waits):
    """waits: (sent, TTFT in ms or infinity), in the order of sending"""
    count = min(10, len(waits) // 10)
    compare(where + ".slices", len(got["slices"]), count)
    for k, slice in enumerate(got["slices"]):
        own = waits[len(waits) * k // count:len(waits) * (k + 1) // count]
        compare(f"{where}.slices[{k}].requests", slice["requests"], len(own))
        compare(f"{where}.slices[{k}].start_s", slice["start_s"], own[0][0] / 1e9)
        compare(f"{where}.slices[{k}].ttft_p95_ms", slice["ttft_p95_ms"], rank([ms for _, ms in own], 950))
        compare(f"{where}.slices[{k}].no_first_token", slice["no_first_token"], sum(math.isinf(ms) for _, ms in own))


def gauge(scrapes, name, start, end, limit):
    """Mean, maximum, share above the limit and share known; None: nothing is known."""
    times = [scrape["t"] for scrape in scrapes]
    hold = HOLDS * rank([b - a for a, b in zip(times, times[1:])], 500)
    known = area = above = 0
    most = -math.inf
    for scrape, after in zip(scrapes, times[1:] + [math.inf]):
        values = [value for key, value in scrape["series"].items() if key.split("{")[0] == name]
        length = min(after, scrape["t"] + hold, end) - max(scrape["t"], start)
        if not values or length <= 0:
            continue
        value = sum(values)  # one series each
        known, area, most = known + length, area + value * length, max(most, value)
        above += length if limit is not None and value > limit else 0
    if known == 0:
        return None
    return area / known, most, above / known if limit is not None else None, known / (end - start)


def class_of(value, more_is_better, limits, included):
    if value is None:
        return None
    for name, limit, with_it in zip(CLASSES, limits, included):
        if (value > limit if more_is_better else value < limit) or (with_it and value == limit):
            return name
    return CLASSES[3]


def rows_by(got, plan):
    """As SLA: the plan's own bounds, such as "<= 400", if it has any. Compared runs whose bounds differ are judged by the defaults, which have no source."""
    if not plan.get("sla") or not got["sla"].get("source"):
        return SLA
    rows = []
    for metric, more_is_better, *_ in SLA:
        texts = [plan["sla"][metric + "_ms" * (metric == "ttft")][name].split() for name in CLASSES[:3]]
        rows.append((metric, more_is_better, tuple(float(limit) for _, limit in texts), tuple("=" in sign for sign, _ in texts)))
    return tuple(rows)


def check_classes(where, got, values, rows):
    worst_class, decided_by = None, None
    for metric, *row in rows:
        name = class_of(values[metric], *row)
        compare(f"{where}.classes.{metric}", got["classes"][metric], name)
        if name and (worst_class is None or CLASSES.index(name) > CLASSES.index(worst_class)):
            worst_class, decided_by = name, metric
    if values["ttft"] is None and not values["error_rate"]:
        worst_class = decided_by = None
    compare(where + ".classes.level", got["classes"]["level"], worst_class)
    compare(where + ".classes.decided_by", got["classes"]["decided_by"], decided_by)


def span_of(scrapes, start, end):
    """The last scrape at or before the start, and the first at or after the end."""
    before, after = [s for s in scrapes if s["t"] <= start], [s for s in scrapes if s["t"] >= end]
    return (before[-1], after[0]) if before and after else None


def told(scrapes, name):
    """What was added to a counter between two scrapes; None: not known."""
    a, b = ([value for key, value in scrape["series"].items() if key.split("{")[0] == name] for scrape in scrapes)
    return sum(b) - sum(a) if a and b and sum(b) >= sum(a) else None


def check_server_sums(where, got, bounds, records, run):
    """Counts and means between the scrapes around the window; of vLLM, one series each."""
    span = span_of(run["scrapes"], bounds["window_start"], bounds["window_end"])
    if span is None:
        if got["server"]["sums"] is not None:
            sys.exit(f"{where}: there are no sums")
        return
    sums, ms = got["server"]["sums"], run["scale"] / 1e6
    begun = [r for r in records if span[0]["t"] <= r.get("first_token", -math.inf) < span[1]["t"]]
    for key, name in (("output_tokens", "vllm:generation_tokens_total"), ("prompt_tokens", "vllm:prompt_tokens_total"),
                      ("preemptions", "vllm:num_preemptions_total")):
        compare(f"{where}.sums.{key}", sums[key], told(span, name))
    hits, queries = told(span, "vllm:prefix_cache_hits_total"), told(span, "vllm:prefix_cache_queries_total")
    compare(where + ".sums.prefix_cache_hit_share", sums["prefix_cache_hit_share"], hits / queries if queries else None)
    for key, name in (("ttft_mean_ms", "time_to_first_token"), ("itl_mean_ms", "inter_token_latency")):
        total, count = told(span, f"vllm:{name}_seconds_sum"), told(span, f"vllm:{name}_seconds_count")
        compare(f"{where}.sums.{key}", sums[key], 1000 * run["scale"] * total / count if count else None)
    compare(where + ".sums.client_ttft_mean_ms", sums["client_ttft_mean_ms"],
            math.fsum((r["first_token"] - r["sent"]) * ms for r in begun) / len(begun) if begun else None)
    compare(where + ".sums.client_prompt_tokens", sums["client_prompt_tokens"], sum(r["prompt_tokens"] for r in begun))


def check_counts(where, got, bounds, records, run):
    """Requests and tokens of the whole level, where a scrape lies before its first request and one after its last."""
    span = span_of(run["scrapes"], bounds["start"], max([bounds["end"]] + [r["end"] for r in records]))
    if span is None or not got["ended"] or not all("prompt_tokens" in r for r in records):
        return
    for what, name, ours in (("requests", "vllm:e2e_request_latency_seconds_count", len(records)),
                             ("output_tokens", "vllm:generation_tokens_total", sum(r["output_tokens"] for r in records)),
                             ("prompt_tokens", "vllm:prompt_tokens_total", sum(r["prompt_tokens"] for r in records))):
        server = told(span, name)
        found = [both for both in got["server"]["reconciled"] if both["what"] == what]
        if server is None:
            continue
        compare(f"{where}.reconciled.{what}.server", found[0]["server"], server)
        compare(f"{where}.reconciled.{what}.client", found[0]["client"], ours)
        compare(f"{where}.reconciled.{what}.agreement", found[0]["agreement"], "agrees" if server == ours else found[0]["agreement"])


def check_gpu(where, got, bounds, run):
    """Mean power of all GPUs: by the counter where every one has it, else by the samples, each of which holds until the next."""
    if not run["gpu"]:
        compare(where + ".gpu", got["gpu"], None)
        return
    start, end = bounds["window_start"], bounds["window_end"]

    def of(quantity):
        return [line["samples"] for line in run["gpu"] if line["quantity"] == quantity]

    def mean(samples):
        times = [t for t, _ in samples] + [math.inf]
        return sum(max(0, min(times[k + 1], end) - max(t, start)) * value for k, (t, value) in enumerate(samples)) / (end - start)

    def counter(samples, t):
        (t0, a), (t1, b) = next(pair for pair in zip(samples, samples[1:]) if pair[0][0] <= t < pair[1][0])
        return a + (b - a) * (t - t0) / (t1 - t0)

    gpus, energy = len(of("power_w")), of("energy_j")
    if len(energy) == gpus:
        power = sum(counter(samples, end) - counter(samples, start) for samples in energy) / (end - start) * 1e9
    else:
        power = sum(mean(samples) for samples in of("power_w"))
    compare(where + ".gpu.gpus", got["gpu"]["gpus"], gpus)
    compare(where + ".gpu.power_w", got["gpu"]["power_w"], power)
    compare(where + ".gpu.utilization", got["gpu"]["utilization"], sum(mean(samples) for samples in of("utilization")) / gpus)
    compare(where + ".gpu.output_tokens_per_joule", got["gpu"]["output_tokens_per_joule"], got["output_tps"] * run["scale"] / power)


def check_timeline(where, got, records, run):
    """Requests are where they were sent; the queue is a gauge's mean over each step."""
    timeline, ns = got["timeline"], 1e9 / run["scale"]
    for k, (place, start, end) in enumerate(zip(timeline["level"], timeline["start_s"], timeline["end_s"])):
        level = got["levels"][place]
        own = [r for r in records if (r.get("level"), r.get("repeat")) == which(level) and start * ns - 0.5 <= r.get("sent", r.get("intended")) < end * ns - 0.5]
        waits = [(r["first_token"] - r["sent"]) * run["scale"] / 1e6 for r in own if "first_token" in r]
        if len(waits) == len(own):  # else some wait for ever
            for name, per_mille in (("ttft_p50_ms", 500), ("ttft_p95_ms", 950)):
                compare(f"{where}.timeline.{name}[{k}]", timeline.get(name, [None] * (k + 1))[k], rank(waits, per_mille) if waits else None)
        queue = gauge(run["scrapes"], "vllm:num_requests_waiting", start * ns, end * ns, None) if run["scrapes"] else None
        compare(f"{where}.timeline.queue_depth[{k}]", timeline.get("queue_depth", [None] * (k + 1))[k], queue[0] if queue else None)


def meets(r, slo, ms):
    values = {"ttft_ms": (r["first_token"] - r["sent"]) * ms, "e2e_ms": (r["end"] - r["sent"]) * ms}
    if r["last_token"] > r["first_token"]:
        values["tpot_ms"] = (r["last_token"] - r["first_token"]) * ms / (r["output_tokens"] - r["first_tokens"])
    return bool(slo) and all(values.get(name, 0) <= most for name, most in slo.items())


def token_events(records, tokens, scale):
    """Each arrival's time, and its one token."""
    events = []
    for r in records:
        at = r.get("sent")
        for gap in tokens.get(r["id"], []):
            at += gap
            events.append((scale * at, 1))
    return events


def check_level(where, got, bounds, records, run):
    ms = run["scale"] / 1e6
    open_loop = bounds["unit"] == "req/s"
    start, end = bounds["window_start"], bounds["window_end"]
    seconds = (end - start) * run["scale"] / 1e9
    stopped = run["reasons"].get(which(bounds)) in ("stopped", "target_refuses")
    compare(where + ".window.start_s", got["window"]["start_s"], start * run["scale"] / 1e9)
    compare(where + ".window.end_s", got["window"]["end_s"], end * run["scale"] / 1e9)

    def inside(t):
        return t is not None and start <= t < end

    def is_lost(r):
        if "first_token" in r or not (r["outcome"] == "incomplete" or r.get("error") in SERVER_FAILURES):
            return False
        early = stopped and r.get("error") == "cancelled" and (r["end"] - r.get("sent", r["intended"])) * ms <= BREAKING_TTFT_MS
        return not early

    members = [r for r in records if inside(r["intended"] if open_loop else r.get("sent", r["intended"]))]
    ok = [r for r in members if r["outcome"] == "ok"]
    came = [r for r in members if "first_token" in r]
    lost = [r for r in members if is_lost(r)]
    ttft = [(r["first_token"] - r["sent"]) * ms for r in came]
    censored = ttft + [math.inf] * len(lost)
    distribution(where + ".ttft_ms", got["ttft_ms"], ttft)
    distribution(where + ".ttft_censored_ms", got["ttft_censored_ms"], censored)
    if not open_loop:
        later = [(r["first_token"] - r["sent"]) * ms for r in came if r["i"] >= bounds["load"]]
        later += [math.inf for r in lost if r["i"] >= bounds["load"]]
        distribution(where + ".ttft_without_first_ms", got["ttft_without_first_ms"], later)
    distribution(where + ".e2e_ms", got["e2e_ms"], [(r["end"] - r["sent"]) * ms for r in ok])
    distribution(where + ".e2e_intended_ms", got["e2e_intended_ms"], [(r["end"] - r["intended"]) * ms for r in ok])
    tpot = [(r["last_token"] - r["first_token"]) * ms / (r["output_tokens"] - r["first_tokens"]) for r in ok
            if r["last_token"] > r["first_token"]]
    distribution(where + ".tpot_ms", got["tpot_ms"], tpot)
    distribution(where + ".tpot_with_first_ms", got["tpot_with_first_ms"],
                 [(r["last_token"] - r["sent"]) * ms / r["output_tokens"] for r in ok])
    user_tps = 1000 / rank(tpot, 950) if tpot else None
    compare(where + ".user_tps", got["user_tps"], user_tps)
    tokens = run["tokens"]
    distribution(where + ".itl_ms", got["itl_ms"], [gap * ms for r in ok for gap in (tokens or {}).get(r["id"], [])[1:]])
    if tokens is not None:
        out = 0
        for r in records:
            at = r.get("sent")
            for gap in tokens.get(r["id"], []):
                at += gap
                out += inside(at)
    else:
        out = sum(tick["tokens"] for tick in run["ticks"] if start < tick["t"] <= end)
    first = [r for r in records if inside(r.get("first_token"))]
    known = [r["prompt_tokens"] for r in first if "prompt_tokens" in r]
    prompts = sum(known) * len(first) / len(known) if known else 0
    compare(where + ".output_tps", got["output_tps"], out / seconds)
    compare(where + ".total_tps", got["total_tps"], (out + prompts) / seconds)
    compare(where + ".request_rps", got["request_rps"], sum(r["outcome"] == "ok" and inside(r["end"]) for r in records) / seconds)
    busy = sum(max(0, min(r["end"], end) - max(r["sent"], start)) for r in records if "sent" in r)
    compare(where + ".concurrency", got["concurrency"], busy / (end - start))
    ended = [r for r in members if r["outcome"] != "incomplete"]
    error_rate = sum(r.get("error") in SERVER_FAILURES for r in ended) / len(ended) if ended else None
    compare(where + ".error_rate", got["error_rate"], error_rate)
    if open_loop:
        compare(where + ".drawn_rps", got["drawn_rps"], len(members) / seconds)
        compare(where + ".delivered_rps", got["delivered_rps"],
                sum("sent" in r and r["sent"] < bounds["end"] for r in members) / seconds)
    elif ok:
        width = rank([r["end"] - r["sent"] for r in ok], 500) / 10
        sends = [0] * int((end - start) / width)
        for r in members:
            at = int((r["sent"] - start) / width)
            if at < len(sends):
                sends[at] += 1
        mean = sum(sends) / len(sends)
        compare(where + ".synchrony", got["synchrony"], math.fsum((n - mean) ** 2 for n in sends) / len(sends) / mean)
    good = [r for r in ok if meets(r, run["slo"], ms)]
    compare(where + ".goodput_rps", got["goodput_rps"], len(good) / seconds if run["slo"] else None)
    telling = [r for r in members if not (stopped if r["outcome"] == "incomplete" else r.get("error") in CLIENT_FAILURES)]
    compare(where + ".goodput_share", got["goodput_share"], len(good) / len(telling) if run["slo"] and telling else None)
    scale = round(run["scale"])

    def counted(r):
        return scale * (r["intended"] if open_loop else r.get("sent", r["intended"]))

    mean_prompt = sum(known) / len(known) if known else 0
    events = {
        "tokens": token_events(records, tokens, scale) if tokens is not None else [(scale * t["t"] - 1, t["tokens"]) for t in run["ticks"]],
        "prompts": [(scale * r["first_token"], r.get("prompt_tokens", mean_prompt)) for r in first],
        "ended_ok": [(scale * r["end"], 1) for r in records if r["outcome"] == "ok"],
        "in_flight": [(scale * max(r["sent"], start), scale * min(r["end"], end)) for r in records if "sent" in r],
        "good": [(counted(r), 1) for r in good],
        "failed": [(counted(r), 1) for r in members if r.get("error") in SERVER_FAILURES],
        "ended": [(counted(r), 1) for r in ended],
        "ttft": [(counted(r), (r["first_token"] - r["sent"]) * ms) for r in came],
        "e2e": [(counted(r), (r["end"] - r["sent"]) * ms) for r in ok],
        "tpot": [(counted(r), (r["last_token"] - r["first_token"]) * ms / (r["output_tokens"] - r["first_tokens"])) for r in ok
                 if r["last_token"] > r["first_token"]],
    }
    events.update({name + "_n": [(t, 1) for t, _ in events[name]] for name in ("ttft", "e2e", "tpot")})
    check_blocks(where, got, (scale * start, scale * end, [scale * (r["end"] - r["sent"]) for r in ok]), events,
                 tokens is not None or bool(run["ticks"]))
    waits = [(scale * r["sent"], (r["first_token"] - r["sent"]) * ms) for r in came]
    waits += [(scale * r.get("sent", r["intended"]), math.inf) for r in lost]
    check_slices(where, got, sorted(waits))
    ttft_p95 = rank(censored, 950) if censored else None
    if run["reasons"].get(which(bounds)) == "saturated":
        ttft_p95 = math.inf  # how long the level lasted says how large it became
    values = {"ttft": ttft_p95, "user_tps": user_tps, "error_rate": error_rate}
    for name, series, limit in GAUGES:
        limit = next((limits[2] for metric, _, limits, _ in run["sla"] if metric == name), None) if limit else limit
        told = gauge(run["scrapes"], series, start, end, limit) if run["scrapes"] else None
        values[name] = told[0] if told else None
        if told is None:
            compare(f"{where}.server.{name}", got["server"][name], None)
            continue
        for key, value in zip(("mean", "max", "share_above", "covered"), told):
            compare(f"{where}.server.{name}.{key}", got["server"][name][key], value)
    check_classes(where, got, values, run["sla"])
    check_server_sums(where, got, bounds, records, run)
    check_counts(where, got, bounds, records, run)
    check_gpu(where, got, bounds, run)


def planned_bounds(spec, started, records, limits):
    """Of a level that was cut off: what was to be measured, as far as it was seen. Wall times, a plan without a time scale."""
    start, measure_start = started["start"], started["measure_start"]
    end = max(r["end"] for r in records) + 1
    planned_end = measure_start + limits["max_seconds"] * 10**9

    def trim(what):
        return 0 if not what else what["share"] * (planned_end - start) if "share" in what else what["seconds"] * 10**9

    return dict(spec, start=start, end=end, window_start=max(measure_start, int(start + trim(limits["warmup"]))),
                window_end=min(end, planned_end - int(trim(limits["cooldown"]))))


def mser5(values):
    """How many of the values MSER-5 cuts; None: they are too few."""
    if len(values) < 50:
        return None
    means = [math.fsum(values[k:k + 5]) / 5 for k in range(0, len(values) // 5 * 5, 5)]

    def mser(d):
        rest = means[d:]
        mean = math.fsum(rest) / len(rest)
        return math.fsum((x - mean) ** 2 for x in rest) / len(rest) ** 2

    return 5 * min(range(len(means) // 2 + 1), key=mser)


def steady_bounds(bounds, records, limits, reason):
    """What `auto` cuts of an open loop's level. Wall times, a plan without a time scale."""
    start, end = bounds["window_start"], bounds["window_end"]
    most = (end - start) // 2
    last = max(r["intended"] for r in records)
    if limits["cooldown"] == {"auto": True} and reason == "max_requests" and end - last - 1 <= most:
        most -= end - last - 1
        end = last + 1
    if limits["warmup"] == {"auto": True}:
        waits = sorted((r["intended"], r["first_token"] - r["sent"]) for r in records if start <= r["intended"] < end)
        cut = mser5([wait for _, wait in waits])
        ns = waits[cut][0] - start if cut else 0
        ends = [r["end"] for r in records if start <= r["end"] < end]
        bins = max(50, min(500, len(ends) // 4))
        counts = [0] * bins
        for t in ends:
            counts[int((t - start) * bins / (end - start))] += 1
        if len(ends) >= 50:
            ns = max(ns, int(mser5(counts) * (end - start) / bins))
        start += min(ns, most)
    return dict(bounds, window_start=start, window_end=end)


def date_ns(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(text[20:29])


def shifted(line, by):
    times = ("intended", "sent", "first_token", "last_token", "start", "end", "window_start", "window_end", "measure_start", "t")
    return {key: shifted(value, by) if key in ("level_start", "level_end", "tick") else value + by if key in times else value
            for key, value in line.items()}


def read_parts(folder):
    """All files of a run, or of its shards, in the first one's time: records, journal, scrapes (of whom has most)."""
    records, journal, scrapes, first = [], [], [], None
    for path in sorted(glob.glob(os.path.join(folder, "records*.jsonl"))):
        suffix = os.path.basename(path)[len("records"):]
        part = lines(folder, "records" + suffix)
        header, by = part[0], 0
        first = first or header
        if header is not first:
            by = date_ns(header["anchor"]) - date_ns(first["anchor"])
            apart = header["clock"]["offset_ns"] - first["clock"]["offset_ns"]
            if abs(apart) > header["clock"]["error_ns"] + first["clock"]["error_ns"]:
                by -= apart
        records += [shifted(line, by) for line in part]
        journal += [shifted(line, by) for line in lines(folder, "journal" + suffix)]
        seen = [shifted(line, by) for line in lines(folder, "metrics" + suffix)]
        scrapes = seen if len(seen) > len(scrapes) else scrapes
    return records, journal, sorted(scrapes, key=lambda s: s["t"])


def common(ends):
    """What several shards did of a level together."""
    return dict(ends[0], start=min(end["start"] for end in ends), end=max(end["end"] for end in ends),
                window_start=max(end["window_start"] for end in ends), window_end=min(end["window_end"] for end in ends))


def which(level):
    return level["index"], level["repeat"]


def check_run(where, folder, got):
    with open(os.path.join(folder, "plan.json"), encoding="utf-8") as file:
        plan = json.load(file)
    records, journal, scrapes = read_parts(folder)
    run = {"scale": plan["server"]["time_scale"], "sla": rows_by(got, plan), "slo": plan.get("slo"),
           "tokens": None, "scrapes": scrapes, "gpu": lines(folder, "gpu.jsonl")[1:],
           "ticks": [line["tick"] for line in journal if "tick" in line],
           "reasons": {which(line["level_end"]): line["level_end"]["reason"] for line in journal if "level_end" in line}}
    for path in glob.glob(os.path.join(folder, "tokens*.tsv")):
        run["tokens"] = run["tokens"] or {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                name, *gaps = line.split()
                run["tokens"][name] = [int(gap) for gap in gaps]
    found = [line["level_end"] for line in records if "level_end" in line]
    ends = {which(end): common([other for other in found if which(other) == which(end)]) for end in found}
    starts = {which(line["level_start"]): line["level_start"] for line in journal if "level_start" in line}
    for level in got["levels"]:
        own = [r for r in records if (r.get("level"), r.get("repeat")) == which(level)]
        bounds = ends.get(which(level))
        if not bounds:
            spec = next(spec for spec in plan["levels"] if spec["index"] == level["index"])
            bounds = planned_bounds(dict(spec, repeat=level["repeat"]), starts[which(level)], own, plan["limits"])
        if {"auto": True} in (plan["limits"]["warmup"], plan["limits"]["cooldown"]):
            bounds = steady_bounds(bounds, own, plan["limits"], run["reasons"].get(which(level)))
        check_level(f"{where}{list(which(level))}", level, bounds, own, run)
    check_timeline(where, got, records, run)


def check_run_as_a_whole(where, got):
    levels = got["levels"]
    for name in ("members", "ok", "error", "incomplete", "no_first_token", "left_out", "never_sent"):
        compare(f"{where}.totals.{name}", got["totals"]["requests"][name], sum(level["requests"][name] for level in levels))
    for name in {name for level in levels for name in level["errors"]}:
        compare(f"{where}.totals.errors.{name}", got["totals"]["errors"][name], sum(level["errors"].get(name, 0) for level in levels))
    loads = {(level["unit"], level["load"], level["kind"]) for level in levels}
    several = [load for load in loads if sum((level["unit"], level["load"], level["kind"]) == load for level in levels) > 1]
    compare(where + ".repeats", len(got["repeats"]), len(several))
    for load in got["repeats"]:
        own = [level for level in levels if (level["unit"], level["load"], level["kind"]) == (load["unit"], load["load"], load["kind"])]
        fine = [level for level in own if level["validity"]["verdict"] != "invalid" and level["ended"] and level["reason"] != "stopped"]
        compare(f"{where}.repeats.measured", load["measured"], len(fine))
        compare(f"{where}.repeats.left_out", load["left_out"], len(own) - len(fine))
        for name in ("output_tps", "total_tps", "request_rps", "user_tps", "error_rate"):
            values = [level[name] for level in fine if level[name] is not None]
            compare(f"{where}.repeats.{name}.count", load[name]["count"], len(values))
            if values:
                mean, *interval = student(values)
                compare(f"{where}.repeats.{name}.mean", load[name]["mean"], mean)
                check_interval(f"{where}.repeats.{name}", load[name], interval)


def main():
    for path in sorted(glob.glob(os.path.join(HERE, "*", "expect.json"))):
        with open(path, encoding="utf-8") as file:
            got = json.load(file)
        for run in got.get("runs", [got]):
            name = run["run"]["run_id"]
            check_run(name, os.path.join(os.path.dirname(path), name), run)
            check_run_as_a_whole(name, run)
        if got.get("roi"):
            referee_comparison.check_comparison(got)
    print(f"referee: all cases agree; {compared} numbers, largest relative difference {worst:.1e}; "
          f"{referee_comparison.compared} of comparisons, {referee_comparison.worst:.1e}")


main()
