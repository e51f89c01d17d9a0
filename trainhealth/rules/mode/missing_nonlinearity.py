"""MO09 missing-nonlinearity: linear layers in a row, which are worth no more than one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.records import LayerEntry
from trainhealth.rules.base import Rule
from trainhealth.rules.breakdown import recent_level
from trainhealth.series import RunView

_LINEAR = ("Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
_AFFINE = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm")


class MissingNonlinearity(Rule):
    """Linear layers follow each other with no activation function between them: together they are one linear layer.

    What it detects
        A linear or convolutional layer whose input is the output of another one, as it is, or through batch norm,
        dropout or a change of shape, as the layout says (a layer's `fed_by`). So does one behind a leaky ReLU that
        gives back what it gets: activation_mean, activation_std and activation_maximum are those of the layer before.

    Why it matters
        The product of two matrices is a matrix: the second layer adds parameters and time, and nothing that the model
        could not do without it. Without any nonlinearity the model is a linear regression, however deep.

    How it decides
        Layer B is fed by layer A and by nothing else, A feeds only B, both are trained, neither is a grouped
        convolution, and A has at least as many outputs as inputs, or B at least as many inputs as outputs (units, or
        channels). A leaky ReLU gives back what it gets (its slope is 1) where mean, standard deviation and maximum are
        equal in every sample, and a mean below 0 says that not all of it was positive, here or in another one like it.

    What to try
        An activation function after every hidden layer; or one layer in the place of two.

    When it is wrong
        A middle that is narrower than both sides is a bottleneck (low-rank adapters, factorised output layers,
        inverted residuals): silent. So are depthwise and pointwise convolutions in a pair, frozen layers, query and key
        projections (parallel, not in a row), residual sums, pooling by maximum. A leaky ReLU
        whose inputs are all positive changes nothing, whatever its slope: silent. Deep linear networks that are studied
        for themselves are a false alarm. A log without `fed_by`, and compiled models: not checked.
    """

    code = "MO09"
    name = "missing-nonlinearity"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("activation_std", "train_loss")
    uses = ("activation_mean", "activation_maximum")
    references = (
        Reference(
            "UO Underfitting, Overfitting, Regularization, Optimization: capacity",
            "Depth adds capacity by composing nonlinear functions; L16: a bottleneck may be linear.",
        ),
        Reference(
            "Goodfellow, Bengio and Courville 2016: Deep Learning, section 6.1",
            "If the hidden layer were linear, the network as a whole would remain a linear function of its input.",
            "https://www.deeplearningbook.org/contents/mlp.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """No thresholds: there is a function between two layers, or there is none."""

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return one finding for all pairs of linear layers in a row."""
        idle = _idle(run)
        layers = [entry for entry in run.layers if not entry.activation or entry.name in idle]
        if sum(entry.type in _LINEAR for entry in layers) < 2:
            return []
        if not any(entry.fed_by for entry in layers):
            return NotChecked("which layer feeds which is not in the log")
        pairs = _pairs(run, layers)
        if not pairs:
            return []
        named = ", ".join(f"{first} and {second}" for first, second in pairs[:3])
        more = f", and {len(pairs) - 3} more pairs" if len(pairs) > 3 else ""
        active = any(entry.activation and entry.name not in idle for entry in run.layers)
        whole = "" if active else " No layer of the model is followed by one."
        if idle:
            whole = f" What {idle[0]} gives is what it gets: its slope is 1."
        steps, spread = run.columns("activation_std").steps, run.columns("activation_std")
        finding = self.finding(
            f"There is no activation function between {named}{more}.{whole}",
            [
                Evidence(
                    "activation_std",
                    second,
                    int(steps[0]),
                    int(steps[-1]),
                    recent_level(place.values) if len(place := spread.place(second)) else math.nan,
                    f"an activation function between {first} and it",
                )
                for first, second in pairs
            ],
            [
                _SLOPE if idle else _put_between(*pairs[0], len(pairs)),
                Recommendation(
                    "Or replace the two layers by one, if linear is what is meant.",
                    "It computes the same with fewer parameters.",
                    "The results are the same, and steps take less time.",
                ),
            ],
        )
        return [finding]


_SLOPE = Recommendation(
    "Write nn.LeakyReLU(0.01), or nn.LeakyReLU(inplace=True): what comes first is the slope of the negative side.",
    "nn.LeakyReLU(True) has a slope of 1, since True counts as 1.",
    "activation_mean of the leaky ReLU is above that of the layer before it, and train_loss falls further.",
    recipe="nonlinearity-between-layers",
)


def _put_between(first: str, second: str, pairs: int) -> Recommendation:
    return Recommendation(
        f"Put an activation function (ReLU) between {first} and {second}" + (", and so on." if pairs > 1 else "."),
        "Only a nonlinear function between them makes two layers more than one.",
        "The layout shows it between the layers, and train_loss falls further.",
        recipe="nonlinearity-between-layers",
        change=Change("activation", "none", "relu"),
    )


def _idle(run: RunView) -> list[str]:
    """Return the names of the leaky ReLUs that change nothing: those with a slope of 1.

    So do others while all their inputs are positive: of one of them at least it must be known that not all were.
    """
    alike = [entry for entry in run.layers if entry.activation == "leaky_relu" and _changes_nothing(run, entry)]
    means = run.columns("activation_mean")
    below = any((means.place(entry.name).values < 0).any() for entry in alike)
    return [entry.name for entry in alike] if below else []


def _changes_nothing(run: RunView, entry: LayerEntry) -> bool:
    """Tell whether an activation function gives, in every sample, the statistics of the layer that feeds it."""
    for signal in ("activation_mean", "activation_std", "activation_maximum"):
        before, behind = (run.columns(signal).place(name) for name in (entry.fed_by or "", entry.name))
        finite = len(behind) > 0 and bool(np.isfinite(behind.values).all())
        if not finite or not np.array_equal(before.steps, behind.steps) or (before.values != behind.values).any():
            return False
    return True


def _pairs(run: RunView, layers: list[LayerEntry]) -> list[tuple[str, str]]:
    """Return the pairs of layers in a row with nothing nonlinear between; `layers` holds functions that do nothing."""
    by_name = {entry.name: entry for entry in layers}
    feeds = Counter(entry.fed_by for entry in run.layers)
    weights = {entry.layer: entry for entry in run.parameters if len(entry.shape) > 1}
    found = []
    for second in layers:
        if second.type not in _LINEAR:
            continue
        first, alone = by_name.get(second.fed_by or ""), True
        for _ in range(len(layers)):  # no longer, should the layout name a circle
            if first is None or (first.type not in _AFFINE and not first.activation):
                break
            alone = alone and feeds[first.name] == 1
            first = by_name.get(first.fed_by or "")
        if first is None or first.type not in _LINEAR or first is second or feeds[first.name] != 1 or not alone:
            continue
        ends = [weights.get(first.name), weights.get(second.name)]
        if any(weight is None or not (weight.trainable and weight.optimized) for weight in ends):
            continue
        before, middle = _widths(first, weights[first.name].shape)
        middle_again, after = _widths(second, weights[second.name].shape)
        depthwise = before == 1 < middle and first is not layers[0]  # else one channel enters the model
        grouped = depthwise or middle_again % middle != 0  # a flattened image has a whole number of values a channel
        if not grouped and (middle >= before or middle_again >= after):
            found.append((first.name, second.name))
    return found


def _widths(layer: LayerEntry, shape: list[int]) -> tuple[int, int]:
    """Return how many inputs and outputs (units or channels) a layer has, by the shape of its weight."""
    return (shape[0], shape[1]) if "Transpose" in layer.type else (shape[1], shape[0])
