"""MO14 dropout-on-outputs: dropout sets some of the model's own predictions to zero."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.chance import unknown_loss
from trainhealth.rules.loss_input import loss_seen, operation_after_layer, shape_of
from trainhealth.series import RunView


class DropoutOnOutputs(Rule):
    """A dropout stands behind the last layer: predictions themselves are set to zero.

    What it detects
        Dropout as the last operation before the loss, read from the graph behind it, and the share of the first
        batch's outputs that are exactly zero (fraction).

    Why it matters
        Dropout in hidden layers makes units stand in for each other. Behind the last layer nothing can: the score of
        the right class is lost in a share p of the examples, and the others are multiplied by 1 / (1 - p). The loss
        can't fall below what that costs, and the gradient is that of random answers.

    How it decides
        The last operation before the loss, reshaping aside, is torch's dropout; or a multiplication, and at least
        `zeros` of the outputs are exactly zero, a share within `errors` standard errors of the probability p of the
        model's strongest dropout (as p of the outputs are zero by chance). Not with fewer than `least` outputs in the
        batch.

    What to try
        Dropout before the last layer instead of after it.

    When it is wrong
        Dropout before the last layer: silent. A dropout of another p than the model's strongest one, on a CPU: missed.
        Outputs that the script multiplies by a mask of its own have as many zeros as p by coincidence only. A loss that
        was passed as a number: not checked.
    """

    code = "MO14"
    name = "dropout-on-outputs"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    references = (
        Reference(
            "Srivastava et al. 2014: Dropout, a simple way to prevent neural networks from overfitting, section 4",
            "Dropout is applied to the inputs of a layer: to the units that the layer reads, not to what it says.",
            "https://jmlr.org/papers/v15/srivastava14a.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        errors: float = option(4.0, "standard errors", "house choice: passed by chance once in 16,000 batches")
        zeros: float = option(3.0, "outputs", "house choice: what a linear layer gives is never exactly zero")
        least: float = option(16.0, "outputs", "house choice: with fewer, many shares are near p")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if dropout is the last thing before the loss."""
        operation = operation_after_layer(run)
        if operation is None and not run.facts.get("loss_function"):
            return NotChecked(unknown_loss(run))
        if operation is None:
            return NotChecked("what enters the loss is not known: pass the loss to watch.step as a tensor")
        strength, zeros = run.facts.get("dropout"), run.facts.get("output_zeros")
        if not isinstance(strength, int | float) or not 0 < strength < 1 or operation not in ("Mul", "NativeDropout"):
            return []
        outputs = math.prod(shape_of(run, "output_shape") or (0,))
        if not isinstance(zeros, int | float) or outputs < options.least:
            return []
        error = math.sqrt(strength * (1 - strength) / outputs)
        near = abs(zeros - strength) <= options.errors * error and zeros * outputs >= options.zeros - 0.5
        if operation == "Mul" and not near:
            return []
        return [self._describe(run, float(strength), float(zeros), operation == "NativeDropout")]

    def _describe(self, run: RunView, strength: float, zeros: float, certain: bool) -> Finding:
        now = number(recent_level(run.series("train_loss").values))
        return self.finding(
            f"A dropout stands between the last layer and the loss: {100 * zeros:.2g} % of the first outputs are"
            f" exactly 0, with a dropout of {number(strength)} in the model; train_loss stands at {now}.",
            [loss_seen(run, "lower, without lost predictions")],
            [
                Recommendation(
                    "Move the dropout before the last layer.",
                    "There the layer learns to do without single units; behind it, answers are thrown away.",
                    "train_loss falls further, and comes nearer to validation_loss.",
                    recipe="dropout",
                    change=Change("dropout behind the last layer", strength, "none"),
                )
            ],
            confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
        )
