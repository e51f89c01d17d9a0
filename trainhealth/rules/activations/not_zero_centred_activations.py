"""AC03 not-zero-centred-activations: hidden activations are nearly the same large number for all inputs and units."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.gates import is_gate
from trainhealth.rules.hidden_layers import hidden_activations
from trainhealth.series import RunView

_SIGMOIDS = ("sigmoid", "hardsigmoid")
_LATEST = 3  # samples whose median counts
# outputs of one sign, or with a mean that biases may push; a softmax inside a model is an attention
_FUNCTIONS = (
    *("sigmoid", "hardsigmoid", "softplus", "relu", "relu6", "leaky_relu", "prelu", "elu", "celu", "selu"),
    *("gelu", "silu", "mish", "tanh", "hardtanh", "softsign"),
)


class NotZeroCentredActivations(Rule):
    """Hidden activations have a mean that is several times their spread: the next layer sees mostly a constant.

    What it detects
        |activation_mean| / activation_std of hidden activation functions, a value a place and sampled step.

    Why it matters
        Inputs of one sign give gradients of one sign to all weights of a unit, and a common offset makes one direction
        of the next layer's loss surface far steeper than the others: steps zig-zag. It is what uncentred inputs do to
        the first layer.

    How it decides
        ratio = the median over the last three samples. It fires if at least `part` of the hidden activation functions
        have a ratio of at least `ratio`: a note, and a warning where train_loss is poor (not finite, gave back half of
        its progress, or stands above `poor` of the untrained loss and falls no more), except for one sigmoid alone.

    What to try
        Batch norm before the function; smaller biases; ReLU or tanh instead of sigmoid.

    When it is wrong
        A ReLU's mean is about 0.7 of its deviation, a softplus' 1.6: silent. A fresh sigmoid has a ratio of 5, and
        sigmoid-hidden-layers names it; trained ones spread out, and a single one that has not is a loss that stands for
        another reason: a note at most. A gate is not judged where the layer that it
        multiplies shows; another that is open has it rightly: one function among others is silent.
    """

    code = "AC03"
    name = "not-zero-centred-activations"
    topic = "activations"
    severity = Severity.NOTE
    confidence = Confidence.HINT
    since = "0.1"
    requires = ("activation_mean", "activation_std")
    uses = ("train_loss",)
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): activation functions",
            "Outputs that are not zero-centred make gradients on the weights all positive or all negative: zig-zag.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        ratio: float = option(3.0, "standard deviations", "house choice: as uncentred-inputs")
        part: float = option(0.5, "share of the functions", "house choice: one among many may be right")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as saturated-activations")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if most hidden functions are far from zero against their spread."""
        judged = [entry for entry in hidden_activations(run, _FUNCTIONS) if not is_gate(run, entry)]
        places = [entry.name for entry in judged]
        ratios = {place: ratio for place in places if math.isfinite(ratio := _ratio(run, place))}
        if places and not ratios:
            return NotChecked(f"fewer than {_LATEST} sampled steps have the activations' moments")
        far = {place: ratio for place, ratio in ratios.items() if ratio >= options.ratio}
        if not far or len(far) < options.part * len(ratios):
            return []
        worst = max(far, key=lambda place: far[place])
        fresh = len(judged) == 1 and judged[0].activation in _SIGMOIDS
        lost = None if fresh else poor_loss(run, options.poor)
        steps = run.columns("activation_mean").steps
        finding = self.finding(
            f"{len(far)} of {len(ratios)} hidden activation functions have a mean of {number(options.ratio)} or more"
            f" standard deviations, {worst} of {number(far[worst])}{f'; {lost.fact}' if lost else ''}.",
            [
                Evidence(
                    "activation_mean",
                    place,
                    int(steps[0]),
                    int(steps[-1]),
                    float(np.median(run.columns("activation_mean").place(place).values[-_LATEST:])),
                    f"below its standard deviation, {number(_spread(run, place))}",
                )
                for place in far
            ],
            [
                Recommendation(
                    "Put batch normalisation before the activation functions.",
                    "It brings the sums back to mean 0 in every batch.",
                    "activation_mean is below activation_std at every hidden function.",
                    "It behaves differently in training and in evaluation: switch with model.train() and model.eval().",
                    "batch-normalization",
                ),
                Recommendation(
                    "Start with biases of 0, and use ReLU or tanh.",
                    "Large biases and sigmoids give all inputs the same offset.",
                    "activation_mean is below activation_std at step 0.",
                    recipe="relu-instead-of-sigmoid",
                ),
            ],
            severity=Severity.WARNING if lost else Severity.NOTE,
        )
        return [finding]


def _ratio(run: RunView, place: str) -> float:
    """Return |mean| / standard deviation of a place, the median of its last samples; NaN while there are too few."""
    means, spreads = run.columns("activation_mean").place(place), run.columns("activation_std").place(place)
    count = min(len(means), len(spreads))
    if count < _LATEST or not np.array_equal(means.steps, spreads.steps):
        return math.nan
    late = slice(-_LATEST, None)
    live = spreads.values[late] > 0  # a constant has no spread: a dead layer, which is another rule's business
    ratios = np.abs(means.values[late][live]) / spreads.values[late][live]
    return float(np.median(ratios)) if len(ratios) else math.nan


def _spread(run: RunView, place: str) -> float:
    return float(np.median(run.columns("activation_std").place(place).values[-_LATEST:]))
