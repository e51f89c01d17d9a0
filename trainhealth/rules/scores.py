"""Scores that other tools log beside the loss (F1, word error rate, …): known by their names, no signals of their own.

No rule is about them. They only tell whether a loss that stands or rises goes with a model that does well.
"""

from __future__ import annotations

from trainhealth.column_words import cut
from trainhealth.series import RunView, Series
from trainhealth.signals import SIGNALS

# shares, of which 1 is all that can be reached; recall and precision alone are 1 for a model with one answer, too
_HIGHER = frozenset({"accuracy", "acc", "f1", "f1score", "auc", "auroc", "dice", "iou", "miou", "map"})
_LOWER = frozenset({"wer", "cer"})  # error rates of words and characters, fractions or per cent
_VALIDATION = frozenset({"validation", "valid", "val", "eval", "evaluation", "dev"})


def scores(run: RunView) -> list[Series]:
    """Return the columns with a score that is better the higher it is; an error rate has its sign turned.

    The signals train_accuracy and validation_accuracy are not among them.
    """
    found = []
    for name, series in run.scalars.items():
        words = set(cut(name))
        if name not in SIGNALS and words & (_HIGHER | _LOWER) and len(series.finite()):
            values = series.values if words & _HIGHER else -series.values
            found.append(Series(name, series.steps, values).finite())
    return found


def validation_scores(run: RunView) -> list[Series]:
    """Return the scores of the validation split: those whose names say so."""
    return [series for series in scores(run) if _VALIDATION.intersection(cut(series.name))]
