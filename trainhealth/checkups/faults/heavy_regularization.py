"""CU01 heavy-regularization: what should only restrain the fit outweighs the data from the first step on."""

from __future__ import annotations

from dataclasses import dataclass

from trainhealth.findings import Confidence, Reference, Severity
from trainhealth.rules.base import Fault, option


class HeavyRegularization(Fault):
    """At the start regularisation pulls harder at the weights than the data do, or hides what the model computes.

    What it detects
        The gradient of what the loss adds to the data's part (a penalty written into the loss), and of L2 weight decay
        in the optimizer, against the gradient of the data's part; and the loss of a batch with and without dropout.

    Why it matters
        The first move of the training is to shrink the weights, whatever the data say, or to learn against noise that
        is larger than the signal. The model stays near the answer that fits everything a little.

    How it decides
        The gradient norm of penalty and coupled weight decay together is at least `ratio` times that of the data's
        part. Or dropout lifts the first loss by more than `lift` times the loss without it. Both on the first batch,
        over all parameters; batch-norm layers stay in training mode.

    What to try
        A tenth of the penalty; less dropout, and none before the last layers are wide enough to do without half of
        their units.

    When it is wrong
        Weights that training has shaped already have small data gradients: a model that is fine-tuned from a good
        solution may have a penalty that outweighs them, and be right. Decoupled weight decay (AdamW) is no gradient,
        and is not judged here; nor is dropout that a forward applies by `F.dropout` without asking `self.training`.
    """

    code = "CU01"
    name = "heavy-regularization"
    topic = "loss"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "Tr1, Training Networks (Part 1): sanity check of the initial loss",
            "With strong regularisation the initial loss goes up; it must not be all there is.",
        ),
        Reference(
            "UO, Underfitting, Overfitting, Regularization, Optimization: weight decay",
            "Too strong a penalty makes the model underfit.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        ratio: float = option(2.0, "times the data's gradient", "as for over-regularised runs (GE09)")
        lift: float = option(1.0, "times the loss without dropout", "house choice: half of the loss is noise")
