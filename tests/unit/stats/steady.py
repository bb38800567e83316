#!/usr/bin/env python3
"""Expected values of steady_test.c, by numpy: writes steady.tsv beside itself.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy && /tmp/venv/bin/python steady.py

MSER-5 is computed by its definition, every truncation anew. The series come from a linear congruential generator that the C test has too.
"series" lines: kind, seed, count, observations to cut, 1 where the minimum lies at the half.
"level" lines: kind, requests, from, to (ns), ns to cut, the series that decided.
"""
import os

import numpy as np

BATCH = 5
SERIES_MIN, BINS_MAX, PER_BIN = 50, 500, 4
MS = 1_000_000


def numbers(seed, count):
    state = seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


def series(kind, seed, count):
    noise = [x / 2**31 for x in numbers(seed, count)]
    if kind == "noise":
        return noise
    if kind == "equal":
        return [0.5] * count
    if kind == "step":  # a slow first fifth
        return [x + (8.0 if k < count // 5 else 0.0) for k, x in enumerate(noise)]
    if kind == "decay":
        return [x + 20.0 / (1 + k) for k, x in enumerate(noise)]
    if kind == "ramp":  # throughput that comes up
        return [x + min(k, count // 4) for k, x in enumerate(noise)]
    if kind == "drift":
        return [x + 0.5 * k for k, x in enumerate(noise)]
    if kind == "late":  # slow at the very end
        return [x + (8.0 if k >= count - 5 else 0.0) for k, x in enumerate(noise)]
    if kind == "waves":
        return [x + float(k % 20) for k, x in enumerate(noise)]
    raise ValueError(kind)


def mser5(values):
    if len(values) < SERIES_MIN:
        return 0, False
    batches = len(values) // BATCH
    means = np.array(values[: batches * BATCH]).reshape(batches, BATCH).mean(axis=1)
    mser = [np.sum((means[d:] - means[d:].mean()) ** 2) / (batches - d) ** 2 for d in range(batches // 2 + 1)]
    best = int(np.argmin(mser))  # the first of equals
    return best * BATCH, best == batches // 2


def level(kind, count):
    """sent, ttft, end in ns"""
    requests = []
    for k, draw in enumerate(numbers(count, count)):
        sent = 100 * MS * k
        ttft = 50 * MS + draw % (40 * MS)
        if kind == "cold":  # the first requests wait long
            ttft += 900 * MS // (1 + k // 4)
        duration = 3000 * MS + draw % (1000 * MS)
        if kind == "overload":
            ttft += 20 * MS * k
            duration += 20 * MS * k
        requests.append((sent, ttft, sent + duration))
    return requests


def warmup(requests, start, end):
    wanted = []
    waits = [(sent, ttft) for sent, ttft, _ in requests if start <= sent < end]
    if len(waits) >= SERIES_MIN:
        drop, _ = mser5([ttft / MS for _, ttft in waits])
        wanted.append((waits[drop][0] - start if drop else 0, "ttft"))
    ends = [e for _, _, e in requests if start <= e < end]
    if len(ends) >= SERIES_MIN:
        bins = max(SERIES_MIN, min(len(ends) // PER_BIN, BINS_MAX))
        width = (end - start) / bins
        counts = np.zeros(bins)
        for e in ends:
            counts[min(int((e - start) / width), bins - 1)] += 1
        drop, _ = mser5(list(counts))
        wanted.append((int(drop * width), "completions"))
    if not wanted:
        return 0, "too_few"
    ns, by = max(wanted, key=lambda cut: cut[0])
    return min(ns, (end - start) // 2), by if ns else "neither"


def main():
    lines = []
    seed = 1
    for kind in ("noise", "equal", "step", "decay", "ramp", "drift", "late", "waves"):
        for count in (0, 49, 50, 54, 55, 103, 200, 1000, 4999):
            drop, half = mser5(series(kind, seed, count))
            lines.append("\t".join(["series", kind, str(seed), str(count), str(drop), str(int(half))]))
            seed += 1
    for kind in ("even", "cold", "overload"):
        for count in (40, 60, 200, 601, 2000):
            end = 100 * MS * count
            ns, by = warmup(level(kind, count), 0, end)
            lines.append("\t".join(["level", kind, str(count), "0", str(end), str(ns), by]))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "steady.tsv"), "w", encoding="ascii") as out:
        out.write("# written by steady.py\n" + "\n".join(lines) + "\n")


main()
