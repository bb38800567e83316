#!/usr/bin/env python3
"""usage: serving_model.py PRESET STREAMS spread|together PROMPT OUTPUT SECONDS
       serving_model.py PRESET REQUESTS/s poisson PROMPT OUTPUT SECONDS

A second implementation of the simulator's model, in virtual time, written from docs/simulator.md ("The model") and
not from the program, so that an error of either shows where the two differ. Its constants are those of the table
under "Presets" on that page. No two prompts here begin alike: of the prefix cache only what a preempted request
finds of its own blocks is left. Prints one level as JSON. All times are seconds of model time.
"""

from __future__ import annotations

import heapq
import json
import math
import pathlib
import random
import re
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

PAGE = pathlib.Path(__file__).parents[2] / "docs/simulator.md"
UNITS = {" ns": 1e-9, " ms": 1e-3, "": 1.0}
TURNAROUND = 0.001  # of a client, from a request's last token to the next request of its stream


@dataclass(eq=False)
class Request:
    arrival: float
    prompt: int
    output: int
    stream: int = 0
    cached: int = 0  # the page's C; its O is len(tokens)
    blocks: list[int] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)  # when each came out

    def remaining(self) -> int:
        return self.prompt + len(self.tokens) - self.cached


def read_preset(name: str) -> dict[str, float]:
    """The column of that name, in seconds, tokens or blocks; keys are the first words of the rows."""
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in PAGE.read_text().splitlines() if line.startswith("|")]
    names = next(row for row in rows if "instant" in row)
    preset = {}
    for row in rows[rows.index(names) + 1 :]:
        if len(row) != len(names):
            break
        value = re.fullmatch(r"([\d.]+)( ms| ns|)", row[names.index(name)])
        if value:
            preset[re.search(r"[a-z][a-z-]*", row[0])[0]] = float(value[1]) * UNITS[value[2]]
    return preset


class Cache:
    """The block pool: blocks without a name are taken first, then the one that has been free longest."""

    def __init__(self, blocks: int, block_size: int) -> None:
        self.size, self.plain, self.named = block_size, list(range(blocks)), OrderedDict()
        self.names, self.holders = {}, {}  # block: name; name: blocks that have it, the one named first in front

    def free(self) -> int:
        return len(self.plain) + len(self.named)

    def take(self, request: Request, tokens: int) -> None:
        while len(request.blocks) < math.ceil(tokens / self.size):
            block = self.plain.pop() if self.plain else self.named.popitem(last=False)[0]
            if block in self.names:
                self.holders[self.names.pop(block)].remove(block)
            request.blocks.append(block)
        for place, block in enumerate(request.blocks[: tokens // self.size]):
            if block not in self.names:
                self.names[block] = (id(request), place)
                self.holders.setdefault(self.names[block], []).append(block)

    def give_up(self, request: Request) -> None:
        for block in reversed(request.blocks):
            if block in self.names:
                self.named[block] = True
            else:
                self.plain.append(block)
        request.blocks, request.cached = [], 0

    def look_up(self, request: Request) -> list[int]:
        found = []
        while (len(found) + 1) * self.size < request.remaining() and self.holders.get((id(request), len(found))):
            found.append(self.holders[id(request), len(found)][0])
        return found

    def use(self, request: Request, found: list[int]) -> None:
        for block in found:
            del self.named[block]
        request.blocks, request.cached = list(found), len(found) * self.size


def plan(preset: dict, cache: Cache, running: list[Request], waiting: deque[Request]) -> dict[Request, int]:
    """One step: who is in it, with how many tokens."""
    step, budget, preempted = {}, int(preset["max-num-batched-tokens"]), False
    for request in list(running):
        if not budget or request not in running:
            break
        count = min(request.remaining(), budget)
        while math.ceil((request.cached + count) / cache.size) - len(request.blocks) > cache.free() and request in running:
            victim, preempted = running.pop(), True
            cache.give_up(victim)
            waiting.appendleft(victim)
        if request not in running:
            break
        cache.take(request, request.cached + count)
        step[request] = count
        budget -= count
    while not preempted and budget and waiting and len(running) < preset["max-num-seqs"]:
        request = waiting[0]
        if math.ceil(request.remaining() / cache.size) > cache.free():
            break
        cache.use(request, cache.look_up(request))
        running.append(waiting.popleft())
        step[request] = min(request.remaining(), budget)
        cache.take(request, request.cached + step[request])
        budget -= step[request]
    return step


def serve(
    preset: dict,
    arrivals: Iterable[Request],
    following: Callable[[Request], Request | None] = lambda request: None,
    quiet: float = 0.002,
) -> list[Request]:
    """Serves the arrivals and what follows each when it has ended; all of them, in the order in which they ended.
    quiet: how long no request must come before an engine that is idle begins."""
    coming = [(request.arrival, number, request) for number, request in enumerate(arrivals)]
    heapq.heapify(coming)
    number, now, ended, running, waiting = len(coming), 0.0, [], [], deque()
    cache = Cache(int(preset["kv-blocks"]), 16)
    while coming or running or waiting:
        if not running and not waiting and coming[0][0] > now:
            first = coming[0][0]
            now = first + quiet
            for arrival, *_ in sorted(coming):
                if arrival > now:
                    break
                now = min(arrival + quiet, first + 8 * quiet)
        while coming and coming[0][0] <= now:
            waiting.append(heapq.heappop(coming)[2])
        step = plan(preset, cache, running, waiting)
        context = sum(request.cached for request in step)
        prefill = sum(count for request, count in step.items() if not (request.tokens and request.remaining() == 1))
        now += preset["base"] + preset["sequence"] * len(step) + preset["context"] * context + preset["prefill"] * prefill
        for request, count in step.items():
            request.cached += count
            if request.remaining():
                continue
            request.tokens.append(now)
            if len(request.tokens) == request.output:
                running.remove(request)
                cache.give_up(request)
                ended.append(request)
                follower = following(request)
                if follower:
                    number += 1
                    heapq.heappush(coming, (follower.arrival, number, follower))
    return ended


def closed_loop(preset: dict, starts: Iterable[float], prompt: int, output: int, end: float, **options) -> list[Request]:
    """A stream begins at each of the starts; none sends after the end."""

    def following(request: Request) -> Request | None:
        arrival = request.tokens[-1] + TURNAROUND
        return Request(arrival, prompt, output, request.stream) if arrival < end else None

    first = [Request(start, prompt, output, stream) for stream, start in enumerate(starts)]
    return serve(preset, first, following, **options)


def percentile(values: list[float], share: float) -> float:
    """By nearest rank."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def measure(requests: list[Request], begin: float, end: float) -> dict[str, float]:
    """The numbers of docs/metrics.md of one level whose window is [begin, end)."""
    members = [request for request in requests if begin <= request.arrival < end]
    ttft = [request.tokens[0] - request.arrival for request in members]
    output = sum(begin <= token < end for request in requests for token in request.tokens)
    prompt = sum(request.prompt for request in requests if begin <= request.tokens[0] < end)
    gaps = [late - early for request in members for early, late in zip(request.tokens, request.tokens[1:])]
    return {
        "requests": len(members),
        "ttft_mean_ms": 1e3 * sum(ttft) / len(ttft),
        "ttft_p95_ms": 1e3 * percentile(ttft, 0.95),
        "itl_mean_ms": 1e3 * sum(gaps) / len(gaps),
        "with_first_p95_ms": 1e3 * percentile([(r.tokens[-1] - r.arrival) / r.output for r in members], 0.95),
        "total_tps": (prompt + output) / (end - begin),
    }


def main() -> None:
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    preset, load, kind = read_preset(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    prompt, output, seconds = map(int, sys.argv[4:])
    if kind == "poisson":
        draw, arrivals = random.Random(42), [0.0]
        while arrivals[-1] < seconds:
            arrivals.append(arrivals[-1] + draw.expovariate(load))
        served, begin = serve(preset, (Request(arrival, prompt, output) for arrival in arrivals[1:-1])), 0.0
    else:
        # Spread over the time that one request takes alone.
        alone = serve(preset, [Request(0.0, prompt, output)])[0].tokens[-1] if kind == "spread" else 0.0
        starts = [alone * stream / load for stream in range(int(load))]
        begin = starts[-1]
        served = closed_loop(preset, starts, prompt, output, begin + seconds)
    print(json.dumps(measure(served, begin, begin + seconds)))


if __name__ == "__main__":
    main()
