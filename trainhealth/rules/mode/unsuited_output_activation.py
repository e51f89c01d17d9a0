"""MO07 unsuited-output-activation: the last activation function can't give what the targets ask for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.loss_input import (
    CROSS_ENTROPIES,
    SQUARED_AND_ABSOLUTE,
    LossInput,
    classes_of,
    loss_input,
    loss_seen,
    shape_of,
)
from trainhealth.rules.sampled import usual
from trainhealth.series import RunView

_RANGES = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf)}
_NO_PROBABILITY = re.compile(r"all elements of input should be between 0 and 1|input_val >= zero && input_val <= one")
_LOGITS = Recommendation(
    "Use nn.BCEWithLogitsLoss, and leave the last activation function out (or put a sigmoid before nn.BCELoss).",
    "A linear layer gives any number; the loss with logits applies the sigmoid itself, and does not overflow.",
    "The first step passes, and train_loss begins near 0.69.",
    recipe="output-activation",
)
_FINITE = Recommendation(
    "Print torch.isfinite of the inputs, and of each layer's output, for this batch.",
    "A NaN in the data, or an exponential or a logarithm in a layer, passes through the sigmoid as NaN.",
    "All of them are finite, and the step passes.",
    recipe="find-first-nonfinite",
)


class UnsuitedOutputActivation(Rule):
    """The last activation function can't give the targets, whatever the weights are.

    What it detects
        The last operation before the loss, from the graph behind it (or behind the outputs, where only that is known),
        against the range of the targets (target_minimum, target_maximum, target unit) and the number of outputs.

    Why it matters
        A softmax over one output is 1 for every input. A sigmoid never exceeds 1, a ReLU never falls below 0, a tanh
        stays within ±1: targets beyond have an error that no training takes away, and a unit that is pushed against
        its bound gets no gradient. A cross-entropy of bounded scores can't become sure.

    How it decides
        One output: a softmax, or a cross_entropy, over an axis of one class.
        Squared and absolute errors: the function's range is exceeded by the batches' smallest or largest target (the
        median of them over samples) by more than `beyond` of its width, for a ReLU of the targets' deviation. Critical
        where the mean target lies outside as well.
        Cross-entropy of class scores: a sigmoid or tanh directly before it.
        Binary cross-entropy that has ended the run by refusing the outputs, in torch's words, where no sigmoid is known
        to have made them: critical.
        Binary cross-entropy after a softmax: the targets hold more than 1 + `labels` positives an example on average.

    What to try
        No activation function after the last layer for regression and for cross_entropy; a sigmoid for one output;
        targets scaled into the range where the bound is meant.

    When it is wrong
        Images in [0, 1] after a sigmoid, actions in [-1, 1] after a tanh, counts after a ReLU: silent, as the targets
        fit. Single outliers among the targets: the median over batches is silent. Targets that were not passed to
        watch.step: only the first and the third are judged. A ReLU or softmax before cross_entropy, and a sigmoid
        before its own loss, are rules of their own.
    """

    code = "MO07"
    name = "unsuited-output-activation"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss|error",)
    uses = ("target_minimum", "target_maximum", "target_mean", "target_std")
    references = (
        Reference(
            "Goodfellow, Bengio and Courville 2016: Deep Learning, section 6.2.2 (output units)",
            "Linear units suit the mean of a Gaussian, a sigmoid one Bernoulli, a softmax one of several classes.",
            "https://www.deeplearningbook.org/contents/mlp.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        beyond: float = option(0.25, "widths of the range", "house choice: noise on targets stays below")
        labels: float = option(0.05, "positives an example", "house choice: exclusive classes have exactly one")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the outputs' range does not hold the targets."""
        entering = loss_input(run)
        refused = run.error is not None and _NO_PROBABILITY.search(run.error.message)
        if refused and (isinstance(entering, str) or entering.operation not in ("sigmoid", "softmax")):
            return [self._refused(run, entering)]
        if isinstance(entering, str):
            return NotChecked(entering)
        found = (
            self._one_class(run, entering)
            or self._bounded_scores(run, entering)
            or self._out_of_range(run, entering, options.beyond)
            or self._several_labels(run, entering, options.labels)
        )
        return [found] if found else []

    def _refused(self, run: RunView, entering: LossInput | str) -> Finding:
        """Describe outputs that binary_cross_entropy, which takes probabilities, has refused."""
        step, known = run.last_step + 1, not isinstance(entering, str)
        why = "nothing makes probabilities of them" if known else "no sigmoid made them, or they are NaN"
        return self.finding(
            f"The run stopped at step {step}: binary_cross_entropy takes probabilities from 0 to 1, and the outputs are"
            f" none: {why}.",
            [Evidence("output_maximum", None, step, step, math.nan, "from 0 to 1")],
            [_LOGITS] if known else [_LOGITS, _FINITE],
            severity=Severity.CRITICAL,
            confidence=Confidence.CERTAIN if known else Confidence.LIKELY,
        )

    def _one_class(self, run: RunView, entering: LossInput) -> Finding | None:
        shape = shape_of(run, "loss_input_shape") or shape_of(run, "output_shape")
        if shape is None or len(shape) != 2 or shape[1] != 1:
            return None
        if entering.operation != "softmax" and entering.function not in CROSS_ENTROPIES:
            return None
        softmax = "a softmax" if entering.operation == "softmax" else f"{entering.function}, a softmax,"
        return self.finding(
            f"The model has one output, and {softmax} over one output is 1 for every input.",
            [loss_seen(run, "a loss that the input changes")],
            [
                Recommendation(
                    "For two classes keep the one output, and use binary_cross_entropy_with_logits without a softmax.",
                    "A sigmoid over one output gives a probability; a softmax needs two to choose between.",
                    "train_loss starts near 0.69 and falls.",
                    "Its targets are floats of the outputs' shape.",
                    "output-activation",
                ),
                Recommendation(
                    "For more classes make the last layer as wide as there are classes.",
                    "Cross-entropy compares the scores of all classes.",
                    "train_loss starts near the logarithm of the number of classes and falls.",
                    recipe="output-activation",
                ),
            ],
            severity=Severity.CRITICAL,
        )

    def _bounded_scores(self, run: RunView, entering: LossInput) -> Finding | None:
        if entering.function not in CROSS_ENTROPIES or entering.operation not in ("sigmoid", "tanh"):
            return None
        low, high = _RANGES[entering.operation]
        classes = classes_of(run)
        floor = math.log(1 + (classes - 1) * math.exp(low - high)) if classes > 1 else math.nan
        bound = f": with {classes} classes train_loss can't fall below {number(floor)}" if classes > 1 else ""
        return self.finding(
            f"The scores pass a {entering.operation} before cross_entropy and stay between {number(low)} and"
            f" {number(high)}{bound}; it stands at {number(recent_level(run.series('train_loss').values))}.",
            [loss_seen(run, "able to reach 0")],
            [
                Recommendation(
                    f"Remove the {entering.operation} after the last layer.",
                    "cross_entropy takes scores without bounds, and applies the softmax itself.",
                    f"train_loss falls {f'below {number(floor)}' if bound else 'further than before'}.",
                    recipe="logits-loss",
                    change=Change("output activation", entering.operation, "none"),
                )
            ],
            confidence=Confidence.CERTAIN if entering.certain else Confidence.LIKELY,
        )

    def _out_of_range(self, run: RunView, entering: LossInput, beyond: float) -> Finding | None:
        if entering.function not in SQUARED_AND_ABSOLUTE or entering.operation not in _RANGES:
            return None
        low, high = _RANGES[entering.operation]
        slack = beyond * (high - low if math.isfinite(high) else usual(run, "target_std"))
        smallest, largest = usual(run, "target_minimum"), usual(run, "target_maximum")
        under, over = smallest < low - slack, largest > high + slack
        if not (under or over):
            return None  # also where the targets are not known: NaN
        mean = usual(run, "target_mean")
        outside = mean < low or mean > high
        limits = f"between {number(low)} and {number(high)}" if math.isfinite(high) else f"at or above {number(low)}"
        name, observed = ("target_minimum", smallest) if under else ("target_maximum", largest)
        steps = run.series(name).steps
        return self.finding(
            f"The outputs pass a {entering.operation} and stay {limits}; the targets of a batch reach from"
            f" {number(smallest)} to {number(largest)}.",
            [Evidence(name, None, int(steps[0]), int(steps[-1]), observed, limits)],
            [
                Recommendation(
                    f"Remove the {entering.operation} after the last layer.",
                    f"{entering.function} compares numbers without bounds: a linear output can give each of them.",
                    "Predictions reach the smallest and the largest targets, and train_loss falls further.",
                    recipe="output-activation",
                ),
                Recommendation(
                    "Or scale the targets into the function's range, if the bound is meant.",
                    f"They now reach from {number(smallest)} to {number(largest)}.",
                    f"The smallest and largest targets are {limits}.",
                    "Predictions must be scaled back.",
                    "scale-targets",
                ),
            ],
            severity=Severity.CRITICAL if outside else Severity.WARNING,
            confidence=Confidence.CERTAIN if entering.certain else Confidence.LIKELY,
        )

    def _several_labels(self, run: RunView, entering: LossInput, labels: float) -> Finding | None:
        shape = shape_of(run, "target_shape")
        if entering != ("binary_cross_entropy", "softmax", entering.certain) or shape is None or len(shape) != 2:
            return None
        positives = usual(run, "target_mean") * shape[1]
        if not positives > 1 + labels:
            return None
        steps = run.series("target_mean").steps
        return self.finding(
            f"The outputs pass a softmax and sum to 1; the targets hold {number(positives)} positives an example.",
            [Evidence("target_mean", None, int(steps[0]), int(steps[-1]), positives / shape[1], "1 / outputs")],
            [
                Recommendation(
                    "Replace the softmax by a sigmoid: remove it, and use binary_cross_entropy_with_logits.",
                    "Labels that may hold together need probabilities that don't compete.",
                    "Several outputs of one example are above one half.",
                    recipe="output-activation",
                )
            ],
        )
