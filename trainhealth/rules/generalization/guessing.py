"""What guessing among classes is right in, and whether an accuracy is worse than that."""

from __future__ import annotations

import math

import numpy as np

from trainhealth.rules.generalization.comparison import resolution
from trainhealth.series import RunView, Series

EVEN = 1.5  # times an even share: the most frequent class has no more


def classes_of(run: RunView) -> int:
    """Return how many classes there are; 0 where it is not known."""
    classes = run.facts.get("classes")
    return classes if isinstance(classes, int) and classes > 1 else 0


def majority_share(run: RunView) -> float:
    """Return the share of the most frequent class of the training targets; 0 where it is not known."""
    shares = run.series("majority_share").finite().values
    return float(np.median(shares)) if len(shares) else 0.0


def is_worse_than_guessing(run: RunView, accuracy: Series) -> bool:
    """Tell whether an accuracy ends below that of guessing by more than four standard errors, at even classes."""
    classes, examples = classes_of(run), 1 / (resolution(accuracy) or math.inf)
    if accuracy.name != "validation_accuracy" or not classes or majority_share(run) > EVEN / classes:
        return False
    guess, late = 1 / classes, accuracy.values[-(len(accuracy) // 3) :]
    return examples > 0 and float(np.median(late)) < guess - 4 * math.sqrt(guess * (1 - guess) / examples)
