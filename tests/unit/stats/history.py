#!/usr/bin/env python3
"""Expected values of noise_test.c and trend_test.c, by numpy and scipy: writes history.tsv beside itself.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy scipy && /tmp/venv/bin/python history.py
    /tmp/venv/bin/python history.py simulate      shows what src/stats/noise.c says of the degrees of freedom

A line is a kind, then groups of numbers separated by "|": what goes in, at last what is to come out.
"""
import itertools
import math
import os
import sys

import numpy as np
from scipy import stats

Z = stats.norm.ppf(0.975)
FREEDOM_A_RUN = 0.5
MEDIAN_STEP = math.sqrt(2) * stats.norm.ppf(0.75)


def mover(a, b):
    """Of a - b, each (value, low, high): value, low, high, p against 0."""
    d = a[0] - b[0]
    below, above = math.hypot(a[0] - a[1], b[2] - b[0]), math.hypot(a[2] - a[0], b[0] - b[1])
    towards = below if d > 0 else above
    return d, d - below, d + above, 2 * stats.norm.sf(abs(d) / towards * Z)


def welch(a, b):
    result = stats.ttest_ind(a, b, equal_var=False)
    interval = result.confidence_interval(0.95)
    return np.mean(a) - np.mean(b), interval.low, interval.high, result.pvalue


def deviation(earlier):
    """Of series of earlier runs (the last axis): a run's standard deviation, and the degrees of freedom."""
    return np.median(np.abs(np.diff(earlier, axis=-1)), axis=-1) / MEDIAN_STEP, FREEDOM_A_RUN * np.shape(earlier)[-1]


def by_history(a, b, earlier):
    error, freedom = deviation(earlier)
    error *= math.sqrt(2)
    half = stats.t.ppf(0.975, freedom) * error
    return a - b, a - b - half, a - b + half, 2 * stats.t.sf(abs(a - b) / error, freedom)


def discovery_limit(p, rate=0.05):
    adjusted = stats.false_discovery_control(p, method="bh")
    found = [value for value, q in zip(p, adjusted) if q <= rate]
    return max(found) if found else -1


def wilson(failed, ended):
    interval = stats.binomtest(failed, ended).proportion_ci(0.95, method="wilson")
    return failed / ended, interval.low, interval.high


def largest_cut(ranks):
    sums = np.cumsum(ranks, axis=-1)[..., :-1]
    k = np.arange(1, ranks.shape[-1])
    return np.abs(2 * sums - k * (ranks.shape[-1] + 1))


def step(values):
    """Pettitt's cut, and its exact chance: all permutations of up to eight values."""
    ranks = stats.rankdata(values)
    cuts = largest_cut(ranks)
    all_cuts = largest_cut(np.array(list(itertools.permutations(ranks)))).max(axis=-1)
    return int(np.argmax(cuts)) + 1, np.mean(all_cuts >= cuts.max() - 1e-9)


def text(numbers):
    return " ".join(repr(float(number)) for number in np.ravel(numbers))


def write(file):
    def line(kind, *groups):
        file.write(kind + "\t" + " | ".join(text(group) for group in groups) + "\n")

    random = np.random.default_rng(7)
    for a, b in (((6.2, 6.1, 6.35), (6.0, 5.95, 6.1)), ((6.0, 5.9, 6.3), (6.2, 6.15, 6.4)), ((1.0, 0.9, 1.1), (1.01, 0.8, 1.4))):
        line("within", a, b, mover(a, b))
    for n, m, shift in ((3, 3, 0.1), (5, 3, 0.0), (10, 7, -0.05), (20, 30, 0.02)):
        a, b = random.normal(6 + shift, 0.03, n), random.normal(6, 0.05, m)
        line("repeats", a, b, welch(a, b))
    for n in (3, 5, 6, 7, 14, 20):
        earlier = random.normal(6, 0.04, n)
        line("history", [6.2], [earlier[-1]], earlier, by_history(6.2, earlier[-1], earlier))
    for p in ([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251, 0.269, 0.275, 0.34], [0.2, 0.6, 0.5],
              [0.01] * 4, [0.04, 0.03, 0.02, 0.045], random.uniform(0, 0.2, 40)):
        line("discovery", p, [discovery_limit(p)])
    for failed, ended in ((0, 50), (1, 72), (7, 1000), (50, 50), (12, 24)):
        line("wilson", [failed, ended], wilson(failed, ended))
    for a, b in (((5, 100), (0, 100)), ((3, 800), (9, 700))):
        line("newcombe", a, b, mover(wilson(*a), wilson(*b)))
    for values in ([1, 2, 3, 4, 5, 6, 7, 8], [5, 4, 6, 5.5, 9, 8, 9.5, 8.8], [3, 1, 2, 5, 2, 4, 1, 3], [7, 7, 7, 9, 9, 9, 9, 9]):
        line("step", values, step(values))


def simulate(draws=200000):
    """Of series without any change: how often the newest run seems to differ from the one before, at 5 % and at 0.1 %; and with a step of
    20 deviations somewhere before."""
    random = np.random.default_rng(1)
    for n in range(3, 21):
        runs = random.normal(0, 1, (draws, n + 1))
        stepped = runs + 20 * (np.arange(n + 1) >= random.integers(1, n, (draws, 1)))
        shares = []
        for series in (runs, stepped):
            error, freedom = deviation(series[:, :n])
            t = np.abs(series[:, n] - series[:, n - 1]) / error / math.sqrt(2)
            shares += [np.mean(t > stats.t.ppf(1 - p / 2, freedom)) for p in (0.05, 0.001)]
        print(f"{n:2d} earlier runs: {shares[0]:.3%} at 5 %, {shares[1]:.4%} at 0.1 %; behind a step {shares[2]:.3%}, {shares[3]:.4%}")


if __name__ == "__main__":
    if sys.argv[1:] == ["simulate"]:
        simulate()
    else:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "history.tsv"), "w", encoding="utf-8") as output:
            write(output)
