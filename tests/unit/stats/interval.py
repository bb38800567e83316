#!/usr/bin/env python3
"""Expected values of interval_test.c and blocks_test.c, by numpy and scipy: writes interval.tsv beside itself.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy scipy && /tmp/venv/bin/python interval.py

Values come from a linear congruential generator that the C tests have too. Lines:
  student  p, degrees of freedom, quantile
  mean     seed, count, mean, low, high
  ratio    seed, count of a, count of b, ratio of the geometric means, low, high (Welch on logarithms)
  paired   seed, count, ratio, low, high (Student on the logarithms of the ratios)
  blocks   seed, count, sum(a) / sum(b), low, high, tolerance: scipy's own resampling with other random numbers, the expanded percentiles
           of 200,000 replicates; the tolerance is what 2,000 may differ from them
"""
import os

import numpy as np
from scipy import stats


def numbers(seed, count):
    state = seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 33) / 2**31


def values(seed, count, around=100.0, spread=20.0):
    return np.array([around + spread * (x - 0.5) for x in numbers(seed, count)])


def blocks(seed, count):
    """A ratio of sums that vary together: b requests of about a / b each"""
    draws = np.array(list(numbers(seed, 2 * count)))
    b = np.floor(5 + 20 * draws[::2])
    return b * (100 + 200 * draws[1::2]), b


def expanded(replicates, count):
    tail = stats.norm.cdf(-np.sqrt(count / (count - 1)) * stats.t.ppf(0.975, count - 1))
    return np.quantile(replicates, [tail, 1 - tail]), tail


def main():
    lines = []

    def add(*columns):
        lines.append("\t".join(x if isinstance(x, str) else repr(float(x)) for x in columns))

    for p in (0.975, 0.995, 0.9, 0.5, 0.025, 0.6):
        for freedom in (1, 1.5, 2, 2.7, 3, 4, 9, 19, 19.3, 100, 1e4):
            add("student", p, freedom, stats.t.ppf(p, freedom))
    for seed, count in enumerate((3, 4, 5, 10, 20, 100), 1):
        a = values(seed, count)
        add("mean", seed, count, a.mean(), *stats.t.interval(0.95, count - 1, a.mean(), stats.sem(a)))
    for seed, (n, m) in enumerate(((3, 3), (3, 5), (5, 3), (10, 4)), 20):
        a, b = np.log(values(seed, n)), np.log(values(seed + 1000, m, 70, 5))
        interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
        add("ratio", seed, n, m, np.exp(a.mean() - b.mean()), *np.exp(interval))
    for seed, count in enumerate((3, 4, 8), 40):
        ratio = np.log(values(seed, count)) - np.log(values(seed + 1000, count, 70, 5))
        add("paired", seed, count, np.exp(ratio.mean()), *np.exp(stats.t.interval(0.95, count - 1, ratio.mean(), stats.sem(ratio))))
    for seed, count in enumerate((5, 8, 20, 20, 20), 60):
        a, b = blocks(seed, count)
        draws = np.random.default_rng(seed).integers(0, count, (200_000, count))
        replicates = a[draws].sum(axis=1) / b[draws].sum(axis=1)
        (low, high), tail = expanded(replicates, count)
        # two thousand replicates find this quantile with a standard error of sqrt(tail / 2000) / density; three of them
        spread = max(abs(np.quantile(replicates, tail + sign * 3 * np.sqrt(tail / 2000)) - low) for sign in (-1, 1)
                     if 0 < tail + sign * 3 * np.sqrt(tail / 2000) < 1)
        add("blocks", seed, count, a.sum() / b.sum(), low, high, spread)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "interval.tsv"), "w", encoding="ascii") as out:
        out.write("# written by interval.py\n" + "\n".join(lines) + "\n")


main()
