"""Tables of the lectures that judge numbers instead of measuring them: what our rules say of the same numbers."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from lecture_rows import Row, Table
from torch import nn

import trainhealth
from trainhealth.recipes.lectures import PRACTICAL_ASPECTS, TRAINING_NETWORKS

QUADRANTS = (  # errors in training and in testing, where people make 0.5 %; and what the lecture calls it
    (0.01, 0.11, "high variance"),
    (0.15, 0.16, "high bias"),
    (0.15, 0.30, "high bias and high variance"),
    (0.005, 0.01, "low bias and low variance"),
)
TRIALS = """
0.527 5.340517e-04
0.492 2.279484e-04
0.512 8.680827e-04
0.461 1.028377e-04
0.460 1.113730e-04
0.498 9.477776e-04
0.469 1.484369e-04
0.522 5.586261e-04
0.530 5.808183e-04
0.489 1.979168e-04
0.490 2.036031e-04
0.475 2.021162e-04
0.460 1.135527e-04
0.515 6.947668e-04
0.531 9.471549e-04
0.509 3.140888e-04
0.514 6.438349e-04
0.502 3.921784e-04
0.509 9.752279e-04
0.500 2.412048e-04
0.466 1.319314e-04
0.516 8.039527e-04
"""  # validation accuracy and learning rate, as printed


def quadrants() -> Table:
    """Four runs that end at the lecture's errors: which of them the rule for both illnesses speaks of."""
    rows = []
    for train, test, called in QUADRANTS:
        with tempfile.TemporaryDirectory() as folder:
            with trainhealth.watch(
                nn.Linear(1, 1), None, run_dir=folder, hyperparameters={"target_error": 0.005}
            ) as watch:
                for epoch in range(20):
                    watch.step(1.0)
                    share = 1 - math.exp(-epoch / 2)  # of the way from guessing, one in ten
                    watch.epoch(
                        train_accuracy=0.1 + (0.9 - train) * share, validation_accuracy=0.1 + (0.9 - test) * share
                    )
            found = sum(finding.code == "GE05" for finding in trainhealth.check(folder).findings)
        both = int(called == "high bias and high variance")
        rows.append(Row(f"errors of {train:.1%} and {test:.1%}", called, found, both, both))
    measured = "findings of high-bias-and-variance; one of the two alone is overfitting or underfitting, told by curves"
    return Table("Bias and variance from two errors", PRACTICAL_ASPECTS, measured, rows)


def random_search() -> Table:
    """The lecture's 22 trials, read as a table: the best, where it lies, and how far the next search should go."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "trials.csv"
        table.write_text("val_acc,lr\n" + "\n".join(line.replace(" ", ",") for line in TRIALS.split("\n") if line))
        report = trainhealth.sweep(table)
    trials = report.search.trials
    best = trials.trials[trials.best]
    (edge,) = [finding for finding in report.findings if finding.code == "SE01"]
    change = next(advice.change for advice in edge.recommendations if advice.change is not None)
    end = float(str(change.to).rpartition(" ")[2])
    rows = [
        Row("best accuracy of 22 trials", "0.531", best.score, 0.531, 0.531),
        Row("its learning rate", "9.471549e-04, at the edge", float(best.settings["lr"]), 9.47e-4, 9.48e-4),
        Row("upper end of the next range", "beyond 1e-3: move the range", end, 2e-3, 1e-1),
    ]
    lectures = f"{PRACTICAL_ASPECTS}; {TRAINING_NETWORKS}"
    return Table("A random search of 22 trials", lectures, "what `trainhealth sweep` says of the printed table", rows)
