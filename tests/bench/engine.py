#!/usr/bin/env python3
"""The load engine beside the least that a client can do, beside the best peer, and against the server's truth.

    tests/bench/engine.py [--only NAME]... [--json FILE]

Prints one line a figure: what was reached, what it must and should be, and beside it the server's own CPU and lateness, so
that nobody takes the server's limit for the client's. A figure is the median of BENCH_REPEATS runs (default 5); what is compared runs in
turns, on this machine, with nothing in between. Ends 1 when a must is missed. What is not measured is said, with the reason.

The server is tests/bench/blaster.c: the simulator would be the limit. One token a write, each stream on a schedule of its own,
unless a line says otherwise. It has a CPU of its own: `run` has one thread for streams less than there are CPUs. --json keeps the
figures for tests/bench/engine_page.py, after each group; those that the file has already are replaced by what is measured anew.
"""

import argparse
import contextlib
import gzip
import json
import os
import platform
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROIBENCH = os.environ.get("ROIBENCH", str(ROOT / "build/roibench"))
REPEATS = int(os.environ.get("BENCH_REPEATS", "5"))
E2E_CACHE = Path(os.environ.get("E2E_CACHE", ROOT / "build/e2e"))
BODY_WORDS = 32
SERVER_SHARE_MOST = 0.9 # of a CPU: a server that needs more is late by itself, and what a client adds cannot be told from it
PEER_MAY_LOSE = 0.05 # as fast as can be it loses some; what it costs is divided by the tokens it got
WORKERS = max(1, (os.cpu_count() or 2) - 1)
MS, S = 1e6, 1e9

scratch = Path()


def fail(text):
    sys.exit(f"engine: {text}")


def wait_for_file(path, process):
    for _ in range(500):
        if path.exists() and path.read_text().endswith("\n"):
            return path.read_text().strip()
        if process.poll() is not None:
            break
        time.sleep(0.01)
    fail(f"{process.args[0]} does not start")


# --- server and clients ----------------------------------------------------------------------------


class Server:
    """The blaster; `report` is there once it has ended."""

    def __init__(self, **options):
        self.port_file, self.report_file = scratch / "port", scratch / "report"
        self.port_file.unlink(missing_ok=True)
        given = [(name.replace("_", "-"), value) for name, value in options.items() if value]
        arguments = [name if value is True else f"{name}={value}" for name, value in given]
        self.process = subprocess.Popen([scratch / "blaster", self.port_file, f"report={self.report_file}", *arguments])
        self.port = wait_for_file(self.port_file, self.process)
        self.report = None

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait() != 0:
            fail("the blaster failed")
        self.report = json.loads(self.report_file.read_text())


@contextlib.contextmanager
def serving(**options):
    server = Server(**options)
    try:
        yield server
    finally:
        server.end()


class Cost:
    """What a command took: seconds, CPU seconds of all its threads, largest resident memory (kB)."""

    def __init__(self, command, quiet=False, watch=None):
        result = scratch / "result"
        log = scratch / "client.log"
        with open(log, "w") as file:
            process = subprocess.Popen([scratch / "measure", result, *command], stdout=file, stderr=subprocess.STDOUT)
            if watch:
                watch(process)
            status = process.wait()
        self.output = log.read_text()
        if status != 0:
            fail(f"{command[0]} ended with {status}: {self.output[-1000:]}")
        _, seconds, cpu, megabytes = result.read_text().split()
        self.seconds, self.cpu, self.kilobytes = float(seconds), float(cpu), float(megabytes) * 1024


def prepare(**options):
    """A run's folder with a plan; made against the simulator, for the blaster knows no tokenizer. Its target is set by `load`."""
    workspace = scratch / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    port_file = scratch / "simulator-port"
    port_file.unlink(missing_ok=True)
    simulator = subprocess.Popen([ROIBENCH, "simulate", "--quiet", "--listen", "127.0.0.1:0", "--port-file", port_file, "--model", "bench",
                                  "--preset", "instant"])
    try:
        port = wait_for_file(port_file, simulator)
        arguments = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        subprocess.run([ROIBENCH, "prepare", "--quiet", "--workspace", workspace, "--run-id", "r", "--target", f"http://127.0.0.1:{port}/v1",
                        "--prompt-tokens", str(BODY_WORDS), *arguments], check=True, stdout=subprocess.DEVNULL)
    finally:
        simulator.terminate()
        simulator.wait()
    return workspace


class Run:
    """`roibench run` of a plan against the server; its records are read when they are asked for."""

    def __init__(self, server, e2e_s, watch=None, **options):
        workspace = prepare(**options)
        self.folder = workspace / "r"
        plan = json.loads((self.folder / "plan.json").read_text())
        plan["target"] = [f"http://127.0.0.1:{server.port}/v1"]
        plan["server"]["features"]["metrics"] = False
        plan["calibration"]["e2e_ns"] = int(e2e_s * S)
        (self.folder / "plan.json").write_text(json.dumps(plan))
        self.cost = Cost([ROIBENCH, "run", "--quiet", "--workspace", workspace, "--workers", str(WORKERS)], watch=watch)

    def records(self):
        with gzip.open(self.folder / "records.jsonl.gz", "rt") as file:
            return [record for record in map(json.loads, file) if "outcome" in record]

    def level_end(self):
        for line in (self.folder / "journal.jsonl").read_text().splitlines():
            if line.startswith('{"level_end"'):
                return json.loads(line)["level_end"]
        fail("no level ended")

    def count_fine(self):
        """How many requests there were; all of them must have ended well. (max_requests does not count those of the start phase.)"""
        outcomes = [record["outcome"] for record in self.records()]
        if not outcomes or outcomes.count("ok") != len(outcomes):
            fail(f"{outcomes.count('ok')} of {len(outcomes)} requests ended well")
        return len(outcomes)

    def gaps(self):
        """ns between arrivals, one for each token but the first arrival's."""
        data = gzip.open(self.folder / "tokens.bin.gz").read()
        at, samples = 0, []

        def varint():
            nonlocal at
            number = shift = 0
            while True:
                byte = data[at]
                at += 1
                number |= (byte & 127) << shift
                if byte < 128:
                    return number
                shift += 7

        while at < len(data):
            length = varint()
            at += length
            for k in range(varint()):
                gap, n = varint(), varint()
                if k > 0:
                    samples.extend([gap / n] * n)
        return samples


def read_bare(server, streams, requests):
    body = scratch / "body"
    body.write_text(json.dumps({"model": "bench", "messages": [{"role": "user", "content": " one" * BODY_WORDS}], "stream": True}))
    return Cost([scratch / "bare_reader", server.port, str(streams), str(requests), body])


def percentile(samples, per_mille):
    """Nearest rank."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * per_mille // 1000) - 1)]


# --- the table ---------------------------------------------------------------------------------------


class Table:
    def __init__(self):
        self.rows, self.missed, self.unmeasured, self.curve, self.self_test = [], [], [], None, None

    def say(self, text):
        print(text, flush=True)

    def add(self, name, unit, samples, must, aim, beside, better="less"):
        """samples: one number a run. must, aim: limits or None."""
        value = statistics.median(samples)
        fine = lambda limit: limit is None or (value <= limit if better == "less" else value >= limit)
        sign = "<=" if better == "less" else ">="
        verdict = "MISSED" if not fine(must) else "aim" if aim is not None and fine(aim) else "must" if must is not None else ""
        if not fine(must):
            self.missed.append(name)
        wanted = f"must {sign} {must:g}" if must is not None else ""
        wanted += f", aim {aim:g}" if aim is not None else ""
        spread = f"{min(samples):.4g} to {max(samples):.4g}" if len(samples) > 1 else ""
        self.say(f"{name:<62} {value:>9.4g} {unit:<9} {wanted:<26} {verdict:<7} {spread:<20} | {beside}")
        self.rows.append({"name": name, "unit": unit, "value": value, "samples": samples, "must": must, "aim": aim, "better": better,
                          "verdict": verdict, "beside": beside, "load_average": os.getloadavg()[0],
                          "real_time": os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)})

    def skip(self, name, reason):
        self.unmeasured.append((name, reason))
        self.say(f"{name:<62} not measured: {reason}")
        self.rows.append({"name": name, "unmeasured": reason})

    def save(self, path, machine):
        before = json.loads(path.read_text()) if path.exists() else {"rows": [], "curve": None, "self_test": None}
        anew = {row["name"]: row for row in self.rows}
        known = {row["name"] for row in before["rows"]}
        rows = [anew.get(row["name"], row) for row in before["rows"]] + [row for row in self.rows if row["name"] not in known]
        path.write_text(json.dumps({"machine": machine, "rows": rows, "curve": self.curve or before["curve"],
                                    "self_test": self.self_test or before["self_test"]}, indent=1) + "\n")


def beside(reports, tokens):
    """The server's own CPU and lateness."""
    cpu = statistics.median(report["cpu_s"] for report in reports)
    text = f"server {cpu / tokens * 1e6:.2f} us/token"
    if reports[0]["late_ns"]["count"]:
        p50, p99 = (statistics.median(report["late_ns"][which] for report in reports) / MS for which in ("p50", "p99"))
        text += f", late p50 {p50:.2f} p99 {p99:.2f} ms"
    return text


def say_of(reports, tokens, more=""):
    return beside(reports, tokens) + (f"; {more}" if more else "")


# --- rows ------------------------------------------------------------------------------------------


class Pair:
    """The same load by the bare reader and by `run`, one after the other, REPEATS times."""

    def __init__(self, streams, requests, tokens, e2e_s, **server_options):
        self.tokens = requests * tokens
        self.bare, self.run, self.reports, self.together, self.bare_seconds = [], [], [], [], []
        for _ in range(REPEATS):
            with serving(tokens=tokens, requests=requests, **server_options) as server:
                cost = read_bare(server, streams, requests)
                events, receives = map(int, cost.output.split())
                self.bare.append(cost.cpu / self.tokens * 1e6)
                self.bare_seconds.append(cost.seconds)
            self.bare_receives = receives / events
            with serving(tokens=tokens, **server_options) as server:
                run = Run(server, e2e_s, profile="concurrent", rate=streams, max_requests=requests, output_tokens=tokens,
                          stream_start="together")
                run.count_fine()
                self.run.append(run.cost.cpu / self.tokens * 1e6)
                records = run.records()
                self.together.append(1 - sum(record["arrivals"] for record in records) / self.tokens)
            self.reports.append(server.report)

    def extra(self):
        return [run - bare for run, bare in zip(self.run, self.bare)]

    def ratio(self):
        return [run / bare for run, bare in zip(self.run, self.bare)]

    def text(self):
        middle = statistics.median
        return (f"run {middle(self.run):.2f}, bare {middle(self.bare):.2f} us, ratio {middle(self.ratio()):.2f}; "
                f"in one arrival with another: {middle(self.together) * 100:.0f} %")


def row_bare(table):
    for a_write, must in (1, None), (16, 200000):
        speeds, reports, cpu = [], [], []
        for _ in range(REPEATS):
            with serving(tokens=1000, requests=640, a_write=a_write) as server:
                cost = read_bare(server, 64, 640)
                speeds.append(640000 / cost.seconds)
                cpu.append(cost.cpu / 640000 * 1e6)
            reports.append(server.report)
        plural = "s" if a_write > 1 else ""
        table.add(f"bare reader, 64 streams, {a_write} token{plural} a write, as fast as can be", "tokens/s", speeds, must, None,
                  say_of(reports, 640000, f"reader {statistics.median(cpu):.2f} us/token"), better="more")


def row_chunk(table):
    for streams, rate, tokens in (64, 800, 2000), (512, 100, 250):
        pair = Pair(streams, 2 * streams, tokens, tokens / rate, rate=rate)
        table.add(f"CPU a chunk over the bare reader's, {streams} streams", "us", pair.extra(), 3, 1.5,
                  say_of(pair.reports, pair.tokens, pair.text()))


def row_sixteen(table):
    for streams, rate in (64, 200), (512, 25):
        pair = Pair(streams, 2 * streams, 3200 if streams == 64 else 800, (200 if streams == 64 else 50) / rate, rate=rate, a_write=16)
        table.add(f"CPU a token over the bare reader's, 16 a write, {streams} streams", "x", pair.ratio(), 4, 2,
                  say_of(pair.reports, pair.tokens, pair.text()))


def peer_command():
    """The peer's command line up to its options, or the reason why there is none."""
    python, model = E2E_CACHE / "venv-vllm/bin/python", E2E_CACHE / "tiny-hf"
    if not python.exists():
        return None, f"vLLM is not installed below {E2E_CACHE}: tests/e2e/install vllm does it (6 GB)"
    if not (model / "tokenizer.json").exists():
        if subprocess.run([python, ROOT / "tests/e2e/make_tiny_hf_model.py", model], capture_output=True).returncode:
            return None, f"no tokenizer could be made in {model}"
    script = scratch / "vllm_bench.py"
    script.write_text("import argparse\nfrom vllm.benchmarks.serve import add_cli_args, main\n"
                      "parser = argparse.ArgumentParser()\nadd_cli_args(parser)\nmain(parser.parse_args())\n")
    return [python, script, "--backend", "openai-chat", "--endpoint", "/v1/chat/completions", "--model", "bench", "--tokenizer", model,
            "--dataset-name", "random", "--random-input-len", str(BODY_WORDS), "--ignore-eos", "--disable-tqdm"], None


def read_peer(command, server, streams, requests, tokens):
    os.environ["HF_HUB_OFFLINE"] = "1"
    cost = Cost([*command, "--base-url", f"http://127.0.0.1:{server.port}", "--random-output-len", str(tokens), "--num-prompts", str(requests),
                 "--max-concurrency", str(streams)])
    number = lambda what: float(re.search(what + r":\s+([0-9.]+)", cost.output).group(1))
    cost.lost, cost.tokens = requests - int(number("Successful requests")), int(number("Total generated tokens"))
    if cost.lost > requests * PEER_MAY_LOSE:
        fail(f"vllm bench: {cost.lost} of {requests} requests did not end well: {cost.output[-1000:]}")
    cost.speed = number(r"Output token throughput \(tok/s\)")
    cost.ttft_p99_ms, cost.itl_p99_ms = number(r"P99 TTFT \(ms\)"), number(r"P99 ITL \(ms\)")
    return cost


def row_peer(table):
    loads = (("16 tokens a write, as fast as can be", {"a_write": 16}, 1 / 5, 1 / 10),
             ("one token a write, as fast as can be", {}, None, None))
    command, reason = peer_command()
    if not command:
        table.skip("CPU a token against vllm bench, 64 streams", reason)
        return
    streams, requests, few, tokens = 64, 640, 64, 1000
    starts = [] # it computes for 8 s before its first request, whatever the load
    for _ in range(REPEATS):
        with serving(tokens=tokens, a_write=16) as server:
            starts.append(read_peer(command, server, streams, few, tokens).cpu)
    for name, options, must, aim in loads:
        ratios, peers, ours, bares, speeds, reports, lost = [], [], [], [], [], [], 0
        for _ in range(REPEATS):
            with serving(tokens=tokens, **options) as server:
                peer = read_peer(command, server, streams, requests, tokens)
            with serving(tokens=tokens, **options) as server:
                run = Run(server, tokens / options.get("rate", 1e6), profile="concurrent", rate=streams, max_requests=requests,
                          output_tokens=tokens, stream_start="together")
                run.count_fine()
            reports.append(server.report)
            with serving(tokens=tokens, requests=requests, **options) as server:
                bares.append(read_bare(server, streams, requests).cpu / requests / tokens * 1e6)
            peers.append((peer.cpu - statistics.median(starts)) / (peer.tokens - few * tokens) * 1e6)
            lost += peer.lost
            speeds.append(peer.speed)
            ours.append(run.cost.cpu / requests / tokens * 1e6)
            ratios.append(ours[-1] / peers[-1])
        table.add(f"CPU a token / vllm bench's, {name}", "x", ratios, must, aim,
                  say_of(reports, requests * tokens, f"run {statistics.median(ours):.2f}, vllm bench {statistics.median(peers):.2f} "
                         f"({statistics.median(speeds):.0f} tokens/s, {lost} of {REPEATS * requests} requests lost), bare {statistics.median(bares):.2f} us"))


def errors_of(run, server):
    """ms by which the client's p99 differ from the server's truth: of TTFT and of ITL."""
    ttft = [record["first_token"] - record["sent"] for record in run.records()]
    gaps = run.gaps()
    client = percentile(ttft, 990) / MS, percentile(gaps, 990) / MS
    truth = server.report["ttft_ns"]["p99"] / MS, server.report["itl_ns"]["p99"] / MS
    return (abs(client[0] - truth[0]), abs(client[1] - truth[1]), *client)


def measure_error(streams, step):
    """One run of TTFT 200 ms, ITL 10 ms: errors, the client's figures, the server's report, CPU of the client."""
    tokens, rounds = 100, 4
    with serving(tokens=tokens, rate=100, ttft_ms=200, step=step) as server:
        run = Run(server, 1.19, profile="concurrent", rate=streams, max_requests=rounds * streams, output_tokens=tokens,
                  stream_start="spread")
        requests = run.count_fine()
    return {"errors": errors_of(run, server), "report": server.report, "cpu_share": run.cost.cpu / run.cost.seconds,
            "server_share": server.report["cpu_s"] / run.cost.seconds, "tokens": requests * tokens,
            "lag_ms": run.level_end()["lag_ns"]["p99"] / MS}


def measure_errors_in_time(streams, step):
    """REPEATS runs whose server had room; None, and its share of a CPU, when it had none in more than every second one."""
    tried = []
    while len(tried) < 2 * REPEATS:
        tried.append(measure_error(streams, step))
        runs = [run for run in tried if run["server_share"] <= SERVER_SHARE_MOST]
        if len(runs) == REPEATS:
            return runs, len(tried)
    return None, statistics.median(run["server_share"] for run in tried)


def row_exact(table):
    for step in False, True:
        how = "all in step" if step else "each in its time"
        names = [f"1,000 streams, {how}: error of {what} p99" for what in ("TTFT", "ITL")]
        runs, tried = measure_errors_in_time(1000, step)
        if not runs:
            for name in names:
                table.skip(name, f"the server took {tried * 100:.0f} % of its CPU, so it was late by itself")
            continue
        reports = [run["report"] for run in runs]
        middle = lambda values: statistics.median(values)
        text = (f"client {middle(r['errors'][2] for r in runs):.2f} and {middle(r['errors'][3] for r in runs):.2f}, truth "
                f"{middle(r['ttft_ns']['p99'] for r in reports) / MS:.2f} and {middle(r['itl_ns']['p99'] for r in reports) / MS:.2f} ms; "
                f"lag p99 {middle(r['lag_ms'] for r in runs):.2f} ms, CPU {middle(r['cpu_share'] for r in runs) * 100:.0f} %; "
                f"the server had room in {REPEATS} of {tried} runs")
        table.add(names[0], "ms", [r["errors"][0] for r in runs], 2, 0.5,
                  say_of(reports, runs[0]["tokens"], text))
        table.add(names[1], "ms", [r["errors"][1] for r in runs], 1, 0.2, "the same runs")


def peer_errors(command, streams):
    """What the peer reports for the load of measure_error against the server's truth, ms."""
    with serving(tokens=100, rate=100, ttft_ms=200) as server:
        cost = read_peer(command, server, streams, 4 * streams, 100)
    return abs(cost.ttft_p99_ms - server.report["ttft_ns"]["p99"] / MS), abs(cost.itl_p99_ms - server.report["itl_ns"]["p99"] / MS)


def row_error_by_streams(table):
    """For the chart: TTFT 200 ms and ITL 10 ms, so 100 tokens a second and stream; three runs each, the peer once."""
    curve = []
    command, reason = peer_command()
    if not command:
        table.skip("error of vllm bench by streams", reason)
    for streams in 1, 10, 50, 100, 200, 500, 1000:
        runs = [measure_error(streams, False) for _ in range(min(REPEATS, 3))]
        middle = statistics.median
        point = {"streams": streams, "runs": len(runs),
                 "ttft_ms": middle(r["errors"][0] for r in runs), "itl_ms": middle(r["errors"][1] for r in runs),
                 "server_late_p99_ms": middle(r["report"]["late_ns"]["p99"] for r in runs) / MS, "cpu": middle(r["cpu_share"] for r in runs)}
        peer = peer_errors(command, streams) if command else (None, None)
        point["peer_ttft_ms"], point["peer_itl_ms"] = peer
        curve.append(point)
        beside_peer = f"; vllm bench: {peer[0]:.1f} and {peer[1]:.1f} ms" if command else ""
        table.say(f"{'error at ' + str(streams) + ' streams':<62} TTFT p99 {point['ttft_ms']:.3f} ms, ITL p99 {point['itl_ms']:.3f} ms | "
                  f"server late p99 {point['server_late_p99_ms']:.2f} ms; client's CPU {point['cpu'] * 100:.0f} %{beside_peer}")
    table.curve = curve


def mean_in_flight(run):
    """Of the measurement window; and the most at a time."""
    end = run.level_end()
    with gzip.open(run.folder / "records.jsonl.gz", "rt") as file:
        window = next(line["level_end"] for line in map(json.loads, file) if "level_end" in line)
    begin, over = window["window_start"], window["window_end"]
    busy, steps = 0, []
    for record in run.records():
        if "sent" not in record:
            continue
        busy += max(0, min(record["end"], over) - max(record["sent"], begin))
        steps += [(record["sent"], 1), (record["end"], -1)]
    now = most = 0
    for _, change in sorted(steps): # what ends at a moment ends before another begins
        now += change
        most = max(most, now)
    return busy / (over - begin), most, end


def row_in_flight(table):
    memory = {}
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for streams, seconds in (100, 2), (1000, 2), (2000, 2), (10000, 5):
        name = f"in flight / asked, {streams:,} streams"
        if limit != resource.RLIM_INFINITY and limit < streams + 200:
            table.skip(name, f"no more than {limit} descriptors may be open here (ulimit -Hn)")
            continue
        rate = 40000 / streams
        shares, reports, most, rss, tokens = [], [], 0, [], int(rate * seconds)
        for _ in range(REPEATS):
            with serving(tokens=tokens, rate=rate) as server:
                run = Run(server, seconds, profile="concurrent", rate=streams, max_seconds=5, output_tokens=tokens, stream_start="spread")
            mean, top, _ = mean_in_flight(run)
            shares.append(mean / streams)
            most = max(most, top)
            rss.append(run.cost.kilobytes)
            reports.append(server.report)
        memory[streams] = statistics.median(rss)
        table.add(name, "", shares, 0.99, 1.0, say_of(reports, statistics.median(r["answered"] for r in reports) * tokens,
                                                    f"most at a time {most}, {memory[streams] / 1024:.1f} MB"), better="more")
    if 10000 in memory:
        table.add("memory a stream, 10,000 streams", "kB", [(memory[10000] - memory[100]) / 9900], 20, 10,
                  f"{memory[10000] / 1024:.1f} MB resident, {memory[100] / 1024:.1f} MB with 100 streams")


def poisson_run(seed, seconds):
    with serving(tokens=8, rate=100, ttft_ms=20) as server:
        run = Run(server, 0.1, profile="poisson", rate=1000, max_seconds=seconds, output_tokens=8, seed=seed, max_concurrency=2000)
    return run, server.report


def kolmogorov_smirnov_p(gaps, mean):
    """Of exponential gaps of that mean (asymptotic)."""
    from math import exp, sqrt
    ordered, n = sorted(gaps), len(gaps)
    distance = max(max((k + 1) / n - (1 - exp(-gap / mean)), (1 - exp(-gap / mean)) - k / n) for k, gap in enumerate(ordered))
    x = (sqrt(n) + 0.12 + 0.11 / sqrt(n)) * distance
    return min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * exp(-2 * k * k * x * x) for k in range(1, 101))))


def intended_gaps(run):
    due = sorted(record["intended"] for record in run.records())
    return [after - before for before, after in zip(due, due[1:])]


def row_poisson(table):
    delivered, dispersion, slip, reports, p = [], [], [], [], []
    for seed in range(1, REPEATS + 1):
        run, report = poisson_run(seed, 60)
        end, records = run.level_end(), run.records()
        counts = [0] * 600
        for record in records:
            bin_number = int((record.get("sent", -1) - end["start"]) // (0.1 * S))
            if 0 <= bin_number < 600:
                counts[bin_number] += 1
        mean = statistics.mean(counts)
        delivered.append(sum("sent" in record for record in records) / len(records))
        dispersion.append(statistics.pvariance(counts) / mean)
        slip.append(end["slip_ns"]["p99"] / MS)
        reports.append(report)
        p.append(kolmogorov_smirnov_p(intended_gaps(run), S / 1000))
    text = say_of(reports, statistics.median(r["answered"] for r in reports) * 8)
    table.add("Poisson 1,000/s, 60 s: delivered / drawn", "", delivered, 0.999, None, text, better="more")
    table.add("Poisson: index of dispersion of 600 counts (not below 0.8)", "", dispersion, 1.2, None,
              "the same runs; least " + f"{min(dispersion):.3f}")
    if min(dispersion) < 0.8:
        table.missed.append("Poisson: index of dispersion below 0.8")
    table.add("Poisson: slip p99", "ms", slip, 1, None, "the same runs")
    for seed in range(REPEATS + 1, 21):
        p.append(kolmogorov_smirnov_p(intended_gaps(poisson_run(seed, 3)[0]), S / 1000))
    table.add("Poisson: least p of 20 seeds' intended gaps (KS)", "", [min(p)], 0.001, None,
              f"{REPEATS} seeds of 60 s, the others of 3 s; median p {statistics.median(p):.2f}", better="more")


def row_million(table):
    """Resident memory at a tenth of the run and at its end."""
    requests, seen = int(os.environ.get("BENCH_MILLION", "1000000")), []

    def watch(process):
        begin = time.monotonic()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while process.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                pid = children.read_text().split()[0]
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                seen.append((time.monotonic() - begin, pages * resource.getpagesize()))
            time.sleep(0.1)

    with serving(tokens=1) as server:
        run = Run(server, 0.001, watch=watch, profile="concurrent", rate=64, max_requests=requests, output_tokens=1, stream_start="together")
    end = run.level_end()
    if end["sent"] != requests:
        fail(f"{end['sent']} of {requests} requests were sent")
    early = next(rss for at, rss in seen if at >= run.cost.seconds / 10)
    last = max(rss for at, rss in seen if at >= run.cost.seconds * 0.9)
    table.add(f"memory's growth over {requests:,} requests of one token", "MB", [max(0, last - early) / 2**20], 20, 0,
              f"from {early / 2**20:.1f} MB after a tenth; {requests / run.cost.seconds:.0f} requests/s; "
              f"server {server.report['cpu_s'] / run.cost.seconds * 100:.0f} % of a core, run {run.cost.cpu / run.cost.seconds * 100:.0f} %")


def row_self_test(table):
    done = subprocess.run([ROIBENCH, "run", "--self-test"], cwd=scratch, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"run --self-test: {done.stderr}")
    table.self_test = done.stdout
    table.say(done.stdout)


ROWS = {"bare": row_bare, "chunk": row_chunk, "sixteen": row_sixteen, "peer": row_peer, "exact": row_exact, "error": row_error_by_streams,
        "in-flight": row_in_flight, "poisson": row_poisson, "million": row_million, "self-test": row_self_test}


def describe_machine():
    with open("/proc/cpuinfo") as file:
        models = {line.split(":", 1)[1].strip() for line in file if line.startswith("model name")}
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {"cpus": os.cpu_count(), "model": ", ".join(sorted(models)), "kernel": platform.release(), "commit": commit,
            "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "load_before": os.getloadavg()[0], "repeats": REPEATS}


def main():
    global scratch
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=ROWS, help="these rows only; may be repeated")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    table, machine = Table(), describe_machine()
    table.say(f"engine: {machine['cpus']} CPUs ({machine['model']}), Linux {machine['kernel']}, load before {machine['load_before']:.2f}, "
              f"medians of {REPEATS}")
    if machine["load_before"] > 0.5:
        table.say("engine: the machine is not idle: others' work is in these figures (chrt -f 5 keeps most of it out)")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for program in "measure", "bare_reader", "blaster":
            source = ROOT / f"tests/bench/{program}.c"
            subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-o", scratch / program, source], check=True)
        for name in options.only or ROWS:
            ROWS[name](table)
            if options.json:
                table.save(options.json, machine)
    for name, reason in table.unmeasured:
        table.say(f"engine: not measured: {name}: {reason}")
    for name in table.missed:
        table.say(f"engine: a must is missed: {name}")
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
