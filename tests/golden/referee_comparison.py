"""Computes a comparison once more from the levels of its runs, which referee.py has checked: docs/metrics.md's ROI, the same load, the frontier.

Figures of the levels have 12 digits in the file, so what is made of them agrees to 1e-9.
"""
import math
import sys

T975_OF_THREE = 4.302652729749462  # Student's t with two degrees of freedom: three repeats, or pairs
CLASSES = (None, "excellent", "acceptable", "degraded", "breaking")
POINTS = ("peak", "broke", "held", "under_1s")
FIGURES = ("ttft_censored_p50_ms", "ttft_censored_p95_ms", "e2e_p50_ms", "user_tps", "total_tps")
worst, compared = 0.0, 0


def near(where, got, wanted):
    global worst, compared
    compared += 1
    if wanted is None or got is None:
        if got != wanted:
            sys.exit(f"{where}: got {got}, wanted {wanted}")
        return
    difference = abs(got - wanted) / max(abs(wanted), 1e-12)
    worst = max(worst, difference)
    if difference > 1e-9:
        sys.exit(f"{where}: got {got}, wanted {wanted}")


def same(where, got, wanted):
    global compared
    compared += 1
    if got != wanted:
        sys.exit(f"{where}: got {got}, wanted {wanted}")


def figure(level, name):
    """As the program names the figures that levels are compared by."""
    for latency in ("ttft_censored", "e2e"):
        if name.startswith(latency):
            return (level[latency + "_ms"] or {}).get(name.split("_")[-2])
    return level[name]


class Deployment:
    def __init__(self, run, unit):
        self.run, self.id = run, run["run"]["run_id"]
        self.price, self.gpus = run["run"]["price_per_hour"], run["run"]["gpus"]
        self.levels = [level for level in run["levels"] if level["unit"] == unit]
        self.points = next(run[key] for key in ("points", "points_other_unit") if run[key]["unit"] == unit)
        self.loads = sorted({level["load"] for level in self.levels})

    def of(self, load):
        return [level for level in self.levels if level["load"] == load]

    def repeats(self, load):
        fine = [level for level in self.of(load) if level["validity"]["verdict"] != "invalid" and level["ended"]
                and level["reason"] not in ("stopped", "target_refuses", "max_tokens_total", "max_usd")]
        return fine if len(fine) >= 3 else []

    def standing(self, load):
        return max(self.of(load), key=lambda level: (CLASSES.index(level["classes"]["level"]), figure(level, "ttft_censored_p95_ms") or math.inf,
                                                     -(level["total_tps"] or 0)))

    def value(self, load, name):
        values = [figure(level, name) for level in self.repeats(load) if figure(level, name) is not None]
        return math.fsum(values) / len(values) if len(values) >= 3 else figure(self.standing(load), name)

    def load_at(self, point):
        if point == "peak":
            return (self.points["max_throughput"] or {}).get("load")
        if point == "under_1s":
            return self.points["capacity_at_sla"]["ttft"].get("load")
        return self.points["breaking"][point]


def log_ratios(a, b, load_a, load_b, name):
    """Of equal repeats of two runs that took turns; None: they did not, or three are not known."""
    if a.run["run"]["pair_id"] is None or a.run["run"]["pair_id"] != b.run["run"]["pair_id"]:
        return None
    of_b = {level["repeat"]: figure(level, name) for level in b.repeats(load_b)}
    pairs = [(figure(level, name), of_b.get(level["repeat"])) for level in a.repeats(load_a)]
    logs = [math.log(x / y) for x, y in pairs if x and y]
    return logs if len(logs) == 3 else None


def check_ratio(where, value, interval, logs, plain, factor=1.0):
    if logs is None:
        near(where, value, plain)
        same(where + ".interval", interval, None)
        return
    mean = math.fsum(logs) / 3
    half = T975_OF_THREE * math.sqrt(math.fsum((x - mean) ** 2 for x in logs) / 2 / 3)
    near(where, value, factor * math.exp(mean))
    near(where + ".low", interval["low"], factor * math.exp(mean - half))
    near(where + ".high", interval["high"], factor * math.exp(mean + half))
    same(where + ".distinguishable", interval["distinguishable"], not interval["low"] <= 1 <= interval["high"])
    same(where + ".paired", interval["paired"], True)


def check_cells(where, row, deployment):
    for point in POINTS:
        cell, load = row[point], deployment.load_at(point)
        if load is None:
            same(f"{where}.{point}", "none" in cell, True)
            continue
        near(f"{where}.{point}.load", cell["load"], load)
        total, output = deployment.value(load, "total_tps"), deployment.value(load, "output_tps")
        price = deployment.price if deployment.price else None
        gpus = deployment.gpus
        for name, tps in (("total", total), ("output", output)):
            near(f"{where}.{point}.{name}_tps", cell[name + "_tps"], tps)
            near(f"{where}.{point}.{name} per usd", cell[name + "_tps_per_usd_hour"], tps / price if price else None)
            near(f"{where}.{point}.usd per m {name}", cell["usd_per_m_" + name], price / (tps * 3600) * 1e6 if price and tps else None)
            near(f"{where}.{point}.{name} per gpu", cell[name + "_tps_per_gpu"], tps / gpus if gpus else None)


def check_ratios(roi, deployments):
    for point in POINTS:
        yields = {d.id: d.value(d.load_at(point), "total_tps") / d.price for d in deployments if d.load_at(point) is not None and d.price}
        best = max(yields, key=yields.get) if yields else None
        same(f"ratios.{point}.best", roi["ratios"][point]["best"], best)
        top = next((d for d in deployments if d.id == best), None)
        for d in deployments:
            got, interval = roi["ratios"][point]["best_to"][d.id], roi["ratios"][point]["interval_95"].get(d.id)
            if d.id not in yields or d.id == best:
                near(f"ratios.{point}.{d.id}", got, 1 if d.id == best else None)
                continue
            logs = log_ratios(top, d, top.load_at(point), d.load_at(point), "total_tps")
            check_ratio(f"ratios.{point}.{d.id}", got, interval, logs, yields[best] / yields[d.id], d.price / top.price)


def break_even(cap_a, cap_b, price_a, price_b):
    """The lowest load at which the cheap ones cost more, looked for just above each multiple of a cheap one's capacity."""
    for k in range(64):
        need_b = math.floor(k * cap_a / cap_b + 1e-9) + 1
        if need_b > 64:
            return None
        if (k + 1) * price_a > need_b * price_b + 1e-9:
            return k * cap_a
    return None


def check_pairs(roi, deployments):
    by_id = {d.id: d for d in deployments}
    for pair, even in zip(roi["replicas"], roi["break_even"]):
        a, b = by_id[pair["cheap"]], by_id[pair["dear"]]
        where = f"{a.id} for {b.id}"
        replicas = math.floor(b.price / a.price + 1e-9)
        near(where + ".replicas", pair["replicas"], replicas)
        if abs(b.price - replicas * a.price) > 1e-9:
            near(where + ".left over", pair["left_over_per_hour"], b.price - replicas * a.price)
        broke = a.load_at("broke"), b.load_at("broke")
        near(where + ".efficiency", pair["efficiency_delta"], broke[1] / broke[0] if None not in broke else None)
        for point in POINTS:
            x, y = a.load_at(point), b.load_at(point)
            near(f"{where}.{point}.cheap", pair[point]["cheap_load"], x * replicas if x is not None else None)
            near(f"{where}.{point}.dear", pair[point]["dear_load"], y)
            if x is None or y is None:
                continue
            tps_a, tps_b = a.value(x, "total_tps"), b.value(y, "total_tps")
            near(f"{where}.{point}.equal price", pair[point]["equal_price_per_hour"], a.price * tps_b / tps_a)
            load = break_even(tps_a * 3600, tps_b * 3600, a.price, b.price)
            if load:
                near(f"{where}.{point}.break even", even[point]["tokens_per_hour"], load)
            else:
                same(f"{where}.{point}.break even", even[point]["tokens_per_hour"] or None, None)


def check_frontier(roi, deployments):
    points = [(d, load, d.value(load, "total_tps"), d.value(load, "user_tps")) for d in deployments for load in d.loads]
    points = [p for p in points if p[2] is not None and p[3] is not None]
    same("pareto", len(roi["pareto"]), len(points))
    for got, (d, load, tps, speed) in zip(roi["pareto"], points):
        same("pareto.run", got["run"], d.id)
        near(f"pareto.{d.id}.load", got["load"], load)
        near(f"pareto.{d.id}.{load}.user_tps", got["user_tps"], speed)
        for key, of in (("usd", lambda x: x.price), ("gpu", lambda x: x.gpus)):
            own = tps / of(d) if of(d) else None
            dominated = own is not None and any(
                of(o) and t / of(o) >= own and s >= speed and (t / of(o) > own or s > speed) for o, _, t, s in points)
            same(f"pareto.{d.id}.{load}.{key}", got["dominated_per_" + key], dominated)


def check_same_loads(got, deployments):
    first = deployments[0]
    pairs = [(d, load) for d in deployments[1:] for load in first.loads if load in d.loads]
    same("same_load", len(got["same_load"]), len(pairs))
    for item, (d, load) in zip(got["same_load"], pairs):
        near("same_load.load", item["load"], load)
        for name in FIGURES:
            x, y = first.value(load, name), d.value(load, name)
            own = item["figures"][name]
            near(f"same_load.{load}.{name}.a", own["a"], x)
            near(f"same_load.{load}.{name}.b", own["b"], y)
            check_ratio(f"same_load.{load}.{name}", own["b_to_a"], own.get("interval_95"), log_ratios(d, first, load, load, name),
                        y / x if x and y else None)


def check_comparison(got):
    deployments = [Deployment(run, got["roi"]["unit"]) for run in got["runs"]]
    for row, deployment in zip(got["roi"]["rows"], deployments):
        check_cells(deployment.id, row, deployment)
    check_ratios(got["roi"], deployments)
    check_pairs(got["roi"], deployments)
    check_frontier(got["roi"], deployments)
    check_same_loads(got, deployments)
