#!/usr/bin/env python3
"""Writes the run folders of the golden reports: tests/golden/<case>/<run>/{plan.json,records.jsonl,tokens.tsv,...}.

They are small, made up, and the same every time. golden_test.c packs them (records.jsonl -> records.jsonl.gz, tokens.tsv ->
tokens.bin.gz, ...), summarizes them and compares the reports with expect.*; what they must say was checked by eye and by the
sums that the unit tests do.
"""
import json
import os
import random

HERE = os.path.dirname(os.path.abspath(__file__))
MS = 1_000_000
LENGTH = 8_000  # of a level, ms


def plan(run_id, model, levels, **changes):
    document = {
        "schema": "roibench/plan/v1", "run_id": run_id, "created": "2026-11-24T04:06:51.000Z",
        "target": ["http://model.example:8080/v1"], "model": model, "endpoint": "chat",
        "server": {"kind": "vllm", "version": "0.11.0", "preset": None, "time_scale": 1, "max_model_len": 8192,
                   "features": {"usage": True, "continuous_usage": True, "ignore_eos": True, "token_ids": False, "tokenize": True,
                                "metrics": True}},
        "profile": "sweep", "levels": levels, "sweep_levels": None, "sweep_arrivals": "poisson", "stream_start": "spread",
        "workload": {"scenario": "chat", "prompt_tokens": {"mean": 64, "stddev": 0, "min": 64, "max": 64},
                     "output_tokens": {"mean": 8, "stddev": 0, "min": 8, "max": 8}},
        "limits": {"max_seconds": LENGTH // 1000, "max_requests": None, "drain_seconds": 60, "timeout_seconds": None,
                   "stall_timeout_seconds": 60, "max_concurrency": 512, "warmup": None, "cooldown": None},
        "deployment": {"hardware": "1 x L4", "gpus": 1, "price_per_hour": 0.85, "price_source": "a price list"},
        "seed": 1, "nonce": "00112233445566778899aabbccddeeff",
        "calibration": {"method": "usage", "exact": True, "template_tokens": 4, "e2e_ns": 300 * MS},
    }
    for path, value in changes.items():
        at = document
        *parents, key = path.split("__")
        for parent in parents:
            at = at[parent]
        at[key] = value
    return document


def level(index, kind, load, unit):
    return {"index": index, "kind": kind, "load": load, "unit": unit}


class Run:
    """Times in model ms; written as wall ns. Of a shard: it began `began` ms after time 0, and its clock was `ahead` ms ahead."""

    def __init__(self, case, plan_document, scale=1, shard=None, shards=None, began=0, ahead=0):
        self.folder = os.path.join(HERE, case, plan_document["run_id"])
        self.plan, self.scale, self.shard, self.began = plan_document, scale, shard, began
        self.records, self.tokens, self.metrics, self.journal, self.gpu = [], [], [], [], []
        header = {"schema": "roibench/records/v1", "anchor": f"2026-11-24T04:07:00.{(began + ahead) * MS:09}Z",
                  "run_id": plan_document["run_id"]}
        if shard is not None:
            header.update(shard=shard, shards=shards, clock={"offset_ns": ahead * MS, "error_ns": 3 * MS, "synchronized": shard != 1})
        self.records.append(dict(header, levels=plan_document["levels"]))
        self.repeat = 0

    def ns(self, ms):
        return round(ms * MS / self.scale)

    def request(self, index, i, intended, sent, ttft, gaps, **changes):
        """gaps: ms between arrivals of one token each; ttft None: no token came"""
        record = {"id": f"{index}.{self.repeat}.{i}", "level": index, "repeat": self.repeat, "shard": self.shard or 0, "stream": changes.pop("stream", i % 3), "i": i,
                  "intended": self.ns(intended)}
        end = changes.pop("end", None)
        if sent is not None:
            record["sent"] = self.ns(sent)
        if ttft is not None:
            record["first_token"] = self.ns(sent + ttft)
            record["last_token"] = record["first_token"] + sum(self.ns(gap) for gap in gaps)
            self.tokens.append((record["id"], [self.ns(ttft)] + [self.ns(gap) for gap in gaps]))
        record["end"] = self.ns(end) if end is not None else record["last_token"]
        record.update(status=200, outcome="ok", prompt_tokens=64, output_tokens=len(gaps) + 1, chunks=len(gaps) + 1,
                      arrivals=len(gaps) + 1, coalesced=0, first_tokens=1, chunk_tokens="exact", bytes=1000, reused=True, target=0)
        record.update(changes)
        self.records.append({key: value for key, value in record.items() if value is not None})
        return (record["end"] * self.scale) / MS

    def level_start(self, spec, start, measure_start):
        self.journal.append({"level_start": dict(spec, repeat=self.repeat, start=self.ns(start), measure_start=self.ns(measure_start))})

    def fail(self, index, i, sent, end, **changes):
        """A request that brought no token; sent None: it never was."""
        changes = dict(dict(outcome="error", error="http_5xx", status=503), **changes)
        self.request(index, i, sent, sent, None, [], end=end, output_tokens=None, first_tokens=None, prompt_tokens=None,
                     chunk_tokens=None, **changes)

    def cancel(self, index, i, sent, end, **changes):
        self.fail(index, i, sent, end, outcome="incomplete", error="cancelled", status=None, **changes)

    def level_end(self, spec, start, end, window_start, window_end, drawn, lag_ms=0.05, cpu=0.03, reason="max_seconds"):
        bounds = dict(spec, repeat=self.repeat, start=self.ns(start), end=self.ns(end))
        self.records.append({"level_end": dict(bounds, window_start=self.ns(window_start), window_end=self.ns(window_end))})
        lag = {"p50": self.ns(lag_ms / 2), "p99": self.ns(lag_ms), "max": self.ns(2 * lag_ms)}
        self.journal.append({"level_end": dict(bounds, drawn=drawn, sent=drawn, lag_ns=lag, slip_ns=lag, cpu=[cpu], throttled_ns=0,
                                               reason=reason)})

    def scrape(self, t, **values):
        names = {"running": "vllm:num_requests_running", "waiting": "vllm:num_requests_waiting", "kv": "vllm:kv_cache_usage_perc",
                 "output": "vllm:generation_tokens_total", "prompt": "vllm:prompt_tokens_total",
                 "ttft_sum": "vllm:time_to_first_token_seconds_sum", "ttft_count": "vllm:time_to_first_token_seconds_count",
                 "itl_sum": "vllm:inter_token_latency_seconds_sum", "itl_count": "vllm:inter_token_latency_seconds_count",
                 "requests": "vllm:e2e_request_latency_seconds_count", "preemptions": "vllm:num_preemptions_total",
                 "queries": "vllm:prefix_cache_queries_total", "hits": "vllm:prefix_cache_hits_total"}
        series = {names[key] + '{engine="0",model_name="m"}': value for key, value in values.items()}
        self.metrics.append({"t": self.ns(t), "took": 1 * MS, "series": series})

    def gpus(self, count, end, power_of):
        """What Prometheus told of GPUs: a look every 3 s of the wall from before time 0 on. power_of(t in ms): W of one of them; all but
        the first have a counter of energy too."""
        times = range(-3000, int(end) + 6000, 3000)
        self.gpu.append({"schema": "roibench/gpu/v1", "source": "http://prometheus.example:9090", "selector": "", "asked": "2026-11-24T05:00:00Z"})
        for gpu in range(count):
            watts = [round(power_of(t) + gpu, 3) for t in times]
            joules = [1000 + sum(3 * w for w in watts[:k]) for k in range(len(watts))]
            series = {"utilization": [round(min(1, w / 72), 4) for w in watts], "power_w": watts, "memory_used_bytes": [19e9 for _ in watts],
                      "memory_free_bytes": [4e9 for _ in watts]}
            if gpu > 0 or count == 1:
                series["energy_j"] = joules
            for quantity, values in series.items():
                self.gpu.append({"gpu": f"GPU-{gpu}", "name": "NVIDIA L4", "quantity": quantity,
                                 "samples": [[round(t * MS), value] for t, value in zip(times, values)]})

    def from_its_beginning(self, line):
        """The line with times from the shard's own beginning."""
        times = ("intended", "sent", "first_token", "last_token", "start", "end", "window_start", "window_end", "measure_start", "t")
        return {key: self.from_its_beginning(value) if key in ("level_start", "level_end") else
                value - self.began * MS if key in times else value for key, value in line.items()}

    def write(self):
        os.makedirs(self.folder, exist_ok=True)
        suffix = "" if self.shard is None else f"-{self.shard}"
        with open(os.path.join(self.folder, "plan.json"), "w", encoding="utf-8") as out:
            json.dump(self.plan, out, indent=1)
            out.write("\n")
        for name, lines in (("records", self.records), ("metrics", self.metrics), ("journal", self.journal)):
            if lines:
                with open(os.path.join(self.folder, f"{name}{suffix}.jsonl"), "w", encoding="utf-8") as out:
                    out.writelines(json.dumps(self.from_its_beginning(line), separators=(",", ":")) + "\n" for line in lines)
        if self.gpu:
            with open(os.path.join(self.folder, "gpu.jsonl"), "w", encoding="utf-8") as out:
                out.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in self.gpu)
        if self.tokens is not None:
            with open(os.path.join(self.folder, f"tokens{suffix}.tsv"), "w", encoding="utf-8") as out:
                out.writelines("\t".join([name] + [str(gap) for gap in gaps]) + "\n" for name, gaps in self.tokens)


def closed_loop(case, run_id, model, loads, ttft_of, gap_of, scale=1, gpus=0, **changes):
    """A sweep; each stream sends again when its request ended. The server's TTFT is 4 ms shorter than ours; it runs four requests at a time."""
    draw = random.Random(run_id)
    levels = [level(k, "concurrent", load, "streams") for k, load in enumerate(loads)]
    run = Run(case, plan(run_id, model, levels, **changes), scale)
    start, total, ttft_sum, itl_sum = 0, 0, 0.0, 0.0

    def count():
        """The server's sums: eight tokens a request; seconds of the wall."""
        return {"output": total, "prompt": 8 * total, "requests": total // 8, "ttft_sum": round(ttft_sum / 1000 / scale, 6), "ttft_count": total // 8,
                "itl_sum": round(itl_sum / 1000 / scale, 6), "itl_count": total // 8 * 7, "preemptions": total // 400, "queries": 8 * total,
                "hits": total // 2}

    for spec in levels:
        load, sent, begun = spec["load"], 0, count()
        run.scrape(start - 100 if start else 0, running=0, waiting=0, kv=0.0, **begun)
        start += 100
        last = start
        for stream in range(load):
            at, k = start + 300 * stream / load, 0
            while at < start + LENGTH:
                ttft = ttft_of(load, k) * draw.uniform(0.9, 1.1)
                gaps = [round(gap_of(load) * draw.uniform(0.8, 1.2), 3) for _ in range(7)]
                at = run.request(spec["index"], stream + k * load, round(at, 3), round(at, 3), round(ttft, 3), gaps, stream=stream) + 0.5
                last, k, sent, total = max(last, at), k + 1, sent + 1, total + 8
                ttft_sum, itl_sum = ttft_sum + ttft - 4, itl_sum + sum(gaps)
        for second in range(1, LENGTH // 1000):
            run.scrape(start + 1000 * second, running=min(load, 4), waiting=max(0, load - 4), kv=round(0.05 * load, 3),
                       preemptions=begun["preemptions"], queries=begun["queries"] + 10 * second, hits=begun["hits"] + 2 * second)
        run.scrape(last + 200, running=0, waiting=0, kv=0.0, **count())
        run.level_end(spec, start, start + LENGTH, start, start + LENGTH, sent)
        start = last + 1000
    if gpus:
        run.gpus(gpus, start / scale, lambda t: 30 + 10 * (t / 1000 % 4))
    run.write()


def open_loop():
    """Arrivals that are due; failures by both sides; requests cancelled and never sent. No token gaps, but ticks."""
    levels = [level(0, "poisson", 4, "req/s"), level(1, "poisson", 8, "req/s")]
    run = Run("open-loop", plan("rates", "model-rates", levels, profile="poisson", deployment__price_per_hour=None,
                                deployment__hardware=None, deployment__gpus=None))
    draw = random.Random(5)
    for spec in levels:
        start = 1000 + 40_000 * spec["index"]
        at, i = start, 0
        while True:
            at += draw.expovariate(spec["load"] / 1000)
            if at > start + LENGTH:
                break
            due, gaps = round(at, 3), [30.0] * 7
            late = 0 if spec["index"] == 0 else 5 * i
            if i % 40 == 7:
                run.request(spec["index"], i, due, due + late, None, [], stream=None, end=due + late + 50, outcome="error", error="http_5xx",
                            status=503, output_tokens=None, first_tokens=None, prompt_tokens=None, chunk_tokens=None)
            elif spec["index"] == 1 and i % 9 == 3:
                run.request(1, i, due, due + late, None, [], stream=None, end=start + 30_000, outcome="incomplete", error="cancelled",
                            output_tokens=None, first_tokens=None, prompt_tokens=None, chunk_tokens=None)
            elif spec["index"] == 1 and at > start + LENGTH - 1000:
                run.request(1, i, due, None, None, [], stream=None, end=start + 30_000, outcome="incomplete", error="cancelled", status=None,
                            output_tokens=None, first_tokens=None, prompt_tokens=None, chunk_tokens=None)
            else:
                run.request(spec["index"], i, due, due + late, round(draw.uniform(100, 300), 3), gaps, stream=None)
            i += 1
        for tick in range(1, LENGTH // 100 + 20):
            run.journal.append({"tick": {"t": run.ns(start + 100 * tick), "tokens": 3 * (1 + spec["index"])}})
        run.level_end(spec, start, start + 30_000, start, start + LENGTH, i)
    run.tokens = None  # --no-token-gaps
    run.write()


def cut_off():
    """kill -9 in the second of four levels: no level_end, no metrics, two levels that were never reached. The plan's warm-up is a
    share, and streams start spread: the window begins at the later of the two."""
    levels = [level(k, "concurrent", load, "streams") for k, load in enumerate((1, 2, 4, 8))]
    run = Run("cut-off", plan("cut", "model-cut", levels, limits__warmup={"share": 0.1}))
    run.level_start(levels[0], 1000, 1000)
    at = 1000.0
    for i in range(10):
        at = run.request(0, i, at, at, 200.0, [20.0] * 7, stream=0) + 1
    run.level_end(levels[0], 1000, 9_000, 1800, 9_000, 10)
    run.level_start(levels[1], 10_000, 10_170)
    for i in range(8):
        run.request(1, i, 10_000 + 400 * i, 10_000 + 400 * i, 300.0, [20.0] * 7, stream=i % 2)
    run.write()


def streams(loads):
    return [level(k, "concurrent", load, "streams") for k, load in enumerate(loads)]


def all_failed():
    """Not one request brought a token: a throughput of 0, no knee, nothing to advise."""
    levels = streams((1, 2))
    run = Run("all-failed", plan("failed", "model-failed", levels, deployment__price_per_hour=None))
    for spec in levels:
        start = 1000 + 10_000 * spec["index"]
        for i in range(80):
            run.fail(spec["index"], i, start + 100 * i, start + 100 * i + 40 + i % 7, stream=i % spec["load"])
        run.level_start(spec, start, start)
        run.level_end(spec, start, start + LENGTH, start, start + LENGTH, 80)
    run.write()


def without_members():
    """The first level's only request was sent in its warm-up: the server's idle gauges make no excellent level of it."""
    levels = streams((1, 2))
    run = Run("without-members", plan("idle", "model-idle", levels, limits__warmup={"seconds": 2}))
    for spec in levels:
        start = 1000 + 10_000 * spec["index"]
        run.level_start(spec, start, start)
        for second in range(-1, 10):
            run.scrape(start + 1000 * second, running=0, waiting=0, kv=0.0)
        if spec["index"] == 0:
            run.cancel(0, 0, start + 100, start + LENGTH + 1000, stream=0)
        else:
            for i in range(40):
                run.request(1, i, start + 200 * i, start + 200 * i, 120.0 + i, [15.0] * 7, stream=i % 2)
        run.level_end(spec, start, start + LENGTH, start + 2000, start + LENGTH, 1 if spec["index"] == 0 else 40)
    run.write()


def equal_loads():
    """Two streams twice, and only the second time it breaks; metrics are there for the first two levels, and end in the second."""
    levels = streams((1, 2, 2, 4))
    run = Run("equal-loads", plan("twice", "model-twice", levels))
    for spec in levels:
        start = 1000 + 20_000 * spec["index"]
        run.level_start(spec, start, start)
        for second in range(-1, 10):
            if start + 1000 * second <= 25_000:
                run.scrape(start + 1000 * second, running=spec["load"], waiting=0, kv=0.25)
        ttft = (200.0, 300.0, 2500.0, 2800.0)[spec["index"]]
        for i in range(25):
            run.request(spec["index"], i, start + 300 * i, start + 300 * i, ttft + i, [20.0] * 7, stream=i % spec["load"])
        run.level_end(spec, start, start + LENGTH, start, start + LENGTH, 25)
    run.write()


def repeated():
    """Two levels three times, in orders of their own: the higher one breaks the second time, and the third time half of its requests fail."""
    levels = streams((2, 4))
    run = Run("repeated", plan("thrice", "model-thrice", levels, repeat=3))
    start = 1000
    for run.repeat, order in enumerate(((0, 1), (1, 0), (0, 1))):
        for index in order:
            spec = levels[index]
            run.level_start(spec, start, start)
            ttft = 200.0 if index == 0 else (300.0, 2500.0, 350.0)[run.repeat]
            for i in range(24):
                if index == 1 and run.repeat == 2 and i % 2:
                    run.fail(index, i, start + 300 * i, start + 300 * i + 50, stream=i % spec["load"])
                else:
                    run.request(index, i, start + 300 * i, start + 300 * i, ttft + i, [20.0] * 7, stream=i % spec["load"])
            run.level_end(spec, start, start + LENGTH, start, start + LENGTH, 24)
            start += 12_000
    run.write()


def stopped():
    """The first level's drain ends with two requests cancelled; SIGTERM in the middle of the second. Of what it cancels, one had waited
    for 0.7 s and is left out, one for 2.4 s and is late whatever would have become of it; a third had its first token."""
    levels = streams((4, 8))
    run = Run("stopped", plan("sigterm", "model-sigterm", levels, limits__drain_seconds=5))
    run.level_start(levels[0], 1000, 1000)
    for i in range(30):
        run.request(0, i, 1000 + 250 * i, 1000 + 250 * i, 150.0 + i, [20.0] * 7, stream=i % 4)
    run.cancel(0, 30, 8500, 9000 + 5000, stream=2)
    run.cancel(0, 31, 8800, 9000 + 5000, stream=3)
    run.level_end(levels[0], 1000, 9000, 1000, 9000, 32)
    run.level_start(levels[1], 20_000, 20_000)
    for i in range(20):
        run.request(1, i, 20_000 + 100 * i, 20_000 + 100 * i, 150.0 + i, [20.0] * 7, stream=i % 8)
    run.cancel(1, 20, 22_000, 24_400, stream=4)
    run.cancel(1, 21, 23_700, 24_400, stream=5)
    run.request(1, 22, 23_900, 23_900, 200.0, [20.0] * 3, stream=6, end=24_400, outcome="incomplete", error="cancelled",
                output_tokens=None, prompt_tokens=None)
    run.level_end(levels[1], 20_000, 24_400, 20_000, 24_400, 23, reason="stopped")
    run.write()


def steady():
    """--warmup auto and --cooldown auto. A cold server whose level --max-requests ends; too few requests to tell; and a queue that grows until the
    level is ended for it."""
    levels = [level(k, "poisson", load, "req/s") for k, load in enumerate((10, 2, 20))]
    run = Run("steady", plan("auto", "model-auto", levels, profile="poisson", limits__max_requests=300, limits__max_seconds=60,
                             limits__warmup={"auto": True}, limits__cooldown={"auto": True}))
    draw = random.Random(7)
    for spec, count, reason in zip(levels, (300, 40, 300), ("max_requests", "max_seconds", "saturated")):
        start = 1000 + 100_000 * spec["index"]
        at, last = start, start
        run.level_start(spec, start, start)
        for i in range(count):
            at += draw.expovariate(spec["load"] / 1000)
            ttft = draw.uniform(100, 200)
            if spec["index"] == 0 and i < 60:
                ttft += 800  # cold
            if spec["index"] == 2:
                ttft += 5 * i  # grows by 1.5 s in 15 s: 1.4 s of it are the p95
            last = max(last, run.request(spec["index"], i, round(at, 3), round(at, 3), round(ttft, 3), [100.0] * 7, stream=None))
        end = {"max_requests": last + 0.000001, "max_seconds": start + 60_000, "saturated": at + 50}[reason]
        run.level_end(spec, start, end, start, end, count, reason=reason)
    run.write()


def in_shards():
    """Three of four shards, that began one after the other; one clock is ahead, one shard begins its levels late. A level of three streams
    has nothing for the one that never ran; one of seven lacks a stream."""
    levels = streams((3, 7))
    document = plan("four", "model-four", levels)
    shards = [Run("shards", document, shard=shard, shards=4, began=began, ahead=ahead)
              for shard, began, ahead in ((0, 0, 10), (1, 120, 260), (2, 35, 12))]
    draw = random.Random(11)
    for spec in levels:
        start, counts = 2000 + 20_000 * spec["index"], [0, 0, 0]
        for stream in range(spec["load"]):
            owner = stream % 4
            if owner == 3:
                continue
            at, k = start + 300 * (owner == 2) + 100 * stream / spec["load"], 0
            while at < start + LENGTH:
                ttft, gaps = draw.uniform(100, 400), [round(draw.uniform(20, 40), 3) for _ in range(7)]
                at = shards[owner].request(spec["index"], stream + k * spec["load"], round(at, 3), round(at, 3), round(ttft, 3), gaps,
                                           stream=stream) + 0.5
                k += 1
                counts[owner] += 1
        for run in shards:
            late = 300 * (run.shard == 2)
            run.level_start(spec, start + late, start + late + 100)
            run.level_end(spec, start + late, start + late + LENGTH, start + late + 100, start + late + LENGTH, counts[run.shard],
                          lag_ms=0.05 * (1 + run.shard), cpu=0.1 * (1 + run.shard))
            for second in range(-1, 10 if run.shard == 1 else 6):
                if run.shard < 2:
                    run.scrape(start + 1000 * second + run.shard, running=spec["load"] - spec["load"] // 4, waiting=second % 2, kv=0.1)
    for run in shards:
        run.write()


def interleaved():
    """Two settings of one deployment whose levels took turns, three times. What both had in common (hours of their own) does not blur that the second
    is a tenth quicker; at the same load, and at their operating points."""
    levels = streams((2, 4))
    for run_id, slow, first in (("before", 1.0, 0), ("after", 0.9, 12_000)):
        draw = random.Random(run_id)
        run = Run("interleaved", plan(run_id, "model-turns", levels, repeat=3))
        run.records[0]["pair_id"] = "before+after"
        start = 1000 + first
        for run.repeat, hour in enumerate((1.0, 1.4, 0.8)):
            for spec in levels:
                load, sent = spec["load"], 0
                run.level_start(spec, start, start)
                for stream in range(load):
                    at, k = start + 300 * stream / load, 0
                    while at < start + LENGTH:
                        quick = hour * slow * draw.uniform(0.97, 1.03)
                        gaps = [round(20 * quick * draw.uniform(0.9, 1.1), 3) for _ in range(7)]
                        at = run.request(spec["index"], stream + k * load, round(at, 3), round(at, 3), round(100 * load * quick, 3), gaps,
                                         stream=stream) + 0.5
                        k, sent = k + 1, sent + 1
                run.level_end(spec, start, start + LENGTH, start, start + LENGTH, sent)
                start += 24_000
        run.write()


def main():
    closed_loop("sweep", "quick", "model-quick", (1, 2, 4), lambda load, k: 150 * load, lambda load: 20 + load,
                slo={"ttft_ms": 610, "tpot_ms": 23.5}, gpus=1)
    closed_loop("sweep-scaled", "scaled", "model_x|<b>\u202e\u009b", (1, 3), lambda load, k: 700 * load * (2 if k == 0 else 1), lambda load: 40,
                scale=10, server__kind="simulator", server__preset="l4-int4", server__time_scale=10, stream_start="together")
    closed_loop("comparison", "small", "small", (1, 2, 4, 8), lambda load, k: 300 * load, lambda load: 20 + load)
    closed_loop("comparison", "large", "large", (1, 4, 8), lambda load, k: 100 * load, lambda load: 15 + load,
                gpus=4, deployment__price_per_hour=3.4, deployment__gpus=4, deployment__hardware="4 x L4", workload__scenario="stress")
    closed_loop("comparison-free", "free", "free", (1, 2), lambda load, k: 300 * load, lambda load: 20 + load, deployment__price_per_hour=0)
    closed_loop("comparison-free", "paid", "paid", (1, 2), lambda load, k: 100 * load, lambda load: 15 + load)
    classes = {"name": "interactive chat", "source": "sla.yaml (--sla of prepare)",
               "ttft_ms": {"excellent": "< 200", "acceptable": "<= 400", "degraded": "< 700"},
               "user_tps": {"excellent": "> 45", "acceptable": ">= 40", "degraded": ">= 37.5"},
               "kv_cache": {"excellent": "< 0.05", "acceptable": "< 0.15", "degraded": "<= 0.25"},
               "queue_depth": {"excellent": "<= 0", "acceptable": "<= 2", "degraded": "<= 3"},
               "error_rate": {"excellent": "<= 0", "acceptable": "<= 0.01", "degraded": "<= 0.02"}}
    closed_loop("own-classes", "strict", "model-strict", (1, 2, 4, 8), lambda load, k: 150 * load, lambda load: 20 + load, sla=classes)
    closed_loop("comparison-classes", "demanding", "demanding", (1, 2, 4), lambda load, k: 150 * load, lambda load: 20 + load, sla=classes)
    closed_loop("comparison-classes", "usual", "usual", (1, 2, 4), lambda load, k: 200 * load, lambda load: 15 + load)
    open_loop()
    cut_off()
    all_failed()
    without_members()
    equal_loads()
    repeated()
    stopped()
    steady()
    in_shards()
    interleaved()


main()
