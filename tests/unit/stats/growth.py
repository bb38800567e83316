#!/usr/bin/env python3
"""Expected values of growth_test.c, by numpy and scipy: writes growth.tsv beside itself.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy scipy && /tmp/venv/bin/python growth.py

One line a case: seed, seconds, requests due and ended in each second are drawn (up to), ms that the TTFT grows a second, then mean and lower bound
of the backlog's and of the TTFT's growth over the newer half. The numbers come from a linear congruential generator that the C test has too.
"""
import os

import numpy as np
from scipy import stats

BATCHES = 10
CASES = ((1, 60, 9, 9, 0), (2, 60, 9, 5, 400), (3, 200, 4, 4, 5), (4, 200, 20, 15, 250), (5, 31, 3, 1, 300), (6, 400, 7, 7, -1))


def numbers(seed):
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


def lower(mean, error, freedom):
    return mean - stats.t.ppf(0.99, freedom) * error


def main():
    lines = []
    for seed, seconds, due_most, ended_most, grows in CASES:
        draw = numbers(seed)
        backlog, due, ttfts = [0], [0], []
        for second in range(1, seconds + 1):
            came, went, noise = next(draw) % (due_most + 1), next(draw) % (ended_most + 1), next(draw) % 50
            due.append(due[-1] + came)
            backlog.append(backlog[-1] + came - went)
            ttfts.append((second, (200 + noise + grows * second) / 1000))
        # Ends of the ten parts, and the newest whole second at or before each.
        edges = [backlog[int(seconds / 2 + seconds / 2 * k / BATCHES + 1e-9)] for k in range(BATCHES + 1)]
        added = np.diff(edges)
        share = BATCHES / (due[seconds] - due[seconds // 2])
        mean = added.mean() * share
        backlog_low = lower(added.mean(), stats.sem(added), BATCHES - 1) * share
        half = [x for x in ttfts if x[0] >= seconds / 2]
        cuts = [-(-len(half) * k // BATCHES) for k in range(BATCHES + 1)]
        groups = [np.mean(half[a:b], axis=0) for a, b in zip(cuts, cuts[1:])]
        line = stats.linregress([g[0] for g in groups], [g[1] for g in groups])
        row = (mean, backlog_low, line.slope, lower(line.slope, line.stderr, BATCHES - 2))
        lines.append("\t".join([str(x) for x in (seed, seconds, due_most, ended_most, grows)] + [repr(float(x)) for x in row]))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "growth.tsv"), "w", encoding="ascii") as out:
        out.write("# written by growth.py\n" + "\n".join(lines) + "\n")


main()
