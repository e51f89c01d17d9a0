"""GR01 vanishing-gradients: the gradient falls by orders of magnitude on its way to the first layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import Breakdown, poor_loss
from trainhealth.rules.depth import FEWEST, Slope, gradient_slope
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView


class VanishingGradients(Rule):
    """Gradients vanish with depth: what reaches the first layers is a thousandth of what the last ones get.

    What it detects
        The relative gradient of a weight (two or more dimensions, no embedding): norm of gradient / norm of weight
        (loss unit / parameter unit squared), in order of execution. The scale of the loss cancels in its slope.

    Why it matters
        The first layers stay as they were drawn. The rest learns from features that nobody has chosen, and a larger
        rate only shakes the last layers.

    How it decides
        slope = median relative gradient of the first third of the weights / that of the last third, the output layer's
        left out; the median over all samples, or over those before a loss lost its progress. It fires if there are at
        least four such weights and `least_samples` samples, slope is at most `slope`, and train_loss is poor: above
        `poor` of the untrained loss, falling no more, or it lost half of its progress.

    What to try
        ReLU for sigmoid; He or Xavier initialisation; batch normalisation; residual connections.

    When it is wrong
        A net that learns well may have small gradients in its first layers, above all under an adaptive optimizer:
        silent at a good loss. Weights before normalisation layers have relative gradients that fall with the square of
        their norm, by ten or so between layers. Parallel branches are read as one row. A task that can't be learnt
        keeps the loss of such a net at its start.
    """

    code = "GR01"
    name = "vanishing-gradients"
    topic = "gradients"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("parameter_gradient_norm", "parameter_norm", "train_loss")
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): activation functions, weight initialization",
            "Saturated sigmoids and small weights kill the gradient: the product of many small factors.",
        ),
        Reference(
            "UO, Underfitting, Overfitting, Regularization, Optimization: vanishing and exploding gradients",
            "A gradient that passes through t layers is scaled by eigenvalues to the power of t.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        slope: float = option(1e-3, "first third / last third", "DeepDiagnosis and others: first / last below 1e-3")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")
        least_samples: int = option(5, "samples", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the gradient fades towards the first layers and the loss is poor."""
        slope = gradient_slope(run)
        if slope is None:
            return NotChecked(f"fewer than {FEWEST} hidden weights have gradients: there is no depth to vanish over")
        if moving_target(run):
            return []
        lost = poor_loss(run, options.poor)
        if lost is None or lost.kind in ("nonfinite", "exploded"):
            return []
        if lost.kind == "relapsed":
            slope = slope.until(lost.last_step)
        ratios = slope.ratio[np.isfinite(slope.ratio)]
        if len(ratios) < options.least_samples or float(np.median(ratios)) > options.slope:
            return []
        return [self._describe(slope, float(np.median(ratios)), lost)]

    def _describe(self, slope: Slope, ratio: float, lost: Breakdown) -> Finding:
        first, last = int(slope.steps[0]), int(slope.steps[-1])
        ends = slope.places[0], slope.places[-1]
        share = f"{number(float(f'{ratio:.2g}'))} of" if ratio > 0 else "nothing of"
        return self.finding(
            f"The first layers ({ends[0]} …) get {share} the gradient of the last ones (… {ends[1]}), each relative to "
            f"its weights; {lost.fact}.",
            [
                Evidence("parameter_gradient_norm", place, first, last, float(value), "about that of the last layer")
                for place, value in zip(slope.places, slope.relative, strict=True)
            ],
            _RECOMMENDATIONS,
        )


_VERIFY = "Gradient norms of the first layers are within a hundred times of those of the last, and train_loss falls."
_RECOMMENDATIONS = (
    Recommendation(
        "Use ReLU with He initialisation in the hidden layers.",
        "A sigmoid passes a quarter of the gradient at most, and weights that are too small pass less in each layer.",
        _VERIFY,
        "ReLU units can die at a high rate: watch the dead fraction.",
        "relu-instead-of-sigmoid",
    ),
    Recommendation(
        "Or put batch normalisation before the activation functions.",
        "It keeps signal and gradient at one size in every layer.",
        _VERIFY,
        "It behaves differently in training and in evaluation: switch with model.train() and model.eval().",
        "batch-normalization",
    ),
    Recommendation(
        "Or add residual connections around pairs of layers.",
        "The gradient then has a way that no weights shrink.",
        _VERIFY,
        recipe="residual-connections",
    ),
)
