"""How often `trainhealth sweep` is right: random searches on response surfaces whose answer is known.

    python -m benchmarks.search_surfaces [SEEDS]

Each search draws a learning rate (log-uniform, four decades), a dropout, and two settings without any effect, and is
scored by a surface with noise; "diverges" loses the trials above a rate. Printed are, for each surface and number of
trials, how often the settings that matter are found, how often one without effect is taken for one that matters, how
often the next range holds the best rate and what part of the old one it is, and how often SE01 warns of the edge.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trainhealth.rules.search.best_at_the_edge import BestAtTheEdge
from trainhealth.search.analysis import Search
from trainhealth.search.trials import Space, Trial, Trials
from trainhealth.series import FloatArray

LOW, HIGH = 1e-5, 1e-1
NULL = ("batch", "width")
TRIALS = (10, 25, 60, 150)
NOISE = (0.1, 0.5)  # standard deviations, as a share of the surface's own


class Surface(NamedTuple):
    """A score over the rate's coordinate u and the dropout d, both 0 to 1; where the best u is, and what matters."""

    score: Callable[[FloatArray, FloatArray], FloatArray]
    best: float
    matters: tuple[str, ...]


SURFACES = {
    "peak": Surface(lambda u, d: -8 * (u - 0.5) ** 2, 0.5, ("lr",)),
    "both": Surface(lambda u, d: -8 * (u - 0.4) ** 2 - 4 * (d - 0.3) ** 2, 0.4, ("lr", "dropout")),
    "ridge": Surface(lambda u, d: -8 * (u + d - 1) ** 2 - (u - 0.5) ** 2, 0.5, ("lr", "dropout")),
    "diverges": Surface(lambda u, d: np.where(u > 0.8, np.nan, 2 * u), 0.79, ("lr",)),
    "beyond": Surface(lambda u, d: 2 * u, 1.0, ("lr",)),
    "plateau": Surface(lambda u, d: -8 * np.maximum(u - 0.5, 0) ** 2, 0.25, ("lr",)),
    "nothing": Surface(lambda u, d: 0 * u, 0.5, ()),
}


class Outcome(NamedTuple):
    """What one search gave."""

    found: float  # share of what matters
    false: float  # share of what does not
    holds: bool  # the next range the best rate
    part: float  # of the old range, on the logarithmic scale
    edge: bool


def searched(surface: Surface, count: int, noise: float, seed: int) -> Outcome:
    """Return what `Search` says of one random search."""
    random = np.random.default_rng(seed)
    u, d, others = random.random(count), random.random(count), random.random((count, len(NULL)))
    spread = np.nanstd(surface.score(random.random(4000), random.random(4000))) or 1.0
    scores = surface.score(u, d) + noise * spread * random.normal(size=count)
    rates = LOW * (HIGH / LOW) ** u
    columns = {"lr": rates, "dropout": d, **dict(zip(NULL, others.T, strict=True))}
    trials = tuple(
        Trial(str(row), {name: float(values[row]) for name, values in columns.items()}, float(score))
        for row, score in enumerate(scores)
    )
    search = Search(Trials(trials, "accuracy", True, {"lr": Space(LOW, HIGH, True)}))
    mattering, idle = set(search.mattering), {"lr", "dropout", *NULL} - set(surface.matters)
    found = len(mattering & set(surface.matters)) / max(len(surface.matters), 1)
    coming = search.next_ranges["lr"]
    low, high = (coming.low or LOW), (coming.high or HIGH)
    best = LOW * (HIGH / LOW) ** surface.best
    findings = BestAtTheEdge().check(search, BestAtTheEdge.Options())
    edge = not hasattr(findings, "because") and any(f.place == "lr" and f.severity == "warning" for f in findings)
    width = math.log(high / low) / math.log(HIGH / LOW)
    return Outcome(found, len(mattering & idle) / len(idle), low <= best <= high, width, edge)


def main(seeds: int) -> None:
    """Print the table."""
    print(f"{'surface':9} {'noise':>5} {'trials':>6} {'found':>6} {'false':>6} {'holds':>6} {'part':>5} {'SE01':>5}")
    for name, surface in SURFACES.items():
        for noise in NOISE:
            for count in TRIALS:
                outcomes = np.array([searched(surface, count, noise, seed) for seed in range(seeds)], np.float64)
                found, false, holds, part, edge = outcomes.mean(axis=0)
                cells = f"{found:6.2f} {false:6.2f} {holds:6.2f} {part:5.2f} {edge:5.2f}"
                print(f"{name:9} {noise:5} {count:6} {cells}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
