"""MO12 relu-before-loss: a ReLU cuts the logits before a loss that needs both signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import recent_level
from trainhealth.rules.loss_input import LOGIT_LOSSES, loss_input, loss_seen, operation_before
from trainhealth.rules.sampled import samples_of, usual
from trainhealth.series import RunView

_SIGNED = (*LOGIT_LOSSES, "soft_margin")  # losses whose inputs are scores of either sign


class ReluBeforeLoss(Rule):
    """A ReLU stands between the last layer and a classification loss: scores below zero are lost.

    What it detects
        A ReLU directly in front of cross_entropy, binary_cross_entropy_with_logits or soft_margin_loss, read from the
        graph behind the loss; where only the outputs are known, outputs that are never below 0 (output_minimum).

    Why it matters
        A class whose score is cut to zero gets no gradient, so that it can't be raised again: classes drop out for
        good. With one score (binary), 0 is the lowest: no example gets a probability below one half.

    How it decides
        The loss is one of these, and the last operation before it, reshaping aside, is a ReLU. Where the graph behind
        the loss is not known, the graph behind the outputs counts instead, if output_minimum was never below -`slack`:
        likely then, else certain.

    What to try
        No activation function after the last layer.

    When it is wrong
        A ReLU before a squared or absolute error may be right (sizes, counts): silent here, and unsuited-output-
        activation's business. A net with many more units than it needs may learn well enough in spite of it: it is
        named all the same. A loss that was passed as a number: not checked.
    """

    code = "MO12"
    name = "relu-before-loss"
    topic = "mode"
    severity = Severity.WARNING
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("train_loss",)
    uses = ("output_minimum",)
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): activation functions",
            "ReLU kills the gradient in half of the regime; a unit that is never above zero will never update.",
        ),
        Reference(
            "PyTorch documentation: torch.nn.CrossEntropyLoss",
            "Logits do not need to be positive or sum to 1 in general.",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        slack: float = option(0.0, "output unit", "a ReLU's outputs are never below 0")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if a ReLU stands before a loss that takes scores."""
        entering = loss_input(run)
        if isinstance(entering, str):
            return NotChecked(entering)
        squashed = entering.function == "binary_cross_entropy" and entering.operation == "sigmoid"
        if squashed and operation_before(run) == "relu":
            return [self._below_half(run)]
        if entering.function not in _SIGNED or entering.operation != "relu":
            return []
        low = usual(run, "output_minimum")
        if not entering.certain and not low >= -options.slack:
            return []
        now = recent_level(run.series("train_loss").values)
        if samples_of(run, "output_minimum"):
            steps = run.series("output_minimum").steps
            seen = Evidence("output_minimum", None, int(steps[0]), int(steps[-1]), low, "below 0 for some scores")
        else:
            seen = loss_seen(run, "lower, without the ReLU")
        finding = self.finding(
            f"The outputs pass a ReLU before {entering.function}: scores below 0 become 0, and get no gradient;"
            f" train_loss stands at {number(now)}.",
            [seen],
            [
                Recommendation(
                    "Remove the ReLU after the last layer.",
                    "The loss turns scores of either sign into probabilities itself.",
                    "output_minimum is below 0, and train_loss falls further than before.",
                    recipe="output-activation",
                    change=Change("output activation", "relu", "none"),
                )
            ],
            confidence=Confidence.CERTAIN if entering.certain else Confidence.LIKELY,
        )
        return [finding]

    def _below_half(self, run: RunView) -> Finding:
        """Return the finding for a sigmoid that gets no negative number: its probabilities begin at a half."""
        return self.finding(
            "The outputs pass a ReLU before the sigmoid: no probability is ever below 0.5, and what should be gets no"
            f" gradient; train_loss stands at {number(recent_level(run.series('train_loss').values))}.",
            [loss_seen(run, "lower, without the ReLU")],
            [
                Recommendation(
                    "Remove the ReLU between the last layer and the sigmoid.",
                    "A score below 0 is how the model says no.",
                    "output_minimum is below 0.5, and train_loss falls further than before.",
                    recipe="output-activation",
                )
            ],
            confidence=Confidence.CERTAIN,
        )
