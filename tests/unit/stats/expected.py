#!/usr/bin/env python3
"""Expected values of the statistics' unit tests, by numpy and scipy: writes expected.tsv beside itself.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy scipy && /tmp/venv/bin/python expected.py

Samples come from a linear congruential generator that the C tests have too, so only the expectations are stored:
one line a case: kind, seed, count, then samples, mean, std (n - 1), min, max, ten percentiles, four intervals.
The last lines are "rank" lines: ranks of the interval of a percentile among n samples, 0 for none.
"""
import os

import numpy as np
from scipy import stats

PER_MILLE = (10, 50, 100, 250, 500, 750, 900, 950, 990, 999)
INTERVALS = (500, 900, 950, 990)


def numbers(seed, count):
    state = seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


def samples(kind, seed, count):
    """gap and n of each arrival"""
    draws = list(numbers(seed, 2 * count))
    pairs = list(zip(draws[::2], draws[1::2]))
    if kind == "uniform":  # up to 2^31 ns
        return [(a, 1) for a, _ in pairs]
    if kind == "equal":
        return [(52_600_000, 1) for _ in pairs]
    if kind == "few":  # seven values
        return [(a % 7 * 1_000_003, 1) for a, _ in pairs]
    if kind == "narrow":  # 53 ms and a few ns
        return [(53_000_000 + a % 100, 1) for a, _ in pairs]
    if kind == "wide":  # from nothing to a minute
        return [(a % 2 ** (b % 37), 1) for a, b in pairs]
    if kind == "several":  # one to nine tokens at a time
        return [(a, 1 + b % 9) for a, b in pairs]
    raise ValueError(kind)


def nearest_rank(values, per_mille):
    rank = max(1, -(-len(values) * per_mille // 1000))
    exact = values[rank - 1]
    # numpy computes the same rank in floating point: it may only be one off where n x p is a whole number.
    other = np.quantile(values, per_mille / 1000, method="inverted_cdf")
    assert exact == other or len(values) * per_mille % 1000 == 0, (exact, other, per_mille, len(values))
    return exact


def interval_ranks(count, per_mille):
    p = per_mille / 1000
    low = int(stats.binom.ppf(0.025, count, p))
    high = int(stats.binom.isf(0.025, count, p)) + 1
    return low, high if high <= count else 0


def describe(pairs):
    values = np.sort(np.concatenate([np.full(n, gap / n) for gap, n in pairs]))
    row = [len(values), values.mean(), values.std(ddof=1) if len(values) > 1 else float("nan"), values[0], values[-1]]
    row += [nearest_rank(values, p) for p in PER_MILLE]
    for p in INTERVALS:
        for rank in interval_ranks(len(values), p):
            row.append(values[rank - 1] if rank else float("nan"))
    return row


def main():
    lines = []
    seed = 1
    for kind in ("uniform", "equal", "few", "narrow", "wide", "several"):
        for count in (1, 2, 3, 19, 20, 21, 71, 72, 73, 100, 367, 368, 1000, 4096):
            row = describe(samples(kind, seed, count))
            lines.append("\t".join([kind, str(seed), str(count)] + [repr(float(x)) for x in row]))
            seed += 1
    for count in (1, 5, 10, 71, 72, 100, 367, 368, 999, 10_000, 1_000_000, 256_000_000):
        for p in INTERVALS:
            lines.append("\t".join(["rank", str(p), str(count)] + [str(r) for r in interval_ranks(count, p)]))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.tsv"), "w", encoding="ascii") as out:
        out.write("# written by expected.py\n" + "\n".join(lines) + "\n")


main()
