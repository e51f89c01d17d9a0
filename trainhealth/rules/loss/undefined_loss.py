"""LS09 undefined-loss: the logarithm of a negative number, which has no value and still a derivative."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, option
from trainhealth.rules.loss.origin import without
from trainhealth.series import RunView

_LOGARITHMS = ("LogBackward", "Log2Backward", "Log10Backward", "Log1PBackward", "XlogyBackward")


class UndefinedLoss(Rule):
    """The loss takes the logarithm of numbers that are negative: it is NaN, and training goes on along a derivative.

    What it detects
        NaN in train_loss at steps whose gradient is finite: gradient_nonfinite, activation_nonfinite (elements),
        gradient_norm, and what the loss is made of.

    Why it matters
        The derivative of log(x) is 1/x, which is a number for negative x as well: it drives x down, further away from
        where the loss is defined. The updates are made, and no NaN in the weights tells.

    How it decides
        There is a logarithm in the loss. At `least` sampled steps or more train_loss is NaN (not infinite), no element
        of a gradient and of a layer's output is non-finite, and the norm of the gradient is above 0.

    What to try
        Keep what goes into the logarithm positive: softplus(x) + 1e-6 for a variance, or let the model give its
        logarithm.

    When it is wrong
        A mean over nothing (a mask that leaves no example) is NaN with finite gradients, too: where a sum holds a
        logarithm beside it, that is a false alarm, hence the second advice; alone it has a gradient of 0: silent. Steps
        that a loss scaler skipped do not count. Roots of negative numbers, 0 / 0 and infinite numbers have no finite
        derivative: silent. A logarithm far behind the loss is not in the log: missed, as are NaN in steps of which no
        gradient was looked at.
    """

    code = "LS09"
    name = "undefined-loss"
    topic = "loss"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss", "gradient_norm")
    uses = ("gradient_nonfinite", "activation_nonfinite")
    references = (
        Reference(
            "PyTorch documentation: torch.log",
            "Of a negative number it is NaN.",
            "https://docs.pytorch.org/docs/stable/generated/torch.log.html",
        ),
        Reference(
            "Nix and Weigend 1994: Estimating the mean and variance of the target probability distribution",
            "The variance of a network's answer is the exponential of a unit, and so never negative.",
            "https://doi.org/10.1109/ICNN.1994.374138",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        least: int = option(1, "sampled steps", "one is certain: no sum of finite terms is NaN")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the loss is NaN where its gradient is finite."""
        graph = run.facts.get("loss_graph")
        if not isinstance(graph, list):
            return NotChecked("what the loss is made of is not known: pass it to watch.step as the tensor that it is")
        losses = without(run.series("train_loss"), run.skipped_steps)
        undefined = losses.steps[np.isnan(losses.values)]
        told = [int(step) for step in undefined if _is_finite_there(run, int(step))]
        if len(told) < options.least or not any(str(node).startswith(_LOGARITHMS) for node in graph):
            return []
        first = told[0]
        norm = run.series("gradient_norm").at(first)
        return [
            self.finding(
                f"train_loss was NaN at {len(undefined)} of {len(losses)} values (first at step {undefined[0]}), while"
                f" the gradient of step {first} is finite: the loss takes the logarithm of a negative number.",
                [
                    Evidence("train_loss", None, int(undefined[0]), int(undefined[-1]), float("nan"), "a number"),
                    Evidence("gradient_norm", None, first, first, norm, "NaN, as in the loss"),
                ],
                _ADVICE,
                first_step=int(undefined[0]),
            )
        ]


_ADVICE = (
    Recommendation(
        "Keep what goes into the logarithm positive: softplus(x) + 1e-6 for a variance, or let the model give log x.",
        "The derivative of log(x), 1/x, is finite for a negative x, and drives it further down.",
        "train_loss is a number at every step.",
        recipe="check-the-loss",
    ),
    Recommendation(
        "Or leave out terms of which a batch has no example.",
        "A mean over nothing is NaN as well, and adds nothing to the gradient.",
        "train_loss is a number at every step.",
    ),
)


def _is_finite_there(run: RunView, step: int) -> bool:
    """Tell whether the gradient of a step is finite and not 0, and no layer's output is known to be otherwise."""
    norms = run.series("gradient_norm").between(step, step)
    if not len(norms) or not np.isfinite(norms.values).all() or not norms.values.max() > 0:
        return False
    for signal in ("gradient_nonfinite", "activation_nonfinite"):
        columns = run.columns(signal)
        if (columns.values[columns.steps == step] > 0).any():
            return False
    return True
