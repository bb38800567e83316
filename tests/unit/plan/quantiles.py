#!/usr/bin/env python3
"""Quantiles of distributions that variate_test.c and profiles_test.c compare draws with, by scipy: writes quantiles.tsv beside itself.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy scipy && /tmp/venv/bin/python quantiles.py

One line a quantile: the distribution as it is written for roibench, the probability, the quantile. 99 each. What is bounded is the part of the
distribution between the bounds: "drawn again" is conditioning.
"""
import math
import os

from scipy import stats

INFINITE = float("inf")


def lognormal(mean, sigma):
    return stats.lognorm(s=sigma, scale=mean * math.exp(-sigma * sigma / 2))


CASES = (
    ("exponential:2s", stats.expon(scale=2), 0, INFINITE),
    ("exponential:mean=2s,min=500ms,max=3s", stats.expon(scale=2), 0.5, 3),
    ("lognormal:mean=2s,sigma=0.8", lognormal(2, 0.8), 0, INFINITE),
    ("lognormal:mean=2s,sigma=1.5,max=1m", lognormal(2, 1.5), 0, 60),
    ("uniform:1s-3s", stats.uniform(1, 2), 0, INFINITE),
    ("normal:mean=5s,stddev=2s,max=8s", stats.norm(5, 2), 0, 8),
    # gaps of mean 1: the shape, as --burstiness says it
    ("gamma:0.25", stats.gamma(0.25, scale=4), 0, INFINITE),
    ("gamma:0.5", stats.gamma(0.5, scale=2), 0, INFINITE),
    ("gamma:1", stats.expon(), 0, INFINITE),
    ("gamma:4", stats.gamma(4, scale=0.25), 0, INFINITE),
)


def main():
    lines = []
    for name, law, low, high in CASES:
        below, above = law.cdf(low), law.cdf(high)
        for k in range(1, 100):
            lines.append(f"{name}\t{k / 100!r}\t{float(law.ppf(below + (above - below) * k / 100))!r}\n")
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "quantiles.tsv"), "w", encoding="utf-8") as out:
        out.write("# written by quantiles.py\n")
        out.writelines(lines)


main()
