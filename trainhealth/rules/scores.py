"""Scores that other tools log beside the loss (F1, word error rate, …): known by their names, no signals of their own.

No rule is about them. They only tell whether a loss that stands or rises goes with a model that does well.
"""

from __future__ import annotations

import re

from trainhealth.series import RunView, Series
from trainhealth.signals import SIGNALS

# shares, of which 1 is all that can be reached; recall and precision alone are 1 for a model with one answer, too
_HIGHER = frozenset({"accuracy", "acc", "f1", "auc", "auroc", "dice", "iou", "miou", "map"})
_LOWER = frozenset({"wer", "cer"})  # error rates of words and characters, fractions or per cent
_VALIDATION = frozenset({"validation", "valid", "val", "eval", "evaluation", "dev"})


def scores(run: RunView) -> list[Series]:
    """Return the columns with a score that is better the higher it is; an error rate has its sign turned.

    The signals train_accuracy and validation_accuracy are not among them.
    """
    found = []
    for name, series in run.scalars.items():
        words = _words(name)
        if name not in SIGNALS and words & (_HIGHER | _LOWER) and len(series.finite()):
            values = series.values if words & _HIGHER else -series.values
            found.append(Series(name, series.steps, values).finite())
    return found


def validation_scores(run: RunView) -> list[Series]:
    """Return the scores of the validation split: those whose names say so."""
    return [series for series in scores(run) if _words(series.name) & _VALIDATION]


def _words(name: str) -> set[str]:
    """Return the words of a column's name.

    >>> sorted(_words("eval/macroF1")), sorted(_words("val_mAP@50"))
    (['eval', 'f1', 'macro'], ['50', 'map', 'val'])
    """
    apart = re.sub(r"(?<=[a-z]{2})(?=[A-Z])", "_", name)  # between words, and not within mAP
    return set(re.findall(r"[a-z]+\d?|\d+", apart.lower()))
