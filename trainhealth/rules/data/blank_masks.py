"""Masks of rare elements (segmentation) that a model leaves blank: their shares are known by means and ranges alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from trainhealth import curves
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import BINARY
from trainhealth.rules.sampled import usual
from trainhealth.series import RunView

_SAMPLES = 2  # the fewest batches: each holds many elements
_SURELY = -2.0  # Mann-Kendall's z
_AT_IT = 0.95  # times the entropy of the share: who knows more of the inputs is below


class Blank(NamedTuple):
    """What the model said of masks since a step: nothing above an even chance."""

    share: float  # of elements that are 1
    first_step: int
    last_step: int
    highest: float  # output
    even: float  # the output of an even chance
    loss: float
    guess: float  # the loss of naming the share everywhere

    @property
    def fact(self) -> str:
        """Return it as a sentence's end."""
        return (
            f"since step {self.first_step} no output was above {self.highest:.3g}, where {self.even:g} is an even"
            f" chance; train_loss stands at {self.loss:.3g}, and naming that share everywhere gives {self.guess:.3g}"
        )


def are_masks(run: RunView) -> bool:
    """Tell whether the targets of a binary loss are 0 or 1 along two axes or more beside the examples'."""
    shape, whole = run.facts.get("target_shape"), run.facts.get("target_integers") is True
    between = usual(run, "target_minimum") >= 0 and usual(run, "target_maximum") <= 1
    return run.facts.get("loss_function") in BINARY and isinstance(shape, list) and len(shape) > 2 and whole and between


def left_blank(run: RunView, rarest: float, twice: float) -> Blank | None:
    """Return how the masks, of which a share of `rarest` at most is 1, were left blank; None where they were not.

    No output was above an even chance in the sampled batches after the first quarter. Nothing was learnt but that
    share: train_loss is no lower than what it gives and falls no more, or in a run that has ended above `twice` that.
    """
    share, maxima = usual(run, "target_mean"), run.series("output_maximum").finite()
    late = maxima.between(math.ceil(run.last_step / 4), run.last_step)
    losses = curves.clean(run.series("train_loss"))
    plain = not run.facts.get("loss_composed") and run.facts.get("loss_reduction") == "mean"
    if not 0 < share <= rarest or len(late) < _SAMPLES or not len(losses) or not plain:
        return None
    even = 0.0 if run.facts.get("loss_function") == "binary_cross_entropy_with_logits" else 0.5
    highest, level = float(np.max(late.values)), recent_level(losses.values)
    guess = -share * math.log(share) - (1 - share) * math.log(1 - share)
    falls = curves.trend(losses.between(run.last_step // 2, run.last_step)).z < _SURELY
    lost = level > twice * guess if falls and run.ended is not None else level > _AT_IT * guess and not falls
    if not highest < even or not lost:
        return None
    return Blank(share, int(late.steps[0]), late.last_step, highest, even, level, guess)
