"""OP06 zigzag-updates: each gradient undoes the one before; plain SGD crosses a ravine instead of following it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level, untrained_loss
from trainhealth.rules.objective import moving_target
from trainhealth.rules.optimizers import setting_of
from trainhealth.rules.update_ratio import on_grid
from trainhealth.series import RunView

_SETTLED = 16  # steps: the first ones are often too long, and heal


class ZigzagUpdates(Rule):
    """Updates zigzag: successive gradients point against each other, and plain SGD goes to and fro across a ravine.

    What it detects
        gradient_cosine: the cosine between the gradients of two successive steps, a value a sampled step. Noise alone
        gives 0; a common descent gives positive values; -1 means that each step undoes the one before.

    Why it matters
        Along the steep direction the steps cancel; along the flat one, where the progress is, they are far too short.
        A higher rate would diverge, and a lower one is slower still.

    How it decides
        The optimizer is SGD without momentum; the median cosine is at most `opposed` over the samples from step 16 on
        (at least `least_samples`), and over those of the second half of the run (at least three); and train_loss
        (median of its last tenth) stands at `slow` of the untrained loss or above.

    What to try
        Momentum 0.9 (Nesterov), which averages the to and fro out; Adam; inputs of equal scale.

    When it is wrong
        Training on the whole data set at a good rate runs at the edge of stability, where gradients oppose each other
        while the loss falls well: silent below `slow`. With momentum, or an adaptive optimizer, successive gradients
        are no measure of the path: not meant.
    """

    code = "OP06"
    name = "zigzag-updates"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("gradient_cosine", "train_loss")
    uses = ("learning_rate",)
    references = (
        Reference(
            "L16 Practical Aspects, Opt Optimizing Neural Networks: momentum",
            "Very slow progress along the shallow dimension, jitter along the steep one; momentum damps it.",
        ),
        Reference(
            "Cohen et al. 2021, Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability",
            "Full-batch training oscillates along sharp directions and makes progress all the same.",
            "https://arxiv.org/abs/2103.00065",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        opposed: float = option(-0.5, "cosine", "theory: on a parabola, with noise, steps beyond its minimum")
        slow: float = option(0.3, "share of the untrained loss", "house choice: most of the way is still to go")
        least_samples: int = option(5, "samples", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if gradients of plain SGD oppose each other and little is gained."""
        groups = [(optimizer.type, group) for optimizer in run.info.optimizers for group in optimizer.groups]
        if not groups:
            return NotChecked("which optimizer it is, is not known: pass it to trainhealth.watch(model, optimizer)")
        if any(kind != "SGD" or setting_of(group, "momentum") > 0 for kind, group in groups) or moving_target(run):
            return []
        cosines = run.series("gradient_cosine").finite()
        settled = cosines.between(_SETTLED, run.last_step)
        late = settled.between(run.last_step // 2, run.last_step)
        losses = run.series("train_loss").finite()
        if len(settled) < options.least_samples or len(late) < 3 or not len(losses):
            return []
        cosine = float(max(np.median(settled.values), np.median(late.values)))
        untrained = untrained_loss(run)
        now = recent_level(losses.values)
        if cosine > options.opposed or not untrained > 0 or now < options.slow * untrained:
            return []
        rate = run.learning_rate.at(run.last_step)
        at = f" at a learning rate of {number(rate)}" if rate > 0 else ""
        return [
            self.finding(
                f"Successive gradients have a cosine of {number(cosine)}{at}: steps undo each other, and train_loss is "
                f"still {number(now)} after {run.last_step + 1} steps (untrained: {number(untrained)}).",
                [Evidence("gradient_cosine", None, int(settled.steps[0]), settled.last_step, cosine, "0 or above")],
                _recommend(rate),
            )
        ]


def _recommend(rate: float) -> Iterable[Recommendation]:
    verify = "train_loss is clearly lower after as many steps, and gradient_cosine is above -0.5."
    lower = f", and divide the rate by 3, to {number(on_grid(rate / 3))}" if rate > 0 else ""
    yield Recommendation(
        f"Add momentum 0.9 with nesterov=True{lower}.",
        "What changes sign from step to step averages out; what stays adds up, to ten times the step.",
        verify,
        "Steps along a steady direction are ten times as long: a rate at the limit diverges.",
        "nesterov",
    )
    yield Recommendation(
        "Or use Adam at a rate of 0.001.",
        "It gives steep directions shorter steps and flat ones longer steps, where they run along the weights' axes.",
        verify,
        recipe="adamw",
    )
    yield Recommendation(
        "Standardize the inputs, if their features differ in scale.",
        "Features of different scale make the ravine.",
        verify,
        recipe="standardize-inputs",
    )
