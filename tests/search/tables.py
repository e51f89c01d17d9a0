"""Searches as tests write them down: columns and scores."""

from __future__ import annotations

import numpy as np

from trainhealth.search.analysis import Search
from trainhealth.search.trials import Space, Trial, Trials

# the table of the lectures "Practical Aspects" and "Training Networks, Part 1": validation accuracy, rate, decay
COARSE = """
0.412 1.405206e-04 4.793564e-01
0.214 7.231888e-06 2.321281e-04
0.208 2.119571e-06 8.011857e+01
0.196 1.551131e-05 4.374936e-05
0.079 1.753300e-05 1.200424e+03
0.223 4.215128e-05 4.196174e+01
0.441 1.750259e-04 2.110807e-04
0.241 6.749231e-05 4.226413e+01
0.482 4.296863e-04 6.642555e-01
0.079 5.401602e-06 1.599828e+04
0.154 1.618508e-06 4.925252e-01
"""
FINE = """
0.527 5.340517e-04 4.097824e-01
0.492 2.279484e-04 9.991345e-04
0.512 8.680827e-04 1.349727e-02
0.461 1.028377e-04 1.220193e-02
0.460 1.113730e-04 5.244309e-02
0.498 9.477776e-04 2.001293e-03
0.469 1.484369e-04 4.328313e-01
0.522 5.586261e-04 2.312685e-04
0.530 5.808183e-04 8.259964e-02
0.489 1.979168e-04 1.010889e-04
0.490 2.036031e-04 2.406271e-03
0.475 2.021162e-04 2.287807e-01
0.460 1.135527e-04 3.905040e-02
0.515 6.947668e-04 1.562808e-02
0.531 9.471549e-04 1.433895e-03
0.509 3.140888e-04 2.857518e-01
0.514 6.438349e-04 3.033781e-01
0.502 3.921784e-04 2.707126e-04
0.509 9.752279e-04 2.850865e-03
0.500 2.412048e-04 4.997821e-04
0.466 1.319314e-04 1.189915e-02
0.516 8.039527e-04 1.528291e-02
"""


def trials_from(columns, scores, *, maximize=True, spaces=None):
    """Trials from columns (lists of one length) and scores."""
    rows = zip(*columns.values(), strict=True)
    trials = tuple(
        Trial(str(number), dict(zip(columns, row, strict=True)), float(score))
        for number, (row, score) in enumerate(zip(rows, scores, strict=True))
    )
    return Trials(trials, "accuracy", maximize, spaces or {}, path="search.csv")


def search_from(columns, scores, **options):
    """The same, analysed."""
    return Search(trials_from(columns, scores, **options))


def lecture(table):
    """One of the lectures' tables."""
    rows = [[float(cell) for cell in line.split()] for line in table.split("\n") if line]
    accuracy, rate, decay = zip(*rows, strict=True)
    return search_from({"lr": rate, "reg": decay}, accuracy)


def drawn(score, count=40, *, seed=0, noise=0.1, low=1e-5, high=1e-1, declared=True):
    """A random search over a rate (log-uniform) and an idle setting, scored by `score` of the rate's coordinate."""
    random = np.random.default_rng(seed)
    coordinate = random.random(count)
    scores = score(coordinate) + noise * random.normal(size=count)
    columns = {"lr": (low * (high / low) ** coordinate).tolist(), "width": random.random(count).tolist()}
    return search_from(columns, scores, spaces={"lr": Space(low, high, True)} if declared else None)
