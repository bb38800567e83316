#!/usr/bin/env python3
"""How many arrivals of a ramp may fall into each tenth of its time, by scipy: writes ramp.tsv beside itself for profiles_test.c.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy scipy && /tmp/venv/bin/python ramp.py

One line a tenth: from, to (requests/s), seconds, the number of the tenth, and the bounds that one true sample in a million exceeds on either side. A
non-homogeneous Poisson process has a Poisson-distributed number in each; its mean is the integral of the rate, here by quadrature.
"""
import os

from scipy import integrate, stats

RAMPS = ((1, 20, 600), (50, 5, 100), (0, 30, 200), (30, 0, 200), (10, 10, 100))
BEYOND = 1e-6


def main():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ramp.tsv"), "w", encoding="utf-8") as out:
        out.write("# written by ramp.py\n")
        for start, end, seconds in RAMPS:
            for tenth in range(10):
                mean, _ = integrate.quad(lambda t: start + (end - start) * t / seconds, seconds * tenth / 10, seconds * (tenth + 1) / 10)
                low, high = stats.poisson.ppf(BEYOND, mean), stats.poisson.isf(BEYOND, mean)
                out.write(f"{start}\t{end}\t{seconds}\t{tenth}\t{low:.0f}\t{high:.0f}\n")


main()
