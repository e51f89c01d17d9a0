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

        Or along a sequence: recurrent_gain (powers of ten) of a plain recurrent layer at the start is below `memory`,
        and train_loss has not fallen by `unlearnt` of its first level: what the end of the sequence asks for can't be
        learnt from its beginning.

    What to try
        ReLU for sigmoid; He or Xavier initialisation; batch normalisation; residual connections.

    When it is wrong
        A net that learns well may have small gradients in its first layers, above all under an adaptive optimizer:
        silent at a good loss. Weights before normalisation layers have relative gradients that fall with the square of
        their norm, by ten or so between layers. Parallel branches are read as one row. A task that can't be learnt
        keeps the loss of such a net at its start. A recurrent net that needs no long memory learns without one: silent.
    """

    code = "GR01"
    name = "vanishing-gradients"
    topic = "gradients"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("parameter_gradient_norm", "parameter_norm", "train_loss")
    uses = ("recurrent_gain",)
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
        memory: float = option(-6.0, "powers of ten", "house choice: a millionth, the precision of float32")
        unlearnt: float = option(0.8, "share of the untrained loss", "as underfitting")
        least_samples: int = option(5, "samples", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the gradient fades towards the first layers and the loss is poor."""
        slope = gradient_slope(run)
        forgetful = None if moving_target(run) else self._over_time(run, options)
        if forgetful is not None:
            return [forgetful]
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

    def _over_time(self, run: RunView, options: Options) -> Finding | None:
        """Return the finding for a recurrent layer that no gradient passes from end to end; None for none."""
        columns = run.columns("recurrent_gain")
        if not len(columns) or len(run.parameters) == 0:
            return None
        lost = poor_loss(run, options.unlearnt)
        if lost is None or lost.kind not in ("stuck", "stalled"):
            return None
        gains = columns.values[0].astype(np.float64)
        known = np.flatnonzero(np.isfinite(gains))
        if not len(known) or not float(gains[known].min()) < options.memory:
            return None
        worst = int(known[np.argmin(gains[known])])
        place, gain = columns.places[worst], float(gains[worst])
        return self.finding(
            f"Of a gradient at the end of the sequence, 1e{gain:.0f} is left at its beginning behind the recurrent"
            f" weights of {place}; {lost.fact}.",
            [Evidence("recurrent_gain", place, int(columns.steps[0]), int(columns.steps[-1]), gain, "above -2")],
            _GATES,
        )

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
_GATES = (
    Recommendation(
        "Use an LSTM or GRU in place of the plain recurrent layer.",
        "Their gates let the state, and the gradient, pass many steps without being multiplied by weights.",
        "train_loss leaves its first level; try with a sequence of 10 steps first.",
        "A forget gate that begins closed forgets as well: start its bias at 1.",
        "gated-recurrence",
    ),
    Recommendation(
        "Or shorten the sequence, or draw the recurrent weights orthogonal (nn.init.orthogonal_).",
        "Eigenvalues of size 1 neither shrink nor magnify the gradient.",
        "recurrent_gain is near 0.",
        recipe="gated-recurrence",
    ),
)
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
